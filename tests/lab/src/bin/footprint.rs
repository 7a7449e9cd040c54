//! `make bench`: what hbd takes while nothing happens, beside keepalived and Heartbeat, in turns on the same two
//! machines.
//!
//! Each has one address and one link, and says once a second that it lives. What is measured is the node that has the
//! address: memory at the end of a minute, processor time and packets sent during it. Memory of files, which several
//! processes share, counts once.

use std::collections::BTreeMap;
use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use hbd_lab::example::{Example, VIP};
use hbd_lab::keepalived::{Keepalived, beside_keepalived};
use hbd_lab::lab::Lab;
use hbd_lab::process::{run, wait_until};
use hbd_lab::software::Software;
use hbd_lab::{Error, Result};
use serde_json::Value;

/// What hbd should have locked at most, megabytes.
const GOAL_LOCKED: f64 = 12.0;
/// What hbd should take of one processor, percent: less than this.
const GOAL_BUSY: f64 = 0.1;
/// A start, and a takeover of the address, may take so long.
const PATIENCE: Duration = Duration::from_secs(90);
/// After the address is there: what a start leaves to be done is done by then.
const CALM: Duration = Duration::from_secs(20);
/// How long it is watched.
const WINDOW: Duration = Duration::from_secs(60);
/// The names of the processes that count.
const PROGRAMS: [&str; 3] = ["hbd", "keepalived", "heartbeat"];

fn main() -> ExitCode {
    beside_keepalived("footprint", compare)
}

fn compare() -> Result<()> {
    let mut lab = Lab::boot_with_both()?;
    println!("what the node that has one address takes while nothing happens, one heartbeat a second");
    println!(
        "{:12} {:>10} {:>12} {:>10} {:>8} {:>12} {:>16}",
        "", "processes", "resident MB", "locked MB", "threads", "processor %", "packets/s sent"
    );
    let ours = daemon(&mut lab, Software::Hbd)?;
    println!("{:12} {ours}", Software::Hbd.name());
    println!("{:12} {}", "keepalived", keepalived(&lab)?);
    println!("{:12} {}", Software::Heartbeat.name(), daemon(&mut lab, Software::Heartbeat)?);
    let said = |met: bool| if met { "met" } else { "MISSED" };
    println!(
        "goals of hbd: at most {GOAL_LOCKED} MB locked {}, less than {GOAL_BUSY} % of a processor {} (on a quiet machine)",
        said(ours.memory.locked <= GOAL_LOCKED),
        said(ours.busy < GOAL_BUSY)
    );
    Ok(())
}

/// hbd or Heartbeat on both nodes.
fn daemon(lab: &mut Lab, software: Software) -> Result<Footprint> {
    lab.software = [software; 2];
    for node in &lab.nodes {
        let example = Example::of(node.name())?.without("ping").without("watchdog").with("auto_failback", "off");
        let haresources = format!("{} {VIP}/24/eth0\n", lab.nodes[0].name());
        software.configure(node, &Example { haresources, ..example })?;
    }
    for index in [0, 1] {
        lab.start(index)?;
    }
    lab.wait_owner(0, PATIENCE)?;
    let footprint = Footprint::of_owner(lab)?;
    for index in [1, 0] {
        lab.stop(index)?;
    }
    Ok(footprint)
}

fn keepalived(lab: &Lab) -> Result<Footprint> {
    let owner = Keepalived::start(lab, 0)?;
    lab.wait_owner(0, PATIENCE)?;
    let backup = Keepalived::start(lab, 1)?;
    let footprint = Footprint::of_owner(lab)?;
    backup.stop()?;
    owner.stop()?;
    let gone = || lab.owners().is_ok_and(|owners| owners.is_empty()).then_some(());
    wait_until("keepalived to have left no address", PATIENCE, gone)?;
    Ok(footprint)
}

/// What one contender takes.
struct Footprint {
    processes: usize,
    memory: Memory,
    threads: usize,
    /// Percent of one processor.
    busy: f64,
    /// Packets sent in a second.
    packets: f64,
}

impl Footprint {
    /// Of the first node, which has the address.
    fn of_owner(lab: &Lab) -> Result<Footprint> {
        std::thread::sleep(CALM);
        let pids = processes(&lab.namespace(lab.nodes[0].name()))?;
        let (begun, used, sent) = (Instant::now(), nanoseconds(&pids), packets(lab)?);
        std::thread::sleep(WINDOW);
        let (spent, sent) = (nanoseconds(&pids) - used, packets(lab)? - sent);
        let seconds = begun.elapsed().as_secs_f64();
        let maps: Vec<String> = pids.iter().map(|pid| read(&format!("/proc/{pid}/smaps"))).collect::<Result<_>>()?;
        Ok(Footprint {
            processes: pids.len(),
            memory: Memory::of(&maps),
            threads: pids.iter().map(|pid| tasks(pid).len()).sum(),
            busy: spent / seconds / 1e7,
            packets: sent / seconds,
        })
    }
}

