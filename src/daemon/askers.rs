//! Operators who wait for an answer of the core. Owns the numbers of their requests.

use std::collections::HashMap;

use tokio::sync::oneshot;

use crate::bus;
use crate::cluster::Answer;

/// Who asked what, and is to be answered.
#[derive(Debug, Default)]
pub struct Askers {
    last: u64,
    waiting: HashMap<u64, oneshot::Sender<bus::RequestOutcome>>,
}

impl Askers {
    /// The number of a request; its answer goes to `reply`.
    pub(super) fn add(&mut self, reply: oneshot::Sender<bus::RequestOutcome>) -> u64 {
        self.last += 1;
        self.waiting.insert(self.last, reply);
        self.last
    }

    /// Tells the asker of this request.
    pub(super) fn answer(&mut self, id: u64, answer: Answer) {
        if let Some(reply) = self.waiting.remove(&id) {
            // The client that asked may have gone.
            let _ = reply.send(Ok(answer));
        }
    }
}
