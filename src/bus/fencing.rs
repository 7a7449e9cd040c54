//! `org.hbd1.Fencing`: resets that an operator wants or confirms. Its doc comments are the documentation in `dbus/`.

use tokio::sync::{mpsc, oneshot};
use zbus::{DBusError, interface};

use super::Request;

/// Why nothing was reset.
#[derive(Debug, DBusError)]
#[zbus(prefix = "org.hbd1.Error")]
pub enum FencingError {
    /// The node was not reset, or nothing waits for that; the text says why.
    NotFenced(String),
    /// hbd is stopping, or has too much to do.
    Busy(String),
}

/// The interface.
pub struct Fencing {
    requests: mpsc::Sender<Request>,
}

impl Fencing {
    pub(super) fn new(requests: mpsc::Sender<Request>) -> Self {
        Fencing { requests }
    }

    async fn ask(
        &self,
        request: Request,
        answer: oneshot::Receiver<Result<String, String>>,
    ) -> Result<String, FencingError> {
        let busy = || FencingError::Busy("hbd is stopping, or has too many requests to answer; try again".to_owned());
        self.requests.try_send(request).map_err(|_| busy())?;
        answer.await.map_err(|_| busy())?.map_err(FencingError::NotFenced)
    }
}

/// Resets of other nodes.
#[interface(name = "org.hbd1.Fencing")]
impl Fencing {
    /// Resets a node with its fencing device, whatever the node is doing. With `dry_run` the device is only asked whether
    /// it is there. Returns in words when that is done, or fails with org.hbd1.Error.NotFenced, which says why. Only root
    /// may call it.
    #[zbus(out_args("outcome"))]
    async fn fence(&self, node: String, dry_run: bool) -> Result<String, FencingError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Fence { node, dry_run, reply }, answer).await
    }

    /// Says that a node, whose reset failed and is waited for, is off for certain: what it had is taken over. Fails with
    /// org.hbd1.Error.NotFenced if nothing waits for that. Only root may call it.
    #[zbus(out_args("outcome"))]
    async fn confirm_fenced(&self, node: String) -> Result<String, FencingError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::ConfirmFenced { node, reply }, answer).await
    }
}
