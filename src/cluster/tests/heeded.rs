//! What is not even handed over, and so not recorded packet by packet; what the peer says of its keys; and what two
//! hbd nodes tell each other of their TCP connections past all events (05 §3.16).

use super::*;
use crate::cluster::CONNECTIONS;

/// Whether the core would heed this on the first link now.
fn heeds(bench: &Bench, message: &Message) -> bool {
    bench.core.heeds(Instant(bench.now), 0, message)
}

#[test]
fn a_packet_that_was_heard_is_heeded_as_proof_of_its_link_only() {
    let mut bench = Bench::joined_hbd("local");
    let old = bench.status();
    let status = bench.status();
    assert!(heeds(&bench, &old) && heeds(&bench, &status));
    bench.hears(old.clone());
    bench.hears(status.clone());
    // The same once more, at once and often.
    assert!(!heeds(&bench, &status) && !heeds(&bench, &old));
    assert!(bench.core.heeds(Instant(bench.now), 1, &status), "it shows that the other link works");
    bench.now += ms(500);
    assert!(heeds(&bench, &status), "once in half a keepalive");
    assert!(!heeds(&bench, &old), "an older one proves nothing");
    let acknowledgement = bench.unsequenced("NS_ackmsg", &[("dest", "nodea"), ("ackseq", "1")]);
    bench.hears(acknowledgement.clone());
    assert!(!heeds(&bench, &acknowledgement));
}

#[test]
fn of_an_earlier_session_one_packet_a_minute_is_heeded() {
    let mut bench = Bench::joined_hbd("local");
    let earlier = bench.message("starting", &[]).with("hg", "1");
    assert!(heeds(&bench, &earlier), "it is complained about");
    bench.hears(earlier.clone());
    assert!(!heeds(&bench, &earlier));
    bench.run(61_000);
    assert!(heeds(&bench, &earlier));
    let mut stranger = bench.message("status", &[]).with("src", "stranger");
    stranger.remove("srcuuid");
    assert!(heeds(&bench, &stranger));
    bench.hears(stranger.clone());
    assert!(!heeds(&bench, &stranger));
    assert!(!heeds(&bench, &Message::new("status").with("src", "nodeb").with("ts", "0")), "no node sends this");
}

#[test]
fn a_message_that_was_missing_is_heeded_when_it_comes() {
    let mut bench = Bench::joined_hbd("local");
    let late = bench.status();
    let next = bench.status();
    bench.hears(next);
    assert!(heeds(&bench, &late));
    let newer = bench.message("status", &[]).with("hg", "7fffffff");
    assert!(heeds(&bench, &newer), "a new incarnation");
}

#[test]
fn a_request_that_is_repeated_too_soon_is_not_heeded() {
    let mut bench = Bench::joined_hbd("local");
    let seq = bench.core.history.last_seq().to_string();
    let asked = bench.unsequenced("NS_rexmit", &[("dest", "nodea"), ("firstseq", &seq), ("lastseq", &seq)]);
    assert!(heeds(&bench, &asked));
    bench.hears(asked.clone());
    assert!(!heeds(&bench, &asked));
    bench.now += ms(240);
    assert!(heeds(&bench, &asked));
}

#[test]
fn what_the_peer_says_of_its_keys_counts_while_it_lives_and_is_the_same() {
    let mut bench = Bench::joined_hbd("local");
    assert_eq!(bench.core.announced_keys(), [None]);
    let status = bench.status().with("hbd_keys", "2:0badcafe");
    bench.hears(status.clone());
    assert_eq!(bench.core.announced_keys(), [Some("2:0badcafe")]);
    // What was recorded earlier changes nothing.
    let earlier = status.clone().with("hbd_keys", "2:deadbeef");
    bench.hears(earlier);
    assert_eq!(bench.core.announced_keys(), [Some("2:0badcafe")]);
    // The key was removed.
    bench.peer_status();
    assert_eq!(bench.core.announced_keys(), [None]);
    let status = bench.status().with("hbd_keys", "2:0badcafe");
    bench.hears(status);
    // An older hbd, or a Heartbeat, has taken its place.
    bench.peer_restarts();
    assert_eq!(bench.core.announced_keys(), [None]);
    let status = bench.status().with("hbd_keys", "2:0badcafe");
    bench.hears(status);
    bench.peer_silent();
    bench.run(30_000);
    assert_eq!(bench.core.announced_keys(), [None], "it is dead");
}

const LIST: &str = "@192.0.2.1:80 198.51.100.7:40000";

