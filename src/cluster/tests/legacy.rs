//! `auto_failback legacy`, or no such line: Heartbeat's first protocol with a real Heartbeat, the nice protocol
//! between two hbd nodes, and a log line where the nodes' protocols differ (03 §5, §6.7, §14.1 rules 1 and 16).

use super::*;

impl Bench {
    /// [`Bench::active`] with `auto_failback legacy`, or without the directive.
    pub(super) fn active_legacy() -> Bench {
        let mut bench = Bench::with(|settings| settings.auto_failback = AutoFailback::Legacy);
        bench.feed(Event::Start);
        bench.activated()
    }
}
use crate::cluster::{Answer, Set};

fn nothing() -> Vec<String> {
    Vec::new()
}

/// Each node serves its own groups.
fn settled() -> Bench {
    let mut bench = Bench::active_legacy();
    bench.says("ip-request-resp", &[("dest", "nodea"), ("ipaddr", "a1"), ("weown", "no"), ("ok", "OK")]);
    bench.run(6_000);
    bench.done.clear();
    bench
}

/// The peer has left with `shutdone`, and we serve everything.
fn alone() -> Bench {
    let mut bench = settled();
    bench.says("shutdone", &[("st", "dead")]);
    bench.peer_silent();
    bench.run(10_000);
    bench.done.clear();
    bench
}

fn answered(bench: &mut Bench, key: &str, owned: &str) {
    bench.says("ip-request-resp", &[("dest", "nodea"), ("ipaddr", key), ("weown", owned), ("ok", "OK")]);
}

/// 03 §6.7: A starts while B is active.
#[test]
fn our_groups_are_asked_for_and_taken_when_the_peer_has_released_them() {
    let mut bench = Bench::active_legacy();
    assert_eq!(bench.story(), ["reqnodes", "ip-request a1"], "no starting, no resource");
    bench.run(2_000);
    assert_eq!(bench.story(), nothing());
    answered(&mut bench, "a1", "yes");
    assert_eq!(bench.story(), ["start a1", "start a2"]);
    assert!(bench.view().groups[0].owner.as_deref() == Some("nodea"));
    assert!(bench.view().groups[1].owner.as_deref() == Some("nodeb"));
    assert_eq!(bench.view().resource_state, "local");
    bench.run(60_000);
    assert_eq!(bench.story(), nothing());
}

#[test]
fn the_end_of_the_acquisition_is_in_the_log() {
    let mut bench = Bench::active_legacy();
    answered(&mut bench, "a1", "no");
    assert!(bench.logged("Initial resource acquisition complete (ip-request-resp)"));
    assert!(bench.logged("Acquiring resource group: nodea a1 a2"));
}

#[test]
fn the_request_is_heartbeats_byte_for_byte() {
    let bench = Bench::active_legacy();
    let request = &bench.sent("ip-request")[0];
    let names: Vec<_> = request.fields().iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["t", "ipaddr", "src", "srcuuid", "seq", "hg", "ts", "ld", "ttl"]);
}

#[test]
fn a_group_that_does_not_run_is_released_all_the_same() {
    let mut bench = Bench::active_legacy();
    bench.story();
    answered(&mut bench, "a1", "no");
    assert_eq!(bench.story(), ["start a1", "start a2"], "ok=OK is what counts");
}

#[test]
fn an_answer_that_is_not_ok_or_not_for_us_or_not_about_ours_takes_nothing() {
    let mut bench = Bench::active_legacy();
    bench.story();
    bench.says("ip-request-resp", &[("dest", "nodea"), ("ipaddr", "a1"), ("weown", "yes"), ("ok", "no")]);
    bench.says("ip-request-resp", &[("dest", "nodea"), ("ipaddr", "a1"), ("weown", "yes")]);
    bench.says("ip-request-resp", &[("dest", "nodeb"), ("ipaddr", "a1"), ("weown", "yes"), ("ok", "OK")]);
    answered(&mut bench, "a2", "yes");
    answered(&mut bench, "b1", "yes");
    assert_eq!(bench.story(), nothing());
}

