//! The addresses against a real kernel, on a cable of its own (see `testnet`): what is on the interface, and what
//! arrives at the other end.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command as Process;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use socket2::{Domain, Protocol, Socket, Type};

mod announce;
mod conflicts;
mod forms;
mod ipv6;
mod kinds;
mod leases;
mod many;
mod overtaking;
mod preferred_source;
mod released;
mod restored;
mod routes;
mod strangers;

use super::*;
use crate::config::Address;
use crate::testnet::{self, Peer, with_cable};

const HOST: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
const VIP: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 100);
const NEWS_LIMIT: Duration = Duration::from_secs(10);

/// The thread of the addresses with its reports in a queue.
struct Room {
    handle: VipHandle,
    reports: mpsc::Receiver<VipReport>,
}

impl Room {
    fn open() -> Room {
        Room::leased(None)
    }

    fn leased(lease: Option<Terms>) -> Room {
        let (sender, reports) = mpsc::channel();
        // What the machine's MAC addresses are is told at any moment: only tests of it want to know.
        let tell = move |report| match report {
            VipReport::OwnMacs { .. } => {}
            report => drop(sender.send(report)),
        };
        let handle = spawn(lease, tell).unwrap();
        Room { handle, reports }
    }

    /// Tells the thread that the core beats now.
    fn beat(&self) {
        self.handle.send(VipCommand::Renew { beat: Instant::now() }).unwrap();
    }

    fn tell(&self, command: VipCommand) -> VipReport {
        self.handle.send(command).unwrap();
        self.report()
    }

    fn report(&self) -> VipReport {
        self.reports.recv_timeout(NEWS_LIMIT).expect("a report")
    }

    fn add(&self, id: u64, address: &Address) -> Instant {
        match self.tell(VipCommand::Add { id, address: address.clone() }) {
            VipReport::Added { id: answered, at, .. } if answered == id => at,
            other => panic!("{other:?}"),
        }
    }

    fn remove(&self, id: u64, address: &Address) {
        let report = self.tell(VipCommand::Remove { id, address: address.clone() });
        assert!(matches!(report, VipReport::Removed { id: answered } if answered == id), "{report:?}");
    }
}

/// A worker without its loop: it does what it is told, and reads no news from the kernel.
type Idle = worker::Worker<Box<dyn Fn(VipReport)>>;

fn by_hand(work: impl AsyncFnOnce(&mut Idle)) -> (Idle, mpsc::Receiver<VipReport>) {
    let (sender, reports) = mpsc::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let worker = runtime.block_on(async {
        let report: Box<dyn Fn(VipReport)> = Box::new(move |report| match report {
            VipReport::OwnMacs { .. } => {}
            report => drop(sender.send(report)),
        });
        let mut worker = worker::Worker::open(None, report).await.unwrap();
        work(&mut worker).await;
        worker
    });
    (worker, reports)
}

/// Receives ARP at the peer's end of the cable.
struct Listener(Socket);

/// What an announcement says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Heard {
    operation: u16,
    mac: arp::MacBytes,
    address: Ipv4Addr,
}

impl Listener {
    fn at(peer: &Peer) -> Listener {
        peer.run(Listener::here)
    }

    fn here() -> Listener {
        let protocol = Protocol::from(i32::from(arp::ETHERTYPE_ARP.to_be()));
        Listener(Socket::new(Domain::PACKET, Type::RAW, Some(protocol)).unwrap())
    }

    /// The next gratuitous ARP frame within the time.
    fn hear(&self, within: Duration) -> Option<Heard> {
        let until = Instant::now() + within;
        loop {
            self.0.set_read_timeout(Some(until.checked_duration_since(Instant::now())?)).unwrap();
            let mut frame = [0; 128];
            let length = (&self.0).read(&mut frame).ok()?;
            assert!(length >= arp::FRAME_LENGTH, "short frame");
            if frame[28..32] == frame[38..42] {
                return Some(Heard {
                    operation: u16::from_be_bytes([frame[20], frame[21]]),
                    mac: frame[6..12].try_into().unwrap(),
                    address: Ipv4Addr::new(frame[28], frame[29], frame[30], frame[31]),
                });
            }
        }
    }

