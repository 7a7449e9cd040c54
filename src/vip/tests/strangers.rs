//! Who is on the LAN beside the two nodes: questions now and then, who asks, what is announced against claims, and
//! under which MAC addresses this machine is seen.

use super::*;

const FOREIGN: arp::MacBytes = [0x02, 0x68, 0x62, 0x64, 0, 9];

fn peer_sends(peer: &Peer, frame: Vec<u8>) {
    peer.run(move || {
        let index = testnet::rtnetlink_run(|handle| async move {
            let mut links = handle.link().get().match_name("eth0".to_owned()).execute();
            links.try_next().await.unwrap().unwrap().header.index
        });
        packet::Announcer::open().unwrap().send_frame(index, &frame).unwrap();
    });
}

fn surveyed(room: &Room, id: u64, address: &Address) -> (String, Vec<MacAddress>) {
    match room.tell(VipCommand::Survey { id, address: address.clone() }) {
        VipReport::Surveyed { id: told, device, machines } if told == id => (device, machines),
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_question_finds_everybody_but_ourselves_that_has_an_address() {
    with_cable(|peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        assert_eq!(surveyed(&room, 1, &on(VIP, 24)), ("eth0".to_owned(), Vec::new()));
        let theirs = peer.run(|| {
            testnet::add_address("eth0", VIP, 24);
            mac_of_eth0()
        });
        assert_eq!(surveyed(&room, 1, &on(VIP, 24)).1, [MacAddress(theirs)]);
        room.add(2, &on(Ipv4Addr::new(10, 99, 0, 101), 24));
        assert_eq!(surveyed(&room, 2, &on(Ipv4Addr::new(10, 99, 0, 101), 24)).1, [], "we do not answer ourselves");
    });
}

#[test]
fn a_question_for_what_we_hold_is_told_once_of_each_machine() {
    with_cable(|peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        room.add(1, &wanted(VIP));
        let other: arp::MacBytes = [0x02, 0x68, 0x62, 0x64, 0, 8];
        for (mac, address) in [(FOREIGN, HOST), (FOREIGN, VIP), (FOREIGN, VIP), (other, VIP)] {
            peer_sends(&peer, arp::probe(mac, address).to_vec());
        }
        for mac in [FOREIGN, other] {
            let report = room.report();
            let VipReport::AskedBy { id: 1, mac: told, device } = report else { panic!("{report:?}") };
            assert_eq!((told, device.as_str()), (MacAddress(mac), "eth0"));
        }
    });
}

/// Frames of ours at the peer's end within a time in which a stranger sends a claim every ten milliseconds.
fn announced_against_a_flood(room: &Room, peer: &Peer, fights: bool) -> usize {
    room.add(1, &wanted(VIP));
    let listener = Listener::at(peer);
    while listener.hear(Duration::from_millis(2200)).is_some() {}
    let frame = arp::gratuitous(arp::ArpOperation::Reply, FOREIGN, VIP).to_vec();
    peer_sends(peer, frame.clone());
    let report = room.report();
    assert!(matches!(report, VipReport::Claimed { id: 1, again: false, .. }), "{report:?}");
    if fights {
        room.handle.send(VipCommand::Defend { id: 1 }).unwrap();
    }
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end {
        peer_sends(peer, frame.clone());
        std::thread::sleep(Duration::from_millis(10));
    }
    std::iter::from_fn(|| listener.hear(Duration::from_millis(100))).filter(|heard| heard.mac != FOREIGN).count()
}

#[test]
fn a_defended_address_is_announced_twice_a_second_against_a_flood_of_claims() {
    for (fights, least, most) in [(false, 2, 2), (true, 6, 14)] {
        with_cable(move |peer| {
            testnet::add_address("eth0", HOST, 24);
            let frames = announced_against_a_flood(&Room::open(), &peer, fights);
            assert!((least..=most).contains(&frames), "{fights}: {frames}");
        });
    }
}

#[test]
fn the_mac_addresses_of_this_machine_are_told_at_the_start_and_at_each_change() {
    with_cable(|_peer| {
        let (sender, reports) = mpsc::channel();
        let _handle = spawn(None, move |report| drop(sender.send(report))).unwrap();
        let told = |wanted: arp::MacBytes| {
            let report = reports.recv_timeout(NEWS_LIMIT).unwrap();
            let VipReport::OwnMacs { macs } = report else { panic!("{report:?}") };
            assert_eq!(macs, [MacAddress(wanted)]);
        };
        told(mac_of_eth0());
        let mac = [0x02, 0x68, 0x62, 0x64, 0, 1];
        testnet::set_mac("eth0", mac);
        told(mac);
    });
}
