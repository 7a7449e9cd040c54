//! The machine's watchdog in hbd's own hand, as Heartbeat holds it (04 §10): `feeder = "hbd"` under `[watchdog]` in
//! hbd.toml.
//!
//! Owns the device and a thread, because a driver may block. It is fed when the core has answered, disarmed when
//! everything was released or hbd could not start, left armed for a successor that takes up what runs, and armed as
//! well when hbd is killed: the machine resets then unless another one feeds it. Never opened where PID 1 feeds it
//! ([`super::watchdog`]).
#![expect(unsafe_code, reason = "nothing among our dependencies wraps WDIOC_SETTIMEOUT")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use log::{info, warn};

use crate::config::Timing;

/// `_IOWR('W', 6, int)` of linux/watchdog.h: sets the time-out in seconds and tells which one it became.
const WDIOC_SETTIMEOUT: libc::c_ulong = 0xc004_5706;
/// What the driver takes as "do not reset when this is closed" (the "magic close" of watchdog-api.rst).
const DISARM: &[u8] = b"V";
/// Any other byte says that we live.
const FEED: &[u8] = b"\0";

/// What the thread is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Feed,
    Disarm,
    Leave,
}

/// The watchdog, armed. Dropping it disarms it, and returns when that is done.
#[derive(Debug)]
pub struct OwnWatchdog {
    orders: Sender<Order>,
    thread: Option<JoinHandle<()>>,
}

/// What feeds it.
#[derive(Debug, Clone)]
pub struct Food(Sender<Order>);

impl Food {
    /// The core has answered. Never blocks.
    pub fn give(&self) {
        // A device that could not be written to is closed, which was said.
        let _ = self.0.send(Order::Feed);
    }
}

impl OwnWatchdog {
    /// Opens and arms the device; says why if that fails, and hbd runs without one, as Heartbeat does.
    pub fn arm(device: &Path, timing: &Timing) -> Option<OwnWatchdog> {
        let file = match OpenOptions::new().write(true).open(device) {
            Ok(file) => file,
            Err(error) => {
                warn!("Cannot open watchdog device: {}: {error}. {}", device.display(), remedy(&error));
                return None;
            }
        };
        let wanted = time_out(timing);
        match set_time_out(&file, wanted) {
            Ok(set) => {
                info!("Using watchdog device: {} (the machine resets {set} s after hbd hangs)", device.display())
            }
            Err(error) => warn!(
                "Using watchdog device: {}. WDIOC_SETTIMEOUT: Failed to set watchdog timer to {wanted} seconds: {error}. \
                 The driver's own time-out counts",
                device.display()
            ),
        }
        if no_way_out(device) {
            warn!(
                "{} cannot be disarmed (nowayout): a stop of hbd resets this machine. Load its driver with nowayout=0, or \
                 let systemd feed it: feeder = \"systemd\" under [watchdog] in /etc/hbd/hbd.toml",
                device.display()
            );
        }
        let (orders, received) = channel();
        let name = device.display().to_string();
        let thread =
            thread::Builder::new().name("watchdog".to_owned()).spawn(move || keep(file, &received, &name)).ok()?;
        let armed = OwnWatchdog { orders, thread: Some(thread) };
        armed.food().give();
        Some(armed)
    }

    /// What the core's notices go through.
    pub fn food(&self) -> Food {
        Food(self.orders.clone())
    }

    /// Closes the device and leaves it armed: a successor must feed it in time.
    pub fn leave(mut self) {
        self.end(Order::Leave);
    }

    fn end(&mut self, order: Order) {
        if let Some(thread) = self.thread.take() {
            // It ends with the order, or has ended because the device failed.
            let _ = self.orders.send(order);
            let _ = thread.join();
        }
    }
}

impl Drop for OwnWatchdog {
    fn drop(&mut self) {
        self.end(Order::Disarm);
    }
}

