use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    vec,
};

use bytes::Bytes;

use super::{
    Protocol, Visitor as _,
    text::{CHUNK, TextWriter},
};
use crate::{Attachment, ClosedLabel, Vitals, scrape::Walk, self_metrics::Cause};

/// A scrape under way: gives text in chunks of about 64 KiB.
///
/// A chunk takes some tens of microseconds to make. Families of an [`Attachment`] are made in one go, because what they come from
/// cannot pause.
#[must_use = "a scrape is made as it is iterated"]
pub struct Encoder {
    vitals: Vitals,
    protocol: Protocol,
    writer: TextWriter,
    step: Step,
}

/// Where the scrape goes on.
enum Step {
    Families(Walk),
    /// Text of attachments that was made and not handed out yet.
    Attachments {
        next: vec::IntoIter<Arc<dyn Attachment>>,
        text: String,
        from: usize,
    },
    Done,
}

impl Encoder {
    pub(crate) fn new(vitals: &Vitals, protocol: Protocol) -> Self {
        Self {
            protocol,
            writer: TextWriter::new(protocol),
            step: Step::Families(Walk::begin(vitals)),
            vitals: vitals.clone(),
        }
    }

    /// Which format this is.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Whether the last chunk was given.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.step, Step::Done)
    }

    /// Writes until a chunk is full or all is written.
    fn write(&mut self) {
        self.writer.begin();
        while !self.writer.is_full() {
            self.step = match std::mem::replace(&mut self.step, Step::Done) {
                Step::Families(mut walk) => {
                    if walk.go_on(&mut self.writer) {
                        Step::Attachments {
                            next: self.vitals.registry().attachments().into_iter(),
                            text: String::new(),
                            from: 0,
                        }
                    } else {
                        Step::Families(walk)
                    }
                }
                Step::Attachments { next, text, from } if from < text.len() => {
                    let to = cut(&text, from + CHUNK);
                    self.writer.append(&text[from..to]);
                    Step::Attachments { next, text, from: to }
                }
                Step::Attachments { mut next, .. } => match next.next() {
                    Some(attachment) => {
                        let text = self.render(&attachment);
                        Step::Attachments { next, text, from: 0 }
                    }
                    None => {
                        self.writer.end();
                        return;
                    }
                },
                Step::Done => return,
            };
        }
    }

    /// The text of an attachment, or none when it cannot give any.
    fn render(&self, attachment: &Arc<dyn Attachment>) -> String {
        let mut text = String::new();
        let taken = |name: &str| self.vitals.registry().is_taken(name, attachment);
        match catch_unwind(AssertUnwindSafe(|| attachment.render(self.protocol, &taken, &mut text))) {
            Ok(Ok(left_out)) => {
                self.count(Cause::Duplicate, left_out.duplicate);
                self.count(Cause::Invalid, left_out.invalid);
                return text;
            }
            Ok(Err(_)) => self.count(Cause::Unreadable, 1),
            Err(_) => self.count(Cause::Panicked, 1),
        }
        String::new()
    }

    fn count(&self, cause: Cause, families: u64) {
        if let (Some(metrics), 1..) = (self.vitals.self_metrics(), families) {
            metrics.attachment_errors.with([cause.as_str()]).inc_by(families);
        }
    }
}

impl Iterator for Encoder {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        self.write();
        let chunk = self.writer.take();
        (!chunk.is_empty()).then(|| Bytes::from(chunk))
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("protocol", &self.protocol)
            .field("done", &self.is_done())
            .finish_non_exhaustive()
    }
}

/// The last border between characters that is not behind `end`.
fn cut(text: &str, end: usize) -> usize {
    let end = end.min(text.len());
    (0..=end).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0)
}
