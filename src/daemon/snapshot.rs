//! From the core's [`View`] and the configuration to what the bus shows and the STATUS= line says.

use std::collections::BTreeSet;

use super::links;
use crate::bus::troubles::first_trouble;
use crate::bus::{
    CheckSnapshot, GroupSnapshot, LinkSnapshot, NodeSnapshot, ResourceSnapshot, Snapshot, Traffic, UnfitSnapshot,
};
use crate::cluster::{
    Awaited, CheckState, CheckView, Core, GroupState, GroupView, HoldReason, NodeView, PingedNode, ResourceState,
    ReturnWait, Set, UnfitView, View,
};
use crate::config::{AutoFailback, Config, Group, Medium, ResourceKind, Timing, Transient, group_target};
use crate::media;
use crate::util::clock::microseconds;

/// How many characters of a sentence the STATUS= line shows: it stays one line that can be read at a glance.
const SENTENCE_LIMIT: usize = 240;

/// What `org.hbd1` shows.
pub fn snapshot(config: &Config, generation: u64, view: &View) -> Snapshot {
    let timing = &config.timing;
    Snapshot {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        node: config.node.clone(),
        cluster: config.cluster.clone(),
        state: view.state.clone(),
        resource_state: resource_state(view),
        maintenance: view.maintenance,
        groups_move_alone: view.groups_move_alone,
        awaited: view.awaited.map(|awaited| awaited.to_string()).unwrap_or_default(),
        awaited_reason: view.awaited.map(awaited_word).unwrap_or_default().to_owned(),
        awaiting_job: None,
        witness: view.witness.as_ref().map(|witness| witness.words.clone()).unwrap_or_default(),
        witness_answers: view.witness.as_ref().is_some_and(|witness| witness.well),
        witness_key: view.witness.as_ref().is_some_and(|witness| witness.has_key),
        witness_required: view.witness.as_ref().is_some_and(|witness| witness.required),
        auto_failback: match config.auto_failback {
            AutoFailback::On => "on",
            AutoFailback::Off => "off",
            AutoFailback::Legacy => "legacy",
        }
        .to_owned(),
        generation,
        keepalive_usec: microseconds(timing.keepalive),
        warntime_usec: microseconds(timing.warntime),
        deadtime_usec: microseconds(timing.deadtime),
        initdead_usec: microseconds(timing.initdead),
        nodes: view
            .nodes
            .iter()
            .map(|node| node_snapshot(node, config, &view.groups))
            .chain(view.ping_nodes.iter().map(|node| ping_node(node, timing)))
            .collect(),
        links: view
            .nodes
            .iter()
            .flat_map(|node| link_snapshots(config, node))
            .chain(view.ping_nodes.iter().map(ping_link))
            .collect(),
        groups: config
            .names_of_groups()
            .zip(&config.groups)
            .zip(&view.groups)
            .enumerate()
            .map(|(place, ((name, group), view))| GroupSnapshot {
                together: company(config, &config.arrangement.together, place),
                apart: company(config, &config.arrangement.apart, place),
                fails_back: fails_back(config, place),
                ..group_snapshot(name, group, view)
            })
            .collect(),
        broken_devices: Vec::new(),
        start_problems: Vec::new(),
        decisions: Vec::new(),
        decided: 0,
    }
}

/// The names of the other groups in those sets which have the group at this place.
fn company(config: &Config, sets: &[Vec<usize>], place: usize) -> Vec<String> {
    let others: BTreeSet<usize> = sets.iter().filter(|set| set.contains(&place)).flatten().copied().collect();
    let named = config.names_of_groups().enumerate().filter(|(other, _)| *other != place && others.contains(other));
    named.map(|(_, name)| name.to_owned()).collect()
}

/// Whether the group at this place goes back to the node that it prefers.
fn fails_back(config: &Config, place: usize) -> bool {
    let own = config.failback.groups.get(place).copied().flatten();
    own.unwrap_or(config.auto_failback != AutoFailback::Off)
}

