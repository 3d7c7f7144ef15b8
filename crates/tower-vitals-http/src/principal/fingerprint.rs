//! Tells IDs again without keeping them.

use std::{
    fmt,
    hash::{BuildHasher, Hasher},
};

use foldhash::fast::RandomState;

/// Makes fingerprints under seeds of its own, which are others in each process: whoever knows them could find a text to a fingerprint, but
/// nothing that leaves the process tells them.
pub(super) struct Fingerprints {
    keyed: RandomState,
}

impl Fingerprints {
    pub(super) fn random() -> Self {
        Self {
            keyed: RandomState::default(),
        }
    }

    #[inline]
    pub(super) fn of(&self, id: &[u8]) -> u64 {
        let mut hasher = self.keyed.build_hasher();
        hasher.write(id);
        hasher.finish()
    }
}

impl fmt::Debug for Fingerprints {
    /// Without the seeds, which would let fingerprints be guessed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprints")
    }
}
