//! What must be the same on both nodes, item by item: what the digests of [`super::fingerprint`] cover, so that a
//! difference can be named.
//!
//! Owns the form in which two nodes tell each other (05 §3.9), and the words for what differs. No key is part of it,
//! and no word of haresources but the first of a group: the others may be passwords.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fingerprint::{Fingerprint, digest};
use super::types::Config;
use crate::util::text::printable;

/// The longest text that is sent, bytes: a serial link carries little more in a second.
const LONGEST: usize = 1000;

/// The items: what it is and its name, and the value. A list, because JSON has no maps by two words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SharedItems(Vec<(Item, String)>);

/// What an item is, and its name.
type Item = (String, String);

/// What stands for no name and no value.
const NONE: &str = "-";

impl SharedItems {
    /// The items of a configuration.
    pub fn of(config: &Config) -> SharedItems {
        let mut items = BTreeMap::new();
        let mut add = |kind: &str, name: &str, value: &str| {
            items.insert((kind.to_owned(), name.to_owned()), value.to_owned());
        };
        for group in &config.groups {
            let words: Vec<&str> = group.resources.iter().map(|resource| resource.word.as_str()).collect();
            add("group", &group.key, &format!("{},{}", group.node, digest(vec![words.join(" ")])));
        }
        for line in Fingerprint::settings(config) {
            match line.split_once(' ') {
                Some((kind @ ("node" | "ping" | "everywhere" | "tickle"), name)) => add(kind, name, NONE),
                Some((kind @ "name", named)) => {
                    let (key, name) = named.split_once(' ').unwrap_or((named, NONE));
                    add(kind, key, name);
                }
                Some((kind, value)) => add(kind, NONE, value),
                None => {}
            }
        }
        SharedItems(items.into_iter().collect())
    }

    /// The text that is sent to another node; `None` if there is none, or if it is too long for a message.
    pub fn words(&self) -> Option<String> {
        let words: Vec<String> =
            self.0.iter().map(|((kind, name), value)| format!("{kind} {name} {value}")).collect();
        let text = words.join(" ");
        (!text.is_empty() && text.len() <= LONGEST).then_some(text)
    }

    /// Reads what [`SharedItems::words`] wrote on another node; `None` if `text` is not that.
    pub fn parse(text: &str) -> Option<SharedItems> {
        let words: Vec<&str> = text.split(' ').collect();
        let items = words.chunks(3).map(|chunk| match chunk {
            // They are shown to people, and another node wrote them.
            [kind, name, value] => Some(((printable(kind), printable(name)), printable(value))),
            _ => None,
        });
        (text.len() <= LONGEST).then(|| items.collect::<Option<Vec<_>>>().map(SharedItems)).flatten()
    }

    /// What `node`, whose items are `other`, has read otherwise than this node, a sentence without its full stop
    /// each.
    pub fn differences(&self, other: &SharedItems, node: &str) -> Vec<String> {
        let [ours, theirs] = [self, other].map(|items| items.0.iter().map(|(item, value)| (item, value)));
        let (ours, theirs): (BTreeMap<_, _>, BTreeMap<_, _>) = (ours.collect(), theirs.collect());
        let items: BTreeSet<&Item> = ours.keys().chain(theirs.keys()).copied().collect();
        let differs = |item| difference(item, ours.get(item).copied(), theirs.get(item).copied(), node);
        items.into_iter().flat_map(differs).collect()
    }
}

fn difference(
    (kind, name): &(String, String),
    ours: Option<&String>,
    theirs: Option<&String>,
    node: &str,
) -> Vec<String> {
    let what = match kind.as_str() {
        "ping" => format!("ping node {name}"),
        "name" => format!("the name of group {name}"),
        "tickle" => format!("tickle of group {name}"),
        _ if name == NONE => kind.clone(),
        _ => format!("{kind} {name}"),
    };
    let (ours, theirs) = match (ours, theirs) {
        (Some(ours), Some(theirs)) if ours == theirs => return Vec::new(),
        (Some(ours), Some(theirs)) => (ours, theirs),
        (Some(_), None) => return vec![format!("{what} is not on {node}")],
        (None, Some(_)) => return vec![format!("{what} is on {node} only")],
        (None, None) => return Vec::new(),
    };
    if kind == "group" {
        return group_difference(&what, ours, theirs, node);
    }
    vec![format!("{what} is {} here and {} on {node}", shown(kind, ours), shown(kind, theirs))]
}

