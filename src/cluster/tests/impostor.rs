//! Packets under our own name or with our own uuid (02 §5 end, §13 traps 3 and 4).

use super::*;

/// The state that an impostor must not change.
fn state(bench: &Bench) -> String {
    format!("{:?}", bench.view())
}

#[test]
fn our_own_echo_is_ignored() {
    let mut bench = Bench::joined("local");
    let sent: Vec<_> = bench.sent("status");
    let before = state(&bench);
    bench.says("starting", &[]);
    let echoes: Vec<_> = sent.into_iter().chain(bench.sent("resource")).collect();
    bench.done.clear();
    for echo in echoes {
        bench.hears_on(0, echo.clone());
        bench.hears_on(1, echo);
    }
    assert!(bench.done.is_empty(), "{:?}", bench.done);
    bench.resource("local", "1", None);
    assert_eq!(state(&bench), before);
}

#[test]
fn our_own_echo_does_not_open_gate_one() {
    let mut bench = Bench::started();
    let echo = bench.sent("status")[0].clone();
    bench.hears(echo);
    assert!(bench.sent("reqnodes").is_empty());
}

/// A message of our former incarnation that the network delivers late.
#[test]
fn the_echo_of_our_former_incarnation_is_ignored() {
    let mut bench = Bench::joined("local");
    let echo = Bench::joined("local").core.handle(
        Moment { monotonic: Instant(ms(60_000)), wall: Duration::from_secs(WALL) },
        Event::Request { id: 1, request: Request::Shutdown },
    );
    for action in echo {
        if let Action::Send(message) = action {
            bench.hears(message.with("hg", "76"));
        }
    }
    assert!(bench.done.is_empty(), "{:?}", bench.done);
}

/// A real Heartbeat adopts the other machine's generation, rejects its own messages as a replay, and dies of it.
#[test]
fn a_machine_with_our_name_is_refused_and_named() {
    let mut bench = Bench::joined("local");
    let before = state(&bench);
    let impostor = |bench: &mut Bench, kind: &str, fields: &[(&str, &str)]| {
        let mut message =
            bench.unsequenced(kind, fields).with("src", "nodea").with("hg", "7fffffff").with("seq", "1");
        message.set("srcuuid", Value::Binary(vec![0xe; 16]));
        bench.hears(message);
    };
    impostor(&mut bench, "status", &[("st", "init"), ("dt", "0"), ("protocol", "1")]);
    impostor(&mut bench, "shutdone", &[("st", "dead")]);
    impostor(&mut bench, "resource", &[("rsc_hold", "all"), ("rtype", "full"), ("isstable", "1")]);
    assert_eq!(bench.story(), Vec::<String>::new());
    assert_eq!(state(&bench), before);
    let mut nameless = bench.status().with("src", "nodea");
    nameless.remove("srcuuid");
    bench.hears(nameless);
    assert_eq!(state(&bench), before);
}

#[test]
fn an_impostor_is_named_once_a_minute() {
    let mut bench = Bench::joined("local");
    let complaints = |bench: &mut Bench, seconds| {
        for _ in 0..seconds {
            let mut message = bench.status().with("src", "nodea");
            message.set("srcuuid", Value::Binary(vec![0xe; 16]));
            bench.hears(message);
            bench.run(1_000);
        }
        bench.log().into_iter().filter(|line| line.contains("under our name")).collect::<Vec<_>>()
    };
    let named = complaints(&mut bench, 130);
    assert_eq!(named.len(), 3, "{named:?}");
    assert!(named[0].starts_with("another machine sends under our name 'nodea': it is ignored."));
}

#[test]
fn a_cloned_uuid_is_refused_and_named() {
    let mut bench = Bench::joined("local");
    let before = state(&bench);
    let mut clone = bench.message("shutdone", &[("st", "dead")]);
    clone.set("srcuuid", Value::Binary(OURS.to_vec()));
    bench.hears(clone);
    assert!(bench.logged("node 'nodeb' sends with our uuid: it is ignored."));
    assert_eq!(bench.story(), Vec::<String>::new());
    assert_eq!(state(&bench), before);
}

/// The list of complaints is bounded: names come from the network.
#[test]
fn many_unknown_nodes_cannot_fill_the_log() {
    let mut bench = Bench::joined("local");
    for number in 0..1_000 {
        let stranger = Message::new("status").with("src", &format!("node{number}")).with("ts", "1").with("seq", "1");
        bench.hears(stranger);
    }
    assert!(bench.log().len() <= 64, "{} lines", bench.log().len());
}

/// nodeb's next message, from a machine with this uuid and generation.
fn disguised(bench: &mut Bench, uuid: u8, generation: &str, kind: &str, fields: &[(&str, &str)]) {
    let mut message = bench.unsequenced(kind, fields).with("hg", generation).with("seq", "1");
    message.set("srcuuid", Value::Binary(vec![uuid; 16]));
    bench.hears(message);
}

