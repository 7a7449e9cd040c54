//! What happens next by itself.
//!
//! Owns which acts are known beforehand, and when they are due. Decides nothing: hbd does, and may decide otherwise
//! until then.

use serde::Serialize;

use super::format::rest;
use crate::bus::{GroupSnapshot, NodeSnapshot, Snapshot};

/// Something that hbd will do by itself, if nothing comes in between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct DueAct {
    /// When, CLOCK_REALTIME in microseconds; 0 where it waits for something else than time.
    pub usec: u64,
    /// What, without subject to "in 4 min" and without full stop.
    pub text: String,
}

/// What is due, the soonest first.
pub(super) fn due(snapshot: &Snapshot, now_usec: u64) -> Vec<DueAct> {
    let mut acts: Vec<DueAct> = snapshot.groups.iter().filter_map(|group| homecoming(group, now_usec)).collect();
    acts.extend(snapshot.nodes.iter().filter_map(|node| death(snapshot, node, now_usec)));
    acts.sort_by_key(|act| if act.usec == 0 { u64::MAX } else { act.usec });
    acts
}

/// A group that goes back to the node that it prefers.
fn homecoming(group: &GroupSnapshot, now_usec: u64) -> Option<DueAct> {
    let when = when_it_returns(group, now_usec)?;
    let usec = if group.returns == "at" { group.returns_at_usec } else { 0 };
    Some(DueAct { usec, text: format!("{} returns to {} {when}", group.name, group.preferred) })
}

/// A node that is late, and counts as dead if it stays silent.
fn death(snapshot: &Snapshot, node: &NodeSnapshot, now_usec: u64) -> Option<DueAct> {
    let silent = now_usec.checked_sub(node.last_status_usec)?;
    let lives = matches!(node.status.as_str(), "up" | "active") && !node.local && node.kind == "normal";
    if !lives || node.last_status_usec == 0 || silent <= snapshot.warntime_usec {
        return None;
    }
    let usec = node.last_status_usec + node.deadtime_usec;
    let left = rest(usec.saturating_sub(now_usec));
    Some(DueAct { usec, text: format!("{} is late, and counts as dead in {left} if it stays silent", node.name) })
}

/// When a group goes back to the node that it prefers; `None` if it does not by itself.
pub(super) fn when_it_returns(group: &GroupSnapshot, now_usec: u64) -> Option<String> {
    match group.returns.as_str() {
        "" => None,
        "when-well" => Some("when that is there and well".to_owned()),
        "at" => Some(format!("in {}", rest(group.returns_at_usec.saturating_sub(now_usec)))),
        "window" => Some(format!("between {}", group.returns_window.replace('-', " and "))),
        _ => Some("as soon as nothing is in the way".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::status::headline;
    use crate::cli::tests::healthy;

    #[test]
    fn the_first_line_says_whether_all_is_well_and_what_is_next() {
        let mut snapshot = healthy();
        assert_eq!(headline(&snapshot, 1_400_000, false), "All is well.");
        (snapshot.groups[0].returns, snapshot.groups[0].returns_at_usec) = ("at".to_owned(), 251_400_000);
        let text = headline(&snapshot, 1_400_000, false);
        assert_eq!(text, "All is well. Next: 10.0.0.100 returns to nodea in 4 min 10 s.");
        snapshot.links[0].status = "dead".to_owned();
        assert!(headline(&snapshot, 1_400_000, false).starts_with("Something is wrong, see the last line. Next: "));
        snapshot.groups[0].owner.clear();
        assert!(headline(&snapshot, 1_400_000, false).starts_with("2 things are wrong, see the last lines. Next: "));
    }

    #[test]
    fn a_late_node_is_told_with_the_time_that_is_left_before_what_is_later() {
        let mut snapshot = healthy();
        (snapshot.groups[0].returns, snapshot.groups[0].returns_at_usec) = ("at".to_owned(), 251_400_000);
        // Heard last at 1 s, warned of from 5 s, dead after 10 s.
        let due = due(&snapshot, 7_000_000);
        assert_eq!(due[0].text, "nodeb is late, and counts as dead in 4 s if it stays silent");
        assert_eq!((due[0].usec, due.len()), (11_000_000, 2));
        let text = headline(&snapshot, 7_000_000, false);
        assert!(text.ends_with("in 4 s if it stays silent; 1 more below."), "{text}");
    }
}
