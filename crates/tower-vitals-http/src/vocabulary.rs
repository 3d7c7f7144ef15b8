//! What all requests of one side of a Vitals share: under which names they are recorded, and which values the labels take.

use std::{borrow::Cow, time::Duration};

use tower_vitals_core::{Bounds, ClosedLabel, DynamicFamily, FamilyBuilder, Instrument, RegisterError, label_value};

use crate::{
    Names, Outcome, UNMATCHED,
    auth::AuthTypes,
    kind::{HttpVersion, Kind, Scheme, StatusClass},
    known_methods::KnownMethods,
    names::{Column, FamilyNames, Side, Tables},
    records::Columns,
};

/// Everything that all layers of one side of a Vitals agree on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Vocabulary {
    pub(crate) side: Side,
    pub(crate) names: Names,
    pub(crate) bounds: Bounds,
    pub(crate) methods: KnownMethods,
    pub(crate) auth_types: AuthTypes,
    /// Names and budgets of the application's own labels.
    pub(crate) own: Vec<(String, usize)>,
    /// How many series the counter of requests may have, if it says who made them, and how long they stay unused.
    pub(crate) users_on_requests: Option<(usize, Option<Duration>)>,
}

/// What the labels of one request are told from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said<'a> {
    pub(crate) kind: Kind,
    pub(crate) route: &'a str,
    pub(crate) user: &'a str,
    pub(crate) own: &'a [Option<Box<str>>],
}

impl<'a> Said<'a> {
    /// Of a request of which nothing else is known.
    pub(crate) fn of(kind: Kind, route: &'a str) -> Self {
        Self {
            kind,
            route,
            user: "",
            own: &[],
        }
    }
}

impl Vocabulary {
    /// Whether methods have the numbers of [`KnownMethod`](crate::method::KnownMethod), and labels need no more than those of kinds.
    pub(crate) fn is_plain(&self) -> bool {
        self.names == Names::Prometheus && self.methods == KnownMethods::default()
    }

