//! A breaker against a slow and obvious one: whatever comes in whatever order, both must say the same.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss
)] // a test whose numbers are small

mod model;
mod pair;
mod plan;
mod steps;

use proptest::prelude::*;

use self::{
    pair::Pair,
    plan::{MS, plans},
    steps::steps,
};

proptest! {
    #[test]
    fn it_does_as_the_reference_does(plan in plans(), before in 0..1000 * MS, steps in steps()) {
        let mut pair = Pair::new(plan, before);
        pair.compare()?;
        for step in steps {
            pair.step(step)?;
            pair.compare()?;
        }
        pair.finish()?;
    }
}
