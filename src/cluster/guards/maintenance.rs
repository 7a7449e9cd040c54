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
//! Heartbeat has nothing like it. A real one that wants to give us something gets no answer, as from a node in
//! flux, and keeps it; one that releases everything and leaves finds nobody who takes it. An hbd is told by the
//! field `hbd_maintenance` of our statuses and does not even ask.

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::{Record, Step, UnitNews};

/// The switch.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Maintenance {
    on: bool,
}

impl Maintenance {
    /// Turns it on or off.
    pub(in crate::cluster) fn turn(&mut self, on: bool) {
        self.on = on;
    }

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

    /// The peer is gone. True if nothing of it is taken, because this node is in maintenance; that is said once.
    pub(in crate::cluster) fn forgoes_for_maintenance(&mut self) -> bool {
        if self.maintenance.on && self.groups.held() != self.groups.all() {
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
                UnitNews::Exhausted(reason) => format!("has failed too often ({reason})"),
                UnitNews::Stopped { .. } => "was stopped".to_owned(),
                UnitNews::StoppedWith(cause) => format!("was stopped by the service manager ({cause})"),
                UnitNews::Free => "may run again".to_owned(),
                UnitNews::Unknown => "is not known".to_owned(),
                UnitNews::Up => "runs again".to_owned(),
            };
            self.log(Record::MaintenanceIgnores { group, resource, what });
        }
        self.maintenance.on
    }

    /// Why a group that nobody has is not taken.
    pub(super) fn maintenance_objection(&self, group: usize) -> Option<String> {
        let gone = !self.peer_alive() || self.ownership.other.left();
        let waits = self.maintenance.on && gone && !self.groups.wanted(group);
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
