//! Whether the firewall keeps strangers from the port of the heartbeats, and the rules that would.
//!
//! hbd survives a flood by itself as long as it can read it; a rule costs nothing at all. Only `ucast` names the
//! other node's address, so only links with nothing else get a rule.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::Value;

use super::finding::{Finding, Grade, finding};
use super::firewall::{RuleMatch, items, matches_port};
use crate::config::{Config, Medium};

const ABOUT: &str = "strangers";
/// The first port that every user may open (ip_unprivileged_port_start of ip-sysctl).
const FIRST_FREE: u16 = 1024;

/// `None` where there is nothing to suggest, or where the rules of this machine are not known.
pub(super) fn judge(ruleset: &Result<String, String>, config: &Config) -> Option<Finding> {
    let ruleset: Value = serde_json::from_str(ruleset.as_ref().ok()?).ok()?;
    let port = config.udpport;
    let peers = peers(config);
    if peers.is_empty() || items(&ruleset, "rule").any(|rule| names_sources(rule, port)) {
        return None;
    }
    let rules = peers.iter().flat_map(|(device, peers)| rules(device, peers, port));
    let commands = [
        "nft add table inet hbd".to_owned(),
        "nft add chain inet hbd strangers '{ type filter hook input priority -10; }'".to_owned(),
    ];
    let commands: Vec<String> = commands.into_iter().chain(rules).collect();
    let text = format!(
        "no rule of nftables keeps other machines from the port of the heartbeats. If the other node has no other address \
         on these links: {}; in the file that your firewall keeps",
        commands.join("; ")
    );
    Some(finding(Grade::Note, ABOUT, text))
}

/// Whether the port is hbd's alone, and nobody else can have it.
pub(super) fn port(holders: &[String], config: &Config) -> Option<Finding> {
    let used = config.media.iter().any(|medium| matches!(medium, Medium::Ucast { .. } | Medium::Bcast { .. }));
    let port = config.udpport;
    if !used {
        return None;
    }
    if !holders.is_empty() {
        let text = format!(
            "UDP port {port} is taken by {}: hbd hears nothing on its links; stop that program, or keep it from this port",
            holders.join(", ")
        );
        return Some(finding(Grade::Bad, "port", text));
    }
    let text = format!(
        "any local user may open UDP port {port} before hbd does, and hbd then hears nothing: use udpport 694, or another \
         port below {FIRST_FREE}, on both nodes"
    );
    (port >= FIRST_FREE).then(|| finding(Grade::Warning, "port", text))
}

/// The other nodes' addresses on each interface that has `ucast` lines only.
fn peers(config: &Config) -> BTreeMap<&str, BTreeSet<IpAddr>> {
    let mut peers: BTreeMap<&str, BTreeSet<IpAddr>> = BTreeMap::new();
    for medium in &config.media {
        if let Medium::Ucast { device, peer } = medium {
            peers.entry(device).or_default().insert(*peer);
        }
    }
    for medium in &config.media {
        if matches!(medium, Medium::Bcast { .. } | Medium::Mcast { .. }) {
            peers.remove(medium.link_name());
        }
    }
    peers
}

/// One rule for each family that the interface's lines use, which drops the rest of that family.
fn rules(device: &str, peers: &BTreeSet<IpAddr>, port: u16) -> Vec<String> {
    let family = |six: bool| {
        let of_family: Vec<String> =
            peers.iter().filter(|peer| peer.is_ipv6() == six).map(IpAddr::to_string).collect();
        let word = if six { "ip6" } else { "ip" };
        let rule = || {
            let peers = of_family.join(", ");
            format!(
                "nft add rule inet hbd strangers iifname {device} udp dport {port} {word} saddr != '{{ {peers} }}' drop"
            )
        };
        (!of_family.is_empty()).then(rule)
    };
    [family(false), family(true)].into_iter().flatten().collect()
}

/// Whether a rule is about this port and looks at source addresses.
fn names_sources(rule: &Value, port: u16) -> bool {
    let parts = rule.get("expr").and_then(Value::as_array).into_iter().flatten();
    let conditions: Vec<&Value> = parts.filter_map(|part| part.get("match")).collect();
    let field = |condition: &Value| condition.get("left")?.get("payload")?.get("field")?.as_str().map(str::to_owned);
    conditions.iter().any(|condition| field(condition).as_deref() == Some("saddr"))
        && conditions.iter().any(|condition| {
            field(condition).as_deref() == Some("dport") && matches_port(condition, port) == RuleMatch::Yes
        })
}
