//! Leases against the kernel's own clock.

use netlink_packet_route::address::CacheInfo;

use super::*;
use crate::config::Timing;

const SECOND: Duration = Duration::from_secs(1);

/// keepalive 500 ms, deadtime 3 s: the shortest lease there is, 2 s.
pub(super) fn shortest() -> Option<Terms> {
    let timing = Timing {
        keepalive: Duration::from_millis(500),
        deadtime: 3 * SECOND,
        warntime: 2 * SECOND,
        initdead: 6 * SECOND,
        deadping: 3 * SECOND,
        max_rexmit_delay: Duration::from_millis(250),
    };
    Some(Terms::of(&timing).unwrap())
}

/// The lifetime that `ip address` shows, in whole seconds; `None` for ever.
pub(super) fn lifetime(address: impl Into<IpAddr>) -> Option<u32> {
    let message = find(address).expect("the address is there");
    let info: Option<CacheInfo> = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::CacheInfo(info) => Some(*info),
        _ => None,
    });
    let info = info.expect("every address has a cacheinfo");
    assert!([0, info.ifa_valid].contains(&info.ifa_preferred), "it is not deprecated some time before it goes");
    Some(info.ifa_valid).filter(|valid| *valid != u32::MAX)
}

const VIP6: std::net::Ipv6Addr = std::net::Ipv6Addr::new(0x2001, 0xdb8, 7, 0, 0, 0, 0, 0x100);

fn both() -> [Address; 2] {
    [on(VIP, 24), on(VIP6, 64)]
}

#[test]
fn while_the_core_beats_nothing_expires_and_without_it_everything_before_the_dead_time() {
    with_cable(|_peer| {
        let room = Room::leased(shortest());
        room.beat();
        let begun = Instant::now();
        for (id, address) in both().iter().enumerate() {
            room.add(id as u64, address);
        }
        // Beyond the first lease.
        let mut beat = Instant::now();
        while begun.elapsed() < 4 * SECOND {
            beat = Instant::now();
            room.beat();
            std::thread::sleep(Duration::from_millis(500));
            assert!(find(VIP).is_some() && find(VIP6).is_some(), "after {:?}", begun.elapsed());
            assert!(lifetime(VIP).is_some_and(|seconds| (1..=2).contains(&seconds)));
        }
        let gone: Vec<u64> = (0..2)
            .map(|_| match room.report() {
                VipReport::Expired { id } => id,
                other => panic!("{other:?}"),
            })
            .collect();
        // Two seconds, and what a busy machine takes to tell us.
        assert!(beat.elapsed() < 6 * SECOND, "{:?}", beat.elapsed());
        assert_eq!(gone, [1, 0], "the last one first");
        assert!(find(VIP).is_none() && find(VIP6).is_none());
        // A beat alone brings nothing back.
        room.beat();
        std::thread::sleep(Duration::from_millis(100));
        assert!(find(VIP).is_none() && find(VIP6).is_none());
        room.add(0, &both()[0]);
    });
}

/// keepalive 100 ms, deadtime 500 ms: too short for the kernel.
fn kept_by_the_thread() -> Option<Terms> {
    let millis = Duration::from_millis;
    let timing = Timing {
        keepalive: millis(100),
        deadtime: millis(500),
        warntime: millis(250),
        initdead: SECOND,
        deadping: millis(500),
        max_rexmit_delay: millis(250),
    };
    Some(Terms::of(&timing).unwrap())
}

