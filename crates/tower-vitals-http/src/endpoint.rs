//! What the requests of one service have in common.

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
};

use http::{Extensions, Request};

use crate::{
    RequestHead,
    kind::{Kind, Scheme},
    names::Side,
    own::OwnLabel,
    records::{Records, Route},
    route::{RouteWith, matched},
    rules::{Rules, Ruling},
    slot::{self, Owner},
};

/// What the clones of one service share. axum makes a service for each route, so the route is nearly always the one of last time.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) records: Arc<Records>,
    /// What an ordinary layer does not have.
    pub(crate) options: Option<Arc<Options>>,
    owner: Owner,
    /// Whether it is a server's without options, under the usual names: the beginning of a request is short then.
    pub(crate) is_plain: bool,
    /// Whether it is a server's under the usual names.
    pub(crate) has_usual_names: bool,
    /// One if there is something special to do with each request, beyond finding its route.
    pub(crate) special: u8,
    /// The route of the first request that had one, or the target of all.
    route: OnceLock<Known>,
}

/// What a layer was told beyond what all layers of its side share.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) route_with: Option<RouteWith>,
    pub(crate) rules: Rules,
    /// With their places among the labels of the side.
    pub(crate) own: Vec<(usize, OwnLabel)>,
    pub(crate) heads: bool,
    pub(crate) bytes: bool,
    pub(crate) handle: bool,
    pub(crate) scheme: Option<Scheme>,
}

#[derive(Clone, Debug)]
struct Known {
    /// What the router or the hook said.
    template: Box<str>,
    route: Arc<Route>,
}

/// Which route a request matched, without a reference count that all requests share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Matched(u32);

impl Endpoint {
    pub(crate) fn of_server(records: Arc<Records>, options: Option<Arc<Options>>) -> Self {
        Self {
            owner: Owner::server(Arc::as_ptr(&records).addr()),
            is_plain: options.is_none() && records.vocabulary.is_plain(),
            has_usual_names: records.vocabulary.is_plain(),
            special: options
                .as_ref()
                .is_some_and(|options| options.needs_extra() || records.is_rich)
                .into(),
            records,
            options,
            route: OnceLock::new(),
        }
    }

    /// Requests to this target, unless the hook of the options says otherwise.
    pub(crate) fn of_client(records: Arc<Records>, options: Option<Arc<Options>>, target: &Arc<Route>) -> Self {
        let known = Known {
            template: target.text().into(),
            route: Arc::clone(target),
        };
        Self {
            // Requests to another target that are sent meanwhile, such as one for a token, are others.
            owner: Owner::client(Arc::as_ptr(target).addr()),
            is_plain: false,
            has_usual_names: false,
            special: 1,
            records,
            options,
            route: OnceLock::from(known),
        }
    }

    #[inline]
    pub(crate) fn owner(&self) -> Owner {
        self.owner
    }

    /// Whether a layer further out counts the request already.
    #[inline(always)]
    pub(crate) fn counts_already<B>(&self, request: &Request<B>) -> bool {
        let route = || self.route_of(RequestHead::of(request)).map(Cow::into_owned);
        slot::is_counted(|| self.owner_of(request), route)
    }

    /// Who counts a request that begins.
    fn owner_of<B>(&self, request: &Request<B>) -> Owner {
        let options = self.options.as_ref().filter(|_| self.owner.is_client());
        match options.and_then(|options| options.route(RequestHead::of(request))) {
            Some(target) => self.owner_to(self.matched(&target)),
            None => self.owner,
        }
    }

    /// Who counts a request with this route. Those that are sent are told apart by their targets.
    #[inline(always)]
    pub(crate) fn owner_to(&self, matched: Matched) -> Owner {
        if self.owner.is_client() && matched != Matched::ENDPOINT {
            self.client_to(matched)
        } else {
            self.owner
        }
    }

    #[cold]
    fn client_to(&self, matched: Matched) -> Owner {
        self.with_route(matched, |route| Owner::client(std::ptr::from_ref(route).addr()))
    }

