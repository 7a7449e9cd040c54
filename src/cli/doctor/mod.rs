//! `hbctl doctor`: valid but risky setup, such as a firewall that drops heartbeats, a `ucast` line to this machine
//! itself, units that start at boot, DRBD copies that cannot take over, network managers that remove addresses, a
//! clock that is not synchronised, a single link, and no fencing.
//!
//! Owns the judgements, which are functions of [`Facts`]. Changes nothing; every finding says what to do.

mod change_over;
mod cut;
mod drbd;
mod facts;
mod finding;
mod firewall;
mod strangers;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;

use super::format::paint;
use crate::bus::Snapshot;
use crate::config::{Config, FenceDevice, FenceProtocol, Medium, ResourceKind, Severity};
use crate::units::survey::UnitFinding;
use crate::util::text::printable_lines;
use crate::vip::Terms;

pub(super) use facts::{Facts, gather};
use finding::finding;
pub(super) use finding::{Finding, Grade};

/// Judges all facts; the findings come in the order in which they should be mended.
pub(super) fn diagnose(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    match &facts.config {
        Err(errors) => found.extend(errors.iter().map(|(severity, text)| {
            let grade = if *severity == Severity::Error { Grade::Bad } else { Grade::Warning };
            finding(grade, "configuration", text.clone())
        })),
        Ok(config) => {
            found.push(finding(Grade::Ok, "configuration", "hbd can start with these files"));
            found.push(firewall::judge(&facts.ruleset, config));
            found.extend(strangers::judge(&facts.ruleset, config));
            found.extend(strangers::port(&facts.port_holders, config));
            found.extend(peers(config, &facts.addresses));
            found.push(links(config, &facts.absent));
            found.extend(absent_interfaces(config, &facts.absent));
            found.extend(boot(&facts.unit_findings, &facts.hbd_at_boot));
            found.extend(fencing(config));
            found.extend(cut::judge(config));
            found.extend(drbd::judge(&facts.drbd));
        }
    }
    found.extend(removers(&facts.removers));
    found.push(clock(&facts.synchronised));
    found.extend(facts.permissions.iter().map(|text| finding(Grade::Warning, "permissions", text.clone())));
    found.extend(facts.keys.iter().map(|text| finding(Grade::Warning, "keys", text.clone())));
    found.extend(facts.signatures.iter().map(signature));
    found.extend(change_over::judge(&facts.parted));
    found.push(match &facts.running {
        Ok(troubles) if troubles.is_empty() => finding(Grade::Ok, "hbd", "runs, and reports nothing wrong"),
        Ok(troubles) => finding(Grade::Warning, "hbd", troubles.join(" ")),
        Err(why) => finding(Grade::Note, "hbd", format!("cannot be asked: {why}")),
    });
    found
}

/// What becomes of the groups when the other node becomes one that knows them only together; `None` if nothing would
/// move.
pub(super) fn change_over(snapshot: &Snapshot) -> Option<Finding> {
    change_over::judge(&change_over::parted(snapshot))
}

/// How another hbd signs its packets.
fn signature((node, method): &(String, String)) -> Finding {
    if method == "hmac-sha256" {
        return finding(Grade::Ok, "keys", format!("{node} signs with hmac-sha256"));
    }
    let text = format!(
        "{node} runs hbd, and signs with {method}: both can have hmac-sha256 without an interruption, hbctl genkey says how"
    );
    finding(Grade::Note, "keys", text)
}

