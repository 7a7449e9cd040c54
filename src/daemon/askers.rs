//! Operators who wait for an answer of the core. Owns the numbers of their requests.

use std::collections::HashMap;

use tokio::sync::oneshot;

use crate::bus;
use crate::cluster::Answer;

/// Who asked what, and is to be answered.
#[derive(Debug, Default)]
pub struct Askers {
    last: u64,
    waiting: HashMap<u64, Asker>,
}

/// One of them.
#[derive(Debug)]
struct Asker {
    reply: oneshot::Sender<bus::RequestOutcome>,
    /// The job on the bus that shows the request.
    job: Option<u32>,
}

impl Askers {
    /// The number of a request, which this job shows; its answer goes to `reply`.
    pub(super) fn add(&mut self, reply: oneshot::Sender<bus::RequestOutcome>, job: Option<u32>) -> u64 {
        self.last += 1;
        self.waiting.insert(self.last, Asker { reply, job });
        self.last
    }

    /// The number of the request that this job shows; `None` if it is answered.
    pub(super) fn of_job(&self, job: u32) -> Option<u64> {
        self.waiting.iter().find(|(_, asker)| asker.job == Some(job)).map(|(id, _)| *id)
    }

    /// The job that shows this request.
    pub(super) fn job(&self, id: u64) -> Option<u32> {
        self.waiting.get(&id)?.job
    }

    /// Tells the asker of this request.
    pub(super) fn answer(&mut self, id: u64, answer: Answer) {
        if let Some(asker) = self.waiting.remove(&id) {
            // The client that asked may have gone.
            let _ = asker.reply.send(Ok(answer));
        }
    }
}
