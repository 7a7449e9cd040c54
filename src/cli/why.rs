//! `hbctl why`: who owns a group, since when and because of what, in sentences; and the last decisions.
//!
//! Owns the sentences. What was the cause is [`super::cause`]'s to find; why a group is not elsewhere
//! [`super::why_not`]'s.

use std::fmt::Write;

use serde::Serialize;

use super::cause::cause;
use super::due::when_it_returns;
use super::format::{age, bold, local_time, paint};
use crate::bus::troubles::held_back;
use crate::bus::{DecisionSnapshot, GroupSnapshot, Snapshot};
use crate::util::text::printable;

/// The explanation as `hbctl why --json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct Explanation<'a> {
    groups: Vec<Explained<'a>>,
    witness: Option<String>,
    decisions: Vec<&'a DecisionSnapshot>,
}

/// One group in it.
#[derive(Debug, Serialize)]
struct Explained<'a> {
    name: &'a str,
    owner: &'a str,
    owner_since_usec: u64,
    explanation: String,
}

/// What there is to say at this moment, CLOCK_REALTIME, about one group or about all; `None` if there is no such
/// group.
pub(super) fn explain<'a>(snapshot: &'a Snapshot, wanted: Option<&str>, now_usec: u64) -> Option<Explanation<'a>> {
    let groups: Vec<&GroupSnapshot> = match wanted {
        None => snapshot.groups.iter().collect(),
        Some(word) => vec![&snapshot.groups[snapshot.place_of(word)?]],
    };
    // A decision about no group, such as a node's death, may be the cause of what happened to this group.
    let of_interest = |decision: &&DecisionSnapshot| {
        decision.group.is_empty() || groups.iter().any(|group| group.name == decision.group) || wanted.is_none()
    };
    let decisions = snapshot.decisions.iter().filter(of_interest).collect();
    let explained = groups.into_iter().map(|group| Explained {
        name: &group.name,
        owner: &group.owner,
        owner_since_usec: group.owner_since_usec,
        explanation: explanation(group, snapshot, now_usec),
    });
    Some(Explanation { groups: explained.collect(), witness: vote(snapshot), decisions })
}

impl Explanation<'_> {
    /// The same for people.
    pub(super) fn text(&self, colour: bool) -> String {
        let mut text = String::new();
        for Explained { name, explanation, .. } in &self.groups {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{}: {explanation}", bold(&printable(name), colour));
        }
        if let Some(vote) = &self.witness {
            let _ = writeln!(text, "{}: {vote}", bold("the witness", colour));
        }
        text.push_str(if self.decisions.is_empty() {
            "\nNothing was decided since hbd started here; `hbctl events` shows what was before.\n"
        } else {
            "\nWhat led there, the last at the bottom:\n"
        });
        for decision in &self.decisions {
            let _ = writeln!(text, "  {}", line(decision, colour));
        }
        text
    }
}

/// Where a group is, since when, because of what, and when that changes.
fn explanation(group: &GroupSnapshot, snapshot: &Snapshot, now_usec: u64) -> String {
    if !group.held_back.is_empty() {
        return printable(&held_back(group));
    }
    if group.owner.is_empty() {
        return format!("nobody owns it. `hbctl why not {} {}` says why not this node.", group.name, snapshot.node);
    }
    let owner = if group.owner == snapshot.node { "this node" } else { &group.owner };
    let since = match group.owner_since_usec {
        0 => String::new(),
        since => format!(" for {}", age(now_usec.saturating_sub(since))),
    };
    let because = cause(snapshot, group).map(|cause| format!(", because {cause}")).unwrap_or_default();
    format!("on {owner}{since}{because}{}. {}", what_does_not_run(group), home(group, snapshot, now_usec))
}

