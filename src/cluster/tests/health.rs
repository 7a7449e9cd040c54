//! A resource that ran fails: it is started again here, then its group moves to the peer. One node always serves it.

use super::*;
use crate::cluster::{AddressNews, Answer, GroupState, Set};

const A1: Step = Step { group: 0, resource: 0 };
const A2: Step = Step { group: 0, resource: 1 };

fn fails(bench: &mut Bench, step: Step) {
    bench.feed(Event::Unit { step, news: UnitNews::Failed("it is broken".into()) });
}

/// The unit fails as often as it may on this node, and once more.
fn exhaust(bench: &mut Bench, step: Step) {
    for _ in 0..3 {
        fails(bench, step);
    }
}

/// An hbd peer reports that it cannot serve this group for a while.
fn peer_unfit(bench: &mut Bench, key: &str) {
    let unfit = format!("{key} 600");
    bench.says(
        "resource",
        &[("rsc_hold", "local"), ("rtype", "full"), ("isstable", "1"), ("hbd_claim", "0,0,1"), ("hbd_unfit", &unfit)],
    );
    bench.done.clear();
}

#[test]
fn a_failed_unit_is_started_again_in_its_place() {
    let mut bench = Bench::joined("local");
    fails(&mut bench, A1);
    assert_eq!(bench.story(), ["start a1"], "a2 is left alone");
    fails(&mut bench, A1);
    assert!(bench.logged("a1 has failed here (it is broken): failure 2 lately"));
    assert_eq!(bench.story(), ["start a1"]);
    assert_eq!(bench.view().groups[0].running, 2);
}

#[test]
fn a_failure_that_is_reported_twice_counts_once() {
    let mut bench = Bench::joined("local");
    bench.prompt = false;
    for _ in 0..9 {
        fails(&mut bench, A2);
    }
    assert_eq!(bench.story(), ["start a2"]);
    bench.end_steps();
    fails(&mut bench, A2);
    assert_eq!(bench.story(), ["start a2"]);
}

#[test]
fn a_unit_that_fails_too_often_moves_its_group_to_the_peer() {
    for mut bench in [Bench::joined("local"), Bench::joined_hbd("local")] {
        exhaust(&mut bench, A2);
        assert!(bench.logged("resource group a1 goes to node nodeb because it fails here"));
        let story = bench.story();
        assert_eq!(story, ["start a2", "start a2", "ask_resources local me"]);
        bench.ask("local", "other");
        bench.ask("local", "done");
        let story = bench.story();
        assert_eq!(story[..2], ["stop a2", "resource none 0 standby"], "{story:?}");
        assert!(story.contains(&"stop a1".to_owned()) && story.contains(&"ask_resources local done".to_owned()));
    }
}

#[test]
fn failures_are_forgotten_after_their_time() {
    let mut bench = Bench::joined("local");
    for _ in 0..9 {
        fails(&mut bench, A2);
        bench.run(301_000);
    }
    assert!(bench.story().iter().all(|line| line == "start a2" || line.starts_with("resource")));
}

#[test]
fn an_hbd_peer_is_told_what_cannot_be_served_here_and_until_when() {
    let mut bench = Bench::joined_hbd("local");
    exhaust(&mut bench, A2);
    bench.ask("local", "other");
    bench.ask("local", "done");
    assert!(bench.field("resource", "hbd_unfit").contains(&"a1 600".to_owned()), "{:?}", bench.sent("resource"));
    bench.done.clear();
    bench.run(601_000);
    bench.resource("all", "0", None);
    bench.resource("all", "1", None);
    assert_eq!(bench.field("resource", "hbd_unfit").last().map(String::as_str), Some("-"));
}

#[test]
fn an_hbd_peer_is_told_which_resource_failed_and_why_and_both_show_it() {
    let mut bench = Bench::joined_hbd("local");
    exhaust(&mut bench, A2);
    bench.ask("local", "other");
    let why = bench.field("resource", "hbd_unfit_why");
    assert_eq!(why.first().map(String::as_str), Some("a1 a2 it is broken"));
    let shown = bench.view().groups[0].unfit.clone();
    assert_eq!((shown.len(), shown[0].node.as_str(), shown[0].why.as_str()), (1, "nodea", "a2: it is broken"));
    bench.run(601_000);
    assert!(bench.view().groups[0].unfit.is_empty(), "it is too old to count");
    // A Heartbeat is told nothing of it.
    let mut bench = Bench::joined("local");
    exhaust(&mut bench, A2);
    bench.ask("local", "other");
    assert!(bench.field("resource", "hbd_unfit_why").iter().all(|field| field == "-"));
}

