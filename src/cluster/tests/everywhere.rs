//! Units that run on both nodes, wherever their groups are (docs/DECISIONS.md "A unit that runs on both nodes").

use super::*;
use crate::cluster::{AddressNews, CheckOutcome, CheckState, GroupSet, GroupState, ResourceState, UnitNews};
use crate::config::{CheckPurpose, CheckRule, WhenStopped};

const A1: Step = Step { group: 0, resource: 0 };
const A2: Step = Step { group: 0, resource: 1 };
const B2: Step = Step { group: 1, resource: 1 };

/// a2 and b2 run on both nodes; with `one` they are the same unit.
fn set_up(one: bool, change: impl FnOnce(&mut Settings)) -> Bench {
    let mut bench = Bench::with(|settings| {
        settings.everywhere = vec!["a2.service".into(), "b2.service".into()];
        if one {
            settings.groups[1].resources[1].kind = ResourceKind::Unit("a2.service".into());
        }
        change(settings);
    });
    bench.peer.hbd = Some("1 0.1.0");
    bench
}

/// nodea holds a1 beside an hbd that holds b1.
fn beside(one: bool) -> Bench {
    let mut bench = set_up(one, |_| {});
    bench.feed(Event::Start);
    bench.activated().decided("local")
}

fn news(bench: &mut Bench, step: Step, news: UnitNews) {
    bench.feed(Event::Unit { step, news });
}

fn fails(bench: &mut Bench, step: Step) {
    news(bench, step, UnitNews::Failed("it is broken".into()));
}

/// The unit cannot be started.
fn cannot_start(bench: &mut Bench, step: Step) {
    bench.prompt = false;
    fails(bench, step);
    bench.fail_step();
    bench.prompt = true;
}

fn state(bench: &Bench, step: Step) -> ResourceState {
    bench.view().groups[step.group].resources[step.resource].state
}

#[test]
fn it_is_started_when_this_node_starts_whatever_it_holds() {
    let mut bench = set_up(false, |_| {});
    bench.prompt = false;
    bench.feed(Event::Start);
    assert_eq!(bench.story(), ["start a2", "start b2"], "before anything is decided");
    assert_eq!(state(&bench, B2), ResourceState::Starting);
    assert_eq!(bench.view().nodes[0].unready, ["a1", "b1"], "neither runs yet");
    bench.end_steps();
    assert_eq!((state(&bench, B2), bench.view().nodes[0].unready.len()), (ResourceState::Active, 0));
    assert!(bench.logged("b2 runs here, as it does on both nodes: it stays when group b1 moves"));
    bench.prompt = true;
    let mut bench = bench.activated();
    bench.says("starting", &[]);
    bench.resource("local", "1", None);
    assert!(bench.story().iter().all(|line| line != "start a2"), "its group has the rest of it started only");
    assert_eq!(bench.view().groups[0].state, GroupState::Active);
}

#[test]
fn a_move_leaves_it_running() {
    let mut bench = beside(false);
    bench.request(Request::Standby(Set::LOCAL));
    bench.ask("local", "other");
    bench.ask("local", "done");
    let story = bench.story();
    let steps: Vec<&String> = story.iter().filter(|line| line.starts_with("st")).collect();
    assert_eq!(steps, ["stop a1"], "{story:?}");
    assert_eq!((bench.view().groups[0].state, state(&bench, A2)), (GroupState::Stopped, ResourceState::Active));
    // And back.
    bench.request(Request::Takeover(Set::LOCAL));
    bench.ask("foreign", "me");
    bench.ask("foreign", "done");
    let story = bench.story();
    assert!(story.iter().all(|line| line != "start a2" && line != "stop a2"), "{story:?}");
}

#[test]
fn a_stop_of_hbd_leaves_it_running() {
    let mut bench = beside(false);
    bench.request(Request::Shutdown);
    bench.run(3_000);
    let story = bench.story();
    assert!(story.contains(&"stop a1".into()) && story.contains(&"exit".into()), "{story:?}");
    assert!(!story.contains(&"stop a2".into()) && !story.contains(&"stop b2".into()), "{story:?}");
}

