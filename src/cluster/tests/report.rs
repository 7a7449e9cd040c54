//! A real Heartbeat obeys in order of arrival: what it must not miss is said again (03 §4.7, §14.1 rule 3).

use super::*;

/// `starting` was lost and sent again after our report: R took us for undecided, and its answer shows it.
#[test]
fn who_reports_without_need_is_told_once_more_that_we_have_decided() {
    let mut bench = Bench::joined("local");
    bench.run(60_000);
    bench.repeated.clear();
    let heard = bench.clock();
    bench.resource("local", "1", None);
    bench.run(60_000);
    assert_eq!(bench.repeated, [heard + 1_000, heard + 10_000], "and no more: it answers only what is news to it");
}

#[test]
fn an_hbd_needs_no_repetition() {
    let mut bench = Bench::joined_hbd("local");
    bench.resource("local", "1", None);
    bench.run(60_000);
    assert_eq!(bench.repeated, Vec::<u64>::new());
}

#[test]
fn nothing_is_repeated_into_an_exchange() {
    let mut bench = Bench::joined("local");
    bench.run(60_000);
    bench.ask("all", "me");
    bench.resource("none", "0", Some("standby"));
    bench.resource("none", "1", None);
    bench.repeated.clear();
    bench.done.clear();
    bench.run(30_000);
    assert!(bench.sent("resource").is_empty());
    bench.ask("all", "done");
    bench.run(30_000);
    assert!(!bench.repeated.is_empty());
}

/// Both started; R heard the `starting` of our former life and waits for a report.
#[test]
fn a_peer_that_started_with_our_former_life_is_told_what_we_hold() {
    let mut bench = Bench::active();
    bench.story();
    bench.resource("none", "0", None);
    bench.run(2_000);
    assert_eq!(bench.story(), ["resource none 0"]);
    bench.resource("local", "1", None);
    assert_eq!(bench.view().hold.word(), "local");
}
