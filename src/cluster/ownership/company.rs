//! What moves along with a group.
//!
//! Between two hbds of extension 4 (05 §3.13) each group moves alone. A Heartbeat, and an hbd of an older release,
//! know two classes only, and all groups of a class move together (03 §1). Owns no state. Beside such a peer a class
//! is held whole or not at all: [`Core::hold_whole_classes`] sees to that when the peer has become one.

use crate::cluster::GroupSet;
use crate::cluster::core::Core;
use crate::cluster::facts::Fact;

impl Core {
    /// The set, and everything that moves with a part of it.
    pub(in crate::cluster) fn moving_with(&self, set: GroupSet) -> GroupSet {
        if self.groups_move_alone() { set } else { self.groups.whole_classes(set) }
    }

    /// The group, and everything that moves with it.
    pub(in crate::cluster) fn around(&self, group: usize) -> GroupSet {
        self.moving_with(GroupSet::one(group))
    }

    /// After every event: a peer has come up that cannot be told of a part of a class, and would take all of it. The
    /// rest of the class is taken as well or, if this node cannot serve that, or the peer has it, the part is given
    /// up.
    pub(in crate::cluster) fn hold_whole_classes(&mut self) {
        let settled = self.ownership.decided() && !self.exchange.busy() && self.groups.settled(self.groups.all());
        let heard = self.peer_node().is_some_and(|peer| peer.last_status.is_some());
        if !settled || !heard || !self.peer_knows_classes_only() || !self.peer_kind().is_nice() {
            return;
        }
        let held = self.groups.held();
        let part = held.without(self.groups.members(self.groups.classes(held)));
        if part.is_none() {
            return;
        }
        let rest = self.groups.whole_classes(part).without(held);
        let there = self.peer_alive() && !rest.common(self.ownership.other.holds).is_none();
        let refused = !rest.common(self.barred().with(self.lan.held_back())).is_none();
        if there || refused || self.maintenance.on() {
            self.raise(Fact::LetGo { set: part });
        } else {
            self.take(rest);
            self.send_resource(true, None);
        }
    }
}
