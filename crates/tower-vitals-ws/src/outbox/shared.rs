use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use tokio::sync::Notify;

use super::{
    Outbox, Outgoing, SendError, SendErrorKind,
    aftermath::Aftermath,
    entry::Entry,
    queue::{Mode, Popped, Pushed, Queue, Turn},
};
use crate::{
    DropReason, Endpoint, WsMessage,
    ledger::{Amount, Backlog, Sent, SentWords},
};

/// What an outbox and its senders share.
///
/// Its lock is held for values only: never while a socket is polled, somebody is woken, a message is dropped, or code of the application
/// runs.
pub(super) struct Shared<M> {
    state: Mutex<State<M>>,
    endpoint: Endpoint,
    closed: Notify,
}

struct State<M> {
    queue: Queue<M>,
    /// How to wake the one that sends, and whether it waits for messages.
    pump: Option<Waker>,
    is_idle: bool,
}

/// What the one that sends does next.
pub(super) enum Next<M> {
    Send {
        entry: Entry<M>,
        /// Whether there was no more when it was taken.
        is_last: bool,
    },
    /// Tells the other side that it missed so many.
    Tell(u64),
    /// Waits: it will be woken when there is more.
    Wait,
    /// Ends, for nothing will ever come any more. Why that is.
    End(DropReason),
}

/// How it stands with an outbox whose socket takes nothing at the moment.
pub(super) enum Stalled {
    /// Since when messages are refused, if they are.
    Refuses(Option<u64>),
    Ended(DropReason),
}

impl<M: WsMessage> Shared<M> {
    pub(super) fn new(settings: &Outbox<M>, endpoint: &Endpoint) -> Self {
        endpoint.show_outbox();
        Self {
            state: Mutex::new(State {
                queue: Queue::new(settings),
                pump: None,
                is_idle: false,
            }),
            endpoint: endpoint.clone(),
            closed: Notify::new(),
        }
    }

    /// Sends a message. Gives a number where its sender has to wait for room.
    pub(super) fn push(&self, outgoing: Outgoing<M>, mode: Mode) -> Result<Option<u64>, SendError<M>> {
        let now = self.endpoint.now();
        let pushed = self.change(|state, after| {
            let pushed = state.queue.push(outgoing, mode, now, after);
            after.is_urgent |= state.is_idle && matches!(pushed, Pushed::Queued);
            pushed
        });
        match pushed {
            Pushed::Queued => Ok(None),
            Pushed::Waits(ticket) => Ok(Some(ticket)),
            Pushed::Refused(kind, message) => Err(SendError::new(kind, message)),
        }
    }

    /// So many messages went by that were to be sent.
    pub(super) fn lag(&self, messages: u64) {
        self.change(|state, after| state.queue.lag(messages, after));
    }

    /// Asks for a sender that waits for room.
    pub(super) fn turn(&self, ticket: u64, waker: &Waker) -> Option<Result<(), SendError<M>>> {
        match self.lock().queue.turn(ticket, waker) {
            Turn::Taken => Some(Ok(())),
            Turn::Waits => None,
            Turn::Closed(message) => Some(Err(SendError::new(SendErrorKind::Closed, message))),
        }
    }

    /// A sender waits no longer. Gives its message, unless it went in.
    pub(super) fn give_up(&self, ticket: u64, reason: DropReason) -> Option<M> {
        self.change(|state, after| state.queue.give_up(ticket, reason, after))
    }

    /// Takes what is to be sent next. It is `attempt`ed at the same moment. The time is asked for when it is needed, once.
    pub(super) fn next(&self, waker: &Waker, now: &mut Option<u64>, attempt: impl FnOnce(&Entry<M>)) -> Next<M> {
        self.change(|state, after| {
            let queue = &mut state.queue;
            if let Some(reason) = queue.ended() {
                return Next::End(reason);
            }
            let time = if queue.needs_time() { self.now(now) } else { 0 };
            match queue.pop(time, after) {
                Popped::Message(entry) => {
                    attempt(&entry);
                    let is_last = queue.is_empty();
                    Next::Send { entry, is_last }
                }
                Popped::Gap(missed) => Next::Tell(missed),
                Popped::Nothing => {
                    state.is_idle = true;
                    state.know(waker);
                    Next::Wait
                }
            }
        })
    }

    /// The time, asked for once.
    pub(super) fn now(&self, now: &mut Option<u64>) -> u64 {
        *now.get_or_insert_with(|| self.endpoint.now())
    }

    /// The one that sends waits for its socket.
    pub(super) fn stall(&self, waker: &Waker) -> Stalled {
        let mut state = self.lock();
        state.know(waker);
        match state.queue.ended() {
            Some(reason) => Stalled::Ended(reason),
            None => Stalled::Refuses(state.queue.refuses_since()),
        }
    }

