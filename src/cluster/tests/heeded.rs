//! What is not even handed over, and so not recorded packet by packet; and what the peer says of its keys.

use super::*;

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
