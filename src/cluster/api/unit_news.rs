//! What becomes of a unit without our doing (docs/UNITS.md).

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What became of a resource without our doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnitNews {
    /// It failed, or ended by itself; the text says how. May be said again as long as it is so.
    Failed(String),
    /// It failed, and the service manager will not start it again for now (`start-limit-hit`); the text says how.
    Exhausted(String),
    /// It failed, and the service manager starts it again by itself; said once for each attempt.
    Restarting(String),
    /// Somebody stopped it: a stop job for this very unit was asked for, and is done.
    Stopped {
        /// How long ago that was asked for.
        ago: Duration,
    },
    /// The service manager stopped it because of something else, which the text names.
    StoppedWith(String),
    /// What it was stopped with is over: it may run again.
    Free,
    /// The service manager does not answer, so nobody knows what it does.
    Unknown,
    /// It runs.
    Up,
}

impl UnitNews {
    /// Whether the unit is down, and nothing is about to start it: neither unknown nor in a pause of its own.
    pub fn says_down(&self) -> bool {
        matches!(
            self,
            UnitNews::Failed(_) | UnitNews::Exhausted(_) | UnitNews::Stopped { .. } | UnitNews::StoppedWith(_)
        )
    }
}
