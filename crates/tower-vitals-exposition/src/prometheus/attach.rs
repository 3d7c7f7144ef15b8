use std::{
    collections::HashMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use prometheus_client::{encoding::text::encode_registry, registry::Registry};
use tower_vitals_core::{Attachment, AttachmentError, LeftOut, Vitals, encode::Protocol};

use super::{
    AttachError,
    error::Reason,
    families::Families,
    family::{Family, Invalid},
    probe::Probe,
};

/// Shows an application's own metrics after those of a Vitals, in every protocol of the route.
///
/// The registry is encoded once here, on this thread, to learn which families it has; a metric that it gets later through a collector,
/// or a family that has no series yet, is met at the first scrape that has it.
///
/// # Errors
/// - [Conflict](AttachError::is_conflict): a family has the name of one that comes out already, also when the registry is attached
///   twice. The error names both.
/// - [Own collector](AttachError::is_own_collector): the registry, or a registry in it, holds the [`collector`](super::collector()) of
///   the same Vitals. That of another Vitals may be there.
/// - The registry cannot be encoded: a metric or collector of it gave an error or panicked. Histograms with native buckets alone are
///   among them, because prometheus-client has no text for those.
///
/// # Example
/// ```
/// use prometheus_client::{metrics::counter::Counter, registry::Registry};
/// use tower_vitals_core::{Vitals, encode::Protocol};
/// use tower_vitals_exposition::prometheus;
///
/// let mut registry = Registry::default();
/// let orders: Counter = Counter::default();
/// registry.register("orders", "Orders placed", orders.clone());
///
/// let vitals = Vitals::new();
/// prometheus::attach(&vitals, registry)?;
/// orders.inc();
/// assert!(vitals.encode_to_string(Protocol::TEXT).contains("# TYPE orders_total counter\norders_total 1\n"));
/// # Ok::<(), prometheus::AttachError>(())
/// ```
pub fn attach(vitals: &Vitals, registry: impl Into<Arc<Registry>>) -> Result<(), AttachError> {
    let attached = AttachedRegistry {
        registry: registry.into(),
        owners: Mutex::default(),
    };
    attached.read_first(vitals)?;
    let names = attached.names();
    vitals.attach(attached, &names).map_err(Reason::Conflict)?;
    Ok(())
}

struct AttachedRegistry {
    registry: Arc<Registry>,
    /// Every name that samples have had or may have, and whose it is. Who comes first keeps it, so a series never changes hands.
    owners: Mutex<HashMap<String, String>>,
}

// === impl AttachedRegistry ===

impl AttachedRegistry {
    /// Learns which families there are.
    fn read_first(&self, vitals: &Vitals) -> Result<(), Reason> {
        let probe = Probe::begin(vitals);
        let read = catch_unwind(AssertUnwindSafe(|| {
            self.render(Protocol::OPEN_METRICS, &|_| false, &mut String::new())
        }));
        if probe.met() {
            return Err(Reason::OwnCollector);
        }
        match read {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(Reason::Unreadable),
            Err(_) => Err(Reason::Panicked),
        }
    }

    fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode_registry(&mut text, &self.registry)?;
        // Prometheus takes a NUL for the end of the scrape.
        if text.contains('\0') {
            text = text.replace('\0', "\u{FFFD}");
        }
        Ok(text)
    }

    /// All names so far, in a settled order.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.owners().keys().cloned().collect();
        names.sort_unstable();
        names
    }

    /// Takes the names of a family for it; false if another family has one of them.
    fn claim(&self, family: &Family<'_>) -> bool {
        let (word, name) = (family.kind.word(), family.name);
        let owner = format!("{word} {name} of an attached prometheus-client registry");
        let mut owners = self.owners();
        let free = |name: String| owners.get(&name).is_none_or(|known| *known == owner);
        if !family.sample_names().all(free) {
            return false;
        }
        owners.extend(family.sample_names().map(|name| (name, owner.clone())));
        true
    }

    fn owners(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attachment for AttachedRegistry {
    fn render(&self, protocol: Protocol, taken: &dyn Fn(&str) -> bool, out: &mut String) -> Result<LeftOut, AttachmentError> {
        let text = self.text();
        let text =
            text.map_err(|_| AttachmentError::new("a metric or collector of the prometheus-client registry gave an error"))?;
        let all = Families::parse(&text);
        let mut left_out = LeftOut::default();
        left_out.invalid = all.unreadable;
        for family in all.families.iter().filter(|family| !family.is_empty()) {
            let start = out.len();
            let is_free = || !family.sample_names().any(|name| taken(&name)) && self.claim(family);
            match family.write(protocol, out) {
                Ok(repeated) if is_free() => left_out.duplicate += u64::from(repeated),
                Ok(_) => {
                    left_out.duplicate += 1;
                    out.truncate(start);
                }
                Err(Invalid) => {
                    left_out.invalid += 1;
                    out.truncate(start);
                }
            }
        }
        Ok(left_out)
    }

    fn owner_of(&self, name: &str) -> Option<String> {
        self.owners().get(name).cloned()
    }
}