fn awaited_word(awaited: Awaited) -> &'static str {
    match awaited {
        Awaited::ThisNode => "this-node",
        Awaited::OtherNode => "other-node",
        Awaited::Exchange => "exchange",
    }
}

/// The classes of which a node holds anything, in its own words (03 §1). The core names those of which it holds all,
/// because Heartbeat's protocol has a word only for them; to people `none` would say that nothing runs there.
fn touched(node: &NodeView, groups: &[GroupView]) -> Set {
    let holds = |group: &&GroupView| group.owner.as_ref() == Some(&node.name) || (group.contested && !node.local);
    let class = |group: &GroupView| if group.node == node.name { Set::LOCAL } else { Set::FOREIGN };
    groups.iter().filter(holds).fold(node.holds, |set, group| set.with(class(group)))
}

/// The same of this node, or that it is not decided.
fn resource_state(view: &View) -> String {
    match view.nodes.iter().find(|node| node.local) {
        Some(node) if view.resource_state != "transition" => touched(node, &view.groups).to_string(),
        _ => view.resource_state.clone(),
    }
}

fn node_snapshot(view: &NodeView, config: &Config, groups: &[GroupView]) -> NodeSnapshot {
    let named = |keys: &[String]| -> Vec<String> {
        let named = config.names_of_groups().zip(groups).filter(|(_, group)| keys.contains(&group.key));
        named.map(|(name, _)| name.to_owned()).collect()
    };
    // What a node that is dead by now said of itself may be over.
    let speaks = view.status != "dead";
    NodeSnapshot {
        name: view.name.clone(),
        kind: "normal".to_owned(),
        status: view.status.clone(),
        local: view.local,
        hbd: view.hbd == Some(true),
        generation: view.generation,
        deadtime_usec: microseconds(view.dead_time),
        last_status_usec: view.last_status.map_or(0, microseconds),
        holds: touched(view, groups).to_string(),
        in_transition: view.in_transition,
        maintenance: view.maintenance && speaks,
        signed_with: String::new(),
        signing_key: None,
        left_alone: if speaks { named(&view.left_alone) } else { Vec::new() },
        not_ready: if speaks { named(&view.unready) } else { Vec::new() },
        ha_cf_digest: view.fingerprint.as_ref().map(|print| print.ha_cf.clone()).unwrap_or_default(),
        haresources_digest: view.fingerprint.as_ref().map(|print| print.haresources.clone()).unwrap_or_default(),
        differing: view.differing.clone(),
        differences: view.differences.clone(),
        doubt: view.doubt.clone(),
    }
}

fn ping_node(node: &PingedNode, timing: &Timing) -> NodeSnapshot {
    NodeSnapshot {
        name: node.name.clone(),
        kind: "ping".to_owned(),
        status: node.status().to_owned(),
        deadtime_usec: microseconds(timing.deadping),
        last_status_usec: node.heard_wall.map_or(0, microseconds),
        ..NodeSnapshot::default()
    }
}

/// A ping node has exactly one link, named like itself (02 §1.2).
fn ping_link(node: &PingedNode) -> LinkSnapshot {
    let status = if node.answers == Some(true) { "up" } else { "dead" };
    LinkSnapshot {
        node: node.name.clone(),
        name: node.name.clone(),
        medium: "ping".to_owned(),
        status: status.to_owned(),
        last_heard_usec: node.heard_wall.map_or(0, microseconds),
        traffic: Traffic::default(),
    }
}

/// When each node was last heard on each link. It is no part of a [`View`], which would change with every packet.
pub fn hear(snapshot: &mut Snapshot, core: &Core) {
    for link in snapshot.links.iter_mut().filter(|link| link.medium != "ping") {
        link.last_heard_usec = core.last_heard_on(&link.node, &link.name).map_or(0, microseconds);
    }
}