/// A Heartbeat asks once, and without an answer it never acquires anything.
#[test]
fn an_unanswered_request_is_repeated_and_at_last_explained() {
    let mut bench = Bench::active_legacy();
    bench.run(25_000);
    let asked: Vec<_> = bench.sent_at("ip-request").iter().map(|(at, _)| *at).collect();
    assert_eq!(asked, [0, 10_000, 20_000]);
    assert!(!bench.logged("does not answer"));
    bench.run(10_000);
    assert!(bench.logged("node nodeb does not answer our requests for our resource groups (ip-request)"));
    bench.story();
    answered(&mut bench, "a1", "no");
    assert_eq!(bench.story(), ["start a1", "start a2"], "a late answer is an answer");
    bench.run(60_000);
    assert_eq!(bench.story(), nothing());
}

#[test]
fn a_peer_that_is_not_active_yet_is_waited_for() {
    let mut bench = Bench::with(|settings| settings.auto_failback = AutoFailback::Legacy);
    bench.feed(Event::Start);
    bench.peer_beats("up", 0x1770);
    bench.says("repnodes", &[("dest", "nodea"), ("nodelist", "nodea nodeb "), ("delnodelist", " ")]);
    bench.run(3_000);
    assert_eq!(bench.view().state, "active");
    assert_eq!(bench.story(), ["reqnodes"]);
    bench.peer_beats("active", 0x1770);
    assert_eq!(bench.story(), ["ip-request a1"]);
}

#[test]
fn a_peer_that_does_not_become_active_keeps_us_ten_seconds() {
    let mut bench = Bench::with(|settings| settings.auto_failback = AutoFailback::Legacy);
    bench.feed(Event::Start);
    bench.peer_beats("up", 0x1770);
    bench.says("repnodes", &[("dest", "nodea"), ("nodelist", "nodea nodeb "), ("delnodelist", " ")]);
    bench.run(9_999);
    assert_eq!(bench.story(), ["reqnodes"]);
    bench.run(1);
    assert_eq!(bench.story(), ["start a1", "start a2"]);
}

#[test]
fn a_lone_node_takes_everything() {
    let mut bench = Bench::with(|settings| settings.auto_failback = AutoFailback::Legacy);
    bench.feed(Event::Start);
    bench.run(10_001);
    let story = bench.story();
    assert_eq!(story[0], "stonith nodeb n_stnth");
    assert_eq!(story.iter().filter(|line| line.starts_with("start ")).count(), 4, "{story:?}");
    assert!(!story.iter().any(|line| line.starts_with("resource") || *line == "starting"), "{story:?}");
    assert_eq!(bench.view().resource_state, "all");
}

/// 03 §6.7, B's side: the returning node gets its group after it was released here.
#[test]
fn a_returning_peer_gets_its_group_when_it_is_down_here() {
    let mut bench = alone();
    bench.peer_restarts();
    bench.peer_beats("active", 0xfa0);
    bench.prompt = false;
    bench.story();
    bench.says("ip-request", &[("ipaddr", "b1")]);
    assert_eq!(bench.story(), ["stop b2"]);
    bench.run(5_000);
    assert_eq!(bench.story(), nothing(), "not before it is down");
    bench.end_steps();
    assert_eq!(bench.story(), ["stop b1", "ip-request-resp b1 yes OK"]);
    let answer = bench.core.view();
    assert_eq!(answer.hold, Set::LOCAL);
    assert_eq!(answer.groups[1].owner.as_deref(), Some("nodeb"));
    assert!(!bench.logged("protocol"), "{:?}", bench.log());
}

#[test]
fn the_answer_is_addressed_to_the_asker() {
    let mut bench = alone();
    bench.peer_restarts();
    bench.peer_beats("active", 0xfa0);
    bench.says("ip-request", &[("ipaddr", "b1")]);
    let answer = &bench.sent("ip-request-resp")[0];
    let names: Vec<_> = answer.fields().iter().take(6).map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["t", "dest", "ipaddr", "weown", "ok", "destuuid"]);
    assert_eq!(answer.text("dest"), Some("nodeb"));
}