#[test]
fn what_runs_on_the_standby_is_no_left_over() {
    let mut bench = beside(false);
    news(&mut bench, B2, UnitNews::Up);
    bench.run(10_000);
    assert_eq!((bench.story(), state(&bench, B2)), (Vec::<String>::new(), ResourceState::Active));
}

#[test]
fn on_the_standby_it_is_started_again_and_the_peer_knows_meanwhile() {
    let mut bench = beside(false);
    bench.prompt = false;
    fails(&mut bench, B2);
    assert_eq!(bench.story(), ["start b2"]);
    assert_eq!(bench.view().nodes[0].unready, ["b1"]);
    fails(&mut bench, B2);
    assert_eq!((bench.story(), state(&bench, B2)), (Vec::new(), ResourceState::Failed), "once is enough");
    bench.end_steps();
    assert_eq!((bench.view().nodes[0].unready.len(), state(&bench, B2)), (0, ResourceState::Active));
    let told = bench.field("status", "hbd_unready");
    assert_eq!(told, ["-"], "and the first of the two was told before");
}

#[test]
fn a_node_where_it_fails_is_given_nothing_and_takes_what_nobody_else_serves() {
    let mut bench = beside(false);
    cannot_start(&mut bench, B2);
    assert!(
        bench.logged("b2 fails here again and again, so this node could not serve group b1: trying again in 30 s")
    );
    bench.story();
    bench.ask("local", "me");
    assert_eq!(bench.story(), Vec::<String>::new(), "an offer gets no answer");
    assert!(bench.view().groups[1].held_back.is_none());
    bench.peer_silent();
    bench.run(5_000);
    assert_eq!(bench.view().groups[1].owner.as_deref(), Some("nodea"), "the peer is dead, and nobody is better");
    assert_eq!(bench.view().groups[1].state, GroupState::Degraded);
    bench.run(30_000);
    assert_eq!(bench.view().groups[1].state, GroupState::Active, "it was tried again");
}

#[test]
fn what_fails_too_often_where_its_group_is_moves_the_group_and_is_tried_again_there() {
    let mut bench = beside(false);
    for _ in 0..2 {
        fails(&mut bench, A2);
    }
    assert_eq!(bench.story(), ["start a2", "start a2"]);
    fails(&mut bench, A2);
    assert_eq!(bench.story(), ["ask_resources local me"]);
    bench.ask("local", "other");
    bench.ask("local", "done");
    assert!(!bench.story().contains(&"stop a2".into()));
    assert_eq!(state(&bench, A2), ResourceState::Failed);
    assert_eq!(bench.view().nodes[0].unready, ["a1"]);
    bench.run(30_000);
    assert!(bench.story().contains(&"start a2".into()));
    assert_eq!((state(&bench, A2), bench.view().nodes[0].unready.len()), (ResourceState::Active, 0));
}

#[test]
fn where_it_fails_on_both_nodes_the_group_stays_with_its_owner() {
    let mut bench = beside(false);
    let status = bench.status().with("hbd_unready", "foreign");
    bench.hears(status);
    bench.story();
    cannot_start(&mut bench, A2);
    assert_eq!(bench.view().groups[0].owner.as_deref(), Some("nodea"));
    assert!(bench.logged("and the other node cannot serve its group either: trying again here in 30 s"));
    assert_eq!(bench.story(), ["start a2"], "neither given nor stopped");
    bench.peer_status();
    bench.run(30_000);
    assert_eq!(bench.view().groups[0].state, GroupState::Active);
}

#[test]
fn one_unit_of_two_groups_is_one_unit() {
    let mut bench = beside(true);
    for step in [A2, B2] {
        fails(&mut bench, step);
    }
    assert_eq!(bench.story(), ["start a2"], "what is told of each of its resources counts once");
    news(&mut bench, A2, STOPPED);
    news(&mut bench, B2, STOPPED);
    assert_eq!([A2, B2].map(|step| state(&bench, step)), [ResourceState::StoppedByHand; 2]);
    assert_eq!(bench.view().nodes[0].unready, ["b1"], "what it holds it serves as it can");
    bench.request(Request::Cleanup(Some(1)));
    assert_eq!((bench.story()[0].as_str(), state(&bench, B2)), ("start a2", ResourceState::Active));
}

