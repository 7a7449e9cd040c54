//! Moves under way, as systemd shows its jobs: an object for as long as one lasts, and a signal when it is over.
//!
//! Owns the numbers and the objects. Never decides how a job ends: the core does.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zbus::message::Header;
use zbus::{Connection, ObjectPath, OwnedObjectPath, interface};

use super::authorise::{Gate, PolkitAction};
use super::call::{Call, CallError, Caller};
use super::error::ManagerError;
use super::names::ROOT;
use super::shown::Shown;
use super::{answers, snapshot::Snapshot};
use crate::util::clock::now_usec;

/// What is to be moved.
#[derive(Debug, Clone)]
pub(super) struct Task {
    /// "standby", "takeover", "move" or "failback".
    pub kind: &'static str,
    pub groups: Vec<String>,
    /// Where they are to go.
    pub node: String,
}

/// Numbers jobs, and knows which are not over.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    last: AtomicU32,
    open: Mutex<BTreeSet<u32>>,
}

impl Jobs {
    /// The number of the next job.
    pub fn number(&self) -> u32 {
        self.last.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    /// Shows the job of this number; its path. Its object is there when this returns.
    pub async fn open(
        &self,
        bus: &Connection,
        id: u32,
        task: Task,
        means: &JobMeans,
    ) -> zbus::Result<OwnedObjectPath> {
        let path = path(id)?;
        let before = state(&means.shown, id);
        let job = JobObject { id, task, since_usec: now_usec(), means: means.clone() };
        bus.object_server().at(&path, job).await?;
        self.numbers().insert(id);
        if state(&means.shown, id) != before {
            // It changed while the object was announced, and the publisher did not know of it yet.
            signal_state(bus, &path).await?;
        }
        Ok(path)
    }

    /// Shows it no longer.
    pub async fn close(&self, bus: &Connection, id: u32, path: &OwnedObjectPath) {
        self.numbers().remove(&id);
        // A bus that is gone has the object no more.
        let _ = bus.object_server().remove::<JobObject, _>(path).await;
    }

    /// Signals the state of these jobs, as far as they are not over, because it has changed.
    pub async fn signal_states(&self, bus: &Connection, changed: impl Iterator<Item = u32>) -> zbus::Result<()> {
        let open = self.numbers().clone();
        for id in changed.filter(|id| open.contains(id)) {
            signal_state(bus, &path(id)?).await?;
        }
        Ok(())
    }

    fn numbers(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn path(id: u32) -> zbus::Result<OwnedObjectPath> {
    Ok(ObjectPath::try_from(format!("{ROOT}/job/{id}"))?.into())
}

async fn signal_state(bus: &Connection, path: &OwnedObjectPath) -> zbus::Result<()> {
    match bus.object_server().interface::<_, JobObject>(path).await {
        Ok(job) => job.get().await.state_changed(job.signal_emitter()).await,
        // It has ended by now.
        Err(_) => Ok(()),
    }
}

/// The state of a job: one waits at most, others may be under way meanwhile.
fn state(shown: &Shown, id: u32) -> &'static str {
    let shown: &Snapshot = &shown.read().unwrap_or_else(PoisonError::into_inner);
    if shown.awaiting_job == Some(id) { "waiting" } else { "running" }
}

/// What a job works with.
#[derive(Debug, Clone)]
pub(super) struct JobMeans {
    pub shown: Shown,
    pub caller: Caller,
    /// Who may call it off.
    pub gate: Arc<Gate>,
}

/// `org.hbd1.Job`.
pub struct JobObject {
    id: u32,
    task: Task,
    since_usec: u64,
    means: JobMeans,
}

#[cfg(test)]
impl JobObject {
    /// For its XML.
    pub(super) fn example() -> JobObject {
        JobObject {
            id: 0,
            task: Task { kind: "move", groups: Vec::new(), node: String::new() },
            since_usec: 0,
            means: JobMeans {
                shown: Shown::default(),
                caller: Caller::new(tokio::sync::mpsc::channel(1).0),
                gate: Arc::default(),
            },
        }
    }
}

/// A move under way. When it is over the object goes, and org.hbd1.Manager.JobRemoved says how it ended.
#[interface(name = "org.hbd1.Job")]
impl JobObject {
    /// Calls the move off as long as it waits (State), and returns in words that nothing was moved; the job is
    /// "canceled". Fails with org.hbd1.Error.Refused once the move has begun: what the other node was told cannot be
    /// taken back, and a group that is down is to run somewhere. Takes the authorisation org.hbd1.switch.
    #[zbus(out_args("outcome"))]
    async fn cancel(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<String, ManagerError> {
        self.means.gate.pass(bus, &header, PolkitAction::Switch).await?;
        let outcome = self.means.caller.send(|reply| Call::CallOff { job: self.id, reply })?;
        answers::call_off(outcome.await.map_err(|_| CallError::Stopping)?).map_err(ManagerError::Refused)
    }

    /// The number in the object's path.
    #[zbus(property(emits_changed_signal = "const"))]
    fn id(&self) -> u32 {
        self.id
    }

    /// "standby", "takeover", "move" or "failback".
    #[zbus(property(emits_changed_signal = "const"), name = "Type")]
    fn kind(&self) -> &str {
        self.task.kind
    }

    /// The groups that are to move.
    #[zbus(property(emits_changed_signal = "const"))]
    fn groups(&self) -> Vec<&str> {
        self.task.groups.iter().map(String::as_str).collect()
    }

    /// The node they are to go to.
    #[zbus(property(emits_changed_signal = "const"))]
    fn node(&self) -> &str {
        &self.task.node
    }

    /// "waiting" before it begins, see Awaited of org.hbd1.Manager; "running" from then on. One job waits at most.
    #[zbus(property)]
    fn state(&self) -> &str {
        state(&self.means.shown, self.id)
    }

    /// When it was asked for, in microseconds of CLOCK_REALTIME.
    #[zbus(property(emits_changed_signal = "const"))]
    fn since_timestamp(&self) -> u64 {
        self.since_usec
    }
}
