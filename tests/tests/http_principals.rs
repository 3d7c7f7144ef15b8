//! Who makes a request: who may say so, from where, and what of it is shown.

mod http_common;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body as AxumBody;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use http_common::who::{Who, hashed};
use http_common::{BOTH, Seen, numbers};
use hyper::body::Incoming;
use tests::Result;
use tests::client::get as request;
use tests::server::Server;
use tower::{Layer, ServiceExt, service_fn};
use tower_vitals::encode::Protocol;
use tower_vitals::{AuthType, IdHasher, MetricsLayer, MetricsLayerBuilder, Principal, PrincipalIds, RequestSlot, Vitals};

fn ids() -> PrincipalIds {
    PrincipalIds::new(IdHasher::sha256())
}

fn counting(vitals: &Vitals) -> MetricsLayerBuilder {
    MetricsLayer::builder(vitals).principal_ids(ids())
}

fn alice() -> Principal<'static> {
    Principal::new(AuthType::Session).user("alice")
}

fn bob() -> Principal<'static> {
    Principal::new(AuthType::Session).user("bob")
}

fn session(user: &str) -> String {
    format!("session {user} completed")
}

/// Asks for `/work` twice over each version, which must give 200.
async fn asked(app: Router, headers: &str) -> Result<()> {
    let server = Server::start(app).await?;
    for version in BOTH {
        let answers = version.ask_twice(server.addr(), "GET", "/work", headers).await?;
        assert_eq!(answers.matches("200 OK").count(), 2, "{answers}");
    }
    Ok(())
}

/// Four requests of this auth type, and these are all that is told of who made them.
async fn four(vitals: &Vitals, auth_type: &str, who: Who) -> Result<()> {
    let requests = format!("GET /work 200 {auth_type} completed");
    Seen::ended(&[(&requests, 4)], &[("GET /work 2xx", 4)])
        .settles(vitals)
        .await?;
    who.settles(vitals).await
}

#[tokio::test]
async fn a_handler_says_who_it_is() -> Result<()> {
    let vitals = Vitals::new();
    let handler = async || {
        assert!(Principal::new(AuthType::ApiKey).user("alice").api_key("ci").record());
        tokio::task::yield_now().await;
        assert!(Principal::new(AuthType::ApiKey).api_key("ci").record(), "no news");
    };
    asked(
        Router::new().route("/work", get(handler)).layer(counting(&vitals).build()?),
        "",
    )
    .await?;
    let [alice, ci] = [hashed::ALICE, hashed::CI].map(|id| format!("api_key {id} completed"));
    let who = Who::users(&[(&alice, 4)]).api_keys(&[(&ci, 4)]);
    four(&vitals, "api_key", who).await
}

#[tokio::test]
async fn a_spawned_task_says_who_it_is_through_its_slot() -> Result<()> {
    let vitals = Vitals::new();
    let handler = async |slot: RequestSlot| {
        let told = tokio::spawn(async move {
            assert!(!bob().record(), "a task of its own serves no request");
            slot.record(alice())
        });
        assert!(told.await.unwrap_or_default());
    };
    let layer = counting(&vitals).slot_in_extensions().build()?;
    asked(Router::new().route("/work", get(handler)).layer(layer), "").await?;
    four(&vitals, "session", Who::users(&[(&session(hashed::ALICE), 4)])).await
}

#[tokio::test]
async fn a_slot_is_in_the_extensions_without_axum() -> Result<()> {
    let vitals = Vitals::new();
    let service = service_fn(|request: http::Request<Incoming>| async move {
        let slot = request.extensions().get::<RequestSlot>().cloned().unwrap_or_default();
        let told = std::thread::spawn(move || slot.record(alice()) && slot.tag_route("/work"));
        assert!(told.join().unwrap_or_default());
        Ok::<_, Infallible>(Response::new(AxumBody::empty()))
    });
    let server = Server::start(counting(&vitals).slot_in_extensions().build()?.layer(service)).await?;
    for version in BOTH {
        version.ask_twice(server.addr(), "GET", "/", "").await?;
    }
    four(&vitals, "session", Who::users(&[(&session(hashed::ALICE), 4)])).await
}

