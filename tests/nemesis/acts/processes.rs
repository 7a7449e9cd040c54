//! Processes that are killed, frozen or starved, from outside of the machine: its systemd may be the one that is
//! frozen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use hbd_lab::lab::NODES;
use hbd_lab::shell::Shell;
use hbd_lab::{Error, Result};

use super::{Spot, Undo, nothing};
use crate::field::Field;

const HBD: &str = "hbd";
const SERVICE: &str = "nginx";
const BUS: &str = "dbus-daemon";
/// What asks the witness for hbd.
const WITNESS_CLIENT: &str = "hbd-witness";
/// As proc_pid_comm(5) has it, in 15 letters.
const JOURNALD: &str = "systemd-journal";

/// A starved program runs for the first time of these, and then waits for the second.
const STARVED: [Duration; 2] = [Duration::from_millis(60), Duration::from_millis(340)];
/// The second crash comes so long after the first.
const AGAIN: Duration = Duration::from_millis(1500);

fn shell(field: &Field, node: usize) -> Result<Shell> {
    field.shared.shell(node).ok_or_else(|| Error::Unexpected(format!("{} is off", NODES[node].name)))
}

fn kill(field: &Field, node: usize, name: &str) -> Result<()> {
    let shell = shell(field, node)?;
    shell.signal(&shell.processes(Some(name))?, "KILL")
}

/// Stops what has this name until the act is undone. Whatever has the name then is continued.
fn freeze(field: &Field, node: usize, name: Option<&'static str>) -> Result<Undo> {
    let shell = shell(field, node)?;
    shell.signal(&shell.processes(name)?, "STOP")?;
    Ok(Box::new(move |field| {
        // A machine that has lost its power meanwhile has no such process; nothing is frozen in it.
        let Some(shell) = field.shared.shell(node) else { return Ok(()) };
        let processes = shell.processes(name)?;
        if processes.is_empty() { Ok(()) } else { shell.signal(&processes, "CONT") }
    }))
}

pub(super) fn kill_hbd(field: &mut Field, spot: Spot) -> Result<Undo> {
    kill(field, spot.node, HBD)?;
    nothing()
}

/// After the second crash in a minute everything is released.
pub(super) fn kill_hbd_twice(field: &mut Field, spot: Spot) -> Result<Undo> {
    kill(field, spot.node, HBD)?;
    sleep(AGAIN);
    // It may not be back yet.
    if let Err(error) = kill(field, spot.node, HBD) {
        field.shared.tell(error.to_string());
    }
    nothing()
}

pub(super) fn freeze_hbd(field: &mut Field, spot: Spot) -> Result<Undo> {
    freeze(field, spot.node, Some(HBD))
}

pub(super) fn freeze_machine(field: &mut Field, spot: Spot) -> Result<Undo> {
    freeze(field, spot.node, None)
}

pub(super) fn kill_witness_client(field: &mut Field, spot: Spot) -> Result<Undo> {
    kill(field, spot.node, WITNESS_CLIENT)?;
    nothing()
}

pub(super) fn freeze_witness_client(field: &mut Field, spot: Spot) -> Result<Undo> {
    freeze(field, spot.node, Some(WITNESS_CLIENT))
}

pub(super) fn freeze_bus(field: &mut Field, spot: Spot) -> Result<Undo> {
    freeze(field, spot.node, Some(BUS))
}

pub(super) fn freeze_journald(field: &mut Field, spot: Spot) -> Result<Undo> {
    freeze(field, spot.node, Some(JOURNALD))
}

pub(super) fn freeze_service(field: &mut Field, spot: Spot) -> Result<Undo> {
    // The node that does not serve has none to be frozen.
    freeze(field, spot.node, Some(SERVICE)).or_else(|_| nothing())
}

pub(super) fn freeze_systemd(field: &mut Field, spot: Spot) -> Result<Undo> {
    let shell = shell(field, spot.node)?;
    let leader = [shell.leader().to_owned()];
    shell.signal(&leader, "STOP")?;
    Ok(Box::new(move |field| match field.shared.shell(spot.node) {
        Some(now) if now == shell => shell.signal(&leader, "CONT"),
        _ => Ok(()),
    }))
}

pub(super) fn reexec(field: &mut Field, spot: Spot) -> Result<Undo> {
    field.aside(spot.node, &["systemctl", "daemon-reexec"]);
    nothing()
}

pub(super) fn kill_bus(field: &mut Field, spot: Spot) -> Result<Undo> {
    kill(field, spot.node, BUS)?;
    nothing()
}

pub(super) fn kill_journald(field: &mut Field, spot: Spot) -> Result<Undo> {
    kill(field, spot.node, JOURNALD)?;
    nothing()
}

pub(super) fn kill_service(field: &mut Field, spot: Spot) -> Result<Undo> {
    // The node that does not serve has none to be killed.
    kill(field, spot.node, SERVICE).or(Ok(()))?;
    nothing()
}

/// hbd gets a processor for a seventh of the time.
pub(super) fn starve_hbd(field: &mut Field, spot: Spot) -> Result<Undo> {
    let shell = shell(field, spot.node)?;
    let over = Arc::new(AtomicBool::new(false));
    let thread = std::thread::spawn({
        let over = over.clone();
        move || {
            while !over.load(Ordering::Relaxed) {
                for (signal, pause) in ["CONT", "STOP"].into_iter().zip(STARVED) {
                    // While systemd starts another one there is none.
                    let processes = shell.processes(Some(HBD)).unwrap_or_default();
                    let _ = shell.signal(&processes, signal);
                    sleep(pause);
                }
            }
            let _ = shell.signal(&shell.processes(Some(HBD)).unwrap_or_default(), "CONT");
        }
    });
    Ok(Box::new(move |_| {
        over.store(true, Ordering::Relaxed);
        thread.join().map_err(|_| Error::Unexpected("the thread that starves hbd has panicked".to_owned()))
    }))
}
