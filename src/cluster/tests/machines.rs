//! Whose machine answers for an address, or claims it (docs/DECISIONS.md "Strangers on the LAN"): only the peer's, or
//! one that may be that, holds a takeover or is yielded to.

use super::hold::{news, started, unstarted};
use super::*;
use crate::cluster::{AddressNews, Adoption, GroupSet, GroupState};
use crate::config::{AddressPolicy, OnClaim};

/// Not of extension 3: that one would have to say in every message what it has heard of us.
const HBD: &str = "1 0.1.0";
const PEER: &str = "02:00:c0:a8:11:03";
const PEER_SAYS: &str = "0200c0a81103";
const STRANGER: &str = "02:de:ad:00:00:01";
const PROXY: &str = "02:de:ad:00:00:02";

/// A pair whose addresses are watched; the peer, an hbd that says its MAC addresses, was seen on eth0.
fn recognised() -> Bench {
    let mut bench = unseen();
    surveyed(&mut bench, 1, &[PEER]);
    bench
}

/// The same before it was seen.
fn unseen() -> Bench {
    let mut bench = started(AddressPolicy::default(), |_| {});
    (bench.peer.hbd, bench.peer.macs) = (Some(HBD), Some(PEER_SAYS));
    bench.activated().decided("local")
}

/// The same beside a Heartbeat.
fn beside_heartbeat() -> Bench {
    started(AddressPolicy::default(), |_| {}).activated().decided("local")
}

fn answered(bench: &mut Bench, group: usize, mac: &str) {
    news(bench, group, AddressNews::Answered { mac: mac.into(), device: "eth0".into() });
}

fn surveyed(bench: &mut Bench, group: usize, machines: &[&str]) {
    let machines = machines.iter().map(|mac| (*mac).to_owned()).collect();
    news(bench, group, AddressNews::Surveyed { device: "eth0".into(), machines });
}

fn claimed(bench: &mut Bench, group: usize, mac: &str) {
    for again in [false, true] {
        news(bench, group, AddressNews::Claimed { mac: mac.into(), device: "eth0".into(), again });
    }
}

fn states(bench: &Bench) -> [GroupState; 2] {
    [0, 1].map(|group| bench.view().groups[group].state)
}

/// The peer is dead and answers for nothing: we serve both groups.
fn alone(mut bench: Bench) -> Bench {
    bench.peer_silent();
    bench.run(2_100);
    news(&mut bench, 1, AddressNews::Silent);
    bench.run(4_000);
    assert_eq!(states(&bench), [GroupState::Active; 2]);
    bench.story();
    bench
}

#[test]
fn an_hbd_says_its_mac_addresses_to_an_hbd_and_at_once_when_they_change() {
    let mut bench = unseen();
    bench.done.clear();
    bench.feed(Event::OwnMacs { macs: vec!["02:00:c0:a8:11:02".into()], more: false });
    assert_eq!(bench.field("status", "hbd_macs"), ["0200c0a81102"]);
    bench.feed(Event::OwnMacs { macs: vec!["02:00:c0:a8:11:02".into()], more: false });
    assert_eq!(bench.field("status", "hbd_macs").len(), 1, "nothing new");
    bench.feed(Event::OwnMacs { macs: vec!["02:00:c0:a8:11:02".into()], more: true });
    assert_eq!(bench.field("status", "hbd_macs").last().unwrap(), "0200c0a81102 more");
    let mut bench = beside_heartbeat();
    bench.feed(Event::OwnMacs { macs: vec!["02:00:c0:a8:11:02".into()], more: false });
    bench.done.clear();
    bench.run(2_000);
    assert!(bench.field("status", "hbd_macs").iter().all(|macs| macs == "-"));
}

/// The field trial: two frames of an invented MAC address made the only living node stop its services.
#[test]
fn a_stranger_does_not_make_the_only_living_node_yield() {
    let mut bench = alone(recognised());
    for round in 0..6 {
        claimed(&mut bench, 1, STRANGER);
        bench.run(10_000);
        assert_eq!(states(&bench), [GroupState::Active; 2], "{round}");
    }
    let story = bench.story();
    assert!(story.contains(&"defend b1".to_owned()) && !story.contains(&"stop b1".to_owned()), "{story:?}");
}

