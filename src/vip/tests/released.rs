//! What an hbd that was killed has left on the interfaces.

use super::*;

#[test]
fn release_removes_what_a_dead_hbd_left_and_nothing_else() {
    with_cable(|_peer| {
        testnet::add_address("eth0", HOST, 24);
        let foreign = Ipv4Addr::new(10, 99, 0, 50);
        testnet::add_address("eth0", foreign, 24);
        let unnamed = Ipv4Addr::new(10, 99, 0, 60);
        let elsewhere = Ipv4Addr::new(10, 99, 0, 70);
        {
            let room = Room::open();
            room.add(1, &wanted(VIP));
            room.add(2, &wanted(unnamed));
            room.add(3, &wanted(elsewhere));
        }
        let configured = [wanted(VIP), wanted(foreign), Address { device: Some("eth5".into()), ..wanted(elsewhere) }];
        let errors = release_now(&configured);
        assert!(errors.is_empty(), "{errors:?}");
        assert!(find(VIP).is_none(), "ours and named");
        assert!(find(foreign).is_some(), "not ours");
        assert!(find(unnamed).is_some(), "ours but not named");
        assert!(find(elsewhere).is_some(), "named on another interface");
        assert!(find(HOST).is_some());
        assert!(release_now(&configured).is_empty(), "nothing left is no error");
    });
}

#[test]
fn release_of_many_on_a_bare_interface_leaves_the_one_not_named() {
    with_cable(|_peer| {
        let vips: Vec<Address> = (1..=5).map(|last| on(Ipv4Addr::new(192, 0, 2, last), 24)).collect();
        let room = Room::open();
        for (id, vip) in vips.iter().enumerate() {
            room.add(id as u64, vip);
        }
        // Alive, it would put them back.
        drop(room);
        let errors = release_now(&vips[..4]);
        assert!(errors.is_empty(), "{errors:?}");
        let left: Vec<u8> = present().iter().map(|message| message.header.prefix_len).collect();
        assert_eq!(left, [8, 24], "loopback and the last one");
        assert!(find(vips[4].address).is_some());
    });
}
