//! The third vote (05 §3.15): what a node takes and keeps with the witness's key, and without it.

use super::*;
use crate::cluster::{AddressNews, Adoption, Set, WitnessNews, WitnessOrder, WitnessRules, WitnessStamp};

const A1: Step = Step { group: 0, resource: 0 };

/// What the witness says to each order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Ours,
    Theirs,
    Nothing,
}

/// We and the peer hold our own groups, with a witness.
fn joined(required: bool) -> Bench {
    joined_with(required, |_| {})
}

fn joined_with(required: bool, change: impl FnOnce(&mut Settings)) -> Bench {
    let mut bench = Bench::with(|settings| {
        settings.witness = Some(WitnessRules { required, ttl: ms(10_000) });
        change(settings);
    });
    bench.feed(Event::Start);
    let mut bench = bench.activated();
    bench.says("starting", &[]);
    bench.resource("local", "1", None);
    run(&mut bench, 12_000, Says::Nothing);
    bench.done.clear();
    bench
}

/// Time passes, and the witness answers what it is ordered.
fn run(bench: &mut Bench, milliseconds: u64, says: Says) {
    for _ in 0..milliseconds / 50 {
        bench.run(50);
        answer(bench, says, 7);
    }
}

/// The orders that were not answered yet are.
fn answer(bench: &mut Bench, says: Says, revision: u64) {
    let ordered: Vec<_> = bench.done.iter().filter_map(|(_, action)| order(action)).collect();
    for (number, order) in ordered {
        let stamp = WitnessStamp { cluster: 1, revision: revision + number };
        let news = match says {
            Says::Ours if order == WitnessOrder::Give => WitnessNews::Nobodys { stamp },
            Says::Ours => WitnessNews::Ours { stamp },
            Says::Theirs => WitnessNews::Theirs { stamp, holder: "nodeb".into() },
            Says::Nothing => continue,
        };
        bench.feed(Event::Witness { number, news });
    }
}

fn order(action: &Action) -> Option<(u64, WitnessOrder)> {
    if let Action::Witness { number, order, .. } = action { Some((*number, *order)) } else { None }
}

fn orders(bench: &Bench) -> Vec<WitnessOrder> {
    bench.done.iter().filter_map(|(_, action)| order(action)).map(|(_, order)| order).collect()
}

/// Until when the leases may reach, after the dead time.
fn leased(bench: &Bench) -> Option<Duration> {
    let since = bench.done.iter().rev().find_map(|(_, action)| match action {
        Action::Assured { since } => Some(since.0),
        _ => None,
    });
    since.map(|since| since + ms(4_000))
}

#[test]
fn who_hears_the_peer_only_looks_whether_the_witness_is_there() {
    let mut bench = joined(true);
    run(&mut bench, 30_000, Says::Nothing);
    assert!(orders(&bench).iter().all(|order| *order == WitnessOrder::Look), "{:?}", orders(&bench));
    assert!(orders(&bench).len() <= 4, "once in ten seconds: {:?}", orders(&bench));
    assert!(bench.story().iter().all(|told| !told.starts_with("stop")));
}

#[test]
fn an_hour_without_the_witness_moves_nothing_while_the_nodes_hear_each_other() {
    let mut bench = joined(true);
    for _ in 0..360 {
        bench.run(10_000);
        for (number, _) in bench.done.iter().filter_map(|(_, action)| order(action)).collect::<Vec<_>>() {
            bench.feed(Event::Witness { number, news: WitnessNews::Failed("connection refused".into()) });
        }
        assert!(orders(&bench).iter().all(|order| *order == WitnessOrder::Look), "{:?}", orders(&bench));
        let moved = |told: &String| ["stop", "start", "ask_"].iter().any(|word| told.starts_with(word));
        let story = bench.story();
        assert!(!story.iter().any(moved), "{story:?}");
    }
    assert_eq!(bench.view().hold, Set::LOCAL);
}

