//! recloser: a rate of failures over the last calls. It knows neither Tower nor metrics.

use std::{future::ready, sync::Arc};

use recloser::{AsyncRecloser, Error, Recloser};

use super::OPEN;
use crate::breaker::call::{self, Answer, Breaker, Failed, Outcome};

/// Its call of a future.
#[derive(Clone, Debug)]
struct Future(AsyncRecloser);

/// Its call of a function.
#[derive(Clone, Debug)]
struct Function(Arc<Recloser>);

pub(in crate::breaker) fn future() -> impl Breaker {
    Future(breaker().into())
}

pub(in crate::breaker) fn function() -> impl Breaker {
    Function(Arc::new(breaker()))
}

fn breaker() -> Recloser {
    Recloser::custom().open_wait(OPEN).build()
}

impl Breaker for Future {
    fn call(&mut self, answer: Answer) -> Outcome {
        outcome(&call::finish(self.0.call(ready(answer))))
    }
}

impl Breaker for Function {
    fn call(&mut self, answer: Answer) -> Outcome {
        outcome(&self.0.call(|| answer))
    }
}

fn outcome(result: &Result<(), Error<Failed>>) -> Outcome {
    match result {
        Ok(()) => Outcome::Success,
        Err(Error::Inner(Failed)) => Outcome::Failure,
        Err(Error::Rejected) => Outcome::Rejected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_rejected() {
        call::assert_opens_after(100, future());
        call::assert_opens_after(100, function());
    }
}
