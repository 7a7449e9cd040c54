//! Frees a real Heartbeat that hangs in an exchange (03 §0 no. 10, §4.5.4, §14.3 last row).
//!
//! It waits an hour for a word of ours that will never come: we gave the exchange up because it seemed dead, or we are
//! new and our former life was in the middle of it. Until then it refuses every request and cannot be stopped. `done`
//! ends its waiting, whether it gives or takes; one that waits for nothing ignores it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::resources::Decision;
use super::{Core, Instant, Set};

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
pub(super) struct Unstick {
    due: Option<Instant>,
    /// The peer did not answer us: nothing new is begun before it was freed.
    unanswered: bool,
    /// Nothing new is begun until then: it could overtake what was to free the peer, and be ended by it.
    quiet_until: Option<Instant>,
    /// The peer may wait for our first word until then, whether or not we heeded its `me`.
    #[serde(default)]
    not_before: Instant,
}

impl Unstick {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due.into_iter().chain(self.quiet_until).min()
    }

    /// Whether the peer did not answer and was not freed yet.
    pub(super) fn pending(&self, now: Instant) -> bool {
        self.due.is_some() && self.unanswered || self.quiet_until.is_some_and(|until| now < until)
    }

    /// It has answered, is gone or new: it does not hang.
    pub(super) fn forget(&mut self) {
        *self = Unstick::default();
    }
}

impl Core {
    /// A real Heartbeat may be in an exchange that we know nothing of.
    pub(super) fn heartbeat_may_hang(&mut self) {
        if !self.peer_is_hbd() && self.speaks_nice() {
            self.hangs_perhaps(AFTER, false);
        }
    }

    /// A real Heartbeat did not answer our `me`, or did not heed our `other`.
    pub(super) fn heartbeat_is_silent(&mut self) {
        if !self.peer_is_hbd() {
            self.hangs_perhaps(AFTER_NO_REPLY, true);
        }
    }

    fn hangs_perhaps(&mut self, patience: Duration, unanswered: bool) {
        let due = self.unstick.not_before.max(self.now.monotonic + patience);
        self.unstick = Unstick { due: Some(due), unanswered, quiet_until: None, ..self.unstick };
    }

    /// `me` of the peer, or silence in which it may have said that: nothing may free it before it must have given that up,
    /// if we do not answer.
    pub(super) fn heartbeat_asks(&mut self) {
        let not_before = self.now.monotonic + AFTER;
        self.unstick.not_before = not_before;
        self.unstick.due = self.unstick.due.map(|due| due.max(not_before));
    }

    /// `done` for what we have released at its wish or for its sake: it may hang in what made it wish (03 §14.3, last row).
    pub(super) fn release_heartbeat(&mut self, set: Set) {
        if self.peer_is_hbd() || !self.groups.settled(set) {
            return;
        }
        if self.now.monotonic < self.unstick.not_before {
            self.hangs_perhaps(Duration::ZERO, false);
        } else {
            self.send_ask(set, "done");
        }
    }

    /// Whether the peer may have said something lately that we did not hear.
    fn peer_is_late(&self) -> bool {
        let (now, warntime) = (self.now.monotonic, self.settings.timing.warntime);
        !self.peer_node().is_some_and(|peer| peer.speaks(now, warntime))
    }

    pub(super) fn unstick_tick(&mut self) {
        let now = self.now.monotonic;
        self.unstick.quiet_until.take_if(|until| *until <= now);
        if self.unstick.due.is_none_or(|due| due > now) {
            return;
        }
        let ownership = &self.ownership;
        if self.peer_is_hbd() || !self.speaks_nice() || !self.peer_alive() || ownership.decision != Decision::Stable {
            self.unstick.forget();
        } else if self.standby.busy() || ownership.peer_releasing || !self.groups.settled(Set::ALL) {
            self.unstick.due = Some(now + LATER);
        } else if self.peer_is_late() {
            self.heartbeat_asks();
        } else {
            self.unstick = Unstick { quiet_until: Some(now + QUIET), ..Unstick::default() };
            self.free_heartbeat();
        }
    }

    /// Says `done` for what we do not run: if it was to take something it takes that. If we run everything there is
    /// nothing to be taken: a `done` for nothing makes it one who has taken, a second one lets it go (03 §4.5.2).
    fn free_heartbeat(&mut self) {
        self.standby.forgive();
        let spare = Set::ALL.without(self.ownership.hold);
        self.send_ask(spare, "done");
        if spare == Set::NONE {
            self.send_ask(spare, "done");
        }
        self.send_resource(true, None);
        self.report_again_soon();
    }
}