#[test]
fn a_group_that_does_not_stop_is_not_let_go() {
    let mut bench = alone();
    bench.peer_restarts();
    bench.peer_beats("active", 0xfa0);
    bench.prompt = false;
    bench.says("ip-request", &[("ipaddr", "b1")]);
    bench.fail_step();
    bench.story();
    bench.run(999);
    assert_eq!(bench.story(), nothing());
    bench.run(1);
    bench.end_steps();
    assert_eq!(bench.story(), ["stop b2", "stop b1", "ip-request-resp b1 yes OK"]);
}

#[test]
fn each_group_is_asked_for_and_given_by_itself() {
    let two_each = |settings: &mut Settings| {
        settings.auto_failback = AutoFailback::Legacy;
        let split = |mut group: Group| {
            let resources = group.resources.split_off(1);
            let second = Group { key: resources[0].word.clone(), resources, ..group.clone() };
            [group, second]
        };
        settings.groups = settings.groups.drain(..).flat_map(split).collect();
    };
    let mut bench = Bench::with(two_each);
    bench.feed(Event::Start);
    let mut bench = bench.activated();
    assert_eq!(bench.field("ip-request", "ipaddr"), ["a1", "a2"]);
    answered(&mut bench, "a2", "yes");
    assert_eq!(bench.view().groups.iter().map(|group| group.running).collect::<Vec<_>>(), [0, 1, 0, 0]);
    assert_eq!(bench.view().hold, Set::NONE, "not all of them yet");
    answered(&mut bench, "a1", "no");
    assert_eq!(bench.view().hold, Set::LOCAL);
    bench.says("shutdone", &[("st", "dead")]);
    assert_eq!(bench.view().hold, Set::ALL);
    bench.peer_restarts();
    bench.peer_beats("active", 0xfa0);
    bench.says("ip-request", &[("ipaddr", "b2")]);
    assert_eq!(bench.view().groups.iter().map(|group| group.running).collect::<Vec<_>>(), [1, 1, 1, 0]);
}

#[test]
fn a_peer_that_leaves_leaves_everything_to_us() {
    let mut bench = settled();
    bench.says("shutdone", &[("st", "dead")]);
    assert!(bench.logged("mach_down takeover complete for node nodeb."));
    assert_eq!(bench.story(), ["start b1", "start b2"]);
    bench.peer_silent();
    bench.run(5_000);
    assert_eq!(bench.story(), ["stonith nodeb unneeded"]);
}

#[test]
fn a_peer_that_dies_leaves_everything_to_us() {
    let mut bench = settled();
    bench.peer_silent();
    bench.run(4_001);
    assert_eq!(bench.story(), ["stonith nodeb n_stnth", "start b1", "start b2"]);
}

#[test]
fn a_peer_that_dies_before_it_answers_leaves_everything_to_us() {
    let mut bench = Bench::active_legacy();
    bench.peer_silent();
    bench.run(4_001);
    assert_eq!(bench.view().hold, Set::ALL);
    bench.story();
    bench.run(60_000);
    assert_eq!(bench.story(), nothing(), "nobody is asked any more");
}

/// 03 §6.7: release all, `shutdone`, no report.
#[test]
fn our_stop_is_shutdone_without_a_report() {
    let mut bench = settled();
    bench.request(Request::Shutdown);
    assert_eq!(bench.story(), ["stop a2", "stop a1", "shutdone"]);
    bench.run(2_000);
    assert_eq!(bench.story(), ["exit"]);
}

#[test]
fn standby_and_takeover_are_refused_with_the_reason() {
    let mut bench = settled();
    bench.request(Request::Standby(Set::ALL));
    bench.request(Request::Takeover(Set::ALL));
    let answers = bench.done.iter().filter_map(|(_, action)| match action {
        Action::Answer { answer, .. } => Some(answer.clone()),
        _ => None,
    });
    assert_eq!(answers.collect::<Vec<_>>(), [Answer::Legacy, Answer::Legacy]);
    bench.says("hb_takeover", &[("rsc_hold", "all")]);
    assert!(bench.logged("cannot move groups: auto_failback is legacy or missing"));
    assert_eq!(bench.story(), nothing());
}

