//! The answers to an operator's request for a move.

use super::*;
use crate::cluster::Awaited;

#[test]
fn a_standby_is_answered_when_the_other_node_has_it() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Standby(Set::ALL));
    bench.ask("all", "other");
    assert_eq!(answers(&bench), [], "released, but not yet taken");
    bench.ask("all", "done");
    assert_eq!(answers(&bench), [Answer::Done]);
}

#[test]
fn a_takeover_is_answered_when_everything_runs_here() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Takeover(Set::ALL));
    bench.ask("all", "me");
    bench.prompt = false;
    bench.ask("all", "done");
    assert_eq!(answers(&bench), []);
    bench.end_steps();
    assert_eq!(answers(&bench), [Answer::Done]);
}

#[test]
fn a_takeover_that_cannot_start_everything_has_failed() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Takeover(Set::ALL));
    bench.ask("all", "me");
    bench.prompt = false;
    bench.ask("all", "done");
    bench.fail_step();
    bench.end_steps();
    assert_eq!(answers(&bench), [Answer::Failed]);
}

#[test]
fn a_move_that_changes_nothing_is_answered_at_once() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Takeover(Set::LOCAL));
    bench.request(Request::Standby(Set::FOREIGN));
    assert_eq!(answers(&bench), [Answer::Already, Answer::Already]);
    assert_eq!(bench.story(), Vec::<String>::new());
}

#[test]
fn a_refusal_says_why() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Standby(Set::ALL));
    bench.request(Request::Takeover(Set::ALL));
    assert_eq!(answers(&bench), [Answer::Busy]);

    let mut bench = Bench::joined("local");
    bench.prompt = false;
    bench.request(Request::Shutdown);
    bench.request(Request::Takeover(Set::ALL));
    assert_eq!(answers(&bench), [Answer::Leaving]);

    let mut bench = Bench::joined("none");
    bench.peer_silent();
    bench.run(5_000);
    bench.request(Request::Standby(Set::ALL));
    assert_eq!(answers(&bench), [Answer::PeerGone]);
}

#[test]
fn the_silence_and_the_death_of_the_peer_end_a_move() {
    for request in [Request::Standby(Set::ALL), Request::Takeover(Set::ALL)] {
        let mut bench = Bench::joined("local");
        bench.request(request);
        bench.run(27_000);
        assert_eq!(answers(&bench), [Answer::NoReply], "{request:?}");

        let mut bench = Bench::joined("local");
        bench.request(request);
        bench.peer_silent();
        bench.run(5_000);
        assert_eq!(answers(&bench), [Answer::Cancelled], "{request:?}");
    }
}

/// The peer has sent a report with `isstable=0`.
fn restless() -> Bench {
    let mut bench = Bench::joined("local");
    bench.resource("local", "0", None);
    bench.story();
    bench
}

#[test]
fn a_move_waits_until_the_other_node_has_decided() {
    for (request, word) in [
        (Request::Standby(Set::ALL), "ask_resources all me"),
        (Request::Takeover(Set::FOREIGN), "hb_takeover foreign"),
    ] {
        let mut bench = restless();
        bench.request(request);
        assert!(bench.logged("the move that an operator asked for waits for the other node to decide what it holds"));
        bench.run(8_000);
        assert_eq!((bench.story(), answers(&bench)), (vec![], vec![]));
        bench.resource("local", "1", None);
        assert_eq!(bench.story(), ["resource local 1", word]);
    }
}

#[test]
fn a_move_is_called_off_while_it_waits_and_not_once_it_has_begun() {
    let mut bench = restless();
    bench.request(Request::Standby(Set::ALL));
    assert_eq!(bench.view().waiting_request, Some(1));
    bench.feed(Event::Request { id: 2, request: Request::CallOff(7) });
    assert_eq!(answers(&bench), [Answer::UnderWay], "another request");
    bench.feed(Event::Request { id: 3, request: Request::CallOff(1) });
    assert_eq!(answers(&bench), [Answer::UnderWay, Answer::Withdrawn, Answer::Done]);
    assert_eq!((bench.view().awaited, bench.view().waiting_request), (None, None));
    bench.resource("local", "1", None);
    bench.run(30_000);
    assert!(bench.sent("ask_resources").is_empty(), "nothing moves");

    let mut bench = Bench::joined("local");
    bench.request(Request::Standby(Set::ALL));
    bench.feed(Event::Request { id: 2, request: Request::CallOff(1) });
    assert_eq!(answers(&bench), [Answer::UnderWay]);
    bench.ask("all", "other");
    bench.ask("all", "done");
    assert_eq!(answers(&bench), [Answer::UnderWay, Answer::Done], "it goes on");
}

