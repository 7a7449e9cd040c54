//! A giver that cannot stop what it gives keeps it (docs/DECISIONS.md "A planned move whose stop fails is undone").
//!
//! Owns when that is, and for how long nobody but an operator tries to give the set again. The exchange itself is
//! [`super::exchange`]'s.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::{GroupSet, Instant, Record, Step};

/// A giver that could not stop a resource so often, a second apart, keeps the set.
const ATTEMPTS: u32 = 3;
/// For so long nobody but an operator tries to give the set again: each attempt interrupts what runs.
const REST: Duration = Duration::from_secs(600);

/// What could not be given lately, and until when that counts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Undone(Vec<(GroupSet, Instant)>);

impl Core {
    /// A resource does not stop. Nobody would serve its set for as long as that lasts: the set stays here, where all
    /// of it can run, and the peer is told that there is nothing to wait for.
    pub(in crate::cluster) fn undo_giving(&mut self, step: Step, reason: String) {
        let due = self.exchange.releasing() && self.groups.stop_attempts(step.group) >= ATTEMPTS;
        if !due || !self.ownership.decided() || self.groups.wanted(step.group) {
            return;
        }
        self.raise(Fact::ExchangeUndone { step, reason });
    }

    /// Everything that was about to be given runs here again.
    pub(in crate::cluster) fn keep_what_was_given(&mut self, set: GroupSet, step: Step) {
        let (group, resource) = self.groups.words(step);
        self.log(Record::MoveUndone { group, resource, node: self.peer_name() });
        let now = self.now.monotonic;
        self.undone.0.retain(|(_, until)| now < *until);
        self.undone.0.push((self.around(step.group), now + REST));
        self.take_in_maintenance_too(set);
    }

    /// The peer is told that nothing comes. An hbd ends its part of the exchange by that.
    pub(in crate::cluster) fn report_undone(&mut self) {
        self.ownership.other.decided = true;
        if self.peer_kind().is_hbd() {
            self.send_void();
        } else {
            self.send_resource(self.ownership.decided(), None);
        }
    }

    /// The part of this set that could not be given a while ago.
    pub(in crate::cluster) fn undone_of(&self, set: GroupSet) -> GroupSet {
        let now = self.now.monotonic;
        let lately = self.undone.0.iter().filter(|(_, until)| now < *until);
        lately.fold(GroupSet::NONE, |found, (undone, _)| found.with(undone.common(set)))
    }

    /// Whether something of this set could not be given a while ago.
    pub(in crate::cluster) fn undone_lately(&self, set: GroupSet) -> bool {
        !self.undone_of(set).is_none()
    }
}
