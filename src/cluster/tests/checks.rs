//! Checks of services: when they run, what their failures lead to, and what a node takes that is not ready.

use super::*;
use crate::cluster::{CheckOutcome, CheckState, GroupState, UnitNews};
use crate::config::{CheckPurpose, CheckRule};

const SERVICE_A: usize = 0;
const READY_A: usize = 1;
const READY_B: usize = 3;

/// For each of the two groups a check of its service, and one whether a node is ready.
fn rules() -> Vec<CheckRule> {
    let rule = |group: usize, purpose: CheckPurpose| CheckRule {
        group,
        name: format!("{purpose} of {}", WORDS[group][0]),
        purpose,
        fall: 3,
        rise: 2,
        restart: 1,
    };
    let both = |group| [CheckPurpose::Service, CheckPurpose::Ready].map(|purpose| rule(group, purpose));
    (0..2).flat_map(both).collect()
}

/// We hold a1 beside a peer that holds b1. The checks were begun and have told nothing.
fn beside(hbd: Option<&'static str>) -> Bench {
    let mut bench = Bench::with(|settings| settings.checks = rules());
    bench.peer.hbd = hbd;
    bench.feed(Event::Start);
    // Of our own group, before it is ours.
    bench.check_passes(READY_A);
    bench.activated().decided("local")
}

fn beside_hbd() -> Bench {
    beside(Some("1 0.1.0"))
}

impl Bench {
    fn check_ends(&mut self, check: usize, outcome: CheckOutcome) {
        let run = self.checks[&check];
        self.feed(Event::Check { check, run, outcome });
    }

    fn check_passes(&mut self, check: usize) {
        self.check_ends(check, CheckOutcome::Passed);
    }

    fn check_fails(&mut self, check: usize, times: u32) {
        for _ in 0..times {
            self.check_ends(check, CheckOutcome::Failed("no answer".into()));
        }
    }

    fn check_state(&self, check: usize) -> CheckState {
        self.core.view().groups[check / 2].checks[check % 2].state
    }

    /// The peer's next status, with this set in the field `hbd_unready`.
    fn peer_says_unready(&mut self, set: &str) {
        let status = self.status().with("hbd_unready", set);
        self.hears(status);
    }

    fn peer_dies(&mut self) {
        self.peer_silent();
        self.run(5_000);
        assert_eq!(self.peer_state(), "dead");
    }

    fn failures(&self, group: usize) -> Vec<usize> {
        self.view().groups[group].resources.iter().map(|resource| resource.failures).collect()
    }

    fn owner(&self, group: usize) -> Option<String> {
        self.view().groups[group].owner.clone()
    }
}

#[test]
fn a_service_is_checked_where_it_runs_and_readiness_where_it_does_not() {
    let bench = beside_hbd();
    let states: Vec<CheckState> = (0..4).map(|check| bench.check_state(check)).collect();
    assert_eq!(states, [CheckState::Unknown, CheckState::Off, CheckState::Off, CheckState::Untested]);
}

#[test]
fn a_service_that_fails_its_check_is_restarted_and_checked_anew() {
    let mut bench = beside_hbd();
    let first = bench.checks[&SERVICE_A];
    bench.check_passes(SERVICE_A);
    bench.check_fails(SERVICE_A, 2);
    assert_eq!((bench.check_state(SERVICE_A), bench.story()), (CheckState::Passing, Vec::<String>::new()));
    bench.check_fails(SERVICE_A, 1);
    assert!(
        bench.logged("the check of group a1 has failed 3 times in a row (service of a1: no answer): a2 counts as")
    );
    assert_eq!(bench.story().last().map(String::as_str), Some("start a2"));
    assert_ne!(bench.checks[&SERVICE_A], first, "what runs now has another number");
    assert_eq!(bench.check_state(SERVICE_A), CheckState::Unknown);
    assert_eq!(bench.failures(0), [0, 1]);
}

