//! How a set moves while both nodes live (03 §4.5, §4.7, §6.6).

use super::*;

fn nothing() -> Vec<String> {
    Vec::new()
}

/// 03 §6.6, first diagram, from A's side.
#[test]
fn we_give_everything() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Standby(Set::ALL));
    assert_eq!(bench.story(), ["ask_resources all me"]);
    bench.prompt = false;
    bench.ask("all", "other");
    assert_eq!(bench.story(), ["stop a2", "resource none 0 standby"]);
    bench.end_step();
    assert_eq!(bench.story(), ["stop a1"], "done is not said before the last stop");
    bench.end_step();
    assert_eq!(bench.story(), ["ask_resources all done"]);
    bench.run(20_000);
    assert_eq!(bench.story(), nothing());
    bench.resource("all", "1", None);
    bench.ask("all", "done");
    assert!(bench.logged("Other node completed standby takeover of nodea resources."));
    bench.resource("all", "1", None);
    let story = bench.story();
    assert!(story.iter().all(|line| line == "resource none 1") && (1..=2).contains(&story.len()), "{story:?}");
    assert_eq!(bench.view().resource_state, "none");
}

/// The taker's `done` comes before its report, as it should.
#[test]
fn the_takers_done_ends_the_exchange() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Standby(Set::LOCAL));
    bench.ask("local", "other");
    bench.story();
    bench.ask("local", "done");
    assert!(bench.logged("Other node completed standby takeover"));
    assert_eq!(bench.story(), ["resource none 1"]);
    bench.resource("all", "1", None);
    assert_eq!(bench.story(), ["resource none 1"]);
}

#[test]
fn a_failed_stop_is_never_called_done() {
    let mut bench = Bench::joined("local");
    bench.prompt = false;
    bench.request(Request::Standby(Set::LOCAL));
    bench.ask("local", "other");
    bench.fail_step();
    assert!(bench.logged("a2 did not stop (attempt 1): no"));
    bench.story();
    bench.run(999);
    assert_eq!(bench.story(), nothing());
    bench.run(1);
    assert_eq!(bench.story(), ["stop a2"]);
    bench.end_steps();
    assert_eq!(bench.story(), ["stop a1", "ask_resources local done"]);
}

/// 03 §6.6, from B's side.
#[test]
fn we_take_everything() {
    let mut bench = Bench::joined("local");
    bench.ask("all", "me");
    assert!(bench.logged("nodeb wants to go standby [all]"));
    assert_eq!(bench.story(), ["ask_resources all other"]);
    bench.resource("none", "0", Some("standby"));
    bench.run(5_000);
    assert_eq!(bench.story(), nothing());
    bench.prompt = false;
    bench.ask("all", "done");
    assert_eq!(
        bench.story(),
        ["announce a1", "announce a2", "start b1"],
        "what the giver stopped it may have had, too"
    );
    bench.end_steps();
    assert!(bench.logged("Standby resource acquisition done [all]."));
    assert_eq!(bench.story(), ["start b2", "ask_resources all done", "resource all 1"]);
    bench.resource("none", "1", None);
    bench.resource("none", "1", None);
    assert_eq!(bench.story(), ["resource all 1"]);
}

#[test]
fn a_set_is_as_the_giver_sees_it() {
    let mut bench = Bench::joined("all");
    bench.ask("foreign", "me");
    bench.ask("foreign", "done");
    assert_eq!(bench.view().hold.word(), "local");
    assert_eq!(bench.view().nodes[1].holds.word(), "local", "done says so, even if the report is lost");
    let mut bench = Bench::joined("all");
    bench.ask("local", "me");
    bench.ask("local", "done");
    assert_eq!(bench.view().hold.word(), "foreign");
}

