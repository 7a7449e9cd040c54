//! An interface that is removed and comes back under its name, seen by every medium that uses interfaces.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::config::Medium;
use crate::testnet::{self, Peer, with_cable};

const DEFAULTS: Defaults = Defaults { udpport: 694, baud: 19_200 };
const REOPENING_LIMIT: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(20);

const V4: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::new(10, 99, 0, 1)), IpAddr::V4(Ipv4Addr::new(10, 99, 0, 2))];
const V6: [IpAddr; 2] =
    [IpAddr::V6(Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 1)), IpAddr::V6(Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 2))];

/// Addresses of both families at both ends of `eth0`.
fn addresses(peer: &Peer) {
    let give = |end: usize| {
        let IpAddr::V4(v4) = V4[end] else { return };
        testnet::add_broadcast_address("eth0", v4, 24);
        testnet::add_address("eth0", V6[end], 64);
    };
    give(0);
    peer.run(move || give(1));
}

/// What ha.cf has at one end of the cable.
type Line = fn(usize) -> Medium;

fn group(address: IpAddr) -> Medium {
    Medium::Mcast { device: "eth0".into(), group: address, port: 700, ttl: 1, looped: false }
}

/// Answers every message that arrives at the other end until what it returns is dropped; opens its link again as
/// hbd does.
#[must_use]
fn answer(peer: &Peer, line: Line) -> Arc<()> {
    let wanted = Arc::new(());
    let answering = Arc::downgrade(&wanted);
    // A thread begins in the namespace of the one that starts it.
    peer.run(move || {
        std::thread::spawn(move || {
            runtime().block_on(async {
                let (mut link, mut buffer) = (MediaLink::new(line(1), DEFAULTS), [0; 16]);
                while answering.strong_count() > 0 {
                    let _ = link.try_open();
                    let _ = tokio::time::timeout(PAUSE, link.ready()).await;
                    while let Ok((length, _)) = link.try_recv(&mut buffer) {
                        let _ = link.send(&buffer[..length]);
                    }
                    // Only sending tells that an interface is gone.
                    let _ = link.send(b"beat");
                }
            });
        });
    });
    wanted
}

/// A message is answered, sooner or later: IPv6 sends after duplicate address detection, some two seconds.
async fn is_answered(link: &mut MediaLink, question: &[u8]) {
    let patience = Instant::now() + REOPENING_LIMIT;
    let mut buffer = [0; 16];
    loop {
        assert!(Instant::now() < patience, "no answer on {}", link.name());
        let _ = link.try_open().is_ok() && link.send(question).is_ok();
        let _ = tokio::time::timeout(PAUSE, link.ready()).await;
        while let Ok((length, _)) = link.try_recv(&mut buffer) {
            if &buffer[..length] == question {
                return;
            }
        }
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn comes_back(line: Line) {
    with_cable(move |peer| {
        addresses(&peer);
        let _answering = answer(&peer, line);
        runtime().block_on(async {
            let mut link = MediaLink::new(line(0), DEFAULTS);
            is_answered(&mut link, b"before").await;

            testnet::outside(|| testnet::del_link("eth0"));
            let errors = link.counters().send_errors;
            link.send(b"lost").unwrap_err();
            assert!(!link.is_open());
            assert_eq!(link.counters().send_errors, errors + 1);
            assert!(matches!(link.try_open(), Err(MediaError::NoSuchInterface { .. })));

            testnet::outside(|| {
                testnet::connect("eth0", &peer);
                addresses(&peer);
            });
            is_answered(&mut link, b"after").await;
        });
    });
}

#[test]
fn ucast_is_opened_again() {
    comes_back(|end| Medium::Ucast { device: "eth0".into(), peer: V4[1 - end] });
}

#[test]
fn ucast6_is_opened_again() {
    comes_back(|end| Medium::Ucast { device: "eth0".into(), peer: V6[1 - end] });
}

#[test]
fn bcast_is_opened_again() {
    comes_back(|_| Medium::Bcast { device: "eth0".into() });
}

#[test]
fn mcast_is_opened_again() {
    comes_back(|_| group(Ipv4Addr::new(225, 0, 0, 1).into()));
}

#[test]
fn mcast6_is_opened_again() {
    comes_back(|_| group(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 1).into()));
}