#[test]
fn nothing_counts_while_the_restart_goes_on() {
    let mut bench = beside_hbd();
    bench.prompt = false;
    bench.check_fails(SERVICE_A, 3);
    assert_eq!(bench.check_state(SERVICE_A), CheckState::Off);
    let before = bench.checks.get(&SERVICE_A).copied();
    assert_eq!(before, None);
    for run in 0..5 {
        bench.feed(Event::Check { check: SERVICE_A, run, outcome: CheckOutcome::Failed("no answer".into()) });
    }
    bench.end_steps();
    assert_eq!((bench.check_state(SERVICE_A), bench.failures(0)[1]), (CheckState::Unknown, 1));
}

#[test]
fn one_pass_begins_the_counting_anew() {
    let mut bench = beside_hbd();
    for _ in 0..5 {
        bench.check_fails(SERVICE_A, 2);
        bench.check_passes(SERVICE_A);
    }
    assert_eq!(bench.failures(0), [0, 0]);
    assert_eq!(bench.story(), Vec::<String>::new());
}

#[test]
fn a_service_that_goes_on_failing_moves_to_the_peer() {
    let mut bench = beside_hbd();
    for _ in 0..2 {
        bench.check_fails(SERVICE_A, 3);
        bench.run(1_000);
    }
    assert_eq!(bench.owner(0).as_deref(), Some("nodea"));
    bench.done.clear();
    bench.check_fails(SERVICE_A, 3);
    assert_eq!(bench.story(), ["ask_resources local me"]);
    bench.ask("local", "other");
    assert_eq!(bench.check_state(SERVICE_A), CheckState::Off);
    assert_eq!(bench.check_state(READY_A), CheckState::Unknown, "what it served a moment ago is not objected to");
}

#[test]
fn a_service_that_fails_where_nobody_else_is_ready_stays() {
    let mut bench = beside_hbd();
    bench.peer_says_unready("foreign");
    for _ in 0..3 {
        bench.check_fails(SERVICE_A, 3);
        bench.run(100);
    }
    assert!(bench.logged("the other node cannot serve its group either"));
    assert!(bench.sent("ask_resources").is_empty());
    assert_eq!(bench.owner(0).as_deref(), Some("nodea"));
}

#[test]
fn in_maintenance_a_failing_check_is_only_shown() {
    let mut bench = beside_hbd();
    bench.request(Request::Maintenance(true));
    bench.done.clear();
    bench.check_fails(SERVICE_A, 6);
    assert_eq!((bench.check_state(SERVICE_A), bench.story()), (CheckState::Failing, Vec::<String>::new()));
    // Nothing has mended it when the maintenance ends.
    bench.request(Request::Maintenance(false));
    bench.done.clear();
    bench.check_fails(SERVICE_A, 3);
    assert!(bench.story().contains(&"start a2".to_owned()));
}

#[test]
fn a_check_that_cannot_be_run_says_nothing_of_the_service() {
    let mut bench = beside_hbd();
    for _ in 0..10 {
        bench.check_ends(SERVICE_A, CheckOutcome::NotRun("systemd does not answer".into()));
    }
    assert_eq!((bench.check_state(SERVICE_A), bench.story()), (CheckState::Unknown, Vec::<String>::new()));
    assert_eq!(bench.view().groups[0].checks[0].reason, "systemd does not answer");
}

#[test]
fn a_node_that_is_not_ready_takes_nothing_of_a_dead_peer_until_it_is() {
    let mut bench = beside_hbd();
    bench.check_passes(READY_B);
    bench.check_fails(READY_B, 3);
    assert_eq!(bench.view().groups[1].held_back, None, "the peer serves it");
    bench.peer_dies();
    assert_eq!(bench.owner(1), None);
    let why = "this node is not ready for it (ready of b1: no answer)";
    assert_eq!(bench.view().groups[1].held_back.as_deref(), Some(why));
    assert!(
        bench.logged("not taking what nodeb had, because this node could not serve it: b1 (ready of b1: no answer)")
    );
    bench.done.clear();
    bench.check_passes(READY_B);
    assert_eq!(bench.owner(1), None, "one pass is not enough");
    bench.check_passes(READY_B);
    assert_eq!(bench.owner(1).as_deref(), Some("nodea"));
    assert_eq!(bench.view().groups[1].state, GroupState::Active);
}

