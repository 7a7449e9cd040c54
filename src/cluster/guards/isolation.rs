//! Is it we who are cut off? `takeover_needs_ping`: a node that sees no ping node takes nothing from a silent peer.
//!
//! Owns whether that has been said. Concerns nobody but us: no message tells of it.

use serde::{Deserialize, Serialize};

use crate::cluster::Record;
use crate::cluster::core::Core;

/// Whether we take nothing for want of a ping node.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Isolation {
    /// We do not take what the dead peer had, because no ping node answers here.
    isolated: bool,
}

impl Isolation {
    /// What waited for a ping node waits no more: it is taken, or the peer is heard again.
    pub(super) fn end(&mut self) {
        self.isolated = false;
    }
}

impl Core {
    /// Whether the dead peer may be the better connected one: the administrator wants no takeover then, and no ping
    /// node has answered since the peer fell silent. A peer that said that it leaves has nothing any more.
    pub(in crate::cluster) fn is_isolated(&self) -> bool {
        let fresh = self.settings.timing.keepalive * 5 / 2;
        let now = self.now.monotonic;
        self.settings.connectivity.takeover_needs_ping
            && !self.ownership.other.left()
            && !self.ping_nodes.is_empty()
            && !self.ping_nodes.iter().any(|node| node.heard_within(now, fresh))
    }

    /// The peer is dead, and we take nothing of it.
    pub(in crate::cluster) fn isolation_begins(&mut self) {
        if !std::mem::replace(&mut self.isolation.isolated, true) {
            self.log(Record::NoPingNode { node: self.peer_name() });
        }
    }

    /// What waited is taken. Whether it was a ping node that it waited for.
    pub(in crate::cluster) fn isolation_ends(&mut self) -> bool {
        let isolated = std::mem::take(&mut self.isolation.isolated);
        if isolated {
            self.log(Record::PingNodeBack { node: self.peer_name() });
        }
        isolated
    }

    /// Why a group is not taken, if it is for want of a ping node.
    pub(super) fn isolation_objection(&self, group: usize) -> Option<String> {
        let isolated = self.isolation.isolated || self.retry_waits(group) && self.is_isolated();
        let waits = isolated && self.is_kept_waiting(group);
        waits.then(|| "no ping node answers".to_owned())
    }
}
