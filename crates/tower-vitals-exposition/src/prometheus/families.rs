//! All families of an attached registry, out of the text that prometheus-client makes of it.

use std::collections::HashMap;

use super::{family::Family, kind::Kind};

const HELP: &str = "# HELP ";
const NEXT: &str = "\n# HELP ";
const TYPE: &str = "\n# TYPE ";

/// What a text has.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Families<'a> {
    /// In the order in which they came first.
    pub(super) families: Vec<Family<'a>>,
    /// How many parts have no readable head.
    pub(super) unreadable: u64,
}

impl<'a> Families<'a> {
    /// Splits a text. Sub-registries write their part of a family each for itself; here it comes together.
    pub(super) fn parse(text: &'a str) -> Self {
        let mut all = Self::default();
        let mut places = HashMap::new();
        let mut rest = text;
        while !rest.is_empty() {
            let Some((head, body)) = head(rest) else {
                all.unreadable += 1;
                rest = rest.find(NEXT).map_or("", |end| &rest[end + 1..]);
                continue;
            };
            let place = *places.entry((head.name, head.kind)).or_insert(all.families.len());
            if place == all.families.len() {
                all.families.push(head);
            }
            let end = match body.find(NEXT) {
                _ if body.starts_with(HELP) => 0,
                Some(end) => end + 1,
                None => body.len(),
            };
            let (samples, next) = body.split_at(end);
            all.families[place].samples.push(samples);
            rest = next;
        }
        all
    }
}

/// Takes the lines that introduce a family. Help is printed as it is, so all lines up to the one with the type are part of it.
fn head(text: &str) -> Option<(Family<'_>, &str)> {
    let text = text.strip_prefix(HELP)?;
    text.match_indices(TYPE).find_map(|(end, mark)| {
        let (line, body) = text[end + mark.len()..].split_once('\n')?;
        let (name, word) = line.rsplit_once(' ')?;
        let help = text[..end].strip_prefix(name)?.strip_prefix(' ')?;
        let kind = Kind::from_word(word)?;
        let (unit, body) = unit(name, body);
        let samples = Vec::new();
        let family = Family {
            name,
            kind,
            help,
            unit,
            samples,
        };
        Some((family, body))
    })
}

fn unit<'a>(name: &str, body: &'a str) -> (Option<&'a str>, &'a str) {
    let line = body.strip_prefix("# UNIT ").and_then(|line| line.strip_prefix(name));
    let unit = line.and_then(|line| line.strip_prefix(' ')?.split_once('\n'));
    unit.map_or((None, body), |(unit, body)| (Some(unit), body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_goes_on_until_the_type_of_the_same_name() {
        let text = "# HELP a one\n# HELP b two\n# TYPE b gauge\n\nthree.\n# TYPE a counter\na_total 1\n";
        let all = Families::parse(text);
        assert_eq!(all.unreadable, 0);
        assert_eq!(all.families[0].help, "one\n# HELP b two\n# TYPE b gauge\n\nthree.");
        assert_eq!(all.families[0].samples, ["a_total 1\n"]);
        assert_eq!(all.families.len(), 1);
    }

    #[test]
    fn parts_of_a_family_come_together_under_the_first_head() {
        let a = |help, sample| format!("# HELP a_x {help}\n# TYPE a_x gauge\n# UNIT a_x x\n{sample}");
        let text = [
            &a("1", "a_x{b=\"1\"} 1\n"),
            "# HELP c \n# TYPE c gauge\n",
            &a("2", "a_x{b=\"2\"} 2\n"),
        ]
        .concat();
        let all = Families::parse(&text);
        let [a, c] = &*all.families else { panic!("{all:?}") };
        assert_eq!((a.name, a.help, a.unit), ("a_x", "1", Some("x")));
        assert_eq!(a.samples, ["a_x{b=\"1\"} 1\n", "a_x{b=\"2\"} 2\n"]);
        assert!((c.help, c.unit, c.is_empty()) == ("", None, true));
    }

    #[test]
    fn names_may_be_anything() {
        let text = "# HELP a b help.\n# TYPE a b gauge\na b 1\n# HELP c\nd help.\n# TYPE c\nd gauge\nc\nd 1\n# HELP e f\n# TYPE e gauge\ne 1\n";
        let all = Families::parse(text);
        let names: Vec<_> = all.families.iter().map(|family| (family.name, family.help)).collect();
        assert_eq!(names, [("a b", "help."), ("e", "f")]);
        assert_eq!(all.unreadable, 1);
        assert_eq!(Families::parse("x\n\ny").unreadable, 1);
        assert_eq!(Families::parse(""), Families::default());
    }
}
