use super::{Breaker, OPEN_FOR, explore, spawn};
use crate::{HalfOpen, State, Verdict};

#[test]
fn places_of_probes_come_back_all_and_no_more() {
    explore(|| {
        let breaker = Breaker::due(HalfOpen::new(9).at_once(2));
        let others = [None, Some(Verdict::IGNORED)].map(|how| spawn(&breaker, move |breaker| breaker.call(how, 2)));
        breaker.call(Some(Verdict::SUCCESS), 2);
        others.into_iter().for_each(|other| _ = other.join().unwrap());
        assert_eq!(breaker.shared.snapshot().half_open_in_flight, 0);
        let free = (0..4).filter(|_| breaker.acquire().is_some()).count();
        assert_eq!((free, breaker.shared.snapshot().half_open_in_flight), (2, 2));
    });
}

#[test]
fn no_more_than_the_permitted_probes_go_through_and_they_close_once() {
    explore(|| {
        let breaker = Breaker::due(HalfOpen::new(2));
        let others = [(); 2].map(|()| spawn(&breaker, |breaker| breaker.call(Some(Verdict::SUCCESS), 2)));
        let mine = breaker.call(Some(Verdict::SUCCESS), 2);
        let others = others.map(|other| other.join().unwrap());
        let probes = others.into_iter().chain([mine]).filter(|is_probe| *is_probe);
        assert_eq!((probes.count(), breaker.state()), (2, State::Closed));
        assert_eq!(breaker.moves(State::Open, State::HalfOpen), 1);
        assert_eq!(breaker.moves(State::HalfOpen, State::Closed), 1);
    });
}

#[test]
fn a_probe_of_an_earlier_round_frees_no_place() {
    explore(|| {
        let breaker = Breaker::due(HalfOpen::new(2));
        let (first, late) = (breaker.acquire().unwrap(), breaker.acquire().unwrap());
        let other = spawn(&breaker, move |breaker| breaker.shared.cancel(late));
        breaker.end(first, Verdict::FAILURE);
        breaker.clock.advance(OPEN_FOR);
        breaker.acquire().unwrap();
        other.join().unwrap();
        assert_eq!(breaker.shared.snapshot().half_open_in_flight, 1);
        assert!(breaker.acquire().is_some() && breaker.acquire().is_none());
    });
}
