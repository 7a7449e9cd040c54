//! The table `[record]` of hbd.toml: whether events are recorded for `hbd --replay`, and how many.

use toml::de::DeTable;

use super::source::{TomlText, read_values};
use crate::config::diagnostic::Findings;
use crate::config::types::Recording;
use crate::config::value::ValueKind;

/// The keys and their values. Less than two megabytes would hold little more than the state that each file begins
/// with.
pub(in crate::config) const KEYS: &[(&str, ValueKind)] =
    &[("enabled", ValueKind::Bool), ("megabytes", ValueKind::Integer { min: 2, max: 65_536, unit: "megabytes" })];

/// Reads the table; its keys replace those of earlier files.
pub(super) fn read(table: &DeTable<'_>, source: &TomlText<'_>, recording: &mut Recording, findings: &mut Findings) {
    read_values("record", KEYS, &[], table, source, findings, |key, value| match key {
        "enabled" => recording.enabled = value == "true",
        _ => recording.megabytes = value.parse().unwrap_or(recording.megabytes),
    });
}
