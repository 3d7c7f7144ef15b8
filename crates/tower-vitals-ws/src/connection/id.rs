use std::{
    error::Error,
    fmt,
    hash::{BuildHasher, RandomState},
    str::FromStr,
};

/// Names an open connection to operators. It is random, and means nothing outside of this process.
///
/// Written, it is 16 hexadecimal digits, and it can be read from them.
///
/// # Example
/// ```
/// use tower_vitals_ws::ConnectionId;
///
/// let id: ConnectionId = "00c0ffee00c0ffee".parse()?;
/// assert_eq!(id.to_string(), "00c0ffee00c0ffee");
/// assert_eq!(format!("{id:?}"), "ConnectionId(00c0ffee00c0ffee)");
/// assert_eq!("x".parse::<ConnectionId>().unwrap_err().to_string(), "connection ID `x` is not 16 hexadecimal digits");
/// # Ok::<(), tower_vitals_ws::InvalidConnectionId>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(u64);

/// This is no ID of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidConnectionId(String);

impl ConnectionId {
    pub(crate) fn random() -> Self {
        Self(random())
    }

    /// For spreading connections evenly over so many places.
    pub(crate) fn place(self, places: u64) -> u64 {
        self.0 % places.max(1)
    }
}

/// A number that nobody outside can guess: what the standard library keys its hash tables with, hashed.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(0_u8)
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As it is written elsewhere, so that what stands in a log can be found.
        write!(f, "ConnectionId({self})")
    }
}

impl FromStr for ConnectionId {
    type Err = InvalidConnectionId;

    fn from_str(text: &str) -> Result<Self, InvalidConnectionId> {
        let is_digits = text.len() == 16 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let id = is_digits.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        id.map(Self)
            .ok_or_else(|| InvalidConnectionId(text.chars().take(LONGEST).collect()))
    }
}

/// So much of what is wrong is said.
const LONGEST: usize = 32;

impl fmt::Display for InvalidConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection ID `{}` is not 16 hexadecimal digits", self.0.escape_debug())
    }
}

impl Error for InvalidConnectionId {}
