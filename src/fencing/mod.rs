//! Fencing: runs the programs that reset another node (04 §8).
//!
//! Owns how a program is called. Each runs as a transient unit with a time limit, `hbd-fence-NODE-N.service`: the
//! sandbox of hbd does not apply to it, and its output is in the journal. Parameters are passwords, so they are
//! passed in a file that only root can read, never on a command line or in a unit. Never decides whether a node
//! should be reset; the core does.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use thiserror::Error;
use zbus::connection::Builder;

use crate::config::{FenceAgent, FenceDevice, FenceProtocol};
use crate::units::{Errand, Systemd, UnitError};

mod metadata;
#[cfg(test)]
mod tests;

pub use metadata::{Metadata, MetadataError};

/// The directory of the parameter files.
const DIRECTORY: &str = "/run/hbd";

/// What a fencing program is called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FenceOperation {
    /// Switch the node off, and on again if the device can.
    Reset,
    /// Ask the device whether it answers.
    Test,
}

/// Why a node was not reset.
#[derive(Debug, Error)]
pub enum FenceError {
    /// No device is configured for the node.
    #[error(
        "no fencing device is configured for {0}: see [fence.\"{0}\"] in hbd.toml(5), and stonith in hbd-ha.cf(5)"
    )]
    NoDevice(String),
    /// An operator must reset the node by hand.
    #[error(
        "OPERATOR INTERVENTION REQUIRED to reset {0}. Run \"hbctl confirm-fenced {0}\" AFTER power-cycling the machine."
    )]
    ByHand(String),
    /// The parameter file cannot be written.
    #[error("cannot write {path}")]
    Parameters {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// systemd cannot be asked.
    #[error("cannot reach systemd")]
    NoSystemd(#[source] Box<UnitError>),
    /// The program failed or took too long.
    #[error("{agent} failed: {reason}; see `journalctl -u {unit}`")]
    Failed {
        /// The program, as the configuration names it.
        agent: String,
        /// Its exit status or signal in systemd's words.
        reason: String,
        /// The unit it ran as.
        unit: String,
    },
    /// None of several programs succeeded.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    All(Vec<FenceError>),
}

/// How a program is called: its command line, and its standard input or parameter file.
#[derive(PartialEq, Eq)]
pub(crate) struct AgentCall {
    words: Vec<String>,
    parameters: String,
    /// Whether `parameters` is the standard input. If not, [`FILE_PLACEHOLDER`] among the words stands for the file.
    stdin: bool,
    /// Exit statuses besides 0 that mean success.
    accepted: &'static [i32],
}

/// The exit status of an agent's `status` when the device answers and the node is off (04 §8.6).
const NODE_IS_OFF: i32 = 2;

/// Stands for the parameter file among the words.
const FILE_PLACEHOLDER: &str = "\0file";

/// Runs the agents of a device in turn until one succeeds, with these `NAME=VALUE` in their environment. `serial`
/// makes the names of the units unique.
///
/// # Errors
/// [`FenceError`]. A program may have reset the node before it failed.
pub async fn run(
    connect: impl Fn() -> Builder<'static>,
    device: &FenceDevice,
    operation: FenceOperation,
    environment: &[String],
    serial: u64,
) -> Result<(), FenceError> {
    let systemd = match connect().build().await {
        Ok(connection) => Systemd::new(connection).await.map_err(|error| FenceError::NoSystemd(Box::new(error)))?,
        Err(error) => return Err(FenceError::NoSystemd(Box::new(error.into()))),
    };
    let mut errors = Vec::new();
    for (index, agent) in device.agents.iter().enumerate() {
        let unit = unit_name(&device.node, serial, index);
        match run_one(&systemd, Path::new(DIRECTORY), &unit, (&device.node, environment), agent, operation).await {
            Ok(()) => return Ok(()),
            Err(error) => errors.push(error),
        }
    }
    Err(match errors.len() {
        0 => FenceError::NoDevice(device.node.clone()),
        1 => errors.swap_remove(0),
        _ => FenceError::All(errors),
    })
}

/// `hbd-fence-NODE-N.service`, for the second agent `…-N-2`, with characters replaced that a unit's name cannot have.
fn unit_name(node: &str, serial: u64, index: usize) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let node: String = node.chars().map(plain).collect();
    match index {
        0 => format!("hbd-fence-{node}-{serial}.service"),
        _ => format!("hbd-fence-{node}-{serial}-{}.service", index + 1),
    }
}

