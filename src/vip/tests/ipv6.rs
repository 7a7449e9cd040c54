//! IPv6.

use std::net::Ipv6Addr;

use netlink_packet_route::address::{AddressFlags, AddressMessage};
use socket2::Protocol;

use super::*;
use crate::config::AddressOptions;

const HOST6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 7, 0, 0, 0, 0, 1);
pub(super) const VIP6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 7, 0, 0, 0, 0, 0x100);

fn flags(message: &AddressMessage) -> AddressFlags {
    let flags = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Flags(flags) => Some(*flags),
        _ => None,
    });
    flags.unwrap_or(AddressFlags::empty())
}

fn routes6() -> String {
    let output = Process::new("ip").args(["-6", "route", "show", "dev", "eth0"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Hears neighbour advertisements at the peer's end.
pub(super) fn advertisements(peer: &Peer) -> Socket {
    peer.run(|| {
        let protocol = Protocol::from(i32::from(ndisc::ETHERTYPE_IPV6.to_be()));
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(protocol)).unwrap();
        socket.set_read_timeout(Some(NEWS_LIMIT)).unwrap();
        socket
    })
}

pub(super) fn next_claim(socket: &Socket) -> (Ipv6Addr, arp::MacBytes) {
    loop {
        let mut frame = [0; 256];
        let length = (&mut &*socket).read(&mut frame).expect("an advertisement");
        if let Some(claimed) = ndisc::claimed(&frame[..length]) {
            return claimed;
        }
    }
}

#[test]
fn an_address_is_usable_at_once_announced_and_removed_without_a_trace() {
    with_cable(|peer| {
        testnet::add_address("eth0", HOST6, 64);
        testnet::eventually("the host's own address to be ready", || {
            find(HOST6).is_some_and(|message| !flags(&message).contains(AddressFlags::Tentative))
        });
        let before = routes6();
        let socket = advertisements(&peer);
        let room = Room::open();
        let report = room.tell(VipCommand::Add { id: 1, address: wanted(VIP6) });
        assert!(matches!(&report, VipReport::Added { device, prefix: 64, .. } if device == "eth0"), "{report:?}");
        let message = find(VIP6).unwrap();
        assert!(message.attributes.contains(&AddressAttribute::Protocol(network::OURS)));
        assert!(!flags(&message).contains(AddressFlags::Tentative), "no duplicate detection");
        assert_eq!(routes6(), before);
        let mac = mac_of_eth0();
        for _ in 0..3 {
            while next_claim(&socket) != (VIP6, mac) {}
        }
        room.add(1, &wanted(VIP6));
        room.remove(1, &wanted(VIP6));
        assert!(find(VIP6).is_none());
        assert_eq!(routes6(), before);
    });
}

/// The address from which this machine would connect to another one of the network.
fn source_to(destination: &str) -> String {
    let output = Process::new("ip").args(["-6", "route", "get", destination]).output().unwrap();
    let answer = String::from_utf8(output.stdout).unwrap();
    let words: Vec<&str> = answer.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "src").expect("a source");
    words[at + 1].to_owned()
}

fn cache_info(address: Ipv6Addr) -> (u32, u32) {
    let message = find(address).expect("the address is there");
    let info = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::CacheInfo(info) => Some((info.ifa_preferred, info.ifa_valid)),
        _ => None,
    });
    info.expect("every address has a cacheinfo")
}

#[test]
fn the_hosts_own_address_stays_the_source_of_its_connections() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST6, 64);
        testnet::eventually("the host's own address to be ready", || {
            find(HOST6).is_some_and(|message| !flags(&message).contains(AddressFlags::Tentative))
        });
        let room = Room::leased(super::leases::shortest());
        for _ in 0..2 {
            room.beat();
            room.add(1, &on(VIP6, 64));
            assert_eq!(source_to("2001:db8:7::101"), HOST6.to_string());
            room.beat();
            // A command that is answered, so that the renewal has been carried out.
            assert!(matches!(
                room.tell(VipCommand::Announce { id: 9, address: wanted(VIP6) }),
                VipReport::NotAnnounced { .. }
            ));
            let (preferred, valid) = cache_info(VIP6);
            assert!(preferred == 0 && (1..=2).contains(&valid), "{preferred} {valid}");
            assert_eq!(source_to("2001:db8:7::101"), HOST6.to_string());
            room.remove(1, &on(VIP6, 64));
        }
        let room = Room::open();
        room.add(1, &on(VIP6, 64));
        assert_eq!(cache_info(VIP6), (0, u32::MAX), "without a lease");
        testnet::del_address("eth0", VIP6);
        assert!(matches!(room.report(), VipReport::Restored { .. }));
        assert_eq!(cache_info(VIP6), (0, u32::MAX), "put back");
    });
}

#[test]
fn an_address_that_is_to_be_the_source_is_and_one_that_is_adopted_too() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST6, 64);
        let room = Room::open();
        room.add(1, &on(VIP6, 64));
        for options in [
            AddressOptions { preferred: true, ..AddressOptions::default() },
            AddressOptions { source: Some(VIP6.into()), ..AddressOptions::default() },
        ] {
            room.handle.send(VipCommand::Configure { id: 1, options }).unwrap();
            room.add(1, &on(VIP6, 64));
            assert_eq!(cache_info(VIP6), (u32::MAX, u32::MAX));
            assert_eq!(source_to("2001:db8:7::101"), VIP6.to_string());
            let usual = AddressOptions { source: Some(HOST6.into()), ..AddressOptions::default() };
            room.handle.send(VipCommand::Configure { id: 1, options: usual }).unwrap();
            room.add(1, &on(VIP6, 64));
            assert_eq!(cache_info(VIP6), (0, u32::MAX));
        }
    });
}

#[test]
fn an_address_that_is_there_under_another_prefix_is_adopted_and_removed() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST6, 64);
        testnet::add_address("eth0", VIP6, 128);
        let room = Room::open();
        room.add(1, &wanted(VIP6));
        room.remove(1, &wanted(VIP6));
        assert!(find(VIP6).is_none());
        testnet::add_address("eth0", VIP6, 96);
        room.remove(2, &wanted(VIP6));
        assert!(find(VIP6).is_none(), "never added by us");
    });
}

#[test]
fn one_that_somebody_removes_is_back() {
    with_cable(|_peer| {
        let room = Room::open();
        room.add(1, &on(VIP6, 64));
        testnet::del_address("eth0", VIP6);
        let report = room.report();
        assert!(matches!(report, VipReport::Restored { .. }), "{report:?}");
        assert!(find(VIP6).is_some());
    });
}

#[test]
fn release_removes_both_families() {
    with_cable(|_peer| {
        let addresses = [on(VIP6, 64), on(VIP, 24)];
        {
            let room = Room::open();
            for (id, address) in addresses.iter().enumerate() {
                room.add(id as u64, address);
            }
        }
        assert!(release_now(&addresses).is_empty());
        assert!(find(VIP6).is_none() && find(VIP).is_none());
    });
}
