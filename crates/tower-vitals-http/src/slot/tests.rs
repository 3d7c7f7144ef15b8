use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use http::Request;
use tower_vitals_core::{IdHasher, OTHER, Vitals, encode::Protocol, spread::Spread};

use super::*;
use crate::{AuthType, PrincipalIds, counted::Counted, endpoint::Endpoint, names::Side, records::Records, settings::Settings};

fn records(vitals: &Vitals, side: Side) -> Arc<Records> {
    let settings = Settings {
        ids: (side == Side::Server).then(|| PrincipalIds::new(IdHasher::sha256()).users(2)),
        ..Settings::default()
    };
    settings.build(vitals, side).unwrap().0
}

fn served(vitals: &Vitals) -> (Counted, Owner) {
    let endpoint = Endpoint::of_server(records(vitals, Side::Server), None);
    let owner = endpoint.owner();
    (Counted::begin(&Spread::new(endpoint), &Request::new(())), owner)
}

fn sent(vitals: &Vitals) -> Counted {
    let records = records(vitals, Side::Client);
    let target = records.route("target").unwrap().hold();
    Counted::begin(&Spread::new(Endpoint::of_client(records, None, &target)), &Request::new(()))
}

const JWT: usize = 2;
const API_KEY: usize = 4;

fn jwt(user: &str) -> Principal<'_> {
    Principal::new(AuthType::Jwt).user(user)
}

fn conflicts(vitals: &Vitals) -> Vec<String> {
    let text = vitals.encode_to_string(Protocol::TEXT);
    let lines = text
        .lines()
        .filter(|line| line.starts_with("http_principal_conflicts_total{"));
    lines.map(str::to_owned).collect()
}

/// The first 8 digits of what `sha256sum` says of these.
const ALICE: &str = "2bd806c9";
const BOB: &str = "81b637d8";

#[test]
fn a_tag_lands_in_the_slot_of_its_scope() {
    let (mut request, _) = served(&Vitals::new());
    assert!(!tag_route("/outside"));
    {
        let _scope = request.enter();
        assert!(tag_route("/a"));
        assert!(tag_route("/b"));
    }
    assert!(!tag_route("/outside"));
    assert_eq!(request.tag(), Some("/b"));
    drop(request.enter());
    assert_eq!(request.tag(), Some("/b"), "nothing new was left");
}

#[test]
fn a_panic_brings_the_slot_home() {
    let (mut request, _) = served(&Vitals::new());
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _scope = request.enter();
        tag_route("/a");
        jwt("alice").record();
        std::panic::resume_unwind(Box::new("on purpose"));
    }));
    assert!(unwound.is_err());
    assert_eq!(request.tag(), Some("/a"));
    assert_eq!(request.principal(), (Some(ALICE), JWT));
    assert!(!tag_route("/outside"));
}

#[test]
fn a_request_is_known_to_its_owner_only() {
    let [mine, other, third] = [Vitals::new(), Vitals::new(), Vitals::new()];
    let ((mut outer, mine), (mut inner, other), (_, third)) = (served(&mine), served(&other), served(&third));
    let _outer = outer.enter();
    let _inner = inner.enter();
    assert!(is_counted(|| mine, || None) && is_counted(|| other, || None));
    assert!(!is_counted(|| third, || unreachable!()));
    assert!(is_counted(|| mine, || Some("/late".into())));
    assert!(is_counted(|| mine, || unreachable!("it has a route now")));
    drop((_inner, _outer));
    assert_eq!((inner.tag(), outer.tag()), (None, Some("/late")));
}

#[test]
fn a_request_that_was_just_tagged_is_still_its_owners() {
    let [mine, other] = [Vitals::new(), Vitals::new()];
    let ((mut request, mine), (_, other)) = (served(&mine), served(&other));
    let _scope = request.enter();
    tag_route("/a");
    assert!(is_counted(|| mine, || unreachable!("it has a route")));
    assert!(!is_counted(|| other, || unreachable!()));
}

#[test]
fn what_is_left_for_the_inner_request_is_passed_on() {
    let [mine, other] = [Vitals::new(), Vitals::new()];
    let ((mut outer, _), (mut inner, _)) = (served(&mine), served(&other));
    {
        let _outer = outer.enter();
        tag_route("/early");
        drop(inner.enter());
        assert!(inner.tag().is_none(), "it was left before");
        {
            let _inner = inner.enter();
            tag_route("/a");
            jwt("bob").record();
        }
    }
    assert_eq!((inner.tag(), outer.tag()), (Some("/a"), Some("/a")));
    assert_eq!((inner.principal(), outer.principal()), ((Some(BOB), JWT), (Some(BOB), JWT)));
    assert!(!tag_route("/outside"));
}

