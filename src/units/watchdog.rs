//! The machine's own watchdog, which PID 1 feeds (systemd-system.conf(5), RuntimeWatchdogSec=).

use std::time::Duration;

use super::answer::connection_error;
use super::error::UnitError;
use super::systemd::Systemd;
use crate::util::clock::microseconds;

/// What PID 1 does about the hardware watchdog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineWatchdog {
    /// Whether PID 1 fed it before anybody asked.
    pub armed_before: bool,
    /// After how long without PID 1 the machine resets; zero if nothing does.
    pub limit: Duration,
    /// The device that PID 1 uses; empty for its default, /dev/watchdog0.
    pub device: String,
}

impl Systemd {
    /// Makes PID 1 feed the hardware watchdog, unless it does already.
    ///
    /// # Errors
    /// [`UnitError::ConnectionLost`] and [`UnitError::Bus`].
    pub async fn arm_watchdog(&self, limit: Duration) -> Result<MachineWatchdog, UnitError> {
        let failed = |error| connection_error(&self.connection, error);
        let read = || async { self.call(self.manager.runtime_watchdog_usec()).await.map(Duration::from_micros) };
        let before = read().await.map_err(failed)?;
        // systemd's infinity is "never".
        let armed_before = !before.is_zero() && before < Duration::from_micros(u64::MAX);
        if !armed_before {
            self.call(self.manager.set_runtime_watchdog_usec(microseconds(limit))).await.map_err(failed)?;
        }
        let limit = read().await.map_err(failed)?;
        // Not every systemd says it.
        let device = self.call(self.manager.watchdog_device()).await.unwrap_or_default();
        Ok(MachineWatchdog { armed_before, limit, device })
    }
}
