//! Who calls: tasks that each know one way through the breaker, and that may go away at any time.

use std::{
    future::{Future, poll_fn},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_vitals_breaker::{BreakerError, CircuitBreaker, CircuitBreakerLayer};

use crate::upstream::{World, verdict};

/// How many tasks call.
pub(crate) const CALLERS: usize = 8;

/// The longest that a task does nothing.
pub(crate) const LONGEST_GAP: Duration = Duration::from_secs(20);

type Answer = Result<u16, BreakerError<io::Error>>;

/// A call from its beginning to its end, whatever that is.
struct Attempt<'a> {
    world: &'a World,
    has_ended: bool,
}

impl<'a> Attempt<'a> {
    fn begin(world: &'a World) -> Self {
        world.attempts.set(world.attempts.get() + 1);
        world.in_flight.set(world.in_flight.get() + 1);
        let has_ended = false;
        Self { world, has_ended }
    }

    fn end(mut self, answer: &Answer) {
        self.has_ended = true;
        if answer.as_ref().is_err_and(BreakerError::is_rejected) {
            self.world.rejected.set(self.world.rejected.get() + 1);
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.world.in_flight.set(self.world.in_flight.get() - 1);
        self.world.ended.notify_waiters();
        if !self.has_ended && !std::thread::panicking() {
            self.world.cancelled.set(self.world.cancelled.get() + 1);
        }
    }
}

/// Makes an attempt of a future that makes its call when it is first polled.
async fn counted(world: &World, call: impl Future<Output = Answer>) -> Answer {
    let attempt = Attempt::begin(world);
    let answer = call.await;
    attempt.end(&answer);
    answer
}

/// A call of a service; none when no call may begin any more once it is ready.
async fn of_service<S>(world: &World, service: &mut S) -> Option<Answer>
where
    S: Service<(), Response = u16, Error = BreakerError<io::Error>>,
{
    let ready = service.ready().await;
    assert!(ready.is_ok(), "what is called is always ready");
    if world.is_paused.get() {
        return None;
    }
    let attempt = Attempt::begin(world);
    let answer = service.call(()).await;
    attempt.end(&answer);
    Some(answer)
}

/// A call under a permit, which it keeps until its end, drops before it, or takes into a panic.
async fn of_permit(world: &World, breaker: &CircuitBreaker) -> Answer {
    let attempt = Attempt::begin(world);
    let permit = match breaker.try_acquire() {
        Ok(permit) => permit,
        Err(rejected) => {
            let answer = Err(rejected.into());
            attempt.end(&answer);
            return answer;
        }
    };
    let result = world.answer().await;
    if world.chance(5) {
        // Both drop.
        return result.map_err(BreakerError::Inner);
    }
    if world.chance(50) {
        permit.record_result(&result);
    } else {
        permit.record(verdict(result.as_ref()));
    }
    let answer = result.map_err(BreakerError::Inner);
    attempt.end(&answer);
    answer
}

/// A call by a plain way, from one that stays until its end.
pub(crate) async fn call(world: &World, breaker: &CircuitBreaker) -> Answer {
    counted(world, breaker.call_with(verdict, world.answer())).await
}

/// Ends with the future, also by a panic.
async fn caught(future: impl Future<Output = ()>) {
    let mut future = pin!(future);
    let mut poll = AssertUnwindSafe(|cx: &mut Context<'_>| future.as_mut().poll(cx));
    poll_fn(|cx| catch_unwind(AssertUnwindSafe(|| poll(cx))).unwrap_or(Poll::Ready(()))).await;
}

/// Calls again and again.
pub(crate) async fn work(world: Rc<World>, breaker: CircuitBreaker, turn: usize) {
    let upstream = {
        let world = Rc::clone(&world);
        service_fn(move |()| {
            let world = Rc::clone(&world);
            async move { world.answer().await }
        })
    };
    let layer = CircuitBreakerLayer::new(breaker.clone());
    let mut by_error = layer.layer(upstream.clone());
    let mut by_answer = layer.clone().classify(verdict).layer(upstream.clone());
    let mut waiting = layer.clone().classify(verdict).pending_while_open().layer(upstream.clone());
    loop {
        sleep(world.between(Duration::ZERO, LONGEST_GAP)).await;
        if world.is_paused.get() {
            world.resumed.notified().await;
        }
        let way = async {
            match turn {
                0 => drop(of_service(&world, &mut by_error).await),
                1 => drop(of_service(&world, &mut by_answer).await),
                2 => drop(of_service(&world, &mut waiting).await),
                3 => drop(of_service(&world, &mut layer.layer(upstream.clone())).await),
                4 => drop(counted(&world, breaker.call(world.answer())).await),
                5 => drop(call(&world, &breaker).await),
                _ => drop(of_permit(&world, &breaker).await),
            }
        };
        let patience = world
            .chance(20)
            .then(|| world.between(Duration::ZERO, Duration::from_secs(5)));
        let call = async {
            match patience {
                Some(patience) => drop(timeout(patience, caught(way)).await),
                None => caught(way).await,
            }
        };
        world.last.borrow_mut()[turn] = Instant::now();
        tokio::select! {
            biased;
            () = world.left.notified() => {}
            () = call => {}
        }
        // A future that nobody polls is no call.
        drop(breaker.call(world.answer()));
    }
}
