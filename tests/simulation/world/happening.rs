//! What is going to happen, and when.

use std::sync::Arc;
use std::time::Duration;

use hbd::cluster::{Outcome, Step};
use hbd::wire::Message;

/// What comes to pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Happening {
    Arrives {
        link: usize,
        from: usize,
        message: Arc<Message>,
    },
    Deadline,
    Ended(Step, Outcome),
    /// A stalled daemon runs again.
    Wakes,
    /// The lease of the addresses, of a daemon that has not run since then.
    LeaseEnds(Duration),
    /// A question about an address is asked on the LAN.
    Asks(u64),
    /// An address that had lost its lease is added again.
    Restored(Step),
    /// Somebody else announces an address.
    Announced {
        group: usize,
    },
    /// Somebody else claims an address that is served here.
    Claimed {
        group: usize,
        again: bool,
    },
    /// The ping node is asked, and answers if it can.
    Pings,
    /// The software is started (again).
    Starts,
}

/// The same at its moment; ordered by that.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scheduled {
    pub(super) at: Duration,
    pub(super) order: u64,
    pub(super) node: usize,
    /// The incarnation it is meant for; the wire does not care.
    pub(super) life: u64,
    pub(super) what: Happening,
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