/// 03 §16 no. 2.
#[test]
fn the_set_of_the_latest_message_counts() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Standby(Set::ALL));
    bench.ask("foreign", "other");
    assert_eq!(bench.view().hold.word(), "local");
    let mut bench = Bench::joined("all");
    bench.ask("all", "me");
    bench.ask("foreign", "done");
    assert_eq!(bench.view().hold.word(), "local");
    assert!(bench.story().contains(&"ask_resources foreign done".to_owned()));
}

#[test]
fn a_missing_set_means_all_and_another_is_ignored() {
    let mut bench = Bench::joined("local");
    bench.says("ask_resources", &[("info", "me")]);
    assert_eq!(bench.story(), ["ask_resources all other"]);
    for set in ["none", "Local", "everything"] {
        let mut bench = Bench::joined("local");
        bench.ask(set, "me");
        assert_eq!(bench.story(), nothing(), "{set}");
    }
}

#[test]
fn an_exchange_of_nothing_completes() {
    let mut bench = Bench::joined("local");
    bench.ask("foreign", "me");
    bench.resource("local", "0", Some("standby"));
    bench.ask("foreign", "done");
    bench.resource("local", "1", None);
    let expected = [
        "ask_resources foreign other",
        "announce a1",
        "announce a2",
        "ask_resources foreign done",
        "resource local 1",
        "resource local 1",
    ];
    assert_eq!(bench.story(), expected, "our own run already");
}

#[test]
fn while_the_peer_is_in_flux_nothing_is_given_or_taken() {
    let mut bench = Bench::joined("local");
    bench.resource("local", "0", None);
    bench.ask("all", "me");
    assert!(bench.logged("standby message [me] from nodeb ignored.  Other side is in flux."));
    bench.request(Request::Standby(Set::ALL));
    assert_eq!(bench.story(), nothing());
}

#[test]
fn while_we_are_in_flux_nothing_is_given_or_taken() {
    let mut bench = Bench::active();
    bench.says("starting", &[]);
    bench.resource("none", "0", None);
    bench.story();
    bench.ask("all", "me");
    bench.request(Request::Standby(Set::ALL));
    assert_eq!(bench.story(), nothing());
}

#[test]
fn a_standby_to_nobody_is_refused() {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    bench.run(5_000);
    bench.story();
    bench.request(Request::Standby(Set::ALL));
    assert_eq!(bench.story(), nothing());
    assert_eq!(bench.view().hold.word(), "all");
}

#[test]
fn a_second_request_is_refused_while_an_exchange_runs() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Standby(Set::ALL));
    bench.story();
    bench.request(Request::Standby(Set::LOCAL));
    bench.run(1_000);
    bench.ask("all", "me");
    assert!(bench.logged("Standby in progress- new request from nodeb ignored [9 seconds left]"));
    assert_eq!(bench.story(), nothing());
}

#[test]
fn messages_in_the_wrong_phase_are_ignored() {
    let mut bench = Bench::joined("local");
    bench.ask("all", "other");
    bench.ask("all", "done");
    bench.ask("all", "please");
    bench.says("ask_resources", &[("rsc_hold", "all")]);
    assert_eq!(bench.story(), nothing());
    assert_eq!(bench.view().hold.word(), "local");
}

#[test]
fn without_an_answer_the_giver_stops_waiting_after_ten_seconds() {
    let mut bench = Bench::joined("local");
    let asked = bench.clock();
    bench.request(Request::Standby(Set::ALL));
    bench.run(9_999);
    assert!(!bench.logged("No reply"));
    bench.run(1);
    assert_eq!(bench.logged_at("No reply to standby request.  Standby request cancelled."), Some(asked + 10_000));
    assert_eq!(bench.story(), ["ask_resources all me", "resource local 1"], "nothing was released");
    bench.run(18_000);
    assert_eq!(bench.view().resource_state, "local");
}

