//! What may be judged while packets are still being read: a flood of them, or what a stall has left.
//!
//! Owns since when a judgement waits for packets that had arrived before it. Our own words never wait: a due status
//! leaves however much is queued (docs/DECISIONS.md "After a stall, read before judging").

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::Instant;
use crate::cluster::core::Core;
use crate::cluster::timers::Timer;

/// The longest time that a judgement waits for packets; less where `deadtime` is short. The receive buffer of a
/// medium is read within a tenth of that.
const READING_LIMIT: Duration = Duration::from_secs(1);
/// At most this part of `deadtime`.
const READING_SHARE: u32 = 4;

/// See the module.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Reading {
    /// When the first judgement fell due that still waits.
    waiting_since: Option<Instant>,
}

impl Reading {
    /// Everything is read: nothing waits.
    pub(in crate::cluster) fn end(&mut self) {
        self.waiting_since = None;
    }
}

impl Core {
    /// When [`crate::cluster::Event::UnreadDeadline`] with this `read_until` would change anything; `None` as for
    /// [`Core::next_deadline`].
    pub fn next_unread_deadline(&self, read_until: Instant) -> Option<Instant> {
        if !self.membership.running() {
            return None;
        }
        let judgement = self.next_judgement().map(|due| match self.reading.waiting_since {
            Some(since) if due > read_until => due.max(since + self.reading_limit()),
            _ => due,
        });
        let word = Timer::ALL.into_iter().filter(|timer| timer.only_sends()).filter_map(|timer| self.due(timer));
        word.chain(judgement).min()
    }

    /// Until when silence may be judged, if only what arrived before `read_until` is read.
    pub(in crate::cluster) fn judged_until(&self, read_until: Instant) -> Instant {
        let now = self.now.monotonic;
        let patient = self.reading.waiting_since.is_none_or(|since| now < since + self.reading_limit());
        if patient { read_until.min(now) } else { now }
    }

    /// Notes whether a judgement still waits.
    pub(in crate::cluster) fn note_waiting(&mut self) {
        let now = self.now.monotonic;
        let waits = self.next_judgement().is_some_and(|due| due <= now);
        self.reading.waiting_since = self.reading.waiting_since.or(Some(now)).filter(|_| waits);
    }

    fn reading_limit(&self) -> Duration {
        READING_LIMIT.min(self.settings.timing.deadtime / READING_SHARE)
    }

    /// When the next timer is due that concludes something from what has not come.
    fn next_judgement(&self) -> Option<Instant> {
        Timer::ALL.into_iter().filter(|timer| !timer.only_sends()).filter_map(|timer| self.due(timer)).min()
    }
}
