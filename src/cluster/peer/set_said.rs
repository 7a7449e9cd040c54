//! Sets of groups as a node says them: in Heartbeat's classes (03 §1), and by keys (05 §3.8). Judges nothing.

use serde::{Deserialize, Serialize};

use crate::cluster::Set;
use crate::wire::Message;

/// What a node's interfaces cannot serve: the classes, and the groups (05 §3.13).
pub(super) const CUT_FIELDS: [&str; 2] = ["hbd_cut", "hbd_cut_groups"];
/// The same of what it is not ready to serve.
pub(super) const UNREADY_FIELDS: [&str; 2] = ["hbd_unready", "hbd_unready_groups"];

/// The same of what it leaves alone while an operator works on it.
pub(super) const LEFT_ALONE_FIELDS: [&str; 2] = ["hbd_left_alone", "hbd_left_alone_groups"];

/// A set of groups as a node says it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct SetSaid {
    /// The two classes.
    pub(in crate::cluster) classes: Set,
    /// `hbd_groups`: the groups by their keys, which count instead (05 §3.8).
    #[serde(default)]
    pub(in crate::cluster) keys: Option<Vec<String>>,
}

impl SetSaid {
    /// The keys, if there are any.
    pub(in crate::cluster) fn keys(&self) -> Option<impl Iterator<Item = &str>> {
        self.keys.as_ref().map(|keys| keys.iter().map(String::as_str))
    }

    pub(super) fn of(message: &Message, classes: Set) -> SetSaid {
        SetSaid { classes, keys: keys(message, "hbd_groups") }
    }

    /// The classes in one field of a status and the groups in another one; nothing if it has neither.
    pub(super) fn in_status(message: &Message, [classes, groups]: [&str; 2]) -> SetSaid {
        let classes = message.text(classes).and_then(Set::parse).unwrap_or_default();
        SetSaid { classes, keys: keys(message, groups) }
    }
}

/// The keys in a field, if the message has it.
pub(super) fn keys(message: &Message, field: &str) -> Option<Vec<String>> {
    message.text(field).map(|text| words(text).map(str::to_owned).collect())
}

/// The words of a field; none if it says `-`.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().filter(|word| *word != "-")
}
