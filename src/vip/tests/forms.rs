//! Addresses that are there in another form than they were added in.

use netlink_packet_route::address::AddressFlags;

use super::*;
use crate::config::{AddressForm, AddressOptions, IpScope};

const VIP6: std::net::Ipv6Addr = std::net::Ipv6Addr::new(0x2001, 0xdb8, 7, 0, 0, 0, 0, 0x100);

fn ip(arguments: &[&str]) {
    assert!(Process::new("ip").args(arguments).status().unwrap().success(), "{arguments:?}");
}

fn has_flag(address: impl Into<IpAddr>, flag: AddressFlags) -> bool {
    let attributes = find(address).map(|message| message.attributes).unwrap_or_default();
    attributes.iter().any(|attribute| matches!(attribute, AddressAttribute::Flags(flags) if flags.contains(flag)))
}

fn odd(report: VipReport) -> AddressOddity {
    match report {
        VipReport::Warning { error: VipError::OddAddress { oddity, .. } } => oddity,
        other => panic!("{other:?}"),
    }
}

/// The kernel keeps an address whose duplicate it has heard, and does not use it.
#[test]
fn an_address_that_the_kernel_does_not_use_is_made_anew() {
    with_cable(|peer| {
        peer.run(|| ip(&["-6", "address", "add", "2001:db8:7::100/64", "dev", "eth0", "nodad"]));
        ip(&["-6", "address", "add", "2001:db8:7::100/64", "dev", "eth0"]);
        testnet::eventually("the duplicate to be found", || has_flag(VIP6, AddressFlags::Dadfailed));
        peer.run(|| testnet::del_address("eth0", VIP6));
        let room = Room::open();
        room.add(1, &on(VIP6, 64));
        assert!(!has_flag(VIP6, AddressFlags::Dadfailed) && !has_flag(VIP6, AddressFlags::Tentative));
        room.remove(1, &on(VIP6, 64));
        assert!(find(VIP6).is_none());
    });
}

#[test]
fn an_address_on_another_interface_as_well_is_told_once_for_each_time() {
    with_cable(|peer| {
        testnet::connect("eth1", &peer);
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        room.add(1, &on(VIP, 24));
        for _ in 0..2 {
            testnet::add_address("eth1", VIP, 32);
            assert_eq!(odd(room.report()), AddressOddity::Elsewhere { device: "eth1".into() });
            ip(&["address", "del", "10.99.0.100/32", "dev", "eth1"]);
            assert!(room.reports.recv_timeout(Duration::from_millis(200)).is_err(), "that it is gone is no news");
        }
        testnet::add_address("eth1", Ipv4Addr::new(10, 99, 0, 101), 32);
        room.handle.send(VipCommand::Add { id: 2, address: on(Ipv4Addr::new(10, 99, 0, 101), 24) }).unwrap();
        let mut told = [room.report(), room.report()];
        told.sort_by_key(|report| matches!(report, VipReport::Warning { .. }));
        let [added, warning] = told;
        assert!(matches!(added, VipReport::Added { id: 2, .. }), "{added:?}");
        assert_eq!(odd(warning), AddressOddity::Elsewhere { device: "eth1".into() }, "from the beginning");
    });
}

#[test]
fn under_another_prefix_alone_it_is_not_as_it_was_added() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        room.add(1, &on(VIP, 24));
        ip(&["address", "add", "10.99.0.100/32", "dev", "eth0"]);
        ip(&["address", "del", "10.99.0.100/24", "dev", "eth0"]);
        let report = room.report();
        assert!(matches!(report, VipReport::Restored { .. }), "{report:?}");
        let prefixes: Vec<u8> = present()
            .iter()
            .filter(|message| message.attributes.contains(&AddressAttribute::Local(VIP.into())))
            .map(|message| message.header.prefix_len)
            .collect();
        assert!(prefixes.contains(&24), "{prefixes:?}");
    });
}

#[test]
fn another_prefix_of_ipv6_is_told_and_left() {
    with_cable(|_peer| {
        let (worker, reports) = by_hand(async |worker| {
            worker.add(&[VipCommand::Add { id: 1, address: on(VIP6, 64) }]).await;
            testnet::outside(|| {
                ip(&["-6", "address", "del", "2001:db8:7::100/64", "dev", "eth0"]);
                ip(&["-6", "address", "add", "2001:db8:7::100/128", "dev", "eth0", "nodad"]);
            });
            worker.relist().await;
            worker.relist().await;
        });
        assert!(matches!(reports.recv().unwrap(), VipReport::Added { .. }));
        assert_eq!(odd(reports.recv().unwrap()), AddressOddity::Prefix { found: 128, wanted: 64 });
        drop(worker);
        assert!(reports.recv().is_err(), "once");
        assert!(find(VIP6).is_some());
    });
}

#[test]
fn a_lifetime_without_an_end_lasts_until_the_next_renewal() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::leased(leases::shortest());
        room.beat();
        room.add(1, &on(VIP, 24));
        let forever = ["valid_lft", "forever", "preferred_lft", "forever"];
        ip(&[&["address", "change", "10.99.0.100/24", "dev", "eth0"][..], &forever].concat());
        assert_eq!(leases::lifetime(VIP), None);
        room.beat();
        testnet::eventually("a lease again", || leases::lifetime(VIP).is_some());
    });
}

