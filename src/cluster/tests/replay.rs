//! Somebody without a key repeats what was recorded (05 §3.12).

use super::*;
use crate::cluster::KnownPeer;
use crate::config::AddressPolicy;

/// What another life of ours was told.
const EARLIER: &str = "76 40";
/// What a peer says that knows us.
const PRESENT: &str = "77 1";

fn known(generation: u64, seq: u64, shows_freshness: bool) -> KnownPeer {
    KnownPeer { node: "nodeb".into(), generation, seq, shows_freshness, macs: Vec::new(), more_macs: false }
}

/// Started with what an earlier daemon has noted of the peer.
fn started_knowing(peer: KnownPeer) -> Bench {
    let mut bench = Bench::with(|settings| settings.known_peers = vec![peer]);
    bench.feed(Event::Start);
    bench
}

/// An hbd that says what it has heard of us.
fn hbd(mut bench: Bench, heard: &'static str) -> Bench {
    (bench.peer.hbd, bench.peer.heard) = (Some("3 0.1.0"), Some(heard));
    bench
}

/// That the peer has heard our last message.
/// What a peer says that has heard our last message.
pub(super) fn latest(bench: &Bench) -> &'static str {
    Box::leak(format!("77 {:x}", bench.core.history.last_seq()).into_boxed_str())
}

fn remembered(bench: &Bench) -> Option<&KnownPeer> {
    let of = |(_, action): &'_ (Duration, Action)| matches!(action, Action::Remember(_));
    bench.done.iter().rev().find(|action| of(action)).map(|(_, action)| match action {
        Action::Remember(known) => known,
        _ => unreachable!(),
    })
}

#[test]
fn a_recorded_start_of_the_peer_moves_nothing() {
    let mut bench = hbd(Bench::started(), EARLIER);
    bench.run(11_000);
    assert_eq!(bench.view().hold, Set::ALL, "the peer is off: everything is taken");
    bench.done.clear();
    bench.peer_beats("init", 0x1770);
    bench.peer_beats("up", 0x1770);
    bench.says("reqnodes", &[("dest", "nodea")]);
    bench.peer_beats("active", 0xfa0);
    bench.says("starting", &[]);
    bench.run(10_000);
    assert_eq!(bench.view().hold, Set::ALL);
    assert!(bench.sent("ask_resources").is_empty() && bench.sent("repnodes").is_empty(), "{:?}", bench.story());
    assert!(bench.logged("nothing that it says is believed"));
    let node = &bench.view().nodes[1];
    assert_eq!((node.status.as_str(), node.generation), ("dead", 0));
    assert!(node.doubt.contains("does not know this daemon"), "{}", node.doubt);
    bench.peer_silent();
    bench.run(6_000);
    assert_eq!(bench.view().nodes[1].doubt, "");
}

#[test]
fn a_peer_that_does_not_know_us_is_told_at_once_and_believed_as_soon_as_it_does() {
    let mut bench = hbd(Bench::started(), "0 0");
    let before = bench.sent("status").len();
    bench.peer_status();
    let told = bench.sent("status");
    assert_eq!(told.len(), before + 1);
    assert_eq!(told[before].text("hbd_heard"), Some("100 1"));
    // It may verify another key than the one that signs: it says so in what is not believed yet.
    assert!(bench.done.iter().any(|(_, action)| matches!(action, Action::SendSignedOtherwise(_))));
    assert!(bench.sent("reqnodes").is_empty());
    bench.peer.heard = Some(PRESENT);
    bench.peer_status();
    assert_eq!(bench.sent("reqnodes").len(), 1);
    assert_eq!(remembered(&bench), Some(&known(0x100, 0, true)));
}

#[test]
fn a_flood_of_repetitions_is_answered_eight_times_in_a_keepalive_at_most() {
    let mut bench = hbd(Bench::started(), EARLIER);
    let before = bench.sent("status").len();
    for _ in 0..1_000 {
        bench.now += ms(1);
        bench.peer_status();
    }
    assert!(bench.sent("status").len() <= before + 10, "{}", bench.sent("status").len());
}

#[test]
fn what_the_peer_said_to_a_heartbeat_is_not_believed_of_an_hbd() {
    let mut bench = hbd(Bench::started(), PRESENT).activated().decided("local");
    bench.peer.heard = None;
    bench.says("shutdone", &[]);
    assert_eq!(bench.view().hold, Set::LOCAL);
    let mut bench = hbd(Bench::started(), PRESENT);
    bench.peer.heard = None;
    bench.peer_beats("active", 0xfa0);
    assert_eq!(bench.view().nodes[1].generation, 0);
}

#[test]
fn an_older_session_of_a_heartbeat_is_refused_after_our_restart() {
    let mut bench = started_knowing(known(0x101, 0x20, false));
    bench.peer_beats("active", 0xfa0);
    bench.says("starting", &[]);
    assert!(bench.sent("reqnodes").is_empty());
    assert!(bench.logged("attempted replay attack"));
    let doubt = bench.view().nodes[1].doubt.clone();
    bench.run(11_000);
    assert_eq!(bench.view().hold, Set::ALL);
    assert!(bench.view().nodes[1].doubt.contains("write a number above 257 into that file"), "{doubt}");
    bench.peer.generation = 0x102;
    bench.peer_beats("active", 0xfa0);
    assert_eq!(bench.view().nodes[1].generation, 0x102);
}

