//! Clients that make up who they are: a million requests make no more series than the budgets have room for, and no more memory.

mod http_common;

use std::convert::Infallible;
use std::future::ready;
use std::ops::Range;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::Empty;
use http_common::who::Who;
use http_common::{LIMIT, Numbers, Seen, numbers};
use tests::Result;
use tests::body::Gate;
use tests::raw::RawConn;
use tests::server::Server;
use tests::until::until_eq;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_vitals::encode::Protocol;
use tower_vitals::{AuthType, Clock, IdHasher, ManualClock, MetricsBody, MetricsLayer, Principal, PrincipalIds, Vitals};

const REQUESTS: u64 = 1_000_000;

/// So many come first, and fill the budgets.
const FIRST: u64 = 4_000;

/// After as many, memory stands still.
const WARM_UP: u64 = 100_000;

/// As many of the warm-up go over TCP, and of what follows.
const OVER_TCP: u64 = 8_000;

/// A connection pipelines so many.
const PIPELINED: usize = 500;

const THREADS: usize = 3;

const USERS: u64 = 500;
const API_KEYS: u64 = 300;

/// What a million requests may cost in memory.
const GROWTH: u64 = 8 << 20;

const SECRET: &str = "the same in every process";

/// The user who comes again and again, from the first request on.
const REGULAR: &str = "good.regular.user";

/// The `Authorization` and the `X-API-Key` of one of eight sorts of requests; no two are alike, but for those of the regular.
fn identity(n: u64) -> (Option<String>, Option<String>) {
    // The factor is odd, so no number comes twice.
    let random = format!("{:016x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let is_regular = n / 8 % 10 == 0;
    match n % 8 {
        0 => (Some(format!("Bearer {random}")), None),
        1 => (Some(format!("Basic {random}")), None),
        2 => (None, Some(random)),
        3 => (Some(format!("Bearer {random}.{random}.{random}")), None),
        4 if is_regular => (Some(format!("Basic {REGULAR}")), None),
        4 => (Some(format!("Basic good{random}")), None),
        5 => (Some(format!("Bearer good.{random}.{random}")), None),
        6 => (None, Some(format!("good{random}"))),
        _ => (Some(format!("Bearer good{random}")), Some(format!("good{random}"))),
    }
}

/// Believes whatever begins with `good`: there is no worse authentication.
fn authenticate(headers: &HeaderMap) -> StatusCode {
    let good = |name: &str| headers.get(name)?.to_str().ok();
    let (scheme, user) = good("authorization").and_then(|value| value.split_once(' ')).unzip();
    let user = user.filter(|user| user.starts_with("good"));
    let api_key = good("x-api-key").filter(|key| key.starts_with("good"));
    let auth_type = match (scheme, user) {
        (Some("Basic"), _) => AuthType::Basic,
        (Some(_), Some(user)) if user.contains('.') => AuthType::Jwt,
        (Some(_), _) => AuthType::Bearer,
        (None, _) => AuthType::ApiKey,
    };
    if user.or(api_key).is_none() {
        return StatusCode::UNAUTHORIZED;
    }
    let principal = Principal::new(auth_type).user(user.unwrap_or_default());
    assert!(principal.api_key(api_key.unwrap_or_default()).record());
    StatusCode::OK
}

type Answer = Response<MetricsBody<Empty<Bytes>>>;

fn app<B: Send + 'static>(
    layer: &MetricsLayer,
) -> impl Service<Request<B>, Response = Answer, Error = Infallible, Future: Send> + Clone + Send + use<B> {
    layer.layer(service_fn(|request: Request<B>| {
        let mut response = Response::new(Empty::<Bytes>::new());
        *response.status_mut() = authenticate(request.headers());
        ready(Ok(response))
    }))
}

/// Sends these requests, without a server.
fn in_process(layer: &MetricsLayer, requests: impl Iterator<Item = u64>) -> Result<()> {
    let mut app = app::<()>(layer);
    let mut cx = Context::from_waker(Waker::noop());
    for n in requests {
        let (authorization, api_key) = identity(n);
        let headers = [("authorization", authorization), ("x-api-key", api_key)];
        let headers = headers.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let request = headers.fold(Request::get("/work"), |request, (name, value)| request.header(name, value));
        match pin!(app.call(request.body(())?)).poll(&mut cx) {
            Poll::Ready(Ok(_)) => {}
            Poll::Pending => return Err("the service waits for nothing".into()),
        }
    }
    Ok(())
}

