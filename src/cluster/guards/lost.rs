//! Is an address still ours whose lease ended while we were silent? (docs/DECISIONS.md "Leases")
//!
//! Owns the addresses that are to come back. They do when neither the LAN nor the peer says that it has them, and
//! also when a machine answers that is not the peer's for certain; who answers is [`super::questions`]'s to know.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::guards::condition::Condition;
use crate::cluster::{Action, Instant, Order, Record, Step};

/// What waited in our sockets while we slept is heard within this time.
const WAITED: Duration = Duration::from_millis(250);

/// Addresses whose lease we lost, and that are still to be ours.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct LostLeases {
    steps: Vec<Step>,
}

impl Core {
    /// The lease of an address ended: we were silent for too long. The peer may have taken it, and its claim may
    /// still be on its way; so we ask before it is added again.
    pub(in crate::cluster) fn address_expired(&mut self, step: Step) {
        if !self.groups.is_up(step) || self.lost.steps.contains(&step) {
            return;
        }
        if !self.groups.runs(step) {
            // On its way down; but should the group be wanted again before this address is reached, it must come
            // back.
            self.lost.steps.push(step);
            return;
        }
        self.conditions.note(step, Condition::Gone);
        let (group, resource) = self.groups.words(step);
        self.log(Record::LeaseLost { group, resource });
        self.lost.steps.push(step);
        self.raise(Fact::LeaseLost { step });
    }

    /// A peer that hears nothing of us asks at the same time as we do, and hears as little as we do: it goes first,
    /// and we add again what it has not taken within a dead time.
    fn peer_may_be_taking(&self) -> bool {
        self.taken_by_then().is_some_and(|then| self.now.monotonic < then)
    }

    /// When a peer will have taken what it takes that does not hear us, as far as we know.
    pub(super) fn taken_by_then(&self) -> Option<Instant> {
        if self.lost.steps.is_empty() {
            return None;
        }
        let deaf = self.conflict.deaf().filter(|_| self.peer_alive());
        deaf.into_iter()
            .chain(self.unheard_since_our_sleep())
            .max()
            .map(|since| since + self.settings.timing.deadtime)
    }

    /// When we woke up, if the peer was alive before and has said nothing since that had not waited for us: it may
    /// have declared us dead meanwhile.
    fn unheard_since_our_sleep(&self) -> Option<Instant> {
        let woke = self.restoring_since(None)?;
        let heard = self.peer_node()?.last_status?;
        let long_gone = heard + self.settings.timing.deadtime * 2 < woke;
        (!long_gone && heard < woke + WAITED).then_some(woke)
    }

    /// Whether an hbd peer that hears us has claimed nothing for two dead times since we ask for this group: it
    /// reports at once what it has when it hears us again. Then a machine answers whose MAC address is not known to
    /// be the peer's, and is not.
    fn peer_has_claimed_nothing(&self, group: usize) -> bool {
        let other = &self.ownership.other;
        let Some(since) = self.restoring_since(Some(group)) else { return false };
        let then = Some(since + self.settings.timing.deadtime * 2);
        let heard = self.peer_node().and_then(|peer| peer.last_status);
        let hears_us = self.heard_by_peer() > then && self.conflict.deaf().is_none();
        let says = self.peer_kind().is_hbd() && self.peer_alive() && other.decided && other.reported.is_some();
        says && hears_us && heard > then && !self.peer_answers_for_lost(group)
    }

    /// Adds the lost addresses of a group again when nobody answers for those that we asked for, the peer does not
    /// claim them, and a required witness leaves them to us for long enough; forgets them when the group is not to
    /// run here any more.
    pub(in crate::cluster) fn restore_lost(&mut self) {
        let mut groups: Vec<usize> = self.lost.steps.iter().map(|step| step.group).collect();
        groups.dedup();
        for group in groups {
            let runs = self.lost.steps.iter().any(|step| step.group == group && self.groups.runs(*step));
            let ours = runs && self.groups.wanted(group);
            let claimed = self.peer_alive() && self.ownership.other.holds.has(group);
            let silent = self.may_restore(group) || self.peer_has_claimed_nothing(group);
            let leaving = !runs && self.lost.steps.iter().any(|step| step.group == group && self.groups.is_up(*step));
            let waits = claimed || !silent || self.peer_may_be_taking() || !self.may_hold_more();
            if leaving || ours && waits {
                continue;
            }
            let (back, others) =
                std::mem::take(&mut self.lost.steps).into_iter().partition(|step| step.group == group);
            self.lost.steps = others;
            let back: Vec<Step> = back;
            let back = back.into_iter().filter(|step| ours && self.groups.runs(*step)).collect();
            self.raise(Fact::LeaseSettled { group, back });
        }
    }

    /// These are ours again.
    pub(in crate::cluster) fn add_again(&mut self, back: Vec<Step>) {
        for step in back {
            let (group, resource) = self.groups.words(step);
            self.log(Record::AddressRestored { group, resource });
            self.out.push(Action::Address { step, order: Order::Restore });
        }
    }
}
