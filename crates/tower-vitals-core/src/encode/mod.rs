//! How the families come out: one visitor, a writer for each text format, in chunks.

mod encoder;
pub(crate) mod number;
mod protocol;
mod text;
mod visit;

pub use self::{
    encoder::Encoder,
    protocol::{Escaping, Protocol},
    text::escape_help,
    visit::{CounterPoint, Exemplar, HistogramPoint, NativeBuckets, Number, Point, Visitor},
};
