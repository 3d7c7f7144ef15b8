//! The tables in the README are made from the catalogue. `UPDATE_README=1` writes them.

use std::{collections::BTreeMap, fmt::Write, fs, path::PathBuf};

use tower_vitals::{ClientMetricsLayer, IdHasher, LabelValues, MetricsLayer, MetricsRoute, PrincipalIds, Vitals};

const BEGIN: &str = "<!-- made from the catalogue: begin -->\n";
const END: &str = "<!-- made from the catalogue: end -->\n";

#[test]
fn the_tables_are_those_of_the_catalogue() {
    let vitals = Vitals::new();
    let ids = PrincipalIds::new(IdHasher::sha256());
    let _layer = MetricsLayer::builder(&vitals).principal_ids(ids).build().unwrap();
    let _client = ClientMetricsLayer::new(&vitals, "target");
    let _errors = vitals.errors().unwrap();
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
            "the tables are old: UPDATE_README=1 cargo test -p tower-vitals --test readme"
        );
    }
}

fn tables(vitals: &Vitals) -> String {
    let catalogue = vitals.catalogue();
    let mut out = String::from("\n| metric | type | labels | what it says |\n|---|---|---|---|\n");
    let mut closed = BTreeMap::new();
    for family in &catalogue {
        let labels: Vec<_> = family.labels().iter().map(|label| format!("`{}`", label.name())).collect();
        writeln!(
            out,
            "| `{}` | {} | {} | {} |",
            family.sample_name(),
            family.kind(),
            labels.join(", "),
            family.help()
        )
        .expect("a string takes it");
        for label in family.labels() {
            if let LabelValues::Closed(values) = label.values() {
                closed.insert(label.name().to_owned(), values.to_vec());
            }
        }
    }
    out.push_str("\n| label | values |\n|---|---|\n");
    for (label, values) in closed {
        let values: Vec<_> = values
            .iter()
            .map(|value| {
                if value.is_empty() {
                    "empty".into()
                } else {
                    format!("`{value}`")
                }
            })
            .collect();
        writeln!(out, "| `{label}` | {} |", values.join(", ")).expect("a string takes it");
    }
    out.push('\n');
    out
}
