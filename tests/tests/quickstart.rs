//! The quickstart, run as a user runs it: its own process, real signals, real HTTP.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{Method, Request};
use http_body_util::{Empty, Full};
use libtest_mimic::{Arguments, Failed, Trial};
use tests::Result;
use tests::client::get;
use tests::example::{Example, PAUSE, SOON, program};
use tests::required::{Program, run, trial};
use tests::until::{until, until_async};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

const LIMIT: Duration = Duration::from_secs(60);

fn main() {
    let trials = vec![
        quickstart("routes", routes),
        quickstart("counts", counts),
        quickstart("websocket", websocket),
        quickstart("curl_lines", curl_lines),
        quickstart("stops_on_sigterm", |program| stops(program, "TERM")),
        quickstart("stops_on_sigint", |program| stops(program, "INT")),
        quickstart("default_address", default_address),
        quickstart("bad_addresses", bad_addresses),
        quickstart("load", load),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// A trial with the built program.
fn quickstart<F>(name: &str, test: impl FnOnce(&'static Path) -> F + Send + 'static) -> Trial
where
    F: Future<Output = Result<(), Failed>> + Send + 'static,
{
    trial(format!("quickstart::{name}"), &[], move || {
        run(LIMIT, test(program("quickstart")?))
    })
}

// === The trials ===

async fn routes(program: &Path) -> Result<(), Failed> {
    let quickstart = Example::start(program, &[]).await?;
    let mut client = quickstart.client().await?;
    let digits = "invalid digit found in string";
    let expected = [
        ("/", 200, "GET  /users/{id} "),
        ("/users/42", 200, "user 42\n"),
        ("/fail", 500, "failed on purpose\n"),
        ("/slow?ms=1", 200, "here at last\n"),
        ("/slow?ms=one", 400, digits),
        ("/slow?ms=-1", 400, digits),
        ("/slow?ms=99999999999999999999", 400, "number too large"),
        ("/stream?chunks=3&ms=1", 200, "chunk 1\nchunk 2\nchunk 3\n"),
        ("/stream?chunks=0", 200, ""),
        ("/stream?chunks=x", 400, digits),
        ("/ws", 400, "Connection header did not include 'upgrade'"),
        ("/not/there", 404, ""),
        ("/metrics", 200, "# TYPE http_requests_total counter\n"),
    ];
    for (path, status, text) in expected {
        let answer = client.send(get(path)).await?;
        let body = answer.text()?;
        assert_eq!(answer.status(), status, "{path}: {body}");
        assert!(body.contains(text), "{path}: {body}");
        let chunked = answer.header("transfer-encoding") == Some("chunked");
        let unknown = status == 200 && path.starts_with("/stream");
        assert_eq!(chunked, unknown, "{path}");
    }
    let index = client.send(get("/")).await?;
    for route in ["/users", "/fail", "/panic", "/slow", "/stream", "/ws", "/metrics"] {
        assert!(index.text()?.contains(route), "{route}");
    }
    let capped = client.send(get("/stream?chunks=100000&ms=0")).await?;
    assert_eq!(capped.text()?.lines().count(), 1000);
    for (plan, text) in [("pro", "signed up for pro\n"), ("gold", "signed up for free\n")] {
        let answer = client.send(sign_up(plan)?).await?;
        assert_eq!((answer.status().as_u16(), answer.text()?), (201, text));
    }
    assert!(client.send(get("/panic")).await.is_err());
    let answer = quickstart.client().await?.send(get("/users/1")).await?;
    assert_eq!(answer.text()?, "user 1\n");
    Ok(())
}

async fn counts(program: &Path) -> Result<(), Failed> {
    let quickstart = Example::start(program, &[]).await?;
    let mut client = quickstart.client().await?;
    for path in ["/", "/users/1", "/users/2", "/fail", "/not/there", "/slow?ms=1", "/slow?ms=x"] {
        client.send(get(path)).await?;
    }
    for method in [Method::HEAD, Method::DELETE, Method::from_bytes(b"BREW")?] {
        let request = Request::builder().method(method).uri("/users/3");
        client.send(request.body(Empty::new())?).await?;
    }
    for (name, value) in [
        ("authorization", "Basic dTpw"),
        ("authorization", "Bearer opaque"),
        ("authorization", "Bearer a.b.c"),
        ("authorization", "Digest x"),
        ("x-api-key", "k"),
    ] {
        let request = Request::get("/users/4").header(name, value);
        client.send(request.body(Empty::<Bytes>::new())?).await?;
    }
    for plan in ["pro", "gold", ""] {
        client.send(sign_up(plan)?).await?;
    }
    client.send(get("/stream?chunks=3&ms=1")).await?;
    let mut left = client.start(get("/stream?chunks=1000&ms=10")).await?;
    left.frame().await?;
    left.vanish().await;
    let panicked = quickstart.client().await?.send(get("/panic")).await;
    assert!(panicked.is_err(), "{panicked:?}");
    let slow = quickstart.open("/slow?ms=60000", 1).await?;
    slow.vanish().await;

    let requests = |labels: &str, count: u32| format!("http_requests_total{{{labels}}} {count}");
    let get = |route: &str, status: &str, auth_type: &str, outcome: &str, count| {
        let labels = format!(r#"method="GET",route="{route}",status="{status}",auth_type="{auth_type}",outcome="{outcome}""#);
        requests(&labels, count)
    };
    let mut expected = vec![
        get("/", "200", "none", "completed", 1),
        get("/users/{id}", "200", "none", "completed", 2),
        get("/users/{id}", "200", "basic", "completed", 1),
        get("/users/{id}", "200", "bearer", "completed", 1),
        get("/users/{id}", "200", "jwt", "completed", 1),
        get("/users/{id}", "200", "other", "completed", 1),
        get("/users/{id}", "200", "api_key", "completed", 1),
        get("/fail", "500", "none", "completed", 1),
        get("/panic", "", "none", "panicked", 1),
        get("/slow", "200", "none", "completed", 1),
        get("/slow", "400", "none", "completed", 1),
        get("/slow", "", "none", "aborted", 1),
        get("/stream", "200", "none", "completed", 1),
        get("/stream", "200", "none", "aborted", 1),
        get("_unmatched", "404", "none", "completed", 1),
    ];
    for (method, route, status, count) in [
        ("HEAD", "/users/{id}", "200", 1),
        ("DELETE", "/users/{id}", "405", 1),
        ("_OTHER", "/users/{id}", "405", 1),
        ("POST", "/users", "201", 3),
    ] {
        let labels = format!(r#"method="{method}",route="{route}",status="{status}",auth_type="none",outcome="completed""#);
        expected.push(requests(&labels, count));
    }
    quickstart.shows("http_requests_total{", expected).await?;
    let signups = [("free", 2), ("pro", 1)].map(|(plan, count)| format!("signups_total{{plan=\"{plan}\"}} {count}"));
    quickstart.shows("signups_total{", signups.into()).await?;
    let durations = "http_request_duration_seconds_count{method=\"GET\",route=\"/users/{id}\"";
    let seven = format!("{durations},status_class=\"2xx\"}} 7");
    quickstart.shows(durations, vec![seven]).await?;
    let in_flight = "http_requests_in_flight{method=\"GET\"}";
    quickstart.shows(in_flight, vec![format!("{in_flight} 0")]).await?;
    Ok(())
}

async fn websocket(program: &Path) -> Result<(), Failed> {
    let quickstart = Example::start(program, &[]).await?;
    // What is no handshake is in the numbers of requests alone.
    quickstart.client().await?.send(get("/ws")).await?;
    let mut socket = open_websocket(&quickstart).await?;
    for message in [Message::text("hello"), Message::binary(vec![0; 100_000]), Message::text("")] {
        socket.send(message.clone()).await?;
        assert_eq!(timeout(SOON, socket.next()).await?.ok_or("it ended")??, message);
    }
    let shows = async |name: &str, lines: &[&str]| {
        let lines = lines.iter().map(|rest| format!("{name}{{endpoint=\"/ws\"{rest}"));
        quickstart.shows(&format!("{name}{{"), lines.collect()).await
    };
    shows("websocket_connections", &[r#",http_version="1.1"} 1"#]).await?;
    for (unit, count) in [("messages", 3), ("bytes", 100_005)] {
        for what in ["attempted", "flushed"] {
            shows(&format!("websocket_{unit}_{what}_total"), &[&format!("}} {count}")]).await?;
        }
        shows(&format!("websocket_buffered_{unit}"), &["} 0"]).await?;
    }
    socket.close(None).await?;
    let reply = timeout(SOON, socket.next()).await?.ok_or("no reply")??;
    assert!(reply.is_close(), "{reply:?}");
    let closed = r#",initiator="remote",cause="close_frame",code="none"} 1"#;
    shows("websocket_connections_closed_total", &[closed]).await?;
    shows("websocket_connections", &[r#",http_version="1.1"} 0"#]).await?;
    shows("websocket_handshakes_total", &[r#",outcome="established"} 1"#]).await?;
    let requests = |status| {
        format!(r#"http_requests_total{{method="GET",route="/ws",status="{status}",auth_type="none",outcome="completed"}} 1"#)
    };
    let expected = vec![requests(101), requests(400)];
    quickstart.shows("http_requests_total{", expected).await?;
    Ok(())
}

async fn curl_lines(program: &Path) -> Result<(), Failed> {
    let quickstart = Example::start(program, &[]).await?;
    let printed = quickstart.output()?;
    let url = format!("http://{}", quickstart.addr());
    assert!(printed.contains(&format!("What to try: {url}/\n")), "{printed}");
    assert!(printed.contains(&format!("The metrics: {url}/metrics\n")), "{printed}");
    let lines: Vec<&str> = printed.lines().filter(|line| line.starts_with("curl ")).collect();
    assert_eq!(lines.len(), 3, "{printed}");
    let curl = Program::find("curl");
    // What each gives, and how curl ends: 28 is a time-out.
    let expected = [("user 42\n", 0), ("signed up for pro\n", 0), ("", 28)];
    for (line, (text, code)) in lines.into_iter().zip(expected) {
        let path = line.split(&url).nth(1).ok_or_else(|| format!("no URL in {line}"))?;
        if curl.is_some() {
            let output = Command::new("sh").args(["-c", line]).env("no_proxy", "*").output()?;
            assert_eq!(String::from_utf8(output.stdout)?, text, "{line}");
            assert_eq!(output.status.code(), Some(code), "{line}");
        } else if line.contains("-m 1") {
            quickstart.open(path.trim_end_matches('\''), 1).await?.vanish().await;
        } else {
            let answer = match line.contains("-d pro") {
                true => quickstart.client().await?.send(sign_up("pro")?).await?,
                false => quickstart.client().await?.send(get(path)).await?,
            };
            assert_eq!(answer.text()?, text, "{line}");
        }
    }
    let aborted = r#"http_requests_total{method="GET",route="/slow",status="",auth_type="none",outcome="aborted"} 1"#;
    quickstart.shows(aborted, vec![aborted.to_owned()]).await?;
    Ok(())
}

async fn stops(program: &'static Path, signal: &'static str) -> Result<(), Failed> {
    // Nothing open but an idle connection, and a WebSocket: at once.
    let mut idle = Example::start(program, &[]).await?;
    let mut client = idle.client().await?;
    client.send(get("/")).await?;
    let mut socket = open_websocket(&idle).await?;
    idle.signal(signal)?;
    let close = timeout(SOON, socket.next()).await?.ok_or("no close")??;
    assert!(
        matches!(&close, Message::Close(Some(frame)) if u16::from(frame.code) == 1001),
        "{close:?}"
    );
    // The reply leaves with the end.
    assert!(timeout(SOON, socket.next()).await?.is_none());
    assert_eq!(idle.exit_code().await?, 0);

    // What ends soon may end; what does not is cut off.
    let mut busy = Example::start(program, &[]).await?;
    let mut client = busy.client().await?;
    let mut stream = client.start(get("/stream?chunks=1000&ms=50")).await?;
    stream.frame().await?;
    let _slow = busy.open("/slow?ms=60000", 2).await?;
    let ends_soon = busy.open("/slow?ms=1000", 3).await?;
    busy.signal(signal)?;
    let answer = ends_soon.finish().await?;
    assert_eq!(answer.text()?, "here at last\n");
    assert_eq!(busy.exit_code().await?, 0);
    assert!(stream.finish().await.is_err());

    let mut loaded = Example::start(program, &[("LOAD", "1")]).await?;
    loaded.signal(signal)?;
    assert_eq!(loaded.exit_code().await?, 0);
    Ok(())
}

/// It serves there, or names the address if somebody else has the port.
async fn default_address(program: &Path) -> Result<(), Failed> {
    let quickstart = Example::spawn(program, None, &[])?;
    let address = "127.0.0.1:3000";
    let texts = || {
        (
            quickstart.output().unwrap_or_default(),
            quickstart.errors().unwrap_or_default(),
        )
    };
    let named = |(out, err): &(String, String)| {
        let serves = out.contains(&format!("What to try: http://{address}/\n"));
        serves || err.contains(&format!("cannot listen on \"{address}\""))
    };
    until(SOON, texts, named).await?;
    Ok(())
}

async fn bad_addresses(program: &Path) -> Result<(), Failed> {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let taken = (taken.local_addr()?.to_string(), taken);
    for (address, why) in [
        (&*taken.0, "in use"),
        ("nonsense", "invalid"),
        ("127.0.0.1:99999", "invalid"),
        ("a\nb", "invalid"),
        ("", "invalid"),
    ] {
        let mut quickstart = Example::spawn(program, Some(address), &[])?;
        let code = quickstart.exit_code().await?;
        let (output, errors) = (quickstart.output()?, quickstart.errors()?);
        assert_eq!((code, &*output), (1, ""), "{address}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
        for part in [&*format!("cannot listen on {address:?}: "), "ADDR=127.0.0.1:0"] {
            assert!(errors.contains(part), "{errors}");
        }
        assert!(errors.to_lowercase().contains(why), "{errors}");
    }
    Ok(())
}

async fn load(program: &Path) -> Result<(), Failed> {
    let quickstart = Example::start(program, &[("LOAD", "1")]).await?;
    let wanted = [
        "method=\"POST\",route=\"/users\"",
        "route=\"/\"",
        "route=\"/users/{id}\"",
        "route=\"/fail\"",
        "route=\"/slow\"",
        "route=\"/stream\"",
        "route=\"/ws\",status=\"101\"",
        "route=\"_unmatched\"",
        "auth_type=\"none\"",
        "auth_type=\"basic\"",
        "auth_type=\"bearer\"",
        "auth_type=\"jwt\"",
        "auth_type=\"api_key\"",
        "status=\"200\",auth_type=\"none\",outcome=\"completed\"",
        "route=\"/slow\",status=\"\"",
        "route=\"/stream\",status=\"200\"",
        "outcome=\"aborted\"",
        "outcome=\"panicked\"",
    ];
    let lines = || quickstart.lines("http_requests_total{");
    let absent = async || -> Result<Vec<&str>> {
        let lines = lines().await?;
        let is_absent = |part: &&str| !lines.iter().any(|line| line.contains(part));
        Ok(wanted.into_iter().filter(is_absent).collect())
    };
    until_async(
        LIMIT / 2,
        PAUSE,
        absent,
        |absent| matches!(absent, Ok(absent) if absent.is_empty()),
    )
    .await??;

    let closed = r#"websocket_connections_closed_total{endpoint="/ws",initiator="remote",cause="close_frame",code="none"} "#;
    let closed = async || quickstart.lines(closed).await;
    until_async(SOON, PAUSE, closed, |lines| matches!(lines, Ok(lines) if lines.len() == 1)).await??;

    let total = async || -> Result<u64> {
        let values = lines().await?;
        let values = values
            .iter()
            .map(|line| line.rsplit(' ').next().unwrap_or_default().parse::<u64>());
        Ok(values.sum::<Result<u64, _>>()?)
    };
    let before = total().await?;
    until_async(SOON, PAUSE, total, |now| matches!(now, Ok(now) if *now >= before + 50)).await??;
    Ok(())
}

fn sign_up(plan: &'static str) -> Result<Request<Full<Bytes>>> {
    Ok(Request::post("/users").body(Full::from(plan))?)
}

async fn open_websocket(quickstart: &Example) -> Result<WebSocketStream<TcpStream>> {
    let stream = TcpStream::connect(quickstart.addr()).await?;
    let (socket, _) = client_async(format!("ws://{}/ws", quickstart.addr()), stream).await?;
    Ok(socket)
}
