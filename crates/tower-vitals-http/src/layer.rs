use std::{borrow::Cow, sync::Arc};

use tower_layer::Layer;
use tower_vitals_core::{RegisterError, Vitals, spread::Spread};

use crate::{
    Metrics, Names, PrincipalIds, RequestHead, ResponseHead, Slo, UrlScheme,
    endpoint::{Endpoint, Options},
    names::Side,
    own::OwnLabel,
    records::Records,
    route::RouteWith,
    settings::Settings,
};

/// Counts and times the requests of a service.
///
/// # Example
/// ```
/// use tower_vitals_core::Vitals;
/// use tower_vitals_http::MetricsLayer;
///
/// let vitals = Vitals::new();
/// let app = axum::Router::<()>::new()
///     .route("/users/{id}", axum::routing::get(|| async { "hello" }))
///     .layer(MetricsLayer::new(&vitals));
/// ```
///
/// # Clone
/// Clones are cheap and count into the same families, as do all layers of one [`Vitals`].
#[derive(Clone, Debug)]
pub struct MetricsLayer {
    records: Arc<Records>,
    options: Option<Arc<Options>>,
}

/// Sets up a [`MetricsLayer`].
///
/// Names, buckets, methods, auth types, IDs and labels of one's own are those of all layers of a [`Vitals`]: the first one has them, and
/// later ones may leave them out or must set the same.
#[derive(Debug)]
#[must_use = "nothing is made until `build` is called"]
pub struct MetricsLayerBuilder {
    vitals: Vitals,
    settings: Settings,
}

// === impl MetricsLayer ===

impl MetricsLayer {
    /// A layer that records into this Vitals.
    ///
    /// It cannot fail, because the names of its families are kept free. What layers of a Vitals have in common is as the first one was
    /// built.
    #[must_use]
    pub fn new(vitals: &Vitals) -> Self {
        match Self::builder(vitals).build() {
            Ok(layer) => layer,
            Err(error) => unreachable!("our names and labels are kept free: {error}"),
        }
    }

    /// Sets up a layer.
    pub fn builder(vitals: &Vitals) -> MetricsLayerBuilder {
        MetricsLayerBuilder {
            vitals: vitals.clone(),
            settings: Settings::default(),
        }
    }
}

impl<S> Layer<S> for MetricsLayer {
    type Service = Metrics<S>;

    fn layer(&self, inner: S) -> Metrics<S> {
        let endpoint = Endpoint::of_server(Arc::clone(&self.records), self.options.clone());
        Metrics::new(inner, Spread::new(endpoint))
    }
}

// === impl MetricsLayerBuilder ===

impl MetricsLayerBuilder {
    /// The upper bounds of the buckets of `http_request_duration_seconds`, in seconds; from 5 ms to 10 s unless set here.
    pub fn duration_buckets(mut self, bounds: impl AsRef<[f64]>) -> Self {
        self.settings.buckets = Some(bounds.as_ref().to_vec());
        self
    }

    /// The names under which requests are recorded; Prometheus' usual ones unless set here.
    pub fn names(mut self, names: Names) -> Self {
        self.settings.names = Some(names);
        self
    }

    /// The methods that the label tells apart, in place of the usual ones; all others are `_OTHER`. They are compared by case, as methods
    /// are. There may be 62.
    ///
    /// With OpenTelemetry's names, the environment variable `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS` (a list with commas) sets them unless
    /// they are set here. It is read when the first layer is built.
    pub fn known_methods<M: Into<String>>(mut self, methods: impl IntoIterator<Item = M>) -> Self {
        self.settings.methods = Some(methods.into_iter().map(Into::into).collect());
        self
    }

    /// The scheme by which this service is reached, for OpenTelemetry's label `url_scheme`. Unless it is set, it is what the request's URI
    /// says, which is a client's word, and `http` where it says nothing, as over HTTP/1.
    pub fn url_scheme(mut self, scheme: UrlScheme) -> Self {
        self.settings.options.scheme = Some(scheme.into());
        self
    }

    /// Auth types of the application's own, beside those that [`AuthType`](crate::AuthType) has: a principal says them with
    /// [`AuthType::Own`](crate::AuthType::Own). One that is not registered here counts as `other`.
    pub fn auth_types(mut self, own: impl IntoIterator<Item = &'static str>) -> Self {
        self.settings.auth_types = Some(own.into_iter().collect());
        self
    }

    /// Counts requests by who makes them: by user and by API key, each in a family of its own. See [`PrincipalIds`].
    pub fn principal_ids(mut self, ids: PrincipalIds) -> Self {
        self.settings.ids = Some(ids);
        self
    }

