//! What scrapes and events say, held against what the callers did.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use tower_vitals_breaker::{CircuitBreaker, CircuitBreakers, Event, Outcome, State, Subscription};
use tower_vitals_core::{ClosedLabel, Vitals, encode::Protocol};

use crate::upstream::World;

/// How often each was, by labels.
pub(crate) type Counts = BTreeMap<String, u64>;

/// What is known of a breaker from outside.
pub(crate) struct Ledger {
    vitals: Vitals,
    breaker: CircuitBreaker,
    heard: Arc<Mutex<Heard>>,
    _subscription: Subscription,
    probes: u32,
    pub(crate) scrapes: u32,
    /// Scrapes while nothing was in flight, and those of them at which the breaker was half-open.
    pub(crate) quiet: (u32, u32),
}

/// What events said.
struct Heard {
    transitions: Counts,
    state: State,
    generation: u64,
    /// How many calls had been judged when the breaker became half-open last.
    judged: u64,
}

impl Ledger {
    /// Opens it for a breaker that lets so many probes through.
    pub(crate) fn open(vitals: &Vitals, breaker: &CircuitBreaker, probes: u32) -> Self {
        let heard = Arc::new(Mutex::new(Heard {
            transitions: Counts::new(),
            state: State::Closed,
            generation: 0,
            judged: 0,
        }));
        let (hears, of) = (Arc::clone(&heard), breaker.clone());
        let subscription = CircuitBreakers::of(vitals).subscribe(move |event| hears.lock().unwrap().hear(event, &of));
        Self {
            vitals: vitals.clone(),
            breaker: breaker.clone(),
            heard,
            _subscription: subscription,
            probes,
            scrapes: 0,
            quiet: (0, 0),
        }
    }

    /// Scrapes, and holds what it says against what was done.
    pub(crate) fn scrape(&mut self, world: &World) -> Scrape {
        let scrape = Scrape::new(&self.vitals.encode_to_string(Protocol::TEXT));
        let (calls, rejected) = (sum(&scrape.calls), sum(&scrape.rejected));
        let in_flight = world.in_flight.get();
        assert_eq!(calls + rejected + in_flight, world.attempts.get(), "{scrape:?}");
        assert_eq!(rejected, world.rejected.get(), "{scrape:?}");
        assert_eq!(scrape.calls["cancelled"], world.cancelled.get(), "{scrape:?}");

        let heard = self.heard.lock().unwrap();
        let mut shown = scrape.transitions.clone();
        shown.retain(|_, count| *count > 0);
        assert_eq!(shown, heard.transitions, "events and the scrape tell of other transitions");
        assert_eq!(scrape.state, u64::from(heard.state.code()));
        let probes = scrape.half_open_in_flight;
        assert!(probes <= in_flight.min(self.probes.into()), "{scrape:?}");
        assert!(heard.state == State::HalfOpen || probes == 0, "{scrape:?}");
        self.scrapes += 1;
        if in_flight == 0 {
            self.quiet.0 += 1;
            self.quiet.1 += u32::from(heard.state == State::HalfOpen);
        }
        scrape
    }

    /// When nothing is in flight, the round of a half-open breaker has as many places as results are missing, and no more.
    pub(crate) fn check_places(&mut self, world: &World) {
        let status = self.breaker.status();
        assert_eq!(
            (world.in_flight.get(), status.half_open_in_flight),
            (0, 0),
            "a probe's place leaked"
        );
        if status.state != State::HalfOpen {
            return;
        }
        let missing = u64::from(self.probes) - (judged(&self.breaker) - self.heard.lock().unwrap().judged);
        let permits: Vec<_> = std::iter::repeat_with(|| self.breaker.try_acquire().ok())
            .map_while(|permit| permit)
            .collect();
        assert_eq!(permits.len() as u64, missing, "{status:?}");
        world.add((missing + 1, 1, missing));
    }

    /// How long it is until then.
    pub(crate) fn until(&self, then: SystemTime) -> Duration {
        let clock = self.vitals.clock();
        then.duration_since(clock.wall(clock.now())).unwrap_or_default()
    }

    /// How often the breaker went from one state to another, by both and the reason.
    pub(crate) fn transitions(&self) -> Counts {
        self.heard.lock().unwrap().transitions.clone()
    }
}

impl Heard {
    fn hear(&mut self, event: &Event, breaker: &CircuitBreaker) {
        let Event::Transition {
            from,
            to,
            reason,
            generation,
            ..
        } = event
        else {
            return;
        };
        assert_eq!((*from, *generation), (self.state, self.generation + 1), "{event:?}");
        (self.state, self.generation) = (*to, *generation);
        if *to == State::HalfOpen {
            self.judged = judged(breaker);
        }
        let labels = [from.as_str(), to.as_str(), reason.as_str()];
        *self.transitions.entry(labels.join(" ")).or_default() += 1;
    }
}

/// How many calls gave a result that a round of probes counts, if they were probes. While the breaker is half-open, all others are stale.
fn judged(breaker: &CircuitBreaker) -> u64 {
    let status = breaker.status();
    let judged = [
        Outcome::Success,
        Outcome::Failure,
        Outcome::Timeout,
        Outcome::SlowSuccess,
        Outcome::SlowFailure,
        Outcome::Panicked,
    ];
    judged.into_iter().map(|outcome| status.calls(outcome)).sum()
}

fn sum(counts: &Counts) -> u64 {
    counts.values().sum()
}

/// What a scrape says.
#[derive(Debug, Default)]
pub(crate) struct Scrape {
    pub(crate) calls: Counts,
    rejected: Counts,
    transitions: Counts,
    state: u64,
    half_open_in_flight: u64,
}

impl Scrape {
    fn new(text: &str) -> Self {
        let mut scrape = Self::default();
        let samples = text.lines().filter_map(|line| line.strip_prefix("circuit_breaker_"));
        for (series, value) in samples.filter_map(|sample| sample.rsplit_once(' ')) {
            let (family, labels) = series.split_once('{').unwrap();
            let values = labels.split('"').skip(3).step_by(2).collect::<Vec<_>>().join(" ");
            let counts = match family {
                "calls_total" => &mut scrape.calls,
                "rejected_total" => &mut scrape.rejected,
                "transitions_total" => &mut scrape.transitions,
                "state" => {
                    scrape.state = value.parse().unwrap();
                    continue;
                }
                "half_open_in_flight" => {
                    scrape.half_open_in_flight = value.parse().unwrap();
                    continue;
                }
                _ => continue,
            };
            let was = counts.insert(values, value.parse().unwrap());
            assert_eq!(was, None, "{series} is there twice");
        }
        scrape
    }
}
