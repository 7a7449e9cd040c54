//! How a move that was asked for becomes a job on the bus, and how that job ends.
//!
//! Owns nothing: the jobs are [`super::jobs`]'s, what is to move is planned by [`super::moving`].

use std::sync::Arc;

use zbus::{Connection, OwnedObjectPath};

use super::call::CallError;
use super::ending::{JobEnding, JobResult};
use super::error::ManagerError;
use super::jobs::{JobMeans, Task};
use super::manager::ManagerObject;
use super::moving::PlannedMove;
use super::names::ROOT;

impl ManagerObject {
    /// Hands a move to the daemon and shows it as a job, which ends when the core has answered. What need not or
    /// cannot be handed over is a job that has ended already. A text in place of a move says what is wrong with the
    /// caller's words.
    pub(super) async fn begin(
        &self,
        bus: &Connection,
        planned: Result<PlannedMove, String>,
    ) -> Result<OwnedObjectPath, ManagerError> {
        let PlannedMove { task, request, ending } = planned.map_err(ManagerError::InvalidArgument)?;
        let id = self.jobs.number();
        let outcome = match request {
            Ok(request) => Ok(self.caller.request(request, Some(id))?),
            Err(ended) => Err(ended),
        };
        let end = async move {
            match outcome {
                Err(ended) => ended,
                Ok(outcome) => match outcome.await {
                    Ok(Ok(answer)) => ending(answer),
                    Ok(Err(refused)) => JobEnding::new(JobResult::Refused, refused),
                    Err(_) => JobEnding::new(JobResult::Canceled, CallError::Stopping.to_string()),
                },
            }
        };
        let begun = self.begin_job(bus, id, task, end).await;
        begun.map_err(|error| ManagerError::Busy(format!("the job cannot be shown: {error}")))
    }

    /// Shows a job until `end` says how it ended, and signals both. JobNew is signalled when this returns.
    async fn begin_job(
        &self,
        bus: &Connection,
        id: u32,
        task: Task,
        end: impl Future<Output = JobEnding> + Send + 'static,
    ) -> zbus::Result<OwnedObjectPath> {
        let kind = task.kind;
        let (shown, caller, gate) = (Arc::clone(&self.shown), self.caller.clone(), Arc::clone(&self.gate));
        let path = self.jobs.open(bus, id, task, &JobMeans { shown, caller, gate }).await?;
        let manager = bus.object_server().interface::<_, ManagerObject>(ROOT).await?;
        ManagerObject::job_new(manager.signal_emitter(), id, path.as_ref(), kind).await?;
        let (jobs, bus, shown) = (Arc::clone(&self.jobs), bus.clone(), path.clone());
        tokio::spawn(async move {
            let end = end.await;
            jobs.close(&bus, id, &path).await;
            // On a bus that is gone there is nobody who would hear of its end.
            let emitter = manager.signal_emitter();
            let _ = ManagerObject::job_removed(emitter, id, path.as_ref(), kind, end.result.word(), &end.text).await;
        });
        Ok(shown)
    }
}
