//! The other node is missing, leaves, or comes back: lone start, crash, graceful stop, failback (03 §5.2, §6.3 to
//! §6.5).

use super::*;

const TAKES_THE_PEERS: [&str; 4] = ["stonith nodeb n_stnth", "start b1", "start b2", "resource all 1"];

/// Each node holds its own groups, then the peer dies.
fn crashed() -> Bench {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    bench.run(4_001);
    bench
}

/// The peer returns and holds `hold`.
fn returned(mut bench: Bench, hold: &str) -> Bench {
    bench.peer_restarts();
    bench.peer_beats("active", 0xfa0);
    bench.says("starting", &[]);
    bench.resource(hold, "0", None);
    bench.story();
    bench.resource(hold, "1", None);
    bench
}

/// 03 §6.3, without T10, which a real Heartbeat waits for afterwards, and without `starting`.
#[test]
fn a_lone_node_takes_everything_after_initdead() {
    let mut bench = Bench::started();
    bench.run(10_001);
    let story = bench.story();
    assert_eq!(story[0], "stonith nodeb n_stnth", "a dead node is not asked what it holds");
    assert_eq!(story.last().unwrap(), "resource all 1", "said when the groups are up: {story:?}");
    assert!(["start a1", "start a2", "start b1", "start b2"].iter().all(|step| story.contains(&(*step).to_owned())));
    assert!(bench.view().resource_state == "all");
    bench.run(60_000);
    assert_eq!(bench.story(), Vec::<String>::new());
}

#[test]
fn the_takeover_of_a_lone_start_is_in_the_log_in_heartbeats_words() {
    let mut bench = Bench::started();
    bench.run(10_001);
    for text in [
        "node nodeb: is dead",
        "Comm_now_up(): updating status to active",
        "No STONITH device configured.",
        "Shared disks are not protected.",
        "Resources being acquired from nodeb.",
        "mach_down takeover complete for node nodeb.",
        "Initial resource acquisition complete (mach_down)",
    ] {
        assert!(bench.logged(text), "{text}: {:#?}", bench.log());
    }
}

#[test]
fn a_crash_costs_the_dead_time_and_nothing_more() {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    bench.run(4_000);
    assert_eq!(bench.story(), Vec::<String>::new());
    bench.run(1);
    assert_eq!(bench.story(), TAKES_THE_PEERS);
    assert_eq!(bench.view().groups[1].owner.as_deref(), Some("nodea"));
}

#[test]
fn a_crash_of_the_owner_of_everything_moves_everything() {
    let mut bench = Bench::joined("all");
    bench.peer_silent();
    bench.run(4_001);
    let story = bench.story();
    assert!(story.contains(&"start a2".to_owned()) && story.contains(&"start b2".to_owned()), "{story:?}");
    assert_eq!(bench.view().hold.word(), "all");
}

#[test]
fn the_end_of_a_takeover_is_logged_when_the_groups_are_up() {
    let mut bench = Bench::joined("local");
    bench.prompt = false;
    bench.peer_silent();
    bench.run(8_000);
    assert_eq!(bench.story(), ["stonith nodeb n_stnth", "start b1"]);
    assert_eq!(bench.view().resource_state, "transition");
    bench.end_step();
    assert_eq!(bench.story(), ["start b2"]);
    bench.end_step();
    assert_eq!(bench.story(), ["resource all 1"]);
}

/// 03 §6.5: `info=shutdown` says nothing is held; `shutdone` says nothing runs.
#[test]
fn a_graceful_stop_of_the_peer_moves_its_groups_at_shutdone() {
    let mut bench = Bench::joined("local");
    bench.resource("none", "0", Some("shutdown"));
    bench.run(30_000);
    assert_eq!(bench.story(), Vec::<String>::new(), "it may take its time to release");
    bench.says("shutdone", &[("st", "dead")]);
    assert!(bench.logged("Received shutdown notice from 'nodeb'."));
    assert_eq!(bench.story(), ["start b1", "start b2", "resource all 1"]);
    bench.run(2_000);
    assert_eq!(bench.peer_state(), "active", "its status does not change");
    bench.says("shutdone", &[("st", "dead")]);
    assert_eq!(bench.story(), Vec::<String>::new(), "said twice is said once");
}

