//! Fencing (03 §7, 04 §8): nothing of a dead node is taken before it was reset.

use super::*;

/// A device that can reset nodeb.
fn bench() -> Bench {
    Bench::with(|settings| settings.fencing = vec!["nodeb".into()])
}

/// Joined a decided nodeb that holds `hold`.
fn joined(hold: &str) -> Bench {
    let mut bench = bench();
    bench.feed(Event::Start);
    bench.activated().decided(hold)
}

fn agents_end(bench: &mut Bench, outcome: Result<(), &str>) {
    bench.feed(Event::Fenced { node: "nodeb".into(), outcome: outcome.map_err(str::to_owned) });
}

/// nodeb held its own groups and is dead.
fn bereft() -> Bench {
    let mut bench = joined("local");
    bench.peer_silent();
    bench.run(5_000);
    bench
}

#[test]
fn nothing_is_taken_before_the_reset_has_succeeded() {
    let mut bench = bereft();
    assert_eq!(bench.story(), ["fence nodeb"]);
    bench.run(600_000);
    assert_eq!(bench.story(), Vec::<String>::new(), "the agent hangs, and its own limit is not the core's");
    assert_eq!(bench.view().hold, Set::LOCAL);
    assert_eq!(bench.view().resource_state, "transition");
    assert_eq!(bench.view().groups[1].held_back.as_deref(), Some("nodeb is not reset yet"));
    assert_eq!(bench.view().groups[0].held_back, None);
    agents_end(&mut bench, Ok(()));
    assert_eq!(bench.story(), ["stonith nodeb OK", "start b1", "start b2", "resource all 1"]);
    assert_eq!(bench.view().resource_state, "all");
}

#[test]
fn a_failed_reset_is_tried_again_with_growing_pauses() {
    let mut bench = bereft();
    bench.done.clear();
    let mut pauses = Vec::new();
    for _ in 0..5 {
        let failed = bench.clock();
        agents_end(&mut bench, Err("timed out"));
        assert!(bench.logged("Host nodeb not reset! timed out"));
        assert_eq!(bench.sent("stonith").last().unwrap().text("result"), Some("bad"));
        bench.done.clear();
        bench.run(40_000);
        let again = bench.done.iter().find(|(_, action)| matches!(action, Action::Fence { .. })).unwrap();
        pauses.push((as_ms(again.0) - failed) / 1000);
    }
    assert_eq!(pauses, [5, 10, 20, 30, 30]);
    assert_eq!(bench.view().hold, Set::LOCAL);
    agents_end(&mut bench, Ok(()));
    assert_eq!(bench.view().hold, Set::ALL);
}

#[test]
fn a_node_that_boots_alone_takes_nothing_before_the_reset() {
    let mut bench = bench();
    bench.feed(Event::Start);
    bench.run(11_000);
    assert_eq!(bench.story().last().unwrap(), "fence nodeb");
    bench.run(60_000);
    assert_eq!(bench.view().hold, Set::NONE);
    agents_end(&mut bench, Ok(()));
    assert_eq!(bench.view().hold, Set::ALL);
}

#[test]
fn a_node_that_had_nothing_or_left_is_not_reset() {
    let mut bench = joined("none");
    bench.peer_silent();
    bench.run(5_000);
    assert_eq!(bench.field("stonith", "result"), ["unneeded"]);
    assert_eq!(bench.view().hold, Set::ALL);

    let mut bench = joined("local");
    bench.resource("none", "0", Some("shutdown"));
    bench.says("shutdone", &[("st", "dead")]);
    bench.peer_silent();
    bench.run(6_000);
    assert!(bench.sent("stonith").iter().all(|message| message.text("result") == Some("unneeded")));
    assert_eq!(bench.view().hold, Set::ALL);
}

/// Unlike Heartbeat (03 §14.1 rule 13).
#[test]
fn a_node_that_dies_while_it_gives_up_is_reset() {
    let mut bench = joined("local");
    bench.resource("none", "0", Some("shutdown"));
    bench.peer_silent();
    bench.run(5_000);
    assert_eq!(bench.story().last().unwrap(), "fence nodeb");

    let mut bench = joined("local");
    bench.ask("local", "me");
    bench.resource("none", "0", Some("standby"));
    bench.peer_silent();
    bench.run(5_000);
    assert_eq!(bench.story().last().unwrap(), "fence nodeb");
}

#[test]
fn without_a_device_a_dead_node_is_not_reset() {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    bench.run(5_000);
    assert_eq!(bench.story().first().unwrap(), "stonith nodeb n_stnth");
    assert_eq!(bench.view().hold, Set::ALL);
}

#[test]
fn a_node_that_is_heard_again_before_its_reset_is_not_reset() {
    let mut bench = bereft();
    agents_end(&mut bench, Err("timed out"));
    bench.peer_status();
    assert!(bench.logged("it is let live"));
    bench.resource("local", "1", None);
    bench.done.clear();
    bench.run(60_000);
    assert!(!bench.story().contains(&"fence nodeb".to_owned()));
    assert_eq!((bench.view().hold, bench.view().resource_state.as_str()), (Set::LOCAL, "local"));
}

