//! `hbctl status`: the text. What is wrong is [`crate::bus::troubles`]'s to say.

use std::fmt::Write;

use super::due::due;
use super::format::{age, bold, ha_cf_time, paint, table};
use crate::bus::troubles::troubles;
use crate::bus::{GroupSnapshot, NodeSnapshot, Snapshot};

/// The end of the line about this hbd, where two groups cannot be moved one by one.
fn moving_together(snapshot: &Snapshot) -> &'static str {
    let shared = |group: &GroupSnapshot| {
        snapshot.groups.iter().filter(|other| other.preferred == group.preferred).nth(1).is_some()
    };
    let together = !snapshot.groups_move_alone && snapshot.other_node().is_some();
    if together && snapshot.groups.iter().any(shared) { ", groups move together" } else { "" }
}

/// What a node holds, in Heartbeat's words, and group by group where it holds a part of a class: a word would say
/// more than is so. Whether it holds a part, for the grammar.
fn holding(snapshot: &Snapshot, node: &NodeSnapshot) -> (String, bool) {
    const NAMED: usize = 3;
    let held = |group: &GroupSnapshot| group.owner == node.name || (group.contested && !node.local);
    let (mut classes, mut names) = (Vec::new(), Vec::new());
    for (class, own) in [("local", true), ("foreign", false)] {
        let members = snapshot.groups.iter().filter(|group| (group.preferred == node.name) == own);
        let (here, elsewhere): (Vec<_>, Vec<_>) = members.partition(|group| held(group));
        if !here.is_empty() && !elsewhere.is_empty() {
            names.extend(here.into_iter().map(|group| group.name.as_str()));
        } else if node.holds == class || node.holds == "all" {
            classes.push(class);
        }
    }
    if names.is_empty() {
        return (node.holds.clone(), false);
    }
    let more = names.len().saturating_sub(NAMED);
    classes.extend(names.into_iter().take(NAMED));
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    (classes.join(", ") + &more, true)
}

/// The same of this node in a sentence.
fn holding_here(snapshot: &Snapshot) -> String {
    let here = snapshot.nodes.iter().find(|node| node.local).map(|node| holding(snapshot, node));
    match here {
        Some((groups, true)) if snapshot.resource_state != "transition" => groups,
        _ => format!("{} resources", snapshot.resource_state),
    }
}

/// A line about the witness; empty without one.
fn witness(snapshot: &Snapshot) -> String {
    let words = &snapshot.witness;
    if words.is_empty() { String::new() } else { format!("the witness {words}\n") }
}

/// The first line: all is well or not, and what is next.
pub(super) fn headline(snapshot: &Snapshot, now_usec: u64, colour: bool) -> String {
    let well = match troubles(snapshot).len() {
        0 => paint("All is well.", "ok", colour),
        1 => paint("Something is wrong, see the last line.", "bad", colour),
        many => paint(&format!("{many} things are wrong, see the last lines."), "bad", colour),
    };
    let due = due(snapshot, now_usec);
    match due.as_slice() {
        [] => well,
        [only] => format!("{well} Next: {}.", only.text),
        [first, others @ ..] => format!("{well} Next: {}; {} more below.", first.text, others.len()),
    }
}

/// The whole text. `now_usec` is CLOCK_REALTIME in microseconds.
pub(super) fn render(snapshot: &Snapshot, now_usec: u64, colour: bool) -> String {
    let mut text = format!(
        "{}\n\n{} {}: {}, holds {}\nhbd {}, cluster {}, generation {}, auto_failback {}{}\n\
         keepalive {}, warntime {}, deadtime {}, initdead {}\n{}\n",
        headline(snapshot, now_usec, colour),
        bold("Node", colour),
        snapshot.node,
        paint(&snapshot.state, &snapshot.state, colour),
        holding_here(snapshot),
        snapshot.version,
        snapshot.cluster,
        snapshot.generation,
        snapshot.auto_failback,
        moving_together(snapshot),
        ha_cf_time(snapshot.keepalive_usec),
        ha_cf_time(snapshot.warntime_usec),
        ha_cf_time(snapshot.deadtime_usec),
        ha_cf_time(snapshot.initdead_usec),
        witness(snapshot),
    );
    let nodes = snapshot.nodes.iter().map(|node| {
        let holds = if node.holds.is_empty() { "-".to_owned() } else { holding(snapshot, node).0 };
        let last_heard =
            if node.local { "this node".to_owned() } else { last_heard(node.last_status_usec, now_usec) };
        let status = if node.maintenance { format!("{} (maintenance)", node.status) } else { node.status.clone() };
        let signed = if node.signed_with.is_empty() { "-" } else { &node.signed_with };
        [node.name.clone(), status, holds, software(node).to_owned(), signed.to_owned(), last_heard]
    });
    text.push_str(&table(["NODE", "STATUS", "HOLDS", "RUNS", "SIGNS WITH", "LAST HEARD"], nodes, colour));
    let links = snapshot.links.iter().map(|link| {
        let last_heard = last_heard(link.last_heard_usec, now_usec);
        [link.node.clone(), link.name.clone(), link.medium.clone(), link.status.clone(), last_heard]
    });
    text.push('\n');
    text.push_str(&table(["LINK TO", "ON", "MEDIUM", "STATUS", "LAST HEARD"], links, colour));
    let groups = snapshot.groups.iter().flat_map(|group| group_rows(group, now_usec));
    text.push('\n');
    text.push_str(&table(["GROUP", "HERE", "OWNER", "SINCE", "PREFERRED"], groups, colour));
    if !snapshot.awaited.is_empty() {
        let _ = writeln!(text, "\nA move waits for {}.", snapshot.awaited);
    }
    for (number, act) in due(snapshot, now_usec).iter().enumerate() {
        let gap = if number == 0 { "\n" } else { "" };
        let _ = writeln!(text, "{gap}Next: {}.", act.text);
    }
    let troubles = troubles(snapshot);
    if !troubles.is_empty() {
        text.push('\n');
        for trouble in troubles {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{}", paint(&trouble, "bad", colour));
        }
    }
    text
}

