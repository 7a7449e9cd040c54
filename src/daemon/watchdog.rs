//! `watchdog DEV` of ha.cf: two watchdogs, one above the other (04 §10).
//!
//! systemd guards hbd (WatchdogSec=), and the hardware guards systemd: PID 1 holds the device and feeds it, so that
//! a stop or a restart of hbd neither disarms it nor resets the machine. Where hbd is told to open the device
//! itself, this does nothing ([`super::own_watchdog`]).

use std::path::{Path, PathBuf};
use std::time::Duration;

use log::{info, warn};
use tokio::time::timeout;
use zbus::connection::Builder;

use crate::config::RUNTIME_WATCHDOG;
use crate::units::{MachineWatchdog, Systemd, UnitError};
use crate::util::error::error_chain;

/// How long systemd may take to be asked.
const ASKING_LIMIT: Duration = Duration::from_secs(30);
/// Two names of one device.
const DEFAULT: [&str; 2] = ["/dev/watchdog", "/dev/watchdog0"];

/// Sees to it that PID 1 holds the device, and says what is so.
pub async fn guard(device: Option<PathBuf>) {
    let Some(device) = device else { return };
    if !device.exists() {
        warn!(
            "Cannot open watchdog device: {}. Load its driver (modprobe softdog, or that of the board: iTCO_wdt, i6300esb, …) \
             at boot: /etc/modules-load.d",
            device.display()
        );
        return;
    }
    let ask = async { Systemd::new(Builder::system().build().await?).await?.arm_watchdog(RUNTIME_WATCHDOG).await };
    let outcome = timeout(ASKING_LIMIT, ask).await;
    match outcome.unwrap_or_else(|_| Err(UnitError::ConnectionLost)) {
        Ok(state) => {
            let (good, text) = verdict(&device, &state);
            if good { info!("{text}") } else { warn!("{text}") }
        }
        Err(error) => warn!("systemd does not arm the watchdog {}: {}", device.display(), error_chain(&error)),
    }
}

/// What to say, and whether it is as ha.cf wants it.
fn verdict(device: &Path, state: &MachineWatchdog) -> (bool, String) {
    let name = device.display().to_string();
    let held = if state.device.is_empty() { DEFAULT[1] } else { &state.device };
    let same = held == name || DEFAULT.contains(&held) && DEFAULT.contains(&name.as_str());
    let seconds = state.limit.as_secs_f64();
    if state.limit.is_zero() {
        let usual = RUNTIME_WATCHDOG.as_secs();
        (
            false,
            format!("systemd does not feed {name}: write RuntimeWatchdogSec={usual} into /etc/systemd/system.conf"),
        )
    } else if !same {
        let text = format!(
            "systemd feeds {held}, ha.cf names {name}: write WatchdogDevice={name} under [Manager] into \
             /etc/systemd/system.conf.d/watchdog.conf, and restart the machine"
        );
        (false, text)
    } else if state.armed_before {
        (true, format!("Using watchdog device: {name} (systemd's, {seconds} s, as it was)"))
    } else {
        (true, format!("Using watchdog device: {name} (by systemd: the machine resets {seconds} s after it hangs)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(device: &str, seconds: u64, armed_before: bool) -> MachineWatchdog {
        MachineWatchdog { armed_before, limit: Duration::from_secs(seconds), device: device.to_owned() }
    }

    #[test]
    fn a_watchdog_that_is_not_the_one_of_ha_cf_is_named_with_its_remedy() {
        let dev = Path::new("/dev/watchdog");
        for held in ["", "/dev/watchdog", "/dev/watchdog0"] {
            let (good, text) = verdict(dev, &state(held, 20, false));
            assert!(good && text.contains("Using watchdog device: /dev/watchdog (by systemd"), "{text}");
        }
        let (good, text) = verdict(dev, &state("", 60, true));
        assert!(good && text.contains("60 s, as it was"), "{text}");
        let (good, text) = verdict(Path::new("/dev/watchdog1"), &state("/dev/watchdog0", 20, false));
        assert!(!good && text.contains("WatchdogDevice=/dev/watchdog1"), "{text}");
        let (good, text) = verdict(dev, &state("", 0, false));
        assert!(!good && text.contains("RuntimeWatchdogSec=20"), "{text}");
    }
}