#[test]
fn the_last_session_of_a_heartbeat_is_refused_as_far_as_it_was_heard() {
    let mut bench = started_knowing(known(0x100, 3, false));
    (0..3).for_each(|_| bench.peer_status());
    assert!(bench.sent("reqnodes").len() <= 1 && !bench.view().nodes[1].links.iter().any(|link| link.up));
    bench.peer_status();
    assert!(bench.view().nodes[1].links[0].up);
}

/// A restored backup, a snapshot of a virtual machine.
#[test]
fn an_hbd_that_lost_its_generation_comes_in_again_by_itself() {
    for lower in [0xff, 0x100] {
        let mut bench = hbd(Bench::started(), PRESENT).activated().decided("local");
        bench.peer_silent();
        bench.run(10_000);
        assert_eq!(bench.view().hold, Set::ALL);
        // Recorded before: it knows us, but nothing that we said since.
        (bench.peer.generation, bench.peer.seq) = (lower, 0);
        bench.peer_beats("active", 0xfa0);
        assert_eq!(bench.view().nodes[1].status, "dead");
        bench.peer.heard = Some(latest(&bench));
        bench.peer_beats("active", 0xfa0);
        assert_eq!((bench.view().nodes[1].status.as_str(), bench.view().nodes[1].generation), ("active", lower));
        assert!(bench.logged("was set back"));
        // Recorded in the life that it has lost.
        (bench.peer.generation, bench.peer.seq, bench.peer.heard) = (0x100, 0x40, Some(PRESENT));
        bench.says("starting", &[]);
        assert_eq!(bench.view().nodes[1].generation, lower);
    }
}

/// Our own disk was set back, and this generation has been before.
#[test]
fn nobody_has_heard_what_we_have_not_said() {
    let mut bench = hbd(Bench::started(), "77 400");
    bench.peer_beats("active", 0xfa0);
    bench.says("starting", &[]);
    assert_eq!(bench.view().nodes[1].generation, 0);
}

#[test]
fn a_repetition_calls_off_no_reset() {
    let mut bench = Bench::with(|settings| {
        settings.known_peers = vec![known(0x100, 100, false)];
        settings.fencing = vec!["nodeb".into()];
    });
    bench.feed(Event::Start);
    bench.run(11_000);
    assert!(bench.done.iter().any(|(_, action)| matches!(action, Action::Fence { .. })));
    bench.peer.seq = 50;
    bench.peer_status();
    bench.says("starting", &[]);
    assert!(!bench.logged("it is let live") && bench.view().nodes[1].status == "dead");
}

#[test]
fn of_a_heartbeat_a_number_is_kept_about_once_a_minute_and_at_its_farewell() {
    let mut bench = Bench::joined("local");
    bench.run(120_000);
    let kept = bench.done.iter().filter(|(_, action)| matches!(action, Action::Remember(_))).count();
    assert!((1..=3).contains(&kept), "{kept}");
    bench.says("shutdone", &[]);
    assert_eq!(remembered(&bench).map(|known| known.seq), Some(bench.peer.seq));
}

#[test]
fn messages_without_a_number_count_from_a_living_peer_in_its_present_incarnation_only() {
    let mut bench = hbd(Bench::started(), PRESENT).activated().decided("local");
    let lost = |bench: &mut Bench| {
        let seq = bench.core.history.last_seq().to_string();
        let request = [("dest", "nodea"), ("firstseq", seq.as_str()), ("lastseq", seq.as_str())];
        let before = bench.done.len();
        bench.now += ms(300);
        bench.says_unsequenced("NS_rexmit", &request);
        bench.done.len() > before
    };
    assert!(lost(&mut bench));
    bench.peer.heard = Some(EARLIER);
    assert!(!lost(&mut bench));
    bench.peer.heard = Some(PRESENT);
    bench.peer.generation -= 1;
    assert!(!lost(&mut bench));
    bench.peer.generation += 1;
    bench.peer_silent();
    bench.run(10_000);
    assert!(!lost(&mut bench));
}

/// Nobody on the LAN can say whether the peer serves such a group.
#[test]
fn a_group_without_an_address_is_left_to_a_peer_that_may_live_and_not_hear_us() {
    let mut bench = hbd(Bench::with(|settings| settings.known_peers = vec![known(0x100, 1, true)]), EARLIER);
    bench.feed(Event::Policies(vec![AddressPolicy::default(); 2]));
    bench.feed(Event::Start);
    bench.peer.st = "active";
    bench.peer_status();
    bench.run(20_000);
    assert_eq!(bench.view().hold, Set::NONE);
    assert!(bench.view().groups[0].held_back.as_ref().unwrap().contains("may not hear this node"));
    bench.peer_silent();
    bench.run(6_000);
    assert_eq!(bench.view().hold, Set::ALL);
}

/// It may be repeated for ever: it changes nothing, and must not fill the recording.
#[test]
fn what_has_no_number_is_not_heeded_of_a_dead_peer() {
    let mut bench = Bench::joined_hbd("local");
    let message = bench.unsequenced("NS_ackmsg", &[("dest", "nodea"), ("ackseq", "3")]);
    bench.peer_silent();
    bench.run(10_000);
    assert_eq!(bench.peer_state(), "dead");
    assert!(!bench.core.heeds(Instant(bench.now), 0, &message));
}
