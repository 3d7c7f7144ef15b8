//! What the tests of other libraries' breakers say, replayed with a breaker of ours.
//!
//! A scenario names the rules that its library follows. Ours is told the same ones, as far as it can be, and every expectation of every
//! step must hold. A scenario is left off only at a step that a rule decides which we refuse: see `refusals.rs`.

#![allow(clippy::unwrap_used)] // a scenario that does not say what it must fails

mod config;
mod refusals;
mod replay;
mod schema;

use self::{refusals::Refused, replay::replay, schema::File};

#[test]
fn other_breakers_scenarios_hold() {
    let file: File = serde_json::from_str(include_str!("../../testdata/breaker-scenarios.json")).unwrap();
    let (mut replayed, mut left_off) = (0, 0);
    for scenario in &file.scenarios {
        match replay(scenario) {
            Ok(()) => {
                replayed += 1;
                println!("{}: replayed", scenario.id);
            }
            Err(Refused { rule, peer, why, .. }) => {
                left_off += 1;
                println!("{}: refused: {rule} ({peer}): {why}", scenario.id);
            }
        }
    }
    assert_eq!((replayed, left_off), (39, 1), "replayed and refused");
}

/// What those scenarios leave out: bounds that are met exactly, the lease, modes, and each rule that we refuse.
#[test]
fn our_own_scenarios_hold_or_are_refused_by_the_rule_they_name() {
    let file: File = serde_json::from_str(include_str!("../../testdata/own-scenarios.json")).unwrap();
    for scenario in &file.scenarios {
        let rule = replay(scenario).err().map(|refused| refused.rule);
        assert_eq!(rule, scenario.refused.as_deref(), "{}", scenario.id);
    }
}
