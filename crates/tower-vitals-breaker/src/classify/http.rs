use std::fmt;

use http::{HeaderMap, Response, StatusCode};
use tower_vitals_core::Clock;

use super::{ByResult, Classifier, retry_after::retry_after};
use crate::Verdict;

/// Judges HTTP responses by their heads.
///
/// | result | verdict |
/// |---|---|
/// | 504 | [timeout](Verdict::TIMEOUT) |
/// | any other 5xx | [failure](Verdict::FAILURE) |
/// | 429 | [soft failure](Verdict::SOFT_FAILURE) |
/// | any other status: the server did its work | [success](Verdict::SUCCESS) |
/// | an error | as [`ByResult`] says, or [another classifier](Self::errors) |
///
/// `Retry-After` of a failure is listened to, in seconds or as a date. A date is seen from the `Date` of the same response, which servers
/// must send, and otherwise from the time of the [clock](Self::clock), if there is one. What is not valid is no such field.
///
/// It judges [`http::Response`], and with the feature `reqwest013` reqwest's responses, too.
///
/// # Example
/// ```
/// use http::{Response, StatusCode};
/// use tower_vitals_breaker::{Classifier, HttpClassifier, Verdict};
///
/// // The server answers 501 to what it never could, and 404 when it has lost its data.
/// let classifier = HttpClassifier::new().status(|status| match status {
///     StatusCode::NOT_IMPLEMENTED => Some(Verdict::SUCCESS),
///     StatusCode::NOT_FOUND => Some(Verdict::FAILURE),
///     _ => None,
/// });
/// let judge = |status: StatusCode| {
///     let mut response = Response::new(());
///     *response.status_mut() = status;
///     classifier.classify(Ok::<_, &std::io::Error>(&response))
/// };
/// assert_eq!(judge(StatusCode::NOT_IMPLEMENTED), Verdict::SUCCESS);
/// assert_eq!(judge(StatusCode::NOT_FOUND), Verdict::FAILURE);
/// assert_eq!(judge(StatusCode::TOO_MANY_REQUESTS), Verdict::SOFT_FAILURE);
/// ```
#[derive(Clone)]
pub struct HttpClassifier<X = ByResult> {
    pub(crate) errors: X,
    status: Option<StatusVerdict>,
    ignores_retry_after: bool,
    clock: Option<Clock>,
}

type StatusVerdict = fn(StatusCode) -> Option<Verdict>;

impl HttpClassifier {
    /// As the table says.
    #[must_use]
    pub fn new() -> Self {
        Self {
            errors: ByResult,
            status: None,
            ignores_retry_after: false,
            clock: None,
        }
    }
}

impl<X> HttpClassifier<X> {
    /// Says what a status counts as; `None` leaves it to the table. A failure may have a `Retry-After`, which is listened to unless the
    /// verdict has a time already.
    #[must_use]
    pub fn status(mut self, verdict: fn(StatusCode) -> Option<Verdict>) -> Self {
        self.status = Some(verdict);
        self
    }

    /// Takes no notice of `Retry-After`.
    #[must_use]
    pub fn ignore_retry_after(mut self) -> Self {
        self.ignores_retry_after = true;
        self
    }

    /// What time it is when a response has a date in `Retry-After`, but no `Date`: as in `clock(vitals.clock())`. Unless told, such a
    /// field is ignored.
    #[must_use]
    pub fn clock(mut self, clock: &Clock) -> Self {
        self.clock = Some(clock.clone());
        self
    }

    /// Has errors judged by another classifier, such as [`ByError`](super::ByError). It judges those of a watched
    /// [body](crate::AtBodyEnd), too.
    #[must_use]
    pub fn errors<Y>(self, errors: Y) -> HttpClassifier<Y> {
        HttpClassifier {
            errors,
            status: self.status,
            ignores_retry_after: self.ignores_retry_after,
            clock: self.clock,
        }
    }

    /// What a head says.
    #[inline]
    pub(crate) fn head(&self, status: StatusCode, headers: &HeaderMap) -> Verdict {
        let verdict = self.status.and_then(|verdict| verdict(status));
        let verdict = verdict.unwrap_or_else(|| of_status(status));
        if verdict.is_failure() {
            self.with_retry_after(verdict, headers)
        } else {
            verdict
        }
    }