#[test]
fn a_stranger_is_named_in_the_log_and_in_the_view_until_it_is_gone() {
    let mut bench = alone(recognised());
    claimed(&mut bench, 1, STRANGER);
    assert!(bench.logged("02:de:ad:00:00:01 on eth0 claims our address b1, and is no machine of nodeb's"));
    let shown = ["02:de:ad:00:00:01 on eth0 answers for b1 as well"];
    assert_eq!(bench.view().groups[1].strangers, shown);
    assert!(!bench.logged("releasing"), "{:?}", bench.log());
    bench.run(400_000);
    assert!(bench.view().groups[1].strangers.is_empty());
    assert!(bench.logged("02:de:ad:00:00:01 does not answer for addresses"));
}

/// The peer's machine is behind a cut of the heartbeat links, and serves as well.
#[test]
fn the_peers_claim_is_yielded_to_also_behind_a_strangers() {
    let mut bench = alone(recognised());
    claimed(&mut bench, 1, STRANGER);
    claimed(&mut bench, 1, PEER);
    assert_eq!(states(&bench), [GroupState::Active, GroupState::Stopped]);
    assert!(bench.logged("02:00:c0:a8:11:03 (nodeb itself) goes on claiming"), "{:?}", bench.log());
    bench.run(20_000);
    assert_eq!(states(&bench)[1], GroupState::Stopped, "as long as it is answered");
    news(&mut bench, 1, AddressNews::Silent);
    assert_eq!(states(&bench)[1], GroupState::Active);
}

/// The nodes have read different files, do not hear each other, and each takes the group for its own.
#[test]
fn a_peer_that_insists_on_our_own_group_gets_it_from_the_node_whose_name_sorts_last() {
    for (name, last) in [("nodea", false), ("nodez", true)] {
        let mut bench = started(AddressPolicy::default(), |settings| {
            settings.node = name.into();
            settings.nodes = vec![name.into(), "nodeb".into()];
            settings.groups[0].node = name.into();
        });
        (bench.peer.hbd, bench.peer.macs) = (Some(HBD), Some(PEER_SAYS));
        let mut bench = alone(bench.activated().decided("local"));
        for _ in 0..2 {
            claimed(&mut bench, 0, PEER);
            assert_eq!(states(&bench)[0], GroupState::Active, "{name}: an equal file would end that in a moment");
            bench.run(10_000);
        }
        claimed(&mut bench, 0, PEER);
        let state = if last { GroupState::Stopped } else { GroupState::Active };
        assert_eq!(states(&bench)[0], state, "{name}");
    }
}

/// A successor of a daemon that held both groups, whose peer it does not hear, has yielded the peer's to that.
fn yielded_early(change: impl FnOnce(&mut Settings)) -> Bench {
    let mut bench = unstarted(AddressPolicy::default(), change);
    let groups = bench.core.groups.list().len();
    bench.feed(Event::Policies(vec![AddressPolicy::default(); groups]));
    let held = GroupSet::new([0, 1], Set::NONE);
    bench.feed(Event::Adopt(Box::new(Adoption { held, ..Adoption::default() })));
    bench.feed(Event::Start);
    bench.run(1_000);
    claimed(&mut bench, 1, PEER);
    bench.run(5_000);
    assert_eq!(states(&bench), [GroupState::Active, GroupState::Stopped]);
    bench
}

/// A successor holds its own group and one of the peer's, and yields that before it knows that the peer is dead.
#[test]
fn what_is_yielded_early_keeps_nothing_else_from_being_asked_for() {
    let mut bench = yielded_early(|settings| {
        let resource = Resource { word: "c1".into(), kind: ResourceKind::Unit("c1.service".into()) };
        settings.groups.push(Group { node: "nodeb".into(), key: "c1".into(), resources: vec![resource], line: 3 });
    });
    answered(&mut bench, 1, PEER);
    while bench.story().iter().all(|act| act != "probe ?") {
        bench.run(100);
    }
    answered(&mut bench, 2, PEER);
    bench.run(20_000);
    assert!(bench.logged("is dead"));
    assert_eq!(bench.view().groups[2].state, GroupState::Stopped, "the peer's machine has it");
    news(&mut bench, 2, AddressNews::Silent);
    assert_eq!(bench.view().groups[2].state, GroupState::Active);
    assert_eq!(states(&bench), [GroupState::Active, GroupState::Stopped], "that is answered still");
}