    /// Tells the route of a request, where there is no axum router that does: a template such as `/users/{id}`, never the path. It goes
    /// before axum's template. Where it gives `None`, that is used, or `_unmatched`.
    ///
    /// Whatever it gives, the label's budget holds: routes beyond it become `_other`.
    ///
    /// # Example
    /// ```
    /// use tower_vitals_core::Vitals;
    /// use tower_vitals_http::MetricsLayer;
    ///
    /// let vitals = Vitals::new();
    /// let layer = MetricsLayer::builder(&vitals)
    ///     .route_with(|request| match request.uri.path() {
    ///         "/" => Some("/".into()),
    ///         path if path.starts_with("/users/") => Some("/users/{id}".into()),
    ///         _ => None,
    ///     })
    ///     .build()?;
    /// # Ok::<(), tower_vitals_core::RegisterError>(())
    /// ```
    pub fn route_with<F>(mut self, route: F) -> Self
    where
        F: for<'a> Fn(RequestHead<'a>) -> Option<Cow<'a, str>> + Send + Sync + 'static,
    {
        self.settings.route_with = Some(RouteWith::new(route));
        self
    }

    /// Routes whose requests are not counted: templates, or beginnings of templates with a `*` at their end, such as `/internal/*`.
    ///
    /// Only what is in flight is counted of them, because the route may turn out later.
    pub fn skip_routes<R: Into<String>>(mut self, routes: impl IntoIterator<Item = R>) -> Self {
        self.settings.rules.skip.extend(routes.into_iter().map(Into::into));
        self
    }

    /// Counts the requests of routes under one name, which takes the place of their templates. Patterns are as with
    /// [`skip_routes`](Self::skip_routes).
    pub fn group_route(mut self, routes: impl Into<String>, name: impl Into<String>) -> Self {
        self.settings.rules.group.push((routes.into(), name.into()));
        self
    }

    /// Routes whose responses are streams whatever their content type: they stay out of the durations of ordinary requests, and who
    /// leaves one has completed it. Patterns are as with [`skip_routes`](Self::skip_routes).
    pub fn stream_routes<R: Into<String>>(mut self, routes: impl IntoIterator<Item = R>) -> Self {
        self.settings.rules.stream.extend(routes.into_iter().map(Into::into));
        self
    }

    /// An objective for the latency of routes, counted in `http_slo_requests_total`. Patterns are as with
    /// [`skip_routes`](Self::skip_routes).
    pub fn slo(mut self, routes: impl Into<String>, slo: Slo) -> Self {
        self.settings.rules.slo.push((routes.into(), slo));
        self
    }

    /// A label of the application's own on `http_requests_total`, told from the request. `most` is how many values it may take; others
    /// become `_other`. Where there is no value it is empty.
    ///
    /// Each label multiplies the series by its values, and a request of a layer with such labels costs a look-up by text. With
    /// OpenTelemetry's names the label goes to the durations, which have the count.
    pub fn request_label<F>(mut self, name: impl Into<String>, most: usize, tell: F) -> Self
    where
        F: for<'a> Fn(RequestHead<'a>) -> Option<Cow<'a, str>> + Send + Sync + 'static,
    {
        self.settings.own.push(OwnLabel::of_request(name, most, tell));
        self
    }

    /// As [`request_label`](Self::request_label), told from the head of the response. It is empty where none was sent.
    pub fn response_label<F>(mut self, name: impl Into<String>, most: usize, tell: F) -> Self
    where
        F: for<'a> Fn(ResponseHead<'a>) -> Option<Cow<'a, str>> + Send + Sync + 'static,
    {
        self.settings.own.push(OwnLabel::of_response(name, most, tell));
        self
    }

    /// As [`request_label`](Self::request_label), told by code further in with [`tag_label`](crate::tag_label).
    pub fn slot_label(mut self, name: impl Into<String>, most: usize) -> Self {
        self.settings.own.push(OwnLabel::of_slot(name, most));
        self
    }

    /// Measures how long the heads of responses take, in `http_response_head_seconds`.
    pub fn head_seconds(mut self) -> Self {
        self.settings.options.heads = true;
        self
    }

    /// Measures bodies, in `http_response_body_bytes` and `http_request_body_bytes`: the bytes that were really there, whatever the heads
    /// promised. Requests are counted where a [`RequestBodyLayer`](crate::RequestBodyLayer) sees them.
    pub fn body_bytes(mut self) -> Self {
        self.settings.options.bytes = true;
        self
    }

    /// Puts a [`RequestSlot`](crate::RequestSlot) into the extensions of each request, for code that runs in spawned tasks. Where a
    /// request passes two layers of one Vitals, it is the outer one that counts and so has to be told this.
    pub fn slot_in_extensions(mut self) -> Self {
        self.settings.options.handle = true;
        self
    }

    /// Makes the layer.
    ///
    /// # Errors
    /// When a value breaks a rule, or differs from that of another layer of the same Vitals where they have to be the same; the error says
    /// which.
    pub fn build(self) -> Result<MetricsLayer, RegisterError> {
        let (records, options) = self.settings.build(&self.vitals, Side::Server)?;
        Ok(MetricsLayer { records, options })
    }
}
