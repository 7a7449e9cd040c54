//! `hbctl status`: the text, and what is wrong.

use std::fmt::Write;

use crate::bus::{NodeSnapshot, Snapshot};

/// Everything that is not as it should be, one sentence each; empty when all is well.
pub(super) fn troubles(snapshot: &Snapshot) -> Vec<String> {
    let mut troubles = Vec::new();
    for group in &snapshot.groups {
        if !group.held_back.is_empty() {
            troubles.push(format!(
                "Group {} is not taken over, because {}: nobody may serve an address twice.",
                group.name, group.held_back
            ));
        } else if group.owner.is_empty() {
            troubles.push(format!("Group {} has no owner.", group.name));
        }
        let failed: Vec<_> = group.resources.iter().filter(|resource| resource.state == "failed").collect();
        for resource in &failed {
            let look = if resource.kind == "unit" { "systemctl status" } else { "ip address show to" };
            troubles.push(format!(
                "Resource {} of group {} failed: see {look} {}",
                resource.word, group.name, resource.target
            ));
        }
        if group.state == "failed" && failed.is_empty() {
            troubles.push(format!("Group {} failed: see journalctl -u hbd HBD_GROUP={}", group.name, group.name));
        }
    }
    for node in snapshot.nodes.iter().filter(|node| node.status == "dead") {
        troubles.push(format!("Node {} is dead.", node.name));
    }
    for link in snapshot.links.iter().filter(|link| link.status == "dead") {
        troubles.push(format!("Link {}:{} is dead.", link.node, link.name));
    }
    troubles
}

/// The whole text. `now_usec` is CLOCK_REALTIME in microseconds.
pub(super) fn render(snapshot: &Snapshot, now_usec: u64) -> String {
    let mut text = format!(
        "Node {}: {}, holds {} resources\nhbd {}, generation {}, auto_failback {}\n\
         keepalive {}, warntime {}, deadtime {}, initdead {}\n\n",
        snapshot.node,
        snapshot.state,
        snapshot.resource_state,
        snapshot.version,
        snapshot.generation,
        snapshot.auto_failback,
        duration(snapshot.keepalive_usec),
        duration(snapshot.warntime_usec),
        duration(snapshot.deadtime_usec),
        duration(snapshot.initdead_usec),
    );
    let nodes = snapshot.nodes.iter().map(|node| {
        let holds = if node.holds.is_empty() { "-" } else { &node.holds };
        [node.name.clone(), node.status.clone(), holds.to_owned(), software(node).to_owned(), heard(node, now_usec)]
    });
    text.push_str(&table(["NODE", "STATUS", "HOLDS", "RUNS", "LAST HEARD"], nodes));
    let links = snapshot.links.iter().map(|link| [link.node.clone(), link.name.clone(), link.status.clone()]);
    text.push('\n');
    text.push_str(&table(["LINK TO", "ON", "STATUS"], links));
    let groups = snapshot.groups.iter().flat_map(|group| {
        let owner = if group.owner.is_empty() { "nobody" } else { &group.owner };
        let head = [group.name.clone(), group.state.clone(), owner.to_owned(), group.preferred.clone()];
        let rows = group
            .resources
            .iter()
            .map(|resource| [format!("  {}", resource.target), resource.state.clone(), String::new(), String::new()]);
        std::iter::once(head).chain(rows).collect::<Vec<_>>()
    });
    text.push('\n');
    text.push_str(&table(["GROUP", "HERE", "OWNER", "PREFERRED"], groups));
    let troubles = troubles(snapshot);
    if !troubles.is_empty() {
        text.push('\n');
        for trouble in troubles {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{trouble}");
        }
    }
    text
}

fn software(node: &NodeSnapshot) -> &'static str {
    match (node.kind.as_str(), node.generation, node.hbd) {
        ("ping", _, _) => "(ping)",
        (_, _, true) => "hbd",
        (_, 0, false) => "-",
        (_, _, false) => "heartbeat",
    }
}

fn heard(node: &NodeSnapshot, now_usec: u64) -> String {
    match node.last_status_usec {
        _ if node.local => "this node".to_owned(),
        0 => "never".to_owned(),
        then => format!("{:.1} s ago", now_usec.saturating_sub(then) as f64 / 1e6),
    }
}

/// Microseconds as ha.cf would write them: `10s`, `500ms`.
fn duration(usec: u64) -> String {
    if usec.is_multiple_of(1_000_000) { format!("{}s", usec / 1_000_000) } else { format!("{}ms", usec / 1000) }
}

/// Rows below a heading, in columns two spaces apart; nothing at all without rows.
fn table<const N: usize>(heading: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let mut lines = vec![heading.map(str::to_owned)];
    lines.extend(rows);
    if lines.len() == 1 {
        lines.push(std::array::from_fn(|column| if column == 0 { "(none)".to_owned() } else { String::new() }));
    }
    let widths: [usize; N] =
        std::array::from_fn(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default());
    let mut text = String::new();
    for line in &lines {
        let padded: Vec<String> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(padded.join("  ").trim_end());
        text.push('\n');
    }
    text
}
