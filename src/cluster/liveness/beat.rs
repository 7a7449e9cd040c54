//! Our own beat: one status per keepalive, and whether we slept through so many that a peer declares us dead (02
//! §7.1).
//!
//! Owns when the next status is due and when we last woke up too late.

use crate::cluster::Instant;
use crate::cluster::core::Core;

impl Core {
    /// Whether we have said nothing for so long that a peer declares us dead.
    fn oversleeps(&self) -> bool {
        let said = self.membership.next_beat - self.settings.timing.keepalive;
        self.now.monotonic.since(said) >= self.announced_dead_time()
    }

    /// Whether a peer has declared us dead since then, because we slept.
    pub(in crate::cluster) fn overslept_since(&self, then: Instant) -> bool {
        self.oversleeps() || self.membership.woke.is_some_and(|woke| then < woke)
    }

    /// One status per keepalive, without drift; beats that were slept through are not made up for.
    pub(in crate::cluster) fn beat(&mut self) {
        let (now, keepalive) = (self.now.monotonic, self.settings.timing.keepalive);
        if self.oversleeps() {
            self.membership.woke = Some(now);
        }
        self.send_status();
        while self.membership.next_beat <= now {
            self.membership.next_beat = self.membership.next_beat + keepalive;
        }
    }
}
