//! `hbctl why`: the last decisions as text, for one group or for all.

use std::fmt::Write;

use super::format::{age, bold, local_time, paint};
use super::status::when_it_returns;
use crate::bus::{DecisionSnapshot, GroupSnapshot, Snapshot};
use crate::util::clock::now_usec;
use crate::util::text::printable;

/// The text; `None` if there is no such group.
pub(super) fn render(snapshot: &Snapshot, wanted: Option<&str>, colour: bool) -> Option<String> {
    let groups: Vec<&GroupSnapshot> = match wanted {
        None => snapshot.groups.iter().collect(),
        Some(word) => vec![&snapshot.groups[snapshot.place_of(word)?]],
    };
    let mut text = String::new();
    for group in &groups {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}: {}", bold(&printable(&group.name), colour), owner_sentence(group, snapshot));
    }
    if let Some(vote) = vote(snapshot) {
        let _ = writeln!(text, "{}: {vote}", bold("the witness", colour));
    }
    // A decision about no group, such as a node's death, may be the cause of what happened to this group.
    let of_interest = |decision: &&DecisionSnapshot| {
        decision.group.is_empty() || groups.iter().any(|group| group.name == decision.group) || wanted.is_none()
    };
    text.push_str(if snapshot.decisions.is_empty() {
        "\nNothing was decided since hbd started here; `hbctl events` shows what was before.\n"
    } else {
        "\nWhat led there, the last at the bottom:\n"
    });
    for decision in snapshot.decisions.iter().filter(of_interest) {
        let level = level(decision.priority);
        let said = paint(&printable(&decision.text), level, colour);
        let _ = writeln!(text, "  {}  {said}", local_time(decision.usec));
    }
    Some(text)
}

/// The owner of a group, since when, and why not its preferred node.
fn owner_sentence(group: &GroupSnapshot, snapshot: &Snapshot) -> String {
    if !group.held_back.is_empty() {
        return format!("held back, because {}", printable(&group.held_back));
    }
    if group.owner.is_empty() {
        return "nobody owns it".to_owned();
    }
    let ago = now_usec().saturating_sub(group.owner_since_usec);
    let owner = if group.owner == snapshot.node { "this node" } else { &group.owner };
    let since = if group.owner_since_usec == 0 { String::new() } else { format!(" since {}", age(ago)) };
    let home = if group.owner == group.preferred {
        "which it prefers".to_owned()
    } else {
        let dead = snapshot.nodes.iter().any(|node| node.name == group.preferred && node.status == "dead");
        let returns = when_it_returns(group, now_usec());
        let why = match (dead, snapshot.auto_failback.as_str()) {
            (true, _) => "which is dead".to_owned(),
            (false, _) if returns.is_some() => format!("it returns {}", returns.unwrap_or_default()),
            (false, "off") => "auto_failback is off".to_owned(),
            (false, _) => "for the reasons below".to_owned(),
        };
        format!("and not on {}, which it prefers: {why}", group.preferred)
    };
    format!("on {owner}{since}, {home}{}", what_does_not_run(group))
}

/// What the witness has to do with it; `None` without one.
fn vote(snapshot: &Snapshot) -> Option<String> {
    let peer = snapshot.nodes.iter().find(|node| !node.local && node.kind == "normal")?;
    let words = printable(&snapshot.witness);
    if words.is_empty() {
        return None;
    }
    Some(if snapshot.witness_key {
        format!("{words}: {} takes nothing as long as it is not heard", peer.name)
    } else if peer.status != "dead" {
        format!("{words}; the nodes hear each other, so nothing depends on it")
    } else if snapshot.witness_required {
        format!("{words}; {} is not heard, so this node takes and keeps nothing without the key", peer.name)
    } else if snapshot.witness_answers {
        format!("{words}; {} is not heard, so this node takes nothing while the key is not its own", peer.name)
    } else {
        format!("{words}; {} is not heard, and it is as if no witness was configured (required = false)", peer.name)
    })
}

