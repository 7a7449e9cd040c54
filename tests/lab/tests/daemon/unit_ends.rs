//! What becomes of a unit that ends: the ways of docs/UNITS.md that real machines can play.

use std::time::Duration;

use hbd_lab::Result;
use hbd_lab::lab::NODES;
use hbd_lab::opinion::hbd_status;
use hbd_lab::process::{now, wait_until};

use crate::pair::{A, B, HTTPD, Pair, SOON, START, TAKEOVER, expect, unexpected};

/// What nginx does not start with.
const GARBAGE: &str = "/etc/nginx/conf.d/lab-garbage.conf";
/// A part of nginx's unit.
const DROP_IN: &str = "/etc/systemd/system/nginx.service.d/lab.conf";
/// A part of hbd.toml: so many failures that nothing moves because of their number.
pub const PATIENT: (&str, &str) = ("/etc/hbd/hbd.toml.d/lab-health.toml", "[health]\nrestarts = 99\n");

/// A group with a unit of the test's own.
pub const WEB_LINE: &str = "nodea 192.168.17.200/24/eth0 lab-web httpd\n";
pub const WEB: &str = "lab-web.service";
/// Not in /etc, so that it can be masked.
pub const WEB_FILE: &str = "/usr/lib/systemd/system/lab-web.service";
const WEB_DROP_IN: &str = "/etc/systemd/system/lab-web.service.d/lab.conf";
pub const RUNS: &str = "[Service]\nExecStart=/bin/sleep infinity\n";

/// A restart whose start fails is no operator's stop, whatever verb was used: the unit cannot run here, so the group
/// moves. A reload that fails changes nothing.
pub fn a_restart_that_fails_is_a_failure(pair: &mut Pair) -> Result<String> {
    let since = pair.start_with(None)?;
    pair.wait_settled(since)?;
    let since = now();
    pair.node(A).write(GARBAGE, "garbage\n")?;
    pair.node(A).attempt(&["systemctl", "reload-or-restart", HTTPD])?;
    expect_no_news(pair, since, 5.0)?;
    pair.node(A).run(&["rm", GARBAGE])?;
    let mut slowest: f64 = 0.0;
    for verb in ["restart", "try-restart"] {
        let since = pair.start_with(None)?;
        pair.wait_settled(since)?;
        let begun = now();
        pair.node(A).write(GARBAGE, "garbage\n")?;
        pair.node(A).attempt(&["systemctl", verb, HTTPD])?;
        let said = "httpd has failed here (nginx.service is failed, result exit-code; its ";
        let failed = pair.wait_record(A, begun, said, SOON)?;
        // A restart's job is a start's once the unit is down. Of one that is over at once the type is not known.
        let ended = ["its restart failed", "its start failed", "its job failed"];
        if !ended.iter().any(|ended| failed.message().contains(ended)) {
            return unexpected(failed.message());
        }
        pair.lab.wait_owner(B, TAKEOVER)?;
        slowest = slowest.max(pair.client.wait_served_by(NODES[B].name, SOON)? - begun);
        pair.node(A).run(&["rm", GARBAGE])?;
    }
    Ok(format!("served by the peer {slowest:.1} s after the restart"))
}

/// `Restart=` starts the unit again and again: each lap counts, and after `restarts` of them the group moves.
pub fn each_lap_of_restart_counts(pair: &mut Pair) -> Result<String> {
    let restart = "[Unit]\nStartLimitBurst=99\n[Service]\nRestart=on-failure\nRestartSec=5\n";
    let crashed = crash_with(pair, restart)?;
    for count in ["1", "2", "3"] {
        pair.wait_record(A, crashed, &format!("starts it again): failure {count} lately"), SOON)?;
    }
    pair.wait_record(A, crashed, "goes to node nodeb because it fails here", SOON)?;
    let served = pair.client.wait_served_by(NODES[B].name, SOON)?;
    mend(pair)?;
    Ok(format!("served by the peer {:.1} s after the crash", served - crashed))
}

