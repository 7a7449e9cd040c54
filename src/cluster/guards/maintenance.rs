//! Maintenance: an operator works on what runs here, and hbd leaves it alone (docs/DECISIONS.md "Maintenance leaves resources
//! alone").
//!
//! Owns the switch. While it is on, nothing is started, given up, taken or reset on this node's own decision or at the
//! peer's wish, whatever fails here or there. What is held stays held and is reported truthfully, with its leases renewed:
//! the peer takes it only if this node falls silent. Two things go on, because no wish outranks "never two owners": a stop
//! of hbd releases everything, and of two nodes that hold the same one lets go. At the end everything that belongs here is
//! started where it does not run, and what a dead peer left is taken.
//!
//! Heartbeat has nothing like it. A real one that wants to give us something gets no answer, as from a node in flux, and
//! keeps it; one that releases everything and leaves finds nobody who takes it. An hbd is told by the field
//! `hbd_maintenance` of our statuses and does not even ask.

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::{Answer, Class, Record, Set, Status, Step, UnitNews};
use crate::config::ResourceKind;

/// The switch.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Maintenance {
    on: bool,
}

impl Maintenance {
    /// Whether this node's resources are left alone.
    pub(in crate::cluster) fn on(&self) -> bool {
        self.on
    }
}

impl Core {
    /// Whether this node's resources are left alone.
    pub fn in_maintenance(&self) -> bool {
        self.maintenance.on
    }

    /// `hbctl maintenance on` or `off`. Not in the middle of something: what is half moved is nobody's.
    pub(in crate::cluster) fn maintenance_requested(&mut self, id: u64, on: bool) {
        let answer = if on == self.maintenance.on {
            Answer::Already
        } else if self.leave.begun() {
            Answer::Leaving
        } else if on && (self.exchange.busy() || !self.groups.settled(Set::ALL)) {
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
        self.maintenance.on = true;
        self.groups.leave_alone(true);
        self.log(Record::MaintenanceBegins { node: self.settings.node.clone() });
        self.tell_maintenance();
    }

    fn maintenance_ends(&mut self) {
        self.maintenance.on = false;
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
        let decided = self.ownership.decided() && !self.fencing.waiting();
        let dead = self.peer_node().is_some_and(|peer| peer.status == Status::Dead);
        if decided && (dead || self.ownership.other.left()) && self.ownership.hold != Set::ALL {
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
            self.groups.restart(step, self.now.monotonic, &mut self.out);
        }
    }

    /// The peer is gone. True if nothing of it is taken, because this node is in maintenance; that is said once.
    pub(in crate::cluster) fn forgoes_for_maintenance(&mut self) -> bool {
        if self.maintenance.on && self.ownership.hold != Set::ALL {
            self.log(Record::MaintenanceForgoes { node: self.peer_name() });
        }
        self.maintenance.on
    }

    /// The peer wants something to move. True if it gets no answer, because this node is in maintenance.
    pub(in crate::cluster) fn refuses_for_maintenance(&mut self) -> bool {
        if self.maintenance.on {
            self.complain(Record::MaintenanceRefuses { node: self.peer_name() });
        }
        self.maintenance.on
    }

    /// Whether an hbd peer said that it is in maintenance.
    pub(in crate::cluster) fn peer_in_maintenance(&self) -> bool {
        self.peer_node().is_some_and(|peer| peer.maintenance)
    }

    /// Something became of a resource. True if that is left alone.
    pub(in crate::cluster) fn ignores_for_maintenance(&mut self, step: Step, news: &UnitNews) -> bool {
        if self.maintenance.on {
            let (group, resource) = self.groups.words(step);
            let what = match news {
                UnitNews::Failed(reason) => format!("has failed ({reason})"),
                UnitNews::Restarting(reason) => {
                    format!("has failed ({reason}), and the service manager starts it again")
                }
                UnitNews::Stopped => "was stopped".to_owned(),
                UnitNews::Up => "runs again".to_owned(),
            };
            self.log(Record::MaintenanceIgnores { group, resource, what });
        }
        self.maintenance.on
    }

    /// Why a group that nobody has is not taken.
    pub(super) fn maintenance_objection(&self, class: Class) -> Option<String> {
        let gone = !self.peer_alive() || self.ownership.other.left();
        let waits = self.maintenance.on && gone && !self.ownership.hold.has(class);
        waits.then(|| "this node is in maintenance".to_owned())
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
}