/// A successor yields before it has said a word of resources: the peer, which never knew that both served, announces.
#[test]
fn what_is_yielded_early_is_told_with_the_first_report() {
    let mut bench = yielded_early(|_| {});
    assert_eq!(bench.sent("resource").len(), 0, "nobody would believe it yet");
    bench.peer.hbd = Some(HBD);
    let mut bench = bench.activated();
    bench.says("starting", &[]);
    bench.resource("local", "1", None);
    assert!(bench.field("resource", "hbd_released").contains(&"foreign".to_owned()), "{:?}", bench.story());
}

/// What the peer said to the daemon before us is known to us, although nothing is heard of it.
#[test]
fn the_next_daemon_knows_the_peers_addresses() {
    let mut bench = recognised();
    bench.request(Request::Restart);
    let known = bench.done.iter().rev().find_map(|(_, action)| match action {
        Action::Remember(known) => Some(known.clone()),
        _ => None,
    });
    let known = known.expect("nothing was noted");
    assert_eq!(known.macs, [PEER]);
    bench = started(AddressPolicy::default(), |settings| settings.known_peers = vec![known]);
    bench.run(20_000);
    for group in [0, 1] {
        news(&mut bench, group, AddressNews::Silent);
    }
    claimed(&mut bench, 1, PEER);
    assert!(bench.logged("02:00:c0:a8:11:03 (nodeb itself) goes on claiming"), "{:?}", bench.log());
}

/// Where the network does not show us the peer's own MAC address, nobody can be told from it.
#[test]
fn a_machine_that_may_be_the_peers_is_yielded_to_and_that_is_said() {
    let more = |bench: &mut Bench| bench.peer.macs = Some("0200c0a81103 more");
    let none = |bench: &mut Bench| bench.peer.macs = None;
    let cases: [(&str, Bench, &str); 3] = [
        ("not seen", unseen(), "perhaps nodeb, which was not seen on that interface"),
        (
            "has more than it says",
            {
                let mut b = unseen();
                more(&mut b);
                b.run(1_000);
                surveyed(&mut b, 1, &[PEER]);
                b
            },
            "perhaps nodeb",
        ),
        (
            "says nothing",
            {
                let mut b = started(AddressPolicy::default(), |_| {});
                b.peer.hbd = Some(HBD);
                none(&mut b);
                b.activated().decided("local")
            },
            "perhaps nodeb, whose MAC addresses are not known",
        ),
    ];
    for (case, bench, said) in cases {
        let mut bench = alone(bench);
        claimed(&mut bench, 1, STRANGER);
        assert_eq!(states(&bench), [GroupState::Active, GroupState::Stopped], "{case}");
        assert!(bench.logged(&format!("02:de:ad:00:00:01 ({said}")), "{case}: {:?}", bench.log());
    }
}

#[test]
fn the_peer_is_also_seen_when_it_asks_for_what_we_hold() {
    let mut bench = unseen();
    news(&mut bench, 0, AddressNews::AskedBy { mac: PEER.into(), device: "eth0".into() });
    let mut bench = alone(bench);
    claimed(&mut bench, 1, STRANGER);
    assert_eq!(states(&bench), [GroupState::Active; 2]);
}

#[test]
fn the_peer_is_known_on_the_interface_only_on_which_it_was_seen() {
    let mut bench = alone(recognised());
    for again in [false, true] {
        news(&mut bench, 1, AddressNews::Claimed { mac: STRANGER.into(), device: "eth1".into(), again });
    }
    assert_eq!(states(&bench), [GroupState::Active, GroupState::Stopped]);
}

/// A router with proxy ARP answers for the address of the dead peer, as it has done all the time.
#[test]
fn a_proxy_does_not_hold_a_takeover() {
    let mut bench = recognised();
    surveyed(&mut bench, 1, &[PEER, PROXY]);
    surveyed(&mut bench, 0, &[PROXY]);
    assert!(bench.logged("02:de:ad:00:00:02 on eth0 answers for b1 as well, beside its owner"), "{:?}", bench.log());
    let shown = bench.view().groups[1].strangers.clone();
    assert_eq!(shown, ["02:de:ad:00:00:02 on eth0 answers for b1 as well, as a router with proxy ARP does"]);
    bench.peer_silent();
    bench.run(2_500);
    answered(&mut bench, 1, PROXY);
    bench.run(4_000);
    assert_eq!(states(&bench), [GroupState::Active; 2]);
    assert_eq!(bench.logged_at("Resources being acquired"), bench.logged_at("is dead"), "it costs no time");
    assert!(bench.logged("b1 is answered by 02:de:ad:00:00:02 on eth0, which is no machine of nodeb's: taking over"));
    assert_eq!(bench.log().iter().filter(|line| line.contains("answers for")).count(), 1, "named once");
}