/// 03 §4.5.4: a real taker waits up to an hour for our `done`.
#[test]
fn a_late_other_is_obeyed() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Standby(Set::LOCAL));
    bench.run(25_600);
    bench.story();
    bench.ask("local", "other");
    assert_eq!(bench.story(), ["stop a2", "resource none 0 standby", "stop a1", "ask_resources local done"]);
    bench.resource("all", "1", None);
    bench.ask("local", "done");
    bench.run(15_000);
    bench.story();
    bench.ask("local", "other");
    assert_eq!(bench.story(), nothing(), "only once");
}

/// An `other` may come after we have sent `done` for another exchange. We do not give anything then, because the
/// operator was told that nothing is given. In case the peer sent it after our `done`, it is freed again.
#[test]
fn a_very_late_other_moves_nothing_and_does_not_leave_the_peer_waiting() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Standby(Set::LOCAL));
    bench.run(31_600);
    bench.story();
    bench.ask("local", "other");
    bench.run(3_000);
    assert_eq!(bench.story(), ["ask_resources foreign done", "resource local 1"]);
    assert_eq!(bench.view().hold.word(), "local");
}

/// 03 §4.7: the taker's report arrives before the `done` that caused it, with the higher number.
#[test]
fn the_takers_report_may_arrive_before_its_done() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Standby(Set::LOCAL));
    bench.ask("local", "other");
    bench.story();
    let done = bench.message("ask_resources", &[("rsc_hold", "local"), ("info", "done")]);
    bench.resource("all", "1", None);
    bench.hears(done);
    bench.resource("all", "1", None);
    let story = bench.story();
    assert!(story.iter().all(|line| line == "resource none 1") && (1..=2).contains(&story.len()), "{story:?}");
    assert_eq!(bench.view().resource_state, "none");
    bench.run(5_000);
    assert!(!bench.logged("own"), "{:?}", bench.log());
}

/// 03 §16 no. 3: a report with `isstable=1` that does not claim the set does not end the exchange.
#[test]
fn a_report_that_crosses_does_not_end_the_exchange() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Standby(Set::LOCAL));
    bench.ask("local", "other");
    bench.resource("local", "1", None);
    assert!(!bench.logged("Other node completed standby takeover"));
    bench.ask("local", "done");
    assert!(bench.logged("Other node completed standby takeover"));
}

#[test]
fn the_givers_done_may_arrive_before_its_report() {
    let mut bench = Bench::joined("all");
    bench.ask("foreign", "me");
    let report = [("rsc_hold", "local"), ("rtype", "full"), ("isstable", "0"), ("info", "standby")];
    let report = bench.message("resource", &report);
    bench.ask("foreign", "done");
    bench.hears(report);
    bench.resource("local", "1", None);
    assert_eq!(bench.view().resource_state, "local");
    bench.run(20_000);
    assert!(!bench.logged("Both machines own") && !bench.logged("No one owns"), "{:?}", bench.log());
}

/// The giver has not received our `other` and asks again.
#[test]
fn a_giver_that_asks_again_is_answered_again() {
    let mut bench = Bench::joined("all");
    bench.ask("foreign", "me");
    bench.run(12_000);
    bench.story();
    bench.ask("foreign", "me");
    assert_eq!(bench.story(), ["ask_resources foreign other"]);
    bench.ask("foreign", "done");
    assert_eq!(bench.view().hold.word(), "local");
}

/// The Heartbeat ignored its own `me`, because it had not received our stable report yet, and then our `other`, too
/// (03 §4.5.4). Its next `me` is answered when the first one can no longer be pending: it would obey two answers.
#[test]
fn a_heartbeat_that_ignored_its_own_request_is_answered_when_it_asks_again() {
    let mut bench = Bench::joined("all");
    bench.ask("foreign", "me");
    bench.run(6_000);
    bench.story();
    bench.ask("foreign", "me");
    bench.run(3_999);
    assert_eq!(bench.story(), nothing());
    bench.run(1);
    assert_eq!(bench.story(), ["ask_resources foreign other"]);
    bench.resource("local", "0", Some("standby"));
    bench.ask("foreign", "done");
    assert_eq!(bench.view().hold.word(), "local");
}