/// What passed over the media of each link, in the order of their names here: those of the first node.
pub fn count(snapshot: &mut Snapshot, names: &[String], traffic: &[links::LinkTraffic]) {
    for link in &mut snapshot.links {
        let known = names.iter().position(|name| *name == link.name).filter(|_| link.medium != "ping");
        let Some(links::LinkTraffic { counters, bad }) = known.and_then(|index| traffic.get(index)) else { continue };
        let media::Counters { sent, received, send_errors } = *counters;
        link.traffic = Traffic { sent, received, send_errors, bad: *bad };
    }
}

fn link_snapshots<'a>(config: &'a Config, view: &'a NodeView) -> impl Iterator<Item = LinkSnapshot> + 'a {
    view.links.iter().map(|link| LinkSnapshot {
        node: view.name.clone(),
        name: link.name.clone(),
        medium: medium_words(config, &link.name),
        status: if link.up { "up" } else { "dead" }.to_owned(),
        last_heard_usec: 0,
        traffic: Traffic::default(),
    })
}

/// What ha.cf calls the media of a link.
fn medium_words(config: &Config, link: &str) -> String {
    let words = config.media.iter().filter(|medium| medium.link_name() == link).map(|medium| match medium {
        Medium::Ucast { .. } => "ucast",
        Medium::Bcast { .. } => "bcast",
        Medium::Mcast { .. } => "mcast",
        Medium::Serial { .. } => "serial",
    });
    let mut distinct: Vec<&str> = Vec::new();
    for word in words {
        if !distinct.contains(&word) {
            distinct.push(word);
        }
    }
    distinct.join(",")
}

fn group_snapshot(name: &str, group: &Group, view: &GroupView) -> GroupSnapshot {
    let resources = group.resources.iter().enumerate().map(|(index, resource)| {
        let (kind, target) = match &resource.kind {
            ResourceKind::Address(address) => ("address", address.address.to_string()),
            ResourceKind::Unit(unit) | ResourceKind::Transient(Transient { unit, .. }) => ("unit", unit.clone()),
        };
        ResourceSnapshot {
            word: resource.word.clone(),
            kind: kind.to_owned(),
            target,
            state: view.resources.get(index).map_or("stopped", |shown| resource_word(shown.state)).to_owned(),
            why: view.resources.get(index).map(|shown| shown.why.clone()).unwrap_or_default(),
            failures: view.resources.get(index).map_or(0, |shown| u32::try_from(shown.failures).unwrap_or(u32::MAX)),
        }
    });
    GroupSnapshot {
        name: name.to_owned(),
        key: view.key.clone(),
        preferred: view.node.clone(),
        state: state_word(view.state).to_owned(),
        owner: view.owner.clone().unwrap_or_default(),
        owner_since_usec: 0,
        held_back: view.held_back.clone().unwrap_or_default(),
        held_back_reason: view.hold_reason.map(HoldReason::word).unwrap_or_default().to_owned(),
        degraded_there: view.degraded_there,
        contested: view.contested,
        strangers: view.strangers.clone(),
        together: Vec::new(),
        apart: Vec::new(),
        fails_back: false,
        returns: view.returns.map(return_word).unwrap_or_default().to_owned(),
        returns_at_usec: match view.returns {
            Some(ReturnWait::Until(wall)) => microseconds(wall),
            _ => 0,
        },
        returns_window: match view.returns {
            Some(ReturnWait::Window(window)) => window.to_string(),
            _ => String::new(),
        },
        unfit: view.unfit.iter().map(unfit).collect(),
        target: group_target(name).unwrap_or_default(),
        resources: resources.collect(),
        checks: view.checks.iter().map(check).collect(),
    }
}

fn check(view: &CheckView) -> CheckSnapshot {
    let state = match view.state {
        CheckState::Off => "off",
        CheckState::Untested => "untested",
        CheckState::Unknown => "unknown",
        CheckState::Passing => "passing",
        CheckState::Failing => "failing",
    };
    CheckSnapshot {
        name: view.name.clone(),
        purpose: view.purpose.to_string(),
        state: state.to_owned(),
        reason: view.reason.clone(),
        since_usec: microseconds(view.since),
    }
}

