//! Jobs of a real systemd: systemd is reloaded meanwhile, the bus is gone, units hang.

use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_until};
use hbd_lab::{Error, Result};

use crate::pair::{A, B, Pair, SOON, START, TAKEOVER, expect, expect_words, unexpected};

/// A unit that needs some seconds to start and to stop.
const SLOW: &str = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sleep 6\nExecStop=/bin/sleep 6\n";
const SLOW_LINE: &str = "nodea 192.168.17.200/24/eth0 lab-slow httpd\n";

/// While a unit starts and stops, systemd reloads its units, executes itself anew, and the bus is restarted. hbd
/// notices the end of the job all the same, and does not take a running job for a failed one.
pub fn reloads_and_a_restarted_bus_in_the_middle(pair: &mut Pair) -> Result<String> {
    for index in [A, B] {
        unit(pair, index, "lab-slow.service", SLOW)?;
    }
    let disturbances: [&[&str]; 3] =
        [&["systemctl", "daemon-reload"], &["systemctl", "daemon-reexec"], &["systemctl", "restart", "dbus.service"]];
    for disturbance in disturbances {
        let since = pair.start_with(Some(SLOW_LINE))?;
        pair.wait_unit(A, "lab-slow.service", "activating", START)?;
        pair.node(A).run(disturbance)?;
        pair.wait_record(A, since, "resource group 192.168.17.200/24/eth0 is active here", START)?;
        expect_no_failure(pair, since)?;

        let since = now();
        let stop = ["systemctl", "--no-block", "stop", "hbd.service"];
        pair.node(A).run(&stop)?;
        pair.wait_unit(A, "lab-slow.service", "deactivating", SOON)?;
        pair.node(A).run(disturbance)?;
        pair.wait_record(A, since, "All HA resources relinquished.", START)?;
        expect("lab-slow.service", &pair.node(A).unit_state("lab-slow.service")?, &"inactive".to_owned())?;
        pair.lab.wait_owner(B, START)?;
        expect_no_failure(pair, since)?;
    }
    Ok(String::new())
}

/// A start that hangs counts as failed after hbd's own limit, whatever limit the unit has. A stop that hangs is ended
/// by killing the unit.
pub fn a_start_or_stop_that_hangs_ends_at_its_limit(pair: &mut Pair) -> Result<String> {
    let never = "[Service]\nType=oneshot\nTimeoutStartSec=infinity\nExecStart=/bin/sleep infinity\n";
    let ready = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n";
    let deaf =
        "[Service]\nTimeoutStopSec=infinity\nExecStart=/bin/sh -c 'trap \"\" TERM; while :; do sleep 1; done'\n";
    pair.stop_with(None)?;
    unit(pair, A, "lab-hang.service", never)?;
    unit(pair, B, "lab-hang.service", ready)?;
    // nodeb is to start its units, however busy the machine is.
    for (index, start) in [(A, "start_timeout = 3\n"), (B, "")] {
        unit(pair, index, "lab-deaf.service", deaf)?;
        let limits = format!("[units]\n{start}stop_timeout = 3\n");
        pair.node(index).write("/etc/hbd/hbd.toml.d/units.toml", &limits)?;
    }
    let since = pair.start_with(Some("nodea 192.168.17.200/24/eth0 lab-deaf lab-hang httpd\n"))?;
    let failed = pair.wait_record(A, since, "did not start", START)?;
    expect_words("the record", failed.message(), &["lab-hang", "is not finished after 3 s"])?;
    pair.wait_record(A, since, "lab-deaf.service does not stop within 3 s: killing process", SOON)?;
    pair.lab.wait_owner(B, START)?;
    pair.client.wait_served_by(NODES[B].name, SOON)?;
    let state = pair.node(A).unit_state("lab-deaf.service")?;
    if !["failed", "inactive"].contains(&state.as_str()) {
        return unexpected(format!("lab-deaf.service on nodea: {state}"));
    }
    pair.stop_with(None)?;
    for index in [A, B] {
        pair.node(index).run(&["rm", "/etc/hbd/hbd.toml.d/units.toml"])?;
    }
    Ok(String::new())
}

