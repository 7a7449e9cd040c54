//! Defects of a real Heartbeat that hbd does not have: 03 §0 and the destructive cases of 02, one test each. The
//! names of the tests are a list of them.
//!
//! The rest of that list is elsewhere: names and uuids used twice in `impostor`, node lists that delete nodes in
//! `startup` and `membership`, flow control and link timeouts in `membership`, resources that no node runs in
//! `failure`, mixed protocols in `legacy`, packets that abort a daemon in `wire::tests::defects`, comments and names
//! that join groups (03 §0 nos. 15 and 16) in `config`.

use super::*;
use crate::cluster::{Answer, GroupState, Set};

fn nothing() -> Vec<String> {
    Vec::new()
}

/// 03 §0 no. 1: `isstable=1` is sent before the first start. hbd shows people only what runs.
#[test]
fn a_stable_group_is_not_shown_as_running() {
    let mut bench = Bench::active();
    bench.prompt = false;
    bench.resource("local", "1", None);
    assert_eq!(bench.field("resource", "isstable").last().unwrap(), "1");
    assert_eq!((bench.view().groups[0].state, bench.view().groups[0].running), (GroupState::Starting, 0));
    assert_eq!(bench.view().resource_state, "transition");
}

/// 03 §0 no. 2: an answer may arrive before its cause.
#[test]
fn reordered_messages_have_the_same_outcome() {
    let end = |inverted: bool| {
        let mut bench = Bench::joined("local");
        bench.request(Request::Standby(Set::ALL));
        bench.ask("all", "other");
        let done = bench.message("ask_resources", &[("rsc_hold", "all"), ("info", "done")]);
        let report = [("rsc_hold", "all"), ("rtype", "full"), ("isstable", "1")];
        let report = bench.message("resource", &report);
        for message in if inverted { [report, done] } else { [done, report] } {
            bench.hears(message);
        }
        bench.run(5_000);
        let view = bench.view();
        (view.hold, view.nodes[1].holds, view.resource_state, bench.logged("own"))
    };
    assert_eq!(end(true), end(false));
    assert_eq!(end(true).0, Set::NONE);
}

/// 03 §0 no. 3: a Heartbeat whose `starting` is lost never acquires anything.
#[test]
fn a_lost_starting_is_sent_again() {
    let mut bench = Bench::active();
    bench.run(10_000);
    assert_eq!(bench.sent("starting").len(), 2);
    bench.resource("local", "1", None);
    assert_eq!(bench.view().resource_state, "local");
}

/// 03 §0 no. 6: a Heartbeat moves its foreign resources, which did not fail.
#[test]
fn a_failed_local_group_moves_as_local() {
    let mut bench = Bench::active();
    bench.prompt = false;
    bench.resource("local", "1", None);
    bench.fail_step();
    assert_eq!(bench.field("ask_resources", "rsc_hold"), ["local"]);
    assert_eq!(bench.view().groups[1].owner.as_deref(), Some("nodeb"), "the peer's stay with it");
}

/// 03 §0 no. 7.
#[test]
fn a_failed_acquisition_is_not_called_a_success() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Takeover(Set::FOREIGN));
    bench.ask("local", "me");
    bench.prompt = false;
    bench.ask("local", "done");
    bench.fail_step();
    bench.end_steps();
    let failed = Action::Answer { id: 1, answer: Answer::Failed };
    assert!(bench.done.iter().any(|(_, action)| *action == failed));
    assert_eq!(bench.view().groups[1].state, GroupState::Failed);
}

/// 03 §0 no. 8, seen from the node that stayed. The other side is in `conflict`.
#[test]
fn a_crash_shorter_than_the_dead_time_orphans_nothing() {
    let mut bench = Bench::joined("all");
    bench.run(1_000);
    bench.peer_restarts();
    bench.peer_beats("active", 0xfa0);
    bench.says("starting", &[]);
    bench.resource("none", "0", None);
    bench.resource("local", "1", None);
    bench.run(4_000);
    bench.ask("foreign", "me");
    bench.ask("foreign", "done");
    assert_eq!(
        bench.view().groups[0].state,
        GroupState::Active,
        "our own group, which it had held: {:?}",
        bench.log()
    );
}

