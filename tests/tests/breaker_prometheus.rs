//! A real Prometheus sees a breaker through an outage, and what it tells is what the events told.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{Router, routing::get};
use http::StatusCode;
use libtest_mimic::{Arguments, Failed};
use tests::{
    client::Client,
    exposition::Exposition,
    parser::Parser,
    prometheus::{Prometheus, Target, promtool_check_metrics},
    promql::{PromQl, Sample},
    required::{Need, trial, trial_async},
    server::Server,
};
use tower::ServiceBuilder;
use tower_vitals::{
    CircuitBreaker, CircuitBreakerLayer, CircuitBreakers, Clock, ClosedLabel, ManualClock, MetricsRoute, UnavailableLayer,
    Vitals,
    breaker::{Event, HalfOpen, HttpClassifier, OpenFor, Subscription, Verdict},
    encode::Protocol,
};

const LIMIT: Duration = Duration::from_secs(90);

/// How long Prometheus may take until it has scraped the last numbers.
const SCRAPED: Duration = Duration::from_secs(20);

const OPEN: Duration = Duration::from_secs(5);

const LEASE: Duration = Duration::from_secs(10);

/// How often each was, by the values of its labels.
type Counts = BTreeMap<String, u32>;

fn main() {
    let prometheus = [Need::Prometheus];
    let readers = [Need::Promtool, Need::PythonClient];
    let trials = vec![
        trial_async("breaker_prometheus::tells_the_story_of_the_events", &prometheus, LIMIT, story),
        trial("breaker_prometheus::others_read_the_families", &readers, families),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// A shop that pays through a breaker, what its events say, and a Prometheus that scrapes it.
struct Shop {
    clock: ManualClock,
    breaker: CircuitBreaker,
    status: Arc<Mutex<StatusCode>>,
    heard: Arc<Mutex<Vec<String>>>,
    _subscription: Subscription,
    server: Server,
    prometheus: Prometheus,
}

impl Shop {
    async fn open() -> Result<Self, Failed> {
        let clock = ManualClock::new();
        let vitals = Vitals::builder().clock(Clock::manual(&clock)).build()?;
        let breaker = CircuitBreaker::builder("payments")
            .consecutive_failures(3)
            .open_for(OpenFor::constant(OPEN))
            .half_open(HalfOpen::new(2))
            .lease(LEASE)
            .build(&vitals)?;
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let hears = Arc::clone(&heard);
        let subscription = CircuitBreakers::of(&vitals).subscribe(move |event| {
            if let Event::Transition { from, to, reason, .. } = event {
                locked(&hears).push([from.as_str(), to.as_str(), reason.as_str()].join(" "));
            }
        });
        let status = Arc::new(Mutex::new(StatusCode::OK));
        let server = Server::start(router(&vitals, &breaker, &status)).await?;
        let target = Target {
            job: "shop",
            addr: server.addr(),
            path: "/metrics",
        };
        let prometheus = Prometheus::start(&[target]).await?;
        Ok(Self {
            clock,
            breaker,
            status,
            heard,
            _subscription: subscription,
            server,
            prometheus,
        })
    }

    /// Pays several times at an upstream that is in this state; gives how many were rejected.
    async fn pay(&self, times: u32, upstream: StatusCode) -> Result<u32, Failed> {
        *locked(&self.status) = upstream;
        let mut client = Client::http1(self.server.addr()).await?;
        let mut rejected = 0;
        for _ in 0..times {
            let status = client.send(tests::client::get("/pay")).await?.status();
            assert!(status == upstream || status == StatusCode::SERVICE_UNAVAILABLE, "{status}");
            rejected += u32::from(status == StatusCode::SERVICE_UNAVAILABLE);
        }
        Ok(rejected)
    }

    /// Waits until Prometheus has scraped this state.
    async fn is_seen_in(&self, state: f64) -> Result<(), Failed> {
        let is_it = |samples: &[Sample]| samples.iter().map(|sample| sample.value).eq([state]);
        self.promql().until("circuit_breaker_state", SCRAPED, is_it).await?;
        Ok(())
    }

    /// The greatest code of a state that it scraped.
    async fn greatest(&self) -> Result<Option<f64>, Failed> {
        Ok(self.promql().scalar("max_over_time(circuit_breaker_state[1m])").await?)
    }

    /// Waits until what Prometheus scraped of a counter is this, but for what is zero.
    async fn are_seen(&self, counter: &str, labels: &[&str], expected: &Counts) -> Result<(), Failed> {
        let counts = |samples: &[Sample]| -> BTreeMap<String, f64> {
            let values = |sample: &Sample| labels.iter().map(|label| sample.labels[*label].clone()).collect::<Vec<_>>();
            let not_zero = samples.iter().filter(|sample| sample.value > 0.0);
            not_zero.map(|sample| (values(sample).join(" "), sample.value)).collect()
        };
        let expected: BTreeMap<_, _> = expected.iter().map(|(key, count)| (key.clone(), f64::from(*count))).collect();
        let seen = self
            .promql()
            .until(counter, SCRAPED, |samples| counts(samples) == expected)
            .await;
        seen.map_err(|error| format!("expected {expected:?}: {error}"))?;
        Ok(())
    }

    fn promql(&self) -> PromQl {
        self.prometheus.promql()
    }
}

fn router(vitals: &Vitals, breaker: &CircuitBreaker, status: &Arc<Mutex<StatusCode>>) -> Router {
    let status = Arc::clone(status);
    let breaker = CircuitBreakerLayer::new(breaker.clone()).classify_bodies(HttpClassifier::new());
    Router::new()
        .route("/pay", get(move || async move { *locked(&status) }))
        .layer(ServiceBuilder::new().layer(UnavailableLayer).layer(breaker))
        .route_service("/metrics", MetricsRoute::new(vitals))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Each state lasts until it was scraped, so that Prometheus can tell of all of them.
async fn story() -> Result<(), Failed> {
    let shop = Shop::open().await?;
    shop.is_seen_in(0.0).await?;
    assert_eq!(shop.greatest().await?, Some(0.0));
    let mut rejected = Counts::new();
    assert_eq!(shop.pay(5, StatusCode::OK).await?, 0);
    rejected.insert("open".to_owned(), shop.pay(10, StatusCode::BAD_GATEWAY).await?);
    shop.is_seen_in(1.0).await?;
    assert_eq!(shop.greatest().await?, Some(1.0));

    // A probe that hangs, and one that succeeds.
    shop.clock.advance(OPEN);
    let hangs = shop.breaker.try_acquire()?;
    assert_eq!(shop.pay(1, StatusCode::OK).await?, 0);
    rejected.insert("half_open_full".to_owned(), shop.pay(4, StatusCode::OK).await?);
    shop.is_seen_in(2.0).await?;
    assert_eq!(shop.greatest().await?, Some(2.0));
    shop.clock.advance(LEASE);
    *rejected.entry("open".to_owned()).or_default() += shop.pay(2, StatusCode::OK).await?;
    shop.is_seen_in(1.0).await?;
    hangs.record(Verdict::SUCCESS);

    // A probe that fails after one that is held until it was scraped.
    shop.clock.advance(OPEN);
    let held = shop.breaker.try_acquire()?;
    shop.is_seen_in(2.0).await?;
    assert_eq!(shop.pay(1, StatusCode::BAD_GATEWAY).await?, 0);
    held.record(Verdict::SUCCESS);
    shop.is_seen_in(1.0).await?;

    // Recovery, and an order.
    shop.clock.advance(OPEN);
    assert_eq!(shop.pay(1, StatusCode::OK).await?, 0);
    shop.is_seen_in(2.0).await?;
    assert_eq!(shop.pay(3, StatusCode::OK).await?, 0);
    shop.is_seen_in(0.0).await?;
    shop.breaker.force_open();
    rejected.insert("forced_open".to_owned(), shop.pay(6, StatusCode::OK).await?);
    shop.is_seen_in(1.0).await?;
    shop.breaker.release();
    shop.is_seen_in(0.0).await?;

    let told = locked(&shop.heard).clone();
    let mut transitions = Counts::new();
    told.iter()
        .for_each(|told| *transitions.entry(told.clone()).or_default() += 1);
    assert_eq!(told.len(), 9, "{told:?}");
    assert_eq!(rejected.values().sum::<u32>(), 7 + 4 + 2 + 6);
    let from_to = ["from", "to", "reason"];
    shop.are_seen("circuit_breaker_transitions_total", &from_to, &transitions)
        .await?;
    shop.are_seen("circuit_breaker_rejected_total", &["reason"], &rejected)
        .await?;
    let changes = shop.promql().scalar("changes(circuit_breaker_state[1m])").await?;
    assert_eq!(changes, Some(9.0), "{told:?}");
    assert_eq!(shop.greatest().await?, Some(2.0), "although it is closed");
    Ok(())
}

/// All families of breakers and their kinds, and where keys beyond a budget are counted.
const FAMILIES: [(&str, &str); 14] = [
    ("circuit_breaker_calls", "counter"),
    ("circuit_breaker_state", "gauge"),
    ("circuit_breaker_mode", "gauge"),
    ("circuit_breaker_rejected", "counter"),
    ("circuit_breaker_would_reject", "counter"),
    ("circuit_breaker_transitions", "counter"),
    ("circuit_breaker_failure_ratio", "gauge"),
    ("circuit_breaker_slow_ratio", "gauge"),
    ("circuit_breaker_half_open_in_flight", "gauge"),
    ("circuit_breaker_state_since_timestamp_seconds", "gauge"),
    ("circuit_breaker_open_until_timestamp_seconds", "gauge"),
    ("circuit_breaker_evictions", "counter"),
    ("circuit_breaker_call_duration_seconds", "histogram"),
    ("vitals_label_overflow", "counter"),
];

fn families() -> Result<(), Failed> {
    let clock = ManualClock::new();
    let vitals = Vitals::builder().clock(Clock::manual(&clock)).build()?;
    let builder = || CircuitBreaker::builder("a \"quoted\"\\ name\n\u{e9}").call_durations();
    let closed = builder()
        .failure_rate(1.0)
        .slow_calls(Duration::from_millis(20), 1.0)
        .minimum_calls(2)
        .build(&vitals)?;
    for verdict in [Verdict::SUCCESS, Verdict::FAILURE, Verdict::TIMEOUT, Verdict::IGNORED] {
        let permit = closed.try_acquire()?;
        clock.advance(Duration::from_millis(10));
        permit.record(verdict);
    }
    drop(closed.try_acquire()?);
    let keyed = CircuitBreaker::builder("hosts").consecutive_failures(1).keyed(&vitals, 1)?;
    keyed.try_acquire("eu.example.com")?.record(Verdict::FAILURE);
    assert!(keyed.try_acquire("eu.example.com").is_err());
    keyed.try_acquire("one too many")?.record(Verdict::SUCCESS);

    let text = vitals.encode_to_string(Protocol::TEXT);
    promtool_check_metrics(&text)?;
    let parser = Parser::start()?;
    let text = parser.text(&text)?;
    let open_metrics = parser.openmetrics(&vitals.encode_to_string(Protocol::OPEN_METRICS))?;
    for exposition in [&text, &open_metrics] {
        exposition.check_histograms()?;
        for (name, kind) in FAMILIES {
            let family = exposition.family(name).ok_or_else(|| format!("there is no {name}"))?;
            assert_eq!((&*family.kind, family.help.is_empty()), (kind, false), "{family:?}");
        }
        says_what_happened(exposition);
    }
    Ok(())
}

fn says_what_happened(exposition: &Exposition) {
    let closed = ("breaker", "a \"quoted\"\\ name\n\u{e9}");
    let open = ("breaker", "hosts/eu.example.com");
    let value = |name: &str, labels: &[(&str, &str)]| exposition.value(name, labels);
    assert_eq!(value("circuit_breaker_state", &[closed]), Some(0.0));
    assert_eq!(value("circuit_breaker_state", &[open]), Some(1.0));
    assert_eq!(exposition.sum("circuit_breaker_calls_total", &[closed]), 5.0);
    assert_eq!(exposition.sum("circuit_breaker_call_duration_seconds_count", &[closed]), 4.0);
    let ratio = value("circuit_breaker_failure_ratio", &[closed]);
    assert!(ratio.is_some_and(|ratio| (ratio - 2.0 / 3.0).abs() < 1e-9), "{ratio:?}");
    assert_eq!(value("circuit_breaker_failure_ratio", &[open]), None);
    assert_eq!(value("circuit_breaker_slow_ratio", &[closed]), Some(0.0));
    assert_eq!(
        value("circuit_breaker_rejected_total", &[open, ("reason", "open")]),
        Some(1.0)
    );
    let since = value("circuit_breaker_state_since_timestamp_seconds", &[open]);
    let until = value("circuit_breaker_open_until_timestamp_seconds", &[open]);
    let open_for = until.zip(since).map(|(until, since)| until - since);
    assert!(open_for.is_some_and(|time| (4.0..=6.0).contains(&time)), "{open_for:?}");
    assert_eq!(value("circuit_breaker_open_until_timestamp_seconds", &[closed]), None);
    assert_eq!(
        exposition.sum("circuit_breaker_mode", &[("breaker", "hosts/_other"), ("mode", "disabled")]),
        1.0
    );
    assert_eq!(exposition.sum("circuit_breaker_mode", &[]), 3.0, "each is in one mode");
    assert_eq!(exposition.sum("circuit_breaker_evictions_total", &[]), 0.0);
}
