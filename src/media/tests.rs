//! UDP media over a cable of its own (see `testnet`).

use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::*;
use crate::config::Medium;
use crate::testnet::{self, Peer, with_cable};

const PORT: u16 = 694;
const DEFAULTS: Defaults = Defaults { udpport: PORT, baud: 19_200 };
const HERE: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
const THERE: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);
const ARRIVAL_LIMIT: Duration = Duration::from_secs(10);

/// Addresses at both ends of `eth0`.
fn addresses(peer: &Peer) {
    testnet::add_address("eth0", HERE, 24);
    peer.run(|| testnet::add_address("eth0", THERE, 24));
}

/// A plain socket at the peer's end.
fn peer_socket(peer: &Peer) -> UdpSocket {
    let socket = peer.run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).unwrap());
    socket.set_read_timeout(Some(ARRIVAL_LIMIT)).unwrap();
    socket
}

fn link() -> MediaLink {
    MediaLink::new(Medium::Ucast { device: "eth0".into(), peer: THERE.into() }, DEFAULTS)
}

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

async fn within<T>(what: impl Future<Output = io::Result<T>>) -> T {
    tokio::time::timeout(ARRIVAL_LIMIT, what).await.expect("in time").unwrap()
}

/// The next datagram, when it comes.
async fn received(medium: &Udp, buffer: &mut [u8]) -> usize {
    loop {
        within(medium.readable()).await;
        if let Ok((length, _)) = medium.try_recv(buffer) {
            return length;
        }
    }
}

/// The next message on a link, when it comes.
async fn heard(link: &mut MediaLink, buffer: &mut [u8]) -> usize {
    loop {
        within(link.ready()).await;
        if let Ok((length, _)) = link.try_recv(buffer) {
            return length;
        }
    }
}

#[test]
fn messages_pass_both_ways() {
    with_cable(|peer| {
        addresses(&peer);
        let far = peer_socket(&peer);
        run(async {
            let near = ucast::open("eth0", THERE.into(), PORT).unwrap();
            near.send(b"###\n1:a,%%%\n").unwrap();
            let mut buffer = vec![0; MESSAGE_MAX];
            let (length, from) = far.recv_from(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], b"###\n1:a,%%%\n");
            assert_eq!(from.ip(), IpAddr::V4(HERE));
            assert_ne!(from.port(), PORT, "from an ephemeral port");

            let refused = near.try_recv(&mut buffer).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
            // The source port of a message does not matter.
            let stranger = peer.run(|| UdpSocket::bind((THERE, 0)).unwrap());
            for message in [b"one".as_slice(), b"", b"three"] {
                stranger.send_to(message, (HERE, PORT)).unwrap();
                let length = received(&near, &mut buffer).await;
                assert_eq!(&buffer[..length], message);
            }
        });
    });
}

#[test]
fn what_is_queued_can_be_read_without_waiting() {
    with_cable(|peer| {
        addresses(&peer);
        let far = peer_socket(&peer);
        run(async {
            let mut link = link();
            link.try_open().unwrap();
            for message in [b"1", b"2", b"3"] {
                far.send_to(message, (HERE, PORT)).unwrap();
            }
            let mut buffer = [0; 16];
            let mut read = Vec::new();
            while read.len() < 3 {
                within(link.ready()).await;
                while let Ok((length, _)) = link.try_recv(&mut buffer) {
                    read.push(buffer[..length].to_vec());
                }
            }
            assert_eq!(read, [b"1", b"2", b"3"]);
            assert_eq!(link.counters().received, 3);
        });
    });
}

#[test]
fn a_datagram_looks_like_heartbeats() {
    with_cable(|peer| {
        addresses(&peer);
        let capture = peer.run(|| {
            let protocol = Protocol::from(i32::from(0x0800_u16.to_be()));
            Socket::new(Domain::PACKET, Type::RAW, Some(protocol)).unwrap()
        });
        capture.set_read_timeout(Some(ARRIVAL_LIMIT)).unwrap();
        run(async { ucast::open("eth0", THERE.into(), PORT).unwrap().send(b"x").unwrap() });
        let mut frame = [0; 2048];
        let length = (&capture).read(&mut frame).unwrap();
        assert!(length >= 43, "Ethernet, IP, UDP and one byte");
        assert_eq!(frame[15], 0x10, "TOS low delay");
        assert_eq!(frame[22], 64, "TTL");
        assert_eq!(u16::from_be_bytes([frame[36], frame[37]]), PORT, "destination port");
    });
}

