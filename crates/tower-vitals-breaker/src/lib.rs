#![doc = include_str!("../README.md")]

mod body;
mod breaker;
mod call;
mod cells;
mod classify;
#[cfg(all(test, not(loom)))]
mod defects;
mod durations;
mod held;
mod layer;
mod machine;
mod metrics;
#[cfg(all(test, loom))]
mod models;
mod outcome;
mod permit;
mod recent;
#[cfg(all(test, not(loom)))]
mod reference;
mod registry;
mod rejected;
#[cfg(all(test, not(loom)))]
mod scenarios;
mod settings;
mod settle;
mod shared;
mod sync;
mod timing;
mod verdict;
mod waiters;

pub use self::{
    body::BreakerBody,
    breaker::CircuitBreaker,
    call::Call,
    classify::{ByError, ByResult, Classifier, GrpcClassifier, GrpcCode, HttpClassifier},
    layer::{
        ByKey, CircuitBreakerLayer, CircuitBreakerService, Fallback, FallbackFuture, MaybeRejected, NoFallback, OneBreaker,
        PendingWhileOpen, Picks, ResponseFuture, Unavailable, UnavailableFuture, UnavailableLayer,
    },
    outcome::{Mode, Outcome, RejectReason, State, TransitionReason},
    permit::Permit,
    registry::{CircuitBreakers, Event, KeyedBreakers, Status, Subscription, key},
    rejected::{BreakerError, Rejected, find_rejection},
    settings::{BuildError, CircuitBreakerBuilder, HalfOpen, OpenFor, Window},
    settle::{AtBodyEnd, AtHead, Settle},
    verdict::Verdict,
};
