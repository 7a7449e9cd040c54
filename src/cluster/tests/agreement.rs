//! The two nodes have read different haresources, or one of them reads another one at its next start (05 §3.8).

use super::*;
use crate::cluster::{Adoption, GroupSet};
use crate::config::Fingerprint;

const OURS: &str = "0123456789abcdef fedcba9876543210";
const OTHER: &str = "0123456789abcdef 0000000000000000";

/// A successor on nodea that holds the first group, which prefers nodeb by now, beside an hbd that holds the other
/// one.
fn moved() -> Bench {
    let mut bench = Bench::with(|settings| {
        settings.generation += 1;
        settings.groups[0].node = "nodeb".into();
        settings.fingerprint = Fingerprint::parse(OURS).unwrap();
    });
    bench.peer.hbd = Some("2 0.1.0");
    let held = GroupSet::new([0], Set::NONE);
    bench.feed(Event::Adopt(Box::new(Adoption { held, moved: held, ..Adoption::default() })));
    bench.feed(Event::Start);
    bench.activated()
}

fn conf(bench: &mut Bench, words: &'static str) {
    bench.peer.conf = Some(words);
    let status = bench.status();
    bench.hears(status);
}

fn report(bench: &mut Bench, fields: &[(&str, &str)]) {
    let mut all = vec![("rsc_hold", "local"), ("rtype", "full"), ("isstable", "1"), ("hbd_claim", "1,0,1")];
    all.extend(fields);
    bench.says("resource", &all);
}

#[test]
fn a_group_that_got_another_node_stays_until_both_have_read_that() {
    let mut bench = moved();
    conf(&mut bench, OTHER);
    report(&mut bench, &[("hbd_groups", "b1 1"), ("hbd_resources", "b1 b1.service b2.service")]);
    bench.run(30_000);
    assert!(bench.logged("a1 prefers node nodeb now"));
    let story = bench.story();
    assert!(!story.iter().any(|line| line.starts_with("stop") || line.starts_with("ask")), "{story:?}");
    assert_eq!(bench.view().groups[0].owner.as_deref(), Some("nodea"));
    assert_eq!(bench.view().groups[1].owner.as_deref(), Some("nodeb"));

    conf(&mut bench, OURS);
    bench.run(2_000);
    let asked = bench.sent("ask_resources");
    assert_eq!(asked.last().unwrap().text("hbd_groups"), Some("a1"), "and not the other group of that class");
}

#[test]
fn what_is_held_is_said_by_key_and_by_what_runs_until_the_files_are_known_to_be_alike() {
    let mut bench = moved();
    let starting = bench.sent("starting");
    assert!(starting.last().unwrap().text("hbd_groups").is_some_and(|groups| groups.starts_with("a1 ")));
    assert_eq!(starting.last().unwrap().text("hbd_resources"), Some("a1 a1.service a2.service"));
    conf(&mut bench, OURS);
    report(&mut bench, &[("hbd_groups", "b1 1")]);
    let sent = bench.sent("resource");
    let last = sent.last().unwrap();
    assert!(last.text("hbd_groups").is_some() && last.text("hbd_resources").is_none());
}

#[test]
fn what_the_peer_runs_under_another_name_is_not_taken() {
    let mut bench = Bench::started();
    bench.peer.hbd = Some("2 0.1.0");
    let mut bench = bench.activated();
    bench.says("starting", &[]);
    report(&mut bench, &[("hbd_groups", "x 1"), ("hbd_resources", "x x.service a2.service")]);
    bench.run(60_000);
    let story = bench.story();
    assert!(!story.contains(&"start a1".to_owned()), "the peer runs a2: {story:?}");
    report(&mut bench, &[("hbd_groups", "x 1"), ("hbd_resources", "x x.service")]);
    bench.run(10_000);
    assert!(bench.story().contains(&"start a1".to_owned()));
}

#[test]
fn what_the_peer_runs_in_another_group_of_ours_is_not_taken() {
    let mut bench = Bench::started();
    bench.peer.hbd = Some("2 0.1.0");
    let mut bench = bench.activated();
    bench.says("starting", &[]);
    // a2 is in a1 here, and in b1 there.
    let runs = "b1 b1.service b2.service a2.service";
    report(&mut bench, &[("hbd_groups", "b1 1"), ("hbd_resources", runs)]);
    bench.run(60_000);
    let story = bench.story();
    assert!(!story.contains(&"start a1".to_owned()), "the peer runs a2: {story:?}");
    report(&mut bench, &[("hbd_groups", "b1 1"), ("hbd_resources", "b1 b1.service b2.service")]);
    bench.run(10_000);
    assert!(bench.story().contains(&"start a1".to_owned()));
}

#[test]
fn a_starting_hbd_says_what_it_has_taken_up() {
    let mut bench = Bench::started();
    bench.peer.hbd = Some("2 0.1.0");
    let mut bench = bench.activated();
    bench.says("starting", &[("hbd_groups", "a1 1 b1 1")]);
    bench.run(1_000);
    let story = bench.story();
    assert!(!story.contains(&"start a1".to_owned()), "{story:?}");
    assert_eq!(bench.view().groups[0].owner.as_deref(), Some("nodeb"));
}

#[test]
fn groups_that_are_unknown_here_are_not_taken() {
    let mut bench = Bench::started();
    bench.peer.hbd = Some("2 0.1.0");
    let mut bench = bench.activated().decided("local");
    bench.says("ask_resources", &[("rsc_hold", "none"), ("info", "me"), ("hbd_groups", "x")]);
    assert!(bench.logged("wants to give groups that our haresources has not"));
    assert!(bench.sent("ask_resources").is_empty());
}

#[test]
fn a_stop_that_releases_what_was_taken_up_is_not_undone_when_nobody_is_heard() {
    let mut bench = Bench::with(|settings| settings.generation += 1);
    bench.prompt = false;
    let held = bench.core.groups.members(Set::ALL);
    bench.feed(Event::Adopt(Box::new(Adoption { held, ..Adoption::default() })));
    bench.feed(Event::Start);
    bench.run(9_000);
    bench.request(Request::Shutdown);
    bench.run(3_000);
    bench.end_steps();
    bench.run(3_000);
    let story = bench.story();
    assert_eq!(story.last().unwrap(), "exit", "{story:?}");
    assert_eq!(story.iter().filter(|line| line.starts_with("stop")).count(), 4, "{story:?}");
}
