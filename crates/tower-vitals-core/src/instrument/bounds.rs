use std::sync::Arc;

use crate::encode::number;

/// More buckets than this are a mistake: each is a series for Prometheus.
const MOST: usize = 200;

/// The upper bounds of a histogram's buckets, without `+Inf`.
///
/// Cloning is cheap.
#[derive(Clone, Debug, PartialEq)]
pub struct Bounds {
    inner: Arc<Parts>,
}

#[derive(Debug, PartialEq)]
struct Parts {
    values: Box<[f64]>,
    /// The same in nanoseconds, for durations.
    nanos: Box<[u64]>,
    /// The same as they stand in the label `le`, in every format.
    le: Box<[String]>,
}

impl Bounds {
    /// Checks bounds: finite, not negative, rising. A last bound of infinity is left out, because every histogram has it.
    ///
    /// # Errors
    /// The rule that was broken, and by which value.
    pub fn try_new(bounds: &[f64]) -> Result<Self, String> {
        let bounds = match bounds {
            [finite @ .., last] if *last == f64::INFINITY => finite,
            all => all,
        };
        if bounds.len() > MOST {
            return Err(format!(
                "{} buckets are more than the {MOST} that a histogram may have",
                bounds.len()
            ));
        }
        for bound in bounds {
            if !bound.is_finite() || *bound < 0.0 {
                return Err(format!("bucket bound {bound} must be finite and not negative"));
            }
        }
        if let Some([a, b]) = bounds.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(format!("bucket bounds must rise, but {b} comes after {a}"));
        }
        // Zero has one sign, or its bucket would have two names.
        Ok(Self::of(&bounds.iter().map(|bound| bound + 0.0).collect::<Vec<_>>()))
    }

    /// The bounds.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.inner.values
    }

    /// The bounds as they stand in the label `le`. They read the same in every format, because another text is another series.
    pub fn le(&self) -> impl ExactSizeIterator<Item = &str> {
        self.inner.le.iter().map(String::as_str)
    }

    pub(crate) fn bucket(&self, value: f64) -> usize {
        self.inner.values.partition_point(|bound| *bound < value)
    }

    pub(crate) fn bucket_of_nanos(&self, nanos: u64) -> usize {
        self.inner.nanos.partition_point(|bound| *bound < nanos)
    }

    fn of(bounds: &[f64]) -> Self {
        Self {
            inner: Arc::new(Parts {
                values: bounds.into(),
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates, and none is negative
                nanos: bounds.iter().map(|bound| (bound * 1e9).round() as u64).collect(),
                le: bounds.iter().map(|bound| number::le(*bound)).collect(),
            }),
        }
    }
}

impl Default for Bounds {
    /// 5 ms to 10 s, as OpenTelemetry's conventions for HTTP advise.
    fn default() -> Self {
        Self::of(&[
            0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let bounds = Bounds::try_new(&[0.005, 0.01, 1.0]).unwrap();
        assert_eq!([0.0, 0.005, 0.005_000_1, 1.0, 1.1].map(|v| bounds.bucket(v)), [0, 0, 1, 2, 3]);
        assert_eq!(
            [0, 5_000_000, 5_000_001, 1_000_000_000].map(|v| bounds.bucket_of_nanos(v)),
            [0, 0, 1, 2]
        );
    }

    #[test]
    fn bad_bounds_are_named() {
        assert!(Bounds::try_new(&[1.0, f64::INFINITY]).is_ok_and(|b| b.values() == [1.0]));
        assert!(Bounds::try_new(&[]).is_ok());
        assert_eq!(Bounds::try_new(&[-0.0]).unwrap().le().next(), Some("0.0"));
        for (bounds, rule) in [
            (&[1.0, 1.0][..], "1 comes after 1"),
            (&[2.0, 1.0], "must rise"),
            (&[f64::NAN], "must be finite"),
            (&[-1.0], "not negative"),
            (&[f64::INFINITY, 1.0], "must be finite"),
        ] {
            assert!(Bounds::try_new(bounds).unwrap_err().contains(rule), "{bounds:?}");
        }
    }
}
