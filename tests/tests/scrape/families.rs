//! Random families of every kind, random recordings into them, and what those must come to.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use proptest::{collection::vec, prelude::*, sample::select};
use tests::exposition::{Exposition, Labels};
use tower_vitals::{
    CounterFamily, FloatCounterFamily, FloatGaugeFamily, GaugeFamily, Handle, HistogramFamily, InFlight, InFlightFamily,
    InFlightGuard, RegisterError, Unit, Vitals,
};

/// Every sample by name and labels. `le` is written in one way, since it is a number.
pub(crate) type Samples = BTreeMap<(String, Labels), f64>;

/// The labels of every family.
pub(crate) const LABELS: [&str; 2] = ["a", "_b9"];

/// Texts that a careless writer breaks on.
pub(crate) const HOSTILE: &[&str] = &[
    "",
    " ",
    "\"",
    "\\",
    "\\\\\"",
    "\n",
    "\\n",
    "\0",
    "a\0b",
    "\r\n",
    "\t",
    "\u{85}\u{2028}",
    "# HELP f0 no\n# TYPE f0 gauge",
    "# EOF\n",
    "{a=\"b\"}",
    "} 1\nf0 2",
    "\",le=\"5",
    "# {trace=\"x\"} 1 1",
    "_other",
    "+Inf",
    "🦀é\u{10ffff}\u{fffd}",
];

/// A kind of instrument. Histograms have bounds in 1/256, those of durations in milliseconds: sums are exact in any order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    FloatCounter,
    Gauge,
    FloatGauge,
    InFlight,
    Histogram,
    Durations,
}

/// A family to declare.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) kind: Kind,
    pub(crate) help: String,
    pub(crate) bounds: Vec<u32>,
    pub(crate) series: Vec<[String; 2]>,
}

/// A recording: numbers of a family and of its series (modulo how many there are), and how much.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op {
    pub(crate) family: usize,
    pub(crate) series: usize,
    pub(crate) amount: u32,
}

/// The families of some plans.
pub(crate) struct World {
    pub(crate) vitals: Vitals,
    pub(crate) constant: String,
    pub(crate) families: Vec<Declared>,
}

pub(crate) struct Declared {
    pub(crate) plan: Plan,
    instruments: Instruments,
    /// What is in flight in each series, for any thread to end.
    pub(crate) under_way: Vec<Mutex<Vec<InFlightGuard<Handle<InFlight>>>>>,
}

enum Instruments {
    Counter(CounterFamily<2>),
    FloatCounter(FloatCounterFamily<2>),
    Gauge(GaugeFamily<2>),
    FloatGauge(FloatGaugeFamily<2>),
    InFlight(InFlightFamily<2>),
    Histogram(HistogramFamily<2>),
}

// === strategies ===

/// Any text, often a hostile one, sometimes one that is too long.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let hostile = || select(HOSTILE).prop_map(str::to_owned);
    prop_oneof![
        4 => hostile(),
        2 => (hostile(), hostile()).prop_map(|(a, b)| a + &b),
        2 => vec(any::<char>(), 0..8).prop_map(|chars| chars.into_iter().collect()),
        1 => (hostile(), 300_usize..5000).prop_map(|(text, times)| "é".to_owned() + &text.repeat(times)),
    ]
}

pub(crate) fn plan() -> impl Strategy<Value = Plan> {
    let kinds = [
        Kind::Counter,
        Kind::FloatCounter,
        Kind::Gauge,
        Kind::FloatGauge,
        Kind::InFlight,
        Kind::Histogram,
        Kind::Durations,
    ];
    let bounds = vec(prop_oneof![0..3000_u32, 0..1_u32 << 28], 0..12);
    let bounds = bounds.prop_map(|mut bounds| {
        bounds.sort_unstable();
        bounds.dedup();
        bounds
    });
    // The text parser strips lines, so help has something at either end.
    let help = text().prop_map(|text| format!("<{text}>"));
    let values = (text(), text()).prop_map(|(a, b)| [a, b]);
    (select(kinds.to_vec()), help, bounds, vec(values, 1..4)).prop_map(|(kind, help, bounds, series)| Plan {
        kind,
        help,
        bounds,
        series,
    })
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let amount = prop_oneof![any::<u32>(), 0..100_u32];
    (0..6_usize, 0..4_usize, amount).prop_map(|(family, series, amount)| Op { family, series, amount })
}

/// What random recordings are made of: families, a constant label, and what each thread records.
pub(crate) fn input(threads: usize) -> impl Strategy<Value = (Vec<Plan>, String, Vec<Vec<Op>>)> {
    (vec(plan(), 1..6), text(), vec(vec(op(), 1..40), 1..=threads))
}

// === impl World ===

impl World {
    pub(crate) fn new(plans: &[Plan], constant: &str) -> Result<Self, RegisterError> {
        let vitals = Vitals::builder().constant_label("service", constant).build()?;
        let families = plans.iter().enumerate();
        let families = families.map(|(at, plan)| Declared::new(&vitals, &plan.name(at), plan));
        Ok(Self {
            constant: clean(constant),
            families: families.collect::<Result<_, _>>()?,
            vitals,
        })
    }

    /// Records something. Any thread may.
    pub(crate) fn record(&self, op: &Op) {
        let (family, series) = self.find(op);
        self.families[family].record(series, op.amount);
    }