async fn run_one(
    systemd: &Systemd,
    directory: &Path,
    unit: &str,
    (node, environment): (&str, &[String]),
    agent: &FenceAgent,
    operation: FenceOperation,
) -> Result<(), FenceError> {
    let Some(call) = agent_call(agent, node, operation) else { return Err(FenceError::ByHand(node.to_owned())) };
    let path = directory.join(unit).with_extension("parameters");
    let written = ParameterFile::new(path, &call.parameters)?;
    let file = written.0.display().to_string();
    let words =
        call.words.iter().map(|word| if word == FILE_PLACEHOLDER { file.as_str() } else { word.as_str() }).collect();
    let description = match operation {
        FenceOperation::Reset => format!("hbd resets {node} with {}", agent.name),
        FenceOperation::Test => format!("hbd asks {} about {node}", agent.name),
    };
    let input = call.stdin.then_some(file.as_str());
    let (accepted, limit) = (call.accepted, agent.timeout);
    let errand =
        Errand { unit, description: &description, words, input, environment, accepted, limit, background: false };
    let outcome = systemd.run_errand(&errand).await;
    if matches!(outcome, Err(UnitError::Deadline { .. })) {
        // systemd did not report the end of the program, which may still run: it must not reset the node later.
        let _ = systemd.stop_or_kill(unit, agent.timeout).await;
    }
    outcome.map_err(|error| FenceError::Failed {
        agent: agent.name.clone(),
        reason: reason(error),
        unit: unit.to_owned(),
    })
}

/// The cause in a few words.
fn reason(error: UnitError) -> String {
    match error {
        UnitError::Failed { result, .. } if result == "timeout" => "it took too long and was killed".to_owned(),
        UnitError::Failed { result, .. } if !result.is_empty() => format!("it ended with {result}"),
        error => error.to_string(),
    }
}

/// How to call a program; `None` if an operator resets the node by hand.
pub(crate) fn agent_call(agent: &FenceAgent, node: &str, operation: FenceOperation) -> Option<AgentCall> {
    match &agent.protocol {
        FenceProtocol::Agent { path, parameters } => {
            let mut lines = String::new();
            for (name, value) in parameters {
                lines.push_str(&format!("{name}={value}\n"));
            }
            let has = |names: &[&str]| parameters.iter().any(|(name, _)| names.contains(&name.as_str()));
            if !has(&["plug", "port", "nodename"]) {
                lines.push_str(&format!("nodename={node}\n"));
            }
            // Of a parameter that occurs twice the last value counts (04 §8.6).
            match operation {
                FenceOperation::Reset if has(&["action"]) => {}
                FenceOperation::Reset => lines.push_str("action=reboot\n"),
                FenceOperation::Test => lines.push_str("action=status\n"),
            }
            let accepted: &[i32] = if operation == FenceOperation::Test { &[NODE_IS_OFF] } else { &[] };
            Some(AgentCall { words: vec![path.display().to_string()], parameters: lines, stdin: true, accepted })
        }
        FenceProtocol::Stonith { program, kind, parameters } => {
            let program = program.display().to_string();
            let mut words =
                vec![program, "-t".to_owned(), kind.clone(), "-F".to_owned(), FILE_PLACEHOLDER.to_owned()];
            let node = node.to_ascii_lowercase();
            match operation {
                FenceOperation::Reset => words.extend(["-T".to_owned(), "reset".to_owned(), node]),
                FenceOperation::Test => words.push("-S".to_owned()),
            }
            Some(AgentCall { words, parameters: format!("{parameters}\n"), stdin: false, accepted: &[] })
        }
        FenceProtocol::Human => None,
    }
}

/// A file that only root can read. Dropping this removes it.
struct ParameterFile(PathBuf);

impl ParameterFile {
    fn new(path: PathBuf, content: &str) -> Result<ParameterFile, FenceError> {
        let write = || {
            // A daemon that was killed may have left the file, with whatever mode.
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all(content.as_bytes())
        };
        match write() {
            Ok(()) => Ok(ParameterFile(path)),
            Err(source) => Err(FenceError::Parameters { path: path.display().to_string(), source }),
        }
    }
}

impl Drop for ParameterFile {
    fn drop(&mut self) {
        // An error means that the file has gone already.
        let _ = fs::remove_file(&self.0);
    }
}
