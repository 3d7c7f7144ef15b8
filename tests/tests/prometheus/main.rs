//! A real Prometheus scrapes an application in both protocols.

mod app;
mod breaker;
mod computed;
mod labels;
mod numbers;
mod otel;
mod promtool;
mod slo;
mod sockets;
mod users;

use std::time::Duration;

use libtest_mimic::Arguments;
use tests::required::{Need, trial, trial_async};

const LIMIT: Duration = Duration::from_secs(90);

fn main() {
    let needs = [Need::Prometheus];
    let trials = vec![
        trial_async(
            "prometheus::gives_the_numbers_that_were_sent",
            &needs,
            LIMIT,
            numbers::numbers,
        ),
        trial_async(
            "prometheus::hostile_label_values_come_through",
            &needs,
            LIMIT,
            labels::hostile,
        ),
        trial_async("prometheus::an_attached_registry_is_scraped", &needs, LIMIT, labels::attached),
        trial_async("prometheus::users_by_their_hashes", &needs, LIMIT, users::top_five),
        trial_async(
            "prometheus::users_after_the_budget_was_full",
            &needs,
            LIMIT,
            users::after_a_full_budget,
        ),
        trial_async(
            "prometheus::opentelemetry_names_are_those_of_the_conventions",
            &needs,
            LIMIT,
            otel::names,
        ),
        trial_async("prometheus::apdex_is_what_the_readme_has", &needs, LIMIT, slo::apdex),
        trial_async("prometheus::breakers_as_the_readmes_have_it", &needs, LIMIT, breaker::promql),
        trial_async(
            "prometheus::websockets_as_the_readmes_have_it",
            &needs,
            LIMIT,
            sockets::promql,
        ),
        trial(
            "prometheus::promtool_finds_nothing_to_say",
            &[Need::Promtool],
            promtool::promtool,
        ),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
