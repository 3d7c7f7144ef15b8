use super::{explore, spawn};
use crate::{
    recent::{CountWindow, Counts, Mark, PLACES, Ring, TimeWindow},
    sync::Arc,
};

const FAILED: Mark = Mark {
    failed: true,
    slow: false,
};
const GOOD: Mark = Mark {
    failed: false,
    slow: false,
};

/// Fills a window of two with failures and then with successes, and sees that nothing was left in its sums.
fn sums_are_exact(window: &CountWindow, generation: u64) {
    for (mark, failed) in [(FAILED, 2), (GOOD, 0)] {
        (0..2).for_each(|_| _ = window.record(generation, mark));
        let counts = window.counts(generation);
        assert_eq!((counts.total, counts.failed, counts.slow), (2, failed, 0));
    }
}

#[test]
fn sums_of_a_window_of_calls_are_exact_when_threads_are_done() {
    explore(|| {
        let window = Arc::new(CountWindow::new(2));
        window.begin(1);
        window.record(1, FAILED);
        let others = [FAILED, GOOD].map(|mark| spawn(&window, move |window| window.record(1, mark)));
        window.record(1, FAILED);
        others.into_iter().for_each(|other| _ = other.join().unwrap());
        let counts = window.counts(1);
        assert!(counts.total == 2 && counts.failed >= 1, "{counts:?}");
        sums_are_exact(&window, 1);
    });
}

#[test]
fn a_late_result_is_not_in_the_sums_of_the_next_window() {
    explore(|| {
        let window = Arc::new(CountWindow::new(2));
        window.begin(1);
        window.record(1, FAILED);
        let other = spawn(&window, |window| window.record(1, FAILED));
        window.begin(2);
        other.join().unwrap();
        assert_eq!(window.counts(2), Counts::default());
        sums_are_exact(&window, 2);
    });
}

/// Counts a failure at a time.
fn fail_at(shared: &(TimeWindow, Ring), now: u64) {
    let (window, ring) = shared;
    window.record(ring, (now, window.shift()), FAILED);
}

#[test]
fn nothing_is_lost_when_threads_empty_a_bucket_at_once() {
    const LAP: u64 = 10 * PLACES as u64;
    explore(|| {
        let shared = Arc::new((TimeWindow::new(10, 2, 0), Ring::default()));
        fail_at(&shared, 0);
        // Two are of the time in which the bucket comes round, and one is late.
        let others = [LAP, 0].map(|now| spawn(&shared, move |shared| fail_at(shared, now)));
        fail_at(&shared, LAP);
        others.into_iter().for_each(|other| _ = other.join().unwrap());
        let (window, ring) = &*shared;
        let mut counts = Counts::default();
        window.add_up(ring, window.number(LAP, window.shift()), &mut counts);
        assert_eq!((counts.total, counts.failed, counts.slow), (2, 2, 0));
    });
}
