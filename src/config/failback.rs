//! When groups return to the node that they prefer: what hbd.toml adds to `auto_failback`.
//!
//! Owns the values and their texts. When something returns is decided by the core.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// `failback_after`, `failback_window`, `start_delay`, and `failback` of each group.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FailbackPolicy {
    /// How long the preferred node must have been well before a group returns to it.
    pub after: Duration,
    /// At which times of day groups return; `None` at any.
    pub window: Option<DailyWindow>,
    /// How long after its own start a node is given nothing back that the other node serves.
    pub start_delay: Duration,
    /// What each group says of itself instead of `auto_failback`, in the order of haresources.
    pub groups: Vec<Option<bool>>,
}

/// A span of every day, by the local clock. It may go past midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DailyWindow {
    /// The first minute that is in it, counted from midnight, 0–1439.
    pub from: u16,
    /// The first minute that is not in it any more, 0–1439; never equal to `from`.
    pub to: u16,
}

impl DailyWindow {
    /// Reads `HH:MM-HH:MM`; `None` if `text` is not that, or names the same time twice.
    pub fn parse(text: &str) -> Option<DailyWindow> {
        let (from, to) = text.split_once('-')?;
        let (from, to) = (minute(from.trim())?, minute(to.trim())?);
        (from != to).then_some(DailyWindow { from, to })
    }

    /// Whether a local clock shows a time in the window. `seconds` since midnight, 0–86399.
    pub fn contains(self, seconds: u32) -> bool {
        let (from, to) = (u32::from(self.from) * 60, u32::from(self.to) * 60);
        if from < to { (from..to).contains(&seconds) } else { seconds >= from || seconds < to }
    }
}

/// `HH:MM`, counted from midnight.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str, below: u16| {
        let digits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|number| digits && *number < below)
    };
    (minute.len() == 2).then_some(())?;
    Some(number(hour, 24)? * 60 + number(minute, 60)?)
}

/// `HH:MM-HH:MM`, as [`DailyWindow::parse`] reads it.
impl fmt::Display for DailyWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        write!(f, "{}-{}", clock(self.from), clock(self.to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_ends_before_its_last_minute_and_may_go_past_midnight() {
        let night = DailyWindow::parse("02:00-04:00").unwrap();
        let at = |hour: u32, minute: u32| hour * 3600 + minute * 60;
        assert!(night.contains(at(2, 0)) && night.contains(at(4, 0) - 1));
        assert!(!night.contains(at(2, 0) - 1) && !night.contains(at(4, 0)));
        let midnight = DailyWindow::parse("23:30-1:05").unwrap();
        assert!(midnight.contains(at(23, 30)) && midnight.contains(0) && midnight.contains(at(1, 5) - 1));
        assert!(!midnight.contains(at(1, 5)) && !midnight.contains(at(12, 0)));
        assert_eq!(midnight.to_string(), "23:30-01:05");
    }

    #[test]
    fn what_is_no_window_is_not_read() {
        for text in ["", "02:00", "02:00-02:00", "2-4", "24:00-01:00", "01:60-02:00", "1:5-2:00", "+1:00-2:00", "a-b"]
        {
            assert_eq!(DailyWindow::parse(text), None, "{text}");
        }
    }
}