/// When systemd refuses further starts, the group moves at once, however many failures hbd would have allowed: after
/// laps of `Restart=`, and after restarts by hand.
pub fn a_start_limit_moves_the_group(pair: &mut Pair) -> Result<String> {
    let limit = "[Unit]\nStartLimitIntervalSec=60\nStartLimitBurst=3\n[Service]\nRestart=on-failure\nRestartSec=1\n";
    pair.stop_with(None)?;
    pair.node(A).write(PATIENT.0, PATIENT.1)?;
    let crashed = crash_with(pair, limit)?;
    pair.wait_record(A, crashed, "systemd has given up to start it again", SOON)?;
    pair.wait_record(A, crashed, "goes to node nodeb because it fails here", SOON)?;
    pair.lab.wait_owner(B, TAKEOVER)?;
    pair.client.wait_served_by(NODES[B].name, SOON)?;
    pair.node(A).run(&["rm", GARBAGE])?;
    pair.node(A).run(&["systemctl", "reset-failed", HTTPD])?;
    take_back(pair)?;

    let begun = now();
    wait_until("the start limit", SOON, || {
        let restarted = pair.node(A).attempt(&["systemctl", "restart", HTTPD]).ok()?;
        (restarted.status != Some(0)).then_some(())
    })?;
    pair.wait_record(A, begun, "httpd has failed here (nginx.service is failed, result start-limit-hit", SOON)?;
    pair.lab.wait_owner(B, TAKEOVER)?;
    pair.node(A).run(&["rm", PATIENT.0])?;
    mend(pair)?;
    Ok(String::new())
}

/// What systemd stops because of another unit is no wish and no failure: it is started again when that is over, and
/// nothing moves.
pub fn what_stops_with_another_unit_comes_back_with_it(pair: &mut Pair) -> Result<String> {
    let base = "lab-base.service";
    pair.stop_with(None)?;
    for index in [A, B] {
        pair.node(index).write("/etc/systemd/system/lab-base.service", RUNS)?;
        pair.node(index).write("/etc/systemd/system/lab-other.service", RUNS)?;
    }
    write_web(pair, &format!("[Unit]\nRequires={base}\nAfter={base}\n{RUNS}"))?;
    let started = pair.start_with(Some(WEB_LINE))?;
    pair.wait_settled(started)?;
    let relations = [
        "Requires=lab-base.service\nAfter",
        "Requisite=lab-base.service\nAfter",
        "Wants=lab-base.service\nPartOf",
        "BindsTo",
    ];
    for relation in relations {
        write_web(pair, &format!("[Unit]\n{relation}={base}\nConflicts=lab-other.service\n{RUNS}"))?;
        let because = format!("because {base}, which it depends on, was stopped");
        expect_wait(pair, &["stop", base], &because, &["start", base])?;
    }
    // A moment later: a start that is just over, and whose type could not be read, might be a stop.
    let begun = now();
    wait_until("a moment", SOON, || (now() > begun + 1.0).then_some(()))?;
    expect_wait(pair, &["kill", base], &format!("because {base}, which it is bound to, is gone"), &["start", base])?;
    let because = "because lab-other.service, which it conflicts with, was started";
    expect_wait(pair, &["start", "lab-other.service"], because, &["stop", "lab-other.service"])?;

    let since = now();
    pair.node(A).run(&["systemctl", "restart", base])?;
    expect_no_news(pair, since, 5.0)?;
    expect("the owners", &pair.lab.owners()?, &vec![NODES[A].name])?;
    // A dependency that fails is a failure: only here does that dependency not run.
    let since = now();
    pair.node(A).signal(base, "KILL")?;
    pair.wait_record(A, since, &format!("{base}, which it is bound to, has failed"), SOON)?;
    pair.wait_unit(A, WEB, "active", SOON)?;
    expect("the owners", &pair.lab.owners()?, &vec![NODES[A].name])?;
    Ok(String::new())
}

