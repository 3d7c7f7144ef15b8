//! What instruments promise to a scrape, whatever threads record at the time: several at once, one after another, or one that ends what
//! another began.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{explore, spawn};
use crate::{
    Bounds, Counter, FloatCounter, Histogram, HistogramConfig, InFlight,
    encode::{Number, Point},
    instrument::Instrument,
};

// === counters ===

#[test]
fn what_threads_count_at_once_adds_up() {
    explore(|| {
        let counter = Arc::new(Counter::new(&()));
        let others = [1, 10].map(|more| spawn(&counter, move |counter| counter.inc_by(more)));
        counter.inc_by(100);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(counter.get(), 111);
    });
}

#[test]
fn a_count_never_falls_while_a_second_thread_comes() {
    explore(|| {
        let counter = Arc::new(Counter::new(&()));
        counter.inc();
        let other = spawn(&counter, |counter| {
            counter.inc();
            counter.inc();
        });
        let mut before = 1;
        for _ in 0..3 {
            let now = counter.get();
            assert!((before..=3).contains(&now), "{before} became {now}");
            before = now;
        }
        other.join().unwrap();
        assert_eq!(counter.get(), 3);
    });
}

#[test]
fn the_first_thread_goes_on_counting_while_a_second_comes() {
    explore(|| {
        let counter = Arc::new(Counter::new(&()));
        counter.inc();
        let other = spawn(&counter, Counter::inc);
        counter.inc();
        assert!(counter.get() >= 2, "a thread sees what it counted");
        counter.inc();
        assert!(counter.get() >= 3, "a thread sees what it counted");
        other.join().unwrap();
        assert_eq!(counter.get(), 4);
    });
}

#[test]
fn what_a_thread_counted_stays_when_it_exits_and_another_takes_its_shard() {
    explore(|| {
        let counter = Arc::new(Counter::new(&()));
        // A thread that records for the first time takes the next shard. Models have two, so the third thread has that of the first.
        spawn(&counter, Counter::inc).join().unwrap();
        spawn(&counter, Counter::inc).join().unwrap();
        let third = spawn(&counter, Counter::inc);
        let fourth = spawn(&counter, Counter::inc);
        let seen = counter.get();
        assert!((2..=4).contains(&seen), "{seen}");
        third.join().unwrap();
        fourth.join().unwrap();
        assert_eq!(counter.get(), 4);
    });
}

#[test]
fn a_scrape_on_another_thread_sees_no_less_than_the_scrape_before() {
    explore(|| {
        let counter = Arc::new(Counter::new(&()));
        counter.inc();
        let other = spawn(&counter, Counter::inc);
        let first = counter.get();
        let second = spawn(&counter, Counter::get).join().unwrap();
        assert!(first <= second, "{first} fell to {second}");
        other.join().unwrap();
    });
}

#[test]
fn amounts_that_are_not_whole_are_added_without_loss() {
    explore(|| {
        let counter = Arc::new(FloatCounter::new(&()));
        counter.inc_by(0.5);
        spawn(&counter, |counter| counter.inc_by(0.5)).join().unwrap();
        // This third thread has the shard of the first, which goes on.
        let third = spawn(&counter, |counter| counter.inc_by(0.25));
        counter.inc_by(0.125);
        let seen = counter.get();
        assert!((1.125..=1.375).contains(&seen), "{seen}");
        third.join().unwrap();
        assert!((counter.get() - 1.375).abs() < f64::EPSILON);
    });
}

// === what is in flight ===

#[test]
fn what_is_in_flight_is_never_less_than_what_goes_on() {
    explore(|| {
        let in_flight = Arc::new(InFlight::new(&()));
        in_flight.begin(); // and goes on
        let other = spawn(&in_flight, |in_flight| {
            in_flight.begin();
            in_flight.end();
        });
        let seen = in_flight.get();
        assert!((1..=2).contains(&seen), "{seen}");
        other.join().unwrap();
        assert_eq!(in_flight.get(), 1);
    });
}

