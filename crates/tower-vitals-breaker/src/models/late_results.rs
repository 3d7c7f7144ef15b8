use super::{Breaker, KINDS, OPEN_FOR, explore, spawn, trips_after};
use crate::{Outcome, State, Verdict, machine::Purpose, recent::Counts, timing::Timing};

#[test]
fn a_late_failure_opens_nothing_after_a_reset() {
    for (kind, failures) in KINDS.into_iter().flat_map(|kind| [(kind, 1), (kind, 2)]) {
        explore(move || {
            let breaker = Breaker::new(trips_after(kind, failures));
            let late = breaker.acquire().unwrap();
            let other = spawn(&breaker, move |breaker| breaker.end(late, Verdict::FAILURE));
            breaker.reset();
            other.join().unwrap();
            assert_eq!(
                (breaker.state(), breaker.recent()),
                (State::Closed, Counts::default()),
                "{kind:?}"
            );
            opens_after(&breaker, failures);
        });
    }
}

#[test]
fn a_late_failure_opens_nothing_after_probes_closed() {
    for kind in KINDS {
        explore(move || {
            let breaker = Breaker::new(trips_after(kind, 1));
            let (late, first) = (breaker.acquire().unwrap(), breaker.acquire().unwrap());
            let now = breaker.shared.clock().nanos();
            let other = spawn(&breaker, move |breaker| {
                breaker.shared.end(late, Verdict::FAILURE, now, Timing::NONE)
            });
            breaker.end(first, Verdict::FAILURE);
            breaker.clock.advance(OPEN_FOR);
            assert!(breaker.call(Some(Verdict::SUCCESS), 1), "one of the two opened it");
            other.join().unwrap();
            assert_eq!(
                (breaker.state(), breaker.recent()),
                (State::Closed, Counts::default()),
                "{kind:?}"
            );
            assert_eq!(breaker.moves(State::Closed, State::Open), 1);
            opens_after(&breaker, 1);
        });
    }
}

#[test]
fn a_call_that_begins_after_a_reset_is_in_the_window_that_the_reset_began() {
    for kind in KINDS {
        explore(move || {
            let breaker = Breaker::new(trips_after(kind, 2));
            let other = spawn(&breaker, |breaker| {
                let ticket = breaker.acquire().unwrap();
                (ticket, breaker.end(ticket, Verdict::FAILURE))
            });
            breaker.reset();
            let (ticket, outcome) = other.join().unwrap();
            // Generation 1 passes within the reset, and what begins and ends in it may be counted or not.
            match ticket.purpose() {
                Purpose::Counted { generation: 2 } => {
                    assert_eq!(
                        (outcome, breaker.recent().total, breaker.recent().failed),
                        (Outcome::Failure, 1, 1),
                        "{kind:?}"
                    );
                    opens_after(&breaker, 1);
                }
                Purpose::Counted { generation: 0 } => assert_eq!(breaker.recent(), Counts::default(), "{kind:?}"),
                _ => assert!(breaker.recent().total <= 1, "{kind:?}"),
            }
        });
    }
}

#[test]
fn a_late_success_is_not_in_the_window_that_a_reset_began() {
    for kind in KINDS {
        explore(move || {
            let breaker = Breaker::new(trips_after(kind, 2));
            let late = breaker.acquire().unwrap();
            let other = spawn(&breaker, move |breaker| breaker.end(late, Verdict::SUCCESS));
            breaker.reset();
            other.join().unwrap();
            assert_eq!(breaker.recent(), Counts::default(), "{kind:?}");
        });
    }
}

/// It takes exactly so many more failures to open it.
fn opens_after(breaker: &Breaker, failures: u32) {
    for _ in 0..failures {
        assert_eq!(breaker.state(), State::Closed);
        breaker.call(Some(Verdict::FAILURE), 0);
    }
    assert_eq!(breaker.state(), State::Open);
}
