//! Routes and rules that come and go with an address, against the kernel.

use super::*;
use crate::config::{AddressOptions, GroupRoute, GroupRule};

const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 254);

fn route(text: &str) -> GroupRoute {
    GroupRoute {
        text: text.into(),
        ipv4: true,
        destination: None,
        gateway: Some(ROUTER.into()),
        source: Some(VIP.into()),
        device: None,
        table: 254,
        metric: None,
        link_scope: false,
        onlink: false,
    }
}

/// A default route with the address as its source, one in a table of its own, and the rule that leads there.
fn options() -> AddressOptions {
    let network = (Ipv4Addr::new(172, 20, 0, 0).into(), 16);
    let own = GroupRoute { table: 1000, metric: Some(7), onlink: true, ..route("of a table") };
    let to_network = GroupRoute { destination: Some(network), gateway: None, ..route("to a network") };
    let rule = GroupRule {
        text: "of the address".into(),
        ipv4: true,
        from: Some((VIP.into(), 32)),
        to: None,
        table: 1000,
        priority: 100,
    };
    AddressOptions { routes: vec![route("default"), own, to_network], rules: vec![rule], ..AddressOptions::default() }
}

fn ip(arguments: &[&str]) -> String {
    let output = Process::new("ip").args(arguments).output().unwrap();
    assert!(output.status.success() || arguments.contains(&"1000"), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn all_there() -> bool {
    let main = routes();
    main.contains("default via 10.99.0.254 dev eth0 proto 72 src 10.99.0.100")
        && main.contains("172.20.0.0/16 dev eth0 proto 72 scope link src 10.99.0.100")
        && ip(&["route", "show", "table", "1000"]).contains("default via 10.99.0.254 dev eth0")
        && ip(&["rule", "show"]).contains("100:\tfrom 10.99.0.100 lookup 1000 proto 72")
}

fn nothing_there() -> bool {
    !routes().contains("proto 72")
        && ip(&["route", "show", "table", "1000"]).is_empty()
        && !ip(&["rule", "show"]).contains("1000")
}

fn configured(room: &Room, options: AddressOptions) {
    room.handle.send(VipCommand::Configure { id: 1, options }).unwrap();
}

#[test]
fn they_come_and_go_with_the_address() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        configured(&room, options());
        for _ in 0..2 {
            room.add(1, &wanted(VIP));
            assert!(all_there(), "{}", routes());
            room.add(1, &wanted(VIP));
            assert!(all_there(), "adopted: {}", routes());
            room.remove(1, &wanted(VIP));
            assert!(nothing_there() && find(VIP).is_none(), "{}", routes());
        }
    });
}

#[test]
fn when_the_address_is_removed_by_others_the_default_route_comes_back_with_it() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        configured(&room, options());
        room.add(1, &wanted(VIP));
        testnet::del_address("eth0", VIP);
        let report = room.report();
        assert!(matches!(report, VipReport::Restored { .. }), "{report:?}");
        testnet::eventually("all to be there", all_there);
    });
}

#[test]
fn a_route_or_a_rule_that_somebody_removes_is_back() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        configured(&room, options());
        room.add(1, &wanted(VIP));
        for removal in [
            &["route", "del", "default"][..],
            &["route", "flush", "table", "1000"],
            &["rule", "del", "priority", "100"],
        ] {
            ip(removal);
            let report = room.report();
            let VipReport::Warning { error: VipError::RoutesBack { what } } = report else { panic!("{report:?}") };
            assert!(what.starts_with("route ") || what.starts_with("rule "), "{what}");
            testnet::eventually("all to be there", all_there);
        }
    });
}

#[test]
fn they_survive_an_interface_that_was_down() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        configured(&room, options());
        room.add(1, &wanted(VIP));
        testnet::set_up("eth0", false);
        assert!(!routes().contains("proto 72"), "the kernel removes them, and says nothing");
        testnet::set_up("eth0", true);
        testnet::eventually("all to be there", all_there);
    });
}

#[test]
fn an_address_whose_route_cannot_be_added_is_not_added() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        let far = Ipv4Addr::new(192, 0, 2, 1);
        let bad = GroupRoute { gateway: Some(far.into()), table: 1000, ..route("default via 192.0.2.1") };
        let mut options = options();
        options.routes.push(bad);
        configured(&room, options);
        let report = room.tell(VipCommand::Add { id: 1, address: wanted(VIP) });
        let VipReport::NotAdded { id: 1, error } = report else { panic!("{report:?}") };
        assert!(error.to_string().contains("route default via 192.0.2.1"), "{error}");
        assert!(nothing_there() && find(VIP).is_none(), "{}", routes());
    });
}

#[test]
fn somebody_elses_route_is_left_alone_and_named() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST, 24);
        ip(&["route", "add", "default", "via", "10.99.0.253"]);
        let room = Room::open();
        configured(&room, options());
        let report = room.tell(VipCommand::Add { id: 1, address: wanted(VIP) });
        let VipReport::NotAdded { error, .. } = report else { panic!("{report:?}") };
        assert!(error.to_string().contains("another metric"), "{error}");
        assert!(routes().contains("default via 10.99.0.253"), "{}", routes());
    });
}

