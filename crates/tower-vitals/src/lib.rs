// The README shows everything that there is by default. What it shows of `breaker` is hidden from the compiler without that feature.
#![cfg_attr(all(feature = "axum", feature = "exposition"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "axum", feature = "exposition")),
    doc = "Prometheus metrics for any Tower service by adding a layer. Its front page is that of the default features."
)]

#[doc(inline)]
pub use tower_vitals_core::{
    Attachment, AttachmentError, Bounds, Clock, ClosedLabel, Computed, Counter, CounterFamily, Descriptor, Family, FamilyBuilder,
    FloatCounter, FloatCounterFamily, FloatGauge, FloatGaugeFamily, Gauge, GaugeFamily, Handle, HashedId, Histogram,
    HistogramFamily, HistogramSamples, IdHasher, InFlight, InFlightFamily, InFlightGuard, Instrument, Kind, LONGEST_VALUE, Label,
    LabelValues, Labels, LeftOut, ManualClock, OTHER, Ref, RegisterError, Samples, SecretError, Unit, Vitals, VitalsBuilder,
    closed_label, encode, label_value, table,
};

#[cfg(feature = "breaker")]
#[doc(inline)]
pub use tower_vitals_breaker::{
    self as breaker, BreakerError, CircuitBreaker, CircuitBreakerLayer, CircuitBreakers, KeyedBreakers, UnavailableLayer,
};

#[cfg(feature = "http")]
#[doc(inline)]
pub use tower_vitals_http::{
    AuthType, ClientMetricsLayer, ClientMetricsLayerBuilder, Metrics, MetricsBody, MetricsLayer, MetricsLayerBuilder, Names,
    Outcome, Principal, PrincipalIds, RequestBody, RequestBodyBytes, RequestBodyLayer, RequestHead, RequestSlot, ResponseFuture,
    ResponseHead, Slo, UNMATCHED, UrlScheme, tag_label, tag_route,
};

#[cfg(feature = "reqwest013")]
#[doc(inline)]
pub use tower_vitals_http::{ReqwestFuture, ReqwestService};

#[cfg(feature = "ws")]
#[doc(inline)]
pub use tower_vitals_ws::{self as ws, MeteredWebSocket, WebSocketLayer, WebSockets};

#[cfg(all(feature = "axum", feature = "ws"))]
#[doc(inline)]
pub use tower_vitals_ws::MeteredUpgrade;

#[cfg(feature = "exposition")]
#[doc(inline)]
pub use tower_vitals_exposition::{MetricsRoute, ProtocolKind, ScrapeBody};

#[cfg(feature = "prometheus-client025")]
#[doc(inline)]
pub use tower_vitals_exposition::prometheus;