#[test]
fn a_dead_peers_groups_are_taken_with_the_key_at_its_dead_time() {
    let mut bench = joined(true);
    bench.peer_silent();
    run(&mut bench, 3_900, Says::Ours);
    assert!(bench.logged("the witness has given this node its key"), "asked before the peer is dead");
    assert!(!bench.logged("is dead"));
    run(&mut bench, 200, Says::Ours);
    assert!(bench.story().contains(&"start b1".to_owned()));
    run(&mut bench, 60_000, Says::Ours);
    assert!(bench.story().iter().all(|told| !told.starts_with("stop")), "the key is renewed");
}

#[test]
fn without_the_key_nothing_is_taken_and_nothing_kept_beyond_the_dead_time() {
    for says in [Says::Nothing, Says::Theirs] {
        let mut bench = joined(true);
        bench.peer_status();
        let heard = bench.now;
        bench.peer_silent();
        run(&mut bench, 3_900, says);
        let story = bench.done.iter().filter_map(|(_, action)| tell(action)).collect::<Vec<_>>();
        assert!(story.contains(&"stop a1".to_owned()), "released before the peer may take it: {story:?}");
        // By a clock that goes a tenth slower than the peer's.
        let longest = heard + ms(3_600);
        assert!(leased(&bench).is_none_or(|until| until <= longest), "{:?} after {heard:?}", leased(&bench));
        run(&mut bench, 30_000, says);
        assert!(!bench.story().contains(&"start b1".to_owned()));
        assert!(bench.view().groups[1].held_back.is_some(), "status says why");
        run(&mut bench, 2_000, Says::Ours);
        let story = bench.story();
        assert!(story.contains(&"start a1".to_owned()) && story.contains(&"start b1".to_owned()), "{story:?}");
    }
}

#[test]
fn a_witness_that_is_preferred_and_silent_changes_nothing() {
    let mut bench = joined(false);
    bench.peer_silent();
    run(&mut bench, 10_000, Says::Nothing);
    let story = bench.story();
    assert!(story.contains(&"start b1".to_owned()) && !story.contains(&"stop a1".to_owned()), "{story:?}");
}

#[test]
fn a_witness_that_is_preferred_and_names_the_other_node_is_heeded() {
    let mut bench = joined(false);
    bench.peer_silent();
    run(&mut bench, 10_000, Says::Theirs);
    assert!(!bench.story().contains(&"start b1".to_owned()));
}

/// Both served alone, in vain as one of them learns: the node with the key took it by right (05 §5.3).
#[test]
fn where_it_is_only_preferred_the_node_with_the_key_keeps_what_both_hold() {
    let ends = |says: Says, theirs: &str| {
        let mut bench = joined(false);
        bench.peer.hbd = Some("1 0.1.0");
        run(&mut bench, 1_500, Says::Nothing);
        bench.peer_silent();
        run(&mut bench, 10_000, says);
        assert_eq!(bench.view().hold, Set::ALL);
        bench.peer_beats("active", 0xfa0);
        run(&mut bench, 500, says);
        let fields = [("rsc_hold", "all"), ("rtype", "full"), ("isstable", "1"), ("hbd_claim", theirs)];
        bench.says("resource", &fields);
        bench.view().hold
    };
    const OLDER: &str = "1,1,2,0";
    const LATER: &str = "ffffffffffff,ffffffffffff,2,1";
    assert_eq!(ends(Says::Ours, OLDER), Set::ALL, "we had the key");
    assert_eq!(ends(Says::Nothing, LATER), Set::NONE, "it had the key");
    assert_eq!(ends(Says::Nothing, OLDER), Set::NONE, "nobody had it, and it claimed before us");
    assert_eq!(ends(Says::Ours, "1,1,2"), Set::NONE, "an older hbd does not compare keys");
}

