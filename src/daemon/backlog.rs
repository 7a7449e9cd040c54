//! How far a receive buffer is read. Pure.
//!
//! A buffer is a queue: what was in it at a moment is read when it was found empty since, or when as many packets as
//! it can hold were taken from it.

use crate::cluster::Instant;

/// Of one socket or line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    read_until: Instant,
    /// When the count began, and how many packets may still be older than that.
    mark: Option<(Instant, usize)>,
}

impl Backlog {
    /// Nothing was queued at `now`.
    pub fn emptied(&mut self, now: Instant) {
        *self = Backlog { read_until: now, mark: None };
    }

    /// `count` packets were taken until `now`, of a buffer that holds `capacity`, and there may be more.
    pub fn took(&mut self, now: Instant, count: usize, capacity: usize) {
        let (since, left) = self.mark.map_or((now, capacity), |(since, left)| (since, left.saturating_sub(count)));
        self.mark = Some((since, left));
        if left == 0 {
            *self = Backlog { read_until: since, mark: Some((now, capacity)) };
        }
    }

    /// All that arrived before this was taken.
    pub fn read_until(&self) -> Instant {
        self.read_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Instant {
        Instant(std::time::Duration::from_millis(milliseconds))
    }

    #[test]
    fn an_empty_buffer_is_read() {
        let mut backlog = Backlog::default();
        backlog.took(at(1), 64, 1_000);
        backlog.emptied(at(2));
        assert_eq!(backlog.read_until(), at(2));
    }

    #[test]
    fn a_buffer_that_is_never_empty_is_read_when_all_that_it_holds_was_taken() {
        let mut backlog = Backlog::default();
        backlog.emptied(at(0));
        let mut taken = 0;
        for turn in 1..=40 {
            backlog.took(at(turn), 64, 1_000);
            taken += if turn == 1 { 0 } else { 64 };
            let wanted = if taken < 1_000 { at(0) } else { at(1) };
            assert!(backlog.read_until() >= wanted, "after {turn} turns");
            if taken < 1_000 {
                assert_eq!(backlog.read_until(), at(0), "after {turn} turns");
            }
        }
        assert_eq!(backlog.read_until(), at(17), "a thousand packets after the count began again");
    }
}
