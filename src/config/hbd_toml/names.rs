//! `name` in `[groups."KEY"]` and `[[group]]`: what people call a group instead of its first resource.
//!
//! Owns which names there may be: a name must not be taken for anything else that stands in its place on a command
//! line. The key stays the group's name on the wire.

use std::collections::BTreeMap;

use toml::de::DeTable;

use super::source::{TomlText, scalar_text};
use crate::config::diagnostic::{FileWord, Findings};
use crate::config::groups::Group;

/// The key that this module reads.
pub(super) const GROUP_KEY: &str = "name";
/// The words that stand for sets of groups on command lines and in Heartbeat's messages (03 §1).
const SCOPES: [&str; 5] = ["all", "local", "foreign", "failback", "none"];
/// The longest name, bytes: a target's name may have 255, in which systemd writes `-` in four.
const LONGEST: usize = 56;

/// The names of the groups, by their keys.
#[derive(Debug, Default)]
pub(in crate::config) struct NameTable(BTreeMap<String, FileWord>);

impl NameTable {
    /// Reads the name of one group; it replaces that of earlier files.
    pub(super) fn read_group(
        &mut self,
        key: &str,
        table: &DeTable<'_>,
        source: &TomlText<'_>,
        findings: &mut Findings,
    ) {
        let Some(found) = table.get(GROUP_KEY) else { return };
        let at = source.word(found.span());
        let refused = match found.get_ref().as_str().map(|_| scalar_text(found.get_ref())) {
            Some(Ok(text)) => match why_unfit(&text) {
                None => {
                    self.0.insert(key.to_owned(), FileWord { text, ..at });
                    return;
                }
                Some(why) => format!("`{text}` cannot be the name of a group: {why}"),
            },
            _ => "bad value for `name` of a group".to_owned(),
        };
        let help = format!("write name = \"web\": letters of ASCII, digits, `-`, `_` and `.`, at most {LONGEST}");
        findings.error(&at, refused, help);
    }

    /// Reports names that are also something else.
    pub(in crate::config) fn check(&self, groups: &[&Group], nodes: &[FileWord], findings: &mut Findings) {
        let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
        // In the order of the groups, so that the second one of two is told.
        for (key, at) in groups.iter().filter_map(|group| self.0.get_key_value(&group.key)) {
            let name = at.text.as_str();
            let other = |group: &&&Group| group.key == *name && group.key != *key;
            let taken = if nodes.iter().any(|node| node.text.eq_ignore_ascii_case(name)) {
                Some(format!("`{name}` is the name of a node, and cannot be that of a group as well"))
            } else if groups.iter().any(|group| other(&group)) {
                Some(format!("`{name}` is the first resource of another group, by which that group is named"))
            } else {
                owners.insert(name, key).map(|first| format!("`{name}` is the name of the group {first} already"))
            };
            if let Some(taken) = taken {
                findings.error(at, taken, "give each group a name of its own");
            }
        }
    }

    /// The name of each of these groups; `None` for one that is named by its key.
    pub(in crate::config) fn names(&self, groups: &[&Group]) -> Vec<Option<String>> {
        let name = |group: &&Group| self.0.get(&group.key).map(|at| at.text.clone());
        groups.iter().map(name).collect()
    }
}

/// Why a text cannot be a name by itself.
fn why_unfit(text: &str) -> Option<&'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if text.is_empty() {
        Some("it is empty")
    } else if !text.bytes().all(allowed) {
        Some("it has a character that a name cannot have")
    } else if !text.as_bytes()[0].is_ascii_alphanumeric() {
        Some("it does not begin with a letter or a digit")
    } else if text.len() > LONGEST {
        Some("it is too long")
    } else if SCOPES.iter().any(|scope| scope.eq_ignore_ascii_case(text)) {
        Some("that word stands for a set of groups")
    } else {
        None
    }
}
