//! Whether a library wrote what it was to write. Who writes nothing is fast.

#[cfg(feature = "rivals")]
mod protobuf;

use super::{
    Library, Work,
    library::{Format, Scraped},
};
use crate::Result;

/// Writes all series once and counts them in what was written.
pub(super) fn check(library: &Library, work: Work, scraped: &dyn Scraped) -> Result<()> {
    let mut body = Vec::new();
    scraped.encode(&mut |piece| body.extend_from_slice(piece));
    let found = match library.format {
        Format::Text => samples(&body, work.kind.family())?,
        #[cfg(feature = "rivals")]
        Format::Protobuf => protobuf::samples(&body, work.kind)?,
    };
    if found == work.samples() {
        return Ok(());
    }
    Err(format!("{}: {found} samples in place of {}", library.name, work.samples()).into())
}

/// Lines that hold a value of the family.
fn samples(body: &[u8], family: &str) -> Result<usize> {
    let lines = std::str::from_utf8(body)?.lines();
    let is_sample = |line: &&str| {
        let value = line.rsplit_once("} ").map(|(_, value)| value.parse::<f64>());
        line.starts_with(family) && matches!(value, Some(Ok(_)))
    };
    Ok(lines.filter(is_sample).count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scrape::{Kind, LIBRARIES};

    #[test]
    fn every_library_writes_every_sample() {
        for kind in [Kind::Counters, Kind::Histograms] {
            let work = Work { kind, lines: 280 };
            for library in LIBRARIES {
                check(library, work, &*(library.build)(work)).unwrap();
            }
        }
    }

    #[test]
    fn a_sample_too_few_is_an_error() {
        let work = |lines| Work {
            kind: Kind::Counters,
            lines,
        };
        for library in LIBRARIES {
            let few = (library.build)(work(9));
            assert!(check(library, work(10), &*few).is_err(), "{}", library.name);
        }
    }

    #[test]
    fn only_lines_with_a_value_count() {
        let body = b"# TYPE a counter\na{b=\"c\"} 1\nx{b=\"c\"} 1\na{b=\"c\"} \n";
        assert_eq!(samples(body, "a").unwrap(), 1);
    }
}
