//! `hbctl`: what hbd shows on D-Bus, for people and scripts.
//!
//! Owns the command line and the text. Only ever a client of `org.hbd1`: what hbctl can do, `busctl` can do. Never
//! reads hbd's files and never changes anything by itself.
//!
//! Exit status: 0 all is well; 1 hbd cannot be asked; 2 the command line is wrong; 3 hbd answers, and something is not
//! as it should be; 4 what was asked for was refused or failed.

mod ask;
mod fetch;
mod status;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Parser, Subcommand};
use thiserror::Error;

use crate::bus::Snapshot;

/// Something is not as it should be.
const EXIT_TROUBLE: u8 = 3;
/// The groups were not moved.
const EXIT_NOT_MOVED: u8 = 4;

/// Ask hbd, the cluster manager, what it does.
#[derive(Debug, Parser)]
#[command(name = "hbctl", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show nodes, links and resource groups, and who owns what.
    ///
    /// Exit status: 0 all is well, 1 hbd cannot be asked, 3 something is not as it should be (a group without an owner,
    /// something failed, a node or a link dead).
    Status {
        /// Print everything as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Give resource groups to the other node, and wait until they run there.
    ///
    /// Exit status: 0 moved or nothing to move, 1 hbd cannot be asked, 4 not moved; the text says why.
    Standby {
        /// Which groups: all, those that prefer this node (local), those that prefer the other (foreign, failback).
        #[arg(default_value = "all", value_parser = ["all", "local", "foreign", "failback"])]
        scope: String,
    },
    /// Take resource groups from the other node, and wait until they run here.
    ///
    /// Exit status: as standby.
    Takeover {
        /// Which groups, as in standby.
        #[arg(default_value = "all", value_parser = ["all", "local", "foreign", "failback"])]
        scope: String,
    },
    /// Forget failures, on this node, after their cause is mended: what could not be started, or failed too often, or was
    /// stopped by hand is tried again.
    ///
    /// Exit status: 0 done, 1 hbd cannot be asked, 4 there is no such group.
    Cleanup {
        /// The group by its first resource, as `hbctl status` shows it; all groups without it.
        #[arg(default_value = "", hide_default_value = true)]
        group: String,
    },
}

/// Why hbd cannot be asked.
#[derive(Debug, Error)]
enum CliError {
    #[error("cannot reach the system bus: {0}\nTry: systemctl status dbus")]
    NoBus(#[source] zbus::Error),
    #[error("hbd is not running on this machine.\nTry: systemctl status hbd")]
    NotRunning,
    #[error("hbd does not answer: {0}\nTry: systemctl status hbd")]
    NoAnswer(#[source] zbus::Error),
    #[error("only root may do that; try again as root")]
    NotAllowed,
    #[error("cannot print JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("cannot start: {0}")]
    Runtime(#[source] io::Error),
}

/// Runs hbctl with the process's arguments.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok((text, code)) => {
            // A reader that has gone (`hbctl status | head`) is no failure.
            let _ = io::stdout().lock().write_all(text.as_bytes());
            code
        }
        Err(error) => {
            let _ = writeln!(io::stderr().lock(), "hbctl: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What to print, and the exit status.
fn run(arguments: &Arguments) -> Result<(String, ExitCode), CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::Runtime)?;
    let bus = zbus::connection::Builder::system();
    match &arguments.command {
        Command::Status { json } => print_status(&runtime.block_on(fetch::snapshot(bus))?, *json),
        Command::Standby { scope } => Ok(moved(runtime.block_on(ask::ask(bus, "Standby", scope))?)),
        Command::Cleanup { group } => Ok(moved(runtime.block_on(ask::ask(bus, "Cleanup", group))?)),
        Command::Takeover { scope } => Ok(moved(runtime.block_on(ask::ask(bus, "Takeover", scope))?)),
    }
}

fn moved(outcome: Result<String, String>) -> (String, ExitCode) {
    match outcome {
        Ok(text) => (format!("{text}\n"), ExitCode::SUCCESS),
        Err(text) => (format!("{text}\n"), ExitCode::from(EXIT_NOT_MOVED)),
    }
}

fn print_status(snapshot: &Snapshot, json: bool) -> Result<(String, ExitCode), CliError> {
    let text = if json {
        format!("{}\n", serde_json::to_string_pretty(snapshot)?)
    } else {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        status::render(snapshot, u64::try_from(now.as_micros()).unwrap_or(u64::MAX))
    };
    let code = if status::troubles(snapshot).is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_TROUBLE) };
    Ok((text, code))
}
