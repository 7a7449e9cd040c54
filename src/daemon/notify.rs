//! What systemd is told: READY=1, STATUS=, WATCHDOG=1, RELOADING=1, STOPPING=1 (sd_notify(3)).
//!
//! Owns a thread, because the datagram may block when PID 1 is busy, and the core must not. WATCHDOG=1 goes out
//! only for an [`ServiceNotice::Alive`], which only the core sends, after it has answered an event. READY=1 waits a
//! moment for the bus, so that the program that has started hbd can ask it.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use sd_notify::NotifyState;

use super::own_watchdog::Food;
use crate::util::text::printable;

/// How much longer systemd is to wait while groups are being stopped.
const EXTENSION: Duration = Duration::from_secs(90);
/// How long the first READY=1 waits for the interface. The cluster needs no bus.
const SHOWN_LIMIT: Duration = Duration::from_secs(2);

/// One thing to tell.
#[derive(Debug)]
pub enum ServiceNotice {
    /// The sockets are open, or a reload has ended.
    Ready,
    /// org.hbd1 is on the bus, or cannot be.
    Shown,
    /// The core answered.
    Alive,
    /// The line that `systemctl status` shows.
    Status(String),
    /// A reload begins; [`ServiceNotice::Ready`] ends it.
    Reloading,
    /// After a reload that replaced the process: WatchdogSec= is what it was.
    Guarded,
    /// A stop was asked for.
    Stopping,
    /// Groups are still being stopped: do not lose patience.
    StillStopping,
}

/// The notifying thread's end of the channel.
#[derive(Debug, Clone)]
pub struct Notifier {
    notices: Sender<ServiceNotice>,
    food: Option<Food>,
}

impl Notifier {
    /// Starts the thread. `food`: what keeps the machine's watchdog quiet, where hbd feeds it.
    ///
    /// # Errors
    /// When no thread can be made.
    pub fn spawn(food: Option<Food>) -> std::io::Result<Notifier> {
        let (sender, receiver) = channel();
        thread::Builder::new().name("notify".to_owned()).spawn(move || tell(&receiver))?;
        Ok(Notifier { notices: sender, food })
    }

    /// Queues a notice. Never blocks.
    pub fn send(&self, notice: ServiceNotice) {
        if let (ServiceNotice::Alive, Some(food)) = (&notice, &self.food) {
            food.give();
        }
        // The thread lives as long as the process; without it there is nobody to complain to.
        let _ = self.notices.send(notice);
    }
}

/// How often the core should say that it is alive: a third of WatchdogSec=. `None` without a watchdog.
pub fn watchdog_period() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 3)
}

/// Whether the first READY=1 may be said.
#[derive(Debug, Default)]
struct Readiness {
    shown: bool,
    /// Until when a READY=1 that could be said is kept.
    kept_until: Option<Instant>,
}

impl Readiness {
    /// What is to be said now that `notice` has come.
    fn pass(&mut self, notice: ServiceNotice, now: Instant) -> Option<ServiceNotice> {
        match notice {
            ServiceNotice::Ready if !self.shown => {
                self.kept_until = Some(now + SHOWN_LIMIT);
                None
            }
            ServiceNotice::Shown => {
                self.shown = true;
                self.kept_until.take().map(|_| ServiceNotice::Ready)
            }
            ServiceNotice::Stopping => {
                self.kept_until = None;
                Some(notice)
            }
            notice => Some(notice),
        }
    }

    /// The next notice, or that we have waited long enough; `None` at the end of the process.
    fn next(&self, notices: &Receiver<ServiceNotice>) -> Option<ServiceNotice> {
        let Some(until) = self.kept_until else { return notices.recv().ok() };
        match notices.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Err(RecvTimeoutError::Timeout) => Some(ServiceNotice::Shown),
            notice => notice.ok(),
        }
    }
}

