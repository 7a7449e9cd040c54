//! The table `[ipfail]` of hbd.toml: which decisions depend on ping nodes.

use toml::de::{DeTable, DeValue};

use super::source::{TomlText, key_hint};
use crate::config::diagnostic::{FileWord, Findings};
use crate::config::types::{Connectivity, PingNode};

const KEYS: [&str; 2] = ["enabled", "takeover_needs_ping"];

/// The keys that the files set, each with its place.
#[derive(Debug, Default)]
pub(in crate::config) struct IpfailTable {
    enabled: Option<(bool, FileWord)>,
    takeover_needs_ping: Option<(bool, FileWord)>,
}

impl IpfailTable {
    /// Reads the table; its keys replace those of earlier files.
    pub(super) fn read(&mut self, table: &DeTable<'_>, source: &TomlText<'_>, findings: &mut Findings) {
        for (key, value) in table {
            let (name, at) = (key.get_ref().as_ref(), source.word(value.span()));
            let place = match name {
                "enabled" => &mut self.enabled,
                "takeover_needs_ping" => &mut self.takeover_needs_ping,
                _ => {
                    let help = key_hint(name, &KEYS, "[ipfail]");
                    findings.error(&source.word(key.span()), format!("unknown key `{name}` in [ipfail]"), help);
                    continue;
                }
            };
            match value.get_ref() {
                DeValue::Boolean(flag) => *place = Some((*flag, at)),
                _ => {
                    let message = format!("bad value for `{name}` in [ipfail]");
                    findings.error(&at, message, format!("write {name} = true or false"));
                }
            }
        }
    }

    /// Whether hbd.toml says `enabled`, be it true or false.
    pub(in crate::config) fn says_enabled(&self) -> bool {
        self.enabled.is_some()
    }

    /// Reports keys that have no effect because ha.cf has no ping node.
    pub(in crate::config) fn check(&self, ping_nodes: &[PingNode], findings: &mut Findings) {
        for (wanted, at) in [&self.enabled, &self.takeover_needs_ping].into_iter().flatten() {
            if *wanted && ping_nodes.is_empty() {
                let help =
                    "add a line `ping HOST` to ha.cf, with a router that both nodes reach through the public LAN";
                findings.warning(at, "ha.cf has no ping node, so this has no effect", help);
            }
        }
    }

    /// The values in force. `in_ha_cf`: whether ha.cf starts ipfail.
    pub(in crate::config) fn connectivity(&self, in_ha_cf: bool) -> Connectivity {
        let said = |value: &Option<(bool, FileWord)>| value.as_ref().map(|(flag, _)| *flag);
        Connectivity {
            ipfail: said(&self.enabled).unwrap_or(in_ha_cf),
            takeover_needs_ping: said(&self.takeover_needs_ping).unwrap_or(false),
        }
    }
}
