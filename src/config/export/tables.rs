//! `[cluster]`, `[[link]]`, `[[group]]` and `[[program]]` with what ha.cf and haresources say.
//!
//! Owns the form of these tables in a new file.

use std::net::IpAddr;

use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, Value, value};

use crate::config::diagnostic::Findings;
use crate::config::directives::DIRECTIVES;
use crate::config::ha_cf::HaCf;
use crate::config::ha_cf::stonith::StonithLine;
use crate::config::sources::Sources;
use crate::config::types::{Child, Medium, PingNode};
use crate::config::value::NO_PATH;

/// Adds the tables to hbd.toml.
pub(super) fn add(sources: &Sources, document: &mut DocumentMut, findings: &mut Findings) {
    let ha_cf = &sources.ha_cf;
    // A key and a table cannot have the same name.
    let name = document.get("cluster").and_then(Item::as_str).map(str::to_owned);
    if name.is_some() {
        document.remove("cluster");
    }
    document.insert("cluster", Item::Table(cluster(sources, name)));
    add_tables(document, "link", ha_cf.media.iter().map(|(medium, _)| link(medium)));
    add_tables(document, "program", ha_cf.children.iter().map(program));
    let groups = sources.groups.iter().map(|found| {
        let mut table = Table::new();
        table.insert("node", value(found.group.node.as_str()));
        let words: Array = found.words.iter().map(|word| word.text.as_str()).collect();
        table.insert("resources", value(words));
        table
    });
    add_tables(document, "group", groups);
    if ha_cf.ipfail.is_some() && !sources.hbd_toml.ipfail.says_enabled() {
        let ipfail = document.entry("ipfail").or_insert_with(|| Item::Table(Table::new()));
        if let Some(table) = ipfail.as_table_like_mut() {
            table.insert("enabled", value(true));
        }
    }
    add_fencing(sources, document, findings);
}

fn add_tables(document: &mut DocumentMut, name: &str, tables: impl Iterator<Item = Table>) {
    let tables: ArrayOfTables = tables.collect();
    if !tables.is_empty() {
        document.insert(name, Item::ArrayOfTables(tables));
    }
}

fn cluster(sources: &Sources, name: Option<String>) -> Table {
    let ha_cf = &sources.ha_cf;
    let mut table = Table::new();
    table.decor_mut().set_prefix("\n# Made by `hbctl config export` from ha.cf and haresources; see hbd.toml(5).\n");
    let written = |key: &str| sources.scalars.last(key).map(|(word, _)| word.text.clone());
    if let Some(name) = name.or_else(|| written("cluster")) {
        table.insert("name", value(name));
    }
    let nodes: Array = ha_cf.nodes.iter().map(|node| node.text.as_str()).collect();
    table.insert("nodes", value(nodes));
    for directive in DIRECTIVES.iter().filter(|directive| directive.overridable() && directive.name != "cluster") {
        let Some((word, meaning)) = sources.scalars.last(directive.name) else { continue };
        // A path that is none: hbd does without it.
        if meaning.as_str() == Some(NO_PATH) && word.text != NO_PATH {
            continue;
        }
        table.insert(directive.name, value(number_or_text(&word.text)));
    }
    // In ha.cf `legacy` is what nothing means, in [cluster] it is `on`.
    if written("auto_failback").is_none() {
        table.insert("auto_failback", value("legacy"));
    }
    if !ha_cf.ping_nodes.is_empty() {
        let pings: Array = ha_cf.ping_nodes.iter().map(ping).collect();
        table.insert("ping", value(pings));
    }
    if !ha_cf.env.is_empty() {
        let mut env = Table::new();
        for (name, text) in &ha_cf.env {
            env.insert(name, value(text.as_str()));
        }
        table.insert("env", Item::Table(env));
    }
    table
}

/// The text as it stands in ha.cf, without quotes if it is a number.
fn number_or_text(text: &str) -> Value {
    match text.parse::<i64>() {
        Ok(number) if number.to_string() == text => number.into(),
        _ => text.into(),
    }
}

fn ping(node: &PingNode) -> Value {
    match node.hosts.as_slice() {
        [host] if node.name.parse::<IpAddr>() == Ok(*host) => node.name.as_str().into(),
        hosts => {
            let mut table = InlineTable::new();
            table.insert("name", node.name.as_str().into());
            table.insert("hosts", Value::Array(hosts.iter().map(ToString::to_string).collect()));
            table.into()
        }
    }
}

fn link(medium: &Medium) -> Table {
    let mut table = Table::new();
    let mut put = |key: &str, item: Value| table.insert(key, value(item));
    match medium {
        Medium::Ucast { device, peer } => {
            put("interface", device.as_str().into());
            put("peer", peer.to_string().into());
        }
        Medium::Bcast { device } => {
            put("interface", device.as_str().into());
            put("broadcast", true.into());
        }
        Medium::Mcast { device, group, port, ttl, looped } => {
            put("interface", device.as_str().into());
            put("multicast", group.to_string().into());
            put("port", i64::from(*port).into());
            put("ttl", i64::from(*ttl).into());
            put("loop", (*looped).into());
        }
        Medium::Serial { device } => {
            put("serial", device.as_str().into());
        }
    }
    table
}

fn program(child: &Child) -> Table {
    let mut table = Table::new();
    table.insert("user", value(child.user.as_str()));
    let command: Array = child.command.split_whitespace().collect();
    table.insert("command", value(command));
    if child.failfast {
        table.insert("failfast", value(true));
    }
    table
}

/// The stonith lines for this node, as tables of every other node that has none.
fn add_fencing(sources: &Sources, document: &mut DocumentMut, findings: &mut Findings) {
    let HaCf { nodes, fencing, .. } = &sources.ha_cf;
    let ours: Vec<&StonithLine> = fencing.iter().filter(|line| line.is_for(&sources.node)).collect();
    if ours.is_empty() {
        return;
    }
    for node in nodes.iter().filter(|node| node.text != sources.node && !sources.hbd_toml.fencing.has(&node.text)) {
        let tables = ours.iter().map(|line| {
            let mut table = Table::new();
            table.insert("stonith", value(line.kind.text.as_str()));
            if let Some(parameters) = line.parameters(findings).filter(|parameters| !parameters.is_empty()) {
                table.insert("parameters", value(parameters));
            }
            table
        });
        let tables: ArrayOfTables = tables.collect();
        let fence = document.entry("fence").or_insert_with(|| {
            let mut fence = Table::new();
            fence.set_implicit(true);
            Item::Table(fence)
        });
        if let Some(fence) = fence.as_table_like_mut() {
            fence.insert(&node.text, Item::ArrayOfTables(tables));
        }
    }
}
