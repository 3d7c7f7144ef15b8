//! What subscribers are told, and what they may do.
#![allow(clippy::unwrap_used)] // also in what is not a test itself

use std::{
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use tower_vitals_breaker::{
    CircuitBreaker, CircuitBreakers, Event, Mode, OpenFor, Outcome, State, Subscription, TransitionReason, Verdict,
};
use tower_vitals_core::{Clock, ManualClock, Vitals};

type Log = Arc<Mutex<Vec<String>>>;

fn setting() -> (CircuitBreaker, CircuitBreakers, ManualClock) {
    let manual = ManualClock::new();
    let vitals = Vitals::builder().clock(Clock::manual(&manual)).build().unwrap();
    let builder = CircuitBreaker::builder("a").consecutive_failures(1);
    let breaker = builder
        .open_for(OpenFor::constant(Duration::from_secs(5)))
        .build(&vitals)
        .unwrap();
    (breaker, CircuitBreakers::of(&vitals), manual)
}

fn said(event: &Event) -> String {
    match event {
        Event::Transition { from, to, reason, .. } => format!("{from:?} {to:?} {reason:?}"),
        Event::ModeChange { from, to, .. } => format!("{from:?} {to:?}"),
        Event::Lost { count, .. } => format!("lost {count}"),
        Event::Created { breaker, .. } => format!("created {breaker}"),
        Event::Evicted { breaker, .. } => format!("evicted {breaker}"),
        _ => unreachable!("there are no others"),
    }
}

fn logged(breakers: &CircuitBreakers) -> (Log, Subscription) {
    let log = Log::default();
    let heard = Arc::clone(&log);
    let subscription = breakers.subscribe(move |event| heard.lock().unwrap().push(said(event)));
    (log, subscription)
}

fn fail(breaker: &CircuitBreaker) {
    breaker.try_acquire().unwrap().record(Verdict::FAILURE);
}

#[test]
fn they_come_in_order_and_say_when() {
    let (breaker, breakers, clock) = setting();
    let events = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&events);
    let _subscription = breakers.subscribe(move |event| heard.lock().unwrap().push(event.clone()));
    fail(&breaker);
    let opened = breaker.status().since;
    clock.advance(Duration::from_secs(6));
    breaker.try_acquire().unwrap().record(Verdict::SUCCESS);
    breaker.force_open_for(Duration::from_secs(1));
    let events = events.lock().unwrap();
    let [first, half_open, closed, mode, forced] = &events[..] else {
        unreachable!("{events:?}")
    };
    let Event::Transition {
        breaker,
        from: State::Closed,
        to: State::Open,
        reason: TransitionReason::ConsecutiveFailures,
        at,
        open_until,
        generation,
        ..
    } = first
    else {
        unreachable!("{first:?}")
    };
    assert_eq!((&**breaker, *at, *generation), ("a", opened, 1));
    assert_eq!(*open_until, Some(opened + Duration::from_secs(5)));
    assert_eq!(said(half_open), "Open HalfOpen OpenTimeOver");
    assert_eq!(said(closed), "HalfOpen Closed ProbesSucceeded");
    let Event::ModeChange { from, to, at, .. } = mode else {
        unreachable!("{mode:?}")
    };
    assert_eq!(
        (*from, *to, *at),
        (Mode::Auto, Mode::ForcedOpen, opened + Duration::from_secs(6))
    );
    let Event::Transition { open_until, .. } = forced else {
        unreachable!("{forced:?}")
    };
    assert_eq!(*open_until, Some(opened + Duration::from_secs(7)));
}

