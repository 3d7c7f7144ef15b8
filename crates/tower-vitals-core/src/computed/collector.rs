use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use super::{Computed, shown::Shown};
use crate::{RegisterError, Vitals, family::AnyFamily, self_metrics::Panics};

/// Computed families that are shown from the same rows, and where the rows come from.
struct Collector<R, C> {
    families: Vec<Arc<Computed<R>>>,
    collect: C,
    panics: Panics,
}

/// A collector as the registry sees it.
pub(crate) trait AnyCollector: Send + Sync {
    /// The families as they are between scrapes, without rows, and whether their names may be reserved ones.
    fn families(&self) -> Vec<(Arc<dyn AnyFamily>, bool)>;

    /// The families with the rows that there are now; none of them when collecting the rows panics.
    fn collect(&self) -> Vec<Arc<dyn AnyFamily>>;
}

impl Vitals {
    /// Registers families that are [computed](crate::FamilyBuilder::computed) from what `collect` gives,
    /// [histograms](crate::FamilyBuilder::computed_histogram) too: all of them, or none if one cannot be.
    ///
    /// `collect` is called once when a scrape begins, and all families of that scrape are made of the same rows, so they agree with one
    /// another however long the scrape takes. The scrape keeps the rows until the families are shown; scrapes at the same time have rows of
    /// their own. No lock is held while `collect` runs. It is kept as long as this Vitals, so it must not keep the Vitals itself.
    ///
    /// A family that has no points is not in the scrape. One whose function panics is left out, and all of them are if `collect` panics:
    /// either counts once in `vitals_attachment_errors_total`, and the rest of the scrape is as ever.
    ///
    /// # Errors
    /// When a family's name is taken, be it by one of the others or because the same was registered before, or when a family was declared
    /// on another Vitals.
    ///
    /// # Example
    /// ```
    /// use std::sync::{Arc, Mutex};
    ///
    /// use tower_vitals_core::{Vitals, encode::{Number, Protocol}};
    ///
    /// #[derive(Clone)]
    /// struct Pool {
    ///     name: &'static str,
    ///     idle: u64,
    ///     opened: u64,
    /// }
    ///
    /// let pools = Arc::new(Mutex::new(vec![Pool { name: "orders", idle: 3, opened: 8 }]));
    /// let vitals = Vitals::new();
    /// let idle = vitals
    ///     .gauge("pool_idle", "Connections that nobody uses")
    ///     .computed(["pool"], |pool: &Pool, samples| samples.push([pool.name], Number::Unsigned(pool.idle)))?;
    /// let opened = vitals
    ///     .counter("pool_opened_total", "Connections that were opened")
    ///     .computed(["pool"], |pool: &Pool, samples| samples.push([pool.name], Number::Unsigned(pool.opened)))?;
    /// vitals.register_collector([idle, opened], move || pools.lock().unwrap().clone())?;
    ///
    /// let text = vitals.encode_to_string(Protocol::TEXT);
    /// assert!(text.contains(r#"pool_idle{pool="orders"} 3"#));
    /// assert!(text.contains(r#"pool_opened_total{pool="orders"} 8"#));
    /// # Ok::<(), tower_vitals_core::RegisterError>(())
    /// ```
    pub fn register_collector<R: Send + Sync + 'static>(
        &self,
        families: impl IntoIterator<Item = Computed<R>>,
        collect: impl Fn() -> Vec<R> + Send + Sync + 'static,
    ) -> Result<(), RegisterError> {
        let collector = Collector::new(self, families.into_iter().collect(), collect)?;
        self.registry().register_collector(Arc::new(collector))
    }
}

impl<R, C> Collector<R, C> {
    fn new(vitals: &Vitals, families: Vec<Computed<R>>, collect: C) -> Result<Self, RegisterError> {
        if let Some(stranger) = families.iter().find(|family| !family.is_of(vitals)) {
            let rule = "was declared on another Vitals than that of its collector";
            return Err(RegisterError::invalid(stranger.descriptor.name(), rule));
        }
        Ok(Self {
            families: families.into_iter().map(Arc::new).collect(),
            collect,
            panics: Panics::of(vitals),
        })
    }
}

impl<R: Send + Sync + 'static, C: Fn() -> Vec<R> + Send + Sync> Collector<R, C> {
    fn with_rows(&self, rows: Vec<R>) -> impl Iterator<Item = Arc<dyn AnyFamily>> {
        let rows = Arc::new(rows);
        let shown = move |family| Arc::new(Shown::new(family, &rows, &self.panics)) as Arc<dyn AnyFamily>;
        self.families.iter().map(shown)
    }
}

impl<R: Send + Sync + 'static, C: Fn() -> Vec<R> + Send + Sync> AnyCollector for Collector<R, C> {
    fn families(&self) -> Vec<(Arc<dyn AnyFamily>, bool)> {
        let house = self.families.iter().map(|family| family.house);
        self.with_rows(Vec::new()).zip(house).collect()
    }

    fn collect(&self) -> Vec<Arc<dyn AnyFamily>> {
        match catch_unwind(AssertUnwindSafe(&self.collect)) {
            Ok(rows) => self.with_rows(rows).collect(),
            Err(_) => {
                self.panics.count();
                Vec::new()
            }
        }
    }
}
