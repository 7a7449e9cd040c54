//! Stops that do not go, and how long a unit may take.

use super::*;
use crate::config::{Mount, Recipe, UnitLimits};
use crate::units::Verb;

const BUSY: &str = "bash (PID 1234, user root) has its working directory in /srv/data";
const GUARD: &str = "hbd-order.service";
const MOUNTED: (&str, &str) = ("active", "mounted");
const HELPERS: [&str; 2] = ["hbd-occupants-srv-data.service", "hbd-vacate-srv-data.service"];

/// srv-data.mount, whose first stop fails and leaves it mounted, and what hbd makes to stop it.
async fn busy(bus: &PrivateBus) -> Mock {
    let mount = Plan { state: MOUNTED, next: MOUNTED, job: "failed", mount_point: "/srv/data", ..Plan::default() };
    let lister = Plan { next: ("active", "exited"), stopped: Some(DOWN), status: BUSY, ..Plan::default() };
    let ender = Plan { next: DOWN, kind: "oneshot", ..Plan::default() };
    Mock::start(bus, &[("srv-data.mount", mount), (HELPERS[0], lister), (HELPERS[1], ender)]).await
}

#[tokio::test]
async fn a_busy_mount_of_somebody_else_names_who_is_in_the_way() {
    let Some(bus) = PrivateBus::start() else { return };
    let mut mock = busy(&bus).await;
    let error = systemd(&bus).await.stop_resource("srv-data.mount", None, LONG, false).await.unwrap_err();
    let expected = format!(
        "stop of srv-data.mount failed, umount: target is busy: {BUSY}; end what uses it, or let hbd do that: \
         vacate = true under [units.\"srv-data.mount\"] in /etc/hbd/hbd.toml"
    );
    assert_eq!(error.to_string(), expected);
    let asked = ["stop srv-data.mount", "make hbd-occupants-srv-data.service", "stop hbd-occupants-srv-data.service"];
    assert_eq!(mock.calls(), asked);
    let command: Vec<(String, Vec<String>, bool)> =
        mock.made(HELPERS[0], "ExecStart").try_into().expect("a command line");
    assert_eq!(command[0].1[1..], ["--occupants", "/srv/data"]);
}

#[tokio::test]
async fn a_mount_that_may_be_vacated_is_and_what_is_left_is_named() {
    let Some(bus) = PrivateBus::start() else { return };
    let mut mock = busy(&bus).await;
    let systemd = systemd(&bus).await;
    let mount = Mount { device: "tmpfs".into(), directory: "/srv/data".into(), fstype: None, options: None };
    let recipe = Recipe::Mount(mount);
    let error = systemd.stop_resource("srv-data.mount", Some(&recipe), LONG, true).await.unwrap_err();
    assert!(matches!(&error, UnitError::Busy { vacated: true, users, .. } if users == BUSY), "{error:?}");
    let stop = "stop srv-data.mount";
    let asked = mock.calls();
    assert_eq!(asked[..4], [stop, "make hbd-vacate-srv-data.service", stop, "make hbd-occupants-srv-data.service"]);
    mock.then("srv-data.mount", DOWN);
    systemd.stop_resource("srv-data.mount", None, LONG, true).await.unwrap();
    assert_eq!(mock.calls(), [stop]);
}

#[tokio::test]
async fn without_an_answer_about_the_users_the_stop_still_fails_with_its_reason() {
    let Some(bus) = PrivateBus::start() else { return };
    let mount = Plan { state: MOUNTED, next: MOUNTED, job: "failed", mount_point: "/srv/data", ..Plan::default() };
    let _mock = Mock::start(&bus, &[("srv-data.mount", mount)]).await;
    let error = systemd(&bus).await.stop_resource("srv-data.mount", None, LONG, false).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("target is busy") && text.contains("fuser -vm /srv/data"), "{text}");
}

