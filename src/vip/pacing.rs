//! Frames that wait for their turn, because a switch lets only so many of a kind pass in a time. Pure: told the time,
//! never sends.
//!
//! Where no pace is asked for nothing waits here.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// An announcement that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WaitingFrame {
    /// Of the address.
    pub(super) id: u64,
    /// Whether it is ARP's reply form.
    pub(super) reply: bool,
    pace: Duration,
}

/// The frames of one interface.
#[derive(Debug, Default)]
struct Lane {
    /// When the next frame may be sent; `None` before the first.
    free_at: Option<Instant>,
    /// What tells of an address for the first time, before what only says it in the other form.
    first: VecDeque<WaitingFrame>,
    replies: VecDeque<WaitingFrame>,
}

/// The frames of all interfaces, by index.
#[derive(Debug, Default)]
pub(super) struct Pacer(BTreeMap<u32, Lane>);

impl Pacer {
    /// An announcement waits for its turn, in both forms if there are two. While one of an address waits, a
    /// repetition is none: else the other form would never have its turn.
    pub(super) fn announce(&mut self, index: u32, id: u64, two_forms: bool, pace: Duration) {
        let lane = self.0.entry(index).or_default();
        if lane.first.iter().chain(&lane.replies).any(|frame| frame.id == id) {
            return;
        }
        lane.first.push_back(WaitingFrame { id, reply: false, pace });
        if two_forms {
            lane.replies.push_back(WaitingFrame { id, reply: true, pace });
        }
    }

    /// The next frame whose turn it is, taken to be sent now. Frames of addresses that are not `held` are forgotten.
    pub(super) fn pop(&mut self, now: Instant, held: impl Fn(u64) -> bool) -> Option<WaitingFrame> {
        for lane in self.0.values_mut() {
            lane.first.retain(|frame| held(frame.id));
            lane.replies.retain(|frame| held(frame.id));
            if lane.free_at.is_none_or(|free_at| free_at <= now)
                && let Some(frame) = lane.first.pop_front().or_else(|| lane.replies.pop_front())
            {
                lane.free_at = Some(now + frame.pace);
                return Some(frame);
            }
        }
        None
    }

    /// When the next frame that waits may be sent.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let waiting = self.0.values().filter(|lane| !(lane.first.is_empty() && lane.replies.is_empty()));
        waiting.filter_map(|lane| lane.free_at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Duration = Duration::from_millis(100);

    /// Everything that waits, in its order, with the milliseconds after `start`.
    fn drain(pacer: &mut Pacer, start: Instant) -> Vec<(u64, bool, u128)> {
        let mut sent = Vec::new();
        let mut now = start;
        loop {
            while let Some(frame) = pacer.pop(now, |_| true) {
                sent.push((frame.id, frame.reply, (now - start).as_millis()));
            }
            match pacer.next_due() {
                Some(due) => now = due,
                None => return sent,
            }
        }
    }

    #[test]
    fn one_frame_at_a_time_and_what_is_new_first() {
        let start = Instant::now();
        let mut pacer = Pacer::default();
        pacer.announce(2, 1, true, PACE);
        pacer.announce(2, 2, true, PACE);
        pacer.announce(2, 3, false, PACE);
        pacer.announce(2, 1, true, PACE);
        let sent = drain(&mut pacer, start);
        let wanted = [(1, false, 0), (2, false, 100), (3, false, 200), (1, true, 300), (2, true, 400)];
        assert_eq!(sent, wanted);
    }

    #[test]
    fn interfaces_have_a_pace_each() {
        let start = Instant::now();
        let mut pacer = Pacer::default();
        for (index, id) in [(2, 1), (2, 2), (3, 3)] {
            pacer.announce(index, id, false, PACE);
        }
        assert_eq!(drain(&mut pacer, start), [(1, false, 0), (3, false, 0), (2, false, 100)]);
    }

    #[test]
    fn what_is_not_held_any_more_takes_no_turn() {
        let start = Instant::now();
        let mut pacer = Pacer::default();
        pacer.announce(2, 1, true, PACE);
        pacer.announce(2, 2, false, PACE);
        assert_eq!(pacer.pop(start, |id| id == 2).map(|frame| frame.id), Some(2));
        assert_eq!(pacer.next_due(), None);
    }
}