fn unfit(view: &UnfitView) -> UnfitSnapshot {
    let UnfitView { node, until, why } = view;
    UnfitSnapshot { node: node.clone(), why: why.clone(), until_usec: microseconds(*until) }
}

fn return_word(wait: ReturnWait) -> &'static str {
    match wait {
        ReturnWait::PeerWell => "when-well",
        ReturnWait::Until(_) => "at",
        ReturnWait::Window(_) => "window",
        ReturnWait::Unhindered => "soon",
    }
}

fn state_word(state: GroupState) -> &'static str {
    match state {
        GroupState::Stopped => "stopped",
        GroupState::Starting => "starting",
        GroupState::Active => "active",
        GroupState::Degraded => "degraded",
        GroupState::Stopping => "stopping",
        GroupState::Failed => "failed",
    }
}

fn resource_word(state: ResourceState) -> &'static str {
    match state {
        ResourceState::Stopped => "stopped",
        ResourceState::Starting => "starting",
        ResourceState::Active => "active",
        ResourceState::Stopping => "stopping",
        ResourceState::Failed => "failed",
        ResourceState::Restarting => "restarting",
        ResourceState::StoppedByHand => "stopped-by-hand",
        ResourceState::StoppedWith => "stopped-with",
        ResourceState::Gone => "gone",
        ResourceState::Unreachable => "unreachable",
        ResourceState::Unknown => "unknown",
        ResourceState::LeftOver => "left-over",
    }
}

/// The STATUS= line of `systemctl status hbd`: who serves what, and the first thing that is wrong. `shown` is
/// what the bus shows of the same moment.
pub fn status_line(config: &Config, view: &View, shown: &Snapshot) -> String {
    let active = config.names_of_groups().zip(&view.groups).filter(|(_, group)| group.state == GroupState::Active);
    let served = match first_names(active.map(|(name, _)| name)) {
        names if names.is_empty() => "serves nothing".to_owned(),
        names => format!("serves {names}"),
    };
    let peers = view.nodes.iter().filter(|node| !node.local).map(|node| {
        let up = node.links.iter().filter(|link| link.up).count();
        let owned = shown.groups.iter().filter(|group| group.owner == node.name);
        let serves = match first_names(owned.map(|group| group.name.as_str())) {
            names if names.is_empty() => names,
            names => format!(" serves {names}"),
        };
        format!("{} {} ({up}/{} links){serves}", node.name, node.status, node.links.len())
    });
    let peers = peers.collect::<Vec<_>>().join(", ");
    let trouble = first_trouble(shown);
    // What a next start would not find is told even beside something else: nobody else says it in time.
    let problem = shown.start_problems.first().filter(|problem| trouble.as_ref() != Some(*problem));
    let wrong: String =
        trouble.iter().chain(problem).map(|sentence| format!("; {}", shortened(sentence, SENTENCE_LIMIT))).collect();
    format!("{}; {served}; {peers}{wrong}", view.state)
}

/// The first names in a sentence, and how many more there are; empty without any.
fn first_names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const NAMED: usize = 5;
    let names: Vec<&str> = names.collect();
    match names.len().saturating_sub(NAMED) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names[..NAMED].join(", ")),
    }
}

