//! What runs here and is not to (docs/DECISIONS.md "Left-overs on a node that does not own a group").

use super::*;
use crate::cluster::{AddressNews, GroupSet, ResourceState};
use crate::config::{Address, Leftovers};

const B1: Step = Step { group: 1, resource: 0 };
const B2: Step = Step { group: 1, resource: 1 };

/// nodea, whose peer holds b1 and b2; b1 is an address.
fn standby(leftovers: Leftovers) -> Bench {
    let mut bench = Bench::with(|settings| {
        settings.leftovers = leftovers;
        settings.groups[1].resources[0].kind = ResourceKind::Address(Address {
            address: [10, 0, 0, 1].into(),
            prefix: None,
            device: None,
            label: None,
            broadcast: None,
        });
    });
    bench.feed(Event::Start);
    bench.peer.hbd = Some("1 0.1.0");
    bench
}

fn ended(bench: &mut Bench, step: Step, outcome: Outcome) {
    bench.feed(Event::LeftoverEnded { step, outcome });
}

#[test]
fn an_address_is_removed_at_once_and_said() {
    let mut bench = standby(Leftovers::Stop);
    bench.story();
    bench.feed(Event::Address { step: B1, news: AddressNews::Found });
    assert!(bench.logged("b1 is on this machine, which does not hold its group b1: stopping it here"));
    assert_eq!(bench.story(), ["stop left-over b1"], "before anything is decided");
    assert_eq!(bench.view().groups[1].resources[0].state, ResourceState::LeftOver);
    ended(&mut bench, B1, Outcome::NotStopped("busy".into()));
    assert!(bench.logged("b1 is still on this machine"));
    bench.run(2_000);
    assert!(bench.story().contains(&"stop left-over b1".to_owned()), "tried again");
    ended(&mut bench, B1, Outcome::Stopped);
    assert_eq!(bench.view().groups[1].resources[0].state, ResourceState::Stopped);
    bench.story();
    // And when it appears later.
    let mut bench = bench.activated().decided("local");
    bench.feed(Event::Address { step: B1, news: AddressNews::Found });
    assert_eq!(bench.story(), ["stop left-over b1"]);
    ended(&mut bench, B1, Outcome::Stopped);
    assert_eq!(bench.field("resource", "hbd_released"), ["foreign"], "so that nodeb announces it");
}

#[test]
fn a_unit_is_stopped_when_it_is_certain_that_it_is_not_wanted_here() {
    let mut bench = standby(Leftovers::Stop);
    bench.feed(Event::Unit { step: B2, news: UnitNews::Up });
    bench.run(5_000);
    assert!(!bench.story().contains(&"stop left-over b2".to_owned()), "it may be about to be ours");
    let mut bench = bench.activated();
    bench.says("starting", &[]);
    bench.resource("local", "1", None);
    bench.run(3_000);
    assert!(bench.story().contains(&"stop left-over b2".to_owned()));
    ended(&mut bench, B2, Outcome::Stopped);
    assert!(bench.logged("b2 of group b1, which this machine does not hold, is not here any more"));
}

#[test]
fn what_is_taken_over_meanwhile_is_no_left_over() {
    let mut bench = standby(Leftovers::Stop);
    bench.feed(Event::Unit { step: B2, news: UnitNews::Up });
    bench.run(60_000);
    let story = bench.story();
    assert!(story.contains(&"start b2".to_owned()), "nobody else is there: {story:?}");
    assert!(!story.contains(&"stop left-over b2".to_owned()));
    assert_eq!(bench.view().groups[1].resources[1].state, ResourceState::Active);
}

#[test]
fn what_is_wanted_while_it_is_stopped_starts_when_it_is_down() {
    let mut bench = standby(Leftovers::Stop).activated().decided("local");
    bench.feed(Event::Unit { step: B2, news: UnitNews::Up });
    assert!(bench.story().contains(&"stop left-over b2".to_owned()));
    bench.peer_silent();
    bench.run(60_000);
    let story = bench.story();
    assert!(story.contains(&"start b1".to_owned()), "{story:?}");
    assert!(!story.contains(&"start b2".to_owned()), "its stop would take it down again: {story:?}");
    ended(&mut bench, B2, Outcome::Stopped);
    assert_eq!(bench.story()[0], "start b2");
    bench.run(1_000);
    assert_eq!(bench.view().groups[1].resources[1].state, ResourceState::Active);
}

#[test]
fn hbd_toml_can_leave_units_and_have_them_named() {
    let mut bench = standby(Leftovers::Report).activated().decided("local");
    bench.feed(Event::Unit { step: B2, news: UnitNews::Up });
    assert!(bench.logged("b2 runs on this machine, which does not hold its group b1, and is left as it is"));
    bench.run(60_000);
    assert!(!bench.story().contains(&"stop left-over b2".to_owned()));
    assert_eq!(bench.view().groups[1].resources[1].state, ResourceState::LeftOver);
    bench.feed(Event::Unit { step: B2, news: STOPPED });
    assert_eq!(bench.view().groups[1].resources[1].state, ResourceState::Stopped);
}

