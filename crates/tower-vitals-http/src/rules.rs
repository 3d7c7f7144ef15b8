//! Rules by route: which requests are not counted, which count under a common name, which are streams, and which have an objective.

use std::cmp::Reverse;

use crate::slo::Slo;

/// What a layer was told about routes, as it was told.
#[derive(Clone, Debug, Default)]
pub(crate) struct RouteRules {
    pub(crate) skip: Vec<String>,
    /// Patterns, and the names that the routes get.
    pub(crate) group: Vec<(String, String)>,
    pub(crate) stream: Vec<String>,
    pub(crate) slo: Vec<(String, Slo)>,
}

/// The same, checked and ready to ask.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    skip: Patterns<()>,
    group: Patterns<Box<str>>,
    stream: Patterns<()>,
    slo: Patterns<Slo>,
}

/// What the rules say of a route.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ruling<'a> {
    /// Whether its requests are not counted at all.
    pub(crate) skip: bool,
    /// Its label: the name of its group, or the template.
    pub(crate) label: &'a str,
    /// Whether its responses are streams, whatever their content type.
    pub(crate) stream: bool,
    pub(crate) slo: Option<Slo>,
}

/// What the rules say of a route beside its label.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Ruled {
    pub(crate) skip: bool,
    pub(crate) stream: bool,
    pub(crate) slo: Option<Slo>,
}

/// Patterns of one rule and what they give, in the order in which they are tried.
#[derive(Clone, Debug)]
struct Patterns<T> {
    patterns: Vec<(Pattern, T)>,
}

/// A whole template, or the beginning of one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    text: Box<str>,
    prefix: bool,
}

// === impl Rules ===

impl Rules {
    /// Checks the rules. The error says which rule and which pattern break what.
    pub(crate) fn try_new(rules: RouteRules) -> Result<Self, String> {
        if let Some((pattern, _)) = rules.group.iter().find(|(_, name)| name.is_empty()) {
            return Err(refused("group_route", pattern, "has no name for its group"));
        }
        for (pattern, slo) in &rules.slo {
            slo.check()
                .map_err(|rule| refused("slo", pattern, &format!("breaks a rule: {rule}")))?;
        }
        let group = rules.group.into_iter().map(|(pattern, name)| (pattern, name.into()));
        Ok(Self {
            skip: Patterns::try_new("skip_routes", rules.skip.into_iter().map(|pattern| (pattern, ())))?,
            group: Patterns::try_new("group_route", group)?,
            stream: Patterns::try_new("stream_routes", rules.stream.into_iter().map(|pattern| (pattern, ())))?,
            slo: Patterns::try_new("slo", rules.slo)?,
        })
    }

    /// Whether there are none, so that nobody needs to ask.
    pub(crate) fn is_empty(&self) -> bool {
        let Self {
            skip,
            group,
            stream,
            slo,
        } = self;
        skip.is_empty() && group.is_empty() && stream.is_empty() && slo.is_empty()
    }

    /// What holds for the route of this template. Where it is grouped, rules for the name of its group hold, too, after its own.
    ///
    /// It costs a comparison with each pattern.
    pub(crate) fn of<'a>(&'a self, template: &'a str) -> Ruling<'a> {
        let group = self.group.of(template).map(AsRef::as_ref);
        let mut ruling = Ruling {
            skip: false,
            label: group.unwrap_or(template),
            stream: false,
            slo: None,
        };
        for name in [Some(template), group].into_iter().flatten() {
            ruling.skip |= self.skip.of(name).is_some();
            ruling.stream |= self.stream.of(name).is_some();
            ruling.slo = ruling.slo.or_else(|| self.slo.of(name).copied());
        }
        ruling
    }
}

// === impl Ruling ===

impl<'a> Ruling<'a> {
    /// What no rules say.
    pub(crate) fn plain(template: &'a str) -> Self {
        Self {
            skip: false,
            label: template,
            stream: false,
            slo: None,
        }
    }

    pub(crate) fn ruled(&self) -> Ruled {
        Ruled {
            skip: self.skip,
            stream: self.stream,
            slo: self.slo,
        }
    }
}

// === impl Patterns ===

