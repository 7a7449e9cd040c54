//! The name of this node (02 §4.1): what nodeinfo says, else `uname -n`.
//!
//! Owns the rule, and how far a name may differ from that of a node. Names nothing.

use std::io;

use super::diagnostic::{FileWord, Findings, Location};
use super::files::Files;
use super::host::Host;
use super::text::{self, text_of};

/// The first line of nodeinfo, lower case; `None` where there is no such file, or the line does not end in a newline.
fn written(files: &Files) -> io::Result<Option<String>> {
    let text = text_of(&std::fs::read(&files.nodeinfo)?);
    // As Heartbeat does, at other blanks than those of ASCII nothing is cut off.
    let blank = |c: char| c.is_ascii_whitespace();
    Ok(text.split_once('\n').map(|(line, _)| line.trim_matches(blank).to_ascii_lowercase()))
}

/// The name that this machine gives itself, lower case, whatever nodes there are.
pub fn node_name(files: &Files, host: &Host) -> String {
    // A file that cannot be read is reported when the configuration is checked.
    written(files).ok().flatten().unwrap_or_else(|| host.node_name.to_ascii_lowercase())
}

/// Our own name, lower case: the first line of nodeinfo if it ends in a newline, else the node that `uname -n` stands
/// for (02 §4.1).
pub(super) fn node_among(files: &Files, host: &Host, nodes: &[FileWord], findings: &mut Findings) -> String {
    let path = &files.nodeinfo;
    match written(files) {
        Ok(Some(name)) => return seen(files, name, findings),
        Ok(None) => findings.warning(
            &FileWord::file(path),
            "the first line does not end in a newline: Heartbeat ignores the file, so does hbd",
            format!("echo NAME > {}", path.display()),
        ),
        Err(error) => findings.unreadable(path, &error),
    }
    node_of_host(files, host.node_name.to_ascii_lowercase(), nodes, findings)
}

/// The name of nodeinfo without characters that cannot be seen; reports them.
fn seen(files: &Files, name: String, findings: &mut Findings) -> String {
    let path = &files.nodeinfo;
    let location = Location { file: path.as_path().into(), line: 1, column: 1, source: None };
    let word = FileWord { text: name, location };
    if let Some((at, refused)) = text::unseen(&word) {
        findings.error(&at, refused.why, refused.help);
    }
    word.text.chars().filter(|c| text::name_of_unseen(*c).is_none()).collect()
}

/// The node of this name, or the only one whose name is the same but for a domain that one of the two lacks.
/// Heartbeat knows the former only.
fn node_of_host(files: &Files, name: String, nodes: &[FileWord], findings: &mut Findings) -> String {
    if nodes.iter().any(|node| node.text == name) {
        return name;
    }
    let extends = |long: &str, short: &str| {
        !short.is_empty()
            && !short.contains('.')
            && long.strip_prefix(short).is_some_and(|rest| rest.starts_with('.'))
    };
    let mut near = nodes.iter().filter(|node| extends(&node.text, &name) || extends(&name, &node.text));
    let (Some(node), None) = (near.next(), near.next()) else { return name };
    let message = format!("this machine is named {name}, taken for node {}: only the domain differs", node.text);
    let nodeinfo = files.nodeinfo.display();
    let help = format!("Heartbeat would not start: name this machine {0}, or `echo {0} > {nodeinfo}`", node.text);
    findings.warning(node, message, help);
    node.text.clone()
}
