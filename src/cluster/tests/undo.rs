//! What is given does not stop (docs/DECISIONS.md "A planned move whose stop fails is undone").

use super::*;
use crate::cluster::ResourceState;

const A1: Step = Step { group: 0, resource: 0 };

/// The resource under way fails to stop three times, a second apart.
fn does_not_stop(bench: &mut Bench) {
    for _ in 0..2 {
        bench.fail_step();
        bench.run(1_000);
    }
    bench.fail_step();
}

#[test]
fn a_move_whose_stop_fails_is_undone_and_the_operator_told_why() {
    let mut bench = Bench::joined_hbd("local");
    bench.prompt = false;
    bench.request(Request::Standby(Set::LOCAL));
    bench.ask("local", "other");
    bench.end_step();
    bench.story();
    // a2 has stopped, a1 does not.
    does_not_stop(&mut bench);
    let answer = Answer::NotReleased { resource: "a1".into(), reason: "no".into() };
    assert_eq!(answers(&bench), [answer]);
    assert!(bench.logged("a1 does not stop, so group a1 cannot go to nodeb: all of it is started here again"));
    assert_eq!(bench.field("resource", "hbd_void").last().map(String::as_str), Some("1"), "the peer waits no longer");
    bench.end_steps();
    assert!(bench.logged("resource group a1 is active here"));
    let story = bench.story();
    let started: Vec<_> = story.iter().filter(|line| line.starts_with("start ")).collect();
    assert_eq!(started, ["start a1", "start a2"]);
    assert!(!story.contains(&"ask_resources local done".to_owned()), "{story:?}");
    assert_eq!(bench.view().hold, Set::LOCAL);
}

#[test]
fn an_undone_move_of_everything_takes_nothing_that_the_peer_serves() {
    let mut bench = Bench::joined_hbd("local");
    bench.prompt = false;
    bench.request(Request::Standby(Set::ALL));
    bench.ask("all", "other");
    does_not_stop(&mut bench);
    bench.end_steps();
    assert!(bench.logged("all of it is started here again"));
    assert_eq!(bench.view().hold, Set::LOCAL);
}

#[test]
fn a_heartbeat_that_waits_for_what_does_not_come_is_freed() {
    let mut bench = Bench::joined("local");
    bench.prompt = false;
    bench.request(Request::Standby(Set::LOCAL));
    bench.ask("local", "other");
    does_not_stop(&mut bench);
    bench.end_steps();
    bench.story();
    bench.run(20_000);
    let story = bench.story();
    assert!(story.iter().any(|line| line.starts_with("ask_resources") && line.ends_with("done")), "{story:?}");
    assert!(!story.contains(&"ask_resources local done".to_owned()), "that would be what we hold: {story:?}");
    assert_eq!(bench.view().hold, Set::LOCAL);
}

#[test]
fn what_could_not_go_back_is_left_in_peace_for_ten_minutes_unless_an_operator_asks() {
    let mut bench = Bench::joined_hbd("none");
    // The peer was away, and we serve what is its own.
    bench.peer_silent();
    bench.run(20_000);
    bench.peer_restarts();
    bench.peer_beats("active", 0xfa0);
    bench.says("starting", &[]);
    bench.resource("none", "1", None);
    bench.prompt = false;
    bench.run(2_000);
    bench.ask("foreign", "other");
    does_not_stop(&mut bench);
    bench.end_steps();
    bench.resource("none", "1", None);
    bench.story();
    bench.run(500_000);
    assert!(!bench.story().iter().any(|line| line.starts_with("ask_resources")));
    bench.request(Request::Standby(Set::FOREIGN));
    assert_eq!(bench.story(), ["ask_resources foreign me"]);
}

#[test]
fn a_taker_whose_giver_calls_it_off_says_so_to_its_operator() {
    let mut bench = Bench::joined_hbd("all");
    bench.request(Request::Takeover(Set::LOCAL));
    bench.ask("foreign", "me");
    bench.resource("local", "0", Some("standby"));
    bench.says(
        "resource",
        &[("rsc_hold", "all"), ("rtype", "full"), ("isstable", "1"), ("hbd_claim", "1,1,2"), ("hbd_void", "1")],
    );
    assert_eq!(answers(&bench), [Answer::CalledOff]);
}

#[test]
fn a_stop_of_the_daemon_goes_on_stopping() {
    let mut bench = Bench::joined_hbd("local");
    bench.prompt = false;
    bench.request(Request::Shutdown);
    bench.story();
    for _ in 0..5 {
        bench.fail_step();
        bench.run(1_000);
    }
    assert!(bench.story().iter().all(|line| !line.starts_with("start ")));
}

/// Our group is given, a2 of it does not stop, and meanwhile this becomes of a1.
fn undone_after(before: Option<UnitNews>, meanwhile: UnitNews) -> Bench {
    let mut bench = Bench::joined_hbd("local");
    before.into_iter().for_each(|news| bench.feed(Event::Unit { step: A1, news }));
    bench.prompt = false;
    bench.request(Request::Standby(Set::LOCAL));
    bench.ask("local", "other");
    bench.fail_step();
    bench.feed(Event::Unit { step: A1, news: meanwhile });
    assert_ne!(bench.view().groups[0].resources[0].state, ResourceState::Active);
    bench.run(1_000);
    bench.fail_step();
    bench.run(1_000);
    bench.done.clear();
    bench.fail_step();
    bench.end_steps();
    bench
}

fn started(bench: &mut Bench) -> Vec<String> {
    bench.story().into_iter().filter(|line| line.starts_with("start ")).collect()
}

#[test]
fn what_fails_while_a_stop_waits_is_started_again_when_the_move_is_undone() {
    let mut bench = undone_after(None, UnitNews::Failed("it has crashed".into()));
    assert_eq!(started(&mut bench), ["start a1", "start a2"]);
    assert_eq!(bench.view().groups[0].resources[0].state, ResourceState::Active);
}

#[test]
fn what_may_run_again_while_a_stop_waits_is_started_when_the_move_is_undone() {
    let mut bench = undone_after(Some(UnitNews::StoppedWith("the database".into())), UnitNews::Free);
    assert_eq!(started(&mut bench), ["start a1", "start a2"]);
    assert_eq!(bench.view().groups[0].resources[0].state, ResourceState::Active);
}

#[test]
fn what_somebody_stops_while_a_stop_waits_is_left_and_said_when_the_move_is_undone() {
    let mut bench = undone_after(None, STOPPED);
    assert!(bench.logged("a1 was stopped by somebody else"));
    assert_eq!(started(&mut bench), ["start a2"]);
    assert_eq!(bench.view().groups[0].resources[0].state, ResourceState::StoppedByHand);

    let mut bench = undone_after(None, UnitNews::StoppedWith("the database".into()));
    assert_eq!(started(&mut bench), ["start a2"]);
    assert_eq!(bench.view().groups[0].resources[0].state, ResourceState::StoppedWith);
    bench.feed(Event::Unit { step: A1, news: UnitNews::Free });
    bench.end_steps();
    assert_eq!(bench.view().groups[0].resources[0].state, ResourceState::Active);
}
