use std::error::Error;

use super::{Classifier, chain};
use crate::Verdict;

/// Judges by `Ok` and `Err`, where the error is an [`Error`]: as [`ByResult`](super::ByResult) does, but looks into errors of all types.
///
/// It tells the timeouts and rejections that lie below the errors of other crates, such as those of HTTP clients.
///
/// # Example
/// ```
/// use std::{error::Error, fmt, io};
/// use tower_vitals_breaker::{ByError, Classifier, Verdict};
///
/// #[derive(Debug)]
/// struct NotSent(io::Error);
/// # impl fmt::Display for NotSent {
/// #     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str("not sent") }
/// # }
///
/// impl Error for NotSent {
///     fn source(&self) -> Option<&(dyn Error + 'static)> {
///         Some(&self.0)
///     }
/// }
///
/// let error = NotSent(io::ErrorKind::TimedOut.into());
/// assert_eq!(ByError.classify(Err::<&(), _>(&error)), Verdict::TIMEOUT);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ByError;

impl<T, E: Error + 'static> Classifier<T, E> for ByError {
    #[inline]
    fn classify(&self, result: Result<&T, &E>) -> Verdict {
        match result {
            Ok(_) => Verdict::SUCCESS,
            Err(error) => chain::verdict(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fmt, io};

    use super::*;
    use crate::{BreakerError, classify::rejected};

    #[derive(Debug)]
    pub(super) struct Outer<E>(E);

    impl<E> fmt::Display for Outer<E> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("outer")
        }
    }

    impl<E: Error + 'static> Error for Outer<E> {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    fn verdict<E: Error + 'static>(error: &E) -> Verdict {
        ByError.classify(Err::<&(), _>(error))
    }

    #[tokio::test(start_paused = true)]
    async fn errors_of_other_crates_are_looked_into() {
        let elapsed = tokio::time::timeout(std::time::Duration::ZERO, std::future::pending::<()>()).await;
        assert_eq!(verdict(&Outer(Outer(elapsed.unwrap_err()))), Verdict::TIMEOUT);
        assert_eq!(verdict(&Outer(tower::timeout::error::Elapsed::new())), Verdict::TIMEOUT);
        assert_eq!(verdict(&Outer(io::Error::from(io::ErrorKind::TimedOut))), Verdict::TIMEOUT);
        assert_eq!(verdict(&Outer(io::Error::from(io::ErrorKind::BrokenPipe))), Verdict::FAILURE);
        assert_eq!(ByError.classify(Ok::<_, &io::Error>(&())), Verdict::SUCCESS);
    }

    #[test]
    fn rejections_of_inner_breakers_are_ignored_and_win() {
        assert_eq!(verdict(&rejected()), Verdict::IGNORED);
        assert_eq!(
            verdict(&Outer(BreakerError::<Outer<fmt::Error>>::Rejected(rejected()))),
            Verdict::IGNORED
        );
        assert_eq!(
            verdict(&BreakerError::Inner(BreakerError::Inner(rejected()))),
            Verdict::IGNORED
        );
        let late = io::Error::new(io::ErrorKind::TimedOut, Outer(rejected()));
        assert_eq!(verdict(&late), Verdict::IGNORED);
        assert_eq!(verdict(&BreakerError::Inner(Outer(fmt::Error))), Verdict::FAILURE);
        let late = BreakerError::Inner(io::Error::from(io::ErrorKind::TimedOut));
        assert_eq!(verdict(&late), Verdict::TIMEOUT, "of a breaker further in");
    }
}
