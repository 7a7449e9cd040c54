//! The lease: how long an address stays without a word of the core, so that a node that hangs or dies loses it
//! without anybody's help. Pure: told the time, never asks for it.
//!
//! The peer claims our addresses `deadtime` after the last status that it heard. So every lifetime is measured from
//! the moment that our core sent its last status, not from the moment of its renewal: address gone, then claimed,
//! however long the core was silent before it froze. The kernel counts lifetimes in whole seconds and looks for
//! expired addresses up to a quarter of a second late (`ADDRCONF_TIMER_FUZZ`); both are allowed for. Where the dead
//! time is too short for that, this thread removes them itself: it is another one than the core's, with a socket of
//! its own.

use std::fmt;
use std::time::{Duration, Instant};

use crate::config::Timing;

/// Below this dead time the kernel, which counts in whole seconds, cannot keep the lease.
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

/// The terms on which our addresses stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    keeper: Keeper,
    deadtime: Duration,
}

/// The one that ends a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeper {
    /// The kernel, so many seconds after the last renewal at the latest.
    Kernel(u32),
    /// The address thread, so long after the core's last status. A process that is stopped as a whole keeps them.
    Thread(Duration),
}

/// An ordinary pause between two statuses would cost the addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoLease {
    /// What ha.cf says.
    keepalive: Duration,
    /// What ha.cf says.
    deadtime: Duration,
}

impl fmt::Display for NoLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NoLease { keepalive, deadtime } = self;
        write!(
            f,
            "addresses are not leased, because keepalive {keepalive:?} is too long for deadtime {deadtime:?}: an hbd that \
             hangs keeps them until systemd kills it. Make keepalive at most half of deadtime, or 2 s shorter"
        )
    }
}

impl fmt::Display for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.keeper {
            Keeper::Kernel(seconds) => {
                write!(f, "addresses are leased: the kernel removes them {seconds} s after hbd was last heard")
            }
            Keeper::Thread(life) => write!(
                f,
                "addresses are leased for {life:?} after the last status, which is too short for the kernel: hbd removes \
                 them when its core hangs, but not when the whole process is stopped. From `deadtime 3` on the kernel \
                 does it"
            ),
        }
    }
}

impl Terms {
    /// What ha.cf's intervals allow (docs/DECISIONS.md "Leases"): a lifetime of `deadtime` − 1 s, in whole seconds,
    /// that the kernel ends; or one of four fifths of `deadtime` that we end.
    ///
    /// # Errors
    ///
    /// When neither leaves time for a core that beats late.
    pub fn of(timing: &Timing) -> Result<Terms, NoLease> {
        let Timing { deadtime, keepalive, .. } = *timing;
        let seconds = u32::try_from(deadtime.saturating_sub(MARGIN).as_secs()).unwrap_or(u32::MAX);
        if deadtime >= SHORTEST_DEADTIME && keepalive + ROOM <= Duration::from_secs(seconds.into()) {
            return Ok(Terms { keeper: Keeper::Kernel(seconds), deadtime });
        }
        let life = deadtime * 4 / 5;
        if keepalive * 3 / 2 > life {
            return Err(NoLease { keepalive, deadtime });
        }
        Ok(Terms { keeper: Keeper::Thread(life), deadtime })
    }

    /// Whether the kernel ends the lease, so that it ends in a node that stands still as a whole, too.
    pub fn is_kept_by_kernel(&self) -> bool {
        matches!(self.keeper, Keeper::Kernel(_))
    }

    /// Renewing more often than this is of no use.
    pub fn period(&self) -> Duration {
        match self.keeper {
            Keeper::Kernel(seconds) => Duration::from_secs(seconds.into()) / 4,
            Keeper::Thread(life) => life / 8,
        }
    }
}

/// For how long an address may be here from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grant {
    /// The lifetime that the kernel is told, seconds; `None` is for ever.
    pub(super) seconds: Option<u32>,
    /// When it is ours no more; `None` without a lease.
    pub(super) expires: Option<Instant>,
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

    /// What each of `count` addresses gets that the kernel is told of now; `None` when the core has been silent for
    /// too long to hold anything.
    pub(super) fn grant(&self, now: Instant, count: usize) -> Option<Grant> {
        let Some(terms) = self.terms else { return Some(Grant { seconds: None, expires: None }) };
        let beat = self.beat?;
        let longest = match terms.keeper {
            Keeper::Kernel(seconds) => seconds,
            Keeper::Thread(life) => {
                let expires = beat + life;
                return (now < expires).then_some(Grant { seconds: None, expires: Some(expires) });
            }
        };
        let within = |late| {
            let left = (beat + terms.deadtime).checked_duration_since(now + late).unwrap_or_default();
            u32::try_from(left.as_secs()).unwrap_or(u32::MAX).min(longest)
        };
        let seconds = match if count > MANY { within(LATE_MANY) } else { 0 } {
            // Too coarse for the shortest dead times.
            0 | 1 => within(LATE),
            seconds => seconds,
        };
        (seconds > 0).then(|| Grant::until(now, seconds))
    }

    /// Whether the kernel has to be told of a renewal.
    pub(super) fn is_kept_by_kernel(&self) -> bool {
        self.terms.is_some_and(|terms| terms.is_kept_by_kernel())
    }
}

