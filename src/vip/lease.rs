//! The lease: how long the kernel keeps an address without hearing from us, so that a node that hangs or dies loses
//! it without anybody's help. Pure: told the time, never asks for it.
//!
//! The peer claims our addresses `deadtime` after the last status that it heard. So every lifetime is measured from
//! the moment that our core sent its last status, not from the moment of its renewal: address gone, then claimed,
//! however long the core was silent before it froze. Lifetimes are whole seconds, and the kernel looks for expired
//! addresses up to a quarter of a second late (`ADDRCONF_TIMER_FUZZ`); both are allowed for.

use std::fmt;
use std::time::{Duration, Instant};

use crate::config::Timing;

/// Below this dead time there is no lease: the kernel counts in whole seconds.
const SHORTEST_DEADTIME: Duration = Duration::from_secs(3);

/// A lifetime ends this much before the dead time (docs/DECISIONS.md "Leases").
const MARGIN: Duration = Duration::from_secs(1);

/// What the core's thread may be late without losing its addresses, at least.
const ROOM: Duration = Duration::from_secs(1);

/// How late the kernel may remove an address, with something to spare. When not all expire in the same moment, as a
/// few hundred that were not renewed in the same moment, the later ones wait for the kernel's next look, a second
/// later.
const LATE: Duration = Duration::from_millis(300);
const LATE_MANY: Duration = Duration::from_millis(1100);
const MANY: usize = 256;

/// The kernel counts an address as expired this much early (`ADDRCONF_TIMER_FUZZ_MINUS`), and our clock is read
/// before its own.
const EARLY: Duration = Duration::from_millis(30);

/// The terms on which the kernel keeps our addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    seconds: u32,
    deadtime: Duration,
}

/// Why addresses are not leased, in words for the administrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoLease {
    /// Whole seconds are too coarse.
    Deadtime {
        /// What ha.cf says.
        deadtime: Duration,
    },
    /// An ordinary pause between two statuses would cost the addresses.
    Keepalive {
        /// What ha.cf says.
        keepalive: Duration,
        /// The lifetime it would have to renew.
        seconds: u32,
    },
}

impl fmt::Display for NoLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoLease::Deadtime { deadtime } => write!(
                f,
                "addresses are not leased, because deadtime is {deadtime:?}: an hbd that hangs keeps them until systemd \
                 kills it. From `deadtime 3` on the kernel removes them by itself"
            ),
            NoLease::Keepalive { keepalive, seconds } => write!(
                f,
                "addresses are not leased, because keepalive {keepalive:?} is too long for a lease of {seconds} s: an hbd \
                 that hangs keeps them until systemd kills it. Make keepalive at least 2 s shorter than deadtime"
            ),
        }
    }
}

impl Terms {
    /// What ha.cf's intervals allow (docs/DECISIONS.md "Leases"): a lifetime of `deadtime` − 1 s, in whole seconds.
    ///
    /// # Errors
    ///
    /// When deadtime is shorter than 3 s, or leaves no second for a core that beats late.
    pub fn of(timing: &Timing) -> Result<Terms, NoLease> {
        let Timing { deadtime, keepalive, .. } = *timing;
        if deadtime < SHORTEST_DEADTIME {
            return Err(NoLease::Deadtime { deadtime });
        }
        let seconds = u32::try_from((deadtime - MARGIN).as_secs()).unwrap_or(u32::MAX);
        if keepalive + ROOM > Duration::from_secs(seconds.into()) {
            return Err(NoLease::Keepalive { keepalive, seconds });
        }
        Ok(Terms { seconds, deadtime })
    }

    /// The longest lifetime that an address gets, seconds.
    pub fn seconds(&self) -> u32 {
        self.seconds
    }

    /// Renewing more often than this is of no use.
    pub fn period(&self) -> Duration {
        Duration::from_secs(self.seconds.into()) / 4
    }
}

/// The lease as it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lease {
    terms: Option<Terms>,
    /// When the core sent the last status that we know of.
    beat: Option<Instant>,
}

impl Lease {
    pub(super) fn new(terms: Option<Terms>) -> Lease {
        Lease { terms, beat: None }
    }

    /// The core has sent a status.
    pub(super) fn renewed(&mut self, beat: Instant) {
        self.beat = self.beat.max(Some(beat));
    }

    /// The lifetime of one of `count` addresses that the kernel is told of now: `None` is for ever, and no seconds
    /// means that the core has been silent for too long to hold anything.
    pub(super) fn lifetime(&self, now: Instant, count: usize) -> Option<u32> {
        let terms = self.terms?;
        let Some(beat) = self.beat else { return Some(0) };
        let within = |late| {
            let left = (beat + terms.deadtime).checked_duration_since(now + late).unwrap_or_default();
            u32::try_from(left.as_secs()).unwrap_or(u32::MAX).min(terms.seconds)
        };
        match if count > MANY { within(LATE_MANY) } else { 0 } {
            // Too coarse for the shortest dead times.
            0 | 1 => Some(within(LATE)),
            seconds => Some(seconds),
        }
    }
}