/// Different haresources files must lead neither to two owners nor to none.
#[test]
fn a_request_for_our_own_group_is_logged_and_refused() {
    let mut bench = settled();
    bench.says("ip-request", &[("ipaddr", "a1")]);
    assert!(bench.logged("node nodeb asks for the resource group 'a1', which is not its own by our haresources"));
    assert_eq!(bench.story(), nothing());
    assert_eq!(bench.view().hold, Set::LOCAL);
}

#[test]
fn a_request_for_an_unknown_group_is_logged_and_answered() {
    let mut bench = settled();
    bench.says("ip-request", &[("ipaddr", "c1")]);
    assert!(bench.logged("node nodeb asks for the resource group 'c1'"));
    assert_eq!(bench.story(), ["ip-request-resp c1 no OK"]);
}

/// 03 §5.3: with different protocols neither node can know what the other serves.
#[test]
fn a_peer_with_the_nice_protocol_is_logged_and_not_obeyed() {
    for (kind, fields) in [
        ("starting", &[][..]),
        ("resource", &[("rsc_hold", "all"), ("rtype", "full"), ("isstable", "1")]),
        ("ask_resources", &[("rsc_hold", "all"), ("info", "me")]),
    ] {
        let mut bench = settled();
        bench.says(kind, fields);
        assert!(bench.logged("node nodeb speaks the protocol of 'auto_failback on' or 'off'"), "{kind}");
        assert_eq!(bench.story(), nothing(), "{kind}");
    }
}

/// 03 §14.1 rule 16, last sentence.
#[test]
fn in_nice_mode_a_request_is_answered_and_logged() {
    let mut bench = Bench::joined("local");
    bench.says("shutdone", &[("st", "dead")]);
    bench.peer_restarts();
    bench.peer_beats("active", 0xfa0);
    bench.story();
    bench.says("ip-request", &[("ipaddr", "b1")]);
    assert!(bench.logged("node nodeb speaks the legacy protocol"));
    assert_eq!(bench.story(), ["stop b2", "stop b1", "ip-request-resp b1 yes OK"]);
    bench.says("ip-request", &[("ipaddr", "b1")]);
    assert_eq!(bench.story(), ["ip-request-resp b1 no OK"]);
    assert_eq!(bench.view().hold, Set::LOCAL);
}

#[test]
fn a_response_that_nobody_asked_for_takes_nothing_in_nice_mode() {
    let mut bench = Bench::joined("all");
    answered(&mut bench, "a1", "no");
    assert_eq!(bench.story(), nothing());
}

/// docs/DECISIONS.md "auto_failback legacy or absent": between two hbd nodes it is the nice protocol with `on`.
#[test]
fn beside_an_hbd_legacy_is_nice_with_failback() {
    let mut bench = Bench::with(|settings| settings.auto_failback = AutoFailback::Legacy);
    bench.feed(Event::Start);
    bench.peer.hbd = Some("1 0.1.0");
    let mut bench = bench.activated();
    assert_eq!(bench.story(), ["reqnodes", "starting"]);
    let mut bench = bench.decided("local");
    bench.peer_silent();
    bench.run(5_000);
    bench.peer_restarts();
    bench.peer_beats("active", 0xfa0);
    bench.says("starting", &[]);
    bench.resource("none", "1", None);
    assert_eq!(bench.field("ask_resources", "info"), ["me"]);
    assert!(bench.sent("ip-request").is_empty());
}

/// The peer's status was lost and its `repnodes` arrived: we wait for its next status.
#[test]
fn we_wait_until_the_peer_shows_what_it_is() {
    let mut bench = Bench::with(|settings| settings.auto_failback = AutoFailback::Legacy);
    bench.feed(Event::Start);
    bench.says("repnodes", &[("dest", "nodea"), ("nodelist", "nodea nodeb "), ("delnodelist", " ")]);
    bench.says("repnodes", &[("dest", "nodea"), ("nodelist", "nodea nodeb "), ("delnodelist", " ")]);
    bench.says("starting", &[]);
    assert_eq!(bench.story(), ["reqnodes"]);
    assert!(!bench.logged("protocol"));
    bench.peer.hbd = Some("1 0.1.0");
    bench.peer_beats("active", 0xfa0);
    assert_eq!(bench.story(), ["starting"]);
}

