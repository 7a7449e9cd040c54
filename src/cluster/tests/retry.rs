//! A group that could not be started here is tried again (docs/DECISIONS.md "A retry is a takeover when the peer is
//! not heard").

use super::hold::{news, started};
use super::*;
use crate::cluster::{AddressNews, GroupState};
use crate::config::AddressPolicy;

const MAC: &str = "02:00:c0:a8:11:03";

/// Both live. Our group a1 could not be started, and the peer does not want it.
fn failed_here() -> Bench {
    let mut bench = started(AddressPolicy::default(), |_| {});
    bench.peer.hbd = Some("1 0.1.0");
    let mut bench = bench.activated();
    bench.prompt = false;
    bench.says("starting", &[]);
    bench.resource("local", "1", None);
    bench.fail_step();
    bench.end_steps();
    bench.prompt = true;
    bench.run(11_000);
    assert_eq!(bench.view().groups[0].state, GroupState::Failed, "{:#?}", bench.log());
    bench
}

fn starts(bench: &mut Bench) -> bool {
    bench.story().contains(&"start a1".to_owned())
}

#[test]
fn a_group_that_failed_here_is_not_tried_again_while_a_silent_peer_may_have_it() {
    let mut bench = failed_here();
    bench.peer_silent();
    bench.story();
    bench.run(31_000);
    let story = bench.story();
    assert!(story.contains(&"probe a1".to_owned()), "{story:?}");
    let mut bench = failed_here();
    bench.peer_silent();
    bench.run(5_000);
    bench.story();
    while !bench.story().contains(&"probe a1".to_owned()) {
        bench.run(100);
    }
    news(&mut bench, 0, AddressNews::Answered { mac: MAC.into(), device: "eth0".into() });
    bench.run(60_000);
    assert!(bench.logged(&format!("a1 is still answered by {MAC}")), "{:#?}", bench.log());
    assert!(!starts(&mut bench));
    let shown = bench.view().groups[0].held_back.clone();
    assert!(shown.is_some_and(|words| words.starts_with(&format!("a1 is answered by {MAC}"))));
    bench.request(Request::Cleanup(Some(0)));
    assert!(!starts(&mut bench), "an operator knows what was mended here, and not what runs there");
    news(&mut bench, 0, AddressNews::Silent);
    assert!(starts(&mut bench));
    assert_eq!(bench.view().groups[0].state, GroupState::Active);
}

#[test]
fn a_group_that_failed_here_is_tried_again_at_once_where_the_peer_is_heard_or_has_left() {
    let mut bench = failed_here();
    bench.story();
    bench.run(31_000);
    let story = bench.story();
    assert!(story.contains(&"start a1".to_owned()) && !story.contains(&"probe a1".to_owned()), "{story:?}");
    let mut bench = failed_here();
    bench.says("shutdone", &[]);
    bench.story();
    bench.run(31_000);
    let story = bench.story();
    assert!(story.contains(&"start a1".to_owned()) && !story.contains(&"probe a1".to_owned()), "{story:?}");
}

/// A successor takes up what runs here. This does not, and may be the peer's by the time at which it begins.
#[test]
fn a_successor_does_not_take_up_what_failed_here_and_a_silent_peer_may_have() {
    let mut bench = failed_here();
    assert!(bench.core.holds().has(0));
    bench.peer_silent();
    bench.run(5_000);
    assert!(!bench.core.holds().has(0));
}