#[test]
fn the_longest_datagram_passes_and_a_longer_one_is_an_error() {
    with_cable(|peer| {
        addresses(&peer);
        let far = peer_socket(&peer);
        run(async {
            let mut link = link();
            link.try_open().unwrap();
            link.send(&vec![7; 65_507]).unwrap();
            let mut buffer = vec![0; MESSAGE_MAX];
            assert_eq!(far.recv(&mut buffer).unwrap(), 65_507);
            let error = link.send(&vec![7; 65_508]).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
            assert_eq!(link.counters(), Counters { sent: 1, received: 0, send_errors: 1 });
        });
    });
}

#[test]
fn other_interfaces_are_not_heard() {
    with_cable(|peer| {
        addresses(&peer);
        testnet::connect("eth1", &peer);
        testnet::add_address("eth1", Ipv4Addr::new(10, 98, 0, 1), 24);
        peer.run(|| testnet::add_address("eth1", Ipv4Addr::new(10, 98, 0, 2), 24));
        let far = peer_socket(&peer);
        run(async {
            let near = ucast::open("eth0", THERE.into(), PORT).unwrap();
            let other = ucast::open("eth1", IpAddr::from([10, 98, 0, 2]), PORT).unwrap();
            far.send_to(b"on eth1", (Ipv4Addr::new(10, 98, 0, 1), PORT)).unwrap();
            let mut buffer = [0; 64];
            let length = received(&other, &mut buffer).await;
            assert_eq!(&buffer[..length], b"on eth1");
            assert_eq!(near.try_recv(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        });
    });
}

#[test]
fn two_lines_on_one_interface_share_the_port() {
    with_cable(|peer| {
        addresses(&peer);
        run(async {
            let _first = ucast::open("eth0", THERE.into(), PORT).unwrap();
            let _second = ucast::open("eth0", IpAddr::from([10, 99, 0, 3]), PORT).unwrap();
        });
    });
}

#[test]
fn a_port_in_use_is_named() {
    with_cable(|peer| {
        addresses(&peer);
        let heartbeat = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).unwrap();
        let far = peer_socket(&peer);
        run(async {
            let mut link = link();
            let error = link.try_open().unwrap_err();
            assert!(matches!(error, MediaError::PortInUse { .. }), "{error}");
            assert!(error.to_string().contains("694"), "{error}");
            // The peer hears us all the same, and we take the port when it is free.
            assert!(link.can_send() && !link.is_open());
            link.send(b"here").unwrap();
            let mut buffer = [0; 16];
            assert_eq!(far.recv(&mut buffer).unwrap(), 4);
            assert_eq!(link.try_recv(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            assert!(link.try_open().is_err(), "still taken");
            drop(heartbeat);
            link.try_open().unwrap();
            assert!(link.is_open());
            far.send_to(b"back", (HERE, PORT)).unwrap();
            assert_eq!(heard(&mut link, &mut buffer).await, 4);
        });
    });
}

#[test]
fn a_peer_that_does_not_listen_fails_no_send() {
    with_cable(|peer| {
        addresses(&peer);
        run(async {
            let near = ucast::open("eth0", THERE.into(), PORT).unwrap();
            // Each is answered by ICMP port unreachable, which must not come back as an error of a later one.
            for _ in 0..20 {
                near.send(b"anybody?").unwrap();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
    });
}

#[test]
fn a_missing_interface_is_not_the_end() {
    with_cable(|peer| {
        run(async {
            let mut link = MediaLink::new(Medium::Ucast { device: "eth1".into(), peer: THERE.into() }, DEFAULTS);
            let error = link.try_open().unwrap_err();
            assert!(matches!(error, MediaError::NoSuchInterface { .. }), "{error}");
            assert!(error.to_string().contains("interface eth1 does not exist"), "{error}");
            assert!(!link.is_open());
            assert_eq!(link.send(b"x").unwrap_err().kind(), io::ErrorKind::NotConnected);
            assert_eq!(link.try_recv(&mut [0; 8]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            assert_eq!(link.counters(), Counters { sent: 0, received: 0, send_errors: 1 });
        });
        testnet::connect("eth1", &peer);
        run(async {
            let mut link = MediaLink::new(Medium::Ucast { device: "eth1".into(), peer: THERE.into() }, DEFAULTS);
            link.try_open().unwrap();
            assert!(link.is_open());
            assert_eq!(link.name(), "eth1");
        });
    });
}

#[test]
fn an_interface_that_is_down_is_an_error_and_then_works_again() {
    with_cable(|peer| {
        addresses(&peer);
        let far = peer_socket(&peer);
        run(async {
            let mut link = link();
            link.try_open().unwrap();
            testnet::outside(|| testnet::set_up("eth0", false));
            let error = link.send(b"x").unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::ENETUNREACH));
            assert!(link.is_open(), "its sockets are as good as new ones");
            testnet::outside(|| testnet::set_up("eth0", true));
            link.send(b"back").unwrap();
            let mut buffer = [0; 8];
            assert_eq!(far.recv(&mut buffer).unwrap(), 4);
        });
    });
}

#[test]
fn sending_never_waits() {
    with_cable(|peer| {
        addresses(&peer);
        run(async {
            // Nobody answers ARP for this one: datagrams pile up and are refused or dropped, not waited for.
            let mut link = MediaLink::new(
                Medium::Ucast { device: "eth0".into(), peer: IpAddr::from([10, 99, 0, 77]) },
                DEFAULTS,
            );
            link.try_open().unwrap();
            let started = std::time::Instant::now();
            let refused = (0..2000).filter(|_| link.send(&[0; 1400]).is_err()).count() as u64;
            assert!(started.elapsed() < Duration::from_secs(1), "ARP alone would take three");
            assert_eq!(link.counters().send_errors, refused);
            assert_eq!(link.counters().sent, 2000 - refused);
        });
    });
}

#[test]
fn ipv6_peers_are_reached_too() {
    with_cable(|peer| {
        run(async {
            // Each end is reached by its link-local address, which needs no configuration and names no scope.
            let far = peer.run(|| {
                let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, PORT)).unwrap();
                socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
                socket
            });
            let near = ucast::open("eth0", link_local(&peer).into(), PORT).unwrap();
            let mut buffer = [0; 16];
            // The addresses are usable after duplicate address detection, some two seconds.
            let from = loop {
                let _ = near.send(b"six");
                if let Ok((3, from)) = far.recv_from(&mut buffer) {
                    break from;
                }
            };
            assert!(from.is_ipv6());
            far.send_to(b"answer", std::net::SocketAddrV6::new(ipv6(from.ip()), PORT, 0, scope(from))).unwrap();
            assert_eq!(received(&near, &mut buffer).await, 6);
        });
    });
}

/// Somebody at the peer's end who has joined a group or a network, and says what is heard there, and from which
/// address.
fn hears(far: &UdpSocket, wanted: &[u8]) -> std::net::SocketAddr {
    let mut buffer = [0; 64];
    let (length, from) = far.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], wanted);
    from
}

#[test]
fn a_broadcast_reaches_the_whole_network_and_comes_back() {
    with_cable(|peer| {
        run(async {
            let medium = || Medium::Bcast { device: "eth0".into() };
            let mut link = MediaLink::new(medium(), DEFAULTS);
            let error = link.try_open().unwrap_err();
            assert!(error.to_string().contains("has no IPv4 address"), "{error}");
            testnet::outside(|| peer.run(|| testnet::add_broadcast_address("eth0", THERE, 24)));
            testnet::outside(|| testnet::add_broadcast_address("eth0", HERE, 24));
            let far = peer_socket(&peer);
            far.set_broadcast(true).unwrap();
            link.try_open().unwrap();
            link.send(b"all").unwrap();
            assert_eq!(hears(&far, b"all").ip(), IpAddr::V4(HERE));
            let mut buffer = [0; 64];
            assert_eq!(heard(&mut link, &mut buffer).await, 3, "our own, which the core knows as such");
            far.send_to(b"answer", (Ipv4Addr::new(10, 99, 0, 255), PORT)).unwrap();
            assert_eq!(heard(&mut link, &mut buffer).await, 6);
            assert_eq!(link.name(), "eth0");
        });
    });
}

#[test]
fn a_multicast_reaches_its_group_with_its_ttl() {
    with_cable(|peer| {
        addresses(&peer);
        let group = Ipv4Addr::new(239, 0, 0, 42);
        let far = peer.run(move || {
            let socket = UdpSocket::bind((group, 700)).unwrap();
            socket.join_multicast_v4(&group, &THERE).unwrap();
            socket.set_read_timeout(Some(ARRIVAL_LIMIT)).unwrap();
            socket
        });
        let capture = peer.run(|| {
            let protocol = Protocol::from(i32::from(0x0800_u16.to_be()));
            Socket::new(Domain::PACKET, Type::RAW, Some(protocol)).unwrap()
        });
        capture.set_read_timeout(Some(ARRIVAL_LIMIT)).unwrap();
        run(async {
            let medium =
                Medium::Mcast { device: "eth0".into(), group: group.into(), port: 700, ttl: 3, looped: false };
            let mut link = MediaLink::new(medium, DEFAULTS);
            link.try_open().unwrap();
            link.send(b"group").unwrap();
            assert_eq!(hears(&far, b"group").ip(), IpAddr::V4(HERE));
            let mut frame = [0; 2048];
            let ttl = loop {
                let length = (&capture).read(&mut frame).unwrap();
                // UDP only: joining a group sends IGMP.
                if length > 42 && frame[23] == 17 {
                    break frame[22];
                }
            };
            assert_eq!(ttl, 3);
            socket2::SockRef::from(&far).set_multicast_if_v4(&THERE).unwrap();
            far.send_to(b"answer", (group, 700)).unwrap();
            let mut buffer = [0; 64];
            assert_eq!(heard(&mut link, &mut buffer).await, 6, "not our own: loop is 0");
        });
    });
}

#[test]
fn a_multicast_comes_back_where_loop_is_1() {
    with_cable(|peer| {
        addresses(&peer);
        run(async {
            let group = IpAddr::from([239, 0, 0, 42]);
            let medium = Medium::Mcast { device: "eth0".into(), group, port: 700, ttl: 1, looped: true };
            let mut link = MediaLink::new(medium, DEFAULTS);
            link.try_open().unwrap();
            link.send(b"echo").unwrap();
            assert_eq!(heard(&mut link, &mut [0; 64]).await, 4);
        });
    });
}

#[test]
fn a_multicast_over_ipv6_reaches_its_group() {
    with_cable(|peer| {
        let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 1);
        let far = peer.run(move || {
            let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 700)).unwrap();
            socket.join_multicast_v6(&group, device::index("eth0").unwrap()).unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
            socket
        });
        run(async {
            let medium =
                Medium::Mcast { device: "eth0".into(), group: group.into(), port: 700, ttl: 1, looped: false };
            let mut link = MediaLink::new(medium, DEFAULTS);
            link.try_open().unwrap();
            let mut buffer = [0; 16];
            // Sending works after duplicate address detection, some two seconds.
            let from = loop {
                let _ = link.send(b"six");
                if let Ok((3, from)) = far.recv_from(&mut buffer) {
                    break from;
                }
            };
            assert!(from.is_ipv6());
        });
    });
}

/// The peer's link-local address on eth0, from its MAC address (RFC 4291 appendix A).
fn link_local(peer: &Peer) -> Ipv6Addr {
    peer.run(|| {
        let table = std::fs::read_to_string("/proc/thread-self/net/if_inet6").unwrap();
        let line = table.lines().find(|line| line.starts_with("fe80")).expect("a link-local address");
        Ipv6Addr::from(u128::from_str_radix(&line[..32], 16).unwrap())
    })
}

fn ipv6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V6(address) => address,
        IpAddr::V4(address) => address.to_ipv6_mapped(),
    }
}

fn scope(address: std::net::SocketAddr) -> u32 {
    match address {
        std::net::SocketAddr::V6(address) => address.scope_id(),
        std::net::SocketAddr::V4(_) => 0,
    }
}
