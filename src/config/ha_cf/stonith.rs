//! `stonith` and `stonith_host` of ha.cf: which program each asks for, and its parameters (04 §8).
//!
//! Owns what the device types of cluster-glue mean here. Runs nothing.

use std::path::{Path, PathBuf};

use crate::config::diagnostic::{FileWord, Findings};
use crate::config::programs::{fence_program, program};
use crate::config::text::text_of;
use crate::config::types::{FENCE_TIMEOUT, FenceAgent, FenceProtocol};

/// Device types of cluster-glue that reset nothing.
const NOT_FENCING: [&str; 4] = ["null", "ssh", "external/ssh", "suicide"];

/// For a device type of cluster-glue, the fence agent for the same hardware (04 §8.7).
const AGENT_FOR_STONITH_TYPE: [(&str, &str); 16] = [
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

/// A `stonith` or `stonith_host` line of ha.cf.
#[derive(Debug)]
pub(in crate::config) struct StonithLine {
    pub kind: FileWord,
    pub from: StonithFrom,
}

/// Where the parameters of such a line are.
#[derive(Debug)]
pub(in crate::config) enum StonithFrom {
    /// `stonith TYPE FILE`, and where FILE is on this machine.
    File(FileWord, PathBuf),
    /// `stonith_host FROM TYPE PARAMS…`: for the node FROM, or for every node if that is `*`.
    Line { host: FileWord, parameters: String },
}

impl StonithLine {
    /// Whether `node` may use the device.
    pub(in crate::config) fn is_for(&self, node: &str) -> bool {
        match &self.from {
            StonithFrom::File(..) => true,
            StonithFrom::Line { host, .. } => host.text == "*" || host.text.eq_ignore_ascii_case(node),
        }
    }

    /// The file that has the parameters, if there are any.
    pub(in crate::config) fn secret_file(&self) -> Option<&Path> {
        match &self.from {
            StonithFrom::File(_, path) => Some(path),
            StonithFrom::Line { parameters, .. } if parameters.is_empty() => None,
            StonithFrom::Line { .. } => Some(&self.kind.location.file),
        }
    }

    /// The fencing program of the line; `None` after a finding.
    pub(in crate::config) fn agent(&self, programs: &[PathBuf], findings: &mut Findings) -> Option<FenceAgent> {
        let name = self.kind.text.as_str();
        if NOT_FENCING.contains(&name) {
            let help = "name a device that switches the node off, or remove the line";
            findings.warning(&self.kind, format!("`{name}` is not fencing: no node will be reset"), help);
            return None;
        }
        let parameters = self.parameters(findings)?;
        let protocol = match name.strip_prefix("rhcs/").map(|short| format!("fence_{short}")) {
            _ if name == "meatware" => FenceProtocol::Human,
            Some(agent) => self.fence_agent(&agent, &parameters, programs, findings)?,
            None if name.starts_with("fence_") => {
                let help = format!("a Heartbeat knows it as rhcs/{}", name.trim_start_matches("fence_"));
                findings.notice(&self.kind, format!("Invalid Stonith type [{name}] for a real Heartbeat"), help);
                self.fence_agent(name, &parameters, programs, findings)?
            }
            None => self.cluster_glue(parameters, programs, findings)?,
        };
        Some(FenceAgent { name: name.to_owned(), protocol, timeout: FENCE_TIMEOUT })
    }

    /// The parameters: those of the line, or the first line of the file that is no comment.
    pub(in crate::config) fn parameters(&self, findings: &mut Findings) -> Option<String> {
        let (file, path) = match &self.from {
            StonithFrom::Line { parameters, .. } => return Some(parameters.clone()),
            StonithFrom::File(file, path) => (file, path),
        };
        match std::fs::read(path).map(|bytes| text_of(&bytes)) {
            Ok(text) => {
                let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
                Some(line.unwrap_or_default().to_owned())
            }
            Err(error) => {
                let message = format!("Invalid Stonith config file [{}]: {error}", file.text);
                findings.error(file, message, "its first line that is no comment holds the device's parameters");
                None
            }
        }
    }

    /// A fence agent whose parameters are words of the form `name=value`.
    fn fence_agent(
        &self,
        agent: &str,
        parameters: &str,
        programs: &[PathBuf],
        findings: &mut Findings,
    ) -> Option<FenceProtocol> {
        let path = fence_program(agent, programs, &self.kind, findings)?;
        let mut pairs = Vec::new();
        for word in parameters.split_whitespace() {
            let Some((name, value)) = word.split_once('=') else {
                // The word may be a password.
                let message = "Invalid Stonith configuration parameter […]".to_owned();
                findings.error(&self.kind, message, format!("{agent} takes words of the form name=value"));
                return None;
            };
            pairs.push((name.to_owned(), value.to_owned()));
        }
        Some(FenceProtocol::Agent { path, parameters: pairs })
    }

    fn cluster_glue(
        &self,
        parameters: String,
        programs: &[PathBuf],
        findings: &mut Findings,
    ) -> Option<FenceProtocol> {
        let kind = self.kind.text.clone();
        if let Some(program) = program("stonith", programs) {
            return Some(FenceProtocol::Stonith { program, kind, parameters });
        }
        let successor = AGENT_FOR_STONITH_TYPE.iter().find(|(old, _)| *old == kind);
        let help = match successor {
            Some((_, agent)) => format!(
                "install cluster-glue, or write into /etc/hbd/hbd.toml [fence.\"OTHER NODE\"] with agent = \"{agent}\" and \
                 its parameters"
            ),
            None => "install cluster-glue, which has the program `stonith`".to_owned(),
        };
        findings.error(
            &self.kind,
            format!("Invalid Stonith type [{kind}]: there is no program `stonith` here"),
            help,
        );
        None
    }
}
