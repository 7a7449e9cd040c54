//! What a node that stops has left behind, while the rest still stops (05 §4.6).

use super::alone::{A, B, C, D, beside_hbd, held, named, together, word};
use super::*;
use crate::config::Fingerprint;

const CONF: &str = "0123456789abcdef fedcba9876543210";

/// Beside an hbd that has read the same haresources.
fn beside_hbd_with_our_file() -> Bench {
    let mut bench = beside_hbd(|settings| settings.fingerprint = Fingerprint::parse(CONF).unwrap());
    bench.peer.conf = Some(CONF);
    bench.run(1_500);
    bench
}

/// The peer holds nothing any more, still stops something, and names the groups that are down there.
fn is_down(bench: &mut Bench, info: &str, groups: &str) {
    let fields = [("rsc_hold", "none"), ("rtype", "full"), ("isstable", "0"), ("info", info)];
    bench.says("resource", &[&fields[..], &[("hbd_groups", "-"), ("hbd_left_behind", groups)]].concat());
}

#[test]
fn a_stop_says_what_is_down_while_the_rest_still_stops() {
    let mut bench = beside_hbd(|_| {});
    bench.prompt = false;
    bench.request(Request::Shutdown);
    bench.run(1_000);
    assert_eq!(bench.field("resource", "hbd_left_behind"), ["-"]);
    // The unit a2, and c1.
    bench.end_step();
    bench.end_step();
    bench.run(150);
    let told = bench.sent("resource").pop().unwrap();
    assert_eq!([told.text("info"), told.text("hbd_left_behind")], [Some("shutdown"), Some("c1")]);
    bench.run(60_000);
    assert!(bench.sent("shutdone").is_empty() && bench.sent("resource").len() == 2, "said once");
    bench.end_step();
    assert_eq!(bench.sent("shutdone").len(), 1);
}

#[test]
fn what_is_kept_together_is_left_behind_together() {
    let mut bench = beside_hbd(together);
    bench.prompt = false;
    bench.request(Request::Shutdown);
    bench.end_step();
    bench.end_step();
    bench.run(1_000);
    assert_eq!(bench.field("resource", "hbd_left_behind"), ["-"], "c1 is down, a1 is not");
}

#[test]
fn what_a_peer_leaves_behind_is_taken_before_it_has_left() {
    let mut bench = beside_hbd_with_our_file();
    is_down(&mut bench, "shutdown", "d1 unknown");
    assert_eq!(held(&bench), [A, C, D]);
    is_down(&mut bench, "shutdown", "d1");
    bench.run(5_000);
    assert_eq!(held(&bench), [A, C, D], "b1 still stops there");
    bench.says("shutdone", &[("st", "dead")]);
    assert_eq!(held(&bench), [A, B, C, D]);
}

/// The peer was giving b1 when it was stopped.
#[test]
fn what_a_peer_leaves_behind_in_an_exchange_is_taken_too() {
    let mut bench = beside_hbd_with_our_file();
    word(&mut bench, "b1", "me");
    assert_eq!(bench.field("ask_resources", "info"), ["other"]);
    is_down(&mut bench, "shutdown", "d1");
    assert_eq!(held(&bench), [A, C, D]);
    bench.says("shutdone", &[("st", "dead")]);
    assert_eq!(held(&bench), [A, B, C, D]);
}

#[test]
fn what_is_in_maintenance_here_is_taken_when_that_ends() {
    let mut bench = beside_hbd_with_our_file();
    bench.request(Request::GroupMaintenance { set: named(&[D]), on: true });
    is_down(&mut bench, "shutdown", "d1");
    assert_eq!(held(&bench), [A, C]);
    bench.request(Request::GroupMaintenance { set: named(&[D]), on: false });
    assert_eq!(held(&bench), [A, C, D]);
}

#[test]
fn what_a_peer_with_another_file_leaves_behind_waits_until_it_has_left() {
    let mut bench = beside_hbd(|_| {});
    is_down(&mut bench, "shutdown", "d1");
    assert_eq!(held(&bench), [A, C]);
    bench.says("shutdone", &[("st", "dead")]);
    assert_eq!(held(&bench), [A, B, C, D]);
}

