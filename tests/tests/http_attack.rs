//! A client that sends nothing twice makes no more series than a polite one.

mod http_common;

use std::collections::BTreeSet;
use std::task::Poll;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, Uri};
use http_common::{LIMIT, Seen, numbers};
use tests::Result;
use tests::raw::RawConn;
use tests::server::Server;
use tests::until::until_eq;
use tower::{Service, ServiceExt};
use tower_vitals::{MetricsLayer, Vitals, encode::Protocol};

const REQUESTS: u64 = 100_000;

/// As many of them go over TCP.
const OVER_TCP: u64 = 4_000;

/// A connection pipelines so many.
const PIPELINED: u64 = 500;

/// The values of `method`, `auth_type`, `outcome` and `status_class`, which are closed sets.
const METHODS: usize = 11;
const AUTH_TYPES: usize = 8;
/// Those that the shape of credentials makes.
const SHAPES: usize = 6;
const OUTCOMES: usize = 4;
const CLASSES: usize = 7;

/// What the application answers: 404 unmatched; 200 and 405 on its one route.
const STATUSES_BY_ROUTE: usize = 1 + 2;
const ROUTES: usize = 2;

/// The most series that any client can make of this application's `http_requests_total`.
const MOST_REQUESTS: usize = METHODS * SHAPES * OUTCOMES * STATUSES_BY_ROUTE;
const MOST_DURATIONS: usize = METHODS * ROUTES * CLASSES;

/// What the documentation states for any application: the budget, and what
/// the closed labels make of it once all others are `_other`.
const MOST_EVER: usize = Vitals::SERIES_BUDGET + METHODS * AUTH_TYPES * OUTCOMES;

const KNOWN: [&str; 10] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY",
];

/// The method, URI and authorization of a request; no two are alike.
fn strange(n: u64) -> (String, String, String) {
    let known = usize::try_from(n).map(|n| KNOWN[n % KNOWN.len()]).unwrap_or_default();
    let method = match n % 3 {
        0 if known != "CONNECT" => known.to_owned(),
        _ => format!("M{n}"),
    };
    let path = ["users", "nowhere"][usize::from(n % 2 == 1)];
    let uri = format!("s{n}+x://h{n}.example:{}/{path}/{n}?q={n}", n % 65_536);
    let auth = ["Basic", "Bearer", "Digest"].get((n % 7) as usize);
    let auth = auth.map_or_else(|| format!("Scheme{n} t{n}"), |scheme| format!("{scheme} t{n}"));
    (method, uri, auth)
}

fn app(vitals: &Vitals) -> Router {
    Router::new()
        .route("/users/{id}", get(async || "hello"))
        .layer(MetricsLayer::new(vitals))
        .with_state(())
}

/// Sends these requests to the router, without a server.
fn in_process(mut app: Router, requests: impl Iterator<Item = u64>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async move {
        for n in requests {
            let (method, uri, auth) = strange(n);
            let request = Request::builder().method(&*method).uri(uri.parse::<Uri>()?);
            let request = request.header("host", format!("h{n}.example")).header("authorization", auth);
            let response = ServiceExt::<Request<Body>>::ready(&mut app)
                .await?
                .call(request.body(Body::empty())?)
                .await?;
            axum::body::to_bytes(response.into_body(), usize::MAX).await?;
        }
        Ok(())
    })
}

