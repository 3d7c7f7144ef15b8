//! Everything that is measured, by name.

use axum::http::HeaderMap;
use tower_vitals::{MetricsLayer, Vitals};

#[cfg(feature = "rivals")]
use crate::rivals;
use crate::{
    Result,
    app::{self, Around},
    no_op::NoOpLayer,
    pairs::{self, Work},
    requests::{known, outside},
    unlabelled::{Instants, OurClock, UnlabelledLayer},
};

/// Something to measure.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) subject: Subject,
}

/// What serves the requests of an entry.
#[derive(Debug)]
pub(super) enum Subject {
    /// An axum router, with what this puts around its routes.
    Router(fn() -> Around),
    /// The same, and each request has these header fields in place of the usual ones.
    WithFields(fn() -> HeaderMap, fn() -> Around),
    /// A service without a router.
    Service(fn() -> outside::Make),
}

/// The router that the others add to.
pub(super) const BARE: &str = "bare";

/// The reference for times: whatever counts a request has to do as much.
pub(super) const UNLABELLED: &str = "unlabelled atomics";

/// The layer that all of this is about.
pub(super) const OURS: &str = "tower-vitals";

/// The packages whose versions matter.
pub(super) const PACKAGES: &[&str] = &[
    "axum",
    #[cfg(feature = "rivals")]
    "prometheus-axum-middleware",
    #[cfg(feature = "rivals")]
    "axum-prometheus",
    #[cfg(feature = "rivals")]
    "axum-otel-metrics",
    #[cfg(feature = "rivals")]
    "tower-otel-http-metrics",
    #[cfg(feature = "rivals")]
    "opentelemetry-instrumentation-tower",
    #[cfg(feature = "rivals")]
    "opentelemetry_sdk",
    #[cfg(feature = "rivals")]
    "prometheus-client",
    #[cfg(feature = "rivals")]
    "prometheus",
    #[cfg(feature = "rivals")]
    "metrics",
    #[cfg(feature = "rivals")]
    "metrics-exporter-prometheus",
];

/// Layers around a router, after the router alone.
pub(super) const ROUTERS: &[Entry] = &[
    Entry {
        name: BARE,
        subject: Subject::Router(|| Box::new(|routes| routes)),
    },
    Entry {
        name: "no-op layer",
        subject: Subject::Router(|| app::around(NoOpLayer)),
    },
    Entry {
        name: UNLABELLED,
        subject: Subject::Router(|| app::around(UnlabelledLayer::<Instants>::default())),
    },
    Entry {
        name: "unlabelled atomics, our clock",
        subject: Subject::Router(|| app::around(UnlabelledLayer::<OurClock>::default())),
    },
    Entry {
        name: OURS,
        subject: Subject::Router(|| app::around(MetricsLayer::new(&Vitals::new()))),
    },
    #[cfg(feature = "rivals")]
    Entry {
        name: "prometheus-axum-middleware",
        subject: Subject::Router(rivals::prometheus_axum_middleware::around),
    },
    #[cfg(feature = "rivals")]
    Entry {
        name: "axum-prometheus",
        subject: Subject::Router(rivals::axum_prometheus::around),
    },
    #[cfg(feature = "rivals")]
    Entry {
        name: "axum-otel-metrics",
        subject: Subject::Router(rivals::axum_otel_metrics::around),
    },
    #[cfg(feature = "rivals")]
    Entry {
        name: "tower-otel-http-metrics",
        subject: Subject::Router(rivals::tower_otel_http_metrics::around),
    },
    #[cfg(feature = "rivals")]
    Entry {
        name: "opentelemetry-instrumentation-tower",
        subject: Subject::Router(rivals::opentelemetry_instrumentation_tower::around),
    },
    #[cfg(feature = "rivals")]
    Entry {
        name: "by hand with prometheus-client",
        subject: Subject::Router(rivals::by_hand_prometheus_client::around),
    },
    #[cfg(feature = "rivals")]
    Entry {
        name: "by hand with prometheus",
        subject: Subject::Router(rivals::by_hand_prometheus::around),
    },
    #[cfg(feature = "rivals")]
    Entry {
        name: "by hand with metrics",
        subject: Subject::Router(rivals::by_hand_metrics::around),
    },
];

