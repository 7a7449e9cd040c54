//! Chapter 02 beyond two nodes on one link: several links, three and four nodes, clock steps, flow control, and the
//! less important messages of the node layer.

use super::*;

const ALIVE: &[(&str, &str)] = &[("st", "active"), ("dt", "fa0"), ("protocol", "1")];

/// A message of another node.
fn of(node: u8, kind: &str, seq: u64, fields: &[(&str, &str)]) -> Message {
    let mut message = Message::new(kind);
    for (name, value) in fields {
        message.set_text(name, value);
    }
    message.set_text("src", &format!("node{}", char::from(node)));
    message.set("srcuuid", Value::Binary(vec![node; 16]));
    message.with("seq", &format!("{seq:x}")).with("hg", "100").with("ts", "6b020000").with("ttl", "5")
}

fn with_nodes(names: &[&str]) -> Bench {
    let mut bench = Bench::with(|settings| settings.nodes = names.iter().map(|name| (*name).into()).collect());
    bench.feed(Event::Start);
    bench
}

fn statuses(bench: &Bench) -> Vec<String> {
    bench.view().nodes.iter().map(|node| node.status.clone()).collect()
}

#[test]
fn a_dead_link_is_a_warning_and_moves_nothing() {
    let mut bench = Bench::joined("local");
    let status = bench.status();
    bench.hears_on(0, status.clone());
    bench.hears_on(1, status);
    bench.story();
    bench.run(10_000);
    let record = bench.done.iter().find_map(|(_, action)| match action {
        Action::Log(record) if record.text() == "Link nodeb:eth1 dead." => Some(record.clone()),
        _ => None,
    });
    let record = record.unwrap();
    assert_eq!(record.priority(), crate::cluster::Priority::Warning);
    assert_eq!((record.subject().node, record.subject().link), (Some("nodeb"), Some("eth1")));
    assert_eq!(bench.links(), [true, false]);
    assert_eq!(bench.peer_state(), "active");
    assert_eq!(bench.story(), Vec::<String>::new());
}

#[test]
fn either_link_keeps_the_peer_alive() {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    for second in 0..20 {
        bench.run(1_000);
        let status = bench.status();
        bench.hears_on(if second < 10 { 0 } else { 1 }, status);
    }
    assert!(!bench.logged("is dead"));
    assert_eq!(bench.links(), [false, true]);
    assert!(bench.logged("Link nodeb:eth1 up.") && bench.logged("Link nodeb:eth0 dead."));
}

#[test]
fn only_the_loss_of_the_last_link_is_a_partition() {
    let mut bench = Bench::joined("local");
    let status = bench.status();
    bench.hears_on(0, status.clone());
    bench.hears_on(1, status);
    bench.peer_silent();
    bench.run(4_001);
    assert!(bench.logged("node nodeb: is dead"));
    assert_eq!(bench.links(), [false, false]);
    assert_eq!(bench.view().hold.word(), "all");
}

#[test]
fn a_message_that_comes_on_every_link_is_obeyed_once() {
    let mut bench = Bench::joined("local");
    let ask = bench.message("ask_resources", &[("rsc_hold", "all"), ("info", "me")]);
    for link in [0, 1, 1, 0] {
        bench.hears_on(link, ask.clone());
    }
    assert_eq!(bench.story(), ["ask_resources all other"]);
    assert_eq!(bench.links(), [true, true]);
}

/// 02 §7.4: a real Heartbeat uses the dead time of the last node in its table for every link.
#[test]
fn a_link_is_timed_out_by_its_own_nodes_dead_time() {
    let mut bench = with_nodes(&["nodea", "nodeb", "nodec"]);
    bench.hears(of(b'b', "status", 1, ALIVE));
    bench.hears(of(b'c', "status", 1, &[("st", "active"), ("dt", "4e20"), ("protocol", "1")]));
    bench.says("repnodes", &[("dest", "nodea"), ("nodelist", "nodea nodeb nodec "), ("delnodelist", " ")]);
    bench.run(9_000);
    let log = bench.log();
    assert!(log.contains(&"node nodeb: is dead".into()) && log.contains(&"Link nodeb:eth0 dead.".into()), "{log:?}");
    assert!(!log.contains(&"Link nodec:eth0 dead.".into()), "{log:?}");
}

