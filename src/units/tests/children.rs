//! Programs of `respawn` and `failfast` lines.

use super::*;
use crate::config::Child;

fn child(number: usize, failfast: bool) -> Child {
    let unit = format!("hbd-respawn-{number}-x.service");
    Child { unit, user: "root".into(), command: "/bin/x".into(), failfast }
}

#[tokio::test]
async fn they_start_in_order_and_stop_in_reverse_and_a_failfast_that_dies_is_reported() {
    let Some(bus) = PrivateBus::start() else { return };
    let plan = Plan { next: UP, result: "signal", ..Plan::default() };
    let [first, second] = [child(1, false), child(2, true)];
    let units = [(first.unit.as_str(), plan.clone()), (second.unit.as_str(), plan)];
    let mut mock = Mock::start(&bus, &units).await;
    let (commands, mut reports) = running(&bus);
    let children = vec![first.clone(), second.clone()];
    commands.send(UnitCommand::Children { children, environment: vec!["HA_X=1".into()] }).unwrap();
    for call in ["make hbd-respawn-1-x.service", "make hbd-respawn-2-x.service"] {
        assert_eq!(mock.calls.recv().await.unwrap(), call);
    }
    // Only what has been seen running can fall. A respawn program that has failed is only told about.
    tokio::time::sleep(LAG * 2).await;
    for unit in [&first.unit, &second.unit] {
        mock.set(unit, ("failed", "failed"), true).await;
    }
    assert!(matches!(timeout(LONG, reports.recv()).await.unwrap(), Some(UnitReport::FailfastDied)));

    for unit in [&first.unit, &second.unit] {
        mock.set(unit, UP, true).await;
        mock.then(unit, DOWN);
    }
    commands.send(UnitCommand::EndChildren).unwrap();
    assert!(matches!(timeout(LONG, reports.recv()).await.unwrap(), Some(UnitReport::ChildrenEnded)));
    let mut calls = Vec::new();
    while let Ok(call) = mock.calls.try_recv() {
        calls.push(call);
    }
    calls.retain(|call| call.starts_with("stop"));
    assert_eq!(calls, ["stop hbd-respawn-2-x.service", "stop hbd-respawn-1-x.service"]);
}

#[tokio::test]
async fn nobody_waits_for_ever_for_their_end_when_the_bus_is_gone() {
    let (_nobody, session) = tokio::sync::watch::channel(None);
    let (sender, mut reports) = tokio::sync::mpsc::unbounded_channel();
    let report = Arc::new(move |report| drop(sender.send(report)));
    let ending = crate::units::children::end(session, vec![child(1, false)], Duration::from_millis(10), report);
    timeout(LONG, ending).await.unwrap();
    assert!(matches!(reports.recv().await, Some(UnitReport::ChildrenEnded)));
}
