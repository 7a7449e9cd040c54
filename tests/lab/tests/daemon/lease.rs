//! Leases: whatever happens to hbd on the owner, its address is gone before the peer announces it. The means of
//! systemd (watchdog, restart, ExecStopPost=) are switched off, so that only the kernel removes the address.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hbd_lab::client::{outages, services};
use hbd_lab::example::{DEADTIME, VIP};
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, run, wait_until};
use hbd_lab::{Error, Result};

use crate::pair::{A, B, HBD, Pair, START, TAKEOVER, unexpected};

const DROP_IN: &str = "/etc/systemd/system/hbd.service.d/lease.conf";
/// A drop-in of the unit that switches systemd's means off.
const ALONE: &str = "[Service]\nWatchdogSec=0\nRestart=no\nExecStopPost=\n";
const HA_CF: &str = "/etc/ha.d/ha.cf";
const SHORT: &str = "\ndeadtime 1500ms\n";
/// How long after the end of the lease the address may still be seen on a busy machine.
const SLACK: f64 = 1.5;

/// The whole process is frozen.
pub fn a_frozen_process_loses_its_address_in_time(pair: &mut Pair) -> Result<String> {
    let (since, remark) = play(pair, |pair| pair.node(A).signal(HBD, "STOP"))?;
    pair.node(A).signal(HBD, "CONT")?;
    comes_back(pair, since)?;
    Ok(remark)
}

/// Only the core's thread is frozen. All others go on, the address thread included.
pub fn a_frozen_core_loses_its_address_in_time(pair: &mut Pair) -> Result<String> {
    let mut frozen = None;
    let (since, remark) = play(pair, |pair| {
        frozen = Some(Frozen::main_thread_of(&process(pair, A)?)?);
        Ok(())
    })?;
    drop(frozen);
    comes_back(pair, since)?;
    Ok(remark)
}

/// The same with a dead time that is too short for the kernel: the address thread removes the address.
pub fn a_frozen_core_loses_its_address_below_the_kernels_second(pair: &mut Pair) -> Result<String> {
    pair.stop_with(None)?;
    for index in [A, B] {
        let short = pair.node(index).read(HA_CF)?.unwrap_or_default();
        let short = short.replace("\nkeepalive 1\n", "\nkeepalive 300ms\n");
        let short = short.replace("\nwarntime 2\n", "\nwarntime 750ms\n").replace("\ndeadtime 4\n", SHORT);
        if !short.contains(SHORT) {
            return unexpected(format!("another ha.cf than was expected:\n{short}"));
        }
        pair.node(index).write(HA_CF, &short)?;
    }
    leave_to_kernel(pair)?;
    let since = now();
    pair.lab.start(A)?;
    pair.lab.start(B)?;
    pair.wait_settled(since)?;
    pair.client.wait_served_by(NODES[A].name, START)?;

    let frozen = Frozen::main_thread_of(&process(pair, A)?)?;
    let stopped = now();
    pair.wait_with_one_owner("nodeb to take over", TAKEOVER, || {
        pair.lab.owners().is_ok_and(|owners| owners == [NODES[B].name])
    })?;
    pair.client.wait_served_by(NODES[B].name, TAKEOVER)?;
    let served = now() - stopped;
    pair.expect_used_in_turn(stopped, &[A, B])?;
    drop(frozen);
    comes_back(pair, stopped)?;
    pair.stop_with(None)?;
    pair.settle()?;
    Ok(format!("served by the other node {served:.1} s later"))
}

/// The process is killed, and systemd does not start it again.
pub fn a_dead_process_loses_its_address_in_time(pair: &mut Pair) -> Result<String> {
    let (_, remark) = play(pair, |pair| pair.node(A).signal(HBD, "KILL"))?;
    leave_to_systemd(pair)?;
    let since = now();
    pair.lab.start(A)?;
    pair.wait_settled(since)?;
    Ok(remark)
}

/// Stops hbd on the owner in one of these ways, and watches its address.
fn play(pair: &mut Pair, stop: impl FnOnce(&Pair) -> Result<()>) -> Result<(f64, String)> {
    pair.stop_with(None)?;
    leave_to_kernel(pair)?;
    pair.settle()?;
    let valid = lifetime(pair)?;
    if valid >= u64::from(DEADTIME) {
        return unexpected(format!("the address is leased for {valid} s, with a dead time of {DEADTIME} s"));
    }

    stop(pair)?;
    let stopped = now();
    let mut gone = None;
    pair.wait_with_one_owner("nodeb to take over", TAKEOVER, || {
        let owners = pair.lab.owners().unwrap_or_default();
        if owners.is_empty() {
            gone.get_or_insert_with(now);
        }
        owners == [NODES[B].name]
    })?;
    pair.client.wait_served_by(NODES[B].name, TAKEOVER)?;
    let Some(heard) = pair.lab.last_heard(A, stopped)? else { return unexpected("nodea was never heard") };
    let gone = gone.ok_or_else(|| Error::Unexpected("nobody was seen without the address".to_owned()))? - heard;
    if gone > f64::from(DEADTIME) + SLACK {
        return unexpected(format!("gone only {gone:.3} s after nodea was heard last"));
    }
    pair.expect_used_in_turn(stopped, &[A, B])?;
    Ok((stopped, format!("lease {valid} s, gone {gone:.3} s after the last heartbeat")))
}

