//! What callers on the bus ask of the daemon, and where the answers go.
//!
//! Owns the types and the sending. A request of an operator is the core's own [`Request`] from here on: the daemon
//! hands it to the core as it is, and the core's [`Answer`] comes back the same way.

use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::cluster::{Answer, Request};

/// How a request of an operator ended: the core's answer, or why the daemon did not hand it to the core, or could not
/// complete it, in words.
pub type RequestOutcome = Result<Answer, String>;

/// A request of an operator on its way to the core.
#[derive(Debug)]
pub struct OperatorRequest {
    /// What is wanted.
    pub request: Request,
    /// Where the outcome goes. Dropped without one if hbd stops before the core has answered.
    pub reply: oneshot::Sender<RequestOutcome>,
    /// The number of the job that shows it, if one does.
    pub job: Option<u32>,
}

/// How [`Call::Reload`] tells a change of the keys, which is in force at its answer. For any other change the program
/// that answers is replaced.
pub const KEYS_CHANGE: &str = "authkeys";

/// One call for the daemon.
#[derive(Debug)]
pub enum Call {
    /// For the core.
    Operator(OperatorRequest),
    /// The move that this job shows is not wanted any more.
    CallOff {
        /// The job's number.
        job: u32,
        /// Where the outcome goes.
        reply: oneshot::Sender<RequestOutcome>,
    },
    /// Put changed files in force. The answer is one line per change, or why nothing was changed.
    Reload {
        /// Where the answer goes.
        reply: oneshot::Sender<Result<Vec<String>, String>>,
    },
    /// Say what [`Call::Reload`] would change now.
    DescribeReload {
        /// Where the answer goes.
        reply: oneshot::Sender<Result<Vec<String>, String>>,
    },
    /// Log more or less from now on.
    Debug {
        /// As `debug` of ha.cf.
        level: u8,
        /// Where the answer goes, in words.
        reply: oneshot::Sender<String>,
    },
    /// Ask the fencing device of a node whether it is there.
    TestFencing {
        /// The node, as ha.cf names it.
        node: String,
        /// Where the answer goes: nothing, or why the device cannot be used.
        reply: oneshot::Sender<Result<(), String>>,
    },
}

/// Why a call was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CallError {
    /// The daemon has not come to earlier calls yet.
    #[error("hbd has too many requests to answer; try again")]
    Full,
    /// The daemon ends.
    #[error("hbd is stopping")]
    Stopping,
}

/// The bus's way to the daemon.
#[derive(Debug, Clone)]
pub(super) struct Caller(mpsc::Sender<Call>);

impl Caller {
    pub fn new(calls: mpsc::Sender<Call>) -> Caller {
        Caller(calls)
    }

    /// Hands over a call that `make` makes from the place where its answer goes. Never waits.
    pub fn send<T>(&self, make: impl FnOnce(oneshot::Sender<T>) -> Call) -> Result<oneshot::Receiver<T>, CallError> {
        let (reply, answer) = oneshot::channel();
        self.0.try_send(make(reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => CallError::Full,
            mpsc::error::TrySendError::Closed(_) => CallError::Stopping,
        })?;
        Ok(answer)
    }

    /// Hands over a request of an operator, which this job shows. Never waits.
    pub fn request(
        &self,
        request: Request,
        job: Option<u32>,
    ) -> Result<oneshot::Receiver<RequestOutcome>, CallError> {
        self.send(|reply| Call::Operator(OperatorRequest { request, reply, job }))
    }

    /// The same, and waits for the outcome.
    pub async fn outcome(&self, request: Request) -> Result<RequestOutcome, CallError> {
        self.request(request, None)?.await.map_err(|_| CallError::Stopping)
    }
}
