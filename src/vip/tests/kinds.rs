//! Interfaces that are not plain Ethernet cards: to hbd they are just interfaces.
//!
//! Kinds that many kernels cannot make are ignored here. `make interfaces` plays them on a kernel that can.

use std::process::Output;

use super::ipv6::{VIP6, advertisements, next_claim};
use super::*;

fn ip(arguments: &str) -> Output {
    Process::new("ip").args(arguments.split(' ')).output().unwrap()
}

fn must(arguments: &str) {
    let output = ip(arguments);
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Both families are there, the neighbours hear of them from the interface's own MAC address, and both go again.
fn serves(device: &'static str, peer: &Peer) {
    must(&format!("link set {device} up"));
    testnet::await_carrier(device);
    let room = Room::open();
    let mac = mac_of(device);
    let [four, six] = [IpAddr::from(VIP), IpAddr::from(VIP6)].map(|address| Address {
        prefix: Some(if address.is_ipv4() { 24 } else { 64 }),
        device: Some(device.into()),
        ..wanted(address)
    });
    let (listener, socket) = (Listener::at(peer), advertisements(peer));
    for (id, address) in [(1, &four), (2, &six)] {
        room.add(id, address);
        let message = find(address.address).unwrap();
        assert!(message.attributes.contains(&AddressAttribute::Protocol(network::OURS)), "{device}: {message:?}");
    }
    for operation in [1, 2] {
        // A bond's kernel may have something to say, too.
        while hear(&listener) != (Heard { operation, mac, address: VIP }) {}
    }
    while next_claim(&socket) != (VIP6, mac) {}
    for (id, address) in [(1, &four), (2, &six)] {
        room.remove(id, address);
        assert!(find(address.address).is_none(), "{device}");
    }
}

fn hear(listener: &Listener) -> Heard {
    listener.hear(NEWS_LIMIT).expect("an announcement")
}

#[test]
#[ignore = "needs a kernel with this kind of interface: make interfaces"]
fn a_vlan() {
    const VLAN: &str = "link add link eth0 name eth0.5 type vlan id 5";
    with_cable(|peer| {
        must(VLAN);
        peer.run(|| (must(VLAN), must("link set eth0.5 up")));
        serves("eth0.5", &peer);
    });
}

#[test]
fn a_macvlan() {
    with_cable(|peer| {
        must("link add link eth0 name mac0 type macvlan");
        serves("mac0", &peer);
    });
}

#[test]
fn a_bridge() {
    with_cable(|peer| {
        must("link add br0 type bridge");
        must("link set eth0 master br0");
        serves("br0", &peer);
    });
}

#[test]
#[ignore = "needs a kernel with this kind of interface: make interfaces"]
fn a_member_of_a_vrf() {
    with_cable(|peer| {
        must("link add vrf1 type vrf table 100");
        must("link set vrf1 up");
        must("link set eth0 master vrf1");
        serves("eth0", &peer);
    });
}

#[test]
#[ignore = "needs a kernel with this kind of interface: make interfaces"]
fn a_bond() {
    with_cable(|peer| {
        make_bond(&peer);
        serves("bond0", &peer);
    });
}

/// The switch has to learn that the address is behind another port now.
#[test]
#[ignore = "needs a kernel with this kind of interface: make interfaces"]
fn a_bond_whose_card_fails_is_announced_from_the_other() {
    with_cable(|peer| {
        make_bond(&peer);
        must("link set bond0 up");
        testnet::await_carrier("bond0");
        let room = Room::open();
        let held = Address { device: Some("bond0".into()), ..on(VIP, 24) };
        room.add(1, &held);
        let behind_the_other = peer.run(|| {
            must("link set eth0 down");
            Listener::here()
        });
        let Heard { mac, address, .. } = hear(&behind_the_other);
        assert_eq!((mac, address), (mac_of("bond0"), VIP));
        assert!(find(VIP).is_some());
        room.remove(1, &held);
    });
}

/// Two cards, one of which is used while it lives.
fn make_bond(peer: &Peer) {
    must("link add bond0 type bond mode active-backup miimon 100");
    testnet::connect("eth1", peer);
    for card in ["eth0", "eth1"] {
        must(&format!("link set {card} down"));
        must(&format!("link set {card} master bond0"));
    }
}