/// Pipelines these requests over a connection.
async fn over_tcp(server: &Server, requests: Range<u64>) -> Result<()> {
    let mut conn = RawConn::connect(server.addr()).await?;
    let (count, last) = (requests.end - requests.start, requests.end - 1);
    let mut bytes = String::new();
    for n in requests {
        let (authorization, api_key) = identity(n);
        bytes += "GET /work HTTP/1.1\r\nhost: shop.example\r\n";
        bytes += &authorization
            .map(|value| format!("authorization: {value}\r\n"))
            .unwrap_or_default();
        bytes += &api_key.map(|value| format!("x-api-key: {value}\r\n")).unwrap_or_default();
        bytes += if n == last { "connection: close\r\n\r\n" } else { "\r\n" };
    }
    conn.write(bytes.as_bytes()).await?;
    let answers = conn.read_all(LIMIT).await?;
    let answers = String::from_utf8_lossy(&answers);
    assert_eq!(answers.matches("HTTP/1.1 ").count(), usize::try_from(count)?);
    Ok(())
}

/// Sends these requests, the first of them over TCP while others are sent by threads.
async fn attack(layer: &MetricsLayer, server: &Server, requests: Range<u64>) -> Result<()> {
    let tcp_end = requests.start + OVER_TCP;
    let thread = |first: u64| {
        let (layer, end) = (layer.clone(), requests.end);
        std::thread::spawn(move || in_process(&layer, (first..end).step_by(THREADS)))
    };
    let threads: Vec<_> = (tcp_end..).take(THREADS).map(thread).collect();
    for first in (requests.start..tcp_end).step_by(PIPELINED) {
        over_tcp(server, first..first + PIPELINED as u64).await?;
    }
    for thread in threads {
        tokio::task::block_in_place(|| thread.join().map_err(|_| "a thread panicked"))??;
    }
    Ok(())
}

/// How much memory of this process there is, in bytes; nothing where nobody says.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_made_up_identities() -> Result<()> {
    let vitals = Vitals::new();
    let hasher = IdHasher::keyed(SECRET)?;
    let ids = PrincipalIds::new(hasher.clone());
    let ids = ids.users(usize::try_from(USERS)?).api_keys(usize::try_from(API_KEYS)?);
    let layer = MetricsLayer::builder(&vitals).principal_ids(ids).build()?;
    let server = Server::start(app(&layer)).await?;
    // One after the other, so that it is the same ones that have names in each run.
    in_process(&layer, 0..FIRST)?;
    attack(&layer, &server, FIRST..WARM_UP).await?;
    let before = resident();
    attack(&layer, &server, WARM_UP..REQUESTS).await?;
    until_eq(LIMIT, REQUESTS, || Seen::of(&vitals).total()).await?;
    let after = resident();
    if let (Some(before), Some(after)) = (before, after) {
        assert!(after < before + GROWTH, "{before} bytes became {after}");
    }
    let by_labels = |labels: &[&str], count| labels.iter().map(|labels| ((*labels).to_owned(), count)).collect::<Numbers>();
    let requests = [
        "GET _unmatched 401 bearer completed",
        "GET _unmatched 401 basic completed",
        "GET _unmatched 401 api_key completed",
        "GET _unmatched 401 jwt completed",
        "GET _unmatched 200 basic completed",
        "GET _unmatched 200 jwt completed",
        "GET _unmatched 200 api_key completed",
        "GET _unmatched 200 bearer completed",
    ];
    assert_eq!(Seen::of(&vitals).requests, by_labels(&requests, REQUESTS / 8));
    let who = Who::of(&vitals);
    let regular = REQUESTS / 80;
    let regulars = format!("basic {} completed", hasher.hash(REGULAR));
    assert_eq!(who.users[&regulars], regular);
    assert_eq!(by_auth_type(&who.users), by_labels(&["basic", "bearer", "jwt"], REQUESTS / 8));
    assert_eq!(by_auth_type(&who.api_keys), by_labels(&["api_key", "bearer"], REQUESTS / 8));
    assert_eq!(who.conflicts, [].into());
    // Those who have names made a request each. All others are one series for each auth type.
    for (ids, series, named) in [(&who.users, USERS + 3, USERS - 1), (&who.api_keys, API_KEYS + 2, API_KEYS)] {
        assert_eq!(ids.len() as u64, series);
        assert_eq!(ids.values().filter(|count| **count == 1).count() as u64, named);
    }
    let text = vitals.encode_to_string(Protocol::TEXT);
    let overflow = numbers(&text, "vitals_label_overflow_total", &["family", "label"]);
    let expected = [
        (
            "http_user_requests_total user".to_owned(),
            REQUESTS / 8 * 3 - regular - (USERS - 1),
        ),
        ("http_api_key_requests_total api_key".to_owned(), REQUESTS / 8 * 2 - API_KEYS),
    ];
    assert_eq!(overflow, expected.into());
    assert!(!text.contains("good"), "nothing of the client's text");
    Ok(())
}