#[test]
fn one_unit_of_two_groups_moves_both() {
    let mut bench = set_up(true, |settings| settings.auto_failback = AutoFailback::Off);
    bench.feed(Event::Start);
    let mut bench = bench.activated().decided("local");
    bench.peer_silent();
    bench.run(5_000);
    bench.peer_restarts();
    bench.peer_beats("active", 0xfa0);
    bench.says("starting", &[]);
    bench.resource("none", "1", None);
    bench.run(1_000);
    bench.story();
    for _ in 0..3 {
        fails(&mut bench, A2);
    }
    assert!(bench.story().contains(&"ask_resources all me".into()));
}

#[test]
fn what_somebody_stopped_is_left_alone_unless_hbd_toml_says_otherwise() {
    let mut bench = beside(false);
    news(&mut bench, B2, STOPPED);
    assert_eq!((bench.story(), state(&bench, B2)), (Vec::new(), ResourceState::StoppedByHand));
    assert_eq!(bench.view().nodes[0].unready, ["b1"]);
    news(&mut bench, B2, UnitNews::Up);
    assert_eq!((bench.view().nodes[0].unready.len(), state(&bench, B2)), (0, ResourceState::Active));
    let mut bench = set_up(false, |settings| settings.health.stopped = WhenStopped::Restart);
    bench.feed(Event::Start);
    bench.story();
    news(&mut bench, B2, STOPPED);
    assert_eq!(bench.story(), ["start b2"]);
}

#[test]
fn what_somebody_stopped_on_the_standby_is_started_when_the_peer_dies() {
    let mut bench = beside(false);
    news(&mut bench, A2, STOPPED);
    news(&mut bench, B2, STOPPED);
    bench.story();
    bench.peer_silent();
    bench.run(5_000);
    assert_eq!(bench.view().groups[1].owner.as_deref(), Some("nodea"));
    assert!(bench.logged("b2 was stopped by somebody else: starting it again"));
    assert!(bench.story().contains(&"start b2".into()));
    assert_eq!((state(&bench, B2), bench.view().groups[1].state), (ResourceState::Active, GroupState::Active));
    assert_eq!(state(&bench, A2), ResourceState::StoppedByHand, "what this node served was stopped here on purpose");
}

/// The check that keeps this node from taking the group asks the very unit that somebody stopped.
#[test]
fn what_somebody_stopped_on_the_standby_is_started_also_where_it_keeps_the_node_from_being_ready() {
    let ready = |group: usize| CheckRule {
        group,
        name: "ready".into(),
        purpose: CheckPurpose::Ready,
        fall: 1,
        rise: 1,
        restart: 1,
    };
    let mut bench = set_up(false, |settings| settings.checks = vec![ready(1)]);
    bench.feed(Event::Start);
    let mut bench = bench.activated().decided("local");
    let ends = |bench: &mut Bench, outcome| {
        let run = bench.checks[&0];
        bench.feed(Event::Check { check: 0, run, outcome });
    };
    ends(&mut bench, CheckOutcome::Passed);
    news(&mut bench, B2, STOPPED);
    ends(&mut bench, CheckOutcome::Failed("no answer".into()));
    bench.peer_silent();
    bench.run(5_000);
    assert_eq!((bench.view().groups[1].owner.as_deref(), state(&bench, B2)), (None, ResourceState::Active));
    ends(&mut bench, CheckOutcome::Passed);
    assert_eq!(bench.view().groups[1].owner.as_deref(), Some("nodea"));
}

/// The other node has begun to stop, and nobody else will serve it.
#[test]
fn what_somebody_stops_while_its_group_is_on_its_way_here_is_started() {
    let mut bench = beside(false);
    bench.ask("local", "me");
    assert!(bench.story().contains(&"ask_resources local other".into()));
    news(&mut bench, B2, STOPPED);
    assert_eq!(state(&bench, B2), ResourceState::StoppedByHand);
    bench.story();
    bench.resource("none", "0", Some("standby"));
    bench.ask("local", "done");
    let story = bench.story();
    assert!(story.contains(&"start b1".into()) && story.contains(&"start b2".into()), "{story:?}");
    assert_eq!((state(&bench, B2), bench.view().groups[1].state), (ResourceState::Active, GroupState::Active));
}

