//! Addresses that another machine uses (docs/DECISIONS.md "The peer is silent but its address is answered", "Somebody
//! claims an address we serve"): the LAN is asked while the peer is late, an answered address is held back, a claimed
//! one is yielded to a silent Heartbeat, and one that lost its lease is added again only if no machine has it.

use std::net::Ipv4Addr;

use super::*;
use crate::cluster::{AddressNews, Adoption, Event, GroupState};
use crate::config::{Address, AddressPolicy, OnAnswer, OnClaim};

const MAC: &str = "02:00:c0:a8:11:03";

/// The first resource of each group is an address; the peer holds its own, we hold ours.
pub(super) fn watched(policy: AddressPolicy, hbd: bool) -> Bench {
    watched_with(policy, hbd, |_| {})
}

fn watched_with(policy: AddressPolicy, hbd: bool, change: impl FnOnce(&mut Settings)) -> Bench {
    let mut bench = started(policy, change);
    bench.peer.hbd = hbd.then_some("1 0.1.0");
    bench.activated().decided("local")
}

/// Started, without any message of the peer yet.
pub(super) fn started(policy: AddressPolicy, change: impl FnOnce(&mut Settings)) -> Bench {
    let mut bench = unstarted(policy, change);
    bench.feed(Event::Start);
    bench
}

pub(super) fn unstarted(policy: AddressPolicy, change: impl FnOnce(&mut Settings)) -> Bench {
    let mut bench = Bench::with(|settings| {
        change(settings);
        for (index, group) in settings.groups.iter_mut().enumerate() {
            let address = Ipv4Addr::new(10, 0, 0, 100 + index as u8).into();
            group.resources[0].kind =
                ResourceKind::Address(Address { address, prefix: None, device: None, label: None, broadcast: None });
        }
    });
    bench.feed(Event::Policies(vec![policy; 2]));
    bench
}

pub(super) fn news(bench: &mut Bench, group: usize, news: AddressNews) {
    bench.feed(Event::Address { step: Step { group, resource: 0 }, news });
}

fn answered(bench: &mut Bench, group: usize) {
    news(bench, group, AddressNews::Answered { mac: MAC.into(), device: "eth0".into() });
}

#[test]
fn the_lan_is_asked_while_a_peer_is_late_so_that_its_death_costs_no_delay() {
    let mut bench = watched(AddressPolicy::default(), true);
    let silent_at = bench.clock();
    bench.peer_silent();
    bench.run(2_100);
    assert_eq!(bench.story(), ["probe b1"]);
    news(&mut bench, 1, AddressNews::Silent);
    bench.run(3_000);
    let taken = bench.logged_at("Resources being acquired").unwrap();
    let dead = bench.logged_at("is dead").unwrap();
    assert_eq!(taken, dead);
    assert!(dead - silent_at <= 4_001, "{dead} {silent_at}");
    assert_eq!(bench.view().groups[1].state, GroupState::Active);
    assert!(bench.story().contains(&"probeend b1".to_owned()));
}

/// The device reports that the node was reset, and its address is still answered.
#[test]
fn an_address_that_is_answered_after_a_reset_is_not_taken() {
    let reset = |bench: &mut Bench| bench.feed(Event::Fenced { node: "nodeb".into(), outcome: Ok(()) });
    let device = |settings: &mut Settings| settings.fencing = vec!["nodeb".into()];
    let mut bench = watched_with(AddressPolicy::default(), true, device);
    bench.peer_silent();
    bench.run(20_000);
    answered(&mut bench, 1);
    reset(&mut bench);
    assert!(bench.logged("b1 is still answered by 02:00:c0:a8:11:03"), "{:?}", bench.log());
    assert_eq!(bench.view().hold, Set::LOCAL);

    let mut bench = watched_with(AddressPolicy::default(), true, device);
    bench.peer_silent();
    bench.run(20_000);
    news(&mut bench, 1, AddressNews::Silent);
    reset(&mut bench);
    assert_eq!(bench.view().hold, Set::ALL, "asked while the agent ran, so that no time is lost now");
}

#[test]
fn a_peer_that_was_only_late_loses_nothing() {
    let mut bench = watched(AddressPolicy::default(), true);
    bench.peer_silent();
    bench.run(2_500);
    bench.peer_beats("active", 0xfa0);
    bench.run(3_000);
    assert_eq!(bench.story(), ["probe b1", "probeend b1"]);
}

