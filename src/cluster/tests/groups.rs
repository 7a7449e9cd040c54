//! The steps of groups, without the rest of the core (03 §2.5).

use std::time::Duration;

use crate::cluster::ownership::groups::Groups;
use crate::cluster::{Action, GroupSet, GroupState, Instant, Outcome, Set, Step};
use crate::config::{Address, Arrangement, Group, Resource, ResourceKind};

fn groups() -> Groups {
    let resource = |word: &str| Resource { word: word.into(), kind: ResourceKind::Unit(format!("{word}.service")) };
    let group = |node: &str, words: [&str; 2]| Group {
        node: node.into(),
        key: words[0].into(),
        resources: words.map(resource).to_vec(),
        line: 1,
    };
    Groups::new("nodea", vec![group("nodea", ["a1", "a2"]), group("nodeb", ["b1", "b2"])])
}

/// The same, and a1 is an address.
fn groups_with_an_address() -> Groups {
    let mut list = groups().list().to_vec();
    let address = Address { address: [10, 0, 0, 1].into(), prefix: None, device: None, label: None, broadcast: None };
    list[0].resources[0].kind = ResourceKind::Address(address);
    Groups::new("nodea", list)
}

fn steps(out: &[Action]) -> Vec<Action> {
    out.iter().filter(|action| !matches!(action, Action::Log(_))).cloned().collect()
}

const NOW: Instant = Instant(Duration::ZERO);

fn step(group: usize, resource: usize) -> Step {
    Step { group, resource }
}

#[test]
fn starts_left_to_right_and_stops_right_to_left() {
    let mut groups = groups();
    let mut out = Vec::new();
    groups.want(groups.local(), true, NOW, &mut out);
    groups.ended(step(0, 0), Outcome::Started, NOW, &mut out);
    assert!(!groups.settled(groups.local()));
    groups.ended(step(0, 1), Outcome::Started, NOW, &mut out);
    assert!(groups.settled(groups.all()));
    assert_eq!(groups.state(0), (GroupState::Active, 2));
    groups.want(groups.all(), false, NOW, &mut out);
    groups.ended(step(0, 1), Outcome::Stopped, NOW, &mut out);
    groups.ended(step(0, 0), Outcome::Stopped, NOW, &mut out);
    let expected =
        [Action::Start(step(0, 0)), Action::Start(step(0, 1)), Action::Stop(step(0, 1)), Action::Stop(step(0, 0))];
    assert_eq!(steps(&out), expected);
    assert!(groups.settled(groups.all()));
}

#[test]
fn a_change_of_mind_waits_for_the_running_step() {
    let mut groups = groups();
    let mut out = Vec::new();
    groups.want(groups.local(), true, NOW, &mut out);
    groups.want(groups.local(), false, NOW, &mut out);
    assert_eq!(steps(&out), [Action::Start(step(0, 0))]);
    assert_eq!(groups.state(0).0, GroupState::Stopping);
    groups.ended(step(0, 0), Outcome::Started, NOW, &mut out);
    assert_eq!(steps(&out)[1..], [Action::Stop(step(0, 0))]);
}

/// A successor gives the group up and has it back before it has looked at what it took up.
#[test]
fn what_was_taken_up_and_not_looked_at_is_not_trusted_when_it_is_wanted_again() {
    let mut groups = groups();
    let mut out = Vec::new();
    groups.adopt(groups.local(), &[], NOW, &mut out);
    groups.want(groups.local(), false, NOW, &mut out);
    groups.want(groups.local(), true, NOW, &mut out);
    groups.ended(step(0, 0), Outcome::Started, NOW, &mut out);
    assert_ne!(groups.state(0).0, GroupState::Active);
    groups.ended(step(0, 1), Outcome::Started, NOW, &mut out);
    assert_eq!(groups.state(0), (GroupState::Active, 2));
    assert_eq!(steps(&out), [Action::Start(step(0, 0)), Action::Start(step(0, 1))]);
}

#[test]
fn a_failed_start_stops_what_ran_and_is_tried_again_later() {
    let mut groups = groups();
    let mut out = Vec::new();
    groups.want(groups.local(), true, NOW, &mut out);
    groups.ended(step(0, 0), Outcome::Started, NOW, &mut out);
    assert!(groups.ended(step(0, 1), Outcome::NotStarted("no such unit".into()), NOW, &mut out));
    groups.ended(step(0, 1), Outcome::Stopped, NOW, &mut out);
    groups.ended(step(0, 0), Outcome::Stopped, NOW, &mut out);
    assert_eq!(groups.state(0), (GroupState::Failed, 0));
    assert!(groups.settled(groups.local()));
    let later = groups.next_deadline().unwrap();
    out.clear();
    groups.tick(later, &mut out);
    assert_eq!(steps(&out), [Action::Start(step(0, 0))]);
}

