//! `make bench`: how late the heartbeats of an hbd are while strangers flood its port, and whether it keeps the other
//! node for alive.
//!
//! Three network namespaces on one switch, made and removed here: two nodes, and a flooder that has no key. The nodes
//! are whole daemons with mounts of their own, without a service manager. The node that is flooded has one processor;
//! the flooder sends as fast as another one allows. tcpdump at the switch takes the time of each status.

mod flooder;
mod node;
mod site;

use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use flooder::Kind;
use site::Site;

/// Seconds of each flood, unless `HBD_BENCH_SECONDS` says otherwise.
const SECONDS: u64 = 20;
/// The goal: 99.9 of 100 heartbeats are late by less than this, in milliseconds.
const GOAL: f64 = 10.0;

/// How much too early a heartbeat may seem to be, in seconds.
const EARLY: f64 = 0.002;

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let outcome = match arguments.first().map(String::as_str) {
        Some(flooder::ROLE) => flooder::helper_main(&arguments[1..]),
        _ => measure(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<(), Failure> {
    let seconds = std::env::var("HBD_BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SECONDS);
    println!(
        "heartbeats of {} ms of a flooded node: by how many milliseconds they are late, in {seconds} s of each flood\n",
        node::KEEPALIVE.as_millis()
    );
    println!("flood                                      packets/s | median  p99.9  worst | beats | dead | goal");
    for kind in Kind::ALL {
        let row = play(kind, Duration::from_secs(seconds))?;
        let verdict = if row.p999 < GOAL && row.deaths == 0 { "met" } else { "MISSED" };
        println!(
            "{:42} {:9.0} | {:6.2} {:6.2} {:6.2} | {:5} | {:4} | {verdict}",
            kind.words(),
            row.rate,
            row.median,
            row.p999,
            row.worst,
            row.beats,
            row.deaths
        );
    }
    Ok(())
}

/// One flood.
#[derive(Debug)]
struct Row {
    /// Packets a second that were sent.
    rate: f64,
    median: f64,
    p999: f64,
    worst: f64,
    beats: usize,
    /// How often a node called the other dead.
    deaths: usize,
}

fn play(kind: Kind, span: Duration) -> Result<Row, Failure> {
    let site = Site::build()?;
    let nodes = [site.start_node(0)?, site.start_node(1)?];
    nodes.iter().try_for_each(|node| node.await_active())?;
    let tap = site.capture()?;
    let flooder = site.start_flooder(kind)?;
    sleep(span);
    let rate = flooder.map_or(Ok(0.0), |flooder| flooder.finish())?;
    let beats = tap.finish()?;
    let deaths = nodes.iter().map(|node| node.deaths()).sum::<Result<usize, _>>()?;
    let mut late = lateness(&beats);
    if late.is_empty() {
        return Err("not a single heartbeat left".into());
    }
    late.sort_by(f64::total_cmp);
    let at = |share: f64| late[((late.len() - 1) as f64 * share).round() as usize];
    Ok(Row { rate, median: at(0.5), p999: at(0.999), worst: at(1.0), beats: late.len(), deaths })
}

/// By how many milliseconds each was late. hbd's rhythm does not drift, so what most of them have in common, modulo a
/// period, is where all belong; statuses that a change caused come in between. One that never came is late until the
/// next one.
fn lateness(beats: &[f64]) -> Vec<f64> {
    let period = node::KEEPALIVE.as_secs_f64();
    let (Some(first), Some(last)) = (beats.first(), beats.last()) else { return Vec::new() };
    let mut places: Vec<f64> =
        beats.iter().map(|beat| (beat - first + period / 2.0).rem_euclid(period) - period / 2.0).collect();
    places.sort_by(f64::total_cmp);
    // The earliest twentieth may be of those in between.
    let place = first + places[places.len() / 20];
    let count = ((last - place) / period) as usize;
    let late = (0..count).map(|round| {
        let due = place + round as f64 * period;
        let next = beats.iter().find(|beat| **beat >= due - EARLY).unwrap_or(last);
        ((next - due) * 1e3).max(0.0)
    });
    late.collect()
}