#[test]
fn an_answered_address_is_held_back_and_logged_until_nobody_answers() {
    let mut bench = watched(AddressPolicy::default(), true);
    bench.peer_silent();
    bench.run(2_500);
    answered(&mut bench, 1);
    bench.run(60_000);
    let whose = "perhaps nodeb, whose MAC addresses are not known";
    let said = format!("b1 is still answered by {MAC} ({whose}): not taking over group b1");
    assert!(bench.logged(&said), "{:?}", bench.log());
    let shown = format!("b1 is answered by {MAC}, {whose}");
    assert_eq!(bench.view().groups[1].held_back.as_deref(), Some(&*shown));
    assert!(!bench.story().contains(&"start b1".to_owned()));
    assert_eq!(bench.view().groups[0].state, GroupState::Active, "our own goes on");
    news(&mut bench, 1, AddressNews::Silent);
    assert_eq!(bench.view().groups[1].state, GroupState::Active);
    assert_eq!(bench.view().groups[1].held_back, None);
}

#[test]
fn neither_a_partition_nor_its_end_moves_anything() {
    for hbd in [true, false] {
        let mut bench = watched(AddressPolicy::default(), hbd);
        bench.peer_silent();
        bench.run(2_500);
        answered(&mut bench, 1);
        bench.run(20_000);
        bench.story();
        bench.peer_beats("active", 0xfa0);
        // A message from before it declared us dead, sent again.
        bench.resource("none", "1", None);
        assert!(!bench.logged("No one owns"), "{hbd}: {:?}", bench.log());
        bench.resource("local", "1", None);
        bench.run(5_000);
        let story = bench.story();
        assert!(
            !story.iter().any(|line| line.starts_with("start ") || line.starts_with("stop ")),
            "{hbd}: {story:?}"
        );
        assert!(story.contains(&"probeend b1".to_owned()), "{story:?}");
        assert_eq!(bench.view().groups[0].state, GroupState::Active);
        assert_eq!(bench.view().groups[1].owner.as_deref(), Some("nodeb"));
    }
}

/// The peer heard us all the time, but we did not hear it. It does not hold the group that we held back because its
/// address was answered.
#[test]
fn a_group_that_was_held_back_has_no_owner_if_the_peer_returns_without_it() {
    for hbd in [true, false] {
        let mut bench = started(AddressPolicy::default(), |settings| settings.auto_failback = AutoFailback::Off);
        bench.peer.hbd = hbd.then_some("1 0.1.0");
        bench.run(9_000);
        answered(&mut bench, 1);
        bench.run(10_000);
        assert_eq!(bench.view().hold, Set::LOCAL);
        bench.peer_beats("active", 0xfa0);
        assert!(!bench.logged("No one owns"), "{hbd}: it has not said a word: {:?}", bench.log());
        bench.resource("none", "1", None);
        bench.run(2_000);
        assert!(bench.logged("No one owns foreign resources!"), "{hbd}: {:?}", bench.log());
        if !hbd {
            bench.run(3_000);
            let story = bench.story();
            assert!(story.contains(&"ask_resources foreign me".to_owned()), "{story:?}");
        }
    }
}

/// The takeover of a real Heartbeat that had declared us dead may end after the partition. The report of its script
/// names only what it took, in addition to what it has held all the time (03 §3).
#[test]
fn a_late_mach_down_adds_to_what_a_heartbeat_holds() {
    let mut bench = watched(AddressPolicy::default(), false);
    bench.peer_silent();
    bench.run(2_500);
    answered(&mut bench, 1);
    bench.run(3_000);
    bench.peer_beats("active", 0xfa0);
    bench.run(500);
    bench.says("resource", &[("rsc_hold", "foreign"), ("info", "mach_down")]);
    assert!(bench.logged("Both machines own our resources!"), "{:?}", bench.log());
    assert!(!bench.logged("No one owns"), "{:?}", bench.log());
    bench.resource("none", "1", None);
    assert!(bench.logged("No one owns foreign resources!"), "that is all: {:?}", bench.log());
}

#[test]
fn with_conflict_takeover_the_lan_is_not_asked() {
    let mut bench = watched(AddressPolicy { conflict: OnAnswer::Takeover, ..AddressPolicy::default() }, true);
    bench.peer_silent();
    bench.run(5_000);
    let story = bench.story();
    assert!(story.contains(&"start b1".to_owned()) && !story.contains(&"probe b1".to_owned()), "{story:?}");
}