/// 03 §0 no. 9.
#[test]
fn two_owners_are_reduced_to_one() {
    let mut bench = Bench::joined("local");
    bench.says("resource", &[("rsc_hold", "foreign"), ("info", "mach_down")]);
    bench.run(30_000);
    assert!(bench.logged("Both machines own our resources!"));
    assert!(bench.story().contains(&"hb_takeover local".to_owned()));
}

/// 03 §0 no. 10, as the taker whose giver has forgotten the exchange: another standby, a failback and a stop are
/// still possible.
#[test]
fn an_exchange_that_the_giver_forgot_blocks_nothing() {
    let forgotten = || {
        let mut bench = Bench::joined("local");
        bench.ask("all", "me");
        bench.run(20_000);
        bench.story();
        bench
    };
    let mut bench = forgotten();
    bench.ask("all", "me");
    assert_eq!(bench.story(), ["ask_resources all other"]);
    let mut bench = forgotten();
    bench.request(Request::Shutdown);
    bench.run(40_000);
    assert_eq!(bench.story().last().unwrap(), "exit");
}

/// 03 §0 no. 11: with a Heartbeat it takes everything.
#[test]
fn hb_takeover_failback_takes_what_fails_back() {
    let mut bench = Bench::joined("local");
    bench.says("hb_takeover", &[("rsc_hold", "failback")]);
    assert_eq!(bench.field("ask_resources", "rsc_hold"), ["foreign"], "the asker's own groups");
}

/// 03 §0 no. 12: a real Heartbeat first takes what it has already.
#[test]
fn after_a_graceful_stop_only_the_peers_groups_are_taken() {
    let mut bench = Bench::joined("local");
    bench.resource("none", "0", Some("shutdown"));
    bench.says("shutdone", &[("st", "dead")]);
    assert_eq!(bench.story(), ["start b1", "start b2", "resource all 1"], "no standby half, no `done`");
}

/// 03 §0 no. 13: a Heartbeat stops all groups, and so sends mails and stops addresses on nodes that never had them.
#[test]
fn our_stop_stops_only_what_runs_here() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Shutdown);
    let story = bench.story();
    let stops: Vec<_> = story.iter().filter(|line| line.starts_with("stop ")).collect();
    assert_eq!(stops, ["stop a2", "stop a1"]);
}

/// 03 §0 no. 14: a Heartbeat takes such a node to be harmless.
#[test]
fn a_node_that_dies_while_it_releases_counts_as_not_having_released() {
    let mut bench = Bench::joined("local");
    bench.resource("none", "0", Some("shutdown"));
    bench.peer_silent();
    bench.run(5_000);
    assert_eq!(bench.field("stonith", "result"), ["n_stnth"]);
    assert!(!bench.logged("gave up resources"));
}

/// 03 §0 no. 19: two real Heartbeats stop everything and restart.
#[test]
fn a_healed_partition_interrupts_no_group_with_one_owner() {
    let mut bench = Bench::joined_hbd("local");
    bench.peer_silent();
    bench.run(10_000);
    bench.peer_beats("active", 0xfa0);
    bench.story();
    let fields = [("rsc_hold", "all"), ("rtype", "full"), ("isstable", "1"), ("hbd_claim", "1,ffffffffffff,2")];
    bench.says("resource", &fields);
    // The peer compares the same claims and comes to the same result: it releases our groups as we release its.
    bench.run(500);
    bench.says(
        "resource",
        &[("rsc_hold", "local"), ("rtype", "full"), ("isstable", "1"), ("hbd_released", "foreign")],
    );
    bench.run(60_000);
    let story = bench.story();
    assert_eq!(bench.view().groups[0].state, GroupState::Active, "{story:?}");
    assert!(!story.iter().any(|line| line.contains("shutdown") || line == "shutdone" || line == "exit"), "{story:?}");
    assert!(!story.contains(&"stop a1".to_owned()), "{story:?}");
}