    /// The one that sends is awake, and need not be woken before it waits again.
    pub(super) fn rouse(&self) {
        self.lock().is_idle = false;
    }

    /// Nothing goes out any more.
    pub(super) fn close(&self, reason: DropReason) {
        self.change(|state, after| state.queue.close(reason, after));
    }

    /// The same, and wakes the one that sends.
    pub(super) fn end(&self, reason: DropReason) {
        self.change(|state, after| {
            state.queue.close(reason, after);
            after.is_urgent = true;
        });
    }

    /// Whether nothing more is taken.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().queue.is_closed()
    }

    /// Waits until nothing more is taken.
    pub(super) async fn closed(&self) {
        let mut notified = std::pin::pin!(self.closed.notified());
        // From here on it hears of it.
        notified.as_mut().enable();
        if !self.is_closed() {
            notified.await;
        }
    }

    /// Runs `change` under the lock, and then whatever may not run there.
    fn change<R>(&self, change: impl FnOnce(&mut State<M>, &mut Aftermath<M>) -> R) -> R {
        let mut after = Aftermath::new();
        let mut state = self.lock();
        let result = change(&mut state, &mut after);
        let pump = if after.is_urgent { state.pump.take() } else { None };
        state.is_idle &= pump.is_none();
        drop(state);
        if let Some((reason, amount)) = after.late {
            self.endpoint.count_late(reason, amount);
        }
        if after.has_closed {
            self.closed.notify_waiters();
        }
        for waker in after.wakers.drain(..).chain(pump) {
            waker.wake();
        }
        result
    }
}

impl<M> Shared<M> {
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What waits, for room too.
    pub(super) fn queued(&self) -> Amount {
        self.lock().queue.queued()
    }

    fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M> State<M> {
    /// Remembers how to wake the one that sends.
    fn know(&mut self, waker: &Waker) {
        match &mut self.pump {
            Some(known) => known.clone_from(waker),
            None => self.pump = Some(waker.clone()),
        }
    }
}

impl<M: WsMessage + Send> Backlog for Shared<M> {
    fn read(&self, words: &SentWords) -> Sent {
        let state = self.lock();
        let mut sent = words.read();
        sent.add_outbox(state.queue.queued(), state.queue.dropped());
        sent
    }

    fn settle(&self, reason: DropReason) {
        self.change(|state, after| {
            state.queue.settle(reason, after);
            // Senders may be kept for long, and a waker keeps its task.
            after.forgotten = state.pump.take();
        });
    }

    fn waits_since(&self) -> Option<u64> {
        self.lock().queue.since()
    }
}

impl<M> fmt::Debug for Shared<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("queued", &self.queued())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::{
        sync::atomic::{AtomicU64, Ordering::Relaxed},
        thread,
    };

    use tower_vitals_core::Vitals;

    use super::*;
    use crate::{
        WebSockets,
        outbox::{Overflow, queue::tests::fake::text},
    };

    #[test]
    fn whoever_looks_sees_each_message_in_one_place() {
        const LOOKS: u64 = 50_000;
        let endpoint = WebSockets::of(&Vitals::new()).endpoint("chat");
        let settings = Outbox::new().max_messages(4).overflow(Overflow::DropOldest);
        let (shared, words) = (Shared::new(&settings, &endpoint), SentWords::new());
        let looks = AtomicU64::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                while looks.load(Relaxed) < LOOKS {
                    assert!(matches!(shared.push(text(0, 1).into(), Mode::Try), Ok(None)));
                }
                shared.close(DropReason::Closed);
            });
            scope.spawn(|| {
                let attempt = |entry: &Entry<_>| words.attempt(entry.facts.bytes);
                while !matches!(shared.next(Waker::noop(), &mut None, attempt), Next::End(_)) {
                    words.flush(Amount::default());
                }
            });
            let mut attempted = 0;
            for look in 1..=LOOKS {
                let sent = shared.read(&words);
                let is_whole = attempted <= sent.attempted.messages && sent.queued.messages <= 4 && sent.buffered().messages <= 1;
                // The others go on for as long as somebody looks.
                looks.store(if is_whole { look } else { LOOKS }, Relaxed);
                assert!(is_whole, "{attempted} {sent:?}");
                attempted = sent.attempted.messages;
            }
        });
        let sent = shared.read(&words);
        assert_eq!((sent.queued, sent.buffered()), (Amount::default(), Amount::default()));
        assert_eq!(sent.flushed + sent.all_dropped(), sent.attempted);
    }
}