/// Finds `ucast` lines to this machine itself: if there are no others, the node hears only itself and believes the
/// other dead.
fn peers(config: &Config, own: &[(String, IpAddr)]) -> Vec<Finding> {
    let addresses = config.media.iter().filter_map(|medium| match medium {
        Medium::Ucast { device, peer } => Some((device, *peer)),
        _ => None,
    });
    let (mut others, mut found) = (0, Vec::new());
    for (device, peer) in addresses {
        if let Some((interface, _)) = own.iter().find(|(_, address)| *address == peer) {
            found.push(format!("ucast {device} {peer} is this machine's own address (on {interface})"));
        } else {
            others += 1;
        }
    }
    if found.is_empty() {
        return Vec::new();
    }
    let text = format!("{}: write the other node's address there", found.join("; "));
    let usable = others > 0 || config.media.iter().any(|medium| !matches!(medium, Medium::Ucast { .. }));
    // An ha.cf that is the same on both nodes often has a line for each of them, which is harmless.
    vec![if usable {
        finding(Grade::Note, "peer's address", format!("{}; another line reaches the peer", found.join("; ")))
    } else {
        finding(Grade::Bad, "peer's address", text)
    }]
}

/// Interfaces that addresses need and this machine does not have.
fn absent_interfaces(config: &Config, absent: &BTreeSet<String>) -> Option<Finding> {
    let addresses = config.groups.iter().flat_map(|group| &group.resources).filter_map(|resource| {
        let ResourceKind::Address(address) = &resource.kind else { return None };
        let device = address.device.as_ref().filter(|device| absent.contains(*device))?;
        Some(format!("{} ({device})", address.address))
    });
    let addresses: Vec<String> = addresses.collect();
    let text = format!(
        "this machine does not have the interface of {}: it cannot serve what it is to take over; `ip link` shows the names \
         here",
        addresses.join(", ")
    );
    (!addresses.is_empty()).then(|| finding(Grade::Bad, "addresses", text))
}

/// How many links there are besides those whose interface or device is not there.
fn links(config: &Config, absent: &BTreeSet<String>) -> Finding {
    let (dead, links): (BTreeSet<&str>, BTreeSet<&str>) =
        config.media.iter().map(Medium::link_name).partition(|name| absent.contains(*name));
    if !dead.is_empty() {
        let dead = dead.into_iter().collect::<Vec<_>>().join(", ");
        let left = match links.len() {
            0 => "no link is left".to_owned(),
            1 => format!("only {} is left", links.into_iter().collect::<String>()),
            several => format!("{several} others are left"),
        };
        let text = format!(
            "this machine does not have {dead}, so that link is dead, and {left}; `ip link` shows the names here"
        );
        return finding(Grade::Bad, "links", text);
    }
    if links.len() > 1 {
        return finding(Grade::Ok, "links", format!("{} independent links", links.len()));
    }
    let only = links.first().copied().unwrap_or("none");
    let text = format!(
        "only one ({only}): when its cable, card or switch fails, both nodes take the other for dead; add a second \
         medium (bcast, ucast, serial) on other hardware to ha.cf"
    );
    finding(Grade::Warning, "links", text)
}

/// What systemd starts at boot: hbd, and nothing that hbd manages.
fn boot(units: &Result<Vec<UnitFinding>, String>, hbd_at_boot: &Result<bool, String>) -> Vec<Finding> {
    let (units, hbd_at_boot) = match (units, hbd_at_boot) {
        (Ok(units), Ok(hbd_at_boot)) => (units, *hbd_at_boot),
        (Err(why), _) | (_, Err(why)) => {
            return vec![finding(Grade::Note, "boot", format!("the units are not checked: {why}"))];
        }
    };
    let (at_boot, others): (Vec<&UnitFinding>, Vec<_>) = units.iter().partition(|found| concerns_boot(found));
    let mut found: Vec<Finding> =
        at_boot.into_iter().map(|unit| finding(Grade::Bad, "boot", unit.to_string())).collect();
    if !hbd_at_boot {
        let text = "hbd does not start at boot: after a power failure this node stays out; systemctl enable hbd";
        found.push(finding(Grade::Warning, "boot", text));
    }
    if found.is_empty() {
        found.push(finding(Grade::Ok, "boot", "hbd starts at boot, and what it manages does not start by itself"));
    }
    found.extend(others.into_iter().map(|unit| finding(grade(unit.severity()), "units", unit.to_string())));
    found
}

/// Whether the unit does not start where and when it should.
fn concerns_boot(unit: &UnitFinding) -> bool {
    matches!(unit, UnitFinding::Missing(_) | UnitFinding::Enabled { .. })
}