#[test]
fn what_somebody_stopped_on_the_standby_is_started_when_nobody_has_its_group() {
    let mut bench = beside(false);
    bench.request(Request::Standby(Set::LOCAL));
    bench.ask("local", "other");
    bench.ask("local", "done");
    bench.resource("all", "1", None);
    news(&mut bench, A2, STOPPED);
    bench.story();
    bench.resource("local", "1", None);
    bench.run(20_000);
    let story = bench.story();
    assert!(story.contains(&"start a1".into()) && story.contains(&"start a2".into()), "{story:?}");
    assert_eq!((state(&bench, A2), bench.view().groups[0].state), (ResourceState::Active, GroupState::Active));
}

#[test]
fn a_stop_by_hand_while_it_is_being_started_is_no_failure() {
    let mut bench = beside(false);
    bench.prompt = false;
    fails(&mut bench, B2);
    bench.pending.clear();
    bench.feed(Event::StepEnded { step: B2, outcome: Outcome::Aborted(STOPPED) });
    bench.run(60_000);
    assert_eq!(state(&bench, B2), ResourceState::StoppedByHand);
    assert!(!bench.logged("fails here again and again"), "{:?}", bench.log());
}

#[test]
fn the_start_limit_moves_its_group_at_once() {
    let mut bench = beside(false);
    news(&mut bench, A2, UnitNews::Exhausted("start-limit-hit".into()));
    assert_eq!(bench.story(), ["ask_resources local me"]);
}

#[test]
fn in_maintenance_nothing_of_it_is_started() {
    let mut bench = set_up(false, |_| {});
    bench.request(Request::Maintenance(true));
    bench.feed(Event::Start);
    assert_eq!(bench.story(), Vec::<String>::new());
    assert_eq!(state(&bench, B2), ResourceState::Stopped);
    let mut bench = bench.activated().decided("local");
    fails(&mut bench, A2);
    fails(&mut bench, B2);
    assert_eq!((bench.story(), state(&bench, B2)), (Vec::new(), ResourceState::Failed));
    bench.request(Request::Maintenance(false));
    let story = bench.story();
    let started: Vec<&String> = story.iter().filter(|line| line.ends_with('2')).collect();
    assert_eq!(started, ["start a2", "start b2"]);
    assert_eq!(bench.view().nodes[0].unready, Vec::<String>::new());
}

#[test]
fn what_was_nobodys_while_the_peer_was_dead_is_taken_when_it_is_back() {
    let mut bench = set_up(false, |_| {});
    bench.request(Request::Maintenance(true));
    bench.feed(Event::Start);
    bench.run(11_000);
    assert_eq!(bench.peer_state(), "dead");
    news(&mut bench, A2, UnitNews::Up);
    news(&mut bench, B2, UnitNews::Up);
    bench.run(5_000);
    let notices = bench.log().iter().filter(|line| line.contains("not taking what nodeb had")).count();
    assert_eq!(notices, 1, "that more of it runs changes nothing in maintenance");
    bench.peer.hbd = Some("1 0.1.0");
    let mut bench = bench.activated().decided("local");
    bench.request(Request::Maintenance(false));
    bench.run(10_000);
    assert_eq!(bench.view().groups[0].owner.as_deref(), Some("nodea"));
}

/// A check says of a2 that it hangs.
fn hangs(bench: &mut Bench) {
    for _ in 0..2 {
        let run = bench.checks[&0];
        bench.feed(Event::Check { check: 0, run, outcome: CheckOutcome::Failed("no answer".into()) });
    }
}

/// nodea holds a1, and asks whether a2 answers.
fn checked(hbd: Option<&'static str>) -> Bench {
    let rule =
        CheckRule { group: 0, name: "tcp".into(), purpose: CheckPurpose::Service, fall: 2, rise: 1, restart: 1 };
    let mut bench = set_up(false, |settings| settings.checks = vec![rule]);
    bench.peer.hbd = hbd;
    bench.feed(Event::Start);
    bench.activated().decided("local")
}

