//! The text of a TOML file: spans become places, values become the words of ha.cf.
//!
//! Owns what all tables have in common. Never knows what a key means.

use std::path::Path;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use crate::config::diagnostic::{Findings, Location, Word};
use crate::config::value::{ValueKind, nearest};

/// A TOML file, to turn byte spans into places.
pub(super) struct TomlText<'a> {
    file: Arc<Path>,
    text: &'a str,
}

impl<'a> TomlText<'a> {
    pub(super) fn new(path: &Path, text: &'a str) -> TomlText<'a> {
        TomlText { file: path.into(), text }
    }

    /// The text of a span with its line and column. A span over several lines is cut at the first line's end.
    pub(super) fn word(&self, span: std::ops::Range<usize>) -> Word {
        let start =
            (0..=span.start.min(self.text.len())).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0);
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = self.text[line_start..].lines().next().unwrap_or("");
        let end = span.end.min(line_start + line.len());
        Word {
            text: self.text.get(start..end).unwrap_or("").to_owned(),
            location: Location {
                file: self.file.clone(),
                line: before.matches('\n').count() + 1,
                column: self.text[line_start..start].chars().count() + 1,
                source: Some(line.into()),
            },
        }
    }
}

/// The text of a single value as ha.cf would have it; `None` for anything else.
pub(super) fn scalar_text(found: &DeValue<'_>) -> Option<String> {
    match found {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().replace('_', "")),
        DeValue::Float(number) => Some(number.as_str().replace('_', "")),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// Hands each legal value of a table over as text; times in milliseconds.
pub(super) fn read_values(
    name: &str,
    keys: &[(&str, ValueKind)],
    others: &[&str],
    table: &DeTable<'_>,
    source: &TomlText<'_>,
    findings: &mut Findings,
    mut take: impl FnMut(&str, String),
) {
    for (key, value) in table {
        let word = key.get_ref().as_ref();
        if others.contains(&word) {
            continue;
        }
        let Some((key_name, kind)) = keys.iter().find(|(known, _)| *known == word) else {
            let known = keys.iter().map(|(known, _)| *known).chain(others.iter().copied());
            let help = match nearest(word, known.clone()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("keys of [{name}] are {}", known.collect::<Vec<_>>().join(", ")),
            };
            findings.error(&source.word(key.span()), format!("unknown key `{word}` in [{name}]"), help);
            continue;
        };
        let at = source.word(value.span());
        let found = value.get_ref();
        let Some(text) = scalar_text(found) else {
            let message =
                format!("bad value for `{key_name}` in [{name}]: {} instead of one value", found.type_str());
            findings.error(&at, message, "write one value behind the equals sign");
            continue;
        };
        match kind.parse(&text) {
            Ok(accepted) => take(key_name, as_text(&accepted.value)),
            Err(refused) => {
                findings.error(&at, format!("bad value for `{key_name}` in [{name}]: {}", refused.why), refused.help);
            }
        }
    }
}

fn as_text(value: &figment::value::Value) -> String {
    let number = || value.to_u128().map(|number| number.to_string());
    let flag = || value.to_bool().map(|flag| flag.to_string());
    value.as_str().map(str::to_owned).or_else(number).or_else(flag).unwrap_or_default()
}
