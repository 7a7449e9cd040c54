//! Who else uses an address: probes, claims, carriers. The other machine is a second such thread at the peer's end.

use std::net::TcpListener;

use netlink_packet_route::address::AddressHeaderFlags;

use super::*;

const VIP6: std::net::Ipv6Addr = std::net::Ipv6Addr::new(0x2001, 0xdb8, 7, 0, 0, 0, 0, 0x100);
const INTERVAL: Duration = Duration::from_millis(100);
const FOREIGN: arp::MacBytes = [0x02, 0x68, 0x62, 0x64, 0, 9];

fn probe(id: u64, address: Address) -> VipCommand {
    VipCommand::Probe { id, address, interval: INTERVAL, service: None }
}

/// A frame leaves the peer's end of the cable.
fn peer_sends(peer: &Peer, frame: Vec<u8>) {
    peer.run(move || {
        let index = testnet::rtnetlink_run(|handle| async move {
            let mut links = handle.link().get().match_name("eth0".to_owned()).execute();
            links.try_next().await.unwrap().unwrap().header.index
        });
        packet::Announcer::open().unwrap().send_frame(index, &frame).unwrap();
    });
}

#[test]
fn nobody_answers_for_a_free_address() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        for (id, address) in [on(VIP, 24), on(VIP6, 64)].into_iter().enumerate() {
            let begun = Instant::now();
            let report = room.tell(probe(id as u64, address));
            assert!(matches!(report, VipReport::Silent { id: told } if told == id as u64), "{report:?}");
            assert!(begun.elapsed() >= 3 * INTERVAL, "{:?}", begun.elapsed());
        }
        assert!(find(VIP).is_none());
    });
}

#[test]
fn who_has_an_address_answers_until_it_is_gone() {
    with_cable(|peer| {
        let addresses = [on(VIP, 24), on(VIP6, 64)];
        for address in addresses.clone() {
            peer.run(move || {
                testnet::add_address("eth0", address.address, address.prefix.unwrap());
                // Until its own duplicate detection is over it does not answer.
                testnet::eventually("the address to be ready", || {
                    !find(address.address).unwrap().header.flags.contains(AddressHeaderFlags::Tentative)
                });
            });
        }
        let room = Room::open();
        for (id, address) in (1..).zip(addresses) {
            room.handle.send(probe(id, address.clone())).unwrap();
            let mac = loop {
                match room.report() {
                    VipReport::Answered { id: told, mac, .. } if told == id => break mac,
                    VipReport::Silent { .. } => {}
                    other => panic!("{other:?}"),
                }
            };
            assert!(!mac.to_string().is_empty());
            let report = {
                peer.run(move || testnet::del_address("eth0", address.address));
                room.report()
            };
            assert!(matches!(report, VipReport::Silent { id: told } if told == id), "{report:?}");
            room.handle.send(VipCommand::ProbeEnd { id }).unwrap();
        }
    });
}

#[test]
fn a_service_that_does_not_accept_is_told() {
    with_cable(|peer| {
        testnet::add_address("eth0", HOST, 24);
        let listener = peer.run(|| {
            testnet::add_address("eth0", VIP, 24);
            TcpListener::bind((VIP, 80)).unwrap()
        });
        let room = Room::open();
        let command = VipCommand::Probe { id: 1, address: wanted(VIP), interval: INTERVAL, service: Some(80) };
        assert!(matches!(room.tell(command), VipReport::Answered { id: 1, .. }));
        drop(listener);
        let report = room.report();
        assert!(matches!(report, VipReport::Service { id: 1, answers: false }), "{report:?}");
    });
}

#[test]
fn a_claim_is_told_and_defended_once() {
    with_cable(|peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        room.add(1, &wanted(VIP));
        room.add(2, &on(VIP6, 64));
        let frames = [
            arp::gratuitous(arp::ArpOperation::Reply, FOREIGN, VIP).to_vec(),
            ndisc::unsolicited(FOREIGN, VIP6, false),
        ];
        for (id, frame) in (1..).zip(frames) {
            // The thread's own burst is over by then, so that only the defence is heard.
            let listener = Listener::at(&peer);
            while listener.hear(Duration::from_millis(2200)).is_some() {}
            peer_sends(&peer, frame.clone());
            let report = room.report();
            let VipReport::Claimed { id: told, mac, again: false, .. } = report else { panic!("{report:?}") };
            assert_eq!((told, mac), (id, MacAddress(FOREIGN)));
            if id == 1 {
                assert_eq!(listener.hear(NEWS_LIMIT).map(|heard| heard.address), Some(VIP));
            }
            peer_sends(&peer, frame.clone());
            let report = room.report();
            assert!(matches!(report, VipReport::Claimed { again: true, .. }), "{report:?}");
            peer_sends(&peer, frame);
        }
        assert!(room.reports.recv_timeout(Duration::from_millis(200)).is_err(), "once is enough");
    });
}