fn grade(severity: &str) -> Grade {
    match severity {
        "error" => Grade::Bad,
        "warning" => Grade::Warning,
        _ => Grade::Note,
    }
}

/// The devices that reset the other node, or what it means that there are none.
fn fencing(config: &Config) -> Vec<Finding> {
    if config.fencing.is_empty() {
        return vec![no_fencing(config)];
    }
    config.fencing.iter().map(fence_device).collect()
}

fn fence_device(device: &FenceDevice) -> Finding {
    let node = &device.node;
    let programs = device.agents.iter().filter(|agent| agent.protocol != FenceProtocol::Human);
    let programs: Vec<&str> = programs.map(|agent| agent.name.as_str()).collect();
    if programs.is_empty() {
        let text = format!(
            "{node} is reset by hand only: if it fails, nothing of it is taken over before somebody has switched it off \
             and entered hbctl confirm-fenced {node}"
        );
        return finding(Grade::Note, "fencing", text);
    }
    finding(Grade::Ok, "fencing", format!("{node} is reset by {}", programs.join(", and if that fails by ")))
}

/// How much a missing device matters depends on what moves.
fn no_fencing(config: &Config) -> Finding {
    let mounts = config.groups.iter().flat_map(|group| &group.resources).any(|resource| {
        resource.kind.unit().is_some_and(|unit| unit.ends_with(".mount")) || resource.word.starts_with("drbd")
    });
    if mounts {
        let text = "there is none, and a file system moves: when all links fail at once both nodes may mount it. Use \
                    storage that refuses two writers (DRBD with its own fencing, SCSI reservations)";
        return finding(Grade::Warning, "fencing", text);
    }
    let addresses = config.groups.iter().flat_map(|group| &group.resources);
    let addresses = addresses.into_iter().any(|resource| resource.kind.is_address());
    let no_lease = match Terms::of(&config.timing) {
        _ if !addresses => {
            return finding(Grade::Note, "fencing", "there is none; no address and no file system moves");
        }
        Ok(terms) if config.lease && !terms.is_kept_by_kernel() => terms.to_string(),
        Ok(_) if config.lease => {
            let text = "there is none; addresses are protected by leases and by asking the LAN first";
            return finding(Grade::Note, "fencing", text);
        }
        Ok(_) => "hbd.toml turns leases off: lease = false in [addresses]".to_owned(),
        Err(why) => why.to_string(),
    };
    let text = format!(
        "there is none, and the kernel ends no lease of addresses: a machine that stands still keeps them, and the other \
         node takes them only when the LAN cannot be asked, or does not answer. {no_lease}"
    );
    finding(Grade::Warning, "fencing", text)
}

fn removers(removers: &[(String, String)]) -> Vec<Finding> {
    if removers.is_empty() {
        return vec![finding(
            Grade::Ok,
            "network managers",
            "no network manager removes addresses from the interfaces of haresources",
        )];
    }
    removers.iter().map(|(_, hint)| finding(Grade::Warning, "network managers", hint.clone())).collect()
}

fn clock(synchronised: &Result<bool, String>) -> Finding {
    match synchronised {
        Ok(true) => finding(Grade::Ok, "clock", "synchronised"),
        Ok(false) => {
            let text =
                "not synchronised: the logs of both nodes cannot be compared; enable systemd-timesyncd or chrony";
            finding(Grade::Warning, "clock", text)
        }
        Err(why) => finding(Grade::Note, "clock", format!("cannot tell whether it is synchronised: {why}")),
    }
}

/// The findings as text. What they name comes from files, from other programs and from units.
pub(super) fn render(findings: &[Finding], colour: bool) -> String {
    let width = findings.iter().map(|finding| finding.about.len()).max().unwrap_or_default();
    let mut text = String::new();
    for Finding { grade, about, text: said } in findings {
        let word = grade.word();
        let pad = " ".repeat("warning".len() - word.len());
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}{pad}  {about:<width$}  {}", paint(word, word, colour), printable_lines(said));
    }
    text
}
