//! A peer that has not said for long what we wait for is asked once more (03 §0 no. 20, §14.1 rule 3).
//!
//! A real Heartbeat reports only on the edge at which we become stable. A `starting` of its own that has no report
//! behind it leaves it in flux for us, for ever; and of a node that comes up in the midst of its takeover it misses
//! the edge, and with it the failback. `starting` followed by our report makes it answer, and is such an edge; what
//! follows is its own decision. An hbd may have reported while we took it for an impostor or slept; `hbd_void`
//! makes it report again: at once if we know that we did not listen.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::timers::Timer;

/// How long we wait before: longer than a real node that starts takes to decide (T10, 03 §13).
const HEARTBEAT_SILENCE: Duration = Duration::from_secs(15);
/// The same for an hbd, which decides at once.
const HBD_SILENCE: Duration = Duration::from_secs(5);
/// How often it is asked in vain: one that speaks the other protocol never answers.
const ATTEMPTS: u32 = 3;

/// What we wait for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Resync {
    in_vain: u32,
    /// Whether our own groups have been here, or the peer was asked about them, since we started.
    settled: bool,
    /// Somebody spoke under the peer's name to whom we did not listen: if that is the peer now, it has said more
    /// than we know.
    ignored: bool,
}

impl Core {
    /// A machine speaks under the name of the peer, and we do not listen to it.
    pub(in crate::cluster) fn resync_ignored(&mut self) {
        self.resync.ignored = true;
    }

    /// After every event: is there something that only the peer's next report can end?
    pub(in crate::cluster) fn resync_check(&mut self) {
        let ownership = &self.ownership;
        let kind = self.peer_kind();
        if ownership.other.decided {
            self.resync.in_vain = 0;
        }
        let local = self.groups.local();
        self.resync.settled |= local.without(self.groups.held()).is_none();
        let in_flux = !ownership.other.decided && self.resync.in_vain < ATTEMPTS;
        let ours_there = !self.resync.settled && local.without(ownership.other.holds).is_none() && !kind.is_hbd();
        let idle = ownership.decided()
            && !ownership.other.releasing()
            && !ownership.other.left()
            && !self.exchange.busy()
            && !self.conflict_open();
        if (in_flux || ours_there) && idle && self.peer_active() && kind.is_nice() {
            let patience = match kind.is_hbd() {
                true if std::mem::take(&mut self.resync.ignored) => Duration::ZERO,
                true => HBD_SILENCE,
                false => HEARTBEAT_SILENCE,
            };
            self.timers.set_if_unset(Timer::Resync, self.now.monotonic + patience);
        } else {
            self.timers.stop(Timer::Resync);
        }
    }

    /// The peer has said nothing: it is asked.
    pub(in crate::cluster) fn resync_due(&mut self) {
        self.resync.settled = true;
        self.resync.in_vain += 1;
        if self.peer_kind().is_hbd() {
            self.send_void();
        } else {
            self.raise(Fact::HoldQuestion { at: self.now.monotonic });
        }
    }
}