impl<T: PartialEq> Patterns<T> {
    /// The patterns of this rule.
    fn try_new(rule: &str, given: impl IntoIterator<Item = (String, T)>) -> Result<Self, String> {
        let mut patterns: Vec<(Pattern, T)> = Vec::new();
        for (text, value) in given {
            let pattern = Pattern::parse(&text).map_err(|broken| refused(rule, &text, broken))?;
            match patterns.iter().find(|(known, _)| *known == pattern) {
                Some((_, known)) if *known != value => return Err(refused(rule, &text, "is there twice, and not the same")),
                Some(_) => {}
                None => patterns.push((pattern, value)),
            }
        }
        // What says more is tried first.
        patterns.sort_by_key(|(pattern, _)| (pattern.prefix, Reverse(pattern.text.len())));
        Ok(Self { patterns })
    }
}

impl<T> Patterns<T> {
    fn of(&self, name: &str) -> Option<&T> {
        let (_, value) = self.patterns.iter().find(|(pattern, _)| pattern.matches(name))?;
        Some(value)
    }

    fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }
}

impl<T> Default for Patterns<T> {
    fn default() -> Self {
        Self { patterns: Vec::new() }
    }
}

// === impl Pattern ===

impl Pattern {
    fn parse(pattern: &str) -> Result<Self, &'static str> {
        if pattern.is_empty() {
            return Err("is empty");
        }
        let text = pattern.strip_suffix('*').unwrap_or(pattern);
        // The star of `{*path}` belongs to the template.
        let is_stray = |(at, _): (usize, &str)| !text[..at].ends_with('{');
        if text.match_indices('*').any(is_stray) {
            return Err("must have `*` only at its end, or in a parameter such as `{*path}`");
        }
        Ok(Self {
            text: text.into(),
            prefix: text.len() < pattern.len(),
        })
    }

    fn matches(&self, name: &str) -> bool {
        if self.prefix {
            name.starts_with(&*self.text)
        } else {
            *name == *self.text
        }
    }
}

