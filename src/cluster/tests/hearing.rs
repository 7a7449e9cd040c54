//! A node that sends and hears nothing: another program has its port (docs/DECISIONS.md "A port that another program
//! has").

use super::*;

fn deaf(bench: &mut Bench, link: usize) {
    bench.feed(Event::Link { link, ability: LinkAbility::SendOnly });
}

fn hears_again(bench: &mut Bench, link: usize) {
    bench.feed(Event::Link { link, ability: LinkAbility::Whole });
}

/// A Bench with this many links.
fn with_links(count: usize) -> Bench {
    let names = ["eth1", "eth2"];
    let mut bench =
        Bench::with(|settings| settings.links = names[..count].iter().map(|name| (*name).to_owned()).collect());
    bench.feed(Event::Start);
    bench
}

#[test]
fn a_node_that_starts_deaf_takes_nothing() {
    let mut bench = with_links(1);
    deaf(&mut bench, 0);
    bench.run(300_000);
    assert!(!bench.logged("is dead"), "the peer serves, and hears our statuses");
    assert!(!bench.done.iter().any(|(_, action)| matches!(action, Action::Start(_))));
    assert!(bench.sent_at("status").len() > 100, "we go on saying that we are there");
}

#[test]
fn a_node_that_hears_again_waits_a_dead_time_before_it_judges() {
    let mut bench = Bench::joined("local");
    let links = bench.core.settings.links.len();
    bench.peer_silent();
    (0..links).for_each(|link| deaf(&mut bench, link));
    bench.run(60_000);
    assert!(!bench.logged("node nodeb: is dead"));
    (0..links).for_each(|link| hears_again(&mut bench, link));
    let since = bench.clock();
    bench.run(10_000);
    assert_eq!(bench.logged_at("node nodeb: is dead"), Some(since + 4_001));
}

#[test]
fn one_link_that_receives_is_enough_to_judge() {
    let mut bench = with_links(2);
    deaf(&mut bench, 0);
    bench.run(300_000);
    assert!(bench.logged("node nodeb: is dead"));
}

/// Without any link the other node hears us no more than we hear it.
#[test]
fn a_node_whose_links_are_all_gone_judges_as_ever() {
    let mut bench = with_links(1);
    bench.feed(Event::Link { link: 0, ability: LinkAbility::Closed });
    bench.run(300_000);
    assert!(bench.logged("node nodeb: is dead"));
}
