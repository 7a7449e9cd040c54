//! The table `[watchdog]` of hbd.toml: who feeds the device that ha.cf names, and what happens when hbd hangs.

use toml::de::DeTable;

use super::source::TomlText;
use super::source::read_values;
use crate::config::diagnostic::Findings;
use crate::config::types::{Feeder, OnHang, WatchdogPolicy};
use crate::config::value::ValueKind;

/// The key that is a directive of ha.cf.
pub(super) const DEVICE: &str = "device";
const KEYS: &[(&str, ValueKind)] = &[
    ("feeder", ValueKind::Choice(&[("systemd", "systemd"), ("hbd", "hbd")])),
    ("on_hang", ValueKind::Choice(&[("restart", "restart"), ("reboot", "reboot")])),
];

/// Reads the table, but for its `device`, over what a file before it said.
pub(super) fn read(table: &DeTable<'_>, source: &TomlText<'_>, policy: &mut WatchdogPolicy, findings: &mut Findings) {
    read_values("watchdog", KEYS, &[DEVICE], table, source, findings, |key, value| match key {
        "feeder" => policy.feeder = if value == "hbd" { Feeder::Hbd } else { Feeder::Systemd },
        _ => policy.on_hang = if value == "reboot" { OnHang::Reboot } else { OnHang::Restart },
    });
}
