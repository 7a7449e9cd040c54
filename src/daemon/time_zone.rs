//! How far the local clock is ahead of UTC, for what hbd.toml says by the time of day (`failback_window`).
//!
//! Owns a thread of its own, because the time zone is read from disk. Never tells the time: the core has a clock.

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::mpsc::UnboundedSender;

use super::input::Input;

/// How often it is looked at: daylight saving time is noticed by then. A new /etc/localtime is read by jiff within
/// five minutes more.
const PERIOD: Duration = Duration::from_secs(60);

/// The seconds by which the local clock is ahead now.
fn utc_offset() -> i32 {
    TimeZone::system().to_offset(Timestamp::now()).seconds()
}

/// Tells the core at once, and at each change from then on, until it has ended.
///
/// # Errors
/// When no thread can be started.
pub fn watch(inputs: UnboundedSender<Input>) -> io::Result<()> {
    let tell = move || {
        let mut told = None;
        loop {
            let utc_offset = utc_offset();
            if told != Some(utc_offset) && inputs.send(Input::LocalClock { utc_offset }).is_err() {
                return;
            }
            told = Some(utc_offset);
            std::thread::sleep(PERIOD);
        }
    };
    std::thread::Builder::new().name("time-zone".to_owned()).spawn(tell).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc::unbounded_channel;

    #[tokio::test]
    async fn the_core_is_told_at_once() {
        let (sender, mut inputs) = unbounded_channel();
        watch(sender).unwrap();
        let told = inputs.recv().await;
        assert!(matches!(told, Some(Input::LocalClock { utc_offset }) if utc_offset.abs() <= 26 * 3600), "{told:?}");
    }
}
