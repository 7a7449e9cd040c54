//! Whether a DRBD resource can be made primary here, is to be waited for, or must not be.
//!
//! Owns that judgement and its words. Calls no program.

use super::state::{DrbdConnection, DrbdState};

/// What is to be done about a resource that shall become primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Promotion {
    /// It is primary.
    Is,
    /// DRBD is to be asked.
    Ask,
    /// It may become possible by itself; if it does not in time, this is why not.
    Wait(String),
}

/// What hbd knows of the other node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OtherNode {
    /// hbd hears it.
    Lives(String),
    /// hbd does not hear it.
    IsSilent,
    /// hbd does not answer.
    IsUnknown,
}

/// The verdict.
pub(super) fn verdict(resource: &str, state: &DrbdState, other: &OtherNode) -> Promotion {
    if state.is_primary() {
        return Promotion::Is;
    }
    let syncing = |kind: &str| {
        state.connections.iter().any(|connection| connection.replication.iter().any(|word| word.contains(kind)))
    };
    let disk = |word: &str| state.volumes.iter().any(|volume| volume.disk == word);
    let elsewhere = state.connections.iter().find(|connection| connection.role == "Primary");
    if let Some(elsewhere) = elsewhere {
        let whose = node(elsewhere);
        return Promotion::Wait(format!(
            "DRBD resource {resource} is primary on {whose}; there, `drbdadm secondary {resource}`, or find out what uses \
             it"
        ));
    }
    if disk("Inconsistent") && (syncing("SyncTarget") || syncing("PausedSyncT")) {
        return Promotion::Wait(format!(
            "DRBD resource {resource} is still being synchronised to this node, whose data is not whole before that; see \
             `drbdadm status {resource}`"
        ));
    }
    if disk("Inconsistent") {
        return Promotion::Wait(format!(
            "DRBD resource {resource} is inconsistent on this node: its data is not whole, and no other node is \
             connected that has better; `drbdadm connect {resource}` on both"
        ));
    }
    if disk("Outdated") {
        return Promotion::Wait(format!(
            "DRBD resource {resource} is outdated on this node: another node has written since; `drbdadm connect \
             {resource}` on both brings it up to date"
        ));
    }
    if let Some(quorum) = state.volumes.iter().find(|volume| volume.quorum == Some(false)) {
        return Promotion::Wait(format!(
            "DRBD resource {resource} has no quorum for volume {}: too few of its nodes are connected",
            quorum.number
        ));
    }
    if state.volumes.is_empty() {
        return Promotion::Wait(format!("DRBD resource {resource} has no disk yet; see `drbdadm status {resource}`"));
    }
    match other {
        OtherNode::Lives(living) if !state.is_connected() => Promotion::Wait(format!(
            "DRBD resource {resource} is not connected to {living}, which lives and may have newer data: mend the link \
             of DRBD (`drbdadm status {resource}`); or, if this node has the newest data, `drbdadm primary {resource}`"
        )),
        OtherNode::IsUnknown if !state.is_connected() => Promotion::Wait(format!(
            "DRBD resource {resource} is not connected, and hbd does not say whether the other node lives and may have \
             newer data; if this node has the newest data, `drbdadm primary {resource}`"
        )),
        _ => Promotion::Ask,
    }
}

/// The other end of a connection. DRBD 8.4 has no name for it.
fn node(connection: &DrbdConnection) -> &str {
    if matches!(connection.name.as_str(), "" | "peer") { "the other node" } else { &connection.name }
}

#[cfg(test)]
mod tests {
    use super::super::state::{read, tests};
    use super::*;

    fn said(text: &str, living: Option<&str>) -> String {
        let other = living.map_or(OtherNode::IsSilent, |name| OtherNode::Lives(name.to_owned()));
        judged(text, &other)
    }

    fn judged(text: &str, other: &OtherNode) -> String {
        match verdict("r0", &read(text, "r0").unwrap(), other) {
            Promotion::Wait(why) => why,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn what_is_whole_and_connected_is_asked_for() {
        assert_eq!(said(tests::SECONDARY, Some("nodea")), "Ask");
        assert_eq!(said(&tests::SECONDARY.replace("r0 role:Secondary", "r0 role:Primary"), None), "Is");
        assert_eq!(
            said(&tests::ALONE.replace("disk:UpToDate", "disk:Consistent"), None),
            "Ask",
            "DRBD asks a handler"
        );
    }

    #[test]
    fn old_or_broken_data_is_refused_in_words() {
        let table = [
            (tests::SYNC_TARGET.to_owned(), "still being synchronised"),
            (tests::ALONE.replace("disk:UpToDate", "disk:Inconsistent"), "is inconsistent on this node"),
            (tests::SPLIT.to_owned(), "is outdated on this node"),
            (
                tests::SECONDARY.replace("Connected role:Secondary", "Connected role:Primary"),
                "primary on the other node",
            ),
            (tests::SECONDARY.replace("disk:UpToDate\n", "disk:UpToDate quorum:no\n"), "no quorum for volume 0"),
        ];
        for (text, why) in table {
            let said = said(&text, None);
            assert!(said.contains(why), "{said}");
        }
    }

    #[test]
    fn a_copy_that_a_living_node_may_have_left_behind_is_not_served() {
        assert_eq!(said(tests::ALONE, None), "Ask", "the other node is dead");
        let said = said(tests::ALONE, Some("nodea"));
        assert!(said.contains("not connected to nodea, which lives and may have newer data"), "{said}");
        assert!(said.contains("`drbdadm primary r0`"), "what an operator can say against it: {said}");
        let unknown = judged(tests::ALONE, &OtherNode::IsUnknown);
        assert!(unknown.contains("hbd does not say whether the other node lives"), "{unknown}");
        assert_eq!(judged(tests::SECONDARY, &OtherNode::IsUnknown), "Ask", "it is connected");
    }

    /// At boot, before drbdadm has added its connections and disks.
    #[test]
    fn a_resource_that_is_half_up_is_waited_for() {
        let no_connection: String =
            tests::SECONDARY.lines().filter(|line| !line.contains("peer")).map(|line| format!("{line}\n")).collect();
        assert!(said(&no_connection, Some("nodea")).contains("not connected to nodea"));
        let no_disk: String = tests::SECONDARY
            .lines()
            .filter(|line| !line.contains(" device ") && !line.contains("peer-device"))
            .map(|line| format!("{line}\n"))
            .collect();
        assert!(said(&no_disk, None).contains("has no disk yet"));
    }
}
