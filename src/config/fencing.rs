//! What can reset a node: `stonith` and `stonith_host` of ha.cf, and `[fence."NODE"]` of hbd.toml (04 §8).
//!
//! Owns which device belongs to which node and what is said to it. Never runs one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::diagnostic::{Report, Word};
use super::hbd_toml::{Source, literal};
use super::lines::text_of;
use super::types::{FenceAgent, FenceDevice, FenceProtocol};
use super::value::{Kind, nearest};

/// How long an agent may take where nobody says otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);
const TIME: Kind = Kind::Time { zero: false };

/// Types of cluster-glue that reset nothing.
const HARMLESS: [&str; 4] = ["null", "ssh", "external/ssh", "suicide"];

/// For a type of cluster-glue, the fence agent that speaks to the same hardware (04 §8.7).
const SUCCESSORS: [(&str, &str); 16] = [
    ("ipmilan", "fence_ipmilan"),
    ("external/ipmi", "fence_ipmilan"),
    ("apcmaster", "fence_apc"),
    ("apcmastersnmp", "fence_apc_snmp"),
    ("external/rackpdu", "fence_apc_snmp"),
    ("wti_nps", "fence_wti"),
    ("external/drac5", "fence_drac5"),
    ("external/riloe", "fence_ilo"),
    ("external/ibmrsa", "fence_rsa"),
    ("external/libvirt", "fence_virsh"),
    ("external/vcenter", "fence_vmware_soap"),
    ("ibmhmc", "fence_lpar"),
    ("rcd_serial", "fence_rcd_serial"),
    ("drac3", "fence_drac"),
    ("external/ec2", "fence_aws"),
    ("bladehpi", "fence_bladecenter"),
];

/// A `stonith` or `stonith_host` line of ha.cf that is for this node.
#[derive(Debug)]
pub(super) struct StonithLine {
    pub kind: Word,
    pub from: StonithFrom,
}

/// Where its parameters are.
#[derive(Debug)]
pub(super) enum StonithFrom {
    /// `stonith TYPE FILE`.
    File(Word),
    /// `stonith_host FROM TYPE PARAMS…`, the host to be compared with our own name.
    Line { host: Word, parameters: String },
}

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
pub(super) struct FenceTables(BTreeMap<String, Vec<Written>>);

/// What the devices are made of.
pub(super) struct Machine<'a> {
    /// Our own name.
    pub node: &'a str,
    /// All normal nodes.
    pub nodes: &'a [Word],
    /// Directories with programs, the first that has one counts.
    pub programs: &'a [PathBuf],
}

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

    /// The devices in force, one for each node that can be reset. A node of hbd.toml needs nothing of ha.cf.
    pub(super) fn devices(
        &self,
        lines: &[StonithLine],
        machine: &Machine<'_>,
        report: &mut Report,
    ) -> Vec<FenceDevice> {
        for (node, written) in &self.0 {
            let Some(first) = written.first().filter(|_| !machine.nodes.iter().any(|known| known.text == *node))
            else {
                continue;
            };
            let help = match nearest(node, machine.nodes.iter().map(|known| known.text.as_str())) {
                Some(near) => format!("did you mean [fence.\"{near}\"]?"),
                None => "a node is named as in ha.cf".to_owned(),
            };
            report.error(&first.at, format!("no node of ha.cf is named `{node}`"), help);
        }
        let ours: Vec<_> = lines.iter().filter(|line| line.is_for(machine.node)).collect();
        if let [first, .., _] = ours.as_slice() {
            let help = "hbd tries them in turn, a Heartbeat on the other node uses the last one only";
            report.notice(&first.kind, "several stonith lines for this node", help);
        }
        let from_ha_cf: Vec<_> = ours.iter().filter_map(|line| line.agent(machine, report)).collect();
        let others = machine.nodes.iter().filter(|node| node.text != machine.node);
        let device = |node: &Word| {
            let agents: Vec<_> = match self.0.get(&node.text) {
                Some(written) => written.iter().filter_map(|one| one.agent(machine, report)).collect(),
                None => from_ha_cf.clone(),
            };
            (!agents.is_empty()).then(|| FenceDevice { node: node.text.clone(), agents })
        };
        others.filter_map(device).collect()
    }
}

fn written(table: &DeTable<'_>, at: &Word, source: &Source<'_>, report: &mut Report) -> Written {
    let mut written = Written { at: at.clone(), agent: None, timeout: TIMEOUT, parameters: Vec::new() };
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
    fn agent(&self, machine: &Machine<'_>, report: &mut Report) -> Option<FenceAgent> {
        let Some((agent, at)) = &self.agent else {
            let help = "write agent = \"fence_ipmilan\", or what else fits; `apt install fence-agents` has them";
            report.error(&self.at, format!("[fence.\"{}\"] names no agent", self.at.text), help);
            return None;
        };
        let path = fence_program(agent, machine, at, report)?;
        let parameters = self.parameters.clone();
        let protocol = FenceProtocol::Agent { path, parameters };
        Some(FenceAgent { name: agent.clone(), protocol, timeout: self.timeout })
    }
}

