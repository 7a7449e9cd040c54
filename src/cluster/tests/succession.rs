//! One daemon is followed by the next on the same node (02 §9.2, 03 §14.1 rule 11), and which resources the successor
//! may adopt.

use super::*;
use crate::cluster::{Adoption, Answer, GroupSet, Set};

/// A core whose predecessor held `set`, started, with nothing heard yet.
fn successor(set: Set, hbd: Option<&'static str>) -> Bench {
    let mut bench = Bench::with(|settings| settings.generation += 1);
    bench.peer.hbd = hbd;
    let held = bench.core.groups.members(set);
    bench.feed(Event::Adopt(Box::new(Adoption { held, ..Adoption::default() })));
    bench.feed(Event::Start);
    bench
}

#[test]
fn a_restart_asks_for_patience_and_stops_nothing() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Restart);
    assert_eq!(bench.field("status", "dt"), ["84d0"; 3], "deadtime and 30 s");
    assert_eq!(bench.field("status", "hbd_restart"), ["1"; 3]);
    assert_eq!(bench.story(), ["hand over"]);
    assert_eq!(bench.core.next_deadline(), None);
}

#[test]
fn a_restart_waits_for_an_exchange_but_not_for_ever() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Standby(Set::LOCAL));
    bench.request(Request::Restart);
    bench.ask("local", "other");
    assert!(!bench.story().contains(&"hand over".to_owned()));
    bench.ask("local", "done");
    bench.resource("all", "1", None);
    assert!(bench.story().contains(&"hand over".to_owned()));

    let mut bench = Bench::joined("local");
    bench.request(Request::Standby(Set::LOCAL));
    bench.ask("local", "other");
    bench.request(Request::Restart);
    bench.run(9_900);
    assert!(!bench.story().contains(&"hand over".to_owned()));
    bench.run(200);
    assert!(bench.story().contains(&"hand over".to_owned()));
}

#[test]
fn a_stop_overrides_a_restart() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Shutdown);
    bench.request(Request::Restart);
    bench.run(3_000);
    let story = bench.story();
    assert!(story.contains(&"exit".to_owned()) && !story.contains(&"hand over".to_owned()), "{story:?}");
}

#[test]
fn a_successor_goes_on_serving_and_reports_what_runs() {
    let mut bench = successor(Set::LOCAL, None);
    assert_eq!(bench.story(), ["start a1", "start a2"], "ordered again, which is nothing where it runs");
    assert_eq!(bench.view().hold, Set::LOCAL);
    let mut bench = bench.activated();
    assert_eq!(bench.story(), ["reqnodes", "starting"]);
    bench.resource("local", "1", None);
    let story = bench.story();
    assert!(story.iter().all(|line| line.starts_with("resource local ")), "{story:?}");
    assert_eq!(story.last().unwrap(), "resource local 1");
}

#[test]
fn a_successor_without_a_peer_serves_while_it_waits() {
    let mut bench = successor(Set::ALL, None);
    assert_eq!(bench.story(), ["start a1", "start b1", "start a2", "start b2"]);
    bench.run(11_000);
    let story = bench.story();
    assert!(!story.iter().any(|line| line.starts_with("stop") || line.starts_with("start ")), "{story:?}");
    assert_eq!(bench.view().hold, Set::ALL);
    assert_eq!(bench.view().resource_state, "all");
}

#[test]
fn groups_that_the_peer_took_meanwhile_are_released() {
    for hbd in [None, Some("1 0.1.0")] {
        let mut bench = successor(Set::LOCAL, hbd).activated();
        bench.story();
        bench.resource("all", "1", None);
        let story = bench.story();
        assert_eq!(story.iter().filter(|line| line.starts_with("stop")).collect::<Vec<_>>(), ["stop a2", "stop a1"]);
        assert!(story.contains(&"resource none 1".to_owned()), "{story:?}");
        assert!(!story.contains(&"start a1".to_owned()));
    }
}

#[test]
fn a_successor_that_is_stopped_before_it_is_active_releases() {
    let mut bench = successor(Set::LOCAL, None);
    bench.story();
    bench.request(Request::Shutdown);
    bench.run(3_000);
    assert_eq!(bench.story(), ["stop a2", "resource none 0 shutdown", "stop a1", "shutdone", "exit"]);
}

