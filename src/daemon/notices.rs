//! What the program of `[notify]` is told, made from what changed between two states that this node shows
//! (hbd.toml(5), "WHAT THE PROGRAM IS TOLD").
//!
//! Owns the words, and the file with what was told last, so that a successor does not say it again. Runs nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::held;
use super::runtime::variables;
use crate::bus::{DecisionSnapshot, GroupSnapshot, Snapshot};
use crate::config::{Config, NotifyProgram, group_target};
use crate::units::Notice;

/// keepalived's priority of the node that a group prefers, and of the other one.
const PRIORITIES: (&str, &str) = ("100", "50");
/// Kinds of records that say what happened to a group, and not why.
const NO_REASON: [&str; 10] = [
    "AcquiringGroup",
    "AllRelinquished",
    "GroupActive",
    "GroupStopped",
    "LocalTransitionCompleted",
    "ReleasingGroup",
    "RemoteTransitionCompleted",
    "StandbyAcquired",
    "StandbyFinished",
    "TakeoverComplete",
];

/// What was told last. Kept in RuntimeDirectory=, which outlives a restart of hbd and not a stop.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    keepalived: bool,
    groups: BTreeMap<String, String>,
    nodes: BTreeMap<String, String>,
    /// By node and link, of nodes that are not dead.
    links: BTreeMap<String, String>,
}

/// Makes notices.
#[derive(Debug)]
pub struct NoticeWriter {
    node: String,
    /// The environment of every program that hbd starts.
    environment: Vec<String>,
    targets: Vec<Option<String>>,
    file: PathBuf,
    told: Told,
    /// When each subject was told of last, CLOCK_REALTIME in microseconds: what was decided before is no reason.
    last: BTreeMap<String, u64>,
}

impl NoticeWriter {
    /// Goes on where a predecessor that was restarted has stopped.
    pub fn new(config: &Config, program: &NotifyProgram) -> NoticeWriter {
        let targets = config.names_of_groups().map(group_target).collect();
        let file = Path::new(held::DIRECTORY).join("told");
        NoticeWriter::with(&config.node, variables(config), targets, program.keepalived, file)
    }

    fn with(
        node: &str,
        environment: Vec<String>,
        targets: Vec<Option<String>>,
        keepalived: bool,
        file: PathBuf,
    ) -> NoticeWriter {
        let told = fs::read(&file).ok().and_then(|text| serde_json::from_slice::<Told>(&text).ok());
        let told = told.filter(|told| told.keepalived == keepalived);
        let told = told.unwrap_or_else(|| Told { keepalived, ..Told::default() });
        NoticeWriter { node: node.to_owned(), environment, targets, file, told, last: BTreeMap::new() }
    }

    /// What is to be told now that this is so.
    pub fn compare(&mut self, snapshot: &Snapshot) -> Vec<Notice> {
        let before = self.told.clone();
        let mut notices = self.groups(snapshot);
        if !self.told.keepalived {
            notices.extend(self.nodes(snapshot));
            notices.extend(self.links(snapshot));
        }
        if self.told != before
            && let Ok(text) = serde_json::to_vec(&self.told)
        {
            // Without it a successor tells once more what is so.
            let _ = fs::write(&self.file, text);
        }
        notices
    }

    fn groups(&mut self, snapshot: &Snapshot) -> Vec<Notice> {
        let mut notices = Vec::new();
        for (index, group) in snapshot.groups.iter().enumerate() {
            let known = self.told.groups.contains_key(&group.key);
            let settled = known || snapshot.resource_state != "transition";
            let Some(word) = group_word(group, settled) else { continue };
            let event = format!("group-{word}");
            let priority = if group.preferred == self.node { PRIORITIES.0 } else { PRIORITIES.1 };
            let (shown, arguments) = if self.told.keepalived {
                let shown = keepalived_word(word, &snapshot.state);
                (shown, vec!["INSTANCE", group.name.as_str(), shown, priority])
            } else {
                (word, vec![event.as_str(), group.name.as_str()])
            };
            if self.told.groups.insert(group.key.clone(), shown.to_owned()).as_deref() == Some(shown) {
                continue;
            }
            let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
            let target = self.targets.get(index).cloned().flatten().unwrap_or_default();
            let about = [
                ("EVENT", event),
                ("GROUP", group.name.clone()),
                ("GROUP_KEY", group.key.clone()),
                ("TARGET", target),
                ("STATE", word.to_owned()),
                ("OWNER", group.owner.clone()),
                ("PEER", peer(snapshot)),
            ];
            let concerns = |decision: &DecisionSnapshot| decision.group.is_empty() || decision.group == group.name;
            notices.push(self.notice(&group.name, arguments, &about, snapshot, concerns));
        }
        notices
    }

