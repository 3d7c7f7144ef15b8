//! How a response may end, over real connections: the right outcome once, and
//! not a byte different from the same application without the layer.

mod http_common;

use http_common::app::{Built, Gates};
use http_common::{BOTH, LIMIT, Seen, Version};
use tests::Result;
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
