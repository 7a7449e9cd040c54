//! What is wrong in a snapshot, a sentence each: `hbctl status` prints all of it, `systemctl status hbd` the first.
//!
//! Owns these sentences and their order. Never asks anybody: what the snapshot does not show is not wrong.

use super::snapshot::{CheckSnapshot, GroupSnapshot, NodeSnapshot, ResourceSnapshot, Snapshot, UnfitSnapshot};

/// Everything that is wrong, a sentence each; empty when all is well.
pub fn troubles(snapshot: &Snapshot) -> Vec<String> {
    each(snapshot).collect()
}

/// The first thing that is wrong; `None` when all is well. No other sentence is made for it: it is asked for at every
/// change of the state.
pub fn first_trouble(snapshot: &Snapshot) -> Option<String> {
    each(snapshot).next()
}

fn each(snapshot: &Snapshot) -> impl Iterator<Item = String> + '_ {
    let differing = snapshot.nodes.iter().filter(|node| !node.differing.is_empty());
    let not_ready = snapshot.nodes.iter().filter(|node| !node.local && !node.not_ready.is_empty());
    let moving = snapshot.nodes.iter().filter(|node| node.in_transition && node.status == "active");
    let dead = snapshot.nodes.iter().filter(|node| node.status == "dead");
    let dead_links = snapshot.links.iter().filter(|link| link.status == "dead");
    maintenance(snapshot)
        .into_iter()
        .chain(silent_witness(snapshot))
        .chain(differing.map(differing_settings))
        .chain(snapshot.groups.iter().flat_map(|group| troubles_of(snapshot, group)))
        .chain(own_state(snapshot))
        .chain(not_ready.map(|node| {
            let groups = node.not_ready.join(", ");
            format!("Node {} is not ready to serve {groups}: see hbctl status there.", node.name)
        }))
        .chain(
            moving
                .map(|node| format!("Node {} is moving resources, or has not decided yet what it holds.", node.name)),
        )
        .chain(snapshot.nodes.iter().filter_map(starting_node))
        .chain(dead.map(|node| {
            let doubt = if node.doubt.is_empty() { String::new() } else { format!(": {}", node.doubt) };
            format!("Node {} is dead{doubt}.", node.name)
        }))
        .chain(dead_links.map(|link| format!("Link {}:{} is dead.", link.node, link.name)))
        .chain(snapshot.broken_devices.iter().cloned())
        .chain(snapshot.start_problems.iter().cloned())
}

/// hbd on this node is not at work yet, or not any more.
fn own_state(snapshot: &Snapshot) -> Option<String> {
    let doing = match snapshot.state.as_str() {
        "init" | "up" => "starting",
        "stopping" => "stopping",
        _ => return None,
    };
    Some(format!("hbd is {doing} on this node."))
}

/// Another node of which nothing is known yet, or that does not serve yet.
fn starting_node(node: &NodeSnapshot) -> Option<String> {
    let name = &node.name;
    match node.status.as_str() {
        _ if node.local || node.kind != "normal" => None,
        "init" if node.last_status_usec == 0 => {
            Some(format!("Node {name} was not heard since hbd started on this node."))
        }
        "init" | "up" => Some(format!("hbd is starting on node {name}.")),
        _ => None,
    }
}

/// A node that was started with other files than this one.
fn differing_settings(node: &NodeSnapshot) -> String {
    let remedy = match node.differences.as_slice() {
        [] => "make them equal, hbctl check lists them".to_owned(),
        differences => {
            // The names of the nodes are read at a start only.
            let of_nodes = differences.iter().any(|difference| difference.starts_with("node "));
            let then = if of_nodes { "systemctl restart hbd where they were wrong" } else { "hbctl reload" };
            format!("{}. Make them equal, then {then}", differences.join("; "))
        }
    };
    let files = node.differing.join(" and ");
    format!("Node {} uses other cluster settings in {files} than this node: {remedy}.", node.name)
}

