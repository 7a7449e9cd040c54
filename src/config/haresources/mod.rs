//! haresources: logical lines and groups (03 §2.1–2.3, §16 no. 19).
//!
//! Owns the grammar of the file, exactly as Heartbeat's scripts read it. Refuses a file that Heartbeat's daemon and
//! its scripts read differently, or that a human reader would read differently from Heartbeat. No line that names
//! resources is left out without an error.

mod context;
mod filesystem;
mod form;
pub(super) mod ipv4;
mod ipv6;
mod lines;
mod nodes;
mod notes;
mod number;
mod pacemaker;
mod resource;
mod script;
mod shared;
pub(super) mod unit_name;
mod written;

use std::path::Path;

use super::diagnostic::{FileWord, Findings};
use super::groups::{Group, Resource};
use lines::{LogicalLine, logical_lines};
use resource::resource_kind;

pub(super) use context::LookupContext;
pub(super) use form::read_form;
pub(super) use written::WrittenGroup;

/// Reads haresources.
pub(super) fn read(
    path: &Path,
    bytes: &[u8],
    context: LookupContext<'_>,
    findings: &mut Findings,
) -> Vec<WrittenGroup> {
    let lines = logical_lines(path, bytes, findings);
    number::check(lines.iter().filter_map(|line| line.words.get(1)), findings);
    let wanted = lines.iter().filter(|line| line.words.len() > 1).count();
    let mut found = Vec::new();
    for line in lines {
        found.extend(group(path, line, context, findings));
    }
    if found.len() != wanted && !findings.has_errors() {
        let message = format!("{wanted} lines name resources, and {} groups came of them", found.len());
        findings.error(&FileWord::file(path), message, "this is a fault of hbd: please report it with the file");
    }
    shared::check(&found, &context, findings);
    found
}

/// The group of a logical line; `None` if it has no resources or a word is refused.
fn group(
    path: &Path,
    line: LogicalLine,
    context: LookupContext<'_>,
    findings: &mut Findings,
) -> Option<WrittenGroup> {
    if line.refused {
        return None;
    }
    let known = nodes::check_first(path, &line, context, findings);
    if !nodes::check_rest(&line, context, findings) {
        return None;
    }
    let mut words = line.words.into_iter();
    let node = words.next()?;
    let name = node.text.to_ascii_lowercase();
    let words: Vec<FileWord> = words.collect();
    let Some(key) = words.first().map(|word| word.text.clone()) else {
        let message = format!("node `{}` is named without resources: the line means nothing", node.text);
        if known {
            findings.warning(&node, message, "write the resources behind the node, or remove the line");
        }
        return None;
    };
    let mut resources = Vec::new();
    for word in &words {
        // `lines` has reported it.
        if word.text.starts_with('#') {
            continue;
        }
        match resource_kind(&word.text, &context) {
            Ok(kind) => {
                notes::report(word, &kind, &context, findings);
                resources.push(Resource { word: word.text.clone(), kind });
            }
            Err(refused) => findings.error(word, refused.why, refused.help),
        }
    }
    notes::check_sources(&words, &resources, findings);
    let complete = known && resources.len() == words.len();
    complete.then_some(WrittenGroup { group: Group { node: name, key, resources, line: node.location.line }, words })
}
