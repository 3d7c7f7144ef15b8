//! The tables in the README are made from the catalogue. `UPDATE_README=1` writes them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::PathBuf,
};

use tower_vitals::{
    CircuitBreaker, ClientMetricsLayer, Descriptor, IdHasher, Label, LabelValues, MetricsLayer, MetricsRoute, PrincipalIds,
    Vitals, WebSockets,
};

const BEGIN: &str = "<!-- made from the catalogue: begin -->\n";
const END: &str = "<!-- made from the catalogue: end -->\n";

#[test]
fn the_tables_are_those_of_the_catalogue() {
    let vitals = Vitals::new();
    let ids = PrincipalIds::new(IdHasher::sha256());
    let _layer = MetricsLayer::builder(&vitals).principal_ids(ids).build().unwrap();
    let _client = ClientMetricsLayer::new(&vitals, "target");
    let _errors = vitals.errors().unwrap();
    let _breaker = CircuitBreaker::builder("breaker").call_durations().build(&vitals).unwrap();
    let _sockets = WebSockets::of(&vitals);
    let _route = MetricsRoute::new(&vitals);
    let tables = tables(&vitals);

    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("the README says where the tables begin");
    let (present, after) = rest.split_once(END).expect("the README says where the tables end");
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(&path, [before, BEGIN, &tables, END, after].concat()).unwrap();
    } else {
        assert_eq!(
            present, tables,
            "the tables are old: UPDATE_README=1 cargo test -p tower-vitals --all-features --test readme"
        );
    }
}

#[test]
fn the_breakers_readme_has_all_that_its_metrics_say() {
    let vitals = Vitals::new();
    let _breaker = CircuitBreaker::builder("breaker").call_durations().build(&vitals).unwrap();
    tells_all(&vitals, "breaker", "tower-vitals-breaker");
}

#[test]
fn the_readme_of_websockets_has_all_that_their_metrics_say() {
    let vitals = Vitals::new();
    let _sockets = WebSockets::of(&vitals);
    tells_all(&vitals, "websocket", "tower-vitals-ws");
}

#[test]
fn the_labels_of_websockets_are_kept_free() {
    let vitals = Vitals::new();
    let _sockets = WebSockets::of(&vitals);
    let catalogue = vitals.catalogue();
    let of_sockets = catalogue.iter().filter(|family| family.category() == "websocket");
    let labels: BTreeSet<_> = of_sockets.flat_map(Descriptor::labels).map(Label::name).collect();
    assert!(labels.len() > 5, "{labels:?}");
    for label in labels {
        let refused = Vitals::builder().constant_label(label, "x").build();
        assert!(refused.is_err(), "{label}");
    }
}

/// The README of this crate has the names of all metrics of this category, and all values of their closed labels.
fn tells_all(vitals: &Vitals, category: &str, of_crate: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(of_crate)
        .join("README.md");
    let readme = fs::read_to_string(path).expect("there is a README");
    let catalogue = vitals.catalogue();
    let families = || catalogue.iter().filter(|family| family.category() == category);
    assert!(families().next().is_some(), "{category}");
    let values = families()
        .flat_map(Descriptor::labels)
        .filter_map(|label| match label.values() {
            LabelValues::Closed(values) => Some(values.iter().map(ToString::to_string)),
            _ => None,
        });
    let names = families().map(Descriptor::sample_name);
    for told in names.chain(values.flatten()) {
        assert!(readme.contains(&format!("`{told}`")), "`{told}` is not in the README");
    }
}

fn tables(vitals: &Vitals) -> String {
    let catalogue = vitals.catalogue();
    let mut out = String::from("\n| metric | type | labels | what it says |\n|---|---|---|---|\n");
    for family in &catalogue {
        let labels = codes(family.labels().iter().map(Label::name));
        let (name, kind, help) = (family.sample_name(), family.kind(), family.help());
        writeln!(out, "| `{name}` | {kind} | {labels} | {help} |").expect("a string takes it");
    }
    out.push_str("\n| label | values |\n|---|---|\n");
    for (label, sets) in closed(&catalogue) {
        for (values, metrics) in &sets {
            let of = match sets.len() {
                1 => String::new(),
                _ => format!(" of {}", codes(metrics.iter().map(String::as_str))),
            };
            writeln!(out, "| `{label}`{of} | {} |", codes(values.iter().copied())).expect("a string takes it");
        }
    }
    out.push('\n');
    out
}

/// Sets of values, each with the metrics that have it.
type Sets = Vec<(Vec<&'static str>, Vec<String>)>;

/// The sets of each closed label: one name may stand for different sets in different metrics.
fn closed(catalogue: &[Descriptor]) -> BTreeMap<String, Sets> {
    let mut closed = BTreeMap::<_, Sets>::new();
    for family in catalogue {
        for label in family.labels() {
            if let LabelValues::Closed(values) = label.values() {
                let sets = closed.entry(label.name().to_owned()).or_default();
                let metric = family.sample_name();
                match sets.iter_mut().find(|(known, _)| **known == **values) {
                    Some((_, metrics)) => metrics.push(metric),
                    None => sets.push((values.to_vec(), vec![metric])),
                }
            }
        }
    }
    closed
}

fn codes<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let code = |text: &str| {
        if text.is_empty() {
            "empty".into()
        } else {
            format!("`{text}`")
        }
    };
    texts.map(code).collect::<Vec<_>>().join(", ")
}
