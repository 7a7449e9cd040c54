//! The table `[watchdog]` of hbd.toml: what feeds the watchdog device, and what happens when hbd hangs.

use toml::de::DeTable;

use super::source::TomlText;
use super::source::read_values;
use crate::config::diagnostic::Findings;
use crate::config::types::{Feeder, OnHang, WatchdogPolicy};
use crate::config::value::ValueKind;

/// The key that overrides the directive `watchdog` of ha.cf.
pub(super) const DEVICE: &str = "device";
pub(in crate::config) const KEYS: &[(&str, ValueKind)] = &[
    ("feeder", ValueKind::Choice(&[("systemd", "systemd"), ("hbd", "hbd")])),
    ("on_hang", ValueKind::Choice(&[("restart", "restart"), ("reboot", "reboot")])),
];

/// Reads the table without its `device`; its keys replace those of earlier files.
pub(super) fn read(table: &DeTable<'_>, source: &TomlText<'_>, policy: &mut WatchdogPolicy, findings: &mut Findings) {
    read_values("watchdog", KEYS, &[DEVICE], table, source, findings, |key, value| match key {
        "feeder" => policy.feeder = if value == "hbd" { Feeder::Hbd } else { Feeder::Systemd },
        _ => policy.on_hang = if value == "reboot" { OnHang::Reboot } else { OnHang::Restart },
    });
}
