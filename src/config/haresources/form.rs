//! `[[group]]` of hbd.toml, read as the line of haresources that says the same.
//!
//! Owns what cannot be a word of a line: what hbd.toml says, `hbctl config export` can write into haresources. No
//! table is left out without an error.

use std::path::Path;

use super::lines::LogicalLine;
use super::{LookupContext, WrittenGroup, group, number, shared};
use crate::config::diagnostic::Findings;
use crate::config::form::WrittenTable;

/// Reads the groups.
pub(in crate::config) fn read_form(
    groups: &[WrittenTable],
    context: LookupContext<'_>,
    findings: &mut Findings,
) -> Vec<WrittenGroup> {
    number::check(groups.iter().filter_map(|table| table.resources.first()), findings);
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
    if let Some(first) = groups.first().filter(|_| found.len() != groups.len() && !findings.has_errors()) {
        let message = format!("there are {} tables [[group]], and {} groups came of them", groups.len(), found.len());
        findings.error(&first.node, message, "this is a fault of hbd: please report it with the file");
    }
    shared::check(&found, &context, findings);
    found
}
