//! `make bench`: how long after the decision the first and the last of 1 to 1000 addresses are announced by hbd and
//! by keepalived, and how late hbd's heartbeats are meanwhile.
//!
//! Two network namespaces joined by a veth pair, made and removed here. In one a contender adds its addresses, in the
//! other tcpdump records what a neighbour sees, with its own clock. The decision is what a contender sends before it
//! acts: keepalived its first advertisement, hbd's address thread a datagram in its place. Contenders take turns for
//! several rounds. The best round of each counts, because other work on the machine can only make it slower.

mod capture;
mod contender;
mod deciding;
mod restoring;
mod site;

use std::process::ExitCode;

use capture::Seen;
use contender::{Contender, Jitter};
use site::Site;

/// Rows of the table.
const COUNTS: [usize; 4] = [1, 100, 500, 1000];
/// The number of rounds, unless `HBD_BENCH_ROUNDS` gives another.
const ROUNDS: usize = 5;
/// The goal for a row on a machine with nothing else to do, in milliseconds until the last announcement (IPv4;
/// docs/DECISIONS.md "How fast a takeover must be").
const GOALS: [f64; 4] = [0.5, 2.0, 8.0, 25.0];

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let outcome = match arguments.first().map(String::as_str) {
        Some(contender::ROLE) => contender::helper_main(&arguments[1..]),
        Some(restoring::ROLE) => restoring::helper_main(&arguments[1..]),
        _ => compare(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The best rounds of one contender in one row.
#[derive(Debug, Clone, Copy)]
struct Best {
    first: f64,
    last: f64,
}

fn compare() -> Result<(), Failure> {
    let rounds = std::env::var("HBD_BENCH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    println!(
        "milliseconds from the decision to the first and to the last address announced, best of {rounds} rounds\n"
    );
    println!("              hbd first   last | keepalived first   last | last: keepalived / hbd | goal");
    let mut jitter: Option<Jitter> = None;
    for ipv6 in [false, true] {
        for (count, goal) in COUNTS.into_iter().zip(GOALS) {
            let mut best = [None; 2];
            for _ in 0..rounds {
                for (contender, best) in [Contender::Hbd, Contender::Keepalived].into_iter().zip(&mut best) {
                    let (seen, beats) = race(contender, count, ipv6)?;
                    keep(best, seen);
                    if count == 1000 && !ipv6 {
                        jitter = beats.into_iter().chain(jitter).min_by(|a, b| a.p999.total_cmp(&b.p999));
                    }
                }
            }
            let [Some(hbd), Some(keepalived)] = best else { continue };
            let family = if ipv6 { "IPv6" } else { "IPv4" };
            let verdict = match (ipv6, hbd.last <= goal) {
                (true, _) => String::new(),
                (false, true) => format!("{goal} met"),
                (false, false) => format!("{goal} MISSED"),
            };
            println!(
                "{family} {count:5}   {:8.2} {:6.2} |        {:8.2} {:6.2} | {:22.1} | {verdict}",
                hbd.first,
                hbd.last,
                keepalived.first,
                keepalived.last,
                keepalived.last / hbd.last
            );
        }
    }
    if let Some(Jitter { p50, p999, worst, beats }) = jitter {
        println!(
            "\nhbd's beat of 10 ms while it adds 1000 IPv4 addresses, lateness of {beats} beats in the best round: \
             median {p50:.2} ms, p99.9 {p999:.2} ms, worst {worst:.2} ms (goal: p99.9 below 2 ms on a quiet machine)"
        );
    }
    for (family, ipv6) in [("IPv4", false), ("IPv6", true)] {
        let (median, worst) = restoring::race(ipv6)?;
        println!(
            "an {family} address that somebody removes is back {median:.2} ms after the kernel's notice (median of 100; \
             worst {worst:.2} ms; goal: 5 ms on a quiet machine)"
        );
    }
    beside_instances(rounds)?;
    decide_takeovers(rounds);
    Ok(())
}

/// Groups of one address beside keepalived with an instance for each.
fn beside_instances(rounds: usize) -> Result<(), Failure> {
    let mut best = [None; 2];
    for _ in 0..rounds {
        for (contender, best) in [Contender::Hbd, Contender::KeepalivedInstances].into_iter().zip(&mut best) {
            keep(best, race(contender, contender::INSTANCES, false)?.0);
        }
    }
    if let [Some(hbd), Some(keepalived)] = best {
        println!(
            "{} groups of one IPv4 address, beside as many VRRP instances, which is all that a network can number: hbd's \
             first {:.2} ms, last {:.2} ms; keepalived's first {:.2} ms, last {:.2} ms",
            contender::INSTANCES,
            hbd.first,
            hbd.last,
            keepalived.first,
            keepalived.last
        );
    }
    Ok(())
}

/// How soon the core orders everything that a dead node had.
fn decide_takeovers(rounds: usize) {
    for groups in [1, 300] {
        let best = (0..rounds).map(|_| deciding::measure(groups)).min_by(|a, b| a.longest.total_cmp(&b.longest));
        let Some(deciding::Deciding { ordered, longest }) = best else { continue };
        println!(
            "takeover of {groups} groups, an address and a unit each: ordered {ordered:.2} ms after the death is found \
             (goal: 1 ms), longest event of the core {longest:.2} ms"
        );
    }
}

/// One contender, one round.
fn race(contender: Contender, count: usize, ipv6: bool) -> Result<(Seen, Option<Jitter>), Failure> {
    let site = Site::build()?;
    let tap = site.capture()?;
    let beats = contender.run(&site, count, ipv6, || tap.seen().is_ok_and(|seen| seen.announced >= count))?;
    // Waits for what tcpdump has received and not written yet.
    let seen = tap.finish()?;
    if seen.announced < count {
        return Err(format!("{contender:?} announced {} of {count} addresses", seen.announced).into());
    }
    Ok((seen, beats))
}

fn keep(best: &mut Option<Best>, Seen { first, last, .. }: Seen) {
    let before = best.unwrap_or(Best { first: f64::INFINITY, last: f64::INFINITY });
    *best = Some(Best { first: before.first.min(first * 1e3), last: before.last.min(last * 1e3) });
}
