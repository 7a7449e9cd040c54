//! Sequence numbers of the peer: gaps, requests, acknowledgements, duplicates (02 §6.2, §6.4, §6.5).

use super::*;

/// A peer that sends nothing of itself. Its next message has a type without effect.
fn quiet() -> Bench {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    bench.peer.dt = 1_000_000;
    let status = bench.status();
    bench.hears(status);
    bench.done.clear();
    bench
}

fn next(bench: &mut Bench) -> Message {
    bench.message("site-message", &[])
}

/// (when, number) of the requests.
fn requests(bench: &Bench) -> Vec<(u64, u64)> {
    let number = |message: &Message| message.text("firstseq").unwrap().parse().unwrap();
    bench.sent_at("NS_rexmit").iter().map(|(at, message)| (*at, number(message))).collect()
}

#[test]
fn a_missing_number_is_asked_for_after_50_to_250_ms_and_then_every_250() {
    for seed in 0..40 {
        let mut bench = Bench::with(|settings| settings.seed = seed);
        bench.feed(Event::Start);
        let mut bench = bench.activated().decided("local");
        let gap = bench.peer.seq + 1;
        bench.peer.seq += 1;
        bench.peer_status();
        let noticed = bench.clock();
        bench.run(1_100);
        let asked = requests(&bench);
        assert!(asked.iter().all(|(_, number)| *number == gap));
        let delay = asked[0].0 - noticed;
        assert!((50..=250).contains(&delay), "{delay} ms with seed {seed}");
        let periods: Vec<_> = asked.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        assert!(periods.len() >= 3 && periods.iter().all(|period| *period == 250), "{periods:?}");
    }
}

#[test]
fn a_short_max_rexmit_delay_does_not_wait_50_ms() {
    let mut first = Vec::new();
    for seed in 0..40 {
        let mut bench = Bench::with(|settings| {
            settings.seed = seed;
            settings.timing.max_rexmit_delay = ms(80);
        });
        bench.feed(Event::Start);
        let mut bench = bench.activated().decided("local");
        bench.peer.seq += 1;
        bench.peer_status();
        let noticed = bench.clock();
        bench.run(300);
        first.push(requests(&bench)[0].0 - noticed);
    }
    assert!(first.iter().all(|delay| *delay <= 80));
    assert!(first.iter().any(|delay| *delay < 50), "{first:?}");
}

/// Real Heartbeats often send two messages in the wrong order (02 §1.3).
#[test]
fn two_reordered_messages_are_neither_asked_for_nor_logged() {
    let mut bench = quiet();
    let (first, second) = (next(&mut bench), next(&mut bench));
    bench.hears(second);
    bench.run(40);
    bench.hears(first);
    bench.run(1_000);
    assert!(requests(&bench).is_empty());
    assert!(!bench.logged("lost"));
}

#[test]
fn every_missing_number_is_asked_for_until_it_arrives() {
    let mut bench = quiet();
    let lost: Vec<_> = (0..3).map(|_| next(&mut bench)).collect();
    let numbers: Vec<_> = (bench.peer.seq - 2..=bench.peer.seq).collect();
    let after = next(&mut bench);
    bench.hears(after);
    let range = format!("3 lost packet(s) for [nodeb] [{}:{}]", numbers[0], numbers[2]);
    assert!(bench.logged(&range), "{:?}", bench.log());
    bench.run(250);
    let mut asked: Vec<_> = requests(&bench).into_iter().map(|(_, number)| number).collect();
    asked.sort_unstable();
    asked.dedup();
    assert_eq!(asked, numbers);
    bench.hears(lost[1].clone());
    bench.done.clear();
    bench.run(250);
    let mut asked: Vec<_> = requests(&bench).into_iter().map(|(_, number)| number).collect();
    asked.sort_unstable();
    assert_eq!(asked, [numbers[0], numbers[2]]);
    bench.hears(lost[0].clone());
    bench.hears(lost[2].clone());
    bench.done.clear();
    bench.run(2_000);
    assert!(requests(&bench).is_empty());
}

#[test]
fn a_retransmitted_message_is_obeyed_once() {
    let mut bench = quiet();
    let lost = bench.message("reqnodes", &[("dest", "nodea")]);
    let after = next(&mut bench);
    bench.hears(after);
    bench.hears(lost.clone());
    bench.hears(lost);
    assert_eq!(bench.sent("repnodes").len(), 1);
}

/// A refusal counts for every node that misses that number, whichever node asked.
#[test]
fn a_refused_number_is_given_up_whoever_asked_for_it() {
    let mut bench = quiet();
    bench.peer.seq += 1;
    let gap = bench.peer.seq;
    let after = next(&mut bench);
    bench.hears(after);
    bench.run(300);
    bench.done.clear();
    let number = format!("{gap:x}");
    bench.says_unsequenced("NS_nak_rexmit", &[("firstseq", &number), ("dest", "nodec"), ("info", "seqno too low")]);
    assert!(bench.logged(&format!("Irretrievably lost packet: node nodeb seq {gap}")));
    bench.run(2_000);
    assert!(requests(&bench).is_empty());
}

