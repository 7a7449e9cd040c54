//! What is told of watched units.

use super::*;
use crate::units::causes::HEARD;
use crate::units::watch::{ANSWER, OWN_STOP};
use crate::util::clock::monotonic_usec;

/// As long as a piece of news may take.
const SOON: Duration = Duration::from_secs(8);
/// A crash.
const FAILED: (&str, &str) = ("failed", "failed");

/// The ends of the channels of a watch, and its systemd.
struct Stage {
    mock: Mock,
    commands: mpsc::UnboundedSender<UnitCommand>,
    reports: mpsc::UnboundedReceiver<UnitReport>,
}

impl Stage {
    /// web.service and db.service run, are watched, and both were told to be up. web.service is related to others
    /// (`BindsTo`, `Requires`, `Conflicts`), which are not watched unless it is db.service.
    async fn set(bus: &PrivateBus, relations: [&'static [&'static str]; 3]) -> Stage {
        let up = Plan { state: UP, ..Plan::default() };
        let web = Plan { relations, ..up.clone() };
        let mut units = vec![("web.service", web), ("db.service", up.clone())];
        let others = relations.into_iter().flatten().filter(|other| **other != "db.service");
        units.extend(others.map(|other| (*other, up.clone())));
        let mock = Mock::start(bus, &units).await;
        let (commands, reports) = running(bus);
        let units = vec!["web.service".into(), "db.service".into()];
        commands
            .send(UnitCommand::Manage { units, made: Vec::new(), everywhere: Vec::new(), stopped: Vec::new() })
            .unwrap();
        let mut stage = Stage { mock, commands, reports };
        for _ in 0..2 {
            let (_, news) = stage.news().await;
            assert_eq!(news, News::Up);
        }
        stage
    }

    /// The next news of any unit.
    async fn news(&mut self) -> (String, News) {
        match timeout(SOON, self.reports.recv()).await.expect("there is no news").unwrap() {
            UnitReport::News { unit, news } => (unit, news),
            other => panic!("{other:?}"),
        }
    }

    /// The next news of web.service.
    async fn of_web(&mut self) -> News {
        loop {
            if let (unit, news) = self.news().await
                && unit == "web.service"
            {
                return news;
            }
        }
    }

    /// The text of the next news of web.service, which is that it has failed.
    async fn failure(&mut self) -> String {
        match self.of_web().await {
            News::Failed(text) => text,
            other => panic!("{other:?}"),
        }
    }

    /// That nothing is told of web.service for as long as a look takes.
    async fn expect_silence(&mut self) {
        let told = timeout(RECHECK + LAG * 3, self.of_web()).await;
        assert!(told.is_err(), "{told:?}");
    }

    /// A job of web.service, as somebody asks for it, and where it leads.
    async fn job(&self, kind: &'static str, state: (&'static str, &'static str), result: &str) {
        let job = self.mock.queue("web.service", kind).await;
        self.see_jobs().await;
        self.mock.set("web.service", state, true).await;
        self.mock.finish(job, "web.service", result).await;
    }

    /// A stop of web.service that hbd asks for, and where it leads.
    async fn own_stop(&mut self, state: (&'static str, &'static str)) {
        self.mock.then("web.service", state);
        let limit = UnitLimit::written(LONG);
        let stop = UnitCommand::Stop { id: 5, unit: "web.service".into(), recipe: None, limit, vacate: false };
        self.commands.send(stop).unwrap();
        let told = timeout(SOON, self.reports.recv()).await.unwrap();
        assert!(matches!(told, Some(UnitReport::Stopped { id: 5 })), "{told:?}");
    }

    /// Gives the types of jobs the time to be read.
    async fn see_jobs(&self) {
        tokio::time::sleep(LAG / 2).await;
    }
}

#[tokio::test]
async fn a_watched_unit_tells_what_others_do_to_it() {
    let Some(bus) = PrivateBus::start() else { return };
    let mut stage = Stage::set(&bus, [&[]; 3]).await;
    stage.mock.set("web.service", FAILED, true).await;
    assert!(stage.failure().await.starts_with("web.service is failed, result success"));
    // What stays failed is said again.
    assert!(stage.failure().await.starts_with("web.service is failed, result success"));
    // And without a signal.
    stage.mock.set("db.service", DOWN, false).await;
    loop {
        if let (unit, News::Failed(text)) = stage.news().await
            && unit == "db.service"
        {
            assert!(text.starts_with("db.service ended by itself"), "{text}");
            break;
        }
    }
}

