//! Groups move one by one between two hbds of extension 4, and by classes beside any other peer (05 §3.13).

use super::*;
use crate::cluster::{Adoption, CheckOutcome, GroupSet};
use crate::config::{CheckPurpose, CheckRule};

/// The groups of this file: a1 and c1 prefer nodea, b1 and d1 nodeb.
pub(super) const A: usize = 0;
pub(super) const B: usize = 1;
pub(super) const C: usize = 2;
pub(super) const D: usize = 3;
const NEWEST: &str = "4 0.1.0";

fn four_groups(settings: &mut Settings) {
    for (key, node) in [("c1", "nodea"), ("d1", "nodeb")] {
        let kind = ResourceKind::Unit(format!("{key}.service"));
        let resources = vec![Resource { word: key.into(), kind }];
        settings.groups.push(Group { node: node.into(), key: key.into(), resources, line: 1 });
    }
}

fn started(change: impl FnOnce(&mut Settings)) -> Bench {
    let mut bench = Bench::with(|settings| {
        four_groups(settings);
        change(settings);
    });
    bench.feed(Event::Start);
    bench
}

/// Beside an hbd of the newest release that has b1 and d1.
pub(super) fn beside_hbd(change: impl FnOnce(&mut Settings)) -> Bench {
    let mut bench = joins_hbd(started(change));
    bench.run(12_000);
    bench.done.clear();
    bench
}

/// It joins that node.
fn joins_hbd(mut bench: Bench) -> Bench {
    (bench.peer.hbd, bench.peer.heard) = (Some(NEWEST), Some("77 1"));
    let mut bench = bench.activated();
    bench.says("starting", &[]);
    reports(&mut bench, "b1 1 d1 1");
    bench
}

/// From now on the peer's messages say that it has heard our last one.
fn hears_us(bench: &mut Bench) {
    bench.peer.heard = Some(replay::latest(bench));
}

fn reports(bench: &mut Bench, groups: &str) {
    let fields = [("rsc_hold", "none"), ("rtype", "full"), ("isstable", "1"), ("hbd_claim", "1,0,1")];
    bench.says("resource", &[&fields[..], &[("hbd_groups", groups)]].concat());
}

/// A word of the exchange about these groups.
pub(super) fn word(bench: &mut Bench, groups: &str, word: &str) {
    bench.says("ask_resources", &[("rsc_hold", "none"), ("info", word), ("hbd_groups", groups)]);
}

pub(super) fn named(groups: &[usize]) -> GroupSet {
    GroupSet::new(groups.iter().copied(), Set::NONE)
}

/// The groups that are to run here.
pub(super) fn held(bench: &Bench) -> Vec<usize> {
    let here = |group: &usize| bench.view().groups[*group].owner.as_deref() == Some("nodea");
    (0..bench.view().groups.len()).filter(here).collect()
}

fn unit(group: usize) -> Step {
    Step { group, resource: 0 }
}

#[test]
fn an_operator_moves_one_group_of_two_that_prefer_a_node() {
    let mut bench = beside_hbd(|_| {});
    assert_eq!(held(&bench), [A, C]);
    bench.request(Request::StandbyGroups(named(&[C])));
    assert_eq!(bench.field("ask_resources", "hbd_groups"), ["c1"]);
    word(&mut bench, "c1", "other");
    assert_eq!(held(&bench), [A], "and a1 was not touched");
    reports(&mut bench, "b1 1 c1 2 d1 1");
    word(&mut bench, "c1", "done");
    assert_eq!(answers(&bench), [Answer::Done]);
    assert_eq!(bench.view().resource_state, "none", "no class is whole");
    bench.done.clear();
    bench.request(Request::TakeoverGroups(named(&[C, D])));
    assert_eq!(bench.field("hb_takeover", "hbd_groups"), ["c1 d1"]);
}

