//! The room's loop: commands in, reports out, over connections that come and go.

use std::sync::Arc;
use std::time::Duration;

use log::{info, warn};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use zbus::connection::Builder;

use super::{News, Systemd, UnitError, Verb, children};
use crate::config::{Child, Recipe};

/// First pause before a lost connection is tried again; doubled each time.
pub(super) const BACKOFF_MIN: Duration = Duration::from_millis(100);
/// Longest such pause.
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// How long one D-Bus call may go unanswered before it is made again.
const CALL: Duration = Duration::from_secs(10);

/// How long a stuck bus may take to let us in before we try anew.
const CONNECT: Duration = Duration::from_secs(20);

/// What the room is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Start a unit.
    Start {
        /// The asker's number, returned in the report.
        id: u64,
        /// The unit with its suffix.
        unit: String,
        /// What to make it of; `None` for a unit that exists.
        recipe: Option<Recipe>,
        /// When to give up, from now.
        limit: Duration,
    },
    /// Stop a unit. What does not stop in time is killed.
    Stop {
        /// The asker's number, returned in the report.
        id: u64,
        /// The unit with its suffix.
        unit: String,
        /// As for its start.
        recipe: Option<Recipe>,
        /// When to give up, from now.
        limit: Duration,
    },
    /// Reboot the machine without stopping anything: the last resort of an owner that cannot let go.
    Reboot,
    /// These are all units that will be started and stopped: watch them, keep their place in the order of a shutdown,
    /// and warn of what is wrong with them.
    Manage {
        /// The units with their suffixes.
        units: Vec<String>,
        /// Those of them that are made when they are started.
        made: Vec<String>,
    },
    /// These are to run until [`Command::EndChildren`].
    Children {
        /// The programs, in the order of their start.
        children: Vec<Child>,
        /// What they find in their environment: `NAME=VALUE`.
        environment: Vec<String>,
    },
    /// Stop them, in reverse order.
    EndChildren,
}

/// What the room reports.
#[derive(Debug, Clone)]
pub enum Report {
    /// The unit of command `id` is up.
    Started {
        /// The command.
        id: u64,
    },
    /// The unit of command `id` is down.
    Stopped {
        /// The command.
        id: u64,
    },
    /// The command failed; the unit may be in any state.
    Failed {
        /// The command.
        id: u64,
        /// Why.
        error: UnitError,
    },
    /// Something became of a managed unit without our doing.
    News {
        /// The unit as it was named in [`Command::Manage`].
        unit: String,
        /// What.
        news: News,
    },
    /// The programs of [`Command::Children`] have stopped, or do not stop.
    ChildrenEnded,
    /// A `failfast` program has failed, which has been said: this machine is to reboot.
    FailfastDied,
}

/// The connection in use, or `None` while there is none.
pub(super) type Session = watch::Receiver<Option<Arc<Systemd>>>;

/// Serves `commands` concurrently until their sender is dropped and the last of them is reported.
///
/// `connect` gives a fresh builder for the system bus each time a connection is needed. When the connection is lost it
/// is made again with backoff; commands under way wait for it until their limit and are then asked again, so a oneshot
/// service that ends during the gap may run twice. `report` must not block.
/// Needs a tokio runtime; one thread is enough.
pub async fn run(
    connect: impl Fn() -> Builder<'static> + Send + Sync + 'static,
    mut commands: mpsc::UnboundedReceiver<Command>,
    report: impl Fn(Report) + Send + Sync + 'static,
) {
    let report: Arc<dyn Fn(Report) + Send + Sync> = Arc::new(report);
    let (sender, session) = watch::channel(None);
    let mut keeper = JoinSet::new();
    keeper.spawn(keep_connected(connect, sender));
    let mut work = JoinSet::new();
    let mut watcher = JoinSet::new();
    let (mut keeping, mut kept) = (JoinSet::new(), Vec::new());
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(Command::Start { id, unit, recipe, limit }) => {
                    let task = Task { verb: Verb::Start, id, unit, recipe, limit };
                    work.spawn(task.run(session.clone(), Arc::clone(&report)));
                }
                Some(Command::Stop { id, unit, recipe, limit }) => {
                    let task = Task { verb: Verb::Stop, id, unit, recipe, limit };
                    work.spawn(task.run(session.clone(), Arc::clone(&report)));
                }
                Some(Command::Reboot) => {
                    work.spawn(reboot(session.clone()));
                }
                Some(Command::Manage { units, made }) => {
                    watcher.abort_all();
                    watcher.spawn(prepare(session.clone(), units.clone(), made));
                    watcher.spawn(keep_watching(session.clone(), units, Arc::clone(&report)));
                }
                Some(Command::Children { children, environment }) => {
                    kept.clone_from(&children);
                    let report = Arc::clone(&report);
                    keeping.spawn(children::keep(session.clone(), children, environment, report));
                }
                Some(Command::EndChildren) => {
                    keeping.shutdown().await;
                    let (kept, report) = (std::mem::take(&mut kept), Arc::clone(&report));
                    work.spawn(children::end(session.clone(), kept, children::PATIENCE, report));
                }
                None => break,
            },
            Some(_) = work.join_next() => {}
            Some(_) = watcher.join_next() => {}
        }
    }
    while work.join_next().await.is_some() {}
}