/// The moment that an address expires which was given this lifetime after `now`: not later than in the kernel.
pub(super) fn expiry(now: Instant, seconds: u32) -> Instant {
    now + Duration::from_secs(seconds.into()).saturating_sub(EARLY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(keepalive: u64, deadtime: u64) -> Timing {
        let milliseconds = Duration::from_millis;
        Timing {
            keepalive: milliseconds(keepalive),
            deadtime: milliseconds(deadtime),
            warntime: milliseconds(deadtime / 2),
            initdead: milliseconds(2 * deadtime),
            deadping: milliseconds(deadtime),
            max_rexmit_delay: milliseconds(250),
        }
    }

    #[test]
    fn the_lifetime_is_a_second_shorter_than_the_dead_time() {
        for (deadtime, seconds) in [(3000, 2), (3900, 2), (4000, 3), (30_000, 29)] {
            assert_eq!(Terms::of(&timing(500, deadtime)).unwrap().seconds(), seconds, "{deadtime}");
        }
    }

    #[test]
    fn where_there_is_no_lease_the_notice_says_what_to_write() {
        let short = Terms::of(&timing(500, 2999)).unwrap_err().to_string();
        assert!(short.contains("deadtime is 2.999s") && short.contains("`deadtime 3`"), "{short}");
        let slow = Terms::of(&timing(3000, 4000)).unwrap_err().to_string();
        assert!(slow.contains("keepalive 3s") && slow.contains("2 s shorter"), "{slow}");
    }

    /// The kernel removes an address at latest 0.25 s after its lifetime, the peer claims it `deadtime` after the
    /// beat.
    #[test]
    fn whenever_it_is_renewed_an_address_is_gone_before_the_peer_claims_it() {
        let fuzz = Duration::from_millis(250);
        let start = Instant::now();
        for deadtime in (3000..12_000).step_by(130) {
            let Ok(terms) = Terms::of(&timing(1000, deadtime)) else { continue };
            let mut lease = Lease::new(Some(terms));
            lease.renewed(start);
            for after in (0..deadtime).step_by(10).map(Duration::from_millis) {
                let seconds = lease.lifetime(start + after, 1).unwrap();
                if seconds > 0 {
                    let gone = after + Duration::from_secs(seconds.into()) + fuzz;
                    assert!(gone < Duration::from_millis(deadtime), "{deadtime} ms: {seconds} s after {after:?}");
                }
            }
        }
    }

    /// An address that is added between two beats must last until the renewal after the next one.
    #[test]
    fn no_address_expires_while_the_core_beats() {
        let start = Instant::now();
        for (keepalive, deadtime) in
            [(1000, 3000), (500, 3000), (100, 3000), (1000, 4000), (2000, 5000), (2000, 30_000)]
        {
            let terms = Terms::of(&timing(keepalive, deadtime)).unwrap();
            let mut lease = Lease::new(Some(terms));
            lease.renewed(start);
            let keepalive = Duration::from_millis(keepalive);
            let mut next = keepalive;
            while next < terms.period() {
                next += keepalive;
            }
            for after in (0..=next.as_millis() as u64).step_by(10).map(Duration::from_millis) {
                let seconds = lease.lifetime(start + after, 1).unwrap();
                let gone = expiry(start + after, seconds.max(1));
                assert!(seconds > 0 && gone > start + next + Duration::from_millis(300), "{keepalive:?}: {after:?}");
            }
        }
    }

    #[test]
    fn nothing_is_held_before_the_first_beat_or_after_a_long_silence() {
        let start = Instant::now();
        let mut lease = Lease::new(Some(Terms::of(&timing(1000, 4000)).unwrap()));
        assert_eq!(lease.lifetime(start, 1), Some(0));
        lease.renewed(start);
        assert_eq!(lease.lifetime(start, 1), Some(3));
        assert_eq!(lease.lifetime(start + Duration::from_secs(5), 1), Some(0));
        assert_eq!(Lease::new(None).lifetime(start, 1), None);
    }

    #[test]
    fn many_addresses_get_a_second_more_where_there_is_one() {
        let start = Instant::now();
        let lifetime = |deadtime| {
            let mut lease = Lease::new(Some(Terms::of(&timing(1000, deadtime)).unwrap()));
            lease.renewed(start);
            lease.lifetime(start, 1000).unwrap()
        };
        assert_eq!(lifetime(30_000), 28);
        assert_eq!(lifetime(3000), 2);
    }
}
