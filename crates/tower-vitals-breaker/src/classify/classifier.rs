use crate::Verdict;

/// Judges results. Closures do it, too.
///
/// # Example
/// ```
/// use tower_vitals_breaker::{Classifier, Verdict};
///
/// let classifier = |result: Result<&u32, &String>| match result {
///     Ok(_) => Verdict::SUCCESS,
///     Err(error) if error == "not found" => Verdict::SUCCESS,
///     Err(_) => Verdict::FAILURE,
/// };
/// assert_eq!(classifier.classify(Err(&"not found".to_owned())), Verdict::SUCCESS);
/// ```
pub trait Classifier<T, E> {
    /// What this result says about what was called.
    fn classify(&self, result: Result<&T, &E>) -> Verdict;
}

impl<T, E, F: Fn(Result<&T, &E>) -> Verdict> Classifier<T, E> for F {
    #[inline]
    fn classify(&self, result: Result<&T, &E>) -> Verdict {
        self(result)
    }
}
