//! An interface that cannot serve: the group goes to a peer that can.

use super::*;
use crate::cluster::{AddressNews, Event};

fn carrier(bench: &mut Bench, group: usize, up: bool) {
    bench.feed(Event::Address { step: Step { group, resource: 0 }, news: AddressNews::Carrier { up } });
}

#[test]
fn a_lost_carrier_gives_the_group_to_a_peer_that_can_serve() {
    for hbd in [true, false] {
        let mut bench = if hbd { Bench::joined_hbd("local") } else { Bench::joined("local") };
        carrier(&mut bench, 0, false);
        bench.run(900);
        assert!(bench.sent("ask_resources").is_empty(), "a cable may be moved");
        bench.run(200);
        assert_eq!(bench.field("ask_resources", "rsc_hold"), ["local"], "hbd: {hbd}");
        assert!(bench.logged("can serve: releasing them"));
        bench.ask("local", "other");
        assert!(bench.story().contains(&"stop a1".to_owned()));
    }
}

#[test]
fn a_carrier_that_comes_back_soon_moves_nothing() {
    let mut bench = Bench::joined_hbd("local");
    carrier(&mut bench, 0, false);
    bench.run(500);
    carrier(&mut bench, 0, true);
    bench.run(10_000);
    assert!(bench.sent("ask_resources").is_empty());
}

#[test]
fn a_peer_that_cannot_serve_either_gets_nothing_until_it_can() {
    let mut bench = Bench::joined_hbd("local");
    let mut cut = bench.status();
    cut.set_text("hbd_cut", "foreign");
    bench.hears(cut);
    bench.peer_silent();
    carrier(&mut bench, 0, false);
    bench.run(1_500);
    assert!(bench.sent("ask_resources").is_empty());
    bench.peer_beats("active", 0xfa0);
    bench.run(6_000);
    assert_eq!(bench.field("ask_resources", "rsc_hold"), ["local"]);
}

#[test]
fn an_hbd_peer_is_told_what_we_cannot_serve_and_a_heartbeat_is_not() {
    let mut bench = Bench::joined_hbd("local");
    carrier(&mut bench, 1, false);
    assert_eq!(bench.field("status", "hbd_cut"), ["foreign"]);
    assert!(bench.sent("ask_resources").is_empty(), "it is not ours");
    let mut bench = Bench::joined("local");
    carrier(&mut bench, 1, false);
    assert_eq!(bench.field("status", "hbd_cut"), ["-"]);
}

#[test]
fn a_heartbeat_that_does_not_answer_is_asked_again_in_its_own_time() {
    let mut bench = Bench::joined("local");
    carrier(&mut bench, 0, false);
    bench.run(60_000);
    let asked = bench.sent("ask_resources").len();
    assert!((2..=4).contains(&asked), "{asked} times in a minute");
}

#[test]
fn without_a_living_peer_the_group_stays_here() {
    let mut bench = Bench::joined_hbd("local");
    bench.peer_silent();
    bench.run(5_000);
    bench.story();
    carrier(&mut bench, 0, false);
    bench.run(60_000);
    assert!(!bench.story().iter().any(|line| line.starts_with("stop")));
}