#[tokio::test]
async fn a_slot_may_say_more_than_its_request_did() -> Result<()> {
    let vitals = Vitals::new();
    let handler = async |slot: RequestSlot| {
        assert!(alice().record());
        tokio::task::yield_now().await;
        assert!(slot.record(Principal::new(AuthType::Session).api_key("ci")));
        assert!(slot.record(bob()), "there is a request, which believes the first");
        assert!(bob().record());
    };
    let layer = counting(&vitals).slot_in_extensions().build()?;
    asked(Router::new().route("/work", get(handler)).layer(layer), "").await?;
    let who = Who::users(&[(&session(hashed::ALICE), 4)]).api_keys(&[(&session(hashed::CI), 4)]);
    four(&vitals, "session", who.conflicts(&[("user", 8)])).await
}

/// A handler that gives away its slot, which is that of a request or not.
fn giving_away(slots: &Arc<Mutex<Vec<RequestSlot>>>, is_of_a_request: bool) -> Router {
    let slots = Arc::clone(slots);
    let handler = async move |slot: RequestSlot| {
        assert_eq!(slot.tag_route("/work"), is_of_a_request);
        slots.lock().expect("nobody panicked").push(slot);
    };
    Router::new().route("/work", get(handler))
}

#[tokio::test]
async fn a_slot_of_no_request_does_nothing() -> Result<()> {
    let (vitals, slots) = (Vitals::new(), Arc::default());
    // It has ended.
    let layer = || MetricsLayer::builder(&vitals).principal_ids(ids().users(1));
    asked(giving_away(&slots, true).layer(layer().slot_in_extensions().build()?), "").await?;
    four(&vitals, "none", Who::default()).await?;
    // The layer gives none, whatever else it does; there is no layer; there never was a request.
    for layer in [layer(), layer().head_seconds()] {
        asked(giving_away(&slots, false).layer(layer.build()?), "").await?;
    }
    asked(giving_away(&slots, false), "").await?;
    let mut slots = std::mem::take(&mut *slots.lock().expect("nobody panicked"));
    assert_eq!(slots.len(), 16);
    slots.push(RequestSlot::default());
    let before = vitals.encode_to_string(Protocol::TEXT);
    for slot in slots {
        assert!(!slot.record(bob()) && !slot.tag_route("/late") && !slot.tag_label("plan", "gold"));
    }
    assert_eq!(vitals.encode_to_string(Protocol::TEXT), before);
    // The only room is still there.
    asked(said_twice(alice(), alice(), false).layer(layer().build()?), "").await?;
    Who::users(&[(&session(hashed::ALICE), 4)]).settles(&vitals).await
}

/// A body that says who it is when it is read, and gives whether somebody heard it.
struct Saying(bool);

impl Body for Saying {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let was_said = std::mem::replace(&mut self.0, true);
        Poll::Ready((!was_said).then(|| Ok(Frame::data(alice().record().to_string().into()))))
    }
}

#[tokio::test]
async fn outside_of_a_request_nobody_is_heard() -> Result<()> {
    let vitals = Vitals::new();
    let app = Router::new().route("/work", get(async || Response::new(AxumBody::new(Saying(false)))));
    let answer = app.layer(counting(&vitals).build()?).oneshot(request("/work")).await?;
    assert_eq!(answer.into_body().collect().await?.to_bytes(), "false");
    assert!(!alice().record());
    assert!(!std::thread::spawn(|| alice().record()).join().unwrap_or(true));
    assert!(!tokio::spawn(async { alice().record() }).await?);
    let seen = Seen::ended(&[("GET /work 200 none completed", 1)], &[("GET /work 2xx", 1)]);
    assert_eq!((Seen::of(&vitals), Who::of(&vitals)), (seen, Who::default()));
    Ok(())
}

/// A handler that records the second principal, at once or later, inside of middleware that records the first.
fn said_twice(first: Principal<'static>, second: Principal<'static>, later: bool) -> Router {
    let handler = async move || {
        if later {
            tokio::task::yield_now().await;
        }
        assert!(second.record());
    };
    let middleware = move |request: Request, next: Next| async move {
        assert!(first.record());
        next.run(request).await
    };
    Router::new().route("/work", get(handler)).layer(from_fn(middleware))
}

