//! Moves under way, as systemd shows its jobs: an object for as long as one lasts, and a signal when it is over.
//!
//! Owns the numbers and the objects. Never decides how a job ends: the core does.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zbus::{Connection, ObjectPath, OwnedObjectPath, interface};

use super::ROOT;
use super::manager::{Manager, Shown};
use crate::util::clock::now_usec;

/// How a job ended, in words that follow systemd's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobResult {
    /// The groups run where they were wanted.
    Done,
    /// They were there already.
    Skipped,
    /// Nothing was begun.
    Refused,
    /// Somebody did not react or was not ready in time; nothing was moved.
    Timeout,
    /// A node died, left or restarted in the middle of it, or hbd stopped.
    Canceled,
    /// Moved, but something could not be started.
    Failed,
}

impl JobResult {
    /// All of them.
    const ALL: [JobResult; 6] = [
        JobResult::Done,
        JobResult::Skipped,
        JobResult::Refused,
        JobResult::Timeout,
        JobResult::Canceled,
        JobResult::Failed,
    ];

    /// The word on the bus.
    pub fn word(self) -> &'static str {
        match self {
            JobResult::Done => "done",
            JobResult::Skipped => "skipped",
            JobResult::Refused => "refused",
            JobResult::Timeout => "timeout",
            JobResult::Canceled => "canceled",
            JobResult::Failed => "failed",
        }
    }

    /// The result of that word.
    pub fn parse(word: &str) -> Option<JobResult> {
        JobResult::ALL.into_iter().find(|result| result.word() == word)
    }

    /// Whether the groups are where they were wanted.
    pub fn is_success(self) -> bool {
        matches!(self, JobResult::Done | JobResult::Skipped)
    }
}

/// The end of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// How.
    pub result: JobResult,
    /// The same in a sentence for people.
    pub text: String,
}

impl Ending {
    /// With these words.
    pub fn new(result: JobResult, text: impl Into<String>) -> Ending {
        Ending { result, text: text.into() }
    }
}

/// What is to be moved.
#[derive(Debug, Clone)]
pub(super) struct Task {
    /// "standby", "takeover" or "move".
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
    /// Shows a job until `end` says how it ended. Its object is there, and JobNew signalled, when this returns.
    pub async fn add(
        self: &Arc<Self>,
        bus: &Connection,
        shown: Shown,
        task: Task,
        end: impl Future<Output = Ending> + Send + 'static,
    ) -> zbus::Result<OwnedObjectPath> {
        let id = self.last.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let path = path(id)?;
        let before = state(&shown);
        let job = Job { id, task, since_usec: now_usec(), shown: Arc::clone(&shown) };
        bus.object_server().at(&path, job).await?;
        self.open().insert(id);
        if state(&shown) != before {
            // It changed while the object was announced, and the publisher did not know of it yet.
            signal_state(bus, &path).await?;
        }
        let manager = bus.object_server().interface::<_, Manager>(ROOT).await?;
        Manager::job_new(manager.signal_emitter(), id, path.as_ref()).await?;
        let (jobs, bus, shown) = (Arc::clone(self), bus.clone(), path.clone());
        tokio::spawn(async move {
            let end = end.await;
            jobs.open().remove(&id);
            // A bus that is gone has neither the object nor anybody who would hear of its end.
            let _ = bus.object_server().remove::<Job, _>(&path).await;
            let emitter = manager.signal_emitter();
            let _ = Manager::job_removed(emitter, id, path.as_ref(), end.result.word(), &end.text).await;
        });
        Ok(shown)
    }

    /// Signals the state of every job, because it has changed.
    pub async fn signal_states(&self, bus: &Connection) -> zbus::Result<()> {
        let open = self.open().clone();
        for id in open {
            signal_state(bus, &path(id)?).await?;
        }
        Ok(())
    }

    fn open(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn path(id: u32) -> zbus::Result<OwnedObjectPath> {
    Ok(ObjectPath::try_from(format!("{ROOT}/job/{id}"))?.into())
}

async fn signal_state(bus: &Connection, path: &OwnedObjectPath) -> zbus::Result<()> {
    match bus.object_server().interface::<_, Job>(path).await {
        Ok(job) => job.get().await.state_changed(job.signal_emitter()).await,
        // It has ended by now.
        Err(_) => Ok(()),
    }
}

/// The state of every job there is: what one waits for, all wait for.
fn state(shown: &Shown) -> &'static str {
    match shown.read().unwrap_or_else(PoisonError::into_inner).awaited.as_str() {
        "" => "running",
        _ => "waiting",
    }
}

/// `org.hbd1.Job`.
pub struct Job {
    id: u32,
    task: Task,
    since_usec: u64,
    shown: Shown,
}

#[cfg(test)]
impl Job {
    /// For its XML.
    pub(super) fn example() -> Job {
        Job {
            id: 0,
            task: Task { kind: "move", groups: Vec::new(), node: String::new() },
            since_usec: 0,
            shown: Shown::default(),
        }
    }
}

/// A move under way. When it is over the object goes, and org.hbd1.Manager.JobRemoved says how it ended.
#[interface(name = "org.hbd1.Job")]
impl Job {
    /// The number in the object's path.
    #[zbus(property(emits_changed_signal = "const"))]
    fn id(&self) -> u32 {
        self.id
    }

    /// "standby", "takeover" or "move".
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

    /// "waiting" before it begins, see Awaited of org.hbd1.Manager; "running" from then on.
    #[zbus(property)]
    fn state(&self) -> &str {
        state(&self.shown)
    }

    /// When it was asked for, in microseconds of CLOCK_REALTIME.
    #[zbus(property(emits_changed_signal = "const"), name = "SinceUSec")]
    fn since_usec(&self) -> u64 {
        self.since_usec
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_result_is_read_as_it_is_written() {
        for result in JobResult::ALL {
            assert_eq!(JobResult::parse(result.word()), Some(result));
        }
        assert_eq!(JobResult::parse("dependency"), None);
    }
}
