//! The table `[record]` of hbd.toml: whether, and how much of, what happened is kept for `hbd --replay`.

use toml::de::DeTable;

use super::source::{TomlText, scalar_text};
use crate::config::diagnostic::Findings;
use crate::config::types::Recording;
use crate::config::value::{ValueKind, nearest};

/// The keys with what they take. Less than two megabytes would hold little more than the state a file begins with.
const KEYS: [(&str, ValueKind); 2] =
    [("enabled", ValueKind::Bool), ("megabytes", ValueKind::Integer { min: 2, max: 65_536, unit: "megabytes" })];

/// Reads the table over what a file before it said.
pub(super) fn read(table: &DeTable<'_>, source: &TomlText<'_>, recording: &mut Recording, findings: &mut Findings) {
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        let Some((name, kind)) = KEYS.iter().find(|(known, _)| *known == name) else {
            let help = match nearest(name, KEYS.map(|(known, _)| known)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "keys of [record] are enabled and megabytes".to_owned(),
            };
            findings.error(&source.word(key.span()), format!("unknown key `{name}` in [record]"), help);
            continue;
        };
        let at = source.word(value.span());
        let found = value.get_ref();
        let Some(text) = scalar_text(found) else {
            let message = format!("bad value for `{name}` in [record]: {} instead of one value", found.type_str());
            findings.error(&at, message, format!("write {name} = {}", default_of(name)));
            continue;
        };
        match kind.parse(&text) {
            Ok(accepted) => {
                recording.enabled = accepted.value.to_bool().unwrap_or(recording.enabled);
                let number = accepted.value.to_u128().and_then(|number| u64::try_from(number).ok());
                recording.megabytes = number.unwrap_or(recording.megabytes);
            }
            Err(refused) => {
                findings.error(&at, format!("bad value for `{name}` in [record]: {}", refused.why), refused.help);
            }
        }
    }
}

fn default_of(name: &str) -> String {
    let recording = Recording::default();
    if name == "enabled" { recording.enabled.to_string() } else { recording.megabytes.to_string() }
}
