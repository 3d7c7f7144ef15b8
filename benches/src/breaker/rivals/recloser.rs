//! recloser: a rate of failures over the last calls. It knows neither Tower nor metrics.

use std::{future::ready, sync::Arc};

use recloser::{AsyncRecloser, Error, Recloser};

use crate::breaker::{
    OPEN,
    call::{self, Breaker, Failed, Outcome},
};

pub(in crate::breaker) fn future() -> impl Breaker {
    let breaker = AsyncRecloser::from(breaker());
    move |answer| outcome(&call::finish(breaker.call(ready(answer))))
}

pub(in crate::breaker) fn function() -> impl Breaker {
    let breaker = Arc::new(breaker());
    move |answer| outcome(&breaker.call(|| answer))
}

fn breaker() -> Recloser {
    Recloser::custom().open_wait(OPEN).build()
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
