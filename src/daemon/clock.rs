//! The two clocks that the core is given with every event.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::cluster::{Instant, Moment};

/// Both clocks. CLOCK_BOOTTIME, because a machine that slept was silent for its peers all the same.
pub fn moment() -> Moment {
    let read = |clock| {
        let time = clock_gettime(clock);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
    };
    Moment { monotonic: Instant(read(ClockId::Boottime)), wall: read(ClockId::Realtime) }
}
