use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use foldhash::fast::RandomState;

use crate::{
    Attachment, Clock, Counter, CounterFamily, Descriptor, FamilyBuilder, FloatCounter, FloatGauge, Gauge, Histogram, InFlight,
    RegisterError, VitalsBuilder,
    budget::Overflow,
    encode::{Encoder, Protocol, Visitor},
    labels::ConstantLabels,
    registry::Registry,
    scrape::Walk,
    self_metrics::{SelfMetrics, SeriesCount},
};

/// The vital signs of an application, or of a part of it: all its families, and how they come out.
///
/// Make one at the start and clone it freely; all clones are the same. There is no global one: two can live side by side.
///
/// # Example
/// ```
/// use tower_vitals_core::{Vitals, encode::Protocol};
///
/// let vitals = Vitals::builder().namespace("shop").constant_label("service", "cart").build()?;
/// let orders = vitals.counter("orders_total", "Orders placed").labels(["country"])?;
/// orders.with(["nz"]).inc();
/// assert!(vitals.encode_to_string(Protocol::TEXT).contains(r#"shop_orders_total{service="cart",country="nz"} 1"#));
/// # Ok::<(), tower_vitals_core::RegisterError>(())
/// ```
#[derive(Clone)]
pub struct Vitals {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    registry: Arc<Registry>,
    self_metrics: OnceLock<SelfMetrics>,
    extensions: Mutex<HashMap<TypeId, Arc<OnceLock<Extension>>>>,
    hooks: Mutex<Vec<Hook>>,
}

/// What is called when a scrape begins.
type Hook = Arc<dyn Fn() + Send + Sync>;

type Extension = Arc<dyn Any + Send + Sync>;

/// What all families of a Vitals share.
pub(crate) struct Settings {
    pub(crate) namespace: String,
    pub(crate) constant: Arc<ConstantLabels>,
    pub(crate) label_budget: usize,
    pub(crate) series_budget: usize,
    pub(crate) clock: Clock,
    pub(crate) hasher: RandomState,
}

// === impl Vitals ===

impl Vitals {
    /// How many distinct values a label may take unless said otherwise. When a label has more for the first time, there is one warning
    /// through `tracing`, with the names of family and label and the budget, and never with a value.
    pub const LABEL_BUDGET: usize = 1_000;

    /// How many series the labels of a family may make unless said otherwise. There is a warning as for a label, which is called
    /// `_series` then.
    pub const SERIES_BUDGET: usize = 10_000;

    /// A Vitals without namespace and constant labels.
    #[must_use]
    pub fn new() -> Self {
        Self::with_settings(VitalsBuilder::default(), ConstantLabels::default())
    }

    /// Sets up a Vitals.
    pub fn builder() -> VitalsBuilder {
        VitalsBuilder::default()
    }

    /// Declares a counter. Its name may end in `_total` or not; it comes out once.
    pub fn counter(&self, name: &str, help: &str) -> FamilyBuilder<Counter> {
        FamilyBuilder::new(self, name, help)
    }

    /// Declares a counter of amounts that are not whole.
    pub fn float_counter(&self, name: &str, help: &str) -> FamilyBuilder<FloatCounter> {
        FamilyBuilder::new(self, name, help)
    }

    /// Declares a gauge of whole numbers.
    pub fn gauge(&self, name: &str, help: &str) -> FamilyBuilder<Gauge> {
        FamilyBuilder::new(self, name, help)
    }

    /// Declares a gauge of values that are not whole.
    pub fn float_gauge(&self, name: &str, help: &str) -> FamilyBuilder<FloatGauge> {
        FamilyBuilder::new(self, name, help)
    }

    /// Declares a gauge of what is going on at the moment.
    pub fn in_flight(&self, name: &str, help: &str) -> FamilyBuilder<InFlight> {
        FamilyBuilder::new(self, name, help)
    }

    /// Declares a histogram.
    pub fn histogram(&self, name: &str, help: &str) -> FamilyBuilder<Histogram> {
        FamilyBuilder::new(self, name, help)
    }

    /// The errors of the application, as a counter `errors_total` with the label `kind`; asking again gives the same family. The label has
    /// the budget of every label: kinds are words from code, not messages.
    ///
    /// # Errors
    /// When the application has another family of that name.
    ///
    /// # Cost
    /// Asking takes the lock of the registry, so keep the family.
    ///
    /// # Example
    /// ```
    /// let vitals = tower_vitals_core::Vitals::new();
    /// let errors = vitals.errors()?;
    /// errors.with(["payment_refused"]).inc();
    /// assert_eq!(vitals.errors()?.with(["payment_refused"]).get(), 1);
    /// # Ok::<(), tower_vitals_core::RegisterError>(())
    /// ```
    pub fn errors(&self) -> Result<CounterFamily<1>, RegisterError> {
        self.counter("errors_total", "Errors of the application, by kind")
            .labels(["kind"])
    }

    /// All families, by name. Those of attachments are not among them.
    #[must_use]
    pub fn catalogue(&self) -> Vec<Descriptor> {
        let families = self.inner.registry.families();
        families.iter().map(|family| family.descriptor().clone()).collect()
    }

