//! The units' task against a mock systemd on a private bus.

mod children;
mod group_target;
mod mock;
mod replaced;
mod stops;
mod survey;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::systemd::{LAG, RECHECK};
use super::{ActiveState, CheckUnit, News, Systemd, UnitCommand, UnitError, UnitReport};
use crate::bus::private_bus::PrivateBus;
use crate::config::UnitLimit;
use mock::{Mock, Plan};

const LONG: Duration = Duration::from_secs(30);
const DOWN: (&str, &str) = ("inactive", "dead");
const UP: (&str, &str) = ("active", "running");

async fn systemd(bus: &PrivateBus) -> Systemd {
    Systemd::new(bus.builder().build().await.unwrap()).await.unwrap()
}

/// Starts the one unit of `plan` and returns what came of it.
async fn start_one(plan: Plan) -> Option<Result<(), UnitError>> {
    let bus = PrivateBus::start()?;
    let _mock = Mock::start(&bus, &[("web.service", plan)]).await;
    Some(systemd(&bus).await.start("web.service", LONG).await)
}

#[tokio::test]
async fn start_and_stop_end_with_their_jobs() {
    let Some(bus) = PrivateBus::start() else { return };
    let plan = Plan { next: UP, ..Plan::default() };
    let down = Plan { state: UP, next: DOWN, ..Plan::default() };
    let mut mock = Mock::start(&bus, &[("web.service", plan), ("old.service", down)]).await;
    let systemd = systemd(&bus).await;

    systemd.start("web.service", LONG).await.unwrap();
    systemd.stop("old.service", LONG).await.unwrap();
    assert_eq!(systemd.state("web.service").await.unwrap().active, ActiveState::Active);
    assert_eq!(mock.calls.recv().await.unwrap(), "start web.service");
    assert_eq!(mock.calls.recv().await.unwrap(), "stop old.service");
}

