//! A real Heartbeat that hangs in an exchange is freed (03 §0 no. 10, §14.3 last row).

use super::*;

/// We crashed during an exchange and were back within the dead time: the peer has not taken over, may wait an hour
/// for our `done`, and could not even be stopped meanwhile.
#[test]
fn a_heartbeat_that_did_not_notice_our_restart_is_freed() {
    let mut bench = Bench::active();
    bench.resource("local", "1", None);
    bench.run(12_999);
    bench.story();
    bench.run(1);
    assert_eq!(bench.story(), ["ask_resources foreign done", "resource local 1"], "of what we do not run");
    bench.run(120_000);
    assert!(bench.story().is_empty(), "once");
}

#[test]
fn a_heartbeat_that_started_with_us_is_not_freed() {
    for mut bench in [Bench::joined("local"), Bench::joined("all")] {
        bench.run(60_000);
        assert!(bench.sent("ask_resources").is_empty());
    }
}

/// The Heartbeat may hold everything because we gave it, and wait until we give it again: our former incarnation was
/// so short that the Heartbeat has not noticed its end.
#[test]
fn a_heartbeat_that_holds_everything_is_freed_as_well() {
    let mut bench = Bench::active();
    bench.resource("all", "1", None);
    bench.story();
    bench.run(60_000);
    assert!(bench.story().contains(&"ask_resources all done".to_owned()));
}

#[test]
fn a_heartbeat_that_does_not_answer_is_freed_before_anything_else_begins() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Standby(Set::ALL));
    bench.run(10_000);
    bench.story();
    bench.request(Request::Standby(Set::ALL));
    assert!(bench.sent("ask_resources").is_empty(), "a wrong word now makes it wait for an hour (03 §16 no. 9)");
    bench.run(3_000);
    assert_eq!(bench.story(), ["ask_resources foreign done", "resource local 1"]);
    bench.run(4_000);
    assert_eq!(bench.story(), ["ask_resources all me"], "the operator still waits");
}

/// We refused the Heartbeat's `me` while we waited for an answer to ours. The Heartbeat may act on its `me` for ten
/// more seconds, and a `done` within them makes it wait for an hour (03 §16 no. 9).
#[test]
fn a_heartbeat_whose_request_we_refused_is_freed_when_that_request_is_over() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Standby(Set::ALL));
    bench.run(6_000);
    bench.ask("foreign", "me");
    assert!(bench.logged("Standby in progress- new request from nodeb ignored"));
    bench.story();
    bench.run(12_900);
    let story = bench.story();
    assert!(!story.iter().any(|line| line.starts_with("ask_resources")), "{story:?}");
    bench.run(1_000);
    let story = bench.story();
    assert!(story.contains(&"ask_resources foreign done".to_owned()), "now it cannot harm: {story:?}");
}

/// A Heartbeat that hangs sends its tool's `me` all the same, and ignores both that and our answer.
#[test]
fn a_heartbeat_that_ignores_the_answer_to_its_request_is_freed() {
    let mut bench = Bench::joined("local");
    bench.ask("foreign", "me");
    bench.run(12_900);
    let story = bench.story();
    assert!(!story.iter().any(|line| line.ends_with("done")), "it may have heeded its own alone: {story:?}");
    bench.run(200);
    assert!(bench.story().contains(&"ask_resources foreign done".to_owned()));
}

/// A Heartbeat that we do not hear may send `me` all the same.
#[test]
fn a_silent_heartbeat_is_freed_when_any_request_of_it_is_over() {
    let mut bench = Bench::active();
    bench.resource("local", "1", None);
    bench.run(10_200);
    bench.peer_silent();
    bench.run(2_900);
    let story = bench.story();
    assert!(!story.iter().any(|line| line.starts_with("ask_resources")), "{story:?}");
    bench.peer_beats("active", 0xfa0);
    bench.run(12_800);
    let story = bench.story();
    assert!(!story.iter().any(|line| line.starts_with("ask_resources")), "{story:?}");
    bench.run(1_000);
    assert!(bench.story().contains(&"ask_resources foreign done".to_owned()));
}

/// We release the groups that both nodes held. Meanwhile the Heartbeat asks to give something, which we ignore.
#[test]
fn the_end_of_a_conflict_is_not_reported_while_a_heartbeat_waits_for_an_answer() {
    let told = |bench: &mut Bench| bench.story().iter().any(|line| line.ends_with("done"));
    for asks in [false, true] {
        let mut bench = Bench::joined("local");
        bench.request(Request::Maintenance(true));
        bench.resource("all", "1", None);
        bench.run(29_000);
        if asks {
            bench.ask("foreign", "me");
        }
        bench.done.clear();
        bench.run(11_000);
        assert!(bench.logged("keeps them: releasing ours"));
        assert_eq!(told(&mut bench), !asks, "it would hang for it (03 §16 no. 9)");
        bench.run(4_000);
        assert_eq!(told(&mut bench), asks);
    }
}

/// We run everything, so the Heartbeat has nothing to give: our first message makes it the taker of an exchange, and
/// the second ends that exchange.
#[test]
fn a_node_that_runs_everything_frees_a_heartbeat_without_giving_anything() {
    let mut bench = Bench::joined("local");
    bench.ask("all", "me");
    bench.ask("all", "done");
    bench.resource("none", "1", None);
    bench.request(Request::Standby(Set::LOCAL));
    bench.run(10_000);
    bench.story();
    bench.run(3_000);
    assert_eq!(bench.story()[..3], ["ask_resources none done", "ask_resources none done", "resource all 1"]);
    assert_eq!(bench.view().hold.word(), "all");
}

/// 03 §16 no. 14: the message names us, so the Heartbeat has declared us dead and forgotten the exchange.
#[test]
fn a_heartbeat_that_declares_us_dead_ends_the_exchange() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Standby(Set::LOCAL));
    bench.says("stonith", &[("node", "nodea"), ("result", "n_stnth")]);
    assert!(bench.logged("Cancelling pending standby operation"));
    bench.resource("local", "1", None);
    assert_eq!(bench.view().resource_state, "local");
}
