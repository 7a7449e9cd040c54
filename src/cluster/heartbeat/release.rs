//! Frees a real Heartbeat that hangs in an exchange (03 §0 no. 10, §4.5.4, §14.3 last row).
//!
//! It waits an hour for a word of ours that will never come: we gave the exchange up because it seemed dead, or we
//! are new and our former life was in the middle of it. Until then it refuses every request and cannot be stopped.
//! `done` ends its waiting, whether it gives or takes; one that waits for nothing ignores it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::peer::send::Side;
use crate::cluster::timers::Timer;
use crate::cluster::{GroupSet, Instant};

/// One that waits for our first word gives up by itself after ten seconds, but a wrong word makes it wait for an hour
/// (03 §16 no. 9): nothing is said before it must have.
const AFTER: Duration = Duration::from_secs(13);
/// The same after we have waited ten seconds ourselves.
const AFTER_NO_REPLY: Duration = Duration::from_secs(3);
/// How long what frees it may take to arrive, lost and sent again several times.
const QUIET: Duration = Duration::from_secs(3);
/// While an exchange or a release is under way.
const LATER: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Release {
    /// The peer did not answer us: nothing new is begun before it was freed.
    unanswered: bool,
    /// The peer may wait for our first word until then, whether or not we heeded its `me`.
    not_before: Instant,
}

impl Core {
    /// Whether nothing new is to be begun: the peer did not answer and was not freed yet, or what frees it is under
    /// way. A new word could overtake that, and be ended by it.
    pub(in crate::cluster) fn release_pending(&self) -> bool {
        let arriving = self.timers.get(Timer::ReleaseArrived).is_some_and(|until| self.now.monotonic < until);
        self.timers.is_set(Timer::Release) && self.release.unanswered || arriving
    }

    /// The peer has answered, is gone or new: it does not hang.
    pub(in crate::cluster) fn cancel_release(&mut self) {
        self.timers.stop(Timer::Release);
        self.timers.stop(Timer::ReleaseArrived);
        self.release = Release::default();
    }

    /// A real Heartbeat may be in an exchange that we know nothing of.
    pub(in crate::cluster) fn schedule_release(&mut self) {
        let kind = self.peer_kind();
        if !kind.is_hbd() && kind.is_nice() {
            self.release_after(AFTER, false);
        }
    }

    /// A real Heartbeat did not answer our `me`, or did not heed our `other`.
    pub(in crate::cluster) fn peer_is_silent(&mut self) {
        if !self.peer_kind().is_hbd() {
            self.release_after(AFTER_NO_REPLY, true);
        }
    }

    fn release_after(&mut self, patience: Duration, unanswered: bool) {
        let due = self.release.not_before.max(self.now.monotonic + patience);
        self.timers.set(Timer::Release, due);
        self.timers.stop(Timer::ReleaseArrived);
        self.release.unanswered = unanswered;
    }

    /// `me` of the peer, or silence in which it may have said that: nothing may free it before it must have given
    /// that up, if we do not answer.
    pub(in crate::cluster) fn heartbeat_asks(&mut self) {
        let not_before = self.now.monotonic + AFTER;
        self.release.not_before = not_before;
        self.timers.postpone(Timer::Release, not_before);
    }

    /// `done` for what we have released because it asked, or for its sake: it may hang in the exchange in which it
    /// asked (03 §14.3, last row).
    pub(in crate::cluster) fn release_after_wish(&mut self, set: GroupSet) {
        if self.peer_kind().is_hbd() || !self.groups.settled(set) {
            return;
        }
        if self.now.monotonic < self.release.not_before {
            self.release_after(Duration::ZERO, false);
        } else {
            self.send_ask(set, "done", Side::Giver);
        }
    }

    /// Whether the peer may have said something lately that we did not hear.
    fn peer_is_late(&self) -> bool {
        let (now, warntime) = (self.now.monotonic, self.settings.timing.warntime);
        !self.peer_node().is_some_and(|peer| peer.speaks(now, warntime))
    }

    /// The peer is freed, unless it cannot hang or something is under way.
    pub(in crate::cluster) fn release_due(&mut self) {
        let now = self.now.monotonic;
        let kind = self.peer_kind();
        if kind.is_hbd() || !kind.is_nice() || !self.peer_alive() || !self.ownership.decided() {
            self.cancel_release();
        } else if self.exchange.busy() || self.ownership.other.releasing() || !self.groups.settled(self.groups.all())
        {
            self.timers.set(Timer::Release, now + LATER);
        } else if self.peer_is_late() {
            // Due again: it stays due, and is put off.
            self.timers.set(Timer::Release, now);
            self.heartbeat_asks();
        } else {
            self.cancel_release();
            self.timers.set(Timer::ReleaseArrived, now + QUIET);
            self.free_heartbeat();
        }
    }

    /// Says `done` for what we do not run: if it was to take something it takes that. If we run everything there is
    /// nothing to be taken: a `done` for nothing makes it one who has taken, a second one lets it go (03 §4.5.2).
    fn free_heartbeat(&mut self) {
        self.raise(Fact::PeerReleased);
        let spare = self.groups.all().without(self.groups.held());
        self.send_ask(spare, "done", Side::Giver);
        if spare.is_none() {
            self.send_ask(spare, "done", Side::Giver);
        }
        self.send_resource(true, None);
        self.raise(Fact::Reported);
    }
}
