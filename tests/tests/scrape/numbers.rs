//! What is recorded comes out exactly, and so it does through prometheus-client.

use std::collections::BTreeSet;

use libtest_mimic::Failed;
use prometheus_client::{encoding::text::encode, registry::Registry};
use proptest::{collection::vec, prelude::*};
use tests::{
    exposition::{Exposition, Family},
    parser::Parser,
};
use tower_vitals::{Vitals, encode::Protocol, prometheus};

use crate::{
    expected::{Totals, is_exact},
    families::{World, input, samples},
    property::check,
    read::Scrapes,
};

pub(crate) fn any_recording() -> Result<(), Failed> {
    let parser = Parser::start()?;
    check(150, &input(1), |(plans, constant, ops)| {
        let world = World::new(&plans, &constant)?;
        let (mut scrapes, mut totals) = (Scrapes::new(&parser), Totals::default());
        for op in ops.iter().flatten() {
            world.record(op);
            totals.add(&world, op, 1);
        }
        is_exact(&mut scrapes, &world, &totals)?;
        world.end_all();
        is_exact(&mut scrapes, &world, &totals)
    })
}

/// Numbers of any size, infinite ones and NaN among them.
pub(crate) fn any_number() -> Result<(), Failed> {
    let parser = Parser::start()?;
    let numbers = (any::<f64>(), any::<i64>(), any::<u64>(), vec(any::<f64>(), 0..5));
    check(200, &numbers, |(float, signed, unsigned, observed)| {
        let vitals = Vitals::new();
        vitals.float_gauge("float", "Any float").register()?.set(float);
        vitals.float_counter("amount", "Any positive float").register()?.inc_by(float);
        vitals.gauge("signed", "Any number").register()?.set(signed);
        vitals.counter("unsigned", "Any number").register()?.inc_by(unsigned);
        let sizes = vitals.histogram("sizes", "Any sizes").register()?;
        observed.iter().for_each(|value| sizes.observe(*value));
        let amount = if float > 0.0 && float.is_finite() { float } else { 0.0 };
        let summed = observed.iter().filter(|value| **value > 0.0 && value.is_finite());
        #[allow(clippy::cast_precision_loss)] // what a float can hold of it
        let (signed, unsigned) = (signed as f64, unsigned as f64);
        for text in [
            vitals.encode_to_string(Protocol::OPEN_METRICS),
            by_prometheus_client(&vitals)?,
        ] {
            let exposition = parser.openmetrics(&text)?;
            for (name, expected) in [
                ("float", float),
                ("amount_total", amount),
                ("signed", signed),
                ("unsigned_total", unsigned),
                ("sizes_sum", summed.clone().fold(0.0, |sum, value| sum + value)),
                ("sizes_count", f64::from(u32::try_from(observed.len())?)),
            ] {
                let found = exposition.value(name, &[]).ok_or(name)?;
                let same = found.to_bits() == expected.to_bits() || (found.is_nan() && expected.is_nan());
                assert!(same, "{name}: {found:?}, not {expected:?}");
            }
        }
        Ok(())
    })
}

fn by_prometheus_client(vitals: &Vitals) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(prometheus::collector(vitals)));
    let mut text = String::new();
    encode(&mut text, &registry).map(|()| text)
}

/// Floats are the same but for sums of durations, which may differ by 1 ulp: we write all their digits, and prometheus-client those of
/// the float that it is given.
pub(crate) fn prometheus_client() -> Result<(), Failed> {
    let parser = Parser::start()?;
    check(100, &input(1), |(plans, constant, ops)| {
        let world = World::new(&plans, &constant)?;
        ops.iter().flatten().for_each(|op| world.record(op));
        let (mut ours, mut theirs) = (Scrapes::new(&parser), Scrapes::new(&parser));
        let ours = ours.read(Protocol::OPEN_METRICS, &world.vitals.encode_to_string(Protocol::OPEN_METRICS))?;
        let theirs = theirs.read(Protocol::OPEN_METRICS, &by_prometheus_client(&world.vitals)?)?;
        let about = |exposition: &Exposition| -> BTreeSet<[String; 4]> {
            let about = |f: &Family| [&f.name, &f.kind, &f.unit, &f.help].map(String::clone);
            exposition.families.iter().map(about).collect()
        };
        assert_eq!(about(&ours), about(&theirs));
        let (ours, theirs) = (samples(&ours), samples(&theirs));
        assert!(ours.keys().eq(theirs.keys()), "{:?}, {:?}", ours.keys(), theirs.keys());
        for ((series, ours), theirs) in ours.iter().zip(theirs.values()) {
            let ulps = u64::from(series.0.ends_with("_seconds_sum"));
            assert!(
                ours.to_bits().abs_diff(theirs.to_bits()) <= ulps,
                "{series:?}: {ours:?}, {theirs:?}"
            );
        }
        Ok(())
    })
}
