//! The closed sets of values that a breaker's labels have.

use tower_vitals_core::closed_label;

closed_label! {
    /// Whether a breaker lets calls through.
    pub enum State {
        /// Calls go through, and their results are judged.
        Closed => "closed",
        /// Calls are rejected.
        Open => "open",
        /// A few calls go through as probes, and the others are rejected.
        HalfOpen => "half_open",
    }
}

impl State {
    /// The value of the gauge `circuit_breaker_state`: 0 closed, 1 open, 2 half-open.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }
}

closed_label! {
    /// Who decides what a breaker does.
    pub enum Mode {
        /// The results of calls.
        Auto => "auto",
        /// An operator: all calls are rejected.
        ForcedOpen => "forced_open",
        /// An operator: all calls go through, and none is judged.
        Disabled => "disabled",
        /// The results of calls move the state, but what it would reject goes through and is counted.
        Shadow => "shadow",
    }
}

closed_label! {
    /// How a call ended that a breaker let through.
    pub enum Outcome {
        /// It did what it should.
        Success => "success",
        /// It failed.
        Failure => "failure",
        /// It took longer than somebody was willing to wait.
        Timeout => "timeout",
        /// It did what it should, but slowly.
        SlowSuccess => "slow_success",
        /// It failed slowly.
        SlowFailure => "slow_failure",
        /// It ended in a way that says nothing about what was called.
        Ignored => "ignored",
        /// Whoever waited for it went away.
        Cancelled => "cancelled",
        /// It panicked.
        Panicked => "panicked",
        /// It ended in another state than it began in, and decided nothing.
        Stale => "stale",
    }
}

closed_label! {
    /// Why a call was rejected.
    pub enum RejectReason {
        /// The breaker is open.
        Open => "open",
        /// The breaker is half-open, and as many probes as may go through are on their way.
        HalfOpenFull => "half_open_full",
        /// An operator opened the breaker.
        ForcedOpen => "forced_open",
    }
}

closed_label! {
    /// Why a breaker went into another state.
    pub enum TransitionReason {
        /// So many calls failed in a row.
        ConsecutiveFailures => "consecutive_failures",
        /// So large a part of the recent calls failed.
        FailureRate => "failure_rate",
        /// So large a part of the recent calls was slow.
        SlowCallRate => "slow_call_rate",
        /// The open time was over when somebody called.
        OpenTimeOver => "open_time_over",
        /// Enough probes succeeded.
        ProbesSucceeded => "probes_succeeded",
        /// Too many probes failed.
        ProbesFailed => "probes_failed",
        /// Too many probes were slow.
        ProbesSlow => "probes_slow",
        /// Probes did not come back within the lease.
        LeaseExpired => "lease_expired",
        /// An operator opened it.
        Forced => "forced",
        /// An operator let go of a breaker that was forced open.
        Released => "released",
        /// An operator disabled it.
        Disabled => "disabled",
        /// An operator reset it.
        Reset => "reset",
    }
}
