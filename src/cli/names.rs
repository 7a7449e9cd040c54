//! The names of groups and nodes as somebody types them: whole, or the beginning of one.
//!
//! Owns which beginning is enough. Which groups and nodes there are is hbd's to say; what it does not know goes to it
//! as it was typed, so that the refusal is its own.

use super::error::CliError;
use crate::bus::Snapshot;

/// Whether `typed` may stand for `name`: its beginning, which does not end within a number. 10.0.0.1 is not
/// 10.0.0.10, also where there is no 10.0.0.1. In an IPv6 address letters are digits, too.
fn begins(name: &str, typed: &str) -> bool {
    let hexadecimal = typed.contains(':');
    let is_digit = |byte: &u8| if hexadecimal { byte.is_ascii_hexdigit() } else { byte.is_ascii_digit() };
    let digit = |byte: Option<&u8>| byte.is_some_and(is_digit);
    let whole = |rest: &str| !(digit(typed.as_bytes().last()) && digit(rest.as_bytes().first()));
    !typed.is_empty() && name.strip_prefix(typed).is_some_and(whole)
}

/// The name that is meant, of several names for each thing of which the first one is returned; `None` if there is
/// none.
///
/// # Errors
/// [`CliError::Refused`] if more than one may be meant.
fn meant<'a>(things: &[Vec<&'a str>], typed: &str) -> Result<Option<&'a str>, CliError> {
    if let Some(whole) = things.iter().find(|names| names.contains(&typed)) {
        return Ok(whole.first().copied());
    }
    let meant: Vec<&str> = things
        .iter()
        .filter(|names| names.iter().any(|name| begins(name, typed)))
        .filter_map(|names| names.first().copied())
        .collect();
    match meant.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        several => Err(CliError::Refused(format!("'{typed}' may be {}: write more of it", several.join(" or ")))),
    }
}

/// The name of the group that somebody calls so; as it was typed if there is none.
pub(super) fn group(seen: &Snapshot, typed: &str) -> Result<String, CliError> {
    let names: Vec<Vec<&str>> =
        seen.groups.iter().map(|group| vec![group.name.as_str(), group.key.as_str()]).collect();
    meant(&names, typed).map(|name| name.unwrap_or(typed).to_owned())
}

/// The same of a node with resources. Names of nodes are lower case, as ha.cf has them.
pub(super) fn node(seen: &Snapshot, typed: &str) -> Result<String, CliError> {
    let typed = typed.to_ascii_lowercase();
    let nodes = seen.nodes.iter().filter(|node| node.kind == "normal");
    let names: Vec<Vec<&str>> = nodes.map(|node| vec![node.name.as_str()]).collect();
    meant(&names, &typed).map(|name| name.unwrap_or(&typed).to_owned())
}

/// What a shell may complete: names, a line each. Nothing where hbd does not answer.
pub(super) fn list(seen: Option<&Snapshot>, kind: NameKind) -> String {
    let Some(seen) = seen else { return String::new() };
    let lines: Vec<String> = if kind == NameKind::Node {
        seen.nodes.iter().filter(|node| node.kind == "normal").map(|node| node.name.clone()).collect()
    } else {
        seen.groups.iter().map(|group| group.name.clone()).collect()
    };
    lines.iter().map(|name| format!("{name}\n")).collect()
}

/// Whether this command names a group or a node for a shell to complete: by the id of its argument.
pub(super) fn kind_of(argument: &clap::Arg) -> Option<NameKind> {
    match argument.get_id().as_str() {
        "group" | "groups" => Some(NameKind::Group),
        "node" => Some(NameKind::Node),
        _ => None,
    }
}

/// What a word on the command line names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum NameKind {
    /// Groups
    #[value(name = "groups")]
    Group,
    /// Nodes with resources
    #[value(name = "nodes")]
    Node,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::bus::{GroupSnapshot, NodeSnapshot};

    pub(in crate::cli) fn seen() -> Snapshot {
        let group =
            |name: &str, key: &str| GroupSnapshot { name: name.into(), key: key.into(), ..GroupSnapshot::default() };
        let node =
            |name: &str, kind: &str| NodeSnapshot { name: name.into(), kind: kind.into(), ..NodeSnapshot::default() };
        Snapshot {
            groups: vec![
                group("web", "10.0.0.1/24/eth0"),
                group("wiki", "10.0.0.2"),
                group("10.0.0.30", "10.0.0.30"),
                group("webmail", "10.0.0.4"),
            ],
            nodes: vec![node("nodea", "normal"), node("nodeb", "normal"), node("10.0.0.254", "ping")],
            ..Snapshot::default()
        }
    }

    #[test]
    fn a_beginning_is_enough_where_only_one_thing_begins_so() {
        for (typed, name) in [
            ("web", "web"),
            ("webm", "webmail"),
            ("wi", "wiki"),
            ("10.0.0.1", "web"),
            ("10.0.0.2", "wiki"),
            ("10.0.0.3", "10.0.0.3"),
            ("mail", "mail"),
        ] {
            assert_eq!(group(&seen(), typed).unwrap(), name, "{typed}");
        }
        assert_eq!(node(&seen(), "NodeB").unwrap(), "nodeb");
        assert_eq!(node(&seen(), "10.0").unwrap(), "10.0", "a ping node serves nothing");
    }

    #[test]
    fn a_number_of_an_ipv6_address_is_written_whole() {
        for (typed, begun) in [("fd00::a", false), ("fd00::", true), ("fd00::ab", true)] {
            assert_eq!(begins("fd00::ab/64/eth0", typed), begun, "{typed}");
        }
    }

    #[test]
    fn several_that_begin_so_are_named() {
        let said = |error: CliError| error.with_remedy();
        assert_eq!(said(group(&seen(), "w").unwrap_err()), "'w' may be web or wiki or webmail: write more of it");
        assert_eq!(said(node(&seen(), "node").unwrap_err()), "'node' may be nodea or nodeb: write more of it");
    }

    #[test]
    fn the_shell_is_told_what_there_is_and_nothing_where_hbd_does_not_run() {
        assert_eq!(list(Some(&seen()), NameKind::Node), "nodea\nnodeb\n");
        assert_eq!(list(Some(&seen()), NameKind::Group), "web\nwiki\n10.0.0.30\nwebmail\n");
        assert_eq!(list(None, NameKind::Group), "");
    }
}
