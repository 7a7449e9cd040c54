//! The names of nodes in haresources: where one must stand, and where none may (03 §2.1).
//!
//! Owns the hints for a line that begins with something else, and for a line that swallows the next one.

use std::path::Path;

use super::context::LookupContext;
use super::ipv4::looks_like_address;
use super::lines::LogicalLine;
use super::unit_name::has_suffix;
use crate::config::diagnostic::{FileWord, Findings};
use crate::config::value::nearest;

/// Whether the first word of a line is a node; reports it if not. Without the nodes of ha.cf nothing can be said.
pub(super) fn check_first(
    path: &Path,
    line: &LogicalLine,
    context: LookupContext<'_>,
    findings: &mut Findings,
) -> bool {
    let Some(first) = line.words.first() else { return true };
    if context.nodes.is_empty() || context.nodes.iter().any(|known| known.text.eq_ignore_ascii_case(&first.text)) {
        return true;
    }
    let message = format!("Bad nodename in {} [{}]", path.display(), first.text);
    findings.error(first, message, help_for_first(first, line, context));
    false
}

/// What to write instead of a first word that is no node.
fn help_for_first(first: &FileWord, line: &LogicalLine, context: LookupContext<'_>) -> String {
    let names: Vec<&str> = context.nodes.iter().map(|known| known.text.as_str()).collect();
    let either = names.join(" or ");
    if let Some(same) = context.nodes.iter().find(|known| same_machine(&known.text, &first.text)) {
        return format!("the names differ by the domain only: write `{}`, as in {}", same.text, same.file_and_line());
    }
    // An indented line, and one that begins with a resource, is meant to go on with the group above.
    let resource = looks_like_resource(&first.text);
    if let Some(above) = line.above.filter(|_| resource || first.location.column > 1) {
        return format!(
            "if the line belongs to the group above, end line {above} with a blank and a backslash; if not, begin it with \
             the preferred node: {either}"
        );
    }
    if resource {
        return format!("begin the line with the preferred node: {either}");
    }
    match nearest(&first.text, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the nodes of ha.cf are {}", names.join(", ")),
    }
}

fn looks_like_resource(word: &str) -> bool {
    looks_like_address(word) || word.contains("::") || has_suffix(word)
}

/// Whether two names are one machine's, with and without its domain.
fn same_machine(one: &str, other: &str) -> bool {
    let host = |name: &str| name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let short = |name: &str| !name.contains('.');
    !looks_like_address(other) && (short(one) || short(other)) && !host(one).is_empty() && host(one) == host(other)
}

/// Whether no other word is the name of a node: a backslash behind the last resource makes the next group part of
/// this one, and its node a resource.
pub(super) fn check_rest(line: &LogicalLine, context: LookupContext<'_>, findings: &mut Findings) -> bool {
    let named = |word: &FileWord| {
        let aliased = context.aliases.contains_key(&word.text);
        !aliased && context.nodes.iter().any(|known| known.text.eq_ignore_ascii_case(&word.text))
    };
    // At the beginning of a line even a name with another domain is a node's.
    let begins_a_group = |word: &FileWord| {
        let other = has_suffix(&word.text) || word.text.contains("::") || context.aliases.contains_key(&word.text);
        named(word) || !other && context.nodes.iter().any(|known| same_machine(&known.text, &word.text))
    };
    let swallowed = line.continuations.iter().find_map(|(backslash, first)| {
        let first = first.as_ref().filter(|first| begins_a_group(first))?;
        Some((backslash, first))
    });
    if let Some((backslash, node)) = swallowed {
        let message = format!(
            "the backslash makes line {} part of this group, and `{}` a resource of it, which is a node",
            node.location.line, node.text
        );
        findings.error(backslash, message, "remove the backslash, so that the next line is a group of its own");
        return false;
    }
    if let Some(word) = line.words.iter().skip(1).find(|word| named(word)) {
        let message = format!("`{}` is a node: a group has one node, and behind it resources only", word.text);
        let help = format!("begin a new group with it; if a service has that name, write {}.service", word.text);
        findings.error(word, message, help);
        return false;
    }
    true
}
