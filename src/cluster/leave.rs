//! How we stop: tell the peer, release everything, say so, keep beating until it must have heard, end (02 §9.1, 03 §6.5).
//!
//! Heartbeat's emergency exit after 60 minutes is not here: who ends with resources running makes two owners. What does not
//! stop is tried again, or ends the machine (`stop_failure` in hbd.toml).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::resources::Decision;
use super::{Action, Core, Instant, Record, Set};
use crate::wire::Message;

/// How long a stop waits for a peer that has not decided or for a standby exchange, before it goes on regardless.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long we keep beating after `shutdone`, so that what was lost can be sent again (02 §9.1 steps 5 to 7).
const LINGER: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
enum Phase {
    #[default]
    Not,
    /// Waiting for stability, at most until then.
    Waiting(Instant),
    /// Groups are being stopped.
    Releasing,
    /// `shutdone` is out; the end.
    Lingering(Instant),
    /// Exit was ordered.
    Over,
}

/// The stop under way, if any.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Leave {
    phase: Phase,
}

impl Leave {
    /// Whether a stop was asked for.
    pub(super) fn begun(&self) -> bool {
        self.phase != Phase::Not
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Waiting(at) | Phase::Lingering(at) => Some(at),
            _ => None,
        }
    }
}

impl Core {
    /// Somebody asked us to stop. Asking again changes nothing.
    pub(super) fn leave_requested(&mut self) {
        if self.leave.begun() {
            return;
        }
        self.log(Record::ShutdownBegins {});
        if !self.membership.active() {
            if self.groups.settled(Set::ALL) && self.ownership.hold == Set::NONE {
                // We hold nothing and were never asked for anything: nobody waits for a farewell.
                self.finish();
            } else {
                // Adopted from our predecessor.
                self.begin_release();
            }
            return;
        }
        self.send_status();
        self.leave.phase = Phase::Waiting(self.now.monotonic + PATIENCE);
        if !self.may_leave() {
            self.log(Record::ShutdownDelayed {});
        }
        self.leave_check();
    }

    fn may_leave(&self) -> bool {
        !self.peer_alive() || self.is_stable()
    }

    /// Something changed that a stop, or a restart, may have waited for.
    pub(super) fn leave_check(&mut self) {
        self.succession_check();
        if matches!(self.leave.phase, Phase::Waiting(_)) && self.may_leave() {
            self.begin_release();
        }
    }

    fn begin_release(&mut self) {
        self.leave.phase = Phase::Releasing;
        self.cancel_standby();
        self.ownership.decision = Decision::Shutdown;
        self.log(Record::GivingUpAll {});
        self.release(Set::ALL);
        self.send_resource(false, Some("shutdown"));
        self.leave_settled();
    }

    /// Groups have gone down. `shutdone` is never said before the last of them (03 §14.1 rule 9).
    pub(super) fn leave_settled(&mut self) {
        self.leave_check();
        if self.leave.phase == Phase::Releasing && self.groups.settled(Set::ALL) {
            self.log(Record::AllRelinquished {});
            self.send(Message::new("shutdone").with("st", "dead"));
            self.ipfail_leaves();
            let linger = if self.peer_alive() && !self.ownership.peer_left { LINGER } else { Duration::ZERO };
            self.leave.phase = Phase::Lingering(self.now.monotonic + linger);
            self.leave_tick();
        }
    }

    pub(super) fn leave_tick(&mut self) {
        let now = self.now.monotonic;
        match self.leave.phase {
            Phase::Waiting(until) if until <= now => self.begin_release(),
            Phase::Lingering(until) if until <= now => self.finish(),
            _ => {}
        }
    }

    fn finish(&mut self) {
        self.leave.phase = Phase::Over;
        self.membership.end();
        self.log(Record::ShutdownComplete { node: self.settings.node.clone() });
        self.out.push(Action::Exit);
    }
}