#[test]
fn with_three_nodes_each_lives_and_dies_by_itself() {
    let mut bench = with_nodes(&["nodea", "nodeb", "nodec"]);
    bench.hears(of(b'b', "status", 1, ALIVE));
    assert!(bench.sent("reqnodes").is_empty(), "gate 1 waits for nodec");
    bench.hears(of(b'c', "status", 1, ALIVE));
    assert_eq!(bench.field("reqnodes", "dest"), ["nodeb"]);
    bench.hears(of(
        b'c',
        "repnodes",
        2,
        &[("dest", "nodea"), ("nodelist", "nodea nodeb nodec "), ("delnodelist", " ")],
    ));
    assert_eq!(bench.view().state, "active", "any answer opens gate 2");
    for seq in 3..13 {
        bench.run(1_000);
        bench.hears(of(b'c', "status", seq, ALIVE));
    }
    assert_eq!(statuses(&bench), ["active", "dead", "active"]);
    bench.hears(of(b'b', "status", 2, ALIVE));
    assert!(bench.logged("Cluster node nodeb returning after partition."));
    assert_eq!(statuses(&bench), ["active", "active", "active"]);
}

#[test]
fn with_four_nodes_the_next_is_asked_when_the_first_dies() {
    let mut bench = with_nodes(&["nodea", "nodeb", "nodec", "noded"]);
    for node in *b"bcd" {
        bench.hears(of(node, "status", 1, ALIVE));
    }
    for seq in 2..8 {
        bench.run(1_000);
        bench.hears(of(b'c', "status", seq, ALIVE));
        bench.hears(of(b'd', "status", seq, ALIVE));
    }
    let asked = bench.field("reqnodes", "dest");
    assert!(asked.iter().take(4).all(|dest| dest == "nodeb") && asked.contains(&"nodec".into()), "{asked:?}");
    assert!(!asked.contains(&"noded".into()), "{asked:?}");
    assert_eq!(bench.field("status", "ttl").last().unwrap(), "5", "hopfudge and four nodes");
}

/// Resource groups are for two nodes (03 §1). The configuration refuses more nodes, and the core does nothing with
/// them.
#[test]
fn with_three_nodes_nothing_is_started_stopped_or_given() {
    let mut bench = with_nodes(&["nodea", "nodeb", "nodec"]);
    bench.hears(of(b'b', "status", 1, ALIVE));
    bench.run(10_100);
    bench.hears(of(b'b', "repnodes", 2, &[("dest", "nodea"), ("nodelist", "nodea nodeb nodec ")]));
    bench.hears(of(b'b', "starting", 3, &[]));
    bench.hears(of(b'b', "resource", 4, &[("rsc_hold", "none"), ("rtype", "full"), ("isstable", "1")]));
    bench.hears(of(b'b', "ask_resources", 5, &[("rsc_hold", "all"), ("info", "me")]));
    bench.hears(of(b'b', "ip-request", 6, &[("ipaddr", "b1")]));
    bench.hears(of(b'b', "shutdone", 7, &[("st", "dead")]));
    bench.run(60_000);
    let story = bench.story();
    assert!(!story.iter().any(|line| line.starts_with("start ") || line.starts_with("stop ")), "{story:?}");
    bench.request(Request::Shutdown);
    assert_eq!(bench.story().last().unwrap(), "exit");
}

/// 02 §7.8: only `ts` of our messages shows the step.
#[test]
fn a_step_of_our_clock_declares_nobody_dead() {
    for (back, wall) in [(true, 0), (true, WALL - 86_400), (false, WALL + 86_400)] {
        let mut bench = Bench::joined("local");
        let before = bench.log().len();
        for second in 1..20 {
            bench.run(1_000);
            let moment = Moment { monotonic: Instant(bench.now), wall: Duration::from_secs(wall + second) };
            let message = bench.status();
            let actions = bench.core.handle(moment, Event::Received { link: 0, message });
            let said = actions.iter().filter(|action| matches!(action, Action::Log(_))).count();
            assert_eq!(said, 0, "back {back}: {actions:?}");
        }
        assert_eq!(bench.log().len(), before);
        assert_eq!(bench.peer_state(), "active");
    }
}

#[test]
fn a_clock_at_zero_is_no_reason_to_be_dropped() {
    let mut bench = Bench::with(|_| {});
    let moment = Moment { monotonic: Instant(bench.now), wall: Duration::ZERO };
    let actions = bench.core.handle(moment, Event::Start);
    let stamps = actions.iter().filter_map(|action| match action {
        Action::Send(message) => message.text("ts"),
        _ => None,
    });
    assert!(stamps.into_iter().all(|ts| ts == "1"), "zero is no time to a real node (02 §13 trap 24)");
}

