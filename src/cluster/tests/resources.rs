//! Which node owns what while both nodes come up (03 §4.2, §4.3, §6.1, §6.2).

use super::*;

#[test]
fn starting_is_the_first_message() {
    let mut bench = Bench::active();
    assert_eq!(bench.story(), ["reqnodes", "starting"]);
    assert_eq!(bench.view().resource_state, "transition");
}

/// 03 §6.1, the peer's `starting` reached us: the node that waits longer takes its own groups when the other has
/// taken its own.
#[test]
fn both_start_and_each_waits_ten_seconds_for_its_own() {
    let mut bench = Bench::active();
    bench.story();
    let exchanged = bench.clock();
    bench.says("starting", &[]);
    assert_eq!(bench.story(), ["resource none 0"]);
    bench.resource("none", "0", None);
    bench.run(9_999);
    assert_eq!(bench.story(), Vec::<String>::new());
    bench.run(1);
    assert_eq!(bench.clock(), exchanged + 10_000);
    assert_eq!(bench.logged_at("local resource transition completed."), Some(bench.clock()));
    assert!(bench.logged("Initial resource acquisition complete (HB_R_BOTHSTARTING)"));
    assert_eq!(bench.story(), ["start a1", "resource local 1", "start a2"]);
    bench.resource("none", "0", None);
    bench.resource("local", "1", None);
    assert_eq!(bench.story(), ["resource local 1"], "the edge is answered");
    assert_eq!(bench.view().resource_state, "local");
}

/// 03 §6.1: B's ten seconds end first.
#[test]
fn both_start_and_the_peer_decides_first() {
    let mut bench = Bench::active();
    bench.says("starting", &[]);
    bench.resource("none", "0", None);
    bench.run(8_000);
    bench.story();
    bench.resource("local", "1", None);
    let story = bench.story();
    assert!(story.contains(&"resource local 1".to_owned()) && story.contains(&"start a1".to_owned()), "{story:?}");
    bench.resource("local", "1", None);
    assert_eq!(bench.story(), Vec::<String>::new(), "a report that is no edge is not answered");
    bench.run(20_000);
    assert_eq!(bench.story(), Vec::<String>::new(), "the ten seconds are over once");
}

/// A group that the peer holds at the end of the ten seconds stays there.
#[test]
fn a_group_that_the_starting_peer_claims_is_not_taken() {
    let mut bench = Bench::active();
    bench.says("starting", &[]);
    bench.resource("foreign", "0", None);
    bench.run(11_000);
    assert!(!bench.story().iter().any(|line| line.starts_with("start ")), "{:?}", bench.log());
    assert_eq!(bench.view().hold.word(), "none");
}

/// A real Heartbeat loses a `starting` that comes before it is active. We remember it.
#[test]
fn a_starting_that_came_before_we_were_active_is_answered_then() {
    let mut bench = Bench::started();
    bench.peer_beats("active", 0x1770);
    bench.says("starting", &[]);
    assert!(bench.sent("resource").is_empty(), "nothing is said about resources before active");
    bench.says("repnodes", &[("dest", "nodea"), ("nodelist", "nodea nodeb "), ("delnodelist", " ")]);
    assert_eq!(bench.story(), ["reqnodes", "starting", "resource none 0"]);
}

/// The new incarnation may have adopted groups: its own report counts.
#[test]
fn the_starting_of_a_former_incarnation_is_forgotten() {
    let mut bench = Bench::started();
    bench.peer_beats("active", 0x1770);
    bench.says("starting", &[]);
    bench.peer_restarts();
    bench.says("repnodes", &[("dest", "nodea"), ("nodelist", "nodea nodeb "), ("delnodelist", " ")]);
    assert_eq!(bench.story(), ["reqnodes", "starting"]);
    bench.run(9_000);
    assert_eq!(bench.view().hold.word(), "none");
}

#[test]
fn two_hbd_nodes_do_not_wait() {
    let mut bench = Bench::started();
    bench.peer.hbd = Some("1 0.1.0");
    let mut bench = bench.activated();
    bench.story();
    bench.says("starting", &[]);
    bench.run(0);
    let story = bench.story();
    assert_eq!(story[0], "resource none 0");
    assert!(story.contains(&"start a1".to_owned()) && story.contains(&"resource local 1".to_owned()), "{story:?}");
}

#[test]
fn nothing_is_taken_while_an_active_peer_does_not_answer() {
    let mut bench = Bench::active();
    bench.run(60_000);
    assert_eq!(bench.view().hold.word(), "none");
    assert_eq!(bench.view().resource_state, "transition");
}

#[test]
fn an_unanswered_starting_is_repeated_and_at_last_explained() {
    let mut bench = Bench::active();
    bench.run(25_000);
    assert_eq!(bench.sent_at("starting").iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 10_000, 20_000]);
    assert!(!bench.logged("legacy"));
    bench.run(10_000);
    assert!(bench.logged("node nodeb speaks the legacy protocol"));
    bench.run(600_000);
    let said = bench.log().iter().filter(|line| line.contains("legacy")).count();
    assert_eq!(said, 1);
}

#[test]
fn an_answered_starting_is_not_repeated() {
    let mut bench = Bench::active();
    bench.resource("none", "1", None);
    bench.run(60_000);
    assert_eq!(bench.sent("starting").len(), 1);
}

#[test]
fn a_peer_with_the_old_protocol_is_logged() {
    let mut bench = Bench::joined("local");
    bench.says("ip-request", &[("ipaddr", "b1")]);
    assert!(bench.logged("node nodeb speaks the legacy protocol (auto_failback legacy or absent in its ha.cf)"));
}

