//! A real Heartbeat handles messages in the order of their arrival: our report is sent again where it may have come
//! too early (03 §4.7, §14.1 rule 3).

use super::*;

/// `starting` was lost and sent again after our report: the Heartbeat believes that we are not stable, and its answer
/// shows that.
#[test]
fn a_heartbeat_that_reports_without_need_gets_our_report_again() {
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
fn a_report_is_not_repeated_during_an_exchange() {
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

/// Both nodes started, and the Heartbeat received the `starting` of our former incarnation and waits for a report.
#[test]
fn a_peer_that_started_with_our_former_incarnation_gets_our_report() {
    let mut bench = Bench::active();
    bench.story();
    bench.resource("none", "0", None);
    bench.run(2_000);
    assert_eq!(bench.story(), ["resource none 0"]);
    bench.resource("local", "1", None);
    assert_eq!(bench.view().hold.word(), "local");
}