#[test]
fn a_service_that_is_gone_for_a_dead_time_makes_an_answered_address_free() {
    let mut bench = watched(AddressPolicy { probe: Some(80), ..AddressPolicy::default() }, true);
    bench.peer_silent();
    bench.run(2_500);
    answered(&mut bench, 1);
    bench.run(3_000);
    news(&mut bench, 1, AddressNews::Service { answers: false });
    bench.run(3_900);
    assert_eq!(bench.view().groups[1].state, GroupState::Stopped);
    bench.run(200);
    assert_eq!(bench.view().groups[1].state, GroupState::Active);
}

#[test]
fn after_a_stall_the_lan_is_asked_before_a_takeover() {
    let mut bench = watched(AddressPolicy::default(), true);
    bench.peer_silent();
    bench.now += ms(20_000);
    bench.feed(Event::Deadline);
    assert!(bench.logged("is dead"));
    assert!(bench.story().contains(&"probe b1".to_owned()));
    assert_eq!(bench.view().groups[1].state, GroupState::Stopped);
    bench.run(1_100);
    assert_eq!(bench.view().groups[1].state, GroupState::Active, "nothing was heard");
}

#[test]
fn a_peer_that_leaves_properly_is_believed() {
    let mut bench = watched(AddressPolicy::default(), true);
    bench.peer_silent();
    bench.run(2_500);
    answered(&mut bench, 1);
    bench.resource("none", "0", Some("shutdown"));
    bench.says("shutdone", &[]);
    assert_eq!(bench.view().groups[1].state, GroupState::Active);
}

#[test]
fn a_claim_is_logged_and_yielded_to_only_if_a_silent_peer_repeats_it() {
    let claim = |again| AddressNews::Claimed { mac: MAC.into(), device: "eth0".into(), again };
    // (field `hbd` of the peer, whether the peer is silent, policy, whether we yield to the second claim)
    let table = [
        (false, true, OnClaim::Yield, true),
        (false, true, OnClaim::Defend, false),
        (false, false, OnClaim::Yield, false),
        (true, true, OnClaim::Yield, false),
    ];
    for (hbd, silent, on_claim, yields) in table {
        let mut bench = watched(AddressPolicy { on_claim, ..AddressPolicy::default() }, hbd);
        if silent {
            bench.peer_silent();
            bench.run(2_500);
            answered(&mut bench, 1);
            bench.run(4_000);
        }
        bench.story();
        news(&mut bench, 0, claim(false));
        assert_eq!(bench.view().groups[0].state, GroupState::Active);
        news(&mut bench, 0, claim(true));
        let state = if yields { GroupState::Stopped } else { GroupState::Active };
        assert_eq!(bench.view().groups[0].state, state, "{hbd} {silent} {on_claim:?}");
        if yields {
            bench.run(30_000);
            assert_eq!(bench.view().groups[0].state, state, "as long as it is answered");
            news(&mut bench, 0, AddressNews::Silent);
            assert_eq!(bench.view().groups[0].state, GroupState::Active);
        }
    }
}

/// The claim and the peer's death count together, also if the peer was only late when it claimed.
#[test]
fn a_claim_of_a_late_peer_is_yielded_to_when_the_peer_is_dead() {
    let claim = |again| AddressNews::Claimed { mac: MAC.into(), device: "eth0".into(), again };
    for heard_since in [false, true] {
        let mut bench = watched(AddressPolicy::default(), false);
        bench.peer_silent();
        bench.run(1_000);
        news(&mut bench, 0, claim(false));
        news(&mut bench, 0, claim(true));
        assert_eq!(bench.view().groups[0].state, GroupState::Active);
        if heard_since {
            bench.peer_status();
            bench.peer_silent();
        }
        bench.run(6_000);
        assert!(bench.logged("is dead"));
        let state = if heard_since { GroupState::Active } else { GroupState::Stopped };
        assert_eq!(bench.view().groups[0].state, state, "{heard_since}");
    }
}

