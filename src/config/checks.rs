//! Cross-checks: mistakes that no single line shows (04 §5.1, §5.4).
//!
//! Owns the rules between directives and between files. Never reads a file and never changes a value.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use super::checks_of_serial;
use super::diagnostic::{FileWord, Findings};
use super::files::Files;
use super::form::ClusterForm;
use super::groups::ResourceKind;
use super::ha_cf::HaCf;
use super::haresources::WrittenGroup;
use super::hbd_toml::Aliases;
use super::host::Host;
use super::settings::LayeredSettings;
use super::types::{AutoFailback, Medium};
use super::value::NO_PATH;

/// The shortest deadtime with which addresses have a lifetime.
const SHORTEST_LEASED_DEADTIME: Duration = Duration::from_secs(3);
/// Heartbeat's own threshold for "may be too small", in milliseconds.
const SMALL_INITDEAD: u128 = 10_000;

/// Everything that the cross-checks look at.
pub(super) struct CrossChecks<'a> {
    pub files: &'a Files,
    /// The tables of hbd.toml in place of ha.cf and haresources.
    pub form: &'a ClusterForm,
    pub ha_cf: &'a HaCf,
    pub layers: &'a LayeredSettings,
    pub groups: &'a [WrittenGroup],
    pub aliases: &'a Aliases,
    /// Our own name.
    pub node: &'a str,
    /// Whether the other node can be reset.
    pub fencing: bool,
    /// Whether addresses get a lifetime in the kernel.
    pub lease: bool,
    /// This machine.
    pub host: &'a Host,
}

