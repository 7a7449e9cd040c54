//! The beginning and the end of this node's maintenance (docs/DECISIONS.md "Maintenance leaves resources alone").
//!
//! Owns the answer to an operator who asks for it, and what is done at its end. What maintenance keeps hbd from
//! doing is asked of [`crate::cluster::guards::maintenance`].

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::{Answer, Record, Status, Step};
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

    fn maintenance_begins(&mut self) {
        self.maintenance.turn(true);
        self.groups.leave_alone(true);
        self.log(Record::MaintenanceBegins { node: self.settings.node.clone() });
        self.tell_maintenance();
    }

    fn maintenance_ends(&mut self) {
        self.maintenance.turn(false);
        self.groups.leave_alone(false);
        self.raise(Fact::MaintenanceOver);
    }

    /// Tells the log and the peer, and starts what belongs here and does not run.
    pub(in crate::cluster) fn say_maintenance_over(&mut self) {
        self.log(Record::MaintenanceEnds { node: self.settings.node.clone() });
        self.tell_maintenance();
        self.start_what_stopped();
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

    /// Whatever became of the units meanwhile: the service manager starts only those that do not run.
    fn start_what_stopped(&mut self) {
        let units = self.groups.list().iter().enumerate().flat_map(|(group, found)| {
            let units = found.resources.iter().enumerate();
            let units = units.filter(|(_, resource)| !matches!(resource.kind, ResourceKind::Address(_)));
            units.map(move |(resource, _)| Step { group, resource })
        });
        for step in units.collect::<Vec<_>>() {
            self.restart_resource(step);
        }
    }
}
