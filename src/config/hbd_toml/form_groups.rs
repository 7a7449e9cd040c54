//! The tables `[[group]]` of hbd.toml: what a line of haresources says, and what `[groups."KEY"]` says of the group.
//!
//! Owns the keys that stand for the line. What its words mean is judged by the reader of haresources.

use toml::de::DeTable;

use super::source::TomlText;
use super::words::WordReader;
use crate::config::diagnostic::{FileWord, Findings};
use crate::config::form::{ClusterForm, WrittenTable};
use crate::config::value::nearest;

/// The keys that stand for the line of haresources.
pub(super) const KEYS: [&str; 2] = ["node", "resources"];
const HELP: &str =
    "write node = \"NODE\" and resources = [\"10.0.0.9/24/eth0\", \"nginx\"] below [[group]], for example";

/// Reads one `[[group]]`. Gives the name of the group, for what else the table says.
pub(super) fn read(
    table: &DeTable<'_>,
    at: &FileWord,
    source: &TomlText<'_>,
    form: &mut ClusterForm,
    findings: &mut Findings,
) -> Option<String> {
    let values = KEYS.map(|key| table.get(key));
    let [Some(node), Some(resources)] = values else {
        let missing = KEYS.into_iter().zip(values).filter(|(_, value)| value.is_none()).map(|(key, _)| key);
        let missing: Vec<&str> = missing.collect();
        let misspelt = table.keys().find_map(|key| {
            let near = nearest(key.get_ref(), missing.iter().copied())?;
            Some(format!("did you mean `{near}` with `{}`?", key.get_ref()))
        });
        let names: Vec<_> = missing.iter().map(|key| format!("`{key}`")).collect();
        let message = format!("[[group]] has no {}", names.join(" and no "));
        findings.error(at, message, misspelt.unwrap_or_else(|| HELP.to_owned()));
        return None;
    };
    let mut reader = WordReader { table: "[[group]]", source, findings };
    let (node, resources) = (reader.word("node", node), reader.list("resources", resources));
    let (node, resources) = (node?, resources?);
    let key = resources.first()?.text.clone();
    form.groups.push(WrittenTable { node, resources });
    Some(key)
}
