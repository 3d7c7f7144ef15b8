//! The reference: what a layer adds that reads the clock twice and counts without labels, each figure in one atomic that all threads
//! share. It stops counting at the head, so it wraps no body.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Instant,
};

use pin_project_lite::pin_project;
use tower::{Layer, Service};
use tower_vitals::Clock;

use crate::instant;

/// The upper bounds of all buckets but the last, in milliseconds: those of our layer.
const BOUNDS: [u64; 14] = [5, 10, 25, 50, 75, 100, 250, 500, 750, 1_000, 2_500, 5_000, 7_500, 10_000];

/// Times requests.
pub(crate) trait Watch: Clone + Default + Send + Sync + 'static {
    type Start: Copy + Send;

    fn start(&self) -> Self::Start;

    fn nanos_since(&self, start: Self::Start) -> u64;
}

/// With the system's clock as whoever writes such a layer reads it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Instants;

/// With the clock that our layer has, which is quicker.
#[derive(Clone, Debug, Default)]
pub(crate) struct OurClock(Clock);

#[derive(Clone, Debug, Default)]
pub(crate) struct UnlabelledLayer<W> {
    figures: Arc<Figures<W>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Unlabelled<S, W> {
    inner: S,
    figures: Arc<Figures<W>>,
}

/// What is recorded.
#[derive(Debug, Default)]
pub(crate) struct Figures<W> {
    watch: W,
    begun: AtomicU64,
    ended: AtomicU64,
    requests: AtomicU64,
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanos: AtomicU64,
}

pin_project! {
    pub(crate) struct ResponseFuture<F, W: Watch> {
        #[pin]
        inner: F,
        started: W::Start,
        figures: Arc<Figures<W>>,
    }
}

impl Watch for Instants {
    type Start = Instant;

    fn start(&self) -> Instant {
        instant::now()
    }

    fn nanos_since(&self, start: Instant) -> u64 {
        let duration = instant::now().saturating_duration_since(start);
        duration.as_secs() * 1_000_000_000 + u64::from(duration.subsec_nanos())
    }
}

impl Watch for OurClock {
    type Start = u64;

    fn start(&self) -> u64 {
        self.0.nanos()
    }

    fn nanos_since(&self, start: u64) -> u64 {
        self.0.nanos() - start
    }
}

impl<S, W: Watch> Layer<S> for UnlabelledLayer<W> {
    type Service = Unlabelled<S, W>;

    fn layer(&self, inner: S) -> Unlabelled<S, W> {
        Unlabelled {
            inner,
            figures: Arc::clone(&self.figures),
        }
    }
}

impl<S, R, W> Service<R> for Unlabelled<S, W>
where
    S: Service<R>,
    W: Watch,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, W>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let started = self.figures.watch.start();
        self.figures.begun.fetch_add(1, Relaxed);
        ResponseFuture {
            inner: self.inner.call(request),
            started,
            figures: Arc::clone(&self.figures),
        }
    }
}

impl<F: Future, W: Watch> Future for ResponseFuture<F, W> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let output = ready!(this.inner.poll(cx));
        this.figures.record(this.figures.watch.nanos_since(*this.started));
        Poll::Ready(output)
    }
}

impl<W> Figures<W> {
    fn record(&self, nanos: u64) {
        let bucket = BOUNDS.iter().filter(|&&bound| nanos > bound * 1_000_000).count();
        self.buckets[bucket].fetch_add(1, Relaxed);
        self.nanos.fetch_add(nanos, Relaxed);
        self.requests.fetch_add(1, Relaxed);
        self.ended.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app;

    #[test]
    fn requests_are_counted_to_the_end_of_their_heads() {
        let layer = UnlabelledLayer::<OurClock>::default();
        app::repeat(&app::routes().layer(layer.clone()).with_state(()), &app::headers(), 3);
        let Figures {
            watch: _,
            begun,
            ended,
            requests,
            buckets,
            nanos,
        } = &*layer.figures;
        let in_buckets: u64 = buckets.iter().map(|bucket| bucket.load(Relaxed)).sum();
        assert_eq!([begun, ended, requests].map(|figure| figure.load(Relaxed)), [3; 3]);
        assert_eq!(in_buckets, 3);
        assert!(nanos.load(Relaxed) > 0);
    }

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let figures = Figures::<Instants>::default();
        for nanos in [0, 5_000_000, 5_000_001, 10_000_000_000, 10_000_000_001] {
            figures.record(nanos);
        }
        let counts = figures.buckets.each_ref().map(|bucket| bucket.load(Relaxed));
        assert_eq!((counts[0], counts[1], counts[13], counts[14]), (2, 1, 1, 1));
    }
}
