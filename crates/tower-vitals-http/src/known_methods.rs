//! Which methods the label `method` tells apart, where that was set.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    env,
    ffi::OsStr,
    sync::{Mutex, PoisonError},
};

use http::Method;
use tower_vitals_core::ClosedLabel;

use crate::method::KnownMethod;

/// The variable that OpenTelemetry's conventions name for the list.
const VARIABLE: &str = "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS";

/// How many methods may be known, so that a number of theirs and that of `_OTHER` fit in six bits.
const MOST: usize = 62;

/// How many variants a [`KnownMethod`] has.
const VARIANTS: usize = KnownMethod::ALL.len();

/// The values of the label `method`: those of [`KnownMethod`] unless others were set in their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownMethods {
    /// Variants of `KnownMethod` in their order, then names of their own by the alphabet, then `_OTHER`: the same for the same set,
    /// however it was listed.
    names: Cow<'static, [&'static str]>,
    /// The place of each `KnownMethod` among the names.
    places: [u8; VARIANTS],
    /// The place of the first name that is no `KnownMethod`.
    own: u8,
}

impl Default for KnownMethods {
    fn default() -> Self {
        Self::of_names(Cow::Borrowed(KnownMethod::VALUES))
    }
}

impl KnownMethods {
    /// Exactly these methods and `_OTHER`. Case matters, as it does in requests.
    pub(crate) fn from_names<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Result<Self, String> {
        let mut asked = BTreeSet::new();
        for name in names {
            let name = name.as_ref();
            if !is_token(name) {
                return Err(format!("`{}` is not the name of a method", shown(name)));
            }
            asked.insert(name.to_owned());
        }
        asked.remove(KnownMethod::Other.as_str());
        if asked.len() > MOST {
            return Err(format!(
                "{} methods are too many to tell apart, {MOST} are the most",
                asked.len()
            ));
        }
        let (mut names, other) = (KnownMethod::VALUES.to_vec(), KnownMethod::Other.as_str());
        names.retain(|name| asked.remove(*name));
        names.extend(asked.iter().map(|name| interned(name)));
        names.push(other);
        Ok(Self::of_names(Cow::Owned(names)))
    }

    /// Those of the environment variable `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS`, or the default when it says nothing.
    pub(crate) fn from_env() -> Result<Self, String> {
        Self::from_variable(env::var_os(VARIABLE).as_deref())
    }

    /// Those of a value of the environment variable: names with commas between them, in place of the default.
    fn from_variable(value: Option<&OsStr>) -> Result<Self, String> {
        let value = match value.map(OsStr::to_str) {
            None => return Ok(Self::default()),
            Some(None) => return Err(format!("`{VARIABLE}` is not UTF-8")),
            Some(Some(value)) => value,
        };
        let mut names = value.split(',').map(str::trim).filter(|name| !name.is_empty()).peekable();
        if names.peek().is_none() {
            return Ok(Self::default());
        }
        Self::from_names(names).map_err(|rule| format!("`{VARIABLE}`: {rule}"))
    }

    /// All values in the order of their numbers, `_OTHER` last.
    pub(crate) fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// The same, to declare a label with.
    pub(crate) fn values(&self) -> Cow<'static, [&'static str]> {
        self.names.clone()
    }

    /// The number of a method's value. It costs a look into a table, and a search only where names of their own were set and the
    /// method is none of the usual ones.
    #[inline]
    pub(crate) fn number(&self, known: KnownMethod, method: &Method) -> u8 {
        let number = self.places[known as usize];
        // `KnownMethod::Other` has the last place, behind the names of their own.
        if known == KnownMethod::Other && self.own < number {
            return self.number_of_own(method);
        }
        number
    }

    #[inline(never)]
    fn number_of_own(&self, method: &Method) -> u8 {
        (self.own..)
            .zip(&self.names[usize::from(self.own)..])
            .find(|(_, name)| method.as_str() == **name)
            .map_or(self.places[KnownMethod::Other as usize], |(number, _)| number)
    }

    fn of_names(names: Cow<'static, [&'static str]>) -> Self {
        let place = |name: &str| (0..).zip(&*names).find(|(_, known)| **known == name).map(|(place, _)| place);
        let other: u8 = place(KnownMethod::Other.as_str()).unwrap_or_default();
        let own = (0..).zip(&*names).find(|(_, name)| !KnownMethod::VALUES.contains(name));
        Self {
            places: KnownMethod::ALL.map(|known| place(known.as_str()).unwrap_or(other)),
            own: own.map_or(other, |(place, _)| place),
            names,
        }
    }
}

/// The name for as long as the process lives. Labels ask for that. What it costs is bounded by configuration: each name that was ever
/// set is kept once, however many layers have it.
fn interned(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    match names.get(name) {
        Some(known) => known,
        None => {
            let kept: &'static str = Box::leak(name.into());
            names.insert(kept);
            kept
        }
    }
}

/// Whether a name is a token as RFC 9110 has it: no other can be the method of a request.
fn is_token(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token)
}

