//! A large takeover.

use std::collections::BTreeMap;

use super::*;

fn addresses(count: usize) -> Vec<Ipv4Addr> {
    (0..count).map(|n| Ipv4Addr::new(10, 99, 1 + (n / 200) as u8, 1 + (n % 200) as u8)).collect()
}

/// In one run, whatever the scheduler does: the worker has no loop here.
#[test]
fn in_one_run_each_of_many_is_told_in_both_forms_and_reported_once() {
    with_cable(|peer| {
        // Not more frames than an unread socket keeps.
        const COUNT: usize = 80;
        testnet::add_address("eth0", HOST, 16);
        let listener = Listener::at(&peer);
        let adds: Vec<VipCommand> =
            (0..).zip(addresses(COUNT)).map(|(id, vip)| VipCommand::Add { id, address: wanted(vip) }).collect();
        let (worker, reports) = by_hand(async |worker| worker.add(&adds).await);
        drop(worker);
        let mut forms: BTreeMap<Ipv4Addr, Vec<u16>> = BTreeMap::new();
        for _ in 0..2 * COUNT {
            let heard = listener.hear(NEWS_LIMIT).expect("an announcement");
            forms.entry(heard.address).or_default().push(heard.operation);
        }
        assert!(forms.values().all(|forms| *forms == [1, 2]), "request, then reply: {forms:?}");
        assert!(forms.into_keys().eq(addresses(COUNT)));
        let mut added: Vec<u64> = reports
            .iter()
            .map(|report| if let VipReport::Added { id, .. } = report { id } else { panic!("{report:?}") })
            .collect();
        added.sort_unstable();
        assert!(added.into_iter().eq(0..COUNT as u64));
    });
}

#[test]
fn many_addresses_are_added_announced_and_removed() {
    with_cable(|peer| {
        const COUNT: usize = 300;
        testnet::add_address("eth0", HOST, 16);
        let listener = Listener::at(&peer);
        let room = Room::open();
        for (id, vip) in (0..).zip(addresses(COUNT)) {
            room.handle.send(VipCommand::Add { id, address: wanted(vip) }).unwrap();
        }
        for _ in 0..COUNT {
            assert!(matches!(room.report(), VipReport::Added { .. }));
        }
        // One round over all of them: the announcements follow the additions.
        let mut announced = std::collections::BTreeSet::new();
        while announced.len() < COUNT {
            announced.insert(listener.hear(NEWS_LIMIT).expect("an announcement").address);
        }
        for (id, vip) in (0..).zip(addresses(COUNT)) {
            room.handle.send(VipCommand::Remove { id, address: wanted(vip) }).unwrap();
        }
        for _ in 0..COUNT {
            assert!(matches!(room.report(), VipReport::Removed { .. }));
        }
        assert_eq!(present().len(), 2);
    });
}
