//! What is shown of a resource that is to run here and does not, and what becomes of it (docs/DECISIONS.md "A unit
//! stopped by hand", "A status says what runs, not what was wanted").

use super::*;
use crate::cluster::{Adoption, GroupSet, GroupState, ResourceState};
use crate::config::WhenStopped;

const A1: Step = Step { group: 0, resource: 0 };
const A2: Step = Step { group: 0, resource: 1 };
const B2: Step = Step { group: 1, resource: 1 };

fn news(bench: &mut Bench, step: Step, news: UnitNews) {
    bench.feed(Event::Unit { step, news });
}

/// What our group does here, and its two resources.
fn shown(bench: &Bench) -> (GroupState, [ResourceState; 2]) {
    let group = &bench.view().groups[0];
    (group.state, [group.resources[0].state, group.resources[1].state])
}

const WELL: (GroupState, [ResourceState; 2]) = (GroupState::Active, [ResourceState::Active, ResourceState::Active]);

#[test]
fn a_unit_that_somebody_stopped_is_shown_until_it_runs_again() {
    let mut bench = Bench::joined_hbd("local");
    assert_eq!(shown(&bench), WELL);
    news(&mut bench, A2, STOPPED);
    assert_eq!(shown(&bench), (GroupState::Degraded, [ResourceState::Active, ResourceState::StoppedByHand]));
    assert_eq!(bench.field("status", "hbd_degraded"), ["a1"], "the peer shows it, too, and at once");
    bench.run(1_000);
    assert_eq!(bench.field("status", "hbd_degraded").last().map(String::as_str), Some("a1"), "each status says it");
    bench.done.clear();
    news(&mut bench, A2, UnitNews::Up);
    assert_eq!(shown(&bench), WELL);
    assert_eq!(bench.field("status", "hbd_degraded"), ["-"]);
}

#[test]
fn what_does_not_run_on_the_peer_is_shown_here() {
    let mut bench = Bench::joined_hbd("local");
    let status = bench.status().with("hbd_degraded", "b1 nonsense x");
    bench.hears(status);
    let groups = bench.view().groups;
    assert!(groups[1].degraded_there && !groups[0].degraded_there);
    bench.run(1_000);
    assert!(!bench.view().groups[1].degraded_there, "the next status does not say it");

    // A Heartbeat does not know the field, so a machine that sends it is none.
    let mut bench = Bench::joined("local");
    let status = bench.status().with("hbd_degraded", "b1");
    bench.hears(status);
    assert!(!bench.view().groups[1].degraded_there);
}

#[test]
fn hbd_toml_can_start_again_what_somebody_stops() {
    let mut bench = Bench::with(|settings| settings.health.stopped = WhenStopped::Restart);
    bench.feed(Event::Start);
    let mut bench = bench.activated().decided("local");
    for _ in 0..5 {
        news(&mut bench, A2, STOPPED);
        assert!(bench.logged("a2 was stopped by somebody else: starting it again"));
        assert_eq!(bench.story(), ["start a2"], "that is no failure, and moves nothing");
    }
}

#[test]
fn what_systemd_stopped_with_something_else_comes_back_with_it() {
    let mut bench = Bench::joined("local");
    news(&mut bench, A2, UnitNews::StoppedWith("postgresql.service was stopped".into()));
    assert!(bench.logged("a2 was stopped by systemd, because postgresql.service was stopped"));
    assert_eq!(shown(&bench).1[1], ResourceState::StoppedWith);
    assert!(bench.view().groups[0].resources[1].why.contains("postgresql.service"));
    bench.run(100_000);
    assert_eq!(bench.story(), [""; 0]);
    news(&mut bench, A2, UnitNews::Free);
    assert_eq!(bench.story(), ["start a2"]);
    assert_eq!(shown(&bench), WELL);
    news(&mut bench, A2, UnitNews::Free);
    assert_eq!(bench.story(), [""; 0], "nothing waits for that any more");
}

#[test]
fn a_unit_that_systemd_does_not_start_any_more_moves_its_group_at_once() {
    let mut bench = Bench::joined_hbd("local");
    news(&mut bench, A2, UnitNews::Exhausted("start-limit-hit".into()));
    assert_eq!(bench.story(), ["ask_resources local me"]);
    assert_eq!(shown(&bench).1[1], ResourceState::Failed);

    // Where the peer cannot serve either, it is tried again here when the limit may be over.
    let mut bench = Bench::joined_hbd("local");
    bench.peer_silent();
    bench.run(10_000);
    bench.done.clear();
    news(&mut bench, A2, UnitNews::Exhausted("start-limit-hit".into()));
    assert_eq!(bench.story(), [""; 0]);
    bench.run(30_000);
    assert_eq!(bench.story(), ["start a2"]);
    assert_eq!(shown(&bench).1[1], ResourceState::Active);
}

