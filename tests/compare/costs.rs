//! What a contender costs while nothing happens, and how long it takes with many addresses.
//!
//! Memory, processor time and wakeups are those of the node that serves; packets are those of both nodes.

use std::fs;
use std::time::Duration;

use hbd_lab::lab::NODES;
use hbd_lab::process::now;
use hbd_lab::{Error, Result};

use crate::pair::{A, B, Pair, processes};
use crate::rows::Row;
use crate::scenarios::{Findings, Measured};

/// How long a measurement takes.
const MEASUREMENT: Duration = Duration::from_secs(30);
/// After a start a contender says more than later.
const CALM: Duration = Duration::from_secs(5);

/// What the processes have used so far.
#[derive(Debug, Clone, Copy, Default)]
struct Used {
    /// Seconds on a processor.
    processor: f64,
    /// Times that a thread was woken after it had waited.
    wakeups: f64,
}

/// Memory, processor time, wakeups and packets while nobody asks for anything.
pub fn idle(pair: &mut Pair) -> Result<Findings> {
    pair.silence_client();
    std::thread::sleep(CALM);
    let units = pair.contender()?.units();
    let pids = processes(&pair.lab, A, units)?;
    if pids.is_empty() {
        return Err(Error::Unexpected(format!("no process of {units:?} runs")));
    }
    let (since, before, packets) = (now(), used(&pids), sent(pair)?);
    std::thread::sleep(MEASUREMENT);
    let (seconds, after) = (now() - since, used(&pids));
    let per_second = |before: f64, after: f64| Measured::Number((after - before).max(0.0) / seconds);
    let processor = (after.processor - before.processor).max(0.0) / seconds * 1e3;
    Ok(vec![
        (Row::Memory, Measured::Number(pids.iter().map(|pid| resident(pid)).sum::<f64>() / 1024.0)),
        (Row::Processor, Measured::Number(processor)),
        (Row::Wakeups, per_second(before.wakeups, after.wakeups)),
        (Row::Packets, per_second(packets, sent(pair)?)),
    ])
}

/// A process's resident memory, KiB.
fn resident(pid: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    field(&status, "VmRSS:")
}

/// A number in /proc/PID/status.
fn field(status: &str, name: &str) -> f64 {
    let value =
        status.lines().find_map(|line| line.strip_prefix(name)).and_then(|rest| rest.split_whitespace().next());
    value.and_then(|word| word.parse().ok()).unwrap_or(0.0)
}

/// A process that has ended meanwhile counts no more. None of the contenders has such a process while it is idle,
/// except for the programs of checks, which are too short to be seen.
fn used(pids: &[String]) -> Used {
    let mut sum = Used::default();
    for pid in pids {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        for task in tasks {
            let read = |name: &str| fs::read_to_string(task.path().join(name)).unwrap_or_default();
            let on_processor = read("schedstat").split_whitespace().next().and_then(|word| word.parse::<f64>().ok());
            sum.processor += on_processor.unwrap_or(0.0) / 1e9;
            sum.wakeups += field(&read("status"), "voluntary_ctxt_switches:");
        }
    }
    sum
}

/// What both nodes have sent on both networks so far.
fn sent(pair: &Pair) -> Result<f64> {
    let mut sum = 0.0;
    for index in [A, B] {
        for interface in ["eth0", "eth1"] {
            let counter = format!("/sys/class/net/{interface}/statistics/tx_packets");
            let text = pair.lab.nodes[index].run(&["cat", &counter])?;
            let number = text.trim().parse::<f64>();
            sum += number.map_err(|_| Error::Unexpected(format!("{} says {text}", NODES[index].name)))?;
        }
    }
    Ok(sum)
}