    fn announcement(&self, address: Ipv4Addr) -> arp::MacBytes {
        let request = self.hear(NEWS_LIMIT).expect("a request");
        let reply = self.hear(NEWS_LIMIT).expect("a reply");
        assert_eq!((request.operation, request.address), (1, address));
        assert_eq!((reply.operation, reply.address, reply.mac), (2, address, request.mac));
        request.mac
    }
}

fn wanted(address: impl Into<IpAddr>) -> Address {
    Address { address: address.into(), prefix: None, device: None, label: None, broadcast: None }
}

fn on(address: impl Into<IpAddr>, prefix: u8) -> Address {
    Address { prefix: Some(prefix), device: Some("eth0".into()), ..wanted(address) }
}

/// The addresses of this namespace, both families.
fn all_present() -> Vec<AddressMessage> {
    testnet::rtnetlink_run(|handle| async move { handle.address().get().execute().try_collect().await.unwrap() })
}

/// The IPv4 addresses of this namespace.
fn present() -> Vec<AddressMessage> {
    let inet = |message: &AddressMessage| message.header.family == netlink_packet_route::AddressFamily::Inet;
    all_present().into_iter().filter(inet).collect()
}

fn find(address: impl Into<IpAddr>) -> Option<AddressMessage> {
    let address = address.into();
    let here = match address {
        IpAddr::V4(_) => AddressAttribute::Local(address),
        IpAddr::V6(_) => AddressAttribute::Address(address),
    };
    all_present().into_iter().find(|message| message.attributes.contains(&here))
}

fn routes() -> String {
    let output = Process::new("ip").args(["-4", "route", "show"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn mac_of_eth0() -> arp::MacBytes {
    mac_of("eth0")
}

fn mac_of(device: &str) -> arp::MacBytes {
    let text = Process::new("ip").args(["-brief", "link", "show", device]).output().unwrap().stdout;
    let text = String::from_utf8(text).unwrap();
    let mac: Vec<u8> = text
        .split_whitespace()
        .nth(2)
        .unwrap()
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect();
    mac.try_into().unwrap()
}

fn release_now(addresses: &[Address]) -> Vec<VipError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { release_routes().await.into_iter().chain(release(addresses).await).collect() })
}

#[test]
fn an_address_is_added_as_given_and_marked_as_ours() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        let given =
            Address { label: Some("eth0:web".into()), broadcast: Some(Ipv4Addr::new(10, 99, 0, 127)), ..on(VIP, 25) };
        let report = room.tell(VipCommand::Add { id: 7, address: given });
        assert!(
            matches!(&report, VipReport::Added { id: 7, device, prefix: 25, .. } if device == "eth0"),
            "{report:?}"
        );

        let message = find(VIP).unwrap();
        assert_eq!(message.header.prefix_len, 25);
        for attribute in [
            AddressAttribute::Label("eth0:web".into()),
            AddressAttribute::Broadcast(Ipv4Addr::new(10, 99, 0, 127)),
            AddressAttribute::Protocol(network::OURS),
        ] {
            assert!(message.attributes.contains(&attribute), "{attribute:?} in {message:?}");
        }
    });
}

#[test]
fn interface_prefix_and_broadcast_come_from_the_network_that_covers_the_address() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        let report = room.tell(VipCommand::Add { id: 1, address: wanted(VIP) });
        assert!(matches!(&report, VipReport::Added { device, prefix: 24, .. } if device == "eth0"), "{report:?}");
        let message = find(VIP).unwrap();
        assert!(message.attributes.contains(&AddressAttribute::Broadcast(Ipv4Addr::new(10, 99, 0, 255))));
        assert!(message.attributes.contains(&AddressAttribute::Label("eth0".into())), "no label of its own");
    });
}

#[test]
fn an_interface_that_comes_up_later_is_known() {
    with_cable(|peer| {
        let room = Room::open();
        testnet::connect("eth1", &peer);
        testnet::add_address("eth1", HOST, 24);
        let report = room.tell(VipCommand::Add { id: 1, address: wanted(VIP) });
        assert!(matches!(&report, VipReport::Added { device, .. } if device == "eth1"), "{report:?}");
    });
}

