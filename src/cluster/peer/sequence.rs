//! Sequence numbers of one sender: what was seen, what is missing, what to acknowledge (02 §6.2, §6.4, §6.5).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::api::time::Instant;

/// Largest gap that is repaired; a larger one starts tracking anew (02 §6.2).
pub const MAX_GAP: u64 = 250;
/// How long a number that the first message after a reset had overtaken may come in.
const OVERTAKEN: Duration = Duration::from_secs(2);
/// How many such numbers there may be.
const MAX_OVERTAKEN: u64 = 50;
/// One acknowledgement per so many messages (02 §6.5).
pub const ACK_PERIOD: u64 = 10;

/// What to do with a sequenced message (02 §6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// New: process it.
    Keep {
        /// First and last number that this message shows to be missing.
        lost: Option<(u64, u64)>,
        /// The gap was too large to be repaired.
        gave_up: bool,
    },
    /// Seen a moment ago on another link: it proves the link, nothing else.
    Duplicate,
    /// Old: it proves nothing.
    Drop,
}

/// The tracking state of one sender.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Tracking {
    last: Option<u64>,
    /// Missing number to the moment of the next request for it.
    missing: BTreeMap<u64, Instant>,
    /// The highest number seen of this incarnation before its death.
    floor: u64,
    /// Numbers that the first message after a reset had overtaken, and until when they are new if they come. Unlike
    /// Heartbeat, which drops them: a report or a `starting` must not be lost because a status was quicker.
    overtaken: BTreeSet<u64>,
    overtaken_until: Instant,
}

impl Tracking {
    /// Forgets everything: the sender restarted.
    pub fn restart(&mut self) {
        *self = Tracking::default();
    }

    /// Forgets what is missing: the sender died. If it only seemed so, it will go on counting.
    pub fn die(&mut self) {
        let floor = self.last.unwrap_or(self.floor);
        *self = Tracking { floor, ..Tracking::default() };
    }

    /// Numbers up to this one were seen by our predecessor.
    pub fn seen_before(&mut self, floor: u64) {
        self.floor = floor;
    }

    /// The highest number seen of this incarnation.
    pub fn last_seq(&self) -> u64 {
        self.last.unwrap_or(self.floor)
    }

    /// Judges `seq`, which came at `now`. `first_request` gives the moment at which a number just found missing is
    /// to be asked for.
    pub fn accept(&mut self, seq: u64, now: Instant, first_request: impl FnMut() -> Instant) -> Verdict {
        let Some(last) = self.last else {
            if self.is_history(seq) {
                return Verdict::Drop;
            }
            self.last = Some(seq);
            let first = (self.floor + 1).max(seq.saturating_sub(MAX_OVERTAKEN)).max(1);
            self.overtaken = (first..seq).collect();
            self.overtaken_until = now + OVERTAKEN;
            return Verdict::Keep { lost: None, gave_up: false };
        };
        if seq == last {
            return Verdict::Duplicate;
        }
        if seq < last {
            let overtaken = self.overtaken.remove(&seq) && now <= self.overtaken_until;
            let wanted = self.missing.remove(&seq).is_some() || overtaken;
            return if wanted { Verdict::Keep { lost: None, gave_up: false } } else { Verdict::Drop };
        }
        self.last = Some(seq);
        let lost = seq - last - 1;
        if lost == 0 {
            return Verdict::Keep { lost: None, gave_up: false };
        }
        if lost > MAX_GAP || self.missing.len() as u64 + lost > 2 * MAX_GAP {
            self.missing.clear();
            return Verdict::Keep { lost: Some((last + 1, seq - 1)), gave_up: true };
        }
        let mut first_request = first_request;
        self.missing.extend((last + 1..seq).map(|number| (number, first_request())));
        Verdict::Keep { lost: Some((last + 1, seq - 1)), gave_up: false }
    }

    /// What [`Tracking::accept`] would say, as far as it matters whether the message counts.
    pub fn expected(&self, seq: u64, now: Instant) -> Verdict {
        let keep = Verdict::Keep { lost: None, gave_up: false };
        match self.last {
            Some(last) if seq == last => Verdict::Duplicate,
            Some(last) if seq < last => {
                let overtaken = self.overtaken.contains(&seq) && now <= self.overtaken_until;
                if overtaken || self.misses(seq) { keep } else { Verdict::Drop }
            }
            _ if self.is_history(seq) => Verdict::Drop,
            _ => keep,
        }
    }

    /// Whether nothing of this incarnation was heard since its death, or our start, and `seq` is not newer than what
    /// was heard before.
    pub fn is_history(&self, seq: u64) -> bool {
        self.last.is_none() && seq <= self.floor
    }

    /// Whether `seq` is waited for.
    pub fn misses(&self, seq: u64) -> bool {
        self.missing.contains_key(&seq)
    }

    /// The sender cannot send `seq` again. Whether we were waiting for it.
    pub fn give_up(&mut self, seq: u64) -> bool {
        self.missing.remove(&seq).is_some()
    }

