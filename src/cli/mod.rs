//! `hbctl`: what hbd shows on D-Bus, for people and scripts.
//!
//! Owns the command line and the text. Only ever a client of `org.hbd1`: what hbctl can do, `busctl` can do. Never
//! reads hbd's files and never changes anything by itself.
//!
//! Exit status: 0 all is well; 1 hbd cannot be asked; 2 the command line is wrong; 3 hbd answers, and something is not
//! as it should be; 4 what was asked for was refused or failed.

mod ask;
mod check;
mod compat;
mod doctor;
mod dump;
mod error;
mod events;
mod fence;
mod fetch;
mod generate;
mod job;
mod json;
mod metrics;
mod status;
mod table;
#[cfg(test)]
mod tests;
mod watch;
mod why;
mod words;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use tokio::runtime::Runtime;
use zbus::connection::Builder;

use crate::bus::Snapshot;
use crate::util::clock::now_usec;
use error::CliError;
use job::Progress::Told;
use table::{Arguments, Command, Switch};

/// Something is not as it should be.
const EXIT_TROUBLE: u8 = 3;
/// What was asked for was not done.
const EXIT_NOT_DONE: u8 = 4;

/// Runs hbctl with the process's arguments.
pub fn main() -> ExitCode {
    if let Some(code) = compat::main(std::env::args_os()) {
        return code;
    }
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
    let bus = Builder::system();
    match &arguments.command {
        Command::Status { json } => {
            print_status(&runtime.block_on(fetch::snapshot(bus))?, *json, arguments.color.decide())
        }
        Command::Watch => {
            let watch =
                watch::watch(Builder::system, io::stdin(), io::stdin(), io::stdout(), arguments.color.decide());
            runtime.block_on(watch).map(|()| (String::new(), ExitCode::SUCCESS))
        }
        Command::Why { group } => {
            let snapshot = runtime.block_on(fetch::snapshot(bus))?;
            let text = why::render(&snapshot, group.as_deref(), arguments.color.decide());
            Ok(match text {
                Some(text) => (text, ExitCode::SUCCESS),
                None => ("there is no such group; see `hbctl status`\n".to_owned(), ExitCode::from(EXIT_NOT_DONE)),
            })
        }
        Command::Check { root, node } => {
            let subject = check::Subject { root: root.clone(), node: node.clone() };
            check::run(&runtime, bus, &subject, arguments.color.decide())
        }
        Command::Doctor => {
            let findings = doctor::diagnose(&runtime.block_on(doctor::gather(Builder::system)));
            let worst = findings.iter().map(|finding| finding.grade).max().unwrap_or(doctor::Grade::Ok);
            let ill = worst >= doctor::Grade::Warning;
            let code = if ill { ExitCode::from(EXIT_TROUBLE) } else { ExitCode::SUCCESS };
            Ok((doctor::render(&findings, arguments.color.decide()), code))
        }
        Command::Events(filter) => {
            events::run(filter, &mut io::stdout().lock(), arguments.color.decide())?;
            Ok((String::new(), ExitCode::SUCCESS))
        }
        Command::Dump(options) => {
            dump::run(options, &mut io::stdout().lock())?;
            Ok((String::new(), ExitCode::SUCCESS))
        }
        Command::Metrics { output } => measure(&runtime, bus, output.as_deref()),
        Command::Generate { directory } => generate::write(directory)
            .map(|()| (String::new(), ExitCode::SUCCESS))
            .map_err(|error| CliError::Write { path: directory.clone(), error }),
        Command::Standby { scope } => Ok(moved(runtime.block_on(job::run(bus, "Standby", &(scope,), Told))?)),
        Command::Fence { node, dry_run } => Ok(moved(runtime.block_on(fence::fence(bus, node, *dry_run))?)),
        Command::ConfirmFenced { node } => Ok(moved(runtime.block_on(fence::confirm(bus, node))?)),
        Command::Cleanup { group } => Ok(moved(runtime.block_on(ask::ask(bus, "Cleanup", &(group,)))?)),
        Command::ClearHold { group } => Ok(moved(runtime.block_on(ask::ask(bus, "ClearHold", &(group,)))?)),
        Command::Maintenance { state } => {
            let on = *state == Switch::On;
            Ok(moved(runtime.block_on(ask::ask(bus, "SetMaintenance", &(on,)))?))
        }
        Command::Move { group, node } => {
            let node = node.to_ascii_lowercase();
            Ok(moved(runtime.block_on(job::run(bus, "Move", &(group, node), Told))?))
        }
        Command::Takeover { scope } => Ok(moved(runtime.block_on(job::run(bus, "Takeover", &(scope,), Told))?)),
    }
}

fn measure(runtime: &Runtime, bus: Builder<'static>, output: Option<&Path>) -> Result<(String, ExitCode), CliError> {
    let snapshot = runtime.block_on(fetch::snapshot(bus));
    let text = metrics::render(snapshot.as_ref().ok());
    let code = if snapshot.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    let Some(path) = output else { return Ok((text, code)) };
    metrics::replace(path, &text).map_err(|error| CliError::Write { path: path.to_owned(), error })?;
    Ok((String::new(), code))
}

fn moved(outcome: Result<String, String>) -> (String, ExitCode) {
    match outcome {
        Ok(text) => (format!("{text}\n"), ExitCode::SUCCESS),
        Err(text) => (format!("{text}\n"), ExitCode::from(EXIT_NOT_DONE)),
    }
}

fn print_status(snapshot: &Snapshot, json: bool, colour: bool) -> Result<(String, ExitCode), CliError> {
    let text = if json { json::render(snapshot)? } else { status::render(snapshot, now_usec(), colour) };
    let code = if status::troubles(snapshot).is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_TROUBLE) };
    Ok((text, code))
}
