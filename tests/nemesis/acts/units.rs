//! The group's service: it fails, loops, hangs or lies; and what administrators do to it.

use hbd_lab::Result;
use hbd_lab::example::VIP;

use super::{Spot, Undo, nothing};
use crate::field::{Field, SERVICE};

const PART: &str = "/etc/systemd/system/nginx.service.d/nemesis.conf";

/// Changes the unit of a node, and kills what runs of it, or restarts it. Undone, an administrator has mended it and
/// says so, as the handbook has it. Nothing here waits for a systemd that may be frozen.
fn broken(field: &Field, spot: Spot, part: &str, then: &str) -> Result<Undo> {
    field.lab.nodes[spot.node].write(PART, part)?;
    if_active(field, spot.node, "systemctl daemon-reload", then);
    Ok(Box::new(move |field| {
        // The file is on the disk also of a machine that is off.
        let path = field.lab.nodes[spot.node].root().join(PART.trim_start_matches('/'));
        std::fs::remove_file(&path).map_err(hbd_lab::Error::file(PART))?;
        // A start that hangs goes on until its TimeoutStartSec= is over (UNITS.md 3.1), unless it is ended.
        let mended = format!(
            "systemctl daemon-reload; systemctl is-active {SERVICE} | grep -q activating && {KILL}; \
             systemctl reset-failed {SERVICE}; hbctl cleanup"
        );
        field.aside(spot.node, &["sh", "-c", &mended]);
        Ok(())
    }))
}

/// Runs a command, and a second one if the service is active on the node.
fn if_active(field: &Field, node: usize, first: &str, then: &str) {
    let script = format!("{first}; systemctl is-active --quiet {SERVICE} && {then}");
    field.aside(node, &["sh", "-c", &script]);
}

const KILL: &str = "systemctl kill --signal=KILL nginx.service";
const RESTART: &str = "systemctl restart nginx.service";

pub(super) fn fails(field: &mut Field, spot: Spot) -> Result<Undo> {
    broken(field, spot, "[Service]\nExecStartPre=/bin/false\n", KILL)
}

pub(super) fn hangs_in_start(field: &mut Field, spot: Spot) -> Result<Undo> {
    broken(field, spot, "[Service]\nExecStartPre=/bin/sleep 600\nTimeoutStartSec=6\n", KILL)
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
