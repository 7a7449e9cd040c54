//! May a group that could not be started here be tried again? (docs/DECISIONS.md "A retry is a takeover when the peer
//! is not heard")
//!
//! Decides whose next attempt waits for an answer, and owns which of them a record has named. What failed here is
//! down, so a peer that does not hear us finds its addresses free, and takes it. The LAN is asked before such a group
//! is started again, and what answers there holds it back as it holds back what the peer had. Never decides when a
//! group is tried again: its pause does ([`crate::cluster::ownership::groups`]).

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::{GroupSet, Record, Set};

/// See the module.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Retries {
    /// Groups of which a record says that something keeps them from being tried again.
    named: GroupSet,
}

impl Core {
    /// Whether the next attempt of this group waits for an answer.
    pub(super) fn retry_waits(&self, group: usize) -> bool {
        self.groups.held_retries().has(group)
    }

    /// Takes the steps of groups whose pause is over, unless somebody has to be asked before.
    pub(in crate::cluster) fn retry_groups(&mut self) {
        self.judge_retries();
        self.groups.tick(self.now.monotonic, &mut self.out);
    }

    /// What waited is tried again when nobody answers for it, or when the peer says that it does not have it.
    pub(in crate::cluster) fn judge_retries(&mut self) {
        let mut held = self.groups.held_retries();
        if self.peer_may_take() {
            // Before anything starts: whatever event comes first after a pause is over.
            held = held.with(self.groups.due_retries(self.now.monotonic));
        }
        if held.is_none() {
            return;
        }
        self.ask_for_retries(held);
        let failed = self.groups.failed();
        let is_over = |group: &usize| !failed.has(*group) || self.may_retry(*group);
        let over = GroupSet::new(held.iter().filter(is_over), Set::NONE);
        self.groups.hold_retries(held.without(over));
        self.say_what_answers();
        if !over.is_none() {
            self.ask_for_retries(held.without(over));
            self.raise(Fact::Retried { set: over });
            self.groups.tick(self.now.monotonic, &mut self.out);
        }
    }

    /// Whether the peer may have taken what is down here, or be about to: it is not heard, or has not said yet what
    /// it has. One that left, or was reset, takes nothing.
    pub(in crate::cluster) fn peer_may_take(&self) -> bool {
        let other = &self.ownership.other;
        let gone = other.left() || self.peer_was_reset() || self.peer_is_surely_off();
        let said = other.reported.is_some() || !self.peer_kind().is_nice();
        self.peer_node().is_some() && !gone && (!self.peer_alive() || self.peer_is_nearly_dead() || !said)
    }

    /// Whether nobody has this group, as far as one can know.
    fn may_retry(&self, group: usize) -> bool {
        let has_it = self.peer_alive() && self.ownership.other.holds.has(group);
        let known = !self.peer_may_take() || !self.peer_is_nearly_dead() && !self.is_blocked(group);
        known && !has_it
    }

    /// Names the machine that answers for what waits, once, and says when that is over.
    fn say_what_answers(&mut self) {
        let named = self.retries.named;
        let waiting = self.groups.held_retries();
        self.retries.named = named.common(waiting);
        let over = named.without(waiting).common(self.groups.held());
        if !over.is_none() && !self.peer_alive() {
            self.log(Record::NobodyAnswers { node: self.peer_name() });
        }
        for group in waiting.without(named).iter() {
            if self.say_held_back(group) {
                self.retries.named = self.retries.named.with(GroupSet::one(group));
            }
        }
    }
}
