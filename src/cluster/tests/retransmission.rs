//! The peer requests messages of ours that it has not received (02 §6.1, §6.3).

use super::*;

/// We have sent many messages, and the peer has acknowledged none.
fn talkative(milliseconds: u64) -> Bench {
    let mut bench = Bench::joined("local");
    bench.run(milliseconds);
    bench
}

fn ask(bench: &mut Bench, first: u64, last: u64) -> Vec<Message> {
    let (first, last) = (first.to_string(), last.to_string());
    request(bench, &[("dest", "nodea"), ("firstseq", &first), ("lastseq", &last)])
}

/// What is sent because of a request with these fields.
fn request(bench: &mut Bench, fields: &[(&str, &str)]) -> Vec<Message> {
    let before = bench.done.len();
    bench.says_unsequenced("NS_rexmit", fields);
    let sent = bench.done[before..].iter().filter_map(|(_, action)| match action {
        Action::Send(message) => Some(message.clone()),
        _ => None,
    });
    sent.collect()
}

fn seqs(messages: &[Message]) -> Vec<u64> {
    messages.iter().map(|message| u64::from_str_radix(message.text("seq").unwrap(), 16).unwrap()).collect()
}

#[test]
fn a_message_is_sent_again_unchanged() {
    let mut bench = Bench::started();
    bench.peer_beats("up", 0x1770);
    let first = bench.sent("status")[0].clone();
    let asked = bench.sent("reqnodes")[0].clone();
    bench.feed(Event::LoadAverage("9 9 9".into()));
    bench.run(3_000);
    assert_eq!(ask(&mut bench, 1, 1), [first], "same seq, ts, ld, no dest added");
    let seq = u64::from_str_radix(asked.text("seq").unwrap(), 16).unwrap();
    assert_eq!(ask(&mut bench, seq, seq), [asked]);
}

#[test]
fn the_numbers_of_a_request_are_decimal() {
    let mut bench = talkative(30_000);
    assert_eq!(seqs(&ask(&mut bench, 10, 12)), [10, 11, 12]);
}

/// Unlike Heartbeat, whose search stops one slot short.
#[test]
fn the_newest_message_is_sent_again_too() {
    let mut bench = talkative(2_000);
    let newest = bench.sent("status").pop().unwrap();
    let seq = u64::from_str_radix(newest.text("seq").unwrap(), 16).unwrap();
    assert_eq!(ask(&mut bench, seq, seq), [newest]);
}

#[test]
fn the_same_number_is_not_sent_again_within_240_ms() {
    let mut bench = talkative(2_000);
    bench.peer_silent();
    assert_eq!(ask(&mut bench, 2, 2).len(), 1);
    bench.now += ms(239);
    assert_eq!(ask(&mut bench, 2, 2).len(), 0);
    bench.now += ms(1);
    assert_eq!(ask(&mut bench, 2, 2).len(), 1);
}

#[test]
fn fifty_messages_per_request() {
    let mut bench = talkative(120_000);
    assert_eq!(seqs(&ask(&mut bench, 5, 100)), (5..55).collect::<Vec<_>>());
    assert_eq!(seqs(&ask(&mut bench, 55, 100)), (55..101).collect::<Vec<_>>());
}

#[test]
fn a_message_that_is_no_longer_kept_is_refused() {
    let mut bench = talkative(600_000);
    let refusals = ask(&mut bench, 1, 2);
    let said: Vec<_> = refusals
        .iter()
        .map(|refusal| {
            let text = |name| refusal.text(name).unwrap_or("-").to_owned();
            [text("t"), text("firstseq"), text("dest"), text("info")]
        })
        .collect();
    let refusal = |number: &str| ["NS_nak_rexmit", number, "nodeb", "seqno too low"].map(str::to_owned);
    assert_eq!(said, [refusal("1"), refusal("2")]);
}

#[test]
fn five_hundred_messages_are_kept() {
    let mut bench = talkative(600_000);
    let newest = bench.sent("status").pop().unwrap();
    let newest = u64::from_str_radix(newest.text("seq").unwrap(), 16).unwrap();
    assert_eq!(seqs(&ask(&mut bench, newest - 499, newest - 499)), [newest - 499]);
    assert_eq!(ask(&mut bench, newest - 500, newest - 500)[0].kind(), Some("NS_nak_rexmit"));
}

#[test]
fn a_number_that_was_never_sent_is_ignored() {
    let mut bench = talkative(2_000);
    assert!(ask(&mut bench, 5_000, 5_001).is_empty());
}

#[test]
fn an_acknowledged_message_is_not_sent_again() {
    let mut bench = talkative(30_000);
    bench.says_unsequenced("NS_ackmsg", &[("dest", "nodea"), ("ackseq", "14")]);
    assert_eq!(seqs(&ask(&mut bench, 18, 22)), [21, 22]);
}

#[test]
fn an_acknowledgement_for_another_node_or_of_nonsense_is_ignored() {
    let mut bench = talkative(30_000);
    bench.says_unsequenced("NS_ackmsg", &[("dest", "nodec"), ("ackseq", "14")]);
    bench.says_unsequenced("NS_ackmsg", &[("dest", "nodea"), ("ackseq", "ffff")]);
    bench.says_unsequenced("NS_ackmsg", &[("dest", "nodea"), ("ackseq", "none")]);
    bench.says_unsequenced("NS_ackmsg", &[("dest", "nodea")]);
    assert_eq!(seqs(&ask(&mut bench, 18, 19)), [18, 19]);
}

#[test]
fn a_new_incarnation_gets_messages_that_the_old_one_acknowledged() {
    let mut bench = talkative(30_000);
    bench.says_unsequenced("NS_ackmsg", &[("dest", "nodea"), ("ackseq", "14")]);
    bench.peer_restarts();
    assert_eq!(seqs(&ask(&mut bench, 18, 19)), [18, 19]);
}

/// 02 §7.5: when a node is declared dead, its acknowledgements are forgotten.
#[test]
fn a_node_that_returns_from_a_partition_gets_acknowledged_messages_again() {
    let mut bench = talkative(30_000);
    bench.says_unsequenced("NS_ackmsg", &[("dest", "nodea"), ("ackseq", "14")]);
    bench.peer_silent();
    bench.run(5_000);
    bench.peer_status();
    assert_eq!(seqs(&ask(&mut bench, 18, 19)), [18, 19]);
}

#[test]
fn a_request_to_another_node_is_ignored() {
    let mut bench = talkative(2_000);
    assert!(request(&mut bench, &[("dest", "nodec"), ("firstseq", "2"), ("lastseq", "2")]).is_empty());
    assert_eq!(request(&mut bench, &[("firstseq", "2"), ("lastseq", "2")]).len(), 1, "without dest it is");
}

/// 01 §1.10 row 31.
#[test]
fn a_request_that_makes_no_sense_is_ignored() {
    let mut bench = talkative(30_000);
    for (first, last) in [("3", "2"), ("0", "3"), ("-1", "3"), ("0x2", "3"), ("", ""), ("2", "99999999999999999999")]
    {
        let sent = request(&mut bench, &[("dest", "nodea"), ("firstseq", first), ("lastseq", last)]);
        assert!(sent.is_empty(), "[{first}:{last}] made us send {sent:?}");
    }
    assert!(request(&mut bench, &[("dest", "nodea"), ("firstseq", "2")]).is_empty());
    assert!(request(&mut bench, &[("dest", "nodea"), ("lastseq", "2")]).is_empty());
}
