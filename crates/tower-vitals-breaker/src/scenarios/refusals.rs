//! Rules of other breakers that ours does not have, on purpose.

use super::schema::{After, Cancelled, Config, Ended, Op, Panic, Stale, Step};
use crate::{Mode, RejectReason, State};

/// A rule that we refuse.
#[derive(Debug)]
pub(super) struct Refused {
    /// The rule.
    pub(super) rule: &'static str,
    /// Who has it.
    pub(super) peer: &'static str,
    /// Why we do not.
    pub(super) why: &'static str,
    /// Whether the rule decides what happens now.
    matters: fn(&Config, &Moment<'_>) -> bool,
}

/// A step, and the breaker before it.
pub(super) struct Moment<'a> {
    pub(super) step: &'a Step,
    pub(super) state: State,
    pub(super) mode: Mode,
    /// The step ends a call that began in another generation, or that nobody began.
    pub(super) is_stale: bool,
    /// The step ends a probe.
    pub(super) is_probe: bool,
    /// Why the step's call was rejected that is to go through, or whose wait is asked for.
    pub(super) rejected: Option<RejectReason>,
    /// Half-open for as long as another breaker would be, and ours goes on waiting.
    pub(super) waits_longer: bool,
    /// A shadow has let calls through unjudged.
    pub(super) has_unjudged: bool,
}

static REFUSED: [Refused; 9] = [
    Refused {
        rule: "results of an earlier generation vote",
        peer: "all but gobreaker",
        why: "what was called before the breaker opened says nothing about whether it has recovered",
        matters: |config, at| {
            let may_vote = at.state != State::Open || at.step.counts.is_some();
            config.stale == Stale::Current && at.is_stale && may_vote
        },
    },
    Refused {
        rule: "any number of probes",
        peer: "failsafe-rs, recloser",
        why: "all callers at once are what brings it down again",
        matters: |config, at| {
            let is_too_much = at.rejected == Some(RejectReason::HalfOpenFull) && at.step.admitted != Some(false);
            config.half_open.permits.is_none() && is_too_much
        },
    },
    Refused {
        rule: "a cancelled call is a success",
        peer: "Polly",
        why: "that somebody went away says nothing about what was called",
        matters: |config, at| config.cancelled == Some(Cancelled::Success) && at.step.op == Op::Drop,
    },
    Refused {
        rule: "a cancelled probe's place is lost",
        peer: "linkerd",
        why: "the breaker would stay half-open for ever",
        matters: |config, at| config.cancelled == Some(Cancelled::Lost) && at.step.op == Op::Drop && at.is_probe,
    },
    Refused {
        rule: "a panic is nothing",
        peer: "tower-resilience",
        why: "a call that panicked did not succeed",
        matters: |config, at| config.panic == Some(Panic::Release) && at.step.outcome == Some(Ended::Panic),
    },
    Refused {
        rule: "closes when probes do not come back",
        peer: "resilience4j",
        why: "what hangs has not recovered",
        matters: |config, at| at.waits_longer && config.half_open.after == Some(After::Closed),
    },
    Refused {
        rule: "opens when half-open for long, whatever the probes do",
        peer: "resilience4j",
        why: "a breaker that nobody calls, or that has a place free, is not stuck",
        matters: |config, at| at.waits_longer && config.half_open.after != Some(After::Closed),
    },
    Refused {
        rule: "says when to come again while half-open",
        peer: "Polly",
        why: "nobody knows when a probe ends",
        matters: |_, at| at.rejected == Some(RejectReason::HalfOpenFull) && at.step.retry_after_ns.is_some(),
    },
    Refused {
        rule: "what observes only counts on when it would have opened",
        peer: "resilience4j",
        why: "a shadow goes through the states that it would go through",
        matters: |_, at| at.mode == Mode::Shadow && at.has_unjudged && at.step.counts.is_some(),
    },
];

/// The rule that we refuse and that decides now, if there is one.
pub(super) fn refused(config: &Config, moment: &Moment<'_>) -> Result<(), &'static Refused> {
    match REFUSED.iter().find(|refused| (refused.matters)(config, moment)) {
        Some(refused) => Err(refused),
        None => Ok(()),
    }
}