/// The record of a failure says how systemd saw the unit end.
pub fn every_failure_is_named(pair: &mut Pair) -> Result<String> {
    let obeys = "[Service]\nExecStart=/bin/sh -c 'trap \"exit 3\" USR1; while :; do sleep 0.1; done'\n";
    pair.stop_with(None)?;
    pair.node(A).write(PATIENT.0, PATIENT.1)?;
    write_web(pair, obeys)?;
    let started = pair.start_with(Some(WEB_LINE))?;
    pair.wait_settled(started)?;
    for (signal, said) in [
        ("USR1", "lab-web.service is failed, result exit-code; see"),
        ("KILL", "lab-web.service is failed, result signal; see"),
        ("TERM", "lab-web.service ended by itself; see"),
    ] {
        let since = now();
        pair.node(A).signal(WEB, signal)?;
        pair.wait_record(A, since, &format!("lab-web has failed here ({said}"), SOON)?;
        pair.wait_unit(A, WEB, "active", SOON)?;
        wait_whole(pair, A)?;
    }
    for (setting, said) in [
        ("WatchdogSec=1", "lab-web.service is failed, result watchdog; see"),
        ("RuntimeMaxSec=1", "lab-web.service is failed, result timeout; see"),
    ] {
        let since = now();
        write_part(pair, &format!("[Service]\n{setting}\n"))?;
        pair.node(A).run(&["systemctl", "restart", WEB])?;
        pair.wait_record(A, since, &format!("lab-web has failed here ({said}"), SOON)?;
        write_part(pair, "")?;
        pair.wait_unit(A, WEB, "active", SOON)?;
        wait_whole(pair, A)?;
    }
    // What systemd would not start again is not tried here for long.
    let since = now();
    write_part(pair, "[Unit]\nConditionPathExists=/nonexistent\n")?;
    pair.node(A).run(&["systemctl", "restart", WEB])?;
    pair.wait_record(A, since, "lab-web.service was not started: ConditionPathExists=/nonexistent is not met", SOON)?;
    pair.lab.wait_owner(B, TAKEOVER)?;
    write_part(pair, "")?;
    let started = pair.start_with(Some(WEB_LINE))?;
    pair.wait_settled(started)?;
    let since = now();
    pair.node(A).run(&["systemctl", "mask", WEB])?;
    expect_no_news(pair, since, 3.0)?;
    pair.node(A).signal(WEB, "KILL")?;
    pair.wait_record(A, since, "lab-web.service is down and masked, so it cannot be started", SOON)?;
    pair.lab.wait_owner(B, TAKEOVER)?;
    pair.node(A).run(&["systemctl", "unmask", WEB])?;
    pair.node(A).run(&["rm", PATIENT.0])?;
    Ok(String::new())
}

/// A maintainer script stops the unit and starts it a while later: meanwhile `hbctl status` says that somebody
/// stopped it, and nothing moves.
pub fn a_package_upgrade_is_a_stop_and_a_start(pair: &mut Pair) -> Result<String> {
    let since = pair.start_with(None)?;
    pair.wait_settled(since)?;
    let since = now();
    systemctl(pair, &["stop", HTTPD])?;
    pair.wait_record(A, since, "httpd was stopped by somebody else", SOON)?;
    wait_status(pair, 3)?;
    expect("the owners", &pair.lab.owners()?, &vec![NODES[A].name])?;
    systemctl(pair, &["start", HTTPD])?;
    pair.wait_record(A, since, "httpd runs again", SOON)?;
    wait_status(pair, 0)?;
    expect("the owners", &pair.lab.owners()?, &vec![NODES[A].name])?;
    Ok(String::new())
}

/// systemd reloads its units, executes itself anew, the bus is restarted: none of it is news, and a crash is noticed
/// afterwards as ever. A bus that hangs is told, and when that is over.
pub fn systemd_and_the_bus_may_start_anew(pair: &mut Pair) -> Result<String> {
    let since = pair.start_with(None)?;
    pair.wait_settled(since)?;
    let since = now();
    for words in [["daemon-reload"].as_slice(), &["daemon-reexec"], &["restart", "dbus.service"]] {
        systemctl(pair, words)?;
        // hbd looks at its units every two seconds.
        let done = now();
        wait_until("a look of hbd", SOON, || (now() > done + 3.0).then_some(()))?;
    }
    expect_no_news(pair, since, 8.0)?;
    systemctl(pair, &["daemon-reexec"])?;
    let crashed = now();
    pair.node(A).signal(HTTPD, "KILL")?;
    pair.wait_record(A, crashed, "httpd has failed here (nginx.service is failed, result signal", SOON)?;
    pair.wait_unit(A, HTTPD, "active", SOON)?;

    let hung = now();
    // All of its processes: dbus-broker is a child of the main one. systemctl talks to systemd without the bus.
    systemctl(pair, &["kill", "--kill-whom=all", "--signal=STOP", "dbus.service"])?;
    let unknown = pair.wait_record(A, hung, "systemd does not answer", SOON);
    systemctl(pair, &["kill", "--kill-whom=all", "--signal=CONT", "dbus.service"])?;
    unknown?;
    pair.wait_record(A, hung, "systemd answers again", SOON)?;
    expect("the owners", &pair.lab.owners()?, &vec![NODES[A].name])?;
    Ok(String::new())
}

