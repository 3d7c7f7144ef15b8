//! Middleware that knows who makes each request, and says so or not: what saying it costs is the difference.

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use tower::{Layer, Service, ServiceBuilder};
use tower_vitals::{AuthType, IdHasher, MetricsLayer, Principal, PrincipalIds, Vitals};

use crate::app::{self, Around};

/// Whose the next request is.
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// Middleware that knows users, whose requests come in turn.
#[derive(Clone, Debug)]
struct KnowsLayer {
    users: Arc<[String]>,
    says: bool,
}

#[derive(Clone, Debug)]
struct Knows<S> {
    inner: S,
    knows: KnowsLayer,
}

/// Our layer, and inside of it the middleware that does not say whom it knows.
pub(super) fn untold() -> Around {
    around(&Vitals::new(), KnowsLayer::of(1, false))
}

/// The same, and it says. It knows one user.
pub(super) fn told() -> Around {
    around(&Vitals::new(), KnowsLayer::of(1, true))
}

/// The same, and it knows a thousand.
pub(super) fn told_of_many() -> Around {
    around(&Vitals::new(), KnowsLayer::of(1_000, true))
}

fn around(vitals: &Vitals, knows: KnowsLayer) -> Around {
    let ids = PrincipalIds::new(IdHasher::sha256());
    let metrics = MetricsLayer::builder(vitals).principal_ids(ids).build();
    let metrics = metrics.expect("nothing is there already");
    app::around(ServiceBuilder::new().layer(metrics).layer(knows).into_inner())
}

impl KnowsLayer {
    /// Users with IDs as long as UUIDs.
    fn of(users: u32, says: bool) -> Self {
        let users = (0..users)
            .map(|user| format!("{user:08x}-5d0b-4d0e-8d4c-7a3f0f6f2b11"))
            .collect();
        Self { users, says }
    }
}

impl<S> Layer<S> for KnowsLayer {
    type Service = Knows<S>;

    fn layer(&self, inner: S) -> Knows<S> {
        Knows {
            inner,
            knows: self.clone(),
        }
    }
}

impl<S, R> Service<R> for Knows<S>
where
    S: Service<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> S::Future {
        let KnowsLayer { users, says } = &self.knows;
        let user = black_box(&*users[NEXT.fetch_add(1, Ordering::Relaxed) % users.len()]);
        if *says {
            Principal::new(AuthType::Jwt).user(user).record();
        }
        self.inner.call(request)
    }
}

#[cfg(test)]
mod tests {
    use tower_vitals::encode::Protocol;

    use super::*;

    #[test]
    fn who_is_told_is_counted() {
        let vitals = Vitals::new();
        let router = around(&vitals, KnowsLayer::of(1, true))(app::routes()).with_state(());
        app::repeat(&router, &app::headers(), 3);
        let text = vitals.encode_to_string(Protocol::TEXT);
        assert!(text.contains(r#"http_user_requests_total{auth_type="jwt",user="#) && text.contains(r#"outcome="completed"} 3"#));
    }
}
