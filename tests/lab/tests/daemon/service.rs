//! hbd as a service of systemd: start, a refused start, watchdog, realtime.

use std::time::Duration;

use hbd_lab::example::DEADTIME;
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_until};
use hbd_lab::{Error, Result};

use crate::pair::{A, B, HBD, HTTPD, Pair, SOON, START, TAKEOVER, expect, expect_status, expect_words, unexpected};

/// MESSAGE_ID of systemd's "Started" (sd-messages.h).
const STARTED: &str = "39f53479d3a045ac8e11786248231fbf";
/// `WatchdogSec=` of units/hbd.service.
const WATCHDOG: Duration = Duration::from_secs(3);

/// systemd calls the unit active only when hbd has opened everything, and shows hbd's status text.
pub fn active_means_ready(pair: &mut Pair) -> Result<String> {
    let since = pair.start_with(None)?;
    pair.wait_settled(since)?;
    expect("Type=", &pair.shown(A, "Type")?, &"notify".to_owned())?;
    let up = pair.wait_record(A, since, "Local status now set to: 'up'", SOON)?;
    let started = wait_until("systemd to say that hbd is started", SOON, || {
        let records = pair.node(A).journal(None, since).ok()?;
        let is_it = |unit: Option<&str>, id: Option<&str>| unit == Some(HBD) && id == Some(STARTED);
        records.into_iter().find(|record| is_it(record.field("UNIT"), record.field("MESSAGE_ID")))
    })?;
    let said = up.field("HBD_REALTIME_USEC").and_then(|time| time.parse::<f64>().ok()).unwrap_or(f64::MAX) / 1e6;
    if said > started.time() {
        return unexpected(format!("active at {}, but the first status was sent at {said}", started.time()));
    }
    let serving = "active; serves 192.168.17.200/24/eth0; nodeb active (1/1 links)";
    wait_until("the status line of nodea", SOON, || (pair.shown(A, "StatusText").ok()? == serving).then_some(()))?;
    let shown = pair.node(A).run(&["systemctl", "status", HBD])?;
    expect_words("systemctl status", &shown, &[&format!("Status: \"{serving}\"")])?;
    let standby = "active; serves nothing; nodea active (1/1 links) serves 192.168.17.200/24/eth0";
    wait_until("the status line of nodeb", SOON, || (pair.shown(B, "StatusText").ok()? == standby).then_some(()))?;
    Ok(String::new())
}

/// hbd reports a mistake in ha.cf once, with its line, and systemd does not start it again and again.
pub fn a_mistake_in_ha_cf_refuses_the_start(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    pair.lab.stop(B)?;
    let since = now();
    let good = pair.node(B).read("/etc/ha.d/ha.cf")?.unwrap_or_default();
    let line = good.lines().position(|line| line.starts_with("deadtime ")).map_or(0, |index| index + 1);
    pair.node(B).write("/etc/ha.d/ha.cf", &good.replace("\ndeadtime 4\n", "\ndeadtime soon\n"))?;
    let place = format!("ha.cf:{line}:10: ");

    let start = pair.node(B).attempt(&["systemctl", "start", HBD])?;
    expect_status("systemctl start hbd", &start, 1)?;
    // Waits for several times RestartSec=.
    wait_until("a second", SOON, || (now() > since + 1.0).then_some(()))?;
    expect("ActiveState", &pair.node(B).unit_state(HBD)?, &"failed".to_owned())?;
    expect("NRestarts", &pair.shown(B, "NRestarts")?, &"0".to_owned())?;
    expect("ExecMainStatus", &pair.shown(B, "ExecMainStatus")?, &"6".to_owned())?;
    let shown = pair.node(B).attempt(&["systemctl", "status", HBD])?.stdout;
    expect_words("systemctl status", &shown, &["status=6/NOTCONFIGURED"])?;

    let found = pair.wait_record(B, since, &place, SOON)?;
    expect_words("the record", found.message(), &["soon", "\n    hint: "])?;
    expect("its priority", &found.priority(), &3)?;
    expect("its CONFIG_FILE", &found.field("CONFIG_FILE"), &Some("/etc/ha.d/ha.cf"))?;
    expect("its CONFIG_LINE", &found.field("CONFIG_LINE"), &Some(line.to_string().as_str()))?;
    pair.wait_record(B, since, "Configuration error, heartbeat not started.", SOON)?;

    let check = pair.node(B).attempt(&["hbd", "--check"])?;
    expect_status("hbd --check", &check, 6)?;
    let hint = found.message().split_once("hint: ").map_or("", |(_, hint)| hint);
    expect_words("hbd --check", &check.stderr, &[&format!("/etc/ha.d/ha.cf:{line}:10"), "deadtime soon", hint])?;

    pair.node(B).write("/etc/ha.d/ha.cf", &good)?;
    expect_status("hbd --check of the good file", &pair.node(B).attempt(&["hbd", "--check"])?, 0)?;
    let since = now();
    pair.lab.start(B)?;
    pair.wait_settled(since)?;
    pair.expect_undisturbed(A, since)?;
    Ok(String::new())
}

