//! The files change, and with them what the pair serves and how it judges: by a restart of hbd on one node after the
//! other, and by `systemctl reload hbd`. What hbd says of a reload, and what it refuses, is in [`crate::reload`].

use std::net::Ipv4Addr;

use hbd_lab::Result;
use hbd_lab::example::{Example, VIP};
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_or_explain, wait_until};

use crate::pair::{A, B, HBD, HTTPD, Pair, SOON, START, expect, expect_words, unexpected};
use crate::reload::{GROUP, HA_CF, HARESOURCES, SECOND, reload, wait_dead_time, write_both};
use crate::succession::{expect_unmoved, main_process};

/// The same group with another address.
const CHANGED: &str = "nodea 192.168.17.201/24/eth0 httpd\n";
/// The group with one more resource. Not behind httpd: a check that fails counts for the last unit.
const LONGER: &str = "nodea 192.168.17.200/24/eth0 lab-added httpd\n";
const ADDED: &str = "lab-added.service";
/// A machine that answers pings and that ha.cf does not name.
const PINGED: &str = "192.168.1.9";
/// Merged over hbd.toml on both nodes.
const TOML: &str = "/etc/hbd/hbd.toml.d/lab-changes.toml";
const CHECK: &str = "[groups.\"192.168.17.200/24/eth0\".check]\nhttp = \"http://192.168.17.200/\"\ninterval = 1\n\
                     timeout = 1\nfall = 3\nrise = 1\n";
const POLICY: &str = "[health]\nstopped = \"restart\"\n";

/// Which nodes have an address.
fn holders(pair: &Pair, address: Ipv4Addr) -> Result<Vec<&'static str>> {
    let mut holders = Vec::new();
    for index in [A, B] {
        if pair.node(index).holds(address)? {
            holders.push(NODES[index].name);
        }
    }
    Ok(holders)
}

/// Waits until nodea alone has the new address, and nobody the old one. Meanwhile neither is on two nodes.
fn wait_changed(pair: &Pair, new: Ipv4Addr, old: Ipv4Addr) -> Result<()> {
    let mut two = None;
    wait_or_explain(&format!("nodea to have {new}, and nobody {old}"), START, || {
        let [new, old] = [new, old].map(|address| holders(pair, address));
        let (new, old) = (new.map_err(|error| error.to_string())?, old.map_err(|error| error.to_string())?);
        if new.len() > 1 || old.len() > 1 {
            two = Some(format!("the new address is on {new:?}, the old one on {old:?}"));
        }
        if two.is_some() || (new == [NODES[A].name] && old.is_empty()) {
            return Ok(());
        }
        Err(format!("the new address is on {new:?}, the old one on {old:?}"))
    })?;
    two.map_or(Ok(()), unexpected)
}

/// What the kernel and systemd have of all groups on a node.
fn traces(pair: &Pair, index: usize) -> Result<String> {
    let node = pair.node(index);
    let addresses = node.run(&["ip", "-oneline", "-4", "address", "show"])?;
    let targets = node.run(&["systemctl", "list-units", "--plain", "--no-legend", "hbd-group@*"])?;
    Ok(format!("{addresses}{targets}"))
}

/// The group gets another address on both nodes, and this verb puts it in force on one after the other.
fn change(pair: &mut Pair, line: &str, verb: &str, order: [usize; 2]) -> Result<()> {
    let [new, old] = if line == CHANGED { [SECOND, VIP] } else { [VIP, SECOND] };
    write_both(pair, HARESOURCES, |_| Ok(line.to_owned()))?;
    for index in order {
        let since = now();
        pair.node(index).run(&["systemctl", verb, HBD])?;
        pair.lab.wait_stable(index, since, START)?;
        for address in [new, old] {
            if holders(pair, address)?.len() > 1 {
                return unexpected(format!("{address} is on both nodes after a {verb} on {}", NODES[index].name));
            }
        }
    }
    wait_changed(pair, new, old)?;
    let changed = now();
    pair.wait_unit(A, HTTPD, "active", SOON)?;
    pair.wait_unit(B, HTTPD, "inactive", SOON)?;
    wait_dead_time(changed)?;
    wait_changed(pair, new, old)?;
    pair.wait_well()?;
    for index in [A, B] {
        let traces = traces(pair, index)?;
        if traces.contains(&old.to_string()) {
            return unexpected(format!("{} still has something of {old}:\n{traces}", NODES[index].name));
        }
    }
    let claims = pair.lab.claims(old, changed)?;
    if let Some((time, _)) = claims.iter().find(|(time, _)| *time > changed + 0.1) {
        return unexpected(format!("{old} was used {:.1} s after it was gone", time - changed));
    }
    let foreign = pair.lab.claims(new, changed)?.into_iter().find(|(_, mac)| *mac != NODES[A].public_mac());
    foreign.map_or(Ok(()), |_| unexpected(format!("{new} was used by another machine than nodea")))
}

