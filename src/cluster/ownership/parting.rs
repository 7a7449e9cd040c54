//! What is down already of a set that is given, while the rest still stops: the taker need not wait for the slowest
//! (05 §4.6).
//!
//! Owns when that is told and taken. The exchange itself is [`super::exchange`]'s; what a node that stops leaves
//! behind is taken as [`crate::cluster::guards::lan`] says.

use std::time::Duration;

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::timers::Timer;
use crate::cluster::{GroupSet, Set};

/// Groups that go down within so long of each other are told together.
pub(in crate::cluster) const TOLD_TOGETHER: Duration = Duration::from_millis(100);

impl Core {
    /// Giver: groups have gone down, and others of the set have not.
    pub(in crate::cluster) fn parting_check(&mut self) {
        if !self.left_behind().is_none() && !self.timers.is_set(Timer::Parting) {
            self.timers.set(Timer::Parting, self.now.monotonic + TOLD_TOGETHER);
        }
    }

    /// Giver: the taker is told which of them are down.
    pub(in crate::cluster) fn tell_what_is_parted_with(&mut self) {
        if self.exchange.releasing() && !self.left_behind().is_none() {
            self.send_resource(false, Some("standby"));
        }
    }

    /// Taker: takes what is down at the giver, which still stops the rest. Not after we slept: it may hold us for
    /// dead since it said so, and have taken everything back.
    pub(in crate::cluster) fn take_what_is_parted_with(&mut self) {
        let other = &self.ownership.other;
        let given = other.parted_with.without(other.holds).common(self.exchange.awaited());
        let given = GroupSet::new(given.iter().filter(|group| !self.groups.held().has(*group)), Set::NONE);
        let given = self.holdable(given.without(self.left_alone()));
        let may = self.ownership.decided() && other.releasing() && !self.leave.begun() && !self.overslept_exchange();
        if may && !given.is_none() && self.same_haresources() && self.peer_moves_alone() {
            self.raise(Fact::PeerGives { set: given });
            self.take_given(given);
        }
    }
}