/// A start within 300 ms of a unit whose start never ends by itself, and whose own limit is this.
async fn start_with_own_limit(
    bus: &PrivateBus,
    own: u64,
    written: bool,
) -> (Mock, mpsc::UnboundedReceiver<UnitReport>) {
    let held = Plan { held: true, timeouts: (own, own), ..Plan::default() };
    let mut mock = Mock::start(bus, &[("slow.service", held)]).await;
    let (commands, reports) = running(bus);
    let limit = UnitLimit { time: Duration::from_millis(300), written };
    commands.send(UnitCommand::Start { id: 4, unit: "slow.service".into(), recipe: None, limit }).unwrap();
    assert_eq!(mock.calls.recv().await.unwrap(), "start slow.service");
    // The loop ends with its sender, after the command has been reported.
    (mock, reports)
}

#[tokio::test]
async fn a_units_own_limit_counts_when_it_is_longer() {
    let Some(bus) = PrivateBus::start() else { return };
    let (mock, mut reports) = start_with_own_limit(&bus, 60_000_000, false).await;
    let early = timeout(Duration::from_secs(1), reports.recv()).await;
    assert!(early.is_err(), "not waited for the unit's own limit: {early:?}");
    mock.release();
    let report = timeout(LONG, reports.recv()).await.unwrap().unwrap();
    assert!(matches!(report, UnitReport::Started { id: 4 }), "{report:?}");
}

