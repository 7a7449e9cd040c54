//! A real Heartbeat that hangs in an exchange is let go (03 §0 no. 10, §14.3 last row).

use super::*;

/// We crashed in the middle of an exchange and were back within the dead time: the peer, who did not take over, may wait
/// an hour for our `done`, and could not even be stopped meanwhile.
#[test]
fn a_peer_that_did_not_take_over_from_our_former_life_is_let_go() {
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
fn a_peer_that_started_with_us_hangs_in_nothing() {
    for mut bench in [Bench::joined("local"), Bench::joined("all")] {
        bench.run(60_000);
        assert!(bench.sent("ask_resources").is_empty());
    }
}

/// It may have everything because we gave it, and wait for us to give it again: a life of ours that was short enough for
/// it not to notice its end.
#[test]
fn one_that_has_everything_is_let_go_as_well() {
    let mut bench = Bench::active();
    bench.resource("all", "1", None);
    bench.story();
    bench.run(60_000);
    assert!(bench.story().contains(&"ask_resources all done".to_owned()));
}

#[test]
fn one_that_does_not_answer_is_let_go_and_nothing_is_begun_before() {
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

/// Its own `me`, which we refused while we waited for an answer to ours, may be heeded by it for ten seconds still: a `done`
/// within them makes it wait for an hour (03 §16 no. 9).
#[test]
fn one_whose_own_request_we_refused_is_let_go_when_that_must_be_over() {
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

/// Its tool's `me` is on the wire even if it hangs and heeds neither that nor our answer.
#[test]
fn one_that_does_not_heed_the_answer_to_its_own_request_is_let_go() {
    let mut bench = Bench::joined("local");
    bench.ask("foreign", "me");
    bench.run(12_900);
    let story = bench.story();
    assert!(!story.iter().any(|line| line.ends_with("done")), "it may have heeded its own alone: {story:?}");
    bench.run(200);
    assert!(bench.story().contains(&"ask_resources foreign done".to_owned()));
}

/// One that we do not hear may say `me` all the same.
#[test]
fn one_that_is_not_heard_is_let_go_when_what_it_may_have_asked_is_over() {
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

/// We let go of what both had, and it asks meanwhile to give something, which we do not heed.
#[test]
fn the_end_of_a_conflict_is_not_told_while_it_waits_for_an_answer_of_its_own() {
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

/// Who runs everything has nothing for it to take: the first word makes it one who has taken, the second ends it.
#[test]
fn who_runs_everything_lets_it_go_without_giving_anything() {
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

/// 03 §16 no. 14: it names us, so it has declared us dead and knows of no exchange any more.
#[test]
fn who_declares_us_dead_ends_the_exchange() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Standby(Set::LOCAL));
    bench.says("stonith", &[("node", "nodea"), ("result", "n_stnth")]);
    assert!(bench.logged("Cancelling pending standby operation"));
    bench.resource("local", "1", None);
    assert_eq!(bench.view().resource_state, "local");
}
