//! The groups' targets against a mock systemd.

use std::time::Duration;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::timeout;
use zbus::connection::Builder;

use super::mock::{Mock, Plan};
use super::{DOWN, LAG, UP};
use crate::bus::private_bus::PrivateBus;
use crate::units::group_target::follow_groups;
use crate::units::{TargetState, TargetWish};

const WEB: &str = "hbd-group@web.target";
const DB: &str = "hbd-group@db.target";
const OLD: &str = "hbd-group@old.target";

fn wish(target: &str, state: TargetState) -> TargetWish {
    TargetWish { target: target.to_owned(), state }
}

fn plan(state: (&'static str, &'static str)) -> Plan {
    Plan { state, next: if state == UP { DOWN } else { UP }, ..Plan::default() }
}

/// Follows these wishes on `bus`.
fn follow(bus: &PrivateBus, first: Vec<TargetWish>) -> UnboundedSender<Vec<TargetWish>> {
    let (sender, lists) = unbounded_channel();
    sender.send(first).unwrap();
    let address = bus.address();
    tokio::spawn(follow_groups(move || Builder::address(address.as_str()), lists));
    sender
}

async fn next(mock: &mut Mock) -> String {
    timeout(Duration::from_secs(20), mock.calls.recv()).await.unwrap().unwrap()
}

#[tokio::test]
async fn what_a_crash_has_left_is_stopped_and_what_is_adopted_stays() {
    let Some(bus) = PrivateBus::start() else { return };
    let units = [(WEB, plan(UP)), (DB, plan(UP)), (OLD, plan(UP)), ("web.service", plan(UP))];
    let mut mock = Mock::start(&bus, &units).await;
    let sender = follow(&bus, vec![wish(WEB, TargetState::Unchanged), wish(DB, TargetState::Inactive)]);
    let mut stopped = [next(&mut mock).await, next(&mut mock).await];
    stopped.sort();
    assert_eq!(stopped, [format!("stop {DB}"), format!("stop {OLD}")]);
    sender.send(vec![wish(WEB, TargetState::Inactive)]).unwrap();
    assert_eq!(next(&mut mock).await, format!("stop {WEB}"));
}

#[tokio::test]
async fn a_stop_is_asked_for_while_the_start_still_waits() {
    let Some(bus) = PrivateBus::start() else { return };
    let held = Plan { held: true, ..plan(DOWN) };
    let mut mock = Mock::start(&bus, &[(WEB, held), (DB, plan(DOWN))]).await;
    let sender = follow(&bus, vec![wish(WEB, TargetState::Active), wish(DB, TargetState::Inactive)]);
    assert_eq!(next(&mut mock).await, format!("start {WEB}"));
    sender.send(vec![wish(WEB, TargetState::Inactive), wish(DB, TargetState::Active)]).unwrap();
    let both = [next(&mut mock).await, next(&mut mock).await];
    assert!(both.contains(&format!("stop {WEB}")) && both.contains(&format!("start {DB}")), "{both:?}");
}

#[tokio::test]
async fn a_target_that_somebody_starts_where_its_group_is_not_is_stopped() {
    let Some(bus) = PrivateBus::start() else { return };
    let mut mock = Mock::start(&bus, &[(WEB, plan(DOWN)), (DB, plan(DOWN))]).await;
    let sender = follow(&bus, vec![wish(WEB, TargetState::Inactive), wish(DB, TargetState::Active)]);
    assert_eq!(next(&mut mock).await, format!("start {DB}"), "it listens from now on");
    mock.set(WEB, UP, false).await;
    mock.job_ended(WEB).await;
    assert_eq!(next(&mut mock).await, format!("stop {WEB}"));
    drop(sender);
}

/// `systemctl isolate` stops the units of the group, too, which hbd starts again.
#[tokio::test]
async fn a_target_that_was_stopped_because_of_something_else_is_started_again() {
    let Some(bus) = PrivateBus::start() else { return };
    let mut mock = Mock::start(&bus, &[(WEB, plan(DOWN)), ("rescue.target", plan(DOWN))]).await;
    let _sender = follow(&bus, vec![wish(WEB, TargetState::Active)]);
    assert_eq!(next(&mut mock).await, format!("start {WEB}"));
    while mock.state(WEB) != UP {
        tokio::time::sleep(LAG / 4).await;
    }
    let isolate = mock.queue("rescue.target", "start").await;
    let stop = mock.queue(WEB, "stop").await;
    mock.set(WEB, DOWN, true).await;
    mock.finish(stop, WEB, "done").await;
    mock.set("rescue.target", UP, true).await;
    mock.finish(isolate, "rescue.target", "done").await;
    assert_eq!(next(&mut mock).await, format!("start {WEB}"));
}

#[tokio::test]
async fn a_target_that_somebody_has_stopped_stays_down() {
    let Some(bus) = PrivateBus::start() else { return };
    let mut mock = Mock::start(&bus, &[(WEB, plan(DOWN))]).await;
    let sender = follow(&bus, vec![wish(WEB, TargetState::Active)]);
    assert_eq!(next(&mut mock).await, format!("start {WEB}"));
    while mock.state(WEB) != UP {
        tokio::time::sleep(LAG / 4).await;
    }
    let stop = mock.queue(WEB, "stop").await;
    mock.set(WEB, DOWN, true).await;
    mock.finish(stop, WEB, "done").await;
    tokio::time::sleep(LAG * 5).await;
    assert_eq!(mock.calls(), Vec::<String>::new());
    sender.send(vec![wish(WEB, TargetState::Active)]).unwrap();
    assert_eq!(next(&mut mock).await, format!("start {WEB}"), "its group starts again");
}

/// `systemctl cancel` cancels each job that it finds.
#[tokio::test]
async fn a_target_whose_start_was_canceled_is_started_again() {
    let Some(bus) = PrivateBus::start() else { return };
    let held = Plan { held: true, ..plan(DOWN) };
    let mut mock = Mock::start(&bus, &[(WEB, held)]).await;
    let _sender = follow(&bus, vec![wish(WEB, TargetState::Active)]);
    assert_eq!(next(&mut mock).await, format!("start {WEB}"));
    mock.cancel(WEB, DOWN).await;
    assert_eq!(next(&mut mock).await, format!("start {WEB}"));
}
