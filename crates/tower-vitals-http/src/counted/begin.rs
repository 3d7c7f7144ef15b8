//! A request begins.

use http::{Request, Version};
use tower_vitals_core::spread::{Lent, Spread};

use super::{Counted, UNKNOWN};
use crate::{
    AuthType, Names, Outcome, RequestHead, RequestSlot,
    endpoint::{Endpoint, Matched, Options},
    grpc,
    kind::{HttpVersion, Kind, Scheme},
    method::KnownMethod,
    names::Side,
    rules::Ruled,
    vocabulary::kept,
};

impl Counted {
    /// Begins to count a request.
    #[inline(always)]
    pub(crate) fn begin<B>(endpoint: &Spread<Endpoint>, request: &Request<B>) -> Self {
        let endpoint = endpoint.lend();
        let method = KnownMethod::of(request.method());
        if !endpoint.is_plain {
            return Self::begin_other(endpoint, request, method);
        }
        let route = endpoint.matched_at_once(request.extensions());
        Self::new(endpoint, method, usual_kind(request, method), route, 0)
    }

    /// Begins to count a request that needs more.
    #[inline(never)]
    fn begin_other<B>(endpoint: Lent<Endpoint>, request: &Request<B>, method: KnownMethod) -> Self {
        let kind = match endpoint.has_usual_names {
            true => usual_kind(request, method),
            false => kind(&endpoint, request, method),
        };
        let route = match &endpoint.options {
            None => endpoint.matched_at_once(request.extensions()),
            // The application's code has not told the route yet: a panic in there is to find the request counted.
            Some(_) => endpoint.default(),
        };
        let special = endpoint.special * Self::SPECIAL;
        Self::new(endpoint, method, kind, route, special)
    }

    #[inline(always)]
    fn new(endpoint: Lent<Endpoint>, method: KnownMethod, (kind, in_flight): (Kind, u8), route: Matched, special: u8) -> Self {
        endpoint.begin(in_flight, kind);
        Self {
            in_flight,
            started: endpoint.records.clock.nanos(),
            bytes: UNKNOWN,
            id: None,
            extra: None,
            has_route: route.is_route(),
            route,
            kind,
            method,
            timed: true,
            special,
            unread: false,
            on_drop: Some(Outcome::Panicked),
            endpoint,
        }
    }

    /// Looks at what hardly any request needs. Where there is no need this is two comparisons, which belong in the caller, too.
    #[inline(always)]
    pub(crate) fn look_closer<B>(&mut self, request: &mut Request<B>) {
        let may_be_grpc = self.method == KnownMethod::Post && request.version() == Version::HTTP_2;
        if !self.endpoint.is_plain || may_be_grpc {
            self.look_at_rest(request, may_be_grpc);
        }
    }

    #[inline(never)]
    fn look_at_rest<B>(&mut self, request: &mut Request<B>, may_be_grpc: bool) {
        if self.endpoint.options.is_some() {
            self.ask_for_route(RequestHead::of(request));
        }
        if self.special != 0 {
            self.apply_options(request);
        }
        let is_served = self.endpoint.records.side() == Side::Server;
        if may_be_grpc && is_served && grpc::is_grpc(request.method(), request.headers()) {
            let call = self.endpoint.records.call(request.uri().path());
            self.extra().grpc = call;
        }
    }

    /// Takes the route that the application's hook tells, or the router's template. A panic in there finds the request counted.
    fn ask_for_route(&mut self, head: RequestHead<'_>) {
        let endpoint = &*self.endpoint;
        let Some(template) = endpoint.route_of(head) else {
            return;
        };
        self.route = endpoint.matched(&template);
        self.has_route |= self.route.is_route();
        let ruled = endpoint.rules().map(|rules| rules.of(&template).ruled());
        if let Some(ruled) = ruled.filter(|ruled| *ruled != Ruled::default()) {
            self.extra().ruled = ruled;
        }
    }

    fn apply_options<B>(&mut self, request: &mut Request<B>) {
        let Some(options) = self.endpoint.options.clone() else {
            return;
        };
        // It says that there is more to do at the head and at the end.
        self.extra();
        self.take_own(&options, RequestHead::of(request));
        if options.handle {
            let extensions = request.extensions_mut();
            let slot = RequestSlot::new(&self.endpoint.records, extensions.remove());
            extensions.insert(slot.clone());
            self.extra().handle = Some(slot);
        }
    }

    fn take_own(&mut self, options: &Options, head: RequestHead<'_>) {
        let extra = self.extra();
        for (place, own) in &options.own {
            if let Some(value) = own.in_request(head) {
                extra.set_own(*place, kept(&value));
            }
        }
    }
}

/// The labels that are known from the beginning of a request that is served under the usual names, and its number among what is in flight.
#[inline(always)]
fn usual_kind<B>(request: &Request<B>, method: KnownMethod) -> (Kind, u8) {
    let auth_type = AuthType::of(request.headers()).standard_number();
    (Kind::new(method as u8, auth_type), method as u8)
}

/// The same of any other request.
#[inline(never)]
fn kind<B>(endpoint: &Endpoint, request: &Request<B>, method: KnownMethod) -> (Kind, u8) {
    let vocabulary = &endpoint.records.vocabulary;
    let number = vocabulary.methods.number(method, request.method());
    let auth_type = match vocabulary.side {
        Side::Server => AuthType::of(request.headers()).standard_number(),
        Side::Client => 0,
    };
    let mut kind = Kind::new(number, auth_type);
    if vocabulary.names == Names::OpenTelemetry {
        kind = with_protocol(kind, endpoint, request);
    }
    (kind, endpoint.records.number_in_flight(kind))
}

fn with_protocol<B>(kind: Kind, endpoint: &Endpoint, request: &Request<B>) -> Kind {
    let told = endpoint.options.as_ref().and_then(|options| options.scheme);
    let scheme = told.or_else(|| Scheme::of(request.uri())).unwrap_or(Scheme::Http);
    kind.with_protocol(scheme, HttpVersion::of(request.version()))
}

impl Endpoint {
    /// The route of a request of which nothing is known yet.
    pub(crate) fn default(&self) -> Matched {
        if self.owner().is_client() {
            Matched::ENDPOINT
        } else {
            Matched::NOTHING
        }
    }
}