/// Beside an hbd that has heard us, and has said that it wants to be told.
fn telling(tickle: bool) -> Bench {
    let mut bench = Bench::with(|settings| settings.tickle = tickle);
    bench.feed(Event::Start);
    (bench.peer.hbd, bench.peer.heard) = (Some("5 0.1.0"), Some("77 1"));
    let mut bench = bench.activated().decided("local");
    wants_to_know(&mut bench);
    bench
}

fn wants_to_know(bench: &mut Bench) {
    let status = bench.status().with("hbd_tickle", "1");
    bench.hears(status);
}

/// What the peer says of its connections.
fn its_list(bench: &Bench) -> Message {
    bench.unsequenced(CONNECTIONS, &[("dest", "nodea"), ("list", LIST)])
}

#[test]
fn a_peer_that_wants_to_know_is_told_with_what_makes_it_believe() {
    let message = telling(true).core.connections_message(LIST).unwrap();
    let text = |name: &str| message.text(name).unwrap_or("-").to_owned();
    assert_eq!(["t", "dest", "list", "src", "hg"].map(text), [CONNECTIONS, "nodeb", LIST, "nodea", "77"]);
    assert_eq!(message.text("seq"), None, "a lost one is not asked for");
    assert!(message.text("hbd_heard").is_some_and(|heard| heard.starts_with("100 ")), "{message:?}");
}

#[test]
fn nobody_is_told_who_has_not_asked() {
    assert!(telling(false).core.connections_message(LIST).is_none(), "no group has the option");
    let mut bench = telling(true);
    let status = bench.status();
    bench.hears(status);
    assert!(bench.core.connections_message(LIST).is_none(), "the peer has it no more");
    wants_to_know(&mut bench);
    assert!(bench.core.connections_message(LIST).is_some());
    assert!(bench.core.connections_message(&"x".repeat(1001)).is_none(), "it is too long");
    bench.peer_silent();
    bench.run(20_000);
    assert!(bench.core.connections_message(LIST).is_none(), "the peer is dead");
}

#[test]
fn a_heartbeat_is_not_told() {
    let mut bench = Bench::with(|settings| settings.tickle = true);
    bench.feed(Event::Start);
    let mut bench = bench.activated().decided("local");
    wants_to_know(&mut bench);
    assert!(bench.core.connections_message(LIST).is_none());
    let message = its_list(&bench);
    assert_eq!(bench.core.connections_said(&message), None);
    bench.run(5_000);
    assert!(bench.field("status", "hbd_tickle").iter().all(|said| said == "-"));
}

#[test]
fn only_with_the_option_it_is_asked_for() {
    for (tickle, said) in [(true, "1"), (false, "-")] {
        let mut bench = telling(tickle);
        bench.done.clear();
        bench.run(3_000);
        let asked = bench.field("status", "hbd_tickle");
        assert!(asked.len() >= 2 && asked.iter().all(|word| word == said), "{asked:?}");
    }
}

#[test]
fn what_the_peer_says_now_is_believed_and_nothing_else() {
    let without = telling(false);
    let message = its_list(&without);
    assert_eq!(without.core.connections_said(&message), None, "no group has the option");
    let mut bench = telling(true);
    let now = its_list(&bench);
    assert_eq!(bench.core.connections_said(&now), Some(LIST));
    let mut nameless = now.clone();
    nameless.remove("srcuuid");
    let mut unproven = now.clone();
    unproven.remove("hbd_heard");
    for (other, why) in [
        (now.clone().with("hg", "ff"), "an earlier life of the peer"),
        (now.clone().with("hbd_heard", "76 1"), "said to an earlier life of ours"),
        (now.clone().with("hbd_heard", "77 ffffff"), "it has heard what we have not said"),
        (now.clone().with("src", "nodec"), "another node"),
        (now.clone().with("dest", "nodec"), "for another node"),
        (now.clone().with("t", "NS_hbd_other"), "another message"),
        (now.clone().with("ts", "0"), "no node sends this"),
        (now.clone().with("list", &"x".repeat(1001)), "it is too long"),
        (nameless, "no uuid"),
        (unproven, "nothing shows that it is of now"),
    ] {
        assert_eq!(bench.core.connections_said(&other), None, "{why}");
    }
    bench.peer_silent();
    bench.run(20_000);
    assert_eq!(bench.core.connections_said(&now), None, "the peer is dead");
}

#[test]
fn it_proves_no_life_and_changes_nothing() {
    let mut bench = telling(true);
    let message = its_list(&bench);
    assert!(!bench.core.heeds(Instant(bench.now), 0, &message));
    let before = format!("{:?}", bench.view());
    bench.done.clear();
    bench.hears(message);
    assert!(bench.done.is_empty(), "{:?}", bench.done);
    assert_eq!(format!("{:?}", bench.view()), before);
}