/// systemd counts starts of a unit that was stopped well as it counts those of one that failed.
#[tokio::test]
async fn moves_in_quick_succession_reach_no_start_limit() {
    let Some(bus) = PrivateBus::start() else { return };
    let plan = Plan { next: UP, stopped: Some(DOWN), ..Plan::default() };
    let _mock = Mock::start(&bus, &[("web.service", plan)]).await;
    let systemd = systemd(&bus).await;
    for _ in 0..8 {
        systemd.start("web.service", LONG).await.unwrap();
        systemd.stop("web.service", LONG).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_already_so_needs_no_job() {
    let Some(bus) = PrivateBus::start() else { return };
    let reloading = Plan { state: ("reloading", "reload"), ..Plan::default() };
    let failed = Plan { state: ("failed", "failed"), ..Plan::default() };
    let mut mock = Mock::start(&bus, &[("web.service", reloading), ("db.service", failed)]).await;
    let systemd = systemd(&bus).await;

    systemd.start("web.service", LONG).await.unwrap();
    systemd.stop("db.service", LONG).await.unwrap();
    assert!(mock.calls.try_recv().is_err());
}

#[tokio::test]
async fn a_failed_start_says_what_failed_and_where_to_look() {
    let plan = Plan { job: "failed", next: ("failed", "failed"), result: "exit-code", ..Plan::default() };
    let Some(outcome) = start_one(plan).await else { return };
    let error = outcome.unwrap_err();
    assert_eq!(
        error.to_string(),
        "start of web.service ended with job result \"failed\", unit failed (failed), result \"exit-code\"; \
         see `systemctl status web.service`"
    );
}

#[tokio::test]
async fn every_bad_job_result_is_told_by_name() {
    for job in ["failed", "timeout", "canceled", "dependency", "skipped"] {
        let plan = Plan { job, next: DOWN, ..Plan::default() };
        let Some(outcome) = start_one(plan).await else { return };
        match outcome {
            Err(UnitError::Failed { job: told, .. }) => assert_eq!(told, job),
            other => panic!("{job}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_canceled_job_whose_unit_is_up_all_the_same_is_started() {
    let Some(outcome) = start_one(Plan { job: "canceled", next: UP, ..Plan::default() }).await else { return };
    outcome.unwrap();
}

#[tokio::test]
async fn a_condition_not_met_is_not_a_success() {
    let plan = Plan { next: DOWN, condition: false, kind: "oneshot", ..Plan::default() };
    let Some(outcome) = start_one(plan).await else { return };
    assert!(matches!(outcome, Err(UnitError::Condition { .. })), "{outcome:?}");
}

#[tokio::test]
async fn a_oneshot_that_ended_well_is_started_and_another_kind_is_not() {
    let oneshot = Plan { next: DOWN, kind: "oneshot", ..Plan::default() };
    let Some(outcome) = start_one(oneshot.clone()).await else { return };
    outcome.unwrap();
    let outcome = start_one(Plan { kind: "simple", ..oneshot.clone() }).await.unwrap();
    assert!(matches!(outcome, Err(UnitError::Ended { .. })), "{outcome:?}");
    let outcome = start_one(Plan { result: "signal", ..oneshot }).await.unwrap();
    assert!(matches!(outcome, Err(UnitError::Failed { .. })), "{outcome:?}");
}

#[tokio::test]
async fn an_automatic_restart_is_a_failure() {
    let plan = Plan { next: ("activating", "auto-restart"), result: "exit-code", ..Plan::default() };
    let Some(outcome) = start_one(plan).await else { return };
    assert!(matches!(outcome, Err(UnitError::Failed { .. })), "{outcome:?}");
}

/// systemd ends with a status of its own where it cannot execute a program (systemd.exec(5)).
#[tokio::test]
async fn a_check_that_was_not_executed_is_told_from_one_that_failed() {
    let unit = "hbd-check-web-1.service";
    let (list, shell) = (["/nowhere"].as_slice(), ["/bin/sh", "-c", "exit 203"].as_slice());
    let table = [(list, 203, false), (list, 1, true), (list, 202, true), (list, 240, true)];
    for (words, exit_status, executed) in table.into_iter().chain([(shell, 203, true)]) {
        let Some(bus) = PrivateBus::start() else { return };
        let state = ("failed", "failed");
        let plan =
            Plan { job: "failed", next: state, result: "exit-code", kind: "oneshot", exit_status, ..Plan::default() };
        let _mock = Mock::start(&bus, &[(unit, plan)]).await;
        let (output, limit) = ("/run/hbd/x.output", LONG);
        let check = CheckUnit { unit, words: words.to_vec(), environment: &[], output, limit };
        match systemd(&bus).await.run_check(&check).await.unwrap_err() {
            UnitError::NotExecuted { status, .. } => assert!(!executed && status == exit_status, "{status}"),
            UnitError::Failed { .. } => assert!(executed, "{exit_status}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_missing_unit_points_to_the_aliases() {
    let Some(bus) = PrivateBus::start() else { return };
    let masked = Plan { load: "masked", ..Plan::default() };
    let _mock = Mock::start(&bus, &[("web.service", masked)]).await;
    let systemd = systemd(&bus).await;

    let error = systemd.start("mysql.service", LONG).await.unwrap_err();
    assert!(matches!(error, UnitError::NotFound { .. }));
    assert!(error.to_string().contains("[aliases] mysql = "), "{error}");
    let error = systemd.start("web.service", LONG).await.unwrap_err();
    assert!(error.to_string().contains("systemctl unmask web.service"), "{error}");
}

#[tokio::test]
async fn stopping_what_is_not_loaded_is_done() {
    let Some(bus) = PrivateBus::start() else { return };
    let _mock = Mock::start(&bus, &[]).await;
    systemd(&bus).await.stop("gone.service", LONG).await.unwrap();
}

#[tokio::test]
async fn a_stop_that_leaves_the_unit_up_is_a_failure_and_one_that_fails_it_is_not() {
    let Some(bus) = PrivateBus::start() else { return };
    let stuck = Plan { state: UP, next: ("deactivating", "stop-sigterm"), job: "timeout", ..Plan::default() };
    let killed = Plan { state: UP, next: ("failed", "failed"), job: "failed", ..Plan::default() };
    let _mock = Mock::start(&bus, &[("stuck.service", stuck), ("killed.service", killed)]).await;
    let systemd = systemd(&bus).await;

    let error = systemd.stop("stuck.service", LONG).await.unwrap_err();
    assert!(matches!(&error, UnitError::Failed { job, .. } if job == "timeout"), "{error}");
    systemd.stop("killed.service", LONG).await.unwrap();
}

#[tokio::test]
async fn systemds_refusal_is_passed_on() {
    let Some(outcome) = start_one(Plan { job: "refuse", ..Plan::default() }).await else { return };
    let error = outcome.unwrap_err();
    assert!(error.to_string().contains("org.freedesktop.systemd1.TransactionIsDestructive"), "{error}");
}

#[tokio::test]
async fn a_long_job_is_waited_for_and_the_deadline_is_kept() {
    let Some(bus) = PrivateBus::start() else { return };
    let held = Plan { held: true, ..Plan::default() };
    let mut mock = Mock::start(&bus, &[("slow.service", held.clone()), ("hung.service", held)]).await;
    let systemd = Arc::new(systemd(&bus).await);

    let error = systemd.start("hung.service", Duration::from_millis(300)).await.unwrap_err();
    assert!(matches!(error, UnitError::Deadline { .. }), "{error}");
    assert_eq!(mock.calls.recv().await.unwrap(), "start hung.service");

    let waiting = tokio::spawn({
        let systemd = Arc::clone(&systemd);
        async move { systemd.start("slow.service", LONG).await }
    });
    assert_eq!(mock.calls.recv().await.unwrap(), "start slow.service");
    assert!(!waiting.is_finished());
    mock.release();
    mock.release();
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_lost_signal_is_made_good_by_looking() {
    let Some(bus) = PrivateBus::start() else { return };
    let plan = Plan { signal: false, ..Plan::default() };
    let _mock = Mock::start(&bus, &[("web.service", plan)]).await;
    let systemd = systemd(&bus).await;
    let begun = Instant::now();
    timeout(RECHECK * 2, systemd.start("web.service", LONG)).await.unwrap().unwrap();
    assert!(begun.elapsed() >= RECHECK / 2, "the mock did signal");
}

#[tokio::test]
async fn the_end_of_a_daemon_reload_is_a_reason_to_look() {
    let Some(bus) = PrivateBus::start() else { return };
    let plan = Plan { held: true, signal: false, ..Plan::default() };
    let mut mock = Mock::start(&bus, &[("web.service", plan)]).await;
    let systemd = systemd(&bus).await;
    let begun = Instant::now();
    let waiting = tokio::spawn(async move { systemd.start("web.service", LONG).await });
    mock.calls.recv().await.unwrap();
    mock.set("web.service", UP, false).await;
    mock.reloaded().await;
    waiting.await.unwrap().unwrap();
    assert!(begun.elapsed() < RECHECK, "it was the periodic look");
}

#[tokio::test]
async fn a_systemd_that_executes_itself_anew_is_asked_again() {
    let Some(bus) = PrivateBus::start() else { return };
    let held = Plan { held: true, ..Plan::default() };
    let mut mock = Mock::start(&bus, &[("web.service", held)]).await;
    let systemd = systemd(&bus).await;
    let waiting = tokio::spawn(async move { systemd.start("web.service", LONG).await });
    mock.calls.recv().await.unwrap();
    mock.connection.clone().close().await.unwrap();
    let _mock = Mock::start(&bus, &[("web.service", Plan { state: UP, ..Plan::default() })]).await;
    timeout(LONG, waiting).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn two_hundred_starts_at_once_do_not_freeze_the_connection() {
    let Some(bus) = PrivateBus::start() else { return };
    let names: Vec<String> = (0..200).map(|number| format!("unit{number}.service")).collect();
    let units: Vec<(&str, Plan)> = names.iter().map(|name| (name.as_str(), Plan::default())).collect();
    let _mock = Mock::start(&bus, &units).await;
    let systemd = Arc::new(systemd(&bus).await);
    let mut starts = JoinSet::new();
    for name in names {
        let systemd = Arc::clone(&systemd);
        starts.spawn(async move { systemd.start(&name, LONG).await });
    }
    let outcomes = timeout(LONG, starts.join_all()).await.unwrap();
    for outcome in outcomes {
        outcome.unwrap();
    }
}

#[tokio::test]
async fn a_lost_bus_is_an_error_and_not_a_verdict() {
    let Some(mut bus) = PrivateBus::start() else { return };
    let held = Plan { held: true, ..Plan::default() };
    let mut mock = Mock::start(&bus, &[("web.service", held)]).await;
    let systemd = systemd(&bus).await;
    let waiting = tokio::spawn(async move { systemd.start("web.service", LONG).await });
    mock.calls.recv().await.unwrap();
    bus.kill();
    let outcome = waiting.await.unwrap();
    assert!(matches!(outcome, Err(UnitError::ConnectionLost)), "{outcome:?}");
}

/// [`super::run()`] on `bus`, with the ends of its channels.
fn running(bus: &PrivateBus) -> (mpsc::UnboundedSender<UnitCommand>, mpsc::UnboundedReceiver<UnitReport>) {
    let (commands, inbox) = mpsc::unbounded_channel();
    let (outbox, reports) = mpsc::unbounded_channel();
    let address = bus.address();
    let connect = move || zbus::connection::Builder::address(address.as_str());
    tokio::spawn(super::run(connect, inbox, move |report| drop(outbox.send(report))));
    (commands, reports)
}

#[tokio::test]
async fn commands_are_answered_by_their_number() {
    let Some(bus) = PrivateBus::start() else { return };
    let held = Plan { held: true, ..Plan::default() };
    let down = Plan { state: UP, next: DOWN, ..Plan::default() };
    let mut mock = Mock::start(&bus, &[("slow.service", held), ("old.service", down)]).await;
    let (commands, mut reports) = running(&bus);

    commands
        .send(UnitCommand::Start {
            id: 1,
            unit: "slow.service".into(),
            recipe: None,
            limit: UnitLimit::written(LONG),
        })
        .unwrap();
    assert_eq!(mock.calls.recv().await.unwrap(), "start slow.service");
    commands
        .send(UnitCommand::Stop {
            id: 2,
            unit: "old.service".into(),
            recipe: None,
            limit: UnitLimit::written(LONG),
            vacate: false,
        })
        .unwrap();
    commands
        .send(UnitCommand::Start {
            id: 3,
            unit: "gone.service".into(),
            recipe: None,
            limit: UnitLimit::written(LONG),
        })
        .unwrap();
    let mut answers = Vec::new();
    for _ in 0..2 {
        match reports.recv().await.unwrap() {
            UnitReport::Stopped { id } => answers.push((id, "stopped")),
            UnitReport::Failed { id, error: UnitError::NotFound { .. }, .. } => answers.push((id, "not found")),
            other => panic!("{other:?}"),
        }
    }
    answers.sort_unstable();
    assert_eq!(answers, [(2, "stopped"), (3, "not found")]);
    mock.release();
    assert!(matches!(reports.recv().await.unwrap(), UnitReport::Started { id: 1 }));
}

#[tokio::test]
async fn a_command_survives_a_restart_of_the_bus() {
    let Some(mut bus) = PrivateBus::start() else { return };
    let held = Plan { held: true, ..Plan::default() };
    let mut mock = Mock::start(&bus, &[("web.service", held)]).await;
    let (commands, mut reports) = running(&bus);
    commands
        .send(UnitCommand::Start { id: 7, unit: "web.service".into(), recipe: None, limit: UnitLimit::written(LONG) })
        .unwrap();
    mock.calls.recv().await.unwrap();
    bus.kill();
    bus.revive();
    let _mock = Mock::start(&bus, &[("web.service", Plan::default())]).await;
    let report = timeout(LONG, reports.recv()).await.unwrap().unwrap();
    assert!(matches!(report, UnitReport::Started { id: 7 }), "{report:?}");
}

#[tokio::test]
async fn without_a_bus_a_command_fails_at_its_deadline() {
    let Some(mut bus) = PrivateBus::start() else { return };
    bus.kill();
    let (commands, mut reports) = running(&bus);
    let limit = Duration::from_millis(300);
    commands
        .send(UnitCommand::Stop {
            id: 9,
            unit: "web.service".into(),
            recipe: None,
            limit: UnitLimit::written(limit),
            vacate: false,
        })
        .unwrap();
    let report = timeout(LONG, reports.recv()).await.unwrap().unwrap();
    assert!(matches!(report, UnitReport::Failed { id: 9, error: UnitError::ConnectionLost, .. }), "{report:?}");
}

/// The units of [`a_real_systemd_agrees`].
const REAL_UNITS: [(&str, &str); 10] = [
    ("t-simple.service", "[Service]\nExecStart=/bin/sleep 1000\n"),
    ("t-oneshot.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n"),
    ("t-fail.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n"),
    ("t-ended.service", "[Service]\nType=notify\nNotifyAccess=all\nExecStart=/bin/systemd-notify --ready\n"),
    ("t-condition.service", "[Unit]\nConditionPathExists=/nowhere\n[Service]\nType=oneshot\nExecStart=/bin/true\n"),
    ("t-exec-condition.service", "[Service]\nType=oneshot\nExecCondition=/bin/false\nExecStart=/bin/true\n"),
    (
        "t-needs-fail.service",
        "[Unit]\nRequires=t-fail.service\nAfter=t-fail.service\n[Service]\nExecStart=/bin/sleep 1000\n",
    ),
    ("t-slow.service", "[Service]\nType=oneshot\nExecStart=/bin/sleep 20\n"),
    ("t-while.service", "[Service]\nType=oneshot\nExecStart=/bin/sleep 3\n"),
    ("t-many@.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n"),
];

/// Against a real systemd: run with `HBD_TEST_ROOT=/proc/LEADER/root` of a booted lab node.
#[tokio::test]
#[ignore = "needs a booted node, see HBD_TEST_ROOT"]
async fn a_real_systemd_agrees() {
    let root = std::env::var("HBD_TEST_ROOT").expect("HBD_TEST_ROOT is not set");
    for (name, content) in REAL_UNITS {
        std::fs::write(format!("{root}/run/systemd/system/{name}"), content).unwrap();
    }
    let masked = format!("{root}/run/systemd/system/t-masked.service");
    if std::fs::symlink_metadata(&masked).is_err() {
        std::os::unix::fs::symlink("/dev/null", masked).unwrap();
    }
    let address = format!("unix:path={root}/run/dbus/system_bus_socket");
    let connection = zbus::connection::Builder::address(address.as_str()).build().await.unwrap();
    let systemd = Arc::new(Systemd::new(connection).await.unwrap());

    systemd.start("t-simple.service", LONG).await.unwrap();
    assert_eq!(systemd.state("t-simple.service").await.unwrap().sub, "running");
    systemd.start("t-simple.service", LONG).await.unwrap();
    systemd.stop("t-simple.service", LONG).await.unwrap();
    assert_eq!(systemd.state("t-simple.service").await.unwrap().active, ActiveState::Inactive);
    systemd.stop("t-never-seen.service", LONG).await.unwrap();
    systemd.start("t-oneshot.service", LONG).await.unwrap();

    let failed = systemd.start("t-fail.service", LONG).await.unwrap_err();
    assert!(
        matches!(&failed, UnitError::Failed { job, result, .. } if job == "failed" && result == "exit-code"),
        "{failed}"
    );
    let ended = systemd.start("t-ended.service", LONG).await;
    assert!(matches!(ended, Ok(()) | Err(UnitError::Ended { .. })), "{ended:?}");
    for unit in ["t-condition.service", "t-exec-condition.service"] {
        let outcome = systemd.start(unit, LONG).await;
        assert!(matches!(outcome, Err(UnitError::Condition { .. })), "{unit}: {outcome:?}");
    }
    let outcome = systemd.start("t-needs-fail.service", LONG).await;
    assert!(matches!(&outcome, Err(UnitError::Failed { job, .. }) if job == "dependency"), "{outcome:?}");
    let outcome = systemd.start("t-missing.service", LONG).await;
    assert!(matches!(outcome, Err(UnitError::NotFound { .. })), "{outcome:?}");
    let outcome = systemd.start("t-masked.service", LONG).await;
    assert!(matches!(outcome, Err(UnitError::Masked { .. })), "{outcome:?}");
    let outcome = systemd.start("t-slow.service", Duration::from_millis(500)).await;
    assert!(matches!(outcome, Err(UnitError::Deadline { .. })), "{outcome:?}");

    let waiting = tokio::spawn({
        let systemd = Arc::clone(&systemd);
        async move { systemd.start("t-slow.service", LONG).await }
    });
    while systemd.state("t-slow.service").await.unwrap().job.is_none() {}
    // As somebody else does.
    systemd.manager.stop_unit("t-slow.service", "replace").await.unwrap();
    let outcome = waiting.await.unwrap();
    let wish = |news: &News| matches!(news, News::Stopped { .. });
    assert!(matches!(&outcome, Err(UnitError::Aborted { news, .. }) if wish(news)), "{outcome:?}");

    let mut starts = JoinSet::new();
    for number in 0..200 {
        let systemd = Arc::clone(&systemd);
        starts.spawn(async move { systemd.start(&format!("t-many@{number}.service"), LONG).await });
    }
    for outcome in starts.join_all().await {
        outcome.unwrap();
    }

    // An upgrade of systemd in the middle of a job.
    for method in ["Reload", "Reexecute"] {
        let waiting = tokio::spawn({
            let systemd = Arc::clone(&systemd);
            async move { systemd.start("t-while.service", LONG).await }
        });
        while systemd.state("t-while.service").await.unwrap().job.is_none() {}
        let (name, path) = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1");
        let manager = Some("org.freedesktop.systemd1.Manager");
        // Reexecute is never answered.
        let call = systemd.connection.call_method(Some(name), path, manager, method, &());
        let _ = timeout(Duration::from_secs(2), call).await;
        waiting.await.unwrap().unwrap();
    }
}