/// The unit of one group takes its time to stop: the other group is served meanwhile.
#[test]
fn a_giver_says_what_is_down_while_the_rest_still_stops() {
    let mut bench = beside_hbd_with_our_file();
    bench.prompt = false;
    bench.request(Request::StandbyGroups(named(&[A, C])));
    word(&mut bench, "a1 c1", "other");
    bench.done.clear();
    // The unit a2, and c1.
    bench.end_step();
    bench.end_step();
    bench.run(150);
    let told = bench.sent("resource").pop().unwrap();
    assert_eq!([told.text("info"), told.text("hbd_left_behind")], [Some("standby"), Some("c1")]);
    bench.run(60_000);
    assert!(bench.sent("ask_resources").is_empty() && bench.sent("resource").len() == 1, "said once");
    bench.end_step();
    assert_eq!(bench.field("ask_resources", "info"), ["done"]);
}

#[test]
fn what_a_giver_says_is_down_is_taken_before_its_done() {
    let mut bench = beside_hbd_with_our_file();
    let mut unasked = beside_hbd_with_our_file();
    is_down(&mut unasked, "standby", "d1");
    assert_eq!(held(&unasked), [A, C], "it has not asked whether we can take it");
    word(&mut bench, "b1 d1", "me");
    is_down(&mut bench, "standby", "d1");
    assert_eq!(held(&bench), [A, C, D]);
    word(&mut bench, "b1 d1", "done");
    assert_eq!(held(&bench), [A, B, C, D]);
    assert_eq!(bench.field("ask_resources", "info"), ["other", "done"]);
}

/// It may have taken everything back because it held us for dead.
#[test]
fn what_a_giver_said_before_we_slept_is_not_taken() {
    let mut bench = beside_hbd_with_our_file();
    word(&mut bench, "b1 d1", "me");
    bench.peer_silent();
    bench.now += Duration::from_secs(20);
    is_down(&mut bench, "standby", "d1");
    assert_eq!(held(&bench), [A, C]);
}

/// The answer to what was called off since comes late.
#[test]
fn an_other_for_what_is_not_asked_for_any_more_gives_nothing() {
    let mut bench = beside_hbd(|_| {});
    bench.request(Request::StandbyGroups(named(&[A])));
    word(&mut bench, "c1", "other");
    assert_eq!(held(&bench), [A, C]);
    word(&mut bench, "a1", "other");
    assert_eq!(held(&bench), [C]);
}

/// The taker may have it by now.
#[test]
fn a_giver_that_keeps_its_set_keeps_nothing_that_it_has_named() {
    let mut bench = beside_hbd_with_our_file();
    bench.prompt = false;
    bench.request(Request::StandbyGroups(named(&[A, C])));
    word(&mut bench, "a1 c1", "other");
    // The unit a2, and c1.
    bench.end_step();
    bench.end_step();
    bench.run(150);
    // Somebody starts a unit of what was named.
    bench.feed(Event::Unit { step: Step { group: C, resource: 0 }, news: UnitNews::Up });
    for _ in 0..3 {
        bench.fail_step();
        bench.run(1_100);
    }
    assert_eq!(held(&bench), [A], "c1 is the taker's");
}

/// The giver says it again and again: a taker that is still starting ignores that, and one that knows of no exchange
/// says so.
#[test]
fn a_giver_whose_taker_does_not_take_says_done_again() {
    let mut bench = beside_hbd_with_our_file();
    bench.request(Request::StandbyGroups(named(&[C])));
    word(&mut bench, "c1", "other");
    bench.done.clear();
    let report = [("rsc_hold", "none"), ("rtype", "full"), ("isstable", "1"), ("hbd_groups", "b1 1 d1 1")];
    bench.says("resource", &report);
    bench.run(20_500);
    assert_eq!(bench.field("ask_resources", "info"), ["done", "done"]);
    bench.says("resource", &[&report[..], &[("hbd_void", "1")]].concat());
    bench.run(5_000);
    assert_eq!(held(&bench), [A, C], "nobody else has it");
}
