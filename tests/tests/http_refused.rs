//! Requests that end on the way, seen by the outermost layer: refused, too late, shed, panicked, or left by their clients. Each has its
//! status and its route, and who made it where that was known by then.

mod http_common;

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::error_handling::HandleErrorLayer;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http_body_util::Empty;
use http_common::who::{Who, hashed};
use http_common::{BOTH, LIMIT, Seen, Version};
use tests::body::{Gate, ScriptedBody};
use tests::server::Server;
use tests::until::until;
use tests::{BoxError, Result};
use tokio::sync::Semaphore;
use tower::limit::ConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower::{Layer, ServiceBuilder};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;
use tower_vitals::{AuthType, IdHasher, MetricsLayer, Principal, PrincipalIds, Vitals};

/// Where the layer stands.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// The last one of the router, which tells the routes.
    Last,
    /// Around the router, where the layer has to be told them.
    Around,
}

const PLACES: [Place; 2] = [Place::Last, Place::Around];

const ALICE: &str = "x-user: alice\r\n";

impl Place {
    async fn serve(self, vitals: &Vitals, app: Router) -> Result<Server> {
        let layer = MetricsLayer::builder(vitals).principal_ids(PrincipalIds::new(IdHasher::sha256()));
        match self {
            Self::Last => Server::start(app.layer(layer.build()?)).await,
            Self::Around => {
                let is_work = |path: &str| path.starts_with("/work/");
                let layer = layer.route_with(move |head| is_work(head.uri.path()).then(|| "/work/{id}".into()));
                Server::start(layer.build()?.layer(app)).await
            }
        }
    }
}

/// Runs a test with the layer in each place, over each version.
async fn each_way(app: impl Fn() -> Router, test: impl AsyncFn(&Vitals, &Server, Version) -> Result<()>) -> Result<()> {
    for place in PLACES {
        for version in BOTH {
            let vitals = Vitals::new();
            let server = place.serve(&vitals, app()).await?;
            let done = test(&vitals, &server, version).await;
            done.map_err(|error| format!("{place:?}, {version:?}: {error}"))?;
        }
    }
    Ok(())
}

/// Verifies whatever name a client gives itself. Guests may not do anything.
async fn authenticate(request: Request, next: Next) -> Response {
    let Some(user) = request.headers().get("x-user").and_then(|user| user.to_str().ok()) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    Principal::new(AuthType::Session).user(user).record();
    match user {
        "guest" => StatusCode::FORBIDDEN.into_response(),
        _ => next.run(request).await,
    }
}

/// Asks twice for work, and gets this status.
async fn asked(server: &Server, version: Version, headers: &str, status: u16) -> Result<()> {
    let answers = version.ask_twice(server.addr(), "GET", "/work/7", headers).await?;
    assert_eq!(answers.matches(&format!("{status} ")).count(), 2, "{answers}");
    Ok(())
}

#[tokio::test]
async fn refused_by_authentication() -> Result<()> {
    let app = || {
        let router = Router::new().route("/work/{id}", get(async || "done"));
        router.layer(from_fn(authenticate))
    };
    each_way(app, async |vitals, server, version| {
        asked(server, version, "", 401).await?;
        asked(server, version, "authorization: Bearer a.b.c\r\n", 401).await?;
        asked(server, version, "x-user: guest\r\n", 403).await?;
        asked(server, version, ALICE, 200).await?;
        version.ask_twice(server.addr(), "GET", "/nowhere", "").await?;
        let requests = [
            ("GET /work/{id} 401 none completed", 2),
            ("GET /work/{id} 401 jwt completed", 2),
            ("GET /work/{id} 403 session completed", 2),
            ("GET /work/{id} 200 session completed", 2),
            ("GET _unmatched 401 none completed", 2),
        ];
        let durations = [
            ("GET /work/{id} 4xx", 6),
            ("GET /work/{id} 2xx", 2),
            ("GET _unmatched 4xx", 2),
        ];
        Seen::ended(&requests, &durations).settles(vitals).await?;
        let [guest, alice] = [hashed::GUEST, hashed::ALICE].map(|user| format!("session {user} completed"));
        Who::users(&[(&guest, 2), (&alice, 2)]).settles(vitals).await
    })
    .await
}

/// Alice asked twice, and was answered by something on the way.
async fn answered_for_alice(vitals: &Vitals, status: u16) -> Result<()> {
    let requests = format!("GET /work/{{id}} {status} session completed");
    let durations = format!("GET /work/{{id}} {}xx", status / 100);
    Seen::ended(&[(&requests, 2)], &[(&durations, 2)]).settles(vitals).await?;
    let alice = format!("session {} completed", hashed::ALICE);
    Who::users(&[(&alice, 2)]).settles(vitals).await
}

#[tokio::test]
async fn answered_by_a_timeout() -> Result<()> {
    let timeout = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::from_millis(10));
    let app = || {
        let router = Router::new().route("/work/{id}", get(pending::<()>));
        router.layer(from_fn(authenticate)).layer(timeout)
    };
    each_way(app, async |vitals, server, version| {
        asked(server, version, ALICE, 408).await?;
        answered_for_alice(vitals, 408).await
    })
    .await
}

async fn recording_and_panicking() -> &'static str {
    Principal::new(AuthType::Session).user("alice").record();
    panic!("on purpose")
}

