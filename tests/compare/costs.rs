//! What a contender costs while nothing happens.
//!
//! Memory, processor time and wakeups are those of the node that serves; packets are those of both nodes.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use hbd_lab::lab::NODES;
use hbd_lab::process::{now, run};
use hbd_lab::{Error, Result};

use crate::pair::{A, B, Pair, processes};
use crate::rows::Row;
use crate::scenarios::{Findings, Measured};

/// How long a measurement takes; every round has one.
const MEASUREMENT: Duration = Duration::from_secs(15);
/// After a start a contender says more than later.
const CALM: Duration = Duration::from_secs(3);

/// Memory, processor time, wakeups and packets while nobody asks for anything.
pub fn idle(pair: &mut Pair) -> Result<Findings> {
    pair.silence_client();
    std::thread::sleep(CALM);
    let units = pair.contender()?.units();
    let pids = processes(&pair.lab, A, units)?;
    if pids.is_empty() {
        return Err(Error::Unexpected(format!("no process of {units:?} runs")));
    }
    let groups = groups(&pids)?;
    let (since, before) = (now(), [processor(&groups)?, wakeups(&pids), sent(pair)?]);
    std::thread::sleep(MEASUREMENT);
    let (seconds, after) = (now() - since, [processor(&groups)?, wakeups(&pids), sent(pair)?]);
    let per_second = |index: usize| Measured::Number((after[index] - before[index]).max(0.0) / seconds);
    Ok(vec![
        (Row::Memory, Measured::Number(pids.iter().map(|pid| resident(pid)).sum::<f64>() / 1024.0)),
        (Row::Processor, per_second(0)),
        (Row::Wakeups, per_second(1)),
        (Row::Packets, per_second(2)),
    ])
}

/// A process's resident memory, KiB.
fn resident(pid: &str) -> f64 {
    field(&fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default(), "VmRSS:")
}

/// A number of a file that has a name and a number in each line.
fn field(text: &str, name: &str) -> f64 {
    let value = text.lines().find_map(|line| line.strip_prefix(name)).and_then(|rest| rest.split_whitespace().next());
    value.and_then(|word| word.parse().ok()).unwrap_or(0.0)
}

/// The control groups of these processes, in cgroup2.
fn groups(pids: &[String]) -> Result<BTreeSet<String>> {
    let mount = run(&["findmnt", "--noheadings", "--first-only", "--output", "TARGET", "--types", "cgroup2"])?;
    let group = |pid: &String| {
        let all = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        Some(format!("{}{}", mount.trim(), all.lines().find_map(|line| line.strip_prefix("0::"))?))
    };
    Ok(pids.iter().filter_map(group).collect())
}

/// Milliseconds on a processor so far, with those of the programs of checks, which have ended.
fn processor(groups: &BTreeSet<String>) -> Result<f64> {
    let mut sum = 0.0;
    for group in groups {
        let path = format!("{group}/cpu.stat");
        sum += field(&fs::read_to_string(&path).map_err(Error::file(&path))?, "usage_usec") / 1e3;
    }
    Ok(sum)
}

/// How often a thread of the processes was woken after it had waited. Programs of checks are too short to be seen.
fn wakeups(pids: &[String]) -> f64 {
    let threads =
        pids.iter().flat_map(|pid| fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten());
    let statuses = threads.map(|thread| fs::read_to_string(thread.path().join("status")).unwrap_or_default());
    statuses.map(|status| field(&status, "voluntary_ctxt_switches:")).sum()
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
