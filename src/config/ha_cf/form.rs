//! `[cluster]`, `[[link]]` and `[[program]]` of hbd.toml, read as the lines of ha.cf that say the same.
//!
//! Owns which line of ha.cf each table stands for, and what of a table is for this node.

use std::net::Ipv6Addr;

use super::lines::Statement;
use super::{HaCf, Reader, media};
use crate::config::diagnostic::{FileWord, Findings};
use crate::config::directives::{self, LineDirective};
use crate::config::files::Files;
use crate::config::form::{ByNode, ClusterForm, LinkWay, WrittenLink, WrittenPing, WrittenProgram};
use crate::config::host::Host;
use crate::config::settings::SettingCollector;
use crate::config::types::Medium;
use crate::config::value::nearest;

/// What `auto_failback` is where nothing is written. ha.cf has `legacy` for the first versions of Heartbeat, which a
/// pair of hbds never meets.
const AUTO_FAILBACK: (&str, &str) = ("auto_failback", "on");

/// Reads the tables as `node` understands them. Settings with one value go to `scalars`.
pub(in crate::config) fn read_form(
    form: &ClusterForm,
    node: &str,
    files: &Files,
    host: &Host,
    scalars: &mut SettingCollector,
    findings: &mut Findings,
) -> HaCf {
    let mut reader = Reader::new(files, host, scalars, findings);
    for name in &form.refused {
        reader.found.refused.insert(name);
        reader.scalars.mark_refused(name);
    }
    reader.settings_of(form);
    for word in &form.nodes {
        reader.noting_refusal("node", |reader| reader.node(word));
    }
    for ping in &form.pings {
        reader.noting_refusal("ping", |reader| reader.ping(ping));
    }
    for (name, value) in form.env.values() {
        let pair = FileWord { text: format!("{}={}", name.text, value.text), location: name.location.clone() };
        reader.environment(&pair);
    }
    for link in &form.links {
        reader.noting_refusal("ucast", |reader| reader.link(link, node));
    }
    for program in &form.programs {
        reader.program(program);
    }
    reader.found
}

impl Reader<'_> {
    fn settings_of(&mut self, form: &ClusterForm) {
        for (directive, word) in form.settings.values() {
            self.noting_refusal(directive.name, |reader| reader.setting(directive, word));
        }
        let (name, usual) = AUTO_FAILBACK;
        let absent = !form.settings.contains_key(name) && !form.refused.contains(name);
        if let (true, Some(directive), Some(place)) = (absent, directives::find(name), form.place()) {
            let word = FileWord { text: usual.to_owned(), location: place.location.clone() };
            self.scalars.add(directive, &word, self.findings);
        }
    }

    fn ping(&mut self, ping: &WrittenPing) {
        let (node, at) = match ping {
            WrittenPing::Host(word) if word.text.parse::<Ipv6Addr>().is_ok() => {
                (media::ping6(word, self.findings), word)
            }
            WrittenPing::Host(word) => (media::ping(word, self.host, self.findings), word),
            WrittenPing::Group { name, hosts } => {
                let words = std::iter::once(name).chain(hosts).cloned().collect();
                let statement = Statement { name: FileWord { text: "ping_group".to_owned(), ..name.clone() }, words };
                (media::ping_group(&statement, self.host, self.findings), name)
            }
        };
        self.ping_node(node, at);
    }

    fn link(&mut self, link: &WrittenLink, node: &str) {
        match &link.way {
            LinkWay::Peer { interface, peer } => {
                let Some(device) = self.here("interface", interface, link, node) else { return };
                self.unicast(link, device, peer);
            }
            LinkWay::Addresses { interface, addresses } => {
                self.check_names(addresses);
                let Some(device) = self.here("interface", interface, link, node) else { return };
                let others: Vec<_> = addresses.iter().filter(|(name, _)| name.text != node).collect();
                if others.is_empty() {
                    let help = "write the other node's address, too: addresses = { NODE = \"…\", NODE = \"…\" }";
                    self.findings.error(&link.at, "[[link]] has no address of another node", help);
                }
                for (_, address) in others {
                    self.unicast(link, device.clone(), address);
                }
            }
            LinkWay::Broadcast { interface } => {
                let Some(device) = self.here("interface", interface, link, node) else { return };
                if let Some(medium) = media::bcast(&device, self.findings) {
                    self.medium(medium, &device);
                }
            }
            LinkWay::Multicast { interface, words } => {
                let Some(device) = self.here("interface", interface, link, node) else { return };
                let six = words.first().is_some_and(|group| group.text.parse::<Ipv6Addr>().is_ok());
                let words = std::iter::once(device.clone()).chain(words.iter().cloned()).collect();
                let name = if six { "mcast6" } else { "mcast" };
                let medium = media::multicast(&statement(name, link, words), self.findings);
                self.add(medium, &device);
            }
            LinkWay::Serial { device } => {
                let Some(device) = self.here("serial", device, link, node) else { return };
                let medium = media::serial(&device, self.files, self.findings);
                self.add(medium, &device);
            }
        }
    }

    fn unicast(&mut self, link: &WrittenLink, device: FileWord, peer: &FileWord) {
        let address = peer.text.split_once('%').map_or(peer.text.as_str(), |(address, _)| address);
        let six = address.parse::<Ipv6Addr>().is_ok();
        let words = vec![device, peer.clone()];
        let medium = match six {
            true => media::ucast6(&statement("ucast6", link, words), self.findings),
            false => media::ucast(&statement("ucast", link, words), self.host, self.findings),
        };
        self.add(medium, peer);
    }

    fn add(&mut self, medium: Option<Medium>, word: &FileWord) {
        if let Some(medium) = medium {
            self.medium(medium, word);
        }
    }

    /// The value for this node.
    fn here(&mut self, key: &str, value: &ByNode, link: &WrittenLink, node: &str) -> Option<FileWord> {
        let each = match value {
            ByNode::Same(word) => return Some(word.clone()),
            ByNode::Each(each) => each,
        };
        self.check_names(each);
        let own = each.iter().find(|(name, _)| name.text == node).map(|(_, word)| word.clone());
        if own.is_none() {
            let message = format!("`{key}` in [[link]] has no value for this node, {node}");
            self.findings.error(&link.at, message, format!("write {key} = {{ {node} = \"…\", … }}"));
        }
        own
    }

    /// Reports names that are no nodes.
    fn check_names(&mut self, each: &[(FileWord, FileWord)]) {
        let nodes: Vec<String> = self.found.nodes.iter().map(|node| node.text.clone()).collect();
        if nodes.is_empty() || self.found.is_refused(&["node"]) {
            return;
        }
        for (name, _) in each.iter().filter(|(name, _)| !nodes.contains(&name.text)) {
            let help = match nearest(&name.text, nodes.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the nodes are {}", nodes.join(", ")),
            };
            self.findings.error(name, format!("no node is named `{}`", name.text), help);
        }
    }

    fn program(&mut self, program: &WrittenProgram) {
        let name = if program.failfast { "failfast" } else { "respawn" };
        let words = std::iter::once(&program.user).chain(&program.command).cloned().collect();
        let statement = Statement { name: FileWord { text: name.to_owned(), ..program.at.clone() }, words };
        if let Some(directive) = directives::find(name) {
            self.noting_refusal(directive.name, |reader| reader.line(LineDirective::Child, directive, &statement));
        }
    }
}

fn statement(name: &str, link: &WrittenLink, words: Vec<FileWord>) -> Statement {
    Statement { name: FileWord { text: name.to_owned(), ..link.at.clone() }, words }
}
