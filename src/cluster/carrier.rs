//! Can the peer serve, and we cannot? The interface of an address is gone, down, or has no carrier.
//!
//! Two hbd nodes tell each other in their statuses what they cannot serve (field `hbd_cut`); of a real Heartbeat we
//! assume that it can, but offer it nothing again for ten minutes. Gives nothing up to a node that is no better off.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Class, Core, Instant, Record, Set, Step};

/// A carrier that is back by then was never lost: a cable being moved, a switch that negotiates.
const PATIENCE: Duration = Duration::from_secs(1);
/// While nobody is better off, or an exchange cannot begin, it is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// What we cannot serve.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Carrier {
    down: Vec<Step>,
    act_at: Option<Instant>,
}

impl Carrier {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.act_at
    }
}

impl Core {
    /// The classes of which we cannot serve an address.
    pub(super) fn cut(&self) -> Set {
        let has = |class| self.carrier.down.iter().any(|step| self.groups.class(step.group) == class);
        Set { local: has(Class::Local), foreign: has(Class::Foreign) }
    }

    pub(super) fn carrier_changed(&mut self, step: Step, up: bool) {
        if step.group >= self.groups.list().len() || self.carrier.down.contains(&step) != up {
            return;
        }
        let before = self.cut();
        let (group, resource) = self.groups.words(step);
        if up {
            self.carrier.down.retain(|other| *other != step);
            self.log(Record::InterfaceBack { group, resource });
        } else {
            self.carrier.down.push(step);
            self.log(Record::InterfaceCut { group, resource });
        }
        if self.cut() == before {
            return;
        }
        let pause = (self.cut() != Set::NONE).then(|| self.now.monotonic + PATIENCE);
        self.carrier.act_at = pause;
        if self.membership.running() {
            self.send_status();
        }
    }

    pub(super) fn carrier_tick(&mut self) {
        let now = self.now.monotonic;
        if self.carrier.act_at.is_none_or(|due| due > now) {
            return;
        }
        self.carrier.act_at = Some(now + AGAIN);
        let cut = self.cut().common(self.ownership.hold);
        let Some(peer) = self.peer_node() else { return };
        let set = cut.without(peer.cut.swapped());
        let asked = peer.hbd.is_none() && self.conflict.offered_lately(now);
        if set == Set::NONE || asked || self.leave.begun() || !self.begin_standby(set) {
            return;
        }
        self.conflict.offered(now);
        self.log(Record::GivenUpForCarrier { node: self.peer_name(), set: set.to_string() });
    }
}
