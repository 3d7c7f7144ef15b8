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
    /// For each number of bits of a duration in nanoseconds, how many bounds are below all durations with so many.
    below: [u8; 65],
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

    /// The bucket of a duration. The number of its bits leads to the first bound that may hold it; bounds are hardly ever closer than
    /// a few to a doubling, so it is that one or one soon after.
    #[inline]
    pub(crate) fn bucket_of_nanos(&self, nanos: u64) -> usize {
        let mut bucket = usize::from(self.inner.below[(u64::BITS - nanos.leading_zeros()) as usize]);
        while self.inner.nanos.get(bucket).is_some_and(|bound| *bound < nanos) {
            bucket += 1;
        }
        bucket
    }

    fn of(bounds: &[f64]) -> Self {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates, and none is negative
        let nanos: Box<[u64]> = bounds.iter().map(|bound| (bound * 1e9).round() as u64).collect();
        let below = std::array::from_fn(|bits| {
            let least = bits.checked_sub(1).map_or(0, |shift| 1 << shift);
            #[allow(clippy::cast_possible_truncation)] // there are at most `MOST`
            let below = nanos.partition_point(|bound| *bound < least) as u8;
            below
        });
        Self {
            inner: Arc::new(Parts {
                values: bounds.into(),
                nanos,
                below,
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
    fn the_number_of_bits_leads_to_the_same_bucket_as_a_search() {
        let many: Vec<f64> = (0..200).map(|k| 1e-9 * 1.2_f64.powi(k)).collect();
        for bounds in [&[][..], &[0.0, 1e-9, 2e-9, 1e30], &[0.005, 0.01, 10.0], &many] {
            let bounds = Bounds::try_new(bounds).unwrap();
            let edges = bounds.inner.nanos.iter().copied().chain((0..64).map(|shift| 1 << shift));
            for nanos in edges.flat_map(|edge| [edge.saturating_sub(1), edge, edge.saturating_add(1), u64::MAX]) {
                let expected = bounds.inner.nanos.partition_point(|bound| *bound < nanos);
                assert_eq!(bounds.bucket_of_nanos(nanos), expected, "{nanos} in {bounds:?}");
            }
        }
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
