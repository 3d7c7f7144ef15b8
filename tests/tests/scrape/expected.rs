//! What recordings must come to, added up in integers.

use std::{collections::BTreeMap, sync::PoisonError};

use libtest_mimic::Failed;
use tests::exposition::Labels;
use tower_vitals::encode::Protocol;

use crate::{
    families::{Kind, LABELS, Op, Plan, Samples, World, clean, one_way, samples, signed},
    read::Scrapes,
};

/// The sums of what was recorded into each series.
#[derive(Default)]
pub(crate) struct Totals {
    series: BTreeMap<(usize, [String; 2]), Total>,
}

#[derive(Default)]
struct Total {
    /// In the unit of the kind: see [`value`].
    sum: i128,
    buckets: Vec<u64>,
}

impl Totals {
    /// Adds what was recorded so many times.
    pub(crate) fn add(&mut self, world: &World, op: &Op, times: u64) {
        let (family, series) = world.find(op);
        let plan = &world.families[family].plan;
        let values = plan.series[series].each_ref().map(|value| clean(value));
        let total = self.series.entry((family, values)).or_default();
        total.add(plan, op.amount, times);
    }

    /// How many series each family has.
    pub(crate) fn series(&self, world: &World) -> BTreeMap<String, usize> {
        let mut series = BTreeMap::new();
        for (at, _) in self.series.keys() {
            let plan = &world.families[*at].plan;
            let total = matches!(plan.kind, Kind::Counter | Kind::FloatCounter);
            let name = plan.name(*at) + if total { "_total" } else { "" };
            *series.entry(name).or_default() += 1;
        }
        series
    }

    /// The samples that there must be.
    pub(crate) fn samples(&self, world: &World) -> Samples {
        let mut samples = Samples::new();
        for ((at, values), total) in &self.series {
            let plan = &world.families[*at].plan;
            let mut labels = Labels::from([("service".to_owned(), world.constant.clone())]);
            labels.extend(LABELS.map(str::to_owned).into_iter().zip(values.clone()));
            let sum = match plan.kind {
                Kind::InFlight => world.under_way(*at, values),
                _ => total.sum,
            };
            total.write(plan, &plan.name(*at), sum, &labels, &mut samples);
        }
        samples
    }
}

impl Total {
    fn add(&mut self, plan: &Plan, amount: u32, times: u64) {
        let more = match plan.kind {
            Kind::Counter | Kind::FloatCounter => i128::from(amount),
            Kind::Gauge | Kind::FloatGauge => signed(amount).into(),
            Kind::InFlight => 0,
            Kind::Histogram | Kind::Durations => {
                let observed = plan.observed(amount);
                let in_unit = |bound: u32| u64::from(bound) * if plan.kind == Kind::Durations { 1_000_000 } else { 1 };
                let bucket = plan.bounds.iter().filter(|bound| in_unit(**bound) < observed).count();
                self.buckets.resize(plan.bounds.len() + 1, 0);
                self.buckets[bucket] += times;
                observed.into()
            }
        };
        self.sum += more * i128::from(times);
    }

    fn write(&self, plan: &Plan, name: &str, sum: i128, labels: &Labels, samples: &mut Samples) {
        let mut sample = |suffix: &str, le: Option<f64>, value: f64| {
            let mut labels = labels.clone();
            labels.extend(le.map(|le| ("le".to_owned(), one_way(le))));
            samples.insert((format!("{name}{suffix}"), labels), value);
        };
        match plan.kind {
            Kind::Counter | Kind::FloatCounter => sample("_total", None, value(plan.kind, sum)),
            Kind::Gauge | Kind::FloatGauge | Kind::InFlight => sample("", None, value(plan.kind, sum)),
            Kind::Histogram | Kind::Durations => {
                let mut count = 0;
                let bounds = plan.bounds().into_iter().chain([f64::INFINITY]);
                for (bound, more) in bounds.zip(&self.buckets) {
                    count += i128::from(*more);
                    sample("_bucket", Some(bound), value(Kind::Counter, count));
                }
                sample("_count", None, value(Kind::Counter, count));
                sample("_sum", None, value(plan.kind, sum));
            }
        }
    }
}

impl World {
    /// How many are in flight in the series with these labels. The recordings alone do not say, for ends may find none to end.
    fn under_way(&self, family: usize, values: &[String; 2]) -> i128 {
        let family = &self.families[family];
        let series = family.plan.series.iter().zip(&family.under_way);
        let same = series.filter(|(raw, _)| raw.each_ref().map(|value| clean(value)) == *values);
        let lens = same.map(|(_, under_way)| under_way.lock().unwrap_or_else(PoisonError::into_inner).len());
        lens.map(|len| i128::try_from(len).unwrap_or(i128::MAX)).sum()
    }
}

/// The scrapes of both protocols hold exactly what was recorded, and nothing else.
pub(crate) fn is_exact(scrapes: &mut Scrapes<'_>, world: &World, totals: &Totals) -> Result<(), Failed> {
    for protocol in [Protocol::TEXT, Protocol::OPEN_METRICS] {
        let exposition = scrapes.read(protocol, &world.vitals.encode_to_string(protocol))?;
        assert_eq!(samples(&exposition), totals.samples(world), "{protocol}");
        let families = exposition
            .families
            .iter()
            .filter(|family| !family.name.starts_with("vitals_"));
        let helps = world.helps();
        for family in families {
            assert_eq!(Some(&family.help), helps.get(&family.name), "{protocol}");
        }
        for (family, series) in totals.series(world) {
            let counted = exposition
                .samples("vitals_series")
                .find(|s| s.label("family") == Some(&family));
            assert_eq!(
                counted.map(|sample| sample.value),
                Some(f64::from(u32::try_from(series)?)),
                "{family}"
            );
        }
    }
    Ok(())
}

/// The number that a parser must read: the decimal text rounded once.
#[allow(clippy::cast_precision_loss)] // far below 2^53, but for nanoseconds
fn value(kind: Kind, sum: i128) -> f64 {
    match kind {
        Kind::Counter | Kind::Gauge | Kind::InFlight => sum as f64,
        Kind::FloatCounter | Kind::FloatGauge => sum as f64 / 4.0,
        Kind::Histogram => sum as f64 / 256.0,
        Kind::Durations => format!("{}.{:09}", sum / 1_000_000_000, sum % 1_000_000_000)
            .parse()
            .unwrap_or(f64::NAN),
    }
}
