//! Property tests whose cases can fail with anything.

use libtest_mimic::Failed;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

/// Runs a test with so many random values.
pub(crate) fn check<S: Strategy>(cases: u32, strategy: &S, test: impl Fn(S::Value) -> Result<(), Failed>) -> Result<(), Failed> {
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    let fail = |failed: Failed| TestCaseError::fail(failed.message().unwrap_or_default().to_owned());
    let result = TestRunner::new(config).run(strategy, |value| test(value).map_err(fail));
    result.map_err(|error| error.to_string().into())
}
