//! Scrapes, read by an independent parser: whatever was recorded by whatever threads, they hold exactly that.

mod budgets;
mod chunks;
mod expected;
mod families;
mod numbers;
mod property;
mod read;
mod threads;

use std::time::Duration;

use libtest_mimic::{Arguments, Failed};
use tests::required::{Need, trial, trial_async};

type Test = fn() -> Result<(), Failed>;

fn main() {
    let needs = [Need::PythonClient];
    let tests: [(&str, Test); 15] = [
        ("numbers::any_recording_is_read_exactly", numbers::any_recording),
        ("numbers::any_number_is_read_exactly", numbers::any_number),
        ("numbers::prometheus_client_gives_the_same", numbers::prometheus_client),
        ("threads::that_come_and_go_lose_nothing", threads::threads_come_and_go),
        (
            "threads::a_histogram_under_fire_agrees_with_itself",
            threads::histogram_under_fire,
        ),
        (
            "threads::in_flight_under_fire_counts_what_stays",
            threads::in_flight_under_fire,
        ),
        ("threads::that_are_many_lose_nothing", threads::crowd),
        ("threads::sums_of_endless_durations_do_not_fall", threads::endless_durations),
        ("budgets::refusals_are_other_and_counted_once", budgets::refusals),
        ("budgets::threads_stay_within_a_label_budget", budgets::label_budget),
        ("budgets::threads_stay_within_a_series_budget", budgets::series_budget),
        ("budgets::a_closed_set_refuses_and_counts", budgets::closed_set),
        ("chunks::any_size_is_read_whole", chunks::any_size),
        ("chunks::families_come_and_go_between_chunks", chunks::between_chunks),
        ("chunks::families_come_while_scrapes_are_taken", chunks::while_scraping),
    ];
    let trials = tests.map(|(name, test)| trial(name, &needs, test));
    let limit = Duration::from_secs(60);
    let leaving = trial_async("chunks::a_scraper_that_leaves_harms_nobody", &needs, limit, chunks::leaving);
    let trials = trials.into_iter().chain([leaving]).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