#[test]
fn routes_that_stay_away_are_told_and_the_address_is_whole_when_they_are_back() {
    with_cable(|peer| {
        testnet::add_address("eth0", HOST, 24);
        testnet::connect("eth1", &peer);
        let room = Room::open();
        let network = (Ipv4Addr::new(172, 20, 0, 0).into(), 16);
        let away =
            GroupRoute { destination: Some(network), gateway: None, device: Some("eth1".into()), ..route("away") };
        configured(&room, AddressOptions { routes: vec![away], ..AddressOptions::default() });
        room.add(1, &wanted(VIP));
        testnet::del_link("eth1");
        let report = room.report();
        assert!(matches!(&report, VipReport::Warning { error: VipError::Route { .. } }), "{report:?}");
        let report = room.report();
        assert!(matches!(report, VipReport::Expired { id: 1 }), "{report:?}");
        // The core asks the LAN, and then for the address.
        room.handle.send(VipCommand::Add { id: 1, address: wanted(VIP) }).unwrap();
        assert!(room.reports.recv_timeout(Duration::from_millis(1200)).is_err(), "not before it is whole");
        testnet::connect("eth1", &peer);
        let report = room.report();
        assert!(matches!(report, VipReport::Warning { error: VipError::RoutesBack { .. } }), "{report:?}");
        let report = room.report();
        assert!(matches!(report, VipReport::Added { id: 1, .. }), "{report:?}");
        assert!(routes().contains("172.20.0.0/16 dev eth1"), "{}", routes());
        room.remove(1, &wanted(VIP));
        assert!(!routes().contains("172.20.0.0/16"), "{}", routes());
    });
}

#[test]
fn release_removes_them() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        configured(&room, options());
        room.add(1, &wanted(VIP));
        drop(room);
        assert!(all_there(), "they stay while nobody removes them");
        assert!(release_now(&[wanted(VIP)]).is_empty());
        assert!(nothing_there() && find(VIP).is_none(), "{}", routes());
    });
}

#[test]
fn a_route_of_ipv6_gets_its_source_back() {
    const VIP6: std::net::Ipv6Addr = std::net::Ipv6Addr::new(0x2001, 0xdb8, 7, 0, 0, 0, 0, 0x100);
    with_cable(|_peer| {
        let room = Room::open();
        let network = ("2001:db8:99::".parse().unwrap(), 48);
        let route = GroupRoute {
            ipv4: false,
            destination: Some(network),
            gateway: None,
            source: Some(VIP6.into()),
            ..route("to a network")
        };
        configured(&room, AddressOptions { routes: vec![route], ..AddressOptions::default() });
        room.add(1, &on(VIP6, 64));
        let there =
            || ip(&["-6", "route", "show"]).contains("2001:db8:99::/48 dev eth0 proto 72 src 2001:db8:7::100");
        assert!(there(), "{}", ip(&["-6", "route", "show"]));
        testnet::del_address("eth0", VIP6);
        let report = room.report();
        assert!(matches!(report, VipReport::Restored { .. }), "{report:?}");
        testnet::eventually("the route to have its source", there);
        room.remove(1, &on(VIP6, 64));
        assert!(!ip(&["-6", "route", "show"]).contains("2001:db8:99::"));
    });
}

/// As IPsrcaddr of resource-agents sets them: without them the machine is cut off.
#[test]
fn the_routes_of_others_come_back_with_their_source() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        room.add(1, &wanted(VIP));
        ip(&["route", "replace", "10.99.0.0/24", "dev", "eth0", "src", "10.99.0.100"]);
        ip(&["route", "add", "default", "via", "10.99.0.254", "src", "10.99.0.100"]);
        ip(&["route", "add", "172.20.0.0/16", "via", "10.99.0.254", "src", "10.99.0.100"]);
        ip(&["route", "del", "172.20.0.0/16"]);
        for _ in 0..2 {
            testnet::del_address("eth0", VIP);
            let (mut address, mut back) = (false, false);
            while !(address && back) {
                match room.report() {
                    VipReport::Restored { .. } => address = true,
                    VipReport::Warning { error: VipError::RoutesBack { what } } => {
                        back = what.contains("route default")
                    }
                    other => panic!("{other:?}"),
                }
            }
            let now = routes();
            assert!(now.contains("default via 10.99.0.254 dev eth0 src 10.99.0.100"), "{now}");
            assert!(now.contains("10.99.0.0/24 dev eth0 scope link src 10.99.0.100"), "{now}");
            assert!(!now.contains("172.20.0.0/16"), "somebody had removed it: {now}");
        }
        room.remove(1, &wanted(VIP));
        assert!(!routes().contains("src 10.99.0.100"), "{}", routes());
    });
}
