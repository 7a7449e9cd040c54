//! When groups return to the node that they prefer: `failback_after`, `failback_window` and `start_delay` at the top
//! of hbd.toml, and `failback` in `[groups."KEY"]`.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::source::{NoScalar, TomlText, scalar_text};
use crate::config::diagnostic::{FileWord, Findings};
use crate::config::failback::{DailyWindow, FailbackPolicy};
use crate::config::groups::Group;
use crate::config::settings::LayeredSettings;
use crate::config::types::AutoFailback;
use crate::config::value::{MAX_TIME_MS, ValueKind, boolean};

const AFTER: &str = "failback_after";
const WINDOW: &str = "failback_window";
const START_DELAY: &str = "start_delay";
/// The keys at the top of the file that this module reads.
pub(super) const KEYS: [&str; 3] = [AFTER, WINDOW, START_DELAY];
/// The key of `[groups."KEY"]` that this module reads.
pub(super) const GROUP_KEY: &str = "failback";

/// The keys that the files set. A key replaces the same key of earlier files.
#[derive(Debug, Default)]
pub(in crate::config) struct FailbackKeys {
    after: Option<(Duration, FileWord)>,
    window: Option<(Option<DailyWindow>, FileWord)>,
    start_delay: Option<Duration>,
    groups: BTreeMap<String, bool>,
}

impl FailbackKeys {
    /// Reads one of [`KEYS`].
    pub(super) fn read(&mut self, key: &str, at: FileWord, value: &DeValue<'_>, findings: &mut Findings) {
        let read = scalar_text(value).map_err(|NoScalar { why, help }| (why, help)).and_then(|text| match key {
            AFTER => span(&text).map(|span| self.after = Some((span, at.clone()))),
            WINDOW => window(&text).map(|window| self.window = Some((window, at.clone()))),
            _ => span(&text).and_then(delay).map(|span| self.start_delay = Some(span)),
        });
        if let Err((why, help)) = read {
            let usual = if key == WINDOW { "write failback_window = \"02:00-04:00\"" } else { "write a time" };
            findings.error(&at, format!("bad value for `{key}`: {why}"), help.unwrap_or_else(|| usual.to_owned()));
        }
    }

    /// Reads `failback` of one group, in `[groups."KEY"]` or in `[[group]]`.
    pub(super) fn read_group(
        &mut self,
        key: &str,
        table: &DeTable<'_>,
        source: &TomlText<'_>,
        findings: &mut Findings,
    ) {
        let Some(found) = table.get(GROUP_KEY) else { return };
        match scalar_text(found.get_ref()).ok().as_deref().and_then(boolean) {
            Some(returns) => drop(self.groups.insert(key.to_owned(), returns)),
            None => findings.error(
                &source.word(found.span()),
                "bad value for `failback` of a group",
                "write failback = \"on\" or \"off\"",
            ),
        }
    }

    /// Reports keys that have no effect, because nothing returns by itself.
    pub(super) fn check(&self, layers: &LayeredSettings, findings: &mut Findings) {
        let off = layers.all_accepted(&["auto_failback"]) && layers.settings.auto_failback == AutoFailback::Off;
        if !off || self.groups.values().any(|returns| *returns) {
            return;
        }
        let after = self.after.as_ref().filter(|(after, _)| !after.is_zero()).map(|(_, at)| at);
        let window = self.window.as_ref().filter(|(window, _)| window.is_some()).map(|(_, at)| at);
        for at in after.into_iter().chain(window) {
            let help = "write auto_failback on, or failback = \"on\" in [groups.\"KEY\"]";
            findings.warning(at, "auto_failback is off, so nothing returns by itself and this has no effect", help);
        }
    }

    /// The values in force for these groups.
    pub(in crate::config) fn policy(&self, groups: &[&Group]) -> FailbackPolicy {
        FailbackPolicy {
            after: self.after.as_ref().map(|(after, _)| *after).unwrap_or_default(),
            window: self.window.as_ref().and_then(|(window, _)| *window),
            start_delay: self.start_delay.unwrap_or_default(),
            groups: groups.iter().map(|group| self.groups.get(&group.key).copied()).collect(),
        }
    }
}

/// What is wrong with a value, and what to write instead where that is known.
pub(super) type BadValue = (String, Option<String>);

/// A time as ha.cf has it, or with minutes and hours: `300`, `1500ms`, `5m`, `1h 30m`.
pub(super) fn span(text: &str) -> Result<Duration, BadValue> {
    let bad = || (format!("`{text}` is not a time"), Some("write seconds (300), or 5m, or 1h 30m".to_owned()));
    if let Ok(accepted) = (ValueKind::Time { zero: true }).parse(text) {
        let milliseconds = accepted.value.to_u128().and_then(|number| u64::try_from(number).ok());
        return Ok(Duration::from_millis(milliseconds.unwrap_or_default()));
    }
    let span = text.parse::<jiff::SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok());
    span.filter(|span| span.as_millis() <= u128::from(MAX_TIME_MS)).ok_or_else(bad)
}

/// The peer believes no longer `start_delay` (05 §3.10).
fn delay(span: Duration) -> Result<Duration, BadValue> {
    let most = Duration::from_secs(24 * 3600);
    if span <= most {
        Ok(span)
    } else {
        Err(("it is longer than a day".to_owned(), Some("write 24h or less".to_owned())))
    }
}

/// `HH:MM-HH:MM`, or `any` for no window.
fn window(text: &str) -> Result<Option<DailyWindow>, BadValue> {
    if text == "any" {
        return Ok(None);
    }
    let help = "write two different times of the local clock, as in \"02:00-04:00\" or \"22:30-01:00\", or \"any\"";
    DailyWindow::parse(text).map(Some).ok_or_else(|| (format!("`{text}` is no window"), Some(help.to_owned())))
}