/// A unit is masked, or has a condition that is not met: systemd does not start it, and the peer gets the group.
pub fn a_unit_that_systemd_does_not_start_moves_the_group(pair: &mut Pair) -> Result<String> {
    let table = [
        ("lab-masked", "", "is masked, so it cannot be started: `systemctl unmask lab-masked.service`"),
        ("lab-unmet", "[Unit]\nConditionPathExists=/nonexistent\n", "a condition of the unit is not met"),
    ];
    for (name, head, said) in table {
        let file = format!("{name}.service");
        let plain = "[Service]\nExecStart=/bin/sleep infinity\n";
        pair.stop_with(None)?;
        unit(pair, A, &file, &format!("{head}{plain}"))?;
        unit(pair, B, &file, plain)?;
        if head.is_empty() {
            pair.node(A).run(&["rm", &format!("/etc/systemd/system/{file}")])?;
            pair.node(A).run(&["systemctl", "--quiet", "mask", &file])?;
        }
        let since = pair.start_with(Some(&format!("nodea 192.168.17.200/24/eth0 {name} httpd\n")))?;
        let failed = pair.wait_record(A, since, "did not start", START)?;
        expect_words("the record", failed.message(), &[said])?;
        pair.lab.wait_owner(B, START)?;
        pair.wait_unit(B, &file, "active", SOON)?;
    }
    pair.node(A).run(&["systemctl", "--quiet", "unmask", "lab-masked.service"])?;
    Ok(String::new())
}

/// Both nodes have `lab-parts.target`, and `lab-part.service`, which is part of it and needs some seconds to stop.
fn write_target(pair: &Pair) -> Result<()> {
    let target = "[Unit]\nWants=lab-part.service\n";
    let part = "[Unit]\nPartOf=lab-parts.target\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n\
                ExecStop=/bin/sleep 4\n";
    for index in [A, B] {
        unit(pair, index, "lab-parts.target", target)?;
        unit(pair, index, "lab-part.service", part)?;
    }
    Ok(())
}

/// When a unit entered a state, wall-clock seconds.
fn stamp(pair: &Pair, index: usize, unit: &str, property: &str) -> Result<f64> {
    let words = ["systemctl", "show", "--value", "--timestamp=unix", "--property", property, unit];
    let text = pair.node(index).run(&words)?;
    let seconds = text.trim().trim_start_matches('@').parse::<f64>();
    seconds.map_err(|error| Error::Unexpected(format!("{text}: {error}")))
}

/// A target stops at once, but the service that is part of it does not: the peer starts nothing before that service
/// has ended.
pub fn a_group_waits_for_the_parts_of_its_target(pair: &mut Pair) -> Result<String> {
    write_target(pair)?;
    let since = pair.start_with(Some("nodea 192.168.17.200/24/eth0 lab-parts.target httpd\n"))?;
    pair.wait_settled(since)?;
    pair.wait_unit(A, "lab-part.service", "active", SOON)?;
    pair.node(A).run(&["systemctl", "stop", "hbd.service"])?;
    expect("lab-part.service on nodea", &pair.node(A).unit_state("lab-part.service")?, &"inactive".to_owned())?;
    pair.wait_unit(B, "lab-part.service", "active", START)?;
    let down = stamp(pair, A, "lab-part.service", "InactiveEnterTimestamp")?;
    let up = stamp(pair, B, "lab-part.service", "ActiveEnterTimestamp")?;
    if up < down {
        return unexpected(format!("up on nodeb at {up}, down on nodea at {down}"));
    }
    Ok(String::new())
}

