//! The head of the response, and the frames of its body.

use bytes::Buf;
use http::{HeaderMap, Response, StatusCode, Version};
use http_body::{Body, Frame};
use tower_vitals_core::ClosedLabel;

use super::{Counted, Extra, extra::Stream};
use crate::{
    Names, Outcome, RequestSlot,
    ending::{Ending, Verdict, judge},
    kind::HttpVersion,
    own::ResponseHead,
    streams::StreamKind,
    vocabulary::kept,
};

impl Counted {
    /// Takes note of the response's head, and says whether that ended the request.
    #[inline]
    pub(crate) fn is_complete_with<B: Body>(&mut self, response: &Response<B>) -> bool {
        let body = response.body();
        let verdict = judge(self.method, response.status(), response.headers(), body);
        // Streams and upgrades are not timed.
        let verdict = if self.special & Self::SPECIAL != 0 || !verdict.timed {
            self.look_at_head(response, verdict)
        } else {
            verdict
        };
        // A panic in the application's code finds no status: no head is sent then.
        self.kind = self.kind.with_status(response.status());
        self.timed = verdict.timed;
        self.on_drop = Some(verdict.on_drop);
        match verdict.ending {
            Ending::Head => return true,
            Ending::Bytes(bytes) => self.bytes = bytes,
            Ending::Body => {}
        }
        false
    }

    /// Over which version a request goes turns out when it is sent, whatever the request says.
    fn take_version(&mut self, version: Version) {
        if self.endpoint.records.vocabulary.names == Names::OpenTelemetry {
            self.kind = self.kind.with_version(HttpVersion::of(version));
        }
    }

    #[inline(never)]
    fn look_at_head<B>(&mut self, response: &Response<B>, mut verdict: Verdict) -> Verdict {
        if self.owner().is_client() {
            self.take_version(response.version());
        }
        let handle = self.extra.as_ref().and_then(|extra| extra.handle.as_ref());
        if let Some(tag) = handle.and_then(RequestSlot::route) {
            self.take_tag(tag);
        }
        if let Some(options) = self.endpoint.options.clone().filter(|options| options.needs_extra()) {
            for (place, own) in &options.own {
                if let Some(value) = own.in_response(ResponseHead::of(response)) {
                    self.extra().set_own(*place, kept(&value));
                }
            }
            // The application's code may have panicked until here, and then no head is sent.
            self.kind = self.kind.with_status(response.status());
            if options.heads && !self.is_skipped() {
                self.record_head();
            }
        }
        let mut stream = verdict.stream(response.headers());
        if let Some(extra) = self.has_extra() {
            extra.take_grpc_head(response.status(), response.headers(), &mut verdict);
            if let Some(kind) = extra.streams_from_the_start().filter(|_| verdict.ending != Ending::Head) {
                verdict.make_stream(kind);
                stream = Some(kind);
            }
        }
        if let Some(kind) = stream {
            self.begin_stream(kind);
        }
        if self.owner().is_client() && verdict.on_drop == Outcome::Aborted {
            self.unread = true;
            verdict.on_drop = Outcome::Completed;
        }
        verdict
    }

    /// What the rules say so far. A tag may still come.
    pub(super) fn is_skipped(&self) -> bool {
        self.extra.as_ref().is_some_and(|extra| extra.ruled.skip)
    }

    fn record_head(&self) {
        let records = &self.endpoint.records;
        let nanos = records.clock.nanos().saturating_sub(self.started);
        self.with_said(|said| records.observe_head(said, nanos));
    }

    fn begin_stream(&mut self, kind: StreamKind) {
        let endpoint = self.endpoint.clone();
        let Some(families) = endpoint.records.server() else {
            return;
        };
        let extra = self.extra();
        if extra.stream.is_none() && !extra.ruled.skip {
            extra.stream = Some(Stream::begin(kind, &families.streams.with([kind.as_str()]).hold()));
        }
    }

    /// Somebody wants the body. On the client's side that is when leaving it begins to matter: who only wanted the head has had it.
    #[inline]
    pub(crate) fn look_at_body(&mut self) {
        if self.unread {
            self.unread = false;
            self.on_drop = Some(Outcome::Aborted);
        }
    }

    /// Takes note of a frame, where something of it is counted beyond the bytes to come.
    #[inline]
    pub(crate) fn see_frame<D: Buf>(&mut self, frame: &Frame<D>) {
        if self.special & Self::SPECIAL != 0 {
            self.look_at_frame(frame);
        }
    }

    #[cold]
    fn look_at_frame<D: Buf>(&mut self, frame: &Frame<D>) {
        let Some(extra) = self.has_extra() else {
            return;
        };
        if let Some(data) = frame.data_ref() {
            extra.sent = extra.sent.saturating_add(data.remaining() as u64);
            if extra.sees_second_message(data) {
                self.timed = false;
                self.begin_stream(StreamKind::Grpc);
            }
        } else if let (Some(call), Some(trailers)) = (&mut extra.grpc, frame.trailers_ref()) {
            call.see_status(trailers);
        }
    }
}

impl Extra {
    fn take_grpc_head(&mut self, status: StatusCode, headers: &HeaderMap, verdict: &mut Verdict) {
        if let Some(call) = &mut self.grpc {
            call.see_status(headers);
            call.see_http(status);
            // Its status comes after the last byte.
            if let Ending::Bytes(_) = verdict.ending {
                verdict.ending = Ending::Body;
            }
        }
    }

    fn streams_from_the_start(&self) -> Option<StreamKind> {
        match &self.grpc {
            Some(call) if call.streams => Some(StreamKind::Grpc),
            _ => self.ruled.stream.then_some(StreamKind::Marked),
        }
    }

    fn sees_second_message<D: Buf>(&mut self, data: &D) -> bool {
        let Some(call) = &mut self.grpc else {
            return false;
        };
        call.responses.see(data);
        // The caller's second message may have come before.
        self.stream.is_none() && self.streamed_messages()
    }
}
