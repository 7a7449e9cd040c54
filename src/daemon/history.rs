//! What the core does not keep because it decides nothing by it, and people ask for: since when a node owns a
//! group, and the last decisions.
//!
//! Watches what comes out of the core. Bounded.

use std::collections::{BTreeMap, VecDeque};

use crate::bus::{DecisionSnapshot, Snapshot};
use crate::cluster::{Action, Record};
use crate::config::Config;
use crate::util::clock::now_usec;

/// Decisions that are kept.
const KEPT: usize = 50;

/// Kinds that explain nothing about who owns what: the beat and what becomes of packets.
const CHATTER: [&str; 14] = [
    "CommNowUp",
    "DeadtimeTooSmall",
    "DisksUnprotected",
    "LateHeartbeat",
    "LinkDead",
    "LinkUp",
    "LocalStatus",
    "LostForGood",
    "LostPackets",
    "NoFencing",
    "NodeChange",
    "NodeListDiffers",
    "Replay",
    "UnknownNode",
];

/// Owner of a group, and since when as far as this daemon saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Ownership {
    owner: String,
    since_usec: u64,
}

/// The memory.
#[derive(Debug)]
pub struct DecisionHistory {
    /// What the groups are called, by their keys.
    names: BTreeMap<String, String>,
    owners: Vec<Ownership>,
    decisions: VecDeque<DecisionSnapshot>,
    /// How many decisions there were, those that are forgotten included.
    decided: u64,
    /// Fencing devices that do not answer, a sentence each.
    pub broken_devices: Vec<String>,
    /// What a start of hbd would not find now, a sentence each.
    pub start_problems: Vec<String>,
    /// Why links cannot receive.
    pub link_problems: Vec<String>,
}

impl DecisionHistory {
    /// Nothing has happened yet.
    pub fn new(config: &Config) -> DecisionHistory {
        let named = config.groups.iter().zip(config.names_of_groups());
        DecisionHistory {
            owners: vec![Ownership::default(); config.groups.len()],
            decisions: VecDeque::new(),
            decided: 0,
            broken_devices: Vec::new(),
            start_problems: Vec::new(),
            link_problems: Vec::new(),
            names: named.map(|(group, name)| (group.key.clone(), name.to_owned())).collect(),
        }
    }

    /// What the core made of it.
    pub fn actions(&mut self, actions: &[Action]) {
        let records = actions.iter().filter_map(|action| match action {
            Action::Log(record) if !CHATTER.contains(&record.event()) => Some(record),
            _ => None,
        });
        for record in records {
            self.decisions.push_back(decision(record, &self.names));
            self.decided += 1;
            if self.decisions.len() > KEPT {
                self.decisions.pop_front();
            }
        }
    }

    /// What a start of hbd would not find now.
    pub fn problems(&self) -> Vec<String> {
        self.link_problems.iter().chain(&self.start_problems).cloned().collect()
    }

    /// Adds what it remembers to what is about to be shown.
    pub fn enrich(&mut self, snapshot: &mut Snapshot) {
        for (group, known) in snapshot.groups.iter_mut().zip(&mut self.owners) {
            if group.owner != known.owner {
                *known = Ownership { owner: group.owner.clone(), since_usec: now_usec() };
            }
            group.owner_since_usec = if group.owner.is_empty() { 0 } else { known.since_usec };
        }
        snapshot.broken_devices.clone_from(&self.broken_devices);
        snapshot.start_problems = self.problems();
        snapshot.decisions = self.decisions.iter().cloned().collect();
        snapshot.decided = self.decided;
    }

    /// How many decisions there were.
    pub fn decided(&self) -> u64 {
        self.decided
    }
}

/// The core calls groups by their keys, and so does the text, which is that of the journal.
fn decision(record: &Record, names: &BTreeMap<String, String>) -> DecisionSnapshot {
    let subject = record.subject();
    let group = subject.group.unwrap_or_default();
    DecisionSnapshot {
        usec: now_usec(),
        priority: record.priority() as u8,
        event: record.event().to_owned(),
        node: subject.node.unwrap_or_default().to_owned(),
        group: names.get(group).map_or(group, String::as_str).to_owned(),
        text: record.text(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::GroupSnapshot;

    fn history() -> DecisionHistory {
        DecisionHistory {
            names: [("10.0.0.9".to_owned(), "web".to_owned())].into(),
            owners: vec![Ownership::default()],
            decisions: VecDeque::new(),
            decided: 0,
            broken_devices: Vec::new(),
            start_problems: Vec::new(),
            link_problems: Vec::new(),
        }
    }

    fn shown(history: &mut DecisionHistory, owner: &str) -> Snapshot {
        let mut snapshot = Snapshot {
            groups: vec![GroupSnapshot { owner: owner.to_owned(), ..GroupSnapshot::default() }],
            ..Snapshot::default()
        };
        history.enrich(&mut snapshot);
        snapshot
    }

    #[test]
    fn who_owns_it_still_owns_it_since_then() {
        let mut history = history();
        let first = shown(&mut history, "nodea").groups[0].owner_since_usec;
        assert!(first > 0);
        assert_eq!(shown(&mut history, "nodea").groups[0].owner_since_usec, first);
        assert_eq!(shown(&mut history, "").groups[0].owner_since_usec, 0);
        assert!(shown(&mut history, "nodeb").groups[0].owner_since_usec >= first);
    }

    #[test]
    fn the_last_decisions_are_kept_and_the_chatter_is_not() {
        let mut history = history();
        let late = Record::LateHeartbeat { node: "nodeb".into(), interval_ms: 7 };
        history.actions(&[Action::Log(late)]);
        for number in 0..KEPT + 3 {
            history.actions(&[Action::Log(Record::GroupActive { group: number.to_string() })]);
        }
        let decisions = shown(&mut history, "").decisions;
        assert_eq!(decisions.len(), KEPT);
        assert_eq!(history.decided(), KEPT as u64 + 3);
        assert_eq!((decisions[0].event.as_str(), decisions[0].group.as_str()), ("GroupActive", "3"));
    }

    #[test]
    fn a_decision_is_about_the_group_by_its_name() {
        let mut history = history();
        history.actions(&[Action::Log(Record::GroupActive { group: "10.0.0.9".into() })]);
        let decisions = shown(&mut history, "").decisions;
        assert_eq!(decisions[0].group, "web");
        assert!(decisions[0].text.contains("10.0.0.9"), "the text is that of the journal");
    }

    #[test]
    fn the_chatter_exists() {
        for event in CHATTER {
            assert!(Record::IDS.iter().any(|(name, _)| *name == event), "{event}");
        }
    }
}
