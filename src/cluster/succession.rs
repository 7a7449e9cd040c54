//! One daemon gives way to the next on the same node, and what runs stays running (issue 4; 02 §9.2, 03 §14.1 rule 11).
//!
//! The old one asks its peers for more patience, as Heartbeat does before its own quick restart: a status with a dead
//! time raised by 30 s, which a real Heartbeat obeys, too. It carries the field `hbd_restart`, so that an hbd peer can
//! say why. Then it ends without a word about resources. The new one takes up what the old one held before it says
//! anything, and reports it when it is active. If a peer has claimed some of it meanwhile, the peer keeps it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::resources::Decision;
use super::{Action, Core, Instant, Record, Set};

/// How much longer than deadtime we ask our peers to wait for our successor (02 §9.2).
pub(super) const RESTART_RAISE: Duration = Duration::from_secs(30);
/// How long the exchange with the peer may take that is under way when a restart is asked for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The restart that was asked for, if any.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Succession {
    /// It was asked for, and waits for an exchange to end, at most until then.
    waiting: Option<Instant>,
    /// The peers are being told.
    pub(super) leaving: bool,
}

impl Succession {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waiting
    }
}

impl Core {
    /// Takes up what our predecessor held. Before [`super::Event::Start`], and only while the peers still wait for us: each
    /// step is ordered again, and is at its end at once where the resource runs.
    pub(super) fn adopt(&mut self, set: Set) {
        self.log(Record::Adopting { set: set.to_string() });
        self.take_anyway(set);
    }

    /// The peer said what it holds before we have decided. What it took up while we were away is its own now.
    pub(super) fn adoption_checked(&mut self) {
        if matches!(self.ownership.decision, Decision::Stable | Decision::Shutdown) {
            return;
        }
        let lost = self.ownership.hold.common(self.ownership.other.swapped());
        if lost != Set::NONE {
            self.log(Record::AdoptionLost { node: self.peer_name(), set: lost.to_string() });
            self.release(lost);
        }
    }

    /// The service manager wants to start us again at once. A stop under way goes first.
    pub(super) fn restart_requested(&mut self) {
        if self.leave.begun() || self.succession.waiting.is_some() {
            return;
        }
        self.log(Record::RestartBegins {});
        self.succession.waiting = Some(self.now.monotonic + PATIENCE);
        self.succession_check();
    }

    /// Something changed that a restart may have waited for.
    pub(super) fn succession_check(&mut self) {
        let Some(until) = self.succession.waiting else { return };
        if self.is_stable() || !self.peer_alive() || until <= self.now.monotonic {
            self.succession.waiting = None;
            self.succession.leaving = true;
            // Three times, as a real Heartbeat: nobody will be there to send it again.
            for _ in 0..3 {
                self.send_status();
            }
            self.membership.end();
            self.out.push(Action::HandOver);
        }
    }

    /// What we hold, for whom to note it who may have to give it to our successor or to release it.
    pub fn holds(&self) -> Set {
        self.ownership.hold
    }

    /// The silence after which our peers may claim what we hold, as we asked for it last.
    pub fn announced_dead_time(&self) -> Duration {
        self.announced().1
    }
}