/// The end of the sentence if not all of the group runs.
fn what_does_not_run(group: &GroupSnapshot) -> String {
    let ill = group.resources.iter().filter(|resource| !resource.why.is_empty());
    let ill: Vec<String> =
        ill.map(|resource| format!("{} ({}: {})", resource.word, resource.state, printable(&resource.why))).collect();
    if !ill.is_empty() {
        format!("; not all of it runs: {}", ill.join(", "))
    } else if group.degraded_there {
        format!("; not all of it runs there, as {} says", group.owner)
    } else {
        String::new()
    }
}

/// The word for a priority.
pub(super) fn level(priority: u8) -> &'static str {
    match priority {
        0..=2 => "critical",
        3 => "error",
        4 => "warning",
        _ => "information",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::NodeSnapshot;

    fn snapshot() -> Snapshot {
        let decision = |group: &str, text: &str| DecisionSnapshot {
            usec: 1,
            priority: 6,
            group: group.to_owned(),
            text: text.to_owned(),
            ..DecisionSnapshot::default()
        };
        let group = |name: &str, owner: &str| GroupSnapshot {
            name: name.to_owned(),
            owner: owner.to_owned(),
            preferred: "nodea".to_owned(),
            owner_since_usec: now_usec() - 120_000_000,
            ..GroupSnapshot::default()
        };
        let dead = NodeSnapshot { name: "nodea".into(), status: "dead".into(), ..NodeSnapshot::default() };
        Snapshot {
            node: "nodeb".to_owned(),
            nodes: vec![dead],
            groups: vec![group("10.0.0.1", "nodeb"), group("10.0.0.2", "")],
            decisions: vec![
                decision("", "node nodea: is dead"),
                decision("10.0.0.1", "one is active here"),
                decision("10.0.0.2", "two \u{1b}[2J did not start"),
            ],
            ..Snapshot::default()
        }
    }

    #[test]
    fn a_group_is_told_with_its_cause_and_without_the_others() {
        let text = render(&snapshot(), Some("10.0.0.1"), false).unwrap();
        let wanted = "10.0.0.1: on this node since 2 min, and not on nodea, which it prefers: which is dead\n";
        assert!(text.starts_with(wanted), "{text}");
        assert!(text.contains("node nodea: is dead") && text.contains("one is active here"), "{text}");
        assert!(!text.contains("10.0.0.2") && !text.contains("did not start"), "{text}");
        assert_eq!(render(&snapshot(), Some("10.0.0.9"), false), None);
        let mut named = snapshot();
        (named.groups[0].name, named.groups[0].key) = ("web".to_owned(), "10.0.0.1".to_owned());
        named.decisions[1].group = "web".to_owned();
        let text = render(&named, Some("10.0.0.1"), false).unwrap();
        assert!(text.starts_with("web: on this node") && text.contains("one is active here"), "{text}");
    }

    #[test]
    fn the_vote_is_told_where_there_is_one() {
        let mut snapshot = snapshot();
        let line = |snapshot: &Snapshot| {
            let text = render(snapshot, None, false).unwrap();
            text.lines().find(|line| line.starts_with("the witness:")).map(str::to_owned)
        };
        assert_eq!(line(&snapshot), None);
        snapshot.nodes[0].kind = "normal".to_owned();
        snapshot.witness = "does not answer: no route to host".to_owned();
        assert!(line(&snapshot).unwrap().ends_with("as if no witness was configured (required = false)"));
        snapshot.witness_required = true;
        assert!(line(&snapshot).unwrap().ends_with("so this node takes and keeps nothing without the key"));
        (snapshot.witness, snapshot.witness_key) = ("has given its key to this node".to_owned(), true);
        assert!(line(&snapshot).unwrap().ends_with("this node: nodea takes nothing as long as it is not heard"));
        (snapshot.nodes[0].status, snapshot.witness_key) = ("active".to_owned(), false);
        assert!(line(&snapshot).unwrap().contains("nothing depends on it"));
    }

    #[test]
    fn no_record_moves_the_cursor() {
        let text = render(&snapshot(), None, false).unwrap();
        assert!(text.contains("nobody owns it") && !text.contains('\u{1b}'), "{text}");
    }
}
