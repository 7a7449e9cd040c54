//! From the first packet to `active` (02 §4).

use super::*;

/// (`st`, `dt`, `seq`) of the statuses sent so far.
fn statuses(bench: &Bench) -> Vec<[String; 3]> {
    let sent = bench.sent("status");
    let text = |message: &Message, name| message.text(name).unwrap().to_owned();
    sent.iter().map(|message| [text(message, "st"), text(message, "dt"), text(message, "seq")]).collect()
}

#[test]
fn the_first_packets_are_init_up_up_with_two_more_seconds_of_dead_time() {
    let bench = Bench::started();
    assert_eq!(statuses(&bench), [["init", "1770", "1"], ["up", "1770", "2"], ["up", "1770", "3"]]);
    assert!(bench.logged("Local status now set to: 'up'"));
}

#[test]
fn nothing_is_sent_before_the_start() {
    let bench = Bench::with(|_| {});
    assert_eq!(bench.core.next_deadline(), None);
    assert!(bench.done.is_empty());
}

#[test]
fn after_five_seconds_an_extra_status_announces_the_plain_dead_time() {
    let mut bench = Bench::with(|settings| settings.timing.keepalive = ms(1_100));
    bench.feed(Event::Start);
    bench.run(9_000);
    let sent: Vec<_> =
        bench.sent_at("status").iter().map(|(at, status)| (*at, status.text("dt").unwrap().to_owned())).collect();
    let expected = [0, 0, 0, 1_100, 2_200, 3_300, 4_400].map(|at| (at, "1770".to_owned()));
    let plain = [5_000, 5_500, 6_600, 7_700, 8_800].map(|at| (at, "fa0".to_owned()));
    assert_eq!(sent, [&expected[..], &plain[..]].concat());
}

/// Of two hbds neither needs it: a crash in the first seconds costs no more than a later one (05 §5.1).
#[test]
fn the_plain_dead_time_is_announced_as_soon_as_the_peer_shows_that_it_is_an_hbd() {
    let mut bench = Bench::started();
    bench.run(300);
    bench.peer.hbd = Some("1 0.1.0");
    bench.peer_beats("init", 0x1770);
    let last = statuses(&bench).pop().unwrap();
    assert_eq!(last[1], "fa0");
    bench.run(6_000);
    let said = statuses(&bench);
    assert!(said.iter().skip_while(|status| status[1] == "1770").all(|status| status[1] == "fa0"), "{said:?}");
    let late: Vec<u64> = bench.sent_at("status").iter().map(|(at, _)| *at).filter(|at| *at > 4_000).collect();
    assert!(late.windows(2).all(|pair| pair[1] - pair[0] == 1_000), "no extra one at 5 s: {late:?}");
}

#[test]
fn a_newcomer_is_asked_for_its_nodes_as_soon_as_it_is_heard() {
    let mut bench = Bench::started();
    bench.run(300);
    bench.peer_beats("init", 0x1770);
    let asked = bench.sent_at("reqnodes");
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].0, asked[0].1.text("dest")), (300, Some("nodeb")));
    assert_eq!(bench.view().state, "up");
    assert!(bench.sent("starting").is_empty(), "nothing is said about resources before active");
}

/// Unlike Heartbeat, to which any message shows that the node is there: one without a number may be a repetition.
#[test]
fn an_acknowledgement_opens_nothing() {
    let mut bench = Bench::started();
    bench.says_unsequenced("NS_ackmsg", &[("dest", "nodea"), ("ackseq", "1")]);
    assert!(bench.sent("reqnodes").is_empty());
}

#[test]
fn a_message_that_is_dropped_before_the_node_lookup_opens_nothing() {
    let mut bench = Bench::started();
    let mut numberless = bench.status();
    numberless.remove("seq");
    bench.hears(numberless);
    let timeless = bench.status().with("ts", "0");
    bench.hears(timeless);
    let misnumbered = bench.status().with("seq", "x");
    bench.hears(misnumbered);
    assert!(bench.sent("reqnodes").is_empty());
}

#[test]
fn reqnodes_is_repeated_every_second_until_it_is_answered() {
    let mut bench = Bench::started();
    bench.run(300);
    bench.peer_beats("up", 0x1770);
    bench.run(3_200);
    let asked: Vec<_> = bench.sent_at("reqnodes").iter().map(|(at, _)| *at).collect();
    assert_eq!(asked, [300, 1_300, 2_300, 3_300]);
    assert!(bench.sent("status").iter().all(|status| status.text("st") != Some("active")));
    bench.says("repnodes", &[("dest", "nodea"), ("nodelist", "nodea nodeb "), ("delnodelist", " ")]);
    bench.run(5_000);
    assert_eq!(bench.sent("reqnodes").len(), 4);
}

#[test]
fn repnodes_makes_active_status_first_then_starting() {
    let mut bench = Bench::started();
    bench.peer_beats("up", 0x1770);
    bench.done.clear();
    bench.says("repnodes", &[("dest", "nodea"), ("nodelist", "nodea nodeb "), ("delnodelist", " ")]);
    let sent: Vec<_> = bench
        .done
        .iter()
        .filter_map(|(_, action)| match action {
            Action::Send(message) => Some((message.kind().unwrap(), message.text("st"))),
            _ => None,
        })
        .collect();
    assert_eq!(sent, [("status", Some("active")), ("starting", None)]);
    assert!(bench.logged("Comm_now_up(): updating status to active"));
    assert!(bench.logged("Local status now set to: 'active'"));
    assert_eq!(bench.view().state, "active");
}

