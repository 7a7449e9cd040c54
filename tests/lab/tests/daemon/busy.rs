//! A file system that is in use when it is to move.

use hbd_lab::Result;
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_until};

use crate::pair::{A, B, HBD, HTTPD, Pair, SOON, START, expect, expect_status, expect_words, unexpected};

const MOUNT: &str = "srv-busy.mount";
const MOUNT_UNIT: &str = "[Mount]\nWhat=tmpfs\nWhere=/srv/busy\nType=tmpfs\n";
const LINE: &str = "nodea 192.168.17.200/24/eth0 srv-busy.mount httpd\n";
/// Who stands in the file system.
const SITTER: &str = "lab-sitter.service";
const UNITS_TOML: &str = "/etc/hbd/hbd.toml.d/units.toml";

/// A mount unit that a process stands in does not move: the command says which process is in the way, and the group
/// runs where it was. With `vacate = true` hbd ends the process, and the group moves.
pub fn a_busy_mount_unit_stays_and_names_who_uses_it(pair: &mut Pair) -> Result<String> {
    pair.stop_with(None)?;
    for index in [A, B] {
        pair.node(index).write(&format!("/etc/systemd/system/{MOUNT}"), MOUNT_UNIT)?;
        pair.node(index).run(&["systemctl", "daemon-reload"])?;
    }
    let since = pair.start_with(Some(LINE))?;
    pair.wait_settled(since)?;
    pair.wait_unit(A, MOUNT, "active", SOON)?;
    sit(pair)?;

    let since = now();
    let refused = pair.node(A).attempt(&["hbctl", "standby"])?;
    if refused.status == Some(0) {
        return unexpected(format!("hbctl standby succeeded with a busy file system:\n{}", refused.stdout));
    }
    let who = ["sleep (PID ", ", user root) has its working directory in /srv/busy"];
    expect_words("hbctl standby", &format!("{}{}", refused.stdout, refused.stderr), &who)?;
    let failed = pair.wait_record(A, since, "target is busy", SOON)?;
    expect_words("the record", failed.message(), &who)?;
    expect_words("the record", failed.message(), &["[units.\"srv-busy.mount\"] in /etc/hbd/hbd.toml"])?;
    for unit in [HTTPD, MOUNT, SITTER] {
        pair.wait_unit(A, unit, "active", START)?;
    }
    let served = pair.client.wait_served_by(NODES[A].name, SOON)?;
    expect("the owners", &pair.lab.owners()?, &vec![NODES[A].name])?;

    pair.node(A).write(UNITS_TOML, "[units.\"srv-busy.mount\"]\nvacate = true\n")?;
    let restarted = now();
    pair.node(A).systemctl("restart", HBD)?;
    pair.lab.wait_stable(A, restarted, START)?;
    let moved = pair.node(A).attempt(&["hbctl", "standby"])?;
    expect_status("hbctl standby with vacate = true", &moved, 0)?;
    pair.client.wait_served_by(NODES[B].name, SOON)?;
    pair.wait_unit(A, MOUNT, "inactive", SOON)?;
    pair.wait_unit(A, SITTER, "inactive", SOON)?;

    pair.node(A).run(&["rm", UNITS_TOML])?;
    pair.stop_with(None)?;
    Ok(format!("served again by nodea {:.1} s after the command", served - since))
}

/// A shell of an administrator who looks after something in the file system.
fn sit(pair: &Pair) -> Result<()> {
    // Not WorkingDirectory=, by which systemd would stop it together with the mount.
    let script = "cd /srv/busy && exec sleep 600";
    let unit = format!("--unit={SITTER}");
    pair.node(A).run(&["systemd-run", "--quiet", "--collect", &unit, "sh", "-c", script])?;
    wait_stands(pair, SITTER, "/srv/busy")
}

/// Waits until a unit's process on nodea stands in this directory: the unit is active before.
pub fn wait_stands(pair: &Pair, unit: &str, directory: &str) -> Result<()> {
    wait_until(&format!("{unit} to stand in {directory}"), SOON, || {
        let pid = pair.node(A).run(&["systemctl", "show", "--property=MainPID", "--value", unit]).ok()?;
        let cwd = pair.node(A).run(&["readlink", &format!("/proc/{}/cwd", pid.trim())]).ok()?;
        (cwd.trim() == directory).then_some(())
    })
}
