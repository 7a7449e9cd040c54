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
use crate::config::groups::Resource;
use crate::config::haresources::{WrittenGroup, unit_name};
use crate::config::unit_types::{Leftovers, StopFailure, UnitLimit, UnitLimits, UnitPolicies, UnitPolicy};
use crate::config::value::{ValueKind, nearest};

const TIME: ValueKind = ValueKind::Time { zero: false };
/// Whether hbd may end processes that keep a file system busy: a key of both kinds of table.
const VACATE: (&str, ValueKind) = ("vacate", ValueKind::Bool);
/// The keys of `[units]`. A table in it is one unit's.
const KEYS: &[(&str, ValueKind)] = &[
    ("start_timeout", TIME),
    ("stop_timeout", TIME),
    ("stop_failure", ValueKind::Choice(&[("retry", "retry"), ("reboot", "reboot")])),
    ("leftovers", ValueKind::Choice(&[("stop", "stop"), ("report", "report")])),
    VACATE,
];
/// The keys of `[units."UNIT"]`.
const UNIT_KEYS: &[(&str, ValueKind)] = &[VACATE];

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
        read_values(&heading, UNIT_KEYS, &[], keys, source, findings, |key, value| {
            if key == VACATE.0 {
                policy.vacate = Some(value == "true");
            }
        });
    }

    /// Finds the unit that each table means: by its name, its name without `.service`, or its word in haresources.
    /// Reports tables that mean none, and keys that do not fit the unit.
    pub(in crate::config) fn match_units(&mut self, groups: &[WrittenGroup], findings: &mut Findings) {
        let resources = || groups.iter().flat_map(|found| &found.group.resources);
        for (name, (at, policy)) in &self.tables {
            let full = unit_name::full(name).ok();
            let meant = |resource: &&Resource| {
                resource.kind.unit().is_some_and(|unit| resource.word == *name || Some(unit) == full.as_deref())
            };
            let Some(unit) = resources().find(meant).and_then(|resource| resource.kind.unit()) else {
                let help = match nearest(name, resources().filter_map(|resource| resource.kind.unit())) {
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
    }
}

/// A legal time, in milliseconds.
fn written(text: &str) -> UnitLimit {
    UnitLimit::written(Duration::from_millis(text.parse().unwrap_or_default()))
}