#[test]
fn the_death_of_a_node_that_left_moves_nothing() {
    let mut bench = Bench::joined("local");
    bench.resource("none", "0", Some("shutdown"));
    bench.says("shutdone", &[("st", "dead")]);
    bench.story();
    bench.peer_silent();
    bench.run(4_001);
    assert!(bench.logged("Dead node nodeb gave up resources."));
    assert_eq!(bench.story(), ["stonith nodeb unneeded"]);
}

/// A Heartbeat takes such a node to be harmless (03 §7). But resources that it was stopping may still run (03 §14.1
/// rule 13).
#[test]
fn a_node_that_dies_while_it_releases_is_not_harmless() {
    let mut bench = Bench::joined("local");
    bench.resource("none", "0", Some("shutdown"));
    bench.peer_silent();
    bench.run(4_001);
    assert_eq!(bench.story(), TAKES_THE_PEERS);
}

#[test]
fn shutdone_before_we_are_active_counts() {
    let mut bench = Bench::started();
    bench.peer_beats("active", 0xfa0);
    bench.says("shutdone", &[("st", "dead")]);
    bench.story();
    bench.says("repnodes", &[("dest", "nodea"), ("nodelist", "nodea nodeb "), ("delnodelist", " ")]);
    let story = bench.story();
    assert_eq!(story[0], "starting");
    assert_eq!(bench.view().hold.word(), "all");
}

#[test]
fn groups_taken_before_we_were_active_go_back_too() {
    let mut bench = Bench::started();
    bench.peer_beats("active", 0xfa0);
    bench.says("shutdone", &[("st", "dead")]);
    bench.says("repnodes", &[("dest", "nodea"), ("nodelist", "nodea nodeb "), ("delnodelist", " ")]);
    let mut bench = returned(bench, "none");
    assert_eq!(bench.story(), ["resource all 1", "ask_resources foreign me"]);
}

/// 03 §14.1 rule 5: a peer that stops answers `starting` with `none isstable=0` and without `info` (§6.5). A peer
/// that starts sends the same, but it has sent `starting` as well.
#[test]
fn nothing_is_taken_while_a_peer_that_was_stopping_when_we_came_releases() {
    for hbd in [None, Some("1 0.1.0")] {
        let mut bench = Bench::started();
        bench.peer.hbd = hbd;
        let mut bench = bench.activated();
        bench.resource("none", "0", None);
        bench.run(60_000);
        assert_eq!(bench.view().hold.word(), "none", "hbd: {hbd:?}");
        bench.says("shutdone", &[("st", "dead")]);
        assert_eq!(bench.view().hold.word(), "all", "hbd: {hbd:?}");
    }
}

/// The answer to our `starting` crosses its `info=shutdown`.
#[test]
fn a_report_without_info_does_not_end_a_release() {
    let mut bench = Bench::active();
    bench.says("starting", &[]);
    bench.resource("none", "0", Some("shutdown"));
    bench.resource("none", "0", None);
    bench.run(60_000);
    assert_eq!(bench.view().hold.word(), "none");
    bench.says("shutdone", &[("st", "dead")]);
    assert_eq!(bench.view().hold.word(), "all");
}

#[test]
fn a_stopping_peer_that_starts_anew_is_waited_for_no_longer() {
    let mut bench = Bench::active();
    bench.resource("none", "0", Some("shutdown"));
    bench.peer_restarts();
    bench.peer_beats("active", 0xfa0);
    bench.says("starting", &[]);
    bench.run(10_000);
    assert_eq!(bench.view().hold.word(), "local");
}

/// 03 §5.2, for the node that holds the groups: when the returning node is stable, we give its groups back.
#[test]
fn groups_taken_from_a_dead_node_go_back_when_it_returns() {
    let mut bench = returned(crashed(), "none");
    assert_eq!(bench.story(), ["resource all 1", "ask_resources foreign me"]);
    bench.ask("foreign", "other");
    assert_eq!(bench.story(), ["stop b2", "resource local 0 standby", "stop b1", "ask_resources foreign done"]);
    bench.resource("local", "1", None);
    bench.ask("foreign", "done");
    bench.run(60_000);
    assert!(!bench.sent("ask_resources").iter().any(|ask| ask.text("info") == Some("me")), "once");
    assert_eq!(bench.view().resource_state, "local");
}

#[test]
fn groups_taken_at_a_stop_go_back_too() {
    let mut bench = Bench::joined("local");
    bench.resource("none", "0", Some("shutdown"));
    bench.says("shutdone", &[("st", "dead")]);
    let mut bench = returned(bench, "none");
    assert_eq!(bench.story(), ["resource all 1", "ask_resources foreign me"]);
}