/// It had reported a1 before, and then asked for another exchange.
#[test]
fn the_late_word_of_a_taker_gives_nothing_back() {
    let mut bench = beside_hbd(|_| {});
    bench.request(Request::StandbyGroups(named(&[A])));
    word(&mut bench, "a1", "other");
    reports(&mut bench, "a1 2 b1 1 d1 1");
    assert_eq!(held(&bench), [C]);
    word(&mut bench, "b1", "me");
    word(&mut bench, "a1", "done");
    assert_eq!(held(&bench), [C], "the peer has a1");
    word(&mut bench, "b1", "done");
    assert_eq!(held(&bench), [B, C]);
}

#[test]
fn a_failed_unit_takes_its_own_group_along_only() {
    let mut bench = beside_hbd(|settings| settings.health.restarts = 0);
    bench.feed(Event::Unit { step: unit(C), news: UnitNews::Failed("exit code 1".into()) });
    assert_eq!(bench.field("ask_resources", "hbd_groups"), ["c1"]);
    word(&mut bench, "c1", "other");
    assert_eq!(held(&bench), [A]);
}

#[test]
fn a_group_that_fails_is_offered_although_another_one_was_a_moment_ago() {
    let mut bench = beside_hbd(|_| {});
    bench.prompt = false;
    for (group, others) in [(C, "b1 1 c1 2 d1 1"), (A, "a1 3 b1 1 c1 2 d1 1")] {
        let key = ["a1", "b1", "c1", "d1"][group];
        bench.feed(Event::Unit { step: unit(group), news: UnitNews::Failed("exit code 1".into()) });
        bench.fail_step();
        bench.end_steps();
        word(&mut bench, key, "other");
        bench.end_steps();
        reports(&mut bench, others);
        word(&mut bench, key, "done");
        bench.run(2_000);
        bench.end_steps();
    }
    assert_eq!(held(&bench), Vec::<usize>::new(), "{:#?}", bench.log());
}

#[test]
fn beside_a_heartbeat_the_groups_of_a_class_move_together() {
    let mut bench = started(|_| {}).activated().decided("local");
    assert!(!bench.view().groups_move_alone);
    bench.request(Request::StandbyGroups(named(&[C])));
    assert_eq!((answers(&bench), bench.sent("ask_resources").len()), (vec![Answer::MovesTogether], 0));
    bench.request(Request::StandbyGroups(named(&[A, C])));
    assert_eq!(bench.field("ask_resources", "rsc_hold"), ["local"]);
}

/// Our predecessor held c1 of its own, and one of the groups of the peer, which was an hbd and is a Heartbeat now.
fn beside_a_new_heartbeat(prepare: impl FnOnce(&mut Bench)) -> Bench {
    let mut bench = Bench::with(four_groups);
    let held = named(&[A, C, D]);
    bench.feed(Event::Adopt(Box::new(Adoption { held, ..Adoption::default() })));
    bench.feed(Event::Start);
    prepare(&mut bench);
    bench.activated()
}

#[test]
fn a_peer_that_knows_classes_only_is_told_of_a_class_that_is_held_whole() {
    let mut bench = beside_a_new_heartbeat(|_| {});
    bench.says("starting", &[]);
    bench.resource("none", "1", None);
    bench.run(15_000);
    assert_eq!(held(&bench), [A, B, C, D], "it would have taken d1, too, with b1");
    assert_eq!(bench.field("resource", "rsc_hold").last().unwrap(), "all");
}

#[test]
fn the_part_of_a_class_is_given_up_where_the_peer_has_the_rest() {
    let mut bench = beside_hbd(|_| {});
    bench.request(Request::TakeoverGroups(named(&[D])));
    word(&mut bench, "d1", "me");
    word(&mut bench, "d1", "done");
    reports(&mut bench, "b1 1");
    assert_eq!(held(&bench), [A, C, D]);
    // The same node, with another software that says that it has its class.
    (bench.peer.hbd, bench.peer.heard) = (None, None);
    bench.peer_restarts();
    bench.peer_beats("active", 0xfa0);
    bench.says("starting", &[]);
    bench.resource("local", "1", None);
    bench.run(60_000);
    assert_eq!(held(&bench), [A, C]);
}