impl std::fmt::Display for Footprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Footprint { processes, memory: Memory { resident, locked }, threads, busy, packets } = self;
        write!(f, "{processes:>10} {resident:>12.1} {locked:>10.1} {threads:>8} {busy:>12.3} {packets:>16.1}")
    }
}

/// The contender's processes in the network of a node, as this machine's pids.
fn processes(namespace: &str) -> Result<Vec<String>> {
    let ours = |pid: &&str| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        PROGRAMS.contains(&name.trim_end())
    };
    let pids = run(&["ip", "netns", "pids", namespace])?;
    let found: Vec<String> = pids.split_whitespace().filter(ours).map(str::to_owned).collect();
    if found.is_empty() {
        return Err(Error::Unexpected(format!("none of {PROGRAMS:?} runs in {namespace}")));
    }
    Ok(found)
}

fn tasks(pid: &str) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    entries.map(|entry| entry.path().display().to_string()).collect()
}

/// Processor time of all threads so far. A thread that has ended counts no more; none begins or ends in calm.
fn nanoseconds(pids: &[String]) -> f64 {
    let of_task = |task: String| {
        let text = fs::read_to_string(format!("{task}/schedstat")).unwrap_or_default();
        text.split(' ').next().and_then(|word| word.parse::<f64>().ok()).unwrap_or(0.0)
    };
    pids.iter().flat_map(|pid| tasks(pid)).map(of_task).sum()
}

/// Sent by the first node so far, on both of its networks.
fn packets(lab: &Lab) -> Result<f64> {
    let namespace = lab.namespace(lab.nodes[0].name());
    let text = run(&["ip", "-n", &namespace, "-statistics", "-json", "link"])?;
    let links: Vec<Value> = serde_json::from_str(&text)
        .map_err(|error| Error::Unexpected(format!("ip -json link in {namespace} is not understood: {error}")))?;
    let ours = |link: &&Value| link["ifname"].as_str().is_some_and(|name| name.starts_with("eth"));
    let sent = |link: &Value| link["stats64"]["tx"]["packets"].as_f64().unwrap_or(0.0);
    Ok(links.iter().filter(ours).map(sent).sum())
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).map_err(Error::file(path))
}

/// Megabytes.
#[derive(Debug, PartialEq)]
struct Memory {
    resident: f64,
    locked: f64,
}

/// One mapping of proc_pid_smaps(5), kilobytes.
#[derive(Debug, Default, Clone, Copy)]
struct Mapping {
    resident: u64,
    anonymous: u64,
    locked: bool,
}

impl Memory {
    /// Of several processes together, from their `smaps`.
    fn of(maps: &[String]) -> Memory {
        let (mut own, mut own_locked) = (0, 0);
        // What one file has in memory at one place, and whether a process has locked it.
        let mut shared: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for (place, mapping) in maps.iter().flat_map(|text| mappings(text)) {
            let Mapping { resident, anonymous, locked } = mapping;
            let locks = |kilobytes| if locked { kilobytes } else { 0 };
            own += anonymous;
            own_locked += locks(anonymous);
            let of_file = resident.saturating_sub(anonymous);
            let seen = shared.entry(place).or_default();
            *seen = (seen.0.max(of_file), seen.1.max(locks(of_file)));
        }
        let megabytes = |kilobytes: u64| kilobytes as f64 / 1024.0;
        Memory {
            resident: megabytes(own + shared.values().map(|file| file.0).sum::<u64>()),
            locked: megabytes(own_locked + shared.values().map(|file| file.1).sum::<u64>()),
        }
    }
}

/// Each with the place in a file that it shows: offset, device, inode.
fn mappings(text: &str) -> Vec<(String, Mapping)> {
    let mut found: Vec<(String, Mapping)> = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (Some(first), last) = (words.first(), found.last_mut()) else { continue };
        let kilobytes = || words.get(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        match (*first, last) {
            ("Rss:", Some((_, mapping))) => mapping.resident = kilobytes(),
            ("Anonymous:", Some((_, mapping))) => mapping.anonymous = kilobytes(),
            ("VmFlags:", Some((_, mapping))) => mapping.locked = words.contains(&"lo"),
            // `55d1ec907000-55d1ecc0d000 r--p 00000000 08:01 4711   /usr/sbin/hbd`
            (range, _) if range.contains('-') && words.len() >= 5 => {
                found.push((words[2..5].join(" "), Mapping::default()));
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_processes_share_counts_once_and_what_is_not_locked_is_not() {
        let process = |flags: &str| {
            format!(
                "1000-2000 r-xp 00000000 08:01 4711   /usr/sbin/it\nRss: 3072 kB\nAnonymous: 1024 kB\nVmFlags: rd {flags}\n\
                 3000-4000 rw-p 00000000 00:00 0\nRss: 512 kB\nAnonymous: 512 kB\nVmFlags: rd wr\n"
            )
        };
        let both = Memory::of(&[process("lo"), process("ex")]);
        assert_eq!(both, Memory { resident: 5.0, locked: 3.0 });
    }
}