fn refused(rule: &str, pattern: &str, broken: &str) -> String {
    // A pattern from configuration can be of any length; an error line should not.
    let pattern: String = pattern.chars().take(200).flat_map(char::escape_debug).collect();
    format!("the pattern `{pattern}` of `{rule}` {broken}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn strings(patterns: &[&str]) -> Vec<String> {
        patterns.iter().map(|pattern| (*pattern).to_owned()).collect()
    }

    fn slo(millis: u64) -> Slo {
        Slo::new(Duration::from_millis(millis))
    }

    fn rules(skip: &[&str], group: &[(&str, &str)], stream: &[&str], slo: &[(&str, Slo)]) -> Result<Rules, String> {
        Rules::try_new(RouteRules {
            skip: strings(skip),
            group: group
                .iter()
                .map(|(pattern, name)| ((*pattern).into(), (*name).into()))
                .collect(),
            stream: strings(stream),
            slo: slo.iter().map(|(pattern, slo)| ((*pattern).into(), *slo)).collect(),
        })
    }

    #[test]
    fn a_route_without_rules_is_itself() {
        let none = rules(&[], &[], &[], &[]).unwrap();
        assert!(none.is_empty());
        let others = rules(&["/health"], &[("/static/*", "static")], &["/watch"], &[("/users", slo(5))]).unwrap();
        assert!(!others.is_empty());
        for rules in [none, others] {
            for template in ["/", "/health/", "/static", "/Watch", "/users/{id}", "", "_unmatched"] {
                let expected = Ruling {
                    skip: false,
                    label: template,
                    stream: false,
                    slo: None,
                };
                assert_eq!(rules.of(template), expected);
            }
        }
    }

    #[test]
    fn any_rule_makes_the_rules_worth_asking() {
        assert!(!rules(&["/a"], &[], &[], &[]).unwrap().is_empty());
        assert!(!rules(&[], &[("/a", "a")], &[], &[]).unwrap().is_empty());
        assert!(!rules(&[], &[], &["/a"], &[]).unwrap().is_empty());
        assert!(!rules(&[], &[], &[], &[("/a", slo(1))]).unwrap().is_empty());
    }

    #[test]
    fn a_pattern_is_a_whole_template_or_the_beginning_of_one() {
        let rules = rules(&["/health", "/internal/*", "/files/{*path}", "/raw/{**"], &[], &["*"], &[]).unwrap();
        for (template, skip) in [
            ("/health", true),
            ("/healthz", false),
            ("/internal/", true),
            ("/internal/{*path}", true),
            ("/internal", false),
            ("/v1/internal/", false),
            ("/files/{*path}", true),
            ("/files/{*other}", false),
            ("/files/a", false),
            ("/raw/{*path}", true),
            ("/raw/{id}", false),
        ] {
            assert_eq!(rules.of(template).skip, skip, "{template}");
            assert!(rules.of(template).stream, "{template}");
        }
    }

    #[test]
    fn what_says_more_goes_first() {
        let groups = [
            ("/a/*", "short"),
            ("/a/bb/*", "long"),
            ("*", "rest"),
            ("/a/bb/c", "exact"),
            ("/a/b*", "between"),
        ];
        let slos = [("/a/*", slo(1)), ("/a/b", slo(2)), ("/a/b*", slo(3))];
        let mut reversed = (groups, slos);
        reversed.0.reverse();
        reversed.1.reverse();
        for (groups, slos) in [(groups, slos), reversed] {
            let rules = rules(&[], &groups, &[], &slos).unwrap();
            for (template, label) in [
                ("/a/bb/c", "exact"),
                ("/a/bb/cc", "long"),
                ("/a/bx", "between"),
                ("/a/x", "short"),
                ("/x", "rest"),
            ] {
                assert_eq!(rules.of(template).label, label);
            }
            for (template, millis) in [("/a/b", 2), ("/a/bb", 3), ("/a/x", 1)] {
                assert_eq!(rules.of(template).slo, Some(slo(millis)), "{template}");
            }
        }
    }

    #[test]
    fn rules_for_a_group_hold_for_its_routes() {
        let groups = [("/static/*", "static"), ("/live/*", "live"), ("/admin/*", "admin")];
        let slos = [("static", slo(10)), ("/static/big", slo(20)), ("live", slo(30))];
        let rules = rules(&["admin", "/static/secret"], &groups, &["live"], &slos).unwrap();
        for (template, expected) in [
            ("/static/a", (false, "static", false, Some(slo(10)))),
            ("/static/big", (false, "static", false, Some(slo(20)))),
            ("/static/secret", (true, "static", false, Some(slo(10)))),
            ("/live/a", (false, "live", true, Some(slo(30)))),
            ("/admin/a", (true, "admin", false, None)),
            ("static", (false, "static", false, Some(slo(10)))),
        ] {
            let Ruling {
                skip,
                label,
                stream,
                slo,
            } = rules.of(template);
            assert_eq!((skip, label, stream, slo), expected, "{template}");
        }
    }

    #[test]
    fn bad_patterns_are_refused_by_name() {
        let stray = "must have `*` only at its end, or in a parameter such as `{*path}`";
        for (refused, error) in [
            (
                rules(&["/ok", ""], &[], &[], &[]),
                "the pattern `` of `skip_routes` is empty".to_owned(),
            ),
            (
                rules(&["/a*b"], &[], &[], &[]),
                format!("the pattern `/a*b` of `skip_routes` {stray}"),
            ),
            (
                rules(&[], &[("*/a", "a")], &[], &[]),
                format!("the pattern `*/a` of `group_route` {stray}"),
            ),
            (
                rules(&[], &[], &["/a/**"], &[]),
                format!("the pattern `/a/**` of `stream_routes` {stray}"),
            ),
            (
                rules(&[], &[], &[], &[("/{*a}/*/\n", slo(1))]),
                format!("the pattern `/{{*a}}/*/\\n` of `slo` {stray}"),
            ),
            (
                rules(&[], &[("/a", "")], &[], &[]),
                "the pattern `/a` of `group_route` has no name for its group".to_owned(),
            ),
            (
                rules(&[], &[("/a*", "a"), ("/a*", "b")], &[], &[]),
                "the pattern `/a*` of `group_route` is there twice, and not the same".to_owned(),
            ),
            (
                rules(&[], &[], &[], &[("/a", slo(1)), ("/a", slo(2))]),
                "the pattern `/a` of `slo` is there twice, and not the same".to_owned(),
            ),
            (
                rules(&[], &[], &[], &[("/a", slo(0))]),
                "the pattern `/a` of `slo` breaks a rule: the good time of an SLO must be longer than zero".to_owned(),
            ),
        ] {
            assert_eq!(refused.unwrap_err(), error);
        }
        let long = rules(&[&"*x".repeat(1000)], &[], &[], &[]).unwrap_err();
        assert!(long.len() < 400, "{long}");
    }

    #[test]
    fn saying_the_same_twice_is_no_error() {
        let twice = rules(
            &["/a", "/a"],
            &[("/b", "b"), ("/b", "b")],
            &["/c*", "/c*"],
            &[("/d", slo(1)), ("/d", slo(1))],
        );
        let twice = twice.unwrap();
        assert!(twice.of("/a").skip);
        assert_eq!(twice.of("/b").label, "b");
        // A template and a prefix of the same text are two patterns.
        assert!(rules(&[], &[("/b", "b"), ("/b*", "bs")], &[], &[]).is_ok());
    }
}
