use std::{sync::Arc, time::SystemTime};

use tower_vitals_core::{Clock, HistogramFamily};

use super::{Event, events::Events};
use crate::{
    CircuitBreaker,
    durations::Durations,
    metrics::Row,
    settings::Settings,
    shared::{Listener, Shared},
};

/// A breaker, and when it was made.
pub(super) struct Made {
    pub(super) breaker: CircuitBreaker,
    pub(super) at: SystemTime,
}

/// What breakers are made of.
pub(super) struct Maker {
    pub(super) settings: Settings,
    pub(super) clock: Clock,
    pub(super) events: Arc<Events>,
    pub(super) durations: Option<HistogramFamily<2>>,
}

impl Made {
    pub(super) fn row(&self) -> Row {
        Row::of(self.breaker.shared(), self.at)
    }
}

impl Maker {
    /// A breaker, whose making is noted but not told.
    pub(super) fn make(&self, name: &str) -> Made {
        let listener: Arc<dyn Listener> = self.events.clone();
        self.make_with(name, listener)
    }

    pub(super) fn make_with(&self, name: &str, listener: Arc<dyn Listener>) -> Made {
        let durations = self.durations.clone().map(|family| Durations::new(family, name));
        let at = self.clock.wall(self.clock.now());
        let shared = Shared::new(name, self.settings.clone(), self.clock.clone(), listener, durations);
        self.events.push(Event::Created {
            breaker: name.into(),
            at,
        });
        Made {
            breaker: CircuitBreaker::new(shared),
            at,
        }
    }
}
