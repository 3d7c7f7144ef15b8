//! Threads record, begin and end while scrapes are taken.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use libtest_mimic::Failed;
use tests::parser::Parser;
use tower_vitals::{Unit, Vitals, encode::Protocol};

use crate::{
    expected::{Totals, is_exact},
    families::{Op, World, input},
    property::check,
    read::Scrapes,
};

pub(crate) fn threads_come_and_go() -> Result<(), Failed> {
    let parser = Parser::start()?;
    check(40, &input(5), |(plans, constant, scripts)| {
        let world = World::new(&plans, &constant)?;
        let (mut scrapes, mut totals) = (Scrapes::new(&parser), Totals::default());
        let (taken, rounds) = scrape_while(&world, &scripts);
        for (protocol, text) in taken {
            scrapes.read(protocol, &text)?;
        }
        for (script, rounds) in scripts.iter().zip(rounds) {
            script.iter().for_each(|op| totals.add(&world, op, rounds));
        }
        is_exact(&mut scrapes, &world, &totals)
    })
}

/// Scrapes while each script is run over and over, every time by a thread of its own. Gives the scrapes, and how often each script
/// was run.
fn scrape_while(world: &World, scripts: &[Vec<Op>]) -> (Vec<(Protocol, String)>, Vec<u64>) {
    let stop = AtomicBool::new(false);
    let run = |script: &[Op]| {
        let mut rounds = 0;
        while rounds == 0 || !stop.load(Ordering::Relaxed) {
            thread::scope(|scope| scope.spawn(|| script.iter().for_each(|op| world.record(op))).join()).expect("it records");
            rounds += 1;
        }
        rounds
    };
    thread::scope(|scope| {
        let threads: Vec<_> = scripts.iter().map(|script| scope.spawn(|| run(script))).collect();
        let scrapes = (0..20).map(|turn| {
            thread::sleep(Duration::from_micros(100 * (turn % 4)));
            let protocol = if turn % 2 == 0 {
                Protocol::TEXT
            } else {
                Protocol::OPEN_METRICS
            };
            (protocol, world.vitals.encode_to_string(protocol))
        });
        let scrapes = scrapes.collect();
        stop.store(true, Ordering::Relaxed);
        let rounds = threads.into_iter().map(|thread| thread.join().expect("it records"));
        (scrapes, rounds.collect())
    })
}

/// Takes scrapes for a while, in which `record` runs on three threads that each begin anew from time to time. Gives at most 3,000, and
/// none that is the same as the one before.
fn under_fire(vitals: &Vitals, record: impl Fn(usize) + Sync) -> Vec<String> {
    let stop = AtomicBool::new(false);
    let turns = AtomicUsize::new(0);
    let fire = || {
        while !stop.load(Ordering::Relaxed) {
            let burst = || (0..500).for_each(|_| record(turns.fetch_add(1, Ordering::Relaxed)));
            thread::scope(|scope| scope.spawn(burst).join()).expect("it records");
        }
    };
    thread::scope(|scope| {
        (0..3).for_each(|_| drop(scope.spawn(fire)));
        scope.spawn(|| {
            thread::sleep(Duration::from_secs(2));
            stop.store(true, Ordering::Relaxed);
        });
        let mut scrapes = Vec::new();
        while !stop.load(Ordering::Relaxed) && scrapes.len() < 3000 {
            scrapes.push(vitals.encode_to_string(Protocol::OPEN_METRICS));
            scrapes.dedup();
        }
        stop.store(true, Ordering::Relaxed);
        scrapes
    })
}

