use std::fmt;

use http::{HeaderMap, Response, StatusCode};

use super::{ByResult, Classifier, GrpcCode, HttpClassifier, retry_after::pushback};
use crate::Verdict;

/// Judges gRPC calls by their status.
///
/// | status | verdict |
/// |---|---|
/// | `UNAVAILABLE`, `INTERNAL`, `DATA_LOSS`, `UNKNOWN` | [failure](Verdict::FAILURE) |
/// | `DEADLINE_EXCEEDED` | [timeout](Verdict::TIMEOUT) |
/// | `RESOURCE_EXHAUSTED` | [soft failure](Verdict::SOFT_FAILURE) |
/// | `CANCELLED`: the caller did it | [ignored](Verdict::IGNORED) |
/// | any other: the server did its work | [success](Verdict::SUCCESS) |
///
/// The status is read from the head, where it stands when there are no messages. Only [`AtBodyEnd`](crate::AtBodyEnd) reads it from the
/// trailers, too; without it, a head without a status is a success. A response that is not 200 and has no status comes from something
/// else than a server of gRPC, and is judged as [`HttpClassifier`] does. An error is judged as [`ByResult`] says, or by
/// [another classifier](Self::errors).
///
/// `grpc-retry-pushback-ms` of a failure is listened to. What is not valid or negative is no such field.
///
/// # Example
/// ```
/// use tower_vitals_breaker::{GrpcClassifier, GrpcCode, Verdict};
///
/// let classifier = GrpcClassifier::new().codes(|code| match code {
///     GrpcCode::Aborted => Some(Verdict::FAILURE),
///     GrpcCode::Unknown => Some(Verdict::SUCCESS),
///     _ => None,
/// });
/// // For clients that give a code instead of a response, as tonic's do.
/// assert_eq!(classifier.verdict(GrpcCode::Unavailable), Verdict::FAILURE);
/// assert_eq!(classifier.verdict(GrpcCode::Aborted), Verdict::FAILURE);
/// assert_eq!(classifier.verdict(GrpcCode::from_number(2)), Verdict::SUCCESS);
/// ```
#[derive(Clone)]
pub struct GrpcClassifier<X = ByResult> {
    http: HttpClassifier<X>,
    codes: Codes,
}

/// What codes count as.
#[derive(Clone, Copy, Default)]
pub(crate) struct Codes {
    special: Option<fn(GrpcCode) -> Option<Verdict>>,
    ignores_pushback: bool,
}

impl GrpcClassifier {
    /// As the table says.
    #[must_use]
    pub fn new() -> Self {
        Self {
            http: HttpClassifier::new(),
            codes: Codes::default(),
        }
    }
}

impl<X> GrpcClassifier<X> {
    /// Says what a code counts as; `None` leaves it to the table.
    #[must_use]
    pub fn codes(mut self, verdict: fn(GrpcCode) -> Option<Verdict>) -> Self {
        self.codes.special = Some(verdict);
        self
    }

    /// Takes no notice of `grpc-retry-pushback-ms`, nor of the `Retry-After` of what is no server of gRPC.
    #[must_use]
    pub fn ignore_retry_after(mut self) -> Self {
        self.codes.ignores_pushback = true;
        self.http = self.http.ignore_retry_after();
        self
    }

    /// Has errors judged by another classifier, such as [`ByError`](super::ByError). It judges those of a watched
    /// [body](crate::AtBodyEnd), too.
    #[must_use]
    pub fn errors<Y>(self, errors: Y) -> GrpcClassifier<Y> {
        GrpcClassifier {
            http: self.http.errors(errors),
            codes: self.codes,
        }
    }

    /// What a call that ended with this code says about what was called.
    pub fn verdict(&self, code: GrpcCode) -> Verdict {
        self.codes.verdict(code)
    }

    /// What a head says, if it says something: one that does not announces trailers.
    #[inline]
    pub(crate) fn head(&self, status: StatusCode, headers: &HeaderMap) -> Option<Verdict> {
        match self.codes.of(headers) {
            None if status != StatusCode::OK => Some(self.http.head(status, headers)),
            said => said,
        }
    }

    pub(crate) fn ends(&self) -> (Codes, &X) {
        (self.codes, &self.http.errors)
    }
}

impl Codes {
    /// What headers or trailers say, if there is a status in them.
    pub(crate) fn of(self, headers: &HeaderMap) -> Option<Verdict> {
        let verdict = self.verdict(GrpcCode::of(headers)?);
        let listens = verdict.is_failure() && verdict.retry_after().is_none() && !self.ignores_pushback;
        let asked = listens.then(|| pushback(headers)).flatten();
        Some(asked.map_or(verdict, |time| verdict.with_retry_after(time)))
    }

    pub(crate) fn verdict(self, code: GrpcCode) -> Verdict {
        self.special.and_then(|special| special(code)).unwrap_or(match code {
            GrpcCode::Unavailable | GrpcCode::Internal | GrpcCode::DataLoss | GrpcCode::Unknown => Verdict::FAILURE,
            GrpcCode::DeadlineExceeded => Verdict::TIMEOUT,
            GrpcCode::ResourceExhausted => Verdict::SOFT_FAILURE,
            GrpcCode::Cancelled => Verdict::IGNORED,
            _ => Verdict::SUCCESS,
        })
    }
}

