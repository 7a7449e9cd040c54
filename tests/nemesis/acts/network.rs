//! Cables, interfaces and addresses, and a stranger on the LAN.

use hbd_lab::example::VIP;
use hbd_lab::lab::NODES;
use hbd_lab::switch::Lan;
use hbd_lab::wire::{Fate, Flapping, Wire};
use hbd_lab::witness::Witness;
use hbd_lab::{Error, Result, arp};

use super::{Spot, Undo, nothing};
use crate::field::Field;

/// So many of a hundred frames are lost on a cable that is merely bad.
const LOSSY: u32 = 35;
/// How often the stranger claims the address, once a second.
const CLAIMS: u32 = 5;

fn only_if_on(field: &Field, node: usize) -> Result<()> {
    let name = NODES[node].name;
    if field.lab.nodes[node].is_on() { Ok(()) } else { Err(Error::Unexpected(format!("{name} is off"))) }
}

fn cut(field: &Field, node: usize, lan: Lan) -> Result<Undo> {
    only_if_on(field, node)?;
    field.lab.switch.cut(NODES[node].name, lan)?;
    Ok(Box::new(move |field| {
        // A machine that was without power has new cables.
        if field.lab.nodes[node].is_on() { field.lab.switch.heal(NODES[node].name, lan) } else { Ok(()) }
    }))
}

pub(super) fn cut_link(field: &mut Field, spot: Spot) -> Result<Undo> {
    cut(field, spot.node, Lan::Heartbeat)
}

pub(super) fn cut_lan(field: &mut Field, spot: Spot) -> Result<Undo> {
    cut(field, spot.node, Lan::Public)
}

fn flap(field: &Field, node: usize, lan: Lan) -> Result<Undo> {
    only_if_on(field, node)?;
    let flapping = Flapping::start(&field.lab.switch, NODES[node].name, lan);
    Ok(Box::new(move |_| {
        drop(flapping);
        Ok(())
    }))
}

pub(super) fn flap_link(field: &mut Field, spot: Spot) -> Result<Undo> {
    flap(field, spot.node, Lan::Heartbeat)
}

pub(super) fn flap_lan(field: &mut Field, spot: Spot) -> Result<Undo> {
    flap(field, spot.node, Lan::Public)
}

fn damage(field: &Field, node: usize, lan: Lan, [out, into]: [Fate; 2]) -> Result<Undo> {
    only_if_on(field, node)?;
    let wire = Wire::damage(&field.lab.switch, NODES[node].name, lan, out, into)?;
    Ok(Box::new(move |_| {
        drop(wire);
        Ok(())
    }))
}

/// The machine is not heard, or it does not hear.
fn one_way(field: &Field, spot: Spot, lan: Lan) -> Result<Undo> {
    let (whole, none) = (Fate::default(), Fate { loss: 100, ..Fate::default() });
    let fates = if spot.dice.is_multiple_of(2) { [none, whole] } else { [whole, none] };
    damage(field, spot.node, lan, fates)
}

pub(super) fn link_one_way(field: &mut Field, spot: Spot) -> Result<Undo> {
    one_way(field, spot, Lan::Heartbeat)
}

pub(super) fn lan_one_way(field: &mut Field, spot: Spot) -> Result<Undo> {
    one_way(field, spot, Lan::Public)
}

pub(super) fn link_lossy(field: &mut Field, spot: Spot) -> Result<Undo> {
    damage(field, spot.node, Lan::Heartbeat, [Fate { loss: LOSSY, ..Fate::default() }; 2])
}

pub(super) fn lan_lossy(field: &mut Field, spot: Spot) -> Result<Undo> {
    damage(field, spot.node, Lan::Public, [Fate { loss: LOSSY, ..Fate::default() }; 2])
}

/// Up to three seconds in one direction, which is less than the dead time.
pub(super) fn link_slow(field: &mut Field, spot: Spot) -> Result<Undo> {
    let delay = 100 + (spot.dice % 1400) as u32;
    damage(field, spot.node, Lan::Heartbeat, [Fate { delay, jitter: delay, ..Fate::default() }; 2])
}

pub(super) fn lan_slow(field: &mut Field, spot: Spot) -> Result<Undo> {
    let delay = 100 + (spot.dice % 900) as u32;
    damage(field, spot.node, Lan::Public, [Fate { delay, jitter: delay, ..Fate::default() }; 2])
}

pub(super) fn lan_doubles(field: &mut Field, spot: Spot) -> Result<Undo> {
    damage(field, spot.node, Lan::Public, [Fate { double: 100, ..Fate::default() }; 2])
}

pub(super) fn link_doubles(field: &mut Field, spot: Spot) -> Result<Undo> {
    damage(field, spot.node, Lan::Heartbeat, [Fate { double: 100, ..Fate::default() }; 2])
}

