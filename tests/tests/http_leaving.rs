//! Clients that leave, and clients that stay: a request ends when its client
//! goes, or with its own body, and not with anybody else's.

mod http_common;

use http::{Method, Request};
use http_body_util::Empty;
use http_common::app::{Built, Gates};
use http_common::{BOTH, LIMIT, Seen, Version, undated_head};
use tests::Result;
use tests::client::{Client, get};
use tests::exchange::Exchange;
use tests::until::until_eq;
use tower_vitals::Vitals;

/// How a client goes.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// Over HTTP/2, the connection stays.
    Cancel,
    Vanish,
    Reset,
    Drop,
}

const WAYS: [Way; 4] = [Way::Cancel, Way::Vanish, Way::Reset, Way::Drop];

impl Way {
    /// Goes, and gives back what must stay until the server has noticed.
    async fn go(self, client: Client, exchange: Exchange) -> Result<Option<Client>> {
        match self {
            Self::Cancel => exchange.cancel(),
            Self::Vanish => exchange.vanish().await,
            Self::Reset => exchange.reset().await?,
            Self::Drop => {
                drop((client, exchange));
                return Ok(None);
            }
        }
        Ok(Some(client))
    }
}

/// Runs a test for each way to go, over each version, on each kind of application.
async fn each_way(test: impl AsyncFn(Built, Version, Way) -> Result<()>) -> Result<()> {
    for built in [Built::Axum, Built::Plain] {
        for version in BOTH {
            for way in WAYS {
                let done = test(built, version, way).await;
                done.map_err(|error| format!("{built:?}, {version:?}, {way:?}: {error}"))?;
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_client_gone_before_the_head() -> Result<()> {
    each_way(async |built, version, way| {
        let vitals = Vitals::new();
        let server = built.serve(Some(&vitals), &Gates::opened()).await?;
        let mut client = version.connect(server.addr()).await?;
        let exchange = client.start(get("/never")).await?;
        until_eq(LIMIT, Seen::one_in_flight("GET"), || Seen::of(&vitals)).await?;
        let _client = way.go(client, exchange).await?;
        let aborted = Seen::ended(&[("GET /never - none aborted", 1)], &[("GET /never -", 1)]);
        aborted.settles(&vitals).await
    })
    .await
}

/// Reads head and first frame, and finds the request in flight and not counted.
async fn first_part(vitals: Option<&Vitals>, exchange: &mut Exchange) -> Result<String> {
    let head = exchange.head().await?;
    let head = undated_head(head.status(), head.headers());
    let frame = exchange.frame().await?.ok_or("there is a frame")?;
    if let Some(vitals) = vitals {
        assert_eq!(Seen::of(vitals), Seen::one_in_flight("GET"), "in flight until the body ends");
    }
    Ok(head + &format!("{:?}", frame.data_ref()))
}

/// The client leaves after the first frame.
async fn left(path: &str, built: Built, version: Version, way: Way, expected: &Seen) -> Result<()> {
    let mut first_parts = Vec::new();
    let vitals = Vitals::new();
    for vitals in [None, Some(&vitals)] {
        let gates = Gates::default();
        gates.head.open();
        let server = built.serve(vitals, &gates).await?;
        let mut client = version.connect(server.addr()).await?;
        let mut exchange = client.start(get(path)).await?;
        first_parts.push(first_part(vitals, &mut exchange).await?);
        let _client = way.go(client, exchange).await?;
        if let Some(vitals) = vitals {
            expected.settles(vitals).await?;
        }
    }
    assert_eq!(first_parts[0], first_parts[1], "without the layer, and with it");
    Ok(())
}

#[tokio::test]
async fn a_client_gone_in_mid_stream() -> Result<()> {
    for path in ["/stream", "/stream-of-ten", "/trailers"] {
        let requests = format!("GET {path} 200 none aborted");
        let durations = format!("GET {path} 2xx");
        let aborted = Seen::ended(&[(&requests, 1)], &[(&durations, 1)]);
        each_way(async |built, version, way| left(path, built, version, way, &aborted).await).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_client_that_leaves_a_stream_of_events_has_completed_it() -> Result<()> {
    let completed = Seen::ended(&[("GET /events 200 none completed", 1)], &[]);
    each_way(async |built, version, way| left("/events", built, version, way, &completed).await).await
}

#[tokio::test]
async fn a_client_that_reads_on_after_a_while() -> Result<()> {
    for built in [Built::Axum, Built::Plain] {
        for version in BOTH {
            let (vitals, gates) = (Vitals::new(), Gates::default());
            gates.head.open();
            let server = built.serve(Some(&vitals), &gates).await?;
            let mut client = version.connect(server.addr()).await?;
            let mut exchange = client.start(get("/stream-of-ten")).await?;
            first_part(Some(&vitals), &mut exchange).await?;
            gates.body.open();
            assert_eq!(exchange.finish().await?.body, "later");
            // The connection stays open: nothing but the bytes ends this request.
            let completed = [("GET /stream-of-ten 200 none completed", 1)];
            let ended = Seen::ended(&completed, &[("GET /stream-of-ten 2xx", 1)]);
            ended.settles(&vitals).await?;
            drop(client);
            ended.settles(&vitals).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn many_streams_over_one_connection_end_each_on_its_own() -> Result<()> {
    let (vitals, gates) = (Vitals::new(), Gates::default());
    gates.head.open();
    let server = Built::Axum.serve(Some(&vitals), &gates).await?;
    let mut client = Client::http2(server.addr()).await?;
    let mut exchanges = Vec::new();
    for path in ["/stream", "/stream", "/events", "/panic/body"] {
        let mut exchange = client.start(get(path)).await?;
        exchange.frame().await?;
        exchanges.push(exchange);
    }
    let patch = Request::builder().method(Method::PATCH).uri("/known");
    client.send(patch.body(Empty::new())?).await?;
    let in_flight = [("GET".to_owned(), 4)].into();
    assert_eq!(Seen::of(&vitals).in_flight, in_flight);
    exchanges.remove(0).cancel();
    let three = [("GET".to_owned(), 3)].into();
    until_eq(LIMIT, three, || Seen::of(&vitals).in_flight).await?;
    gates.body.open();
    exchanges.remove(0).finish().await?;
    exchanges.remove(0).finish().await?;
    assert!(exchanges.remove(0).finish().await.is_err());
    let requests = [
        ("GET /stream 200 none aborted", 1),
        ("GET /stream 200 none completed", 1),
        ("GET /events 200 none completed", 1),
        ("GET /panic/body 200 none panicked", 1),
        ("PATCH /known 405 none completed", 1),
    ];
    let durations = [("GET /stream 2xx", 2), ("GET /panic/body 2xx", 1), ("PATCH /known 4xx", 1)];
    Seen::ended(&requests, &durations).settles(&vitals).await
}
