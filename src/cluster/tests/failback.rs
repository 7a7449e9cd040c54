//! When groups go back to the node that they prefer, beyond what `auto_failback` says (docs/DECISIONS.md "When groups
//! go back").

use super::*;
use crate::cluster::ReturnWait;
use crate::config::{DailyWindow, Fingerprint};

const CONF: &str = "0123456789abcdef fedcba9876543210";
/// A third group, which prefers nodeb as the second one does.
const THIRD: &str = "c1";

/// We have taken over what a dead nodeb served.
fn alone(hbd: Option<&'static str>, change: impl FnOnce(&mut Settings)) -> Bench {
    let mut bench = Bench::with(|settings| {
        settings.fingerprint = Fingerprint::parse(CONF).unwrap();
        change(settings);
    });
    (bench.peer.hbd, bench.peer.conf) = (hbd, hbd.map(|_| CONF));
    bench.feed(Event::Start);
    let mut bench = bench.activated().decided("local");
    bench.peer_silent();
    bench.run(10_000);
    assert_eq!(bench.view().groups[1].owner.as_deref(), Some("nodea"));
    bench.story();
    bench
}

/// The same beside an hbd.
fn alone_with(change: impl FnOnce(&mut Settings)) -> Bench {
    alone(Some("2 0.1.0"), change)
}

/// nodeb is back and has decided, and holds nothing.
fn comes_back(bench: &mut Bench) {
    bench.peer_restarts();
    bench.peer_beats("active", 0xfa0);
    bench.says("starting", &[]);
    bench.resource("none", "1", None);
}

/// What we offered since the story was last told, by keys; by class to a peer that knows no keys.
fn offered(bench: &Bench) -> Vec<String> {
    let asked = bench.sent("ask_resources").into_iter().filter(|message| message.text("info") == Some("me"));
    asked.map(|me| me.text("hbd_groups").or(me.text("rsc_hold")).unwrap().to_owned()).collect()
}

fn third(settings: &mut Settings) {
    let resource = Resource { word: THIRD.into(), kind: ResourceKind::Unit("c1.service".into()) };
    settings.groups.push(Group { node: "nodeb".into(), key: THIRD.into(), resources: vec![resource], line: 3 });
}

/// The wall clock now, time since 1970.
fn wall(bench: &Bench) -> Duration {
    Duration::from_secs(WALL) + bench.now
}

/// How far a local clock is ahead that shows this time, HH:MM, now.
fn offset_for(bench: &Bench, hour: u64, minute: u64) -> i32 {
    let seconds = wall(bench).as_secs() % 86_400;
    i32::try_from((hour * 3_600 + minute * 60) as i64 - seconds as i64).unwrap()
}

#[test]
fn without_any_of_it_a_group_goes_back_at_once() {
    let mut bench = alone_with(|_| {});
    assert_eq!(bench.view().groups[1].returns, Some(ReturnWait::PeerWell));
    assert_eq!(bench.view().groups[0].returns, None, "ours is at home");
    comes_back(&mut bench);
    bench.run(1_000);
    assert_eq!(offered(&bench), ["b1"]);
}

#[test]
fn the_other_node_must_have_been_well_for_failback_after() {
    for hbd in [Some("2 0.1.0"), Some("1 0.1.0"), None] {
        let mut bench = alone(hbd, |settings| settings.failback.after = Duration::from_secs(300));
        comes_back(&mut bench);
        bench.run(298_000);
        assert_eq!(offered(&bench), Vec::<String>::new(), "{hbd:?}");
        let Some(ReturnWait::Until(until)) = bench.view().groups[1].returns else { panic!("{hbd:?}") };
        assert!(until.abs_diff(wall(&bench) + ms(2_000)) <= ms(1_000), "{hbd:?}: {until:?}");
        assert!(bench.logged("b1: to return to node nodeb in 300 s"), "{hbd:?}: {:?}", bench.log());
        bench.run(4_000);
        assert_eq!(offered(&bench).len(), 1, "{hbd:?}");
    }
}

#[test]
fn what_is_shown_of_the_moment_does_not_change_from_second_to_second() {
    let mut bench = alone_with(|settings| settings.failback.after = Duration::from_secs(300));
    comes_back(&mut bench);
    bench.run(2_000);
    let shown = bench.view().groups[1].returns;
    for _ in 0..100 {
        bench.run(1_370);
        assert_eq!(bench.view().groups[1].returns, shown);
    }
}

