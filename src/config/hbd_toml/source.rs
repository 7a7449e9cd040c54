//! The text of a TOML file: spans become places, single values become text as ha.cf would have it.
//!
//! Owns what all tables have in common. Does not know what a key means.

use std::path::Path;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use crate::config::diagnostic::{FileWord, Findings, Location};
use crate::config::text::name_of_unseen;
use crate::config::value::{ValueKind, nearest};

/// The text of a TOML file, with which byte spans become places.
pub(super) struct TomlText<'a> {
    file: Arc<Path>,
    text: &'a str,
}

impl<'a> TomlText<'a> {
    pub(super) fn new(path: &Path, text: &'a str) -> TomlText<'a> {
        TomlText { file: path.into(), text }
    }

    /// The place of a span whose text may be a secret.
    pub(super) fn place(&self, span: std::ops::Range<usize>) -> FileWord {
        let mut place = self.word(span);
        place.text.clear();
        place
    }

    /// The place where a file is no TOML. What stands there is kept only if it can be no password.
    pub(super) fn mistake(&self, span: std::ops::Range<usize>) -> FileWord {
        let at = self.word(span.clone());
        if at.location.source.is_some() { at } else { self.place(span) }
    }

    /// The first character of a span that cannot be seen, as a place, and what it is. Those of ASCII are TOML's
    /// affair, and an emoji has selectors and joiners of its own.
    pub(super) fn unseen(&self, span: std::ops::Range<usize>) -> Option<(FileWord, String)> {
        let text = self.text.get(span.clone())?;
        let mut before = ' ';
        let found = text.char_indices().find_map(|(at, c)| {
            let drawn = !before.is_ascii() || before.is_ascii_digit() || matches!(before, '#' | '*');
            let joins = matches!(c, '\u{200d}' | '\u{fe0e}' | '\u{fe0f}') && drawn;
            before = c;
            Some((at, c, name_of_unseen(c).filter(|_| !c.is_ascii() && !joins)?))
        });
        let (at, c, name) = found?;
        let start = span.start + at;
        let place = self.mistake(start..start + c.len_utf8());
        Some((place, format!("{name} (U+{:04X}), which cannot be seen", u32::from(c))))
    }

    /// Whether a span has no other character that cannot be seen than no-break spaces.
    pub(super) fn only_no_break_spaces(&self, span: std::ops::Range<usize>) -> bool {
        let text = self.text.get(span).unwrap_or_default();
        text.chars().all(|c| c.is_ascii() || matches!(c, '\u{a0}' | '\u{202f}') || name_of_unseen(c).is_none())
    }

    /// The line in which a byte stands, without the byte order mark, which TOML allows at the beginning of a file.
    pub(super) fn line_of(&self, at: usize) -> std::ops::Range<usize> {
        let before = self.text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
        let after =
            self.text.get(before..).and_then(|rest| rest.find('\n')).map_or(self.text.len(), |end| before + end);
        let mark = if self.text[before..].starts_with('\u{feff}') && before == 0 { '\u{feff}'.len_utf8() } else { 0 };
        before + mark..after
    }

    /// Whether this line may have a password: it is a parameter in a table `[fence]`, or looks like one.
    fn is_secret(&self, line_start: usize, line: &str) -> bool {
        let (line, lower) = (line.trim_start(), line.to_ascii_lowercase());
        if line.starts_with('[')
            || ["agent", "stonith ", "stonith=", "timeout"].iter().any(|key| line.starts_with(key))
        {
            return lower.contains("pass");
        }
        let mut tables = self.text[..line_start].lines().map(str::trim_start);
        let table = tables.rfind(|line| line.starts_with('[')).unwrap_or_default();
        let table = table.trim_start_matches('[').trim_start().trim_start_matches(['"', '\'']);
        table.starts_with("fence") || lower.contains("fence") || lower.contains("pass")
    }

    /// The text of a span with its line and column, and the line unless it may have a password. A span over several
    /// lines is cut at the first line's end.
    pub(super) fn word(&self, span: std::ops::Range<usize>) -> FileWord {
        let start =
            (0..=span.start.min(self.text.len())).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0);
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = self.text[line_start..].lines().next().unwrap_or("");
        let end = span.end.min(line_start + line.len());
        FileWord {
            text: self.text.get(start..end).unwrap_or("").to_owned(),
            location: Location {
                file: self.file.clone(),
                line: before.matches('\n').count() + 1,
                column: self.text[line_start..start].chars().count() + 1,
                source: (!self.is_secret(line_start, line)).then(|| line.into()),
            },
        }
    }
}

/// Why a value is not a single one, and what to write instead where that is known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoScalar {
    pub why: String,
    pub help: Option<String>,
}

/// A single value as ha.cf would write it.
///
/// # Errors
/// A table, an array, a date, and a number that is not decimal.
pub(super) fn scalar_text(found: &DeValue<'_>) -> Result<String, NoScalar> {
    match found {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().replace('_', "")),
        DeValue::Integer(number) => {
            let decimal = i128::from_str_radix(number.as_str(), number.radix()).ok();
            let help = decimal.map(|decimal| format!("write it in decimal: {decimal}"));
            Err(NoScalar { why: "the number is not decimal".to_owned(), help })
        }
        DeValue::Float(number) => Ok(number.as_str().replace('_', "")),
        DeValue::Boolean(flag) => Ok(flag.to_string()),
        _ => Err(NoScalar { why: format!("{} instead of one value", found.type_str()), help: None }),
    }
}

/// The hint for an unknown key: the nearest of the known ones, or all of them. `owner` is what has the keys.
pub(super) fn key_hint(key: &str, known: &[&str], owner: &str) -> String {
    match (nearest(key, known.iter().copied()), known) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, [others @ .., last]) if !others.is_empty() => {
            format!("keys of {owner} are {} and {last}", others.join(", "))
        }
        (None, _) => format!("the key of {owner} is {}", known.join("")),
    }
}

/// Reads a table of single values and reports unknown keys and bad values. Gives `take` each legal value as text,
/// times in milliseconds. `others` are keys that the caller reads.
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
            let single = |key: &&&str| !table.get(**key).is_some_and(|value| value.get_ref().is_table());
            let others = others.iter().filter(single).copied();
            let known: Vec<&str> = keys.iter().map(|(known, _)| *known).chain(others).collect();
            let help = key_hint(word, &known, &format!("[{name}]"));
            findings.error(&source.word(key.span()), format!("unknown key `{word}` in [{name}]"), help);
            continue;
        };
        let legal = scalar_text(value.get_ref()).and_then(|text| {
            let accepted = kind.parse(&text);
            accepted.map_err(|refused| NoScalar { why: refused.why, help: Some(refused.help) })
        });
        match legal {
            Ok(accepted) => take(key_name, as_text(&accepted.value)),
            Err(NoScalar { why, help }) => {
                let message = format!("bad value for `{key_name}` in [{name}]: {why}");
                let help = help.unwrap_or_else(|| "write one value behind the equals sign".to_owned());
                findings.error(&source.word(value.span()), message, help);
            }
        }
    }
}

/// A legal value as text.
fn as_text(value: &figment::value::Value) -> String {
    let number = || value.to_u128().map(|number| number.to_string());
    let flag = || value.to_bool().map(|flag| flag.to_string());
    value.as_str().map(str::to_owned).or_else(number).or_else(flag).unwrap_or_default()
}
