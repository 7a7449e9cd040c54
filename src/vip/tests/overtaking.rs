//! What is done between a change in the kernel and our reading of it: the worker has no loop here, it reads nothing.

use super::*;

fn adds(count: u8) -> Vec<VipCommand> {
    (1..=count)
        .map(|n| VipCommand::Add { id: n.into(), address: on(Ipv4Addr::new(10, 99, 0, 100 + n), 24) })
        .collect()
}

/// That an address is away is told by the news, not by an announcement that failed.
#[test]
fn a_repetition_on_a_removed_interface_is_no_failure() {
    with_cable(|_peer| {
        let (mut worker, reports) = by_hand(async |worker| worker.add(&adds(1)).await);
        testnet::del_link("eth0");
        worker.repeat(Instant::now() + Duration::from_secs(1));
        drop(worker);
        let reports: Vec<VipReport> = reports.iter().collect();
        assert!(matches!(reports[..], [VipReport::Added { .. }]), "{reports:?}");
    });
}

#[test]
fn an_addition_to_an_interface_that_is_down_is_undone() {
    for count in [1, 100] {
        with_cable(move |_peer| {
            let (worker, reports) = by_hand(async |worker| {
                testnet::outside(|| testnet::set_up("eth0", false));
                worker.add(&adds(count)).await;
            });
            drop(worker);
            let reports: Vec<VipReport> = reports.iter().collect();
            assert_eq!(reports.len(), usize::from(count));
            let down = |report: &VipReport| {
                matches!(report, VipReport::NotAdded { error: VipError::InterfaceDown { .. }, .. })
            };
            assert!(reports.iter().all(down), "{reports:?}");
            assert!(
                present()
                    .iter()
                    .all(|message| !message.attributes.contains(&AddressAttribute::Protocol(network::OURS)))
            );
        });
    }
}
