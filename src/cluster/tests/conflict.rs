//! Both nodes hold the same groups, or neither does, while both live (03 §6.9, §8, §14.3; docs/DECISIONS.md "A
//! partition heals and the peer is an hbd", "A partition heals and the peer is a real Heartbeat").

use super::*;

/// How long hbd waits for a real Heartbeat to end the conflict by restarting itself.
const HEARTBEAT_PATIENCE_MS: u64 = 15_000;
/// How long a returning Heartbeat has to announce its restart before hbd asks it what it holds.
const RETURN: u64 = 5_000;
/// How long a class may be without an owner before we act.
const ORPHANS: u64 = 3_000;

fn nothing() -> Vec<String> {
    Vec::new()
}

/// We hold everything because the peer seemed dead.
fn alone(mut bench: Bench) -> Bench {
    bench.peer_silent();
    bench.run(10_000);
    bench.story();
    bench
}

/// 03 §6.9: our machine died and was back within the peer's dead time. It had the peer's groups, which run nowhere
/// now.
#[test]
fn groups_of_the_peer_that_nobody_runs_are_offered_to_it() {
    let mut bench = Bench::active();
    bench.story();
    bench.resource("none", "1", None);
    assert!(bench.logged("No one owns foreign resources!"));
    assert!(!bench.story().contains(&"ask_resources foreign me".to_owned()), "messages of an exchange cross");
    bench.run(ORPHANS);
    assert_eq!(bench.story(), ["ask_resources foreign me"]);
    bench.ask("foreign", "other");
    assert_eq!(bench.story(), ["resource local 0 standby", "ask_resources foreign done"]);
    bench.resource("local", "1", None);
    bench.ask("foreign", "done");
    bench.run(60_000);
    assert!(bench.sent("ask_resources").is_empty());
    assert_eq!(bench.view().resource_state, "local");
}

/// 03 §6.9: the peer's machine died with our groups and was back within the dead time.
#[test]
fn our_groups_that_nobody_runs_are_asked_for_with_hb_takeover() {
    let mut bench = Bench::joined("all");
    bench.run(500);
    bench.peer_restarts();
    bench.peer_beats("active", 0xfa0);
    bench.says("starting", &[]);
    bench.resource("none", "0", None);
    bench.resource("local", "1", None);
    assert!(bench.logged("No one owns our local resources!"));
    assert!(bench.logged("Heartbeat restart on node nodeb") && !bench.logged("is dead"));
    bench.story();
    bench.run(ORPHANS - 1);
    assert_eq!(bench.story(), nothing());
    bench.run(1);
    assert_eq!(bench.story(), ["hb_takeover local"], "what may still run there is stopped first");
    bench.ask("foreign", "me");
    assert_eq!(bench.story(), ["ask_resources foreign other"]);
    bench.resource("local", "0", Some("standby"));
    bench.ask("foreign", "done");
    assert_eq!(bench.story(), ["start a1", "start a2", "ask_resources foreign done", "resource local 1"]);
}

#[test]
fn a_class_without_groups_needs_no_owner() {
    let mut bench = Bench::with(|settings| settings.groups.truncate(1));
    bench.feed(Event::Start);
    let mut bench = bench.activated();
    bench.says("starting", &[]);
    bench.resource("none", "1", None);
    bench.run(30_000);
    assert!(!bench.logged("No one owns"));
    assert!(bench.sent("ask_resources").is_empty());
}

/// Resources that the peer is releasing may still run there.
#[test]
fn a_class_has_an_owner_while_the_peer_still_releases_it() {
    let mut bench = Bench::joined("all");
    bench.resource("none", "0", Some("shutdown"));
    bench.resource("none", "0", None);
    bench.run(60_000);
    assert!(!bench.logged("No one owns"), "{:?}", bench.log());
    assert_eq!(bench.story(), nothing());
}

/// 03 §8.3: 3.0.6 takes over from a live node whose heartbeat was late, and never notices. Its daemon's report was
/// lost and is sent again after the report that its script sent a moment later.
#[test]
fn a_late_report_does_not_undo_what_a_script_added() {
    let mut bench = Bench::joined("local");
    let report = bench.message("resource", &[("rsc_hold", "local"), ("rtype", "full"), ("isstable", "1")]);
    bench.says("resource", &[("rsc_hold", "foreign"), ("info", "mach_down")]);
    bench.hears(report);
    assert!(bench.logged("Both machines own our resources!"));
    assert!(!bench.logged("the conflict with node nodeb is over"), "{:?}", bench.log());
    bench.resource("local", "1", None);
    assert!(bench.logged("the conflict with node nodeb is over"), "that is newer");
}