#[test]
fn who_was_recorded_outside_is_not_whom_the_inner_request_has() {
    let [mine, other] = [Vitals::new(), Vitals::new()];
    let ((mut outer, _), (mut inner, _)) = (served(&mine), served(&other));
    {
        let _outer = outer.enter();
        jwt("alice").record();
        {
            let _inner = inner.enter();
            jwt("bob").record();
        }
    }
    assert_eq!((inner.principal(), outer.principal()), ((Some(BOB), JWT), (Some(ALICE), JWT)));
    assert_eq!(conflicts(&mine), [r#"http_principal_conflicts_total{part="user"} 1"#]);
    assert_eq!(conflicts(&other), [""; 0]);
}

#[test]
fn what_is_left_while_a_request_is_sent_is_for_the_one_that_is_served() {
    let vitals = Vitals::new();
    let (mut served, _) = served(&vitals);
    let mut sent = sent(&vitals);
    {
        let _sent = sent.enter();
        assert!(!tag_route("/nobody") && !jwt("alice").record());
    }
    {
        let _served = served.enter();
        let _sent = sent.enter();
        assert!(tag_route("/a") && jwt("alice").record());
        assert!(leave_received(&Arc::default()));
    }
    assert_eq!((served.tag(), sent.tag()), (Some("/a"), None));
    assert_eq!(served.principal().0, Some(ALICE));
    assert!(sent.sees_body() && !served.sees_body());
}

#[test]
fn the_first_principal_is_believed_and_parts_may_be_added() {
    let vitals = Vitals::new();
    let (mut request, _) = served(&vitals);
    {
        let _scope = request.enter();
        Principal::new(AuthType::Jwt).user("").record();
        jwt("alice").record();
        Principal::new(AuthType::Jwt).user("alice").api_key("k1").record();
        assert_eq!(conflicts(&vitals), [""; 0]);
        // Of who differs in one part nothing is taken.
        Principal::new(AuthType::ApiKey).user("alice").api_key("k2").record();
        Principal::new(AuthType::Jwt).user("bob").record();
    }
    {
        let _scope = request.enter();
        Principal::new(AuthType::Jwt).user("alice").api_key("k1").record();
        Principal::new(AuthType::Jwt).user("carol").record();
        Principal::new(AuthType::Jwt).api_key("k2").record();
    }
    assert_eq!(request.principal(), (Some(ALICE), JWT));
    assert_eq!(
        conflicts(&vitals),
        [
            r#"http_principal_conflicts_total{part="auth_type"} 1"#,
            r#"http_principal_conflicts_total{part="user"} 2"#,
            // The second scope took its first principal for the request's, so the key differed there.
            r#"http_principal_conflicts_total{part="api_key"} 1"#,
        ]
    );
}

#[test]
fn ids_beyond_the_budget_are_others_and_still_told_apart() {
    let vitals = Vitals::new();
    let mut requests: Vec<_> = ["alice", "bob", "carol"]
        .into_iter()
        .map(|user| {
            let (mut request, _) = served(&vitals);
            let scope = request.enter();
            jwt(user).record();
            drop(scope);
            request
        })
        .collect();
    assert_eq!(requests[2].principal(), (Some(OTHER), JWT));
    for (user, differs) in [("carol", 0), ("dave", 1)] {
        let _scope = requests[2].enter();
        jwt(user).record();
        drop(_scope);
        assert_eq!(conflicts(&vitals).len(), differs, "{user}");
    }
}

#[test]
fn long_ids_are_ids_too() {
    let vitals = Vitals::new();
    let (mut request, _) = served(&vitals);
    let long = "x".repeat(100_000);
    {
        let _scope = request.enter();
        Principal::new(AuthType::ApiKey).user(&long).record();
        Principal::new(AuthType::ApiKey).user(&long[1..]).record();
    }
    assert_eq!(request.principal(), (Some(IdHasher::sha256().hash(&long).as_str()), API_KEY));
    assert_eq!(conflicts(&vitals).len(), 1);
}

#[test]
fn an_upstream_in_process_says_nothing_about_the_request_around_the_client() {
    let [mine, upstream] = [Vitals::new(), Vitals::new()];
    let ((mut outer, _), (mut inner, _)) = (served(&mine), served(&upstream));
    let mut sent = sent(&mine);
    {
        let _outer = outer.enter();
        tag_route("/outer");
        jwt("alice").record();
        let _sent = sent.enter();
        let _inner = inner.enter();
        tag_route("/upstream");
        tag_label("plan", "gold");
        Principal::new(AuthType::Mtls).user("bob").record();
    }
    assert_eq!((outer.tag(), inner.tag()), (Some("/outer"), Some("/upstream")));
    assert_eq!((outer.principal(), inner.principal().0), ((Some(ALICE), JWT), Some(BOB)));
    assert_eq!(conflicts(&mine), [""; 0]);
}