    /// Ends all that is in flight.
    pub(crate) fn end_all(&self) {
        for under_way in self.families.iter().flat_map(|family| &family.under_way) {
            under_way.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    /// The help of every family, by its name without `_total`.
    pub(crate) fn helps(&self) -> BTreeMap<String, String> {
        let families = self.families.iter().enumerate();
        families
            .map(|(at, family)| (family.plan.name(at), family.plan.help.replace('\0', "\u{fffd}")))
            .collect()
    }

    /// The numbers of the family and of the series.
    pub(crate) fn find(&self, op: &Op) -> (usize, usize) {
        let family = op.family % self.families.len();
        (family, op.series % self.families[family].plan.series.len())
    }
}

impl Plan {
    pub(crate) fn name(&self, at: usize) -> String {
        let unit = if self.kind == Kind::Durations { "_seconds" } else { "" };
        format!("f{at}{unit}")
    }

    pub(crate) fn bounds(&self) -> Vec<f64> {
        let unit = if self.kind == Kind::Durations { 1000.0 } else { 256.0 };
        self.bounds.iter().map(|bound| f64::from(*bound) / unit).collect()
    }

    /// What is observed, in 1/256 or in nanoseconds; often exactly a bound.
    pub(crate) fn observed(&self, amount: u32) -> u64 {
        let at = amount as usize / 4 % self.bounds.len().max(1);
        match (self.kind, amount % 4, self.bounds.get(at)) {
            (Kind::Durations, 0, Some(bound)) => u64::from(*bound) * 1_000_000,
            // Beyond a minute, microseconds are kept.
            (Kind::Durations, 1, _) => u64::from(amount) * 1000,
            (Kind::Durations, ..) => u64::from(amount),
            (_, 0, Some(bound)) => u64::from(*bound),
            _ => u64::from(amount % (1 << 20)) * 64,
        }
    }
}

// === impl Declared ===

impl Declared {
    fn new(vitals: &Vitals, name: &str, plan: &Plan) -> Result<Self, RegisterError> {
        let help = &*plan.help;
        let instruments = match plan.kind {
            Kind::Counter => Instruments::Counter(vitals.counter(name, help).labels(LABELS)?),
            Kind::FloatCounter => Instruments::FloatCounter(vitals.float_counter(name, help).labels(LABELS)?),
            Kind::Gauge => Instruments::Gauge(vitals.gauge(name, help).labels(LABELS)?),
            Kind::FloatGauge => Instruments::FloatGauge(vitals.float_gauge(name, help).labels(LABELS)?),
            Kind::InFlight => Instruments::InFlight(vitals.in_flight(name, help).labels(LABELS)?),
            Kind::Histogram => Instruments::Histogram(vitals.histogram(name, help).buckets(plan.bounds()).labels(LABELS)?),
            Kind::Durations => {
                let family = vitals.histogram(name, help).unit(Unit::Seconds);
                Instruments::Histogram(family.buckets(plan.bounds()).labels(LABELS)?)
            }
        };
        Ok(Self {
            plan: plan.clone(),
            instruments,
            under_way: plan.series.iter().map(|_| Mutex::default()).collect(),
        })
    }

    fn record(&self, series: usize, amount: u32) {
        let values = self.plan.series[series].each_ref().map(String::as_str);
        match &self.instruments {
            Instruments::Counter(family) => family.with(values).inc_by(amount.into()),
            Instruments::FloatCounter(family) => family.with(values).inc_by(f64::from(amount) / 4.0),
            Instruments::Gauge(family) => family.with(values).add(signed(amount)),
            Instruments::FloatGauge(family) => family.with(values).add((f64::from(amount) - f64::from(1_u32 << 31)) / 4.0),
            Instruments::InFlight(family) => {
                let counted = family.with(values).hold();
                let mut under_way = self.under_way[series].lock().unwrap_or_else(PoisonError::into_inner);
                if amount % 2 == 0 {
                    under_way.push(counted.start());
                } else {
                    drop(under_way.pop());
                }
            }
            Instruments::Histogram(family) if self.plan.kind == Kind::Durations => {
                let nanos = Duration::from_nanos(self.plan.observed(amount));
                family.with(values).observe_duration(nanos);
            }
            Instruments::Histogram(family) => {
                #[allow(clippy::cast_precision_loss)] // below 2^28
                family.with(values).observe(self.plan.observed(amount) as f64 / 256.0);
            }
        }
    }
}

/// A change that is as often negative as positive.
pub(crate) fn signed(amount: u32) -> i64 {
    i64::from(amount) - (1 << 31)
}

/// A label's value as it must come out.
pub(crate) fn clean(value: &str) -> String {
    let mut kept = String::new();
    for char in value.chars() {
        if kept.len() + char.len_utf8() > 1024 {
            break;
        }
        kept.push(char);
    }
    kept.replace('\0', "\u{fffd}")
}

/// All samples of the random families in an exposition.
pub(crate) fn samples(exposition: &Exposition) -> Samples {
    let families = exposition
        .families
        .iter()
        .filter(|family| !family.name.starts_with("vitals_"));
    let samples = families.flat_map(|family| &family.samples);
    samples
        .map(|sample| {
            let mut labels = sample.labels.clone();
            if let Some(le) = labels.get_mut("le") {
                *le = one_way(le.parse().unwrap_or(f64::NAN));
            }
            ((sample.name.clone(), labels), sample.value)
        })
        .collect()
}

/// A number as text, always in the same way.
pub(crate) fn one_way(number: f64) -> String {
    format!("{number:?}")
}
