//! Why a group is held back, as one of a few words: one for each guard that may object.
//!
//! Owns the words. Which guard objects is the guards' to say.

use serde::{Deserialize, Serialize};

/// Which guard keeps us from taking a group although its owner is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HoldReason {
    /// The owner was not reset by its fencing device.
    NotFenced,
    /// This node, or the group, is in maintenance.
    Maintenance,
    /// No ping node answers.
    Isolated,
    /// The witness has not given its key to this node.
    Witness,
    /// A `ready` check of this node fails.
    NotReady,
    /// Somebody still answers for an address.
    Answered,
    /// The owner is heard, and may not hear this node.
    Doubted,
}

impl HoldReason {
    /// The word on D-Bus.
    pub fn word(self) -> &'static str {
        match self {
            HoldReason::NotFenced => "not-fenced",
            HoldReason::Maintenance => "maintenance",
            HoldReason::Isolated => "isolated",
            HoldReason::Witness => "witness",
            HoldReason::NotReady => "not-ready",
            HoldReason::Answered => "answered",
            HoldReason::Doubted => "doubted",
        }
    }
}
