//! The values of `[units]` and `[units."UNIT"]` of hbd.toml: how long units may take, and what hbd may do to them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::groups::{Group, Recipe, ResourceKind};

/// `[units]` of hbd.toml: how long units may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitLimits {
    /// How long a start may take; then it has failed. systemd's own TimeoutStartSec= is usually shorter, and its
    /// message more precise.
    pub start: UnitLimit,
    /// How long a stop may take; then the unit is killed.
    pub stop: UnitLimit,
    /// What happens when a resource has not stopped after ten attempts.
    pub stop_failure: StopFailure,
    /// What happens to a unit that runs on a node that does not hold its group.
    #[serde(default)]
    pub leftovers: Leftovers,
}

/// `start_timeout` or `stop_timeout`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitLimit {
    /// How long.
    pub time: Duration,
    /// Whether hbd.toml says so. Where it does not, a longer limit of the unit itself counts.
    pub written: bool,
}

impl UnitLimit {
    /// One that hbd.toml says.
    pub fn written(time: Duration) -> UnitLimit {
        UnitLimit { time, written: true }
    }

    /// The same for a unit that hbd makes of this recipe, which may have a limit of its own.
    pub fn of_recipe(self, recipe: Option<&Recipe>) -> UnitLimit {
        match recipe {
            Some(Recipe::Script(script)) => script.timeout.map_or(self, UnitLimit::written),
            _ => self,
        }
    }
}

impl Default for UnitLimits {
    fn default() -> UnitLimits {
        let limit = UnitLimit { time: Duration::from_secs(300), written: false };
        UnitLimits { start: limit, stop: limit, stop_failure: StopFailure::Retry, leftovers: Leftovers::Stop }
    }
}

/// What hbd may do to the units of haresources.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UnitPolicies {
    /// `vacate` in `[units]`, for all file systems; `None` if it is not written.
    pub vacate: Option<bool>,
    /// The tables `[units."UNIT"]`, by the unit's full name.
    pub by_unit: BTreeMap<String, UnitPolicy>,
}

/// `[units."UNIT"]` of hbd.toml.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UnitPolicy {
    /// Whether hbd may end the processes that keep this file system busy; `None` if it is not written.
    pub vacate: Option<bool>,
    /// It runs on both nodes, wherever its group is; `None` if it is not written.
    #[serde(default)]
    pub everywhere: Option<bool>,
}

impl UnitPolicies {
    /// The units that run on both nodes, wherever their groups are.
    pub fn everywhere(&self) -> impl Iterator<Item = &str> {
        let everywhere = self.by_unit.iter().filter(|(_, policy)| policy.everywhere == Some(true));
        everywhere.map(|(unit, _)| unit.as_str())
    }

    /// These groups without such units, and without those of which nothing is left.
    pub fn without_everywhere(&self, groups: Vec<Group>) -> Vec<Group> {
        let rest = |mut group: Group| {
            group.resources.retain(|resource| !self.is_everywhere(&resource.kind));
            group
        };
        groups.into_iter().map(rest).filter(|group| !group.resources.is_empty()).collect()
    }

    /// Whether a resource is such a unit.
    pub fn is_everywhere(&self, kind: &ResourceKind) -> bool {
        kind.unit().is_some_and(|unit| self.everywhere().any(|other| other == unit))
    }

    /// Whether hbd may end the processes that keep the file system of `kind` busy. Where nothing is written it may
    /// for `Filesystem::`, as Heartbeat does (03 §15), and not for a mount unit of somebody else.
    pub fn may_vacate(&self, kind: &ResourceKind) -> bool {
        let own = kind.unit().and_then(|unit| self.by_unit.get(unit)).and_then(|policy| policy.vacate);
        own.or(self.vacate).unwrap_or(matches!(kind, ResourceKind::Transient(_)))
    }
}

/// `leftovers` in `[units]` of hbd.toml: what happens to a unit that runs on a node that does not hold its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Leftovers {
    /// It is stopped.
    #[default]
    Stop,
    /// It is named in the log and in every status.
    Report,
}

/// `stop_failure` in `[units]` of hbd.toml.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopFailure {
    /// Try again for ever; the peer does not get the group meanwhile.
    Retry,
    /// Reboot the machine at once, as Heartbeat does (03 §9.2): the peer takes over after its dead time.
    Reboot,
}