pub(crate) fn histogram_under_fire() -> Result<(), Failed> {
    let parser = Parser::start()?;
    let vitals = Vitals::new();
    let sizes = vitals.histogram("sizes", "Sizes").buckets([1.0, 2.0, 3.0]).register()?;
    let waits = vitals
        .histogram("waits", "Waits")
        .unit(Unit::Seconds)
        .buckets([0.5])
        .register()?;
    let record = |turn: usize| {
        sizes.observe([0.5, 1.5, 2.5, 3.5][turn % 4]);
        waits.observe([0.25, 0.75][turn % 2]);
    };
    let mut scrapes = Scrapes::new(&parser);
    let taken = under_fire(&vitals, record);
    assert!(taken.len() > 20, "it was under fire: {}", taken.len());
    for text in taken {
        scrapes.read(Protocol::OPEN_METRICS, &text)?;
    }
    Ok(())
}

/// A reading of starts before ends would come out below what stays in flight.
pub(crate) fn in_flight_under_fire() -> Result<(), Failed> {
    const STAY: f64 = 50.0;
    let parser = Parser::start()?;
    let vitals = Vitals::new();
    let running = vitals.in_flight("running", "What runs").register()?;
    let stay: Vec<_> = (0..50).map(|_| running.start()).collect();
    let record = |_| drop(running.start());
    let mut scrapes = Scrapes::new(&parser);
    let mut read = |text: &str| -> Result<f64, Failed> {
        let exposition = scrapes.read(Protocol::OPEN_METRICS, text)?;
        exposition.value("running", &[]).ok_or_else(|| "it is there".into())
    };
    for text in under_fire(&vitals, record) {
        let value = read(&text)?;
        assert!(value >= STAY, "{value} of {STAY}");
    }
    let scrape = || vitals.encode_to_string(Protocol::OPEN_METRICS);
    assert!((read(&scrape())? - STAY).abs() < f64::EPSILON);
    drop(stay);
    assert!(read(&scrape())? == 0.0);
    Ok(())
}

/// So many threads that some must share what they add to.
pub(crate) fn crowd() -> Result<(), Failed> {
    const THREADS: u32 = 32;
    const TIMES: u32 = 20_000;
    let parser = Parser::start()?;
    let vitals = Vitals::new();
    let hits = vitals.counter("hits", "Hits").register()?;
    let amount = vitals.float_counter("amount", "Amount").register()?;
    let depth = vitals.gauge("depth", "Depth").register()?;
    let sizes = vitals.histogram("sizes", "Sizes").register()?;
    let waits = vitals.histogram("waits", "Waits").unit(Unit::Seconds).register()?;
    let record = || {
        for _ in 0..TIMES {
            hits.inc();
            amount.inc_by(0.25);
            depth.inc();
            sizes.observe(0.25);
            waits.observe_duration(Duration::from_millis(250));
        }
    };
    thread::scope(|scope| (0..THREADS).for_each(|_| drop(scope.spawn(record))));
    let text = vitals.encode_to_string(Protocol::OPEN_METRICS);
    let exposition = Scrapes::new(&parser).read(Protocol::OPEN_METRICS, &text)?;
    let total = f64::from(THREADS * TIMES);
    for (name, expected) in [
        ("hits_total", total),
        ("amount_total", total / 4.0),
        ("depth", total),
        ("sizes_count", total),
        ("sizes_sum", total / 4.0),
        ("waits_seconds_count", total),
        ("waits_seconds_sum", total / 4.0),
    ] {
        assert_eq!(exposition.value(name, &[]), Some(expected), "{name}");
    }
    Ok(())
}

/// As many as overflow 64 bits of microseconds.
pub(crate) fn endless_durations() -> Result<(), Failed> {
    let parser = Parser::start()?;
    let vitals = Vitals::new();
    let waits = vitals.histogram("waits", "Waits").unit(Unit::Seconds).register()?;
    let mut scrapes = Scrapes::new(&parser);
    for _ in 0..5 {
        for _ in 0..300 {
            waits.observe_duration(Duration::MAX);
            waits.observe(f64::INFINITY);
        }
        scrapes.read(Protocol::TEXT, &vitals.encode_to_string(Protocol::TEXT))?;
    }
    Ok(())
}
