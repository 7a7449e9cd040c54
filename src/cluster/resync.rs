//! A peer that has not said for long what we wait for is asked once more (03 §0 no. 20, §14.1 rule 3).
//!
//! A real Heartbeat reports only on the edge at which we become stable. A `starting` of its own that has no report behind it leaves it
//! in flux for us, for ever; and of a node that comes up in the midst of its takeover it misses the edge, and with it the
//! failback. `starting` followed by our report makes it answer, and is such an edge; what follows is its own decision.
//! An hbd may have reported while we took it for an impostor or slept; `hbd_void` makes it report again: at once if we know
//! that we did not listen.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::resources::Decision;
use super::{Core, Instant, Status};

/// How long we wait before: longer than a real node that starts takes to decide (T10, 03 §13).
const PATIENCE: Duration = Duration::from_secs(15);
/// The same for an hbd, which decides at once.
const HBD_PATIENCE: Duration = Duration::from_secs(5);
/// How often it is asked in vain: one that speaks the other protocol never answers.
const ATTEMPTS: u32 = 3;

/// What we wait for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Resync {
    due: Option<Instant>,
    in_vain: u32,
    /// Whether our own groups have been here, or the peer was asked about them, since we started.
    settled: bool,
    /// Somebody spoke under the peer's name to whom we did not listen: if that is the peer now, it has said more than we
    /// know.
    #[serde(default)]
    unheeded: bool,
}

impl Resync {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// Somebody is not listened to who says that he is the peer.
    pub(super) fn not_heeded(&mut self) {
        self.unheeded = true;
    }
}

impl Core {
    /// After every event: is there something that only the peer's next report can end?
    pub(super) fn resync_check(&mut self) {
        let ownership = &self.ownership;
        if ownership.other_stable {
            self.resync.in_vain = 0;
        }
        self.resync.settled |= ownership.hold.local;
        let in_flux = !ownership.other_stable && self.resync.in_vain < ATTEMPTS;
        let ours_there = !self.resync.settled && ownership.other.foreign && !self.peer_is_hbd();
        let idle = ownership.decision == Decision::Stable
            && !ownership.peer_releasing
            && !ownership.peer_left
            && !self.standby.busy()
            && !self.conflict.open(self.now.monotonic);
        let active = self.peer_node().is_some_and(|node| node.status == Status::Active);
        if (in_flux || ours_there) && idle && active && self.speaks_nice() {
            let patience = match self.peer_is_hbd() {
                true if std::mem::take(&mut self.resync.unheeded) => Duration::ZERO,
                true => HBD_PATIENCE,
                false => PATIENCE,
            };
            self.resync.due.get_or_insert(self.now.monotonic + patience);
        } else {
            self.resync.due = None;
        }
    }

    pub(super) fn resync_tick(&mut self) {
        if self.resync.due.is_none_or(|due| due > self.now.monotonic) {
            return;
        }
        self.resync.due = None;
        self.resync.settled = true;
        self.resync.in_vain += 1;
        if self.peer_is_hbd() {
            self.send_void();
        } else {
            self.ask_heartbeat(Duration::ZERO);
        }
    }
}
