//! Scrapes of any size, left half-way, and taken while families come and go.

use std::{collections::BTreeMap, thread};

use http::{Method, Request};
use http_body_util::Empty;
use libtest_mimic::Failed;
use proptest::{collection::vec, prelude::*};
use tests::{
    client::{Client, get},
    exposition::Exposition,
    parser::Parser,
    server::Server,
};
use tower_vitals::{CounterFamily, MetricsRoute, RegisterError, Vitals, encode::Protocol};

use crate::property::check;

const PROTOCOLS: [Protocol; 2] = [Protocol::TEXT, Protocol::OPEN_METRICS];

/// A chunk ends with the series that fills it.
const MOST: usize = 64 * 1024 + 4096;

fn vitals() -> Result<Vitals, RegisterError> {
    Vitals::builder().label_budget(usize::MAX).series_budget(usize::MAX).build()
}

fn parse(parser: &Parser, protocol: Protocol, text: &str) -> Result<Exposition, String> {
    let read = match protocol.is_open_metrics() {
        true => parser.openmetrics(text),
        false => parser.text(text),
    };
    read.map_err(|error| format!("{protocol}: {error}"))
}

/// A counter with series of the given lengths, each of which counted its number.
fn lengths(vitals: &Vitals, name: &str, lengths: &[usize]) -> Result<CounterFamily<2>, RegisterError> {
    let family = vitals.counter(name, "Series of all lengths").labels(["number", "text"])?;
    for (number, length) in (0_u32..).zip(lengths) {
        family
            .with([&number.to_string(), &"\"".repeat(*length)])
            .inc_by(number.into());
    }
    Ok(family)
}

pub(crate) fn any_size() -> Result<(), Failed> {
    let parser = Parser::start()?;
    let any = vec(prop_oneof![9 => 0..60_usize, 1 => 0..1024_usize], 0..1200);
    // So many that a chunk ends at the last of them, or one before or after.
    let just_full = vec(Just(1000_usize), 28..36);
    let families = vec(prop_oneof![1 => any, 3 => just_full], 0..4);
    check(40, &families, |families| {
        let vitals = vitals()?;
        for (at, series) in families.iter().enumerate() {
            lengths(&vitals, &format!("f{at}"), series)?;
        }
        for protocol in PROTOCOLS {
            let chunks: Vec<_> = vitals.encode(protocol).collect();
            assert!(chunks.iter().all(|chunk| !chunk.is_empty() && chunk.len() < MOST));
            let text = chunks.concat();
            assert!(
                chunks.len() <= text.len() / (64 * 1024) + 1,
                "chunks are full but for the last"
            );
            let exposition = parse(&parser, protocol, std::str::from_utf8(&text)?)?;
            for (at, series) in families.iter().enumerate() {
                let expected = (0_u32..).zip(series).map(|(number, length)| {
                    let labels = [number.to_string(), "\"".repeat(*length)];
                    (labels, f64::from(number))
                });
                let name = format!("f{at}_total");
                let found = exposition.samples(&name).map(|sample| {
                    let label = |name| sample.label(name).unwrap_or_default().to_owned();
                    ([label("number"), label("text")], sample.value)
                });
                assert_eq!(
                    found.collect::<BTreeMap<_, _>>(),
                    expected.collect::<BTreeMap<_, _>>(),
                    "{name}"
                );
            }
        }
        Ok(())
    })
}

/// What happens between two chunks.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// Another family, somewhere in the order of names.
    Register(char, u8),
    /// Another series of a family.
    Add(usize, u16),
    /// A series is removed, and perhaps made again.
    Remove(usize, u16, bool),
    /// Two series are removed and made again, each where the other was.
    Swap(usize, u16, u16),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (prop::char::range('a', 'z'), any::<u8>()).prop_map(|(letter, number)| Act::Register(letter, number)),
        (0..3_usize, any::<u16>()).prop_map(|(family, number)| Act::Add(family, number)),
        (0..3_usize, 0..500_u16, any::<bool>()).prop_map(|(family, number, again)| Act::Remove(family, number, again)),
        (0..3_usize, 0..500_u16, 0..500_u16).prop_map(|(family, one, other)| Act::Swap(family, one, other)),
    ]
}