/// systemd kills a daemon that hangs, its resources are stopped before another node has them, and one node serves.
pub fn a_hanging_daemon_is_killed(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    let process = pair.shown(A, "MainPID")?;
    let hung = now();
    pair.node(A).signal(HBD, "STOP")?;
    pair.wait_with_one_owner("systemd to kill the hanging hbd", WATCHDOG + SOON, || {
        pair.shown(A, "MainPID").is_ok_and(|now| now != process)
    })?;
    let killed = pair.node(A).wait_record(HBD, hung, "Watchdog timeout", SOON)?.time() - hung;
    // hbd feeds the watchdog three times within WatchdogSec=. The whole time may pass after the last feeding.
    if killed > WATCHDOG.as_secs_f64() + 2.0 {
        return unexpected(format!("killed only after {killed:.3} s"));
    }
    // Either node may serve now. In the end nodea must.
    let mut settled = false;
    pair.wait_with_one_owner("nodea to serve again", START, || {
        settled |= pair.node(A).unit_state(HTTPD).is_ok_and(|state| state == "active")
            && pair.node(A).unit_state(HBD).is_ok_and(|state| state == "active")
            && pair.lab.owners().is_ok_and(|owners| owners == [NODES[A].name]);
        settled
    })?;
    pair.client.wait_served_by(NODES[A].name, TAKEOVER)?;
    pair.wait_stable(hung)?;
    // By then any part of the peer's dead time may have passed.
    let since = pair.node(A).journal(None, hung)?;
    let said = |text: &str| since.iter().any(|record| record.message().contains(text));
    if said("taking up what hbd held") == said("Stopped nginx.service") {
        return unexpected("ExecStopPost= has neither released nginx.service nor left it to the next hbd, or both");
    }

    // Neither the switch nor the client saw two owners at once: a node that took the address kept it until the next
    // one had it.
    let macs = pair.lab.announcers(hung)?;
    let [a, b] = NODES.map(|node| node.public_mac());
    if ![vec![a], vec![b, a]].contains(&macs) {
        return unexpected(format!("announced in turns: {macs:x?}"));
    }
    let requests = pair.client.since(hung);
    let served: Vec<String> =
        hbd_lab::client::services(&requests).into_iter().map(|service| service.server).collect();
    let through_b = [NODES[A].name, NODES[B].name, NODES[A].name].map(str::to_owned);
    if served != [NODES[A].name] && served != through_b {
        return unexpected(format!("the client was served in turns: {served:?}"));
    }
    let outage = hbd_lab::client::outages(&requests).iter().map(|outage| outage.length()).fold(0.0, f64::max);
    // The services of the hanging daemon do not hang: the client notices only that they are stopped and started
    // again.
    if outage > f64::from(DEADTIME) + 2.0 {
        return unexpected(format!("the client was without service for {outage:.3} s"));
    }
    Ok(format!("killed after {killed:.1} s, outage {outage:.3} s, served by {}", served.join(", ")))
}

/// Only the core's thread is realtime, and all memory is locked. Where the kernel refused one of them, there is one
/// warning.
pub fn realtime_or_one_warning(pair: &mut Pair) -> Result<String> {
    let since = pair.start_with(None)?;
    pair.wait_settled(since)?;
    let process = pair.shown(A, "MainPID")?;
    let records = pair.records(A, since)?;
    let warnings = |text: &str| records.iter().filter(|record| record.message().contains(text)).count();

    let status = pair.node(A).run(&["cat", &format!("/proc/{process}/status")])?;
    let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap_or_default().trim().to_owned();
    let is_locked = !locked.starts_with("0 ");
    expect("warnings about locked memory", &warnings("cannot lock memory"), &usize::from(!is_locked))?;

    // A thread may end between the list of them and its file.
    let look = format!("cat /proc/{process}/task/*/stat 2>/dev/null; true");
    let threads = pair.node(A).run(&["sh", "-c", &look])?;
    let mut realtime = Vec::new();
    for line in threads.lines() {
        let (name, fields) = line.rsplit_once(") ").ok_or_else(|| Error::Unexpected(line.to_owned()))?;
        let fields: Vec<&str> = fields.split(' ').collect();
        // Field 41 of proc_pid_stat(5); 2 is SCHED_RR.
        if fields.get(41 - 3) == Some(&"2") {
            realtime.push(name.split(' ').next().unwrap_or_default().to_owned());
        }
    }
    let refused = warnings("cannot get realtime priority");
    if realtime.is_empty() {
        expect("warnings about realtime", &refused, &1)?;
    } else {
        expect("realtime threads", &realtime, &vec![process])?;
        expect("warnings about realtime", &refused, &0)?;
    }
    Ok(format!("locked {locked}, {} realtime thread(s)", realtime.len()))
}
