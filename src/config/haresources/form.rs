//! `[[group]]` of hbd.toml, read as the line of haresources that says the same.
//!
//! Owns what cannot be a word of a line: what hbd.toml says, `hbctl config export` can write into haresources.

use std::path::Path;

use super::lines::LogicalLine;
use super::{LookupContext, WrittenGroup, group, shared};
use crate::config::diagnostic::Findings;
use crate::config::form::WrittenTable;

/// Reads the groups.
pub(in crate::config) fn read_form(
    groups: &[WrittenTable],
    context: LookupContext<'_>,
    findings: &mut Findings,
) -> Vec<WrittenGroup> {
    let mut found = Vec::new();
    for table in groups {
        let mut line = LogicalLine { words: vec![table.node.clone()], ..LogicalLine::default() };
        for word in &table.resources {
            if word.text.contains('#') || word.text.ends_with('\\') {
                let message =
                    format!("`{}` has a character that no resource has: `#`, or `\\` at its end", word.text);
                findings.error(word, message, "name a unit instead, or give it an alias in [aliases]");
                line.refused = true;
            }
        }
        line.words.extend(table.resources.iter().cloned());
        let path: &Path = &table.node.location.file;
        found.extend(group(path, line, context, findings));
    }
    shared::check(&found, findings);
    found
}