#[test]
fn a_stop_that_fails_ten_times_is_escalated_once() {
    let mut groups = groups();
    let mut out = Vec::new();
    let mut now = NOW;
    groups.want(groups.local(), true, now, &mut out);
    groups.ended(step(0, 0), Outcome::Started, now, &mut out);
    groups.want(groups.local(), false, now, &mut out);
    groups.ended(step(0, 1), Outcome::Started, now, &mut out);
    groups.ended(step(0, 1), Outcome::Stopped, now, &mut out);
    for attempt in 1..=12 {
        out.clear();
        groups.ended(step(0, 0), Outcome::NotStopped("busy".into()), now, &mut out);
        assert_eq!(out.contains(&Action::Escalate(step(0, 0))), attempt == 10, "attempt {attempt}");
        now = groups.next_deadline().unwrap();
        groups.tick(now, &mut out);
    }
}

#[test]
fn a_failed_stop_is_repeated_and_never_called_done() {
    let mut groups = groups();
    let mut out = Vec::new();
    groups.want(groups.local(), true, NOW, &mut out);
    groups.ended(step(0, 0), Outcome::Started, NOW, &mut out);
    groups.ended(step(0, 1), Outcome::Started, NOW, &mut out);
    groups.want(groups.local(), false, NOW, &mut out);
    groups.ended(step(0, 1), Outcome::NotStopped("busy".into()), NOW, &mut out);
    assert!(!groups.settled(groups.local()));
    let again = groups.next_deadline().unwrap();
    out.clear();
    groups.tick(again, &mut out);
    assert_eq!(steps(&out), [Action::Stop(step(0, 1))]);
}

#[test]
fn a_resource_that_hangs_is_stopped_and_started_in_its_place() {
    let mut groups = groups();
    let mut out = Vec::new();
    groups.want(groups.local(), true, NOW, &mut out);
    groups.ended(step(0, 0), Outcome::Started, NOW, &mut out);
    groups.ended(step(0, 1), Outcome::Started, NOW, &mut out);
    out.clear();
    groups.replace(step(0, 0), NOW, &mut out);
    assert_eq!(steps(&out), [Action::Stop(step(0, 0))]);
    groups.ended(step(0, 0), Outcome::NotStopped("it hangs".into()), NOW, &mut out);
    assert_eq!(steps(&out)[1..], [], "a start would find it as it is");
    let again = groups.next_deadline().unwrap();
    groups.tick(again, &mut out);
    groups.ended(step(0, 0), Outcome::Stopped, again, &mut out);
    assert_eq!(steps(&out)[1..], [Action::Stop(step(0, 0)), Action::Start(step(0, 0))]);
    groups.ended(step(0, 0), Outcome::Started, again, &mut out);
    assert_eq!(groups.state(0), (GroupState::Active, 2), "a2 ran all the time");
}

#[test]
fn a_group_that_is_given_up_forgets_what_was_to_be_started_again() {
    let mut groups = groups();
    let mut out = Vec::new();
    groups.want(groups.local(), true, NOW, &mut out);
    groups.ended(step(0, 0), Outcome::Started, NOW, &mut out);
    groups.ended(step(0, 1), Outcome::Started, NOW, &mut out);
    groups.replace(step(0, 0), NOW, &mut out);
    groups.want(groups.local(), false, NOW, &mut out);
    out.clear();
    groups.ended(step(0, 0), Outcome::Stopped, NOW, &mut out);
    assert_eq!(steps(&out), [Action::Stop(step(0, 1))], "from the right, whatever stopped before");
    groups.ended(step(0, 1), Outcome::Stopped, NOW, &mut out);
    groups.ended(step(0, 0), Outcome::Stopped, NOW, &mut out);
    assert_eq!(groups.state(0), (GroupState::Stopped, 0));
}

