//! Addresses that somebody else removed.

use super::*;

/// The next restoration; other reports are not expected.
fn restored(room: &Room) -> (Vec<IpAddr>, bool) {
    match room.report() {
        VipReport::Restored { addresses, often, .. } => (addresses, often),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_address_that_somebody_else_removed_is_back_at_once_and_announced() {
    with_cable(|peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        room.add(1, &wanted(VIP));
        let listener = Listener::at(&peer);
        testnet::del_address("eth0", VIP);
        assert_eq!(restored(&room), (vec![VIP.into()], false));
        assert!(find(VIP).unwrap().attributes.contains(&AddressAttribute::Protocol(network::OURS)));
        listener.announcement(VIP);
    });
}

#[test]
fn a_flush_of_the_interface_brings_all_of_ours_back_in_their_order() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        let vips: Vec<Ipv4Addr> = (1..=40).map(|last| Ipv4Addr::new(10, 99, 0, 100 + last)).collect();
        for (id, vip) in vips.iter().enumerate() {
            room.add(id as u64, &wanted(*vip));
        }
        let status = Process::new("ip").args(["-4", "address", "flush", "dev", "eth0"]).status().unwrap();
        assert!(status.success());
        let mut back = Vec::new();
        while back.len() < vips.len() {
            back.extend(restored(&room).0);
        }
        testnet::eventually("all to be there", || vips.iter().all(|vip| find(*vip).is_some()));
        assert!(find(HOST).is_none(), "not ours");
    });
}

#[test]
fn who_removes_it_again_and_again_is_fought_once_a_second() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        room.add(1, &wanted(VIP));
        for _ in 0..4 {
            testnet::del_address("eth0", VIP);
            assert_eq!(restored(&room), (vec![VIP.into()], false));
        }
        let begun = Instant::now();
        testnet::del_address("eth0", VIP);
        assert_eq!(restored(&room), (vec![VIP.into()], true));
        assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
    });
}

#[test]
fn an_interface_made_anew_gets_its_addresses_back() {
    with_cable(|peer| {
        let room = Room::open();
        room.add(1, &on(VIP, 24));
        testnet::del_link("eth0");
        assert!(room.reports.recv_timeout(Duration::from_millis(100)).is_err(), "nowhere to put it");
        testnet::connect("eth0", &peer);
        assert_eq!(restored(&room).0, [IpAddr::from(VIP)]);
    });
}

#[test]
fn an_address_removed_while_it_is_away_does_not_come_back() {
    with_cable(|peer| {
        let room = Room::open();
        room.add(1, &on(VIP, 24));
        testnet::del_link("eth0");
        room.remove(1, &on(VIP, 24));
        testnet::connect("eth0", &peer);
        assert!(room.reports.recv_timeout(Duration::from_millis(1500)).is_err());
        assert!(find(VIP).is_none());
    });
}

/// An administrator turns IPv6 off: the kernel removes the address, and takes none.
#[test]
fn an_address_that_the_kernel_does_not_take_back_is_told_once_and_again_when_it_is_back() {
    with_cable(|_peer| {
        let vip = super::ipv6::VIP6;
        testnet::add_address("eth0", std::net::Ipv6Addr::new(0x2001, 0xdb8, 7, 0, 0, 0, 0, 1), 64);
        let room = Room::open();
        room.add(1, &wanted(vip));
        let switch = |off: &str| std::fs::write("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", off);
        switch("1").unwrap();
        match room.report() {
            VipReport::Refused { id: 1, error } => {
                assert!(error.to_string().starts_with("cannot add 2001:db8:7::100/"))
            }
            other => panic!("{other:?}"),
        }
        switch("0").unwrap();
        loop {
            match room.report() {
                VipReport::TakenBack { id: 1 } => break,
                VipReport::Restored { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        testnet::eventually("it to be there", || find(vip).is_some());
    });
}