#[test]
fn below_the_kernels_second_a_core_that_hangs_loses_its_addresses_to_this_thread() {
    with_cable(|_peer| {
        let room = Room::leased(kept_by_the_thread());
        room.beat();
        let mut beat = Instant::now();
        for (id, address) in both().iter().enumerate() {
            room.add(id as u64, address);
        }
        for _ in 0..20 {
            beat = Instant::now();
            room.beat();
            std::thread::sleep(Duration::from_millis(50));
            assert!(find(VIP).is_some() && find(VIP6).is_some());
            assert_eq!(lifetime(VIP), None, "the kernel keeps it for ever");
        }
        let gone: Vec<u64> = (0..2)
            .map(|_| match room.report() {
                VipReport::Expired { id } => id,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(gone, [1, 0], "the last one first");
        assert!(beat.elapsed() >= Duration::from_millis(390), "{:?}", beat.elapsed());
        assert!(find(VIP).is_none() && find(VIP6).is_none());
        room.beat();
        std::thread::sleep(Duration::from_millis(50));
        assert!(find(VIP).is_none(), "a beat alone brings nothing back");
        room.add(0, &both()[0]);
    });
}

/// The thread may be late itself, with a thousand addresses for instance.
#[test]
fn a_core_that_was_late_loses_them_whenever_the_thread_reads_it_and_one_that_was_not_does_not() {
    with_cable(|_peer| {
        let room = Room::leased(kept_by_the_thread());
        room.beat();
        room.add(0, &on(VIP, 24));
        let start = Instant::now();
        for after in [50, 100, 150] {
            room.handle.send(VipCommand::Renew { beat: start + Duration::from_millis(after) }).unwrap();
        }
        std::thread::sleep(Duration::from_millis(100));
        assert!(find(VIP).is_some());
        // So long after the one before that the peer may have it.
        room.handle.send(VipCommand::Renew { beat: start + Duration::from_millis(600) }).unwrap();
        assert!(matches!(room.report(), VipReport::Expired { id: 0 }));
        assert!(find(VIP).is_none());
    });
}

#[test]
fn the_kernel_removes_them_when_the_whole_process_is_gone() {
    with_cable(|_peer| {
        let beat = {
            let room = Room::leased(shortest());
            let beat = Instant::now();
            room.beat();
            for (id, address) in both().iter().enumerate() {
                room.add(id as u64, address);
            }
            beat
        };
        // The thread has ended with its handle.
        testnet::eventually("the kernel to remove both", || find(VIP).is_none() && find(VIP6).is_none());
        // Two seconds, and what a busy machine takes to tell us.
        assert!(beat.elapsed() < 6 * SECOND, "{:?}", beat.elapsed());
    });
}

#[test]
fn an_address_waits_for_a_core_that_is_silent() {
    with_cable(|_peer| {
        let room = Room::leased(shortest());
        room.handle.send(VipCommand::Add { id: 1, address: on(VIP, 24) }).unwrap();
        room.handle.send(VipCommand::Add { id: 2, address: on(VIP6, 64) }).unwrap();
        assert!(room.reports.recv_timeout(Duration::from_millis(200)).is_err(), "nobody was heard yet");
        assert!(find(VIP).is_none());
        room.handle.send(VipCommand::Remove { id: 2, address: on(VIP6, 64) }).unwrap();
        assert!(matches!(room.report(), VipReport::Removed { id: 2 }));
        room.beat();
        assert!(matches!(room.report(), VipReport::Added { id: 1, .. }));
        assert!(find(VIP6).is_none());
    });
}

#[test]
fn a_stretched_lease_outlives_a_restart_and_the_next_beat_shortens_it() {
    with_cable(|_peer| {
        let room = Room::leased(shortest());
        room.beat();
        room.add(1, &on(VIP, 24));
        room.handle.send(VipCommand::Stretch { lifetime: 30 * SECOND }).unwrap();
        testnet::eventually("the long lease", || lifetime(VIP).is_some_and(|seconds| seconds >= 28));
        drop(room);
        let room = Room::leased(shortest());
        room.beat();
        room.add(1, &on(VIP, 24));
        assert!(lifetime(VIP).is_some_and(|seconds| seconds <= 2), "adopted: {:?}", lifetime(VIP));
    });
}

#[test]
fn without_a_lease_addresses_stay_for_ever() {
    with_cable(|_peer| {
        {
            let room = Room::leased(shortest());
            room.beat();
            room.add(1, &on(VIP, 24));
        }
        let room = Room::open();
        room.add(1, &on(VIP, 24));
        assert_eq!(lifetime(VIP), None, "adopted from one who leased");
    });
}
