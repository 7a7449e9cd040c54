//! What a node has let go of for want of the witness's key, and nobody has taken since (05 §4.7).
//!
//! Of such a group both nodes know that nobody has it, also while the node that had it still stops others, and also
//! if they have read different haresources. So it waits for [`super::conflict`]'s shortest patience only. That long
//! it waits in any case: what was said of it may have been under way for a while, and a later word that somebody
//! has it comes close behind.
//!
//! Owns what was let go of, and what the peer said of that. Never decides what is let go of:
//! [`crate::cluster::guards::assurance`] does.

use serde::{Deserialize, Serialize};

use super::parting::TOLD_TOGETHER;
use crate::cluster::core::Core;
use crate::cluster::peer::message::Report;
use crate::cluster::timers::Timer;
use crate::cluster::{GroupSet, Set};

/// See the module.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Orphans {
    /// We let go of these, and know of nobody who has taken them.
    ours: GroupSet,
    /// What the peer was told to be down of that.
    told: GroupSet,
    /// The same of the peer, as its last full report says.
    theirs: GroupSet,
}

impl Core {
    /// These are released for want of the key.
    pub(in crate::cluster) fn note_orphans(&mut self, set: GroupSet) {
        let ours = self.orphans.ours.with(GroupSet::new(set.iter(), Set::NONE));
        (self.orphans.ours, self.orphans.told) = (ours, GroupSet::NONE);
    }

    /// What of them is down here, for our reports.
    pub(in crate::cluster) fn orphans_down(&self) -> GroupSet {
        self.down_of(self.orphans.ours.without(self.groups.held()))
    }

    /// Which groups nobody has, for certain.
    pub(in crate::cluster) fn known_orphans(&self) -> GroupSet {
        let taken = self.groups.held().with(self.ownership.other.holds);
        self.orphans_down().with(self.orphans.theirs).without(taken)
    }

    /// A report counts.
    pub(in crate::cluster) fn orphans_heard(&mut self, report: &Report) {
        if report.full {
            self.orphans.ours = self.orphans.ours.without(self.ownership.other.holds);
            self.orphans.theirs = self.groups.meant(Set::NONE, Some(report.unassured.iter().map(String::as_str)));
        }
    }

    /// The peer is gone, or new: what the old one said is void.
    pub(in crate::cluster) fn forget_their_orphans(&mut self) {
        self.orphans.theirs = GroupSet::NONE;
    }

    /// After every event: more of what was let go of may be down, while the rest still stops.
    pub(in crate::cluster) fn follow_orphans(&mut self) {
        self.orphans.ours = self.orphans.ours.without(self.groups.held());
        let stops = !self.ownership.stopping().is_none() && self.peer_alive() && !self.timers.is_set(Timer::Parting);
        if stops && !self.orphans_down().without(self.orphans.told).is_none() {
            self.timers.set(Timer::Parting, self.now.monotonic + TOLD_TOGETHER);
        }
    }

    /// The peer is told of them together.
    pub(in crate::cluster) fn tell_orphans(&mut self) {
        let down = self.orphans_down();
        if !down.without(self.orphans.told).is_none() {
            self.orphans.told = down;
            self.send_resource(true, None);
        }
    }
}
