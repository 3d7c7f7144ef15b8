//! What a layer is told before it is made, and what it shares with the other layers of its Vitals.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
};

use tower_vitals_core::{Bounds, RegisterError, Vitals};

use crate::{
    Names, PrincipalIds,
    auth::AuthTypes,
    endpoint::Options,
    known_methods::KnownMethods,
    names::Side,
    own::OwnLabel,
    principal::Ids,
    records::Records,
    route::RouteWith,
    rules::{RouteRules, Rules},
    vocabulary::Vocabulary,
};

/// What a layer was told. What it was not told is as in the first layer of its side, or else the default.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    pub(crate) buckets: Option<Vec<f64>>,
    pub(crate) names: Option<Names>,
    pub(crate) methods: Option<Vec<String>>,
    pub(crate) auth_types: Option<Vec<&'static str>>,
    pub(crate) ids: Option<PrincipalIds>,
    pub(crate) own: Vec<OwnLabel>,
    pub(crate) route_with: Option<RouteWith>,
    pub(crate) rules: RouteRules,
    pub(crate) options: Options,
}

/// The records of both sides of a Vitals, each made by its first layer.
#[derive(Debug, Default)]
struct Sides {
    server: Mutex<Option<Arc<Records>>>,
    client: Mutex<Option<Arc<Records>>>,
}

impl Settings {
    /// The records of a side, and what only the layer itself does, if anything.
    pub(crate) fn build(mut self, vitals: &Vitals, side: Side) -> Result<(Arc<Records>, Option<Arc<Options>>), RegisterError> {
        let names = self.names;
        let wanted = self.vocabulary(vitals, side)?;
        let rules = Rules::try_new(std::mem::take(&mut self.rules)).map_err(|rule| invalid(side, names, rule))?;
        let records = records(vitals, side, &wanted, |known| self.same(known, &wanted))?;
        if let Some(ids) = &self.ids {
            take_ids(vitals, &records, ids)?;
        }
        let place = |own: OwnLabel| {
            let place = records.vocabulary.own.iter().position(|(name, _)| *name == own.name);
            place.map(|place| (place, own))
        };
        let options = Options {
            route_with: self.route_with,
            rules,
            own: self.own.into_iter().filter_map(place).collect(),
            ..self.options
        };
        let options = (!options.is_empty() || records.is_rich).then(|| Arc::new(options));
        Ok((records, options))
    }

    /// The vocabulary that the layer would have if it were the first.
    fn vocabulary(&self, vitals: &Vitals, side: Side) -> Result<Vocabulary, RegisterError> {
        let names = self.names.unwrap_or_default();
        let tables = names.tables(side);
        let invalid = |rule: String| RegisterError::invalid(tables.durations.name, rule);
        let bounds = self.buckets.as_deref().unwrap_or(tables.bounds);
        let methods = match (&self.methods, names) {
            (Some(methods), _) => KnownMethods::from_names(methods),
            (None, Names::OpenTelemetry) => KnownMethods::from_env(),
            (None, Names::Prometheus) => Ok(KnownMethods::default()),
        };
        for own in &self.own {
            if vitals.has_constant_label(&own.name) {
                return Err(invalid(format!(
                    "label `{}` is a constant label already",
                    own.name.escape_debug()
                )));
            }
        }
        if let Some(ids) = &self.ids {
            ids.check().map_err(invalid)?;
        }
        let users_on_requests = self.ids.as_ref().and_then(|ids| Some((ids.on_requests?, ids.expiry())));
        Ok(Vocabulary {
            side,
            names,
            bounds: Bounds::try_new(bounds).map_err(invalid)?,
            methods: methods.map_err(invalid)?,
            auth_types: AuthTypes::with_own(self.auth_types.as_deref().unwrap_or_default()).map_err(invalid)?,
            own: self.own.iter().map(|own| (own.name.clone(), own.budget)).collect(),
            users_on_requests,
        })
    }

    /// Whether what was asked for is what the first layer had.
    fn same(&self, known: &Vocabulary, wanted: &Vocabulary) -> Result<(), String> {
        if self.names.is_some() {
            same("names", &known.names, &wanted.names)?;
        }
        if self.buckets.is_some() {
            same("buckets", &known.bounds.values(), &wanted.bounds.values())?;
        }
        if self.methods.is_some() {
            same("known methods", &known.methods.names(), &wanted.methods.names())?;
        }
        if self.auth_types.is_some() {
            same("auth types", &known.auth_types.names(), &wanted.auth_types.names())?;
        }
        if !self.own.is_empty() {
            same("own labels", &known.own, &wanted.own)?;
        }
        if wanted.users_on_requests.is_some() {
            same("users on requests", &known.users_on_requests, &wanted.users_on_requests)?;
        }
        Ok(())
    }
}

fn same<T: PartialEq + Debug>(what: &str, known: &T, wanted: &T) -> Result<(), String> {
    if known == wanted {
        Ok(())
    } else {
        Err(format!("a layer has the {what} {known:?} already, not {wanted:?}"))
    }
}

/// The records of a side, made now if there are none.
fn records(
    vitals: &Vitals,
    side: Side,
    wanted: &Vocabulary,
    same: impl FnOnce(&Vocabulary) -> Result<(), String>,
) -> Result<Arc<Records>, RegisterError> {
    let sides = vitals.extension(Sides::default);
    let mut known = sides.of(side).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = &*known {
        let name = known.vocabulary.tables().durations.name;
        same(&known.vocabulary).map_err(|rule| RegisterError::invalid(name, rule))?;
        return Ok(Arc::clone(known));
    }
    let records = Arc::new(Records::register(vitals, wanted.clone())?);
    *known = Some(Arc::clone(&records));
    Ok(records)
}

/// Has the IDs of principals counted.
fn take_ids(vitals: &Vitals, records: &Arc<Records>, wanted: &PrincipalIds) -> Result<(), RegisterError> {
    if records.ids.get().is_none() {
        let ids = Ids::register(vitals, wanted.clone(), &records.vocabulary.auth_types)?;
        if records.ids.set(ids).is_ok() {
            let records = Arc::downgrade(records);
            vitals.before_scrape(move || {
                if let Some(records) = records.upgrade() {
                    records.expire_ids();
                }
            });
        }
    }
    match records.ids.get() {
        Some(known) if known.settings != *wanted => {
            let rule = match known.settings.hashes_like(wanted) {
                true => format!("a layer has {:?} already, not {wanted:?}", known.settings),
                // They may look alike: a secret is not shown.
                false => "a layer hashes IDs in another way already, or under another secret".to_owned(),
            };
            Err(RegisterError::invalid("http_user_requests", rule))
        }
        _ => Ok(()),
    }
}

fn invalid(side: Side, names: Option<Names>, rule: String) -> RegisterError {
    RegisterError::invalid(names.unwrap_or_default().tables(side).durations.name, rule)
}

impl Sides {
    fn of(&self, side: Side) -> &Mutex<Option<Arc<Records>>> {
        match side {
            Side::Server => &self.server,
            Side::Client => &self.client,
        }
    }
}
