//! When an address is announced again. Pure: told the time, never asks for it.

use std::time::{Duration, Instant};

use crate::config::AnnouncePolicy;

/// The first announcements of a burst, counted from the first (docs/DECISIONS.md "When an address is announced"):
/// quick repetitions against a lost frame, later ones for switches and old kernels that ignore a change within a
/// second of the last (`locktime`). Further ones follow at [`STEP`].
const BURST: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_millis(1100),
    Duration::from_secs(3),
];
const STEP: Duration = Duration::from_secs(2);

/// So long after its beginning a burst is followed by announcements every `delay`: a port of a switch may begin to
/// forward only now (30 s with the spanning tree of IEEE 802.1D, 50 s where the tree itself changes).
const SETTLING: Duration = Duration::from_secs(120);

/// The announcements of one address that are still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Schedule {
    policy: AnnouncePolicy,
    since: Instant,
    next: u32,
    /// `None`: never again by itself.
    due: Option<Instant>,
}

impl Schedule {
    /// A burst whose first announcement was sent at `now`.
    pub(super) fn announced(policy: AnnouncePolicy, now: Instant) -> Schedule {
        let mut schedule = Schedule::from_now(policy, now);
        schedule.advance(now);
        schedule
    }

    /// A burst that is to begin at `now`.
    pub(super) fn from_now(policy: AnnouncePolicy, now: Instant) -> Schedule {
        Schedule { policy, since: now, next: 0, due: Some(now) }
    }

    /// The same burst anew: its first announcement was sent at `now`.
    pub(super) fn restarted(self, now: Instant) -> Schedule {
        Schedule::announced(self.policy, now)
    }

    /// The same burst anew, to begin at `now`.
    pub(super) fn beginning_at(self, now: Instant) -> Schedule {
        Schedule::from_now(self.policy, now)
    }

    /// When the next announcement is to be sent; `None` if there is none.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// What it was made of.
    pub(super) fn policy(&self) -> AnnouncePolicy {
        self.policy
    }

    /// The next announcement waits until `due`, because others go first.
    pub(super) fn postpone(&mut self, due: Instant) {
        self.due = Some(due);
    }

    /// The announcement that was due was sent at `now`.
    pub(super) fn advance(&mut self, now: Instant) {
        self.next += 1;
        self.due =
            if self.next < self.policy.repeat { Some(self.since + offset(self.next)) } else { self.later(now) };
    }

    /// When the next announcement after the burst is to be sent.
    fn later(&self, now: Instant) -> Option<Instant> {
        let AnnouncePolicy { delay, refresh, .. } = self.policy;
        let settling = !delay.is_zero() && now + delay <= self.since + SETTLING;
        if settling { Some(now + delay) } else { (!refresh.is_zero()).then(|| now + refresh) }
    }
}

/// When the announcement of that number is sent, counted from the first, which has the number 0.
fn offset(number: u32) -> Duration {
    let [.., last] = BURST;
    let beyond = || last + STEP * number.saturating_sub(BURST.len() as u32 - 1);
    BURST.get(number as usize).copied().unwrap_or_else(beyond)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    /// The next announcements, in milliseconds after `start`, each sent when it is due.
    fn times(start: Instant, mut schedule: Schedule, count: usize) -> Vec<u128> {
        let mut times = Vec::new();
        while let Some(due) = schedule.due().filter(|_| times.len() < count) {
            times.push((due - start).as_millis());
            schedule.advance(due);
        }
        times
    }

    #[test]
    fn a_burst_then_every_ten_seconds_for_two_minutes_then_every_minute() {
        let start = Instant::now();
        let schedule = Schedule::announced(AnnouncePolicy::default(), start);
        let mut wanted = vec![50, 200, 1100, 3000];
        wanted.extend((13_000..=113_000).step_by(10_000));
        wanted.extend([173_000, 233_000]);
        assert_eq!(times(start, schedule, wanted.len()), wanted);
    }

    #[test]
    fn a_new_burst_begins_with_an_announcement() {
        let start = Instant::now();
        let schedule = Schedule::from_now(AnnouncePolicy::default(), start);
        assert_eq!(times(start, schedule, 6), [0, 50, 200, 1100, 3000, 13_000]);
        let again = schedule.restarted(start + seconds(1));
        assert_eq!(times(start, again, 2), [1050, 1200]);
        assert_eq!(times(start, schedule.beginning_at(start + seconds(1)), 2), [1000, 1050]);
    }

    #[test]
    fn a_postponed_announcement_leaves_the_others_in_their_places() {
        let start = Instant::now();
        let mut schedule = Schedule::from_now(AnnouncePolicy::default(), start);
        schedule.postpone(start + Duration::from_millis(10));
        assert_eq!(times(start, schedule, 6), [10, 50, 200, 1100, 3000, 13_000]);
    }

    #[test]
    fn what_is_written_counts() {
        let start = Instant::now();
        let usual = AnnouncePolicy::default();
        let heartbeat = AnnouncePolicy { repeat: 8, delay: Duration::ZERO, refresh: seconds(30), ..usual };
        let wanted = [0, 50, 200, 1100, 3000, 5000, 7000, 9000, 39_000, 69_000];
        assert_eq!(times(start, Schedule::from_now(heartbeat, start), wanted.len()), wanted);
        let once = AnnouncePolicy { repeat: 1, delay: Duration::ZERO, refresh: Duration::ZERO, ..usual };
        assert_eq!(times(start, Schedule::from_now(once, start), 9), [0]);
        let late = AnnouncePolicy { repeat: 1, delay: seconds(50), refresh: Duration::ZERO, ..usual };
        assert_eq!(times(start, Schedule::from_now(late, start), 9), [0, 50_000, 100_000]);
    }
}