#[tokio::test]
async fn the_first_is_believed_part_by_part() -> Result<()> {
    let plain = || Principal::new(AuthType::Session);
    let jwt = || Principal::new(AuthType::Jwt);
    // What the two say, and which users, API keys and conflicts are counted.
    let cases: [(Principal<'_>, Principal<'_>, &str, &str, &str); 10] = [
        (alice(), alice(), hashed::ALICE, "", ""),
        (alice(), plain(), hashed::ALICE, "", ""),
        (plain(), bob(), hashed::BOB, "", ""),
        (plain().user("").api_key(""), bob(), hashed::BOB, "", ""),
        (alice(), alice().api_key("ci"), hashed::ALICE, hashed::CI, ""),
        (alice(), bob(), hashed::ALICE, "", "user"),
        (alice(), bob().api_key("ci"), hashed::ALICE, "", "user"),
        (alice(), jwt().user("alice"), hashed::ALICE, "", "auth_type"),
        (plain(), jwt().user("bob").api_key("ci"), "", "", "auth_type"),
        (
            alice().api_key("ci"),
            alice().api_key("deploy"),
            hashed::ALICE,
            hashed::CI,
            "api_key",
        ),
    ];
    for (first, second, user, api_key, part) in cases {
        for later in [false, true] {
            let vitals = Vitals::new();
            asked(said_twice(first, second, later).layer(counting(&vitals).build()?), "").await?;
            let counted = |ids: &str| (!ids.is_empty()).then(|| (session(ids), 4));
            let who = Who {
                users: counted(user).into_iter().collect(),
                api_keys: counted(api_key).into_iter().collect(),
                ..Who::default()
            };
            let conflicts: &[_] = if part.is_empty() { &[] } else { &[(part, 4)] };
            four(&vitals, "session", who.conflicts(conflicts)).await?;
        }
    }
    Ok(())
}

/// `{"alg":"HS256"}`, `{"sub":"admin"}`, and nothing that would verify.
const CLAIMS_TO_BE_ADMIN: &str = "authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.AAAA\r\n";

#[tokio::test]
async fn what_a_client_claims_shows_no_id() -> Result<()> {
    let vitals = Vitals::new();
    let app = Router::new()
        .route("/work", get(async || ()))
        .layer(counting(&vitals).build()?);
    asked(app, CLAIMS_TO_BE_ADMIN).await?;
    four(&vitals, "jwt", Who::default()).await?;
    let text = vitals.encode_to_string(Protocol::TEXT);
    assert!(!text.contains("http_user_requests_total{"), "{text}");
    for shown in ["admin", hashed::ADMIN, "eyJ"] {
        assert!(!text.contains(shown), "{shown}");
    }
    Ok(())
}