/// What hbd.toml says of one address.
fn in_form(room: &Room, id: u64, address: impl Into<IpAddr>, form: AddressForm) {
    let options = AddressOptions { forms: [(address.into(), form)].into(), ..AddressOptions::default() };
    room.handle.send(VipCommand::Configure { id, options }).unwrap();
}

fn shown(arguments: &[&str]) -> String {
    let output = Process::new("ip").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn listed(address: impl Into<IpAddr>) -> String {
    shown(&["-oneline", "-details", "address", "show", "to", &address.into().to_string()])
}

#[test]
fn an_address_has_the_form_that_is_written() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        let peer = Some(Ipv4Addr::new(10, 77, 0, 1).into());
        let (label, scope) = (Some("eth0:web".into()), Some(IpScope::Link));
        in_form(&room, 1, VIP, AddressForm { label, scope, metric: Some(7), peer, ..AddressForm::default() });
        room.add(1, &on(VIP, 32));
        let line = listed(VIP);
        for word in ["inet 10.99.0.100 peer 10.77.0.1/32 metric 7 scope link", " eth0:web\\"] {
            assert!(line.contains(word), "{word}: {line}");
        }
        assert!(shown(&["route", "show"]).contains("10.77.0.1 dev eth0"), "{}", shown(&["route", "show"]));
        room.remove(1, &on(VIP, 32));
        assert!(find(VIP).is_none() && !shown(&["route", "show"]).contains("10.77.0.1"));

        let other = Ipv4Addr::new(10, 78, 0, 1);
        for (form, route) in [
            (
                AddressForm { metric: Some(9), ..AddressForm::default() },
                "10.78.0.0/24 dev eth0 proto kernel scope link src 10.78.0.1 metric 9",
            ),
            (AddressForm { no_prefix_route: true, ..AddressForm::default() }, ""),
        ] {
            let has_route = !form.no_prefix_route;
            in_form(&room, 2, other, form);
            room.add(2, &on(other, 24));
            let routes = shown(&["route", "show"]);
            assert!(routes.contains(route) && routes.contains("10.78.0.0/24") == has_route, "{routes}");
            room.remove(2, &on(other, 24));
        }
    });
}

#[test]
fn an_address_that_is_there_in_another_form_gets_its_own() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST, 24);
        ip(&["address", "add", "10.99.0.100/24", "dev", "eth0", "label", "eth0:old"]);
        let room = Room::open();
        in_form(&room, 1, VIP, AddressForm { label: Some("eth0:web".into()), ..AddressForm::default() });
        room.add(1, &on(VIP, 24));
        assert_eq!(
            odd(room.report()),
            AddressOddity::Form { found: "label eth0:old".into(), fate: FormFate::PutRight }
        );
        testnet::eventually("the label of hbd.toml", || listed(VIP).contains(" eth0:web\\"));
        assert_eq!(listed(VIP).lines().count(), 1);
    });
}

#[test]
fn what_somebody_changes_is_put_right_but_not_in_a_fight() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST, 24);
        let other = Ipv4Addr::new(10, 78, 0, 1);
        let addresses: [(u64, IpAddr, u8); 2] = [(1, other.into(), 24), (2, VIP6.into(), 64)];
        for (id, address, prefix) in addresses {
            let room = Room::open();
            in_form(&room, id, address, AddressForm { metric: Some(7), ..AddressForm::default() });
            let wanted = Address { address, ..on(VIP, prefix) };
            room.add(id, &wanted);
            let change = |metric: &str| {
                let place = format!("{address}/{prefix}");
                ip(&["address", "change", &place, "dev", "eth0", "metric", metric]);
            };
            for round in 0..5 {
                change("9");
                let told = odd(room.report());
                assert_eq!(
                    told,
                    AddressOddity::Form { found: "metric 9".into(), fate: FormFate::PutRight },
                    "{address} {round}"
                );
                testnet::eventually("the metric of hbd.toml", || listed(address).contains("metric 7"));
            }
            change("9");
            assert_eq!(
                odd(room.report()),
                AddressOddity::Form { found: "metric 9".into(), fate: FormFate::Fought },
                "{address}"
            );
            assert!(listed(address).contains("metric 9"));
            room.remove(id, &wanted);
        }
    });
}

#[test]
fn the_form_comes_back_with_the_address() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        in_form(&room, 1, VIP, AddressForm { label: Some("eth0:web".into()), ..AddressForm::default() });
        room.add(1, &on(VIP, 24));
        testnet::del_address("eth0", VIP);
        let report = room.report();
        assert!(matches!(report, VipReport::Restored { .. }), "{report:?}");
        assert!(listed(VIP).contains(" eth0:web\\"), "{}", listed(VIP));
    });
}

/// The kernel wants one scope for all addresses of a network, and says so only when it is too late.
#[test]
fn a_form_that_the_kernel_refuses_costs_no_address() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        testnet::add_address("eth0", VIP, 24);
        in_form(&room, 1, VIP, AddressForm { scope: Some(IpScope::Link), ..AddressForm::default() });
        room.add(1, &on(VIP, 24));
        let told = odd(room.report());
        assert_eq!(told, AddressOddity::Form { found: "scope global".into(), fate: FormFate::Refused });
        assert!(listed(VIP).contains("scope global"), "{}", listed(VIP));
        room.remove(1, &on(VIP, 24));
        assert!(find(VIP).is_none());
    });
}
