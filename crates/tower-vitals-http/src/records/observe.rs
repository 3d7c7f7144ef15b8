//! Records what few requests have. Each costs a look-up by text.

use std::time::Duration;

use http::StatusCode;
use tower_vitals_core::{ClosedLabel, DynamicFamily, Histogram, Ref};

use super::{Records, as_strs};
use crate::{Outcome, Slo, UNMATCHED, grpc::Call, names::Column, streams::StreamKind, vocabulary::Said};

impl Records {
    /// How long a head took.
    pub(crate) fn observe_head(&self, said: &Said<'_>, nanos: u64) {
        self.series(&self.families.heads, said).observe_nanos(nanos);
    }

    /// How many bytes a request's body had, if somebody counted, and its response's.
    pub(crate) fn observe_bytes(&self, said: &Said<'_>, received: Option<u64>, sent: u64) {
        #[allow(clippy::cast_precision_loss)] // beyond 2^53 bytes
        let size = |bytes: u64| bytes as f64;
        if let Some(received) = received {
            self.series(&self.families.request_bytes, said).observe(size(received));
        }
        self.series(&self.families.response_bytes, said).observe(size(sent));
    }

    /// How long a stream was.
    pub(crate) fn observe_stream(&self, said: &Said<'_>, kind: StreamKind, nanos: u64) {
        if let Some(families) = self.server() {
            let method = self.vocabulary.value(Column::Method, said);
            let labels = [&*method, said.route, kind.as_str()];
            families.stream_durations.with(labels).observe_nanos(nanos);
        }
    }

    /// Counts whether a request that ended like this, after so many nanoseconds, met its objective.
    pub(crate) fn judge(&self, route: &str, slo: Slo, (outcome, status, took): (Outcome, Option<StatusCode>, u64)) {
        let verdict = slo.judge(outcome, status, Duration::from_nanos(took));
        if let (Some(families), Some(verdict)) = (self.server(), verdict) {
            families.slo.with([route, verdict.as_str()]).inc();
        }
    }

    /// A gRPC call of this path.
    pub(crate) fn call(&self, path: &str) -> Option<Call> {
        let calls = &self.server()?.calls;
        Some(Call::new(path, calls.get(path).is_some_and(|known| known.streams())))
    }

    /// Takes note of what the end of a call tells of the server.
    pub(crate) fn learn_call(&self, call: &Call, outcome: Outcome) {
        let Some(families) = self.server() else {
            return;
        };
        if call.names().is_some() && call.code(outcome).tells_of_handler() {
            families.calls.learn(call.path());
        }
    }

    /// Whether the server is known to have the method.
    pub(crate) fn knows_call(&self, call: &Call) -> bool {
        self.server()
            .is_some_and(|families| families.calls.get(call.path()).is_some())
    }

    /// Counts a gRPC call. A method that nobody is known to implement has no name; its service may have one, where a router matched it.
    pub(crate) fn count_call(&self, call: &Call, route: &str, outcome: Outcome, streamed: bool) {
        let Some(families) = self.server() else {
            return;
        };
        let code = call.code(outcome);
        let known = families.calls.get(call.path());
        if let Some(known) = known.as_ref().filter(|_| streamed) {
            known.note_stream();
        }
        let (service, method) = match call.names() {
            Some(names) if known.is_some() => names,
            Some((service, _)) if is_of_service(route, service) => (service, UNMATCHED),
            _ => (UNMATCHED, UNMATCHED),
        };
        families.grpc.with([service, method, code.as_str(), outcome.as_str()]).inc();
    }

    fn series(
        &self,
        (family, columns): &(DynamicFamily<Histogram>, super::families::Columns),
        said: &Said<'_>,
    ) -> Ref<Histogram> {
        family.with(&as_strs(&self.vocabulary.values(columns, said)))
    }
}

/// Whether a router's template is that of a service and all its methods, such as `/grpc.health.v1.Health/{*rest}`.
fn is_of_service(template: &str, service: &str) -> bool {
    let rest = template.strip_prefix('/').and_then(|rest| rest.strip_prefix(service));
    rest.is_some_and(|rest| rest.starts_with("/{"))
}