impl CrossChecks<'_> {
    /// Runs all checks, in the order of 04 §5.1.
    pub(super) fn run(&self, findings: &mut Findings) {
        self.check_media(findings);
        self.check_port(findings);
        self.check_own_name(findings);
        self.check_dead_times(findings);
        self.check_warntime(findings);
        self.check_failback(findings);
        self.check_ipfail(findings);
        self.check_fencing(findings);
        self.check_two_nodes(findings);
        self.check_peer_addresses(findings);
        self.check_ping_nodes(findings);
        self.check_addresses_of_nodes(findings);
        self.check_leases(findings);
        self.check_serial_lines(findings);
        self.check_interfaces(findings);
        self.check_unused_aliases(findings);
    }

    /// Where the cluster is described: `[cluster]`, or the whole of ha.cf.
    fn whole(&self) -> FileWord {
        self.form.place().cloned().unwrap_or_else(|| FileWord::file(&self.files.ha_cf))
    }

    /// The hint for ha.cf and haresources, or that for the tables in their place.
    fn hint<'t>(&self, lines: &'t str, tables: &'t str) -> &'t str {
        if self.form.is_used() { tables } else { lines }
    }

    /// The word that set a directive; the whole description if nothing did.
    fn word_of(&self, key: &str) -> FileWord {
        self.layers.word_of(key).cloned().unwrap_or_else(|| self.whole())
    }

    /// The word of the first of these directives that the files set; the whole description if they set none.
    fn first_written(&self, keys: &[&str]) -> FileWord {
        let written = keys.iter().find_map(|key| self.layers.word_of(key));
        written.cloned().unwrap_or_else(|| self.whole())
    }

    fn check_media(&self, findings: &mut Findings) {
        if self.ha_cf.lacks_media() {
            return;
        }
        let names: Vec<&str> = self.ha_cf.media.iter().map(|(medium, _)| medium.link_name()).collect();
        match names.first() {
            None => findings.error(
                &self.whole(),
                "No heartbeat media defined",
                self.hint(
                    "add a line `ucast DEV PEER` for each link, PEER being the other node's address on it",
                    "add a table [[link]] with `interface` and `peer` for each link, peer being the other node's address on it",
                ),
            ),
            Some(first) if names.iter().all(|name| name == first) => {
                if let Some((_, word)) = self.ha_cf.media.first() {
                    let message = format!(
                        "{first} is the only heartbeat link: if it fails, each node believes the other dead; only address \
                         probes then prevent a double takeover"
                    );
                    let help = self.hint(
                        "add a second `ucast` line over an independent interface",
                        "add a second [[link]] over an independent interface",
                    );
                    findings.warning(word, message, help);
                }
            }
            Some(_) => {}
        }
    }

    /// Ports that every user may open (ip(7), ip_unprivileged_port_start).
    fn check_port(&self, findings: &mut Findings) {
        let port = self.layers.settings.udpport;
        let uses = |medium: &Medium| matches!(medium, Medium::Ucast { .. } | Medium::Bcast { .. });
        let used = self.ha_cf.media.iter().any(|(medium, _)| uses(medium));
        if used && port >= 1024 && self.layers.all_accepted(&["udpport"]) {
            findings.warning(
                &self.word_of("udpport"),
                format!(
                    "any local user may open UDP port {port}: a program that does so before hbd starts keeps hbd from \
                     hearing the other node"
                ),
                self.hint(
                    "write `udpport 694`, or another port below 1024, on both nodes",
                    "write `udpport = 694`, or another port below 1024, on both nodes",
                ),
            );
        }
    }

    fn check_own_name(&self, findings: &mut Findings) {
        let node = self.node;
        let nodes = &self.ha_cf.nodes;
        if self.ha_cf.is_refused(&["node"]) {
            return;
        }
        let Some(last) = nodes.last() else {
            // Of a copy the name may be unknown.
            let shown = if node.is_empty() { "NAME" } else { node };
            let line = format!("add `node {shown}` and a node line for the other node");
            let key = format!("write nodes = [\"{shown}\", \"…\"] below [cluster]");
            findings.error(&self.whole(), "no nodes defined", self.hint(&line, &key));
            return;
        };
        if nodes.iter().any(|known| known.text == node) {
            return;
        }
        if self.host.elsewhere {
            let either = nodes.iter().map(|known| known.text.as_str()).collect::<Vec<_>>().join(" or ");
            let help = format!("say whose files these are with --node: {either}");
            let message = if node.is_empty() {
                "it is not known of which node these files are".to_owned()
            } else {
                format!("Current node [{node}] not in configuration!")
            };
            findings.error(last, message, help);
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
                "nodes are named by `uname -n`, which is `{node}` here: add `{}{node}`, or name this machine in {}",
                self.hint("node ", ""),
                self.files.nodeinfo.display()
            ),
        };
        findings.error(near.unwrap_or(last), format!("Current node [{node}] not in configuration!"), help);
    }

    fn check_dead_times(&self, findings: &mut Findings) {
        let timing = self.layers.timing();
        let keepalive = timing.keepalive.as_millis();
        let deadtime = timing.deadtime.as_millis();
        let initdead = timing.initdead.as_millis();
        if self.layers.all_accepted(&["keepalive", "deadtime"]) && deadtime <= 2 * keepalive {
            findings.error(
                &self.first_written(&["deadtime", "keepalive"]),
                format!("Dead time [{deadtime}] is too small compared to keeplive [{keepalive}]"),
                format!("write a deadtime above twice keepalive, that is above {}ms", 2 * keepalive),
            );
        }
        if self.layers.all_accepted(&["deadtime", "initdead"]) {
            if initdead < deadtime {
                findings.error(
                    &self.first_written(&["initdead", "deadtime"]),
                    format!("Initial dead time [{initdead}] is smaller than deadtime [{deadtime}]"),
                    format!("write an initdead of at least {deadtime}ms; twice that is recommended"),
                );
            } else if initdead < SMALL_INITDEAD {
                findings.warning(
                    &self.word_of("initdead"),
                    format!("Initial dead time [{initdead} ms] may be too small!"),
                    "It should be >= deadtime and >= 10 seconds: it accounts for slow network startup",
                );
            } else if initdead < 2 * deadtime && self.layers.word_of("initdead").is_some() {
                findings.notice(
                    &self.word_of("initdead"),
                    format!("initdead ({initdead} ms) is below twice deadtime ({deadtime} ms)"),
                    format!("write `initdead {}ms` or more", 2 * deadtime),
                );
            }
        }
        let deadping = timing.deadping.as_millis();
        let written = self.layers.word_of("deadping").is_some();
        if written && self.layers.all_accepted(&["keepalive", "deadping"]) && deadping <= 2 * keepalive {
            findings.error(
                &self.word_of("deadping"),
                format!("Ping dead time [{deadping}] is too small compared to keeplive [{keepalive}]"),
                format!("write a deadping above {}ms", 2 * keepalive),
            );
        }
    }

    fn check_warntime(&self, findings: &mut Findings) {
        let timing = self.layers.timing();
        let (warntime, deadtime) = (timing.warntime.as_millis(), timing.deadtime.as_millis());
        let written = self.layers.word_of("warntime").is_some();
        if written && self.layers.all_accepted(&["warntime", "deadtime"]) && warntime >= deadtime {
            findings.warning(
                &self.word_of("warntime"),
                format!("warntime ({warntime} ms) is not below deadtime ({deadtime} ms): the warning comes too late"),
                format!("write `warntime {}ms`, or remove the line", deadtime / 2),
            );
        }
    }

    fn check_failback(&self, findings: &mut Findings) {
        if self.layers.all_accepted(&["auto_failback"]) && self.layers.settings.auto_failback == AutoFailback::Legacy
        {
            findings.warning(
                &self.word_of("auto_failback"),
                "Deprecated 'legacy' auto_failback option selected.",
                "write `auto_failback on` or `auto_failback off`; without it two hbd nodes behave as with on, and beside a \
                 Heartbeat hbd speaks its first protocol, which knows no standby and no takeover by request",
            );
        }
    }

    /// Where ipfail cannot have an effect, Heartbeat's ipfail ends by itself.
    fn check_ipfail(&self, findings: &mut Findings) {
        let Some(word) = &self.ha_cf.ipfail else { return };
        if self.ha_cf.ping_nodes.is_empty() && !self.ha_cf.lacks_ping_nodes() {
            let help = "add a line `ping HOST`, with a router that both nodes reach through the public LAN";
            findings.warning(word, "ipfail compares ping nodes, and there is none", help);
        }
        if self.layers.all_accepted(&["auto_failback"]) && self.layers.settings.auto_failback == AutoFailback::Legacy
        {
            let help = "write `auto_failback on` or `auto_failback off`";
            findings.warning(
                word,
                "ipfail does nothing beside a real Heartbeat without auto_failback on or off",
                help,
            );
        }
    }

    fn check_fencing(&self, findings: &mut Findings) {
        if self.ha_cf.is_refused(&["stonith", "stonith_host"]) || !self.layers.all_accepted(&["watchdog"]) {
            return;
        }
        if !self.fencing
            && self.ha_cf.fencing.is_empty()
            && self.layers.settings.watchdog.as_deref().is_none_or(|path| path == Path::new(NO_PATH))
        {
            findings.warning(
                &self.whole(),
                "No STONITH device configured. No watchdog either. Shared disks are not protected.",
                self.hint(
                    "add `watchdog /dev/watchdog`, or a stonith line if the nodes share disks",
                    "write watchdog = \"/dev/watchdog\" below [cluster], or a table [fence.\"NODE\"] if the nodes share disks",
                ),
            );
        }
    }

    /// Heartbeat's resource groups exist in clusters of two nodes only (03 §1).
    fn check_two_nodes(&self, findings: &mut Findings) {
        let nodes = &self.ha_cf.nodes;
        let unknown = self.ha_cf.is_refused(&["node"]);
        if self.groups.is_empty() || nodes.is_empty() || nodes.len() == 2 || unknown {
            return;
        }
        let at = nodes.get(2).or(nodes.first()).cloned().unwrap_or_else(|| self.whole());
        let count = nodes.len();
        let (groups, names) = (self.hint("haresources is", "[[group]] is"), self.hint("ha.cf", "[cluster]"));
        let message = format!("{groups} for exactly two nodes, {names} names {count}");
        let help = if count == 1 {
            "name the other node, too; on a single machine systemd runs its services without hbd"
        } else {
            "leave two normal nodes; for more nodes or placement rules use Pacemaker"
        };
        findings.error(&at, message, help);
    }

    /// A heartbeat to a virtual address reaches the node that serves the address, which may be this one.
    fn check_peer_addresses(&self, findings: &mut Findings) {
        for (medium, word) in &self.ha_cf.media {
            let Medium::Ucast { peer, .. } = medium else { continue };
            if let Some(resource) = self.groups.iter().find_map(|found| address_word(found, *peer)) {
                let message = format!("the peer {peer} is a virtual address of {}", resource.file_and_line());
                findings.warning(word, message, "write the address that belongs to the other node itself");
            }
        }
    }

    /// A ping node shows whether this machine reaches the LAN: neither an address that moves nor the other node does.
    fn check_ping_nodes(&self, findings: &mut Findings) {
        let hosts = self.ha_cf.ping_nodes.iter().zip(&self.ha_cf.ping_words);
        for (word, host) in hosts.flat_map(|(node, word)| node.hosts.iter().map(move |host| (word, *host))) {
            let help = "ping a router that both nodes reach through the public LAN";
            if let Some(resource) = self.groups.iter().find_map(|found| address_word(found, host)) {
                let message = format!(
                    "the ping node {host} is a virtual address of {}: it answers wherever that is, and not at all while it \
                     moves",
                    resource.file_and_line()
                );
                findings.warning(word, message, help);
            } else if self.is_peer(host) {
                let message =
                    format!("the ping node {host} is the other node: when that fails, this one looks unconnected");
                findings.warning(word, message, help);
            }
        }
    }

    fn is_peer(&self, host: IpAddr) -> bool {
        let is_it = |medium: &Medium| matches!(medium, Medium::Ucast { peer, .. } if *peer == host);
        self.ha_cf.media.iter().any(|(medium, _)| is_it(medium))
    }

    /// An address that names a node belongs to that machine: a release would take it away.
    fn check_addresses_of_nodes(&self, findings: &mut Findings) {
        for node in &self.ha_cf.nodes {
            let first = self.host.hosts.get(&node.text).copied().map(IpAddr::V4);
            let all = self.host.all_addresses.get(&node.text).into_iter().flatten().copied();
            let own: BTreeSet<IpAddr> = first.into_iter().chain(all).collect();
            let words = |own: &IpAddr| self.groups.iter().find_map(|found| address_word(found, *own));
            for (own, word) in own.iter().filter_map(|own| Some((own, words(own)?))) {
                let message = format!(
                    "/etc/hosts gives the virtual address {own} to the node {}: whoever asks for that node reaches the one \
                     that has the address",
                    node.text
                );
                findings.warning(
                    word,
                    message,
                    "give the node an address of its own there, and the service another name",
                );
            }
        }
    }

    /// Below this the kernel cannot take addresses away in time (docs/DECISIONS.md "Leases").
    fn check_leases(&self, findings: &mut Findings) {
        let deadtime = self.layers.timing().deadtime;
        let served = self.groups.iter().flat_map(|found| &found.group.resources);
        let addresses = served.into_iter().any(|resource| resource.kind.is_address());
        if self.lease && addresses && self.layers.all_accepted(&["deadtime"]) && deadtime < SHORTEST_LEASED_DEADTIME {
            let message = format!(
                "deadtime ({} ms) is too short for leases of the kernel: a machine that hangs keeps its addresses, and both \
                 nodes have them when it goes on",
                deadtime.as_millis()
            );
            findings.warning(&self.word_of("deadtime"), message, "write `deadtime 3` or more");
        }
    }

    fn check_serial_lines(&self, findings: &mut Findings) {
        if self.layers.all_accepted(&["baud", "deadtime"]) {
            let (baud, deadtime) = (self.layers.settings.baud, self.layers.timing().deadtime);
            checks_of_serial::check(&self.ha_cf.media, self.groups, baud, deadtime, findings);
        }
    }

    /// A link or an address on an interface that is not there is dead until it is. It may come later.
    fn check_interfaces(&self, findings: &mut Findings) {
        let Some(known) = &self.host.interfaces else { return };
        let names = known.iter().map(String::as_str).filter(|name| *name != "lo").collect::<Vec<_>>().join(", ");
        let help = format!("`ip link` shows {names}");
        for (medium, word) in &self.ha_cf.media {
            if let Some(device) = medium.interface().filter(|device| !known.contains(*device)) {
                let message = format!("this machine has no interface {device}: the link is dead until it is there");
                findings.warning(word, message, help.as_str());
            }
        }
        for (word, resource) in self.groups.iter().flat_map(|found| found.words.iter().zip(&found.group.resources)) {
            let ResourceKind::Address(address) = &resource.kind else { continue };
            if let Some(device) = address.device.as_ref().filter(|device| !known.contains(*device)) {
                let message = format!(
                    "this machine has no interface {device}: {} cannot be started until it is there",
                    address.address
                );
                findings.warning(word, message, help.as_str());
            }
        }
    }

    fn check_unused_aliases(&self, findings: &mut Findings) {
        // A group with a refused word is missing here, so its aliases would be reported as unused.
        if findings.has_errors() {
            return;
        }
        for (word, (unit, at)) in self.aliases {
            let used = self.groups.iter().flat_map(|found| &found.group.resources).any(|r| r.word == *word);
            if !used {
                let message = format!("no group uses the alias `{word}` (for {unit})");
                findings.notice(at, message, "write the word exactly as the group has it");
            }
        }
    }
}

/// The word of the group that stands for this address.
fn address_word(found: &WrittenGroup, wanted: IpAddr) -> Option<&FileWord> {
    found.words.iter().zip(&found.group.resources).find_map(|(word, resource)| match &resource.kind {
        ResourceKind::Address(address) if address.address == wanted => Some(word),
        _ => None,
    })
}
