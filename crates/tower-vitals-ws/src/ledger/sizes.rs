//! Sizes of messages: so many of each range.

/// How many messages there were in each range of sizes.
pub(crate) type Sizes = [u64; RANGES];

/// Where the ranges end that have an end, in bytes: powers of 4.
pub(crate) const BOUNDS: [f64; RANGES - 1] = [
    64.0,
    256.0,
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

pub(super) const RANGES: usize = 12;

/// The range of a size.
#[inline]
pub(super) fn range(bytes: usize) -> usize {
    // So many bits has the largest number that is smaller, and 6 at least. Two more make a range.
    let bits = usize::BITS - (bytes.saturating_sub(1) | 0x3F).leading_zeros();
    ((bits - 5) as usize / 2).min(RANGES - 1)
}

pub(super) fn add_sizes(sizes: &mut Sizes, more: &Sizes) {
    for (count, more) in sizes.iter_mut().zip(more) {
        *count = count.wrapping_add(*more);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_in_the_first_range_that_ends_no_earlier() {
        let slow = |bytes: usize| BOUNDS.iter().position(|bound| bytes as f64 <= *bound).unwrap_or(RANGES - 1);
        let around = (3..=14)
            .map(|power| 4_usize.pow(power))
            .flat_map(|bound| [bound - 1, bound, bound + 1]);
        for bytes in (0..10_000).chain(around).chain([usize::MAX - 1, usize::MAX]) {
            assert_eq!(range(bytes), slow(bytes), "{bytes}");
        }
    }
}
