//! How far one group has come on its way up or down (03 §2.5).
//!
//! Owns what is known of its resources. Which step is next is decided by [`super::groups`].

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::api::time::Instant;

/// Pause between attempts to stop a resource, and how many there are before the pause grows (03 §2.5).
pub(super) const STOP_RETRY: (Duration, u32) = (Duration::from_secs(1), 10);
/// Pause between attempts when the first ones were of no use.
const STOP_RETRY_SLOW: Duration = Duration::from_secs(10);

/// What is under way with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Operation {
    Start,
    Stop,
}

/// See the module.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) wanted: bool,
    /// Resources `0..running` are up, as far as we know.
    pub(super) running: usize,
    pub(super) pending: Option<Operation>,
    /// A start failed: the group goes down and is tried again at this moment.
    pub(super) failed: Option<Instant>,
    /// How many starts failed since all of the group last ran here, or it was last wanted.
    pub(super) failures: usize,
    pub(super) stop_attempts: u32,
    pub(super) stop_again: Option<Instant>,
    /// Resources below `running` that failed and are to be started again in their places.
    #[serde(default)]
    pub(super) broken: BTreeSet<usize>,
    /// Resources below `running` that are to be stopped, and then started again in their places.
    #[serde(default)]
    pub(super) hung: BTreeSet<usize>,
    /// What was wanted is reached, and a record has said so.
    pub(super) settled: bool,
    /// It has begun to start units, and is not up yet: one of those that may at once.
    #[serde(default)]
    pub(super) starts_units: bool,
}

impl Run {
    /// It could not be stopped, and is tried again; where it is wanted again meanwhile, it is started instead. Gives
    /// how often that happened.
    pub(super) fn stop_fails(&mut self, resource: usize, now: Instant) -> u32 {
        self.stop_attempts += 1;
        let pause = if self.stop_attempts < STOP_RETRY.1 { STOP_RETRY.0 } else { STOP_RETRY_SLOW };
        self.stop_again = Some(now + pause);
        if self.wanted && self.failed.is_none() && !self.hung.contains(&resource) {
            self.stop_again = None;
            self.is_doubtful(resource);
        }
        self.stop_attempts
    }

    /// Nobody knows whether this resource runs: it is started again, in its place where others to the right of it
    /// run.
    fn is_doubtful(&mut self, resource: usize) {
        if resource + 1 < self.running {
            self.broken.insert(resource);
        } else {
            self.goes_down_to(resource);
        }
    }

    /// Only the resources below this one run.
    pub(super) fn goes_down_to(&mut self, resource: usize) {
        self.running = resource;
        self.broken.retain(|broken| *broken < resource);
    }
}
