//! One hbd is followed by the next on the same node: restart, upgrade, crash, and the shutdown of the machine.

use hbd_lab::Result;
use hbd_lab::example::{DEADTIME, VIP};
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_until};
use hbd_lab::software::{Software, package};

use crate::pair::{A, B, HBD, HTTPD, Pair, SOON, START, TAKEOVER, expect, expect_status, expect_words, unexpected};

/// `systemctl restart hbd` on the owner, also after an upgrade: the service is neither stopped nor moved, the peer
/// logs why, and the client notices nothing.
pub fn a_restart_moves_nothing(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    let server = main_process(pair, HTTPD)?;
    let said = pair.node(A).install(&package()?)?;
    expect_words("dpkg --install over a running hbd", &said, &["systemctl restart hbd"])?;
    let since = now();
    let process = pair.shown(A, "MainPID")?;
    pair.node(A).run(&["systemctl", "restart", HBD])?;
    if pair.shown(A, "MainPID")? == process {
        return unexpected("systemctl restart did not restart");
    }
    pair.wait_record(B, since, "hbd on node nodea restarts and keeps its resources", SOON)?;
    pair.wait_record(A, since, "taking up what hbd held here before it ended: [local]", SOON)?;
    pair.lab.wait_stable(A, since, START)?;
    // Waits for more than the dead time, in which the peer would have taken over.
    wait_until("the dead time to pass", SOON, || (now() > since + f64::from(DEADTIME) + 2.0).then_some(()))?;
    expect_unmoved(pair, since, &server)?;

    // The node that serves nothing is restarted, too, and goes on serving nothing.
    let since = now();
    pair.node(B).run(&["systemctl", "restart", HBD])?;
    pair.lab.wait_stable(B, since, START)?;
    expect_unmoved(pair, since, &server)?;
    Ok(String::new())
}

/// After a kill hbd is back before the dead time has passed, and goes on with what it held.
pub fn hbd_goes_on_after_a_crash(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    let server = main_process(pair, HTTPD)?;
    pair.wait_beat(A)?;
    let since = now();
    pair.node(A).signal(HBD, "KILL")?;
    pair.wait_record(A, since, "taking up what hbd held here before it ended: [local]", SOON)?;
    pair.lab.wait_stable(A, since, START)?;
    wait_until("the dead time to pass", SOON, || (now() > since + f64::from(DEADTIME) + 2.0).then_some(()))?;
    expect_unmoved(pair, since, &server)?;

    // The same without a peer: hbd does not wait for one before it serves.
    pair.lab.nodes[B].power_failure()?;
    pair.wait_record(A, since, "node nodeb: is dead", TAKEOVER)?;
    let since = now();
    pair.node(A).signal(HBD, "KILL")?;
    pair.wait_record(A, since, "taking up what hbd held here before it ended: [all]", SOON)?;
    pair.wait_record(A, since, "node nodeb: is dead", START)?;
    expect_unmoved(pair, since, &server)?;
    pair.lab.nodes[B].boot()?;
    pair.lab.start(B)?;
    pair.lab.wait_stable(B, since, START)?;
    Ok(String::new())
}

