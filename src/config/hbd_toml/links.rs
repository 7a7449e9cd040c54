//! The tables `[[link]]` of hbd.toml: the ways by which the nodes hear each other.
//!
//! Owns the keys of these tables and which of them go together. What their words mean is judged by the reader of
//! ha.cf.

use toml::de::{DeTable, DeValue};

use super::source::{TomlText, key_hint};
use super::words::WordReader;
use crate::config::diagnostic::{FileWord, Findings};
use crate::config::form::{ByNode, ClusterForm, LinkWay, WrittenLink};

/// The keys that say how the nodes reach each other: exactly one of them.
const WAYS: [&str; 5] = ["peer", "addresses", "broadcast", "multicast", "serial"];
const PORT: &str = "port";
const TTL: &str = "ttl";
const LOOP: &str = "loop";
const INTERFACE: &str = "interface";
const EXAMPLE: &str = "write interface = \"eth1\" and peer = \"192.168.1.2\" below [[link]], for example";

/// Reads one `[[link]]`.
pub(super) fn read(
    table: &DeTable<'_>,
    at: FileWord,
    source: &TomlText<'_>,
    form: &mut ClusterForm,
    findings: &mut Findings,
) {
    let before = findings.errors();
    let way = way(table, &at, source, findings).filter(|_| findings.errors() == before);
    match way {
        Some(way) => form.links.push(WrittenLink { at, way }),
        None => {
            form.refused.insert("ucast");
        }
    }
}

fn way(table: &DeTable<'_>, at: &FileWord, source: &TomlText<'_>, findings: &mut Findings) -> Option<LinkWay> {
    report_unknown_keys(table, source, findings);
    let given: Vec<&str> = WAYS.into_iter().filter(|way| table.contains_key(*way)).collect();
    let [way] = given.as_slice() else {
        let message = match given.as_slice() {
            [] => "[[link]] does not say how the nodes reach each other".to_owned(),
            several => format!("[[link]] has {}: only one of them can be", several.join(" and ")),
        };
        findings.error(at, message, format!("{EXAMPLE}; instead of peer: {}", WAYS[1..].join(", ")));
        return None;
    };
    if *way != "multicast" {
        report_keys_of_multicast(table, at, source, findings);
    }
    let value = table.get(*way)?;
    let interface = table.get(INTERFACE);
    match interface {
        Some(interface) if *way == "serial" => {
            findings.error(&source.word(interface.span()), "a serial line has no interface", "leave one of both out");
        }
        None if *way != "serial" => findings.error(at, "[[link]] names no interface", EXAMPLE),
        _ => {}
    }
    let mut reader = WordReader { table: "[[link]]", source, findings };
    let interface = interface.and_then(|interface| reader.by_node(INTERFACE, interface));
    match (*way, value.get_ref()) {
        ("serial", _) => reader.by_node(way, value).map(|device| LinkWay::Serial { device }),
        ("peer", _) => {
            let peer = reader.word(way, value)?;
            Some(LinkWay::Peer { interface: interface?, peer })
        }
        ("addresses", DeValue::Table(addresses)) => {
            let addresses = reader.each_node(way, addresses)?;
            Some(LinkWay::Addresses { interface: interface?, addresses })
        }
        ("addresses", _) => {
            let help = "write addresses = { NODE = \"192.168.1.1\", NODE = \"192.168.1.2\" }";
            findings.error(&source.word(value.span()), "`addresses` in [[link]] is not a table", help);
            None
        }
        ("broadcast", DeValue::Boolean(true)) => Some(LinkWay::Broadcast { interface: interface? }),
        ("broadcast", _) => {
            findings.error(
                &source.word(value.span()),
                "bad value for `broadcast` in [[link]]",
                "write broadcast = true",
            );
            None
        }
        _ => {
            let group = reader.word(way, value);
            multicast(table, at, interface, group?, &mut reader)
        }
    }
}

fn report_unknown_keys(table: &DeTable<'_>, source: &TomlText<'_>, findings: &mut Findings) {
    let known: Vec<&str> = std::iter::once(INTERFACE).chain(WAYS).chain([PORT, TTL, LOOP]).collect();
    for (key, _) in table {
        let name = key.get_ref().as_ref();
        if !known.contains(&name) {
            let help = key_hint(name, &known, "[[link]]");
            findings.error(&source.word(key.span()), format!("unknown key `{name}` in [[link]]"), help);
        }
    }
}

/// Reports keys that a link without multicast does not have.
fn report_keys_of_multicast(table: &DeTable<'_>, at: &FileWord, source: &TomlText<'_>, findings: &mut Findings) {
    for key in [PORT, TTL, LOOP].into_iter().filter(|key| table.contains_key(*key)) {
        let help = match key {
            PORT => "write udpport = … in [cluster]: it is the port of all links without multicast",
            _ => "leave it out",
        };
        let word = table.get(key).map_or_else(|| at.clone(), |value| source.word(value.span()));
        findings.error(&word, format!("`{key}` in [[link]] is for multicast only"), help);
    }
}

fn multicast(
    table: &DeTable<'_>,
    at: &FileWord,
    interface: Option<ByNode>,
    group: FileWord,
    reader: &mut WordReader<'_, '_>,
) -> Option<LinkWay> {
    // ha.cf has 0 and 1 for false and true.
    let looped = u8::from(reader.flag(LOOP, table).unwrap_or(false));
    let looped = FileWord { text: looped.to_string(), location: at.location.clone() };
    let mut number = |key: &str, usual: &str| match table.get(key) {
        Some(value) => reader.word(key, value),
        None => Some(FileWord { text: usual.to_owned(), location: at.location.clone() }),
    };
    let (port, ttl) = (number(PORT, "694"), number(TTL, "1"));
    Some(LinkWay::Multicast { interface: interface?, words: vec![group, port?, ttl?, looped] })
}