#[test]
fn a_node_that_falls_ill_meanwhile_begins_anew() {
    let mut bench = alone_with(|settings| settings.failback.after = Duration::from_secs(60));
    comes_back(&mut bench);
    bench.run(50_000);
    let ill = bench.status().with("hbd_unready", "local");
    bench.hears(ill);
    // Its next status is well again, and comes when we have looked.
    bench.peer.beat = Some(bench.now + ms(1_500));
    bench.run(1_400);
    assert_eq!(bench.view().groups[1].returns, Some(ReturnWait::PeerWell));
    bench.run(58_000);
    assert_eq!(offered(&bench), Vec::<String>::new());
    bench.run(5_000);
    assert_eq!(offered(&bench), ["b1"]);
}

#[test]
fn a_second_absence_begins_anew_as_well() {
    let mut bench = alone_with(|settings| settings.failback.after = Duration::from_secs(60));
    comes_back(&mut bench);
    bench.run(50_000);
    comes_back(&mut bench);
    bench.run(50_000);
    assert_eq!(offered(&bench), Vec::<String>::new());
    bench.run(12_000);
    assert_eq!(offered(&bench), ["b1"]);
}

#[test]
fn groups_return_in_the_window_of_the_local_clock() {
    let window = DailyWindow::parse("02:00-04:00").unwrap();
    let mut bench = alone_with(|settings| settings.failback.window = Some(window));
    let utc_offset = offset_for(&bench, 1, 30);
    bench.feed(Event::LocalClock { utc_offset });
    comes_back(&mut bench);
    bench.run(29 * 60_000);
    assert_eq!(offered(&bench), Vec::<String>::new());
    assert_eq!(bench.view().groups[1].returns, Some(ReturnWait::Window(window)));
    assert!(bench.logged("b1: to return to node nodeb in the failback_window 02:00-04:00"));
    bench.run(61_000);
    assert_eq!(offered(&bench), ["b1"]);
}

#[test]
fn a_change_of_the_local_clock_opens_the_window() {
    let window = DailyWindow::parse("23:00-01:00").unwrap();
    let mut bench = alone_with(|settings| settings.failback.window = Some(window));
    bench.feed(Event::LocalClock { utc_offset: offset_for(&bench, 22, 10) });
    comes_back(&mut bench);
    bench.run(10_000);
    assert_eq!(offered(&bench), Vec::<String>::new());
    bench.feed(Event::LocalClock { utc_offset: offset_for(&bench, 23, 10) });
    bench.run(2_000);
    assert_eq!(offered(&bench), ["b1"]);
}

#[test]
fn a_wait_that_ends_behind_the_window_is_a_wait_for_the_next_one() {
    let window = DailyWindow::parse("02:00-04:00").unwrap();
    let mut bench = alone_with(|settings| {
        (settings.failback.window, settings.failback.after) = (Some(window), Duration::from_secs(900));
    });
    bench.feed(Event::LocalClock { utc_offset: offset_for(&bench, 3, 50) });
    comes_back(&mut bench);
    bench.run(2_000);
    assert_eq!(bench.view().groups[1].returns, Some(ReturnWait::Window(window)));
    bench.run(22 * 3_600_000);
    assert_eq!(offered(&bench), Vec::<String>::new());
    bench.run(10 * 60_000 + 5_000);
    assert_eq!(offered(&bench), ["b1"]);
}

#[test]
fn an_hbd_says_how_long_it_wants_to_be_given_nothing_back() {
    let mut bench = Bench::with(|settings| settings.failback.start_delay = Duration::from_secs(30));
    bench.peer.hbd = Some("2 0.1.0");
    bench.feed(Event::Start);
    let mut bench = bench.activated();
    assert_eq!(bench.field("status", "hbd_start_delay")[0], "30");
    bench.run(29_500);
    assert_eq!(bench.field("status", "hbd_start_delay").last().unwrap(), "1");
    bench.run(1_500);
    assert_eq!(bench.field("status", "hbd_start_delay").last().unwrap(), "-");
}