    pub(crate) fn tables(&self) -> &'static Tables {
        self.names.tables(self.side)
    }

    /// The columns of a family: those of its table, and for the counter of requests (or what stands for it) those that were asked for.
    pub(crate) fn columns(&self, family: &FamilyNames, rich: bool) -> Columns {
        let of_table = family.columns.iter().map(|(label, column)| (Cow::Borrowed(*label), *column));
        let mut columns: Columns = of_table.collect();
        if rich {
            if self.users_on_requests.is_some() && self.names == Names::Prometheus {
                columns.push(("user".into(), Column::User));
            }
            let own = self.own.iter().enumerate();
            columns.extend(own.map(|(place, (name, _))| (name.clone().into(), Column::Own(place))));
        }
        columns
    }

    /// Registers a family with these columns.
    pub(crate) fn register<I: Instrument>(
        &self,
        mut family: FamilyBuilder<I>,
        columns: &Columns,
    ) -> Result<DynamicFamily<I>, RegisterError> {
        // Of the families, only one that says who made the requests expires.
        let expires = columns.iter().any(|(_, column)| *column == Column::User);
        for (label, column) in columns {
            family = self.bound(family, label, *column, expires);
        }
        let labels: Vec<&str> = columns.iter().map(|(label, _)| &**label).collect();
        family.category("http").house().labels_of(&labels)
    }

    fn bound<I: Instrument>(&self, family: FamilyBuilder<I>, label: &str, column: Column, expires: bool) -> FamilyBuilder<I> {
        // A budget that is larger than any number of values says that something else bounds them.
        match column {
            Column::Method => family.closed_to(label, self.methods.values()),
            Column::AuthType => family.closed_to(label, self.auth_types.names().to_vec()),
            Column::StatusClass => family.closed::<StatusClass>(label),
            Column::Outcome => family.closed::<Outcome>(label),
            Column::Scheme => family.closed::<Scheme>(label),
            Column::Version => family.closed::<HttpVersion>(label),
            // All that there are: an application's budget for its own labels is not for these.
            Column::Status | Column::ErrorType => family.budget(label, 1_000 + Outcome::VALUES.len()),
            Column::User => family.budget(label, usize::MAX),
            Column::Own(n) => match self.own.get(n) {
                // No value at all has a place of its own.
                Some((_, most)) => family.budget(label, most.saturating_add(1)),
                None => family,
            },
            // Where series expire, the durations' budget is the one of both.
            Column::Route if expires => family.budget(label, usize::MAX),
            Column::Route | Column::Address | Column::Port => family,
        }
    }

    /// What a label says of a request.
    pub(crate) fn value<'a>(&self, column: Column, said: &Said<'a>) -> Cow<'a, str> {
        let kind = said.kind;
        let of = |names: &[&'static str], number: usize| names.get(number).copied().unwrap_or_default();
        Cow::Borrowed(match column {
            Column::Method => of(self.methods.names(), kind.method()),
            // What the conventions have no value for is not there.
            Column::Route if self.names == Names::OpenTelemetry && said.route == UNMATCHED => "",
            Column::Route => said.route,
            Column::Status => {
                return kind
                    .status()
                    .map_or(Cow::Borrowed(""), |status| status.as_str().to_owned().into());
            }
            Column::StatusClass => kind.status_class().as_str(),
            Column::AuthType => of(self.auth_types.names(), kind.auth_type()),
            Column::Outcome => of(Outcome::VALUES, kind.outcome()),
            Column::Scheme => of(Scheme::VALUES, kind.scheme()),
            Column::ErrorType => return self.error_type(kind),
            Column::Version => of(HttpVersion::VALUES, kind.version()),
            Column::Address => split_target(said.route).0,
            Column::Port => split_target(said.route).1.unwrap_or(match Scheme::VALUES.get(kind.scheme()) {
                Some(&"https") => "443",
                _ => "80",
            }),
            Column::User => said.user,
            Column::Own(n) => said.own.get(n).and_then(Option::as_deref).unwrap_or_default(),
        })
    }

    /// The values of all labels of a family.
    pub(crate) fn values<'a>(&self, columns: &Columns, said: &Said<'a>) -> Vec<Cow<'a, str>> {
        columns.iter().map(|(_, column)| self.value(*column, said)).collect()
    }

    /// A server's own failures and all that a client is refused are errors; so is whatever did not complete.
    fn error_type<'a>(&self, kind: Kind) -> Cow<'a, str> {
        let first_error = match self.side {
            Side::Server => 500,
            Side::Client => 400,
        };
        match kind.status().filter(|status| status.as_u16() >= first_error) {
            Some(status) => Cow::Owned(status.as_str().to_owned()),
            None if kind.outcome() == Outcome::Completed as usize => Cow::Borrowed(""),
            None => Cow::Borrowed(Outcome::VALUES.get(kind.outcome()).copied().unwrap_or_default()),
        }
    }
}

/// A target's name, and the port at its end. An IPv6 address has one only after brackets.
fn split_target(target: &str) -> (&str, Option<&str>) {
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    match target.rsplit_once(':') {
        Some((address, port)) if is_port(port) && (address.ends_with(']') || !address.contains(':')) => (address, Some(port)),
        _ => (target, None),
    }
}

/// A value as its series keeps it.
pub(crate) fn kept(value: &str) -> Box<str> {
    label_value(value).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_may_end_in_a_port() {
        assert_eq!(split_target("payments"), ("payments", None));
        assert_eq!(split_target("payments:8443"), ("payments", Some("8443")));
        assert_eq!(split_target("::1"), ("::1", None));
        assert_eq!(split_target("[::1]:80"), ("[::1]", Some("80")));
        assert_eq!(split_target("payments:"), ("payments:", None));
    }
}