/// A move there and back: our own stop and our own start, faster than the look at their signals.
#[tokio::test]
async fn a_watched_unit_that_is_up_again_is_no_news() {
    let Some(bus) = PrivateBus::start() else { return };
    let mut stage = Stage::set(&bus, [&[]; 3]).await;
    stage.mock.set("web.service", DOWN, true).await;
    tokio::time::sleep(LAG / 2).await;
    stage.mock.set("web.service", UP, true).await;
    stage.mock.set("db.service", FAILED, true).await;
    assert_eq!(stage.news().await.0, "db.service");
}

#[tokio::test]
async fn a_stop_job_is_a_wish_and_a_restart_that_fails_is_none() {
    let Some(bus) = PrivateBus::start() else { return };
    let mut stage = Stage::set(&bus, [&[]; 3]).await;
    stage.job("stop", DOWN, "done").await;
    assert!(matches!(stage.of_web().await, News::Stopped { .. }));
    stage.expect_silence().await;
    stage.job("start", UP, "done").await;
    assert_eq!(stage.of_web().await, News::Up);
    stage.job("restart", FAILED, "failed").await;
    assert!(stage.failure().await.contains("its restart failed"));
    stage.mock.set("web.service", UP, true).await;
    while stage.of_web().await != News::Up {}
    stage.job("restart", UP, "done").await;
    stage.expect_silence().await;
}

#[tokio::test]
async fn a_stop_that_is_over_before_its_type_can_be_read_is_one_all_the_same() {
    let Some(bus) = PrivateBus::start() else { return };
    let mut stage = Stage::set(&bus, [&[]; 3]).await;
    stage.job("", DOWN, "done").await;
    assert!(matches!(stage.of_web().await, News::Stopped { .. }));
}

/// systemd forgets when a unit left its active state as soon as nothing refers to the unit any more.
#[tokio::test]
async fn a_stop_that_was_canceled_long_before_the_unit_is_down_is_named() {
    let Some(bus) = PrivateBus::start() else { return };
    let mut stage = Stage::set(&bus, [&[]; 3]).await;
    let job = stage.mock.queue("web.service", "stop").await;
    stage.see_jobs().await;
    stage.mock.set("web.service", ("deactivating", "stop"), true).await;
    stage.mock.finish(job, "web.service", "canceled").await;
    tokio::time::sleep(Duration::from_micros(HEARD) + LAG * 2).await;
    stage.mock.set("web.service", DOWN, true).await;
    stage.mock.plan("web.service", |plan| plan.changed = [0; 3]);
    assert!(stage.failure().await.starts_with("web.service ended by itself; its stop was canceled"));
}

/// A service that ends with an exit status of its own on SIGTERM, or whose ExecStop fails, at once.
#[tokio::test]
async fn a_quick_stop_that_goes_wrong_is_a_wish_too() {
    let Some(bus) = PrivateBus::start() else { return };
    let mut stage = Stage::set(&bus, [&[]; 3]).await;
    stage.mock.plan("web.service", |plan| plan.result = "exit-code");
    stage.job("", FAILED, "done").await;
    assert!(matches!(stage.of_web().await, News::Stopped { .. }));
    stage.expect_silence().await;
}

/// A reload, or a restart that has succeeded, and then a crash before hbd has heard that the job is over.
#[tokio::test]
async fn a_crash_right_after_a_job_of_unknown_type_is_a_failure() {
    let Some(bus) = PrivateBus::start() else { return };
    let mut stage = Stage::set(&bus, [&[]; 3]).await;
    stage.mock.plan("web.service", |plan| plan.result = "exit-code");
    for ways in [&[][..], &[DOWN, UP]] {
        let job = stage.mock.queue("web.service", "").await;
        for state in ways {
            stage.mock.set("web.service", *state, true).await;
        }
        stage.mock.set("web.service", FAILED, false).await;
        stage.mock.finish(job, "web.service", "done").await;
        assert!(stage.failure().await.starts_with("web.service is failed, result exit-code"));
        stage.mock.set("web.service", UP, true).await;
        while stage.of_web().await != News::Up {}
    }
}

/// `systemctl stop` of what has failed: somebody takes care of it.
#[tokio::test]
async fn a_stop_of_a_unit_that_is_down_is_a_wish_too() {
    let Some(bus) = PrivateBus::start() else { return };
    let mut stage = Stage::set(&bus, [&[]; 3]).await;
    stage.mock.set("web.service", FAILED, true).await;
    stage.failure().await;
    stage.job("stop", FAILED, "done").await;
    while !matches!(stage.of_web().await, News::Stopped { .. }) {}
    stage.expect_silence().await;
}

