//! hbd.toml and its drop-ins as documents that keep their comments.
//!
//! Owns which tables are the description of the cluster. Never knows what they say.

use std::io;
use std::path::Path;

use toml_edit::{DocumentMut, Item, Table};

use crate::config::diagnostic::{FileWord, Findings};
use crate::config::text::text_of;

/// The keys of `[[group]]` that are the group itself; all others are what `[groups."KEY"]` says of it.
const OF_THE_LINE: [&str; 2] = ["node", "resources"];

/// The document; empty if there is no such file. `None` after a finding.
pub(super) fn read(path: &Path, findings: &mut Findings) -> Option<DocumentMut> {
    let text = match std::fs::read(path) {
        Ok(bytes) => text_of(&bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => {
            let message = format!("cannot read {}: {error}", path.display());
            findings.error(&FileWord::file(path), message, "make it readable, or remove it");
            return None;
        }
    };
    match text.parse() {
        Ok(document) => Some(document),
        Err(error) => {
            let message = format!("cannot be changed: {}", error.message());
            findings.error(&FileWord::file(path), message, "see toml.io for the syntax");
            None
        }
    }
}

/// Takes the description of the cluster out. What `[[group]]` says besides its line goes to `[groups."KEY"]`.
pub(super) fn remove_form(document: &mut DocumentMut) {
    // `cluster = "NAME"` is a setting over that of ha.cf.
    if document.get("cluster").is_some_and(Item::is_table_like) {
        document.remove("cluster");
    }
    let removed: Vec<Option<Item>> = ["link", "program", "group"].map(|name| document.remove(name)).into();
    let groups = removed.into_iter().flatten().filter_map(|item| item.into_array_of_tables().ok()).next_back();
    for group in groups.into_iter().flatten() {
        let key = group.get("resources").and_then(first_word);
        let rest: Vec<(String, Item)> = group
            .iter()
            .filter(|(name, _)| !OF_THE_LINE.contains(name))
            .map(|(name, item)| (name.to_owned(), item.clone()))
            .collect();
        if let (Some(key), false) = (key, rest.is_empty()) {
            add_policy(document, &key, rest);
        }
    }
}

/// The first resource of a group, which is its name.
fn first_word(resources: &Item) -> Option<String> {
    let first = resources.as_array().map_or(resources.as_value(), |list| list.get(0))?;
    first.as_str().map(str::to_owned)
}

/// Puts keys into `[groups."KEY"]`, where they do not stand already: those count.
fn add_policy(document: &mut DocumentMut, key: &str, rest: Vec<(String, Item)>) {
    let groups = document.entry("groups").or_insert_with(|| {
        let mut groups = Table::new();
        groups.set_implicit(true);
        Item::Table(groups)
    });
    let Some(groups) = groups.as_table_like_mut() else { return };
    let policy = groups.entry(key).or_insert_with(|| Item::Table(Table::new()));
    let Some(policy) = policy.as_table_like_mut() else { return };
    for (name, mut item) in rest {
        if !policy.contains_key(&name) {
            forget_place(&mut item);
            policy.insert(&name, item);
        }
    }
}

/// Lets tables stand where they are put, and not where they stood.
fn forget_place(item: &mut Item) {
    match item {
        Item::Table(table) => {
            table.set_position(None);
            table.iter_mut().for_each(|(_, item)| forget_place(item));
        }
        Item::ArrayOfTables(tables) => {
            for table in tables.iter_mut() {
                table.set_position(None);
                table.iter_mut().for_each(|(_, item)| forget_place(item));
            }
        }
        _ => {}
    }
}