/// The stalled node goes on: in the end one node serves, and never both at once.
fn comes_back(pair: &mut Pair, since: f64) -> Result<()> {
    let back = now();
    let mut settled = None;
    pair.wait_with_one_owner("the pair to agree", START, || {
        let owners = pair.lab.owners().unwrap_or_default();
        let one = (owners.len() == 1).then(|| owners[0].to_owned());
        match (&settled, one) {
            (Some((owner, at)), Some(now_owner)) if *owner == now_owner => now() - at > 3.0,
            (_, Some(owner)) => {
                settled = Some((owner, now()));
                false
            }
            (_, None) => {
                settled = None;
                false
            }
        }
    })?;
    let requests = pair.client.since(back);
    let longest = outages(&requests).iter().map(|outage| outage.length()).fold(0.0, f64::max);
    if longest > f64::from(DEADTIME) {
        return unexpected(format!("after the return the client was without service for {longest:.3} s"));
    }
    let turns = services(&pair.client.since(since)).len();
    if turns > 3 {
        return unexpected(format!("the client was served in {turns} turns"));
    }
    leave_to_systemd(pair)?;
    pair.settle()
}

/// Switches systemd's means off for the hbd that is started next on nodea.
pub fn leave_to_kernel(pair: &Pair) -> Result<()> {
    pair.node(A).write(DROP_IN, ALONE)?;
    pair.node(A).run(&["systemctl", "daemon-reload"]).map(drop)
}

/// Switches them on again.
pub fn leave_to_systemd(pair: &Pair) -> Result<()> {
    pair.node(A).run(&["rm", "-f", DROP_IN])?;
    pair.node(A).run(&["systemctl", "daemon-reload"]).map(drop)
}

/// The lifetime of the virtual address on nodea, seconds.
fn lifetime(pair: &Pair) -> Result<u64> {
    let text = pair.node(A).run(&["ip", "-json", "address", "show", "to", &VIP.to_string()])?;
    let links: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| Error::Unexpected(format!("ip printed {text}: {error}")))?;
    let links = links.as_array().cloned().unwrap_or_default();
    // `ip` prints an empty object for an address that does not match.
    let mut addresses = links.iter().flat_map(|link| link["addr_info"].as_array().cloned().unwrap_or_default());
    let valid = addresses.find_map(|address| address["valid_life_time"].as_u64());
    let leased = valid.filter(|valid| *valid < u64::from(u32::MAX));
    leased.ok_or_else(|| Error::Unexpected(format!("the address is not leased: {text}")))
}

/// The process id of hbd's main process, as this machine counts.
fn process(pair: &Pair, index: usize) -> Result<String> {
    let pids = run(&["ip", "netns", "pids", &pair.lab.namespace(NODES[index].name)])?;
    let is_hbd = |pid: &&str| std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "hbd\n");
    let found = pids.split_whitespace().find(is_hbd).map(str::to_owned);
    found.ok_or_else(|| Error::Unexpected("no process named hbd".to_owned()))
}

/// One thread that a tracer keeps from running until this is dropped.
struct Frozen(Child);

impl Frozen {
    /// The main thread has the number of its process. SIGSTOP would stop all threads, ptrace(2) stops only one.
    fn main_thread_of(process: &str) -> Result<Frozen> {
        // PTRACE_SEIZE, PTRACE_INTERRUPT; perl is part of every Debian and can call the kernel by number.
        let script = "my $n = (qx(uname -m) =~ /^x86_64/) ? 101 : 117; my $tid = shift @ARGV; $tid += 0; \
                      syscall($n, 0x4206, $tid, 0, 0) == 0 or die qq(seize: $!); \
                      syscall($n, 0x4207, $tid, 0, 0) == 0 or die qq(interrupt: $!); sleep 600";
        let tracer = Command::new("perl")
            .args(["-e", script, process])
            .stdin(Stdio::null())
            .spawn()
            .map_err(|error| Error::Command { command: "perl".to_owned(), reason: error.to_string() })?;
        let frozen = Frozen(tracer);
        let stat = format!("/proc/{process}/task/{process}/stat");
        wait_until("the core's thread to be frozen", Duration::from_secs(10), || {
            let stat = std::fs::read_to_string(&stat).ok()?;
            stat.rsplit_once(") ")?.1.starts_with('t').then_some(())
        })?;
        Ok(frozen)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        // The thread goes on when its tracer has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