/// A machine with a copied ha.cf and node name: a real Heartbeat adopts its generation and ignores the true node for
/// ever.
#[test]
fn the_name_of_a_living_peer_cannot_be_borrowed() {
    let mut bench = Bench::joined("local");
    let before = state(&bench);
    disguised(&mut bench, 0xe, "7fffffff", "status", &[("st", "init"), ("dt", "0"), ("protocol", "1")]);
    disguised(&mut bench, 0xe, "7fffffff", "shutdone", &[("st", "dead")]);
    disguised(&mut bench, 0xe, "7fffffff", "resource", &[("rsc_hold", "all"), ("rtype", "full"), ("isstable", "1")]);
    assert!(bench.logged("two machines send under the name 'nodeb'"));
    assert_eq!(bench.story(), Vec::<String>::new());
    assert_eq!(state(&bench), before);
    bench.run(20_000);
    assert_eq!(bench.peer_state(), "active", "the true one is heard");
}

#[test]
fn a_peer_that_was_installed_anew_is_known_when_the_old_one_is_silent_or_has_left() {
    let new = |bench: &mut Bench| {
        disguised(bench, 0xd, "200", "status", &[("st", "init"), ("dt", "1770"), ("protocol", "1")]);
        assert_eq!(bench.view().nodes[1].generation, 0x200);
        assert!(!bench.logged("two machines"));
    };
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    bench.run(2_000);
    new(&mut bench);
    assert!(bench.logged("Heartbeat restart on node nodeb"), "warntime is over, the dead time is not");
    let mut bench = Bench::joined("local");
    bench.says("shutdone", &[("st", "dead")]);
    new(&mut bench);
}

/// The peer sent its report once, while we ignored it.
#[test]
fn a_peer_that_was_installed_anew_while_we_slept_is_asked_what_it_holds() {
    let mut bench = Bench::joined_hbd("local");
    let status = [("st", "active"), ("dt", "fa0"), ("protocol", "1"), ("hbd", "1 0.1.0")];
    disguised(&mut bench, 0xd, "200", "status", &status);
    disguised(&mut bench, 0xd, "200", "resource", &[("rsc_hold", "all"), ("rtype", "full"), ("isstable", "1")]);
    bench.peer_silent();
    bench.run(3_000);
    assert!(bench.sent("resource").iter().all(|report| report.text("hbd_void").is_none()));
    disguised(&mut bench, 0xd, "200", "status", &status);
    bench.run(10);
    let asked = |bench: &Bench| bench.sent("resource").iter().any(|report| report.text("hbd_void").is_some());
    assert!(bench.logged("Heartbeat restart on node nodeb") && asked(&bench), "{:?}", bench.log());
}

/// A living peer that is not stable is asked when that is due. Messages of another machine with its name cause no
/// attempt.
#[test]
fn an_impostor_causes_no_earlier_question_to_the_peer() {
    let mut bench = Bench::joined_hbd("local");
    bench.resource("local", "0", None);
    let mut asked = Vec::new();
    for second in 1..13 {
        disguised(&mut bench, 0xe, "7fffffff", "status", &[("st", "init"), ("dt", "0"), ("protocol", "1")]);
        bench.run(1_000);
        let voids = bench.field("resource", "hbd_void").iter().filter(|void| *void == "1").count();
        asked.resize(voids, second);
    }
    assert_eq!(asked, [5, 10]);
}

fn three() -> Bench {
    let mut bench = Bench::with(|settings| settings.nodes.push("nodec".into()));
    bench.feed(Event::Start);
    bench.peer_beats("active", 0xfa0);
    bench
}

/// A real Heartbeat renames the entry of the node with every packet, and declares both nodes dead.
#[test]
fn two_nodes_with_one_uuid_are_told_apart_by_name() {
    let mut bench = three();
    let clone = |bench: &Bench, seq: u64| {
        let fields = [("st", "active"), ("dt", "fa0"), ("protocol", "1")];
        bench.unsequenced("status", &fields).with("src", "nodec").with("seq", &format!("{seq:x}"))
    };
    for seq in 1..20 {
        let message = clone(&bench, seq);
        bench.hears(message);
        bench.run(1_000);
    }
    assert!(bench.logged("the nodes 'nodec' and 'nodeb' send with the same uuid"));
    let nodes: Vec<_> = bench.view().nodes.iter().map(|node| (node.name.clone(), node.status.clone())).collect();
    assert_eq!(nodes[1..], [("nodeb".into(), "active".into()), ("nodec".into(), "active".into())]);
    assert!(!bench.logged("replay") && !bench.logged("dead"), "{:?}", bench.log());
}