#[test]
fn the_reason_for_waiting_is_logged_once_and_shown() {
    let mut bench = restless();
    bench.request(Request::Standby(Set::ALL));
    bench.run(10_000);
    assert_eq!(bench.log().iter().filter(|line| line.contains("waits for")).count(), 1);
    assert_eq!(bench.view().awaited, Some(Awaited::OtherNode));
    bench.resource("local", "1", None);
    assert_eq!(bench.view().awaited, None);
}

#[test]
fn a_move_waits_until_we_have_decided() {
    let mut bench = Bench::active();
    bench.resource("none", "0", None);
    bench.says("starting", &[]);
    bench.ask("all", "please");
    bench.story();
    bench.request(Request::Takeover(Set::ALL));
    assert_eq!(bench.view().awaited, Some(Awaited::ThisNode));
    bench.run(10_000);
    assert_eq!(bench.view().awaited, Some(Awaited::OtherNode), "{:?}", bench.log());
    bench.story();
    bench.resource("local", "1", None);
    assert_eq!(bench.story(), ["resource local 1", "hb_takeover all"]);
}

#[test]
fn a_move_waits_for_the_end_of_a_failback() {
    let mut bench = Bench::joined("all");
    bench.ask("foreign", "me");
    bench.request(Request::Takeover(Set::ALL));
    assert_eq!(bench.view().awaited, Some(Awaited::Exchange));
    bench.ask("foreign", "done");
    bench.story();
    bench.resource("local", "1", None);
    assert_eq!(bench.story(), ["resource local 1", "hb_takeover all"]);
}

#[test]
fn a_move_waits_while_the_other_node_starts() {
    let mut bench = Bench::joined("local");
    bench.peer_restarts();
    bench.story();
    bench.request(Request::Standby(Set::LOCAL));
    bench.peer_beats("active", 0xfa0);
    bench.says("starting", &[]);
    assert_eq!(answers(&bench), []);
    bench.story();
    bench.resource("none", "1", None);
    assert_eq!(bench.story(), ["resource local 1", "ask_resources local me"]);
}

#[test]
fn the_answer_to_a_move_that_waited_in_vain_says_why() {
    let mut bench = restless();
    bench.request(Request::Standby(Set::ALL));
    bench.run(19_999);
    assert_eq!(answers(&bench), []);
    bench.run(1);
    assert_eq!(answers(&bench), [Answer::InFlux(Awaited::OtherNode)]);
    assert_eq!(bench.story(), ["starting", "resource local 1"], "asked what it holds, and no more");
    bench.resource("local", "1", None);
    assert_eq!(bench.story(), ["resource local 1"], "it is forgotten");
}

#[test]
fn the_death_of_the_other_node_ends_the_wait_for_it() {
    let mut bench = restless();
    bench.request(Request::Standby(Set::ALL));
    bench.peer_silent();
    bench.run(5_000);
    assert_eq!(answers(&bench), [Answer::PeerGone]);
    let mut bench = restless();
    bench.request(Request::Takeover(Set::ALL));
    bench.peer_silent();
    bench.run(5_000);
    assert_eq!(answers(&bench), [Answer::Already], "its death brought what was wanted");
}

#[test]
fn one_operator_at_a_time() {
    let mut bench = restless();
    bench.request(Request::Standby(Set::ALL));
    bench.request(Request::Takeover(Set::ALL));
    assert_eq!(answers(&bench), [Answer::Busy]);
    bench.request(Request::Takeover(Set::LOCAL));
    assert_eq!(answers(&bench), [Answer::Busy, Answer::Already]);
}

/// 03 §16 no. 18: a Heartbeat in flux refuses only with a line in its own log.
#[test]
fn a_heartbeat_that_refuses_silently_is_asked_again() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Standby(Set::LOCAL));
    bench.run(16_000);
    assert_eq!(bench.field("ask_resources", "info").iter().filter(|word| *word == "me").count(), 2);
    bench.ask("local", "other");
    bench.ask("local", "done");
    assert_eq!(answers(&bench), [Answer::Done]);

    let mut bench = Bench::joined("local");
    bench.request(Request::Takeover(Set::FOREIGN));
    bench.run(10_000);
    assert_eq!(bench.field("hb_takeover", "rsc_hold"), ["foreign", "foreign"]);
}
