//! How groups share the nodes and the time of a takeover: `together`, `apart` and `parallel_starts` at the top of
//! hbd.toml, and `priority` in `[groups."KEY"]`.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::source::{TomlText, scalar_text};
use crate::config::arrangement::Arrangement;
use crate::config::diagnostic::{FileWord, Findings};
use crate::config::groups::Group;
use crate::config::value::nearest;

const TOGETHER: &str = "together";
const APART: &str = "apart";
const PARALLEL_STARTS: &str = "parallel_starts";
/// The keys at the top of the file that this module reads.
pub(super) const KEYS: [&str; 3] = [TOGETHER, APART, PARALLEL_STARTS];
/// The key of `[groups."KEY"]` that this module reads.
pub(super) const GROUP_KEY: &str = "priority";
/// As far as priorities go in either direction.
const MOST_PRIORITY: i32 = 1_000_000;

/// The keys that the files set. A key replaces the same key of earlier files.
#[derive(Debug, Default)]
pub(in crate::config) struct ArrangementKeys {
    together: Vec<Vec<FileWord>>,
    apart: Vec<Vec<FileWord>>,
    parallel_starts: Option<usize>,
    priority: BTreeMap<String, i32>,
}

impl ArrangementKeys {
    /// Reads one of [`KEYS`].
    pub(super) fn read(
        &mut self,
        key: &str,
        at: FileWord,
        value: &DeValue<'_>,
        source: &TomlText<'_>,
        findings: &mut Findings,
    ) {
        if key == PARALLEL_STARTS {
            match scalar_text(value).ok().and_then(|text| text.parse().ok()).filter(|number| *number > 0) {
                Some(number) => self.parallel_starts = Some(number),
                None => findings.error(&at, bad(key), "write a number of groups, 1 or more"),
            }
            return;
        }
        match lists(value, source).filter(|lists| lists.iter().all(|list| list.len() > 1)) {
            Some(lists) if key == TOGETHER => self.together = lists,
            Some(lists) => self.apart = lists,
            None => findings.error(
                &at,
                bad(key),
                format!("write two groups or more, {key} = [\"web\", \"db\"], or several such lists in a list"),
            ),
        }
    }

    /// Reads `priority` of one group, in `[groups."KEY"]` or in `[[group]]`.
    pub(super) fn read_group(
        &mut self,
        key: &str,
        table: &DeTable<'_>,
        source: &TomlText<'_>,
        findings: &mut Findings,
    ) {
        let Some(found) = table.get(GROUP_KEY) else { return };
        let number = scalar_text(found.get_ref()).ok().and_then(|text| text.parse::<i32>().ok());
        match number.filter(|number| number.abs() <= MOST_PRIORITY) {
            Some(number) => drop(self.priority.insert(key.to_owned(), number)),
            None => findings.error(
                &source.word(found.span()),
                "bad value for `priority` of a group",
                "write a whole number; the group with the highest one starts first, others have 0",
            ),
        }
    }

    /// What the keys say of these groups, each named by its key, or by its name if it has one. Reports groups that
    /// there are not, and that cannot be kept so.
    pub(in crate::config) fn arrangement(
        &self,
        groups: &[&Group],
        names: &[Option<String>],
        findings: &mut Findings,
    ) -> Arrangement {
        let mut resolve = |key, lists: &[Vec<FileWord>]| -> Vec<Vec<usize>> {
            lists.iter().map(|list| resolve(key, list, groups, names, findings)).collect()
        };
        let arrangement = Arrangement {
            together: resolve(TOGETHER, &self.together),
            apart: resolve(APART, &self.apart),
            priority: groups.iter().map(|group| self.priority.get(&group.key).copied().unwrap_or_default()).collect(),
            parallel_starts: self.parallel_starts,
        };
        self.check(&arrangement, groups, findings);
        arrangement
    }

    fn check(&self, arrangement: &Arrangement, groups: &[&Group], findings: &mut Findings) {
        for (list, words) in arrangement.together.iter().zip(&self.together) {
            let Some(first) = list.first().map(|group| groups[*group]) else { continue };
            if let Some(other) = list.iter().map(|group| groups[*group]).find(|group| group.node != first.node) {
                let message = format!(
                    "`{}` prefers {}, and `{}` prefers {}: they cannot stay together",
                    first.key, first.node, other.key, other.node
                );
                findings.error(&words[0], message, "let them prefer the same node in haresources");
            }
        }
        for (index, (list, words)) in arrangement.together.iter().zip(&self.together).enumerate() {
            let earlier = arrangement.together[..index].iter().flatten();
            if earlier.into_iter().any(|group| list.contains(group)) {
                findings.error(&words[0], "a group is in two lists of `together`", "make one list of both");
            }
        }
        for (list, words) in arrangement.apart.iter().zip(&self.apart) {
            for (index, group) in list.iter().enumerate() {
                let same = list[..index].iter().find(|other| groups[**other].node == groups[*group].node);
                if let Some(other) = same {
                    let message = format!(
                        "`{}` and `{}` prefer the same node, {}: they cannot stay apart",
                        groups[*other].key, groups[*group].key, groups[*group].node
                    );
                    findings.error(&words[0], message, "let them prefer different nodes in haresources");
                    break;
                }
            }
        }
    }
}

fn bad(key: &str) -> String {
    format!("bad value for `{key}`")
}

/// One list of names, or a list of such lists; `None` for anything else.
fn lists(value: &DeValue<'_>, source: &TomlText<'_>) -> Option<Vec<Vec<FileWord>>> {
    let DeValue::Array(list) = value else { return None };
    let names = |value: &DeValue<'_>| -> Option<Vec<FileWord>> {
        let DeValue::Array(list) = value else { return None };
        let name = |found: &toml::Spanned<DeValue<'_>>| {
            let DeValue::String(text) = found.get_ref() else { return None };
            let mut word = source.word(found.span());
            word.text = text.to_string();
            Some(word)
        };
        list.iter().map(name).collect()
    };
    match names(value) {
        Some(list) => Some(vec![list]),
        None => list.iter().map(|found| names(found.get_ref())).collect(),
    }
}

/// The places of these groups in haresources, in that order.
fn resolve(
    key: &str,
    list: &[FileWord],
    groups: &[&Group],
    names: &[Option<String>],
    findings: &mut Findings,
) -> Vec<usize> {
    let mut found = Vec::new();
    for word in list {
        let named = || names.iter().position(|name| name.as_ref() == Some(&word.text));
        match groups.iter().position(|group| group.key == word.text).or_else(named) {
            Some(group) if found.contains(&group) => {
                findings.error(word, format!("`{}` stands twice in `{key}`", word.text), "leave one of them out");
            }
            Some(group) => found.push(group),
            None => {
                let known =
                    groups.iter().map(|group| group.key.as_str()).chain(names.iter().flatten().map(String::as_str));
                let help = match nearest(&word.text, known) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => {
                        "a group is named by its name, or by its first resource, as written in haresources".to_owned()
                    }
                };
                findings.error(word, format!("no group is named `{}`", word.text), help);
            }
        }
    }
    found.sort_unstable();
    found
}