/// The Heartbeat's tool was called twice, and the first request was obeyed.
#[test]
fn a_heartbeat_that_gives_already_is_not_answered_twice() {
    for notice_first in [true, false] {
        let mut bench = Bench::joined("all");
        bench.ask("foreign", "me");
        if notice_first {
            bench.resource("local", "0", Some("standby"));
            bench.ask("foreign", "me");
        } else {
            bench.ask("foreign", "me");
            bench.resource("local", "0", Some("standby"));
        }
        bench.story();
        bench.run(20_000);
        assert_eq!(bench.sent("ask_resources").len(), 0, "{notice_first}");
        bench.ask("foreign", "done");
        assert_eq!(bench.view().hold.word(), "local");
    }
}

/// 03 §6.6: all→all, local→foreign, foreign→local; failback means the groups that prefer the asking node.
#[test]
fn hb_takeover_of_the_peer_is_translated_into_our_set() {
    for (asked, given) in [("all", "all"), ("local", "foreign"), ("foreign", "local"), ("failback", "foreign")] {
        let mut bench = Bench::joined("local");
        bench.says("hb_takeover", &[("rsc_hold", asked)]);
        assert_eq!(bench.story(), [format!("ask_resources {given} me")], "{asked}");
    }
    let mut bench = Bench::joined("local");
    bench.says("hb_takeover", &[]);
    bench.says("hb_takeover", &[("rsc_hold", "none")]);
    assert_eq!(bench.story(), ["ask_resources all me"]);
}

#[test]
fn our_own_takeover_asks_the_peer() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Takeover(Set::FOREIGN));
    assert_eq!(bench.story(), ["hb_takeover foreign"]);
    bench.ask("local", "me");
    bench.resource("none", "0", Some("standby"));
    bench.ask("local", "done");
    assert_eq!(bench.view().hold.word(), "all");
}

/// 03 §4.5.3: a pending exchange ends, and the rules for a death apply.
#[test]
fn the_death_of_the_taker_gives_us_everything_back() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Standby(Set::ALL));
    bench.ask("all", "other");
    bench.peer_silent();
    bench.story();
    bench.run(4_001);
    assert!(bench.logged("Cancelling pending standby operation"));
    let story = bench.story();
    let starts: Vec<_> = story.iter().filter(|line| line.starts_with("start")).collect();
    assert_eq!(starts, ["start a1", "start b1", "start a2", "start b2"]);
    assert_eq!(bench.view().hold.word(), "all");
}

/// The giver may have died before it released, and we take its groups (03 §7).
#[test]
fn the_death_of_the_giver_gives_us_everything() {
    let mut bench = Bench::joined("local");
    bench.ask("all", "me");
    bench.resource("none", "0", Some("standby"));
    bench.peer_silent();
    bench.story();
    bench.run(4_001);
    assert_eq!(bench.story()[0], "stonith nodeb n_stnth");
    assert_eq!(bench.view().hold.word(), "all");
}

#[test]
fn a_restart_of_the_giver_voids_the_exchange() {
    let mut bench = Bench::joined("all");
    bench.ask("foreign", "me");
    bench.run(500);
    bench.peer_restarts();
    assert!(bench.logged("Cancelling pending standby operation"));
    bench.story();
    bench.peer_beats("active", 0xfa0);
    bench.ask("foreign", "done");
    assert_eq!(bench.story(), nothing(), "the old exchange is over");
}