/// A partition in one direction: the peer does not hear us, so it took everything and never releases it.
#[test]
fn the_only_node_that_knows_of_two_owners_releases() {
    let mut bench = Bench::joined_hbd("local");
    // Its claim is the later one: it would release if it heard us.
    let late = "ffffffffffff,ffffffffffff,1";
    let fields = [("rsc_hold", "foreign"), ("rtype", "full"), ("isstable", "1"), ("hbd_claim", late)];
    bench.says("resource", &fields);
    bench.run(900);
    assert!(!bench.story().contains(&"stop a1".to_owned()), "it may be on its way to let go");
    bench.run(5_000);
    assert!(bench.story().contains(&"stop a1".to_owned()));
    assert_eq!(bench.view().groups[0].state, GroupState::Stopped);
}

/// 03 §0 no. 20: a stable node that sends `starting` sends its report after it.
#[test]
fn we_never_leave_a_peer_in_transition() {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    bench.run(10_000);
    bench.story();
    bench.peer_beats("active", 0xfa0);
    bench.run(30_000);
    let story = bench.story();
    let asked = story.iter().rposition(|line| line == "starting").expect("a returning Heartbeat is asked");
    assert!(story[asked..].iter().any(|line| line.starts_with("resource ") && line.ends_with(" 1")), "{story:?}");
}

/// 02 §13 trap 2, 03 §8.3: 3.0.6 declares the sender dead and takes over from a living node.
#[test]
fn a_late_status_is_no_death() {
    let mut bench = Bench::joined("local");
    bench.peer_beats("active", 20_000);
    bench.peer_silent();
    bench.story();
    bench.run(7_000);
    bench.peer_beats("active", 0xfa0);
    bench.run(10_000);
    assert!(bench.logged("Late heartbeat: Node nodeb: interval 7000 ms"));
    assert!(!bench.logged("is dead"));
    assert_eq!(bench.story(), nothing());
}

/// 02 §6.3: a real Heartbeat refuses to send its newest message again, which may be the `shutdone` that its peer
/// waits for.
#[test]
fn the_newest_message_can_be_asked_for() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Shutdown);
    let seq = bench.sent("shutdone")[0].text("seq").unwrap().to_owned();
    let seq = u64::from_str_radix(&seq, 16).unwrap().to_string();
    bench.done.clear();
    bench.says_unsequenced("NS_rexmit", &[("dest", "nodea"), ("firstseq", &seq), ("lastseq", &seq)]);
    assert_eq!(bench.sent("shutdone").len(), 1);
    assert!(bench.sent("NS_nak_rexmit").is_empty());
}

/// 02 §3.2: a real Heartbeat acknowledges messages that come before it is active, and loses them.
#[test]
fn messages_that_came_before_we_were_active_count() {
    let mut bench = Bench::started();
    bench.peer_beats("active", 0x1770);
    bench.says("starting", &[]);
    bench.says("shutdone", &[("st", "dead")]);
    bench.says("repnodes", &[("dest", "nodea"), ("nodelist", "nodea nodeb "), ("delnodelist", " ")]);
    assert_eq!(bench.view().hold, Set::ALL, "a real node would wait for its death");
}

/// 02 §8.3, §13 trap 13: a Heartbeat adds the named node, declares it dead unheard, and takes over from it.
#[test]
fn a_node_list_of_the_peer_creates_kills_and_deletes_nobody() {
    for list in ["nodea nodeb nodec ", "nodea ", "nodeb ", "", "nodea\tnodeb"] {
        let mut bench = Bench::joined("local");
        bench.says("repnodes", &[("dest", "nodea"), ("nodelist", list), ("delnodelist", " ")]);
        bench.run(20_000);
        assert_eq!(bench.view().nodes.len(), 2, "{list:?}");
        assert_eq!(bench.peer_state(), "active", "{list:?}");
        assert_eq!(bench.story(), nothing(), "{list:?}");
    }
}
