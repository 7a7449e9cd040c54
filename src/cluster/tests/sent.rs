//! The form of our messages: fields, their order, number bases (01 §1.5.3, 02 §2).

use super::*;

/// The control fields of a sequenced and of an `NS_` message.
const C: &str = "src srcuuid seq hg ts ld ttl";
const N: &str = "src srcuuid hg ts ttl";

fn names(message: &Message) -> String {
    message.fields().iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(" ")
}

/// The last message of this type.
fn last(bench: &Bench, kind: &str) -> Message {
    bench.sent(kind).pop().unwrap_or_else(|| panic!("no {kind} was sent"))
}

fn assert_fields(bench: &Bench, kind: &str, body: &str, control: &str) {
    assert_eq!(names(&last(bench, kind)), format!("{body} {control}"));
}

#[test]
fn the_header_has_sender_time_and_incarnation() {
    let mut bench = Bench::with(|settings| settings.hopfudge = 3);
    bench.feed(Event::LoadAverage("2.08 1.60 0.83 6/144 102".into()));
    bench.now = ms(7_600);
    bench.feed(Event::Start);
    let status = &bench.sent("status")[0];
    assert_eq!(status.text("src"), Some("nodea"));
    assert_eq!(status.binary("srcuuid"), Some(&OURS[..]));
    assert_eq!(status.text("hg"), Some("77"), "hexadecimal");
    assert_eq!(status.text("ts"), Some("6b020007"), "hexadecimal seconds");
    assert_eq!(status.text("ld"), Some("2.08 1.60 0.83 6/144 102"));
    assert_eq!(status.text("ttl"), Some("5"), "hopfudge and the number of nodes, decimal");
}

#[test]
fn a_load_that_could_not_be_read_is_not_available() {
    assert_eq!(Bench::started().sent("status")[0].text("ld"), Some("n/a"));
}

#[test]
fn seq_rises_by_one_and_is_hexadecimal() {
    let mut bench = Bench::active();
    bench.resource("none", "1", None);
    bench.run(20_000);
    let seqs: Vec<_> = bench
        .done
        .iter()
        .filter_map(|(_, action)| match action {
            Action::Send(message) => message.text("seq").map(str::to_owned),
            _ => None,
        })
        .collect();
    let expected: Vec<_> = (1..=seqs.len()).map(|seq| format!("{seq:x}")).collect();
    assert!(seqs.len() > 0x1a);
    assert_eq!(seqs, expected, "NS_ messages do not consume a number");
}