/// Any `repnodes` of any node will do, whether it was asked for or not, but a node becomes active only once.
#[test]
fn a_second_repnodes_changes_nothing() {
    let mut bench = Bench::active();
    bench.done.clear();
    bench.says("repnodes", &[("dest", "nodea"), ("nodelist", "nodea nodeb "), ("delnodelist", " ")]);
    assert!(bench.sent("status").is_empty() && bench.sent("starting").is_empty());
}

#[test]
fn a_peer_that_dies_before_it_answers_is_asked_no_longer() {
    let mut bench = Bench::started();
    bench.peer_beats("up", 0xfa0);
    bench.peer_silent();
    bench.run(6_000);
    assert_eq!(bench.logged_at("node nodeb: is dead"), Some(4_001));
    assert_eq!(bench.view().state, "active");
    let last = bench.sent_at("reqnodes").last().unwrap().0;
    assert!(last <= 4_001, "asked a dead node at {last}");
}

#[test]
fn without_a_peer_active_comes_after_initdead() {
    let mut bench = Bench::started();
    bench.run(9_999);
    assert_eq!(bench.view().state, "up");
    bench.run(2);
    assert_eq!(bench.view().state, "active");
    assert_eq!(bench.logged_at("node nodeb: is dead"), Some(10_001));
}

/// Until gate 1 opens, the dead time of every node is initdead, whatever its `dt` says. The same holds for a node
/// that was heard without a status.
#[test]
fn a_peer_without_a_status_dies_initdead_after_our_start() {
    let mut bench = Bench::started();
    bench.run(3_000);
    bench.says_unsequenced("NS_ackmsg", &[("dest", "nodea"), ("ackseq", "1")]);
    bench.run(6_999);
    assert_eq!(bench.peer_state(), "init");
    bench.run(100);
    assert_eq!(bench.logged_at("node nodeb: is dead"), Some(10_001));
}

#[test]
fn with_three_nodes_gate_one_waits_for_the_last() {
    let mut bench = Bench::with(|settings| settings.nodes.push("nodec".into()));
    bench.feed(Event::Start);
    bench.peer_beats("up", 0xfa0);
    bench.run(9_999);
    assert!(bench.sent("reqnodes").is_empty());
    bench.run(10);
    assert_eq!(bench.logged_at("node nodec: is dead"), Some(10_001));
    assert_eq!(bench.field("reqnodes", "dest"), ["nodeb"]);
}

#[test]
fn reqnodes_is_answered_in_every_state() {
    let ask = |bench: &mut Bench| {
        bench.done.clear();
        bench.says("reqnodes", &[("dest", "nodea")]);
        assert_eq!(bench.field("repnodes", "nodelist"), ["nodea nodeb "], "in state {}", bench.view().state);
        assert_eq!(bench.field("repnodes", "dest"), ["nodeb"]);
    };
    let mut bench = Bench::started();
    bench.peer_beats("up", 0x1770);
    ask(&mut bench);
    let mut bench = Bench::joined("all");
    ask(&mut bench);
    bench.prompt = false;
    bench.request(Request::Shutdown);
    ask(&mut bench);
    bench.end_steps();
    ask(&mut bench);
}

#[test]
fn a_dead_node_stays_in_the_node_list() {
    let mut bench = Bench::with(|settings| settings.nodes.push("nodec".into()));
    bench.feed(Event::Start);
    bench.peer_beats("up", 0xfa0);
    bench.run(10_100);
    bench.says("reqnodes", &[("dest", "nodea")]);
    assert_eq!(bench.field("repnodes", "nodelist"), ["nodea nodeb nodec "]);
}

/// Unlike with Heartbeat (02 §8.3, §13 trap 13) only ha.cf counts, and the difference is logged.
#[test]
fn another_node_list_is_logged_and_not_adopted() {
    let mut bench = Bench::started();
    bench.peer_beats("up", 0x1770);
    bench.says("repnodes", &[("dest", "nodea"), ("nodelist", "nodea nodeb nodec "), ("delnodelist", " ")]);
    assert!(bench.logged("node nodeb knows other nodes than our ha.cf: 'nodea nodeb nodec'"));
    assert_eq!(bench.view().nodes.len(), 2);
    assert_eq!(bench.view().state, "active");
}

/// The newcomer waits until it has heard every node: we do not let it wait for our next regular status.
#[test]
fn a_newcomer_is_answered_with_a_status_at_once() {
    let mut bench = Bench::joined("local");
    bench.run(500);
    bench.done.clear();
    bench.peer_restarts();
    assert!(!bench.sent("status").is_empty());
}

/// The Heartbeat had declared us dead and ignored our `starting`. The report of its script about what it took is no
/// answer.
#[test]
fn a_report_of_a_script_is_no_answer_to_starting() {
    let mut bench = Bench::active();
    bench.says("resource", &[("rsc_hold", "foreign"), ("info", "mach_down")]);
    bench.story();
    bench.run(11_000);
    assert!(bench.story().contains(&"starting".to_owned()));
    bench.resource("all", "1", None);
    assert!(bench.logged("Initial resource acquisition complete (T_RESOURCES(us))"), "{:?}", bench.log());
}
