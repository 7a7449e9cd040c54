//! Files that are wrong, differ or change, a host name, and the disks of the state and of logs.

use std::thread::sleep;
use std::time::Duration;

use hbd_lab::Result;
use hbd_lab::lab::NODES;

use super::{Spot, Undo};
use crate::field::{Field, HBD};

const HARESOURCES: &str = "/etc/ha.d/haresources";
const HA_CF: &str = "/etc/ha.d/ha.cf";
const AUTHKEYS: &str = "/etc/ha.d/authkeys";
/// A reload is over within it, also on a busy machine.
const RELOAD: Duration = Duration::from_secs(2);
const STATE: &str = "/var/lib/heartbeat";
/// Where the state is kept while its directory is another one.
const ASIDE: &str = "/root/nemesis-state";

/// Changes a file of some nodes, and makes hbd read it. Undone, the old text is written and read again.
fn edit(
    field: &mut Field,
    nodes: &'static [usize],
    path: &'static str,
    change: fn(&str) -> String,
    verb: &'static str,
) -> Result<Undo> {
    let mut old = Vec::new();
    for node in nodes {
        let text = field.lab.nodes[*node].read(path)?.unwrap_or_default();
        field.lab.nodes[*node].write(path, &change(&text))?;
        field.aside(*node, &["systemctl", verb, HBD]);
        old.push((*node, text));
    }
    Ok(Box::new(move |field| {
        for (node, text) in &old {
            field.lab.nodes[*node].write(path, text)?;
            field.aside(*node, &["systemctl", "reload", HBD]);
        }
        Ok(())
    }))
}

fn this(node: usize) -> &'static [usize] {
    if node == 0 { &[0] } else { &[1] }
}

fn mistaken(text: &str) -> String {
    text.replace(NODES[0].name, "nodec")
}

pub(super) fn mistake_and_restart(field: &mut Field, spot: Spot) -> Result<Undo> {
    edit(field, this(spot.node), HARESOURCES, mistaken, "restart")
}

pub(super) fn mistake_and_reload(field: &mut Field, spot: Spot) -> Result<Undo> {
    edit(field, this(spot.node), HARESOURCES, mistaken, "reload")
}

pub(super) fn times_differ(field: &mut Field, spot: Spot) -> Result<Undo> {
    edit(field, this(spot.node), HA_CF, |text| text.replace("deadtime 4", "deadtime 6"), "reload")
}

/// A right edit of ha.cf, on both nodes.
pub(super) fn times_changed(field: &mut Field, _: Spot) -> Result<Undo> {
    let change = |text: &str| text.replace("deadtime 4", "deadtime 5").replace("warntime 2", "warntime 3");
    edit(field, &[0, 1], HA_CF, change, "reload")
}

/// Both keys are known, and one of them signs from now on.
fn sign_with(field: &Field, node: usize, key: u32) -> Result<()> {
    let text = format!("auth {key}\n1 sha1 a-secret-of-your-own\n2 sha1 another-one-of-the-nemesis\n");
    field.lab.nodes[node].write_mode(AUTHKEYS, &text, 0o600)?;
    field.aside(node, &["systemctl", "reload", HBD]);
    Ok(())
}

/// In the order of hbd-authkeys(5): both nodes know the new key, then one signs with it, then the other one. Both
/// keys stay known, so that a node that reads its file late understands the other one.
pub(super) fn roll_key(field: &mut Field, spot: Spot) -> Result<Undo> {
    let [first, second] = [spot.node, 1 - spot.node];
    sign_with(field, first, 1)?;
    sign_with(field, second, 1)?;
    sleep(RELOAD);
    sign_with(field, first, 2)?;
    Ok(Box::new(move |field| {
        sign_with(field, second, 2)?;
        sleep(RELOAD);
        sign_with(field, first, 1)?;
        sign_with(field, second, 1)
    }))
}

/// The other node is preferred for a while: the group moves once both have read it.
pub(super) fn preference_changed(field: &mut Field, _: Spot) -> Result<Undo> {
    edit(field, &[0, 1], HARESOURCES, |text| text.replace(NODES[0].name, NODES[1].name), "reload")
}

/// Somebody sets another host name, the peer's at worst.
pub(super) fn host_name(field: &mut Field, spot: Spot) -> Result<Undo> {
    let names = ["localhost", NODES[1 - spot.node].name, "nodea.example.com"];
    let name = names[(spot.dice % names.len() as u64) as usize];
    field.lab.nodes[spot.node].run(&["hostname", name])?;
    Ok(Box::new(move |field| {
        let machine = &field.lab.nodes[spot.node];
        if machine.is_on() { machine.run(&["hostname", NODES[spot.node].name]).map(drop) } else { Ok(()) }
    }))
}

/// The state is on a disk of its own, which is full, or read-only.
fn small_disk(field: &mut Field, node: usize, read_only: bool) -> Result<Undo> {
    let lock = if read_only { format!("mount -o remount,ro {STATE}") } else { "true".to_owned() };
    let script = format!(
        "rm -rf {ASIDE}; cp -a {STATE} {ASIDE} && mount -t tmpfs -o size=8k,mode=755 tmpfs {STATE} && \
         cp {ASIDE}/hb_generation {ASIDE}/hb_uuid {STATE}/ && {lock}"
    );
    field.lab.nodes[node].run(&["sh", "-c", &script])?;
    Ok(Box::new(move |field| {
        // What was saved meanwhile is kept: a generation must not go back. A service keeps the read-only view of a
        // mount that it was started with: hbd is restarted.
        let script = format!(
            "cp -a {STATE}/. {ASIDE}/; umount --lazy {STATE} && cp -a {ASIDE}/. {STATE}/ && systemctl restart {HBD}"
        );
        field.lab.nodes[node].run(&["sh", "-c", &script]).map(drop)
    }))
}

pub(super) fn disk_full(field: &mut Field, spot: Spot) -> Result<Undo> {
    small_disk(field, spot.node, false)
}

pub(super) fn disk_read_only(field: &mut Field, spot: Spot) -> Result<Undo> {
    small_disk(field, spot.node, true)
}

/// The disk of /var/log is full, for all that log to files.
pub(super) fn log_disk_full(field: &mut Field, spot: Spot) -> Result<Undo> {
    // A program that is started meanwhile finds its directory. The journal goes on in the file that it has open.
    let script = "mount -t tmpfs -o size=64k,mode=755 tmpfs /var/log && mkdir /var/log/nginx /var/log/journal && \
                  ! dd if=/dev/zero of=/var/log/full bs=1k 2>/dev/null";
    field.lab.nodes[spot.node].run(&["sh", "-c", script])?;
    Ok(Box::new(move |field| {
        // A machine that has booted meanwhile has its old one.
        field.aside(spot.node, &["umount", "--lazy", "/var/log"]);
        Ok(())
    }))
}
