//! The table `[aliases]` of hbd.toml: words of haresources and the units that they mean.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::source::TomlText;
use crate::config::diagnostic::{FileWord, Findings};
use crate::config::haresources::ipv4::looks_like_address;
use crate::config::haresources::unit_name;

/// For each word of haresources, the unit that it means and the word of hbd.toml that says so.
pub(in crate::config) type Aliases = BTreeMap<String, (String, FileWord)>;

/// Reads the table; its keys replace those of earlier files.
pub(super) fn read(table: &DeTable<'_>, source: &TomlText<'_>, aliases: &mut Aliases, findings: &mut Findings) {
    for (key, value) in table {
        let word = key.get_ref().to_string();
        let at = source.word(key.span());
        let shown = source.word(value.span());
        let DeValue::String(unit) = value.get_ref() else {
            let message = format!("alias `{word}` is not a string");
            findings.error(&shown, message, "write the name of a unit in quotes, for example \"apache2.service\"");
            continue;
        };
        if looks_like_address(&word) {
            let message = format!("`{word}` is an address: it has no unit");
            findings.error(&at, message, "aliases are for the names of services and scripts");
            continue;
        }
        match unit_name::full(unit) {
            Ok(name) if name == unit.as_ref() => {
                aliases.insert(word, (name, at));
            }
            Ok(name) => {
                let message = format!("alias `{word}`: `{unit}` lacks the unit's type");
                findings.error(&shown, message, format!("write \"{name}\""));
            }
            Err(refused) => findings.error(&shown, format!("alias `{word}`: {}", refused.why), refused.help),
        }
    }
}
