//! The tables `[units]` and `[units."UNIT"]` of hbd.toml: how long units may take, what happens when one does not
//! stop, and what hbd may do to it.
//!
//! Owns the keys of these tables, and which unit a name in them means. A new key of a single unit is a row of
//! [`UNIT_KEYS`] and an arm of [`UnitTables::read_unit`].

use std::collections::BTreeMap;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::source::{TomlText, read_values};
use crate::config::diagnostic::{FileWord, Findings};
use crate::config::groups::{Group, Resource, ResourceKind};
use crate::config::haresources::{WrittenGroup, unit_name};
use crate::config::unit_types::{Leftovers, StopFailure, UnitLimit, UnitLimits, UnitPolicies, UnitPolicy};
use crate::config::value::{ValueKind, nearest};

const TIME: ValueKind = ValueKind::Time { zero: false };
/// Whether hbd may end processes that keep a file system busy: a key of both kinds of table.
const VACATE: (&str, ValueKind) = ("vacate", ValueKind::Bool);
/// The keys of `[units]`. A table in it is one unit's.
pub(in crate::config) const KEYS: &[(&str, ValueKind)] = &[
    ("start_timeout", TIME),
    ("stop_timeout", TIME),
    ("stop_failure", ValueKind::Choice(&[("retry", "retry"), ("reboot", "reboot")])),
    ("leftovers", ValueKind::Choice(&[("stop", "stop"), ("report", "report")])),
    VACATE,
];
/// The keys of `[units."UNIT"]`.
pub(in crate::config) const UNIT_KEYS: &[(&str, ValueKind)] = &[VACATE, ("everywhere", ValueKind::Bool)];

/// `[units]` with the tables of single units.
#[derive(Debug, Default)]
pub(in crate::config) struct UnitTables {
    /// How long units may take.
    pub limits: UnitLimits,
    /// What hbd may do to units; those of single units since [`UnitTables::match_units`].
    pub policies: UnitPolicies,
    /// The tables of single units as they are named, each with the place of its first heading.
    tables: BTreeMap<String, (FileWord, UnitPolicy)>,
}

impl UnitTables {
    /// Reads `[units]`; its keys replace those of earlier files.
    pub(super) fn read(&mut self, table: &DeTable<'_>, source: &TomlText<'_>, findings: &mut Findings) {
        let known = |name: &str| KEYS.iter().any(|(key, _)| *key == name);
        let units: Vec<_> = table
            .iter()
            .filter(|(key, value)| value.get_ref().is_table() && !known(key.get_ref().as_ref()))
            .map(|(key, _)| key.get_ref().as_ref())
            .collect();
        let (limits, vacate) = (&mut self.limits, &mut self.policies.vacate);
        read_values("units", KEYS, &units, table, source, findings, |key, value| match key {
            "start_timeout" => limits.start = written(&value),
            "stop_timeout" => limits.stop = written(&value),
            "leftovers" => limits.leftovers = if value == "report" { Leftovers::Report } else { Leftovers::Stop },
            "vacate" => *vacate = Some(value == "true"),
            _ => limits.stop_failure = if value == "reboot" { StopFailure::Reboot } else { StopFailure::Retry },
        });
        for (key, value) in table {
            if let (true, DeValue::Table(keys)) = (units.contains(&key.get_ref().as_ref()), value.get_ref()) {
                let at = FileWord { text: key.get_ref().to_string(), ..source.word(key.span()) };
                self.read_unit(at, keys, source, findings);
            }
        }
    }

    /// Reads `[units."UNIT"]`; its keys replace those of earlier files.
    fn read_unit(&mut self, at: FileWord, keys: &DeTable<'_>, source: &TomlText<'_>, findings: &mut Findings) {
        let heading = format!("units.\"{}\"", at.text);
        let (_, policy) = self.tables.entry(at.text.clone()).or_insert_with(|| (at, UnitPolicy::default()));
        read_values(&heading, UNIT_KEYS, &[], keys, source, findings, |key, value| match key {
            "everywhere" => policy.everywhere = Some(value == "true"),
            _ => policy.vacate = Some(value == "true"),
        });
    }