/// What is wrong with a group, here or elsewhere.
fn troubles_of(snapshot: &Snapshot, group: &GroupSnapshot) -> Vec<String> {
    let mut troubles = Vec::new();
    if !group.held_back.is_empty() {
        let (why, remedy) = (&group.held_back, remedy(group));
        troubles.push(format!("Group {} is not taken over, because {why}{remedy}", group.name));
    } else if group.owner.is_empty() {
        troubles.push(format!("Group {} has no owner.", group.name));
    }
    troubles.extend(troubles_here(group));
    troubles.extend(group.checks.iter().filter_map(|check| check_trouble(group, check)));
    troubles.extend(troubles_elsewhere(group));
    troubles.extend(group.unfit.iter().filter_map(|unfit| no_spare(snapshot, group, unfit)));
    troubles
}

/// A node that does not have the group, and is not given it because it has failed it: nothing is wrong with the
/// group, and it has nowhere to go.
fn no_spare(snapshot: &Snapshot, group: &GroupSnapshot, unfit: &UnfitSnapshot) -> Option<String> {
    let UnfitSnapshot { node, why, .. } = unfit;
    if group.owner == *node {
        return None;
    }
    let name = &group.name;
    let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
    let known = snapshot.nodes.iter().find(|known| known.name == *node);
    let (place, remedy) = match known {
        Some(known) if known.local => ("this node".to_owned(), format!(": mend that, then hbctl cleanup {name}")),
        Some(known) if known.hbd => {
            (format!("node {node}"), format!(": mend that, then hbctl cleanup {name} on {node}"))
        }
        _ => (format!("node {node}"), ".".to_owned()),
    };
    Some(format!("Group {name} has failed on {place}{why}, and is not given back there by itself{remedy}"))
}

/// What is left alone while an operator works on it.
fn maintenance(snapshot: &Snapshot) -> Vec<String> {
    let mut troubles = Vec::new();
    if snapshot.maintenance {
        troubles.push(
            "This node is in maintenance: its resources are left alone. `hbctl maintenance off` ends it.".to_owned(),
        );
    }
    for node in snapshot.nodes.iter().filter(|node| node.maintenance && !node.local) {
        troubles.push(format!("Node {} is in maintenance: it takes nothing over.", node.name));
    }
    for node in snapshot.nodes.iter().filter(|node| !node.left_alone.is_empty()) {
        let groups = node.left_alone.join(", ");
        troubles.push(if node.local {
            format!("In maintenance on this node: {groups}. `hbctl maintenance off GROUP` ends it.")
        } else {
            format!("In maintenance on node {}: {groups}.", node.name)
        });
    }
    troubles
}

/// A witness that does not answer, and what that means.
fn silent_witness(snapshot: &Snapshot) -> Option<String> {
    let without = if snapshot.witness_required {
        "without both nothing is served"
    } else {
        "without both it is as if none was configured (required = false)"
    };
    let words = &snapshot.witness;
    let silent = !words.is_empty() && !snapshot.witness_answers;
    silent.then(|| format!("The witness {words}. Nothing depends on it while the nodes hear each other; {without}."))
}

/// What a check of a group says that is not well.
fn check_trouble(group: &GroupSnapshot, check: &CheckSnapshot) -> Option<String> {
    let CheckSnapshot { name, reason, .. } = check;
    let group = &group.name;
    match (check.state.as_str(), check.purpose.as_str()) {
        ("failing", "ready") => Some(format!("This node is not ready to serve group {group} ({name}: {reason}).")),
        ("failing", _) => Some(format!("Group {group} does not do its work here ({name}: {reason}).")),
        ("unknown", _) if !reason.is_empty() => {
            Some(format!("A check of group {group} cannot be run ({name}: {reason})."))
        }
        _ => None,
    }
}

/// What is wrong with a group on other machines.
fn troubles_elsewhere(group: &GroupSnapshot) -> Vec<String> {
    let name = &group.name;
    let strangers = group.strangers.iter();
    let mut troubles: Vec<String> =
        strangers.map(|stranger| format!("{stranger}: take the address of group {name} away from it.")).collect();
    if group.contested {
        troubles.push(format!("Group {name} is held by both nodes: see hbctl why {name}"));
    }
    if group.degraded_there {
        troubles.push(format!("Group {name} does not run whole on {}: see hbctl status there.", group.owner));
    }
    troubles
}

