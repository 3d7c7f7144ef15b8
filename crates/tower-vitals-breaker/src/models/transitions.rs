use super::{Breaker, KINDS, Kind, explore, spawn, trips_after};
use crate::{
    HalfOpen, RejectReason, State, Verdict,
    shared::{Refusal, UNKNOWN},
};

#[test]
fn two_callers_that_find_the_open_time_over_make_one_transition_and_one_probe() {
    explore(|| {
        let breaker = Breaker::due(HalfOpen::new(1));
        let other = spawn(&breaker, |breaker| breaker.shared.acquire());
        let both = [breaker.shared.acquire(), other.join().unwrap()];
        let refused: Vec<_> = both.into_iter().filter_map(Result::err).collect();
        // Not one that took the lease of the other's probe for what is left of the open time.
        let (reason, until) = (RejectReason::HalfOpenFull, UNKNOWN);
        assert_eq!(refused, [Refusal { reason, until }]);
        assert_eq!(breaker.moves(State::Open, State::HalfOpen), 1);
        assert_eq!(breaker.shared.snapshot().half_open_in_flight, 1);
    });
}

/// Two failures that come at once, after so many, each of which is enough when there were as many before as there must be.
fn two_failures_open_once(kind: Kind, must_be: u32) {
    explore(move || {
        let breaker = Breaker::new(trips_after(kind, must_be));
        let (one, two) = (breaker.acquire().unwrap(), breaker.acquire().unwrap());
        let other = spawn(&breaker, move |breaker| breaker.end(one, Verdict::FAILURE));
        breaker.end(two, Verdict::FAILURE);
        other.join().unwrap();
        // Both add to the same words, so the later one sees the other even here.
        assert_eq!(
            (breaker.state(), breaker.moves(State::Closed, State::Open)),
            (State::Open, 1),
            "{kind:?}"
        );
    });
}

#[test]
fn two_failures_that_are_enough_each_open_once() {
    KINDS.into_iter().for_each(|kind| two_failures_open_once(kind, 1));
}

#[test]
fn two_failures_that_are_enough_together_open_once() {
    KINDS.into_iter().for_each(|kind| two_failures_open_once(kind, 2));
}