#[test]
fn nor_of_a_peer_that_leaves() {
    let mut bench = beside_hbd();
    bench.check_fails(READY_B, 1);
    bench.resource("none", "0", Some("shutdown"));
    bench.says("shutdone", &[]);
    assert_eq!(bench.owner(1), None);
    bench.run(2_000);
    bench.peer_silent();
    bench.run(10_000);
    assert_eq!(bench.owner(1), None);
    bench.check_passes(READY_B);
    bench.check_passes(READY_B);
    assert_eq!(bench.owner(1).as_deref(), Some("nodea"));
}

#[test]
fn nothing_is_taken_before_the_first_result() {
    let mut bench = beside_hbd();
    bench.peer_dies();
    assert_eq!(bench.owner(1), None);
    assert!(!bench.logged("could not serve"), "the next moment will tell");
    bench.check_passes(READY_B);
    assert_eq!(bench.owner(1).as_deref(), Some("nodea"), "the first result decides at once");
}

#[test]
fn what_cannot_be_asked_does_not_keep_a_node_from_taking_over() {
    let mut bench = beside_hbd();
    bench.check_ends(READY_B, CheckOutcome::NotRun("systemd does not answer".into()));
    bench.peer_dies();
    assert_eq!(bench.owner(1).as_deref(), Some("nodea"));
}

#[test]
fn an_operator_may_have_it_taken_all_the_same() {
    let mut bench = beside_hbd();
    bench.check_fails(READY_B, 1);
    bench.request(Request::ClearHold(1));
    assert_eq!(answers(&bench), [Answer::NotHeld], "the peer lives");
    bench.peer_dies();
    bench.done.clear();
    bench.request(Request::ClearHold(1));
    assert_eq!(answers(&bench), [Answer::Done]);
    assert_eq!(bench.owner(1).as_deref(), Some("nodea"));
}

#[test]
fn an_hbd_peer_is_told_at_once() {
    let mut bench = beside_hbd();
    assert_eq!(bench.core.view().nodes[0].unready, ["b1"], "before the first result");
    bench.done.clear();
    bench.check_passes(READY_B);
    assert_eq!(bench.field("status", "hbd_unready"), ["-"]);
    bench.done.clear();
    bench.check_fails(READY_B, 2);
    assert!(bench.sent("status").is_empty());
    bench.check_fails(READY_B, 1);
    assert_eq!(bench.field("status", "hbd_unready"), ["foreign"]);
    bench.done.clear();
    bench.run(2_000);
    assert!(bench.field("status", "hbd_unready").iter().all(|set| set == "foreign"));
    // That it goes on failing is no news.
    let run = bench.checks[&READY_B];
    assert!(!bench.core.heeds_check(READY_B, run, &CheckOutcome::Failed("no answer".into())));
    assert!(bench.core.heeds_check(READY_B, run, &CheckOutcome::Failed("another reason".into())));
    assert!(bench.core.heeds_check(READY_B, run, &CheckOutcome::Passed));
    assert!(!bench.core.heeds_check(READY_B, run + 1, &CheckOutcome::Passed));
}

#[test]
fn a_move_to_a_node_that_is_not_ready_is_refused() {
    let mut bench = beside_hbd();
    bench.peer_says_unready("foreign");
    assert_eq!(bench.view().nodes[1].unready, ["a1"]);
    bench.request(Request::Standby(Set::LOCAL));
    assert_eq!((answers(&bench), bench.story()), (vec![Answer::PeerNotReady], Vec::<String>::new()));
    // Each status says all that is so.
    bench.peer_status();
    bench.request(Request::Standby(Set::LOCAL));
    assert_eq!(bench.story(), ["ask_resources local me"]);
}

