//! What the thread is started with, what it is told, and what it tells.

use std::path::PathBuf;

use crate::cluster::{WitnessNews, WitnessOrder, WitnessStamp};
use crate::config::WitnessSettings;

/// One order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WitnessCommand {
    /// The answer carries it.
    pub number: u64,
    /// What the witness is to do.
    pub order: WitnessOrder,
    /// See [`crate::cluster::Action::Witness`].
    pub since: Option<WitnessStamp>,
}

/// The answer to one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessReport {
    /// That of the order.
    pub number: u64,
    /// What the witness said, or why nothing is known.
    pub news: WitnessNews,
}

/// What the thread works with.
#[derive(Debug, Clone)]
pub struct WitnessThread {
    /// `[witness]`.
    pub config: WitnessSettings,
    /// The cluster's key.
    pub key: String,
    /// Our own name.
    pub node: String,
    /// Another for each daemon of this node.
    pub daemon: u64,
    /// Where the process listens: [`super::protocol::SOCKET`].
    pub socket: PathBuf,
}