/// The rows of a group: one for itself, and one for each of its resources.
fn group_rows(group: &GroupSnapshot, now_usec: u64) -> Vec<[String; 5]> {
    let owner = if group.owner.is_empty() { "nobody" } else { &group.owner };
    let since = match group.owner_since_usec {
        0 => "-".to_owned(),
        since => age(now_usec.saturating_sub(since)),
    };
    let state = if group.held_back.is_empty() { group.state.clone() } else { "held back".to_owned() };
    let head = [group.name.clone(), state, owner.to_owned(), since, group.preferred.clone()];
    let resources = group.resources.iter().map(|resource| {
        let failures = match resource.failures {
            0 => String::new(),
            1 => "failed once lately".to_owned(),
            count => format!("failed {count} times lately"),
        };
        [format!("  {}", resource.target), resource.state.clone(), failures, String::new(), String::new()]
    });
    let checks = group.checks.iter().filter(|check| check.state != "off").map(|check| {
        let since =
            if check.since_usec == 0 { "-".to_owned() } else { age(now_usec.saturating_sub(check.since_usec)) };
        let what = if check.purpose == "ready" { "ready: " } else { "" };
        [format!("  {what}{}", check.name), check.state.clone(), String::new(), since, String::new()]
    });
    std::iter::once(head).chain(resources).chain(checks).collect()
}

fn software(node: &NodeSnapshot) -> &'static str {
    match (node.kind.as_str(), node.generation, node.hbd) {
        ("ping", _, _) => "(ping)",
        (_, _, true) => "hbd",
        (_, 0, false) => "-",
        (_, _, false) => "heartbeat",
    }
}

fn last_heard(then_usec: u64, now_usec: u64) -> String {
    match now_usec.saturating_sub(then_usec) {
        _ if then_usec == 0 => "never".to_owned(),
        ago if ago < 60_000_000 => format!("{:.1} s ago", ago as f64 / 1e6),
        ago => format!("{} ago", age(ago)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// nodea and nodeb, and five groups that prefer nodea and one that prefers nodeb; nodea holds the first `here`.
    fn split(here: usize, holds: [&str; 2]) -> Snapshot {
        let node = |name: &str, holds: &str| NodeSnapshot {
            name: name.to_owned(),
            kind: "normal".to_owned(),
            local: name == "nodea",
            holds: holds.to_owned(),
            ..NodeSnapshot::default()
        };
        let group = |number: usize| GroupSnapshot {
            name: format!("g{number}"),
            preferred: if number < 5 { "nodea" } else { "nodeb" }.to_owned(),
            owner: if number < here { "nodea" } else { "nodeb" }.to_owned(),
            ..GroupSnapshot::default()
        };
        Snapshot {
            node: "nodea".to_owned(),
            state: "active".to_owned(),
            resource_state: holds[0].to_owned(),
            nodes: vec![node("nodea", holds[0]), node("nodeb", holds[1])],
            groups: (0..6).map(group).collect(),
            ..Snapshot::default()
        }
    }

    fn shown(snapshot: &Snapshot) -> (String, String, String) {
        let holding = |node: usize| holding(snapshot, &snapshot.nodes[node]).0;
        (render(snapshot, 0, false).lines().nth(2).unwrap_or_default().to_owned(), holding(0), holding(1))
    }

    #[test]
    fn what_a_node_holds_of_a_split_class_is_named() {
        let (head, ours, theirs) = shown(&split(1, ["local", "all"]));
        assert_eq!(head, "Node nodea: active, holds g0");
        assert_eq!((ours.as_str(), theirs.as_str()), ("g0", "local, g1, g2, g3 and 1 more"));
        let (head, ours, theirs) = shown(&split(5, ["local", "local"]));
        assert_eq!(head, "Node nodea: active, holds local resources");
        assert_eq!((ours.as_str(), theirs.as_str()), ("local", "local"));
        let (head, _, theirs) = shown(&split(0, ["none", "all"]));
        assert_eq!((head.as_str(), theirs.as_str()), ("Node nodea: active, holds none resources", "all"));
    }

    #[test]
    fn a_node_in_transition_says_so() {
        let snapshot = Snapshot { resource_state: "transition".to_owned(), ..split(1, ["local", "all"]) };
        assert_eq!(shown(&snapshot).0, "Node nodea: active, holds transition resources");
    }
}
