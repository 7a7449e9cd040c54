//! `hbctl init`, `hbctl join`, `hbctl import`: from two machines to a working pair, without knowing Heartbeat.
//!
//! Owns what a new pair's files say, and the file that carries it to the other node. Never replaces a file unless it
//! was told so, never writes one that `hbctl check` refuses, and speaks no protocol of its own: whether the nodes
//! hear each other is what the running hbd says.
//!
//! | module | question |
//! |---|---|
//! | `options` | what can be said on the command line? |
//! | `questions` | what is asked on a terminal? |
//! | `machine` | what is this machine: its name, interfaces, what runs? |
//! | `proposal` | what plan follows from that, and what is in its way? |
//! | `plan` | what do both nodes have to agree about? |
//! | `files` | what do the files of one node say? |
//! | `establish` | in which order is it checked, written, started? |
//! | `placing` | how do the files come into place, all or none? |
//! | `carried` | what is in the file for the other node? |
//! | `fitting` | does the plan fit the machine that joins? |
//! | `keepalived` | what pair does a keepalived.conf describe? |
//! | `starting` | what does `--start` do, and are the nodes connected? |
//! | `error` | why was nothing written? |

mod carried;
mod error;
mod establish;
mod files;
mod fitting;
mod keepalived;
mod machine;
mod options;
mod placing;
mod plan;
mod proposal;
mod questions;
mod starting;
#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;

use tokio::runtime::Runtime;

use crate::cli::secret_key::SecretKey;
use crate::config::Files;
use carried::CarriedFile;
use establish::{Establishment, establish};
use machine::Machine;
use proposal::Proposal;
use questions::Dialogue;

pub(super) use error::SetupError;
pub(super) use options::{JoinOptions, SetupOptions};

/// `hbctl init`.
pub(super) fn init(
    runtime: &Runtime,
    options: &SetupOptions,
    colour: bool,
) -> Result<(String, ExitCode), SetupError> {
    let machine = Machine::of_this_machine()?;
    machine::refuse_while_running()?;
    let mut options = options.clone();
    let asked = io::stdin().is_terminal() && io::stdout().is_terminal() && options.is_incomplete();
    if asked {
        Dialogue::new(&machine, io::stdin().lock(), io::stdout()).complete(&mut options)?;
    }
    let proposal = proposal::propose(&options, &machine, SecretKey::random().map_err(SetupError::Random)?)?;
    if asked {
        Dialogue::new(&machine, io::stdin().lock(), io::stdout()).confirm(&proposal.plan)?;
    }
    begin(runtime, &machine, proposal, &options, colour)
}

/// `hbctl import keepalived FILE`.
pub(super) fn import_keepalived(
    runtime: &Runtime,
    file: &Path,
    options: &SetupOptions,
    colour: bool,
) -> Result<(String, ExitCode), SetupError> {
    let machine = Machine::of_this_machine()?;
    machine::refuse_while_running()?;
    let proposal = keepalived::import(file, options, &machine, SecretKey::random().map_err(SetupError::Random)?)?;
    if options.start && machine::runs("keepalived") {
        let problem = "--start: keepalived runs here. First, on both nodes: systemctl disable --now keepalived";
        return Err(SetupError::Unfit(vec![problem.to_owned()]));
    }
    begin(runtime, &machine, proposal, options, colour)
}

/// Sets up the first node of the pair.
fn begin(
    runtime: &Runtime,
    machine: &Machine,
    proposal: Proposal,
    options: &SetupOptions,
    colour: bool,
) -> Result<(String, ExitCode), SetupError> {
    let carried = options.output.clone().unwrap_or_else(|| carried::default_path(&proposal.plan.nodes[1]));
    let establishment = Establishment {
        plan: &proposal.plan,
        node: 0,
        notes: proposal.notes,
        carried: Some(carried),
        force: options.force,
        start: options.start,
    };
    establish(runtime, machine, &Files::default(), &establishment, colour)
}

/// `hbctl join FILE`.
pub(super) fn join(
    runtime: &Runtime,
    file: &Path,
    options: JoinOptions,
    colour: bool,
) -> Result<(String, ExitCode), SetupError> {
    let machine = Machine::of_this_machine()?;
    machine::refuse_while_running()?;
    let (carried, mut notes) = CarriedFile::read(file)?;
    let plan = fitting::fit(carried, &machine, &mut notes)?;
    let establishment =
        Establishment { plan: &plan, node: 1, notes, carried: None, force: options.force, start: options.start };
    establish(runtime, &machine, &Files::default(), &establishment, colour)
}
