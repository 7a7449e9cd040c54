//! Maintenance: an operator works on what runs here, and hbd leaves it alone (docs/DECISIONS.md "Maintenance leaves
//! resources alone").
//!
//! Owns the switch, and what is said instead of acting. How it is turned, and what follows, is
//! [`crate::cluster::life::upkeep`]'s. While it is on, nothing is started, given up, taken or reset on this node's
//! own decision or at the peer's request, whatever fails here or there. What is held stays held and is reported
//! truthfully, with its leases renewed: the peer takes it only if this node falls silent. Two things go on, because
//! nothing outranks "never two owners": a stop of hbd releases everything, and of two nodes that hold the same one
//! lets go. At the end everything that belongs here is started where it does not run, and what a dead peer left is
//! taken.
//!
//! The same holds for single groups that an operator has named, with everything that moves along with them. The
//! others go on as ever.
//!
//! Heartbeat has nothing like it. A real one that wants to give us something gets no answer, as from a node in
//! flux, and keeps it; one that releases everything and leaves finds nobody who takes it. An hbd is told by the
//! field `hbd_maintenance` of our statuses, or by `hbd_left_alone` of single groups (05 §3.5), and does not even ask.

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::peer::set_said::SetSaid;
use crate::cluster::{Answer, GroupSet, Record, Step, UnitNews};

/// The switch.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Maintenance {
    on: bool,
    /// The groups that an operator has named.
    #[serde(default)]
    groups: GroupSet,
}

impl Maintenance {
    /// Turns it on or off.
    pub(in crate::cluster) fn turn(&mut self, on: bool) {
        self.on = on;
    }

    /// Begins or ends it for single groups.
    pub(in crate::cluster) fn turn_groups(&mut self, set: GroupSet, on: bool) {
        self.groups = if on { self.groups.with(set) } else { self.groups.without(set) };
    }

    /// Whether this node's resources are left alone.
    pub(in crate::cluster) fn on(&self) -> bool {
        self.on
    }

    /// The groups that an operator has named.
    pub(in crate::cluster) fn named(&self) -> GroupSet {
        self.groups
    }
}

impl Core {
    /// Whether this node's resources are left alone.
    pub fn in_maintenance(&self) -> bool {
        self.maintenance.on
    }

    /// The groups that an operator has named as in maintenance.
    pub fn groups_in_maintenance(&self) -> GroupSet {
        self.maintenance.groups
    }

    /// The peer is gone. True if nothing of it is taken, because this node is in maintenance; that is said once.
    pub(in crate::cluster) fn forgoes_for_maintenance(&mut self) -> bool {
        if self.maintenance.on && self.groups.held() != self.groups.all() {
            self.log(Record::MaintenanceForgoes { node: self.peer_name() });
        }
        self.maintenance.on
    }

    /// The groups that are left alone: all, or those that an operator has named and what moves along with them.
    pub(in crate::cluster) fn left_alone(&self) -> GroupSet {
        match (self.maintenance.on, self.maintenance.groups) {
            (true, _) => self.groups.all(),
            (false, GroupSet::NONE) => GroupSet::NONE,
            // A peer that moves classes may have been heard by our predecessor, which left the class alone.
            (false, named) if self.awaits_peer() => self.groups.whole_classes(self.with_company(named)),
            (false, named) => self.moving_with(named),
        }
    }

    /// Whether this group is left alone.
    pub(in crate::cluster) fn leaves_alone(&self, group: usize) -> bool {
        self.maintenance.on || self.left_alone().has(group)
    }

    /// After every event: what moves along with a group depends on what the peer speaks.
    pub(in crate::cluster) fn follow_maintenance(&mut self) {
        if self.maintenance.on || self.maintenance.groups.is_none() {
            return;
        }
        let over = self.groups.leave_alone(self.left_alone());
        if !over.is_none() {
            self.raise(Fact::MaintenanceOver { set: over });
        }
    }

