//! Programs of `respawn` and `failfast` lines as services (04 §9): started in the order of ha.cf, kept running by
//! systemd, stopped in reverse order.
//!
//! Owns what a program's end means. When they are to run is told by the daemon.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use log::{error, info, warn};
use tokio::time::{sleep, timeout};
use zbus::Variant;

use super::changes::News;
use super::command::UnitReport;
use super::environment;
use super::error::{UnitError, Verb};
use super::proxy::Property;
use super::recipe::command;
use super::session::{BACKOFF_MIN, Session, connected};
use super::systemd::JobWish;
use super::systemd::Systemd;
use super::watch::Watched;
use crate::config::Child;
use crate::util::clock::microseconds;

/// How long systemd may take to start or stop one, beyond the program's own time.
const MARGIN: Duration = Duration::from_secs(10);
/// After how long a program that does not stop is killed.
const STOP: Duration = Duration::from_secs(90);
/// How long their end waits for a bus that is not there.
pub(super) const END_LIMIT: Duration = Duration::from_secs(60);
/// A program that says so wants not to be started again.
const ENOUGH: i32 = 100;
/// So many lives within this time, and it is given up: eleven of at most 30 s.
const LIVES: (u32, Duration) = (11, Duration::from_secs(330));

/// A service for one program. `own` is hbd's unit: at a shutdown of the machine programs stay until hbd has stopped.
fn service<'a>(child: &'a Child, line: &'a str, own: &'a Option<String>) -> Vec<Property<'a>> {
    let word = if child.failfast { "failfast" } else { "respawn" };
    let mut properties = vec![
        ("Description", Variant::from(format!("hbd {word} of {}: {}", child.user, child.command))),
        // Not forgotten when it has failed: `systemctl --failed` shows it.
        ("CollectMode", Variant::from("inactive")),
        ("AddRef", Variant::from(true)),
        ("Type", Variant::from("simple")),
        ("User", Variant::from(child.user.as_str())),
        ("ExecStart", command(vec!["/bin/sh", "-c", line])),
        ("Restart", Variant::from(if child.failfast { "on-success" } else { "always" })),
        ("RestartUSec", Variant::from(1_000_000_u64)),
        ("StartLimitBurst", Variant::from(LIVES.0)),
        ("StartLimitIntervalUSec", Variant::from(microseconds(LIVES.1))),
        ("KillMode", Variant::from("control-group")),
        ("TimeoutStopUSec", Variant::from(microseconds(STOP))),
    ];
    if !child.failfast {
        let enough = || Variant::from((vec![ENOUGH], Vec::<i32>::new()));
        properties.extend([("RestartPreventExitStatus", enough()), ("SuccessExitStatus", enough())]);
    }
    properties.extend(own.as_deref().map(|own| ("Before", Variant::from(vec![own]))));
    properties
}

impl Systemd {
    /// Starts a program; one that runs is `Ok`.
    async fn start_child(&self, child: &Child, environment: &[String]) -> Result<(), UnitError> {
        // systemd takes variables out of a command line before the shell sees it; `$$` is one `$`.
        let line = format!("exec {}", child.command.replace('$', "$$"));
        let own = self.own_id().await;
        let mut properties = service(child, &line, &own);
        properties.push(environment::property(&child.unit, environment)?);
        let wish = JobWish { verb: Verb::Start, unit: &child.unit, made_of: Some(&properties) };
        self.change(wish, MARGIN).await
    }

    /// Stops a program, whether it runs or not.
    ///
    /// # Errors
    /// As [`Systemd::stop`].
    pub async fn stop_child(&self, child: &Child) -> Result<(), UnitError> {
        self.stop_or_kill(&child.unit, STOP + MARGIN).await?;
        environment::forget(&child.unit);
        Ok(())
    }
}

/// Starts all, and says what becomes of them, until it is dropped.
pub(super) async fn keep(
    mut session: Session,
    children: Vec<Child>,
    environment: Vec<String>,
    report: Arc<dyn Fn(UnitReport) + Send + Sync>,
) {
    for child in &children {
        let Some(outcome) = start(&mut session, child, &environment).await else { return };
        match outcome {
            Ok(()) => info!("Starting child client \"{}\" ({}) as {}", child.command, child.user, child.unit),
            Err(error) => error!("Cannot exec {}: {error}", child.command),
        }
    }
    let units: Vec<String> = children.iter().map(|child| child.unit.clone()).collect();
    let mut watched = Watched::new(&units);
    let mut given_up = BTreeSet::new();
    while let Ok(systemd) = connected(&mut session).await {
        let tell = |unit: &str, news: News| {
            let Some(child) = children.iter().find(|child| child.unit == unit) else { return };
            if matches!(news, News::Free | News::Unknown) {
                return;
            }
            let first = given_up.insert(unit.to_owned());
            match verdict(child, &news) {
                Verdict::Fine => {
                    given_up.remove(unit);
                }
                Verdict::Respawning(text) => {
                    given_up.remove(unit);
                    warn!("{text}");
                }
                // A unit that has failed is news as long as it has.
                Verdict::GivenUp(text) if first => error!("{text}"),
                Verdict::Reboot(text) if first => {
                    error!("{text}");
                    report(UnitReport::FailfastDied);
                }
                Verdict::GivenUp(_) | Verdict::Reboot(_) => {}
            }
        };
        if systemd.watch(&mut watched, tell).await.is_err() {
            sleep(BACKOFF_MIN).await;
        }
    }
}

