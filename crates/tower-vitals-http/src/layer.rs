use std::{borrow::Cow, sync::Arc};

use tower_layer::Layer;
use tower_vitals_core::{Bounds, RegisterError, Vitals, spread::Spread};

use crate::{Metrics, RequestHead, counted::Endpoint, records::Records, route::RouteWith};

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
    route_with: Option<Arc<RouteWith>>,
}

/// Sets up a [`MetricsLayer`].
#[derive(Debug)]
#[must_use = "nothing is made until `build` is called"]
pub struct MetricsLayerBuilder {
    vitals: Vitals,
    buckets: Option<Vec<f64>>,
    route_with: Option<RouteWith>,
}

// === impl MetricsLayer ===

impl MetricsLayer {
    /// A layer that records into this Vitals.
    ///
    /// It cannot fail, because the names of its families are kept free. If a layer of the same Vitals was built with other buckets
    /// before, this one shares them.
    #[must_use]
    pub fn new(vitals: &Vitals) -> Self {
        Self {
            records: records(vitals, Bounds::default()),
            route_with: None,
        }
    }

    /// Sets up a layer.
    pub fn builder(vitals: &Vitals) -> MetricsLayerBuilder {
        MetricsLayerBuilder {
            vitals: vitals.clone(),
            buckets: None,
            route_with: None,
        }
    }
}

impl<S> Layer<S> for MetricsLayer {
    type Service = Metrics<S>;

    fn layer(&self, inner: S) -> Metrics<S> {
        let endpoint = Endpoint::new(Arc::clone(&self.records), self.route_with.clone());
        Metrics::new(inner, Spread::new(endpoint))
    }
}

// === impl MetricsLayerBuilder ===

impl MetricsLayerBuilder {
    /// The upper bounds of the buckets of `http_request_duration_seconds`, in seconds; from 5 ms to 10 s unless set here.
    pub fn duration_buckets(mut self, bounds: impl AsRef<[f64]>) -> Self {
        self.buckets = Some(bounds.as_ref().to_vec());
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
        self.route_with = Some(RouteWith::new(route));
        self
    }

    /// Makes the layer.
    ///
    /// # Errors
    /// When a bound of the buckets is negative or not finite (a last `+Inf` is left out, every histogram has it), when the bounds do not
    /// rise, or when a layer of the same Vitals has others.
    pub fn build(self) -> Result<MetricsLayer, RegisterError> {
        const NAME: &str = "http_request_duration_seconds";
        let bounds = match &self.buckets {
            Some(buckets) => Bounds::try_new(buckets).map_err(|rule| RegisterError::invalid(NAME, rule))?,
            None => Bounds::default(),
        };
        let records = records(&self.vitals, bounds.clone());
        if self.buckets.is_some() && records.bounds != bounds {
            let rule = format!(
                "a layer has the buckets {:?} already, not {:?}",
                records.bounds.values(),
                bounds.values()
            );
            return Err(RegisterError::invalid(NAME, rule));
        }
        Ok(MetricsLayer {
            records,
            route_with: self.route_with.map(Arc::new),
        })
    }
}

/// The records of a Vitals, made by its first layer.
fn records(vitals: &Vitals, bounds: Bounds) -> Arc<Records> {
    vitals.extension(|| match Records::register(vitals, bounds) {
        Ok(records) => records,
        Err(error) => unreachable!("our names and labels are kept free: {error}"),
    })
}
