//! `make bench`: what a planned move costs a client where the service runs on both nodes, hbd (`everywhere` of
//! hbd.toml) beside keepalived, in turns on the same two machines.
//!
//! Both move one address between the same two web servers. A client asks for a page every millisecond. The two are to
//! be compared with each other: on a busy machine both times grow.

use std::process::ExitCode;
use std::time::Duration;

use hbd_lab::Result;
use hbd_lab::client::{Client, longest_silence};
use hbd_lab::example::Example;
use hbd_lab::keepalived::{Keepalived, beside_keepalived};
use hbd_lab::lab::{Lab, NODES};
use hbd_lab::process::{now, wait_until};
use hbd_lab::software::Software;

/// Turns, and moves of each contender in a turn.
const TURNS: usize = 3;
const MOVES: usize = 8;
/// What hbd's moves should cost at most, milliseconds.
const GOAL: f64 = 5.0;
/// Between two requests of the client.
const PACE: Duration = Duration::from_millis(1);
/// A server that is just starting, or a move, may take so long.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the client watches after a move: longer than it waits for one answer.
const CALM: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    beside_keepalived("moves", compare)
}

fn compare() -> Result<()> {
    let mut lab = Lab::boot([Software::Hbd; 2])?;
    for node in &lab.nodes {
        node.write("/etc/hbd/hbd.toml.d/moves.toml", "[units.\"nginx.service\"]\neverywhere = true\n")?;
        Software::Hbd.configure(node, &Example::of(node.name())?.with("auto_failback", "off"))?;
    }
    let client = lab.client_at(PACE)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        ours.extend(hbd(&mut lab, &client)?);
        theirs.extend(keepalived(&lab, &client)?);
    }
    println!(
        "planned moves with a web server on both nodes: how long a client that asks every millisecond is not served"
    );
    println!("{:28} {:>6} {:>10} {:>10}", "", "moves", "median", "worst");
    let (ours, theirs) = (Spread::of(ours), Spread::of(theirs));
    println!("{:28} {ours}", "hbd, everywhere = true");
    println!("{:28} {theirs}", "keepalived, priority 250");
    let verdict = if ours.median <= GOAL { "met" } else { "missed" };
    println!(
        "hbd's median is {:.2} of keepalived's; the goal of {GOAL} ms is {verdict}",
        ours.median / theirs.median
    );
    Ok(())
}

/// Of some times in milliseconds.
struct Spread {
    count: usize,
    median: f64,
    worst: f64,
}

impl Spread {
    fn of(mut times: Vec<f64>) -> Spread {
        times.sort_by(f64::total_cmp);
        let at = |index: usize| times.get(index).copied().unwrap_or(f64::NAN);
        Spread { count: times.len(), median: at(times.len() / 2), worst: at(times.len().saturating_sub(1)) }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>6} {:>7.1} ms {:>7.1} ms", self.count, self.median, self.worst)
    }
}

/// How long the client was not served by `action`, after which the other node serves. Milliseconds.
fn cost(client: &Client, other: usize, action: impl FnOnce() -> Result<()>) -> Result<f64> {
    let since = now();
    std::thread::sleep(CALM);
    action()?;
    client.wait_served_by(NODES[other].name, PATIENCE)?;
    std::thread::sleep(CALM);
    // What was asked at last has not been answered yet.
    let until = now() - CALM.as_secs_f64() / 2.0;
    let requests: Vec<_> = client.since(since).into_iter().filter(|request| request.begun < until).collect();
    Ok(longest_silence(&requests) * 1e3)
}

/// Both nodes with hbd, whose groups move by `hbctl standby`. Leaves nginx running on both.
fn hbd(lab: &mut Lab, client: &Client) -> Result<Vec<f64>> {
    let since = now();
    for index in [0, 1] {
        lab.start(index)?;
    }
    lab.wait_owner(0, PATIENCE)?;
    for index in [0, 1] {
        lab.wait_stable(index, since, PATIENCE)?;
    }
    client.wait_served_by(NODES[0].name, PATIENCE)?;
    let mut costs = Vec::new();
    for number in 0..MOVES {
        let (owner, other) = (number % 2, 1 - number % 2);
        costs.push(cost(client, other, || lab.nodes[owner].run(&["hbctl", "standby"]).map(drop))?);
    }
    for index in [1, 0] {
        lab.stop(index)?;
    }
    Ok(costs)
}

/// Both nodes with keepalived, of which the master is stopped: its last advertisement tells the backup.
fn keepalived(lab: &Lab, client: &Client) -> Result<Vec<f64>> {
    let mut running: [Option<Keepalived>; 2] = [Some(Keepalived::start(lab, 0)?), None];
    client.wait_served_by(NODES[0].name, PATIENCE)?;
    let mut costs = Vec::new();
    for number in 0..MOVES {
        let (owner, other) = (number % 2, 1 - number % 2);
        running[other] = Some(Keepalived::start(lab, other)?);
        std::thread::sleep(Duration::from_secs(3));
        let stopped = running[owner].take();
        costs.push(cost(client, other, || stopped.map_or(Ok(()), Keepalived::stop))?);
    }
    running.into_iter().flatten().try_for_each(Keepalived::stop)?;
    let gone = || lab.owners().is_ok_and(|owners| owners.is_empty()).then_some(());
    wait_until("keepalived to have left no address", PATIENCE, gone)?;
    Ok(costs)
}