#[test]
fn a_heartbeat_that_took_our_groups_is_asked_to_give_them_up() {
    let mut bench = Bench::joined("local");
    bench.says("resource", &[("rsc_hold", "foreign"), ("info", "mach_down")]);
    assert!(bench.logged("Both machines own our resources!"));
    bench.run(HEARTBEAT_PATIENCE_MS - 1);
    assert_eq!(bench.story(), nothing(), "a real node may be about to restart itself");
    bench.run(1);
    assert_eq!(bench.story(), ["hb_takeover local"]);
    bench.ask("foreign", "me");
    bench.resource("local", "0", Some("standby"));
    bench.ask("foreign", "done");
    let expected = [
        "ask_resources foreign other",
        "announce a1",
        "announce a2",
        "ask_resources foreign done",
        "resource local 1",
    ];
    assert_eq!(bench.story(), expected, "they were on both nodes until now");
    bench.resource("local", "1", None);
    assert!(bench.logged_at("stop").is_none());
}

#[test]
fn a_heartbeat_is_given_its_own_groups() {
    let mut bench = alone(Bench::joined("local"));
    bench.peer_beats("active", 0xfa0);
    bench.resource("local", "1", None);
    assert!(bench.logged("Both machines own foreign resources!"));
    bench.story();
    bench.run(HEARTBEAT_PATIENCE_MS + 2_000);
    let story = bench.story();
    assert_eq!(story.last().unwrap(), "ask_resources foreign me", "{story:?}");
    bench.ask("foreign", "other");
    assert_eq!(bench.view().hold.word(), "local");
}

/// 03 §14.1 rule 12, 02 §7.7: the real Heartbeat restarts itself. We serve meanwhile, and announce our addresses when
/// it has stopped.
#[test]
fn after_a_partition_we_serve_while_the_heartbeat_restarts() {
    let mut bench = alone(Bench::joined("local"));
    bench.peer_beats("active", 0xfa0);
    bench.says("stonith", &[("node", "nodea"), ("result", "unneeded")]);
    bench.run(2_000);
    let announced = ["announce a1", "announce a2", "announce b1", "announce b2"];
    assert_eq!(bench.story(), announced, "it had announced them, too");
    bench.resource("none", "0", Some("shutdown"));
    bench.says("shutdone", &[("st", "dead")]);
    assert_eq!(bench.story(), nothing(), "it was not kept from it by being asked");
    bench.run(3_000);
    bench.peer_restarts();
    assert_eq!(bench.view().hold.word(), "all");
    assert!(!bench.log().iter().any(|line| line.starts_with("Releasing")));
}

/// A real Heartbeat that has not declared us dead does not restart, and sends no report of its own accord.
#[test]
fn after_a_one_sided_partition_the_heartbeat_is_asked_what_it_holds() {
    let mut bench = alone(Bench::joined("local"));
    bench.peer_beats("active", 0xfa0);
    bench.run(RETURN);
    assert_eq!(bench.story()[4..], ["starting", "resource all 1"], "asked, and not left in transition");
    bench.resource("local", "1", None);
    assert!(bench.logged("Both machines own foreign resources!"));
    bench.run(HEARTBEAT_PATIENCE_MS);
    bench.story();
    bench.ask("foreign", "other");
    assert_eq!(bench.view().hold.word(), "local");
}

