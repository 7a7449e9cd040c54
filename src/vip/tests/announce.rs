//! When addresses are announced, and how fast, as the other end of the cable sees it.

use super::*;
use crate::config::{AddressOptions, AnnouncePolicy};

fn configure(room: &Room, id: u64, announce: AnnouncePolicy) {
    let options = AddressOptions { announce, ..AddressOptions::default() };
    room.handle.send(VipCommand::Configure { id, options }).unwrap();
}

#[test]
fn with_a_pace_no_two_frames_are_closer_and_every_address_is_told_before_any_in_the_other_form() {
    const PACE: Duration = Duration::from_millis(40);
    const COUNT: usize = 8;
    with_cable(|peer| {
        testnet::add_address("eth0", HOST, 24);
        let listener = Listener::at(&peer);
        let room = Room::open();
        let vips: Vec<Ipv4Addr> = (1..=COUNT as u8).map(|last| Ipv4Addr::new(10, 99, 0, 100 + last)).collect();
        for id in 0..COUNT {
            configure(&room, id as u64, AnnouncePolicy { pace: PACE, ..AnnouncePolicy::default() });
        }
        let begun = Instant::now();
        for (id, vip) in vips.iter().enumerate() {
            room.handle.send(VipCommand::Add { id: id as u64, address: on(*vip, 24) }).unwrap();
        }
        for _ in 0..COUNT {
            assert!(matches!(room.report(), VipReport::Added { .. }));
        }
        let mut told = Vec::new();
        for number in 0..2 * COUNT as u32 {
            let heard = listener.hear(NEWS_LIMIT).expect("an announcement");
            // How late this thread sees it is the machine's affair.
            assert!(begun.elapsed() >= PACE * number, "frame {number} after {:?}", begun.elapsed());
            told.push((heard.operation, heard.address));
        }
        let requests: Vec<_> = vips.iter().map(|vip| (1, *vip)).collect();
        assert_eq!(told[..COUNT], requests);
        assert!(vips.iter().all(|vip| told.contains(&(2, *vip))), "{told:?}");
    });
}

/// Whether somebody has an address must be known before it is taken, whatever a switch counts.
#[test]
fn questions_do_not_wait_for_the_pace() {
    const PACE: Duration = Duration::from_secs(5);
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        let begun = Instant::now();
        for id in 1..=4 {
            configure(&room, id, AnnouncePolicy { pace: PACE, ..AnnouncePolicy::default() });
            let address = on(Ipv4Addr::new(10, 99, 0, 100 + id as u8), 24);
            let interval = Duration::from_millis(10);
            room.handle.send(VipCommand::Probe { id, address, interval, service: None }).unwrap();
        }
        let silent = (0..4).map(|_| room.report()).filter(|report| matches!(report, VipReport::Silent { .. }));
        assert_eq!(silent.count(), 4);
        assert!(begun.elapsed() < PACE, "{:?}", begun.elapsed());
    });
}

#[test]
fn a_port_that_forwards_late_is_told_every_delay_and_one_that_comes_back_at_once() {
    with_cable(|peer| {
        testnet::add_address("eth0", HOST, 24);
        let room = Room::open();
        let delay = Duration::from_secs(1);
        let policy = AnnouncePolicy { repeat: 1, delay, refresh: Duration::ZERO, pace: Duration::ZERO };
        configure(&room, 1, policy);
        let listener = Listener::at(&peer);
        let at = room.add(1, &on(VIP, 24));
        for number in 0..3 {
            listener.announcement(VIP);
            assert!(at.elapsed() >= delay * number, "{number}: {:?}", at.elapsed());
        }
        peer.run(|| testnet::set_up("eth0", false));
        while listener.hear(Duration::from_millis(1500)).is_some() {}
        peer.run(|| testnet::set_up("eth0", true));
        listener.announcement(VIP);
    });
}
