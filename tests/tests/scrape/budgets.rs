//! Budgets of label values and of series: whatever is recorded, series are few and totals exact.

use std::{collections::BTreeMap, collections::BTreeSet, thread};

use libtest_mimic::Failed;
use proptest::{collection::vec, prelude::*};
use tests::{exposition::Exposition, parser::Parser};
use tower_vitals::{CounterFamily, RegisterError, Vitals, closed_label, encode::Protocol};

use crate::property::check;

closed_label! {
    /// How it ended.
    pub(crate) enum Ending {
        /// Well.
        Well => "well",
        /// Not well.
        Badly => "badly",
    }
}

/// A value of each label: the two with budgets, and the closed one.
type Values = [String; 3];

/// The budgets of `a` and `b`, and that of series.
type Budgets = (usize, usize, usize);

/// What a family with budgets must do, in plain words.
#[derive(Default)]
struct Model {
    known: [BTreeSet<String>; 2],
    series: BTreeMap<Values, u64>,
    overflow: BTreeMap<&'static str, u64>,
}

impl Model {
    fn record(&mut self, values: &Values, (a, b, most): Budgets) {
        let mut values = values.clone();
        if !self.series.contains_key(&values) {
            let full = self.series.len() >= most;
            for (at, (label, budget)) in [("a", a), ("b", b)].into_iter().enumerate() {
                // Nothing is learned when there is no room for a series.
                if !full && !self.admit(at, &values[at], budget) {
                    *self.overflow.entry(label).or_default() += 1;
                    values[at] = "_other".into();
                }
            }
            if !["well", "badly", "_other"].contains(&&*values[2]) {
                *self.overflow.entry("ending").or_default() += 1;
                values[2] = "_other".into();
            }
            if !self.series.contains_key(&values) && full {
                *self.overflow.entry("_series").or_default() += 1;
                values[..2].fill("_other".into());
            }
        }
        *self.series.entry(values).or_default() += 1;
    }

    fn admit(&mut self, at: usize, value: &str, budget: usize) -> bool {
        let known = &mut self.known[at];
        if value != "_other" && !known.contains(value) {
            if known.len() >= budget {
                return false;
            }
            known.insert(value.into());
        }
        true
    }
}

fn family(vitals: &Vitals, (a, b, most): Budgets) -> Result<CounterFamily<3>, RegisterError> {
    let builder = vitals.counter("jobs", "Jobs").closed::<Ending>("ending");
    let builder = builder.budget("a", a).budget("b", b).series_budget(most);
    builder.labels(["a", "b", "ending"])
}

fn record(family: &CounterFamily<3>, [a, b, ending]: &Values) {
    family.with([a, b, ending]).inc();
}

fn scrape(parser: &Parser, vitals: &Vitals) -> Result<Exposition, String> {
    parser.text(&vitals.encode_to_string(Protocol::TEXT))?;
    parser.openmetrics(&vitals.encode_to_string(Protocol::OPEN_METRICS))
}

fn overflow(exposition: &Exposition, label: &str) -> f64 {
    exposition.sum("vitals_label_overflow_total", &[("family", "jobs_total"), ("label", label)])
}

/// Few values, so that budgets see them again; `_other` itself among them.
fn values() -> impl Strategy<Value = Values> {
    let open = || prop_oneof![9 => "[a-l]", 1 => Just("_other".to_owned())];
    let closed = prop_oneof![4 => Just("well"), 4 => Just("badly"), 1 => Just("odd"), 1 => Just("_other")];
    (open(), open(), closed).prop_map(|(a, b, ending)| [a, b, ending.into()])
}

pub(crate) fn refusals() -> Result<(), Failed> {
    let parser = Parser::start()?;
    let budgets = (0..12_usize, 0..12_usize, prop_oneof![0..30_usize, Just(1000)]);
    check(200, &(budgets, vec(values(), 1..120)), |(budgets, recorded)| {
        let vitals = Vitals::new();
        let family = family(&vitals, budgets)?;
        let mut model = Model::default();
        for values in &recorded {
            record(&family, values);
            model.record(values, budgets);
        }
        let exposition = scrape(&parser, &vitals)?;
        let series = exposition.samples("jobs_total").map(|sample| {
            let label = |name| sample.label(name).unwrap_or_default().to_owned();
            (["a", "b", "ending"].map(label), sample.value)
        });
        let expected = model.series.iter().map(|(values, count)| (values.clone(), exact(*count)));
        assert_eq!(series.collect::<BTreeMap<_, _>>(), expected.collect::<BTreeMap<_, _>>());
        for label in ["a", "b", "ending", "_series"] {
            let expected = model.overflow.get(label).copied().unwrap_or_default();
            assert_eq!(overflow(&exposition, label).to_bits(), exact(expected).to_bits(), "{label}");
        }
        // Every label with a budget is `_other` beyond that of series, so the closed ones alone can make more.
        assert!(family.len() <= budgets.2 + 3);
        Ok(())
    })
}

