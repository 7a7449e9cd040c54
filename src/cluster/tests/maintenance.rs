//! Maintenance: resources on this node are left alone, whatever happens on either node, and at the end everything
//! runs where it should.

use super::*;
use crate::cluster::{Adoption, GroupSet, GroupState, UnitNews};

const A1: Step = Step { group: 0, resource: 0 };

fn maintained(mut bench: Bench) -> Bench {
    bench.request(Request::Maintenance(true));
    assert_eq!(answers(&bench), [Answer::Done]);
    assert!(bench.logged("node nodea is in maintenance"));
    bench.story();
    bench
}

fn ended(bench: &mut Bench) {
    bench.done.clear();
    bench.request(Request::Maintenance(false));
    assert_eq!(answers(bench), [Answer::Done]);
}

#[test]
fn failed_and_stopped_units_are_left_alone_and_started_at_the_end() {
    let mut bench = maintained(Bench::joined_hbd("local"));
    for news in [STOPPED, UnitNews::Failed("broken".into()), UnitNews::Failed("broken".into())] {
        bench.feed(Event::Unit { step: A1, news });
    }
    bench.run(120_000);
    assert!(bench.logged("a1 of group a1 was stopped: left alone"), "{:?}", bench.log());
    assert_eq!(bench.story(), Vec::<String>::new());
    assert!(bench.view().groups[0].resources.iter().all(|resource| resource.failures == 0), "nobody's fault");
    ended(&mut bench);
    assert_eq!(bench.story(), ["start a1", "start a2"], "systemd starts only what does not run");
    assert_eq!(bench.view().groups[0].state, GroupState::Active);
}

#[test]
fn an_earlier_failure_is_not_acted_upon_in_maintenance() {
    let mut bench = Bench::joined_hbd("local");
    bench.peer_silent();
    bench.run(10_000);
    bench.prompt = false;
    bench.feed(Event::Unit { step: A1, news: UnitNews::Failed("broken".into()) });
    bench.fail_step();
    bench.prompt = true;
    bench.end_steps();
    assert_eq!(bench.view().groups[0].state, GroupState::Failed, "about to be tried again");
    let mut bench = maintained(bench);
    bench.run(120_000);
    assert_eq!(bench.story(), Vec::<String>::new());
    ended(&mut bench);
    let story = bench.story();
    assert!(["start a1", "start a2"].iter().all(|start| story.contains(&(*start).to_owned())), "{story:?}");
}

#[test]
fn nothing_is_taken_from_a_dead_peer_before_the_end() {
    let mut bench = maintained(Bench::joined("local"));
    bench.peer_silent();
    bench.run(60_000);
    assert_eq!(bench.story(), ["stonith nodeb n_stnth"]);
    assert_eq!(bench.view().hold, Set::LOCAL);
    assert_eq!(bench.view().groups[1].held_back.as_deref(), Some("this node is in maintenance"));
    ended(&mut bench);
    let story = bench.story();
    assert!(story.contains(&"start b1".to_owned()) && story.contains(&"start b2".to_owned()), "{story:?}");
    assert_eq!(bench.view().hold, Set::ALL);
}

#[test]
fn nobody_is_reset_before_the_end() {
    let mut bench = Bench::with(|settings| settings.fencing = vec!["nodeb".into()]);
    bench.feed(Event::Start);
    let mut bench = maintained(bench.activated().decided("local"));
    bench.peer_silent();
    bench.run(60_000);
    assert_eq!(bench.story(), Vec::<String>::new());
    ended(&mut bench);
    bench.run(2_000);
    assert!(bench.story().contains(&"fence nodeb".to_owned()));
}

#[test]
fn nothing_is_taken_from_a_peer_that_leaves_before_the_end() {
    let mut bench = maintained(Bench::joined("local"));
    bench.says("shutdone", &[("st", "dead")]);
    assert!(bench.logged("not taking what nodeb had"));
    bench.peer_silent();
    bench.run(60_000);
    assert_eq!(bench.view().hold, Set::LOCAL);
    ended(&mut bench);
    assert_eq!(bench.view().hold, Set::ALL);
}

#[test]
fn in_maintenance_the_peer_gets_true_reports_and_no_answer() {
    let mut bench = maintained(Bench::joined("local"));
    bench.ask("local", "me");
    bench.says("hb_takeover", &[("rsc_hold", "all")]);
    bench.run(30_000);
    assert!(bench.logged("nodeb wants resources to move, and gets no answer"));
    assert_eq!(bench.story(), Vec::<String>::new());
    bench.says("starting", &[]);
    assert_eq!(bench.story(), ["resource local 1"]);
}

#[test]
fn an_operators_moves_are_refused_here_and_there() {
    let mut bench = maintained(Bench::joined_hbd("local"));
    bench.request(Request::Standby(Set::ALL));
    bench.request(Request::Cleanup(None));
    assert_eq!(answers(&bench), [Answer::Maintenance, Answer::Maintenance]);

    let mut bench = Bench::joined_hbd("local");
    let mut status = bench.status();
    status.set_text("hbd_maintenance", "1");
    bench.hears(status);
    assert!(bench.logged("node nodeb is in maintenance"));
    bench.request(Request::Standby(Set::ALL));
    assert_eq!(answers(&bench), [Answer::PeerMaintenance]);
    bench.run(2_000);
    assert!(bench.logged("node nodeb is no longer in maintenance"));
}

#[test]
fn maintenance_is_announced_to_an_hbd_only() {
    for (hbd, told) in [(true, "1"), (false, "-")] {
        let bench = if hbd { Bench::joined_hbd("local") } else { Bench::joined("local") };
        let mut bench = maintained(bench);
        bench.done.clear();
        bench.run(1_500);
        assert_eq!(bench.field("status", "hbd_maintenance").last().map(String::as_str), Some(told));
    }
}

