//! A stop that is not hbd's ends the start of a resource: it is no failure (docs/UNITS.md, section 5).

use super::*;
use crate::cluster::{GroupState, ResourceState};
use crate::config::WhenStopped;

const A1: Step = Step { group: 0, resource: 0 };
const A2: Step = Step { group: 0, resource: 1 };

/// The oldest start under way is ended by a stop.
fn aborted(bench: &mut Bench, news: UnitNews) {
    let (step, start) = bench.pending.remove(0);
    assert!(start);
    bench.feed(Event::StepEnded { step, outcome: Outcome::Aborted(news) });
}

/// nodea holds a1, which has failed and is being started again in its place.
fn restarting(bench: Bench) -> Bench {
    let mut bench = bench;
    bench.prompt = false;
    bench.feed(Event::Unit { step: A1, news: UnitNews::Failed("it is broken".into()) });
    assert_eq!(bench.story(), ["start a1"]);
    bench
}

fn state(bench: &Bench, step: Step) -> ResourceState {
    bench.view().groups[step.group].resources[step.resource].state
}

#[test]
fn a_stop_by_hand_of_what_is_being_started_is_left_alone_and_moves_nothing() {
    let mut bench = restarting(Bench::joined_hbd("local"));
    aborted(&mut bench, STOPPED);
    bench.run(60_000);
    assert!(bench.logged("a1 was stopped by somebody else") && !bench.logged("did not start"), "{:?}", bench.log());
    assert_eq!(bench.story(), Vec::<String>::new());
    assert_eq!(
        (state(&bench, A1), bench.view().groups[0].state),
        (ResourceState::StoppedByHand, GroupState::Degraded)
    );
    bench.request(Request::Cleanup(Some(0)));
    assert_eq!(bench.story()[0], "start a1");
    bench.end_steps();
    assert_eq!(bench.view().groups[0].state, GroupState::Active);
}

#[test]
fn a_group_on_its_way_up_goes_on_without_what_somebody_stops() {
    let mut bench = Bench::active();
    bench.prompt = false;
    bench.says("starting", &[]);
    bench.resource("local", "1", None);
    aborted(&mut bench, STOPPED);
    bench.end_steps();
    assert_eq!((state(&bench, A1), state(&bench, A2)), (ResourceState::StoppedByHand, ResourceState::Active));
    assert_eq!(bench.view().groups[0].state, GroupState::Degraded);
}

#[test]
fn what_is_stopped_with_another_unit_on_its_way_up_is_started_when_that_is_over() {
    let mut bench = restarting(Bench::joined_hbd("local"));
    aborted(&mut bench, UnitNews::StoppedWith("db, which it depends on, was stopped".into()));
    assert_eq!((bench.story(), state(&bench, A1)), (Vec::new(), ResourceState::StoppedWith));
    bench.feed(Event::Unit { step: A1, news: UnitNews::Free });
    assert_eq!(bench.story(), ["start a1"]);
}

#[test]
fn hbd_toml_may_have_it_started_again() {
    let mut bench = Bench::with(|settings| settings.health.stopped = WhenStopped::Restart);
    bench.peer.hbd = Some("1 0.1.0");
    bench.feed(Event::Start);
    let mut bench = restarting(bench.activated().decided("local"));
    aborted(&mut bench, STOPPED);
    assert_eq!(bench.story(), ["start a1"]);
}

#[test]
fn a_group_that_is_given_away_meanwhile_goes_down() {
    let mut bench = restarting(Bench::joined_hbd("local"));
    bench.request(Request::Standby(Set::LOCAL));
    bench.ask("local", "other");
    aborted(&mut bench, STOPPED);
    bench.end_steps();
    assert_eq!(bench.view().groups[0].state, GroupState::Stopped);
}
