use serde_json::json;

use super::*;

fn sample(name: &str, labels: &[(&str, &str)], value: f64) -> Sample {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Sample {
        name: name.to_owned(),
        labels: labels.iter().map(owned).collect(),
        value,
        timestamp: None,
        exemplar: None,
    }
}

fn family(name: &str, kind: &str, samples: Vec<Sample>) -> Family {
    Family {
        name: name.to_owned(),
        kind: kind.to_owned(),
        help: String::new(),
        unit: String::new(),
        samples,
    }
}

/// A histogram of these buckets, in one series.
fn histogram(buckets: &[(&str, f64)], count: f64) -> Exposition {
    let bucket = |(le, value): &(&str, f64)| sample("d_bucket", &[("le", le)], *value);
    let mut samples: Vec<Sample> = buckets.iter().map(bucket).collect();
    samples.push(sample("d_count", &[], count));
    samples.push(sample("d_sum", &[], 1.5));
    let families = vec![family("d", "histogram", samples)];
    Exposition { families }
}

fn fault(buckets: &[(&str, f64)], count: f64) -> String {
    let exposition = histogram(buckets, count);
    exposition.check_histograms().unwrap_err()
}

#[test]
fn a_sound_histogram_passes() {
    let sound = histogram(&[("0.5", 1.0), ("10", 1.0), ("+Inf", 3.0)], 3.0);
    assert_eq!(sound.check_histograms(), Ok(()));
}

#[test]
fn each_fault_of_a_histogram_is_named() {
    assert!(fault(&[("10", 1.0), ("2", 2.0), ("+Inf", 3.0)], 3.0).contains("sorted"));
    assert!(fault(&[("2", 1.0), ("2", 1.0), ("+Inf", 3.0)], 3.0).contains("sorted"));
    assert!(fault(&[("2", 2.0), ("10", 1.0), ("+Inf", 3.0)], 3.0).contains("cumulative"));
    assert!(fault(&[("2", 2.0), ("10", 3.0)], 3.0).contains("last bucket"));
    assert!(fault(&[("2", 2.0), ("+Inf", 3.0)], 4.0).contains("`_count` is not"));
    assert!(fault(&[], 0.0).contains("no buckets"));
    assert!(fault(&[("x", 2.0)], 2.0).contains("no number"));
}

#[test]
fn a_histogram_without_count_or_sum_is_at_fault() {
    for suffix in ["d_count", "d_sum"] {
        let mut exposition = histogram(&[("+Inf", 3.0)], 3.0);
        exposition.families[0].samples.retain(|s| s.name != suffix);
        assert!(exposition.check_histograms().is_err(), "{suffix}");
    }
}

#[test]
fn values_match_exactly_and_sums_in_part() {
    let samples = vec![
        sample("r_total", &[("a", "1"), ("b", "1")], 2.0),
        sample("r_total", &[("a", "1"), ("b", "2")], 3.0),
        sample("r_created", &[("a", "1"), ("b", "2")], 100.0),
    ];
    let families = vec![family("r", "counter", samples)];
    let exposition = Exposition { families };
    let both = [("b", "2"), ("a", "1")];
    assert_eq!(exposition.value("r_total", &both), Some(3.0));
    assert_eq!(exposition.value("r_total", &[("a", "1")]), None);
    assert_eq!(exposition.sum("r_total", &[("a", "1")]), 5.0);
    assert_eq!(exposition.sum("r_total", &[("a", "2")]).to_bits(), 0);
    assert!(exposition.family("r").is_some());
    assert!(exposition.family("r_total").is_some());
    assert!(exposition.family("r_created").is_none());
}

fn bare(name: &str, label: &str) -> Value {
    let labels = json!({ "a": label });
    let samples = json!([{ "name": name, "labels": labels, "value": "nan" }]);
    json!({ "name": name, "kind": "unknown", "help": "", "unit": "", "samples": samples })
}

#[test]
fn series_without_metadata_are_one_family_if_in_one_piece() {
    let whole = json!([bare("x", "1"), bare("x", "2"), bare("y", "1")]);
    let exposition = Exposition::from_json(&whole).unwrap();
    assert_eq!(exposition.families.len(), 2);
    assert!(exposition.value("x", &[("a", "2")]).unwrap().is_nan());

    let torn = json!([bare("x", "1"), bare("y", "1"), bare("x", "2")]);
    let error = Exposition::from_json(&torn).unwrap_err();
    assert_eq!(error, "the family x is not in one piece");
    let twice = json!([bare("x", "1"), bare("x", "1")]);
    let error = Exposition::from_json(&twice).unwrap_err();
    assert!(error.starts_with("a series is there twice"), "{error}");
}