#[test]
fn a_step_of_the_peers_clock_declares_nobody_dead() {
    for ts in ["1", "ffffffff"] {
        let mut bench = Bench::joined("local");
        bench.peer_silent();
        for _ in 0..10 {
            bench.run(1_000);
            let status = bench.status().with("ts", ts);
            bench.hears(status);
        }
        assert_eq!(bench.peer_state(), "active", "{ts}");
        assert_eq!(bench.log(), Vec::<String>::new());
    }
}

/// 02 §6.6: the peer gets all messages, and no queue grows.
#[test]
fn a_peer_that_never_acknowledges_gets_all_messages() {
    let mut bench = Bench::joined("local");
    bench.run(300_000);
    assert_eq!(bench.peer_state(), "active");
    bench.request(Request::Standby(crate::cluster::Set::ALL));
    assert_eq!(bench.story(), ["ask_resources all me"]);
}

/// 02 §6.6, §13 trap 9: in a real cluster one such status ends flow control for all nodes.
#[test]
fn a_status_without_protocol_switches_nothing_off() {
    let mut bench = Bench::started();
    let mut status = bench.status().with("st", "active");
    status.remove("protocol");
    bench.hears(status);
    assert_eq!(bench.field("reqnodes", "dest"), ["nodeb"], "the node list is asked for");
    bench.run(12_000);
    assert!(bench.field("status", "protocol").iter().all(|protocol| protocol == "1"));
    let mut bench = Bench::joined("local");
    for _ in 0..20 {
        let mut status = bench.status();
        status.remove("protocol");
        bench.hears(status);
    }
    assert_eq!(bench.sent("NS_ackmsg").len(), 2, "acknowledged as before");
}

/// 02 §3.1: a tool on the asking node waits for the answer.
#[test]
fn the_question_for_an_api_client_is_answered_offline() {
    let mut bench = Bench::joined("local");
    bench.says("query-cstatus", &[("dest", "nodea"), ("cn", "ipfail"), ("from_id", "cl_status-4711")]);
    let answer = bench.sent("respond-cstatus").pop().unwrap();
    let fields: Vec<_> = answer.fields().iter().take(6).map(|field| field.name.as_str()).collect();
    assert_eq!(fields, ["t", "dest", "result", "cn", "to_id", "cs"]);
    let text = |name| answer.text(name).unwrap();
    assert_eq!(
        (text("dest"), text("cn"), text("to_id"), text("cs")),
        ("nodeb", "ipfail", "cl_status-4711", "offline")
    );
    bench.says("query-cstatus", &[("dest", "nodea")]);
    bench.says("query-cstatus", &[("dest", "nodec"), ("cn", "ipfail"), ("from_id", "x")]);
    assert_eq!(bench.sent("respond-cstatus").len(), 1);
}

/// 02 §8.4: the node table is ha.cf's.
#[test]
fn addnode_and_delnode_are_logged_and_not_obeyed() {
    for change in ["addnode", "delnode"] {
        let mut bench = Bench::joined("local");
        bench.says(change, &[("nodelist", "nodec ")]);
        assert!(bench.logged(&format!("{change} 'nodec' from node nodeb is ignored")));
        assert_eq!(bench.view().nodes.len(), 2);
    }
}

/// `hbgenmethod time` twice within a second, or a machine that was restored from a snapshot: the sequence numbers
/// begin anew in the same generation, and are ignored until they exceed those of the former incarnation.
#[test]
fn a_restart_with_the_same_generation_is_heard_when_its_numbers_pass_the_old() {
    let mut bench = Bench::joined("local");
    let last = bench.peer.seq;
    bench.peer.seq = 0;
    bench.run(1_000 * (last + 5));
    assert!(bench.logged("node nodeb: is dead") && !bench.logged("Heartbeat restart on node nodeb"));
    assert!(bench.logged("Cluster node nodeb returning after partition."));
    assert_eq!(bench.peer_state(), "active");
}

/// 02 §9.2: the peer reads its ha.cf again. It is silent for a moment, keeps its resources, and has another
/// generation.
#[test]
fn a_reload_of_the_peer_moves_nothing() {
    let mut bench = Bench::joined("local");
    bench.peer_beats("active", 0x88b8);
    bench.peer_silent();
    bench.run(3_000);
    bench.peer_restarts();
    bench.peer_beats("active", 0x1770);
    bench.story();
    bench.says("starting", &[]);
    bench.resource("local", "1", None);
    assert_eq!(bench.story(), ["resource local 1", "resource local 1"]);
    bench.run(60_000);
    assert_eq!(bench.story(), Vec::<String>::new());
    assert!(!bench.logged("is dead"), "{:?}", bench.log());
}
