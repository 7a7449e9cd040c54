//! Messages that a receiver must reject although their digest is right (01 §1.10 rows 20 to 33), and messages that it
//! must not reject.

use super::*;

/// A peer that sends only what the test lets it send.
fn quiet() -> Bench {
    let mut bench = Bench::joined("local");
    bench.peer_beats("active", 1_000_000);
    bench.peer_silent();
    bench.done.clear();
    bench
}

/// The peer sends `reqnodes`, changed by `change`.
fn spoilt(change: impl FnOnce(&mut Message)) -> Bench {
    let mut bench = quiet();
    let mut message = bench.message("reqnodes", &[("dest", "nodea")]);
    change(&mut message);
    bench.hears_on(1, message);
    bench
}

/// The message was dropped: it was not answered, and did not count as heard on its link.
fn assert_dropped(bench: &Bench) {
    assert!(bench.sent("repnodes").is_empty(), "it was obeyed");
    assert!(!bench.links()[1], "its link was refreshed");
}

#[track_caller]
fn assert_obeyed(bench: &Bench) {
    assert_eq!(bench.sent("repnodes").len(), 1, "{:?}", bench.log());
}

#[test]
fn an_unspoilt_message_is_obeyed() {
    assert_obeyed(&spoilt(|_| {}));
}

#[test]
fn row_20_type_source_or_time_missing() {
    for name in ["t", "src", "ts"] {
        assert_dropped(&spoilt(|message| message.remove(name)));
    }
}

#[test]
fn row_21_time_zero_or_not_hexadecimal() {
    for ts in ["0", "now", "", "-1"] {
        assert_dropped(&spoilt(|message| message.set_text("ts", ts)));
    }
}

#[test]
fn row_22_no_sequence_number() {
    assert_dropped(&spoilt(|message| message.remove("seq")));
}

#[test]
fn row_23_sequence_number_zero_or_not_hexadecimal() {
    for seq in ["0", "x", "", "-1", "10000000000000000"] {
        assert_dropped(&spoilt(|message| message.set_text("seq", seq)));
    }
    let mut bench = quiet();
    let ack = bench.unsequenced("NS_ackmsg", &[("dest", "nodea"), ("ackseq", "1"), ("seq", "x")]);
    bench.hears_on(1, ack);
    assert_dropped(&bench);
}

#[test]
fn a_generation_that_is_not_hexadecimal() {
    assert_dropped(&spoilt(|message| message.set_text("hg", "new")));
}

#[test]
fn row_24_unknown_nodes_are_named_once() {
    let mut bench = quiet();
    for seq in 1..5 {
        let stranger = Message::new("reqnodes").with("dest", "nodea").with("src", "nodec").with("ts", "1");
        bench.hears_on(1, stranger.with("seq", &seq.to_string()));
    }
    assert_dropped(&bench);
    assert_eq!(bench.log(), ["process_status_message: bad node [nodec] in message"]);
}

#[test]
fn names_are_compared_exactly() {
    assert_dropped(&spoilt(|message| {
        message.remove("srcuuid");
        message.set_text("src", "NodeB");
    }));
}

/// 02 §5 step 4: first by uuid. Unlike Heartbeat the node keeps its name.
#[test]
fn a_known_uuid_is_the_node_whatever_its_name() {
    let bench = spoilt(|message| message.set_text("src", "NodeB"));
    assert_obeyed(&bench);
    assert_eq!(bench.view().nodes[1].name, "nodeb");
    assert_eq!(bench.field("repnodes", "dest"), ["nodeb"]);
}

#[test]
fn row_26_a_lower_generation() {
    assert_dropped(&spoilt(|message| message.set_text("hg", "ff")));
    assert_dropped(&spoilt(|message| message.remove("hg")));
}

#[test]
fn row_27_the_number_just_seen_marks_its_link_up() {
    let mut bench = quiet();
    let message = bench.message("reqnodes", &[("dest", "nodea")]);
    bench.hears_on(0, message.clone());
    bench.hears_on(1, message);
    assert_obeyed(&bench);
    assert_eq!(bench.links(), [true, true]);
}

#[test]
fn row_28_an_older_number_that_is_not_missing() {
    let mut bench = quiet();
    let message = bench.message("reqnodes", &[("dest", "nodea")]);
    bench.hears(message.clone());
    bench.says("site-message", &[]);
    bench.hears_on(1, message);
    assert_obeyed(&bench);
    assert!(!bench.links()[1]);
}

#[test]
fn row_29_for_another_node() {
    let mut bench = spoilt(|message| message.set_text("dest", "nodec"));
    assert_dropped(&bench);
    bench.says("reqnodes", &[("dest", "nodea")]);
    bench.run(1_000);
    assert!(bench.sent("NS_rexmit").is_empty(), "its number was seen");
}