#[test]
fn each_attempt_of_systemd_counts() {
    let mut bench = Bench::joined_hbd("local");
    for _ in 0..2 {
        news(&mut bench, A2, UnitNews::Restarting("it has crashed".into()));
        assert_eq!(shown(&bench), (GroupState::Degraded, [ResourceState::Active, ResourceState::Restarting]));
        news(&mut bench, A2, UnitNews::Up);
    }
    assert_eq!((bench.story(), shown(&bench)), (Vec::new(), WELL));
    news(&mut bench, A2, UnitNews::Restarting("it has crashed".into()));
    assert_eq!(bench.story(), ["ask_resources local me"]);
}

#[test]
fn nobody_says_well_while_systemd_does_not_answer() {
    let mut bench = Bench::joined("local");
    news(&mut bench, A1, UnitNews::Unknown);
    news(&mut bench, A2, UnitNews::Unknown);
    let said = bench.log().iter().filter(|line| line.contains("systemd does not answer")).count();
    assert_eq!((said, bench.story()), (1, Vec::new()));
    assert_eq!(shown(&bench), (GroupState::Degraded, [ResourceState::Unknown, ResourceState::Unknown]));
    news(&mut bench, A1, UnitNews::Up);
    assert!(!bench.logged("systemd answers again"));
    news(&mut bench, A2, UnitNews::Failed("it died meanwhile".into()));
    assert_eq!(bench.story(), ["start a2"]);
    assert_eq!(shown(&bench), WELL);
}

#[test]
fn a_stop_by_hand_is_forgotten_when_the_group_has_moved() {
    let mut bench = Bench::joined("local");
    news(&mut bench, A2, STOPPED);
    bench.request(Request::Standby(Set::LOCAL));
    bench.ask("local", "other");
    bench.ask("local", "done");
    bench.resource("all", "1", None);
    bench.ask("foreign", "me");
    bench.ask("foreign", "done");
    bench.resource("local", "1", None);
    assert_eq!(shown(&bench), WELL);
    bench.done.clear();
    news(&mut bench, A2, UnitNews::Failed("it is broken".into()));
    assert_eq!(bench.story(), ["start a2"], "hbd had started it, and nobody has stopped it since");
}

#[test]
fn a_failure_in_the_middle_of_a_move_is_not_forgotten() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Standby(Set::LOCAL));
    bench.story();
    news(&mut bench, A2, UnitNews::Failed("it ended by itself".into()));
    assert_eq!(shown(&bench).0, GroupState::Degraded);
    bench.run(15_000);
    assert!(bench.logged("No reply to standby request"));
    assert!(bench.story().contains(&"start a2".to_owned()), "the peer did not take it");
    assert_eq!(shown(&bench), WELL);
}

#[test]
fn an_upgrade_that_is_over_starts_what_was_stopped_since_it_began() {
    let mut bench = Bench::joined("local");
    news(&mut bench, A1, STOPPED);
    bench.run(10_000);
    let begun = Instant(bench.now);
    bench.run(5_000);
    news(&mut bench, A2, STOPPED);
    bench.story();
    bench.request(Request::StartStopped(begun));
    assert_eq!(answers(&bench), [Answer::Done]);
    assert_eq!(bench.story(), ["start a2"], "a1 was stopped before");
    bench.request(Request::StartStopped(begun));
    assert_eq!(answers(&bench), [Answer::Already]);
}

#[test]
fn an_upgrade_is_judged_by_when_units_were_stopped_and_not_by_when_that_is_heard_of() {
    let heard_late = UnitNews::Stopped { ago: ms(200) };
    let mut bench = Bench::joined("local");
    let begun = Instant(bench.now);
    bench.run(100);
    news(&mut bench, A1, heard_late.clone());
    bench.run(5_000);
    // The scripts of packages stop also what is down already.
    news(&mut bench, A1, STOPPED);
    bench.request(Request::StartStopped(begun));
    assert_eq!((answers(&bench), bench.story()), (vec![Answer::Already], vec![]), "somebody had stopped a1 before");
    bench.run(100);
    news(&mut bench, A2, heard_late.clone());
    assert_eq!(bench.story(), ["start a2"], "it was stopped while the package manager worked");
    bench.run(100);
    news(&mut bench, A2, STOPPED);
    assert_eq!(bench.story(), Vec::<String>::new(), "somebody has stopped it since");
    assert_eq!(shown(&bench).1, [ResourceState::StoppedByHand; 2]);
    bench.request(Request::StartStopped(begun + ms(20_000)));
    assert_eq!(answers(&bench), [Answer::Already]);
}

