//! A strict reader of both text formats, which shares nothing with the code that it checks.

use std::collections::{BTreeMap, BTreeSet};

/// All samples of a scrape.
#[derive(Debug)]
pub(crate) struct Scrape {
    /// By name and labels; the value as text of an `f64`, so that NaN equals itself.
    pub(crate) samples: BTreeMap<(String, BTreeMap<String, String>), String>,
}

impl Scrape {
    /// Panics on everything that is not allowed.
    pub(crate) fn parse(text: &str) -> Self {
        let mut samples = BTreeMap::new();
        let (mut typed, mut family) = (BTreeSet::new(), String::new());
        for line in text.strip_suffix('\n').expect("a line end at the end").split('\n') {
            if let Some(head) = line.strip_prefix("# TYPE ") {
                family = head.split(' ').next().unwrap().to_owned();
                assert!(typed.insert(family.clone()), "two families {family}");
            } else if !line.starts_with("# ") {
                let (name, labels, value) = sample(line);
                assert!(name.starts_with(&family), "{line} stands in {family}");
                let known = samples.insert((name, labels), value);
                assert!(known.is_none(), "twice: {line}");
            }
        }
        Self { samples }
    }

    /// The value of a series.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let value = self.samples.get(&(name.to_owned(), labels.collect()))?;
        Some(value.parse().unwrap())
    }
}

fn sample(line: &str) -> (String, BTreeMap<String, String>, String) {
    let mut chars = line.chars().peekable();
    let name = word(&mut chars);
    let mut labels = BTreeMap::new();
    if chars.next_if_eq(&'{').is_some() {
        loop {
            let label = word(&mut chars);
            assert!(chars.next() == Some('=') && chars.next() == Some('"'), "{line}");
            let value = quoted(&mut chars);
            let value = if label == "le" {
                value.parse::<f64>().unwrap().to_string()
            } else {
                value
            };
            assert!(labels.insert(label, value).is_none(), "a label twice: {line}");
            match chars.next() {
                Some(',') => {}
                Some('}') => break,
                other => panic!("{other:?} behind a label: {line}"),
            }
        }
    }
    assert_eq!(chars.next(), Some(' '), "{line}");
    let value: String = chars.by_ref().take_while(|char| *char != ' ').collect();
    let exemplar: String = chars.collect();
    assert!(exemplar.is_empty() || exemplar.starts_with("# {"), "{line}");
    let value: f64 = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
    (name, labels, value.to_string())
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn word(chars: &mut Chars<'_>) -> String {
    let mut word = String::new();
    while let Some(char) = chars.next_if(|char| char.is_ascii_alphanumeric() || *char == '_' || *char == ':') {
        word.push(char);
    }
    assert!(!word.is_empty() && !word.starts_with(|first: char| first.is_ascii_digit()));
    word
}

fn quoted(chars: &mut Chars<'_>) -> String {
    let mut value = String::new();
    loop {
        match chars.next().expect("an end of the quotes") {
            '"' => return value,
            '\\' => value.push(match chars.next() {
                Some('n') => '\n',
                Some(char @ ('\\' | '"')) => char,
                other => panic!("an escaped {other:?}"),
            }),
            other => value.push(other),
        }
    }
}