fn ready(settings: &mut Settings) {
    let rule = |group| CheckRule {
        group,
        name: format!("ready for {group}"),
        purpose: CheckPurpose::Ready,
        fall: 1,
        rise: 1,
        restart: 0,
    };
    settings.checks = vec![rule(B), rule(D)];
}

#[test]
fn a_node_that_is_not_ready_for_one_group_takes_the_others() {
    let mut bench = beside_hbd(ready);
    bench.feed(Event::Check { check: 0, run: bench.checks[&0], outcome: CheckOutcome::Failed("no".into()) });
    bench.feed(Event::Check { check: 1, run: bench.checks[&1], outcome: CheckOutcome::Passed });
    bench.peer_silent();
    bench.run(10_000);
    assert_eq!(held(&bench), [A, C, D]);
}

pub(super) fn together(settings: &mut Settings) {
    settings.arrangement.together = vec![vec![A, C]];
}

#[test]
fn groups_that_are_kept_together_move_and_fail_together() {
    let mut bench = beside_hbd(together);
    bench.request(Request::StandbyGroups(named(&[C])));
    assert_eq!(bench.field("ask_resources", "hbd_groups"), ["a1 c1"]);
    let mut bench = beside_hbd(|settings| {
        together(settings);
        settings.health.restarts = 0;
    });
    bench.feed(Event::Unit { step: unit(C), news: UnitNews::Failed("exit code 1".into()) });
    assert_eq!(bench.field("ask_resources", "hbd_groups"), ["a1 c1"]);
}

#[test]
fn groups_that_were_parted_meet_where_the_first_of_them_is() {
    let mut bench = beside_hbd(|settings| {
        settings.auto_failback = AutoFailback::Off;
        settings.arrangement.together = vec![vec![B, D]];
    });
    bench.peer_silent();
    bench.run(10_000);
    assert_eq!(held(&bench), [A, B, C, D]);
    hears_us(&mut bench);
    bench.peer.beat = Some(bench.now);
    bench.run(1_000);
    // It was cut off with them; of b1 it had the older claim, of d1 this node.
    reports(&mut bench, "b1 1 d1 ffffffffffffff");
    bench.run(2_000);
    reports(&mut bench, "b1 1");
    assert_eq!(bench.field("ask_resources", "hbd_groups"), ["d1"], "{:#?}", bench.log());
    assert!(bench.logged("d1 go to node nodeb, which has the group"));
}

#[test]
fn an_operator_brings_no_groups_together_that_are_kept_apart() {
    let mut bench = beside_hbd(|settings| settings.arrangement.apart = vec![vec![A, B]]);
    bench.request(Request::StandbyGroups(named(&[A])));
    bench.request(Request::TakeoverGroups(named(&[B])));
    assert_eq!(answers(&bench), [Answer::KeptApart, Answer::KeptApart]);
    bench.request(Request::StandbyGroups(named(&[C])));
    assert_eq!(bench.field("ask_resources", "hbd_groups"), ["c1"]);
}

#[test]
fn groups_that_are_kept_apart_part_again_whatever_auto_failback_says() {
    let mut bench = beside_hbd(|settings| {
        settings.auto_failback = AutoFailback::Off;
        settings.arrangement.apart = vec![vec![A, B]];
    });
    bench.peer_silent();
    bench.run(10_000);
    assert_eq!(held(&bench), [A, B, C, D]);
    hears_us(&mut bench);
    bench.peer_restarts();
    bench.peer_beats("active", 0xfa0);
    bench.says("starting", &[]);
    reports(&mut bench, "-");
    assert_eq!(bench.field("ask_resources", "hbd_groups"), ["b1"], "{:#?}", bench.log());
}

/// c1, of our a1 and c1, is in maintenance.
fn maintained(change: impl FnOnce(&mut Settings)) -> Bench {
    let mut bench = beside_hbd(change);
    bench.request(Request::GroupMaintenance { set: named(&[C]), on: true });
    assert_eq!(answers(&bench), [Answer::Done]);
    assert!(bench.logged("c1: in maintenance on node nodea, and left alone"), "{:#?}", bench.log());
    assert_eq!(bench.view().nodes[0].left_alone, ["c1"]);
    bench.done.clear();
    bench
}

