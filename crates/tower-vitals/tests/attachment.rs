//! What the facade gives is enough to attach a library of one's own.

use tower_vitals::{Attachment, AttachmentError, LeftOut, Vitals, encode::Protocol};

struct Constant;

impl Attachment for Constant {
    fn render(&self, _: Protocol, _: &dyn Fn(&str) -> bool, out: &mut String) -> Result<LeftOut, AttachmentError> {
        out.push_str("answer 42\n");
        Ok(LeftOut::default())
    }

    fn owner_of(&self, name: &str) -> Option<String> {
        (name == "answer").then(|| "the constant".into())
    }
}

#[test]
fn an_attachment_of_ones_own_comes_out() {
    let vitals = Vitals::new();
    vitals.attach(Constant, &["answer".into()]).unwrap();
    assert!(
        vitals
            .encode_to_string(Protocol::OPEN_METRICS)
            .ends_with("answer 42\n# EOF\n")
    );
}
