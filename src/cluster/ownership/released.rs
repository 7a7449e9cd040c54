//! What has gone down here because it is another's, and the peer's knowledge of that.
//!
//! Owns what the peer was told and may not have believed: the node that has a group announces its addresses when the
//! other one says that it has them no more (05 §5.3). Never decides what is released.

use serde::{Deserialize, Serialize};

use crate::cluster::GroupSet;
use crate::cluster::core::Core;

/// What went down while the peer was not heard, or before we said anything of resources.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct ReleasedUntold(GroupSet);

impl Core {
    /// They are down: say so, and say which.
    pub(in crate::cluster) fn report_released(&mut self, lost: GroupSet) {
        let leaves = self.ownership.gives_up_everything();
        let speaks = leaves || self.membership.active();
        if speaks {
            let report = self.resource_message(!leaves, leaves.then_some("shutdown"));
            self.send(self.with_released(report, lost));
        }
        if !speaks || !self.peer_alive() {
            self.released_untold.0 = self.released_untold.0.with(lost);
        }
    }

    /// The peer is heard and has been told what we hold: it is told that again.
    pub(in crate::cluster) fn report_untold(&mut self) {
        if self.peer_alive() && self.membership.active() {
            let untold = std::mem::take(&mut self.released_untold.0).without(self.groups.held());
            if !untold.is_none() {
                self.report_released(untold);
            }
        }
    }
}
