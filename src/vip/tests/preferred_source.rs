//! `IPsrcaddr`: an address as the source of connections.

use super::*;
use crate::vip::preferred_source::is_source;

const ROUTER: &str = "10.99.0.254";

fn ip(arguments: &[&str]) -> String {
    let output = Process::new("ip").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The routes without what differs from kernel to kernel.
fn routes() -> String {
    ip(&["route", "show"]).lines().map(str::trim).collect::<Vec<_>>().join("\n")
}

fn block<T>(work: impl Future<Output = Result<T, VipError>>) -> Result<T, VipError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn chosen() -> String {
    ip(&["route", "get", "192.0.2.1"])
}

#[test]
fn routes_have_the_source_and_then_what_they_had() {
    with_cable(|_peer| {
        let directory = tempfile::tempdir().unwrap();
        let note = directory.path().join("below/source");
        testnet::add_address("eth0", HOST, 24);
        ip(&["route", "add", "default", "via", ROUTER, "metric", "5", "proto", "static", "src", "10.99.0.1"]);
        testnet::add_address("eth0", VIP, 24);
        let before = routes();
        for _ in 0..2 {
            assert!(!block(is_source(VIP.into())).unwrap());
            for _ in 0..2 {
                block(prefer_source(VIP.into(), &note)).unwrap();
                assert!(block(is_source(VIP.into())).unwrap());
            }
            assert!(chosen().contains("src 10.99.0.100"), "{}", chosen());
            assert!(ip(&["route", "get", "10.99.0.7"]).contains("src 10.99.0.100"), "to its network as well");
            block(forget_source(VIP.into(), &note)).unwrap();
            assert_eq!(routes(), before);
            assert!(!note.exists());
        }
        block(forget_source(VIP.into(), &note)).unwrap();
        assert_eq!(routes(), before, "what is not set is given back all the same");
    });
}

#[test]
fn the_routes_come_back_without_the_address() {
    with_cable(|_peer| {
        let directory = tempfile::tempdir().unwrap();
        let note = directory.path().join("source");
        testnet::add_address("eth0", HOST, 24);
        ip(&["route", "add", "default", "via", ROUTER]);
        let before = routes();
        testnet::add_address("eth0", VIP, 24);
        block(prefer_source(VIP.into(), &note)).unwrap();
        testnet::del_address("eth0", VIP);
        assert!(!routes().contains("default"), "the kernel takes it away: {}", routes());
        assert!(!block(is_source(VIP.into())).unwrap());
        block(forget_source(VIP.into(), &note)).unwrap();
        assert_eq!(routes(), before);
    });
}

#[test]
fn what_somebody_else_changed_meanwhile_is_left_alone() {
    with_cable(|_peer| {
        let directory = tempfile::tempdir().unwrap();
        let note = directory.path().join("source");
        testnet::add_address("eth0", HOST, 24);
        testnet::add_address("eth0", VIP, 24);
        ip(&["route", "add", "default", "via", ROUTER]);
        block(prefer_source(VIP.into(), &note)).unwrap();
        ip(&["route", "replace", "default", "via", "10.99.0.253"]);
        block(forget_source(VIP.into(), &note)).unwrap();
        assert!(routes().contains("default via 10.99.0.253"), "{}", routes());
    });
}

#[test]
fn with_the_address_away_or_no_default_route_it_says_what_to_do() {
    with_cable(|_peer| {
        let directory = tempfile::tempdir().unwrap();
        let note = directory.path().join("source");
        testnet::add_address("eth0", HOST, 24);
        let error = block(prefer_source(VIP.into(), &note)).unwrap_err();
        assert!(error.to_string().contains("behind the address"), "{error}");
        testnet::add_address("eth0", VIP, 24);
        let error = block(prefer_source(VIP.into(), &note)).unwrap_err();
        assert!(error.to_string().contains("no default route"), "{error}");
        assert!(!note.exists());
    });
}

#[test]
fn a_held_address_that_comes_back_is_the_source_again() {
    with_cable(|_peer| {
        let directory = tempfile::tempdir().unwrap();
        let note = directory.path().join("source");
        testnet::add_address("eth0", HOST, 24);
        ip(&["route", "add", "default", "via", ROUTER]);
        let before = routes();
        let room = Room::open();
        room.add(1, &on(VIP, 24));
        block(prefer_source(VIP.into(), &note)).unwrap();
        testnet::del_address("eth0", VIP);
        let told = [room.report(), room.report()];
        let both = |told: &[VipReport]| {
            told.iter().any(|report| matches!(report, VipReport::Restored { .. }))
                && told
                    .iter()
                    .any(|report| matches!(report, VipReport::Warning { error: VipError::RoutesBack { .. } }))
        };
        assert!(both(&told), "{told:?}");
        assert!(block(is_source(VIP.into())).unwrap());
        assert!(chosen().contains("src 10.99.0.100"), "{}", chosen());
        block(forget_source(VIP.into(), &note)).unwrap();
        room.remove(1, &on(VIP, 24));
        assert_eq!(routes(), before);
    });
}

#[test]
fn an_ipv6_address_is_the_source_of_the_default_route() {
    const VIP6: std::net::Ipv6Addr = std::net::Ipv6Addr::new(0x2001, 0xdb8, 7, 0, 0, 0, 0, 0x100);
    with_cable(|_peer| {
        let directory = tempfile::tempdir().unwrap();
        let note = directory.path().join("source");
        for address in ["2001:db8:7::1/64", "2001:db8:7::100/64"] {
            ip(&["-6", "address", "add", address, "dev", "eth0", "nodad"]);
        }
        ip(&["-6", "route", "add", "default", "via", "2001:db8:7::ff", "dev", "eth0"]);
        let before = ip(&["-6", "route", "show", "default"]);
        block(prefer_source(VIP6.into(), &note)).unwrap();
        let now = ip(&["-6", "route", "show", "default"]);
        assert!(now.contains("src 2001:db8:7::100") && now.lines().count() == 1, "{now}");
        block(forget_source(VIP6.into(), &note)).unwrap();
        assert_eq!(ip(&["-6", "route", "show", "default"]), before);
    });
}
