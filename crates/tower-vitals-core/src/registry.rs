//! All families of a [`Vitals`](crate::Vitals), and who has which name.

use std::{
    any::Any,
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    Attachment, Descriptor, RegisterError,
    computed::AnyCollector,
    error::Rule,
    family::{AnyFamily, Inner},
    instrument::Instrument,
    reserved,
};

#[derive(Default)]
pub(crate) struct Registry {
    namespace: Box<str>,
    inner: Mutex<Parts>,
}

#[derive(Default)]
struct Parts {
    /// By name, which is the order of the scrape.
    families: BTreeMap<String, Arc<dyn AnyFamily>>,
    /// Every name that a family's samples may have, and whose it is.
    names: HashMap<String, String>,
    attachments: Vec<Arc<dyn Attachment>>,
    collectors: Vec<Arc<dyn AnyCollector>>,
}

impl Registry {
    pub(crate) fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.into(),
            inner: Mutex::default(),
        }
    }

    /// Adds a family, or gives the one that is there already in the same shape. `house` families may take reserved names.
    pub(crate) fn register<I: Instrument>(&self, family: Inner<I>, house: bool) -> Result<Arc<Inner<I>>, RegisterError> {
        let mut inner = self.lock();
        let name = family.descriptor().name().to_owned();
        self.check_reserved(&name, house)?;
        if let Some(known) = inner.families.get(&name) {
            return same(known, &family).ok_or_else(|| {
                let (asked, known) = (family.shape(), known.shape());
                Rule::Shape { asked, known }.into()
            });
        }
        let samples = sample_names(family.descriptor());
        for sample in &samples {
            if let Some(by) = inner.owner_of(sample, house) {
                let sample = sample.clone();
                return Err(Rule::Taken { name, sample, by }.into());
            }
        }
        let by = family.descriptor().to_string();
        inner.names.extend(samples.into_iter().map(|sample| (sample, by.clone())));
        let family = Arc::new(family);
        inner.families.insert(name, Arc::clone(&family) as Arc<dyn AnyFamily>);
        Ok(family)
    }

    /// Adds a family that is computed at each scrape.
    pub(crate) fn register_computed(&self, family: Arc<dyn AnyFamily>) {
        let mut inner = self.lock();
        let by = family.descriptor().to_string();
        let samples = sample_names(family.descriptor());
        inner.names.extend(samples.into_iter().map(|sample| (sample, by.clone())));
        inner.families.insert(family.descriptor().name().to_owned(), family);
    }

    /// Adds all families of a collector, or none.
    pub(crate) fn register_collector(&self, collector: Arc<dyn AnyCollector>) -> Result<(), RegisterError> {
        let mut inner = self.lock();
        let families = collector.families();
        let mut names = HashMap::new();
        for (family, house) in &families {
            let descriptor = family.descriptor();
            let name = descriptor.name().to_owned();
            self.check_reserved(&name, *house)?;
            for sample in sample_names(descriptor) {
                let of_another = || names.get(&sample).cloned();
                if let Some(by) = inner.owner_of(&sample, *house).or_else(of_another) {
                    return Err(Rule::Taken { name, sample, by }.into());
                }
            }
            let samples = sample_names(descriptor).into_iter();
            names.extend(samples.map(|sample| (sample, descriptor.to_string())));
        }
        inner.names.extend(names);
        let families = families.into_iter().map(|(family, _)| family);
        let named = families.map(|family| (family.descriptor().name().to_owned(), family));
        inner.families.extend(named);
        inner.collectors.push(collector);
        Ok(())
    }

    /// Adds an attachment whose families have these names.
    pub(crate) fn attach(&self, attachment: Arc<dyn Attachment>, names: &[String]) -> Result<(), RegisterError> {
        let mut inner = self.lock();
        for name in names {
            let foreign = || inner.attachments.iter().find_map(|attached| attached.owner_of(name));
            if let Some(by) = inner.names.get(name).cloned().or_else(foreign) {
                let sample = name.clone();
                let name = attachment.owner_of(name).unwrap_or_else(|| name.clone());
                return Err(Rule::Taken { name, sample, by }.into());
            }
        }
        inner.attachments.push(attachment);
        Ok(())
    }

    /// The families, in the order of the scrape.
    pub(crate) fn families(&self) -> Vec<Arc<dyn AnyFamily>> {
        self.lock().families.values().cloned().collect()
    }

    /// The families as a scrape shows them that begins now: computed ones with the rows of this moment.
    pub(crate) fn families_of_scrape(&self) -> Vec<Arc<dyn AnyFamily>> {
        let (mut families, collectors) = {
            let inner = self.lock();
            let families: Vec<_> = inner.families.values().cloned().collect();
            (families, inner.collectors.clone())
        };
        for family in collectors.iter().flat_map(|collector| collector.collect()) {
            let name = family.descriptor().name();
            if let Ok(at) = families.binary_search_by(|known| known.descriptor().name().cmp(name)) {
                families[at] = family;
            }
        }
        families
    }

    pub(crate) fn attachments(&self) -> Vec<Arc<dyn Attachment>> {
        self.lock().attachments.clone()
    }

    /// Whether samples of this name belong to one of our own families, or to an attachment that comes before the one that asks.
    pub(crate) fn is_taken(&self, name: &str, asking: &Arc<dyn Attachment>) -> bool {
        let inner = self.lock();
        let mut before = inner.attachments.iter().take_while(|other| !Arc::ptr_eq(other, asking));
        inner.names.contains_key(name) || before.any(|other| other.owner_of(name).is_some())
    }

    fn check_reserved(&self, name: &str, house: bool) -> Result<(), RegisterError> {
        if !house && reserved::is_reserved(&self.namespace, name) {
            let name = name.to_owned();
            return Err(Rule::Reserved { name }.into());
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Parts> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Parts {
    /// Who has the name of a sample already.
    fn owner_of(&self, sample: &str, house: bool) -> Option<String> {
        // Our own families come first: an attachment's family of the same name is left out of the scrape.
        let attachments = if house { &[] } else { self.attachments.as_slice() };
        let foreign = || attachments.iter().find_map(|attached| attached.owner_of(sample));
        self.names.get(sample).cloned().or_else(foreign)
    }
}

/// The family that is there, if it is the same as the one that was asked for.
fn same<I: Instrument>(known: &Arc<dyn AnyFamily>, asked: &Inner<I>) -> Option<Arc<Inner<I>>> {
    let known: Arc<dyn Any + Send + Sync> = Arc::clone(known).into_any();
    known.downcast::<Inner<I>>().ok().filter(|known| known.same_shape(asked))
}

fn sample_names(descriptor: &Descriptor) -> Vec<String> {
    let suffixes = descriptor.kind().suffixes().iter();
    suffixes.map(|suffix| format!("{}{suffix}", descriptor.name())).collect()
}