/// Seconds, at least 1: not above the peers' dead time, so that a machine that hangs is gone before they take over.
fn time_out(timing: &Timing) -> libc::c_int {
    let limit = timing.deadtime.saturating_sub(timing.keepalive).as_secs().max(1);
    libc::c_int::try_from(limit).unwrap_or(libc::c_int::MAX)
}

/// How often it wants to be fed.
pub fn period(timing: &Timing) -> Duration {
    Duration::from_secs(u64::try_from(time_out(timing)).unwrap_or(1)) / 3
}

fn set_time_out(file: &File, seconds: libc::c_int) -> io::Result<libc::c_int> {
    let mut value = seconds;
    // SAFETY: the request takes a pointer to an int, which `value` is and which outlives the call; the descriptor
    // is open.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), WDIOC_SETTIMEOUT, &raw mut value) };
    if result == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

fn remedy(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => {
            "Load its driver (modprobe softdog, or that of the board: iTCO_wdt, i6300esb, …) at boot: /etc/modules-load.d"
        }
        Some(libc::EBUSY) => {
            "Somebody else feeds it: systemd with RuntimeWatchdogSec= in /etc/systemd/system.conf, or another daemon"
        }
        _ => "hbd.service allows /dev/watchdog and what is called watchdog in /proc/devices (DeviceAllow=)",
    }
}

/// Whether the driver forbids what [`DISARM`] asks for, as far as the kernel tells (CONFIG_WATCHDOG_SYSFS).
fn no_way_out(device: &Path) -> bool {
    let name = device.file_name().unwrap_or_default().to_string_lossy();
    let name = if name == "watchdog" { "watchdog0".into() } else { name };
    fs::read_to_string(format!("/sys/class/watchdog/{name}/nowayout")).is_ok_and(|text| text.trim() == "1")
}

fn keep(mut file: File, orders: &Receiver<Order>, name: &str) {
    for order in orders {
        let bytes = match order {
            Order::Feed => FEED,
            Order::Disarm => DISARM,
            Order::Leave => return,
        };
        if let Err(error) = file.write_all(bytes) {
            warn!("Watchdog write failure: closing {name}! {error}");
            return;
        }
        if order == Order::Disarm {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(keepalive: u64, deadtime: u64) -> Timing {
        let [keepalive, deadtime] = [keepalive, deadtime].map(Duration::from_millis);
        Timing {
            keepalive,
            deadtime,
            warntime: deadtime,
            initdead: deadtime,
            deadping: deadtime,
            max_rexmit_delay: keepalive,
        }
    }

    /// A file takes bytes as a device does, and keeps them.
    fn written(end: impl FnOnce(OwnWatchdog)) -> Vec<u8> {
        let file = tempfile::NamedTempFile::new().unwrap();
        let armed = OwnWatchdog::arm(file.path(), &timing(1000, 4000)).unwrap();
        armed.food().give();
        end(armed);
        fs::read(file.path()).unwrap()
    }

    #[test]
    fn it_is_fed_and_disarmed_last() {
        assert_eq!(written(drop), b"\0\0V");
    }

    #[test]
    fn a_successor_finds_it_armed() {
        assert_eq!(written(OwnWatchdog::leave), b"\0\0");
    }

    #[test]
    fn the_machine_resets_before_the_peers_take_over() {
        assert_eq!(time_out(&timing(2000, 30_000)), 28);
        assert_eq!(time_out(&timing(1000, 3500)), 2);
        assert_eq!(time_out(&timing(200, 900)), 1);
        assert_eq!(period(&timing(1000, 4000)), Duration::from_secs(1));
    }

    #[test]
    fn a_device_that_is_not_there_is_none() {
        assert!(OwnWatchdog::arm(Path::new("/dev/no-such-watchdog"), &timing(1000, 4000)).is_none());
        assert!(remedy(&io::Error::from_raw_os_error(libc::EBUSY)).contains("RuntimeWatchdogSec="));
        assert!(remedy(&io::Error::from_raw_os_error(libc::ENOENT)).contains("modprobe"));
    }
}