#[test]
fn the_refusal_of_a_number_that_we_have_is_ignored() {
    let mut bench = quiet();
    bench.says_unsequenced("NS_nak_rexmit", &[("firstseq", "2"), ("dest", "nodea"), ("info", "seqno too low")]);
    bench.says_unsequenced("NS_nak_rexmit", &[("dest", "nodea")]);
    assert_eq!(bench.log(), Vec::<String>::new());
}

#[test]
fn more_than_250_lost_messages_are_given_up() {
    let mut bench = quiet();
    let first = bench.peer.seq + 1;
    bench.peer.seq += 251;
    let after = next(&mut bench);
    bench.hears(after);
    assert!(bench.logged(&format!("251 lost packet(s) for [nodeb] [{first}:{}]", first + 250)));
    bench.run(1_000);
    assert!(requests(&bench).is_empty(), "nothing is requested");
    bench.says("reqnodes", &[("dest", "nodea")]);
    assert_eq!(bench.sent("repnodes").len(), 1, "and life goes on");
}

#[test]
fn exactly_250_lost_are_asked_for() {
    let mut bench = quiet();
    bench.peer.seq += 250;
    let after = next(&mut bench);
    bench.hears(after);
    bench.run(250);
    let mut asked: Vec<_> = requests(&bench).into_iter().map(|(_, number)| number).collect();
    asked.sort_unstable();
    asked.dedup();
    assert_eq!(asked.len(), 250);
}

#[test]
fn a_dead_node_is_asked_for_nothing() {
    let mut bench = quiet();
    bench.peer.dt = 4_000;
    bench.peer_status();
    bench.peer_silent();
    bench.run(3_900);
    bench.peer.seq += 1;
    let after = next(&mut bench);
    bench.hears(after);
    bench.run(200);
    bench.done.clear();
    bench.run(5_000);
    assert!(requests(&bench).is_empty());
}

#[test]
fn a_new_incarnation_is_not_asked_for_the_numbers_of_the_old() {
    let mut bench = quiet();
    bench.peer.seq += 1;
    let after = next(&mut bench);
    bench.hears(after);
    bench.peer_restarts();
    bench.done.clear();
    bench.run(1_000);
    assert!(requests(&bench).is_empty());
    assert!(!bench.logged("lost"));
}

#[test]
fn every_tenth_message_is_acknowledged() {
    let mut bench = quiet();
    for _ in 0..100 {
        let message = next(&mut bench);
        bench.hears(message);
    }
    let acked: Vec<_> =
        bench.field("NS_ackmsg", "ackseq").iter().map(|ack| u64::from_str_radix(ack, 16).unwrap()).collect();
    assert_eq!(acked.len(), 10);
    assert!(acked.windows(2).all(|pair| pair[1] - pair[0] == 10), "{acked:?}");
}

#[test]
fn a_message_for_another_node_is_acknowledged_too() {
    let mut bench = quiet();
    for _ in 0..10 {
        bench.says("query-cstatus", &[("dest", "nodec")]);
    }
    assert_eq!(bench.sent("NS_ackmsg").len(), 1);
}

#[test]
fn nothing_is_acknowledged_across_a_gap() {
    let mut bench = quiet();
    let lost = next(&mut bench);
    for _ in 0..40 {
        let message = next(&mut bench);
        bench.hears(message);
    }
    assert!(bench.sent("NS_ackmsg").is_empty());
    bench.hears(lost);
    for _ in 0..10 {
        let message = next(&mut bench);
        bench.hears(message);
    }
    assert_eq!(bench.sent("NS_ackmsg").len(), 1, "the next due number covers the rest");
}

#[test]
fn a_duplicate_is_not_obeyed() {
    let mut bench = quiet();
    let message = bench.message("reqnodes", &[("dest", "nodea")]);
    bench.hears_on(0, message.clone());
    bench.hears_on(1, message);
    assert_eq!(bench.sent("repnodes").len(), 1);
}

/// The status of a peer that comes back often overtakes the report before it, and that report is not asked for.
#[test]
fn a_message_that_the_first_one_after_a_death_overtook_counts() {
    let mut bench = Bench::joined_hbd("local");
    bench.peer_silent();
    bench.run(5_000);
    assert!(bench.logged("node nodeb: is dead"));
    let report = bench.message("resource", &[("rsc_hold", "local"), ("rtype", "full"), ("isstable", "1")]);
    bench.peer_status();
    bench.hears(report.clone());
    assert!(bench.logged("Both machines own foreign resources!"), "{:?}", bench.log());
    bench.done.clear();
    bench.hears(report);
    assert!(bench.done.is_empty(), "once");
}