#[tokio::test]
async fn what_is_stopped_with_its_dependency_waits_for_that() {
    let Some(bus) = PrivateBus::start() else { return };
    let mut stage = Stage::set(&bus, [&[], &["base.service"], &[]]).await;
    let first = stage.mock.queue("base.service", "stop").await;
    stage.job("stop", DOWN, "done").await;
    assert_eq!(stage.of_web().await, News::StoppedWith("base.service, which it depends on, was stopped".into()));
    stage.mock.set("base.service", DOWN, true).await;
    stage.mock.finish(first, "base.service", "done").await;
    stage.expect_silence().await;
    let start = stage.mock.queue("base.service", "start").await;
    stage.mock.set("base.service", UP, true).await;
    stage.mock.finish(start, "base.service", "done").await;
    assert_eq!(stage.of_web().await, News::Free);
}

/// A service that hangs is stopped and started again; its start may come later than the verdict on its end.
#[tokio::test]
async fn a_stop_of_our_own_is_no_wish_and_a_later_one_of_somebody_is() {
    let Some(bus) = PrivateBus::start() else { return };
    let mut stage = Stage::set(&bus, [&[]; 3]).await;
    // Also one that goes wrong: an exit status of its own on SIGTERM.
    for state in [FAILED, DOWN] {
        stage.own_stop(state).await;
        stage.expect_silence().await;
        stage.job("stop", state, "done").await;
        let news = stage.of_web().await;
        assert!(matches!(news, News::Stopped { .. }), "{news:?}");
        stage.mock.set("web.service", UP, true).await;
        assert_eq!(stage.of_web().await, News::Up);
    }
}

/// A unit may stand in two groups, one of which goes away.
#[tokio::test]
async fn a_unit_that_stays_down_after_a_stop_of_our_own_is_told_after_a_while() {
    let Some(bus) = PrivateBus::start() else { return };
    let mut stage = Stage::set(&bus, [&[]; 3]).await;
    stage.own_stop(DOWN).await;
    let told = timeout(Duration::from_micros(OWN_STOP) + SOON, stage.reports.recv()).await.unwrap();
    assert!(matches!(told, Some(UnitReport::News { news: News::Stopped { .. }, .. })), "{told:?}");
    stage.expect_silence().await;
}

/// `systemctl try-restart` of what is down, by needrestart or logrotate, is a `nop` for systemd.
#[tokio::test]
async fn a_job_that_does_nothing_to_a_unit_that_is_down_changes_no_verdict() {
    let Some(bus) = PrivateBus::start() else { return };
    let mut stage = Stage::set(&bus, [&[], &["base.service"], &[]]).await;
    let first = stage.mock.queue("base.service", "stop").await;
    stage.job("stop", DOWN, "done").await;
    assert_eq!(stage.of_web().await, News::StoppedWith("base.service, which it depends on, was stopped".into()));
    stage.mock.set("base.service", DOWN, true).await;
    stage.mock.finish(first, "base.service", "done").await;
    for (kind, result) in [("nop", "done"), ("", "done"), ("verify-active", "skipped"), ("", "skipped")] {
        stage.job(kind, DOWN, result).await;
        stage.expect_silence().await;
    }
    let start = stage.mock.queue("base.service", "start").await;
    stage.mock.set("base.service", UP, true).await;
    stage.mock.finish(start, "base.service", "done").await;
    assert_eq!(stage.of_web().await, News::Free);
}

/// The first verdict is not given yet.
#[tokio::test]
async fn a_job_that_does_nothing_right_after_a_stop_hides_no_stop() {
    let Some(bus) = PrivateBus::start() else { return };
    let mut stage = Stage::set(&bus, [&[]; 3]).await;
    let stop = stage.mock.queue("web.service", "stop").await;
    stage.see_jobs().await;
    stage.mock.set("web.service", DOWN, true).await;
    stage.mock.finish(stop, "web.service", "done").await;
    let nop = stage.mock.queue("web.service", "").await;
    stage.mock.finish(nop, "web.service", "done").await;
    assert!(matches!(stage.of_web().await, News::Stopped { .. }));
    stage.expect_silence().await;
}