    /// Begins a scrape: an iterator over chunks of text, in the given protocol.
    ///
    /// Nothing is held between two chunks, and nothing that recording needs while one is made. Values are those of the moment in
    /// which their chunk is made, but for families of a [collector](Self::register_collector). Dropping the iterator ends the scrape.
    pub fn encode(&self, protocol: Protocol) -> Encoder {
        self.call_hooks();
        Encoder::new(self, protocol)
    }

    /// A whole scrape as one text.
    #[must_use]
    pub fn encode_to_string(&self, protocol: Protocol) -> String {
        self.encode(protocol)
            .map(|chunk| String::from_utf8_lossy(&chunk).into_owned())
            .collect()
    }

    /// Shows every family that has series, and its series, to a visitor. Attachments are not shown.
    pub fn visit(&self, visitor: &mut dyn Visitor) {
        self.call_hooks();
        let mut walk = Walk::begin(self);
        while !walk.go_on(visitor) {}
    }

    /// Shows the families of another library after our own. `names` are the families it has now, with every name that their samples
    /// may have.
    ///
    /// # Errors
    /// When a family of this Vitals has one of the names.
    pub fn attach(&self, attachment: impl Attachment, names: &[String]) -> Result<(), RegisterError> {
        self.inner.registry.attach(Arc::new(attachment), names)
    }

    /// The clock by which everything here is timed.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.inner.settings.clock
    }

    /// The one value of its type that this Vitals keeps, made when it is first asked for. The layers keep here what they share.
    ///
    /// `make` may ask for extensions of other types, but not for the one that it makes.
    pub fn extension<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        let place = {
            let mut extensions = self.inner.extensions.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(extensions.entry(TypeId::of::<T>()).or_default())
        };
        let extension = place.get_or_init(|| Arc::new(make()));
        match Arc::clone(extension).downcast() {
            Ok(extension) => extension,
            Err(_) => unreachable!("it is kept under its own type"),
        }
    }

    /// Whether the two are clones of one another.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Whether every series carries a label of this name.
    #[doc(hidden)]
    #[must_use]
    pub fn has_constant_label(&self, name: &str) -> bool {
        self.settings().constant.has(name)
    }

    /// Has a function called whenever [`encode`](Self::encode) or [`visit`](Self::visit) begins, before any family is looked at. No lock
    /// is held then. The function is kept as long as this Vitals, so it must not keep the Vitals itself.
    #[doc(hidden)]
    pub fn before_scrape(&self, hook: impl Fn() + Send + Sync + 'static) {
        let mut hooks = self.inner.hooks.lock().unwrap_or_else(PoisonError::into_inner);
        hooks.push(Arc::new(hook));
    }

    fn call_hooks(&self) {
        let hooks = self.inner.hooks.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for hook in hooks {
            hook();
        }
    }

    /// What counts a label value that code with a budget of its own refused, for a [computed](FamilyBuilder::computed) family. It keeps
    /// nothing of this Vitals but the counter.
    #[doc(hidden)]
    pub fn overflow_counter(&self, family: &str, label: &str, most: usize) -> impl Fn() + Send + Sync + use<> {
        let counter = self.overflow().cloned();
        let overflow = counter.map(|counter| Overflow::new(counter, family, label, Some(most)));
        move || {
            if let Some(overflow) = &overflow {
                overflow.count();
            }
        }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.inner.registry
    }

    pub(crate) fn self_metrics(&self) -> Option<&SelfMetrics> {
        self.inner.self_metrics.get()
    }

    /// Where budgets count what they refuse; none while that family itself is made.
    pub(crate) fn overflow(&self) -> Option<&CounterFamily<2>> {
        self.self_metrics().map(|metrics| &metrics.overflow)
    }

    pub(crate) fn with_settings(builder: VitalsBuilder, constant: ConstantLabels) -> Self {
        let registry = Arc::new(Registry::new(&builder.namespace));
        let constant = Arc::new(constant);
        let vitals = Self {
            inner: Arc::new(Inner {
                settings: Settings {
                    namespace: builder.namespace,
                    constant: Arc::clone(&constant),
                    label_budget: builder.label_budget.unwrap_or(Self::LABEL_BUDGET),
                    series_budget: builder.series_budget.unwrap_or(Self::SERIES_BUDGET),
                    clock: builder.clock,
                    hasher: RandomState::default(),
                },
                registry,
                self_metrics: OnceLock::new(),
                extensions: Mutex::default(),
                hooks: Mutex::default(),
            }),
        };
        match SelfMetrics::register(&vitals) {
            Ok(metrics) => {
                let _ = vitals.inner.self_metrics.set(metrics);
            }
            Err(error) => unreachable!("nobody registered anything before: {error}"),
        }
        let registry = &vitals.inner.registry;
        let name = match vitals.settings().namespace.as_str() {
            "" => "vitals_series".into(),
            namespace => format!("{namespace}_vitals_series"),
        };
        registry.register_computed(Arc::new(SeriesCount::new(name, constant, registry)));
        vitals
    }
}

impl Default for Vitals {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Vitals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vitals")
            .field("namespace", &self.settings().namespace)
            .field("families", &self.inner.registry.families().len())
            .finish_non_exhaustive()
    }
}