/// A layer around a service, after the service alone.
pub(super) const SERVICES: &[Entry] = &[
    Entry {
        name: "bare service",
        subject: Subject::Service(outside::bare),
    },
    Entry {
        name: "tower-vitals outside the router",
        subject: Subject::Service(outside::layered),
    },
];

/// Our layer around a router whose requests have a token, after the router alone.
pub(super) const WITH_TOKEN: &[Entry] = &[
    Entry {
        name: "bare, with a token",
        subject: Subject::WithFields(app::headers_with_token, || Box::new(|routes| routes)),
    },
    Entry {
        name: "tower-vitals, with a token",
        subject: Subject::WithFields(app::headers_with_token, || app::around(MetricsLayer::new(&Vitals::new()))),
    },
];

/// The same with requests that have no header fields.
pub(super) const WITHOUT_FIELDS: &[Entry] = &[
    Entry {
        name: "bare, without fields",
        subject: Subject::WithFields(HeaderMap::new, || Box::new(|routes| routes)),
    },
    Entry {
        name: "no-op layer, without fields",
        subject: Subject::WithFields(HeaderMap::new, || app::around(NoOpLayer)),
    },
    Entry {
        name: "tower-vitals, without fields",
        subject: Subject::WithFields(HeaderMap::new, || app::around(MetricsLayer::new(&Vitals::new()))),
    },
];

/// Middleware that knows who makes a request and keeps it to itself, and the same that says it.
pub(super) const WITH_USER: &[Entry] = &[
    Entry {
        name: "tower-vitals, user not told",
        subject: Subject::Router(known::untold),
    },
    Entry {
        name: "tower-vitals, user told",
        subject: Subject::Router(known::told),
    },
    Entry {
        name: "tower-vitals, one of 1,000 told",
        subject: Subject::Router(known::told_of_many),
    },
];

/// The entry of that name.
pub(super) fn find(name: &str) -> Result<&'static Entry> {
    ROUTERS
        .iter()
        .chain(WITH_TOKEN)
        .chain(WITHOUT_FIELDS)
        .chain(WITH_USER)
        .chain(SERVICES)
        .find(|known| known.name == name)
        .ok_or_else(|| format!("no entry {name:?}").into())
}

impl pairs::Entry for Entry {
    /// What serves its requests on each of some threads: an application of its own, around which is the one layer of all.
    fn work_on(&self, threads: usize) -> Vec<Work> {
        match self.subject {
            Subject::Router(make) => serve_routers(&make(), threads, app::headers),
            Subject::WithFields(headers, make) => serve_routers(&make(), threads, headers),
            Subject::Service(make) => {
                let make = make();
                (0..threads).map(|_| make()).collect()
            }
        }
    }
}

impl Entry {
    /// What serves its requests on one thread.
    pub(super) fn serve(&self) -> Work {
        pairs::Entry::work_on(self, 1).swap_remove(0)
    }

    /// The function that serves them.
    pub(super) fn function(&self) -> &'static str {
        match self.subject {
            Subject::Router(_) | Subject::WithFields(..) => "benches::app::repeat",
            Subject::Service(_) => "benches::requests::outside::repeat",
        }
    }
}

fn serve_routers(around: &Around, threads: usize, headers: fn() -> HeaderMap) -> Vec<Work> {
    let serve = |_| -> Work {
        let (router, headers) = (around(app::routes()).with_state(()), headers());
        Box::new(move |count| app::repeat(&router, &headers, count))
    };
    (0..threads).map(serve).collect()
}
