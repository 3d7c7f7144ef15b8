//! gRPC calls, and the methods that the server is known to have.

use std::{
    hash::BuildHasher,
    sync::atomic::{AtomicBool, Ordering},
};

use foldhash::fast::RandomState;
use http::{HeaderMap, StatusCode};
use tower_vitals_core::{
    LONGEST_VALUE,
    table::{Entry, Table},
};

use super::{GrpcCode, Messages, split_path};
use crate::Outcome;

/// A call that is being served.
#[derive(Debug)]
pub(crate) struct Call {
    path: Box<str>,
    status: Option<GrpcCode>,
    http: Option<StatusCode>,
    pub(crate) responses: Messages,
    /// Whether a call of the same method streamed before.
    pub(crate) streams: bool,
}

/// The methods that answered as only a method does. A path that nobody implements is what a stranger made up.
#[derive(Debug, Default)]
pub(crate) struct KnownCalls {
    paths: Table<KnownCall>,
    hasher: RandomState,
}

/// A method that the server has.
#[derive(Debug)]
pub(crate) struct KnownCall {
    path: Box<str>,
    streams: AtomicBool,
}

/// More methods than any server has. The labels' budgets are smaller.
const MOST: usize = 2_000;

// === impl Call ===

impl Call {
    pub(crate) fn new(path: &str, streams: bool) -> Self {
        Self {
            path: path.into(),
            status: None,
            http: None,
            responses: Messages::default(),
            streams,
        }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The service and the method, if the path has both.
    pub(crate) fn names(&self) -> Option<(&str, &str)> {
        split_path(&self.path)
    }

    /// Looks for the status among the fields of the head or the trailers.
    pub(crate) fn see_status(&mut self, fields: &HeaderMap) {
        self.status = GrpcCode::of(fields).or(self.status);
    }

    pub(crate) fn see_http(&mut self, status: StatusCode) {
        self.http = Some(status);
    }

    /// The code that the caller got, or gets from the status of HTTP where none was sent; none when nothing told one.
    pub(crate) fn code(&self, outcome: Outcome) -> GrpcCode {
        let from_http = || self.http.filter(|_| outcome == Outcome::Completed).map(GrpcCode::from_http);
        self.status.or_else(from_http).unwrap_or(GrpcCode::None)
    }
}

// === impl KnownCalls ===

impl KnownCalls {
    pub(crate) fn get(&self, path: &str) -> Option<Entry<KnownCall>> {
        self.paths.get(self.hasher.hash_one(path), |known| *known.path == *path)
    }

    /// Takes note that the server has this method.
    pub(crate) fn learn(&self, path: &str) {
        if path.len() > LONGEST_VALUE {
            return;
        }
        let hash = self.hasher.hash_one(path);
        let known = |_| KnownCall {
            path: path.into(),
            streams: AtomicBool::new(false),
        };
        let _ = self.paths.get_or_insert(hash, |known| *known.path == *path, MOST, known);
    }
}

// === impl KnownCall ===

impl KnownCall {
    /// Whether a call of it streamed once.
    pub(crate) fn streams(&self) -> bool {
        self.streams.load(Ordering::Relaxed)
    }

    pub(crate) fn note_stream(&self) {
        if !self.streams() {
            self.streams.store(true, Ordering::Relaxed);
        }
    }
}