/// An hbd that cannot come back has released everything before the peer claims it.
pub fn an_hbd_that_cannot_come_back_releases_everything(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    let good = pair.node(A).read("/etc/ha.d/ha.cf")?.unwrap_or_default();
    // What the next hbd would go on with.
    pair.node(A).run(&["rm", "-r", "/run/hbd/in-force"])?;
    pair.node(A).write("/etc/ha.d/ha.cf", &good.replace("\ndeadtime 4\n", "\ndeadtime soon\n"))?;
    let since = now();
    pair.node(A).signal(HBD, "KILL")?;
    pair.wait_with_one_owner("nodeb to have the address", TAKEOVER, || {
        pair.lab.owners().is_ok_and(|owners| owners == [NODES[B].name])
    })?;
    // Its stop was ordered; it lets requests that are under way end.
    pair.wait_unit(A, HTTPD, "inactive", SOON)?;
    let dead = pair.wait_record(B, since, "node nodea: is dead", SOON)?.time();
    let stopped = pair.node(A).wait_record("hbd.service", since, "releasing addresses and units", SOON)?.time();
    if stopped > dead {
        return unexpected(format!("released {:.3} s after the peer's takeover", stopped - dead));
    }
    pair.wait_unit(A, HBD, "failed", SOON)?;

    // With such a file a restart does not keep the resources either: the peer gets everything at once.
    pair.node(A).write("/etc/ha.d/ha.cf", &good)?;
    let since = now();
    pair.lab.start(A)?;
    pair.wait_settled(since)?;
    pair.node(A).run(&["rm", "-r", "/run/hbd/in-force"])?;
    pair.node(A).write("/etc/ha.d/ha.cf", &good.replace("\ndeadtime 4\n", "\ndeadtime soon\n"))?;
    let since = now();
    let restart = pair.node(A).attempt(&["systemctl", "restart", HBD])?;
    expect_status("systemctl restart hbd with a mistake in ha.cf", &restart, 1)?;
    pair.wait_record(A, since, "hbd would not start again (ha.cf:", SOON)?;
    pair.lab.wait_owner(B, SOON)?;
    pair.node(A).write("/etc/ha.d/ha.cf", &good)?;
    let since = now();
    pair.lab.start(A)?;
    pair.wait_settled(since)?;
    Ok(String::new())
}

/// A restart stops a resource that is no longer in haresources.
pub fn a_restart_releases_what_is_no_longer_wanted(pair: &mut Pair) -> Result<String> {
    for index in [A, B] {
        let node = pair.node(index);
        node.write("/etc/systemd/system/lab-extra.service", "[Service]\nExecStart=/bin/sleep infinity\n")?;
        node.run(&["systemctl", "daemon-reload"])?;
    }
    let since = pair.start_with(Some("nodea 192.168.17.200/24/eth0 httpd lab-extra\n"))?;
    pair.wait_settled(since)?;
    pair.wait_unit(A, "lab-extra.service", "active", SOON)?;
    let server = main_process(pair, HTTPD)?;
    for index in [B, A] {
        pair.node(index).write("/etc/ha.d/haresources", "nodea 192.168.17.200/24/eth0 httpd\n")?;
        let since = now();
        pair.node(index).run(&["systemctl", "restart", HBD])?;
        pair.lab.wait_stable(index, since, START)?;
    }
    expect("lab-extra.service", &pair.node(A).unit_state("lab-extra.service")?, &"inactive".to_owned())?;
    expect("the process of nginx", &main_process(pair, HTTPD)?, &server)?;
    expect("the owners", &pair.lab.owners()?, &vec![NODES[A].name])?;
    // The files differ now from those that the pair was given.
    let since = pair.start_with(None)?;
    pair.wait_settled(since)?;
    Ok(String::new())
}

/// The preferred node of the only group is changed on both nodes, and hbd restarted on each, after each other and at
/// once. There are never two owners, the group goes on where it runs until both nodes have read the file, and then it
/// moves in order.
pub fn a_changed_preference_moves_in_order(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    let words = "192.168.17.200/24/eth0 httpd\n";
    let write = |pair: &Pair, owner: &str| {
        [A, B]
            .into_iter()
            .try_for_each(|index| pair.node(index).write("/etc/ha.d/haresources", &format!("{owner} {words}")))
    };
    write(pair, NODES[B].name)?;
    let since = now();
    pair.node(A).run(&["systemctl", "restart", HBD])?;
    pair.wait_record(A, since, "prefers node nodeb now", SOON)?;
    pair.lab.wait_stable(A, since, START)?;
    wait_until("the dead time to pass", SOON, || (now() > since + f64::from(DEADTIME) + 2.0).then_some(()))?;
    expect("the owners", &pair.lab.owners()?, &vec![NODES[A].name])?;
    pair.node(B).run(&["systemctl", "restart", HBD])?;
    pair.wait_with_one_owner("nodeb to have the address", START, || {
        pair.lab.owners().is_ok_and(|owners| owners == [NODES[B].name])
    })?;
    pair.wait_unit(A, HTTPD, "inactive", SOON)?;
    pair.wait_unit(B, HTTPD, "active", SOON)?;

    write(pair, NODES[A].name)?;
    for index in [A, B] {
        pair.node(index).run(&["systemctl", "restart", "--no-block", HBD])?;
    }
    pair.wait_with_one_owner("nodea to have the address", START, || {
        pair.lab.owners().is_ok_and(|owners| owners == [NODES[A].name])
    })?;
    pair.wait_unit(B, HTTPD, "inactive", SOON)?;
    pair.wait_unit(A, HTTPD, "active", SOON)?;
    pair.expect_used_in_turn(since, &[A, B, A])?;
    let since = pair.start_with(None)?;
    pair.wait_settled(since)?;
    Ok(String::new())
}

