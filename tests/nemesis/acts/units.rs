//! The group's service: it fails, loops, hangs or lies; and what administrators do to it.

use std::path::PathBuf;

use hbd_lab::example::VIP;
use hbd_lab::{Error, Result};

use super::{Spot, Undo, nothing};
use crate::field::{Field, SERVICE};

/// Where a mask of the service is, and what switches it on at boot.
const MASK: &str = "/etc/systemd/system/nginx.service";
const WANTED: &str = "/etc/systemd/system/multi-user.target.wants/nginx.service";
const PART: &str = "/etc/systemd/system/nginx.service.d/nemesis.conf";

/// Changes the unit of a node, and kills what runs of it, or restarts it. Undone, an administrator has mended it and
/// says so, as the handbook has it. Nothing here waits for a systemd that may be frozen.
fn broken(field: &Field, spot: Spot, part: &str, then: &str) -> Result<Undo> {
    field.lab.nodes[spot.node].write(PART, part)?;
    read_anew(field, spot, PART, then)
}

/// As [`broken`], where the file is written that makes it so.
fn read_anew(field: &Field, spot: Spot, file: &'static str, then: &str) -> Result<Undo> {
    if_active(field, spot.node, DAEMON_RELOAD, then);
    Ok(Box::new(move |field| {
        remove_file(field, spot.node, file)?;
        // A start or a stop that hangs goes on until its TimeoutStartSec= is over (UNITS.md 3.1), unless it is ended.
        let mended = format!(
            "{DAEMON_RELOAD}; systemctl is-active {SERVICE} | grep -q activating && {KILL}; \
             systemctl reset-failed {SERVICE}; hbctl cleanup"
        );
        field.aside(spot.node, &["sh", "-c", &mended]);
        Ok(())
    }))
}

/// The path of a node's file on this machine: its disk is there also while it is off.
fn outside(field: &Field, node: usize, path: &str) -> PathBuf {
    field.lab.nodes[node].root().join(path.trim_start_matches('/'))
}

fn link(field: &Field, node: usize, to: &str, path: &'static str) -> Result<()> {
    let link = outside(field, node, path);
    if let Some(parent) = link.parent() {
        std::fs::create_dir_all(parent).map_err(Error::file(path))?;
    }
    std::os::unix::fs::symlink(to, &link).map_err(Error::file(path))
}

fn remove_file(field: &Field, node: usize, path: &'static str) -> Result<()> {
    std::fs::remove_file(outside(field, node, path)).map_err(Error::file(path))
}

/// Runs a command, and a second one if the service is active on the node.
fn if_active(field: &Field, node: usize, first: &str, then: &str) {
    let script = format!("{first}; systemctl is-active --quiet {SERVICE} && {then}");
    field.aside(node, &["sh", "-c", &script]);
}

const KILL: &str = "systemctl kill --signal=KILL nginx.service";
const DAEMON_RELOAD: &str = "systemctl daemon-reload";
const RESTART: &str = "systemctl restart nginx.service";

pub(super) fn fails(field: &mut Field, spot: Spot) -> Result<Undo> {
    broken(field, spot, "[Service]\nExecStartPre=/bin/false\n", KILL)
}

pub(super) fn hangs_in_start(field: &mut Field, spot: Spot) -> Result<Undo> {
    broken(field, spot, "[Service]\nExecStartPre=/bin/sleep 600\nTimeoutStartSec=6\n", KILL)
}

/// The group is moved at once, and its stop takes as long as systemd allows.
pub(super) fn hangs_in_stop(field: &mut Field, spot: Spot) -> Result<Undo> {
    broken(field, spot, "[Service]\nExecStop=\nExecStop=/bin/sleep 600\nTimeoutStopSec=6\n", "hbctl standby")
}

/// What runs goes on; after a crash it cannot be started.
pub(super) fn masked(field: &mut Field, spot: Spot) -> Result<Undo> {
    link(field, spot.node, "/dev/null", MASK)?;
    read_anew(field, spot, MASK, if spot.dice.is_multiple_of(2) { KILL } else { "true" })
}

/// systemd starts it at the next boot, also where the other node serves.
pub(super) fn enabled_at_boot(field: &mut Field, spot: Spot) -> Result<Undo> {
    link(field, spot.node, "/lib/systemd/system/nginx.service", WANTED)?;
    field.aside(spot.node, &["systemctl", "daemon-reload"]);
    Ok(Box::new(move |field| {
        remove_file(field, spot.node, WANTED)?;
        field.aside(spot.node, &["systemctl", "daemon-reload"]);
        Ok(())
    }))
}

pub(super) fn daemon_reload(field: &mut Field, spot: Spot) -> Result<Undo> {
    field.aside(spot.node, &["systemctl", "daemon-reload"]);
    nothing()
}

pub(super) fn reload(field: &mut Field, spot: Spot) -> Result<Undo> {
    if_active(field, spot.node, "true", "systemctl reload nginx.service");
    nothing()
}

/// It stays down until the group starts again (UNITS.md 4).
pub(super) fn stop_target(field: &mut Field, spot: Spot) -> Result<Undo> {
    field.aside(spot.node, &["systemctl", "stop", "hbd-group@*.target"]);
    nothing()
}

pub(super) fn loops(field: &mut Field, spot: Spot) -> Result<Undo> {
    broken(field, spot, "[Service]\nRestart=always\nRestartSec=300ms\nExecStartPre=/bin/false\n", KILL)
}

/// systemd calls it active, and nothing listens.
pub(super) fn lies(field: &mut Field, spot: Spot) -> Result<Undo> {
    let part = "[Service]\nType=oneshot\nRemainAfterExit=yes\nPIDFile=\nExecStartPre=\nExecStart=\nExecStart=/bin/true\n\
                ExecStop=\nExecReload=\n";
    let undo = broken(field, spot, part, RESTART)?;
    Ok(Box::new(move |field| {
        undo(field)?;
        restart(field, spot).map(drop)
    }))
}

pub(super) fn stop(field: &mut Field, spot: Spot) -> Result<Undo> {
    if_active(field, spot.node, "true", "systemctl stop nginx.service");
    Ok(Box::new(move |field| {
        if field.lab.nodes[spot.node].holds(VIP)? {
            field.aside(spot.node, &["systemctl", "start", SERVICE]);
        }
        Ok(())
    }))
}

pub(super) fn restart(field: &mut Field, spot: Spot) -> Result<Undo> {
    if_active(field, spot.node, "true", RESTART);
    nothing()
}

/// On the node that does not serve.
pub(super) fn start_astray(field: &mut Field, spot: Spot) -> Result<Undo> {
    if !field.lab.nodes[spot.node].holds(VIP)? {
        field.aside(spot.node, &["systemctl", "start", SERVICE]);
    }
    nothing()
}