fn by_auth_type(ids: &Numbers) -> Numbers {
    let mut sums = Numbers::new();
    for (labels, count) in ids {
        let auth_type = labels.split(' ').next().unwrap_or_default();
        *sums.entry(auth_type.to_owned()).or_default() += count;
    }
    sums
}

/// Room for five users, or for five API keys; who is gone for an hour makes room.
struct Five {
    vitals: Vitals,
    clock: ManualClock,
    layer: MetricsLayer,
    are_users: bool,
}

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Those who are gone are not looked for all the time.
const A_LITTLE: Duration = Duration::from_secs(2 * 60);

impl Five {
    fn new(are_users: bool) -> Result<Self> {
        let clock = ManualClock::new();
        let vitals = Vitals::builder().clock(Clock::manual(&clock)).build()?;
        let ids = PrincipalIds::new(IdHasher::sha256()).users(5).api_keys(5);
        let layer = MetricsLayer::builder(&vitals).principal_ids(ids.expire_after(HOUR)).build()?;
        Ok(Self {
            vitals,
            clock,
            layer,
            are_users,
        })
    }

    /// Sends a request of this user or API key, which is served once the gate is open.
    async fn send_and_wait(&self, id: &'static str, gate: &Gate) -> Result<()> {
        let service = service_fn(async |_: Request<()>| {
            let principal = Principal::new(AuthType::Session);
            let principal = if self.are_users {
                principal.user(id)
            } else {
                principal.api_key(id)
            };
            assert!(principal.record());
            gate.opened().await;
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        });
        self.layer.layer(service).oneshot(Request::new(())).await?;
        Ok(())
    }

    /// Sends a request of each of these, one after the other.
    async fn send(&self, ids: &[&'static str]) -> Result<()> {
        let gate = Gate::new();
        gate.open();
        for id in ids {
            self.send_and_wait(id, &gate).await?;
        }
        Ok(())
    }

    /// Scrapes, and finds just these, beside so many requests of others.
    fn shows(&self, ids: &[(&str, u64)], others: u64) {
        let label = |id: &str| format!("session {id} completed");
        let hash = |id: &str| label(IdHasher::sha256().hash(id).as_str());
        let mut expected: Numbers = ids.iter().map(|(id, count)| (hash(id), *count)).collect();
        expected.extend((others > 0).then(|| (label("_other"), others)));
        let who = Who::of(&self.vitals);
        let seen = if self.are_users { &who.users } else { &who.api_keys };
        assert_eq!(*seen, expected, "{ids:?}");
        assert_eq!(who.users.len() + who.api_keys.len(), expected.len());
    }
}

#[tokio::test]
async fn who_is_gone_for_an_hour_makes_room() -> Result<()> {
    for (are_users, scraped_between) in [(true, false), (true, true), (false, false), (false, true)] {
        let five = Five::new(are_users)?;
        five.send(&["a", "b", "c", "d", "e", "a"]).await?;
        five.clock.advance(HOUR - Duration::from_nanos(1));
        five.send(&["f"]).await?;
        five.shows(&[("a", 2), ("b", 1), ("c", 1), ("d", 1), ("e", 1)], 1);
        five.clock.advance(A_LITTLE);
        if scraped_between {
            five.shows(&[], 1);
        }
        five.send(&["f", "g", "h", "i", "j", "a"]).await?;
        five.shows(&[("f", 1), ("g", 1), ("h", 1), ("i", 1), ("j", 1)], 2);
        five.clock.advance(HOUR / 2);
        five.send(&["f"]).await?;
        five.clock.advance(HOUR / 2 + A_LITTLE);
        // Who comes back starts anew, and who stayed goes on.
        five.send(&["a"]).await?;
        five.shows(&[("a", 1), ("f", 2)], 2);
        five.clock.advance(HOUR + A_LITTLE);
        five.shows(&[], 2);
    }
    Ok(())
}

#[tokio::test]
async fn whoever_is_being_served_stays() -> Result<()> {
    for are_users in [true, false] {
        let (five, gate) = (Five::new(are_users)?, Gate::new());
        five.send(&["a", "b", "c", "d", "e"]).await?;
        let mut served = pin!(five.send_and_wait("a", &gate));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(served.as_mut().poll(&mut cx).is_pending());
        for _ in 0..2 {
            five.clock.advance(HOUR + A_LITTLE);
            five.shows(&[("a", 1)], 0);
        }
        five.send(&["f", "g", "h", "i", "j"]).await?;
        five.shows(&[("a", 1), ("f", 1), ("g", 1), ("h", 1), ("i", 1)], 1);
        gate.open();
        served.await?;
        five.shows(&[("a", 2), ("f", 1), ("g", 1), ("h", 1), ("i", 1)], 1);
        five.clock.advance(HOUR + A_LITTLE);
        five.shows(&[], 1);
    }
    Ok(())
}