/// Two hbd nodes: the node that holds less releases, and if both hold as much, the one that claimed later. The other
/// node announces its addresses.
#[test]
fn of_two_hbd_nodes_the_one_that_holds_less_releases() {
    let claim = |bench: &mut Bench, hold: &str, claim: &str| {
        let fields = [("rsc_hold", hold), ("rtype", "full"), ("isstable", "1"), ("hbd_claim", claim)];
        bench.says("resource", &fields);
    };
    let mut bench = Bench::joined_hbd("local");
    bench.peer.hbd = Some("1 0.1.0");
    claim(&mut bench, "all", "1,1,2");
    assert!(bench.logged("node nodeb holds the same resources and keeps them: releasing ours"));
    assert_eq!(bench.view().hold.word(), "none");
    let report = bench.sent("resource").pop().unwrap();
    assert_eq!(report.text("hbd_released"), Some("local"));

    let mut bench = alone(Bench::joined_hbd("local"));
    bench.peer_beats("active", 0xfa0);
    claim(&mut bench, "local", "1,0,1");
    assert_eq!(bench.view().hold.word(), "all", "we hold more");
    bench.story();
    claim(&mut bench, "none", "1,0,1");
    assert!(bench.logged("the conflict with node nodeb is over: announcing our addresses again"));
    assert_eq!(bench.story()[..2], ["announce b1", "announce b2"]);
}

#[test]
fn of_two_hbd_nodes_that_hold_as_much_the_later_claim_yields() {
    let hold_all = |theirs: &str| {
        let mut bench = alone(Bench::joined_hbd("local"));
        bench.peer_beats("active", 0xfa0);
        let fields = [("rsc_hold", "all"), ("rtype", "full"), ("isstable", "1"), ("hbd_claim", theirs)];
        bench.says("resource", &fields);
        bench.view().hold.word()
    };
    assert_eq!(hold_all("1,1,2"), "none", "theirs are older");
    assert_eq!(hold_all("ffffffffffff,ffffffffffff,2"), "all", "ours are older");
    assert_eq!(hold_all("1,ffffffffffff,2"), "local", "each class by itself");
}

/// The peer does not receive our claims, nor our requests for the message in which it declared us dead.
#[test]
fn we_yield_to_an_hbd_that_cannot_hear_us() {
    let mut bench = Bench::joined_hbd("local");
    let fields =
        [("rsc_hold", "all"), ("rtype", "full"), ("isstable", "1"), ("hbd_claim", "ffffffffffff,ffffffffffff,0")];
    bench.says("resource", &[&fields[..], &[("hbd_deaf", "1")]].concat());
    assert_eq!(bench.view().hold.word(), "local", "it would yield if it heard us");
    bench.run(1_000);
    assert_eq!(bench.view().hold.word(), "none");
}

#[test]
fn a_takeover_from_a_silent_hbd_is_reported_with_hbd_deaf() {
    let mut bench = Bench::joined_hbd("local");
    bench.peer_silent();
    bench.run(10_000);
    assert_eq!(bench.field("resource", "hbd_deaf").last().map(String::as_str), Some("1"));
    bench.peer_beats("active", 0xfa0);
    assert_eq!(bench.field("resource", "hbd_deaf").last().map(String::as_str), Some("-"));
}

/// Otherwise there would be two owners: a peer that starts anew takes groups that no report claims.
#[test]
fn groups_that_still_stop_after_a_conflict_are_reported_to_a_restarted_peer() {
    let mut bench = Bench::joined_hbd("local");
    bench.peer.hbd = Some("1 0.1.0");
    bench.prompt = false;
    let fields = [("rsc_hold", "all"), ("rtype", "full"), ("isstable", "1"), ("hbd_claim", "1,1,2")];
    bench.says("resource", &fields);
    assert!(bench.logged("node nodeb holds the same resources and keeps them: releasing ours"));
    bench.peer_restarts();
    bench.peer_beats("active", 0xfa0);
    bench.done.clear();
    bench.says("starting", &[]);
    assert_eq!(bench.field("resource", "isstable"), ["0"], "a1 and a2 still run");
    bench.end_steps();
    assert_eq!(bench.field("resource", "isstable").last().map(String::as_str), Some("1"));
}

/// The Heartbeat reported during the exchange that it has released our groups, and reports nothing more.
#[test]
fn groups_that_a_heartbeat_released_in_an_exchange_are_kept() {
    let mut bench = Bench::joined("none");
    bench.resource("all", "1", None);
    assert!(bench.logged("Both machines own our resources!"));
    bench.run(HEARTBEAT_PATIENCE_MS);
    assert!(bench.story().contains(&"hb_takeover local".to_owned()));
    bench.ask("foreign", "me");
    bench.resource("local", "1", None);
    bench.ask("foreign", "done");
    bench.run(2 * HEARTBEAT_PATIENCE_MS);
    assert_eq!(bench.view().groups[0].state, crate::cluster::GroupState::Active, "it has not got it");
}