pub(super) fn link_replays(field: &mut Field, spot: Spot) -> Result<Undo> {
    damage(field, spot.node, Lan::Heartbeat, [Fate { replay: 60, ..Fate::default() }; 2])
}

/// Nothing passes between the nodes, and both reach the client.
pub(super) fn part(field: &mut Field, _: Spot) -> Result<Undo> {
    let names = NODES.map(|node| node.name);
    only_if_on(field, 0).and_then(|()| only_if_on(field, 1))?;
    field.lab.switch.part(&names, true)?;
    Ok(Box::new(move |field| {
        let on: Vec<&str> =
            [0, 1].into_iter().filter(|node| field.lab.nodes[*node].is_on()).map(|n| names[n]).collect();
        field.lab.switch.part(&on, false)
    }))
}

/// Runs a command that changes an interface, and another one that puts the interface and its address back.
fn reconfigure(field: &Field, node: usize, change: &str, lan: Lan) -> Result<Undo> {
    let machine = &field.lab.nodes[node];
    machine.run(&["sh", "-c", change])?;
    let place = NODES[node];
    let own = if lan == Lan::Public { place.public } else { place.link };
    let interface = lan.interface();
    let back = format!("ip link set {interface} up; ip address replace {own}/24 brd + dev {interface}");
    Ok(Box::new(move |field| {
        let machine = &field.lab.nodes[node];
        if machine.is_on() { machine.run(&["sh", "-c", &back]).map(drop) } else { Ok(()) }
    }))
}

pub(super) fn flush_link(field: &mut Field, spot: Spot) -> Result<Undo> {
    reconfigure(field, spot.node, "ip -4 address flush dev eth1", Lan::Heartbeat)
}

/// As tools do that configure an interface anew. hbd adds its own address again.
pub(super) fn flush_lan(field: &mut Field, spot: Spot) -> Result<Undo> {
    reconfigure(field, spot.node, "ip -4 address flush dev eth0", Lan::Public)
}

pub(super) fn down_inside(field: &mut Field, spot: Spot) -> Result<Undo> {
    reconfigure(field, spot.node, "ip link set eth0 down", Lan::Public)
}

pub(super) fn link_down_inside(field: &mut Field, spot: Spot) -> Result<Undo> {
    reconfigure(field, spot.node, "ip link set eth1 down", Lan::Heartbeat)
}

/// The machine gets another address of its own, and later the old one again.
pub(super) fn change_own_address(field: &mut Field, spot: Spot) -> Result<Undo> {
    let own = NODES[spot.node].public;
    let other = format!("192.168.17.{}", 50 + spot.node);
    let change = format!("ip address add {other}/24 brd + dev eth0 && ip address del {own}/24 dev eth0");
    let back = reconfigure(field, spot.node, &change, Lan::Public)?;
    Ok(Box::new(move |field| {
        back(field)?;
        let machine = &field.lab.nodes[spot.node];
        let words = ["ip", "address", "del", &format!("{other}/24"), "dev", "eth0"];
        // A machine that has booted meanwhile has only its old one.
        if machine.is_on() { machine.attempt(&words).map(drop) } else { Ok(()) }
    }))
}

/// Somebody removes the virtual address where it is.
pub(super) fn remove_address(field: &mut Field, spot: Spot) -> Result<Undo> {
    let machine = &field.lab.nodes[spot.node];
    if machine.holds(VIP)? {
        machine.attempt(&["ip", "address", "del", &format!("{VIP}/24"), "dev", "eth0"])?;
    }
    nothing()
}

pub(super) fn stranger(field: &mut Field, _: Spot) -> Result<Undo> {
    let stranger = arp::claim(&field.lab.namespace("client"), CLAIMS)?;
    Ok(Box::new(move |_| {
        drop(stranger);
        Ok(())
    }))
}

fn witness(field: &mut Field) -> Result<&mut Witness> {
    field.witness.as_mut().ok_or_else(|| Error::Unexpected("there is no witness".to_owned()))
}

pub(super) fn kill_witness(field: &mut Field, _: Spot) -> Result<Undo> {
    witness(field)?.kill(0)?;
    Ok(Box::new(|field| witness(field)?.start_again(0)))
}

pub(super) fn cut_witness(field: &mut Field, spot: Spot) -> Result<Undo> {
    only_if_on(field, spot.node)?;
    witness(field)?.cut(spot.node)?;
    Ok(Box::new(move |field| {
        // A machine that was without power has a new cable.
        if field.lab.nodes[spot.node].is_on() { witness(field)?.heal(spot.node) } else { Ok(()) }
    }))
}