/// Pipelines these requests over a connection, in absolute form.
async fn over_tcp(server: &Server, requests: std::ops::Range<u64>) -> Result<()> {
    let mut conn = RawConn::connect(server.addr()).await?;
    let last = requests.end - 1;
    let mut bytes = String::new();
    for n in requests {
        let (method, uri, auth) = strange(n);
        let close = if n == last { "connection: close\r\n" } else { "" };
        bytes += &format!("{method} {uri} HTTP/1.1\r\nhost: h{n}.example\r\nauthorization: {auth}\r\n{close}\r\n");
    }
    let expected = bytes.matches("HTTP/1.1\r\n").count();
    conn.write(bytes.as_bytes()).await?;
    let answers = conn.read_all(LIMIT).await?;
    let answers = String::from_utf8_lossy(&answers);
    assert_eq!(answers.matches("HTTP/1.1 ").count(), expected);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_strange_requests() -> Result<()> {
    let vitals = Vitals::new();
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let app = app(&vitals);
            std::thread::spawn(move || in_process(app, (OVER_TCP + thread..REQUESTS).step_by(4)))
        })
        .collect();
    let server = Server::start(app(&vitals)).await?;
    for first in (0..OVER_TCP).step_by(usize::try_from(PIPELINED)?) {
        over_tcp(&server, first..first + PIPELINED).await?;
    }
    for thread in threads {
        tokio::task::block_in_place(|| thread.join().map_err(|_| "a thread panicked"))??;
    }
    until_eq(LIMIT, REQUESTS, || Seen::of(&vitals).total()).await?;

    let seen = Seen::of(&vitals);
    assert_eq!(seen.in_flight, [].into());
    assert_eq!(seen.durations.values().sum::<u64>(), REQUESTS);
    assert!(seen.requests.len() <= MOST_REQUESTS, "{}", seen.requests.len());
    assert!(seen.durations.len() <= MOST_DURATIONS, "{}", seen.durations.len());
    let readme = include_str!("../../README.md");
    assert!(MOST_EVER == 10_352 && readme.contains("no traffic whatever makes more than 10,352 series"));
    let nth = |n| {
        seen.requests
            .keys()
            .filter_map(move |key| key.split(' ').nth(n))
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(nth(0).len(), METHODS - 1, "all but CONNECT: {:?}", nth(0));
    assert_eq!(nth(1), ["/users/{id}", "_unmatched"].into());
    assert_eq!(nth(2), ["200", "404", "405"].into());
    assert_eq!(nth(3), ["basic", "bearer", "other"].into());
    assert_eq!(nth(4), ["completed"].into());

    let text = vitals.encode_to_string(Protocol::TEXT);
    assert_eq!(numbers(&text, "vitals_label_overflow_total", &["family", "label"]), [].into());
    let series = numbers(&text, "vitals_series", &["family"]);
    assert!(series.values().sum::<u64>() <= (MOST_REQUESTS + MOST_DURATIONS + METHODS + 10) as u64);
    assert!(
        !text.contains("example") && !text.contains("M7"),
        "nothing of the client's text"
    );
    Ok(())
}

/// An application that gives the client's path as its route meets the budgets,
/// which hold for the whole family.
#[tokio::test]
async fn raw_paths_as_routes_end_at_the_budgets() -> Result<()> {
    const SENT: u64 = 20_000;
    let vitals = Vitals::builder().series_budget(300).build()?;
    let raw = MetricsLayer::builder(&vitals).route_with(|request| Some(request.uri.path().to_owned().into()));
    let mut app = Router::new().fallback(async || "hello").layer(raw.build()?).with_state(());
    for n in 0..SENT {
        let (method, uri, auth) = strange(n);
        let request = Request::builder().method(&*method).uri(uri).header("authorization", auth);
        let mut calling = app.call(request.body(Body::empty())?);
        // The handler is ready at once: no runtime is needed between.
        let response = match std::future::poll_fn(|cx| Poll::Ready(std::pin::Pin::new(&mut calling).poll(cx))).await {
            Poll::Ready(response) => response?,
            Poll::Pending => return Err("the handler waits for nothing".into()),
        };
        axum::body::to_bytes(response.into_body(), usize::MAX).await?;
    }
    let seen = Seen::of(&vitals);
    assert_eq!(seen.total(), SENT);
    assert_eq!(seen.durations.values().sum::<u64>(), SENT);
    assert!(
        seen.requests.len() <= 300 + METHODS * SHAPES * OUTCOMES,
        "{}",
        seen.requests.len()
    );
    assert!(seen.durations.len() <= 300 + METHODS * CLASSES, "{}", seen.durations.len());
    assert_eq!(seen.in_flight, [].into());
    let text = vitals.encode_to_string(Protocol::TEXT);
    let overflow = numbers(&text, "vitals_label_overflow_total", &["family", "label"]);
    assert!(overflow.values().sum::<u64>() > 0, "{overflow:?}");
    Ok(())
}
