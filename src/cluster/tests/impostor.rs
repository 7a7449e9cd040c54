//! Packets under our own name or with our own uuid (02 §5 end, §13 traps 3 and 4).

use super::*;

/// The state that an impostor must not change.
fn state(bench: &Bench) -> String {
    format!("{:?}", bench.view())
}

#[test]
fn our_own_echo_is_nothing() {
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

/// What our former incarnation sent and some queue delivers late.
#[test]
fn the_echo_of_our_former_incarnation_is_nothing() {
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

/// A real Heartbeat adopts its generation, rejects itself as a replay and dies of it.
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
fn a_crowd_of_strangers_cannot_fill_the_log() {
    let mut bench = Bench::joined("local");
    for number in 0..1_000 {
        let stranger = Message::new("status").with("src", &format!("node{number}")).with("ts", "1").with("seq", "1");
        bench.hears(stranger);
    }
    assert!(bench.log().len() <= 64, "{} lines", bench.log().len());
}
