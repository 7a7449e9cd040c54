//! What is going to happen, and when.

use std::sync::Arc;
use std::time::Duration;

use hbd::cluster::{Event, Outcome, Step};
use hbd::wire::Message;

use super::witness::Asked;

/// One thing that happens to the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Happening {
    Arrives {
        link: usize,
        from: usize,
        message: Arc<Message>,
    },
    /// A message of the past, which somebody repeats.
    Repeated {
        link: usize,
        message: Arc<Message>,
    },
    /// What was held back on its way to the node goes on.
    LetGo,
    Deadline,
    Ended(Step, Outcome),
    /// systemd tells what became of a unit, or the kernel of an address.
    Tells(Event),
    /// The stop of a left-over ends.
    Cleared(Step),
    /// systemd starts a unit again by itself.
    Restarts(Step),
    /// What kept a resource down is over: somebody starts it (`by_hand`), or hbd may.
    DownOver {
        step: Step,
        by_hand: bool,
    },
    /// The address of a group is added, as was ordered then.
    Added {
        group: usize,
        ordered: Duration,
    },
    /// A stalled daemon runs again.
    Wakes,
    /// The lease of the addresses ends, of a daemon that has been stalled since this time.
    LeaseEnds(Duration),
    /// A lease that a core with a witness has told of may be over.
    LeaseOver,
    /// What a node ordered of the witness at that time reaches it.
    Ordered(Asked),
    /// A question about an address is asked on the LAN.
    Asks(u64),
    /// The question who has an address goes out, once.
    Surveys(Step),
    /// Its answers are in.
    Surveyed(Step),
    /// A stranger claims the address of a group once more.
    StrangerClaims {
        group: usize,
    },
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

/// A happening with its time, by which it is ordered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scheduled {
    pub(super) at: Duration,
    pub(super) order: u64,
    pub(super) node: usize,
    /// The incarnation of the software that it is meant for. Packets reach any incarnation.
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
