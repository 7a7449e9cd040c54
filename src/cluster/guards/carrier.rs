//! Can the peer serve, and we cannot? The interface of an address is gone, down, or has no carrier.
//!
//! Two hbd nodes tell each other in their statuses what they cannot serve (field `hbd_cut`); of a real Heartbeat we
//! assume that it can, but offer it nothing again for ten minutes. Gives nothing up to a node that is no better off.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::timers::Timer;
use crate::cluster::{GroupSet, Record, Set, Step};

/// A carrier that is back by then was never lost: a cable being moved, a switch that negotiates.
const CARRIER_LOSS: Duration = Duration::from_secs(1);
/// While nobody is better off, or an exchange cannot begin, it is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// What we cannot serve.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Carrier {
    down: Vec<Step>,
}

impl Carrier {
    /// Whether nobody can reach this address, because of its interface.
    pub(in crate::cluster) fn is_down(&self, step: Step) -> bool {
        self.down.contains(&step)
    }
}

impl Core {
    /// The groups of which we cannot serve an address.
    pub(in crate::cluster) fn cut(&self) -> GroupSet {
        GroupSet::new(self.carrier.down.iter().map(|step| step.group), Set::NONE)
    }

    /// What an hbd peer says that its interfaces cannot serve.
    pub(in crate::cluster) fn peer_cut(&self) -> GroupSet {
        self.peer_node().map_or(GroupSet::NONE, |peer| self.groups.said_there(&peer.cut))
    }

    pub(in crate::cluster) fn carrier_changed(&mut self, step: Step, up: bool) {
        if step.group >= self.groups.list().len() || self.carrier.down.contains(&step) != up {
            return;
        }
        let before = self.moving_with(self.cut());
        let (group, resource) = self.groups.words(step);
        if up {
            self.carrier.down.retain(|other| *other != step);
            self.log(Record::InterfaceBack { group, resource });
        } else {
            self.carrier.down.push(step);
            self.log(Record::InterfaceCut { group, resource });
        }
        let after = self.moving_with(self.cut());
        if after == before {
            return;
        }
        if after.is_none() {
            self.timers.stop(Timer::Carrier);
        } else {
            self.timers.set(Timer::Carrier, self.now.monotonic + CARRIER_LOSS);
        }
        if self.membership.running() {
            self.send_status();
        }
    }

    /// Gives to the peer what it can serve and we cannot.
    pub(in crate::cluster) fn carrier_due(&mut self) {
        self.timers.set(Timer::Carrier, self.now.monotonic + AGAIN);
        let cut = self.moving_with(self.cut().common(self.groups.held()));
        let Some(peer) = self.peer_node() else { return };
        let set = cut.without(self.peer_cut()).without(self.peer_unready()).without(self.left_alone());
        let set = set.without(self.moving_with(self.undone_of(set)));
        let asked = peer.hbd.is_none() && self.health.offered_lately(set, self.now.monotonic);
        if set.is_none() || asked || self.leave.begun() || self.begin_exchange(set).is_err() {
            return;
        }
        self.raise(Fact::OfferedToPeer { set });
        self.log(Record::GivenUpForCarrier { node: self.peer_name(), set: self.groups.name(set) });
    }
}
