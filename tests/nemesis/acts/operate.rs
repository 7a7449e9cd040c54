//! What an operator does with hbd: restarts, upgrades, a removal, stops, moves, maintenance.

use hbd_lab::Result;
use hbd_lab::lab::NODES;
use hbd_lab::software::{Software, package, witness_package};

use super::{Spot, Undo, nothing};
use crate::field::{Field, HBD};

/// The only group of haresources.
const GROUP: &str = "192.168.17.200/24/eth0";
/// One dpkg waits for the other.
const DPKG: &str = "flock /run/nemesis.lock dpkg";

pub(super) fn restart(field: &mut Field, spot: Spot) -> Result<Undo> {
    field.aside(spot.node, &["systemctl", "restart", HBD]);
    nothing()
}

/// Both at the same time, as a tool does that manages many machines.
pub(super) fn restart_both(field: &mut Field, _: Spot) -> Result<Undo> {
    for node in [0, 1] {
        field.aside(node, &["systemctl", "restart", HBD]);
    }
    nothing()
}

/// The package is removed, with what needs it, and installed again with its files as they were.
pub(super) fn remove(field: &mut Field, spot: Spot) -> Result<Undo> {
    let machine = &field.lab.nodes[spot.node];
    let (mut names, mut files) = (vec!["hbd"], vec!["/var/cache/nemesis.deb"]);
    machine.copy_in(&package()?, files[0])?;
    if field.witness.is_some() {
        names.push("hbd-witness");
        files.push("/var/cache/nemesis-witness.deb");
        machine.copy_in(&witness_package()?, files[1])?;
    }
    field.aside(spot.node, &["sh", "-c", &format!("{DPKG} --remove {}", names.join(" "))]);
    let again = format!("{DPKG} --install {} && systemctl enable {HBD} && systemctl start {HBD}", files.join(" "));
    Ok(Box::new(move |field| {
        field.aside(spot.node, &["sh", "-c", &again]);
        Ok(())
    }))
}

/// The package is installed once more, and hbd restarted, as README.md says.
pub(super) fn upgrade(field: &mut Field, spot: Spot) -> Result<Undo> {
    let inside = "/var/cache/nemesis.deb";
    field.lab.nodes[spot.node].copy_in(&package()?, inside)?;
    field.aside(spot.node, &["sh", "-c", &format!("dpkg --install {inside} && systemctl restart {HBD}")]);
    nothing()
}

pub(super) fn stop(field: &mut Field, spot: Spot) -> Result<Undo> {
    field.aside(spot.node, &["systemctl", "stop", HBD]);
    Ok(Box::new(move |field| {
        // A machine that has booted meanwhile has started it already.
        field.aside(spot.node, &["sh", "-c", &format!("systemctl reset-failed {HBD}; systemctl start {HBD}")]);
        Ok(())
    }))
}

/// The node is changed over to a real Heartbeat, with the same files, and back.
pub(super) fn heartbeat(field: &mut Field, spot: Spot) -> Result<Undo> {
    let unit = Software::Heartbeat.unit();
    field.aside(spot.node, &["sh", "-c", &format!("systemctl stop {HBD} && systemctl start {unit}")]);
    Ok(Box::new(move |field| {
        // A machine that has booted meanwhile runs hbd.
        field.aside(spot.node, &["sh", "-c", &format!("systemctl stop {unit}; systemctl start {HBD}")]);
        Ok(())
    }))
}

pub(super) fn standby(field: &mut Field, spot: Spot) -> Result<Undo> {
    field.aside(spot.node, &["hbctl", "standby"]);
    nothing()
}

pub(super) fn takeover(field: &mut Field, spot: Spot) -> Result<Undo> {
    field.aside(spot.node, &["hbctl", "takeover"]);
    nothing()
}

/// Three moves, each as soon as the last one is over.
pub(super) fn to_and_fro(field: &mut Field, spot: Spot) -> Result<Undo> {
    let [a, b] = NODES.map(|node| node.name);
    let moves = format!("hbctl move {GROUP} {b}; hbctl move {GROUP} {a}; hbctl move --no-wait {GROUP} {b}");
    field.aside(spot.node, &["sh", "-c", &moves]);
    nothing()
}

pub(super) fn maintenance(field: &mut Field, spot: Spot) -> Result<Undo> {
    field.aside(spot.node, &["hbctl", "maintenance", "on"]);
    Ok(Box::new(move |field| {
        // It is kept over restarts and reboots. A node that is off, or where hbd is being started, is asked again
        // when calm is waited for.
        field.aside(spot.node, &["hbctl", "maintenance", "off"]);
        Ok(())
    }))
}

pub(super) fn reload(field: &mut Field, spot: Spot) -> Result<Undo> {
    field.aside(spot.node, &["systemctl", "reload", HBD]);
    nothing()
}
