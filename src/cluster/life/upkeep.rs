//! The beginning and the end of this node's maintenance (docs/DECISIONS.md "Maintenance leaves resources alone").
//!
//! Owns the answer to an operator who asks for it, and what is done at its end. What maintenance keeps hbd from
//! doing is asked of [`crate::cluster::guards::maintenance`].

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::guards::condition::Condition;
use crate::cluster::{Answer, GroupSet, Record, Status, Step};
use crate::config::ResourceKind;

impl Core {
    /// `hbctl maintenance on` or `off`. Not in the middle of something: what is half moved is nobody's.
    pub(in crate::cluster) fn maintenance_requested(&mut self, id: u64, on: bool) {
        let answer = if on == self.maintenance.on() {
            Answer::Already
        } else if self.leave.begun() {
            Answer::Leaving
        } else if on && (self.exchange.busy() || !self.groups.settled(self.groups.all())) {
            Answer::Busy
        } else {
            if on {
                self.maintenance_begins()
            } else {
                self.maintenance_ends()
            }
            Answer::Done
        };
        self.raise(Fact::Answered { id, answer });
    }

    /// The same of single groups.
    pub(in crate::cluster) fn group_maintenance_requested(&mut self, id: u64, set: GroupSet, on: bool) {
        let set = set.common(self.groups.all());
        let named = self.maintenance.named();
        let answer = if set.common(named) == if on { set } else { GroupSet::NONE } {
            Answer::Already
        } else if self.leave.begun() {
            Answer::Leaving
        } else if on && (self.exchange.busy() || !self.groups.settled(self.moving_with(set))) {
            Answer::Busy
        } else {
            self.turn_group_maintenance(set, on);
            Answer::Done
        };
        self.raise(Fact::Answered { id, answer });
    }

    fn turn_group_maintenance(&mut self, set: GroupSet, on: bool) {
        self.maintenance.turn_groups(set, on);
        let over = self.groups.leave_alone(self.left_alone());
        let (node, groups) = (self.settings.node.clone(), self.groups.keys(self.moving_with(set)));
        self.log(if on {
            Record::GroupMaintenanceBegins { groups, node }
        } else {
            Record::GroupMaintenanceEnds { groups, node }
        });
        self.tell_maintenance();
        if !on && !self.maintenance.on() {
            self.raise(Fact::MaintenanceOver { set: over });
        }
    }

    fn maintenance_begins(&mut self) {
        self.maintenance.turn(true);
        self.groups.leave_alone(self.left_alone());
        self.log(Record::MaintenanceBegins { node: self.settings.node.clone() });
        self.tell_maintenance();
    }

    fn maintenance_ends(&mut self) {
        self.maintenance.turn(false);
        let over = self.groups.leave_alone(self.left_alone());
        self.log(Record::MaintenanceEnds { node: self.settings.node.clone() });
        self.tell_maintenance();
        self.raise(Fact::MaintenanceOver { set: over });
    }

    /// What a peer left that died or stopped meanwhile.
    pub(in crate::cluster) fn take_what_is_left(&mut self) {
        let decided = self.ownership.decided() && !self.fencing.waiting() && !self.maintenance.on();
        let dead = self.peer_node().is_some_and(|peer| peer.status == Status::Dead);
        if decided && (dead || self.ownership.other.left()) && self.groups.held() != self.groups.all() {
            self.raise(Fact::PeerHasNothing);
        }
    }

    fn tell_maintenance(&mut self) {
        if self.membership.running() {
            self.send_status();
        }
    }

    /// Whatever became of the units meanwhile: the service manager starts only those that do not run. An address that
    /// the kernel did not take back is tried again; one whose lease was lost may be the peer's.
    pub(in crate::cluster) fn start_what_stopped(&mut self, set: GroupSet) {
        let (groups, conditions) = (self.groups.list().iter().enumerate(), &self.conditions);
        let steps = groups.filter(|(group, _)| set.has(*group)).flat_map(|(group, found)| {
            let resources = found.resources.iter().enumerate();
            resources.map(move |(resource, found)| (Step { group, resource }, &found.kind))
        });
        let tried_again = |(step, kind): &(Step, &ResourceKind)| {
            let failed = matches!(conditions.of(*step), Some(Condition::Failed(_)));
            failed || !kind.is_address()
        };
        for step in steps.filter(tried_again).map(|(step, _)| step).collect::<Vec<_>>() {
            self.restart_resource(step);
        }
    }
}