/// A unit that notes the order of its own stop and whether the address and hbd were there.
const WITNESS: &str = r#"[Service]
ExecStart=/bin/sleep infinity
ExecStop=/usr/local/bin/lab-witness %n
"#;
const WITNESS_SCRIPT: &str = r#"#!/bin/sh
addresses=$(ip -oneline address show to 192.168.17.200 | wc -l)
echo "$1 $addresses $(systemctl show --property=ActiveState --value hbd.service)" >>/var/log/lab-order
"#;

/// When the machine is shut down, hbd stops first. It stops its units in order, while the address is still there,
/// without waiting for the peer, which takes over without a dead time.
pub fn a_shutdown_of_the_machine_is_a_graceful_stop(pair: &mut Pair) -> Result<String> {
    pair.stop_with(None)?;
    for index in [A, B] {
        let node = pair.node(index);
        for unit in ["lab-first", "lab-last"] {
            node.write(&format!("/etc/systemd/system/{unit}.service"), WITNESS)?;
        }
        node.write_mode("/usr/local/bin/lab-witness", WITNESS_SCRIPT, 0o755)?;
        node.write("/var/log/lab-order", "")?;
        node.run(&["systemctl", "daemon-reload"])?;
    }
    let line = "nodea 192.168.17.200/24/eth0 lab-first Filesystem::tmpfs::/srv/lab::tmpfs lab-last httpd\n";
    let since = pair.start_with(Some(line))?;
    pair.wait_settled(since)?;
    wait_until("the guard of the order", SOON, || {
        (pair.node(A).unit_state("hbd-order.service").ok()? == "active").then_some(())
    })?;

    let since = now();
    // The machine may be gone before the command has ended.
    pair.node(A).attempt(&["systemctl", "--no-block", "poweroff"])?;
    pair.lab.wait_owner(B, SOON)?;
    let served = pair.client.wait_served_by(NODES[B].name, SOON)?;
    pair.lab.nodes[A].wait_off(SOON)?;
    let order = pair.node(A).read("/var/log/lab-order")?.unwrap_or_default();
    let expected = "lab-last.service 1 deactivating\nlab-first.service 1 deactivating\n";
    expect("who stopped when, with the address, under hbd", &order.as_str(), &expected)?;
    pair.wait_record(A, since, "All HA resources relinquished.", SOON)?;
    pair.wait_record(B, since, "Received shutdown notice from 'nodea'.", SOON)?;
    let took = served - since;

    // The lab's machines share the kernel's tree of control groups. nodea has removed that of nodeb's mount, and
    // nodeb can no longer unmount it.
    pair.lab.nodes[B].power_failure()?;
    pair.stop_with(None)?;
    expect("nginx on a node that boots", &pair.node(A).unit_state(HTTPD)?, &"inactive".to_owned())?;
    let since = pair.start_with(None)?;
    pair.wait_settled(since)?;
    Ok(format!("served by the peer {took:.1} s after the command"))
}

/// A line that administrators wrote into units because Heartbeat started them.
const ORDER: &str = "/etc/systemd/system/nginx.service.d/lab-order.conf";
/// A circle is broken by chance: now and then nothing would be seen of it.
const REBOOTS: usize = 5;
/// Seconds that a node may take to release everything in a shutdown: nothing waits for a limit.
const QUICKLY: f64 = 10.0;

