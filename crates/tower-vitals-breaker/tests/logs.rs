//! The lines of log: what opens a breaker is a warning, other changes are information, and calls write nothing.
#![allow(clippy::unwrap_used)] // also in what is not a test itself

use std::{
    fmt::{Debug, Write as _},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tower_vitals_breaker::{CircuitBreaker, CircuitBreakers, Event, OpenFor, State, Verdict};
use tower_vitals_core::{Clock, ManualClock, Vitals};
use tracing::{
    Dispatch, Metadata, Subscriber,
    field::{Field, Visit},
    span,
    subscriber::with_default,
};

const OPEN: Duration = Duration::from_secs(5);
const LEASE: Duration = Duration::from_secs(10);

/// Keeps what is logged on this thread, a line for each event.
#[derive(Clone, Default)]
struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    panics: bool,
}

impl Log {
    /// What is logged meanwhile.
    fn of(run: impl FnOnce()) -> Vec<String> {
        have_two();
        let log = Self::default();
        with_default(log.clone(), run);
        let lines = log.lines.lock().unwrap();
        lines.clone()
    }
}

/// As long as there was but one, tracing asks the thread that comes to a line first whether its subscriber wants it, and takes that for the
/// answer of all. Tests are threads, so there are always two.
fn have_two() {
    static TWO: OnceLock<[Dispatch; 2]> = OnceLock::new();
    TWO.get_or_init(|| [(); 2].map(|()| Dispatch::new(Log::default())));
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        unreachable!("breakers have no spans")
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        if self.panics {
            std::panic::resume_unwind(Box::new("on purpose"));
        }
        let metadata = event.metadata();
        // How filters name the crate.
        assert_eq!(metadata.target().split("::").next(), Some("tower_vitals_breaker"));
        let mut line = Line(metadata.level().to_string());
        event.record(&mut line);
        self.lines.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// The level, and the fields in their order.
struct Line(String);

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        }
        .unwrap();
    }
}

fn setting() -> (CircuitBreaker, CircuitBreakers, ManualClock) {
    have_two();
    let manual = ManualClock::new();
    let vitals = Vitals::builder().clock(Clock::manual(&manual)).build().unwrap();
    let builder = CircuitBreaker::builder("a").consecutive_failures(1).lease(LEASE);
    let breaker = builder.open_for(OpenFor::constant(OPEN)).build(&vitals).unwrap();
    (breaker, CircuitBreakers::of(&vitals), manual)
}

fn end(breaker: &CircuitBreaker, verdict: Verdict) {
    breaker.try_acquire().unwrap().record(verdict);
}

