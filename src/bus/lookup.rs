//! What the manager looks up in what is shown: groups and nodes by their names, decisions as dictionaries.
//!
//! Owns no state. A name that is none becomes the error of the method that was called.

use std::collections::HashMap;

use zbus::{OwnedObjectPath, OwnedVariant};

use super::error::ManagerError;
use super::snapshot::{DecisionSnapshot, Snapshot};
use super::{answers, path};

/// The place of a group in haresources.
pub(super) fn group(seen: &Snapshot, name: &str) -> Result<usize, ManagerError> {
    seen.place_of(name).ok_or_else(|| ManagerError::InvalidArgument(answers::no_group(seen, name)))
}

/// The same; `None` for an empty name, which means all.
pub(super) fn group_or_all(seen: &Snapshot, name: &str) -> Result<Option<usize>, ManagerError> {
    if name.is_empty() { Ok(None) } else { group(seen, name).map(Some) }
}

/// The object of a group.
pub(super) fn group_path(seen: &Snapshot, name: &str) -> Result<OwnedObjectPath, ManagerError> {
    group(seen, name).map(|place| path::of_group(&seen.groups[place].name))
}

/// The object of a node.
pub(super) fn node_path(seen: &Snapshot, name: &str) -> Result<OwnedObjectPath, ManagerError> {
    let name = name.to_ascii_lowercase();
    let known = seen.nodes.iter().any(|node| node.name == name);
    let unknown = || ManagerError::InvalidArgument(format!("'{name}' is no node of ha.cf"));
    known.then(|| path::of_node(&name)).ok_or_else(unknown)
}

/// The names of all groups, and their objects.
pub(super) fn groups(seen: &Snapshot) -> Vec<(String, OwnedObjectPath)> {
    seen.groups.iter().map(|group| (group.name.clone(), path::of_group(&group.name))).collect()
}

/// The names of all nodes, and their objects.
pub(super) fn nodes(seen: &Snapshot) -> Vec<(String, OwnedObjectPath)> {
    seen.nodes.iter().map(|node| (node.name.clone(), path::of_node(&node.name))).collect()
}

/// A decision as the bus shows it.
pub(super) fn decision(decision: &DecisionSnapshot) -> HashMap<&'static str, OwnedVariant> {
    let DecisionSnapshot { usec, priority, event, node, group, text } = decision.clone();
    let word = |text: String| OwnedVariant::from(zbus::Str::from(text));
    HashMap::from([
        ("Timestamp", OwnedVariant::from(usec)),
        ("Priority", OwnedVariant::from(priority)),
        ("Event", word(event)),
        ("Node", word(node)),
        ("Group", word(group)),
        ("Text", word(text)),
    ])
}