#[test]
fn the_key_goes_back_when_the_peer_is_heard() {
    let mut bench = joined(true);
    bench.peer_silent();
    run(&mut bench, 3_000, Says::Ours);
    assert!(bench.view().witness.is_some_and(|witness| witness.has_key));
    bench.peer_beats("active", 0xfa0);
    run(&mut bench, 1_000, Says::Ours);
    assert_eq!(orders(&bench).last(), Some(&WitnessOrder::Give));
    assert!(bench.view().witness.is_some_and(|witness| !witness.has_key && witness.well));
}

/// It was given back in vain, and ends when it would have ended before.
#[test]
fn a_key_that_is_still_ours_after_it_was_given_back_is_not_counted_on() {
    let mut bench = joined(true);
    bench.peer_silent();
    run(&mut bench, 3_000, Says::Ours);
    bench.peer_beats("active", 0xfa0);
    bench.run(1_000);
    let (number, _) = bench.done.iter().filter_map(|(_, action)| order(action)).next_back().unwrap();
    let stamp = WitnessStamp { cluster: 1, revision: 99 };
    bench.feed(Event::Witness { number, news: WitnessNews::Ours { stamp } });
    assert!(bench.view().witness.is_some_and(|witness| !witness.has_key));
}

#[test]
fn a_peer_that_is_heard_and_does_not_hear_us_needs_the_key_as_well() {
    let mut bench = joined(true);
    // An hbd says which of our statuses it has taken in: none since a moment ago.
    for _ in 0..3 {
        bench.says("hbd_alive", &[("hbd_alive", "77 0")]);
        run(&mut bench, 1_000, Says::Nothing);
    }
    assert!(orders(&bench).contains(&WitnessOrder::Ask), "{:?}", orders(&bench));
    assert!(bench.story().contains(&"stop a1".to_owned()));
}

/// Nothing of ours has reached its new life yet: what it says first does not confirm anything.
#[test]
fn the_key_is_kept_until_a_new_life_of_the_peer_confirms_that_it_hears_us() {
    let mut bench = joined(true);
    bench.peer_silent();
    run(&mut bench, 10_000, Says::Ours);
    bench.done.clear();
    (bench.peer.generation, bench.peer.seq) = (bench.peer.generation + 1, 0);
    let fields = [("st", "init"), ("dt", "1770"), ("hbd", "1 0.1.0"), ("hbd_alive", "0 0")];
    let status = bench.message("status", &fields);
    bench.hears(status);
    run(&mut bench, 1_000, Says::Ours);
    assert!(!orders(&bench).contains(&WitnessOrder::Give), "{:?}", orders(&bench));
    assert!(bench.view().witness.is_some_and(|witness| witness.has_key));
    assert!(!bench.story().contains(&"stop a1".to_owned()));
}

#[test]
fn a_witness_that_went_back_gives_no_key() {
    let mut bench = joined(true);
    bench.run(11_000);
    answer(&mut bench, Says::Theirs, 100);
    bench.done.clear();
    bench.peer_silent();
    run(&mut bench, 10_000, Says::Ours);
    assert!(!bench.story().contains(&"start b1".to_owned()));
}

#[test]
fn a_planned_stop_of_the_peer_costs_nothing() {
    let mut bench = joined(true);
    bench.says("shutdone", &[("st", "dead")]);
    run(&mut bench, 100, Says::Nothing);
    assert!(bench.story().contains(&"start b1".to_owned()), "at once, because it has nothing");
}

#[test]
fn a_human_who_knows_that_the_peer_is_off_stands_for_the_key() {
    let mut bench = joined(true);
    bench.peer_silent();
    run(&mut bench, 6_000, Says::Nothing);
    bench.story();
    bench.request(Request::ConfirmFenced(1));
    assert_eq!(answers(&bench), [Answer::Done]);
    run(&mut bench, 60_000, Says::Nothing);
    let story = bench.story();
    assert!(story.contains(&"start b1".to_owned()) && !story.contains(&"stop b1".to_owned()), "{story:?}");
}

