use std::{any::Any, error::Error, io, sync::Arc};

use super::{Classifier, chain};
use crate::{BreakerError, Rejected, Verdict};

/// Judges by `Ok` and `Err`, whatever the error is.
///
/// `Ok` is a success and `Err` a failure, but for these errors, and those that have one of them below:
/// - timeouts of Tower and tokio, and an [`io::Error`] of the kind `TimedOut`, are [timeouts](Verdict::TIMEOUT);
/// - the [`Rejected`] of another breaker is [ignored](Verdict::IGNORED), as nothing was called;
/// - with the feature `reqwest013`, timeouts of reqwest are timeouts, and requests that could not be built are ignored.
///
/// The error need not be an [`Error`]. So this looks into those types that it knows: the ones above, boxes of errors such as Tower's, and
/// a [`BreakerError`] of either. Others are failures; [`ByError`](super::ByError) looks into any [`Error`].
///
/// # Example
/// ```
/// use std::io;
/// use tower_vitals_breaker::{ByResult, Classifier, Verdict};
///
/// let verdict = |result: Result<(), io::Error>| ByResult.classify(result.as_ref());
/// assert_eq!(verdict(Ok(())), Verdict::SUCCESS);
/// assert_eq!(verdict(Err(io::ErrorKind::ConnectionRefused.into())), Verdict::FAILURE);
/// assert_eq!(verdict(Err(io::ErrorKind::TimedOut.into())), Verdict::TIMEOUT);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ByResult;

impl<T, E: 'static> Classifier<T, E> for ByResult {
    #[inline]
    fn classify(&self, result: Result<&T, &E>) -> Verdict {
        match result {
            Ok(_) => Verdict::SUCCESS,
            Err(error) => of_error(error),
        }
    }
}

/// The verdict on a call that failed with an error of any type.
#[cold]
fn of_error<E: 'static>(error: &E) -> Verdict {
    known(error).map_or(Verdict::FAILURE, chain::verdict)
}

/// The error, if it is of a type that is known here to be one, or holds one.
fn known(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    let as_error: [AsError; 9] = [
        plain::<Rejected>,
        plain::<io::Error>,
        plain::<tower::timeout::error::Elapsed>,
        plain::<tokio::time::error::Elapsed>,
        of_reqwest,
        of_boxed,
        |error| error.downcast_ref::<Box<dyn Error + Send>>().map(|error| &**error as _),
        |error| error.downcast_ref::<Box<dyn Error>>().map(|error| &**error),
        |error| {
            error
                .downcast_ref::<Arc<dyn Error + Send + Sync>>()
                .map(|error| &**error as _)
        },
    ];
    as_error.into_iter().find_map(|as_error| as_error(error))
}

type AsError = for<'a> fn(&'a dyn Any) -> Option<&'a (dyn Error + 'static)>;
type BoxError = Box<dyn Error + Send + Sync>;

fn of_boxed(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    match error.downcast_ref::<BreakerError<BoxError>>() {
        Some(BreakerError::Rejected(rejected)) => Some(rejected),
        Some(BreakerError::Inner(error)) => Some(&**error),
        None => error.downcast_ref::<BoxError>().map(|error| &**error as _),
    }
}

fn plain<E: Error + 'static>(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    if let Some(error) = error.downcast_ref::<BreakerError<E>>() {
        return Some(error);
    }
    let error = error.downcast_ref::<E>()?;
    Some(error)
}

#[cfg(feature = "reqwest013")]
fn of_reqwest(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    plain::<reqwest::Error>(error)
}

#[cfg(not(feature = "reqwest013"))]
fn of_reqwest(_: &dyn Any) -> Option<&(dyn Error + 'static)> {
    None
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::classify::rejected;

    #[allow(clippy::needless_pass_by_value)] // shorter to call
    fn verdict<E: 'static>(error: E) -> Verdict {
        ByResult.classify(Err::<&(), _>(&error))
    }

    fn late() -> io::Error {
        io::ErrorKind::TimedOut.into()
    }

    #[tokio::test(start_paused = true)]
    async fn timeouts_are_told_from_failures() {
        let elapsed = tokio::time::timeout(Duration::ZERO, std::future::pending::<()>()).await;
        assert_eq!(verdict(elapsed.unwrap_err()), Verdict::TIMEOUT);
        let elapsed = tower::timeout::error::Elapsed::new();
        let boxed: BoxError = tower::timeout::error::Elapsed::new().into();
        assert_eq!(verdict(elapsed), Verdict::TIMEOUT);
        assert_eq!(verdict(boxed), Verdict::TIMEOUT);
        assert_eq!(verdict(late()), Verdict::TIMEOUT);
        assert_eq!(verdict::<BoxError>(io::Error::other(late()).into()), Verdict::TIMEOUT);
        assert_eq!(verdict::<Box<dyn Error>>(late().into()), Verdict::TIMEOUT);
        assert_eq!(verdict::<Box<dyn Error + Send>>(Box::new(late())), Verdict::TIMEOUT);
        assert_eq!(verdict::<Arc<dyn Error + Send + Sync>>(Arc::new(late())), Verdict::TIMEOUT);
    }

    #[test]
    fn other_errors_are_failures_whatever_they_are() {
        assert_eq!(verdict(()), Verdict::FAILURE);
        assert_eq!(verdict("down".to_owned()), Verdict::FAILURE);
        assert_eq!(verdict::<BoxError>("down".into()), Verdict::FAILURE);
        assert_eq!(verdict(io::Error::from(io::ErrorKind::ConnectionReset)), Verdict::FAILURE);
        assert_eq!(ByResult.classify(Ok::<_, &()>(&())), Verdict::SUCCESS);
    }

    #[test]
    fn rejections_of_inner_breakers_are_ignored() {
        assert_eq!(verdict(rejected()), Verdict::IGNORED);
        assert_eq!(verdict::<BoxError>(rejected().into()), Verdict::IGNORED);
        assert_eq!(verdict(BreakerError::<BoxError>::Rejected(rejected())), Verdict::IGNORED);
        assert_eq!(verdict(BreakerError::<BoxError>::Inner(rejected().into())), Verdict::IGNORED);
        assert_eq!(verdict(BreakerError::<BoxError>::Inner(late().into())), Verdict::TIMEOUT);
        assert_eq!(verdict(BreakerError::<io::Error>::Rejected(rejected())), Verdict::IGNORED);
        assert_eq!(verdict(BreakerError::<io::Error>::Inner(late())), Verdict::TIMEOUT);
        let elapsed = tower::timeout::error::Elapsed::new();
        assert_eq!(verdict(BreakerError::Inner(elapsed)), Verdict::TIMEOUT);
        assert_eq!(
            verdict(io::Error::other(BreakerError::<io::Error>::from(rejected()))),
            Verdict::IGNORED
        );
    }

    #[cfg(feature = "reqwest013")]
    #[tokio::test]
    async fn reqwests_errors_are_told_apart() {
        let client = reqwest::Client::new();
        let built = client.get("no url").build().unwrap_err();
        assert_eq!(verdict(built), Verdict::IGNORED);
        let built = client.get("no url").build().unwrap_err();
        assert_eq!(verdict::<BoxError>(built.into()), Verdict::IGNORED);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let late = client.get(&url).timeout(Duration::from_millis(20)).send().await;
        assert_eq!(verdict(late.unwrap_err()), Verdict::TIMEOUT);
        drop(listener);
        assert_eq!(verdict(client.get(&url).send().await.unwrap_err()), Verdict::FAILURE);
    }
}
