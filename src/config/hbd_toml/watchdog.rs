//! The table `[watchdog]` of hbd.toml: who feeds the device that ha.cf names, and what happens when hbd hangs.

use toml::de::DeTable;

use super::source::Source;
use super::source::values;
use crate::config::diagnostic::Report;
use crate::config::types::{Feeder, OnHang, WatchdogPolicy};
use crate::config::value::Kind;

/// The key that is a directive of ha.cf.
pub(super) const DEVICE: &str = "device";
const KEYS: &[(&str, Kind)] = &[
    ("feeder", Kind::Choice(&[("systemd", "systemd"), ("hbd", "hbd")])),
    ("on_hang", Kind::Choice(&[("restart", "restart"), ("reboot", "reboot")])),
];

/// Reads the table, but for its `device`, over what a file before it said.
pub(super) fn read(table: &DeTable<'_>, source: &Source<'_>, policy: &mut WatchdogPolicy, report: &mut Report) {
    values("watchdog", KEYS, &[DEVICE], table, source, report, |key, value| match key {
        "feeder" => policy.feeder = if value == "hbd" { Feeder::Hbd } else { Feeder::Systemd },
        _ => policy.on_hang = if value == "reboot" { OnHang::Reboot } else { OnHang::Restart },
    });
}