#[test]
fn what_ends_on_another_thread_is_not_seen_to_end_before_it_began() {
    explore(|| {
        let in_flight = Arc::new(InFlight::new(&()));
        in_flight.begin(); // and goes on
        let other = {
            let in_flight = Arc::clone(&in_flight);
            loom::thread::spawn(move || {
                in_flight.begin();
                spawn(&in_flight, InFlight::end).join().unwrap();
            })
        };
        let seen = in_flight.get();
        assert!((1..=2).contains(&seen), "{seen}");
        other.join().unwrap();
        assert_eq!(in_flight.get(), 1);
    });
}

#[test]
fn what_the_scraping_thread_ends_it_does_not_see() {
    explore(|| {
        let in_flight = Arc::new(InFlight::new(&()));
        in_flight.begin();
        let other = spawn(&in_flight, InFlight::begin);
        in_flight.end();
        assert!(in_flight.get() <= 1);
        other.join().unwrap();
        assert_eq!(in_flight.get(), 1);
    });
}

// === histograms ===

/// Of durations, with one bound: a second.
fn config() -> HistogramConfig {
    HistogramConfig {
        bounds: Bounds::try_new(&[1.0]).expect("it is a good bound"),
        time: true,
    }
}

fn histogram() -> Arc<Histogram> {
    Arc::new(Histogram::new(&config()))
}

/// What a scrape shows: the buckets, and the sum in nanoseconds. The count that it shows is the sum of these buckets, so it agrees with
/// them whatever threads do; nothing makes the sum agree with them while threads record.
fn shown(histogram: &Histogram) -> ([u64; 2], u128) {
    let mut shown = None;
    histogram.point(&config(), SystemTime::UNIX_EPOCH, &mut Vec::new(), &mut |point| {
        if let Point::Histogram(point) = point {
            let Number::Nanos(nanos) = point.sum else {
                unreachable!("it is of durations")
            };
            shown = Some(([point.counts[0], point.counts[1]], nanos));
        }
    });
    shown.expect("it has a point")
}

/// Longer than what is added to a sum without a look at it.
const LONG: Duration = Duration::from_nanos(61_000_000_000 + 7);

#[test]
fn neither_buckets_nor_sum_of_a_histogram_fall_between_two_scrapes() {
    explore(|| {
        let histogram = histogram();
        let other = spawn(&histogram, |histogram| {
            // They are in both sums; their nanoseconds are more than a microsecond together.
            histogram.observe_duration(Duration::from_nanos(1_001_999));
            histogram.observe_duration(Duration::from_nanos(1_001_999));
        });
        let (first, second) = (shown(&histogram), shown(&histogram));
        for (before, now) in [(&first.0, &second.0), (&second.0, &[2, 0])] {
            assert!(
                before.iter().zip(now).all(|(before, now)| before <= now),
                "{before:?} became {now:?}"
            );
        }
        assert!(first.1 <= second.1 && second.1 <= 2_003_998);
        other.join().unwrap();
        assert_eq!(shown(&histogram), ([2, 0], 2_003_998));
    });
}

#[test]
fn what_threads_observe_at_once_is_in_the_buckets_and_the_sum() {
    explore(|| {
        let histogram = histogram();
        let other = spawn(&histogram, |histogram| histogram.observe_duration(LONG));
        histogram.observe_duration(Duration::from_nanos(1_001));
        other.join().unwrap();
        assert_eq!(shown(&histogram), ([1, 1], 61_000_001_008));
        assert_eq!(histogram.count(), 2);
    });
}

#[test]
fn long_and_short_observations_in_one_shard_lose_nothing() {
    explore(|| {
        let histogram = histogram();
        histogram.observe_duration(Duration::from_nanos(1));
        spawn(&histogram, |histogram| histogram.observe_duration(Duration::from_nanos(1)))
            .join()
            .unwrap();
        // This third thread has the shard of the first, which goes on.
        let third = spawn(&histogram, |histogram| histogram.observe_duration(LONG));
        histogram.observe_duration(Duration::from_millis(3));
        third.join().unwrap();
        assert_eq!(shown(&histogram), ([3, 1], 61_003_000_009));
    });
}