/// Both nodes took everything because the links and the LAN were gone. Now the LAN is back.
#[test]
fn two_hbd_nodes_that_do_not_hear_each_other_keep_their_own_groups() {
    let alone = || {
        let mut bench = watched(AddressPolicy::default(), true);
        bench.peer_silent();
        bench.run(2_500);
        news(&mut bench, 1, AddressNews::Silent);
        bench.run(4_000);
        bench
    };
    let mut never_heard = started(AddressPolicy::default(), |_| {});
    never_heard.run(20_000);
    for group in [0, 1] {
        news(&mut never_heard, group, AddressNews::Silent);
    }
    never_heard.run(20_000);
    // Its successor counts as alive for 34 s, but does not hear us: nothing that it says is believed.
    let mut restarts = alone();
    let mut message = restarts.status();
    message.set_text("dt", "84d0");
    message.set_text("hbd_restart", "1");
    restarts.hears(message);
    restarts.run(6_000);
    assert_eq!(restarts.peer_state(), "active");
    for mut bench in [alone(), never_heard, restarts] {
        let claimed = |again| AddressNews::Claimed { mac: MAC.into(), device: "eth0".into(), again };
        let states = |bench: &Bench| bench.view().groups.iter().map(|group| group.state).collect::<Vec<_>>();
        assert_eq!(states(&bench), [GroupState::Active; 2]);
        for (group, again) in [(0, false), (0, true), (1, false), (1, true)] {
            news(&mut bench, group, claimed(again));
        }
        assert_eq!(
            states(&bench),
            [GroupState::Active, GroupState::Stopped],
            "the other does the same the other way round"
        );
        let released = bench.field("resource", "hbd_released");
        assert_eq!(
            released.last().map(String::as_str),
            Some("foreign"),
            "it may hear us, and announces what it keeps"
        );
        news(&mut bench, 1, AddressNews::Silent);
        assert_eq!(states(&bench), [GroupState::Active; 2], "it was no node, or it is gone");
    }
}

/// A successor cannot know yet whether the peer lives; the LAN came back after the predecessor had taken everything.
#[test]
fn a_successor_that_does_not_hear_its_peer_keeps_its_own_groups() {
    let mut bench = unstarted(AddressPolicy::default(), |_| {});
    let held = bench.core.groups.all();
    bench.feed(Event::Adopt(Box::new(Adoption { held, ..Adoption::default() })));
    bench.feed(Event::Start);
    bench.run(1_000);
    for (again, group) in [(false, 0), (false, 1), (true, 0), (true, 1)] {
        news(&mut bench, group, AddressNews::Claimed { mac: MAC.into(), device: "eth0".into(), again });
    }
    let states = |bench: &Bench| bench.view().groups.iter().map(|group| group.state).collect::<Vec<_>>();
    assert_eq!(states(&bench), [GroupState::Active; 2], "it may be heard in a moment");
    for time in [4_000, 20_000] {
        bench.run(time);
        assert_eq!(states(&bench), [GroupState::Active, GroupState::Stopped], "as long as it is answered");
    }
    news(&mut bench, 1, AddressNews::Silent);
    assert_eq!(states(&bench), [GroupState::Active; 2]);
}

#[test]
fn a_lost_lease_comes_back_only_if_nobody_else_has_the_address() {
    let mut bench = watched(AddressPolicy::default(), true);
    news(&mut bench, 0, AddressNews::Expired);
    assert!(bench.logged("lease of a1 ended"));
    assert_eq!(bench.story(), ["probe a1"]);
    answered(&mut bench, 0);
    bench.run(5_000);
    assert!(bench.story().is_empty(), "somebody has it");
    news(&mut bench, 0, AddressNews::Silent);
    assert_eq!(bench.story(), ["probeend a1", "restore a1"]);
}

/// A router with proxy ARP answers for everything, and the peer's MAC addresses are not known.
#[test]
fn a_lost_lease_comes_back_when_the_peer_hears_us_and_claims_nothing() {
    let mut bench = watched(AddressPolicy::default(), true);
    news(&mut bench, 0, AddressNews::Expired);
    answered(&mut bench, 0);
    bench.story();
    bench.run(10_000);
    assert!(bench.story().contains(&"restore a1".to_owned()), "{:?}", bench.log());
}

#[test]
fn a_lost_lease_that_the_peer_has_claimed_meanwhile_does_not_come_back() {
    let mut bench = watched(AddressPolicy::default(), true);
    news(&mut bench, 0, AddressNews::Expired);
    bench.resource("all", "1", None);
    news(&mut bench, 0, AddressNews::Silent);
    assert!(!bench.story().contains(&"restore a1".to_owned()));
}

#[test]
fn the_lease_of_a_group_that_is_released_meanwhile_is_forgotten() {
    let mut bench = watched(AddressPolicy::default(), true);
    news(&mut bench, 0, AddressNews::Expired);
    bench.request(Request::Shutdown);
    news(&mut bench, 0, AddressNews::Silent);
    bench.run(3_000);
    let story = bench.story();
    assert!(story.contains(&"probeend a1".to_owned()) && !story.contains(&"restore a1".to_owned()), "{story:?}");
}

