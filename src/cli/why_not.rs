//! `hbctl why not GROUP NODE`: what keeps a group from running on a node now.
//!
//! Owns the list of what can, in the order in which an operator would mend it. Concludes from what hbd shows, and
//! decides nothing.

use serde::Serialize;

use super::due::when_it_returns;
use super::format::{age, bold, rest};
use super::why::what_does_not_run;
use crate::bus::troubles::held_back;
use crate::bus::{GroupSnapshot, NodeSnapshot, Snapshot, UnfitSnapshot};
use crate::util::text::printable;

/// The answer.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Absence {
    group: String,
    node: String,
    owner: String,
    /// What would keep a move from happening, a sentence each.
    obstacles: Vec<String>,
    /// The groups that would come along.
    along: Vec<String>,
    /// What follows: where the group is by rights, and what to type.
    conclusion: String,
}

/// Why this group is not on this node, at this moment of CLOCK_REALTIME; the texts say what is wrong with the names.
pub(super) fn examine(snapshot: &Snapshot, group: &str, node: &str, now_usec: u64) -> Result<Absence, String> {
    let place = snapshot.place_of(group).ok_or("there is no such group; see `hbctl status`")?;
    let group = &snapshot.groups[place];
    let found = snapshot.nodes.iter().find(|known| known.name == node && known.kind == "normal");
    let node = found.ok_or("there is no such node with resources; see `hbctl status`")?;
    let there = group.owner == node.name;
    let obstacles = if there { Vec::new() } else { obstacles(snapshot, group, node, now_usec) };
    let along = if there { Vec::new() } else { along(snapshot, group) };
    let conclusion = if there {
        format!("{} is on {}: nothing keeps it from there{}.", group.name, node.name, what_does_not_run(group))
    } else {
        conclusion(snapshot, group, node, obstacles.is_empty(), now_usec)
    };
    Ok(Absence {
        group: group.name.clone(),
        node: node.name.clone(),
        owner: group.owner.clone(),
        obstacles,
        along,
        conclusion,
    })
}

impl Absence {
    /// The same for people.
    pub(super) fn text(&self, colour: bool) -> String {
        let mut text = String::new();
        if !self.obstacles.is_empty() {
            let head = format!("What keeps {} from running on {}:", self.group, self.node);
            text.push_str(&format!("{}\n", bold(&printable(&head), colour)));
        }
        self.obstacles.iter().for_each(|obstacle| text.push_str(&format!("  {}\n", printable(obstacle))));
        text.push_str(&format!("{}\n", printable(&self.conclusion)));
        if !self.along.is_empty() {
            text.push_str(&format!("With it would go: {}.\n", printable(&self.along.join(", "))));
        }
        text
    }
}

/// What would keep the group from going to the node.
fn obstacles(snapshot: &Snapshot, group: &GroupSnapshot, node: &NodeSnapshot, now_usec: u64) -> Vec<String> {
    let mut found = presence(snapshot, node, now_usec);
    found.extend(maintenance(snapshot, group, node));
    found.extend(fitness(group, node));
    found.extend(failed_before(group, node, now_usec));
    if node.local && !group.held_back.is_empty() {
        found.push(format!("It is {}", held_back(group)));
    }
    for other in snapshot.groups.iter().filter(|other| group.apart.contains(&other.name) && other.owner == node.name)
    {
        let name = &other.name;
        found.push(format!("{name} is there, and hbd.toml keeps the two apart: move {name} away first."));
    }
    if snapshot.auto_failback == "legacy" && !snapshot.groups_move_alone {
        found.push("auto_failback is legacy: groups are not moved while both nodes live.".to_owned());
    }
    if !snapshot.awaited.is_empty() {
        found.push(format!("Another move is under way, and waits for {}.", snapshot.awaited));
    }
    found
}

/// Whether the node is there, and its hbd ready to act.
fn presence(snapshot: &Snapshot, node: &NodeSnapshot, now_usec: u64) -> Vec<String> {
    let name = &node.name;
    let mut found = Vec::new();
    match node.status.as_str() {
        "dead" => {
            let heard = match node.last_status_usec {
                0 => "it was not heard since hbd started here".to_owned(),
                last => format!("it was heard last {} ago", age(now_usec.saturating_sub(last))),
            };
            found.push(format!("{name} is dead: {heard}."));
        }
        "init" | "up" => found.push(format!("{name} is still starting.")),
        _ if node.in_transition => {
            found.push(format!("{name} is moving something, or has not decided yet what it holds."));
        }
        _ => {}
    }
    if !node.doubt.is_empty() {
        found.push(format!("{name} is not believed: {}.", node.doubt));
    }
    if node.local && snapshot.state == "stopping" {
        found.push(format!("hbd is stopping on {name}."));
    }
    found
}

