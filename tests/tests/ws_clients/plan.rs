//! What a client is to say, and what must have been seen and counted when it has.

use serde_json::{Value, json};

use crate::http_common::Numbers;

/// One connection: what the client says, each when it has heard the answer to what was before, and how it ends.
#[derive(Clone, Debug)]
pub(crate) struct Conversation {
    pub(crate) steps: Vec<Step>,
    pub(crate) end: End,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Text(String),
    Binary(Vec<u8>),
    /// A text in as many frames, or one more.
    Fragments(Vec<&'static str>),
    /// A ping by the client; browsers have none.
    Ping(&'static str),
    /// A ping by the server, which tells when the pong has come.
    Pinged(&'static str),
}

#[derive(Clone, Debug)]
pub(crate) enum End {
    /// The client closes.
    Client(Option<u16>, String),
    /// The server closes.
    Server(u16, String),
    /// The server does so and reads on by itself: without a code, or through an outbox with this.
    Finish(Option<u16>),
    /// An operator closes it.
    Kick(u16),
}

/// What a client sees of a closing message without a code.
const NO_CODE: u16 = 1005;

/// What may be said to the server for it to do so.
pub(crate) const CLOSE: &str = "close ";
pub(crate) const PING: &str = "ping ";
pub(crate) const FINISH: &str = "finish";
pub(crate) const KICK: &str = "kick ";

// === impl Conversation ===

impl Conversation {
    pub(crate) fn ended(end: End) -> Self {
        let steps = vec![Step::Text("hello".into())];
        Self { steps, end }
    }

    /// As the clients read it.
    pub(crate) fn json(&self) -> Value {
        let steps: Vec<_> = self.steps.iter().map(Step::json).collect();
        let end = match &self.end {
            End::Client(code, reason) => json!(["close", code, reason]),
            End::Server(code, reason) => json!(["tell", null, format!("{CLOSE}{code} {reason}")]),
            End::Finish(_) => json!(["tell", null, FINISH]),
            End::Kick(code) => json!(["tell", null, format!("{KICK}{code}")]),
        };
        json!({ "steps": steps, "end": end })
    }

    /// What the client must have seen.
    pub(crate) fn seen(&self) -> Value {
        let said: Vec<_> = self.steps.iter().map(Step::seen).collect();
        let (code, reason) = match &self.end {
            End::Client(code, reason) => (code.unwrap_or(NO_CODE), &**reason),
            End::Server(code, reason) => (*code, &**reason),
            End::Finish(code) => (code.unwrap_or(NO_CODE), ""),
            End::Kick(code) => (*code, ""),
        };
        json!({ "said": said, "code": code, "reason": reason, "clean": true })
    }

    /// The closing message that the server's handler must have been given, be it the reply to its own.
    pub(crate) fn close(&self) -> Option<(Option<u16>, String)> {
        match &self.end {
            End::Client(code, reason) => Some((*code, reason.clone())),
            End::Server(code, reason) => Some((Some(*code), reason.clone())),
            End::Kick(code) => Some((Some(*code), String::new())),
            End::Finish(_) => None,
        }
    }

    /// Adds what is counted of it.
    fn count(&self, numbers: &mut Numbers) {
        for step in &self.steps {
            step.count(numbers);
        }
        let (code, reason) = match &self.end {
            End::Finish(code) => (*code, String::new()),
            _ => self.close().unwrap_or_default(),
        };
        let bytes = code.map_or(0, |_| 2 + reason.len());
        // Also when it is the reply to ours.
        add(numbers, "received close", bytes);
        let (asked, initiator, cause) = match &self.end {
            End::Client(..) => (None, "remote", "close_frame"),
            End::Server(code, reason) => (Some(format!("{CLOSE}{code} {reason}")), "local", "close_frame"),
            End::Finish(_) => (Some(FINISH.to_owned()), "local", "close_frame"),
            End::Kick(code) => (Some(format!("{KICK}{code}")), "local", "kicked"),
        };
        if let Some(asked) = asked {
            add(numbers, "received text", asked.len());
            // What closes by itself is nobody's message.
            if code.is_some() {
                sent(numbers, bytes);
            }
        }
        let code = match code {
            None => "none".to_owned(),
            Some(code @ 3_000..) => format!("{}xxx", code / 1_000),
            Some(code) => code.to_string(),
        };
        *numbers.entry(format!("closed {initiator} {cause} {code}")).or_default() += 1;
        *numbers.entry("handshakes established".into()).or_default() += 1;
    }
}

/// All that must have been counted after these.
pub(crate) fn counted(conversations: &[Conversation]) -> Numbers {
    let mut numbers = Numbers::new();
    for conversation in conversations {
        conversation.count(&mut numbers);
    }
    // Of empty messages.
    numbers.retain(|_, count| *count > 0);
    numbers
}

// === impl Step ===

impl Step {
    fn json(&self) -> Value {
        match self {
            Self::Text(text) => json!(["text", text]),
            Self::Binary(data) => json!(["binary", hex(data)]),
            Self::Fragments(parts) => json!(["fragments", parts]),
            Self::Ping(data) => json!(["ping", data]),
            Self::Pinged(data) => json!(["text", format!("{PING}{data}")]),
        }
    }

    /// The answer.
    fn seen(&self) -> Value {
        match self {
            Self::Text(_) | Self::Binary(_) => self.json(),
            Self::Fragments(parts) => json!(["text", parts.concat()]),
            Self::Ping(data) => json!(["pong", data]),
            Self::Pinged(data) => json!(["text", format!("pong {data}")]),
        }
    }

    fn count(&self, numbers: &mut Numbers) {
        match self {
            Self::Text(text) => echoed(numbers, "text", text.len()),
            Self::Binary(data) => echoed(numbers, "binary", data.len()),
            Self::Fragments(parts) => echoed(numbers, "text", parts.concat().len()),
            Self::Ping(data) => add(numbers, "received ping", data.len()),
            Self::Pinged(data) => {
                add(numbers, "received text", PING.len() + data.len());
                sent(numbers, data.len());
                add(numbers, "received pong", data.len());
                sent(numbers, "pong ".len() + data.len());
            }
        }
    }
}

fn hex(data: &[u8]) -> String {
    data.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn echoed(numbers: &mut Numbers, kind: &str, bytes: usize) {
    add(numbers, &format!("received {kind}"), bytes);
    sent(numbers, bytes);
}

fn sent(numbers: &mut Numbers, bytes: usize) {
    add(numbers, "attempted", bytes);
    add(numbers, "flushed", bytes);
}

fn add(numbers: &mut Numbers, what: &str, bytes: usize) {
    *numbers.entry(format!("{what} messages")).or_default() += 1;
    *numbers.entry(format!("{what} bytes")).or_default() += bytes as u64;
}
