//! Maintenance: an operator works on what runs here, and hbd leaves it alone.
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

use super::event::{Step, UnitNews};
use super::resources::Decision;
use super::{Action, Answer, Class, Core, Record, Set, Status};
use crate::config::ResourceKind;
use crate::wire::Message;

/// The switch, and what waits for it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Maintenance {
    on: bool,
    /// Requests of a peer that speaks Heartbeat's first protocol for groups that we hold.
    requests: Vec<(usize, Message)>,
}

impl Maintenance {
    /// Whether this node's resources are left alone.
    pub(super) fn on(&self) -> bool {
        self.on
    }
}

impl Core {
    /// Whether this node's resources are left alone.
    pub fn in_maintenance(&self) -> bool {
        self.maintenance.on
    }

    /// `hbctl maintenance on` or `off`. Not in the middle of something: what is half moved is nobody's.
    pub(super) fn maintenance_requested(&mut self, id: u64, on: bool) {
        let answer = if on == self.maintenance.on {
            Answer::Already
        } else if self.leave.begun() {
            Answer::Leaving
        } else if on && (self.standby.busy() || !self.groups.settled(Set::ALL)) {
            Answer::Busy
        } else {
            if on {
                self.maintenance_begins()
            } else {
                self.maintenance_ends()
            }
            Answer::Done
        };
        self.out.push(Action::Answer { id, answer });
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
        self.health_anew();
        self.log(Record::MaintenanceEnds { node: self.settings.node.clone() });
        self.tell_maintenance();
        self.start_what_stopped();
        for (from, request) in std::mem::take(&mut self.maintenance.requests) {
            self.ip_request_received(from, &request);
        }
        let decided = self.ownership.decision == Decision::Stable && !self.fencing.waiting();
        let gone = self.peer_node().is_some_and(|peer| peer.status == Status::Dead) || self.ownership.peer_left;
        if decided && gone && self.ownership.hold != Set::ALL {
            self.take_over();
        }
        self.groups.tick(self.now.monotonic, &mut self.out);
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

    /// The part of a set that may be taken now: in maintenance only what we hold already.
    pub(super) fn takeable(&self, set: Set) -> Set {
        if self.maintenance.on { set.common(self.ownership.hold) } else { set }
    }

    /// The peer is gone. True if nothing of it is taken, because this node is in maintenance; that is said once.
    pub(super) fn maintenance_forgoes(&mut self) -> bool {
        if self.maintenance.on && self.ownership.hold != Set::ALL {
            self.log(Record::MaintenanceForgoes { node: self.peer_name() });
        }
        self.maintenance.on
    }

    /// The peer wants something to move. True if it gets no answer, because this node is in maintenance.
    pub(super) fn maintenance_refuses(&mut self) -> bool {
        if self.maintenance.on {
            self.complain(Record::MaintenanceRefuses { node: self.peer_name() });
        }
        self.maintenance.on
    }

    /// A group that we hold is asked for in Heartbeat's first protocol: answered when maintenance ends. True if so.
    pub(super) fn maintenance_keeps(&mut self, from: usize, group: usize, message: &Message) -> bool {
        let keeps = self.groups.wanted(group) && self.maintenance_refuses();
        if keeps {
            let key = message.text("ipaddr");
            self.maintenance.requests.retain(|(_, known)| known.text("ipaddr") != key);
            self.maintenance.requests.push((from, message.clone()));
        }
        keeps
    }

    /// Whether no exchange may begin: one of the nodes is in maintenance, and it is not about what both hold.
    pub(super) fn maintenance_forbids(&self) -> bool {
        let either = self.maintenance.on || self.peer_in_maintenance();
        either && !self.conflict.both_hold()
    }

    /// Whether an hbd peer said that it is in maintenance.
    pub(super) fn peer_in_maintenance(&self) -> bool {
        self.peer_node().is_some_and(|peer| peer.maintenance)
    }

    /// Something became of a resource. True if that is left alone.
    pub(super) fn maintenance_ignores(&mut self, step: Step, news: &UnitNews) -> bool {
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
    pub(super) fn waits_for_maintenance(&self, class: Class) -> Option<String> {
        let gone = !self.peer_alive() || self.ownership.peer_left;
        let waits = self.maintenance.on && gone && !self.ownership.hold.has(class);
        waits.then(|| "this node is in maintenance".to_owned())
    }

    /// An hbd peer's status says whether it is in maintenance.
    pub(super) fn maintenance_heard(&mut self, from: usize, message: &Message) {
        let node = &mut self.nodes[from];
        let on = node.hbd.is_some() && message.text("hbd_maintenance").is_some();
        let changed = std::mem::replace(&mut node.maintenance, on) != on;
        let node = node.name.clone();
        if changed {
            self.log(if on { Record::MaintenanceBegins { node } } else { Record::MaintenanceEnds { node } });
        }
    }
}