/// The same if hbd is dead and cannot be started again: the resources before the target in the group are stopped
/// after that service has ended.
pub fn a_dead_daemons_group_waits_for_the_parts_of_its_target(pair: &mut Pair) -> Result<String> {
    write_target(pair)?;
    for index in [A, B] {
        unit(pair, index, "lab-below.service", "[Service]\nExecStart=/bin/sleep infinity\n")?;
    }
    let since = pair.start_with(Some("nodea 192.168.17.200/24/eth0 lab-below lab-parts.target httpd\n"))?;
    pair.wait_settled(since)?;
    pair.wait_unit(A, "lab-part.service", "active", SOON)?;
    let good = pair.node(A).read("/etc/ha.d/ha.cf")?.unwrap_or_default();
    // What the next hbd would go on with.
    pair.node(A).run(&["rm", "-r", "/run/hbd/in-force"])?;
    pair.node(A).write("/etc/ha.d/ha.cf", &good.replace("\ndeadtime 4\n", "\ndeadtime soon\n"))?;
    pair.node(A).signal("hbd.service", "KILL")?;
    pair.wait_unit(A, "lab-below.service", "inactive", START)?;
    pair.wait_unit(A, "lab-part.service", "inactive", START)?;
    pair.node(A).write("/etc/ha.d/ha.cf", &good)?;
    let part = stamp(pair, A, "lab-part.service", "InactiveEnterTimestamp")?;
    let below = stamp(pair, A, "lab-below.service", "InactiveEnterTimestamp")?;
    if below < part {
        return unexpected(format!("lab-below was down {:.0} s before what stood on it", part - below));
    }
    pair.lab.wait_owner(B, TAKEOVER)?;
    Ok(String::new())
}

/// `stop_failure = "reboot"`: a planned move of what cannot be stopped is undone; but where hbd itself is stopped, it
/// reboots the machine, and the peer serves.
pub fn a_resource_that_never_stops_reboots_the_machine(pair: &mut Pair) -> Result<String> {
    let stubborn = "#!/bin/sh\ncase $1 in stop) exit 1 ;; status) [ -e /run/lab-up ] && echo running ;; esac\n\
                    [ $1 != start ] || touch /run/lab-up\n";
    pair.stop_with(None)?;
    let [toml, script] = ["/etc/hbd/hbd.toml.d/units.toml", "/etc/ha.d/resource.d/lab-stubborn"];
    pair.node(A).write(toml, "[units]\nstop_failure = \"reboot\"\n")?;
    for index in [A, B] {
        let content = if index == A { stubborn } else { "#!/bin/sh\n" };
        pair.node(index).write_mode(script, content, 0o755)?;
    }
    let since = pair.start_with(Some("nodea 192.168.17.200/24/eth0 lab-stubborn httpd\n"))?;
    pair.wait_settled(since)?;
    pair.node(A).attempt(&["timeout", "20", "hbctl", "standby"])?;
    pair.wait_record(A, since, "does not stop, so group", START)?;
    pair.wait_settled(since)?;
    pair.node(A).run(&["systemctl", "stop", "--no-block", "hbd"])?;
    pair.lab.nodes[A].wait_off(START)?;
    pair.lab.wait_owner(B, TAKEOVER)?;
    let served = pair.client.wait_served_by(NODES[B].name, TAKEOVER)?;

    // The machine boots again and has logged the reason before.
    pair.lab.nodes[A].boot()?;
    let said = pair.records(A, since)?;
    if !said.iter().any(|record| record.message().contains("rebooting this machine at once")) {
        return unexpected("nodea did not say why it rebooted");
    }
    pair.node(A).run(&["rm", toml])?;
    pair.settle()?;
    Ok(format!("served {:.1} s after the start of the standby", served - since))
}

fn unit(pair: &Pair, index: usize, name: &str, content: &str) -> Result<()> {
    pair.node(index).write(&format!("/etc/systemd/system/{name}"), content)?;
    pair.node(index).run(&["systemctl", "daemon-reload"]).map(drop)
}

fn expect_no_failure(pair: &Pair, since: f64) -> Result<()> {
    // hbd's records reach the journal a moment later.
    wait_until("the journal", SOON, || pair.records(A, since).ok().filter(|records| !records.is_empty()))?;
    let records = pair.records(A, since)?;
    match records.iter().find(|record| record.message().contains("did not st")) {
        Some(record) => unexpected(record.message()),
        None => Ok(()),
    }
}