/// Keeps a connection in `session`, for ever.
async fn keep_connected(
    connect: impl Fn() -> Builder<'static> + Send + Sync,
    session: watch::Sender<Option<Arc<Systemd>>>,
) {
    let mut backoff = BACKOFF_MIN;
    let mut complained = false;
    loop {
        let attempt = async { Systemd::new(connect().method_timeout(CALL).build().await?).await };
        let stuck = |_| Err(UnitError::Bus(zbus::fdo::Error::TimedOut("no answer".to_owned()).into()));
        match timeout(CONNECT, attempt).await.unwrap_or_else(stuck) {
            Ok(systemd) => {
                if complained {
                    info!("Connected to systemd again.");
                }
                backoff = BACKOFF_MIN;
                let systemd = Arc::new(systemd);
                session.send_replace(Some(Arc::clone(&systemd)));
                systemd.closed().await;
                session.send_replace(None);
                warn!("The connection to the system bus is lost. Trying again.");
                complained = true;
            }
            Err(error) => {
                if !complained {
                    warn!("{error}. Trying again.");
                    complained = true;
                }
                sleep(backoff).await;
                backoff = (backoff * 2).min(BACKOFF_MAX);
            }
        }
    }
}

/// The connection in use, as soon as there is one.
pub(super) async fn connected(session: &mut Session) -> Result<Arc<Systemd>, UnitError> {
    match session.wait_for(Option::is_some).await {
        Ok(systemd) => systemd.clone().ok_or(UnitError::ConnectionLost),
        Err(_) => Err(UnitError::ConnectionLost),
    }
}

/// One start or stop.
struct Task {
    verb: Verb,
    id: u64,
    unit: String,
    recipe: Option<Recipe>,
    limit: Duration,
}

impl Task {
    async fn run(self, mut session: Session, report: Arc<dyn Fn(Report) + Send + Sync>) {
        let Task { verb, id, limit, .. } = self;
        let deadline = Instant::now() + limit;
        let outcome = loop {
            let systemd = tokio::select! {
                systemd = connected(&mut session) => systemd,
                () = tokio::time::sleep_until(deadline) => {
                    break Err(UnitError::ConnectionLost);
                }
            };
            let remaining = deadline.saturating_duration_since(Instant::now());
            let outcome = match systemd {
                Err(error) => break Err(error),
                Ok(systemd) => self.ask(&systemd, remaining).await,
            };
            match outcome {
                // Let the keeper see it, too, before the session is asked again.
                Err(UnitError::ConnectionLost) if Instant::now() < deadline => sleep(BACKOFF_MIN).await,
                Err(UnitError::Deadline { unit, verb, .. }) => {
                    break Err(UnitError::Deadline { unit, verb, after: limit });
                }
                outcome => break outcome,
            }
        };
        report(match (outcome, verb) {
            (Ok(()), Verb::Start) => Report::Started { id },
            (Ok(()), Verb::Stop) => Report::Stopped { id },
            (Err(error), _) => Report::Failed { id, error },
        });
    }

    async fn ask(&self, systemd: &Systemd, limit: Duration) -> Result<(), UnitError> {
        match (self.verb, &self.recipe) {
            (Verb::Start, None) => systemd.start(&self.unit, limit).await,
            (Verb::Start, Some(recipe)) => systemd.start_made(&self.unit, recipe, limit).await,
            (Verb::Stop, None) => systemd.stop_with_parts(&self.unit, limit).await,
            (Verb::Stop, Some(recipe)) => systemd.stop_made(&self.unit, recipe, limit).await,
        }
    }
}

/// Asks until the machine is gone.
async fn reboot(mut session: Session) {
    while let Ok(systemd) = connected(&mut session).await {
        if let Err(error) = systemd.reboot().await {
            warn!("cannot reboot: {error}. Trying again.");
        }
        sleep(BACKOFF_MAX).await;
    }
}

/// Once, as soon as there is a connection.
async fn prepare(mut session: Session, mut units: Vec<String>, made: Vec<String>) {
    let Ok(systemd) = connected(&mut session).await else { return };
    if let Err(error) = systemd.guard_order(&units).await {
        warn!("a shutdown of this machine may stop services before hbd: {error}");
    }
    units.retain(|unit| !made.contains(unit));
    systemd.warn_of_unfit(&units).await;
}

async fn keep_watching(mut session: Session, units: Vec<String>, report: Arc<dyn Fn(Report) + Send + Sync>) {
    while let Ok(systemd) = connected(&mut session).await {
        let tell = |unit: &str, news: News| report(Report::News { unit: unit.to_owned(), news });
        // Ends only with the connection; the next one starts from a full reading.
        if systemd.watch(&units, tell).await.is_err() {
            sleep(BACKOFF_MIN).await;
        }
    }
}