/// The address of a group is changed to another one and back, by restarts and by reloads, in both orders of nodes:
/// the old address is gone everywhere, the new one is on one node, and in the end all is as it was.
pub fn a_changed_address_leaves_nothing_behind(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    let before = [traces(pair, A)?, traces(pair, B)?];
    let server = main_process(pair, HTTPD)?;
    for verb in ["restart", "reload"] {
        change(pair, CHANGED, verb, [B, A])?;
        change(pair, GROUP, verb, [A, B])?;
        pair.client.wait_served_by(NODES[A].name, SOON)?;
        expect("what the nodes have", &[traces(pair, A)?, traces(pair, B)?], &before)?;
    }
    expect("the process of nginx", &main_process(pair, HTTPD)?, &server)?;
    pair.settle()?;
    Ok(String::new())
}

/// A reload puts in force a ping node, a resource of a group that runs, a check and a policy: each works from then
/// on, and what ran before runs on untouched.
pub fn what_is_added_is_in_force_at_once(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    for index in [A, B] {
        pair.node(index)
            .write("/etc/systemd/system/lab-added.service", "[Service]\nExecStart=/bin/sleep infinity\n")?;
        pair.node(index).run(&["systemctl", "daemon-reload"])?;
    }
    let since = now();
    let server = main_process(pair, HTTPD)?;

    write_both(pair, HA_CF, |index| Ok(Example::of(NODES[index].name)?.and(&format!("ping {PINGED}")).ha_cf))?;
    let said = reload(pair)?;
    expect_words("hbctl reload", &said[A], &[&format!("ping node {PINGED}: new")])?;
    wait_line(pair, &[PINGED, " ping ", " up "])?;

    write_both(pair, HARESOURCES, |_| Ok(LONGER.to_owned()))?;
    let said = reload(pair)?;
    expect_words("hbctl reload", &said[A], &["group 192.168.17.200/24/eth0: lab-added new"])?;
    pair.wait_unit(A, ADDED, "active", SOON)?;
    pair.wait_well()?;
    expect(ADDED, &pair.node(B).unit_state(ADDED)?, &"inactive".to_owned())?;

    write_both(pair, TOML, |_| Ok(CHECK.to_owned()))?;
    let said = reload(pair)?;
    expect_words("hbctl reload", &said[A], &["group 192.168.17.200/24/eth0: check http://192.168.17.200/: new"])?;
    wait_line(pair, &["http://192.168.17.200/  passing"])?;

    write_both(pair, TOML, |_| Ok(format!("{CHECK}{POLICY}")))?;
    let said = reload(pair)?;
    expect_words("hbctl reload", &said[A], &["[health]: changed"])?;
    wait_dead_time(now())?;
    pair.wait_well()?;
    expect_unmoved(pair, since, &server)?;

    let stopped = now();
    pair.node(A).run(&["systemctl", "stop", ADDED])?;
    pair.wait_record(A, stopped, "lab-added was stopped by somebody else: starting it again", SOON)?;
    pair.wait_unit(A, ADDED, "active", SOON)?;
    let hung = now();
    pair.node(A).run(&["systemctl", "kill", "--kill-whom=all", "--signal=STOP", HTTPD])?;
    pair.wait_record(A, hung, "the check of group 192.168.17.200/24/eth0 has failed 3 times in a row", SOON)?;
    pair.client.wait_served_by(NODES[A].name, START)?;

    for index in [A, B] {
        pair.node(index).run(&["rm", TOML])?;
    }
    write_both(pair, HARESOURCES, |_| Ok(GROUP.to_owned()))?;
    write_both(pair, HA_CF, |index| Ok(Example::of(NODES[index].name)?.ha_cf))?;
    reload(pair)?;
    pair.wait_unit(A, ADDED, "inactive", SOON)?;
    expect("the owners", &pair.lab.owners()?, &vec![NODES[A].name])?;
    pair.wait_well()?;
    let status = pair.node(A).run(&["hbctl", "status"])?;
    match [PINGED, "lab-added", "passing"].iter().find(|word| status.contains(**word)) {
        Some(word) => unexpected(format!("{word} is still in force:\n{status}")),
        None => Ok(String::new()),
    }
}

/// Waits until a line of `hbctl status` on nodea has all of these words.
fn wait_line(pair: &Pair, words: &[&str]) -> Result<()> {
    wait_until(&format!("hbctl status to say {words:?}"), SOON, || {
        let status = pair.node(A).attempt(&["hbctl", "status"]).ok()?.stdout;
        status.lines().any(|line| words.iter().all(|word| line.contains(word))).then_some(())
    })
}