#[tokio::test]
async fn panicked_after_the_handler_said_who_it_is() -> Result<()> {
    let router = || Router::new().route("/work/{id}", get(recording_and_panicking));
    each_way(
        || router().layer(CatchPanicLayer::new()),
        async |vitals, server, version| {
            asked(server, version, "", 500).await?;
            answered_for_alice(vitals, 500).await
        },
    )
    .await?;
    // Nobody catches the panic: it unwinds through the layer.
    each_way(router, async |vitals, server, version| {
        version.ask_twice(server.addr(), "GET", "/work/7", "").await?;
        // It ends a connection of HTTP/1.1, and a stream of HTTP/2.
        let asked = if version == Version::Http1 { 1 } else { 2 };
        let panicked = [("GET /work/{id} - session panicked", asked)];
        Seen::ended(&panicked, &[("GET /work/{id} -", asked)]).settles(vitals).await?;
        let alice = format!("session {} panicked", hashed::ALICE);
        Who::users(&[(&alice, asked)]).settles(vitals).await
    })
    .await
}

/// Serves one request at a time, which waits for the gate, and sheds all others.
fn busy(served: &Arc<Semaphore>, gate: &Gate) -> Router {
    let (served, gate) = (Arc::clone(served), gate.clone());
    let handler = async move || {
        served.add_permits(1);
        gate.opened().await;
        "done"
    };
    let shed = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(async |_: BoxError| StatusCode::SERVICE_UNAVAILABLE))
        .layer(LoadShedLayer::new())
        .layer(ConcurrencyLimitLayer::new(1));
    let router = Router::new().route("/work/{id}", get(handler)).layer(shed);
    // As long as it may still get a state, a router makes its services for each request anew, and the limit with them.
    router.layer(from_fn(authenticate)).with_state(())
}

#[tokio::test]
async fn shed_under_load() -> Result<()> {
    for place in PLACES {
        for version in BOTH {
            let (vitals, served, gate) = (Vitals::new(), Arc::new(Semaphore::new(0)), Gate::new());
            let server = place.serve(&vitals, busy(&served, &gate)).await?;
            let mut client = version.connect(server.addr()).await?;
            let bob = http::Request::get("/work/1").header("x-user", "bob");
            let exchange = client.start(bob.body(Empty::new())?).await?;
            served.acquire().await?.forget();
            asked(&server, version, ALICE, 503).await?;
            let in_flight = Seen::of(&vitals).in_flight;
            assert_eq!(in_flight, [("GET".to_owned(), 1)].into(), "{place:?}, {version:?}");
            gate.open();
            assert_eq!(exchange.finish().await?.text()?, "done");
            let requests = [
                ("GET /work/{id} 503 session completed", 2),
                ("GET /work/{id} 200 session completed", 1),
            ];
            let durations = [("GET /work/{id} 5xx", 2), ("GET /work/{id} 2xx", 1)];
            Seen::ended(&requests, &durations).settles(&vitals).await?;
            let [alice, bob] = [hashed::ALICE, hashed::BOB].map(|user| format!("session {user} completed"));
            Who::users(&[(&alice, 2), (&bob, 1)]).settles(&vitals).await?;
        }
    }
    Ok(())
}

/// The client sends a request, and leaves once it is told to: by giving up this one exchange, or with the whole connection.
async fn leaves(app: impl Fn() -> Router, reads_first: bool, counted: (&str, &str)) -> Result<()> {
    for cancels in [true, false] {
        each_way(&app, async |vitals, server, version| {
            let mut client = version.connect(server.addr()).await?;
            let alice = http::Request::get("/work/7").header("x-user", "alice");
            let mut exchange = client.start(alice.body(Empty::new())?).await?;
            if reads_first {
                let frame = exchange.frame().await?.ok_or("there is a frame")?;
                assert_eq!(frame.data_ref().ok_or("it is data")?, "first");
            } else {
                let in_flight = |seen: &Seen| *seen == Seen::one_in_flight("GET");
                until(LIMIT, || Seen::of(vitals), in_flight).await?;
            }
            assert_eq!(Who::of(vitals), Who::default(), "a request counts when it ends");
            if cancels {
                exchange.cancel();
            } else {
                exchange.vanish().await;
            }
            let (requests, durations) = counted;
            Seen::ended(&[(requests, 1)], &[(durations, 1)]).settles(vitals).await?;
            let alice = format!("session {} aborted", hashed::ALICE);
            Who::users(&[(&alice, 1)]).settles(vitals).await
        })
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_client_that_leaves_before_the_head() -> Result<()> {
    let app = || {
        let router = Router::new().route("/work/{id}", get(pending::<()>));
        router.layer(from_fn(authenticate))
    };
    leaves(app, false, ("GET /work/{id} - session aborted", "GET /work/{id} -")).await
}

#[tokio::test]
async fn a_client_that_leaves_inside_the_body() -> Result<()> {
    let stream = async || {
        let never = Gate::new();
        let body = ScriptedBody::new().data("first").wait(&never).hides_end();
        Response::new(Body::new(body.data("second")))
    };
    let app = || Router::new().route("/work/{id}", get(stream)).layer(from_fn(authenticate));
    leaves(app, true, ("GET /work/{id} 200 session aborted", "GET /work/{id} 2xx")).await
}