/// What an operator works on.
fn maintenance(snapshot: &Snapshot, group: &GroupSnapshot, node: &NodeSnapshot) -> Vec<String> {
    let concerned = snapshot.nodes.iter().filter(|known| known.name == node.name || known.name == group.owner);
    let mut found = Vec::new();
    for known in concerned {
        let name = &known.name;
        if known.maintenance || (known.local && snapshot.maintenance) {
            found.push(format!("{name} is in maintenance: `hbctl maintenance off` on {name} ends that."));
        } else if known.left_alone.contains(&group.name) {
            let command = format!("hbctl maintenance off {}", group.name);
            found.push(format!("The group is in maintenance on {name}: `{command}` on {name} ends that."));
        }
    }
    found
}

/// Whether the node could serve the group.
fn fitness(group: &GroupSnapshot, node: &NodeSnapshot) -> Vec<String> {
    let mut found = Vec::new();
    if node.local {
        let failing = group.checks.iter().filter(|check| check.purpose == "ready" && check.state == "failing");
        found.extend(failing.map(|check| {
            format!("{} is not ready for it: the check {} fails ({}).", node.name, check.name, check.reason)
        }));
        for resource in group.resources.iter().filter(|resource| resource.failures > 0 || !resource.why.is_empty()) {
            let why = if resource.why.is_empty() { String::new() } else { format!(" ({})", resource.why) };
            let word = &resource.word;
            found.push(match resource.failures {
                0 => format!("{word} is {} there{why}.", resource.state),
                failures => format!(
                    "{word} failed there lately, {failures} in all{why}: when that is mended, `hbctl cleanup {}`.",
                    group.name
                ),
            });
        }
    } else if node.not_ready.contains(&group.name) {
        let name = &node.name;
        found.push(format!("{name} says that it could not serve it: `hbctl status` on {name} says why."));
    }
    found
}

/// Whether it failed there a while ago, so that it is not given back by itself.
fn failed_before(group: &GroupSnapshot, node: &NodeSnapshot, now_usec: u64) -> Option<String> {
    let UnfitSnapshot { why, until_usec, .. } = group.unfit.iter().find(|unfit| unfit.node == node.name)?;
    let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
    let until = match until_usec {
        0 => String::new(),
        until => format!(" for {} more", rest(until.saturating_sub(now_usec))),
    };
    let (name, node_name) = (&group.name, &node.name);
    let remedy = match (node.local, node.hbd) {
        (true, _) => format!("; `hbctl cleanup {name}` ends that"),
        (false, true) => format!("; `hbctl cleanup {name}` on {node_name} ends that"),
        (false, false) => String::new(),
    };
    Some(format!("It failed on {node_name}{why}, and is not given back there by itself{until}{remedy}."))
}

/// The groups that would go along: what hbd.toml keeps together, or all of its class beside an older node.
fn along(snapshot: &Snapshot, group: &GroupSnapshot) -> Vec<String> {
    let goes = |other: &&GroupSnapshot| {
        let of_class = !snapshot.groups_move_alone && other.preferred == group.preferred;
        other.name != group.name && (of_class || group.together.contains(&other.name))
    };
    snapshot.groups.iter().filter(goes).map(|other| other.name.clone()).collect()
}

/// Why it is where it is, and what brings it to the node.
fn conclusion(snapshot: &Snapshot, group: &GroupSnapshot, node: &NodeSnapshot, free: bool, now_usec: u64) -> String {
    let GroupSnapshot { name, owner, preferred, .. } = group;
    let command = format!("`hbctl move {name} {}`", node.name);
    let lives = |wanted: &str| snapshot.nodes.iter().any(|known| known.name == wanted && known.status != "dead");
    let by_itself = if owner.is_empty() {
        "Nobody owns it now.".to_owned()
    } else if owner == preferred {
        format!("It prefers {owner}, which has it: it leaves that only if {owner} fails, or if somebody moves it.")
    } else if let Some(when) = when_it_returns(group, now_usec) {
        format!("It prefers {preferred}, and returns {when}; `hbctl failback now {name}` does not wait.")
    } else if !group.fails_back {
        format!("It prefers {preferred}, and stays on {owner}: auto_failback or failback is off for it.")
    } else if *owner != snapshot.node {
        format!("It prefers {preferred}; `hbctl why {name}` on {owner} says when it returns.")
    } else {
        format!("It prefers {preferred}.")
    };
    match free {
        true if owner.is_empty() || !lives(owner) => by_itself,
        true => format!("{by_itself} Nothing that is known here keeps it from {}: {command} moves it.", node.name),
        false => by_itself,
    }
}
