//! Fencing devices: runs the programs that switch another node off (04 §8).
//!
//! Each program is a transient unit with a limit, `hbd-fence-NODE-N.service`, so that it can do what hbd may not and its
//! output is in the journal. Parameters are passwords: they go through a file that only root can read, never through a
//! command line or a unit. Never decides whether a node *should* be reset: the core does, and takes nothing before.

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

/// Where parameters lie while a program runs.
const DIRECTORY: &str = "/run/hbd";

/// What a program is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Switch the node off, and on again if the device can.
    Reset,
    /// Only ask the device whether it is there.
    Test,
}

/// Why a node is not reset.
#[derive(Debug, Error)]
pub enum FenceError {
    /// There is nothing that could.
    #[error(
        "no fencing device is configured for {0}: see [fence.\"{0}\"] in hbd.toml(5), and stonith in hbd-ha.cf(5)"
    )]
    NoDevice(String),
    /// Somebody must do it by hand.
    #[error(
        "OPERATOR INTERVENTION REQUIRED to reset {0}. Run \"hbctl confirm-fenced {0}\" AFTER power-cycling the machine."
    )]
    ByHand(String),
    /// The parameters cannot be handed over.
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
    /// The program failed, or took too long.
    #[error("{agent} failed: {reason}; see `journalctl -u {unit}`")]
    Failed {
        /// As the configuration names it.
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

/// What is said to a program: its words, and what its standard input or parameter file holds.
#[derive(PartialEq, Eq)]
pub(crate) struct AgentCall {
    words: Vec<String>,
    parameters: String,
    /// Whether `parameters` is the standard input; else the words name the file in place of [`FILE_PLACEHOLDER`].
    stdin: bool,
    /// Exit statuses beside 0 that are good news.
    accepted: &'static [i32],
}

/// What an agent's `status` ends with when the device is there and the node is off (04 §8.6).
const NODE_IS_OFF: i32 = 2;

/// Stands for the parameter file among the words.
const FILE_PLACEHOLDER: &str = "\0file";

/// Lets the agents of a device try in turn, with these `NAME=VALUE` in their environment. `serial` makes the units' names
/// unique.
///
/// # Errors
/// [`FenceError`]; the node may have been reset all the same.
pub async fn run(
    connect: impl Fn() -> Builder<'static>,
    device: &FenceDevice,
    deed: Deed,
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
        match run_one(&systemd, Path::new(DIRECTORY), &unit, (&device.node, environment), agent, deed).await {
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

/// `hbd-fence-NODE-N.service`, the second agent `…-N-2`. Node names may hold what unit names may not.
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
    deed: Deed,
) -> Result<(), FenceError> {
    let Some(call) = agent_call(agent, node, deed) else { return Err(FenceError::ByHand(node.to_owned())) };
    let path = directory.join(unit).with_extension("parameters");
    let written = ParameterFile::new(path, &call.parameters)?;
    let file = written.0.display().to_string();
    let words =
        call.words.iter().map(|word| if word == FILE_PLACEHOLDER { file.as_str() } else { word.as_str() }).collect();
    let description = match deed {
        Deed::Reset => format!("hbd resets {node} with {}", agent.name),
        Deed::Test => format!("hbd asks {} about {node}", agent.name),
    };
    let input = call.stdin.then_some(file.as_str());
    let (accepted, limit) = (call.accepted, agent.timeout);
    let errand = Errand { unit, description: &description, words, input, environment, accepted, limit };
    let outcome = systemd.run_errand(&errand).await;
    if matches!(outcome, Err(UnitError::Deadline { .. })) {
        // systemd itself hangs: what it still runs must not outlive its answer.
        let _ = systemd.stop_or_kill(unit, agent.timeout).await;
    }
    outcome.map_err(|error| FenceError::Failed {
        agent: agent.name.clone(),
        reason: reason(error),
        unit: unit.to_owned(),
    })
}

/// The shortest text that says it.
fn reason(error: UnitError) -> String {
    match error {
        UnitError::Failed { result, .. } if result == "timeout" => "it took too long and was killed".to_owned(),
        UnitError::Failed { result, .. } if !result.is_empty() => format!("it ended with {result}"),
        error => error.to_string(),
    }
}

/// What to say to a program; `None` if it is a human.
pub(crate) fn agent_call(agent: &FenceAgent, node: &str, deed: Deed) -> Option<AgentCall> {
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
            // The last of a repeated name counts (04 §8.6).
            match deed {
                Deed::Reset if has(&["action"]) => {}
                Deed::Reset => lines.push_str("action=reboot\n"),
                Deed::Test => lines.push_str("action=status\n"),
            }
            let accepted: &[i32] = if deed == Deed::Test { &[NODE_IS_OFF] } else { &[] };
            Some(AgentCall { words: vec![path.display().to_string()], parameters: lines, stdin: true, accepted })
        }
        FenceProtocol::Stonith { program, kind, parameters } => {
            let program = program.display().to_string();
            let mut words =
                vec![program, "-t".to_owned(), kind.clone(), "-F".to_owned(), FILE_PLACEHOLDER.to_owned()];
            let node = node.to_ascii_lowercase();
            match deed {
                Deed::Reset => words.extend(["-T".to_owned(), "reset".to_owned(), node]),
                Deed::Test => words.push("-S".to_owned()),
            }
            Some(AgentCall { words, parameters: format!("{parameters}\n"), stdin: false, accepted: &[] })
        }
        FenceProtocol::Human => None,
    }
}

/// A file that only root can read, for as long as this lives.
struct ParameterFile(PathBuf);

impl ParameterFile {
    fn new(path: PathBuf, content: &str) -> Result<ParameterFile, FenceError> {
        let write = || {
            // Left by a daemon that was killed; its mode may be anything.
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
        // Gone already is as good.
        let _ = fs::remove_file(&self.0);
    }
}
