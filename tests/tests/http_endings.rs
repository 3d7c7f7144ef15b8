//! How a response may end, over real connections: the right outcome once, and
//! not a byte different from the same application without the layer.

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

/// A request and what becomes of it.
struct Row {
    method: &'static str,
    path: &'static str,
    headers: &'static str,
    status: &'static str,
    outcome: &'static str,
    /// Whether it is in the histogram.
    timed: bool,
    /// Whether every request waits for the gate; those that no handler sees do not.
    held: bool,
    built: &'static [Built],
}

const COMPLETED: Row = Row {
    method: "GET",
    path: "/known",
    headers: "",
    status: "200",
    outcome: "completed",
    timed: true,
    held: true,
    built: &[Built::Axum, Built::Plain],
};

impl Row {
    /// The whole answer is the same as without the layer, the request is in
    /// flight meanwhile and not counted before its end, then once.
    async fn holds(&self) -> Result<()> {
        for built in self.built {
            for version in BOTH {
                let held = self.run(*built, version).await;
                held.map_err(|error| format!("{} {}, {built:?}, {version:?}: {error}", self.method, self.path))?;
            }
        }
        Ok(())
    }

    async fn run(&self, built: Built, version: Version) -> Result<()> {
        let bare = built.serve(None, &Gates::opened()).await?;
        let without = version.ask_twice(bare.addr(), self.method, self.path, self.headers).await?;

        let (vitals, gates) = (Vitals::new(), Gates::default());
        let server = built.serve(Some(&vitals), &gates).await?;
        let (addr, method, path, headers) = (server.addr(), self.method, self.path, self.headers);
        let asking = tokio::spawn(async move { version.ask_twice(addr, method, path, headers).await });
        if self.held {
            let under_way = Seen::one_in_flight(self.method);
            until_eq(LIMIT, under_way, || Seen::of(&vitals)).await?;
        }
        gates.head.open();
        gates.body.open();
        assert_eq!(asking.await??, without, "{method} {path}, {built:?}, {version:?}");
        self.expected(version).settles(&vitals).await
    }

    fn expected(&self, version: Version) -> Seen {
        let Self {
            method, path, status, ..
        } = self;
        // What breaks over HTTP/1.1 takes the connection with it.
        let times = match version {
            Version::Http1 if self.outcome != "completed" => 1,
            _ => 2,
        };
        let requests = format!("{method} {path} {status} none {}", self.outcome);
        let class = match *status {
            "" => "-".to_owned(),
            status => format!("{}xx", &status[..1]),
        };
        let requests = requests.replace("  ", " - ");
        let durations = format!("{method} {path} {class}");
        let durations = [(&*durations, times)];
        let durations = if self.timed { &durations[..] } else { &[] };
        Seen::ended(&[(&requests, times)], durations)
    }
}

#[tokio::test]
async fn a_body_of_known_size() -> Result<()> {
    COMPLETED.holds().await?;
    let vitals = Vitals::new();
    let server = Built::Axum.serve(Some(&vitals), &Gates::opened()).await?;
    for version in BOTH {
        let seen = version.ask_twice(server.addr(), "GET", "/known", "").await?;
        assert_eq!(seen.matches("content-length: ").count(), 2, "{seen}");
        assert!(!seen.contains("chunked"), "{seen}");
    }
    Ok(())
}

#[tokio::test]
async fn head_on_a_handler_for_get() -> Result<()> {
    for path in ["/known", "/stream", "/stream-of-ten", "/trailers", "/empty"] {
        let row = Row {
            method: "HEAD",
            path,
            ..COMPLETED
        };
        row.holds().await?;
    }
    Ok(())
}

#[tokio::test]
async fn no_body() -> Result<()> {
    for path in ["/no-content", "/no-content/but-a-body"] {
        let status = "204";
        Row {
            path,
            status,
            ..COMPLETED
        }
        .holds()
        .await?;
    }
    for path in ["/empty", "/ended-of-no-known-size"] {
        Row { path, ..COMPLETED }.holds().await?;
    }
    Ok(())
}

/// hyper asks neither of these for an end that it knows already.
#[tokio::test]
async fn a_body_whose_end_shows_in_its_size_or_its_last_frame() -> Result<()> {
    for path in ["/sized-and-hides-its-end", "/ends-with-its-last-frame"] {
        Row { path, ..COMPLETED }.holds().await?;
    }
    Ok(())
}

#[tokio::test]
async fn not_modified_with_a_body() -> Result<()> {
    let row = Row {
        path: "/not-modified",
        status: "304",
        ..COMPLETED
    };
    row.holds().await
}

#[tokio::test]
async fn method_not_allowed() -> Result<()> {
    let row = Row {
        method: "POST",
        status: "405",
        held: false,
        built: &[Built::Axum],
        ..COMPLETED
    };
    row.holds().await
}

#[tokio::test]
async fn a_stream_of_unknown_length() -> Result<()> {
    let path = "/stream";
    Row { path, ..COMPLETED }.holds().await
}

#[tokio::test]
async fn a_stream_with_a_content_length() -> Result<()> {
    let path = "/stream-of-ten";
    Row { path, ..COMPLETED }.holds().await
}

#[tokio::test]
async fn trailers() -> Result<()> {
    let row = Row {
        path: "/trailers",
        headers: "te: trailers\r\n",
        ..COMPLETED
    };
    row.holds().await?;
    let server = Built::Axum.serve(Some(&Vitals::new()), &Gates::opened()).await?;
    for version in BOTH {
        let seen = version.ask_twice(server.addr(), "GET", row.path, row.headers).await?;
        assert_eq!(seen.matches("x-sum").count(), 4, "announced and sent, twice: {seen}");
    }
    Ok(())
}

#[tokio::test]
async fn a_stream_that_fails() -> Result<()> {
    for path in ["/torn", "/stream-of-ten/torn"] {
        let row = Row {
            path,
            outcome: "failed",
            ..COMPLETED
        };
        row.holds().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_handler_that_panics() -> Result<()> {
    let row = Row {
        path: "/panic",
        status: "",
        outcome: "panicked",
        ..COMPLETED
    };
    row.holds().await
}

#[tokio::test]
async fn a_body_that_panics() -> Result<()> {
    let row = Row {
        path: "/panic/body",
        outcome: "panicked",
        ..COMPLETED
    };
    row.holds().await
}

#[tokio::test]
async fn a_stream_of_events_that_the_server_ends() -> Result<()> {
    let row = Row {
        path: "/events",
        timed: false,
        ..COMPLETED
    };
    row.holds().await
}

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
