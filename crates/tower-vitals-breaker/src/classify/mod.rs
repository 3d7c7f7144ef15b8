//! What results say about what was called.

mod by_error;
mod by_result;
pub(crate) mod chain;
mod classifier;
mod grpc;
mod grpc_code;
mod http;
mod retry_after;

pub(crate) use self::grpc::Codes;
pub use self::{
    by_error::ByError, by_result::ByResult, classifier::Classifier, grpc::GrpcClassifier, grpc_code::GrpcCode,
    http::HttpClassifier,
};

/// A rejection by a breaker of a name that tests know.
#[cfg(test)]
pub(crate) fn rejected() -> crate::Rejected {
    let breaker = crate::CircuitBreaker::builder("inner");
    let breaker = breaker.build(&tower_vitals_core::Vitals::new()).unwrap();
    breaker.force_open();
    breaker.try_acquire().unwrap_err()
}