#[test]
fn what_failed_on_the_peer_is_said_once_for_each_failure_and_shown_until_it_is_well() {
    let mut bench = Bench::joined_hbd("local");
    let says = |bench: &mut Bench, seconds: &str, why: Option<&str>| {
        let unfit = format!("b1 {seconds}");
        let mut fields = vec![("rsc_hold", "local"), ("rtype", "full"), ("isstable", "1"), ("hbd_claim", "0,0,1")];
        fields.push(("hbd_unfit", &unfit));
        fields.extend(why.map(|why| ("hbd_unfit_why", why)));
        bench.says("resource", &fields);
        let text = "has failed on node nodeb";
        let said = bench.log().iter().filter(|line| line.contains(text)).cloned().collect::<Vec<_>>();
        bench.done.clear();
        said
    };
    let said = says(&mut bench, "600", Some("b1 b2 exit-code (1) ; c1 c2 no"));
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("resource group b1 has failed on node nodeb (b2: exit-code (1)): "), "{said:?}");
    let shown = bench.view().groups[1].unfit.clone();
    assert_eq!((shown[0].node.as_str(), shown[0].why.as_str()), ("nodeb", "b2: exit-code (1)"));
    assert!(bench.view().groups[0].unfit.is_empty());
    bench.run(20_000);
    assert!(says(&mut bench, "580", Some("b1 b2 exit-code (1)")).is_empty(), "it is the same failure");
    assert_eq!(bench.view().groups[1].unfit[0].until, shown[0].until);
    // It fails again; an older hbd does not say why.
    let said = says(&mut bench, "600", None);
    assert!(said.len() == 1 && said[0].contains("(it does not say why)"), "{said:?}");
    bench.says("resource", &[("rsc_hold", "local"), ("rtype", "full"), ("isstable", "1"), ("hbd_claim", "0,0,1")]);
    assert!(bench.view().groups[1].unfit.is_empty());
}

#[test]
fn the_arguments_of_a_resource_are_not_told_and_a_long_reason_is_cut() {
    let mut bench = Bench::with(|settings| settings.groups[0].resources[1].word = "a2::secret".into());
    bench.feed(Event::Start);
    bench.peer.hbd = Some("1 0.1.0");
    let mut bench = bench.activated().decided("local");
    for _ in 0..3 {
        let news = UnitNews::Failed(format!("one ; two\n{}", "x".repeat(500)));
        bench.feed(Event::Unit { step: A2, news });
    }
    bench.ask("local", "other");
    let why = bench.field("resource", "hbd_unfit_why").remove(0);
    assert!(why.starts_with("a1 a2 one, two\\nxxx") && why.len() < 150, "{why}");
}

#[test]
fn a_peer_that_failed_the_same_group_does_not_get_it() {
    let mut bench = Bench::joined_hbd("local");
    peer_unfit(&mut bench, "a1");
    exhaust(&mut bench, A2);
    assert!(bench.logged("a2 fails here again and again, and the other node cannot serve its group either"));
    assert_eq!(bench.story(), ["start a2", "start a2"]);
    bench.run(29_000);
    assert_eq!(bench.story(), [""; 0]);
    bench.run(2_000);
    assert_eq!(bench.story(), ["start a2"], "tried here again");

    // The same if the group cannot even be started here.
    let mut bench = Bench::joined_hbd("local");
    peer_unfit(&mut bench, "a1");
    bench.prompt = false;
    fails(&mut bench, A2);
    bench.fail_step();
    bench.end_steps();
    assert!(bench.logged("the other node cannot serve its group either: trying again here in 30 s"));
    assert!(bench.sent("ask_resources").is_empty());

    // A failure of another group on the peer does not matter.
    let mut bench = Bench::joined_hbd("local");
    peer_unfit(&mut bench, "b1");
    exhaust(&mut bench, A2);
    assert_eq!(bench.story().last().unwrap(), "ask_resources local me");
}