/// The name as it stands in an error line: one from configuration can be of any length.
fn shown(name: &str) -> String {
    name.chars().take(200).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(methods: &KnownMethods, method: &str) -> u8 {
        let method: Method = method.parse().unwrap();
        methods.number(KnownMethod::of(&method), &method)
    }

    fn value(methods: &KnownMethods, method: &str) -> &'static str {
        methods.names()[usize::from(number(methods, method))]
    }

    #[test]
    fn by_default_numbers_are_those_of_the_variants() {
        let methods = KnownMethods::default();
        assert_eq!(methods.names(), KnownMethod::VALUES);
        assert!(matches!(methods.values(), Cow::Borrowed(_)));
        for known in KnownMethod::ALL {
            let method = known.as_str().parse().unwrap();
            assert_eq!(methods.number(known, &method), known as u8);
        }
        assert_eq!(value(&methods, "PROPFIND"), "_OTHER");
    }

    #[test]
    fn what_is_set_goes_in_place_of_the_default() {
        let methods = KnownMethods::from_names(["PROPFIND", "POST", "get", "MKCOL", "GET"]).unwrap();
        assert_eq!(methods.names(), ["GET", "POST", "MKCOL", "PROPFIND", "get", "_OTHER"]);
        for name in ["GET", "POST", "MKCOL", "PROPFIND", "get", "_OTHER"] {
            assert_eq!(value(&methods, name), name);
        }
        for other in ["PUT", "QUERY", "post", "Propfind", "LOCK"] {
            assert_eq!(value(&methods, other), "_OTHER");
        }
    }

    #[test]
    fn a_set_may_have_usual_names_only_or_none() {
        let few = KnownMethods::from_names(["PUT", "HEAD"]).unwrap();
        assert_eq!(few.names(), ["HEAD", "PUT", "_OTHER"]);
        for (method, expected) in [("HEAD", 0), ("PUT", 1), ("GET", 2), ("LOCK", 2), ("_OTHER", 2)] {
            assert_eq!(number(&few, method), expected, "{method}");
        }
        let none = KnownMethods::from_names::<&str>([]).unwrap();
        assert_eq!(none.names(), ["_OTHER"]);
        assert_eq!((number(&none, "GET"), number(&none, "LOCK")), (0, 0));
    }

    #[test]
    fn the_order_of_a_list_and_what_it_says_twice_do_not_matter() {
        let methods = KnownMethods::from_names(["LOCK", "GET", "COPY"]).unwrap();
        assert_eq!(
            KnownMethods::from_names(["_OTHER", "COPY", "GET", "COPY", "LOCK"]),
            Ok(methods.clone())
        );
        assert_ne!(KnownMethods::from_names(["COPY", "GET"]), Ok(methods));
        let mut default = KnownMethod::VALUES.to_vec();
        default.reverse();
        assert_eq!(KnownMethods::from_names(default), Ok(KnownMethods::default()));
    }

    #[test]
    fn names_are_kept_once() {
        let [first, second] = ["X-KEPT", "X-KEPT"].map(|name| KnownMethods::from_names([name]).unwrap());
        assert!(std::ptr::eq(first.names()[0], second.names()[0]));
    }

    #[test]
    fn as_many_as_fit_may_be_known() {
        let names = |count: usize| (0..count).map(|number| format!("M{number}"));
        let methods = KnownMethods::from_names(names(MOST)).unwrap();
        assert_eq!(methods.names().len(), 63);
        assert_eq!(number(&methods, "LOCK"), 62);
        for name in names(MOST) {
            assert_eq!(value(&methods, &name), name);
        }
        assert_eq!(
            KnownMethods::from_names(names(MOST + 1)).unwrap_err(),
            "63 methods are too many to tell apart, 62 are the most"
        );
    }

    #[test]
    fn what_no_request_can_have_is_refused() {
        for name in [
            "", " ", "GE T", "GET ", "GET,PUT", "a/b", "a\"b", "ä", "a\u{7f}", "{x}", "a:b",
        ] {
            let error = KnownMethods::from_names(["GET", name]).unwrap_err();
            assert_eq!(error, format!("`{}` is not the name of a method", shown(name)));
        }
        let long = KnownMethods::from_names([" ".repeat(10_000)]).unwrap_err();
        assert!(long.len() < 300);
        // Every sign that a token may have.
        let strange = "!#$%&'*+-.^_`|~09azAZ";
        let methods = KnownMethods::from_names([strange]).unwrap();
        assert_eq!(methods.names(), [strange, "_OTHER"]);
        assert_eq!(value(&methods, strange), strange);
    }

    #[test]
    fn the_variable_is_a_list_with_commas() {
        let of = |value: &str| KnownMethods::from_variable(Some(OsStr::new(value)));
        assert_eq!(KnownMethods::from_variable(None), Ok(KnownMethods::default()));
        for nothing in ["", "  ", ",", " , ,\t"] {
            assert_eq!(of(nothing), Ok(KnownMethods::default()), "{nothing:?}");
        }
        for list in ["GET,PROPFIND", " PROPFIND ,, GET,", "GET,PROPFIND,GET"] {
            assert_eq!(of(list), KnownMethods::from_names(["GET", "PROPFIND"]), "{list:?}");
        }
        assert_eq!(of("get").unwrap().names(), ["get", "_OTHER"]);
        assert_eq!(
            of("GET,PROP FIND").unwrap_err(),
            "`OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS`: `PROP FIND` is not the name of a method"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_no_text_is_refused() {
        use std::os::unix::ffi::OsStrExt;

        let error = KnownMethods::from_variable(Some(OsStr::from_bytes(b"GET,\xff"))).unwrap_err();
        assert_eq!(error, "`OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS` is not UTF-8");
    }
}