#[test]
fn groups_do_not_fail_back_before_the_end() {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    bench.run(10_000);
    assert_eq!(bench.view().hold, Set::ALL);
    bench.done.clear();
    let mut bench = maintained(bench);
    bench.peer_restarts();
    bench.peer_beats("active", 0xfa0);
    bench.says("starting", &[]);
    bench.resource("none", "1", None);
    bench.run(60_000);
    assert!(!bench.story().iter().any(|line| line.starts_with("ask_resources")));
    ended(&mut bench);
    bench.run(2_000);
    assert!(bench.story().contains(&"ask_resources foreign me".to_owned()));
}

#[test]
fn of_two_owners_one_releases_in_maintenance_too() {
    let mut bench = maintained(Bench::joined_hbd("local"));
    let claim = [("rsc_hold", "all"), ("rtype", "full"), ("isstable", "1"), ("hbd_claim", "1,1,2")];
    bench.says("resource", &claim);
    let story = bench.story();
    assert!(story.contains(&"stop a1".to_owned()), "{story:?}");
}

#[test]
fn a_restarted_hbd_takes_up_what_it_held_and_nothing_else() {
    let mut bench = Bench::with(|_| {});
    bench.request(Request::Maintenance(true));
    bench.feed(Event::Adopt(Box::new(Adoption { held: GroupSet::new([0], Set::LOCAL), ..Adoption::default() })));
    bench.feed(Event::Start);
    let mut bench = bench.activated();
    bench.says("starting", &[]);
    bench.resource("none", "1", None);
    bench.run(20_000);
    assert_eq!(bench.view().hold, Set::LOCAL);
    assert_eq!(bench.view().groups[0].state, GroupState::Degraded, "systemd has not said yet what runs");
    for resource in 0..2 {
        bench.feed(Event::Unit { step: Step { group: 0, resource }, news: UnitNews::Up });
    }
    assert_eq!(bench.view().groups[0].state, GroupState::Active);

    let mut bench = Bench::with(|_| {});
    bench.request(Request::Maintenance(true));
    bench.feed(Event::Start);
    bench.run(60_000);
    assert_eq!(bench.view().hold, Set::NONE, "alone, and nothing taken");
    bench.request(Request::Maintenance(false));
    assert_eq!(bench.view().hold, Set::ALL);
}

#[test]
fn a_stop_releases_everything() {
    let mut bench = maintained(Bench::joined("local"));
    bench.request(Request::Shutdown);
    let story = bench.story();
    assert!(story.contains(&"stop a1".to_owned()) && story.contains(&"shutdone".to_owned()), "{story:?}");
}

#[test]
fn maintenance_does_not_begin_twice_nor_during_an_exchange() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Standby(Set::ALL));
    bench.request(Request::Maintenance(true));
    assert_eq!(answers(&bench), [Answer::Busy]);
    let mut bench = maintained(Bench::joined("local"));
    bench.done.clear();
    bench.request(Request::Maintenance(true));
    assert_eq!(answers(&bench), [Answer::Already]);
}

#[test]
fn a_legacy_peer_gets_its_group_at_the_end() {
    let mut bench = Bench::active_legacy();
    bench.run(30_000);
    bench.peer_silent();
    bench.run(30_000);
    assert_eq!(bench.view().hold, Set::ALL);
    bench.done.clear();
    let mut bench = maintained(bench);
    bench.peer_restarts();
    bench.peer_beats("active", 0xfa0);
    bench.says("ip-request", &[("ipaddr", "b1")]);
    bench.says("ip-request", &[("ipaddr", "b1")]);
    assert_eq!(bench.story(), Vec::<String>::new());
    ended(&mut bench);
    let story = bench.story();
    assert!(story.contains(&"stop b1".to_owned()), "{story:?}");
    assert_eq!(story.iter().filter(|line| line.starts_with("ip-request-resp b1")).count(), 1, "{story:?}");
}

#[test]
fn a_daemon_that_starts_in_maintenance_takes_up_what_runs_here_and_starts_no_unit() {
    let address = |group: &mut crate::config::Group| {
        let address = [10, 0, 0, 1].into();
        let kind = crate::config::Address { address, prefix: None, device: None, label: None, broadcast: None };
        group.resources[0].kind = ResourceKind::Address(kind);
    };
    let mut bench = Bench::with(|settings| address(&mut settings.groups[0]));
    bench.request(Request::Maintenance(true));
    bench.feed(Event::Adopt(Box::new(Adoption { held: GroupSet::new([0], Set::LOCAL), ..Adoption::default() })));
    assert_eq!(bench.story(), ["start a1"], "an address is ours to keep, a2 is a unit");
    bench.feed(Event::Unit { step: Step { group: 0, resource: 1 }, news: UnitNews::Up });
    assert_eq!(bench.view().groups[0].state, GroupState::Active);
}

/// What nobody has is offered to a peer that could serve it; what is left alone is not.
#[test]
fn what_nobody_has_and_is_left_alone_is_offered_to_nobody() {
    let mut bench = Bench::started();
    bench.peer.hbd = Some("1 0.1.0");
    bench.request(Request::GroupMaintenance { set: GroupSet::one(0), on: true });
    let mut bench = bench.activated();
    bench.says("starting", &[]);
    bench.resource("local", "1", None);
    bench.run(15_000);
    assert!(bench.logged("No one owns our local resources!"), "{:?}", bench.log());
    assert_eq!(bench.sent("ask_resources").len(), 0, "{:?}", bench.log());
}