    /// The text of a request's route.
    pub(crate) fn route_of<'a>(&self, head: RequestHead<'a>) -> Option<Cow<'a, str>> {
        let told = self.options.as_ref().and_then(|options| options.route(head));
        told.or_else(|| self.template(head.extensions).map(Cow::Borrowed))
    }

    /// The template that the router matched. Where requests are sent, it would be that of the request which is served meanwhile.
    #[inline]
    fn template<'a>(&self, extensions: &'a Extensions) -> Option<&'a str> {
        match self.records.side() {
            Side::Server => matched(extensions),
            Side::Client => None,
        }
    }

    /// What is known of a request's route when it begins, without asking the application's code.
    #[inline(always)]
    pub(crate) fn matched_at_once(&self, extensions: &Extensions) -> Matched {
        match self.template(extensions) {
            Some(template) => self.matched(template),
            None if self.owner.is_client() => Matched::ENDPOINT,
            None => Matched::NOTHING,
        }
    }

    /// Finds the route of this template. The first one is kept here for the next requests.
    #[inline]
    pub(crate) fn matched(&self, template: &str) -> Matched {
        match self.route.get() {
            Some(known) if *known.template == *template => Matched::ENDPOINT,
            first => self.other(template, first.is_none()),
        }
    }

    #[inline(never)]
    fn other(&self, template: &str, is_first: bool) -> Matched {
        let label = self.rules().map_or(template, |rules| rules.of(template).label);
        match self.records.route(label) {
            None => Matched::REFUSED,
            Some(route) if is_first && self.keep(template, route.hold()) => Matched::ENDPOINT,
            Some(route) => Matched(route.number()),
        }
    }

    fn keep(&self, template: &str, route: Arc<Route>) -> bool {
        let template = template.into();
        self.route.set(Known { template, route }).is_ok()
    }

    /// The layer's rules, if it has any.
    #[inline]
    pub(crate) fn rules(&self) -> Option<&Rules> {
        let options = self.options.as_ref()?;
        (!options.rules.is_empty()).then_some(&options.rules)
    }

    /// What the layer's rules say of a template.
    pub(crate) fn ruling<'a>(&'a self, template: &'a str) -> Ruling<'a> {
        self.rules().map_or(Ruling::plain(template), |rules| rules.of(template))
    }

    /// Counts the start of a request.
    #[inline(always)]
    pub(crate) fn begin(&self, number: u8, kind: Kind) {
        self.records.begin(number, kind, || self.target());
    }

    /// Counts the end of a request that began with the same.
    #[inline(always)]
    pub(crate) fn end(&self, number: u8, kind: Kind) {
        self.records.end(number, kind, || self.target());
    }

    /// Where requests are sent, unless the hook said otherwise.
    fn target(&self) -> &str {
        self.route.get().map_or("", |known| known.route.text())
    }

    /// The route that was matched, unless it has to be looked up.
    #[inline(always)]
    pub(crate) fn at_hand(&self, matched: Matched) -> Option<&Route> {
        match matched {
            Matched::ENDPOINT => self.route.get().map(|known| &*known.route),
            Matched::NOTHING => Some(&self.records.unmatched),
            Matched::REFUSED => Some(&self.records.other),
            Matched(_) => None,
        }
    }

    /// Does something with the route that was matched.
    #[inline(never)]
    pub(crate) fn with_route<R>(&self, matched: Matched, f: impl FnOnce(&Route) -> R) -> R {
        if let Some(route) = self.at_hand(matched) {
            return f(route);
        }
        let route = self.records.numbered(matched.0);
        f(route.as_deref().unwrap_or(&self.records.other))
    }
}

impl Options {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        let Self {
            route_with,
            rules,
            own,
            heads,
            bytes,
            handle,
            scheme,
        } = self;
        route_with.is_none() && rules.is_empty() && own.is_empty() && !heads && !bytes && !handle && scheme.is_none()
    }

    /// Whether there is more to do with each request than to find its route.
    pub(crate) fn needs_extra(&self) -> bool {
        !self.own.is_empty() || self.heads || self.bytes || self.handle
    }

    fn route<'a>(&self, head: RequestHead<'a>) -> Option<Cow<'a, str>> {
        self.route_with.as_ref()?.route(head)
    }
}

impl Matched {
    /// The endpoint's.
    pub(crate) const ENDPOINT: Self = Self(u32::MAX);
    /// None.
    pub(crate) const NOTHING: Self = Self(u32::MAX - 1);
    /// One that the label's budget refused.
    pub(crate) const REFUSED: Self = Self(u32::MAX - 2);

    /// Whether there is a route that the label may show.
    #[inline]
    pub(crate) fn is_route(self) -> bool {
        self != Self::NOTHING && self != Self::REFUSED
    }
}
