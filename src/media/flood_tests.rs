//! What the kernel keeps back in a flood, and what it lets through, over a cable of its own (see `testnet`).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::*;
use crate::testnet::{self, with_cable};

const PORT: u16 = 694;
const HERE: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
const THERE: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);
const STRANGER: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 3);

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

/// Everything that is queued. A cable between namespaces delivers within the system call of the sender.
fn queued(medium: &Udp) -> Vec<(Vec<u8>, IpAddr)> {
    let mut buffer = vec![0; MESSAGE_MAX];
    let mut queued = Vec::new();
    loop {
        match medium.try_recv(&mut buffer) {
            Ok((length, source)) => queued.push((buffer[..length].to_vec(), source)),
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                return queued;
            }
        }
    }
}

/// Sends a message of its own behind the others, from a known source, and waits until it has come.
async fn settle(medium: &Udp, known: &UdpSocket, to: IpAddr) -> Vec<(Vec<u8>, IpAddr)> {
    known.send_to(b"###\nlast", (to, PORT)).unwrap();
    let mut all = Vec::new();
    while all.last().is_none_or(|(last, _): &(Vec<u8>, IpAddr)| last != b"###\nlast") {
        tokio::time::timeout(Duration::from_secs(10), medium.readable()).await.expect("in time").unwrap();
        all.extend(queued(medium));
    }
    all.pop();
    all
}

#[test]
fn in_a_flood_known_sources_are_heard_and_strangers_are_sampled() {
    with_cable(|peer| {
        testnet::add_address("eth0", HERE, 24);
        let (known, stranger) = peer.run(|| {
            testnet::add_address("eth0", THERE, 24);
            testnet::add_address("eth0", STRANGER, 24);
            (UdpSocket::bind((THERE, 0)).unwrap(), UdpSocket::bind((STRANGER, 0)).unwrap())
        });
        run(async {
            let medium = ucast::open("eth0", THERE.into(), PORT).unwrap();
            let pour = |socket: &UdpSocket, what: &[u8], count| {
                for _ in 0..count {
                    socket.send_to(what, (HERE, PORT)).unwrap();
                }
            };
            // In quiet times everything is heard, whatever it is: a peer may have several addresses.
            pour(&stranger, b"junk", 3);
            assert_eq!(settle(&medium, &known, HERE.into()).await.len(), 3);

            medium.shield(&[THERE.into()], 0).unwrap();
            pour(&stranger, b"###\nforged", 200);
            pour(&known, b"junk", 200);
            pour(&known, b"", 2);
            pour(&known, b"###\nnetstring", 1);
            pour(&known, b">>>\nclassic", 1);
            let heard = settle(&medium, &known, HERE.into()).await;
            let texts: Vec<_> = heard.iter().map(|(text, _)| String::from_utf8_lossy(text)).collect();
            assert_eq!(texts, ["###\nnetstring", ">>>\nclassic"]);
            assert!(heard.iter().all(|(_, source)| *source == IpAddr::V4(THERE)));

            medium.shield(&[THERE.into()], u32::MAX / 4).unwrap();
            pour(&stranger, b"###\nforged", 2_000);
            let sampled = settle(&medium, &known, HERE.into()).await.len();
            assert!((250..1_000).contains(&sampled), "a quarter of 2,000, not {sampled}");

            medium.unshield().unwrap();
            pour(&stranger, b"junk", 3);
            assert_eq!(settle(&medium, &known, HERE.into()).await.len(), 3);
        });
    });
}

#[test]
fn ipv6_sources_are_told_apart_too() {
    with_cable(|peer| {
        let six = |host: u16| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host);
        testnet::add_address("eth0", six(1), 64);
        let (known, stranger) = peer.run(move || {
            testnet::add_address("eth0", six(2), 64);
            testnet::add_address("eth0", six(3), 64);
            // An address can be bound when nobody else on the network has claimed it, some two seconds.
            let bind = |host| loop {
                if let Ok(socket) = UdpSocket::bind((six(host), 0)) {
                    break socket;
                }
                std::thread::sleep(Duration::from_millis(20));
            };
            (bind(2), bind(3))
        });
        run(async {
            let medium = ucast::open("eth0", six(2).into(), PORT).unwrap();
            // Until our own address is usable, too, packets are lost.
            let mut buffer = [0; 16];
            while medium.try_recv(&mut buffer).is_err() {
                let _ = known.send_to(b"###\nearly", (six(1), PORT));
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            medium.shield(&[six(9).into(), six(2).into()], 0).unwrap();
            for _ in 0..50 {
                stranger.send_to(b"###\nforged", (six(1), PORT)).unwrap();
            }
            known.send_to(b"###\nours", (six(1), PORT)).unwrap();
            let heard = settle(&medium, &known, six(1).into()).await;
            let forged = heard.iter().filter(|(_, source)| *source == IpAddr::V6(six(3))).count();
            assert_eq!(forged, 0);
            assert!(heard.iter().any(|(text, _)| text == b"###\nours"));
        });
    });
}