    #[cold]
    fn with_retry_after(&self, verdict: Verdict, headers: &HeaderMap) -> Verdict {
        if self.ignores_retry_after || verdict.retry_after().is_some() {
            return verdict;
        }
        let wall = || self.clock.as_ref().map(|clock| clock.wall(clock.now()));
        retry_after(headers, wall).map_or(verdict, |time| verdict.with_retry_after(time))
    }
}

#[inline]
fn of_status(status: StatusCode) -> Verdict {
    match status {
        StatusCode::TOO_MANY_REQUESTS => Verdict::SOFT_FAILURE,
        StatusCode::GATEWAY_TIMEOUT => Verdict::TIMEOUT,
        status if status.is_server_error() => Verdict::FAILURE,
        _ => Verdict::SUCCESS,
    }
}

impl<B, E, X: Classifier<(), E>> Classifier<Response<B>, E> for HttpClassifier<X> {
    #[inline]
    fn classify(&self, result: Result<&Response<B>, &E>) -> Verdict {
        match result {
            Ok(response) => self.head(response.status(), response.headers()),
            Err(error) => self.errors.classify(Err(error)),
        }
    }
}

/// An error that stands for a status, from `error_for_status`, is judged as the status.
#[cfg(feature = "reqwest013")]
impl<X: Classifier<(), reqwest::Error>> Classifier<reqwest::Response, reqwest::Error> for HttpClassifier<X> {
    fn classify(&self, result: Result<&reqwest::Response, &reqwest::Error>) -> Verdict {
        match result {
            Ok(response) => self.head(response.status(), response.headers()),
            Err(error) => match error.status() {
                Some(status) => self.head(status, &HeaderMap::new()),
                None => self.errors.classify(Err(error)),
            },
        }
    }
}

impl Default for HttpClassifier {
    fn default() -> Self {
        Self::new()
    }
}