/// The job of the dependency comes over a second after the unit left its active state, but not at rest.
#[tokio::test]
async fn what_is_stopped_with_its_dependency_in_a_pause_or_a_long_stop_waits_for_that_too() {
    for state in [("activating", "auto-restart"), ("deactivating", "stop-post")] {
        let Some(bus) = PrivateBus::start() else { return };
        let mut stage = Stage::set(&bus, [&[], &["base.service"], &[]]).await;
        stage.mock.set("web.service", state, true).await;
        tokio::time::sleep(Duration::from_micros(HEARD) + LAG * 2).await;
        let _first = stage.mock.queue("base.service", "stop").await;
        stage.job("stop", DOWN, "done").await;
        let with_base = News::StoppedWith("base.service, which it depends on, was stopped".into());
        match stage.of_web().await {
            News::Restarting(_) => assert_eq!(stage.of_web().await, with_base, "{state:?}"),
            news => assert_eq!(news, with_base, "{state:?}"),
        }
    }
}

/// systemd adds no stop of a unit that is at rest: somebody asked for this one.
#[tokio::test]
async fn a_stop_of_what_was_at_rest_is_a_wish_also_while_its_dependency_stops() {
    let Some(bus) = PrivateBus::start() else { return };
    let mut stage = Stage::set(&bus, [&[], &["base.service"], &[]]).await;
    stage.mock.set("web.service", FAILED, true).await;
    stage.failure().await;
    tokio::time::sleep(Duration::from_micros(HEARD) + LAG * 2).await;
    let _first = stage.mock.queue("base.service", "stop").await;
    stage.job("stop", FAILED, "done").await;
    loop {
        match stage.of_web().await {
            News::Failed(_) => {}
            news => break assert!(matches!(news, News::Stopped { .. }), "{news:?}"),
        }
    }
}

/// `systemctl stop web db`: its own job comes first.
#[tokio::test]
async fn what_is_stopped_before_its_dependency_was_meant() {
    let Some(bus) = PrivateBus::start() else { return };
    let mut stage = Stage::set(&bus, [&[], &["base.service"], &[]]).await;
    let own = stage.mock.queue("web.service", "stop").await;
    let second = stage.mock.queue("base.service", "stop").await;
    stage.see_jobs().await;
    stage.mock.set("web.service", DOWN, true).await;
    stage.mock.finish(own, "web.service", "done").await;
    stage.mock.set("base.service", DOWN, true).await;
    stage.mock.finish(second, "base.service", "done").await;
    assert!(matches!(stage.of_web().await, News::Stopped { .. }));
}

#[tokio::test]
async fn what_is_bound_to_a_unit_that_is_gone_waits_and_to_one_that_failed_has_failed() {
    let Some(bus) = PrivateBus::start() else { return };
    let mut stage = Stage::set(&bus, [&["base.service"], &[], &[]]).await;
    stage.mock.set("base.service", DOWN, true).await;
    stage.job("stop", DOWN, "done").await;
    assert_eq!(stage.of_web().await, News::StoppedWith("base.service, which it is bound to, is gone".into()));
    stage.mock.set("base.service", UP, true).await;
    assert_eq!(stage.of_web().await, News::Free);
    stage.mock.set("web.service", UP, true).await;
    assert_eq!(stage.of_web().await, News::Up);
    stage.mock.set("base.service", FAILED, true).await;
    stage.job("stop", DOWN, "done").await;
    assert!(stage.failure().await.contains("base.service, which it is bound to, has failed"));
}

#[tokio::test]
async fn a_conflict_stops_it_until_it_is_over() {
    let Some(bus) = PrivateBus::start() else { return };
    let mut stage = Stage::set(&bus, [&[], &[], &["other.service"]]).await;
    stage.mock.set("other.service", DOWN, true).await;
    let start = stage.mock.queue("other.service", "start").await;
    stage.job("stop", DOWN, "done").await;
    stage.mock.set("other.service", UP, true).await;
    stage.mock.finish(start, "other.service", "done").await;
    assert_eq!(stage.of_web().await, News::StoppedWith("other.service, which it conflicts with, was started".into()));
    stage.mock.set("other.service", DOWN, true).await;
    assert_eq!(stage.of_web().await, News::Free);
}

#[tokio::test]
async fn an_isolation_stops_it_until_it_is_over() {
    let Some(bus) = PrivateBus::start() else { return };
    // The mock knows only units that something is related to.
    let mut stage = Stage::set(&bus, [&[], &[], &["rescue.target"]]).await;
    stage.mock.plan("web.service", |plan| plan.relations = [&[]; 3]);
    let isolate = stage.mock.queue("rescue.target", "start").await;
    stage.job("stop", DOWN, "done").await;
    stage.mock.finish(isolate, "rescue.target", "done").await;
    let News::StoppedWith(text) = stage.of_web().await else { panic!() };
    assert!(text.starts_with("rescue.target was isolated"), "{text}");
    assert_eq!(stage.of_web().await, News::Free);
}