#[test]
fn a_socket_that_fills_up_while_another_one_is_read_does_not_look_empty() {
    with_cable(|peer| {
        testnet::add_address("eth0", HERE, 24);
        let far = peer.run(|| {
            testnet::add_address("eth0", THERE, 24);
            UdpSocket::bind((THERE, 0)).unwrap()
        });
        run(async {
            let medium = ucast::open("eth0", THERE.into(), PORT).unwrap();
            assert!(queued(&medium).is_empty());
            // Nobody waits between the two, so the runtime knows nothing of it.
            far.send_to(b"one", (HERE, PORT)).unwrap();
            assert_eq!(queued(&medium).len(), 1);
        });
    });
}

#[test]
fn a_burst_of_five_thousand_datagrams_finds_room() {
    with_cable(|peer| {
        testnet::add_address("eth0", HERE, 24);
        let far = peer.run(|| {
            testnet::add_address("eth0", THERE, 24);
            UdpSocket::bind((THERE, 0)).unwrap()
        });
        run(async {
            let medium = ucast::open("eth0", THERE.into(), PORT).unwrap();
            for _ in 0..5_000 {
                far.send_to(&[b'#'; 200], (HERE, PORT)).unwrap();
            }
            let heard = settle(&medium, &far, HERE.into()).await.len();
            assert_eq!(heard, 5_000, "net.core.rmem_max is for programs without CAP_NET_ADMIN");
            assert!(medium.capacity() >= 5_000, "what was queued is not more than what is said to fit");
        });
    });
}

/// Nobody else's pings, and no other ICMP, wake the caller.
#[test]
fn a_pinger_is_woken_by_answers_to_its_own_questions_only() {
    with_cable(|peer| {
        testnet::add_address("eth0", HERE, 24);
        peer.run(|| testnet::add_address("eth0", THERE, 24));
        run(async {
            let pinger = Pinger::open(THERE.into(), 0x1234).unwrap();
            let other = Pinger::open(THERE.into(), 0x4321).unwrap();
            // The kernel answers at once; our own machine is asked as well, so that requests arrive here, too.
            other.send(THERE.into(), 1, b"theirs").unwrap();
            other.send(HERE.into(), 1, b"theirs").unwrap();
            let mut buffer = [0; 256];
            tokio::time::timeout(Duration::from_secs(10), other.readable()).await.expect("in time").unwrap();
            assert!(other.try_recv(&mut buffer).unwrap().is_some());
            assert_eq!(pinger.try_recv(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            pinger.send(THERE.into(), 7, b"ours").unwrap();
            tokio::time::timeout(Duration::from_secs(10), pinger.readable()).await.expect("in time").unwrap();
            let (host, sequence, payload) = pinger.try_recv(&mut buffer).unwrap().expect("an answer");
            assert_eq!((host, sequence, payload), (IpAddr::V4(THERE), 7, b"ours".as_slice()));
        });
    });
}

/// Where ports are free for all, another user tries to share ours, which would get the packets instead of us.
#[test]
fn no_other_user_takes_packets_by_opening_the_same_port() {
    with_cable(|peer| {
        const FREE_FOR_ALL: u16 = 1_694;
        testnet::add_broadcast_address("eth0", HERE, 24);
        peer.run(|| testnet::add_address("eth0", THERE, 24));
        run(async {
            let _unicast = ucast::open("eth0", THERE.into(), FREE_FOR_ALL).unwrap();
            let _second = ucast::open("eth0", STRANGER.into(), FREE_FOR_ALL).unwrap();
            let _broadcast = bcast::open("eth0", FREE_FOR_ALL).unwrap();
            let attempts = std::thread::scope(|scope| {
                scope
                    .spawn(|| {
                        let nobody = rustix::thread::Uid::from_raw(65_534);
                        rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
                        let mut attempts = Vec::new();
                        for bits in 0..8 {
                            let [address, port, device] = [1, 2, 4].map(|bit| bits & bit != 0);
                            for to in [Ipv4Addr::UNSPECIFIED, HERE] {
                                let thief = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
                                thief.set_reuse_address(address).unwrap();
                                thief.set_reuse_port(port).unwrap();
                                if device {
                                    thief.bind_device(Some(b"eth0")).unwrap();
                                }
                                let bound = thief.bind(&SocketAddr::new(to.into(), FREE_FOR_ALL).into());
                                attempts.push(bound.map_err(|error| error.raw_os_error()));
                            }
                        }
                        attempts
                    })
                    .join()
                    .unwrap()
            });
            assert!(attempts.iter().all(|bound| *bound == Err(Some(libc::EADDRINUSE))), "{attempts:?}");
            assert_eq!(attempts.len(), 16);
        });
    });
}