#[test]
fn the_peers_own_answer_holds_beside_a_proxys_and_frees_when_it_ends() {
    let mut bench = recognised();
    bench.peer_silent();
    bench.run(2_500);
    answered(&mut bench, 1, PEER);
    answered(&mut bench, 1, PROXY);
    bench.run(10_000);
    assert_eq!(states(&bench), [GroupState::Active, GroupState::Stopped]);
    let shown = bench.view().groups[1].held_back.clone().unwrap();
    assert_eq!(shown, "b1 is answered by 02:00:c0:a8:11:03, nodeb itself");
    news(&mut bench, 1, AddressNews::Unanswered { mac: PEER.into() });
    assert_eq!(states(&bench), [GroupState::Active; 2]);
}

#[test]
fn a_proxy_that_is_known_frees_at_once_when_the_peers_machine_ends() {
    let mut bench = recognised();
    surveyed(&mut bench, 1, &[PEER, PROXY]);
    bench.peer_silent();
    bench.run(2_500);
    answered(&mut bench, 1, PEER);
    answered(&mut bench, 1, PROXY);
    bench.run(500);
    news(&mut bench, 1, AddressNews::Unanswered { mac: PEER.into() });
    bench.run(4_000);
    assert_eq!(states(&bench), [GroupState::Active; 2]);
}

/// Its interface got another MAC address while we could not hear it.
#[test]
fn a_machine_that_answers_in_the_peers_place_may_be_the_peers() {
    let mut bench = recognised();
    bench.peer_silent();
    bench.run(2_500);
    answered(&mut bench, 1, PEER);
    bench.run(10_000);
    answered(&mut bench, 1, STRANGER);
    bench.run(600);
    news(&mut bench, 1, AddressNews::Unanswered { mac: PEER.into() });
    bench.run(10_000);
    assert_eq!(states(&bench), [GroupState::Active, GroupState::Stopped]);
    news(&mut bench, 1, AddressNews::Silent);
    assert_eq!(states(&bench), [GroupState::Active; 2]);
}

/// The question is out, and only a router has answered yet.
#[test]
fn after_a_stall_a_proxys_quick_answer_does_not_hide_the_peers() {
    let mut bench = recognised();
    bench.peer_silent();
    bench.now += ms(20_000);
    bench.feed(Event::Deadline);
    answered(&mut bench, 1, PROXY);
    bench.run(500);
    assert_eq!(states(&bench)[1], GroupState::Stopped);
    answered(&mut bench, 1, PEER);
    bench.run(10_000);
    assert_eq!(states(&bench)[1], GroupState::Stopped);
}

#[test]
fn after_a_lost_lease_a_stranger_does_not_keep_our_address_away() {
    for (mac, back) in [(STRANGER, true), (PEER, false)] {
        let mut bench = recognised();
        news(&mut bench, 0, AddressNews::Expired);
        answered(&mut bench, 0, mac);
        bench.run(5_000);
        assert_eq!(bench.story().contains(&"restore a1".to_owned()), back, "{mac}");
    }
}

/// The peer had it for a moment, a stranger answers from then on, and the peer, which is heard, says no other MAC
/// address.
#[test]
fn after_a_lost_lease_the_peers_short_answer_does_not_make_a_stranger_the_peer() {
    let mut bench = recognised();
    news(&mut bench, 0, AddressNews::Expired);
    answered(&mut bench, 0, PEER);
    bench.run(100);
    answered(&mut bench, 0, STRANGER);
    bench.run(100);
    news(&mut bench, 0, AddressNews::Unanswered { mac: PEER.into() });
    bench.run(5_000);
    assert!(bench.story().contains(&"restore a1".to_owned()));
}

/// Of a Heartbeat nobody is told the MAC addresses: what answers for its addresses while it lives may be its own.
#[test]
fn a_heartbeat_is_known_by_its_answers_while_it_lives() {
    let mut bench = beside_heartbeat();
    surveyed(&mut bench, 0, &[PROXY]);
    surveyed(&mut bench, 1, &[PEER, PROXY]);
    let mut bench = alone(bench);
    claimed(&mut bench, 0, STRANGER);
    claimed(&mut bench, 0, PROXY);
    assert_eq!(states(&bench), [GroupState::Active; 2], "{:?}", bench.log());
    claimed(&mut bench, 0, PEER);
    assert_eq!(states(&bench)[0], GroupState::Stopped);
    assert!(bench.logged("(probably nodeb: it answered for what nodeb served)"), "{:?}", bench.log());
}