impl StonithLine {
    fn is_for(&self, node: &str) -> bool {
        match &self.from {
            StonithFrom::File(_) => true,
            StonithFrom::Line { host, .. } => host.text == "*" || host.text.eq_ignore_ascii_case(node),
        }
    }

    fn agent(&self, machine: &Machine<'_>, report: &mut Report) -> Option<FenceAgent> {
        let name = self.kind.text.as_str();
        if HARMLESS.contains(&name) {
            let help = "name a device that switches the node off, or remove the line";
            report.warning(&self.kind, format!("`{name}` is not fencing: no node will be reset"), help);
            return None;
        }
        let parameters = self.parameters(report)?;
        let protocol = match name.strip_prefix("rhcs/").map(|short| format!("fence_{short}")) {
            _ if name == "meatware" => FenceProtocol::Human,
            Some(agent) => self.named(&agent, &parameters, machine, report)?,
            None if name.starts_with("fence_") => {
                let help = format!("a Heartbeat knows it as rhcs/{}", name.trim_start_matches("fence_"));
                report.notice(&self.kind, format!("Invalid Stonith type [{name}] for a real Heartbeat"), help);
                self.named(name, &parameters, machine, report)?
            }
            None => self.glue(parameters, machine, report)?,
        };
        Some(FenceAgent { name: name.to_owned(), protocol, timeout: TIMEOUT })
    }

    /// The line of parameters.
    fn parameters(&self, report: &mut Report) -> Option<String> {
        let file = match &self.from {
            StonithFrom::Line { parameters, .. } => return Some(parameters.clone()),
            StonithFrom::File(file) => file,
        };
        match std::fs::read(Path::new(&file.text)).map(|bytes| text_of(&bytes)) {
            Ok(text) => {
                let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
                Some(line.unwrap_or_default().to_owned())
            }
            Err(error) => {
                let message = format!("Invalid Stonith config file [{}]: {error}", file.text);
                report.error(file, message, "its first line that is no comment holds the device's parameters");
                None
            }
        }
    }

    /// A fence agent with `name=value` words.
    fn named(
        &self,
        agent: &str,
        parameters: &str,
        machine: &Machine<'_>,
        report: &mut Report,
    ) -> Option<FenceProtocol> {
        let path = fence_program(agent, machine, &self.kind, report)?;
        let mut pairs = Vec::new();
        for word in parameters.split_whitespace() {
            let Some((name, value)) = word.split_once('=') else {
                let message = format!("Invalid Stonith configuration parameter [{word}]");
                report.error(&self.kind, message, format!("{agent} takes words of the form name=value"));
                return None;
            };
            pairs.push((name.to_owned(), value.to_owned()));
        }
        Some(FenceProtocol::Agent { path, parameters: pairs })
    }

    fn glue(&self, parameters: String, machine: &Machine<'_>, report: &mut Report) -> Option<FenceProtocol> {
        let kind = self.kind.text.clone();
        if let Some(program) = program("stonith", machine.programs) {
            return Some(FenceProtocol::Stonith { program, kind, parameters });
        }
        let successor = SUCCESSORS.iter().find(|(old, _)| *old == kind);
        let help = match successor {
            Some((_, agent)) => format!(
                "install cluster-glue, or write into /etc/hbd/hbd.toml [fence.\"OTHER NODE\"] with agent = \"{agent}\" and \
                 its parameters"
            ),
            None => "install cluster-glue, which has the program `stonith`".to_owned(),
        };
        report.error(&self.kind, format!("Invalid Stonith type [{kind}]: there is no program `stonith` here"), help);
        None
    }
}

/// A fence agent's program: a path, or a name in one of the directories.
fn fence_program(agent: &str, machine: &Machine<'_>, at: &Word, report: &mut Report) -> Option<PathBuf> {
    let found = if agent.starts_with('/') {
        Some(PathBuf::from(agent)).filter(|path| path.is_file())
    } else {
        program(agent, machine.programs)
    };
    if found.is_none() {
        let help = "`apt install fence-agents` (dnf install fence-agents-all), or write the agent with its directory";
        report.error(at, format!("there is no fence agent `{agent}` here"), help);
    }
    found
}

fn program(name: &str, directories: &[PathBuf]) -> Option<PathBuf> {
    // A name with a directory in it is none of these.
    let plain = !name.is_empty() && !name.contains('/');
    directories.iter().filter(|_| plain).map(|directory| directory.join(name)).find(|path| path.is_file())
}