/// 02 §13 trap 5: `destuuid` counts, `dest` does not.
#[test]
fn the_uuid_of_the_addressee_decides_alone() {
    assert_dropped(&spoilt(|message| message.set("destuuid", Value::Binary(vec![0xc; 16]))));
    assert_obeyed(&spoilt(|message| {
        message.set_text("dest", "nodec");
        message.set("destuuid", Value::Binary(OURS.to_vec()));
    }));
}

#[test]
fn a_uuid_of_zeros_or_of_a_wrong_length_addresses_nobody() {
    for uuid in [vec![0; 16], vec![0xc; 15], Vec::new()] {
        assert_obeyed(&spoilt(|message| message.set("destuuid", Value::Binary(uuid.clone()))));
        assert_dropped(&spoilt(|message| {
            message.set_text("dest", "nodec");
            message.set("destuuid", Value::Binary(uuid.clone()));
        }));
    }
}

#[test]
fn a_message_without_dest_is_for_everybody() {
    assert_obeyed(&spoilt(|message| message.remove("dest")));
}

#[test]
fn row_30_unsequenced_for_another_node() {
    let mut bench = quiet();
    // Only the name counts here, not `destuuid`.
    let mut request = bench.unsequenced("NS_rexmit", &[("dest", "nodec"), ("firstseq", "1"), ("lastseq", "1")]);
    request.set("destuuid", Value::Binary(OURS.to_vec()));
    bench.hears_on(1, request);
    assert_dropped(&bench);
    assert!(bench.sent("status").is_empty());
    let mut request = bench.unsequenced("NS_rexmit", &[("dest", "nodea"), ("firstseq", "1"), ("lastseq", "1")]);
    request.set("destuuid", Value::Binary(vec![0xc; 16]));
    bench.hears(request);
    assert_eq!(bench.sent("status").len(), 1);
}

#[test]
fn row_32_a_status_without_st() {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    let last = bench.clock();
    bench.run(2_000);
    bench.says("status", &[("dt", "fa0"), ("protocol", "1")]);
    bench.says("status", &[("st", "upset?"), ("dt", "fa0"), ("protocol", "1")]);
    bench.says("status", &[("st", "ping"), ("dt", "fffff"), ("protocol", "1")]);
    assert_eq!(bench.view().nodes[1].dead_time, ms(4_000));
    bench.run(4_000);
    // `upset?` begins with `up`, and only the beginning counts (02 §1.2).
    assert_eq!(bench.peer_state(), "up");
    bench.run(1);
    assert_eq!(bench.logged_at("is dead"), Some(last + 6_001));
}

#[test]
fn row_33_a_uuid_of_a_wrong_length_is_treated_as_absent() {
    let bench = spoilt(|message| message.set("srcuuid", Value::Binary(vec![1, 2, 3])));
    assert_obeyed(&bench);
    let answer = &bench.sent("repnodes")[0];
    assert_eq!(answer.binary("destuuid"), Some(&THEIRS[..]), "the one we know stays");
}

#[test]
fn a_uuid_that_is_text_is_treated_as_absent() {
    assert_obeyed(&spoilt(|message| message.set_text("srcuuid", "0123456789abcdef")));
}

#[test]
fn a_new_uuid_is_learnt() {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    bench.run(5_000);
    let mut message = bench.message("reqnodes", &[("dest", "nodea")]);
    message.set("srcuuid", Value::Binary(vec![0xd; 16]));
    bench.hears(message);
    assert_eq!(bench.sent("repnodes")[0].binary("destuuid"), Some(&[0xd; 16][..]));
}

#[test]
fn oddities_that_are_no_reason_to_reject() {
    assert_obeyed(&spoilt(|message| {
        message.remove("ld");
        message.remove("ttl");
        message.remove("srcuuid");
    }));
    assert_obeyed(&spoilt(|message| message.set_text("ts", "1")));
    assert_obeyed(&spoilt(|message| message.set_text("flavour", "vanilla")));
    assert_obeyed(&spoilt(|message| {
        message.push("t", Value::Text(b"status".to_vec()));
        message.push("seq", Value::Text(b"0".to_vec()));
    }));
    let mut bench = quiet();
    bench.says("no-such-type", &[]);
    bench.says_unsequenced("NS_no_such_type", &[]);
    bench.says("ip-request-resp", &[("dest", "nodea"), ("ipaddr", "a1"), ("weown", "yes"), ("ok", "OK")]);
    bench.says("stonith", &[("node", "nodeb"), ("result", "n_stnth")]);
    assert_eq!(bench.log(), Vec::<String>::new());
}

#[test]
fn a_text_that_is_not_utf_8_is_no_text() {
    assert_dropped(&spoilt(|message| message.set("src", Value::Text(vec![0xff, 0xfe]))));
}

#[test]
fn a_message_on_an_unknown_link_is_accepted() {
    let mut bench = quiet();
    let message = bench.message("reqnodes", &[("dest", "nodea")]);
    bench.hears_on(7, message);
    assert_obeyed(&bench);
}
