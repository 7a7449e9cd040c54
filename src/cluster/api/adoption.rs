//! What one daemon leaves to the next on the same node (docs/DECISIONS.md "A restart moves nothing").
//!
//! Plain data: what follows from it is decided by [`crate::cluster::life::restart`].

use serde::{Deserialize, Serialize};

use crate::cluster::api::group_set::GroupSet;
use crate::cluster::api::step::Step;
use crate::cluster::api::time::Instant;

/// What our predecessor on this node held, by the places of the groups in our haresources.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Adoption {
    /// All of it.
    pub held: GroupSet,
    /// What of it has another preferred node than when the predecessor read haresources.
    pub moved: GroupSet,
    /// Whether the predecessor had taken the other node's groups because that was gone.
    pub failback: bool,
    /// Until when it was certain that nobody takes them, where a witness is used.
    #[serde(default)]
    pub assured_until: Option<Instant>,
    /// Whether the other node was reset, or is off by a human's word, and was not heard since.
    #[serde(default)]
    pub peer_off: bool,
    /// What it was stopping when it ended: this goes on.
    #[serde(default)]
    pub stopping: GroupSet,
    /// What it held and may be another's by now: something of it may still run here, which will be told.
    #[serde(default)]
    pub lapsed: GroupSet,
    /// What somebody had stopped by hand, of what it held and of what runs on both nodes, and when.
    #[serde(default)]
    pub stopped: Vec<(Step, Instant)>,
}

impl Adoption {
    /// Whether there is anything to take up, to go on stopping, or to know.
    pub fn says_something(&self) -> bool {
        let Adoption { held, stopping, lapsed, peer_off, stopped, .. } = self;
        *peer_off || !stopped.is_empty() || [held, stopping, lapsed].into_iter().any(|set| !set.is_none())
    }
}