#[test]
fn two_nodes_that_booted_apart_settle_although_neither_could_reset_the_other() {
    let mut bench = bench();
    bench.feed(Event::Start);
    bench.run(11_000);
    agents_end(&mut bench, Err("timed out"));
    bench.peer_beats("active", 0xfa0);
    bench.done.clear();
    bench.run(2_000);
    assert!(bench.story().contains(&"starting".to_owned()), "asked again");
    bench.resource("none", "1", None);
    bench.run(12_000);
    assert_eq!(bench.view().hold, Set::LOCAL);
}

#[test]
fn a_stop_does_not_wait_for_the_agent() {
    let mut bench = bereft();
    bench.done.clear();
    bench.request(Request::Shutdown);
    bench.run(100);
    assert_eq!(bench.story(), ["stop a2", "resource none 0 shutdown", "stop a1", "shutdone", "exit"]);
    agents_end(&mut bench, Ok(()));
    assert!(!bench.story().iter().any(|told| told.starts_with("start")));
}

#[test]
fn a_node_that_an_operator_has_reset_is_not_reset_again() {
    let mut bench = joined("local");
    bench.request(Request::Fence(1));
    assert_eq!(bench.story(), ["fence nodeb"]);
    bench.request(Request::Fence(1));
    assert_eq!(answers(&bench), [Answer::Busy]);
    agents_end(&mut bench, Ok(()));
    assert_eq!(answers(&bench), [Answer::Busy, Answer::Done]);
    assert_eq!(bench.view().hold, Set::LOCAL, "the device may lie: silence counts as well");
    bench.done.clear();
    bench.peer_silent();
    bench.run(5_000);
    assert_eq!(bench.story().first().unwrap(), "stonith nodeb unneeded");
    assert_eq!(bench.view().hold, Set::ALL);
}

#[test]
fn an_old_reset_by_an_operator_does_not_count_for_a_later_death() {
    let mut bench = joined("local");
    bench.request(Request::Fence(1));
    agents_end(&mut bench, Ok(()));
    bench.run(60_000);
    bench.done.clear();
    bench.peer_silent();
    bench.run(5_000);
    assert_eq!(bench.story(), ["fence nodeb"], "it was heard for a minute after its reset");
}

#[test]
fn an_operators_reset_that_fails_is_reported_and_not_repeated() {
    let mut bench = joined("local");
    bench.request(Request::Fence(1));
    agents_end(&mut bench, Err("no such plug"));
    assert_eq!(answers(&bench), [Answer::Failed]);
    bench.done.clear();
    bench.run(60_000);
    assert!(!bench.story().contains(&"fence nodeb".to_owned()));
    bench.request(Request::Fence(0));
    assert_eq!(answers(&bench), [Answer::Failed], "not ourselves");
}

#[test]
fn an_operator_may_confirm_that_a_node_is_off_only_while_a_reset_is_awaited() {
    let mut bench = joined("local");
    bench.request(Request::ConfirmFenced(1));
    assert_eq!(answers(&bench), [Answer::Failed], "it lives");
    bench.peer_silent();
    bench.run(5_000);
    bench.request(Request::ConfirmFenced(1));
    assert_eq!(answers(&bench), [Answer::Failed, Answer::Failed], "the agent may be about to succeed");
    agents_end(&mut bench, Err("timed out"));
    bench.request(Request::ConfirmFenced(1));
    assert_eq!(answers(&bench), [Answer::Failed, Answer::Failed, Answer::Done]);
    assert_eq!(bench.view().hold, Set::ALL);
    bench.done.clear();
    bench.run(60_000);
    assert!(!bench.story().contains(&"fence nodeb".to_owned()));
}

#[test]
fn a_device_that_reset_nothing_is_named_when_the_node_is_heard_again() {
    let mut bench = bereft();
    agents_end(&mut bench, Ok(()));
    bench.done.clear();
    bench.peer_status();
    assert!(bench.logged("the device resets nothing, or another machine"));

    let mut bench = bereft();
    agents_end(&mut bench, Ok(()));
    bench.done.clear();
    bench.peer_restarts();
    assert!(!bench.logged("the device resets nothing"), "a new incarnation is what a reset makes");
}

#[test]
fn without_a_ping_node_nobody_is_reset_if_a_takeover_needs_one() {
    let mut bench = Bench::with(|settings| {
        settings.fencing = vec!["nodeb".into()];
        settings.ping_nodes = vec!["10.0.0.254".into()];
        settings.connectivity.takeover_needs_ping = true;
    });
    bench.feed(Event::Start);
    bench.feed(Event::PingAnswered { node: 0 });
    let mut bench = bench.activated().decided("local");
    bench.peer_silent();
    bench.run(60_000);
    assert!(!bench.story().contains(&"fence nodeb".to_owned()));
    bench.feed(Event::PingAnswered { node: 0 });
    bench.run(1_000);
    assert_eq!(bench.story(), ["fence nodeb"]);
    agents_end(&mut bench, Ok(()));
    bench.feed(Event::PingAnswered { node: 0 });
    assert_eq!(bench.view().hold, Set::ALL);
}