/// A Heartbeat whose machine answers for everything is no proxy that could be ignored.
#[test]
fn a_heartbeat_that_answers_for_everything_is_not_taken_for_a_stranger() {
    let mut bench = beside_heartbeat();
    surveyed(&mut bench, 1, &[PEER]);
    surveyed(&mut bench, 0, &[PEER]);
    surveyed(&mut bench, 1, &[PEER]);
    let mut bench = alone(bench);
    claimed(&mut bench, 0, PEER);
    assert_eq!(states(&bench)[0], GroupState::Stopped);
}

/// Another machine, with another MAC address, got the node's name and disk; nothing was heard of its MAC addresses.
#[test]
fn what_was_said_of_an_earlier_life_does_not_count_alone() {
    let mut bench = recognised();
    (bench.peer.hbd, bench.peer.macs) = (None, None);
    bench.peer_restarts();
    bench.peer_beats("active", 0xfa0);
    bench.resource("local", "1", None);
    bench.run(3_000);
    let mut bench = alone(bench);
    claimed(&mut bench, 1, STRANGER);
    assert_eq!(states(&bench)[1], GroupState::Stopped, "it may be the new one");
}

#[test]
fn with_defend_every_claim_is_answered() {
    let mut bench = started(AddressPolicy { on_claim: OnClaim::Defend, ..AddressPolicy::default() }, |_| {});
    (bench.peer.hbd, bench.peer.macs) = (Some(HBD), Some(PEER_SAYS));
    let mut bench = alone(bench.activated().decided("local"));
    claimed(&mut bench, 1, PEER);
    assert_eq!(bench.story().first().map(String::as_str), Some("defend b1"));
    assert_eq!(states(&bench), [GroupState::Active; 2]);
}

/// The group is served by both nodes' machines for a moment: no stranger.
#[test]
fn who_a_living_heartbeats_machine_is_cannot_be_told_from_two_that_answer() {
    let mut bench = started(AddressPolicy::default(), |_| {});
    bench.peer.hbd = Some(HBD);
    let mut bench = bench.activated().decided("none");
    surveyed(&mut bench, 0, &[STRANGER]);
    assert_eq!(bench.view().groups[0].strangers.len(), 1, "we serve it, and somebody else answers");
    assert!(bench.logged("answers for a1 as well"));
}

/// One question for each address soon, and then one a minute for each.
#[test]
fn the_lan_is_asked_now_and_then_while_all_is_well() {
    let mut bench = recognised();
    let asked = |bench: &Bench| {
        let survey = |action: &Action| matches!(action, Action::Address { order: Order::Survey, .. });
        bench.done.iter().filter(|(_, action)| survey(action)).count()
    };
    bench.run(60_000);
    bench.done.clear();
    bench.run(600_000);
    assert!((19..=21).contains(&asked(&bench)), "{}", asked(&bench));
    let mut unwatched = Bench::joined_hbd("local");
    unwatched.run(60_000);
    assert_eq!(asked(&unwatched), 0);
}

#[test]
fn a_flood_of_invented_machines_does_not_hide_the_peer() {
    let mut bench = recognised();
    for last in 0..200 {
        surveyed(&mut bench, 0, &[&format!("02:de:ad:00:01:{last:02x}")]);
    }
    let mut bench = alone(bench);
    claimed(&mut bench, 1, STRANGER);
    assert_eq!(states(&bench), [GroupState::Active; 2]);
    claimed(&mut bench, 1, PEER);
    assert_eq!(states(&bench)[1], GroupState::Stopped);
}

/// A stranger invents MAC addresses while the peer's address is asked for.
#[test]
fn so_many_machines_may_answer_and_the_peers_is_not_lost_among_them() {
    let mut bench = recognised();
    bench.peer_silent();
    bench.run(2_100);
    for number in 0..200 {
        answered(&mut bench, 1, &format!("02:de:ad:00:00:{number:02x}"));
    }
    answered(&mut bench, 1, PEER);
    bench.run(4_000);
    assert_eq!(states(&bench)[1], GroupState::Stopped, "the peer's machine has it");
}