/// 03 §6.2, §0 no. 1: `isstable=1` does not wait for the start scripts.
#[test]
fn we_join_a_peer_that_holds_its_own() {
    let mut bench = Bench::active();
    bench.prompt = false;
    bench.story();
    bench.resource("local", "1", None);
    let story = bench.story();
    assert_eq!(story, ["start a1", "resource local 1"]);
    bench.end_steps();
    assert_eq!(bench.story(), ["start a2"]);
    assert_eq!(bench.view().resource_state, "local");
}

#[test]
fn we_join_a_peer_that_holds_everything_and_take_nothing() {
    let mut bench = Bench::active();
    bench.story();
    bench.resource("all", "1", None);
    bench.run(10_000);
    assert_eq!(bench.story(), ["resource none 1"]);
    assert!(bench.view().resource_state == "none");
    assert_eq!(bench.view().groups[0].owner.as_deref(), Some("nodeb"));
}

/// 03 §6.2 with `auto_failback on`: the peer gives back what it took.
#[test]
fn the_peer_gives_back_what_it_took_while_we_were_away() {
    let mut bench = Bench::joined("all");
    bench.ask("foreign", "me");
    assert_eq!(bench.story(), ["ask_resources foreign other"]);
    bench.resource("local", "0", Some("standby"));
    bench.run(3_000);
    assert_eq!(bench.story(), Vec::<String>::new(), "nothing starts before the giver is done");
    bench.ask("foreign", "done");
    assert_eq!(bench.story(), ["start a1", "start a2", "ask_resources foreign done", "resource local 1"]);
    bench.resource("local", "1", None);
    bench.resource("local", "1", None);
    assert_eq!(bench.story(), ["resource local 1"], "the edge, once, and the report that is none");
}

#[test]
fn the_peer_joins_and_takes_its_own() {
    let mut bench = Bench::joined("local");
    bench.run(1_000);
    bench.peer_restarts();
    bench.peer_beats("active", 0xfa0);
    bench.story();
    bench.says("starting", &[]);
    assert_eq!(bench.story(), ["resource local 1"]);
    bench.resource("none", "0", None);
    assert_eq!(bench.story(), Vec::<String>::new());
    bench.resource("local", "1", None);
    assert_eq!(bench.story(), ["resource local 1"], "each edge is answered once");
    bench.resource("local", "1", None);
    bench.resource("local", "1", Some("req_our_resources()"));
    assert_eq!(bench.story(), Vec::<String>::new());
}

/// 03 §14.1 rule 2.
#[test]
fn starting_is_answered_in_every_state() {
    let answer = |bench: &mut Bench| {
        bench.story();
        bench.says("starting", &[]);
        bench.story()
    };
    let mut bench = Bench::active();
    assert_eq!(answer(&mut bench), ["resource none 0"], "while starting");
    assert_eq!(answer(&mut bench), ["resource none 0"], "while both start");
    bench.resource("none", "0", None);
    assert_eq!(answer(&mut bench), ["resource none 0"], "while undecided");
    bench.resource("none", "1", None);
    assert_eq!(answer(&mut bench), ["resource local 1"], "stable");
    bench.resource("none", "1", None);
    bench.prompt = false;
    bench.request(Request::Shutdown);
    assert_eq!(answer(&mut bench), ["resource none 0"], "while stopping");
    bench.end_steps();
    assert_eq!(answer(&mut bench), ["resource none 0"], "stopped");
}

#[test]
fn repeated_starting_and_reports_of_the_peer_make_no_loop() {
    let mut bench = Bench::joined("local");
    for stable in ["0", "0", "1", "1", "1", "0", "1"] {
        bench.resource("local", stable, None);
    }
    assert_eq!(bench.sent("resource").len(), 2, "two edges, two answers");
    let said = bench.log().iter().filter(|line| *line == "remote resource transition completed.").count();
    assert_eq!(said, 2);
}

/// A report with an `rtype` other than `full` adds, `none` always clears, and nonsense counts as `none` (03 §3).
#[test]
fn reports_add_or_replace() {
    let mut bench = Bench::joined("local");
    let mut holds = |fields: &[(&str, &str)]| {
        bench.says("resource", fields);
        bench.view().nodes[1].holds.word()
    };
    assert_eq!(holds(&[("rsc_hold", "local"), ("rtype", "full"), ("isstable", "1")]), "local");
    assert_eq!(holds(&[("rsc_hold", "foreign"), ("info", "mach_down")]), "all");
    assert_eq!(holds(&[("rsc_hold", "foreign"), ("rtype", "full")]), "foreign");
    assert_eq!(holds(&[("rsc_hold", "none")]), "none");
    assert_eq!(holds(&[("rsc_hold", "local")]), "local");
    assert_eq!(holds(&[("rsc_hold", "Everything"), ("rtype", "full")]), "none");
}

/// A report that a later `full` one has overtaken is ignored, whether it replaces or adds.
#[test]
fn an_overtaken_report_is_ignored() {
    let mut bench = Bench::joined("local");
    let added = bench.message("resource", &[("rsc_hold", "foreign"), ("info", "mach_down")]);
    let replaced = bench.message("resource", &[("rsc_hold", "all"), ("rtype", "full"), ("isstable", "1")]);
    bench.resource("local", "1", None);
    bench.hears(replaced);
    bench.hears(added);
    assert_eq!(bench.view().nodes[1].holds.word(), "local");
    assert!(!bench.logged("Both machines own"));
}

/// A `starting` does not mean that its sender holds nothing (03 §6.8).
#[test]
fn starting_does_not_clear_what_the_peer_holds() {
    let mut bench = Bench::joined("all");
    bench.says("starting", &[]);
    assert_eq!(bench.view().nodes[1].holds.word(), "all");
}