#[test]
fn neighbours_hear_both_forms_at_once_and_again() {
    with_cable(|peer| {
        testnet::add_address("eth0", HOST, 24);
        let listener = Listener::at(&peer);
        let room = Room::open();
        let at = room.add(1, &wanted(VIP));
        let mac = mac_of_eth0();
        let mut heard = Vec::new();
        for _ in 0..4 {
            assert_eq!(listener.announcement(VIP), mac);
            heard.push(at.elapsed());
        }
        // A frame is never early; how late this thread sees it is the machine's affair.
        assert!(heard[1] >= Duration::from_millis(50), "{heard:?}");
        assert!(heard[2] >= Duration::from_millis(200), "{heard:?}");
        assert!(heard[3] >= Duration::from_millis(1100), "{heard:?}");
    });
}

#[test]
fn nothing_is_announced_after_removal() {
    with_cable(|peer| {
        testnet::add_address("eth0", HOST, 24);
        let listener = Listener::at(&peer);
        let room = Room::open();
        room.add(1, &wanted(VIP));
        listener.announcement(VIP);
        room.remove(1, &wanted(VIP));
        assert!(find(VIP).is_none());
        // One repetition may have left before the removal.
        let rest: Vec<Heard> = std::iter::from_fn(|| listener.hear(Duration::from_millis(400))).collect();
        assert!(rest.len() <= 2, "{rest:?}");
    });
}

#[test]
fn announce_starts_the_burst_again_and_only_for_what_is_held() {
    with_cable(|peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        let listener = Listener::at(&peer);
        room.add(1, &wanted(VIP));
        listener.announcement(VIP);
        room.handle.send(VipCommand::Announce { id: 1, address: wanted(VIP) }).unwrap();
        listener.announcement(VIP);
        listener.announcement(VIP);
        let report = room.tell(VipCommand::Announce { id: 2, address: wanted(HOST) });
        assert!(matches!(report, VipReport::NotAnnounced { id: 2, error: VipError::NotHeld { .. } }), "{report:?}");
    });
}

#[test]
fn a_new_mac_address_is_announced() {
    with_cable(|peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        room.add(1, &wanted(VIP));
        let listener = Listener::at(&peer);
        let mac = [0x02, 0x68, 0x62, 0x64, 0, 1];
        testnet::set_mac("eth0", mac);
        let until = Instant::now() + NEWS_LIMIT;
        while listener.announcement(VIP) != mac {
            assert!(Instant::now() < until);
        }
    });
}

#[test]
fn removal_leaves_the_hosts_address_and_route_alone() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST, 24);
        let before = routes();
        let room = Room::open();
        room.add(1, &wanted(VIP));
        assert_eq!(routes(), before);
        room.remove(1, &wanted(VIP));
        assert_eq!(routes(), before);
        assert!(find(HOST).is_some());
        assert!(find(VIP).is_none());
    });
}

#[test]
fn the_hosts_route_comes_back_when_its_address_is_renewed_under_ours() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        room.add(1, &wanted(VIP));
        testnet::del_address("eth0", HOST);
        assert!(find(VIP).is_some(), "promote_secondaries was not set");
        testnet::add_address("eth0", HOST, 24);
        assert!(routes().contains("10.99.0.0/24 dev eth0"), "{}", routes());
        room.remove(1, &wanted(VIP));
        assert!(routes().contains("10.99.0.0/24 dev eth0 proto kernel scope link src 10.99.0.1"), "{}", routes());
    });
}

#[test]
fn a_network_that_contains_ours_keeps_its_only_route() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST, 16);
        let before = routes();
        let room = Room::open();
        room.add(1, &on(Ipv4Addr::new(10, 99, 7, 1), 24));
        room.add(2, &on(Ipv4Addr::new(10, 99, 7, 2), 24));
        assert_eq!(routes(), before);
        room.remove(1, &on(Ipv4Addr::new(10, 99, 7, 1), 24));
        assert_eq!(routes(), before);
        assert!(find(Ipv4Addr::new(10, 99, 7, 2)).is_some());
    });
}

