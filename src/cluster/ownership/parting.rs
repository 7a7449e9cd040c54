//! What is down already of a set that is given, while the rest still stops: the taker need not wait for the slowest
//! (05 §4.6).
//!
//! Owns when that is told and taken. The exchange itself is [`super::exchange`]'s; what a node that stops leaves
//! behind is taken as [`crate::cluster::guards::lan`] says.

use std::time::Duration;

use super::exchange::{Exchange, ExchangePhase};
use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::timers::Timer;
use crate::cluster::{GroupSet, Set};

/// Groups that go down within so long of each other are told together.
pub(in crate::cluster) const TOLD_TOGETHER: Duration = Duration::from_millis(100);

impl Exchange {
    /// What we are giving and stop for that, and what the taker may take of it by now.
    pub(in crate::cluster) fn parting_with(&self) -> (GroupSet, GroupSet) {
        if self.releasing() { (self.gives, self.parted) } else { Default::default() }
    }

    /// What the peer is giving us by a word later than `seq` of this exchange.
    pub(super) fn awaited(&self, seq: u64) -> GroupSet {
        if let ExchangePhase::Accepted(set) = self.phase
            && seq > self.answered
        {
            set
        } else {
            GroupSet::NONE
        }
    }
}

impl Core {
    /// What of this set is down here, while the rest still stops. Not a part of what is kept together, and nothing
    /// that shares a unit or a disk with what still stops.
    pub(in crate::cluster) fn down_of(&self, set: GroupSet) -> GroupSet {
        if set.is_none() || !self.peer_moves_alone() {
            return GroupSet::NONE;
        }
        let is_down = |group: usize| self.groups.settled(GroupSet::one(group)) && !self.leftovers.has_any_of(group);
        let stopping = GroupSet::new((0..self.groups.list().len()).filter(|group| !is_down(*group)), Set::NONE);
        let stopping = self.moving_with(stopping.with(self.groups.sharing(stopping)));
        GroupSet::new(set.without(stopping).without(self.groups.sharing(stopping)).iter(), Set::NONE)
    }

    /// Giver: groups have gone down, and others of the set have not.
    pub(in crate::cluster) fn parting_check(&mut self) {
        let (gives, parted) = self.exchange.parting_with();
        let down = self.down_of(gives).without(parted);
        if !down.is_none() && self.same_haresources() {
            self.exchange.parted = parted.with(down);
            if !self.timers.is_set(Timer::Parting) {
                self.timers.set(Timer::Parting, self.now.monotonic + TOLD_TOGETHER);
            }
        }
    }

    /// Giver: the taker is told which of them are down.
    pub(in crate::cluster) fn tell_what_is_parted_with(&mut self) {
        if !self.exchange.parting_with().1.is_none() {
            self.send_resource(false, Some("standby"));
        }
    }

    /// Taker: takes what is down at the giver, which still stops the rest, at the end of the event in which it hears
    /// that. What cannot be taken at that moment comes with its `done`. Nothing is taken after we slept: the giver
    /// may hold us for dead since it said so, and have taken everything back.
    pub(in crate::cluster) fn take_what_is_parted_with(&mut self) {
        let (seq, down) = std::mem::take(&mut self.ownership.other.parted_with);
        let held = self.groups.held().with(self.ownership.other.holds);
        let given = down.common(self.exchange.awaited(seq)).without(held);
        if given.is_none() || self.overslept_exchange() {
            return;
        }
        let given = self.holdable(given.without(self.left_alone()));
        let gives = self.ownership.other.releasing() && self.ownership.decided() && !self.leave.begun();
        let may = gives && self.same_haresources() && self.peer_moves_alone();
        if may && !given.is_none() {
            self.raise(Fact::PeerGives { set: given });
            self.take_given(given);
            self.send_resource(false, None);
        }
    }
}