    /// The peer wants this to move. True if it gets no answer, because this node, or some of it, is in maintenance.
    pub(in crate::cluster) fn refuses_for_maintenance(&mut self, set: GroupSet) -> bool {
        let kept = set.common(self.left_alone());
        if self.maintenance.on {
            self.complain(Record::MaintenanceRefuses { node: self.peer_name() });
        } else if !kept.is_none() {
            self.complain(Record::MaintenanceKeeps { node: self.peer_name(), groups: self.groups.keys(kept) });
        }
        self.maintenance.on || !kept.is_none()
    }

    /// Whether an hbd peer said that it is in maintenance.
    pub(in crate::cluster) fn peer_in_maintenance(&self) -> bool {
        self.peer_node().is_some_and(|peer| peer.maintenance)
    }

    /// What an hbd peer leaves alone: everything, or single groups.
    pub(in crate::cluster) fn peer_leaves_alone(&self) -> GroupSet {
        let Some(peer) = self.peer_node() else { return GroupSet::NONE };
        if peer.maintenance { self.groups.all() } else { self.groups.said_there(&peer.left_alone) }
    }

    /// Something became of a resource. True if that is left alone.
    pub(in crate::cluster) fn ignores_for_maintenance(&mut self, step: Step, news: &UnitNews) -> bool {
        let ignores = self.leaves_alone(step.group);
        if ignores {
            let (group, resource) = self.groups.words(step);
            let what = match news {
                UnitNews::Failed(reason) => format!("has failed ({reason})"),
                UnitNews::Restarting(reason) => {
                    format!("has failed ({reason}), and the service manager starts it again")
                }
                UnitNews::Exhausted(reason) => format!("has failed too often ({reason})"),
                UnitNews::Stopped { .. } => "was stopped".to_owned(),
                UnitNews::StoppedWith(cause) => format!("was stopped by the service manager ({cause})"),
                UnitNews::Free => "may run again".to_owned(),
                UnitNews::Unknown => "is not known".to_owned(),
                UnitNews::Up => "runs again".to_owned(),
            };
            let whose = if self.maintenance.on { "this node" } else { "the group" }.to_owned();
            self.log(Record::MaintenanceIgnores { group, resource, what, whose });
        }
        ignores
    }

    /// Why nothing is cleaned up now: all of that, or the named group, is left alone.
    pub(in crate::cluster) fn no_cleanup(&self, group: Option<usize>) -> Option<Answer> {
        if self.maintenance.on {
            return Some(Answer::Maintenance);
        }
        group.filter(|group| self.leaves_alone(*group)).map(|_| Answer::GroupMaintenance)
    }

    /// Why this node does not take a group that it does not hold: an operator works on it here.
    pub(super) fn left_alone_reason(&self, group: usize) -> Option<String> {
        let named = !self.maintenance.on && !self.groups.wanted(group) && self.leaves_alone(group);
        named.then(|| "it is in maintenance on this node".to_owned())
    }

    /// Why a group that nobody has is not taken.
    pub(super) fn maintenance_objection(&self, group: usize) -> Option<String> {
        let gone = !self.peer_alive() || self.ownership.other.left();
        let waits = gone && self.leaves_alone(group) && !self.groups.wanted(group);
        let what = if self.maintenance.on { "this node" } else { "it" };
        waits.then(|| format!("{what} is in maintenance"))
    }

    /// A node's status says whether it is in maintenance; only an hbd's counts.
    pub(in crate::cluster) fn maintenance_heard(&mut self, from: usize, said: bool) {
        let node = &mut self.nodes[from];
        let on = node.hbd.is_some() && said;
        let changed = std::mem::replace(&mut node.maintenance, on) != on;
        let node = node.name.clone();
        if changed {
            self.log(if on { Record::MaintenanceBegins { node } } else { Record::MaintenanceEnds { node } });
        }
    }

    /// A node's status says which groups it leaves alone; only an hbd's counts.
    pub(in crate::cluster) fn left_alone_heard(&mut self, from: usize, said: &SetSaid) {
        let node = &mut self.nodes[from];
        node.left_alone = if node.hbd.is_some() { said.clone() } else { SetSaid::default() };
    }
}
