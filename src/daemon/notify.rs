//! What systemd is told: READY=1, STATUS=, WATCHDOG=1, RELOADING=1, STOPPING=1 (sd_notify(3)).
//!
//! Owns a thread, because the datagram may block when PID 1 is busy, and the core must not. WATCHDOG=1 goes out only for
//! an [`Notice::Alive`], which only the core sends, after it has answered an event.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use sd_notify::NotifyState;

use super::own_watchdog::Food;

/// How much longer systemd is to wait while groups are being stopped.
const EXTENSION: Duration = Duration::from_secs(90);

/// One thing to tell.
#[derive(Debug)]
pub enum Notice {
    /// The sockets are open.
    Ready,
    /// The core answered.
    Alive,
    /// The line that `systemctl status` shows.
    Status(String),
    /// A reload begins; [`Notice::Ready`] ends it.
    Reloading,
    /// A stop was asked for.
    Stopping,
    /// Groups are still being stopped: do not lose patience.
    StillStopping,
}

/// The notifying thread's end of the channel.
#[derive(Debug, Clone)]
pub struct Notifier {
    notices: Sender<Notice>,
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
    pub fn send(&self, notice: Notice) {
        if let (Notice::Alive, Some(food)) = (&notice, &self.food) {
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

fn tell(notices: &Receiver<Notice>) {
    for notice in notices {
        let states = match notice {
            Notice::Ready => vec![NotifyState::Ready],
            Notice::Alive => vec![NotifyState::Watchdog],
            Notice::Status(ref line) => vec![NotifyState::Status(line)],
            Notice::Reloading => match NotifyState::monotonic_usec_now() {
                Ok(now) => vec![NotifyState::Reloading, now],
                Err(_) => vec![NotifyState::Reloading],
            },
            Notice::Stopping => vec![NotifyState::Stopping],
            Notice::StillStopping => {
                vec![NotifyState::ExtendTimeoutUsec(u32::try_from(EXTENSION.as_micros()).unwrap_or(u32::MAX))]
            }
        };
        // Without systemd there is no socket, and nobody who waits for it.
        let _ = sd_notify::notify(&states);
    }
}
