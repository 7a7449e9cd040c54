//! The claims of two hbd nodes that hold the same groups: what [`crate::cluster::ownership::conflict`] compares (05
//! §4.1). Decides nothing.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cluster::{Class, GroupSet};

/// What a node bases its claim on, in its own words: the field `hbd_claim`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Claims {
    /// When it claimed its local groups, wall-clock milliseconds.
    pub(in crate::cluster) local: u64,
    /// When it claimed the other node's groups.
    pub(in crate::cluster) foreign: u64,
    /// How many groups it held when the conflict began: a loser that has already released a part must not lose the
    /// rest for it.
    pub(in crate::cluster) held: usize,
    /// Whether it had the witness's key then; `None` if no witness is asked, or one is required.
    #[serde(default)]
    pub(in crate::cluster) key: Option<bool>,
}

impl Claims {
    /// When the class was claimed.
    pub(in crate::cluster) fn of(&self, class: Class) -> u64 {
        match class {
            Class::Local => self.local,
            Class::Foreign => self.foreign,
        }
    }

    /// Reads the field; `None` if it is malformed.
    pub(in crate::cluster) fn parse(text: &str) -> Option<Claims> {
        let mut numbers = text.split(',');
        let mut hex = || u64::from_str_radix(numbers.next()?, 16).ok();
        let (local, foreign, held) = (hex()?, hex()?, usize::try_from(hex()?).ok()?);
        Some(Claims { local, foreign, held, key: hex().map(|key| key == 1) })
    }

    /// What is kept of them while a conflict lasts.
    pub(in crate::cluster) fn as_it_began(&self) -> (usize, Option<bool>) {
        (self.held, self.key)
    }

    /// Greater if the other node had the witness's key and this one had not. Says nothing unless both say it.
    pub(in crate::cluster) fn lacks_key_against(&self, other: &Claims) -> Ordering {
        match (self.key, other.key) {
            (Some(ours), Some(theirs)) => theirs.cmp(&ours),
            _ => Ordering::Equal,
        }
    }
}

/// When a node claimed what, wall-clock milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct ClaimTimes {
    groups: BTreeMap<usize, u64>,
    /// Of classes that have no group.
    local: u64,
    foreign: u64,
}

impl ClaimTimes {
    /// This is claimed now.
    pub(in crate::cluster) fn made(&mut self, set: GroupSet, wall_ms: u64) {
        self.groups.extend(set.iter().map(|group| (group, wall_ms)));
        if set.empty().local {
            self.local = wall_ms;
        }
        if set.empty().foreign {
            self.foreign = wall_ms;
        }
    }

    /// When the group was claimed last; 0 for never.
    pub(in crate::cluster) fn of(&self, group: usize) -> u64 {
        self.groups.get(&group).copied().unwrap_or_default()
    }

    /// When the last of these groups was claimed; if there are none, when their class was.
    pub(in crate::cluster) fn of_class(&self, class: Class, groups: impl Iterator<Item = usize>) -> u64 {
        let empty = match class {
            Class::Local => self.local,
            Class::Foreign => self.foreign,
        };
        groups.map(|group| self.of(group)).max().unwrap_or(empty)
    }
}

impl fmt::Display for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x},{:x},{:x}", self.local, self.foreign, self.held)?;
        self.key.map_or(Ok(()), |key| write!(f, ",{}", u8::from(key)))
    }
}