    /// Finds the unit that each table means. Reports tables that mean none, and keys that do not fit the unit.
    pub(in crate::config) fn match_units(&mut self, groups: &[WrittenGroup], findings: &mut Findings) {
        for (name, (at, policy)) in &self.tables {
            let Some(unit) = unit_meant(name, groups) else {
                let help = match nearest(name, resources(groups).filter_map(|resource| resource.kind.unit())) {
                    Some(near) => format!("did you mean [units.\"{near}\"]?"),
                    None => "name a unit that a line of haresources starts, as `hbctl check` shows it".to_owned(),
                };
                findings.warning(at, format!("no resource of haresources is the unit `{name}`"), help);
                continue;
            };
            if policy.vacate.is_some() && !unit.ends_with(".mount") {
                let help = "`vacate` is for file systems: a unit whose name ends in .mount";
                findings.error(at, format!("{unit} cannot be kept busy, so it has no key `vacate`"), help);
            }
            self.policies.by_unit.insert(unit.to_owned(), *policy);
        }
        for (name, (at, _)) in self.tables.iter().filter(|(_, (_, policy))| policy.everywhere == Some(true)) {
            let Some(unit) = unit_meant(name, groups) else { continue };
            let wrong = groups.iter().find_map(|found| self.not_everywhere(unit, &found.group));
            if let Some((message, help)) = wrong {
                findings.error(at, message, help);
            }
        }
    }

    /// Why this unit of a group cannot run on both nodes, and what helps: it is none with a file of its own, or a
    /// file system, or needs something that runs on one node only.
    fn not_everywhere(&self, unit: &str, group: &Group) -> Option<(String, String)> {
        let index = group.resources.iter().position(|resource| resource.kind.unit() == Some(unit))?;
        let word = &group.resources[index].word;
        if !matches!(group.resources[index].kind, ResourceKind::Unit(_)) {
            let help = "write a unit file for it, and name that unit in haresources";
            return Some((
                format!("`{word}` has no unit of its own that could run on both nodes: hbd makes one for its group"),
                help.to_owned(),
            ));
        }
        if unit.ends_with(".mount") || unit.ends_with(".automount") {
            let help = "leave `everywhere` out: what both nodes may mount at once belongs into /etc/fstab";
            return Some((format!("{unit} is a file system, and two nodes must not mount one"), help.to_owned()));
        }
        let one_node = |other: &&Resource| !other.kind.is_address() && !self.policies.is_everywhere(&other.kind);
        let before = group.resources[..index].iter().find(one_node)?;
        Some((
            format!("{unit} is to run on both nodes, and may need `{}`, which stands before it", before.word),
            format!(
                "`{0}` runs on one node only: write `{word}` before `{0}` in group {1}, or leave `everywhere` out",
                before.word, group.key
            ),
        ))
    }
}

fn resources(groups: &[WrittenGroup]) -> impl Iterator<Item = &Resource> {
    groups.iter().flat_map(|found| &found.group.resources)
}

/// The unit that a table means: by its name, its name without `.service`, or its word in haresources.
fn unit_meant<'a>(name: &str, groups: &'a [WrittenGroup]) -> Option<&'a str> {
    let full = unit_name::full(name).ok();
    let meant = |resource: &&Resource| {
        resource.kind.unit().is_some_and(|unit| resource.word == *name || Some(unit) == full.as_deref())
    };
    resources(groups).find(meant).and_then(|resource| resource.kind.unit())
}

/// A legal time, in milliseconds.
fn written(text: &str) -> UnitLimit {
    UnitLimit::written(Duration::from_millis(text.parse().unwrap_or_default()))
}
