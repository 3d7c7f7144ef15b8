//! What is said when a budget is used up.

use std::{
    fmt::{self, Write as _},
    sync::{Arc, Mutex},
};

use tower_vitals_core::Vitals;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

/// Keeps a line for each event.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("nobody panicked"))
    }
}

impl Subscriber for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        struct Line(String);
        impl Visit for Line {
            fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
                write!(self.0, " {field}={value:?}").expect("a string takes it");
            }
        }
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().expect("nobody panicked").push(line.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

fn warning(family: &str, label: &str, budget: usize) -> String {
    let message = "budget of label values used up, further ones are recorded as _other";
    format!("WARN message={message} family=\"{family}\" label=\"{label}\" budget={budget}")
}

#[test]
fn a_budget_that_is_used_up_is_warned_of_once_and_without_values() {
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.clone(), || {
        let vitals = Vitals::builder().namespace("shop").build().unwrap();
        let orders = || {
            vitals
                .counter("orders", "Orders placed")
                .budget("user", 2)
                .budget("country", 1)
        };
        let orders = || orders().labels(["user", "country"]).unwrap();
        for user in ["secret 1", "secret 2", "secret 1", "_other"] {
            orders().with([user, "secret 3"]).inc();
        }
        assert_eq!(lines.take(), [""; 0], "all values had room");
        for number in 3..100 {
            orders().with([&format!("secret {number}"), "secret 3"]).inc();
        }
        assert_eq!(lines.take(), [warning("shop_orders_total", "user", 2)]);
        for number in 3..100 {
            orders()
                .with([&format!("secret {number}"), &format!("secret {number}")])
                .inc();
        }
        assert_eq!(lines.take(), [warning("shop_orders_total", "country", 1)]);

        let calls = vitals
            .gauge("calls", "Calls")
            .series_budget(1)
            .closed_to("outcome", &["ok"][..]);
        let calls = calls.labels(["user", "outcome"]).unwrap();
        calls.with(["secret 1", "secret 2"]).inc();
        assert_eq!(lines.take(), [""; 0], "a closed set is meant to refuse");
        for number in 2..10 {
            calls.with([&format!("secret {number}"), "ok"]).inc();
        }
        assert_eq!(lines.take(), [warning("shop_calls", "_series", 1)]);
    });
}

#[test]
fn who_is_told_may_record_what_is_told() {
    struct Recorder(Vitals);

    impl Subscriber for Recorder {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }

        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

        fn event(&self, _: &Event<'_>) {
            for kind in ["a", "b", "c"] {
                self.0.errors().unwrap().with([kind]).inc();
            }
        }

        fn enter(&self, _: &span::Id) {}

        fn exit(&self, _: &span::Id) {}
    }

    let vitals = Vitals::builder().label_budget(1).build().unwrap();
    tracing::subscriber::with_default(Recorder(vitals.clone()), || {
        for kind in ["x", "y", "z"] {
            vitals.errors().unwrap().with([kind]).inc();
        }
    });
    // Two of ours were refused, and all three of the one time that it was said.
    assert_eq!(
        (
            vitals.errors().unwrap().with(["x"]).get(),
            vitals.errors().unwrap().with(["_other"]).get()
        ),
        (1, 5)
    );
}