#[test]
fn removing_the_first_of_many_leaves_the_others() {
    with_cable(|_peer| {
        let room = Room::open();
        let vips: Vec<Address> = (1..=5).map(|last| on(Ipv4Addr::new(192, 0, 2, last), 24)).collect();
        for (id, vip) in vips.iter().enumerate() {
            room.add(id as u64, vip);
        }
        room.remove(0, &vips[0]);
        assert!(find(vips[0].address).is_none());
        for vip in &vips[1..] {
            assert!(find(vip.address).is_some(), "{vip:?}");
        }
    });
}

#[test]
fn adding_twice_is_harmless_and_announces_again() {
    with_cable(|peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        room.add(1, &wanted(VIP));
        let listener = Listener::at(&peer);
        room.add(1, &wanted(VIP));
        listener.announcement(VIP);
        assert_eq!(present().len(), 3, "loopback, host and one VIP: {:?}", present());
        room.remove(1, &wanted(VIP));
        assert!(find(VIP).is_none());
    });
}

#[test]
fn an_address_that_is_there_already_is_adopted_and_marked() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST, 24);
        testnet::add_address("eth0", VIP, 24);
        let room = Room::open();
        room.add(1, &wanted(VIP));
        assert!(find(VIP).unwrap().attributes.contains(&AddressAttribute::Protocol(network::OURS)));
    });
}

#[test]
fn removal_takes_the_address_off_under_any_prefix_though_this_process_never_added_it() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST, 24);
        testnet::add_address("eth0", VIP, 24);
        testnet::add_address("eth0", VIP, 32);
        testnet::add_address("lo", VIP, 32);
        let room = Room::open();
        room.remove(1, &wanted(VIP));
        let left: Vec<_> =
            present().iter().map(|message| (message.header.index, message.header.prefix_len)).collect();
        assert_eq!(left.iter().filter(|(index, _)| *index == 1).count(), 2, "loopback keeps both: {left:?}");
        assert_eq!(left.len(), 3, "eth0 keeps the host's: {left:?}");
        room.remove(1, &wanted(VIP));
    });
}

#[test]
fn our_own_removal_and_addition_is_not_a_loss() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        for _ in 0..50 {
            room.add(1, &wanted(VIP));
            room.handle.send(VipCommand::Remove { id: 1, address: wanted(VIP) }).unwrap();
            room.handle.send(VipCommand::Add { id: 1, address: wanted(VIP) }).unwrap();
            assert!(matches!(room.report(), VipReport::Removed { id: 1 }));
            assert!(matches!(room.report(), VipReport::Added { id: 1, .. }));
            room.remove(1, &wanted(VIP));
        }
        drop(room.handle);
        assert_eq!(room.reports.iter().count(), 0);
    });
}

#[test]
fn what_cannot_be_added_says_why() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        let failure = |address: Address| match room.tell(VipCommand::Add { id: 3, address }) {
            VipReport::NotAdded { id: 3, error } => error,
            other => panic!("{other:?}"),
        };
        let missing = failure(Address { device: Some("eth7".into()), ..wanted(VIP) });
        assert!(missing.to_string().contains("interface eth7 does not exist"), "{missing}");
        let nowhere = failure(wanted(Ipv4Addr::new(172, 16, 0, 1)));
        assert!(matches!(nowhere, VipError::NoNetwork { .. }), "{nowhere}");
        testnet::set_up("eth0", false);
        let down = failure(on(VIP, 24));
        assert!(matches!(down, VipError::InterfaceDown { .. }), "{down}");
        testnet::set_up("eth0", true);
        room.add(3, &on(VIP, 24));
    });
}

#[test]
fn commands_after_the_end_are_refused() {
    let (commands, inbox) = tokio::sync::mpsc::unbounded_channel();
    drop(inbox);
    let handle = VipHandle { commands, thread: std::thread::spawn(|| ()) };
    let refused = handle.send(VipCommand::Announce { id: 1, address: wanted(VIP) });
    assert!(matches!(refused, Err(VipError::Ended)));
}