#[tokio::test]
async fn each_lap_of_its_own_restarts_is_told_and_that_it_is_up_between_them() {
    let Some(bus) = PrivateBus::start() else { return };
    let mut stage = Stage::set(&bus, [&[]; 3]).await;
    stage.mock.plan("web.service", |plan| (plan.restarts, plan.result) = (2, "signal"));
    stage.mock.set("web.service", UP, true).await;
    for _ in 0..2 {
        let news = stage.of_web().await;
        let News::Restarting(text) = news else { panic!("{news:?}") };
        assert_eq!(text, "web.service failed, result signal, and systemd starts it again");
    }
    assert_eq!(stage.of_web().await, News::Up);
    stage.mock.plan("web.service", |plan| plan.result = "start-limit-hit");
    stage.mock.set("web.service", FAILED, true).await;
    assert!(matches!(stage.of_web().await, News::Exhausted(_)));
}

#[tokio::test]
async fn without_a_bus_units_are_unknown_and_then_what_they_are() {
    let Some(mut bus) = PrivateBus::start() else { return };
    let mut stage = Stage::set(&bus, [&[]; 3]).await;
    bus.kill();
    let mut unknown: Vec<String> = Vec::new();
    for _ in 0..2 {
        let (unit, news) = stage.news().await;
        assert_eq!(news, News::Unknown);
        unknown.push(unit);
    }
    assert_eq!(unknown, ["web.service", "db.service"]);
    bus.revive();
    let units = [
        ("web.service", Plan { state: UP, ..Plan::default() }),
        ("db.service", Plan { state: DOWN, ..Plan::default() }),
    ];
    let _mock = Mock::start(&bus, &units).await;
    for _ in 0..2 {
        match stage.news().await {
            (unit, News::Up) => assert_eq!(unit, "web.service"),
            (unit, News::Failed(text)) => assert!(unit == "db.service" && text.contains("ended by itself"), "{text}"),
            other => panic!("{other:?}"),
        }
    }
}

/// A restart of the bus and a new execution of systemd take no longer.
#[tokio::test]
async fn a_bus_that_is_away_for_a_moment_is_no_news() {
    let Some(mut bus) = PrivateBus::start() else { return };
    let mut stage = Stage::set(&bus, [&[]; 3]).await;
    bus.kill();
    tokio::time::sleep(ANSWER / 4).await;
    bus.revive();
    let up = Plan { state: UP, ..Plan::default() };
    let _mock = Mock::start(&bus, &[("web.service", up.clone()), ("db.service", up)]).await;
    let told = timeout(ANSWER + RECHECK, stage.reports.recv()).await;
    assert!(told.is_err(), "{told:?}");
}

#[tokio::test]
async fn units_of_a_systemd_that_does_not_answer_are_unknown() {
    let Some(bus) = PrivateBus::start() else { return };
    let mut stage = Stage::set(&bus, [&[]; 3]).await;
    stage.mock.hang(true);
    let told = timeout(ANSWER + RECHECK * 3, stage.reports.recv()).await.unwrap();
    assert!(matches!(told, Some(UnitReport::News { news: News::Unknown, .. })), "{told:?}");
    stage.mock.hang(false);
    while stage.of_web().await != News::Up {}
}

/// While hbd was down somebody started it again, and it failed: that nobody is to be told of its stop is over.
#[tokio::test]
async fn a_unit_that_was_started_after_its_stop_by_hand_and_failed_has_failed() {
    let Some(bus) = PrivateBus::start() else { return };
    let asked = monotonic_usec();
    let failed = |rose| Plan { state: FAILED, changed: [rose, rose, rose], result: "exit-code", ..Plan::default() };
    let plans = [("db.service", failed(asked - 1000)), ("web.service", failed(asked + 1000))];
    let _mock = Mock::start(&bus, &plans).await;
    let (commands, mut reports) = running(&bus);
    let units = plans.map(|(unit, _)| unit.to_owned()).to_vec();
    let stopped = units.iter().map(|unit| (unit.clone(), asked)).collect();
    commands.send(UnitCommand::Manage { units, made: Vec::new(), everywhere: Vec::new(), stopped }).unwrap();
    let told = timeout(SOON, reports.recv()).await.expect("there is no news");
    let Some(UnitReport::News { unit, news: News::Failed(text) }) = told else { panic!("{told:?}") };
    assert_eq!(unit, "web.service");
    assert!(text.contains("is failed, result exit-code"), "{text}");
}