/// The node that it prefers, and whether it goes there.
fn home(group: &GroupSnapshot, snapshot: &Snapshot, now_usec: u64) -> String {
    let preferred = &group.preferred;
    if group.owner == *preferred {
        return "That is the node that it prefers.".to_owned();
    }
    let dead = snapshot.nodes.iter().any(|node| node.name == *preferred && node.status == "dead");
    let is_dead = if dead { ", which is dead" } else { "" };
    match when_it_returns(group, now_usec) {
        Some(when) => format!("It prefers {preferred}{is_dead}, and returns {when}."),
        None if !group.fails_back => {
            format!("It prefers {preferred}{is_dead}, and stays: auto_failback or failback is off for it.")
        }
        None if group.owner != snapshot.node && !dead => {
            format!("It prefers {preferred}; `hbctl why` on {} says when it returns.", group.owner)
        }
        None => format!("It prefers {preferred}{is_dead}; what is below says why it is not there."),
    }
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
pub(super) fn what_does_not_run(group: &GroupSnapshot) -> String {
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

/// A decision in a line, with its time.
pub(super) fn line(decision: &DecisionSnapshot, colour: bool) -> String {
    let said = paint(&printable(&decision.text), level(decision.priority), colour);
    format!("{}  {said}", local_time(decision.usec))
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

    const NOW: u64 = 200_000_000;

    fn snapshot() -> Snapshot {
        let decision = |event: &str, node: &str, group: &str, text: &str| DecisionSnapshot {
            usec: 80_000_000,
            priority: 6,
            event: event.to_owned(),
            node: node.to_owned(),
            group: group.to_owned(),
            text: text.to_owned(),
        };
        let group = |name: &str, owner: &str| GroupSnapshot {
            name: name.to_owned(),
            owner: owner.to_owned(),
            preferred: "nodea".to_owned(),
            owner_since_usec: 80_000_000,
            ..GroupSnapshot::default()
        };
        let dead = NodeSnapshot {
            name: "nodea".into(),
            status: "dead".into(),
            deadtime_usec: 4_000_000,
            ..NodeSnapshot::default()
        };
        Snapshot {
            node: "nodeb".to_owned(),
            nodes: vec![dead],
            groups: vec![group("10.0.0.1", "nodeb"), group("10.0.0.2", "")],
            decisions: vec![
                decision("NodeDead", "nodea", "", "node nodea: is dead"),
                decision("GroupActive", "", "10.0.0.1", "one is active here"),
                decision("StartFailed", "", "10.0.0.2", "two \u{1b}[2J did not start"),
            ],
            ..Snapshot::default()
        }
    }

    fn render(snapshot: &Snapshot, wanted: Option<&str>) -> Option<String> {
        Some(explain(snapshot, wanted, NOW)?.text(false))
    }

    #[test]
    fn a_group_is_told_with_its_cause_and_without_the_others() {
        let mut snapshot = snapshot();
        let text = render(&snapshot, Some("10.0.0.1")).unwrap();
        let since = local_time(76_000_000);
        let wanted = format!(
            "10.0.0.1: on this node for 2 min, because nodea was silent for 4 s from {since}. It prefers nodea, which is \
             dead, and stays: auto_failback or failback is off for it.\n"
        );
        assert!(text.starts_with(&wanted), "{text}");
        assert!(text.contains("node nodea: is dead") && text.contains("one is active here"), "{text}");
        assert!(!text.contains("10.0.0.2") && !text.contains("did not start"), "{text}");
        assert_eq!(render(&snapshot, Some("10.0.0.9")), None);
        (snapshot.groups[0].returns, snapshot.groups[0].returns_at_usec) = ("at".to_owned(), NOW + 240_000_000);
        snapshot.nodes[0].status = "active".to_owned();
        let text = render(&snapshot, Some("10.0.0.1")).unwrap();
        assert!(text.contains(". It prefers nodea, and returns in 4 min.\n"), "{text}");
        (snapshot.groups[0].name, snapshot.groups[0].key) = ("web".to_owned(), "10.0.0.1".to_owned());
        snapshot.decisions[1].group = "web".to_owned();
        let text = render(&snapshot, Some("10.0.0.1")).unwrap();
        assert!(text.starts_with("web: on this node") && text.contains("one is active here"), "{text}");
    }

    #[test]
    fn the_vote_is_told_where_there_is_one() {
        let mut snapshot = snapshot();
        let line = |snapshot: &Snapshot| {
            let text = render(snapshot, None).unwrap();
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
        let text = render(&snapshot(), None).unwrap();
        assert!(text.contains("10.0.0.2: nobody owns it. `hbctl why not 10.0.0.2 nodeb` says"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}