#[test]
fn a_cleanup_starts_also_what_was_stopped_just_before_it() {
    let heard_late = UnitNews::Stopped { ago: ms(200) };
    let mut bench = Bench::joined("local");
    for (group, started) in [(Some(1), vec![]), (Some(0), vec!["start a2"]), (None, vec!["start a2"])] {
        bench.run(1_000);
        bench.request(Request::Cleanup(group));
        bench.run(100);
        bench.story();
        news(&mut bench, A2, heard_late.clone());
        assert_eq!(bench.story(), started, "{group:?}");
        bench.request(Request::Cleanup(None));
    }
    bench.run(1_000);
    bench.story();
    news(&mut bench, A2, STOPPED);
    assert_eq!(bench.story(), Vec::<String>::new(), "somebody has stopped it since");
}

#[test]
fn an_upgrade_in_maintenance_starts_nothing_before_its_end() {
    let mut bench = Bench::joined("local");
    let begun = Instant(bench.now);
    bench.request(Request::Maintenance(true));
    bench.run(1_000);
    news(&mut bench, A2, STOPPED);
    bench.story();
    bench.request(Request::StartStopped(begun));
    assert_eq!((answers(&bench), bench.story()), (vec![Answer::Maintenance], vec![]));
    bench.request(Request::Maintenance(false));
    assert!(bench.story().contains(&"start a2".to_owned()));
}

#[test]
fn an_upgrade_that_is_over_starts_nothing_of_what_the_other_node_has() {
    let mut bench = Bench::joined("local");
    let begun = Instant(bench.now);
    for step in [A2, B2] {
        news(&mut bench, step, STOPPED);
    }
    bench.request(Request::Standby(Set::LOCAL));
    bench.ask("local", "other");
    bench.ask("local", "done");
    bench.story();
    bench.request(Request::StartStopped(begun));
    assert_eq!((answers(&bench), bench.story()), (vec![Answer::Already], vec![]));
    news(&mut bench, A2, UnitNews::Stopped { ago: ms(200) });
    assert_eq!(bench.story(), Vec::<String>::new(), "what is heard of late is the other node's as well");
}

#[test]
fn an_address_whose_lease_ended_is_gone_until_it_is_added_again() {
    let mut bench = Bench::joined("local");
    bench.feed(Event::Address { step: A1, news: crate::cluster::AddressNews::Expired });
    assert_eq!(shown(&bench), (GroupState::Degraded, [ResourceState::Gone, ResourceState::Active]));
    bench.feed(Event::Address { step: A1, news: crate::cluster::AddressNews::Restored });
    assert_eq!(shown(&bench), WELL);
}

/// Somebody stops it, edits a file, starts it: the last word was a start.
#[test]
fn a_start_by_hand_that_fails_is_a_failure() {
    let mut bench = Bench::joined_hbd("local");
    news(&mut bench, A2, STOPPED);
    assert_eq!(bench.story(), [""; 0]);
    news(&mut bench, A2, UnitNews::Failed("status 1".into()));
    assert_eq!(bench.story(), ["start a2"]);
}

/// A restart moves nothing and decides nothing anew (docs/DECISIONS.md "A unit stopped by hand").
#[test]
fn what_somebody_stopped_stays_so_through_a_restart_of_hbd() {
    let mut bench = Bench::joined_hbd("local");
    news(&mut bench, A2, STOPPED);
    let stopped = bench.core.stopped_by_hand();
    assert_eq!(stopped.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [A2]);
    let held = bench.core.holds();

    let successor = |when: WhenStopped| {
        let mut bench = Bench::with(|settings| settings.health.stopped = when);
        let stopped = stopped.clone();
        bench.feed(Event::Adopt(Box::new(Adoption { held, stopped, ..Adoption::default() })));
        bench.feed(Event::Start);
        bench
    };
    let mut bench = successor(WhenStopped::Leave);
    assert_eq!(bench.story(), ["start a1"]);
    assert_eq!(shown(&bench), (GroupState::Degraded, [ResourceState::Active, ResourceState::StoppedByHand]));
    assert_eq!(bench.core.stopped_by_hand(), stopped, "for the next one");
    bench.request(Request::Cleanup(Some(0)));
    assert_eq!(bench.story(), ["start a2"]);
    assert_eq!(shown(&bench), WELL);

    let mut bench = successor(WhenStopped::Leave);
    news(&mut bench, A2, UnitNews::Up);
    assert_eq!(shown(&bench), WELL, "somebody started it while no hbd ran");

    let mut bench = successor(WhenStopped::Restart);
    assert_eq!(bench.story(), ["start a1", "start a2"], "hbd.toml says otherwise by now");
}

/// What was stopped on a node that did not hold its group says nothing of the one that holds it.
#[test]
fn what_is_not_taken_up_was_not_stopped_by_anybody() {
    let mut bench = Bench::started();
    bench.feed(Event::Adopt(Box::new(Adoption {
        held: GroupSet::NONE,
        stopped: vec![(A2, Instant(Duration::ZERO)), (Step { group: 9, resource: 9 }, Instant(Duration::ZERO))],
        ..Adoption::default()
    })));
    assert_eq!(bench.core.stopped_by_hand(), []);
}