/// The second half of the rolling replacement of a legacy cluster: an hbd replaces the last Heartbeat.
#[test]
fn when_the_heartbeat_is_replaced_by_an_hbd_its_groups_go_back() {
    let mut bench = alone();
    bench.peer.hbd = Some("1 0.1.0");
    bench.peer_restarts();
    bench.peer_beats("active", 0xfa0);
    bench.says("starting", &[]);
    assert_eq!(bench.story().last().unwrap(), "resource all 1");
    bench.resource("none", "1", None);
    bench.ask("foreign", "other");
    bench.resource("local", "1", None);
    bench.ask("foreign", "done");
    assert_eq!(bench.view().resource_state, "local");
    assert_eq!(bench.field("ask_resources", "rsc_hold"), ["foreign", "foreign"]);
}

/// The way back: a Heartbeat replaces an hbd.
#[test]
fn when_an_hbd_is_replaced_by_a_heartbeat_it_gets_its_groups() {
    let mut bench = Bench::with(|settings| settings.auto_failback = AutoFailback::Legacy);
    bench.feed(Event::Start);
    bench.peer.hbd = Some("1 0.1.0");
    let mut bench = bench.activated().decided("local");
    bench.resource("none", "0", Some("shutdown"));
    bench.says("shutdone", &[("st", "dead")]);
    bench.peer.hbd = None;
    bench.peer_restarts();
    bench.peer_beats("active", 0xfa0);
    bench.story();
    bench.says("ip-request", &[("ipaddr", "b1")]);
    assert_eq!(bench.story(), ["stop b2", "stop b1", "ip-request-resp b1 yes OK"]);
    assert_eq!(bench.view().resource_state, "local");
    bench.request(Request::Shutdown);
    assert_eq!(bench.story(), ["stop a2", "stop a1", "shutdone"], "it is stable, nothing is waited for");
}

/// 02 §7.7: the Heartbeat restarts itself, and after its `shutdone` we are the only owner.
#[test]
fn after_a_partition_we_go_on_and_announce_when_the_heartbeat_has_left() {
    let mut bench = settled();
    bench.peer_silent();
    bench.run(10_000);
    bench.story();
    bench.peer_beats("active", 0xfa0);
    assert!(bench.logged("Cluster node nodeb returning after partition."));
    bench.run(2_500);
    assert_eq!(bench.story(), nothing());
    bench.says("shutdone", &[("st", "dead")]);
    assert_eq!(bench.story(), ["announce a1", "announce a2", "announce b1", "announce b2"]);
    assert_eq!(bench.view().hold, Set::ALL);
}

/// The Heartbeat had heard us all the time and served its own groups.
#[test]
fn after_a_partition_that_only_we_saw_the_heartbeat_keeps_its_own() {
    let mut bench = settled();
    bench.peer_silent();
    bench.run(10_000);
    bench.peer_beats("active", 0xfa0);
    bench.story();
    bench.run(15_000);
    let story = bench.story();
    assert_eq!(story, ["stop b2", "announce a1", "announce a2", "stop b1"]);
    assert!(bench.view().hold == Set::LOCAL);
}

/// 03 §8.3: 3.0.6 takes over from a live node whose heartbeat was late. It releases our groups when we ask for them.
#[test]
fn a_heartbeat_that_declared_us_dead_is_asked_for_our_groups() {
    let mut bench = settled();
    bench.says("stonith", &[("node", "nodea"), ("result", "n_stnth")]);
    assert!(bench.logged("node nodeb says that it has declared us dead (stonith result n_stnth)"));
    bench.run(14_999);
    assert_eq!(bench.story(), nothing(), "it may be about to restart itself");
    bench.run(1);
    assert_eq!(bench.story(), ["ip-request a1"]);
    answered(&mut bench, "a1", "yes");
    assert_eq!(bench.story(), ["announce a1", "announce a2"], "ours ran all the time");
}