#[test]
fn who_hears_of_a_transition_sees_the_call_that_caused_it() {
    let (breaker, breakers, clock) = setting();
    let seen = Arc::<Mutex<Vec<_>>>::default();
    let (sees, of) = (Arc::clone(&seen), breaker.clone());
    let _subscription = breakers.subscribe(move |event| {
        if let Event::Transition { to, .. } = event {
            let status = of.status();
            let calls = [Outcome::Success, Outcome::Failure].map(|outcome| status.calls(outcome));
            sees.lock().unwrap().push((*to, calls));
        }
    });
    fail(&breaker);
    clock.advance(Duration::from_secs(5));
    breaker.try_acquire().unwrap().record(Verdict::SUCCESS);
    let expected = [(State::Open, [0, 1]), (State::HalfOpen, [0, 1]), (State::Closed, [1, 1])];
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[test]
fn who_unsubscribed_is_told_no_more() {
    let (breaker, breakers, _) = setting();
    let (first, subscription) = logged(&breakers);
    let (second, _kept) = logged(&breakers);
    breaker.disable();
    drop(subscription);
    breaker.release();
    assert_eq!(*first.lock().unwrap(), ["Auto Disabled"]);
    assert_eq!(*second.lock().unwrap(), ["Auto Disabled", "Disabled Auto"]);
}

#[test]
fn who_is_unsubscribed_while_an_event_is_told_does_not_hear_it() {
    let (breaker, breakers, _) = setting();
    let later = Arc::new(Mutex::new(None::<Subscription>));
    let ends = Arc::clone(&later);
    let _first = breakers.subscribe(move |_| drop(ends.lock().unwrap().take()));
    let (log, subscription) = logged(&breakers);
    *later.lock().unwrap() = Some(subscription);
    breaker.disable();
    assert_eq!(*log.lock().unwrap(), [""; 0]);
}

#[test]
fn a_subscriber_may_do_anything_to_breakers() {
    let (breaker, breakers, _) = setting();
    let depth = Arc::new(AtomicUsize::new(0));
    let inside: Arc<Mutex<Vec<Subscription>>> = Arc::default();
    let own = Arc::new(OnceLock::<Mutex<Option<Subscription>>>::new());
    let (to, others) = (breaker.clone(), breakers.clone());
    let subscription = breakers.subscribe({
        let own = Arc::clone(&own);
        move |event| {
            assert_eq!(depth.fetch_add(1, Ordering::SeqCst), 0, "one at a time");
            if let Event::Transition { to: State::Open, .. } = event {
                assert!(to.try_acquire().is_err());
                to.reset();
                fail(&to);
                inside.lock().unwrap().push(others.subscribe(|_| {}));
                drop(own.get().unwrap().lock().unwrap().take());
            }
            depth.fetch_sub(1, Ordering::SeqCst);
        }
    });
    own.set(Mutex::new(Some(subscription))).unwrap();
    let (log, _kept) = logged(&breakers);
    fail(&breaker);
    let expected = [
        "Closed Open ConsecutiveFailures",
        "Open Closed Reset",
        "Closed Open ConsecutiveFailures",
    ];
    assert_eq!(*log.lock().unwrap(), expected, "what it caused is told afterwards");
}

#[test]
fn a_subscriber_that_answers_every_event_does_not_hold_its_thread_for_ever() {
    let (breaker, breakers, _) = setting();
    let heard = Arc::new(AtomicUsize::new(0));
    let (to, count) = (breaker.clone(), Arc::clone(&heard));
    let _subscription = breakers.subscribe(move |event| {
        count.fetch_add(1, Ordering::SeqCst);
        match event {
            Event::ModeChange { to: Mode::Disabled, .. } => to.release(),
            _ => to.disable(),
        }
    });
    breaker.disable();
    assert_eq!(heard.load(Ordering::SeqCst), 1_024);
    breaker.shadow();
    assert_eq!(heard.load(Ordering::SeqCst), 2_048, "the next change tells on");
    let _ = breakers.list();
    assert_eq!(heard.load(Ordering::SeqCst), 3_072, "and so does who looks");
}

#[test]
fn a_subscriber_that_panics_keeps_nobody_else_from_hearing() {
    let (breaker, breakers, _) = setting();
    let _panics = breakers.subscribe(|_| unreachable!("on purpose"));
    let (log, _kept) = logged(&breakers);
    fail(&breaker);
    breaker.reset();
    assert_eq!(*log.lock().unwrap(), ["Closed Open ConsecutiveFailures", "Open Closed Reset"]);

    // Also where the thread is unwinding already.
    let permit = breaker.try_acquire().unwrap();
    let caught = std::thread::spawn(move || {
        let _permit = permit;
        unreachable!("on purpose")
    });
    assert!(caught.join().is_err());
    assert_eq!(log.lock().unwrap().last().unwrap(), "Closed Open ConsecutiveFailures");
}

#[test]
fn a_slow_subscriber_delays_nobody_else_and_its_events_are_bounded() {
    let (breaker, breakers, _) = setting();
    let (go, wait) = mpsc::channel::<()>();
    let (entered, is_in) = mpsc::channel::<()>();
    let wait = Mutex::new(Some(wait));
    let _slow = breakers.subscribe(move |_| {
        if let Some(wait) = wait.lock().unwrap().take() {
            entered.send(()).unwrap();
            wait.recv().unwrap();
        }
    });
    let (log, _kept) = logged(&breakers);
    let slow = std::thread::spawn({
        let breaker = breaker.clone();
        move || breaker.disable()
    });
    is_in.recv().unwrap();
    for _ in 0..1_000 {
        breaker.release();
        breaker.disable();
    }
    assert_eq!(*log.lock().unwrap(), [""; 0], "nobody else tells meanwhile");
    go.send(()).unwrap();
    slow.join().unwrap();
    breaker.release();
    let log = log.lock().unwrap();
    assert_eq!(log[..3], ["Auto Disabled", "lost 976", "Disabled Auto"]);
    assert_eq!(log.len(), 2 + 1_024 + 1);
}

#[test]
fn threads_that_order_at_once_are_heard_in_the_order_of_the_breaker() {
    let (breaker, breakers, _) = setting();
    let generations = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&generations);
    let _subscription = breakers.subscribe(move |event| {
        if let Event::Transition { generation, .. } = event {
            heard.lock().unwrap().push(*generation);
        }
    });
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                // Two events each, which are fewer in all than may wait, however slow the thread is that tells.
                for _ in 0..60 {
                    breaker.force_open();
                    breaker.release();
                }
            });
        }
    });
    let generations = generations.lock().unwrap();
    assert!(generations.len() >= 2 && generations.is_sorted(), "{generations:?}");
    assert_eq!(generations.len() as u64, breaker.status().transitions());
}

#[test]
fn breakers_that_are_made_are_told() {
    let vitals = Vitals::new();
    let breakers = CircuitBreakers::of(&vitals);
    let (log, _kept) = logged(&breakers);
    let _a = CircuitBreaker::builder("a").build(&vitals).unwrap();
    let keyed = CircuitBreaker::builder("set").keyed(&vitals, 1).unwrap();
    for key in ["x", "y", "y"] {
        let _ = keyed.get(key);
    }
    let expected = ["created a", "created set/x", "evicted set/x", "created set/y"];
    assert_eq!(*log.lock().unwrap(), expected);
}