/// `None` when there will be no connection any more.
async fn start(session: &mut Session, child: &Child, environment: &[String]) -> Option<Result<(), UnitError>> {
    loop {
        match connected(session).await.ok()?.start_child(child, environment).await {
            Err(UnitError::ConnectionLost) => sleep(BACKOFF_MIN).await,
            outcome => return Some(outcome),
        }
    }
}

/// Stops all in reverse order, and reports that.
pub(super) async fn end(
    mut session: Session,
    children: Vec<Child>,
    patience: Duration,
    report: Arc<dyn Fn(UnitReport) + Send + Sync>,
) {
    for child in children.iter().rev() {
        // The daemon that stops waits for this, and must not wait for ever for a bus that does not come back.
        let Ok(Ok(systemd)) = timeout(patience, connected(&mut session)).await else {
            warn!("client \"{}\" is not stopped: the system bus cannot be reached", child.command);
            break;
        };
        if let Err(error) = systemd.stop_child(child).await {
            warn!("{error}");
        }
    }
    report(UnitReport::ChildrenEnded);
}

/// What an end means, in Heartbeat's words where it has some (04 §12.2).
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Fine,
    Respawning(String),
    GivenUp(String),
    Reboot(String),
}

fn verdict(child: &Child, news: &News) -> Verdict {
    let command = &child.command;
    match news {
        News::Up | News::Free | News::Unknown => Verdict::Fine,
        News::Stopped { .. } => {
            Verdict::GivenUp(format!("client \"{command}\" was stopped by somebody; it stays so"))
        }
        News::Restarting(_) => Verdict::Respawning(format!("Respawning client \"{command}\": it has ended")),
        News::StoppedWith(why) => {
            Verdict::GivenUp(format!("client \"{command}\" was stopped by systemd ({why}); it stays so"))
        }
        News::Exhausted(why) => Verdict::GivenUp(format!(
            "Client {command} \"respawning too fast\": {why}. Mend it, and restart {}",
            child.unit
        )),
        News::Failed(why) if child.failfast => {
            Verdict::Reboot(format!("Rebooting system.  Reason: {command}: {why}"))
        }
        News::Failed(why) => Verdict::GivenUp(format!("Client {command} is not started again: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(failfast: bool) -> Child {
        let command = "/usr/bin/monitor -x".to_owned();
        Child { unit: "hbd-respawn-1-monitor.service".into(), user: "hacluster".into(), command, failfast }
    }

    #[test]
    fn only_a_failfast_that_died_reboots_the_machine() {
        let failed = |why: &str| News::Failed(why.to_owned());
        assert!(matches!(verdict(&child(true), &failed("it is failed, result signal")), Verdict::Reboot(_)));
        assert!(matches!(verdict(&child(false), &failed("it is failed, result signal")), Verdict::GivenUp(_)));
        for failfast in [true, false] {
            let fast = verdict(&child(failfast), &News::Exhausted("it is failed, result start-limit-hit".into()));
            let Verdict::GivenUp(text) = fast else { panic!("{fast:?}") };
            assert!(text.contains("Client /usr/bin/monitor -x \"respawning too fast\""), "{text}");
            assert!(matches!(verdict(&child(failfast), &News::Stopped { asked: 1 }), Verdict::GivenUp(_)));
            assert!(matches!(verdict(&child(failfast), &News::Restarting(String::new())), Verdict::Respawning(_)));
        }
    }

    #[test]
    fn a_service_is_what_the_line_says() {
        let own = Some("hbd.service".to_owned());
        let value = |failfast, name: &str| {
            let child = child(failfast);
            let properties = service(&child, "exec x", &own);
            properties.into_iter().find(|(known, _)| *known == name).map(|(_, value)| format!("{value:?}"))
        };
        let has = |failfast, name: &str, text: &str| {
            let found = value(failfast, name).unwrap_or_default();
            assert!(found.contains(text), "{name}: {found}");
        };
        has(false, "Restart", "always");
        has(true, "Restart", "on-success");
        has(false, "RestartPreventExitStatus", "100");
        assert_eq!(value(true, "RestartPreventExitStatus"), None);
        has(false, "User", "hacluster");
        assert_eq!(value(false, "Environment"), None, "every user may read that");
        has(false, "Before", "hbd.service");
    }
}
