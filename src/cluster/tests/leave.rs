//! Our own graceful stop (02 §9.1, 03 §6.5).

use super::*;

#[test]
fn a_stop_is_announced_releases_everything_ends_with_shutdone_and_stays_to_resend() {
    let mut bench = Bench::joined("local");
    bench.prompt = false;
    bench.request(Request::Shutdown);
    assert!(bench.logged("Heartbeat shutdown in progress.") && bench.logged("Giving up all HA resources."));
    let status = bench.sent("status");
    assert_eq!((status.len(), status[0].text("st")), (1, Some("active")), "a status at once");
    assert_eq!(bench.story(), ["stop a2", "resource none 0 shutdown"]);
    bench.run(30_000);
    assert!(bench.sent("status").len() == 30 && bench.field("status", "st").iter().all(|st| st == "active"));
    bench.end_step();
    assert_eq!(bench.story(), ["stop a1"]);
    bench.run(500);
    bench.end_step();
    assert!(bench.logged("All HA resources relinquished."));
    assert_eq!(bench.story(), ["shutdone"], "never before the last stop");
    bench.run(1_999);
    assert_eq!(bench.field("status", "st"), ["active", "active"], "what was lost can be asked for");
    assert_eq!(bench.story(), Vec::<String>::new());
    bench.run(1);
    assert!(bench.logged("nodea Heartbeat shutdown complete."));
    assert_eq!(bench.story(), ["exit"]);
    assert_eq!(bench.core.next_deadline(), None);
}

#[test]
fn lost_messages_are_sent_again_before_we_exit() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Shutdown);
    let shutdone = bench.sent("shutdone")[0].clone();
    let seq = u64::from_str_radix(shutdone.text("seq").unwrap(), 16).unwrap().to_string();
    bench.done.clear();
    bench.run(1_500);
    bench.says_unsequenced("NS_rexmit", &[("dest", "nodea"), ("firstseq", &seq), ("lastseq", &seq)]);
    assert_eq!(bench.sent("shutdone"), [shutdone]);
}

#[test]
fn a_second_request_changes_nothing() {
    let mut bench = Bench::joined("local");
    bench.prompt = false;
    bench.request(Request::Shutdown);
    bench.done.clear();
    bench.request(Request::Shutdown);
    assert!(bench.done.is_empty());
}

#[test]
fn a_lone_node_exits_at_once() {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    bench.run(5_000);
    bench.story();
    bench.request(Request::Shutdown);
    let story = bench.story();
    assert_eq!(story.last().unwrap(), "exit", "{story:?}");
    assert_eq!(story[story.len() - 2], "shutdone");
}

#[test]
fn a_node_that_holds_nothing_reports_that_and_leaves() {
    let mut bench = Bench::joined("all");
    bench.request(Request::Shutdown);
    assert_eq!(bench.story(), ["resource none 0 shutdown", "shutdone"], "nothing is stopped that never ran");
    bench.run(2_000);
    assert_eq!(bench.story(), ["exit"]);
}

#[test]
fn a_stop_before_active_sends_nothing() {
    let mut bench = Bench::started();
    bench.request(Request::Shutdown);
    assert_eq!(bench.story(), ["exit"]);
    assert_eq!(bench.core.next_deadline(), None);
}

#[test]
fn nothing_is_sent_after_the_end() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Shutdown);
    bench.run(2_000);
    bench.done.clear();
    bench.feed(Event::Deadline);
    assert!(bench.done.is_empty());
}

/// 03 §4.4: a stop within ten seconds of a simultaneous start waits for them.
#[test]
fn a_stop_waits_until_both_have_decided() {
    let mut bench = Bench::active();
    bench.says("starting", &[]);
    bench.resource("none", "0", None);
    bench.run(2_000);
    bench.story();
    bench.request(Request::Shutdown);
    assert!(bench.logged("Shutdown delayed until current resource activity finishes."));
    assert_eq!(bench.story(), Vec::<String>::new());
    bench.run(4_000);
    bench.resource("local", "1", None);
    let story = bench.story();
    assert_eq!(story.last().unwrap(), "shutdone", "{story:?}");
}

