use std::{borrow::Cow, sync::Arc};

use tower_layer::Layer;
use tower_vitals_core::{RegisterError, Vitals, spread::Spread};

use crate::{
    Metrics, Names, RequestHead, ResponseHead,
    endpoint::{Endpoint, Options},
    names::Side,
    own::OwnLabel,
    records::{Records, Route},
    route::RouteWith,
    settings::Settings,
};

/// Counts and times the requests that a client sends.
///
/// It goes around a client that is a Tower service of HTTP requests: hyper-util's, a tonic channel, or reqwest's through
/// `ReqwestService` (feature `reqwest013`). Counting starts when the client is called and ends with the response's body. An error is
/// `failed`; a request that is given up, before the head or inside the body, is `aborted`; a body that nobody looked at is not missed.
///
/// Requests are told apart by a target, which is a name from code, never the host of the URI.
///
/// # Example
/// ```
/// use tower_layer::Layer;
/// use tower_vitals_core::Vitals;
/// use tower_vitals_http::ClientMetricsLayer;
///
/// # fn wrap<S>(client: S) {
/// let vitals = Vitals::new();
/// let client = ClientMetricsLayer::new(&vitals, "payments").layer(client);
/// # }
/// ```
///
/// # Clone
/// Clones are cheap and count into the same families, as do all client layers of one [`Vitals`].
#[derive(Clone, Debug)]
pub struct ClientMetricsLayer {
    records: Arc<Records>,
    options: Option<Arc<Options>>,
    target: Arc<Route>,
}

/// Sets up a [`ClientMetricsLayer`].
///
/// Names, buckets, methods and labels of one's own are those of all client layers of a [`Vitals`]: the first one has them, and later ones may
/// leave them out or must set the same.
#[derive(Debug)]
#[must_use = "nothing is made until `build` is called"]
pub struct ClientMetricsLayerBuilder {
    vitals: Vitals,
    target: String,
    settings: Settings,
}

// === impl ClientMetricsLayer ===

impl ClientMetricsLayer {
    /// A layer that records requests to this target into this Vitals.
    ///
    /// It cannot fail, because the names of its families are kept free. With OpenTelemetry's names the target is the address of the server,
    /// and its port when it ends in one, such as `payments:8443`.
    #[must_use]
    pub fn new(vitals: &Vitals, target: impl Into<String>) -> Self {
        match Self::builder(vitals, target).build() {
            Ok(layer) => layer,
            Err(error) => unreachable!("our names and labels are kept free: {error}"),
        }
    }

    /// Sets up a layer.
    pub fn builder(vitals: &Vitals, target: impl Into<String>) -> ClientMetricsLayerBuilder {
        ClientMetricsLayerBuilder {
            vitals: vitals.clone(),
            target: target.into(),
            settings: Settings::default(),
        }
    }
}

impl<S> Layer<S> for ClientMetricsLayer {
    type Service = Metrics<S>;

    fn layer(&self, inner: S) -> Metrics<S> {
        let records = Arc::clone(&self.records);
        let endpoint = Endpoint::of_client(records, self.options.clone(), &self.target);
        Metrics::new(inner, Spread::new(endpoint))
    }
}

// === impl ClientMetricsLayerBuilder ===

impl ClientMetricsLayerBuilder {
    /// The upper bounds of the buckets of `http_client_request_duration_seconds`, in seconds; from 5 ms to 10 s unless set here.
    pub fn duration_buckets(mut self, bounds: impl AsRef<[f64]>) -> Self {
        self.settings.buckets = Some(bounds.as_ref().to_vec());
        self
    }

    /// The names under which requests are recorded; Prometheus' usual ones unless set here. The server's side may have others.
    pub fn names(mut self, names: Names) -> Self {
        self.settings.names = Some(names);
        self
    }

    /// As [`MetricsLayerBuilder::known_methods`](crate::MetricsLayerBuilder::known_methods).
    pub fn known_methods<M: Into<String>>(mut self, methods: impl IntoIterator<Item = M>) -> Self {
        self.settings.methods = Some(methods.into_iter().map(Into::into).collect());
        self
    }

    /// Tells the target of a request, for a client of several. Where it gives `None`, the layer's target is used. It must give a name that the
    /// application knows; targets beyond the label's budget become `_other`. What is in flight counts for the layer's target, where the
    /// names tell targets apart there.
    ///
    /// # Example
    /// ```
    /// use tower_vitals_core::Vitals;
    /// use tower_vitals_http::ClientMetricsLayer;
    ///
    /// let vitals = Vitals::new();
    /// let layer = ClientMetricsLayer::builder(&vitals, "others")
    ///     .target_with(|request| match request.uri.host() {
    ///         Some("pay.example") => Some("payments".into()),
    ///         Some("mail.example") => Some("mail".into()),
    ///         _ => None,
    ///     })
    ///     .build()?;
    /// # Ok::<(), tower_vitals_core::RegisterError>(())
    /// ```
    pub fn target_with<F>(mut self, target: F) -> Self
    where
        F: for<'a> Fn(RequestHead<'a>) -> Option<Cow<'a, str>> + Send + Sync + 'static,
    {
        self.settings.route_with = Some(RouteWith::new(target));
        self
    }

    /// As [`MetricsLayerBuilder::request_label`](crate::MetricsLayerBuilder::request_label), on `http_client_requests_total`.
    pub fn request_label<F>(mut self, name: impl Into<String>, most: usize, tell: F) -> Self
    where
        F: for<'a> Fn(RequestHead<'a>) -> Option<Cow<'a, str>> + Send + Sync + 'static,
    {
        self.settings.own.push(OwnLabel::of_request(name, most, tell));
        self
    }

    /// As [`MetricsLayerBuilder::response_label`](crate::MetricsLayerBuilder::response_label), on `http_client_requests_total`.
    pub fn response_label<F>(mut self, name: impl Into<String>, most: usize, tell: F) -> Self
    where
        F: for<'a> Fn(ResponseHead<'a>) -> Option<Cow<'a, str>> + Send + Sync + 'static,
    {
        self.settings.own.push(OwnLabel::of_response(name, most, tell));
        self
    }

    /// Measures how long the heads of responses take, in `http_client_response_head_seconds`.
    pub fn head_seconds(mut self) -> Self {
        self.settings.options.heads = true;
        self
    }

    /// Measures bodies, in `http_client_response_body_bytes` and `http_client_request_body_bytes`. Requests are counted where a
    /// [`RequestBodyLayer`](crate::RequestBodyLayer) inside of this layer sees them.
    pub fn body_bytes(mut self) -> Self {
        self.settings.options.bytes = true;
        self
    }

    /// Makes the layer.
    ///
    /// # Errors
    /// When a value breaks a rule, or differs from that of another client layer of the same Vitals where they have to be the same; the
    /// error says which.
    pub fn build(self) -> Result<ClientMetricsLayer, RegisterError> {
        let (records, options) = self.settings.build(&self.vitals, Side::Client)?;
        let target = match records.route(&self.target) {
            Some(target) => target.hold(),
            None => Arc::clone(&records.other),
        };
        Ok(ClientMetricsLayer {
            records,
            options,
            target,
        })
    }
}