/// An advertisement with one byte changed, and the checksum made right for it.
fn forged(at: usize, value: u8) -> Vec<u8> {
    let mut frame = ndisc::unsolicited(FOREIGN, VIP6, false);
    let before = u16::from_be_bytes([frame[at & !1], frame[at | 1]]);
    frame[at] = value;
    let after = u16::from_be_bytes([frame[at & !1], frame[at | 1]]);
    if at >= ndisc::MESSAGE {
        // RFC 1624: the new sum follows from the old one and from what has changed.
        let sum = u16::from_be_bytes([frame[56], frame[57]]);
        let total = u32::from(!sum) + u32::from(!before) + u32::from(after);
        let folded = (total & 0xffff) + (total >> 16);
        let folded = ((folded & 0xffff) + (folded >> 16)) as u16;
        frame[56..58].copy_from_slice(&(!folded).to_be_bytes());
    }
    frame
}

#[test]
fn an_advertisement_from_beyond_a_router_is_no_claim() {
    with_cable(|peer| {
        let room = Room::open();
        room.add(1, &on(VIP6, 64));
        let mut wrong_sum = ndisc::unsolicited(FOREIGN, VIP6, false);
        wrong_sum[57] ^= 1;
        for frame in [forged(ndisc::HOP_LIMIT, 64), forged(ndisc::MESSAGE + 1, 1), wrong_sum] {
            peer_sends(&peer, frame.clone());
            peer_sends(&peer, frame);
        }
        assert!(room.reports.recv_timeout(Duration::from_millis(300)).is_err(), "nothing is told");
        peer_sends(&peer, ndisc::unsolicited(FOREIGN, VIP6, false));
        let report = room.report();
        assert!(matches!(report, VipReport::Claimed { id: 1, again: false, .. }), "{report:?}");
    });
}

/// The kernel's filter alone: what it lets through has not been judged by hbd yet.
#[test]
fn the_filter_keeps_forged_advertisements_out() {
    with_cable(|peer| {
        let index = testnet::rtnetlink_run(|handle| async move {
            let mut links = handle.link().get().match_name("eth0".to_owned()).execute();
            links.try_next().await.unwrap().unwrap().header.index
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let heard = runtime.block_on(async {
            let ear = packet::PacketListener::for_advertisements(index).unwrap();
            let sound = ndisc::unsolicited(FOREIGN, VIP6, false);
            let mut to_another_machine = sound.clone();
            to_another_machine[..6].copy_from_slice(&[2, 0, 0, 0, 0, 0x77]);
            let forgeries =
                [forged(ndisc::HOP_LIMIT, 64), forged(ndisc::MESSAGE + 1, 1), forged(ndisc::MESSAGE, 135)];
            for frame in forgeries.into_iter().chain([to_another_machine, sound]) {
                peer_sends(&peer, frame);
            }
            let mut frame = [0; packet::FRAME_MAX];
            let length = tokio::time::timeout(NEWS_LIMIT, ear.hear(&mut frame)).await.unwrap().unwrap();
            frame[..length].to_vec()
        });
        assert_eq!(heard, ndisc::unsolicited(FOREIGN, VIP6, false));
    });
}

#[test]
fn neither_our_own_announcements_nor_probes_are_claims() {
    with_cable(|peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        room.add(1, &wanted(VIP));
        peer_sends(&peer, arp::probe(FOREIGN, VIP).to_vec());
        let report = room.report();
        assert!(matches!(report, VipReport::AskedBy { id: 1, .. }), "{report:?}");
        room.handle.send(VipCommand::Announce { id: 1, address: wanted(VIP) }).unwrap();
        assert!(room.reports.recv_timeout(Duration::from_millis(300)).is_err());
    });
}

#[test]
fn an_interface_that_cannot_serve_is_told_and_one_that_can_again_too() {
    with_cable(|peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        room.add(1, &wanted(VIP));
        room.handle.send(VipCommand::Watch { id: 1, address: wanted(VIP) }).unwrap();
        room.handle.send(VipCommand::Watch { id: 2, address: wanted(Ipv4Addr::new(10, 99, 0, 101)) }).unwrap();
        let expect = |up: bool| {
            let mut told: Vec<u64> = (0..2)
                .map(|_| match room.report() {
                    VipReport::Carrier { id, up: seen } if seen == up => id,
                    other => panic!("{other:?}"),
                })
                .collect();
            told.sort_unstable();
            assert_eq!(told, [1, 2], "held or not");
        };
        peer.run(|| testnet::set_up("eth0", false));
        expect(false);
        peer.run(|| testnet::set_up("eth0", true));
        expect(true);
    });
}
