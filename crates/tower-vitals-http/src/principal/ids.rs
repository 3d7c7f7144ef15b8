use std::time::Duration;

use tower_vitals_core::{CounterFamily, IdHasher, RegisterError, Vitals, idle::Expiry};

use super::known::{KnownId, KnownIds, Sort};
use crate::{Outcome, auth::AuthTypes};

/// How the IDs of those who make requests are counted, in `http_user_requests_total` and `http_api_key_requests_total`.
///
/// IDs leave the process only hashed. The application has to choose how, because neither choice is right for all: a plain SHA-256 is the
/// same in every process and everywhere else, and whoever can guess an ID can find it; a keyed hash is the same only where the secret is.
///
/// An ID that nobody used for an hour makes room for others, so the labels show who is there and not who came first. It comes back at zero,
/// which Prometheus takes for a restart. Beyond the budgets IDs are counted as `_other`.
///
/// # Example
/// ```
/// use tower_vitals_core::{IdHasher, Vitals};
/// use tower_vitals_http::{MetricsLayer, PrincipalIds};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let secret = [7; 32];
/// let vitals = Vitals::new();
/// let ids = PrincipalIds::new(IdHasher::keyed(secret)?).users(500);
/// let layer = MetricsLayer::builder(&vitals).principal_ids(ids).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "IDs are counted when a layer is given this"]
pub struct PrincipalIds {
    hasher: IdHasher,
    users: usize,
    api_keys: usize,
    expire_after: Option<Duration>,
    pub(crate) on_requests: Option<usize>,
}

/// Users and API keys.
#[derive(Debug)]
pub(crate) struct Ids {
    pub(crate) settings: PrincipalIds,
    pub(crate) users: KnownIds,
    pub(crate) api_keys: KnownIds,
}

// === impl PrincipalIds ===

impl PrincipalIds {
    /// IDs that are hashed like this.
    pub fn new(hasher: IdHasher) -> Self {
        Self {
            hasher,
            users: 1_000,
            api_keys: 1_000,
            expire_after: Some(Duration::from_secs(60 * 60)),
            on_requests: None,
        }
    }

    /// How many users are told apart at a time; 1,000 unless set here. Each has a series for each auth type and outcome that it had.
    pub fn users(mut self, most: usize) -> Self {
        self.users = most;
        self
    }

    /// How many API keys are told apart at a time; 1,000 unless set here. Each has a series for each auth type and outcome that it had.
    pub fn api_keys(mut self, most: usize) -> Self {
        self.api_keys = most;
        self
    }

    /// How long an ID that nobody uses stays; an hour unless set here. It never goes while a request of it is under way. It goes at the next
    /// scrape, or when a budget needs room; idle ones are looked for once in a 64th of that time.
    pub fn expire_after(mut self, idle: Duration) -> Self {
        self.expire_after = Some(idle);
        self
    }

    /// IDs stay for ever. Once a budget is full, everybody who comes later is `_other`.
    pub fn never_expire(mut self) -> Self {
        self.expire_after = None;
        self
    }

    /// Adds the label `user` to `http_requests_total` as well, which may have so many series then.
    ///
    /// It costs: every combination of method, route, status, auth type and outcome becomes a series for each user who has it, so a
    /// thousand users of twenty such combinations are 20,000 series. Past the number, all labels that have a budget become `_other`.
    /// Series that nobody used for the time of [`expire_after`](Self::expire_after) make room. A request costs a look-up by text, as with
    /// labels of one's own. OpenTelemetry's names have no such label.
    pub fn on_requests(mut self, series: usize) -> Self {
        self.on_requests = Some(series);
        self
    }

    /// Which rule a value breaks, if one does.
    pub(crate) fn check(&self) -> Result<(), String> {
        match self.expire_after {
            Some(Duration::ZERO) => Err("IDs must be idle for longer than zero before they expire".into()),
            _ => Ok(()),
        }
    }

    /// Whether both make the same hashes.
    pub(crate) fn hashes_like(&self, other: &Self) -> bool {
        self.hasher == other.hasher
    }

    pub(crate) fn expiry(&self) -> Option<Duration> {
        self.expire_after
    }
}

// === impl Ids ===

impl Ids {
    pub(crate) fn register(vitals: &Vitals, settings: PrincipalIds, auth_types: &AuthTypes) -> Result<Self, RegisterError> {
        let ids = |sort: Sort, label: &str, name: &str, help: &str, most: usize| {
            let family = family(vitals, (name, help), label, &settings, auth_types)?;
            let bounds = (most, settings.expire_after.map(Expiry::new));
            Ok::<_, RegisterError>(KnownIds::new(
                sort,
                &settings.hasher,
                bounds,
                family,
                auth_types,
                vitals.clock(),
            ))
        };
        Ok(Self {
            users: ids(
                Sort::User,
                "user",
                "http_user_requests_total",
                "Requests by the hash of the user's ID",
                settings.users,
            )?,
            api_keys: ids(
                Sort::ApiKey,
                "api_key",
                "http_api_key_requests_total",
                "Requests by the hash of the API key's ID",
                settings.api_keys,
            )?,
            settings,
        })
    }

    /// Counts a request of an ID that ended now.
    #[inline(always)]
    pub(crate) fn record(&self, id: &KnownId, auth_type: usize, outcome: Outcome, now: u64) {
        let ids = match id.sort() {
            Sort::User => &self.users,
            Sort::ApiKey => &self.api_keys,
        };
        ids.record(id, auth_type, outcome, now);
    }

    /// Lets go of what nobody used for long enough.
    pub(crate) fn expire(&self, now: u64) {
        self.users.expire(now);
        self.api_keys.expire(now);
    }
}

fn family(
    vitals: &Vitals,
    (name, help): (&str, &str),
    label: &str,
    settings: &PrincipalIds,
    auth_types: &AuthTypes,
) -> Result<CounterFamily<3>, RegisterError> {
    let family = vitals
        .counter(name, help)
        .category("http")
        .closed_to("auth_type", auth_types.names().to_vec())
        // The table of known IDs keeps the budget, and takes series out when it forgets an ID.
        .budget(label, usize::MAX)
        .series_budget(usize::MAX)
        .closed::<Outcome>("outcome")
        .house();
    let family = match settings.expire_after {
        Some(idle) => family.expire_after(idle),
        None => family,
    };
    family.labels(["auth_type", label, "outcome"])
}