#[test]
fn a_peer_that_announced_its_restart_is_waited_for_and_keeps_its_groups() {
    let mut bench = Bench::joined_hbd("local");
    let mut message = bench.status();
    message.set_text("dt", "84d0");
    message.set_text("hbd_restart", "1");
    bench.hears(message);
    assert!(bench.logged("hbd on node nodeb restarts and keeps its resources: it is dead only after 34 s"));
    bench.peer_silent();
    bench.run(20_000);
    assert_eq!(bench.peer_state(), "active");
    bench.done.clear();
    bench.peer_restarts();
    bench.peer_beats("active", 0xfa0);
    bench.says("starting", &[]);
    bench.resource("local", "1", None);
    bench.run(5_000);
    let story = bench.story();
    assert!(story.iter().all(|line| line.starts_with("resource local")), "{story:?}");
    bench.feed(Event::Request { id: 9, request: Request::Takeover(Set::LOCAL) });
    assert!(bench.done.contains(&(bench.now, Action::Answer { id: 9, answer: Answer::Already })));
}

#[test]
fn a_farewell_is_said_to_the_peer_that_is_heard_or_to_nobody_and_takes_nothing() {
    let mut bench = Bench::started();
    bench.request(Request::Farewell);
    bench.run(1_000);
    // An hbd would not believe a node that does not know it.
    assert!(bench.sent("shutdone").is_empty());
    bench.peer_status();
    assert_eq!(bench.sent("shutdone").len(), 1);
    let mut bench = Bench::started();
    bench.request(Request::Farewell);
    bench.run(2_500);
    assert_eq!(bench.sent("shutdone").len(), 1);
    // What was lost can be asked for again.
    assert!(!bench.story().contains(&"exit".to_owned()), "{:?}", bench.story());
    bench.run(2_000);
    let story = bench.story();
    assert!(story.contains(&"exit".to_owned()) && !story.iter().any(|line| line.starts_with("start")), "{story:?}");
}

/// A core whose predecessor held nothing any more, and was stopping `stopping` or had lost `lapsed`.
fn successor_of_a_loser(stopping: GroupSet, lapsed: GroupSet) -> Bench {
    let mut bench = Bench::with(|settings| settings.generation += 1);
    bench.peer.hbd = Some("5");
    bench.feed(Event::Adopt(Box::new(Adoption { stopping, lapsed, ..Adoption::default() })));
    bench
}

#[test]
fn what_the_predecessor_was_stopping_goes_on_stopping_in_maintenance_too() {
    for maintenance in [false, true] {
        let mut bench = Bench::with(|settings| settings.generation += 1);
        bench.peer.hbd = Some("5");
        bench.request(Request::Maintenance(maintenance));
        let adoption = Adoption { stopping: GroupSet::one(0), ..Adoption::default() };
        bench.feed(Event::Adopt(Box::new(adoption)));
        bench.feed(Event::Start);
        assert_eq!(bench.story(), ["stop a2", "stop a1"], "in the order of a release");
        assert_eq!(bench.view().hold, Set::NONE);
    }
}

#[test]
fn what_is_wanted_again_while_it_goes_down_is_started_whole() {
    let mut bench = Bench::with(|settings| settings.generation += 1);
    (bench.peer.hbd, bench.prompt) = (Some("5"), false);
    bench.feed(Event::Adopt(Box::new(Adoption { stopping: GroupSet::one(0), ..Adoption::default() })));
    bench.feed(Event::Start);
    assert_eq!(bench.story(), ["stop a2"]);
    let mut bench = bench.activated();
    bench.says("starting", &[]);
    bench.resource("none", "1", None);
    bench.prompt = true;
    bench.end_step();
    bench.run(20_000);
    let story = bench.story();
    assert!(story.contains(&"start a1".to_owned()) && story.contains(&"start a2".to_owned()), "{story:?}");
}

#[test]
fn a_stop_before_anybody_said_what_runs_stops_what_the_predecessor_had() {
    let mut bench = successor_of_a_loser(GroupSet::NONE, GroupSet::one(0));
    bench.feed(Event::Start);
    assert_eq!(bench.story(), [""; 0], "what runs is told, and is a left-over then");
    bench.request(Request::Shutdown);
    bench.run(5_000);
    let story = bench.story();
    let ends = story.iter().position(|line| line == "exit").unwrap();
    let stops = story.iter().position(|line| line == "stop a1").unwrap();
    assert!(stops < ends, "{story:?}");
}