    fn nodes(&mut self, snapshot: &Snapshot) -> Vec<Notice> {
        let mut notices = Vec::new();
        for node in snapshot.nodes.iter().filter(|node| !node.local && node.kind == "normal") {
            let word = match node.status.as_str() {
                word @ ("active" | "dead") => word,
                _ => continue,
            };
            if self.told.nodes.insert(node.name.clone(), word.to_owned()).as_deref() == Some(word) {
                continue;
            }
            let about = [("EVENT", format!("node-{word}")), ("STATE", word.to_owned()), ("PEER", node.name.clone())];
            let arguments = vec![format!("node-{word}"), node.name.clone()];
            let concerns = |decision: &DecisionSnapshot| decision.node == node.name;
            notices.push(self.notice(&node.name, arguments, &about, snapshot, concerns));
        }
        notices
    }

    /// Links of a node that is dead, and links that were never up, are no news.
    fn links(&mut self, snapshot: &Snapshot) -> Vec<Notice> {
        let mut notices = Vec::new();
        for link in snapshot.links.iter().filter(|link| link.medium != "ping") {
            let name = format!("{}:{}", link.node, link.name);
            let dead = snapshot.nodes.iter().any(|node| node.name == link.node && node.status == "dead");
            if dead {
                self.told.links.remove(&name);
                continue;
            }
            let before = self.told.links.get(&name).cloned();
            if before.as_deref() == Some(&link.status) || (before.is_none() && link.status != "up") {
                continue;
            }
            self.told.links.insert(name.clone(), link.status.clone());
            if before.is_none() {
                continue;
            }
            let event = format!("link-{}", link.status);
            let about = [
                ("EVENT", event.clone()),
                ("STATE", link.status.clone()),
                ("PEER", link.node.clone()),
                ("LINK", link.name.clone()),
            ];
            let arguments = vec![event, link.node.clone(), link.name.clone()];
            notices.push(self.notice(&name, arguments, &about, snapshot, |_| false));
        }
        notices
    }

    /// `about` becomes the variables `HBD_NAME`; the reason is the last decision that `concerns` the subject and was
    /// made since it was told of last.
    fn notice(
        &mut self,
        subject: &str,
        arguments: Vec<String>,
        about: &[(&str, String)],
        snapshot: &Snapshot,
        concerns: impl Fn(&DecisionSnapshot) -> bool,
    ) -> Notice {
        let since = self.last.get(subject).copied().unwrap_or_default();
        let fresh = snapshot.decisions.iter().rev().take_while(|decision| decision.usec > since);
        let reason = fresh.filter(|decision| !NO_REASON.contains(&decision.event.as_str()) && concerns(decision));
        let reason = reason.map(|decision| decision.text.clone()).next().unwrap_or_default();
        if let Some(newest) = snapshot.decisions.last() {
            self.last.insert(subject.to_owned(), newest.usec);
        }
        let common = [("NODE", self.node.clone()), ("REASON", reason)];
        let mut environment = self.environment.clone();
        environment.extend(about.iter().chain(&common).map(|(name, value)| format!("HBD_{name}={value}")));
        Notice { subject: subject.to_owned(), arguments, environment }
    }
}

/// The other nodes, separated by blanks.
fn peer(snapshot: &Snapshot) -> String {
    let others = snapshot.nodes.iter().filter(|node| !node.local && node.kind == "normal");
    others.map(|node| node.name.as_str()).collect::<Vec<_>>().join(" ")
}

