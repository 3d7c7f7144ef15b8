//! IDs leave the process only as hashes.

use std::{error::Error, fmt};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// How the ID of a user or of an API key becomes the value of a label. The ID itself is not kept.
///
/// There is no default, because one has to choose:
///
/// - [`sha256`](Self::sha256) gives what other programs and dashboards give for the same ID. Who can guess IDs (a number that counts up,
///   an e-mail address) can also compute their hashes, and so finds out whose hash it is.
/// - [`keyed`](Self::keyed) gives hashes that nobody can compute without the secret. Processes with the same secret give the same
///   hashes.
///
/// Both give the first 8 hexadecimal digits. That two of them are the same for different IDs happens among 1,000 IDs in one case of ten
/// thousand, and among 10,000 in one of a hundred.
///
/// # Example
/// ```
/// use tower_vitals_core::IdHasher;
///
/// let hasher = IdHasher::sha256();
/// assert_eq!(hasher.hash("abc").as_str(), "ba7816bf");
///
/// let secret = "from the environment, and the same in every process";
/// assert_ne!(IdHasher::keyed(secret)?.hash("abc"), hasher.hash("abc"));
/// # Ok::<(), tower_vitals_core::SecretError>(())
/// ```
#[derive(Clone)]
pub struct IdHasher {
    method: Method,
}

#[derive(Clone)]
enum Method {
    Sha256,
    /// What the secret was made into. It is overwritten when it is dropped, and so is each copy.
    Keyed(Box<Hmac<Sha256>>),
}

/// The hash of an ID: 8 lowercase hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HashedId {
    digits: [u8; DIGITS],
}

/// A secret is too short to be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretError {
    bytes: usize,
}

const DIGITS: usize = 8;

/// Shorter secrets can be found by trying.
const SHORTEST_SECRET: usize = 16;

// === impl IdHasher ===

impl IdHasher {
    /// Hashes with SHA-256.
    #[must_use]
    pub fn sha256() -> Self {
        Self { method: Method::Sha256 }
    }

    /// Hashes with HMAC-SHA-256 under a secret of at least 16 bytes; 32 random ones are best.
    ///
    /// The secret is overwritten in memory when the hasher is dropped. What was passed in belongs to the caller, who may do the same.
    ///
    /// # Errors
    /// When the secret is shorter than 16 bytes.
    pub fn keyed(secret: impl AsRef<[u8]>) -> Result<Self, SecretError> {
        let secret = secret.as_ref();
        let too_short = || SecretError { bytes: secret.len() };
        if secret.len() < SHORTEST_SECRET {
            return Err(too_short());
        }
        // HMAC takes secrets of any length.
        let keyed = Hmac::new_from_slice(secret).map_err(|_| too_short())?;
        Ok(Self {
            method: Method::Keyed(Box::new(keyed)),
        })
    }

    /// The hash of an ID.
    ///
    /// # Cost
    /// SHA-256 of the ID, which with a secret is done twice: from a few hundred nanoseconds to a few microseconds, by the processor. No
    /// allocation.
    #[must_use]
    pub fn hash(&self, id: impl AsRef<[u8]>) -> HashedId {
        let digest = self.digest(id.as_ref());
        let digits = std::array::from_fn(|at| {
            let byte = digest[at / 2];
            HEX[usize::from(if at % 2 == 0 { byte >> 4 } else { byte & 0xF })]
        });
        HashedId { digits }
    }

    fn digest(&self, text: &[u8]) -> [u8; 32] {
        match &self.method {
            Method::Sha256 => Sha256::digest(text).into(),
            Method::Keyed(keyed) => Hmac::clone(keyed).chain_update(text).finalize().into_bytes().into(),
        }
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

impl PartialEq for IdHasher {
    /// Whether both give the same hashes.
    fn eq(&self, other: &Self) -> bool {
        // The secrets themselves are gone; those that agree on a whole digest are the same.
        let probe = b"tower-vitals";
        self.digest(probe) == other.digest(probe)
    }
}

impl Eq for IdHasher {}

impl fmt::Debug for IdHasher {
    /// Names the method, and never the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.method {
            Method::Sha256 => "IdHasher::sha256",
            Method::Keyed(_) => "IdHasher::keyed",
        })
    }
}

