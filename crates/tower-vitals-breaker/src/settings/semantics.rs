//! Rules in which circuit breakers differ.
//!
//! A breaker of ours always has [`Semantics::OURS`]. Tests set others, so as to replay what other libraries' tests say.

/// The rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Semantics {
    /// When the window is judged.
    pub(crate) judged: Judged,
    /// What a rate must be to open the breaker.
    pub(crate) rate: Reaches,
    /// What a call must take to be slow.
    pub(crate) slow: Reaches,
    /// What must have passed of the open time.
    pub(crate) open_time: Reaches,
    /// Whether an ignored result counts as a success.
    pub(crate) ignored_succeeds: bool,
    /// Whether a cancelled probe counts as one that failed.
    pub(crate) cancelled_probe_fails: bool,
    /// When probes decide.
    pub(crate) verdicts: Verdicts,
    /// Whether a probe's place is free again when it ends, before a verdict.
    pub(crate) places_return: bool,
    /// Whether a window of calls is judged only once it was full before the result came.
    pub(crate) full_before: bool,
}

/// When the window is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    /// After every result.
    EveryResult,
    /// After failures and slow calls.
    #[cfg_attr(any(not(test), loom), allow(dead_code))]
    Failures,
}

/// How a bound is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reaches {
    AtLeast,
    #[cfg_attr(any(not(test), loom), allow(dead_code))]
    Above,
}

/// When probes decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdicts {
    /// As soon as no result that is missing can change it.
    WhenCertain,
    /// When all results are there.
    #[cfg_attr(any(not(test), loom), allow(dead_code))]
    AfterAll,
}

impl Semantics {
    /// What we hold to be right.
    pub(crate) const OURS: Self = Self {
        judged: Judged::EveryResult,
        rate: Reaches::AtLeast,
        slow: Reaches::AtLeast,
        open_time: Reaches::AtLeast,
        ignored_succeeds: false,
        cancelled_probe_fails: false,
        verdicts: Verdicts::WhenCertain,
        places_return: false,
        full_before: false,
    };
}

impl Reaches {
    /// Whether `value` reaches `bound`.
    #[inline]
    pub(crate) fn holds<T: PartialOrd + Copy>(self, value: T, bound: T) -> bool {
        match self {
            Self::AtLeast => value >= bound,
            Self::Above => value > bound,
        }
    }
}
