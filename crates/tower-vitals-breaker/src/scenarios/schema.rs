//! What a scenario says. A word that is not known is an error.

use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct File {
    pub(super) scenarios: Vec<Scenario>,
}

#[derive(Deserialize)]
pub(super) struct Scenario {
    pub(super) id: String,
    pub(super) config: Config,
    pub(super) steps: Vec<Step>,
    /// The rule for which it is left off; only our own scenarios say.
    pub(super) refused: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    pub(super) window: WindowOf,
    pub(super) trip: Vec<TripOf>,
    pub(super) eval_on: EvalOn,
    pub(super) slow: Option<SlowOf>,
    pub(super) open: Open,
    pub(super) half_open: HalfOpenOf,
    pub(super) ignored: Ignored,
    pub(super) cancelled: Option<Cancelled>,
    pub(super) panic: Option<Panic>,
    pub(super) stale: Stale,
    pub(super) state_read: StateRead,
    pub(super) soft: Option<Soft>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum WindowOf {
    CountRing {
        size: u64,
        #[serde(default)]
        evaluate_only_if_full_before: bool,
    },
    TimeAligned {
        bucket_ns: u64,
        buckets: u64,
    },
    TimeLazy {
        width_ns: u64,
        sampling_ns: u64,
    },
    Tumbling {
        interval_ns: u64,
    },
    None,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TripOf {
    pub(super) consecutive_gte: Option<u32>,
    pub(super) failures_gte: Option<u64>,
    pub(super) failure_rate_gte: Option<f64>,
    pub(super) success_rate_lt: Option<f64>,
    pub(super) slow_rate_gte: Option<f64>,
    pub(super) min_calls: Option<u64>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum EvalOn {
    Any,
    Failure,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SlowOf {
    pub(super) threshold_ns: u64,
    pub(super) cmp: Cmp,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
pub(super) enum Cmp {
    #[serde(rename = ">")]
    Above,
    #[serde(rename = ">=")]
    AtLeast,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Open {
    pub(super) wait_ns: Option<u64>,
    pub(super) backoff: Option<Backoff>,
    pub(super) cmp: Cmp,
    pub(super) auto: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_field_names)] // as the file has it
pub(super) struct Backoff {
    pub(super) base_ns: u64,
    pub(super) mult: f64,
    pub(super) max_ns: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HalfOpenOf {
    pub(super) permits: Option<u32>,
    #[serde(default)]
    pub(super) release_on_complete: bool,
    pub(super) rule: Rule,
    pub(super) n: Option<u32>,
    pub(super) success_threshold: Option<u32>,
    pub(super) success_capacity: Option<u32>,
    pub(super) failure_threshold: Option<u32>,
    pub(super) failure_capacity: Option<u32>,
    pub(super) len: Option<u32>,
    pub(super) threshold: Option<f64>,
    pub(super) max_wait_ns: Option<u64>,
    pub(super) after: Option<After>,
    pub(super) soft: Option<Soft>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Rule {
    RateAfterN,
    NSuccessesAnyFailure,
    Failsafe,
    Recloser,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum After {
    Open,
    Closed,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Soft {
    #[serde(alias = "success")]
    Ok,
    RateOnly,
    #[serde(alias = "err")]
    Failure,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ignored {
    Release,
    Success,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Cancelled {
    Release,
    Reopen,
    Success,
    Nothing,
    #[serde(rename = "LOST")]
    Lost,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Panic {
    Release,
    Failure,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stale {
    Drop,
    Current,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum StateRead {
    Pure,
    Advance,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    pub(super) op: Op,
    pub(super) id: Option<String>,
    pub(super) n: Option<u32>,
    pub(super) outcome: Option<Ended>,
    pub(super) duration_ns: Option<u64>,
    pub(super) ns: Option<u64>,
    pub(super) to: Option<StateOf>,
    pub(super) for_ns: Option<u64>,
    #[serde(default)]
    pub(super) error: bool,
    pub(super) admitted: Option<bool>,
    pub(super) state: Option<StateOf>,
    pub(super) counts: Option<CountsOf>,
    pub(super) retry_after_ns: Option<u64>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Op {
    Call,
    Acquire,
    Complete,
    Drop,
    Advance,
    Expect,
    Force,
    Reset,
    Stray,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ended {
    Ok,
    Err,
    Ignored,
    Soft,
    Panic,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum StateOf {
    Closed,
    Open,
    HalfOpen,
    ForcedOpen,
    Disabled,
    MetricsOnly,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CountsOf {
    pub(super) total: Option<u64>,
    pub(super) failures: Option<u64>,
    pub(super) slow: Option<u64>,
}
