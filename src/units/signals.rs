//! systemd's signals about itself and its jobs, passed on to everybody who waits for one.
//!
//! Owns the tasks that drain the streams: a full queue freezes the whole connection. Never judges what a signal
//! means.

use std::sync::Arc;

use futures_util::StreamExt;
use tokio::sync::{Notify, broadcast};
use tokio::task::JoinSet;
use zbus::OwnedObjectPath;
use zbus::message::Sequence;

use super::cause::Cause;
use super::changes::News;
use super::proxy::{JobRemoved, ManagerProxy};
use super::state::UnitState;

/// What the drained streams pass on. Signals of different names may overtake each other.
#[derive(Debug, Clone)]
pub(super) enum ManagerEvent {
    /// `JobNew`.
    JobNew(Arc<NewJob>),
    /// The jobs that systemd has now: asked for after each `JobNew`, whose signal does not tell the job's type.
    Jobs(Arc<Vec<ListedJob>>),
    /// `JobRemoved`.
    JobRemoved(Arc<RemovedJob>),
    /// Signals may have been lost: read the state again.
    Look,
    /// No signal: a unit that we started was up when its state was read.
    Up(Arc<SeenUp>),
    /// No signal: systemd has taken a stop that we asked for.
    OwnStop(Arc<OwnStop>),
    /// No signal: a start of ours was ended by a stop, and that was judged.
    Aborted(Arc<AbortedStart>),
}

/// A unit that was on its way up and was stopped.
#[derive(Debug)]
pub(super) struct AbortedStart {
    /// Its primary name.
    pub unit: String,
    /// What that means.
    pub news: News,
    /// What stopped it, and is to be over before it may run.
    pub cause: Option<Cause>,
}

/// A unit that was up for a moment, which a look at it may miss.
#[derive(Debug)]
pub(super) struct SeenUp {
    /// Its primary name.
    pub unit: String,
    /// When its state was asked for, CLOCK_MONOTONIC in microseconds.
    pub at: u64,
}

/// A stop job that is there because we asked for it, and nobody before us.
#[derive(Debug)]
pub(super) struct OwnStop {
    /// Its number.
    pub id: u32,
    /// Its unit, by its primary name.
    pub unit: String,
}

impl OwnStop {
    /// The job at `path`. `None` if `before`, the unit
    /// just before we asked, had that job already: ours has joined somebody else's.
    pub(super) fn of(before: &UnitState, path: &OwnedObjectPath) -> Option<OwnStop> {
        let id = job_number(path)?;
        (before.job.as_ref() != Some(path)).then(|| OwnStop { id, unit: before.name.clone() })
    }
}

/// The number of the job at `path`: its last part (org.freedesktop.systemd1(5)).
pub(super) fn job_number(path: &OwnedObjectPath) -> Option<u32> {
    path.as_str().rsplit('/').next()?.parse().ok()
}

/// A job that was queued.
#[derive(Debug)]
pub(super) struct NewJob {
    /// Its number; larger than those of all jobs before.
    pub id: u32,
    /// Its unit, by its primary name.
    pub unit: String,
    /// Its place among all signals of the connection.
    pub at: Sequence,
}

/// A job that exists.
#[derive(Debug)]
pub(super) struct ListedJob {
    /// Its number.
    pub id: u32,
    /// Its unit, by its primary name.
    pub unit: String,
    /// `start`, `stop`, `restart`, `reload`, `verify-active`, `nop`, …
    pub kind: String,
}

/// A job that is over.
#[derive(Debug)]
pub(super) struct RemovedJob {
    /// Its number.
    pub id: u32,
    /// Its object path.
    pub job: OwnedObjectPath,
    /// Its unit, by its primary name.
    pub unit: String,
    /// `done`, `failed`, `canceled`, `timeout`, `dependency`, `skipped`, …
    pub result: String,
    /// Its place among all signals of the connection.
    pub at: Sequence,
}

impl RemovedJob {
    fn read(signal: &JobRemoved) -> Option<Self> {
        let args = signal.args().ok()?;
        let (id, job, unit, result) = (args.id, args.job, args.unit, args.result);
        Some(RemovedJob { id, job, unit, result, at: signal.message().recv_position() })
    }
}

/// Drains the signals of `manager` into `events` until the returned set is dropped.
pub(super) async fn drain(
    manager: &ManagerProxy<'static>,
    events: &broadcast::Sender<ManagerEvent>,
) -> zbus::Result<JoinSet<()>> {
    let mut drains = JoinSet::new();
    let untyped = Arc::new(Notify::new());

    // Nobody waiting for an event is no error, here and below.
    let mut removed = manager.receive_job_removed().await?;
    let sender = events.clone();
    drains.spawn(async move {
        while let Some(signal) = removed.next().await {
            let removed = RemovedJob::read(&signal).map(Arc::new);
            let _ = sender.send(removed.map_or(ManagerEvent::Look, ManagerEvent::JobRemoved));
        }
    });
    let mut new = manager.receive_job_new().await?;
    let (sender, ask) = (events.clone(), Arc::clone(&untyped));
    drains.spawn(async move {
        while let Some(signal) = new.next().await {
            let Ok(args) = signal.args() else { continue };
            let at = signal.message().recv_position();
            let _ = sender.send(ManagerEvent::JobNew(Arc::new(NewJob { id: args.id, unit: args.unit, at })));
            ask.notify_one();
        }
    });
    drains.spawn(list_jobs(manager.clone(), events.clone(), Arc::clone(&untyped)));
    let mut reloading = manager.receive_reloading().await?;
    let sender = events.clone();
    drains.spawn(async move {
        while let Some(signal) = reloading.next().await {
            if signal.args().is_ok_and(|args| !args.active) {
                let _ = sender.send(ManagerEvent::Look);
            }
        }
    });
    let mut owners = manager.inner().receive_owner_changed().await?;
    let (sender, again) = (events.clone(), manager.clone());
    drains.spawn(async move {
        while let Some(owner) = owners.next().await {
            if owner.is_some() {
                // In a task of its own: this one must go on draining. A failure shows as lost signals, which the
                // periodic look makes good.
                let (manager, sender, ask) = (again.clone(), sender.clone(), Arc::clone(&untyped));
                tokio::spawn(async move {
                    let _ = manager.subscribe().await;
                    ask.notify_one();
                    let _ = sender.send(ManagerEvent::Look);
                });
            }
        }
    });
    Ok(drains)
}

/// Lists the jobs each time there is a new one: one call for all that came meanwhile.
async fn list_jobs(manager: ManagerProxy<'static>, events: broadcast::Sender<ManagerEvent>, untyped: Arc<Notify>) {
    // At first those that are there already.
    untyped.notify_one();
    loop {
        untyped.notified().await;
        // Without an answer the types stay unknown, which the judgement of an end allows for.
        let Ok(rows) = manager.list_jobs().await else { continue };
        let jobs = rows.into_iter().map(|(id, unit, kind, ..)| ListedJob { id, unit, kind });
        let _ = events.send(ManagerEvent::Jobs(Arc::new(jobs.collect())));
    }
}