#[test]
fn a_status_announces_the_extensions_after_what_a_real_node_knows() {
    let bench = Bench::started();
    assert_fields(&bench, "status", "t st dt protocol hbd hbd_heard", C);
    let status = last(&bench, "status");
    assert_eq!((status.text("protocol"), status.text("dt")), (Some("1"), Some("1770")));
    assert_eq!(status.text("hbd"), Some(concat!("5 ", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn starting_and_resource() {
    let mut bench = Bench::active();
    assert_fields(&bench, "starting", "t", C);
    bench.resource("none", "1", None);
    assert_fields(&bench, "resource", "t rsc_hold rtype isstable", C);
    let resource = last(&bench, "resource");
    assert_eq!(resource.text("rtype"), Some("full"));
    assert_eq!((resource.text("rsc_hold"), resource.text("isstable")), (Some("local"), Some("1")));
    bench.prompt = false;
    bench.end_steps();
    bench.request(Request::Shutdown);
    assert_fields(&bench, "resource", "t rsc_hold rtype isstable info", C);
}

/// No extension is used before the peer has shown it (docs/DECISIONS.md "How hbd knows an hbd peer").
#[test]
fn claims_are_sent_to_an_hbd_only() {
    let mut bench = Bench::joined_hbd("local");
    bench.says("starting", &[]);
    assert_fields(&bench, "resource", "t rsc_hold rtype isstable hbd_claim hbd_heard", C);
    let mut bench = Bench::joined("local");
    bench.says("starting", &[]);
    assert_fields(&bench, "resource", "t rsc_hold rtype isstable", C);
}

#[test]
fn no_extension_is_sent_after_an_hbd_was_replaced_by_a_heartbeat() {
    let mut bench = Bench::joined_hbd("local");
    bench.peer.hbd = None;
    bench.peer_restarts();
    bench.done.clear();
    bench.says("starting", &[]);
    assert_eq!(last(&bench, "resource").text("hbd_claim"), None);
}

#[test]
fn ask_resources_and_hb_takeover() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Takeover(Set::ALL));
    assert_fields(&bench, "hb_takeover", "t rsc_hold", C);
    let mut bench = Bench::joined("local");
    bench.request(Request::Standby(Set::ALL));
    assert_fields(&bench, "ask_resources", "t rsc_hold info", C);
}

#[test]
fn node_lists_are_addressed_with_the_uuid_and_repnodes_has_dest_first() {
    let mut bench = Bench::started();
    bench.peer_beats("init", 0x1770);
    assert_fields(&bench, "reqnodes", "t dest destuuid", C);
    bench.says("reqnodes", &[("dest", "nodea")]);
    assert_fields(&bench, "repnodes", "dest t nodelist delnodelist destuuid", C);
    let answer = last(&bench, "repnodes");
    assert_eq!(answer.binary("destuuid"), Some(&THEIRS[..]));
    assert_eq!(answer.text("nodelist"), Some("nodea nodeb "));
    assert_eq!(answer.text("delnodelist"), Some(" "));
}

/// 02 §13 trap 5: the peer would drop a message with an outdated uuid, so an unknown uuid is left out.
#[test]
fn an_unknown_uuid_is_left_out() {
    let mut bench = Bench::started();
    let mut status = bench.status();
    status.remove("srcuuid");
    bench.hears(status);
    assert_fields(&bench, "reqnodes", "t dest", C);
}

#[test]
fn acknowledgements_are_hexadecimal_and_unsequenced() {
    let mut bench = Bench::joined("local");
    bench.run(30_000);
    assert_fields(&bench, "NS_ackmsg", "t dest ackseq destuuid", N);
    let ack = last(&bench, "NS_ackmsg");
    assert_eq!(ack.text("dest"), Some("nodeb"));
    let acked = u64::from_str_radix(ack.text("ackseq").unwrap(), 16).unwrap();
    assert!(acked <= bench.peer.seq && bench.peer.seq - acked < 10, "{acked} of {}", bench.peer.seq);
}

/// 02 §13 trap 1: a common interoperability bug.
#[test]
fn requests_are_decimal() {
    let mut bench = Bench::joined("local");
    bench.peer.seq += 0x1a;
    bench.peer_status();
    bench.run(300);
    assert_fields(&bench, "NS_rexmit", "t dest firstseq lastseq destuuid", N);
    let mut asked = bench.field("NS_rexmit", "firstseq");
    assert_eq!(asked, bench.field("NS_rexmit", "lastseq"), "one number each");
    asked.sort_unstable();
    asked.dedup();
    let wanted: Vec<_> = (bench.peer.seq - 0x1a..bench.peer.seq).map(|seq| seq.to_string()).collect();
    assert_eq!(asked, wanted);
}

#[test]
fn refusals_are_hexadecimal() {
    let mut bench = Bench::joined("local");
    bench.run(530_000);
    bench.says_unsequenced("NS_rexmit", &[("dest", "nodea"), ("firstseq", "26"), ("lastseq", "26")]);
    assert_fields(&bench, "NS_nak_rexmit", "t firstseq dest info destuuid", N);
    let refusal = last(&bench, "NS_nak_rexmit");
    assert_eq!(refusal.text("firstseq"), Some("1a"));
    assert_eq!(refusal.text("info"), Some("seqno too low"));
}

#[test]
fn shutdone_and_stonith() {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    bench.run(5_000);
    assert_fields(&bench, "stonith", "t node result", C);
    bench.request(Request::Shutdown);
    assert_fields(&bench, "shutdone", "t st", C);
    assert_eq!(last(&bench, "shutdone").text("st"), Some("dead"));
}
