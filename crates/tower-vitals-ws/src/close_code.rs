use std::{error::Error, fmt};

/// A code that a closing message of ours may have: 1000 to 1003, 1007 to 1014, and 3000 to 4999 (RFC 6455, section 7.4, and its registry).
///
/// # Example
/// ```
/// use tower_vitals_ws::CloseCode;
///
/// let code = CloseCode::new(4001)?;
/// assert_eq!(code.get(), 4001);
/// assert_eq!(CloseCode::new(1006).unwrap_err().to_string(), "close code 1006 may not be sent: one of 1000 to 1003, 1007 to 1014 or 3000 to 4999 may");
/// # Ok::<(), tower_vitals_ws::InvalidCloseCode>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CloseCode(u16);

/// No side may send this code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidCloseCode(u16);

impl CloseCode {
    /// 1000: the purpose is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: this side goes away, as a server that stops.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1008: a policy was broken.
    pub const POLICY: Self = Self(1008);
    /// 1011: something unexpected happened.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: try again later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);

    /// This code.
    ///
    /// # Errors
    /// When no side may send it.
    pub const fn new(code: u16) -> Result<Self, InvalidCloseCode> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Ok(Self(code)),
            _ => Err(InvalidCloseCode(code)),
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// As much of a reason as fits into a closing message, beside the code.
pub(crate) fn fitting(reason: &str) -> &str {
    let mut end = reason.len().min(LONGEST_REASON);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    &reason[..end]
}

/// A control frame carries 125 bytes, of which the code takes two.
const LONGEST_REASON: usize = 123;

impl TryFrom<u16> for CloseCode {
    type Error = InvalidCloseCode;

    fn try_from(code: u16) -> Result<Self, InvalidCloseCode> {
        Self::new(code)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for InvalidCloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.0;
        write!(
            f,
            "close code {code} may not be sent: one of 1000 to 1003, 1007 to 1014 or 3000 to 4999 may"
        )
    }
}

impl Error for InvalidCloseCode {}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_cut_between_characters() {
        assert_eq!(fitting(""), "");
        assert_eq!(fitting(&"x".repeat(123)).len(), 123);
        assert_eq!(fitting(&"x".repeat(200)).len(), 123);
        assert_eq!(fitting(&"\u{fc}".repeat(62)).len(), 122);
        assert_eq!(fitting(&"\u{1f600}".repeat(31)).len(), 120);
    }

    #[test]
    fn only_codes_that_may_be_sent_are_any() {
        let valid: Vec<_> = (0..=u16::MAX).filter(|code| CloseCode::new(*code).is_ok()).collect();
        let expected: Vec<u16> = (1000..=1003).chain(1007..=1014).chain(3000..=4999).collect();
        assert_eq!(valid, expected);
        assert_eq!(CloseCode::try_from(4001).unwrap().to_string(), "4001");
    }
}