/// A unit is ordered after hbd. It is named with its file and the remedy, and no reboot has an ordering cycle: hbd
/// stops quickly and says goodbye, the peer serves without a dead time, and the node serves again when it is back.
pub fn a_unit_ordered_after_hbd_makes_no_cycle(pair: &mut Pair) -> Result<String> {
    pair.stop_with(None)?;
    for index in [A, B] {
        pair.node(index).write(ORDER, "[Unit]\nAfter=hbd.service\n")?;
        pair.node(index).run(&["systemctl", "daemon-reload"])?;
    }
    let since = pair.start_with(None)?;
    pair.wait_settled(since)?;
    let named = ["nginx.service is ordered after hbd by After=hbd.service", ORDER, "Remove that line"];
    let warned = pair.wait_record(A, since, named[0], SOON)?;
    expect_words("the record", warned.message(), &named)?;
    for command in [&["hbctl", "check"][..], &["hbctl", "doctor"], &["hbd", "--check"]] {
        let said = pair.node(A).attempt(command)?;
        expect_words(&command.join(" "), &format!("{}{}", said.stdout, said.stderr), &named)?;
    }
    wait_until("the guard of the order", SOON, || {
        (pair.node(A).unit_state("hbd-order.service").ok()? == "active").then_some(())
    })?;

    systemctl_enable(pair, "enable")?;
    let mut slowest: f64 = 0.0;
    for _ in 0..REBOOTS {
        slowest = slowest.max(reboot_the_owner(pair)?);
    }
    systemctl_enable(pair, "disable")?;

    for index in [A, B] {
        pair.node(index).run(&["rm", ORDER])?;
        pair.node(index).run(&["systemctl", "daemon-reload"])?;
    }
    let settled = pair.start_with(None)?;
    pair.wait_settled(settled)?;
    Ok(format!("served by the peer {slowest:.1} s after each of {REBOOTS} reboots, at most"))
}

/// hbd starts at boot, or does not.
fn systemctl_enable(pair: &Pair, verb: &str) -> Result<()> {
    pair.node(A).run(&["systemctl", "--quiet", verb, HBD]).map(drop)
}

/// nodea reboots, nodeb serves, nodea is back and serves again; there was no ordering cycle. Returns how many seconds
/// after the command nodeb served.
fn reboot_the_owner(pair: &mut Pair) -> Result<f64> {
    let since = now();
    // The machine may be gone before the command has ended.
    pair.node(A).attempt(&["systemctl", "--no-block", "reboot"])?;
    pair.lab.wait_owner(B, SOON)?;
    let served = pair.client.wait_served_by(NODES[B].name, SOON)? - since;
    // What nodea says from now on it says after its boot, of which we may hear late.
    let away = now();
    pair.lab.nodes[A].wait_rebooted(START)?;
    pair.wait_settled(away)?;
    let records = pair.node(A).journal(None, since)?;
    if let Some(cycle) = records.iter().find(|record| record.message().contains("ordering cycle")) {
        return unexpected(format!("systemd says: {}", cycle.message()));
    }
    let released = pair.wait_record(A, since, "All HA resources relinquished.", SOON)?.time() - since;
    if released > QUICKLY {
        return unexpected(format!("hbd needed {released:.1} s to release everything"));
    }
    pair.wait_record(B, since, "Received shutdown notice from 'nodea'.", SOON)?;
    wait_until("the status to be well", SOON, || {
        pair.node(A).attempt(&["hbctl", "status"]).ok().filter(|output| output.status == Some(0))
    })?;
    Ok(served)
}

pub fn main_process(pair: &Pair, unit: &str) -> Result<String> {
    let shown = pair.node(A).run(&["systemctl", "show", "--property=MainPID", "--value", unit])?;
    Ok(shown.trim().to_owned())
}

/// Checks that nodea serves with the same process as before, that no other node has announced the address, and that
/// the client was always answered.
pub fn expect_unmoved(pair: &mut Pair, since: f64, server: &str) -> Result<()> {
    pair.expect_undisturbed(A, since)?;
    expect("the process of nginx", &main_process(pair, HTTPD)?.as_str(), &server)?;
    let macs = pair.lab.announcers(since)?;
    if macs.iter().any(|mac| *mac != NODES[A].public_mac()) {
        return unexpected(format!("{VIP} was announced by others: {macs:x?}"));
    }
    expect("the owners", &pair.lab.owners()?, &vec![NODES[A].name])?;
    for index in [A, B] {
        if pair.node(index).is_on() {
            Software::Hbd.wait_started(pair.node(index), SOON)?;
        }
    }
    Ok(())
}