/// Groups that we were giving away run here until they have stopped, and we report nothing else to a new incarnation.
#[test]
fn a_restarted_taker_gets_no_stable_report_before_the_last_stop() {
    for hbd in [true, false] {
        let mut bench = if hbd { Bench::joined_hbd("local") } else { Bench::joined("local") };
        bench.prompt = false;
        bench.request(Request::Standby(Set::LOCAL));
        bench.ask("local", "other");
        bench.peer_restarts();
        assert!(bench.logged("Cancelling pending standby operation"));
        bench.story();
        bench.peer_beats("active", 0xfa0);
        bench.says("starting", &[]);
        bench.run(1_000);
        let said = |bench: &Bench, name: &str| bench.field("resource", name).last().cloned().unwrap_or_default();
        assert_eq!(bench.field("resource", "isstable").iter().find(|stable| *stable != "0"), None, "{hbd}");
        assert_eq!(said(&bench, "info"), "standby", "{hbd}");
        bench.end_steps();
        assert_eq!((said(&bench, "isstable"), said(&bench, "hbd_released")), ("1".into(), "local".into()), "{hbd}");
        assert!(bench.sent("ask_resources").is_empty(), "{hbd}: a word could make a Heartbeat wait for an hour");
    }
}

/// A giver that stops during an exchange sends only the messages of a stop.
#[test]
fn a_giver_that_stops_sends_no_stable_report() {
    let mut bench = Bench::joined_hbd("none");
    bench.run(5_000);
    bench.prompt = false;
    bench.request(Request::Standby(Set::LOCAL));
    bench.ask("local", "other");
    bench.peer_restarts();
    bench.request(Request::Shutdown);
    bench.run(120_000);
    bench.story();
    bench.end_steps();
    let story = bench.story();
    assert!(!story.iter().any(|line| line.starts_with("resource") && line.contains(" 1")), "{story:?}");
}

/// The taker declared us dead, then received our `me` on its second link and sent `other` again; its packets came in
/// another order.
#[test]
fn a_giver_obeys_the_last_other() {
    let mut bench = Bench::joined("local");
    bench.prompt = false;
    bench.request(Request::Standby(Set::LOCAL));
    let other = |bench: &mut Bench| bench.message("ask_resources", &[("rsc_hold", "local"), ("info", "other")]);
    let first = other(&mut bench);
    let declared = bench.message("stonith", &[("node", "nodea"), ("result", "n_stnth")]);
    let second = other(&mut bench);
    for message in [first, second, declared] {
        bench.hears(message);
    }
    bench.story();
    bench.end_steps();
    assert_eq!(bench.story(), ["stop a1", "ask_resources local done"], "it waits an hour for this");
}

/// The peer asked, declared us dead, and asked again, and its packets came in another order. Our answer serves its
/// second request as well. If we answered twice, the peer would release twice.
#[test]
fn a_second_request_outlives_a_declaration_that_came_late() {
    let mut bench = Bench::joined("all");
    let me = |bench: &mut Bench| bench.message("ask_resources", &[("rsc_hold", "foreign"), ("info", "me")]);
    let first = me(&mut bench);
    let declared = bench.message("stonith", &[("node", "nodea"), ("result", "n_stnth")]);
    let second = me(&mut bench);
    for message in [first, second, declared] {
        bench.hears(message);
    }
    assert_eq!(bench.story(), ["ask_resources foreign other"]);
    bench.resource("local", "0", Some("standby"));
    bench.ask("foreign", "done");
    let story = bench.story();
    assert!(story.contains(&"start a1".to_owned()), "{story:?} {:?}", bench.log());
}

/// The giver declared us dead while it was releasing its groups, and its `done` overtook the report of what it took.
#[test]
fn groups_that_the_giver_took_back_meanwhile_are_noticed_afterwards() {
    let mut bench = Bench::joined("all");
    bench.prompt = false;
    bench.ask("foreign", "me");
    bench.resource("all", "0", Some("standby"));
    let report = bench.message("resource", &[("rsc_hold", "all"), ("rtype", "full"), ("isstable", "1")]);
    bench.ask("foreign", "done");
    bench.hears(report);
    bench.end_steps();
    assert!(bench.logged("Both machines own our resources!"), "{:?}", bench.log());
}