#[test]
fn a_move_here_waits_for_the_first_result_and_is_refused_by_a_bad_one() {
    let mut bench = beside_hbd();
    bench.request(Request::Takeover(Set::FOREIGN));
    assert_eq!((answers(&bench), bench.story()), (Vec::new(), Vec::<String>::new()));
    bench.check_fails(READY_B, 1);
    assert_eq!(answers(&bench), [Answer::NotReady]);
    bench.check_passes(READY_B);
    bench.check_passes(READY_B);
    bench.done.clear();
    bench.request(Request::Takeover(Set::FOREIGN));
    assert_eq!(bench.story(), ["hb_takeover foreign"]);
}

#[test]
fn a_real_heartbeat_that_wants_to_give_gets_no_answer() {
    let mut bench = beside(None);
    bench.check_fails(READY_B, 1);
    bench.ask("local", "me");
    assert!(bench.logged("nodeb wants to give resources that this node could not serve"));
    assert_eq!(bench.story(), Vec::<String>::new());
    bench.check_passes(READY_B);
    bench.check_passes(READY_B);
    bench.ask("local", "me");
    assert!(bench.story().contains(&"ask_resources local other".to_owned()));
}

#[test]
fn what_was_given_is_taken_although_readiness_was_lost_meanwhile() {
    let mut bench = beside_hbd();
    bench.check_passes(READY_B);
    bench.ask("local", "me");
    bench.check_fails(READY_B, 3);
    bench.ask("local", "done");
    assert_eq!(bench.owner(1).as_deref(), Some("nodea"), "nobody else has it");
}

#[test]
fn a_peer_that_is_not_ready_gets_nothing_back() {
    let mut bench = beside_hbd();
    bench.check_passes(READY_B);
    bench.peer_dies();
    assert_eq!(bench.owner(1).as_deref(), Some("nodea"));
    bench.peer_restarts();
    bench.peer_says_unready("local");
    bench.done.clear();
    bench.says("starting", &[]);
    bench.peer.beat = None;
    for _ in 0..10 {
        bench.peer_says_unready("local");
        bench.resource("none", "1", None);
        bench.run(500);
    }
    assert!(bench.sent("ask_resources").is_empty());
    bench.peer_beats("active", 0xfa0);
    bench.run(2_000);
    assert_eq!(bench.field("ask_resources", "info"), ["me"], "it is ready");
}

#[test]
fn our_own_group_is_offered_to_the_peer_if_we_are_not_ready_and_nobody_has_it() {
    let mut bench = Bench::with(|settings| settings.checks = rules());
    bench.peer.hbd = Some("1 0.1.0");
    bench.feed(Event::Start);
    bench.check_fails(READY_A, 1);
    let mut bench = bench.activated();
    bench.says("starting", &[]);
    bench.resource("local", "1", None);
    bench.run(1_000);
    assert_eq!(bench.owner(0), None);
    bench.resource("local", "1", None);
    bench.run(6_000);
    assert!(bench.story().contains(&"ask_resources local me".to_owned()));
}

/// The service may need what somebody stopped.
#[test]
fn a_check_undoes_no_stop_by_hand_of_another_unit_of_its_group() {
    let mut bench = Bench::with(|settings| {
        settings.checks = rules();
        let web = Resource { word: "web".into(), kind: ResourceKind::Unit("web.service".into()) };
        settings.groups[0].resources.push(web);
        settings.checks[SERVICE_A].restart = 2;
    });
    bench.peer.hbd = Some("1 0.1.0");
    bench.feed(Event::Start);
    bench.check_passes(READY_A);
    let mut bench = bench.activated().decided("local");
    let db = Step { group: 0, resource: 1 };
    bench.feed(Event::Unit { step: db, news: UnitNews::Stopped { ago: Duration::ZERO } });
    bench.check_fails(SERVICE_A, 30);
    assert_eq!(bench.story(), [""; 0]);
    bench.feed(Event::Unit { step: db, news: UnitNews::Up });
    bench.check_fails(SERVICE_A, 3);
    assert!(!bench.story().is_empty(), "it is replaced");
}
