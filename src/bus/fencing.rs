//! `org.hbd1.Fencing`: resets that an operator wants or confirms. Its doc comments are the documentation in `dbus/`.

use std::sync::PoisonError;

use zbus::message::Header;
use zbus::{Connection, interface};

use super::answers;
use super::authorise::pass_root;
use super::call::{Call, CallError, Caller};
use super::error::ManagerError;
use super::shown::Shown;
use crate::cluster::Request;

/// The interface.
pub struct FencingObject {
    shown: Shown,
    caller: Caller,
}

impl FencingObject {
    pub(super) fn new(shown: Shown, caller: Caller) -> Self {
        FencingObject { shown, caller }
    }

    /// The number of a node in ha.cf order, and its name as it stands there.
    fn node(&self, name: &str) -> Result<(usize, String), ManagerError> {
        let name = name.to_ascii_lowercase();
        let shown = self.shown.read().unwrap_or_else(PoisonError::into_inner);
        let nodes = shown.nodes.iter().filter(|node| node.kind == "normal");
        let nodes: Vec<&str> = nodes.map(|node| node.name.as_str()).collect();
        match nodes.iter().position(|known| *known == name) {
            Some(index) => Ok((index, name)),
            None => Err(ManagerError::NotFenced(format!(
                "'{name}' is no node of ha.cf: its nodes are {}",
                nodes.join(", ")
            ))),
        }
    }
}

/// Resets of other nodes.
#[interface(name = "org.hbd1.Fencing")]
impl FencingObject {
    /// Resets a node with its fencing device, whatever the node is doing. With `dry_run` the device is only asked
    /// whether it is there. Returns in words when that is done, or fails with org.hbd1.Error.NotFenced, which says
    /// why. Only root may call it.
    #[zbus(out_args("outcome"))]
    async fn fence(
        &self,
        node: String,
        dry_run: bool,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<String, ManagerError> {
        pass_root(bus, &header).await.map_err(ManagerError::NotAllowed)?;
        let (index, node) = self.node(&node)?;
        let answer = if dry_run {
            let tested = self.caller.send(|reply| Call::TestFencing { node: node.clone(), reply })?;
            answers::fencing_tested(tested.await.map_err(|_| CallError::Stopping)?, &node)
        } else {
            answers::fence(self.caller.outcome(Request::Fence(index)).await?, &node)
        };
        answer.map_err(ManagerError::NotFenced)
    }

    /// Says that a node, whose reset failed and is waited for, is off for certain: what it had is taken over. Fails
    /// with org.hbd1.Error.NotFenced if nothing waits for that. Only root may call it.
    #[zbus(out_args("outcome"))]
    async fn confirm_fenced(
        &self,
        node: String,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<String, ManagerError> {
        pass_root(bus, &header).await.map_err(ManagerError::NotAllowed)?;
        let (index, node) = self.node(&node)?;
        let outcome = self.caller.outcome(Request::ConfirmFenced(index)).await?;
        answers::confirm_fenced(outcome, &node).map_err(ManagerError::NotFenced)
    }
}
