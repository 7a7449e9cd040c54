//! A peer that does not send the report that we wait for (03 §0 no. 20, §4.3).

use super::*;
use crate::cluster::Set;

#[test]
fn a_stray_starting_does_not_leave_the_peer_in_transition() {
    let mut bench = Bench::joined("local");
    bench.says("starting", &[]);
    assert_eq!(bench.story(), ["resource local 1"], "no edge for a real node: it says nothing");
    bench.run(14_000);
    assert_eq!(bench.story(), [""; 0]);
    bench.run(1_000);
    assert_eq!(bench.story(), ["starting", "resource local 1"]);
    bench.resource("local", "1", None);
    bench.story();
    bench.request(Request::Standby(Set::ALL));
    assert_eq!(bench.story(), ["ask_resources all me"]);
}

#[test]
fn a_peer_that_reports_in_time_is_not_asked() {
    let mut bench = Bench::joined("local");
    bench.says("starting", &[]);
    bench.resource("local", "0", None);
    bench.run(11_000);
    bench.resource("local", "1", None);
    bench.story();
    bench.run(60_000);
    assert_eq!(bench.story(), [""; 0]);
}

#[test]
fn a_peer_that_never_answers_is_asked_three_times() {
    let mut bench = Bench::joined("local");
    bench.says("starting", &[]);
    bench.run(200_000);
    assert_eq!(bench.sent("starting").len(), 3);
}

/// A Heartbeat checks for a failback when our report becomes stable, and it has missed that during its takeover (03
/// §5.2). Our second `starting` makes it check again.
#[test]
fn a_peer_that_keeps_our_groups_at_our_start_gets_starting_once_more() {
    let mut bench = Bench::joined("all");
    bench.run(60_000);
    assert_eq!(bench.story(), ["starting", "resource none 1"]);
    bench.resource("all", "1", None);
    bench.run(60_000);
    assert_eq!(bench.sent("starting"), []);
}

#[test]
fn groups_that_an_operator_moved_later_stay() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Standby(Set::ALL));
    bench.ask("all", "other");
    bench.resource("all", "1", None);
    bench.ask("all", "done");
    bench.story();
    bench.run(60_000);
    assert_eq!(bench.sent("starting"), []);
}

/// The peer's first messages came while we were stalled, or while we took it for an impostor.
#[test]
fn an_hbd_that_has_not_reported_since_its_start_is_asked() {
    let mut bench = Bench::joined_hbd("local");
    bench.peer_restarts();
    bench.peer_beats("active", 0xfa0);
    let asked = |bench: &Bench| bench.field("resource", "hbd_void").iter().filter(|void| *void == "1").count();
    bench.run(4_999);
    assert_eq!(asked(&bench), 0);
    bench.run(1);
    assert_eq!(asked(&bench), 1);
    bench.resource("none", "1", None);
    bench.run(3_000);
    assert!(bench.logged("No one owns foreign resources!"), "{:?}", bench.log());
    bench.run(60_000);
    assert_eq!(asked(&bench), 1);
}

#[test]
fn starting_is_not_sent_again_to_an_hbd() {
    let mut bench = Bench::joined_hbd("all");
    bench.run(60_000);
    assert_eq!(bench.sent("starting"), []);
}

/// It answered an `other` of ours that reached it late: without a word it would wait for our `done` for an hour.
#[test]
fn a_giver_of_which_we_know_no_exchange_is_told_so() {
    let mut bench = Bench::joined_hbd("local");
    bench.done.clear();
    bench.ask("local", "done");
    assert_eq!(bench.field("resource", "hbd_void"), ["1"]);
    assert_eq!(bench.view().hold, Set::LOCAL);
    let mut bench = Bench::joined("local");
    bench.done.clear();
    bench.ask("local", "done");
    assert!(bench.sent("resource").is_empty(), "a Heartbeat does not know the field");
}
