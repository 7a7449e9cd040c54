//! Two hbd nodes compare their configurations.

use super::*;
use crate::config::{Fingerprint, SharedItems};

const OURS: &str = "0123456789abcdef fedcba9876543210";
const OTHER: &str = "0123456789abcdef 0000000000000000";

fn bench() -> Bench {
    let mut bench = Bench::with(|settings| settings.fingerprint = Fingerprint::parse(OURS).unwrap());
    bench.feed(Event::Start);
    bench.peer.hbd = Some("1 0.1.0");
    bench.activated().decided("local")
}

fn status(bench: &mut Bench, words: &str) {
    let mut status = bench.status();
    status.set_text("hbd_conf", words);
    bench.hears(status);
}

#[test]
fn a_difference_and_its_end_are_logged_once() {
    let mut bench = bench();
    (0..3).for_each(|_| status(&mut bench, OTHER));
    assert_eq!(
        bench.log(),
        [
            "node nodeb uses other cluster settings in haresources than this node: make them equal, hbctl check lists them"
        ]
    );
    assert_eq!(bench.view().nodes[1].differing, ["haresources"]);
    status(&mut bench, OURS);
    assert!(bench.logged("the same ha.cf and haresources as this node again"));
    assert_eq!(bench.view().nodes[1].differing, Vec::<String>::new());
}

#[test]
fn what_differs_is_told_and_named_once() {
    let items = |text: &str| SharedItems::parse(text).unwrap();
    let mut bench = Bench::with(|settings| {
        settings.fingerprint = Fingerprint::parse(OURS).unwrap();
        settings.shared_items = items("deadtime - 10000 group x nodea,1");
    });
    bench.feed(Event::Start);
    bench.peer.hbd = Some("2 0.1.0");
    let mut bench = bench.activated().decided("local");
    (0..3).for_each(|_| status(&mut bench, OTHER));
    assert_eq!(bench.field("hbd_conf", "items"), ["deadtime - 10000 group x nodea,1"]);
    for _ in 0..2 {
        bench.says("hbd_conf", &[("items", "deadtime - 10000 group x nodeb,1")]);
    }
    let said = "group x prefers nodea here and nodeb on nodeb";
    assert_eq!(bench.log()[1..], [format!("what differs between this node and nodeb: {said}")]);
    assert_eq!(bench.view().nodes[1].differences, [said]);
    status(&mut bench, OURS);
    assert_eq!(bench.view().nodes[1].differences, Vec::<String>::new(), "they are alike again");
}

#[test]
fn an_equal_or_invalid_fingerprint_logs_nothing() {
    let mut bench = bench();
    status(&mut bench, OURS);
    status(&mut bench, "rubbish");
    bench.run(5_000);
    assert_eq!(bench.log(), Vec::<String>::new());
    assert_eq!(bench.view().nodes[1].fingerprint, None);
}

#[test]
fn the_fingerprint_is_sent_to_an_hbd_only() {
    let mut bench = bench();
    bench.run(1_500);
    assert_eq!(bench.field("status", "hbd_conf").last().map(String::as_str), Some(OURS));
    let mut bench = Bench::with(|settings| settings.fingerprint = Fingerprint::parse(OURS).unwrap());
    bench.feed(Event::Start);
    let mut bench = bench.activated().decided("local");
    bench.run(1_500);
    assert!(bench.field("status", "hbd_conf").iter().all(|field| field == "-"));
}