/// What is wrong with a group on this node.
fn troubles_here(group: &GroupSnapshot) -> Vec<String> {
    let running =
        |resource: &&ResourceSnapshot| !matches!(resource.state.as_str(), "active" | "starting" | "stopped");
    let mut troubles: Vec<String> = group
        .resources
        .iter()
        .filter(running)
        .filter_map(|resource| {
            let look = if resource.kind == "unit" { "systemctl status" } else { "ip address show to" };
            let what = match resource.state.as_str() {
                "stopping" => return None,
                "stopped-by-hand" => "was stopped by hand",
                "stopped-with" => "was stopped by systemd",
                "restarting" => "failed, and systemd starts it again",
                "gone" => "is not on this machine",
                "unreachable" => "cannot be reached",
                "unknown" => "is not known",
                "left-over" => "runs here and should not",
                _ => "failed",
            };
            let why = if resource.why.is_empty() { String::new() } else { format!(" ({})", resource.why) };
            Some(format!(
                "Resource {} of group {} {what}{why}: see {look} {}",
                resource.word, group.name, resource.target
            ))
        })
        .collect();
    match group.state.as_str() {
        "failed" if troubles.is_empty() => troubles.push(format!(
            "Group {} could not be started here, and is tried again: see journalctl -u hbd HBD_GROUP={}",
            group.name, group.key
        )),
        "starting" | "stopping" => troubles.push(format!("Group {} is {} here.", group.name, group.state)),
        "degraded" if troubles.is_empty() => {
            troubles.push(format!("Something of group {} is started again here.", group.name));
        }
        _ => {}
    }
    troubles
}

/// That a group is held back, why, and what can be done about it, with a full stop at the end.
pub fn held_back(group: &GroupSnapshot) -> String {
    format!("held back, because {}{}.", group.held_back, remedy(group).trim_end_matches('.'))
}

