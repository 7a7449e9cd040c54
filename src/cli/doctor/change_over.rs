//! What a change of the other node to a Heartbeat, or to an hbd that moves groups together, would move.
//!
//! Such a node knows two sets of groups only: those that prefer one node, and those that prefer the other (03 §1).
//! Owns the judgement over what hbd says now. Moves nothing.

use super::finding::{Finding, Grade, finding};
use crate::bus::{GroupSnapshot, Snapshot};

/// The groups that one node has while the other one has some that prefer the same node, in sentences: empty if there
/// are none, or if groups move together already.
pub(super) fn parted(snapshot: &Snapshot) -> Vec<String> {
    if !snapshot.groups_move_alone {
        return Vec::new();
    }
    let nodes = snapshot.nodes.iter().filter(|node| node.kind == "normal");
    let parted = nodes.filter_map(|node| {
        let theirs = || snapshot.groups.iter().filter(|group| group.preferred == node.name);
        let (home, away): (Vec<&GroupSnapshot>, Vec<_>) =
            theirs().filter(|group| !group.owner.is_empty()).partition(|group| group.owner == node.name);
        let names =
            |groups: &[&GroupSnapshot]| groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>().join(", ");
        let both = !home.is_empty() && !away.is_empty();
        both.then(|| format!("{} on {}, and {} not", names(&home), node.name, names(&away)))
    });
    parted.collect()
}

/// The same for people.
pub(super) fn judge(parted: &[String]) -> Option<Finding> {
    let text = format!(
        "groups that prefer one node are on both ({}): before a node becomes a Heartbeat, or an hbd of 0.1.0, move them \
         together, or the change moves them: that one knows them only together",
        parted.join("; ")
    );
    (!parted.is_empty()).then(|| finding(Grade::Note, "change-over", text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::NodeSnapshot;

    #[test]
    fn groups_of_one_class_on_two_nodes_are_named() {
        let node = |name: &str| NodeSnapshot { name: name.into(), kind: "normal".into(), ..NodeSnapshot::default() };
        let group = |name: &str, preferred: &str, owner: &str| GroupSnapshot {
            name: name.into(),
            preferred: preferred.into(),
            owner: owner.into(),
            ..GroupSnapshot::default()
        };
        let mut snapshot = Snapshot {
            nodes: vec![node("nodea"), node("nodeb")],
            groups: vec![
                group("web", "nodea", "nodea"),
                group("mail", "nodea", "nodeb"),
                group("db", "nodeb", "nodeb"),
            ],
            groups_move_alone: true,
            ..Snapshot::default()
        };
        assert_eq!(parted(&snapshot), ["web on nodea, and mail not"]);
        assert!(judge(&parted(&snapshot)).unwrap().text.contains("move them together"));
        snapshot.groups_move_alone = false;
        assert_eq!(judge(&parted(&snapshot)), None);
    }
}