impl Grant {
    /// A lifetime that the kernel is told at `now`.
    pub(super) fn until(now: Instant, seconds: u32) -> Grant {
        Grant { seconds: Some(seconds), expires: Some(expiry(now, seconds)) }
    }
}

/// The moment that an address expires which was given this lifetime after `now`: not later than in the kernel.
fn expiry(now: Instant, seconds: u32) -> Instant {
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

    /// The lifetime that the kernel is told.
    fn kernels(lease: &Lease, now: Instant, count: usize) -> Option<u32> {
        lease.grant(now, count)?.seconds
    }

    #[test]
    fn the_lifetime_is_a_second_shorter_than_the_dead_time() {
        for (deadtime, seconds) in [(3000, 2), (3900, 2), (4000, 3), (30_000, 29)] {
            assert_eq!(Terms::of(&timing(500, deadtime)).unwrap().keeper, Keeper::Kernel(seconds), "{deadtime}");
        }
    }

    /// The kernel counts in whole seconds: below 3 s, and where keepalive leaves it none to spare, this thread keeps
    /// it.
    #[test]
    fn what_is_too_short_for_the_kernel_is_four_fifths_of_the_dead_time() {
        for (keepalive, deadtime, life) in [(100, 500, 400), (20, 100, 80), (500, 2999, 2399), (2100, 4000, 3200)] {
            let Keeper::Thread(kept) = Terms::of(&timing(keepalive, deadtime)).unwrap().keeper else {
                panic!("{deadtime}")
            };
            assert_eq!(kept.as_millis(), life, "{deadtime}");
        }
    }

    #[test]
    fn the_notice_says_what_to_write_for_a_better_lease() {
        let slow = Terms::of(&timing(3000, 4000)).unwrap_err().to_string();
        assert!(slow.contains("keepalive 3s") && slow.contains("at most half of deadtime"), "{slow}");
        let short = Terms::of(&timing(100, 500)).unwrap().to_string();
        assert!(short.contains("400ms") && short.contains("`deadtime 3`"), "{short}");
    }

    /// The kernel removes an address at latest 0.25 s after its lifetime, the peer claims it `deadtime` after the
    /// beat.
    #[test]
    fn whenever_it_is_renewed_an_address_is_gone_before_the_peer_claims_it() {
        let fuzz = Duration::from_millis(250);
        let start = Instant::now();
        for deadtime in (3000..12_000).step_by(130) {
            let Ok(terms @ Terms { keeper: Keeper::Kernel(_), .. }) = Terms::of(&timing(1000, deadtime)) else {
                continue;
            };
            let mut lease = Lease::new(Some(terms));
            lease.renewed(start);
            for after in (0..deadtime).step_by(10).map(Duration::from_millis) {
                if let Some(seconds) = kernels(&lease, start + after, 1) {
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
                let gone = lease.grant(start + after, 1).and_then(|grant| grant.expires);
                assert!(
                    gone.is_some_and(|gone| gone > start + next + Duration::from_millis(300)),
                    "{keepalive:?}: {after:?}"
                );
            }
        }
    }

    #[test]
    fn nothing_is_held_before_the_first_beat_or_after_a_long_silence() {
        let start = Instant::now();
        let mut lease = Lease::new(Some(Terms::of(&timing(1000, 4000)).unwrap()));
        assert_eq!(lease.grant(start, 1), None);
        lease.renewed(start);
        assert_eq!(kernels(&lease, start, 1), Some(3));
        assert_eq!(lease.grant(start + Duration::from_secs(5), 1), None);
        assert_eq!(Lease::new(None).grant(start, 1), Some(Grant { seconds: None, expires: None }));
        let mut short = Lease::new(Some(Terms::of(&timing(100, 500)).unwrap()));
        assert_eq!(short.grant(start, 1), None);
        short.renewed(start);
        let expires = Some(start + Duration::from_millis(400));
        assert_eq!(short.grant(start + Duration::from_millis(399), 1), Some(Grant { seconds: None, expires }));
        assert_eq!(short.grant(start + Duration::from_millis(400), 1), None);
    }

    #[test]
    fn many_addresses_get_a_second_more_where_there_is_one() {
        let start = Instant::now();
        let lifetime = |deadtime| {
            let mut lease = Lease::new(Some(Terms::of(&timing(1000, deadtime)).unwrap()));
            lease.renewed(start);
            kernels(&lease, start, 1000)
        };
        assert_eq!(lifetime(30_000), Some(28));
        assert_eq!(lifetime(3000), Some(2));
    }
}
