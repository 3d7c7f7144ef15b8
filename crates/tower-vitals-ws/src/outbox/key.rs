use std::{borrow::Cow, sync::Arc};

/// What messages are the latest of: a number or a text. It is compared within one outbox, and told to nobody.
///
/// Numbers, static texts and `Arc<str>` cost no allocation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key(Repr);

#[derive(Clone, Debug)]
enum Repr {
    Number(u64),
    Static(&'static str),
    Shared(Arc<str>),
}

impl Repr {
    /// A number, or a text however it is held.
    fn value(&self) -> Result<u64, &str> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::Static(text) => Err(text),
            Self::Shared(text) => Err(text),
        }
    }
}

impl PartialEq for Repr {
    fn eq(&self, other: &Self) -> bool {
        self.value() == other.value()
    }
}

impl Eq for Repr {}

impl std::hash::Hash for Repr {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.value().hash(state);
    }
}

impl From<u64> for Key {
    fn from(number: u64) -> Self {
        Self(Repr::Number(number))
    }
}

impl From<&'static str> for Key {
    fn from(text: &'static str) -> Self {
        Self(Repr::Static(text))
    }
}

impl From<Arc<str>> for Key {
    fn from(text: Arc<str>) -> Self {
        Self(Repr::Shared(text))
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self(Repr::Shared(text.into()))
    }
}

impl From<Cow<'static, str>> for Key {
    fn from(text: Cow<'static, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_text_is_the_same_however_it_is_held() {
        let texts = [
            Key::from("7"),
            String::from("7").into(),
            Arc::<str>::from("7").into(),
            Cow::Borrowed("7").into(),
        ];
        assert_eq!(HashSet::from(texts).len(), 1);
        assert_ne!(Key::from("7"), Key::from(7));
    }
}
