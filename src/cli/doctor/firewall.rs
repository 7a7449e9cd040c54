//! Whether nftables lets heartbeats in, from `nft -j list ruleset` (libnftables-json(5)).
//!
//! Says that heartbeats are dropped only if no rule of the table could accept them.

use serde_json::Value;

use super::finding::{Finding, Grade, finding};
use crate::config::{Config, Medium};

const ABOUT: &str = "firewall";

/// What a table does with an incoming heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChainVerdict {
    /// A rule names the port, or accepts everything.
    Accepted,
    /// The chain ends in a drop or reject, and no rule could accept it.
    Dropped,
    /// The chain ends in a drop or reject, and a rule that is not understood may accept the heartbeat.
    Doubtful,
}

pub(super) fn judge(ruleset: &Result<String, String>, config: &Config) -> Finding {
    let mut ports: Vec<u16> = config
        .media
        .iter()
        .filter_map(|medium| match medium {
            Medium::Ucast { .. } | Medium::Bcast { .. } => Some(config.udpport),
            Medium::Mcast { port, .. } => Some(*port),
            Medium::Serial { .. } => None,
        })
        .collect();
    ports.sort_unstable();
    ports.dedup();
    let text = match ruleset {
        Ok(text) => text,
        Err(why) => return finding(Grade::Note, ABOUT, format!("cannot tell, {why}")),
    };
    let Ok(ruleset) = serde_json::from_str::<Value>(text) else {
        return finding(Grade::Note, ABOUT, "cannot tell: nft answers in words that are not understood");
    };
    let devices: Vec<&str> = config.media.iter().map(Medium::link_name).collect();
    let mut worst = finding(Grade::Ok, ABOUT, "nothing in nftables drops heartbeats");
    for port in ports {
        for table in input_chains(&ruleset) {
            let (name, verdict) = (table.name(), table.verdict(&ruleset, port, &devices));
            let better = match verdict {
                ChainVerdict::Accepted => continue,
                ChainVerdict::Dropped => finding(
                    Grade::Bad,
                    ABOUT,
                    format!(
                        "{name} drops what it does not know, and no rule accepts heartbeats: nft add rule {name} udp dport \
                         {port} accept, in the file that your firewall keeps; likewise on the other node"
                    ),
                ),
                ChainVerdict::Doubtful => finding(
                    Grade::Note,
                    ABOUT,
                    format!("{name} drops what it does not know; make sure that it accepts udp dport {port}"),
                ),
            };
            if better.grade > worst.grade {
                worst = better;
            }
        }
    }
    worst
}

/// A base chain with the hook `input`.
#[derive(Debug)]
struct Chain<'a> {
    family: &'a str,
    table: &'a str,
    chain: &'a str,
    drops: bool,
}

pub(super) fn items<'a>(ruleset: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    let list = ruleset.get("nftables").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(move |item| item.get(kind))
}

fn input_chains(ruleset: &Value) -> Vec<Chain<'_>> {
    let chains = items(ruleset, "chain").filter(|chain| chain.get("hook").and_then(Value::as_str) == Some("input"));
    let chain = |chain: &'_ Value| -> Option<(String, String, String)> {
        let word = |key: &str| chain.get(key)?.as_str().map(str::to_owned);
        Some((word("family")?, word("table")?, word("name")?))
    };
    chains
        .filter_map(|found| {
            chain(found)?;
            Some(Chain {
                family: found.get("family")?.as_str()?,
                table: found.get("table")?.as_str()?,
                chain: found.get("name")?.as_str()?,
                drops: found.get("policy").and_then(Value::as_str) == Some("drop"),
            })
        })
        .filter(|chain| matches!(chain.family, "ip" | "ip6" | "inet"))
        .collect()
}

