//! The table `[health]` of hbd.toml: what happens when a unit fails.

use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::source::{TomlText, read_values, scalar_text};
use crate::config::diagnostic::{FileWord, Findings};
use crate::config::haresources::WrittenGroup;
use crate::config::types::{Health, WhenStopped};
use crate::config::value::{ValueKind, nearest};

const TIME: ValueKind = ValueKind::Time { zero: false };
pub(in crate::config) const HEALTH_KEYS: &[(&str, ValueKind)] = &[
    ("enabled", ValueKind::Bool),
    ("restarts", ValueKind::Integer { min: 0, max: 1000, unit: "restarts" }),
    ("within", TIME),
    ("stopped", ValueKind::Choice(&[("leave", "leave"), ("restart", "restart")])),
];
/// The key with a list of groups; all others have a single value.
const EXCEPT: &str = "except";

/// The table.
#[derive(Debug, Default)]
pub(in crate::config) struct ServiceTables {
    /// `[health]`.
    pub health: Health,
    /// The words of `except`.
    excepted: Vec<FileWord>,
}

impl ServiceTables {
    /// Reads `[health]`; its keys replace those of earlier files, and `except` adds to theirs.
    pub(super) fn read_health(&mut self, table: &DeTable<'_>, source: &TomlText<'_>, findings: &mut Findings) {
        let health = &mut self.health;
        read_values("health", HEALTH_KEYS, &[EXCEPT], table, source, findings, |key, value| match key {
            "enabled" => health.enabled = value == "true",
            "stopped" => {
                health.stopped = if value == "restart" { WhenStopped::Restart } else { WhenStopped::Leave };
            }
            "restarts" => health.restarts = value.parse().unwrap_or(health.restarts),
            _ => health.within = milliseconds(&value),
        });
        if let Some(list) = table.get(EXCEPT) {
            let words = match list.get_ref() {
                DeValue::Array(list) => {
                    list.iter().map(|one| (scalar_text(one.get_ref()).ok(), one.span())).collect()
                }
                _ => vec![(None, list.span())],
            };
            for (text, span) in words {
                let mut at = source.word(span);
                match text {
                    Some(text) => {
                        at.text = text;
                        self.excepted.push(at);
                    }
                    None => findings.error(
                        &at,
                        "`except` in [health] is a list of groups",
                        "write except = [\"FIRST RESOURCE OF THE LINE\"]",
                    ),
                }
            }
        }
    }

    /// Hands `except` over to the health policy, and reports words in it that name no group.
    pub(in crate::config) fn match_groups(&mut self, groups: &[WrittenGroup], findings: &mut Findings) {
        let keys = || groups.iter().map(|found| found.group.key.as_str());
        for word in &self.excepted {
            if !keys().any(|key| key == word.text) {
                let help = match nearest(&word.text, keys()) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => "write the first resource of a line of haresources, as it stands there".to_owned(),
                };
                findings.warning(word, format!("no group begins with `{}`", word.text), help);
            }
        }
        self.health.except = self.excepted.iter().map(|word| word.text.clone()).collect();
    }
}

fn milliseconds(text: &str) -> Duration {
    Duration::from_millis(text.parse().unwrap_or_default())
}