impl<B, E, X: Classifier<(), E>> Classifier<Response<B>, E> for GrpcClassifier<X> {
    #[inline]
    fn classify(&self, result: Result<&Response<B>, &E>) -> Verdict {
        match result {
            Ok(response) => self.head(response.status(), response.headers()).unwrap_or(Verdict::SUCCESS),
            Err(error) => self.http.errors.classify(Err(error)),
        }
    }
}

impl Default for GrpcClassifier {
    fn default() -> Self {
        Self::new()
    }
}

impl<X: fmt::Debug> fmt::Debug for GrpcClassifier<X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcClassifier")
            .field("http", &self.http)
            .field("codes", &self.codes.special.is_some())
            .field("ignores_pushback", &self.codes.ignores_pushback)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{io, time::Duration};

    use super::*;

    fn head(status: u16, fields: &[(&'static str, &str)]) -> Response<()> {
        let response = Response::builder().status(status);
        let response = fields
            .iter()
            .fold(response, |response, (name, value)| response.header(*name, *value));
        response.body(()).unwrap()
    }

    fn judge(classifier: &GrpcClassifier, response: &Response<()>) -> Verdict {
        classifier.classify(Ok::<_, &io::Error>(response))
    }

    #[test]
    fn a_code_is_the_servers_fault_or_not() {
        for number in 0..20 {
            let verdict = match number {
                2 | 13 | 14 | 15 | 17.. => Verdict::FAILURE,
                4 => Verdict::TIMEOUT,
                8 => Verdict::SOFT_FAILURE,
                1 => Verdict::IGNORED,
                _ => Verdict::SUCCESS,
            };
            let head = head(200, &[("grpc-status", &number.to_string())]);
            assert_eq!(judge(&GrpcClassifier::new(), &head), verdict, "{number}");
            assert_eq!(
                GrpcClassifier::new().verdict(GrpcCode::from_number(number)),
                verdict,
                "{number}"
            );
        }
    }

    #[test]
    fn what_is_no_grpc_is_judged_as_http() {
        let judge = |head: Response<()>| judge(&GrpcClassifier::new(), &head);
        assert_eq!(judge(head(200, &[])), Verdict::SUCCESS, "trailers may come");
        assert_eq!(judge(head(404, &[])), Verdict::SUCCESS);
        assert_eq!(judge(head(504, &[])), Verdict::TIMEOUT);
        let asked = Verdict::FAILURE.with_retry_after(Duration::from_secs(3));
        assert_eq!(judge(head(503, &[("retry-after", "3")])), asked);
        assert_eq!(
            judge(head(503, &[("grpc-status", "5")])),
            Verdict::SUCCESS,
            "the status is gRPC's"
        );
    }

    #[test]
    fn a_pushback_is_listened_to_on_failures() {
        let head = |code, pushback| head(200, &[("grpc-status", code), ("grpc-retry-pushback-ms", pushback)]);
        let millis = Duration::from_millis(250);
        let judge = |head| judge(&GrpcClassifier::new(), &head);
        assert_eq!(judge(head("14", "250")), Verdict::FAILURE.with_retry_after(millis));
        assert_eq!(judge(head("8", "250")), Verdict::SOFT_FAILURE.with_retry_after(millis));
        assert_eq!(judge(head("14", "-1")), Verdict::FAILURE);
        assert_eq!(judge(head("0", "250")), Verdict::SUCCESS);
    }

    #[test]
    fn it_may_be_told_otherwise() {
        let classifier = GrpcClassifier::new().ignore_retry_after().codes(|code| match code {
            GrpcCode::NotFound => Some(Verdict::FAILURE),
            GrpcCode::Unknown => Some(Verdict::IGNORED),
            _ => None,
        });
        let of_code = |code| head(200, &[("grpc-status", code), ("grpc-retry-pushback-ms", "250")]);
        assert_eq!(judge(&classifier, &of_code("5")), Verdict::FAILURE);
        assert_eq!(judge(&classifier, &of_code("2")), Verdict::IGNORED);
        assert_eq!(judge(&classifier, &of_code("14")), Verdict::FAILURE);
        let proxied = head(503, &[("retry-after", "3")]);
        assert_eq!(judge(&classifier, &proxied), Verdict::FAILURE);
    }

    #[test]
    fn errors_are_judged_by_their_judge() {
        let error = io::Error::from(io::ErrorKind::TimedOut);
        let result = || Err::<&Response<()>, _>(&error);
        assert_eq!(GrpcClassifier::new().classify(result()), Verdict::TIMEOUT);
        let never = |_: Result<&(), &io::Error>| Verdict::IGNORED;
        assert_eq!(GrpcClassifier::new().errors(never).classify(result()), Verdict::IGNORED);
    }
}