impl Chain<'_> {
    fn name(&self) -> String {
        format!("{} {} {}", self.family, self.table, self.chain)
    }

    fn verdict(&self, ruleset: &Value, port: u16, devices: &[&str]) -> ChainVerdict {
        let word = |rule: &'_ Value, key: &str| rule.get(key).and_then(Value::as_str).map(str::to_owned);
        // All rules of the table count, because a rule of the chain may jump to any of them.
        let rules = items(ruleset, "rule").filter(|rule| {
            word(rule, "family").as_deref() == Some(self.family) && word(rule, "table").as_deref() == Some(self.table)
        });
        let (mut accepted, mut doubtful, mut drops) = (false, false, self.drops);
        for rule in rules {
            let parts: Vec<&Value> = rule.get("expr").and_then(Value::as_array).into_iter().flatten().collect();
            let has = |verdict: &str| parts.iter().any(|part| part.get(verdict).is_some());
            let matches: Vec<&Value> = parts.iter().filter_map(|part| part.get("match")).collect();
            let here = word(rule, "chain").as_deref() == Some(self.chain);
            if here && matches.is_empty() && (has("drop") || has("reject")) {
                drops = true;
            }
            if has("accept") {
                match matches
                    .iter()
                    .map(|found| matches_heartbeat(found, port, devices))
                    .min()
                    .unwrap_or(RuleMatch::Yes)
                {
                    RuleMatch::Yes => accepted = true,
                    RuleMatch::Unknown => doubtful = true,
                    RuleMatch::No => {}
                }
            }
            doubtful |= parts.iter().any(|part| part.get("vmap").is_some() || part.get("xt").is_some());
        }
        match () {
            () if !drops || accepted => ChainVerdict::Accepted,
            () if doubtful => ChainVerdict::Doubtful,
            () => ChainVerdict::Dropped,
        }
    }
}

/// Whether a condition holds for a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RuleMatch {
    No,
    Unknown,
    Yes,
}

/// Whether a condition about a port holds for this one.
pub(super) fn matches_port(condition: &Value, port: u16) -> RuleMatch {
    matches_heartbeat(condition, port, &[])
}

fn matches_heartbeat(condition: &Value, port: u16, devices: &[&str]) -> RuleMatch {
    let (Some(left), Some(right)) = (condition.get("left"), condition.get("right")) else {
        return RuleMatch::Unknown;
    };
    let yes = |yes: bool| if yes { RuleMatch::Yes } else { RuleMatch::No };
    if condition.get("op").and_then(Value::as_str).is_some_and(|op| !matches!(op, "==" | "in")) {
        return RuleMatch::Unknown;
    }
    if let Some(payload) = left.get("payload") {
        let word = |key: &str| payload.get(key).and_then(Value::as_str).unwrap_or_default();
        return match (word("protocol"), word("field")) {
            ("udp" | "th", "dport") => contains(right, port),
            ("tcp" | "icmp" | "icmpv6" | "sctp", _) => RuleMatch::No,
            _ => RuleMatch::Unknown,
        };
    }
    match left.get("meta").and_then(|meta| meta.get("key")).and_then(Value::as_str) {
        Some("iifname" | "iif") => match right.as_str() {
            Some(name) => yes(devices.contains(&name)),
            None => RuleMatch::Unknown,
        },
        Some("l4proto") => match right.as_str() {
            Some(protocol) => yes(protocol == "udp"),
            None => RuleMatch::Unknown,
        },
        _ if left.get("ct").is_some() => match right {
            // A heartbeat is a new connection for conntrack, never a reply.
            Value::Array(states) => yes(states.iter().any(|state| state == "new")),
            Value::String(state) => yes(state == "new"),
            Value::Object(_) => {
                let states = right.get("set").and_then(Value::as_array);
                yes(states.into_iter().flatten().any(|state| state == "new"))
            }
            _ => RuleMatch::Unknown,
        },
        _ => RuleMatch::Unknown,
    }
}

/// Whether `right` is the port, or a range or set that contains it.
fn contains(right: &Value, port: u16) -> RuleMatch {
    let number = |value: &Value| value.as_u64();
    let one = |value: &Value| -> RuleMatch {
        if let Some(single) = number(value) {
            return if single == u64::from(port) { RuleMatch::Yes } else { RuleMatch::No };
        }
        match value.get("range").and_then(Value::as_array).map(Vec::as_slice) {
            Some([first, last]) => {
                let within = number(first).is_some_and(|first| first <= port.into())
                    && number(last).is_some_and(|last| last >= port.into());
                if within { RuleMatch::Yes } else { RuleMatch::No }
            }
            _ => RuleMatch::Unknown,
        }
    };
    match right.get("set").and_then(Value::as_array) {
        Some(set) => set.iter().map(one).max().unwrap_or(RuleMatch::No),
        None => one(right),
    }
}
