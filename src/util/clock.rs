//! Times as D-Bus and the journal carry them: microseconds in an unsigned 64-bit number.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// A duration in microseconds; the largest number for one that is too long (584,000 years).
pub fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Now, in microseconds of CLOCK_REALTIME; 0 on a clock that is set before 1970.
pub fn now_usec() -> u64 {
    microseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// The same of CLOCK_MONOTONIC, on which systemd tells when a unit changed.
pub fn monotonic_usec() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    seconds * 1_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1000
}
