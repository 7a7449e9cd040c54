//! Jobs of hbd's that others end, or put another job in the place of (docs/UNITS.md, section 5).

use super::*;

const WEB: &str = "web.service";
const BASE: &str = "base.service";
const STARTING: (&str, &str) = ("activating", "start");
const STOPPING: (&str, &str) = ("deactivating", "stop-sigterm");
const FAILED: (&str, &str) = ("failed", "failed");

/// A systemd in which hbd's start, or stop, of web.service is under way. web.service requires base.service.
struct Stage {
    mock: Mock,
    reports: mpsc::UnboundedReceiver<UnitReport>,
    /// The loop ends with it.
    _commands: mpsc::UnboundedSender<UnitCommand>,
}

impl Stage {
    /// `state`: what web.service does while the job goes on. Its next job ends at once, in `next`.
    async fn set(
        bus: &PrivateBus,
        start: bool,
        state: (&'static str, &'static str),
        next: (&'static str, &'static str),
    ) -> Stage {
        let before = if start { DOWN } else { UP };
        let web = Plan { state: before, next, held: true, relations: [&[], &[BASE], &[]], ..Plan::default() };
        let base = Plan { state: UP, ..Plan::default() };
        let mut mock = Mock::start(bus, &[(WEB, web), (BASE, base)]).await;
        let (commands, mut reports) = running(bus);
        let units = vec![WEB.to_owned()];
        commands
            .send(UnitCommand::Manage { units, made: Vec::new(), everywhere: Vec::new(), stopped: Vec::new() })
            .unwrap();
        if !start {
            let told = timeout(LONG, reports.recv()).await.unwrap();
            assert!(matches!(told, Some(UnitReport::News { news: News::Up, .. })), "{told:?}");
        }
        // The watch looks before the job comes.
        tokio::time::sleep(LAG).await;
        let (unit, limit) = (WEB.to_owned(), UnitLimit::written(LONG));
        commands
            .send(match start {
                true => UnitCommand::Start { id: 1, unit, recipe: None, limit },
                false => UnitCommand::Stop { id: 1, unit, recipe: None, limit, vacate: false },
            })
            .unwrap();
        let verb = if start { "start" } else { "stop" };
        assert_eq!(mock.calls.recv().await.unwrap(), format!("{verb} {WEB}"));
        mock.plan(WEB, |plan| (plan.state, plan.held) = (state, false));
        Stage { mock, reports, _commands: commands }
    }

    /// What is reported next.
    async fn told(&mut self) -> UnitReport {
        timeout(LONG, self.reports.recv()).await.expect("nothing is reported").unwrap()
    }

    /// Ends a job that somebody else asked for.
    async fn ends(&self, job: u32, state: (&'static str, &'static str), result: &str) {
        tokio::time::sleep(LAG / 2).await;
        self.mock.set(WEB, state, true).await;
        self.mock.finish(job, WEB, result).await;
    }