#[tokio::test]
async fn without_a_limit_of_its_own_or_with_a_written_one_ours_counts() {
    for (own, written) in [(u64::MAX, false), (60_000_000, true)] {
        let Some(bus) = PrivateBus::start() else { return };
        let (_mock, mut reports) = start_with_own_limit(&bus, own, written).await;
        match timeout(LONG, reports.recv()).await.unwrap().unwrap() {
            UnitReport::Failed { id: 4, error: UnitError::Deadline { after, .. }, .. } => {
                assert_eq!(after, Duration::from_millis(300));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn systemds_own_verdict_comes_before_ours() {
    let Some(bus) = PrivateBus::start() else { return };
    let mount = Plan { timeouts: (400_000_000, 0), ..Plan::default() };
    let service = Plan { timeouts: (90_000_000, 400_000_000), ..Plan::default() };
    let _mock = Mock::start(&bus, &[("srv-data.mount", mount), ("db.service", service)]).await;
    let systemd = systemd(&bus).await;
    let ours = UnitLimits::default().start;
    assert!(systemd.limit_for(Verb::Start, "srv-data.mount", ours).await > Duration::from_secs(400));
    assert!(systemd.limit_for(Verb::Stop, "db.service", ours).await > Duration::from_secs(400));
    for (verb, unit) in [(Verb::Start, "db.service"), (Verb::Start, "gone.service"), (Verb::Start, "web.target")] {
        assert_eq!(systemd.limit_for(verb, unit, ours).await, ours.time, "{unit}");
    }
}

#[tokio::test]
async fn the_guard_of_a_shutdown_leaves_out_what_is_ordered_after_hbd() {
    let Some(bus) = PrivateBus::start() else { return };
    let late = Plan { lists: &[("After", &["basic.target", "multi-user.target"])], ..Plan::default() };
    let target = Plan { lists: &[("After", &["hbd.service"])], ..Plan::default() };
    let web = Plan { lists: &[("After", &["basic.target"])], ..Plan::default() };
    let hbd = Plan { state: UP, lists: &[("After", &["web.service"])], ..Plan::default() };
    let guard = Plan { next: ("active", "exited"), ..Plan::default() };
    let units = [
        ("late.service", late),
        ("web.service", web),
        ("multi-user.target", target),
        ("basic.target", Plan::default()),
        ("hbd.service", hbd),
        ("hbd-order.service", guard),
    ];
    let mock = Mock::start(&bus, &units).await;
    systemd(&bus).await.guard_order(&["late.service".to_owned(), "web.service".to_owned()]).await.unwrap();
    let after: Vec<String> = mock.made("hbd-order.service", "After").try_into().unwrap();
    assert_eq!(after, ["web.service"]);
    let before: Vec<String> = mock.made("hbd-order.service", "Before").try_into().unwrap();
    assert_eq!(before, ["hbd.service"]);
}

/// `systemctl cancel` cancels each job that it finds, also that of the guard.
#[tokio::test]
async fn the_guard_of_a_shutdown_is_made_again_when_its_start_was_canceled() {
    let Some(bus) = PrivateBus::start() else { return };
    let up = Plan { state: UP, ..Plan::default() };
    let guard = Plan { job: "canceled", next: DOWN, ..Plan::default() };
    let units = [("web.service", up.clone()), ("hbd.service", up), ("hbd-order.service", guard)];
    let mut mock = Mock::start(&bus, &units).await;
    let (commands, _reports) = running(&bus);
    let units = vec!["web.service".into()];
    commands
        .send(UnitCommand::Manage { units, made: Vec::new(), everywhere: Vec::new(), stopped: Vec::new() })
        .unwrap();
    let mut made = 0;
    timeout(RECHECK * 4, async {
        while made < 2 {
            made += mock.calls().iter().filter(|call| *call == "make hbd-order.service").count();
            tokio::time::sleep(LAG / 4).await;
        }
        mock.plan("hbd-order.service", |plan| (plan.job, plan.next) = ("done", ("active", "exited")));
        let mut state = DOWN;
        while state != ("active", "exited") {
            tokio::time::sleep(LAG / 4).await;
            mock.plan("hbd-order.service", |plan| state = plan.state);
        }
    })
    .await
    .expect("the guard is not made again");
}

/// The guard is there and does not come down by itself.
async fn guarded(bus: &PrivateBus) -> (Mock, mpsc::UnboundedSender<UnitCommand>) {
    let up = Plan { state: UP, ..Plan::default() };
    let guard = Plan { next: ("active", "exited"), stopped: Some(DOWN), ..Plan::default() };
    let units = [("web.service", up.clone()), ("hbd.service", up), (GUARD, guard)];
    let mut mock = Mock::start(bus, &units).await;
    let (commands, _reports) = running(bus);
    let units = vec!["web.service".into()];
    commands
        .send(UnitCommand::Manage { units, made: Vec::new(), everywhere: Vec::new(), stopped: Vec::new() })
        .unwrap();
    made(&mut mock).await;
    (mock, commands)
}

/// Waits for the next guard.
async fn made(mock: &mut Mock) {
    let make = format!("make {GUARD}");
    timeout(LONG, async { while mock.calls.recv().await.unwrap() != make {} }).await.expect("no guard is made");
    while mock.state(GUARD) != ("active", "exited") {
        tokio::time::sleep(LAG / 4).await;
    }
}

#[tokio::test]
async fn the_guard_of_a_shutdown_is_made_again_when_it_was_stopped() {
    let Some(bus) = PrivateBus::start() else { return };
    let (mut mock, _commands) = guarded(&bus).await;
    let stop = mock.queue(GUARD, "stop").await;
    mock.set(GUARD, DOWN, true).await;
    mock.finish(stop, GUARD, "done").await;
    made(&mut mock).await;
}

#[tokio::test]
async fn the_guard_of_a_shutdown_follows_what_a_drop_in_changes() {
    let Some(bus) = PrivateBus::start() else { return };
    let (mut mock, _commands) = guarded(&bus).await;
    mock.reloaded().await;
    tokio::time::sleep(LAG * 5).await;
    assert_eq!(mock.calls(), Vec::<String>::new(), "nothing has changed");
    mock.plan("web.service", |plan| plan.lists = &[("After", &["hbd.service"])]);
    mock.reloaded().await;
    made(&mut mock).await;
    let after: Vec<String> = mock.made(GUARD, "After").try_into().unwrap();
    assert_eq!(after, Vec::<String>::new());
}

const MOUNT: &str = "srv-data.mount";

fn filesystem(options: Option<&str>) -> Recipe {
    let options = options.map(str::to_owned);
    Recipe::Mount(Mount { device: "tmpfs".into(), directory: "/srv/data".into(), fstype: None, options })
}

/// Another unit refers to it: systemd refuses to make it a second time.
#[tokio::test]
async fn a_unit_that_systemd_keeps_is_started_again_and_not_made_of_something_else() {
    let Some(bus) = PrivateBus::start() else { return };
    let plan = Plan { next: MOUNTED, stopped: Some(DOWN), kept_by: "db.service", ..Plan::default() };
    let mut mock = Mock::start(&bus, &[(MOUNT, plan), ("db.service", Plan { state: UP, ..Plan::default() })]).await;
    let systemd = systemd(&bus).await;
    let recipe = filesystem(None);
    for asked in ["make srv-data.mount", "start srv-data.mount"] {
        // Whatever was left of the limit the time before.
        let left = if asked.starts_with("make") { LONG / 2 } else { LONG };
        systemd.start_made(MOUNT, &recipe, LONG, left).await.unwrap();
        assert_eq!(mock.state(MOUNT), MOUNTED);
        systemd.stop_resource(MOUNT, Some(&recipe), LONG, false).await.unwrap();
        assert_eq!(mock.calls(), [asked, "stop srv-data.mount"]);
    }
    let error = systemd.start_made(MOUNT, &filesystem(Some("ro")), LONG, LONG).await.unwrap_err();
    assert!(error.to_string().contains("systemd keeps the one that hbd made before"), "{error}");
}

/// Its options were changed while it ran, or it was made by an older hbd; then its group left this node, and comes
/// back.
#[tokio::test]
async fn a_unit_that_only_the_guard_keeps_is_made_anew_of_something_else() {
    let Some(bus) = PrivateBus::start() else { return };
    let plan = Plan { next: MOUNTED, stopped: Some(DOWN), kept_by: GUARD, ..Plan::default() };
    let guard = Plan { next: ("active", "exited"), stopped: Some(DOWN), ..Plan::default() };
    let own = Plan { state: UP, ..Plan::default() };
    let mut mock = Mock::start(&bus, &[("hbd.service", own), (MOUNT, plan), (GUARD, guard)]).await;
    let (commands, _reports) = running(&bus);
    let units = vec![MOUNT.to_owned()];
    commands
        .send(UnitCommand::Manage { made: units.clone(), units, everywhere: Vec::new(), stopped: Vec::new() })
        .unwrap();
    made(&mut mock).await;
    let systemd = systemd(&bus).await;
    let asked = async |mock: &mut Mock, calls: &[&str]| {
        for call in calls {
            let next = timeout(LONG, mock.calls.recv()).await;
            assert_eq!(next.unwrap().unwrap(), *call);
        }
    };
    let recipe = filesystem(None);
    systemd.start_made(MOUNT, &recipe, LONG, LONG).await.unwrap();
    systemd.stop_resource(MOUNT, Some(&recipe), LONG, false).await.unwrap();
    asked(&mut mock, &["make srv-data.mount", "stop srv-data.mount"]).await;
    systemd.start_made(MOUNT, &filesystem(Some("ro")), LONG, LONG).await.unwrap();
    asked(&mut mock, &["stop hbd-order.service", "make srv-data.mount"]).await;
    let options: String = mock.made(MOUNT, "Options").try_into().unwrap();
    assert_eq!(options, "ro");
    // The order of a shutdown is kept again.
    asked(&mut mock, &["make hbd-order.service"]).await;
}

/// The group is to fail, so that the other node can take it.
#[tokio::test]
async fn a_start_of_a_unit_of_our_own_ends_also_where_systemd_does_not_answer() {
    let Some(bus) = PrivateBus::start() else { return };
    let mock = Mock::start(&bus, &[(MOUNT, Plan::default())]).await;
    let systemd = systemd(&bus).await;
    mock.hang(true);
    let recipe = filesystem(None);
    let start = systemd.start_made(MOUNT, &recipe, LONG, Duration::from_millis(200));
    let error = timeout(LONG, start).await.expect("it ends").unwrap_err();
    assert!(matches!(error, UnitError::Deadline { .. }), "{error}");
}
