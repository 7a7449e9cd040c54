//! What moves along with a group, and what hbd.toml keeps together or apart.
//!
//! Between two hbds of extension 4 (05 §3.13) each group moves alone. A Heartbeat, and an hbd of an older release,
//! know two classes only, and all groups of a class move together (03 §1). Owns no state. Beside such a peer a class
//! is held whole or not at all: [`Core::hold_whole_classes`] sees to that when the peer has become one.

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::{GroupSet, Record, Set};

impl Core {
    /// The set, and everything that moves with a part of it.
    pub(in crate::cluster) fn moving_with(&self, set: GroupSet) -> GroupSet {
        // Groups of one company prefer the same node, so a class has all of it.
        if self.groups_move_alone() { self.with_company(set) } else { self.groups.whole_classes(set) }
    }

    /// The set, and what hbd.toml keeps together with a part of it.
    pub(in crate::cluster) fn with_company(&self, set: GroupSet) -> GroupSet {
        let touched = self.companies().filter(|company| !company.common(set).is_none());
        touched.fold(set, GroupSet::with)
    }

    /// The groups that hbd.toml keeps together.
    fn companies(&self) -> impl Iterator<Item = GroupSet> + '_ {
        let lists = self.settings.arrangement.together.iter();
        lists.map(|groups| GroupSet::new(groups.iter().copied(), Set::NONE))
    }

    /// The group, and everything that moves with it.
    pub(in crate::cluster) fn around(&self, group: usize) -> GroupSet {
        self.moving_with(GroupSet::one(group))
    }

    /// After every event: of groups that are kept together each node has some, because both were cut off from each
    /// other, or started at the same time. They go to the node that has the first of them.
    pub(in crate::cluster) fn reunite_companies(&mut self) {
        if self.settings.arrangement.together.is_empty() || !self.groups_move_alone() || !self.is_stable() {
            return;
        }
        let (held, theirs, now) = (self.groups.held(), self.ownership.other.holds, self.now.monotonic);
        let unable = self.peer_cut().with(self.peer_unready()).with(self.left_alone());
        let goes = |part: &GroupSet| {
            part.common(unable).is_none()
                && self.peer_unfit_for(*part).is_none()
                && !self.undone_lately(*part)
                && !self.health.offered_lately(*part, now)
        };
        let parted = self.companies().filter_map(|company| {
            let first = company.iter().next()?;
            (theirs.has(first) && !held.has(first)).then_some(company.common(held))
        });
        let part = parted.filter(goes).fold(GroupSet::NONE, GroupSet::with);
        if !part.is_none() && !self.leave.begun() && self.begin_exchange(part).is_ok() {
            // Not again and again: the files of the nodes may say different things.
            self.raise(Fact::OfferedToPeer { set: part });
            self.log(Record::CompanyReunites { groups: self.groups.keys(part), node: self.peer_name() });
        }
    }

    /// The groups of a node's that hbd.toml keeps apart from others of them.
    pub(in crate::cluster) fn too_close(&self, on_one_node: GroupSet) -> GroupSet {
        let lists = self.settings.arrangement.apart.iter();
        let apart = lists.map(|groups| GroupSet::new(groups.iter().copied(), Set::NONE).common(on_one_node));
        apart.filter(|groups| groups.count() > 1).fold(GroupSet::NONE, GroupSet::with)
    }

    /// Whether a move would bring groups to one node that hbd.toml keeps apart. `there`: what the node has.
    pub(in crate::cluster) fn meets(&self, there: GroupSet, moved: GroupSet) -> bool {
        !self.too_close(there.with(moved)).common(moved).is_none()
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
