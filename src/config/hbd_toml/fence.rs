//! The tables `[fence."NODE"]` of hbd.toml: which fence agents reset a node, and their parameters (04 §8.6).
//!
//! Runs nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::source::{Source, literal};
use crate::config::diagnostic::{Report, Word};
use crate::config::programs::fence_program;
use crate::config::types::{FENCE_TIMEOUT, FenceAgent, FenceProtocol};
use crate::config::value::{Kind, nearest};

const TIME: Kind = Kind::Time { zero: false };

/// One agent of hbd.toml.
#[derive(Debug)]
struct Written {
    at: Word,
    agent: Option<(String, Word)>,
    timeout: Duration,
    parameters: Vec<(String, String)>,
}

/// `[fence]` of hbd.toml.
#[derive(Debug, Default)]
pub(in crate::config) struct FenceTables(BTreeMap<String, Vec<Written>>);

impl FenceTables {
    /// Reads `[fence."NODE"]` or `[[fence."NODE"]]` over what a file before it said.
    pub(super) fn read(&mut self, table: &DeTable<'_>, source: &Source<'_>, report: &mut Report) {
        for (key, value) in table {
            let node = key.get_ref().to_ascii_lowercase();
            let at = Word { text: node.clone(), ..source.word(key.span()) };
            let written: Vec<_> = match value.get_ref() {
                DeValue::Table(table) => vec![written(table, &at, source, report)],
                DeValue::Array(list) if list.iter().all(|one| one.get_ref().is_table()) => {
                    let tables = list.iter().filter_map(|one| one.get_ref().as_table());
                    tables.map(|table| written(table, &at, source, report)).collect()
                }
                _ => {
                    let help = format!("write [fence.\"{node}\"] on a line of its own, with agent = \"fence_…\"");
                    report.error(&at, format!("`{node}` in [fence] is not a table"), help);
                    continue;
                }
            };
            self.0.insert(node, written);
        }
    }

    /// A table for a node that does not exist would silently not count.
    pub(in crate::config) fn check_nodes(&self, nodes: &[Word], report: &mut Report) {
        for (node, written) in &self.0 {
            let Some(first) = written.first().filter(|_| !nodes.iter().any(|known| known.text == *node)) else {
                continue;
            };
            let help = match nearest(node, nodes.iter().map(|known| known.text.as_str())) {
                Some(near) => format!("did you mean [fence.\"{near}\"]?"),
                None => "a node is named as in ha.cf".to_owned(),
            };
            report.error(&first.at, format!("no node of ha.cf is named `{node}`"), help);
        }
    }

    /// The agents of a node that work here; `None` if the tables do not name the node.
    pub(in crate::config) fn agents(
        &self,
        node: &str,
        programs: &[PathBuf],
        report: &mut Report,
    ) -> Option<Vec<FenceAgent>> {
        let written = self.0.get(node)?;
        Some(written.iter().filter_map(|one| one.agent(programs, report)).collect())
    }
}

fn written(table: &DeTable<'_>, at: &Word, source: &Source<'_>, report: &mut Report) -> Written {
    let mut written = Written { at: at.clone(), agent: None, timeout: FENCE_TIMEOUT, parameters: Vec::new() };
    for (key, value) in table {
        let (name, place) = (key.get_ref().as_ref(), source.word(value.span()));
        let Some(text) = literal(value.get_ref()) else {
            let message = format!("bad value for `{name}` of [fence.\"{}\"]", at.text);
            report.error(&place, message, "write one value: a string, a number, true or false");
            continue;
        };
        match name {
            "agent" => written.agent = Some((text, place)),
            "timeout" => match TIME.parse(&text) {
                Ok(accepted) => {
                    let milliseconds = accepted.value.to_u128().and_then(|number| u64::try_from(number).ok());
                    written.timeout = Duration::from_millis(milliseconds.unwrap_or_default());
                }
                Err(refused) => {
                    report.error(&place, format!("bad value for `timeout`: {}", refused.why), refused.help);
                }
            },
            // Lines are what separates parameters.
            _ if text.contains('\n') || name.contains(['=', '\n']) => {
                report.error(&place, format!("the parameter `{name}` is not one line"), "write it on one line");
            }
            _ => written.parameters.push((name.to_owned(), text)),
        }
    }
    written
}

impl Written {
    fn agent(&self, programs: &[PathBuf], report: &mut Report) -> Option<FenceAgent> {
        let Some((agent, at)) = &self.agent else {
            let help = "write agent = \"fence_ipmilan\", or what else fits; `apt install fence-agents` has them";
            report.error(&self.at, format!("[fence.\"{}\"] names no agent", self.at.text), help);
            return None;
        };
        let path = fence_program(agent, programs, at, report)?;
        let parameters = self.parameters.clone();
        let protocol = FenceProtocol::Agent { path, parameters };
        Some(FenceAgent { name: agent.clone(), protocol, timeout: self.timeout })
    }
}
