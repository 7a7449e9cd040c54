//! When an address is announced again. Pure: told the time, never asks for it.

use std::time::{Duration, Instant};

/// A burst, counted from its first announcement (docs/DECISIONS.md "When an address is announced"): quick repetitions
/// against a lost frame, later ones for switches and old kernels that ignore a change within a second of the last
/// (`locktime`).
const BURST: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_millis(1100),
    Duration::from_secs(3),
];

/// Then for as long as the address is held.
const REFRESH: Duration = Duration::from_secs(60);

/// The announcements of one address that are still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Schedule {
    since: Instant,
    next: usize,
    due: Instant,
}

impl Schedule {
    /// A burst whose first announcement was sent at `now`.
    pub(super) fn announced(now: Instant) -> Schedule {
        Schedule { since: now, next: 1, due: now + BURST[1] }
    }

    /// A burst that is to begin at `now`.
    pub(super) fn from_now(now: Instant) -> Schedule {
        Schedule { since: now, next: 0, due: now }
    }

    /// When the next announcement is to be sent.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// The next announcement waits until `due`, because others go first.
    pub(super) fn postpone(&mut self, due: Instant) {
        self.due = due;
    }

    /// The announcement that was due was sent at `now`.
    pub(super) fn advance(&mut self, now: Instant) {
        self.next += 1;
        self.due = BURST.get(self.next).map_or(now + REFRESH, |offset| self.since + *offset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The next six announcements, in milliseconds after `start`, each sent when it is due.
    fn times(start: Instant, mut schedule: Schedule) -> Vec<u128> {
        let mut times = Vec::new();
        for _ in 0..6 {
            let due = schedule.due();
            times.push((due - start).as_millis());
            schedule.advance(due);
        }
        times
    }

    #[test]
    fn a_burst_and_then_every_minute() {
        let start = Instant::now();
        assert_eq!(times(start, Schedule::announced(start)), [50, 200, 1100, 3000, 63_000, 123_000]);
    }

    #[test]
    fn a_new_burst_begins_with_an_announcement() {
        let start = Instant::now();
        assert_eq!(times(start, Schedule::from_now(start)), [0, 50, 200, 1100, 3000, 63_000]);
    }

    #[test]
    fn a_postponed_announcement_leaves_the_others_in_their_places() {
        let start = Instant::now();
        let mut schedule = Schedule::from_now(start);
        schedule.postpone(start + Duration::from_millis(10));
        assert_eq!(times(start, schedule), [10, 50, 200, 1100, 3000, 63_000]);
    }
}