/// The end of the sentence about a group that is held back: what can be done about it.
fn remedy(group: &GroupSnapshot) -> String {
    let name = &group.name;
    match group.held_back_reason.as_str() {
        "maintenance" => ".".to_owned(),
        "not-ready" => format!(": if it is after all, hbctl clear-hold {name}"),
        "doubted" => format!(", and no address shows whether it serves: if it does not, hbctl clear-hold {name}"),
        "not-fenced" => ": if that node is off for certain, hbctl confirm-fenced NODE.".to_owned(),
        "witness" => ": if the other node is off for certain, hbctl confirm-fenced NODE.".to_owned(),
        "isolated" => format!(": if the network of this node is well, hbctl clear-hold {name}"),
        "answered" => format!(": find that machine. If it does not serve the group, hbctl clear-hold {name}"),
        // An older hbd says no reason.
        _ => ": see HELD BACK in hbctl(8)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// nodea, which is asked, and nodeb; both run hbd and are well.
    fn pair() -> Snapshot {
        let node = |name: &str| NodeSnapshot {
            name: name.to_owned(),
            kind: "normal".to_owned(),
            status: "active".to_owned(),
            local: name == "nodea",
            hbd: true,
            last_status_usec: 1,
            ..NodeSnapshot::default()
        };
        let group = GroupSnapshot {
            name: "web".to_owned(),
            owner: "nodeb".to_owned(),
            state: "stopped".to_owned(),
            ..GroupSnapshot::default()
        };
        Snapshot {
            node: "nodea".to_owned(),
            state: "active".to_owned(),
            nodes: vec![node("nodea"), node("nodeb")],
            groups: vec![group],
            ..Snapshot::default()
        }
    }

    #[test]
    fn a_node_that_has_failed_a_group_is_no_spare_for_it() {
        let mut snapshot = pair();
        assert_eq!(first_trouble(&snapshot), None);
        let unfit = |node: &str, why: &str| UnfitSnapshot { node: node.into(), why: why.into(), until_usec: 7 };
        snapshot.groups[0].unfit = vec![unfit("nodea", "httpd: exit-code")];
        let here = "Group web has failed on this node (httpd: exit-code), and is not given back there by itself: \
                    mend that, then hbctl cleanup web";
        assert_eq!(troubles(&snapshot), [here]);
        // The other node says the same of it.
        (snapshot.nodes[0].local, snapshot.nodes[1].local) = (false, true);
        let there = "Group web has failed on node nodea (httpd: exit-code), and is not given back there by \
                     itself: mend that, then hbctl cleanup web on nodea";
        assert_eq!(troubles(&snapshot), [there]);
        // An older hbd does not say why; a Heartbeat knows no cleanup.
        snapshot.groups[0].unfit = vec![unfit("nodea", "")];
        snapshot.nodes[0].hbd = false;
        let there = "Group web has failed on node nodea, and is not given back there by itself.";
        assert_eq!(troubles(&snapshot), [there]);
        // It serves there after all.
        snapshot.groups[0].owner = "nodea".to_owned();
        assert_eq!(first_trouble(&snapshot), None);
    }

    #[test]
    fn all_is_not_well_while_hbd_starts_or_stops_or_has_not_heard_the_other_node() {
        let wrong = |change: fn(&mut Snapshot)| {
            let mut snapshot = pair();
            change(&mut snapshot);
            troubles(&snapshot)
        };
        assert_eq!(wrong(|seen| seen.state = "up".to_owned()), ["hbd is starting on this node."]);
        assert_eq!(wrong(|seen| seen.state = "stopping".to_owned()), ["hbd is stopping on this node."]);
        assert_eq!(wrong(|seen| seen.nodes[1].status = "up".to_owned()), ["hbd is starting on node nodeb."]);
        let unheard = wrong(|seen| {
            (seen.nodes[1].status, seen.nodes[1].last_status_usec) = ("init".to_owned(), 0);
        });
        assert_eq!(unheard, ["Node nodeb was not heard since hbd started on this node."]);
    }

    #[test]
    fn other_names_of_nodes_need_a_restart_and_other_times_a_reload() {
        let remedy = |difference: &str| {
            let mut snapshot = pair();
            snapshot.nodes[1].differing = vec!["ha.cf".to_owned()];
            snapshot.nodes[1].differences = vec![difference.to_owned()];
            first_trouble(&snapshot).unwrap()
        };
        let said = remedy("node nodec is on nodeb only");
        assert!(said.ends_with("Make them equal, then systemctl restart hbd where they were wrong."), "{said}");
        let said = remedy("ping node 10.0.0.1 is on nodeb only");
        assert!(said.ends_with("Make them equal, then hbctl reload."), "{said}");
    }

    #[test]
    fn the_first_trouble_is_the_first_of_all_and_names_the_unit_and_why() {
        let failed = ResourceSnapshot {
            word: "httpd".to_owned(),
            kind: "unit".to_owned(),
            target: "httpd.service".to_owned(),
            state: "failed".to_owned(),
            why: "exit-code".to_owned(),
            ..ResourceSnapshot::default()
        };
        let group = GroupSnapshot {
            name: "web".to_owned(),
            owner: "nodea".to_owned(),
            state: "failed".to_owned(),
            resources: vec![failed],
            ..GroupSnapshot::default()
        };
        let mut snapshot = Snapshot { groups: vec![group], ..Snapshot::default() };
        snapshot.start_problems.push("A start of hbd would find no key.".to_owned());
        let all = troubles(&snapshot);
        assert_eq!(
            all,
            [
                "Resource httpd of group web failed (exit-code): see systemctl status httpd.service",
                "A start of hbd would find no key.",
            ]
        );
        assert_eq!(first_trouble(&snapshot).as_ref(), all.first());
        assert_eq!(first_trouble(&Snapshot::default()), None);
    }
}