#[test]
fn a_node_that_has_just_started_is_given_back_nothing_before_its_start_delay_is_over() {
    let mut bench = alone_with(|_| {});
    bench.peer_restarts();
    let up = bench.status().with("hbd_start_delay", "20");
    bench.hears(up);
    // The bench's own statuses do not say it.
    bench.peer.beat = None;
    for rest in (0..20).rev() {
        let status =
            bench.message("status", &[("st", "active"), ("dt", "fa0"), ("hbd", "2 0.1.0"), ("hbd_conf", CONF)]);
        let status = if rest == 0 { status } else { status.with("hbd_start_delay", &rest.to_string()) };
        bench.hears(status);
        if rest == 18 {
            bench.says("starting", &[]);
            bench.resource("none", "1", None);
            bench.run(100);
            assert!(matches!(bench.view().groups[1].returns, Some(ReturnWait::Until(_))));
            bench.run(900);
        } else {
            bench.run(1_000);
        }
        assert_eq!(offered(&bench).len(), usize::from(rest == 0), "{rest} s before its end");
    }
}

#[test]
fn a_start_delay_never_keeps_a_group_down_that_nobody_serves() {
    // Nobody is there.
    let mut bench = Bench::with(|settings| settings.failback.start_delay = Duration::from_secs(3_600));
    bench.feed(Event::Start);
    bench.run(11_000);
    assert!(bench.view().groups.iter().all(|group| group.owner.as_deref() == Some("nodea")), "{:?}", bench.view());
    // The other node starts, too, or is there and has not got ours.
    for hold in ["none", "local"] {
        let mut bench = Bench::with(|settings| settings.failback.start_delay = Duration::from_secs(3_600));
        bench.peer.hbd = Some("2 0.1.0");
        bench.feed(Event::Start);
        let mut bench = bench.activated();
        bench.says("starting", &[]);
        bench.resource(hold, "1", None);
        bench.run(1_000);
        assert_eq!(bench.view().groups[0].owner.as_deref(), Some("nodea"), "{hold}");
        bench.peer_silent();
        bench.run(5_000);
        assert_eq!(bench.view().groups[1].owner.as_deref(), Some("nodea"), "{hold}");
    }
}

#[test]
fn a_group_that_says_off_stays_and_the_others_return() {
    let mut bench = alone_with(|settings| {
        third(settings);
        settings.failback.groups = vec![None, Some(false), None];
    });
    assert_eq!(bench.view().groups[1].returns, None);
    comes_back(&mut bench);
    bench.run(2_000);
    assert_eq!(offered(&bench), [THIRD]);
    bench.says("ask_resources", &[("rsc_hold", "none"), ("info", "other"), ("hbd_groups", THIRD)]);
    bench.says("ask_resources", &[("rsc_hold", "none"), ("info", "done"), ("hbd_groups", THIRD)]);
    bench.run(30_000);
    assert_eq!(offered(&bench), [THIRD], "and nothing more");
    assert_eq!(bench.view().groups[1].owner.as_deref(), Some("nodea"));
}

#[test]
fn a_group_that_says_on_returns_in_spite_of_auto_failback_off() {
    let mut bench = alone_with(|settings| {
        third(settings);
        settings.auto_failback = AutoFailback::Off;
        settings.failback.groups = vec![None, Some(true), None];
    });
    comes_back(&mut bench);
    bench.run(2_000);
    assert_eq!(offered(&bench), ["b1"]);
}

#[test]
fn a_heartbeat_gets_all_that_we_hold_of_its_groups_or_nothing() {
    for (groups, wanted) in [(vec![None, Some(false), None], 0), (vec![None, Some(true), None], 1)] {
        let mut bench = alone(None, |settings| {
            third(settings);
            settings.failback.groups = groups;
        });
        comes_back(&mut bench);
        bench.run(9_000);
        assert_eq!(offered(&bench).len(), wanted);
        assert!(offered(&bench).iter().all(|set| set == "foreign"));
    }
}