#[test]
fn without_a_peer_a_failed_unit_is_always_started_again() {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    bench.run(10_000);
    bench.done.clear();
    exhaust(&mut bench, A2);
    for _ in 0..20 {
        bench.run(31_000);
        assert_eq!(bench.story().last().map(String::as_str), Some("start a2"));
        fails(&mut bench, A2);
    }
}

#[test]
fn a_move_that_cannot_begin_yet_is_tried_again_soon() {
    let mut bench = Bench::joined("local");
    bench.resource("local", "0", None);
    exhaust(&mut bench, A2);
    bench.story();
    bench.resource("local", "1", None);
    bench.run(1_500);
    assert!(bench.story().contains(&"ask_resources local me".to_owned()));
}

#[test]
fn a_group_that_a_heartbeat_gives_back_is_not_given_to_it_again() {
    let mut bench = Bench::joined("local");
    exhaust(&mut bench, A2);
    bench.ask("local", "other");
    bench.ask("local", "done");
    bench.resource("all", "1", None);
    bench.done.clear();
    // The Heartbeat could not start it either: 30 s later it goes standby by itself.
    bench.ask("foreign", "me");
    bench.ask("foreign", "done");
    bench.resource("local", "1", None);
    bench.done.clear();
    exhaust(&mut bench, A2);
    let story = bench.story();
    assert!(!story.iter().any(|line| line.starts_with("ask_resources")), "{story:?}");
}

#[test]
fn a_unit_that_cannot_be_started_again_moves_its_group() {
    let mut bench = Bench::joined("local");
    bench.prompt = false;
    fails(&mut bench, A1);
    bench.fail_step();
    assert!(bench.logged("Giving up resources due to failure of a1"));
    assert_eq!(bench.story()[..2], ["start a1", "stop a2"]);
    assert_eq!(bench.sent("ask_resources").len(), 0, "story has taken it");
}

#[test]
fn a_unit_that_an_operator_stopped_is_left_alone() {
    let mut bench = Bench::joined("local");
    bench.feed(Event::Unit { step: A2, news: STOPPED });
    bench.feed(Event::Unit { step: A2, news: STOPPED });
    let said = bench.log().iter().filter(|line| line.contains("was stopped by somebody else")).count();
    assert_eq!((said, bench.story()), (1, vec![]));
    bench.run(100_000);
    assert_eq!(bench.story(), [""; 0]);
    bench.feed(Event::Unit { step: A2, news: UnitNews::Up });
    assert!(bench.logged("a2 runs again"));
    fails(&mut bench, A2);
    assert_eq!(bench.story(), ["start a2"]);
}

#[test]
fn a_unit_that_systemd_restarts_is_only_counted() {
    let mut bench = Bench::joined("local");
    for _ in 0..2 {
        bench.feed(Event::Unit { step: A2, news: UnitNews::Restarting("crash".into()) });
    }
    assert_eq!(bench.story(), [""; 0]);
    bench.feed(Event::Unit { step: A2, news: UnitNews::Restarting("crash".into()) });
    assert_eq!(bench.story(), ["ask_resources local me"]);
}

#[test]
fn hbd_toml_can_switch_health_off_for_all_groups_or_one() {
    let off = Health { enabled: false, ..Health::default() };
    let except = Health { except: vec!["a1".into()], ..Health::default() };
    for health in [off, except] {
        let mut bench = Bench::with(|settings| settings.health = health.clone());
        bench.feed(Event::Start);
        let mut bench = bench.activated().decided("local");
        exhaust(&mut bench, A2);
        let said = bench.log().iter().filter(|line| line.contains("nothing is done about it")).count();
        assert_eq!((said, bench.story()), (1, vec![]));
    }
    let mut bench = Bench::with(|settings| settings.health.restarts = 0);
    bench.feed(Event::Start);
    let mut bench = bench.activated().decided("local");
    fails(&mut bench, A2);
    assert_eq!(bench.story(), ["ask_resources local me"]);
}