/// What there is to tell about a group; nothing while it is on its way, or while nobody knows yet whether it will
/// start here.
fn group_word(group: &GroupSnapshot, settled: bool) -> Option<&'static str> {
    match group.state.as_str() {
        "active" => Some("active"),
        "degraded" => Some("degraded"),
        "failed" => Some("failed"),
        "stopped" if !group.held_back.is_empty() => Some("held-back"),
        "stopped" if settled => Some("released"),
        _ => None,
    }
}

/// The same in the words of keepalived.conf(5), `notify`.
fn keepalived_word(word: &str, state: &str) -> &'static str {
    match word {
        "active" | "degraded" => "MASTER",
        "failed" => "FAULT",
        _ if state == "stopping" => "STOP",
        _ => "BACKUP",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::{LinkSnapshot, NodeSnapshot};
    use crate::cluster::Record;

    const KEY: &str = "10.0.0.1";

    fn writer(keepalived: bool, directory: &Path) -> NoticeWriter {
        let targets = vec![Some("hbd-group@10.0.0.1.target".to_owned())];
        NoticeWriter::with("nodea", vec!["HA_X=1".to_owned()], targets, keepalived, directory.join("told"))
    }

    /// nodea with one group, and nodeb.
    fn snapshot(group: &str, peer: &str) -> Snapshot {
        let normal = |name: &str, status: &str, local| NodeSnapshot {
            name: name.into(),
            kind: "normal".into(),
            status: status.into(),
            local,
            ..NodeSnapshot::default()
        };
        Snapshot {
            node: "nodea".into(),
            state: "active".into(),
            resource_state: "none".into(),
            nodes: vec![normal("nodea", "active", true), normal("nodeb", peer, false)],
            groups: vec![GroupSnapshot {
                name: KEY.into(),
                key: KEY.into(),
                preferred: "nodeb".into(),
                state: group.into(),
                ..GroupSnapshot::default()
            }],
            ..Snapshot::default()
        }
    }

    fn events(notices: &[Notice]) -> Vec<String> {
        notices.iter().map(|notice| notice.arguments.join(" ")).collect()
    }

    fn variable<'a>(notice: &'a Notice, name: &str) -> Option<&'a str> {
        notice.environment.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
    }

    #[test]
    fn a_group_is_told_of_when_it_has_arrived_and_once() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = writer(false, directory.path());
        let undecided = Snapshot { resource_state: "transition".into(), ..snapshot("stopped", "init") };
        assert!(writer.compare(&undecided).is_empty(), "nobody knows yet whether it will start here");
        assert_eq!(
            events(&writer.compare(&snapshot("stopped", "active"))),
            ["group-released 10.0.0.1", "node-active nodeb"]
        );
        assert!(writer.compare(&snapshot("starting", "active")).is_empty());
        assert_eq!(events(&writer.compare(&snapshot("active", "active"))), ["group-active 10.0.0.1"]);
        assert!(writer.compare(&snapshot("active", "active")).is_empty());
        for state in ["degraded", "failed"] {
            assert_eq!(events(&writer.compare(&snapshot(state, "active"))), [format!("group-{state} 10.0.0.1")]);
        }
        let mut held = snapshot("stopped", "dead");
        held.groups[0].held_back = "nodeb still answers".into();
        assert_eq!(events(&writer.compare(&held)), ["group-held-back 10.0.0.1", "node-dead nodeb"]);
    }

    #[test]
    fn the_environment_says_what_where_and_why() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = writer(false, directory.path());
        writer.compare(&snapshot("stopped", "active"));
        let decision = |usec, event: &str, node: &str, group: &str, text: &str| DecisionSnapshot {
            usec,
            event: event.into(),
            node: node.into(),
            group: group.into(),
            text: text.into(),
            ..DecisionSnapshot::default()
        };
        let mut taken = snapshot("active", "dead");
        taken.groups[0].owner = "nodea".into();
        taken.decisions = vec![
            decision(1, "NodeDead", "nodeb", "", "node nodeb: is dead"),
            decision(2, "StartFailed", "", "another group", "x did not start"),
            decision(3, "GroupActive", "", KEY, "resource group 10.0.0.1 is active here"),
        ];
        let notices = writer.compare(&taken);
        let wanted = [
            ("HBD_EVENT", "group-active"),
            ("HBD_GROUP", KEY),
            ("HBD_GROUP_KEY", KEY),
            ("HBD_TARGET", "hbd-group@10.0.0.1.target"),
            ("HBD_STATE", "active"),
            ("HBD_OWNER", "nodea"),
            ("HBD_NODE", "nodea"),
            ("HBD_PEER", "nodeb"),
            ("HBD_REASON", "node nodeb: is dead"),
            ("HA_X", "1"),
        ];
        for (name, value) in wanted {
            assert_eq!(variable(&notices[0], name), Some(value), "{name}");
        }
        assert_eq!(variable(&notices[1], "HBD_REASON"), Some("node nodeb: is dead"));
        let mut released = taken.clone();
        released.groups[0].state = "stopped".into();
        assert_eq!(variable(&writer.compare(&released)[0], "HBD_REASON"), Some(""), "the old reason is none");
    }

    #[test]
    fn keepalived_hears_its_own_words() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = writer(true, directory.path());
        let mut told = Vec::new();
        for state in ["stopped", "starting", "active", "degraded", "stopping", "failed", "starting", "stopped"] {
            told.extend(events(&writer.compare(&snapshot(state, "dead"))));
        }
        let line = |word: &str| format!("INSTANCE {KEY} {word} 50");
        assert_eq!(told, ["BACKUP", "MASTER", "FAULT", "BACKUP"].map(line));
        let stopping = Snapshot { state: "stopping".into(), ..snapshot("stopped", "active") };
        assert_eq!(events(&writer.compare(&stopping)), [line("STOP")]);
        let mut preferred = snapshot("active", "active");
        preferred.groups[0].preferred = "nodea".into();
        assert_eq!(events(&writer.compare(&preferred)), [format!("INSTANCE {KEY} MASTER 100")]);
    }

    #[test]
    fn a_successor_says_only_what_has_changed() {
        let directory = tempfile::tempdir().unwrap();
        writer(false, directory.path()).compare(&snapshot("active", "active"));
        let mut successor = writer(false, directory.path());
        assert!(successor.compare(&snapshot("starting", "init")).is_empty());
        assert!(successor.compare(&snapshot("active", "active")).is_empty());
        assert_eq!(events(&successor.compare(&snapshot("active", "dead"))), ["node-dead nodeb"]);
        let other = writer(true, directory.path()).compare(&snapshot("active", "active"));
        assert_eq!(events(&other), ["INSTANCE 10.0.0.1 MASTER 50"], "another convention has heard nothing yet");
    }

    #[test]
    fn a_link_is_told_of_while_its_node_lives() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = writer(false, directory.path());
        let link = |status: &str, node: &str| {
            let link = LinkSnapshot { node: "nodeb".into(), name: "eth1".into(), ..LinkSnapshot::default() };
            let links = vec![LinkSnapshot { status: status.into(), ..link }];
            Snapshot { links, ..snapshot("starting", node) }
        };
        let mut told = Vec::new();
        for (status, node) in
            [("dead", "up"), ("up", "up"), ("dead", "up"), ("up", "up"), ("dead", "dead"), ("up", "up")]
        {
            told.extend(events(&writer.compare(&link(status, node))));
        }
        assert_eq!(told, ["link-dead nodeb eth1", "link-up nodeb eth1", "node-dead nodeb"]);
    }

    #[test]
    fn what_is_no_reason_exists() {
        for event in NO_REASON {
            assert!(Record::IDS.iter().any(|(name, _)| *name == event), "{event}");
        }
    }

    #[test]
    fn a_group_is_told_by_its_name_and_a_new_name_is_no_news() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = writer(false, directory.path());
        let mut named = snapshot("active", "active");
        named.groups[0].name = "web".into();
        let notices = writer.compare(&named);
        assert_eq!(events(&notices)[0], "group-active web");
        assert_eq!(variable(&notices[0], "HBD_GROUP"), Some("web"));
        assert_eq!(variable(&notices[0], "HBD_GROUP_KEY"), Some(KEY));
        named.groups[0].name = "www".into();
        assert!(writer.compare(&named).is_empty());
    }
}