/// At most so many characters of a sentence.
fn shortened(sentence: &str, limit: usize) -> String {
    if sentence.chars().count() <= limit {
        return sentence.to_owned();
    }
    let kept: String = sentence.chars().take(limit - 1).collect();
    format!("{kept}\u{2026}")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::{Files, Host, load};
    use crate::daemon::core_settings::settings;
    use crate::daemon::identity::Identity;

    /// nodea with two groups, of which the first one has a name, and what its core shows.
    fn example() -> (Config, View) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("etc/ha.d/ha.cf", "bcast eth1\nauto_failback on\nnode nodea nodeb\n"),
            ("etc/ha.d/haresources", "nodea 10.0.0.1 web\nnodea 10.0.0.2\n"),
            ("etc/ha.d/authkeys", "auth 1\n1 crc\n"),
            ("etc/hbd/hbd.toml", "[groups.\"10.0.0.1\"]\nname = \"site\"\n"),
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let loaded = load(&Files::below(root.path()), &Host::named("nodea"));
        let config = loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
        let core = Core::new(settings(&config, Identity { generation: 1, uuid: [1; 16] }, Vec::new(), None));
        (config, core.view())
    }

    #[test]
    fn a_group_is_shown_by_its_name_with_its_key() {
        let (config, mut view) = example();
        view.nodes[0].unready = config.groups.iter().map(|group| group.key.clone()).collect();
        let shown = snapshot(&config, 1, &view);
        let [named, other] = shown.groups.as_slice() else { panic!("{shown:?}") };
        assert_eq!((named.name.as_str(), named.key.as_str()), ("site", "10.0.0.1"));
        assert_eq!((other.name.as_str(), other.key.as_str()), ("10.0.0.2", "10.0.0.2"));
        assert_eq!(named.target, "hbd-group@site.target");
        assert_eq!(shown.nodes[0].not_ready, ["site", "10.0.0.2"]);
        assert_eq!(
            (shown.place_of("site"), shown.place_of("10.0.0.1"), shown.place_of("web")),
            (Some(0), Some(0), None)
        );
    }

    #[test]
    fn a_node_with_a_part_of_a_class_does_not_hold_none() {
        let (config, mut view) = example();
        let state = |view: &View| {
            let shown = snapshot(&config, 1, view);
            (shown.resource_state, shown.nodes[0].holds.clone(), shown.nodes[1].holds.clone())
        };
        let words = |ours: &str, local: &str, theirs: &str| (ours.to_owned(), local.to_owned(), theirs.to_owned());
        view.resource_state = "none".to_owned();
        (view.groups[0].owner, view.groups[1].owner) = (Some("nodeb".to_owned()), Some("nodea".to_owned()));
        assert_eq!(state(&view), words("local", "local", "foreign"));
        view.groups[1].owner = Some("nodeb".to_owned());
        assert_eq!(state(&view), words("none", "none", "foreign"));
        view.groups[1].owner = Some("nodea".to_owned());
        view.groups[1].contested = true;
        view.resource_state = "transition".to_owned();
        assert_eq!(state(&view), words("transition", "local", "foreign"));
    }

    #[test]
    fn the_line_of_systemctl_status_has_the_names() {
        let (config, mut view) = example();
        let line = |view: &View, problems: &[String]| {
            let mut shown = snapshot(&config, 1, view);
            shown.start_problems = problems.to_vec();
            status_line(&config, view, &shown)
        };
        view.groups[0].state = GroupState::Active;
        (view.groups[0].owner, view.groups[1].owner) = (Some("nodea".to_owned()), Some("nodeb".to_owned()));
        let said = line(&view, &[]);
        assert!(said.contains("; serves site; nodeb ") && said.contains(" links) serves 10.0.0.2"), "{said}");

        view.groups[1].held_back = Some("of a test".to_owned());
        let said = line(&view, &["No key.".to_owned()]);
        assert!(said.contains("; Group 10.0.0.2 is not taken over, because of a test"), "{said}");
        assert!(said.ends_with("; No key."), "{said}");

        view.groups[1].held_back = Some("ü".repeat(1_000));
        let said = line(&view, &[]);
        assert!(said.ends_with("\u{2026}") && said.chars().count() < 2 * SENTENCE_LIMIT, "{said}");
        view.groups[1].held_back = None;
        view.groups[0].state = GroupState::Failed;
        let said = line(&view, &[]);
        assert!(
            said.contains("; serves nothing; ") && said.contains("; Group site could not be started here"),
            "{said}"
        );
    }
}