    /// That the start has come to its end, whatever was said of the unit before, and what hbd has asked for since.
    async fn expect_end(&mut self, start: bool, calls: &[&str]) {
        loop {
            match self.told().await {
                UnitReport::News { .. } => {}
                UnitReport::Started { id: 1 } if start => break,
                UnitReport::Stopped { id: 1 } if !start => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(self.mock.calls(), calls);
    }

    /// That a stop which somebody asked for has ended the start.
    async fn expect_wish(&mut self) {
        let told = self.told().await;
        assert!(matches!(told, UnitReport::Aborted { id: 1, news: News::Stopped { .. } }), "{told:?}");
        let more = timeout(RECHECK + LAG * 3, self.reports.recv()).await;
        assert!(more.is_err(), "it is said once: {more:?}");
    }
}

#[tokio::test]
async fn a_stop_by_hand_of_what_is_being_started_is_a_wish() {
    for (doing, state) in [(STARTING, DOWN), (STARTING, FAILED), (DOWN, DOWN)] {
        let Some(bus) = PrivateBus::start() else { return };
        let mut stage = Stage::set(&bus, true, doing, UP).await;
        let stop = stage.mock.replace(WEB, "stop").await;
        stage.ends(stop, state, "done").await;
        stage.expect_wish().await;
    }
}

#[tokio::test]
async fn a_stop_that_ends_a_start_at_once_is_a_wish_too() {
    let Some(bus) = PrivateBus::start() else { return };
    let mut stage = Stage::set(&bus, true, DOWN, UP).await;
    stage.mock.stop_at_once(WEB, DOWN).await;
    stage.expect_wish().await;
}

/// Also where the unit waits for its turn and is at rest since long.
#[tokio::test]
async fn what_is_stopped_on_its_way_up_with_its_dependency_waits_for_that() {
    for doing in [STARTING, DOWN] {
        let Some(bus) = PrivateBus::start() else { return };
        let mut stage = Stage::set(&bus, true, doing, UP).await;
        let first = stage.mock.queue(BASE, "stop").await;
        let stop = stage.mock.replace(WEB, "stop").await;
        stage.ends(stop, DOWN, "done").await;
        let told = stage.told().await;
        let UnitReport::Aborted { id: 1, news: News::StoppedWith(cause) } = &told else { panic!("{told:?}") };
        assert_eq!(cause, "base.service, which it depends on, was stopped");
        stage.mock.set(BASE, DOWN, true).await;
        stage.mock.finish(first, BASE, "done").await;
        let start = stage.mock.queue(BASE, "start").await;
        stage.mock.set(BASE, UP, true).await;
        stage.mock.finish(start, BASE, "done").await;
        let told = stage.told().await;
        assert!(matches!(told, UnitReport::News { news: News::Free, .. }), "{told:?}");
    }
}

#[tokio::test]
async fn a_start_that_is_canceled_before_its_turn_is_asked_for_again() {
    let Some(bus) = PrivateBus::start() else { return };
    let mut stage = Stage::set(&bus, true, DOWN, UP).await;
    stage.mock.cancel(WEB, DOWN).await;
    stage.expect_end(true, &["start web.service"]).await;
}

/// `systemctl cancel` of what is under way: systemd goes on with it.
#[tokio::test]
async fn a_unit_that_goes_up_without_its_job_is_waited_for() {
    let Some(bus) = PrivateBus::start() else { return };
    let mut stage = Stage::set(&bus, true, STARTING, UP).await;
    stage.mock.cancel(WEB, STARTING).await;
    tokio::time::sleep(LAG * 2).await;
    stage.mock.set(WEB, UP, true).await;
    stage.expect_end(true, &[]).await;
}

#[tokio::test]
async fn a_restart_by_hand_that_takes_the_place_of_a_start_is_judged_by_its_own_end() {
    let Some(bus) = PrivateBus::start() else { return };
    let mut stage = Stage::set(&bus, true, STARTING, UP).await;
    let restart = stage.mock.replace(WEB, "restart").await;
    stage.mock.plan(WEB, |plan| plan.result = "exit-code");
    stage.ends(restart, FAILED, "failed").await;
    match stage.told().await {
        UnitReport::Failed { id: 1, error: UnitError::Failed { job, .. }, .. } => assert_eq!(job, "failed"),
        other => panic!("{other:?}"),
    }
    let Some(bus) = PrivateBus::start() else { return };
    let mut stage = Stage::set(&bus, true, STARTING, UP).await;
    let restart = stage.mock.replace(WEB, "restart").await;
    stage.ends(restart, UP, "done").await;
    stage.expect_end(true, &[]).await;
}

/// A planned move: the group is about to run on the other node.
#[tokio::test]
async fn what_somebody_starts_while_hbd_stops_it_is_stopped_again() {
    for doing in [STOPPING, UP, DOWN] {
        let Some(bus) = PrivateBus::start() else { return };
        let mut stage = Stage::set(&bus, false, doing, DOWN).await;
        let _start = stage.mock.replace(WEB, "start").await;
        stage.expect_end(false, &["stop web.service"]).await;
        assert_eq!(stage.mock.state(WEB), DOWN);
    }
}

#[tokio::test]
async fn a_stop_that_is_canceled_is_waited_for_or_asked_for_again() {
    let Some(bus) = PrivateBus::start() else { return };
    let mut stage = Stage::set(&bus, false, STOPPING, DOWN).await;
    stage.mock.cancel(WEB, STOPPING).await;
    tokio::time::sleep(LAG * 2).await;
    stage.mock.set(WEB, DOWN, true).await;
    stage.expect_end(false, &[]).await;

    let Some(bus) = PrivateBus::start() else { return };
    let mut stage = Stage::set(&bus, false, UP, DOWN).await;
    stage.mock.cancel(WEB, UP).await;
    stage.expect_end(false, &["stop web.service"]).await;
}