#[test]
fn a_group_in_maintenance_is_left_alone_and_the_others_are_not() {
    let mut bench = maintained(|settings| settings.health.restarts = 0);
    bench.feed(Event::Unit { step: unit(C), news: UnitNews::Failed("exit code 1".into()) });
    bench.run(60_000);
    assert_eq!((held(&bench), bench.sent("ask_resources").len()), (vec![A, C], 0));
    assert!(bench.logged("c1 of group c1 has failed (exit code 1): left alone, because the group is in maintenance"));
    bench.feed(Event::Unit { step: unit(A), news: UnitNews::Failed("exit code 1".into()) });
    assert_eq!(bench.field("ask_resources", "hbd_groups"), ["a1"]);
}

#[test]
fn a_group_in_maintenance_moves_at_nobodys_request() {
    let mut bench = maintained(|_| {});
    bench.request(Request::StandbyGroups(named(&[A, C])));
    bench.request(Request::Standby(Set::ALL));
    bench.request(Request::Cleanup(Some(C)));
    assert_eq!(answers(&bench), vec![Answer::GroupMaintenance; 3]);
    bench.says("hb_takeover", &[("rsc_hold", "none"), ("hbd_groups", "c1")]);
    assert!(bench.logged("c1: in maintenance on this node: nodeb wants it to move, and gets no answer"));
    assert_eq!((held(&bench), bench.sent("ask_resources").len()), (vec![A, C], 0));
    bench.request(Request::StandbyGroups(named(&[A])));
    assert_eq!(bench.field("ask_resources", "hbd_groups"), ["a1"]);
}

#[test]
fn what_is_kept_together_is_in_maintenance_together() {
    let mut bench = beside_hbd(together);
    bench.request(Request::GroupMaintenance { set: named(&[C]), on: true });
    assert_eq!(bench.view().nodes[0].left_alone, ["a1", "c1"]);
    bench.request(Request::StandbyGroups(named(&[A])));
    assert_eq!(answers(&bench), [Answer::Done, Answer::GroupMaintenance]);
}

#[test]
fn a_group_in_maintenance_is_not_taken_from_a_dead_peer_before_its_end() {
    let mut bench = beside_hbd(|_| {});
    bench.request(Request::GroupMaintenance { set: named(&[D]), on: true });
    bench.run(1_500);
    let said = bench.sent("status").last().unwrap().text("hbd_left_alone_groups").map(str::to_owned);
    assert_eq!(said.as_deref(), Some("d1"));
    word(&mut bench, "d1", "me");
    assert!(bench.logged("d1: in maintenance on this node: nodeb wants it to move, and gets no answer"));
    bench.peer_silent();
    bench.run(10_000);
    assert_eq!(held(&bench), [A, B, C]);
    assert_eq!(bench.view().groups[D].held_back.as_deref(), Some("it is in maintenance"));
    bench.done.clear();
    bench.request(Request::ClearHold(D));
    bench.request(Request::GroupMaintenance { set: named(&[D]), on: false });
    bench.run(10_000);
    assert_eq!((answers(&bench), held(&bench)), (vec![Answer::GroupMaintenance, Answer::Done], vec![A, B, C, D]));
}

#[test]
fn at_the_end_of_its_maintenance_a_group_is_started_where_it_does_not_run() {
    let mut bench = maintained(|_| {});
    for group in [A, C] {
        bench.feed(Event::Unit { step: unit(group), news: STOPPED });
    }
    bench.done.clear();
    bench.request(Request::GroupMaintenance { set: named(&[C]), on: false });
    let started = |step| bench.done.iter().any(|(_, action)| *action == Action::Start(step));
    assert!(started(unit(C)) && !started(unit(A)), "{:?}", bench.done);
    bench.request(Request::GroupMaintenance { set: named(&[C]), on: false });
    assert_eq!(answers(&bench), [Answer::Done, Answer::Already]);
}

