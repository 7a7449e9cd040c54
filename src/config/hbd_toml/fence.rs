//! The tables `[fence."NODE"]` of hbd.toml: which fence agents reset a node, and their parameters
//! (04 §8.6); and device types of cluster-glue, where ha.cf is not there to name them.
//!
//! Owns the keys of these tables. Runs nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::source::{TomlText, key_hint, scalar_text};
use crate::config::diagnostic::{FileWord, Findings};
use crate::config::ha_cf::stonith::{StonithFrom, StonithLine};
use crate::config::programs::fence_program;
use crate::config::types::{FENCE_TIMEOUT, FenceAgent, FenceProtocol};
use crate::config::value::{ValueKind, nearest};

const TIME: ValueKind = ValueKind::Time { zero: false };

/// The key of the parameters of `stonith`.
const PARAMETERS: &str = "parameters";

/// One table: an agent with its parameters.
#[derive(Debug)]
struct FenceEntry {
    at: FileWord,
    agent: Option<(String, FileWord)>,
    /// A device type of cluster-glue, or `meatware`, as `stonith_host` of ha.cf has it.
    stonith: Option<FileWord>,
    timeout: Duration,
    parameters: Vec<(String, String)>,
}

/// The tables of all nodes.
#[derive(Debug, Default)]
pub(in crate::config) struct FenceTables(BTreeMap<String, Vec<FenceEntry>>);

impl FenceTables {
    /// Reads `[fence."NODE"]` or `[[fence."NODE"]]`; the tables of a node replace those of earlier files.
    pub(super) fn read(&mut self, table: &DeTable<'_>, source: &TomlText<'_>, findings: &mut Findings) {
        for (key, value) in table {
            let node = key.get_ref().to_ascii_lowercase();
            let at = FileWord { text: node.clone(), ..source.word(key.span()) };
            let entry: Vec<_> = match value.get_ref() {
                DeValue::Table(table) => vec![entry(table, &at, source, findings)],
                DeValue::Array(list) if list.iter().all(|one| one.get_ref().is_table()) => {
                    let tables = list.iter().filter_map(|one| one.get_ref().as_table());
                    tables.map(|table| entry(table, &at, source, findings)).collect()
                }
                _ => {
                    let help = format!("write [fence.\"{node}\"] on a line of its own, with agent = \"fence_…\"");
                    findings.error(&at, format!("`{node}` in [fence] is not a table"), help);
                    continue;
                }
            };
            self.0.insert(node, entry);
        }
    }

    /// Reports tables for nodes that do not exist.
    pub(in crate::config) fn check_nodes(&self, nodes: &[FileWord], findings: &mut Findings) {
        for (node, entry) in &self.0 {
            let Some(first) = entry.first().filter(|_| !nodes.iter().any(|known| known.text == *node)) else {
                continue;
            };
            let help = match nearest(node, nodes.iter().map(|known| known.text.as_str())) {
                Some(near) => format!("did you mean [fence.\"{near}\"]?"),
                None => "a node is named as in ha.cf".to_owned(),
            };
            findings.error(&first.at, format!("no node of ha.cf is named `{node}`"), help);
        }
    }

    /// Whether a table is for the node.
    pub(in crate::config) fn has(&self, node: &str) -> bool {
        self.0.contains_key(node)
    }

    /// The files that have parameters like a password.
    pub(in crate::config) fn secret_files(&self) -> impl Iterator<Item = &Path> {
        let secret = |entry: &&FenceEntry| entry.parameters.iter().any(|(name, _)| is_secret(name));
        self.0.values().flatten().filter(secret).map(|entry| entry.at.location.file.as_ref())
    }

    /// The agents of a node that are installed here; `None` if no table is for the node.
    pub(in crate::config) fn agents(
        &self,
        node: &str,
        programs: &[PathBuf],
        findings: &mut Findings,
    ) -> Option<Vec<FenceAgent>> {
        let entry = self.0.get(node)?;
        Some(entry.iter().filter_map(|one| one.agent(programs, findings)).collect())
    }
}

/// Whether a parameter of this name is nobody's to read.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [PARAMETERS, "pass", "secret", "token", "key", "community"].iter().any(|word| name.contains(word))
}

fn entry(table: &DeTable<'_>, at: &FileWord, source: &TomlText<'_>, findings: &mut Findings) -> FenceEntry {
    let mut entry =
        FenceEntry { at: at.clone(), agent: None, stonith: None, timeout: FENCE_TIMEOUT, parameters: Vec::new() };
    for (key, value) in table {
        let (name, location) = (key.get_ref().as_ref(), source.place(value.span()));
        let Ok(text) = scalar_text(value.get_ref()) else {
            let message = format!("bad value for `{name}` of [fence.\"{}\"]", at.text);
            findings.error(&location, message, "write one value: a string, a number, true or false");
            continue;
        };
        match name {
            "agent" => entry.agent = Some((text, location)),
            "stonith" => entry.stonith = Some(FileWord { text, ..location }),
            "timeout" => match TIME.parse(&text) {
                Ok(accepted) => {
                    let milliseconds = accepted.value.to_u128().and_then(|number| u64::try_from(number).ok());
                    entry.timeout = Duration::from_millis(milliseconds.unwrap_or_default());
                }
                Err(refused) => {
                    findings.error(&location, format!("bad value for `timeout`: {}", refused.why), refused.help);
                }
            },
            // The agent reads one parameter from each line.
            _ if text.contains('\n') || name.contains(['=', '\n']) => {
                findings.error(&location, format!("the parameter `{name}` is not one line"), "write it on one line");
            }
            _ => entry.parameters.push((name.to_owned(), text)),
        }
    }
    entry
}

impl FenceEntry {
    fn agent(&self, programs: &[PathBuf], findings: &mut Findings) -> Option<FenceAgent> {
        if let Some(kind) = &self.stonith {
            return self.stonith(kind, programs, findings);
        }
        let Some((agent, at)) = &self.agent else {
            let help = "write agent = \"fence_ipmilan\", or what else fits; `apt install fence-agents` has them";
            findings.error(&self.at, format!("[fence.\"{}\"] names no agent", self.at.text), help);
            return None;
        };
        let path = fence_program(agent, programs, at, findings)?;
        let parameters = self.parameters.clone();
        let protocol = FenceProtocol::Agent { path, parameters };
        Some(FenceAgent { name: agent.clone(), protocol, timeout: self.timeout })
    }
    /// What a `stonith_host` line of ha.cf with the same type and parameters is.
    fn stonith(&self, kind: &FileWord, programs: &[PathBuf], findings: &mut Findings) -> Option<FenceAgent> {
        if let Some((agent, at)) = &self.agent {
            let message = format!("[fence.\"{}\"] names both the agent {agent} and `stonith`", self.at.text);
            findings.error(
                at,
                message,
                "leave one of them, or write [[fence.\"NODE\"]] twice: both are tried in turn",
            );
            return None;
        }
        if let Some((key, _)) = self.parameters.iter().find(|(key, _)| key != PARAMETERS) {
            let help = key_hint(key, &["stonith", PARAMETERS, "timeout"], "a table with `stonith`");
            findings.error(&self.at, format!("unknown key `{key}` beside `stonith`"), help);
            return None;
        }
        let parameters = self.parameters.first().map(|(_, text)| text.clone()).unwrap_or_default();
        let line = StonithLine { kind: kind.clone(), from: StonithFrom::Line { host: self.at.clone(), parameters } };
        line.agent(programs, findings).map(|agent| FenceAgent { timeout: self.timeout, ..agent })
    }
}
