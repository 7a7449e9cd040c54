//! More of what becomes of a unit that ends (docs/UNITS.md): failures that need something of the machine, wishes, and
//! what systemd stops by itself. Each test says what hbd does and what `hbctl status` says.

use hbd_lab::Result;
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_until};

use crate::pair::{A, B, HBD, HTTPD, Pair, SOON, TAKEOVER, expect, expect_words, unexpected};
use crate::unit_ends::{
    RUNS, WEB, WEB_FILE, WEB_LINE, expect_no_news, expect_wait, systemctl, wait_status, write_part, write_web,
};

const BASE: &str = "lab-base.service";
const BASE_FILE: &str = "/etc/systemd/system/lab-base.service";
const OTHER: &str = "lab-other.service";
const OTHER_FILE: &str = "/etc/systemd/system/lab-other.service";

/// nodea serves a group with lab-web, which has this content on both nodes.
fn start(pair: &mut Pair, content: &str) -> Result<()> {
    pair.stop_with(None)?;
    for index in [A, B] {
        pair.node(index).write(BASE_FILE, RUNS)?;
        pair.node(index).write(OTHER_FILE, RUNS)?;
    }
    write_part(pair, "")?;
    write_web(pair, content)?;
    let started = pair.start_with(Some(WEB_LINE))?;
    pair.wait_settled(started)
}

/// lab-web has failed in these words, is started again where it is, and then the status is well.
fn expect_restart(pair: &Pair, since: f64, said: &str) -> Result<()> {
    pair.wait_record(A, since, &format!("lab-web has failed here (lab-web.service {said}"), SOON)?;
    pair.wait_unit(A, WEB, "active", SOON)?;
    wait_status(pair, 0)?;
    expect("the owners", &pair.lab.owners()?, &vec![NODES[A].name])
}

/// lab-web has failed in these words and cannot be started on nodea: its group moves, and both nodes say that and why
/// nodea is no spare for it.
fn expect_move(pair: &mut Pair, since: f64, said: &str) -> Result<()> {
    pair.wait_record(A, since, "lab-web has failed here", SOON)?;
    pair.wait_record(A, since, said, SOON)?;
    pair.lab.wait_owner(B, TAKEOVER)?;
    pair.client.wait_served_by(NODES[B].name, SOON)?;
    wait_until("both nodes to say that nodea has failed the group", SOON, || {
        let said = [(A, "has failed on this node (lab-web: "), (B, "has failed on node nodea (lab-web: ")];
        said.into_iter().try_for_each(|(index, words)| {
            let status = pair.node(index).attempt(&["hbctl", "status"]).ok()?;
            (status.stdout.contains(words) && status.status == Some(3)).then_some(())
        })
    })?;
    let why = pair.node(B).run(&["hbctl", "why"])?;
    expect_words("hbctl why on nodeb", &why, &["because it failed on nodea (lab-web: "])
}

/// Somebody stopped lab-web: that is said, shown, and left alone until it is started by this.
fn expect_wish(pair: &Pair, since: f64, start: impl FnOnce() -> Result<()>) -> Result<()> {
    pair.wait_record(A, since, "lab-web was stopped by somebody else", SOON)?;
    wait_status(pair, 3)?;
    let status = pair.node(A).attempt(&["hbctl", "status"])?;
    expect_words("hbctl status", &status.stdout, &["lab-web", "somebody stopped it"])?;
    expect("the owners", &pair.lab.owners()?, &vec![NODES[A].name])?;
    start()?;
    pair.wait_record(A, since, "lab-web runs again", SOON)?;
    wait_status(pair, 0)
}

/// The kernel kills lab-web because it needs too much memory: it is a failure, and named.
pub fn an_oom_kill_is_a_failure(pair: &mut Pair) -> Result<String> {
    let controllers = pair.node(A).read("/sys/fs/cgroup/cgroup.controllers")?.unwrap_or_default();
    if !controllers.split_whitespace().any(|controller| controller == "memory") {
        return Ok("not played: this machine has no control groups of version 2 with memory".to_owned());
    }
    let eats = "[Service]\nMemoryMax=16M\nMemorySwapMax=0\n\
                ExecStart=/bin/sh -c 'trap \"exec tail /dev/zero\" USR1; while :; do sleep 0.1; done'\n";
    start(pair, eats)?;
    let since = now();
    pair.node(A).signal(WEB, "USR1")?;
    expect_restart(pair, since, "is failed, result oom-kill; see")?;
    Ok(String::new())
}