#[test]
fn an_operator_cancels_a_return_until_the_other_node_goes_away_once_more() {
    let mut bench = alone_with(|settings| settings.failback.after = Duration::from_secs(60));
    comes_back(&mut bench);
    bench.run(5_000);
    assert!(bench.core.plans_failback());
    bench.request(Request::CancelReturn(None));
    assert_eq!(answers(&bench), [Answer::Done]);
    assert_eq!(bench.view().groups[1].returns, None);
    assert!(!bench.core.plans_failback(), "a successor would return it");
    bench.run(600_000);
    assert_eq!(offered(&bench), Vec::<String>::new());
    bench.request(Request::CancelReturn(None));
    bench.request(Request::ReturnNow(None));
    assert_eq!(answers(&bench)[1..], [Answer::NothingReturns, Answer::NothingReturns]);
    bench.peer_silent();
    bench.run(5_000);
    comes_back(&mut bench);
    bench.run(65_000);
    assert_eq!(offered(&bench), ["b1"]);
}

#[test]
fn a_return_can_be_cancelled_while_the_other_node_is_away() {
    let mut bench = alone_with(|_| {});
    bench.request(Request::CancelReturn(None));
    assert_eq!(answers(&bench), [Answer::Done]);
    comes_back(&mut bench);
    bench.run(30_000);
    assert_eq!(offered(&bench), Vec::<String>::new());
}

#[test]
fn an_operator_returns_a_group_at_once() {
    let window = DailyWindow::parse("02:00-04:00").unwrap();
    let mut bench = alone_with(|settings| settings.failback.window = Some(window));
    bench.feed(Event::LocalClock { utc_offset: offset_for(&bench, 12, 0) });
    comes_back(&mut bench);
    bench.run(5_000);
    bench.request(Request::ReturnNow(None));
    assert_eq!(offered(&bench), ["b1"]);
    let set = [("rsc_hold", "foreign"), ("hbd_groups", "b1")];
    bench.says("ask_resources", &[set[0], set[1], ("info", "other")]);
    bench.says("ask_resources", &[set[0], set[1], ("info", "done")]);
    assert_eq!(answers(&bench), [Answer::Done]);
    bench.run(5_000);
    assert_eq!(bench.view().groups[1].returns, None);
}

#[test]
fn one_of_several_groups_is_cancelled_and_the_others_return() {
    let mut bench = alone_with(|settings| {
        third(settings);
        settings.failback.after = Duration::from_secs(60);
    });
    comes_back(&mut bench);
    bench.run(5_000);
    bench.request(Request::CancelReturn(Some(0)));
    bench.request(Request::CancelReturn(Some(1)));
    assert_eq!(answers(&bench), [Answer::NothingReturns, Answer::Done]);
    assert_eq!(bench.view().groups[1].returns, None);
    assert!(bench.view().groups[2].returns.is_some());
    bench.run(60_000);
    assert_eq!(offered(&bench), [THIRD]);
}

#[test]
fn what_is_kept_together_returns_together_and_is_cancelled_together() {
    let parted = |settings: &mut Settings| {
        third(settings);
        settings.arrangement.together = vec![vec![1, 2]];
        settings.failback.after = Duration::from_secs(60);
    };
    let mut bench = alone_with(parted);
    comes_back(&mut bench);
    bench.run(5_000);
    bench.request(Request::ReturnNow(Some(1)));
    assert_eq!(offered(&bench), [format!("b1 {THIRD}")]);
    let mut bench = alone_with(parted);
    comes_back(&mut bench);
    bench.run(5_000);
    bench.request(Request::CancelReturn(Some(2)));
    assert!(bench.view().groups.iter().all(|group| group.returns.is_none()));
}

#[test]
fn beside_a_heartbeat_one_of_several_groups_is_not_cancelled_alone() {
    let mut bench = alone(None, |settings| {
        third(settings);
        settings.failback.after = Duration::from_secs(60);
    });
    comes_back(&mut bench);
    bench.run(30_000);
    bench.request(Request::CancelReturn(Some(1)));
    bench.request(Request::ReturnNow(Some(1)));
    bench.request(Request::CancelReturn(None));
    assert_eq!(answers(&bench), [Answer::MovesTogether, Answer::MovesTogether, Answer::Done]);
}

#[test]
fn what_is_being_moved_is_not_cancelled() {
    let mut bench = alone_with(|_| {});
    comes_back(&mut bench);
    bench.run(1_000);
    assert_eq!(offered(&bench), ["b1"]);
    bench.request(Request::CancelReturn(None));
    assert_eq!(answers(&bench), [Answer::Busy]);
}