/// Records the same from several threads at once, and checks what holds in whatever order they came.
fn threads(budgets: Budgets, scripts: &[Vec<Values>]) -> Result<(Vitals, CounterFamily<3>), Failed> {
    let vitals = Vitals::new();
    let family = family(&vitals, budgets)?;
    thread::scope(|scope| {
        for script in scripts {
            scope.spawn(|| script.iter().for_each(|values| record(&family, values)));
        }
    });
    Ok((vitals, family))
}

/// Scripts of threads that record many values of `a`, and nothing else.
fn many_values() -> impl Strategy<Value = Vec<Vec<Values>>> {
    let values = "[a-p]{1,2}".prop_map(|a| [a, "b".into(), "well".into()]);
    vec(vec(values, 1..200), 2..5)
}

pub(crate) fn label_budget() -> Result<(), Failed> {
    let parser = Parser::start()?;
    check(60, &(0..40_usize, many_values()), |(budget, scripts)| {
        let (vitals, family) = threads((budget, 1, 1000), &scripts)?;
        let exposition = scrape(&parser, &vitals)?;
        let admitted: BTreeSet<&str> = exposition
            .samples("jobs_total")
            .filter_map(|sample| sample.label("a"))
            .collect();
        let distinct: BTreeSet<&str> = scripts.iter().flatten().map(|values| &*values[0]).collect();
        let expected = distinct.len().min(budget) + usize::from(distinct.len() > budget);
        assert_eq!((admitted.len(), family.len()), (expected, expected));
        for a in distinct.iter().filter(|a| admitted.contains(*a)) {
            let count = scripts.iter().flatten().filter(|values| values[0] == *a).count();
            assert_eq!(
                exposition.sum("jobs_total", &[("a", a)]).to_bits(),
                exact(count as u64).to_bits(),
                "{a}"
            );
        }
        totals(&exposition, &scripts, &["a"])
    })
}

pub(crate) fn series_budget() -> Result<(), Failed> {
    let parser = Parser::start()?;
    check(60, &(0..40_usize, many_values()), |(most, scripts)| {
        let (vitals, family) = threads((1000, 1000, most), &scripts)?;
        assert!(family.len() <= most + 1, "{} of {most}", family.len());
        totals(&scrape(&parser, &vitals)?, &scripts, &["_series"])
    })
}

/// All is counted, and what went to `_other` is the overflow of this label.
fn totals(exposition: &Exposition, scripts: &[Vec<Values>], label: &[&str]) -> Result<(), Failed> {
    let recorded: usize = scripts.iter().map(Vec::len).sum();
    assert_eq!(exposition.sum("jobs_total", &[]).to_bits(), exact(recorded as u64).to_bits());
    let other = exposition.sum("jobs_total", &[("a", "_other")]);
    for name in ["a", "b", "_series"] {
        let expected = if label.contains(&name) { other } else { 0.0 };
        assert_eq!(overflow(exposition, name).to_bits(), expected.to_bits(), "{name}");
    }
    Ok(())
}

pub(crate) fn closed_set() -> Result<(), Failed> {
    let parser = Parser::start()?;
    let vitals = Vitals::new();
    let family = family(&vitals, (10, 10, 100))?;
    for ending in ["well", "odd", "odder", "odd", "_other", ""] {
        record(&family, &["a".into(), "b".into(), ending.into()]);
    }
    let exposition = scrape(&parser, &vitals)?;
    assert_eq!(family.len(), 2);
    assert_eq!(
        exposition.sum("jobs_total", &[("ending", "_other")]).to_bits(),
        5_f64.to_bits()
    );
    assert_eq!(overflow(&exposition, "ending").to_bits(), 4_f64.to_bits());
    Ok(())
}

#[allow(clippy::cast_precision_loss)] // counts are small
fn exact(count: u64) -> f64 {
    count as f64
}