/// A stop that is canceled while it is under way is no wish; a restart that a dependency, an assertion, a command or
/// a missing file forbids is a failure, and this node cannot serve.
pub fn what_systemd_does_not_start_moves_the_group(pair: &mut Pair) -> Result<String> {
    start(pair, RUNS)?;
    write_part(pair, "[Service]\nExecStop=/bin/sleep 3\n")?;
    let since = now();
    systemctl(pair, &["stop", "--no-block", WEB])?;
    pair.wait_unit(A, WEB, "deactivating", SOON)?;
    systemctl(pair, &["cancel"])?;
    expect_restart(pair, since, "ended by itself; its stop was canceled")?;
    // The job of the first is a restart's until the unit is down, and a start's from then on.
    let no_start = [
        (
            "[Unit]\nRequires=lab-no.service\nAfter=lab-no.service\n",
            // Of a job that is over at once systemd does not tell any more what it was.
            "failed because a unit that it depends on did",
        ),
        ("[Unit]\nAssertPathExists=/nonexistent\n", "was not started: an assertion"),
        ("[Service]\nExecCondition=/bin/false\n", "was not started: its ExecCondition= is not met"),
    ];
    pair.node(A).write("/etc/systemd/system/lab-no.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n")?;
    for (part, said) in no_start {
        start(pair, RUNS)?;
        write_part(pair, part)?;
        let since = now();
        pair.node(A).attempt(&["systemctl", "restart", WEB])?;
        expect_move(pair, since, said)?;
    }
    start(pair, RUNS)?;
    let since = now();
    pair.node(A).run(&["rm", WEB_FILE])?;
    systemctl(pair, &["daemon-reload"])?;
    pair.node(A).signal(WEB, "KILL")?;
    expect_move(pair, since, "is down, and its unit file is gone")?;
    start(pair, RUNS).map(|()| String::new())
}

/// Every way to stop lab-web by hand is a wish, also one that goes wrong; it is over when the unit is started, also
/// by its socket. A stop of what depends on lab-web is none.
pub fn every_wish_is_shown_and_left_alone(pair: &mut Pair) -> Result<String> {
    start(pair, RUNS)?;
    for (stop, before) in [("disable", ""), ("mask", "unmask")] {
        let since = now();
        pair.node(A).run(&["systemctl", stop, "--now", WEB])?;
        expect_wish(pair, since, || {
            if !before.is_empty() {
                systemctl(pair, &[before, WEB])?;
            }
            systemctl(pair, &["start", WEB])
        })?;
    }
    write_part(pair, "[Service]\nExecStop=/bin/false\n")?;
    let since = now();
    pair.node(A).attempt(&["systemctl", "stop", WEB])?;
    expect(WEB, &pair.node(A).unit_state(WEB)?, &"failed".to_owned())?;
    expect_wish(pair, since, || systemctl(pair, &["start", WEB]))?;

    write_part(pair, "")?;
    pair.node(A).write("/etc/systemd/system/lab-web.socket", "[Socket]\nListenFIFO=/run/lab-web.fifo\n")?;
    systemctl(pair, &["daemon-reload"])?;
    let since = now();
    systemctl(pair, &["stop", WEB])?;
    expect_wish(pair, since, || {
        systemctl(pair, &["start", "lab-web.socket"])?;
        pair.node(A).run(&["sh", "-c", "echo >/run/lab-web.fifo"]).map(drop)
    })?;
    systemctl(pair, &["stop", "lab-web.socket"])?;

    let since = now();
    pair.node(A).write(OTHER_FILE, &format!("[Unit]\nRequires={WEB}\n{RUNS}"))?;
    systemctl(pair, &["daemon-reload"])?;
    systemctl(pair, &["start", OTHER])?;
    systemctl(pair, &["stop", OTHER])?;
    expect_no_news(pair, since, 5.0)?;
    wait_status(pair, 0)?;
    Ok(String::new())
}

