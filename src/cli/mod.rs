//! `hbctl`: what hbd shows on D-Bus, for people and scripts.
//!
//! Owns the command line and the text. Only ever a client of `org.hbd1`: what hbctl can do, `busctl` can do. Never
//! reads hbd's files and never changes anything by itself.
//!
//! Exit status: 0 all is well; 1 hbd cannot be asked; 2 the command line is wrong; 3 hbd answers, and something is not
//! as it should be; 4 what was asked for was refused or failed.

mod ask;
mod fence;
mod fetch;
mod generate;
mod status;
mod table;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;
use thiserror::Error;

use crate::bus::Snapshot;
use table::{Arguments, Command};

/// Something is not as it should be.
const EXIT_TROUBLE: u8 = 3;
/// The groups were not moved.
const EXIT_NOT_MOVED: u8 = 4;

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
    #[error("cannot write into {}: {error}", directory.display())]
    Generate {
        directory: PathBuf,
        #[source]
        error: io::Error,
    },
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
        Command::Generate { directory } => generate::write(directory)
            .map(|()| (String::new(), ExitCode::SUCCESS))
            .map_err(|error| CliError::Generate { directory: directory.clone(), error }),
        Command::Standby { scope } => Ok(moved(runtime.block_on(ask::ask(bus, "Standby", scope))?)),
        Command::Fence { node, dry_run } => Ok(moved(runtime.block_on(fence::fence(bus, node, *dry_run))?)),
        Command::ConfirmFenced { node } => Ok(moved(runtime.block_on(fence::confirm(bus, node))?)),
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