impl<X: fmt::Debug> fmt::Debug for HttpClassifier<X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClassifier")
            .field("errors", &self.errors)
            .field("status", &self.status.is_some())
            .field("ignores_retry_after", &self.ignores_retry_after)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        time::{Duration, UNIX_EPOCH},
    };

    use http::header::{DATE, RETRY_AFTER};
    use httpdate::fmt_http_date;
    use tower_vitals_core::ManualClock;

    use super::*;
    use crate::ByError;

    fn response(status: u16, fields: &[(http::HeaderName, &str)]) -> Response<()> {
        let response = Response::builder().status(status);
        let response = fields
            .iter()
            .fold(response, |response, (name, value)| response.header(name, *value));
        response.body(()).unwrap()
    }

    fn judge<X: Classifier<(), io::Error>>(classifier: &HttpClassifier<X>, response: &Response<()>) -> Verdict {
        classifier.classify(Ok::<_, &io::Error>(response))
    }

    #[test]
    fn a_status_is_the_servers_fault_or_not() {
        for (status, verdict) in [
            (101, Verdict::SUCCESS),
            (200, Verdict::SUCCESS),
            (304, Verdict::SUCCESS),
            (400, Verdict::SUCCESS),
            (404, Verdict::SUCCESS),
            (408, Verdict::SUCCESS),
            (429, Verdict::SOFT_FAILURE),
            (499, Verdict::SUCCESS),
            (500, Verdict::FAILURE),
            (501, Verdict::FAILURE),
            (503, Verdict::FAILURE),
            (504, Verdict::TIMEOUT),
            (599, Verdict::FAILURE),
            (600, Verdict::SUCCESS),
        ] {
            assert_eq!(judge(&HttpClassifier::new(), &response(status, &[])), verdict, "{status}");
        }
    }

    #[test]
    fn errors_are_judged_by_their_judge() {
        let judge = |error: io::ErrorKind| {
            let error = io::Error::from(error);
            let result = || Err::<&Response<()>, _>(&error);
            let custom = |result: Result<&(), &io::Error>| match result {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Verdict::IGNORED,
                _ => Verdict::FAILURE,
            };
            [
                HttpClassifier::new().classify(result()),
                HttpClassifier::new().errors(ByError).classify(result()),
                HttpClassifier::new().errors(custom).classify(result()),
            ]
        };
        assert_eq!(
            judge(io::ErrorKind::TimedOut),
            [Verdict::TIMEOUT, Verdict::TIMEOUT, Verdict::FAILURE]
        );
        assert_eq!(
            judge(io::ErrorKind::ConnectionRefused),
            [Verdict::FAILURE, Verdict::FAILURE, Verdict::IGNORED]
        );
    }

    #[test]
    fn retry_after_is_listened_to_on_failures() {
        let seconds = Duration::from_secs(9);
        let field = [(RETRY_AFTER, "9")];
        let judge = |status| judge(&HttpClassifier::new(), &response(status, &field));
        assert_eq!(judge(429), Verdict::SOFT_FAILURE.with_retry_after(seconds));
        assert_eq!(judge(503), Verdict::FAILURE.with_retry_after(seconds));
        assert_eq!(judge(504), Verdict::TIMEOUT.with_retry_after(seconds));
        assert_eq!(judge(200), Verdict::SUCCESS);
        assert_eq!(judge(301), Verdict::SUCCESS);
    }

    #[test]
    fn retry_after_may_be_ignored() {
        let classifier = HttpClassifier::new().ignore_retry_after();
        assert_eq!(judge(&classifier, &response(503, &[(RETRY_AFTER, "9")])), Verdict::FAILURE);
    }

    #[test]
    fn a_date_needs_a_date_or_a_clock() {
        let manual = ManualClock::new();
        let clock = Clock::manual(&manual);
        let whole = clock.wall(clock.now()).duration_since(UNIX_EPOCH).unwrap().as_secs() + 40;
        let until = fmt_http_date(UNIX_EPOCH + Duration::from_secs(whole));
        let undated = response(503, &[(RETRY_AFTER, &until)]);
        assert_eq!(judge(&HttpClassifier::new(), &undated), Verdict::FAILURE);

        let classifier = HttpClassifier::new().clock(&clock);
        manual.advance(Duration::from_secs(10));
        let asked = judge(&classifier, &undated).retry_after().unwrap();
        assert!(
            asked <= Duration::from_secs(30) && asked > Duration::from_secs(28),
            "{asked:?}"
        );

        let date = fmt_http_date(UNIX_EPOCH + Duration::from_secs(whole - 5));
        let dated = response(503, &[(RETRY_AFTER, &until), (DATE, &date)]);
        for classifier in [classifier, HttpClassifier::new()] {
            assert_eq!(judge(&classifier, &dated).retry_after(), Some(Duration::from_secs(5)));
        }
    }

    #[test]
    fn a_status_may_count_as_something_else() {
        let classifier = HttpClassifier::new().status(|status| match status.as_u16() {
            404 => Some(Verdict::FAILURE),
            409 => Some(Verdict::FAILURE.with_retry_after(Duration::from_secs(1))),
            501 => Some(Verdict::SUCCESS),
            _ => None,
        });
        let judge = |status| judge(&classifier, &response(status, &[(RETRY_AFTER, "9")]));
        assert_eq!(judge(404), Verdict::FAILURE.with_retry_after(Duration::from_secs(9)));
        assert_eq!(judge(409), Verdict::FAILURE.with_retry_after(Duration::from_secs(1)));
        assert_eq!(judge(501), Verdict::SUCCESS);
        assert_eq!(judge(502), Verdict::FAILURE.with_retry_after(Duration::from_secs(9)));
    }

    #[cfg(feature = "reqwest013")]
    #[test]
    fn reqwests_responses_are_judged_alike() {
        let response = |status| reqwest::Response::from(response(status, &[(RETRY_AFTER, "9")]).map(|()| "body"));
        let judge = |result: Result<_, reqwest::Error>| HttpClassifier::new().classify(result.as_ref());
        assert_eq!(judge(Ok(response(200))), Verdict::SUCCESS);
        assert_eq!(judge(Ok(response(503))).retry_after(), Some(Duration::from_secs(9)));
        assert_eq!(judge(response(404).error_for_status()), Verdict::SUCCESS);
        assert_eq!(judge(response(504).error_for_status()), Verdict::TIMEOUT);
        let built = reqwest::Client::new().get("no url").build().unwrap_err();
        assert_eq!(judge(Err(built)), Verdict::IGNORED);
    }
}
