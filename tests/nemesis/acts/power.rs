//! Machines without power, and reboots.

use std::time::Duration;

use hbd_lab::Result;

use super::{Spot, Undo, nothing};
use crate::field::Field;

/// How long a machine may take to shut down: hbd stops what it runs first.
const SHUTDOWN: Duration = Duration::from_secs(90);

fn cut_power(field: &mut Field, node: usize) -> Result<()> {
    let machine = &mut field.lab.nodes[node];
    let done = if machine.is_on() { machine.power_failure().map(drop) } else { Ok(()) };
    field.look_at_power();
    done
}

fn boot(field: &mut Field, node: usize) -> Result<()> {
    let machine = &mut field.lab.nodes[node];
    if machine.is_on() {
        return Ok(());
    }
    let done = machine.switch_on();
    field.look_at_power();
    done?;
    field.witness.as_ref().map_or(Ok(()), |witness| witness.plug_in(node))
}

pub(super) fn off(field: &mut Field, spot: Spot) -> Result<Undo> {
    cut_power(field, spot.node)?;
    Ok(Box::new(move |field| {
        boot(field, spot.node)?;
        field.lab.nodes[spot.node].wait_booted()
    }))
}

/// Both machines boot at the same time.
pub(super) fn both_off(field: &mut Field, _: Spot) -> Result<Undo> {
    cut_power(field, 0)?;
    cut_power(field, 1)?;
    Ok(Box::new(|field| {
        boot(field, 0)?;
        boot(field, 1)?;
        field.lab.nodes.iter().try_for_each(hbd_lab::node::Node::wait_booted)
    }))
}

/// `systemctl reboot`. The container manager leaves the start to its caller, which is late by up to the act's time.
pub(super) fn reboot(field: &mut Field, spot: Spot) -> Result<Undo> {
    if !field.lab.nodes[spot.node].is_on() {
        return nothing();
    }
    field.aside(spot.node, &["systemctl", "reboot"]);
    Ok(Box::new(move |field| {
        let machine = &mut field.lab.nodes[spot.node];
        if machine.wait_off(SHUTDOWN).is_err() {
            field.shared.tell("it does not shut down: its power is cut");
            cut_power(field, spot.node)?;
        }
        boot(field, spot.node)?;
        field.lab.nodes[spot.node].wait_booted()
    }))
}
