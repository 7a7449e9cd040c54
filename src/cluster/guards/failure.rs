//! One failure of a resource, here or on the other node. Plain data: [`super::health`] counts them, [`super::unfit`]
//! tells them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::{Instant, Step};

/// A failure of a resource on this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) step: Step,
    pub(super) at: Instant,
    /// It could not be started at all: one is enough.
    pub(super) fatal: bool,
    /// The same moment by the wall clock, for people.
    #[serde(default)]
    pub(super) wall: Duration,
    /// Why, for people.
    #[serde(default)]
    pub(super) reason: String,
}

/// What an hbd peer has said of a group that failed there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FailedThere {
    pub(super) key: String,
    /// Until when that counts, by the wall clock.
    pub(super) until: Duration,
    /// The resource, and why it failed; empty if the peer does not say so.
    pub(super) why: String,
}