#[test]
fn a_successor_asks_for_no_key_while_its_predecessor_was_certain_and_gives_none_back() {
    let mut bench = Bench::with(|settings| {
        settings.generation += 1;
        settings.witness = Some(WitnessRules { required: true, ttl: ms(10_000) });
    });
    let assured_until = Some(Instant(bench.now + ms(30_000)));
    let held = bench.core.groups.members(Set::LOCAL);
    bench.feed(Event::Adopt(Box::new(Adoption { held, assured_until, ..Adoption::default() })));
    bench.feed(Event::Start);
    run(&mut bench, 1_000, Says::Ours);
    assert!(orders(&bench).iter().all(|order| *order == WitnessOrder::Look), "{:?}", orders(&bench));
    run(&mut bench, 2_000, Says::Nothing);
    assert!(orders(&bench).contains(&WitnessOrder::Ask), "its own status has asked for no more than a dead time");
}

#[test]
fn that_the_peer_is_off_is_known_to_the_next_daemon() {
    for peer_off in [false, true] {
        let mut bench = Bench::with(|settings| {
            settings.generation += 1;
            settings.witness = Some(WitnessRules { required: true, ttl: ms(10_000) });
        });
        let held = bench.core.groups.members(Set::LOCAL);
        bench.feed(Event::Adopt(Box::new(Adoption { held, peer_off, ..Adoption::default() })));
        bench.feed(Event::Start);
        run(&mut bench, 60_000, Says::Nothing);
        assert_eq!(bench.story().contains(&"stop a1".to_owned()), !peer_off, "{peer_off}");
    }
}

/// The LAN is cut as well, so that nobody answers; the machine stood still between its question and the verdict.
#[test]
fn a_lost_address_does_not_come_back_once_the_peer_may_have_taken_it() {
    for says in [Says::Nothing, Says::Ours] {
        let mut bench = joined(true);
        bench.peer_silent();
        bench.feed(Event::Address { step: A1, news: AddressNews::Expired });
        bench.now += ms(14_000);
        bench.feed(Event::Address { step: A1, news: AddressNews::Silent });
        let story = bench.story();
        assert!(!story.contains(&"restore a1".to_owned()), "{story:?}");
        run(&mut bench, 12_000, says);
        let story = bench.story();
        let back = |told: &String| told == "restore a1" || told == "start a1";
        assert_eq!(story.iter().any(back), says == Says::Ours, "with the key it does: {story:?}");
    }
}

/// Everything between the nodes is cut, and the other one serves: a reset would end that.
#[test]
fn a_peer_that_has_the_key_is_not_reset_before_its_key_has_ended() {
    for required in [true, false] {
        let mut bench = joined_with(required, |settings| settings.fencing = vec!["nodeb".into()]);
        bench.peer_silent();
        run(&mut bench, 60_000, Says::Theirs);
        assert!(bench.logged("nodeb is silent, and is not reset, because the witness has given it its key"));
        let held_back = bench.view().groups[1].held_back.clone();
        assert_eq!(held_back.as_deref(), Some("nodeb is not reset: it has the witness's key, so it lives"));
        let story = bench.story();
        assert!(!story.contains(&"fence nodeb".to_owned()), "{story:?}");
        // It died, and its key has ended.
        run(&mut bench, 2_000, Says::Ours);
        assert!(bench.story().contains(&"fence nodeb".to_owned()));
        assert!(!bench.story().contains(&"start b1".to_owned()), "nothing is taken before it was reset");
    }
}

#[test]
fn a_silent_witness_keeps_no_peer_from_being_reset() {
    let mut bench = joined_with(true, |settings| settings.fencing = vec!["nodeb".into()]);
    bench.peer_silent();
    run(&mut bench, 3_500, Says::Theirs);
    run(&mut bench, 12_500, Says::Nothing);
    assert!(bench.story().contains(&"fence nodeb".to_owned()), "it said so last when the key may have ended by now");
    bench.feed(Event::Fenced { node: "nodeb".into(), outcome: Ok(()) });
    assert!(bench.story().contains(&"start b1".to_owned()));
}
