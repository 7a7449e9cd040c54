//! When systemd is told that hbd lives: not because the thread runs, but because timers do.
//!
//! Owns when everything that was due had last been handed to the core. Pure.

use std::time::Duration;

use crate::cluster::Instant;

/// See the module.
#[derive(Debug, Clone, Copy)]
pub struct Pulse {
    /// How often systemd wants to hear; `None` if it does not.
    period: Option<Duration>,
    alive_at: Instant,
    on_time: Instant,
}

impl Pulse {
    /// From `now` on.
    pub fn new(period: Option<Duration>, now: Instant) -> Pulse {
        Pulse { period, alive_at: now, on_time: now }
    }

    /// Nothing that is due waits for the core.
    pub fn on_time(&mut self, now: Instant) {
        self.on_time = now;
    }

    /// Whether to say it now. A core that was not on time within a period is as good as one that hangs.
    pub fn take_due(&mut self, now: Instant) -> bool {
        let Some(period) = self.period else { return false };
        let due = now >= self.alive_at && now.since(self.on_time) < period;
        if due {
            self.alive_at = now + period;
        }
        due
    }

    /// When it is to be said next.
    pub fn due(&self) -> Option<Instant> {
        self.period.map(|_| self.alive_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant(Duration::from_secs(seconds))
    }

    #[test]
    fn a_thread_that_reads_packets_and_never_looks_at_its_timers_is_not_alive() {
        let mut pulse = Pulse::new(Some(Duration::from_secs(10)), at(0));
        let said: Vec<_> = (0..60).filter(|second| pulse.take_due(at(*second))).collect();
        assert_eq!(said, [0], "the timers ran at the start only");
        pulse.on_time(at(60));
        assert!(pulse.take_due(at(60)));
    }

    #[test]
    fn it_is_said_once_a_period() {
        let mut pulse = Pulse::new(Some(Duration::from_secs(10)), at(0));
        let says = |second: &u64| {
            pulse.on_time(at(*second));
            pulse.take_due(at(*second))
        };
        assert_eq!((0..60).filter(says).collect::<Vec<_>>(), [0, 10, 20, 30, 40, 50]);
        assert!(!Pulse::new(None, at(0)).take_due(at(99)), "nobody asks");
    }
}