#[tokio::test]
async fn auth_types_of_ones_own_are_registered() -> Result<()> {
    for (auth_type, expected) in [
        (AuthType::Own("saml"), "saml"),
        (AuthType::Own("kerberos"), "other"),
        (AuthType::Own("jwt"), "jwt"),
        (AuthType::Mtls, "mtls"),
        (AuthType::None, "none"),
    ] {
        // Whatever the credentials look like, what was verified goes before that.
        for headers in ["", CLAIMS_TO_BE_ADMIN] {
            let vitals = Vitals::new();
            let layer = counting(&vitals).auth_types(["saml"]).build()?;
            let handler = async move || assert!(Principal::new(auth_type).user("alice").record());
            asked(Router::new().route("/work", get(handler)).layer(layer), headers).await?;
            let alice = format!("{expected} {} completed", hashed::ALICE);
            four(&vitals, expected, Who::users(&[(&alice, 4)])).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn each_vitals_sees_a_principal_once() -> Result<()> {
    for later in [false, true] {
        let (left, right) = (Vitals::new(), Vitals::new());
        let app = said_twice(alice(), bob(), later)
            .layer(counting(&left).build()?)
            .layer(counting(&right).slot_in_extensions().build()?)
            .layer(counting(&left).build()?);
        asked(app, "").await?;
        for vitals in [left, right] {
            let who = Who::users(&[(&session(hashed::ALICE), 4)]);
            four(&vitals, "session", who.conflicts(&[("user", 4)])).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_slot_reaches_each_vitals() -> Result<()> {
    let (left, right) = (Vitals::new(), Vitals::new());
    let handler = async |slot: RequestSlot| {
        let told = std::thread::spawn(move || slot.record(alice()) && slot.record(bob()) && slot.tag_route("/told"));
        assert!(told.join().unwrap_or_default());
    };
    let app = Router::new()
        .route("/work", get(handler))
        .layer(counting(&left).slot_in_extensions().build()?)
        .layer(counting(&right).slot_in_extensions().build()?)
        .layer(counting(&left).slot_in_extensions().build()?);
    asked(app, "").await?;
    for vitals in [left, right] {
        let seen = Seen::ended(&[("GET /told 200 session completed", 4)], &[("GET /told 2xx", 4)]);
        seen.settles(&vitals).await?;
        let who = Who::users(&[(&session(hashed::ALICE), 4)]);
        who.conflicts(&[("user", 4)]).settles(&vitals).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_vitals_without_ids_has_the_auth_type() -> Result<()> {
    let vitals = Vitals::new();
    asked(said_twice(alice(), alice(), false).layer(MetricsLayer::new(&vitals)), "").await?;
    four(&vitals, "session", Who::default()).await
}

/// Sends a GET to the router, by this user.
async fn send(app: &Router, path: &str, user: &str) -> Result<()> {
    let request = http::Request::get(path).header("x-user", user).body(AxumBody::empty())?;
    app.clone().oneshot(request).await?.into_body().collect().await?;
    Ok(())
}

#[tokio::test]
async fn users_may_be_a_label_of_all_requests() -> Result<()> {
    let vitals = Vitals::new();
    let handler = async |request: Request| {
        let user = request.headers().get("x-user").and_then(|user| user.to_str().ok());
        assert!(Principal::new(AuthType::Session).user(user.unwrap_or_default()).record());
    };
    let layer = MetricsLayer::builder(&vitals).principal_ids(ids().on_requests(4)).build()?;
    let app = Router::new().route("/a", get(handler)).route("/b", get(handler)).layer(layer);
    for (path, user) in [("/a", "alice"), ("/b", "alice"), ("/a", "bob"), ("/a", "alice"), ("/a", "")] {
        send(&app, path, user).await?;
    }
    let labels = ["method", "route", "status", "auth_type", "outcome", "user"];
    let requests = |vitals: &Vitals| numbers(&vitals.encode_to_string(Protocol::TEXT), "http_requests_total", &labels);
    let mut expected = [
        ("/a", hashed::ALICE, 2),
        ("/b", hashed::ALICE, 1),
        ("/a", hashed::BOB, 1),
        ("/a", "-", 1),
    ]
    .map(|(route, user, count)| (format!("GET {route} 200 session completed {user}"), count))
    .into_iter()
    .collect::<http_common::Numbers>();
    assert_eq!(requests(&vitals), expected);
    // There is no room for more.
    send(&app, "/b", "bob").await?;
    send(&app, "/a", "carol").await?;
    expected.insert("GET _other _other session completed _other".to_owned(), 2);
    assert_eq!(requests(&vitals), expected);
    let users = [(hashed::ALICE, 3), (hashed::BOB, 2), (hashed::CAROL, 1)].map(|(user, count)| (session(user), count));
    assert_eq!(Who::of(&vitals).users, users.into());
    Ok(())
}

#[tokio::test]
async fn nothing_shows_an_id_or_a_secret() -> Result<()> {
    let vitals = Vitals::new();
    let hasher = |secret: &str| IdHasher::keyed(secret);
    let ids = PrincipalIds::new(hasher("hunter2hunter2hunter2")?);
    let layer = MetricsLayer::builder(&vitals).principal_ids(ids.clone()).slot_in_extensions();
    let layer = layer.build()?;
    let debugs = Arc::new(Mutex::new(Vec::new()));
    let shown = Arc::clone(&debugs);
    let show = layer.clone();
    let handler = async move |slot: RequestSlot| {
        let principal = Principal::new(AuthType::Basic).user("raw-alice").api_key("raw-ci");
        assert!(principal.record() && slot.record(principal));
        let mut shown = shown.lock().expect("nobody panicked");
        shown.push(format!("{principal:?} {slot:?} {slot:#?} {show:?}"));
    };
    let service = layer.clone().layer(Router::new().route("/work", get(handler)));
    let response = service.clone().oneshot(request("/work")).await?;
    let mut debugs = std::mem::take(&mut *debugs.lock().expect("nobody panicked"));
    debugs.push(format!("{response:?} {service:?} {layer:?} {vitals:?} {ids:?}"));
    debugs.push(vitals.encode_to_string(Protocol::TEXT));
    for other in [IdHasher::sha256(), hasher("hunter3hunter3hunter3")?] {
        let other = MetricsLayer::builder(&vitals).principal_ids(PrincipalIds::new(other)).build();
        let error = other.expect_err("it would hash otherwise");
        debugs.push(format!("{error} {error:?}"));
    }
    let error = hasher("hunter2").expect_err("it is too short");
    debugs.push(format!("{error} {error:?}"));
    assert_eq!(debugs.len(), 6);
    for debug in debugs {
        assert!(!debug.contains("raw-") && !debug.contains("hunter"), "{debug}");
    }
    assert_eq!(Who::of(&vitals).users.len(), 1);
    Ok(())
}
