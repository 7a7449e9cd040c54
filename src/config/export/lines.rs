//! ha.cf and haresources with what `[cluster]`, `[[link]]`, `[[group]]` and `[[program]]` say.
//!
//! Owns what cannot be a word of ha.cf.

use std::net::IpAddr;

use crate::config::diagnostic::{FileWord, Findings};
use crate::config::haresources::WrittenGroup;
use crate::config::sources::Sources;
use crate::config::types::{Medium, PingNode};

/// Where a Heartbeat has ipfail; hbd has it inside.
const IPFAIL: &str = "/usr/lib/heartbeat/ipfail";

/// ha.cf of this node.
pub(super) fn ha_cf(sources: &Sources, findings: &mut Findings) -> String {
    let ha_cf = &sources.ha_cf;
    let mut lines = vec!["# Made by `hbctl config export` from hbd.toml; see hbd-ha.cf(5).".to_owned()];
    // Speed and port must stand before the media.
    for (name, word) in sources.scalars.texts() {
        check(&word.text, word, findings);
        lines.push(format!("{name} {}", word.text));
    }
    lines.extend(ha_cf.media.iter().map(|(medium, _)| medium_line(medium)));
    lines.extend(ha_cf.nodes.iter().map(|node| format!("node {}", node.text)));
    for (node, word) in ha_cf.ping_nodes.iter().zip(&ha_cf.ping_words) {
        check(&node.name, word, findings);
        lines.push(ping_line(node));
    }
    for (name, value) in &ha_cf.env {
        let at =
            sources.hbd_toml.form.env.get(name).map_or_else(
                || FileWord { text: value.clone(), ..sources_place(sources) },
                |(_, value)| value.clone(),
            );
        check(value, &at, findings);
        lines.push(format!("env {name}={value}"));
    }
    for child in &ha_cf.children {
        let name = if child.failfast { "failfast" } else { "respawn" };
        let line = format!("{name} {} {}", child.user, child.command);
        if line.contains('#') {
            refuse(&sources_place(sources), format!("`{line}` has a `#`, which begins a comment in ha.cf"), findings);
        }
        lines.push(line);
    }
    if ha_cf.ipfail.is_some() {
        lines.push(format!("respawn hacluster {IPFAIL}"));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// haresources, the same on both nodes.
pub(super) fn haresources(groups: &[WrittenGroup]) -> String {
    let mut text = "# Made by `hbctl config export` from hbd.toml; the same on both nodes.\n".to_owned();
    for found in groups {
        let words: Vec<&str> = found.words.iter().map(|word| word.text.as_str()).collect();
        text.push_str(&format!("{} {}\n", found.group.node, words.join(" ")));
    }
    text
}

fn sources_place(sources: &Sources) -> FileWord {
    let form = &sources.hbd_toml.form;
    form.place().cloned().unwrap_or_else(|| FileWord::file(std::path::Path::new("hbd.toml")))
}

/// Reports that a word cannot be written into ha.cf.
fn refuse(at: &FileWord, message: String, findings: &mut Findings) {
    findings.error(at, message, "change it before the translation");
}

/// Reports what would not be one word of ha.cf.
fn check(text: &str, at: &FileWord, findings: &mut Findings) {
    if let Some(odd) = text.chars().find(|c| c.is_whitespace() || matches!(c, ',' | '#')) {
        let odd = if odd.is_whitespace() { "a blank".to_owned() } else { format!("`{odd}`") };
        refuse(at, format!("`{text}` cannot be a word of ha.cf: it has {odd}"), findings);
    } else if text.is_empty() {
        refuse(at, "an empty text cannot be a word of ha.cf".to_owned(), findings);
    }
}

fn medium_line(medium: &Medium) -> String {
    match medium {
        Medium::Ucast { device, peer: peer @ IpAddr::V4(_) } => format!("ucast {device} {peer}"),
        Medium::Ucast { device, peer: peer @ IpAddr::V6(_) } => format!("ucast6 {device} {peer}"),
        Medium::Bcast { device } => format!("bcast {device}"),
        Medium::Mcast { device, group, port, ttl, looped } => {
            let name = if group.is_ipv6() { "mcast6" } else { "mcast" };
            format!("{name} {device} {group} {port} {ttl} {}", u8::from(*looped))
        }
        Medium::Serial { device } => format!("serial {device}"),
    }
}

fn ping_line(node: &PingNode) -> String {
    match node.hosts.as_slice() {
        [IpAddr::V6(_)] => format!("ping6 {}", node.name),
        [host] if node.name == host.to_string() => format!("ping {}", node.name),
        hosts => {
            let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
            format!("ping_group {} {}", node.name, hosts.join(" "))
        }
    }
}