/// Waits until `hbctl status` on nodea ends with this status.
pub fn wait_status(pair: &Pair, status: i32) -> Result<()> {
    wait_until(&format!("hbctl status to end with {status}"), SOON, || {
        pair.node(A).attempt(&["hbctl", "status"]).ok().filter(|output| output.status == Some(status))
    })
    .map(drop)
}

/// Waits until hbd itself calls the first group whole: its own start job is over, and it has heard of that.
pub fn wait_whole(pair: &Pair, index: usize) -> Result<()> {
    wait_until("hbd to call the group whole", SOON, || {
        (hbd_status(pair.node(index)).ok()?["groups"][0]["state"] == "active").then_some(())
    })
}

pub fn systemctl(pair: &Pair, words: &[&str]) -> Result<()> {
    let command: Vec<&str> = ["systemctl", "--quiet"].into_iter().chain(words.iter().copied()).collect();
    pair.node(A).run(&command).map(drop)
}

/// The unit of the test's own, on both nodes.
pub fn write_web(pair: &Pair, content: &str) -> Result<()> {
    for index in [A, B] {
        pair.node(index).write(WEB_FILE, content)?;
        pair.node(index).run(&["systemctl", "daemon-reload"])?;
    }
    Ok(())
}

/// More of that unit, on nodea.
pub fn write_part(pair: &Pair, content: &str) -> Result<()> {
    pair.node(A).write(WEB_DROP_IN, content)?;
    systemctl(pair, &["daemon-reload"])
}

/// nginx has this part of its unit on both nodes and garbage on nodea, and its process is killed there. Returns when.
fn crash_with(pair: &mut Pair, drop_in: &str) -> Result<f64> {
    for index in [A, B] {
        pair.node(index).write(DROP_IN, drop_in)?;
        pair.node(index).run(&["systemctl", "daemon-reload"])?;
    }
    let since = pair.start_with(None)?;
    pair.wait_settled(since)?;
    pair.node(A).write(GARBAGE, "garbage\n")?;
    let crashed = now();
    pair.node(A).signal(HTTPD, "KILL")?;
    Ok(crashed)
}

/// Neither the garbage nor the part of the unit is there any more.
fn mend(pair: &Pair) -> Result<()> {
    for index in [A, B] {
        pair.node(index).run(&["rm", "-f", GARBAGE, DROP_IN])?;
        pair.node(index).run(&["systemctl", "daemon-reload"])?;
    }
    Ok(())
}

/// An operator has mended nodea and takes the group back.
fn take_back(pair: &mut Pair) -> Result<()> {
    let cleaned = now();
    pair.node(A).run(&["hbctl", "cleanup"])?;
    pair.lab.wait_stable(A, cleaned, START)?;
    pair.node(A).run(&["hbctl", "takeover"])?;
    pair.lab.wait_owner(A, TAKEOVER)?;
    pair.client.wait_served_by(NODES[A].name, SOON).map(drop)
}

/// This verb stops lab-web, for that reason; it stays down and shown until the other verb ends the reason.
pub fn expect_wait(pair: &Pair, verb: &[&str], because: &str, end: &[&str]) -> Result<()> {
    let since = now();
    systemctl(pair, verb)?;
    pair.wait_record(A, since, &format!("lab-web was stopped by systemd, {because}"), SOON)?;
    wait_status(pair, 3)?;
    // Longer than hbd looks for the end of the cause.
    wait_until("some looks", SOON, || (now() > since + 4.0).then_some(()))?;
    expect(WEB, &pair.node(A).unit_state(WEB)?, &"inactive".to_owned())?;
    systemctl(pair, end)?;
    pair.wait_record(A, since, "what lab-web was stopped with is over", SOON)?;
    pair.wait_unit(A, WEB, "active", SOON)?;
    wait_whole(pair, A)?;
    expect("the owners", &pair.lab.owners()?, &vec![NODES[A].name])
}

/// hbd on nodea says nothing about a resource for so many seconds.
pub fn expect_no_news(pair: &Pair, since: f64, seconds: f64) -> Result<()> {
    wait_until("some looks", Duration::from_secs(60), || (now() > since + seconds).then_some(()))?;
    let told = |message: &str| ["httpd ", "lab-web ", "does not answer"].iter().any(|word| message.contains(word));
    match pair.records(A, since)?.iter().find(|record| told(record.message())) {
        Some(record) => unexpected(record.message()),
        None => Ok(()),
    }
}
