//! How often others removed an address, and when it may be put back: at once, but not in a fight.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// So many removals of an address within this time make a fight; from then on it is put back with a pause.
const FIGHT: (usize, Duration) = (5, Duration::from_secs(10));
/// The pause, also until the next attempt when the kernel refuses.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// The latest removals of an address by others.
#[derive(Debug, Default)]
pub(super) struct Removals {
    times: VecDeque<Instant>,
}

impl Removals {
    /// It was removed again; returns when it may be put back.
    pub fn again(&mut self, now: Instant) -> Instant {
        self.times.push_back(now);
        while self.times.front().is_some_and(|first| now - *first > FIGHT.1) || self.times.len() > FIGHT.0 {
            self.times.pop_front();
        }
        if self.fight() { now + PAUSE } else { now }
    }

    pub fn fight(&self) -> bool {
        self.times.len() >= FIGHT.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fight_is_fought_once_a_second_and_forgotten_when_it_is_over() {
        let start = Instant::now();
        let mut removals = Removals::default();
        for count in 0..4 {
            let now = start + Duration::from_millis(count);
            assert_eq!(removals.again(now), now, "{count}");
        }
        let now = start + Duration::from_millis(4);
        assert_eq!(removals.again(now), now + PAUSE);
        assert_eq!(removals.again(now + PAUSE), now + 2 * PAUSE);
        let later = now + Duration::from_secs(20);
        assert_eq!(removals.again(later), later);
    }
}