fn opened(from: &str, reason: &str) -> String {
    format!(r#"WARN circuit breaker opened breaker="a" from="{from}" to="open" reason="{reason}""#)
}

fn changed(from: &str, to: &str, reason: &str) -> String {
    format!(r#"INFO circuit breaker changed its state breaker="a" from="{from}" to="{to}" reason="{reason}""#)
}

fn mode(from: &str, to: &str) -> String {
    format!(r#"INFO circuit breaker changed its mode breaker="a" from="{from}" to="{to}""#)
}

#[test]
fn results_that_change_the_state() {
    let (breaker, _, clock) = setting();
    let lines = Log::of(|| {
        end(&breaker, Verdict::FAILURE);
        clock.advance(OPEN);
        end(&breaker, Verdict::FAILURE);
        clock.advance(OPEN);
        let _hangs = breaker.try_acquire().unwrap();
        clock.advance(LEASE);
        assert!(breaker.try_acquire().is_err());
        clock.advance(OPEN);
        end(&breaker, Verdict::SUCCESS);
    });
    let half_open = changed("open", "half_open", "open_time_over");
    let expected = [
        opened("closed", "consecutive_failures"),
        half_open.clone(),
        opened("half_open", "probes_failed"),
        half_open.clone(),
        opened("half_open", "lease_expired"),
        half_open,
        changed("half_open", "closed", "probes_succeeded"),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn orders() {
    let (breaker, _, clock) = setting();
    let lines = Log::of(|| {
        breaker.force_open();
        breaker.release();
        breaker.force_open_for(OPEN);
        clock.advance(OPEN);
        end(&breaker, Verdict::SUCCESS);
        breaker.shadow();
        breaker.disable();
        breaker.release();
        breaker.release();
        end(&breaker, Verdict::FAILURE);
        breaker.reset();
    });
    let expected = [
        mode("auto", "forced_open"),
        opened("closed", "forced"),
        mode("forced_open", "auto"),
        changed("open", "closed", "released"),
        mode("auto", "forced_open"),
        opened("closed", "forced"),
        mode("forced_open", "auto"),
        changed("open", "half_open", "open_time_over"),
        changed("half_open", "closed", "probes_succeeded"),
        mode("auto", "shadow"),
        mode("shadow", "disabled"),
        mode("disabled", "auto"),
        opened("closed", "consecutive_failures"),
        changed("open", "closed", "reset"),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn calls_rejections_and_breakers_that_come_and_go_write_nothing() {
    let (breaker, ..) = setting();
    breaker.force_open();
    let lines = Log::of(|| {
        for _ in 0..1_000 {
            assert!(breaker.try_acquire().is_err());
        }
        let vitals = Vitals::new();
        let keyed = CircuitBreaker::builder("set").keyed(&vitals, 1).unwrap();
        for key in ["x", "y"] {
            keyed.try_acquire(key).unwrap().record(Verdict::FAILURE);
            drop(keyed.try_acquire(key));
        }
        assert_eq!(keyed.len(), 1);
    });
    assert_eq!(lines, [""; 0]);
}

#[test]
fn names_do_not_break_lines() {
    let name = "a\nb\" reason=\"forged";
    let breaker = CircuitBreaker::builder(name).build(&Vitals::new()).unwrap();
    let lines = Log::of(|| breaker.disable());
    let expected = format!(r#"INFO circuit breaker changed its mode breaker={name:?} from="auto" to="disabled""#);
    assert_eq!(lines, [expected]);
}

#[test]
fn a_subscriber_that_panics_is_an_error() {
    let (breaker, breakers, _) = setting();
    let _panics = breakers.subscribe(|_| std::panic::resume_unwind(Box::new("on purpose")));
    let lines = Log::of(|| end(&breaker, Verdict::FAILURE));
    let panicked = "ERROR a subscriber to events of circuit breakers panicked".to_owned();
    assert_eq!(lines, [opened("closed", "consecutive_failures"), panicked]);
}

#[test]
fn events_that_are_lost_are_a_warning() {
    let (breaker, breakers, _) = setting();
    let (to, is_first) = (breaker.clone(), AtomicU32::new(0));
    let _slow = breakers.subscribe(move |_| {
        if is_first.fetch_add(1, Ordering::SeqCst) == 0 {
            for _ in 0..600 {
                to.release();
                to.disable();
            }
        }
    });
    let lines = Log::of(|| {
        breaker.disable();
        let _ = breakers.list();
    });
    let lost = "WARN events of circuit breakers were lost: a subscriber is too slow count=176";
    assert_eq!(
        lines[..3],
        [mode("auto", "disabled"), lost.to_owned(), mode("disabled", "auto")]
    );
    assert_eq!(lines.len(), 2 + 1_024);
}

#[test]
fn a_log_that_panics_harms_nobody() {
    let (breaker, breakers, _) = setting();
    let heard = Arc::new(AtomicU32::new(0));
    let hears = Arc::clone(&heard);
    let _subscription = breakers.subscribe(move |event| {
        assert!(matches!(event, Event::Transition { to: State::Open, .. }));
        hears.fetch_add(1, Ordering::SeqCst);
    });
    let log = Log {
        panics: true,
        ..Log::default()
    };
    with_default(log, || end(&breaker, Verdict::FAILURE));
    assert_eq!((breaker.state(), heard.load(Ordering::SeqCst)), (State::Open, 1));
}
