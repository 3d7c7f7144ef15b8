//! WebSockets of other people's clients: what these see, and that what is counted is what they did.

mod client;
#[path = "../http_common/mod.rs"]
mod http_common;
mod plan;
mod server;

use std::{net::SocketAddr, path::Path, time::Duration};

use client::{Client, browse};
use http_common::{LIMIT, Numbers, numbers, owned};
use libtest_mimic::{Arguments, Failed};
use plan::{Conversation, End, Step, counted};
use server::{By, Server};
use tests::{
    Result,
    client::get,
    example::{Example, PAUSE, program},
    required::{Need, run, trial, trial_async},
    until::until_async,
};

/// Some seconds more than a client may take.
const MOST: Duration = Duration::from_secs(90);

/// The largest message that `ws_echo` takes.
const LARGEST: usize = 64 * 1024;

fn main() {
    let mut trials = Vec::new();
    for client in [Client::Python, Client::Node, Client::Chromium] {
        let name = |what| format!("{}::{what}", client.name());
        let needs = [client.need()];
        for (by, what) in [
            (By::Socket, "sees_ends_as_they_were_said"),
            (By::Outbox, "sees_the_same_through_an_outbox"),
        ] {
            trials.push(trial_async(name(what), &needs, MOST, move || ends(client, by)));
        }
        trials.push(trial(name("is_counted_by_ws_echo"), &needs, move || {
            run(MOST, echoes(client, program("ws_echo")?))
        }));
    }
    let chromium = [Need::Chromium];
    trials.push(trial_async("chromium::leaves_a_page", &chromium, MOST, leaves));
    trials.push(trial_async("chromium::is_killed", &chromium, MOST, is_killed));
    trials.push(trial("chromium::is_in_the_room_of_the_chat_page", &chromium, move || {
        run(MOST, chats(program("chat")?))
    }));
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// Each code by each side, with reasons of all lengths.
fn all_ends(client: Client, by: By) -> Vec<End> {
    let longest = "ü".repeat(61) + ".";
    let reasons = ["", "because", "schön, Grüße 🙂", &longest];
    // Pages may not say others.
    let own: &[u16] = match client {
        Client::Chromium => &[1000, 3000, 4001, 4999],
        Client::Python | Client::Node => &[1000, 1001, 1008, 1011, 3000, 4001, 4999],
    };
    let by_client = own.iter().zip(reasons.into_iter().cycle());
    let by_client = by_client.map(|(code, reason)| End::Client(Some(*code), reason.into()));
    let by_server = [1000, 1001, 1008, 1011, 1012, 3000, 4001, 4999];
    let by_server = by_server.into_iter().zip(reasons.into_iter().cycle());
    let mut ends: Vec<_> = by_client.collect();
    ends.extend(by_server.map(|(code, reason)| End::Server(code, reason.into())));
    ends.push(End::Finish(match by {
        By::Socket => None,
        By::Outbox => Some(1000),
    }));
    ends.extend([1001, 1008, 1013, 4001].map(End::Kick));
    // Python's always says a code.
    if !matches!(client, Client::Python) {
        ends.push(End::Client(None, String::new()));
    }
    ends
}

async fn ends(client: Client, by: By) -> Result<(), Failed> {
    let mut server = Server::start(by).await?;
    let ends = all_ends(client, by).into_iter();
    let mut plan: Vec<_> = ends.map(Conversation::ended).collect();
    plan[0].steps.extend([Step::Pinged(""), Step::Pinged("are you there?")]);
    saw(client, server.addr, &mut server, &plan).await?;
    let closes: Vec<_> = plan.iter().filter_map(Conversation::close).collect();
    assert_eq!(server.closes(), closes);
    Ok(())
}

async fn echoes(client: Client, program: &Path) -> Result<(), Failed> {
    let example = Example::start(program, &[]).await?;
    let mut server = Server::start(By::Socket).await?;
    let sizes = [0, 1, 125, 126, 65_535, LARGEST];
    let mut steps = vec![Step::Text("schön 🙂".into())];
    steps.extend(sizes.map(|size| Step::Text("x".repeat(size))));
    steps.extend(sizes.map(|size| Step::Binary((0..=255).cycle().take(size).collect())));
    if !matches!(client, Client::Chromium) {
        steps.push(Step::Fragments(vec!["in ", "three ", "parts"]));
        steps.extend(["", "are you there?"].map(Step::Ping));
    }
    let all = Conversation {
        steps,
        end: End::Client(Some(4321), "enough".into()),
    };
    let plain = End::Client(Some(1000), String::new());
    let plan = [all, Conversation::ended(plain)];
    saw(client, example.addr(), &mut server, &plan).await
}

/// Has the conversations, and checks what the client saw and the server counted.
async fn saw(client: Client, addr: SocketAddr, server: &mut Server, plan: &[Conversation]) -> Result<(), Failed> {
    let seen = client.converse(addr, server, plan).await?;
    for (conversation, seen) in plan.iter().zip(seen.as_array().ok_or_else(|| seen.to_string())?) {
        assert_eq!(*seen, conversation.seen(), "{:?}", conversation.end);
    }
    shows(addr, counted(plan)).await
}

/// A page that is left says so.
async fn leaves() -> Result<(), Failed> {
    let server = Server::start(By::Socket).await?;
    let browser = browse(&format!("http://{}/left", server.addr))?;
    let said = shows(server.addr, left("closed remote close_frame 1001", "received close")).await;
    said.map_err(|error| format!("{error:?}; {}", browser.errors()))?;
    assert_eq!(server.closes(), [(Some(1001), String::new())]);
    Ok(())
}

/// A browser that is no more says nothing.
async fn is_killed() -> Result<(), Failed> {
    let server = Server::start(By::Socket).await?;
    let mut browser = browse(&format!("http://{}/inner", server.addr))?;
    let open = shows(server.addr, left("open 1.1", "")).await;
    open.map_err(|error| format!("{error:?}; {}", browser.errors()))?;
    browser.kill();
    shows(server.addr, left("closed remote reset none", "")).await
}

/// A page of the example is all that a browser needs to be in a room.
async fn chats(program: &Path) -> Result<(), Failed> {
    let example = Example::start(program, &[("OPERATORS", "127.0.0.1:0")]).await?;
    let printed = example.output()?;
    let private = printed.split("http://").nth(2).and_then(|rest| rest.split('/').next());
    let private: SocketAddr = private.ok_or("there is a port for operators")?.parse()?;
    let browser = browse(&format!("http://{}/#schön 1", example.addr()))?;
    let connections = async || -> Result<Numbers> {
        let answer = tests::client::Client::http1(private).await?.send(get("/metrics")).await?;
        Ok(numbers(
            answer.text()?,
            "websocket_connections",
            &["endpoint", "http_version"],
        ))
    };
    let expected = owned(&[("/rooms/{room} 1.1", 1)]);
    let is_there = |seen: &Result<Numbers>| matches!(seen, Ok(seen) if *seen == expected);
    let seen = until_async(LIMIT, PAUSE, connections, is_there).await;
    seen.map_err(|error| format!("{error}; {}", browser.errors()))??;
    Ok(())
}

/// What there is of the page that says one thing.
fn left(ended: &str, close: &str) -> Numbers {
    let mut numbers = owned(&[("handshakes established", 1), (ended, 1)]);
    for what in ["received text", "attempted", "flushed"] {
        numbers.insert(format!("{what} messages"), 1);
        numbers.insert(format!("{what} bytes"), 5);
    }
    if !close.is_empty() {
        numbers.insert(format!("{close} messages"), 1);
        numbers.insert(format!("{close} bytes"), 2);
    }
    numbers
}

/// Waits until this is all that is counted of WebSockets.
async fn shows(addr: SocketAddr, expected: Numbers) -> Result<(), Failed> {
    let scrape = || scrape(addr);
    let is_it = |seen: &Result<Numbers>| matches!(seen, Ok(seen) if *seen == expected);
    let seen = until_async(LIMIT, PAUSE, scrape, is_it).await;
    seen.map_err(|error| format!("expected {expected:#?}: {error}"))??;
    Ok(())
}

/// What is counted of WebSockets and is not 0.
async fn scrape(addr: SocketAddr) -> Result<Numbers> {
    let answer = tests::client::Client::http1(addr).await?.send(get("/metrics")).await?;
    let text = answer.text()?;
    let mut all = Numbers::new();
    let mut add = |what: &str, name: &str, labels: &[&str], unit: &str| {
        let labels = [&["endpoint"], labels].concat();
        for (of, count) in numbers(text, name, &labels) {
            let of = of.strip_prefix("/ws").expect("there is no other route");
            all.insert(format!("{what}{of}{unit}"), count);
        }
    };
    for (what, labels) in [
        ("received", &["kind"][..]),
        ("attempted", &[]),
        ("flushed", &[]),
        ("dropped", &["reason"]),
    ] {
        for unit in ["messages", "bytes"] {
            add(what, &format!("websocket_{unit}_{what}_total"), labels, &format!(" {unit}"));
        }
    }
    add(
        "closed",
        "websocket_connections_closed_total",
        &["initiator", "cause", "code"],
        "",
    );
    add("handshakes", "websocket_handshakes_total", &["outcome"], "");
    add("buffered", "websocket_buffered_messages", &[], "");
    add("open", "websocket_connections", &["http_version"], "");
    all.retain(|_, count| *count > 0);
    Ok(all)
}