/// systemd stops lab-web because a target is isolated, or because a unit is stopped that it requires: it comes back
/// when that is over. systemd stops it because no unit needs it: no resource may have that setting, so it has failed.
pub fn what_systemd_stops_by_itself_is_no_wish(pair: &mut Pair) -> Result<String> {
    let target = "[Unit]\nRequires=multi-user.target hbd.service\nAfter=multi-user.target\nAllowIsolate=yes\n";
    start(pair, RUNS)?;
    pair.node(A).write("/etc/systemd/system/lab-iso.target", target)?;
    systemctl(pair, &["daemon-reload"])?;
    let since = now();
    pair.node(A).run(&["systemctl", "isolate", "lab-iso.target"])?;
    let because = "lab-web was stopped by systemd, because lab-iso.target was isolated, which stops everything else";
    pair.wait_record(A, since, because, SOON)?;
    pair.wait_record(A, since, "what lab-web was stopped with is over", SOON)?;
    for unit in [WEB, HTTPD, HBD] {
        pair.wait_unit(A, unit, "active", SOON)?;
    }
    wait_status(pair, 0)?;
    expect("the owners", &pair.lab.owners()?, &vec![NODES[A].name])?;
    systemctl(pair, &["stop", "lab-iso.target"])?;

    // One command: the stop of lab-web joins that of the unit that it requires.
    start(pair, &format!("[Unit]\nRequires={BASE}\nAfter={BASE}\n{RUNS}"))?;
    let because = format!("because {BASE}, which it depends on, was stopped");
    expect_wait(pair, &["stop", BASE, WEB], &because, &["start", BASE])?;

    start(pair, RUNS)?;
    pair.node(A).write(OTHER_FILE, &format!("[Unit]\nWants={WEB}\n{RUNS}"))?;
    write_part(pair, "[Unit]\nStopWhenUnneeded=yes\n")?;
    let since = now();
    systemctl(pair, &["start", OTHER])?;
    systemctl(pair, &["stop", OTHER])?;
    expect_move(pair, since, "was stopped by systemd because no unit needs it (StopWhenUnneeded=yes")?;
    let check = pair.node(A).attempt(&["hbctl", "check"])?;
    expect_words("hbctl check", &format!("{}{}", check.stdout, check.stderr), &["StopWhenUnneeded"])?;
    start(pair, RUNS).map(|()| String::new())
}

/// Somebody starts a unit of the group, and adds its address, on the node that stands by: both are named and stopped
/// there, and nothing else moves.
pub fn a_left_over_is_named_and_stopped(pair: &mut Pair) -> Result<String> {
    start(pair, RUNS)?;
    let since = now();
    pair.node(B).run(&["systemctl", "start", WEB])?;
    pair.node(B).run(&["ip", "address", "add", "192.168.17.200/24", "dev", "eth0"])?;
    for resource in ["lab-web", "192.168.17.200/24/eth0"] {
        let said = format!("{resource} is on this machine, which does not hold its group 192.168.17.200/24/eth0");
        pair.wait_record(B, since, &said, SOON)?;
        let gone =
            format!("{resource} of group 192.168.17.200/24/eth0, which this machine does not hold, is not here");
        pair.wait_record(B, since, &gone, SOON)?;
    }
    pair.wait_unit(B, WEB, "inactive", SOON)?;
    pair.lab.wait_owner(A, SOON)?;
    wait_until("nodeb's status to be well", SOON, || {
        pair.node(B).attempt(&["hbctl", "status"]).ok().filter(|output| output.status == Some(0))
    })?;
    pair.client.wait_served_by(NODES[A].name, SOON)?;
    Ok(String::new())
}

/// The system bus goes away before hbd is stopped: hbd stops its unit all the same, releases its address and says
/// goodbye, and the peer serves without a dead time.
pub fn a_stop_without_a_bus_releases_everything(pair: &mut Pair) -> Result<String> {
    start(pair, RUNS)?;
    let since = now();
    // systemctl talks to systemd without the bus.
    systemctl(pair, &["mask", "--runtime", "dbus.service", "dbus.socket"])?;
    pair.node(A).attempt(&["systemctl", "stop", "dbus.socket", "dbus.service"])?;
    pair.wait_record(A, since, "systemd does not answer", SOON)?;
    let stopped = now();
    systemctl(pair, &["stop", HBD])?;
    let took = now() - stopped;
    pair.lab.wait_owner(B, SOON)?;
    pair.client.wait_served_by(NODES[B].name, SOON)?;
    pair.wait_record(A, since, "All HA resources relinquished.", SOON)?;
    expect(WEB, &pair.node(A).unit_state(WEB)?, &"inactive".to_owned())?;
    systemctl(pair, &["unmask", "--runtime", "dbus.service", "dbus.socket"])?;
    systemctl(pair, &["start", "dbus.socket", "dbus.service"])?;
    if took > SOON.as_secs_f64() {
        return unexpected(format!("hbd needed {took:.1} s to stop"));
    }
    start(pair, RUNS)?;
    Ok(format!("hbd stopped in {took:.1} s"))
}