/// Its stop may take long, and the other node runs it as well.
#[test]
fn while_a_service_that_hangs_is_stopped_and_started_again_the_peer_serves() {
    let mut bench = checked(Some("1 0.1.0"));
    bench.prompt = false;
    hangs(&mut bench);
    assert_eq!(bench.story(), ["ask_resources local me", "stop a2"]);
    bench.ask("local", "other");
    assert_eq!(bench.story(), ["stop a1", "resource none 0 standby"]);
    assert_eq!(bench.view().nodes[0].unready, ["a1"], "nothing comes back before it runs again");
    bench.end_steps();
    assert_eq!(bench.view().nodes[0].unready, Vec::<String>::new());
}

#[test]
fn a_service_that_hangs_beside_a_heartbeat_is_stopped_and_started_again() {
    let mut bench = checked(None);
    hangs(&mut bench);
    assert_eq!(bench.story(), ["stop a2", "start a2"]);
    assert_eq!(bench.view().groups[0].checks[0].state, CheckState::Unknown, "what runs now is checked anew");
    assert_eq!(bench.view().groups[0].state, GroupState::Active);
}

#[test]
fn a_real_heartbeat_is_given_its_address_and_not_asked_for_more() {
    let mut bench = set_up(false, |_| {});
    bench.peer.hbd = None;
    bench.feed(Event::Start);
    let mut bench = bench.activated().decided("local");
    fails(&mut bench, B2);
    assert_eq!(bench.story(), ["start b2"], "a Heartbeat hears nothing of it");
    bench.request(Request::Standby(Set::LOCAL));
    bench.ask("local", "other");
    bench.ask("local", "done");
    let story = bench.story();
    assert!(story.contains(&"stop a1".into()) && !story.contains(&"stop a2".into()), "{story:?}");
}

#[test]
fn an_address_that_is_not_there_is_still_the_groups_matter() {
    let mut bench = set_up(false, |settings| {
        settings.groups[0].resources[0].kind = ResourceKind::Address(crate::config::Address {
            address: [10, 0, 0, 1].into(),
            prefix: None,
            device: None,
            label: None,
            broadcast: None,
        });
    });
    bench.feed(Event::Start);
    let mut bench = bench.activated().decided("local");
    bench.feed(Event::Address { step: A1, news: AddressNews::Expired });
    assert_eq!(state(&bench, A1), ResourceState::Gone);
    assert_eq!(state(&bench, A2), ResourceState::Active);
}

/// After a restart of hbd each resource of a group is started again in its place, and these are not.
#[test]
fn a_failure_while_its_group_is_still_taken_up_is_not_lost() {
    let mut bench = set_up(false, |_| {});
    bench.prompt = false;
    let adoption =
        crate::cluster::Adoption { held: GroupSet::new([0], Set::LOCAL), ..crate::cluster::Adoption::default() };
    bench.feed(Event::Adopt(Box::new(adoption)));
    bench.feed(Event::Start);
    assert_eq!(bench.story(), ["start a1", "start a2", "start b2"]);
    for step in [A2, B2] {
        bench.feed(Event::StepEnded { step, outcome: Outcome::Started });
    }
    fails(&mut bench, A2);
    assert_eq!(bench.story(), ["start a2"], "while the start of a1 goes on");
}

#[test]
fn what_hbd_is_asked_to_start_may_fail_although_somebody_had_stopped_it() {
    let mut bench = beside(false);
    news(&mut bench, A2, STOPPED);
    bench.prompt = false;
    bench.request(Request::Cleanup(None));
    assert_eq!(bench.story()[0], "start a2");
    bench.fail_step();
    bench.prompt = true;
    assert!(bench.story().contains(&"ask_resources local me".into()), "the peer may serve it");
    assert_eq!(state(&bench, A2), ResourceState::Failed);
}

#[test]
fn what_somebody_stopped_on_the_standby_stays_so_through_a_restart_of_hbd() {
    let mut bench = set_up(false, |_| {});
    let stopped = vec![(A2, Instant(Duration::ZERO)), (B2, Instant(Duration::ZERO))];
    bench.feed(Event::Adopt(Box::new(crate::cluster::Adoption { stopped, ..crate::cluster::Adoption::default() })));
    bench.feed(Event::Start);
    assert!(!bench.story().contains(&"start a2".to_owned()));
    assert_eq!(state(&bench, A2), ResourceState::StoppedByHand);
}
