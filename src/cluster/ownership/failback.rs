//! What we took because the peer went away goes back when it has decided: auto_failback (03 §5.2).
//!
//! Owns when that is tried. How a set moves is the exchange's ([`super::exchange`]).

use std::time::Duration;

use super::state::Decision;
use crate::cluster::Set;
use crate::cluster::core::Core;
use crate::cluster::timers::Timer;
use crate::config::AutoFailback;

/// Period of the attempts (03 §5.2).
const CHECK_AGAIN: Duration = Duration::from_secs(1);

impl Core {
    /// Gives back what is the peer's, if it can be given now.
    pub(in crate::cluster) fn check_failback(&mut self) {
        self.timers.stop(Timer::Failback);
        if !self.ownership.need_failback {
            return;
        }
        let wanted = self.groups.held().foreign
            && self.settings.auto_failback != AutoFailback::Off
            && self.ownership.decision != Decision::Shutdown;
        if !wanted {
            self.ownership.need_failback = false;
            return;
        }
        // The intention stays until the groups are given: an exchange may be cancelled, a peer may speak whose
        // status was lost and who is still dead to us.
        let hindered = self.conflict_open() || self.peer_is_worse_connected() || self.undone_lately(Set::FOREIGN);
        if self.peer_alive() && !hindered {
            let _ = self.begin_exchange(Set::FOREIGN);
        }
        self.timers.set(Timer::Failback, self.now.monotonic + CHECK_AGAIN);
    }

    /// The peer is back, and nothing that it says may show us a change: what we took from it is still to go back.
    pub(in crate::cluster) fn schedule_failback(&mut self) {
        if self.ownership.need_failback {
            self.timers.set(Timer::Failback, self.now.monotonic + CHECK_AGAIN);
        }
    }
}