#[test]
fn a_unit_that_another_group_runs_here_is_none() {
    let mut bench = Bench::with(|settings| {
        settings.groups[1].resources[1].kind = ResourceKind::Unit("a2.service".into());
    });
    bench.feed(Event::Start);
    let mut bench = bench.activated().decided("local");
    bench.feed(Event::Unit { step: B2, news: UnitNews::Up });
    bench.run(10_000);
    assert!(!bench.story().contains(&"stop left-over b2".to_owned()));
    assert_eq!(bench.view().groups[1].resources[1].state, ResourceState::Stopped);
}

#[test]
fn in_maintenance_it_is_only_named() {
    let mut bench = standby(Leftovers::Stop).activated().decided("none");
    bench.request(Request::Maintenance(true));
    bench.feed(Event::Address { step: B1, news: AddressNews::Found });
    assert!(bench.logged("b1 runs on this machine, which does not hold its group b1, and is left as it is"));
    assert_eq!(bench.story(), [""; 0], "nobody has it");
    bench.resource("local", "1", None);
    bench.run(3_000);
    assert!(bench.story().contains(&"stop left-over b1".to_owned()), "two nodes must not have it");
    ended(&mut bench, B1, Outcome::Stopped);
    bench.feed(Event::Unit { step: B2, news: UnitNews::Up });
    bench.run(3_000);
    assert!(!bench.story().contains(&"stop left-over b2".to_owned()));
    bench.request(Request::Maintenance(false));
    bench.run(3_000);
    assert!(bench.story().contains(&"stop left-over b2".to_owned()));
}

#[test]
fn an_address_that_was_left_alone_in_maintenance_goes_at_its_end() {
    let mut bench = standby(Leftovers::Stop).activated().decided("none");
    bench.request(Request::Maintenance(true));
    bench.feed(Event::Address { step: B1, news: AddressNews::Found });
    assert_eq!(bench.story(), [""; 0], "nobody has it");
    bench.request(Request::Maintenance(false));
    assert!(bench.story().contains(&"stop left-over b1".to_owned()), "the other node takes the group any moment");
}

#[test]
fn a_stop_in_maintenance_leaves_nothing_that_the_other_node_takes() {
    let mut bench = standby(Leftovers::Stop).activated().decided("none");
    bench.request(Request::Maintenance(true));
    bench.feed(Event::Address { step: B1, news: AddressNews::Found });
    bench.feed(Event::Unit { step: B2, news: UnitNews::Up });
    assert_eq!(bench.story(), [""; 0], "an administrator serves by hand");
    bench.request(Request::Shutdown);
    bench.run(5_000);
    let story = bench.story();
    assert!(
        ["stop left-over b1", "stop left-over b2"].iter().all(|stop| story.contains(&stop.to_string())),
        "{story:?}"
    );
    ended(&mut bench, B2, Outcome::Stopped);
    assert!(bench.sent("shutdone").is_empty(), "the address is still here");
    ended(&mut bench, B1, Outcome::Stopped);
    assert_eq!(bench.sent("shutdone").len(), 1);
}

/// In maintenance an operator may serve by hand what no node has, until a node has it.
#[test]
fn an_address_that_was_added_by_hand_in_maintenance_goes_when_the_peer_says_that_it_has_it() {
    let mut bench = standby(Leftovers::Stop).activated().decided("none");
    bench.request(Request::GroupMaintenance { set: GroupSet::one(1), on: true });
    bench.feed(Event::Address { step: B1, news: AddressNews::Found });
    bench.run(2_500);
    bench.story();
    bench.resource("local", "1", None);
    assert!(bench.story().contains(&"stop left-over b1".to_owned()), "without waiting for the next look");
}

/// The node that has the group announces its addresses when it hears that, however late.
#[test]
fn that_a_left_over_is_gone_is_said_at_the_end_of_an_exchange() {
    let mut bench = standby(Leftovers::Stop).activated().decided("local");
    bench.feed(Event::Address { step: B1, news: AddressNews::Found });
    bench.ask("foreign", "me");
    ended(&mut bench, B1, Outcome::Stopped);
    assert!(bench.field("resource", "hbd_released").iter().all(|set| set == "-"), "it would end the exchange");
    bench.run(60_000);
    assert!(bench.field("resource", "hbd_released").contains(&"foreign".to_owned()), "{:?}", bench.log());
}

#[test]
fn a_unit_of_which_nobody_knows_is_not_gone() {
    let mut bench = standby(Leftovers::Report).activated().decided("local");
    let step = Step { group: 1, resource: 1 };
    bench.feed(Event::Unit { step, news: UnitNews::Up });
    bench.feed(Event::Unit { step, news: UnitNews::Unknown });
    assert_eq!(bench.view().groups[1].resources[1].state, ResourceState::LeftOver);
    bench.feed(Event::Unit { step, news: UnitNews::Failed("it ended".into()) });
    assert_eq!(bench.view().groups[1].resources[1].state, ResourceState::Stopped);
}