#[test]
fn news_of_a_unit_that_does_not_run_here_are_ignored() {
    let mut bench = Bench::joined("local");
    fails(&mut bench, Step { group: 1, resource: 0 });
    fails(&mut bench, Step { group: 7, resource: 7 });
    bench.request(Request::Shutdown);
    bench.story();
    fails(&mut bench, A2);
    assert!(!bench.logged("has failed"));
}

#[test]
fn a_cleanup_forgets_failures_and_starts_again() {
    let mut bench = Bench::joined_hbd("local");
    peer_unfit(&mut bench, "a1");
    exhaust(&mut bench, A2);
    bench.feed(Event::Unit { step: A1, news: STOPPED });
    bench.done.clear();
    bench.feed(Event::Request { id: 4, request: Request::Cleanup(Some(1)) });
    assert_eq!(bench.story().iter().filter(|line| line.starts_with("start")).count(), 0, "another group");
    bench.feed(Event::Request { id: 5, request: Request::Cleanup(None) });
    assert!(bench.done.contains(&(bench.now, Action::Answer { id: 5, answer: Answer::Done })));
    assert_eq!(bench.field("resource", "hbd_unfit"), ["-"], "the peer learns it");
    assert_eq!(bench.story().iter().filter(|line| line.starts_with("start")).count(), 2);
    fails(&mut bench, A2);
    assert!(bench.logged("failure 1 lately"));
    assert_eq!(bench.view().hold, Set::LOCAL);
}

#[test]
fn after_a_cleanup_what_fails_again_goes_to_the_peer_again() {
    let mut bench = Bench::joined("local");
    exhaust(&mut bench, A2);
    bench.ask("local", "other");
    bench.ask("local", "done");
    bench.resource("all", "1", None);
    bench.request(Request::Cleanup(None));
    // The operator takes it back, and it fails as before.
    bench.ask("foreign", "me");
    bench.ask("foreign", "done");
    bench.resource("local", "1", None);
    bench.request(Request::Cleanup(None));
    bench.done.clear();
    exhaust(&mut bench, A2);
    assert!(bench.story().contains(&"ask_resources local me".to_owned()));
}

#[test]
fn what_fails_and_cannot_be_given_because_nobody_answers_is_started_here() {
    for dies in [false, true] {
        let mut bench = Bench::joined_hbd("local");
        bench.feed(Event::Unit {
            step: Step { group: 0, resource: 1 },
            news: UnitNews::Exhausted("too often".into()),
        });
        assert_eq!(bench.story(), ["ask_resources local me"]);
        if dies {
            bench.peer_silent();
        }
        bench.run(30_000);
        let story = bench.story();
        assert!(story.contains(&"start a2".to_owned()), "{story:?}");
    }
}

/// Somebody has removed an address, and the kernel does not take it back.
#[test]
fn an_address_that_is_not_taken_back_is_a_failure_that_is_tried_once_and_then_moves() {
    let mut bench = Bench::joined_hbd("local");
    bench.prompt = false;
    let refused = AddressNews::Refused { reason: "cannot add a1: Permission denied".into() };
    bench.feed(Event::Address { step: A1, news: refused });
    assert!(bench.logged("a1 has failed here (cannot add a1: Permission denied)"), "{:?}", bench.log());
    assert_eq!(bench.view().groups[0].state, GroupState::Degraded);
    assert_eq!(bench.story(), ["start a1"]);
    bench.fail_step();
    bench.end_steps();
    assert!(bench.story().contains(&"ask_resources local me".to_owned()), "{:?}", bench.log());
    // In maintenance it is shown and left alone, until it is back by itself.
    let mut bench = Bench::joined_hbd("local");
    bench.request(Request::Maintenance(true));
    bench.story();
    bench.feed(Event::Address { step: A1, news: AddressNews::Refused { reason: "no".into() } });
    assert_eq!(bench.view().groups[0].state, GroupState::Degraded);
    bench.feed(Event::Address { step: A1, news: AddressNews::Restored });
    assert_eq!((bench.view().groups[0].state, bench.story()), (GroupState::Active, Vec::new()));
    bench.feed(Event::Address { step: A1, news: AddressNews::Refused { reason: "no".into() } });
    bench.request(Request::Maintenance(false));
    assert!(bench.story().contains(&"start a1".to_owned()), "which goes on at its end");
}