pub(crate) fn between_chunks() -> Result<(), Failed> {
    const SERIES: u16 = 500;
    let parser = Parser::start()?;
    check(20, &vec(vec(act(), 0..12), 1..8), |acts| {
        for protocol in PROTOCOLS {
            let vitals = vitals()?;
            let families = ["b", "m", "y"].map(|name| lengths(&vitals, name, &[100; SERIES as usize]));
            let families: Vec<_> = families.into_iter().collect::<Result<_, _>>()?;
            let text = "\"".repeat(100);
            let mut acts = acts.iter();
            let mut removed = Vec::new();
            let mut scrape = Vec::new();
            for chunk in vitals.encode(protocol) {
                scrape.extend_from_slice(&chunk);
                for act in acts.next().into_iter().flatten() {
                    match *act {
                        Act::Register(letter, number) => {
                            let family = vitals.gauge(&format!("{letter}{number}"), "New").labels(["number"])?;
                            family.with([&number.to_string()]).set(1);
                        }
                        Act::Add(family, number) => families[family].with([&number.to_string(), "new"]).inc(),
                        Act::Remove(family, number, again) => {
                            let values = [&*number.to_string(), &*text];
                            families[family].remove(values);
                            removed.push((family, number));
                            if again {
                                families[family].with(values).inc();
                            }
                        }
                        Act::Swap(family, one, other) => {
                            let numbers = [one.to_string(), other.to_string()];
                            let both = numbers.each_ref().map(|number| [&**number, &*text]);
                            removed.extend([(family, one), (family, other)]);
                            for values in both {
                                families[family].remove(values);
                            }
                            for values in both {
                                families[family].with(values).inc();
                            }
                        }
                    }
                }
            }
            let exposition = parse(&parser, protocol, std::str::from_utf8(&scrape)?)?;
            for (at, name) in ["b_total", "m_total", "y_total"].into_iter().enumerate() {
                let stayed = (0..SERIES).filter(|number| !removed.contains(&(at, *number)));
                for number in stayed {
                    let value = exposition.value(name, &[("number", &number.to_string()), ("text", &text)]);
                    assert_eq!(value, Some(f64::from(number)), "{name} {number}");
                }
            }
        }
        Ok(())
    })
}

pub(crate) fn while_scraping() -> Result<(), Failed> {
    let parser = Parser::start()?;
    let vitals = vitals()?;
    lengths(&vitals, "m", &[200; 1000])?;
    thread::scope(|scope| {
        let register = || -> Result<(), RegisterError> {
            for number in 0..1000_u32 {
                let letter = char::from(b'a' + (number % 26) as u8);
                vitals.counter(&format!("{letter}_{number}"), "New").register()?.inc();
                let labelled = vitals.histogram("z_all", "New").labels(["number"])?;
                labelled.with([&number.to_string()]).observe(1.0);
            }
            Ok(())
        };
        let registers = scope.spawn(register);
        let mut scrapes = Vec::new();
        while !registers.is_finished() || scrapes.is_empty() {
            let protocol = PROTOCOLS[scrapes.len() % 2];
            scrapes.push((protocol, vitals.encode_to_string(protocol)));
        }
        registers.join().map_err(|_| "it registers")??;
        assert!(scrapes.len() > 3, "{}", scrapes.len());
        let step = scrapes.len().div_ceil(20);
        for (protocol, text) in scrapes.iter().step_by(step) {
            let exposition = parse(&parser, *protocol, text)?;
            exposition.check_histograms()?;
            assert_eq!(exposition.samples("m_total").count(), 1000);
        }
        Ok(())
    })
}

pub(crate) async fn leaving() -> Result<(), Failed> {
    let parser = Parser::start()?;
    let vitals = vitals()?;
    lengths(&vitals, "m", &[400; 2_000])?;
    let server = Server::start(MetricsRoute::new(&vitals)).await?;
    let accept = "application/openmetrics-text;version=1.0.0";
    let request = || Request::get("/metrics").header("accept", accept).body(Empty::new());
    for (turn, http2) in [false, true, false, true].into_iter().enumerate() {
        let connect = || async {
            match http2 {
                true => Client::http2(server.addr()).await,
                false => Client::http1(server.addr()).await,
            }
        };
        let mut client = connect().await?;
        let mut exchange = client.start(request()?).await?;
        let mut half = Vec::new();
        for _ in 0..2 {
            let data = exchange.frame().await?.and_then(|frame| frame.into_data().ok());
            half.extend_from_slice(&data.ok_or("there is more")?);
        }
        if turn < 2 {
            exchange.cancel();
        } else {
            exchange.reset().await?;
        }
        let half = String::from_utf8_lossy(&half);
        assert!(
            parser.openmetrics(&half).is_err(),
            "half a scrape must not pass for a whole one"
        );

        let mut client = connect().await?;
        let head = Request::builder().method(Method::HEAD).uri("/metrics").body(Empty::new())?;
        let head = client.send(head).await?;
        assert_eq!((head.status().as_u16(), head.body.len()), (200, 0));
        let whole = client.send(request()?).await?;
        assert_eq!(whole.header("content-length"), None, "nobody waited for the whole text");
        let exposition = parse(&parser, Protocol::OPEN_METRICS, whole.text()?)?;
        assert_eq!(exposition.samples("m_total").count(), 2_000);
        let again = client.send(get("/metrics")).await?;
        assert_eq!(again.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        parse(&parser, Protocol::TEXT, again.text()?)?;
    }
    Ok(())
}
