//! Makes tables and goals of what was found.

use super::{
    atomics::{FAMILY, TABLE, WORK},
    cases::{self, ALL, CASES, COUNTS, ON_A_CORE, TIMES},
    excess::Figures,
    method,
    stopped::{Passed, SCENES, Scene},
};
use crate::{
    Result,
    section::{Goal, Section},
    table,
};

/// A table, or two, and what it says about goals.
struct Found {
    goals: Vec<Goal>,
    text: Vec<String>,
}

/// By how much controls of one case differ at most.
#[derive(Default)]
pub(super) struct Spread {
    pub(super) p9999: f64,
    pub(super) worst: f64,
}

pub(crate) fn run() -> Result<Section> {
    let (times, spreads) = times()?;
    let mut goals = Vec::new();
    let mut texts = Vec::new();
    for found in [times, scenes()?, atomics()?] {
        goals.extend(found.goals);
        texts.extend(found.text);
    }
    texts.push(method::text(&spreads));
    let fenced: Vec<String> = texts
        .iter()
        .map(|text| format!("```text\n{}\n```\n", text.trim_end()))
        .collect();
    Ok(Section {
        title: "How long a scrape can hold up whoever records",
        goals,
        text: fenced.join("\n"),
    })
}

/// How long recordings take, and by how much the controls differ: in all times and in those on a core.
fn times() -> Result<(Found, [Spread; 2])> {
    let mut times = vec![TIMES.map(str::to_owned)];
    let mut counts = vec![COUNTS.map(str::to_owned)];
    let mut spreads = [Spread::default(), Spread::default()];
    let mut goals = Vec::new();
    for case in CASES {
        let pairs = case.pairs()?;
        goals.extend(case.goals(&pairs));
        for ((which, of), spread) in [("all", ALL), ("on a core", ON_A_CORE)].into_iter().zip(&mut spreads) {
            // There are none on a core where the system does not tell.
            if let Some(excess) = cases::excess(&pairs, of) {
                times.push(case.times(which, &excess));
                spread.widen(&excess.spread);
            }
        }
        counts.push(case.counts(&pairs));
    }
    let text = vec![table::align(&times), table::align(&counts)];
    Ok((Found { goals, text }, spreads))
}

/// What gets through while somebody is stopped.
fn scenes() -> Result<Found> {
    let mut rows = vec![["name", "stopped for good", "a new series", "recordings"].map(str::to_owned)];
    let mut stuck = 0;
    for scene in SCENES {
        let passed = (scene.play)()?;
        stuck += usize::from(scene.is_ours && !passed.recordings);
        rows.push(scene.row(&passed));
    }
    let goal = Goal::at_most(
        "stall: scenes of ours, the table's included, with recordings stuck",
        stuck as f64,
        0.0,
        "scenes",
    );
    Ok(Found {
        goals: vec![goal],
        text: vec![table::align(&rows)],
    })
}

/// Atomic instructions, without which there is no lock.
fn atomics() -> Result<Found> {
    let mut rows = vec![["what is done once", "atomic instructions"].map(str::to_owned)];
    let [mut in_family, mut in_table] = [f64::NAN; 2];
    for work in WORK {
        let atomics = work.atomics()?;
        match work.name {
            FAMILY => in_family = atomics,
            TABLE => in_table = atomics,
            _ => {}
        }
        rows.push([work.name.to_owned(), format!("{atomics:.0}")]);
    }
    let goal = Goal::at_most(
        "stall: atomic instructions of a recording into a family beyond those of its table",
        in_family - in_table,
        0.0,
        "instructions",
    );
    Ok(Found {
        goals: vec![goal],
        text: vec![table::align(&rows)],
    })
}

impl Spread {
    fn widen(&mut self, spread: &Figures) {
        self.p9999 = self.p9999.max(spread.p9999);
        self.worst = self.worst.max(spread.worst);
    }
}

impl Scene {
    fn row(&self, passed: &Passed) -> [String; 4] {
        let of = |finished, word: &str| if finished { word.to_owned() } else { "stuck".to_owned() };
        [
            self.name.to_owned(),
            self.stopped.to_owned(),
            of(passed.new_series, "made"),
            of(passed.recordings, "all made"),
        ]
    }
}
