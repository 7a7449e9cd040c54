//! Cross-checks: what no single line can tell (04 §5.1, §5.4).
//!
//! Owns the rules between directives and between files. Never reads a file and never changes a value.

use std::net::IpAddr;

use super::diagnostic::{Report, Word};
use super::files::Files;
use super::groups::ResourceKind;
use super::ha_cf::HaCf;
use super::haresources::Found;
use super::hbd_toml::Aliases;
use super::settings::Layers;
use super::types::{AutoFailback, Medium};

/// Heartbeat's own threshold for "may be too small", in milliseconds.
const SMALL_INITDEAD: u128 = 10_000;

/// All that was read.
pub(super) struct Whole<'a> {
    pub files: &'a Files,
    pub ha_cf: &'a HaCf,
    pub layers: &'a Layers,
    pub groups: &'a [Found],
    pub aliases: &'a Aliases,
    /// Our own name.
    pub node: &'a str,
    /// Whether the other node can be reset.
    pub fencing: bool,
}

impl Whole<'_> {
    /// All checks, in the order of 04 §5.1.
    pub(super) fn check(&self, report: &mut Report) {
        self.media(report);
        self.own_name(report);
        self.dead_times(report);
        self.warn_times(report);
        self.failback(report);
        self.ipfail(report);
        self.fencing(report);
        self.two_nodes(report);
        self.peers_and_addresses(report);
        self.unused_aliases(report);
    }

    /// The word that set a directive, or the file as a whole.
    fn place(&self, key: &str) -> Word {
        self.layers.place(key).cloned().unwrap_or_else(|| Word::file(&self.files.ha_cf))
    }

    /// The first of these directives that was written.
    fn place_of(&self, keys: &[&str]) -> Word {
        let written = keys.iter().find_map(|key| self.layers.place(key));
        written.cloned().unwrap_or_else(|| Word::file(&self.files.ha_cf))
    }

    fn media(&self, report: &mut Report) {
        let names: Vec<&str> = self.ha_cf.media.iter().map(|(medium, _)| medium.link_name()).collect();
        match names.first() {
            None => report.error(
                &Word::file(&self.files.ha_cf),
                "No heartbeat media defined",
                "add a line `ucast DEV PEER` for each link, PEER being the other node's address on it",
            ),
            Some(first) if names.iter().all(|name| name == first) => {
                if let Some((_, word)) = self.ha_cf.media.first() {
                    let message =
                        format!("{first} is the only heartbeat link: if it fails, both nodes take everything");
                    report.warning(word, message, "add a second `ucast` line over an independent interface");
                }
            }
            Some(_) => {}
        }
    }

    fn own_name(&self, report: &mut Report) {
        let node = self.node;
        let nodes = &self.ha_cf.nodes;
        let Some(last) = nodes.last() else {
            let help = format!("add `node {node}` and a node line for the other node");
            report.error(&Word::file(&self.files.ha_cf), "no nodes defined", help);
            return;
        };
        if nodes.iter().any(|known| known.text == node) {
            return;
        }
        let short = |name: &str| name.split('.').next().unwrap_or("").to_owned();
        let near = nodes.iter().find(|known| short(&known.text) == short(node));
        let help = match near {
            Some(near) => format!(
                "the names differ by the domain only: write `node {node}` on all nodes, or `echo {} > {}` here",
                near.text,
                self.files.nodeinfo.display()
            ),
            None => format!(
                "nodes are named by `uname -n`, which is `{node}` here: add `node {node}`, or name this machine in {}",
                self.files.nodeinfo.display()
            ),
        };
        report.error(near.unwrap_or(last), format!("Current node [{node}] not in configuration!"), help);
    }

    fn dead_times(&self, report: &mut Report) {
        let timing = self.layers.timing();
        let keepalive = timing.keepalive.as_millis();
        let deadtime = timing.deadtime.as_millis();
        let initdead = timing.initdead.as_millis();
        if self.layers.sound(&["keepalive", "deadtime"]) && deadtime <= 2 * keepalive {
            report.error(
                &self.place_of(&["deadtime", "keepalive"]),
                format!("Dead time [{deadtime}] is too small compared to keeplive [{keepalive}]"),
                format!("write a deadtime above twice keepalive, that is above {}ms", 2 * keepalive),
            );
        }
        if self.layers.sound(&["deadtime", "initdead"]) {
            if initdead < deadtime {
                report.error(
                    &self.place_of(&["initdead", "deadtime"]),
                    format!("Initial dead time [{initdead}] is smaller than deadtime [{deadtime}]"),
                    format!("write an initdead of at least {deadtime}ms; twice that is recommended"),
                );
            } else if initdead < SMALL_INITDEAD {
                report.warning(
                    &self.place("initdead"),
                    format!("Initial dead time [{initdead} ms] may be too small!"),
                    "It should be >= deadtime and >= 10 seconds: it accounts for slow network startup",
                );
            } else if initdead < 2 * deadtime && self.layers.place("initdead").is_some() {
                report.notice(
                    &self.place("initdead"),
                    format!("initdead ({initdead} ms) is below twice deadtime ({deadtime} ms)"),
                    format!("write `initdead {}ms` or more", 2 * deadtime),
                );
            }
        }
        let deadping = timing.deadping.as_millis();
        let written = self.layers.place("deadping").is_some();
        if written && self.layers.sound(&["keepalive", "deadping"]) && deadping <= 2 * keepalive {
            report.error(
                &self.place("deadping"),
                format!("Ping dead time [{deadping}] is too small compared to keeplive [{keepalive}]"),
                format!("write a deadping above {}ms", 2 * keepalive),
            );
        }
    }

    fn warn_times(&self, report: &mut Report) {
        let timing = self.layers.timing();
        let (warntime, deadtime) = (timing.warntime.as_millis(), timing.deadtime.as_millis());
        let written = self.layers.place("warntime").is_some();
        if written && self.layers.sound(&["warntime", "deadtime"]) && warntime >= deadtime {
            report.warning(
                &self.place("warntime"),
                format!("warntime ({warntime} ms) is not below deadtime ({deadtime} ms): the warning comes too late"),
                format!("write `warntime {}ms`, or remove the line", deadtime / 2),
            );
        }
    }

    fn failback(&self, report: &mut Report) {
        if self.layers.sound(&["auto_failback"]) && self.layers.settings.auto_failback == AutoFailback::Legacy {
            report.warning(
                &self.place("auto_failback"),
                "Deprecated 'legacy' auto_failback option selected.",
                "write `auto_failback on` or `auto_failback off`; without it two hbd nodes behave as with on, and beside a \
                 Heartbeat hbd speaks its first protocol, which knows no standby and no takeover by request",
            );
        }
    }

    /// A real ipfail ends where there is nothing that it could do.
    fn ipfail(&self, report: &mut Report) {
        let Some(word) = &self.ha_cf.ipfail else { return };
        if self.ha_cf.ping_nodes.is_empty() {
            let help = "add a line `ping HOST`, with a router that both nodes reach through the public LAN";
            report.warning(word, "ipfail compares ping nodes, and there is none", help);
        }
        if self.layers.sound(&["auto_failback"]) && self.layers.settings.auto_failback == AutoFailback::Legacy {
            let help = "write `auto_failback on` or `auto_failback off`";
            report.warning(word, "ipfail does nothing beside a real Heartbeat without auto_failback on or off", help);
        }
    }

    fn fencing(&self, report: &mut Report) {
        if !self.fencing && self.layers.settings.watchdog.is_none() {
            report.warning(
                &Word::file(&self.files.ha_cf),
                "No STONITH device configured. No watchdog either. Shared disks are not protected.",
                "add `watchdog /dev/watchdog`, or a stonith line if the nodes share disks",
            );
        }
    }

    /// Resource groups are a matter between two nodes (03 §1).
    fn two_nodes(&self, report: &mut Report) {
        let nodes = &self.ha_cf.nodes;
        if self.groups.is_empty() || nodes.is_empty() || nodes.len() == 2 {
            return;
        }
        let at = nodes.get(2).or(nodes.first()).cloned().unwrap_or_else(|| Word::file(&self.files.ha_cf));
        let count = nodes.len();
        let message = format!("haresources is for exactly two nodes, ha.cf names {count}");
        let help = if count == 1 {
            "add a node line for the other node"
        } else {
            "leave two normal nodes; for more nodes or placement rules use Pacemaker"
        };
        report.error(&at, message, help);
    }

    /// A heartbeat to an address that moves reaches whoever holds it, at worst ourselves.
    fn peers_and_addresses(&self, report: &mut Report) {
        for (medium, word) in &self.ha_cf.media {
            let Medium::Ucast { peer, .. } = medium else { continue };
            if let Some(resource) = self.groups.iter().find_map(|found| address_word(found, *peer)) {
                let message = format!("the peer {peer} is a virtual address of {}", resource.name());
                report.warning(word, message, "write the address that belongs to the other node itself");
            }
        }
    }

    fn unused_aliases(&self, report: &mut Report) {
        // A group with a refused word is not here: its aliases would seem unused.
        if report.has_errors() {
            return;
        }
        for (word, (unit, at)) in self.aliases {
            let used = self.groups.iter().flat_map(|found| &found.group.resources).any(|r| r.word == *word);
            if !used {
                let message = format!("no line of haresources uses the alias `{word}` (for {unit})");
                report.notice(at, message, "write the word exactly as it stands in haresources");
            }
        }
    }
}

/// The word of a group that is this address.
fn address_word(found: &Found, wanted: IpAddr) -> Option<&Word> {
    found.words.iter().zip(&found.group.resources).find_map(|(word, resource)| match &resource.kind {
        ResourceKind::Address(address) if address.address == wanted => Some(word),
        _ => None,
    })
}