#[test]
fn a_stop_waits_for_an_exchange() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Standby(Set::LOCAL));
    bench.story();
    bench.request(Request::Shutdown);
    assert_eq!(bench.story(), Vec::<String>::new());
    bench.ask("local", "other");
    bench.resource("all", "1", None);
    bench.ask("local", "done");
    let story = bench.story();
    assert_eq!(story.last().unwrap(), "shutdone", "{story:?}");
    assert_eq!(story.iter().filter(|line| line.starts_with("stop")).count(), 2, "each group is stopped once");
}

/// We wait 30 s for a peer that never becomes stable, while a Heartbeat waits an hour.
#[test]
fn a_stop_does_not_wait_for_ever() {
    let mut bench = Bench::joined("local");
    bench.resource("local", "0", None);
    bench.request(Request::Shutdown);
    bench.story();
    bench.run(29_999);
    assert_eq!(bench.story(), ["starting", "resource local 1"], "it was asked, and did not answer");
    bench.run(1);
    // Requested once more at the same moment.
    assert_eq!(bench.story()[2..], ["stop a2", "resource none 0 shutdown", "stop a1", "shutdone"]);
}

#[test]
fn the_death_of_the_peer_while_we_stop_moves_nothing() {
    let mut bench = Bench::joined("local");
    bench.prompt = false;
    bench.request(Request::Shutdown);
    bench.peer_silent();
    bench.story();
    bench.run(5_000);
    assert!(bench.logged("node nodeb: is dead"));
    assert_eq!(bench.story(), Vec::<String>::new());
    bench.end_steps();
    assert_eq!(bench.story(), ["stop a1", "shutdone", "exit"]);
}

/// Both nodes stop at the same time.
#[test]
fn shutdone_of_the_peer_while_we_stop_moves_nothing() {
    let mut bench = Bench::joined("local");
    bench.prompt = false;
    bench.request(Request::Shutdown);
    bench.resource("none", "0", Some("shutdown"));
    bench.says("shutdone", &[("st", "dead")]);
    bench.story();
    bench.end_steps();
    assert_eq!(bench.story(), ["stop a1", "shutdone", "exit"]);
}

#[test]
fn a_node_that_stops_takes_and_gives_nothing() {
    let mut bench = Bench::joined("local");
    bench.prompt = false;
    bench.request(Request::Shutdown);
    bench.story();
    bench.ask("all", "me");
    bench.request(Request::Standby(Set::ALL));
    bench.says("hb_takeover", &[("rsc_hold", "all")]);
    assert_eq!(bench.story(), Vec::<String>::new());
    bench.resource("all", "0", None);
    bench.resource("all", "1", None);
    assert_eq!(bench.story(), ["resource none 0"], "its edge is answered");
}

#[test]
fn the_view_shows_a_stop() {
    let mut bench = Bench::joined("local");
    bench.prompt = false;
    bench.request(Request::Shutdown);
    assert_eq!(bench.view().state, "stopping");
}

/// An address is added no sooner than this node may have it, which may be long after nobody wants it here any more.
#[test]
fn an_address_whose_addition_waits_is_called_off_when_its_group_goes() {
    let mut bench = Bench::with(|settings| {
        settings.groups[0].resources[0].kind = ResourceKind::Address(crate::config::Address {
            address: [10, 0, 0, 1].into(),
            prefix: None,
            device: None,
            label: None,
            broadcast: None,
        });
    });
    bench.feed(Event::Start);
    bench.prompt = false;
    bench.run(60_000);
    assert!(bench.story().contains(&"start a1".to_owned()));
    bench.request(Request::Shutdown);
    assert!(bench.story().contains(&"stop a1".to_owned()), "its start has not ended");
    let a1 = Step { group: 0, resource: 0 };
    bench.feed(Event::StepEnded { step: a1, outcome: Outcome::Started });
    assert!(bench.sent("shutdone").is_empty(), "that was its start");
    bench.feed(Event::StepEnded { step: a1, outcome: Outcome::NotStopped("busy".into()) });
    bench.run(2_000);
    assert!(bench.story().contains(&"stop a1".to_owned()), "tried again");
    bench.feed(Event::StepEnded { step: a1, outcome: Outcome::Stopped });
    bench.end_steps();
    assert_eq!(bench.sent("shutdone").len(), 1);
}
