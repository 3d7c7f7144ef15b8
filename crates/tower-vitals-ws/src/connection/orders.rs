use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
};

use crate::{CloseCause, CloseCode};

/// What others than its task want of a connection.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    /// Whether there is an order that nobody has taken. Looked at for each message, so without the lock.
    waits: AtomicBool,
    state: Mutex<State>,
}

/// To close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) cause: CloseCause,
    pub(crate) code: CloseCode,
    pub(crate) reason: &'static str,
}

impl Order {
    /// Because the server stops.
    pub(crate) fn shutdown(code: CloseCode) -> Self {
        Self {
            cause: CloseCause::Shutdown,
            code,
            reason: "",
        }
    }
}

/// Which way a task that waits uses the connection. There may be one for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Read,
    Write,
}

#[derive(Debug, Default)]
struct State {
    order: Option<Order>,
    /// Whether an order was given, or would change nothing any more.
    is_final: bool,
    wakers: [Option<Waker>; 2],
}

impl Orders {
    /// Gives an order, unless there was one or the connection is being closed already.
    pub(crate) fn give(&self, order: Order) -> bool {
        let mut state = self.state();
        if state.is_final {
            return false;
        }
        state.is_final = true;
        state.order = Some(order);
        self.waits.store(true, Ordering::Relaxed);
        drop(state);
        self.wake();
        true
    }

    /// The connection is being closed: the tasks that wait have to know, and there is nothing left to order.
    pub(crate) fn end(&self) {
        self.state().is_final = true;
        self.wake();
    }

    /// Whether there may be an order to take.
    #[inline]
    pub(crate) fn waits(&self) -> bool {
        self.waits.load(Ordering::Relaxed)
    }

    /// Wakes the tasks that wait.
    pub(crate) fn wake(&self) {
        let wakers = std::mem::take(&mut self.state().wakers);
        // Without the lock, since waking may run anything.
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// The order that was given, once. The task is woken when there is one, and by [`wake`](Self::wake).
    pub(crate) fn take_or_wait(&self, side: Side, waker: &Waker) -> Option<Order> {
        let mut state = self.state();
        let slot = &mut state.wakers[side as usize];
        if !slot.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *slot = Some(waker.clone());
        }
        self.waits.store(false, Ordering::Relaxed);
        state.order.take()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