#[test]
fn what_the_peer_has_in_maintenance_is_not_asked_of_it() {
    let mut bench = beside_hbd(|_| {});
    let mut status = bench.status();
    status.set_text("hbd_left_alone", "local");
    status.set_text("hbd_left_alone_groups", "d1");
    bench.hears(status);
    assert_eq!(bench.view().nodes[1].left_alone, ["d1"]);
    bench.request(Request::TakeoverGroups(named(&[D])));
    assert_eq!((answers(&bench), bench.sent("hb_takeover").len()), (vec![Answer::PeerGroupMaintenance], 0));
}

#[test]
fn beside_a_heartbeat_the_class_of_a_group_in_maintenance_is_left_alone() {
    let mut bench = started(|_| {}).activated().decided("local");
    bench.request(Request::GroupMaintenance { set: named(&[C]), on: true });
    assert_eq!(bench.view().nodes[0].left_alone, ["a1", "c1"]);
    bench.says("hb_takeover", &[("rsc_hold", "foreign")]);
    bench.run(30_000);
    assert_eq!((held(&bench), bench.sent("ask_resources").len()), (vec![A, C], 0));
}

/// A predecessor had left the class alone. Before the peer is heard nobody knows that it moves classes, so nothing of
/// the class is started.
#[test]
fn a_successor_leaves_the_class_alone_until_the_peer_has_said_what_it_moves() {
    let mut bench = Bench::with(four_groups);
    bench.request(Request::GroupMaintenance { set: named(&[C]), on: true });
    let (held, moved, assured_until) = (named(&[A, C]), GroupSet::NONE, None);
    bench.feed(Event::Adopt(Box::new(Adoption { held, moved, assured_until, ..Adoption::default() })));
    bench.feed(Event::Start);
    let started = |bench: &Bench, step| bench.done.iter().any(|(_, action)| *action == Action::Start(step));
    assert!(!started(&bench, unit(A)) && !started(&bench, unit(C)));
    let mut bench = joins_hbd(bench);
    assert!(started(&bench, unit(A)) && !started(&bench, unit(C)), "groups move one by one: it is looked at now");
    assert_eq!(bench.view().nodes[0].left_alone, ["c1"]);
    bench.done.clear();
}

/// Time passes, and our ping node answers.
fn connected(bench: &mut Bench, milliseconds: u64) {
    for _ in 0..milliseconds / 500 {
        bench.feed(Event::PingAnswered { node: 0 });
        bench.run(500);
    }
}

fn sees_ping_nodes(bench: &mut Bench, number: &str) {
    let client = [("from_id", "ipfail"), ("to_id", "ipfail"), ("client_gen", "0")];
    bench.says("num_ping_nodes", &[&[("dest", "nodea"), ("num_ping", number)], &client[..]].concat());
}

#[test]
fn what_came_for_a_ping_node_goes_back_when_its_maintenance_ends() {
    let mut bench = started(|settings| {
        settings.ping_nodes = vec!["10.0.0.254".into()];
        settings.connectivity.ipfail = true;
    });
    bench.feed(Event::PingAnswered { node: 0 });
    let mut bench = joins_hbd(bench);
    connected(&mut bench, 12_000);
    sees_ping_nodes(&mut bench, "0");
    word(&mut bench, "b1 d1", "me");
    word(&mut bench, "b1 d1", "done");
    reports(&mut bench, "-");
    assert_eq!(held(&bench), [A, B, C, D]);
    bench.request(Request::GroupMaintenance { set: named(&[B, D]), on: true });
    bench.done.clear();
    sees_ping_nodes(&mut bench, "1");
    connected(&mut bench, 30_000);
    assert_eq!(bench.sent("ask_resources").len(), 0, "{:#?}", bench.log());
    bench.request(Request::GroupMaintenance { set: named(&[B, D]), on: false });
    connected(&mut bench, 11_000);
    assert_eq!(bench.field("ask_resources", "hbd_groups"), ["b1 d1"], "{:#?}", bench.log());
}