    /// What a receiver whose trigger is `trigger` acknowledges when `seq` has just been accepted, or will never
    /// come (02 §6.5): itself, or, when it was the smallest of several that are missing, what it kept from being
    /// acknowledged.
    pub fn acknowledgement(&self, seq: u64, trigger: u64) -> Option<u64> {
        match self.missing.keys().next() {
            None => (seq % ACK_PERIOD == trigger && self.last == Some(seq)).then_some(seq),
            Some(smallest) => {
                let below = smallest.checked_sub(1).filter(|_| Some(seq) < self.last)?;
                let due = below.checked_sub((below + ACK_PERIOD - trigger) % ACK_PERIOD)?;
                (due >= seq).then_some(due)
            }
        }
    }

    /// The numbers due for a request at `now`; each is asked for again at `again`.
    pub fn due(&mut self, now: Instant, again: Instant) -> Vec<u64> {
        let mut due = Vec::new();
        for (number, when) in &mut self.missing {
            if *when <= now {
                *when = again;
                due.push(*number);
            }
        }
        due
    }

    /// When the next request is due.
    pub fn next_request(&self) -> Option<Instant> {
        self.missing.values().min().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: Verdict = Verdict::Keep { lost: None, gave_up: false };

    fn accept(tracking: &mut Tracking, seq: u64) -> Verdict {
        tracking.accept(seq, Instant::default(), Instant::default)
    }

    #[test]
    fn in_order_is_kept_twice_is_a_duplicate() {
        let mut tracking = Tracking::default();
        assert_eq!(accept(&mut tracking, 7), KEEP);
        assert_eq!(accept(&mut tracking, 8), KEEP);
        assert_eq!(accept(&mut tracking, 8), Verdict::Duplicate);
        assert_eq!(accept(&mut tracking, 7), Verdict::Drop);
    }

    #[test]
    fn a_gap_is_asked_for_and_filled() {
        let mut tracking = Tracking::default();
        accept(&mut tracking, 1);
        assert_eq!(accept(&mut tracking, 4), Verdict::Keep { lost: Some((2, 3)), gave_up: false });
        assert_eq!(tracking.acknowledgement(4, 4), None, "nothing is acknowledged across a gap");
        assert_eq!(tracking.due(Instant::default(), Instant(std::time::Duration::from_secs(1))), vec![2, 3]);
        assert_eq!(tracking.due(Instant::default(), Instant::default()), Vec::<u64>::new());
        assert_eq!(accept(&mut tracking, 3), KEEP);
        assert_eq!(accept(&mut tracking, 2), KEEP);
        assert_eq!(accept(&mut tracking, 2), Verdict::Drop);
        assert_eq!(tracking.next_request(), None);
    }

    /// 02 §6.5, "Catch-up acknowledgement".
    #[test]
    fn what_a_gap_held_up_is_acknowledged_when_its_smallest_number_comes_and_others_are_missing() {
        let mut tracking = Tracking::default();
        accept(&mut tracking, 11);
        accept(&mut tracking, 13);
        accept(&mut tracking, 26);
        for seq in 14..22 {
            accept(&mut tracking, seq);
        }
        // 12 and 22 to 25 are missing.
        accept(&mut tracking, 12);
        assert_eq!(tracking.acknowledgement(12, 7), Some(17));
        assert_eq!(tracking.acknowledgement(12, 2), Some(12));
        assert_eq!(tracking.acknowledgement(12, 1), Some(21));
        assert_eq!(tracking.acknowledgement(20, 7), None, "said before");
        accept(&mut tracking, 24);
        assert_eq!(tracking.acknowledgement(24, 4), None, "22 is missing");
        for seq in [22, 23, 25] {
            accept(&mut tracking, seq);
        }
        assert_eq!(tracking.acknowledgement(25, 5), None, "the next due number covers it");
    }

    #[test]
    fn a_refused_number_is_not_waited_for() {
        let mut tracking = Tracking::default();
        accept(&mut tracking, 1);
        accept(&mut tracking, 3);
        assert!(tracking.give_up(2));
        assert!(!tracking.give_up(2));
        accept(&mut tracking, 4);
        assert_eq!(tracking.acknowledgement(4, 4), Some(4));
    }

    #[test]
    fn what_the_first_message_overtook_is_new_for_a_moment() {
        let mut tracking = Tracking::default();
        accept(&mut tracking, 5);
        assert_eq!(accept(&mut tracking, 3), KEEP);
        assert_eq!(accept(&mut tracking, 3), Verdict::Drop, "once");
        let late = Instant(OVERTAKEN + Duration::from_millis(1));
        assert_eq!(tracking.accept(4, late, Instant::default), Verdict::Drop);
        tracking.die();
        accept(&mut tracking, 8);
        assert_eq!(accept(&mut tracking, 5), Verdict::Drop, "seen before it seemed dead");
        assert_eq!(accept(&mut tracking, 7), KEEP);
        tracking.restart();
        accept(&mut tracking, 2);
        assert_eq!(accept(&mut tracking, 1), KEEP);
    }

    #[test]
    fn too_large_a_gap_starts_anew() {
        let mut tracking = Tracking::default();
        accept(&mut tracking, 1);
        assert_eq!(accept(&mut tracking, 253), Verdict::Keep { lost: Some((2, 252)), gave_up: true });
        assert_eq!(tracking.next_request(), None);
    }
}
