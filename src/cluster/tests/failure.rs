//! A group that cannot be started: if the other node can serve it, that node does (03 §0 nos. 6 and 7, §9, §14.3).

use super::*;
use crate::cluster::{GroupState, Set};

/// A moment of the protocol, and how to get there from [`Bench::active`].
type Phase = (&'static str, fn(&mut Bench));

/// We hold our own groups. The first start failed and everything is down.
fn failed_here() -> Bench {
    let mut bench = Bench::active();
    bench.prompt = false;
    bench.resource("local", "1", None);
    bench.fail_step();
    bench.end_steps();
    bench
}

/// 03 §9.1: a real Heartbeat reports it as `local` and leaves it down on both nodes.
#[test]
fn a_failed_group_is_shown_as_failed() {
    let bench = failed_here();
    assert_eq!(bench.view().groups[0].state, GroupState::Failed);
    assert!(bench.logged("a1 did not start: no") && bench.logged("Giving up resources due to failure of a1"));
}

#[test]
fn resources_of_a_failed_group_are_stopped_in_reverse_order() {
    let mut bench = Bench::active();
    bench.prompt = false;
    bench.resource("local", "1", None);
    bench.end_step();
    bench.story();
    bench.fail_step();
    bench.end_steps();
    assert_eq!(bench.story(), ["stop a2", "ask_resources local me", "stop a1"]);
}

#[test]
fn the_peer_is_asked_to_take_a_failed_group() {
    let mut bench = failed_here();
    bench.story();
    bench.ask("local", "other");
    assert_eq!(bench.story(), ["resource none 0 standby", "ask_resources local done"]);
    bench.resource("all", "1", None);
    bench.ask("local", "done");
    bench.run(60_000);
    assert_eq!(bench.view().resource_state, "none");
    assert_eq!(bench.view().groups[0].owner.as_deref(), Some("nodeb"));
    assert!(!bench.story().contains(&"start a1".to_owned()), "it is not ours to try any more");
}

/// The peer may be in flux for ten seconds after it has started alone (03 §16 no. 18).
#[test]
fn a_peer_that_did_not_react_is_asked_again() {
    let mut bench = failed_here();
    bench.run(10_000);
    assert!(bench.logged("No reply to standby request.  Standby request cancelled."));
    bench.story();
    bench.run(25_000);
    bench.fail_step();
    bench.end_steps();
    let story = bench.story();
    assert!(story.contains(&"ask_resources local me".to_owned()), "{story:?}");
}

#[test]
fn a_failed_takeover_is_given_to_the_peer_as_soon_as_it_is_back() {
    let mut bench = Bench::joined("local");
    bench.prompt = false;
    bench.peer_silent();
    bench.run(4_001);
    bench.fail_step();
    bench.end_steps();
    assert_eq!(bench.view().groups[1].state, GroupState::Failed);
    bench.run(5_000);
    bench.peer_restarts();
    bench.peer_beats("active", 0xfa0);
    bench.story();
    bench.says("starting", &[]);
    bench.resource("none", "0", None);
    bench.resource("none", "1", None);
    assert_eq!(bench.field("ask_resources", "rsc_hold"), ["foreign"], "{:?}", bench.log());
}

#[test]
fn our_own_failed_group_is_given_to_a_peer_that_was_away() {
    let mut bench = Bench::with(|settings| settings.auto_failback = AutoFailback::Off);
    bench.feed(Event::Start);
    bench.prompt = false;
    bench.run(10_001);
    bench.fail_step();
    bench.end_steps();
    bench.run(1_000);
    bench.fail_step();
    bench.end_steps();
    assert_eq!(bench.view().groups[0].state, GroupState::Failed);
    bench.run(4_000);
    bench.peer_restarts();
    bench.peer_beats("active", 0xfa0);
    bench.story();
    bench.says("starting", &[]);
    bench.resource("none", "0", None);
    bench.resource("none", "1", None);
    assert_eq!(bench.field("ask_resources", "rsc_hold"), ["local"]);
}

/// The taker of a standby must send `done`. A group that it could not start goes back as soon as the giver is stable.
#[test]
fn a_group_that_we_took_and_cannot_start_goes_back_at_once() {
    let mut bench = Bench::joined("local");
    bench.ask("local", "me");
    bench.resource("none", "0", Some("standby"));
    bench.prompt = false;
    bench.ask("local", "done");
    bench.fail_step();
    bench.end_steps();
    bench.story();
    bench.resource("none", "1", None);
    assert_eq!(bench.story(), ["resource all 1", "ask_resources foreign me"]);
    bench.ask("foreign", "other");
    bench.ask("foreign", "done");
    assert_eq!(bench.view().hold, Set::LOCAL);
}

#[test]
fn if_both_classes_fail_both_move() {
    let mut bench = Bench::started();
    bench.prompt = false;
    bench.run(10_001);
    bench.fail_step();
    bench.fail_step();
    bench.end_steps();
    bench.run(1_000);
    bench.fail_step();
    bench.fail_step();
    bench.end_steps();
    bench.run(4_000);
    bench.peer_restarts();
    bench.peer_beats("active", 0xfa0);
    bench.says("starting", &[]);
    bench.story();
    bench.resource("none", "1", None);
    assert_eq!(bench.field("ask_resources", "rsc_hold"), ["all"]);
}

#[test]
fn without_a_peer_a_failed_group_is_started_again_every_thirty_seconds() {
    let mut bench = Bench::joined("local");
    bench.prompt = false;
    bench.peer_silent();
    bench.run(4_001);
    bench.fail_step();
    bench.end_steps();
    for pause in [1_000, 5_000, 30_000, 30_000] {
        bench.story();
        bench.run(pause - 1);
        assert_eq!(bench.story(), Vec::<String>::new());
        bench.run(1);
        assert_eq!(bench.story(), ["start b1"]);
        bench.fail_step();
        bench.end_steps();
    }
    bench.run(30_000);
    bench.end_steps();
    assert_eq!(bench.view().groups[1].state, GroupState::Active);
}

/// A stop that is requested at any moment ends: everything is down, `shutdone` is sent once and after the last stop,
/// and nothing is started after it.
#[test]
fn a_stop_in_every_phase_ends_with_everything_released() {
    let phases: [Phase; 11] = [
        ("acquiring at start", |bench| bench.resource("local", "1", None)),
        ("both starting", |bench| {
            bench.says("starting", &[]);
            bench.resource("none", "0", None);
        }),
        ("failed", |bench| {
            bench.resource("local", "1", None);
            bench.fail_step();
        }),
        ("asked", |bench| {
            bench.resource("local", "1", None);
            bench.end_steps();
            bench.request(Request::Standby(Set::LOCAL));
        }),
        ("releasing", |bench| {
            bench.resource("local", "1", None);
            bench.end_steps();
            bench.request(Request::Standby(Set::LOCAL));
            bench.ask("local", "other");
        }),
        ("released", |bench| {
            bench.resource("local", "1", None);
            bench.end_steps();
            bench.request(Request::Standby(Set::LOCAL));
            bench.ask("local", "other");
            bench.end_steps();
        }),
        ("offered", |bench| {
            bench.resource("all", "1", None);
            bench.ask("all", "me");
        }),
        ("acquiring", |bench| {
            bench.resource("all", "1", None);
            bench.ask("all", "me");
            bench.ask("all", "done");
        }),
        ("taking over", |bench| {
            bench.resource("local", "1", None);
            bench.end_steps();
            bench.says("shutdone", &[("st", "dead")]);
        }),
        ("the peer is dying", |bench| {
            bench.resource("local", "1", None);
            bench.peer_silent();
            bench.run(3_000);
        }),
        ("nobody decided", |_| {}),
    ];
    for (phase, enter) in phases {
        let mut bench = Bench::active();
        bench.prompt = false;
        enter(&mut bench);
        bench.request(Request::Shutdown);
        for _ in 0..60 {
            bench.end_steps();
            bench.run(1_000);
        }
        let story = bench.story();
        assert_eq!(story.last().map(String::as_str), Some("exit"), "{phase}: {story:?}");
        let said: Vec<_> = story.iter().rposition(|line| line == "shutdone").into_iter().collect();
        assert_eq!(story.iter().filter(|line| *line == "shutdone").count(), 1, "{phase}: {story:?}");
        assert!(
            !story[said[0]..].iter().any(|line| line.starts_with("start ") || line.starts_with("stop ")),
            "{phase}"
        );
        assert!(bench.view().groups.iter().all(|group| group.state == GroupState::Stopped), "{phase}: {story:?}");
    }
}