// === impl HashedId ===

impl HashedId {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.digits).unwrap_or_default()
    }
}

impl fmt::Display for HashedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for HashedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HashedId").field(&self.as_str()).finish()
    }
}

// === impl SecretError ===

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes } = self;
        write!(
            f,
            "secret for hashed IDs must have at least {SHORTEST_SECRET} bytes, but this one has {bytes}"
        )
    }
}

impl Error for SecretError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(digest: &[u8]) -> String {
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// FIPS 180-2, appendix B, and the example of the empty message of NIST's CAVP.
    #[test]
    fn sha256_is_that_of_nist() {
        for (message, digest) in [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            ),
        ] {
            let hasher = IdHasher::sha256();
            assert_eq!(hex(&hasher.digest(message.as_bytes())), digest);
            assert_eq!(hasher.hash(message).as_str(), &digest[..8]);
        }
    }

    /// RFC 4231, test cases 1, 3, 4, 6 and 7; the key of case 2 is too short for us, and case 5 shows a cut digest of one.
    #[test]
    fn hmac_is_that_of_rfc_4231() {
        let counting: Vec<u8> = (1..=25).collect();
        let long = "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed \
                    before being used by the HMAC algorithm.";
        let cases: [(&[u8], &[u8], &str); 5] = [
            (
                &[0x0b; 20],
                b"Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                &[0xaa; 20],
                &[0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            ),
            (
                &counting,
                &[0xcd; 50],
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
            ),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (
                &[0xaa; 131],
                long.as_bytes(),
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            ),
        ];
        for (secret, message, digest) in cases {
            let hasher = IdHasher::keyed(secret).unwrap();
            assert_eq!(hex(&hasher.digest(message)), digest);
            if let Ok(message) = std::str::from_utf8(message) {
                assert_eq!(hasher.hash(message).as_str(), &digest[..8]);
            }
        }
    }

    #[test]
    fn hashers_are_the_same_when_their_hashes_are() {
        let keyed = |secret: &str| IdHasher::keyed(secret).unwrap();
        assert_eq!(keyed("0123456789abcdef"), keyed("0123456789abcdef").clone());
        assert_ne!(keyed("0123456789abcdef"), keyed("0123456789abcdeg"));
        assert_ne!(keyed("0123456789abcdef"), IdHasher::sha256());
        assert_eq!(IdHasher::sha256(), IdHasher::sha256());
        assert_eq!(keyed("0123456789abcdef").hash("7"), keyed("0123456789abcdef").hash("7"));
        assert_ne!(keyed("0123456789abcdef").hash("7"), keyed("0123456789abcdeg").hash("7"));
    }

    #[test]
    fn nothing_that_is_printed_shows_the_secret() {
        let secret = "hunter2hunter2hunter2";
        let hasher = IdHasher::keyed(secret).unwrap();
        assert_eq!(format!("{hasher:?}"), "IdHasher::keyed");
        assert_eq!(format!("{:?}", IdHasher::sha256().hash("abc")), r#"HashedId("ba7816bf")"#);
        assert_eq!(format!("{:>10}|", IdHasher::sha256().hash("abc")), "  ba7816bf|");
        for bytes in [0, 1, 15] {
            let error = IdHasher::keyed(&secret[..bytes]).unwrap_err();
            let expected = format!("secret for hashed IDs must have at least 16 bytes, but this one has {bytes}");
            assert_eq!(error.to_string(), expected);
            assert!(!format!("{error:?} {error}").contains("hunter"));
        }
        assert!(IdHasher::keyed(&secret[..16]).is_ok());
    }

    #[test]
    fn hashers_can_be_shared_and_wipe_what_they_keep() {
        fn wiped<T: sha2::digest::zeroize::ZeroizeOnDrop>() {}
        fn shared<T: Send + Sync + Clone + 'static>() {}
        // HMAC keeps two states of it, which are wiped by themselves.
        wiped::<Sha256>();
        shared::<IdHasher>();
    }
}