/// The line of a status. A line of its own in it would be another assignment for systemd, as MAINPID=.
fn status_text(notice: &ServiceNotice) -> String {
    match notice {
        ServiceNotice::Status(line) => printable(line),
        _ => String::new(),
    }
}

fn tell(notices: &Receiver<ServiceNotice>) {
    let mut readiness = Readiness::default();
    while let Some(notice) = readiness.next(notices) {
        let Some(notice) = readiness.pass(notice, Instant::now()) else { continue };
        let line = status_text(&notice);
        let states = match notice {
            ServiceNotice::Ready => vec![NotifyState::Ready],
            // Ours to know.
            ServiceNotice::Shown => continue,
            ServiceNotice::Alive => vec![NotifyState::Watchdog],
            ServiceNotice::Status(_) => vec![NotifyState::Status(&line)],
            ServiceNotice::Reloading => match NotifyState::monotonic_usec_now() {
                Ok(now) => vec![NotifyState::Reloading, now],
                Err(_) => vec![NotifyState::Reloading],
            },
            ServiceNotice::Guarded => match sd_notify::watchdog_enabled() {
                Some(limit) => {
                    let limit = u32::try_from(limit.as_micros()).unwrap_or(u32::MAX);
                    vec![NotifyState::WatchdogUsec(limit), NotifyState::Watchdog]
                }
                None => continue,
            },
            ServiceNotice::Stopping => vec![NotifyState::Stopping],
            ServiceNotice::StillStopping => {
                vec![NotifyState::ExtendTimeoutUsec(u32::try_from(EXTENSION.as_micros()).unwrap_or(u32::MAX))]
            }
        };
        // Without systemd there is no socket, and nobody who waits for it.
        let _ = sd_notify::notify(&states);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_started_hbd_can_ask_it() {
        let (sender, receiver) = channel();
        let mut readiness = Readiness::default();
        let now = Instant::now();
        assert!(readiness.pass(ServiceNotice::Ready, now).is_none(), "the interface is not on the bus yet");
        assert!(matches!(readiness.pass(ServiceNotice::Alive, now), Some(ServiceNotice::Alive)));
        sender.send(ServiceNotice::Shown).unwrap();
        let shown = readiness.next(&receiver).unwrap();
        assert!(matches!(readiness.pass(shown, now), Some(ServiceNotice::Ready)));
        assert!(matches!(readiness.pass(ServiceNotice::Ready, now), Some(ServiceNotice::Ready)), "after a reload");
        assert!(readiness.pass(ServiceNotice::Shown, now).is_none(), "once");
    }

    #[test]
    fn a_status_is_one_line() {
        let notice = ServiceNotice::Status("UDP port 694 is taken by x\nMAINPID=1\r\x1b[2J".to_owned());
        assert_eq!(status_text(&notice), "UDP port 694 is taken by x\\nMAINPID=1\\r\\u{1b}[2J");
    }

    #[test]
    fn who_stops_is_not_ready_any_more() {
        let mut readiness = Readiness::default();
        assert!(readiness.pass(ServiceNotice::Ready, Instant::now()).is_none());
        assert!(matches!(readiness.pass(ServiceNotice::Stopping, Instant::now()), Some(ServiceNotice::Stopping)));
        assert!(readiness.pass(ServiceNotice::Shown, Instant::now()).is_none());
    }

    #[test]
    fn a_bus_that_does_not_answer_keeps_no_service_from_starting() {
        let (sender, receiver) = channel();
        let long_ago = Instant::now().checked_sub(SHOWN_LIMIT).unwrap();
        let mut readiness = Readiness::default();
        assert!(readiness.pass(ServiceNotice::Ready, long_ago).is_none());
        let waited = readiness.next(&receiver).unwrap();
        assert!(matches!(readiness.pass(waited, Instant::now()), Some(ServiceNotice::Ready)));
        drop(sender);
        assert!(readiness.next(&receiver).is_none());
    }
}