#[test]
fn heartbeat_speaks_of_whole_classes() {
    let groups = groups();
    let one = |group| GroupSet::new([group], Set::NONE);
    assert_eq!(groups.classes(one(0)), Set::LOCAL);
    assert_eq!(groups.name_there(one(0)), "foreign");
    let larger = Groups::new("nodea", [groups.list(), &groups.list()[..1]].concat());
    assert_eq!((larger.classes(one(0)), larger.touched(one(0))), (Set::NONE, Set::LOCAL));
    assert_eq!(larger.name(GroupSet::new([0, 1], Set::NONE)), "a1 b1", "no word of Heartbeat's means that");
    let alone = Groups::new("nodea", groups.list()[..1].to_vec());
    assert_eq!(alone.classes(one(0)), Set::LOCAL, "a class without groups is not held because of that");
    assert_eq!(alone.classes(alone.all()), Set::ALL, "and is spoken of all the same");
}

/// The groups g0 to g3, each a unit.
fn arranged(arrangement: &Arrangement) -> Groups {
    let group = |word: &str| Group {
        node: "nodea".into(),
        key: word.into(),
        resources: vec![Resource { word: word.into(), kind: ResourceKind::Unit(format!("{word}.service")) }],
        line: 1,
    };
    Groups::new("nodea", ["g0", "g1", "g2", "g3"].map(group).to_vec()).arranged(arrangement)
}

#[test]
fn the_group_of_the_highest_priority_starts_first() {
    let mut groups = arranged(&Arrangement { priority: vec![0, 0, 7, -1], ..Arrangement::default() });
    let mut out = Vec::new();
    groups.want(groups.all(), true, NOW, &mut out);
    assert_eq!(steps(&out), [2, 0, 1, 3].map(|group| Action::Start(step(group, 0))));
}

#[test]
fn no_more_groups_start_units_at_once_than_hbd_toml_says() {
    let mut groups = arranged(&Arrangement { parallel_starts: Some(2), ..Arrangement::default() });
    let mut out = Vec::new();
    groups.want(groups.all(), true, NOW, &mut out);
    assert_eq!(steps(&out), [0, 1].map(|group| Action::Start(step(group, 0))));
    groups.ended(step(1, 0), Outcome::Started, NOW, &mut out);
    assert_eq!(steps(&out)[2..], [Action::Start(step(2, 0))], "one is up");
    groups.ended(step(0, 0), Outcome::NotStarted("no".into()), NOW, &mut out);
    let started: Vec<_> = steps(&out).into_iter().filter(|action| matches!(action, Action::Start(_))).collect();
    assert_eq!(started.last(), Some(&Action::Start(step(3, 0))), "one has failed");
    groups.want(GroupSet::one(3), false, NOW, &mut out);
    groups.ended(step(2, 0), Outcome::Started, NOW, &mut out);
    assert!(!groups.settled(GroupSet::one(3)), "its start is under way, and then it is stopped");
}

/// The stop of an address that is being taken up is ordered at once, before the units to the right of it. Then two
/// orders are under way, and each ends.
#[test]
fn the_failure_of_a_start_that_was_called_off_is_no_failure_of_its_stop() {
    let mut groups = groups_with_an_address();
    let mut out = Vec::new();
    groups.adopt(groups.local(), &[], NOW, &mut out);
    groups.want(groups.local(), false, NOW, &mut out);
    groups.want(groups.local(), true, NOW, &mut out);
    let said = steps(&std::mem::take(&mut out));
    assert_eq!(said, [Action::Start(step(0, 0)), Action::Stop(step(0, 0))]);
    groups.ended(step(0, 0), Outcome::NotStarted("no".into()), NOW, &mut out);
    assert_eq!(out, [], "its stop is still under way");
    groups.ended(step(0, 0), Outcome::Stopped, NOW, &mut out);
    assert_eq!(steps(&out), [Action::Start(step(0, 0))]);
}

#[test]
fn a_called_off_take_up_whose_stop_fails_still_stops_from_right_to_left() {
    let mut groups = groups_with_an_address();
    let mut out = Vec::new();
    groups.adopt(groups.local(), &[], NOW, &mut out);
    groups.want(groups.local(), false, NOW, &mut out);
    groups.want(groups.local(), true, NOW, &mut out);
    groups.ended(step(0, 0), Outcome::NotStopped("no".into()), NOW, &mut out);
    let said = steps(&std::mem::take(&mut out));
    assert_eq!(said, [Action::Start(step(0, 0)), Action::Stop(step(0, 0)), Action::Start(step(0, 0))]);
    groups.ended(step(0, 0), Outcome::NotStarted("no".into()), NOW, &mut out);
    assert_eq!(steps(&out), [Action::Stop(step(0, 1))], "a2 runs since the predecessor");
}