/// Each value is the preferred node and a digest of the words.
fn group_difference(what: &str, ours: &str, theirs: &str, node: &str) -> Vec<String> {
    let [ours, theirs] = [ours, theirs].map(|value| value.split_once(',').unwrap_or((value, "")));
    let mut found = Vec::new();
    if ours.0 != theirs.0 {
        found.push(format!("{what} prefers {} here and {} on {node}", ours.0, theirs.0));
    }
    if ours.1 != theirs.1 {
        found.push(format!("{what} has other resources, or another order of them, on {node}"));
    }
    found
}

/// Times are told in milliseconds.
fn shown(kind: &str, value: &str) -> String {
    match (kind, value.parse()) {
        ("keepalive" | "deadtime" | "deadping", Ok(milliseconds)) => {
            format!("{} s", Duration::from_millis(milliseconds).as_secs_f64())
        }
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::fingerprint::tests::configuration;

    fn items(change: impl Fn(&str) -> String) -> SharedItems {
        SharedItems::of(&configuration("nodea", change))
    }

    #[test]
    fn what_differs_is_named_with_both_values() {
        let ours = items(str::to_owned);
        for (from, to, said) in [
            ("deadtime 10", "deadtime 20", "deadtime is 10 s here and 20 s on nodeb"),
            ("auto_failback on", "auto_failback off", "auto_failback is on here and off on nodeb"),
            ("name = \"site\"", "name = \"www\"", "the name of group 10.0.0.1 is site here and www on nodeb"),
            ("name = \"site\"", "", "the name of group 10.0.0.1 is not on nodeb"),
            ("name = \"site\"", "tickle = true", "tickle of group 10.0.0.1 is on nodeb only"),
            ("node nodeb\n", "node nodeb\nping 10.0.0.254\n", "ping node 10.0.0.254 is on nodeb only"),
            ("nodeb 10.0.0.2\n", "", "group 10.0.0.2 is not on nodeb"),
            ("nodeb 10.0.0.2", "nodea 10.0.0.2", "group 10.0.0.2 prefers nodeb here and nodea on nodeb"),
            (
                "10.0.0.1 web",
                "10.0.0.1 web db",
                "group 10.0.0.1 has other resources, or another order of them, on nodeb",
            ),
        ] {
            let theirs = items(|text| text.replace(from, to));
            let differences = ours.differences(&theirs, "nodeb");
            assert!(differences.contains(&said.to_owned()), "{to}: {differences:?}");
            assert_eq!(SharedItems::parse(&theirs.words().unwrap()), Some(theirs));
        }
        assert_eq!(ours.differences(&ours, "nodeb"), Vec::<String>::new());
    }

    #[test]
    fn they_can_be_recorded() {
        let items = items(str::to_owned);
        let text = serde_json::to_string(&items).unwrap();
        assert_eq!(serde_json::from_str::<SharedItems>(&text).unwrap(), items);
    }

    #[test]
    fn no_word_of_haresources_but_the_key_is_told() {
        let text = items(|text| text.replace("web", "secret")).words().unwrap();
        assert!(text.contains("group 10.0.0.1 nodea,") && !text.contains("secret"), "{text}");
    }

    #[test]
    fn too_many_items_are_not_told_and_garbage_is_none() {
        let long = "x".repeat(LONGEST);
        for text in ["", "group x", "group x a group", long.as_str(), &format!("a b {long}")] {
            assert_eq!(SharedItems::parse(text), None, "{text}");
        }
        let group = |number: usize| format!("nodea 10.0.1.{number}\n");
        let many: String = (1..60).map(group).collect();
        assert_eq!(items(|text| text.replace("nodeb 10.0.0.2\n", &many)).words(), None);
    }
}