/// The peer may have declared us dead while we were stalled, and it has the address only when its resources are up.
#[test]
fn a_lost_lease_waits_for_a_peer_of_which_nothing_was_heard_since() {
    let restored = |bench: &mut Bench| bench.story().contains(&"restore a1".to_owned());
    let mut bench = watched(AddressPolicy::default(), true);
    news(&mut bench, 0, AddressNews::Expired);
    bench.peer_status();
    news(&mut bench, 0, AddressNews::Silent);
    assert!(!restored(&mut bench), "this one had waited for us to wake up");
    bench.run(1_000);
    assert!(restored(&mut bench), "it is there, and does not hold us for dead");

    let mut bench = watched(AddressPolicy::default(), true);
    bench.peer_silent();
    news(&mut bench, 0, AddressNews::Expired);
    news(&mut bench, 0, AddressNews::Silent);
    bench.run(3_900);
    assert!(!restored(&mut bench), "it may be taking it");
    bench.run(200);
    assert!(restored(&mut bench), "it has not taken it in a dead time");

    let mut bench = watched(AddressPolicy::default(), true);
    bench.peer_silent();
    bench.run(20_000);
    news(&mut bench, 0, AddressNews::Expired);
    news(&mut bench, 0, AddressNews::Silent);
    assert!(restored(&mut bench), "it was dead before");
}

/// The peer is dead, and another machine answers for its address.
fn held_back(policy: AddressPolicy) -> Bench {
    let mut bench = watched(policy, true);
    bench.peer_silent();
    bench.run(2_100);
    answered(&mut bench, 1);
    bench.run(10_000);
    assert_eq!(bench.view().hold, Set::LOCAL);
    bench.done.clear();
    bench
}

#[test]
fn an_operator_clears_the_hold() {
    let mut bench = held_back(AddressPolicy::default());
    bench.request(Request::ClearHold(0));
    assert_eq!(answers(&bench), [Answer::NotHeld], "ours is held by nobody else");
    bench.request(Request::ClearHold(1));
    assert_eq!(answers(&bench), [Answer::NotHeld, Answer::Done]);
    assert!(bench.logged("an operator knows who has the addresses of group b1"));
    assert!(!bench.logged("nobody answers"), "{:?}", bench.log());
    assert_eq!(bench.view().hold, Set::ALL);
    assert_eq!(bench.view().groups[1].state, GroupState::Active);
    bench.request(Request::ClearHold(1));
    assert_eq!(answers(&bench).last(), Some(&Answer::NotHeld));
}

#[test]
fn a_cleared_group_is_held_back_again_if_the_address_is_still_claimed() {
    let mut bench = held_back(AddressPolicy::default());
    bench.request(Request::ClearHold(1));
    for again in [false, true] {
        news(&mut bench, 1, AddressNews::Claimed { mac: MAC.into(), device: "eth0".into(), again });
    }
    assert_eq!(bench.view().hold, Set::LOCAL, "{:?}", bench.log());
    assert!(bench.view().groups[1].held_back.is_some());
}

#[test]
fn clear_hold_is_refused_for_a_living_peer_and_for_a_missing_reset() {
    let mut bench = watched(AddressPolicy::default(), true);
    bench.request(Request::ClearHold(1));
    bench.request(Request::ClearHold(7));
    assert_eq!(answers(&bench), [Answer::NotHeld, Answer::NotHeld]);
    let mut bench = watched_with(AddressPolicy::default(), true, |settings| settings.fencing = vec!["nodeb".into()]);
    bench.peer_silent();
    bench.run(20_000);
    bench.request(Request::ClearHold(1));
    assert_eq!(answers(&bench), [Answer::NotReset]);
}

#[test]
fn a_group_of_the_same_node_that_is_still_answered_keeps_both() {
    let second = |settings: &mut Settings| {
        let mut group = settings.groups[1].clone();
        group.key = "c1".into();
        settings.groups.push(group);
    };
    let mut bench = watched_with(AddressPolicy::default(), true, second);
    bench.feed(Event::Policies(vec![AddressPolicy::default(); 3]));
    bench.peer_silent();
    bench.run(2_100);
    (1..3).for_each(|group| answered(&mut bench, group));
    bench.run(10_000);
    bench.request(Request::ClearHold(1));
    assert_eq!(answers(&bench), [Answer::StillHeld]);
    assert_eq!(bench.view().hold, Set::LOCAL, "one class moves as a whole");
    bench.request(Request::ClearHold(2));
    assert_eq!(bench.view().hold, Set::ALL);
}
