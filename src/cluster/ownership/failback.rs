//! What we took because the peer went away goes back when it has decided: auto_failback (03 §5.2). So does what we
//! hold and prefers the peer by a changed haresources, when both nodes have read that.
//!
//! Owns when that is tried. How a set moves is the exchange's ([`super::exchange`]).

use std::time::Duration;

use super::state::Decision;
use crate::cluster::GroupSet;
use crate::cluster::core::Core;
use crate::cluster::timers::Timer;
use crate::config::AutoFailback;

/// Period of the attempts (03 §5.2).
const CHECK_AGAIN: Duration = Duration::from_secs(1);

impl Core {
    /// Gives back what is the peer's, if it can be given now.
    pub(in crate::cluster) fn check_failback(&mut self) {
        self.timers.stop(Timer::Failback);
        let (returns, to_return) = (self.ownership.need_failback, self.ownership.to_return);
        if !returns && to_return.is_none() {
            return;
        }
        let set = if returns { self.groups.foreign() } else { to_return.common(self.groups.held()) };
        let theirs = self.groups.held().common(set);
        let wanted = !theirs.is_none()
            && self.settings.auto_failback != AutoFailback::Off
            && self.ownership.decision != Decision::Shutdown;
        if !wanted {
            (self.ownership.need_failback, self.ownership.to_return) = (false, GroupSet::NONE);
            return;
        }
        // The intention stays until the groups are given: an exchange may be cancelled, a peer may speak whose
        // status was lost and who is still dead to us.
        let disagree = self.other_haresources() || !returns && !self.same_haresources();
        let hindered =
            disagree || self.conflict_open() || self.peer_is_worse_connected() || self.undone_lately(theirs);
        if self.peer_alive() && !hindered {
            let _ = self.begin_exchange(set);
        }
        self.timers.set(Timer::Failback, self.now.monotonic + CHECK_AGAIN);
    }

    /// A status of the peer, which may say that it has read the file by which some of what we hold is its own now.
    pub(in crate::cluster) fn preference_agreed(&mut self) {
        if !self.ownership.to_return.is_none() && self.same_haresources() {
            self.timers.set_if_unset(Timer::Failback, self.now.monotonic + CHECK_AGAIN);
        }
    }

    /// The peer is back, and nothing that it says may show us a change: what we took from it is still to go back.
    pub(in crate::cluster) fn schedule_failback(&mut self) {
        if self.ownership.need_failback {
            self.timers.set(Timer::Failback, self.now.monotonic + CHECK_AGAIN);
        }
    }
}