#[test]
fn with_auto_failback_off_everything_stays() {
    let mut bench = Bench::with(|settings| settings.auto_failback = AutoFailback::Off);
    bench.feed(Event::Start);
    let mut bench = bench.activated().decided("local");
    bench.peer_silent();
    bench.run(4_001);
    let mut bench = returned(bench, "none");
    bench.run(60_000);
    assert_eq!(bench.story(), ["resource all 1"]);
    assert_eq!(bench.view().hold.word(), "all");
}

/// The peer was never away, so there is no failback (03 §5.2).
#[test]
fn groups_that_an_operator_moved_stay() {
    let mut bench = Bench::joined("local");
    bench.ask("all", "me");
    bench.resource("none", "0", Some("standby"));
    bench.ask("all", "done");
    bench.resource("none", "1", None);
    assert_eq!(bench.view().hold.word(), "all");
    bench.story();
    bench.run(60_000);
    bench.resource("none", "1", None);
    assert_eq!(bench.story(), Vec::<String>::new());
}

#[test]
fn a_crash_shorter_than_the_dead_time_does_not_fail_back() {
    let mut bench = Bench::joined("local");
    bench.run(500);
    let mut bench = returned(bench, "local");
    assert_eq!(bench.story(), ["resource local 1"]);
    bench.run(60_000);
    assert_eq!(bench.story(), Vec::<String>::new());
}

#[test]
fn a_failback_waits_until_the_peer_is_stable() {
    let mut bench = crashed();
    bench.peer_restarts();
    bench.peer_beats("active", 0xfa0);
    bench.says("starting", &[]);
    bench.resource("none", "0", None);
    bench.story();
    bench.run(20_000);
    assert!(bench.sent("ask_resources").is_empty());
    bench.resource("none", "1", None);
    assert_eq!(bench.field("ask_resources", "info"), ["me"]);
}

/// A taker always finishes the exchange, otherwise the giver waits for an hour (03 §14.1 rule 8).
#[test]
fn a_taker_whose_start_fails_still_says_done() {
    let mut bench = Bench::joined("local");
    bench.ask("local", "me");
    bench.resource("none", "0", Some("standby"));
    bench.prompt = false;
    bench.ask("local", "done");
    bench.story();
    bench.end_step();
    bench.fail_step();
    bench.end_steps();
    let failed = ["b2 did not start: no", "Giving up resources due to failure of b2"];
    assert!(failed.iter().all(|text| bench.logged(text)), "{:?}", bench.log());
    let story = bench.story();
    assert_eq!(story, ["start b2", "stop b2", "stop b1", "ask_resources local done", "resource all 1"]);
}

/// 03 §14.3: hbd offers the set that failed, and at once, unlike Heartbeat (§9.1).
#[test]
fn a_group_that_cannot_start_is_offered_to_the_peer() {
    let mut bench = Bench::active();
    bench.prompt = false;
    bench.resource("local", "1", None);
    bench.story();
    bench.fail_step();
    assert_eq!(bench.story(), ["stop a1", "ask_resources local me"]);
    bench.end_steps();
    bench.ask("local", "other");
    assert_eq!(bench.story(), ["resource none 0 standby", "ask_resources local done"]);
}

/// The peer takes it, cannot start it either, and gives it back.
#[test]
fn a_group_that_cannot_start_anywhere_does_not_move_back_and_forth() {
    let mut bench = Bench::active();
    bench.prompt = false;
    bench.resource("local", "1", None);
    bench.fail_step();
    bench.end_steps();
    bench.ask("local", "other");
    bench.ask("local", "done");
    bench.resource("all", "1", None);
    bench.ask("foreign", "me");
    bench.ask("foreign", "done");
    bench.fail_step();
    bench.end_steps();
    bench.resource("local", "1", None);
    bench.story();
    for _ in 0..5 {
        bench.run(30_000);
        bench.fail_step();
        bench.end_steps();
        bench.resource("local", "1", None);
    }
    let story = bench.story();
    assert_eq!(story.iter().filter(|line| *line == "start a1").count(), 5, "it is tried again here: {story:?}");
    assert!(!story.iter().any(|line| line.starts_with("ask_resources")), "{story:?}");
    bench.run(600_000);
    bench.fail_step();
    assert_eq!(bench.field("ask_resources", "rsc_hold"), ["local"], "ten minutes later the world may be another");
}
