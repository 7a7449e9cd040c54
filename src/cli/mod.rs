//! `hbctl`: what hbd shows on D-Bus, for people and scripts.
//!
//! Owns the command line and the text. Changes nothing of a running hbd by itself: every change is a request to
//! `org.hbd1`, which busctl(1) could send as well. Only `check`, `doctor`, `dump`, `export` and `setup` read files of
//! this machine, and only `setup` writes any that hbd reads, for a pair that does not run yet.
//!
//! Exit status: 0 all is well; 1 hbd does not answer; 2 the command line is wrong; 3 hbd answers, and something is
//! wrong; 4 the request was refused or failed; 6 the configuration has an error (`check`).

mod ask;
mod check;
mod check_health;
mod compat;
mod consent;
mod doctor;
mod dump;
mod error;
mod events;
mod exit;
mod export;
mod fence;
mod fetch;
mod format;
mod generate;
mod genkey;
mod job;
mod json;
mod metrics;
mod moves;
mod reload;
mod secret_key;
mod setup;
mod status;
mod table;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_documents;
mod upgrade;
mod watch;
mod why;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use tokio::runtime::Runtime;
use zbus::connection::Builder;

use crate::bus::Snapshot;
use crate::util::clock::now_usec;
use crate::util::error::{error_chain, failed};
use crate::util::text::printable_lines;
use error::CliError;
use exit::EXIT_TROUBLE;
use job::Attention;
use setup::SetupError;
use table::{Arguments, ConfigStep, FailbackChoice, HbctlCommand, ImportKind, RequestCommand, Switch, UpgradeStep};

/// Runs hbctl with the process's arguments.
pub fn main() -> ExitCode {
    if let Some(code) = compat::main(std::env::args_os()) {
        return code;
    }
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok((text, code)) => {
            // An error means that the reader has gone (`hbctl status | head`), which is no failure.
            let _ = io::stdout().lock().write_all(text.as_bytes());
            code
        }
        Err(error) => {
            let _ = writeln!(io::stderr().lock(), "hbctl: {}", printable_lines(&error.with_remedy()));
            error.exit_code()
        }
    }
}

/// Runs the command. Gives what is left to print, and the exit status.
fn run(arguments: &Arguments) -> Result<(String, ExitCode), CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::Runtime)?;
    let bus = Builder::system();
    let command = arguments.command.as_ref().unwrap_or(&HbctlCommand::Status { json: false });
    match command {
        HbctlCommand::Status { json } => {
            print_status(&runtime.block_on(fetch::snapshot(bus))?, *json, arguments.color.decide())
        }
        HbctlCommand::CheckHealth => Ok(check_health::render(runtime.block_on(fetch::snapshot(bus)).as_ref())),
        HbctlCommand::Watch => {
            let watch =
                watch::watch(Builder::system, io::stdin(), io::stdin(), io::stdout(), arguments.color.decide());
            runtime.block_on(watch).map(|()| (String::new(), ExitCode::SUCCESS))
        }
        HbctlCommand::Why { group } => {
            explain(&runtime.block_on(fetch::snapshot(bus))?, group.as_deref(), arguments.color.decide())
        }
        HbctlCommand::Check { root, node } => {
            let subject = check::CheckTarget { root: root.clone(), node: node.clone() };
            check::run(&runtime, bus, &subject, arguments.color.decide())
        }
        HbctlCommand::Config { step: ConfigStep::Export, directory, root, node } => {
            let subject = check::CheckTarget { root: root.clone(), node: node.clone() };
            export::run(&subject, directory.as_deref(), arguments.color.decide())
        }
        HbctlCommand::Doctor => {
            let findings = doctor::diagnose(&runtime.block_on(doctor::gather(Builder::system)));
            let worst = findings.iter().map(|finding| finding.grade).max().unwrap_or(doctor::Grade::Ok);
            let ill = worst >= doctor::Grade::Warning;
            let code = if ill { ExitCode::from(EXIT_TROUBLE) } else { ExitCode::SUCCESS };
            Ok((doctor::render(&findings, arguments.color.decide()), code))
        }
        HbctlCommand::Events(filter) => {
            let filter = filter.with_key(|| runtime.block_on(fetch::snapshot(bus)).ok());
            events::run(&filter, &mut io::stdout().lock(), arguments.color.decide())?;
            Ok((String::new(), ExitCode::SUCCESS))
        }
        HbctlCommand::Dump(options) => {
            dump::run(options, &mut io::stdout().lock())?;
            Ok((String::new(), ExitCode::SUCCESS))
        }
        HbctlCommand::Metrics { output } => print_metrics(&runtime, bus, output.as_deref()),
        HbctlCommand::Init(options) => setup::init(&runtime, options, arguments.color.decide()).map_err(refused),
        HbctlCommand::Join { file, options } => {
            setup::join(&runtime, file, *options, arguments.color.decide()).map_err(refused)
        }
        HbctlCommand::Import { kind: ImportKind::Keepalived, file, options } => {
            setup::import_keepalived(&runtime, file, options, arguments.color.decide()).map_err(refused)
        }
        HbctlCommand::Genkey(options) => genkey::run(options),
        HbctlCommand::Generate { directory } => generate::write(directory)
            .map(|()| (String::new(), ExitCode::SUCCESS))
            .map_err(failed("write", directory))
            .map_err(CliError::Write),
        HbctlCommand::Request(request) => carry_out(&runtime, bus, request, arguments.quiet),
    }
}

fn explain(snapshot: &Snapshot, group: Option<&str>, colour: bool) -> Result<(String, ExitCode), CliError> {
    let unknown = || CliError::Refused("there is no such group; see `hbctl status`".to_owned());
    why::render(snapshot, group, colour).map(|text| (text, ExitCode::SUCCESS)).ok_or_else(unknown)
}

/// A pair that is not set up.
fn refused(error: SetupError) -> CliError {
    CliError::Refused(error_chain(&error))
}

/// Has hbd do what was asked for.
fn carry_out(
    runtime: &Runtime,
    bus: Builder<'static>,
    request: &RequestCommand,
    quiet: bool,
) -> Result<(String, ExitCode), CliError> {
    ask_first(request)?;
    let done = runtime.block_on(send_request(bus, request, quiet))?;
    let text = printable_lines(&done.map_err(CliError::Refused)?) + "\n";
    Ok((if quiet { String::new() } else { text }, ExitCode::SUCCESS))
}

/// Asks whether the operator means what may do harm.
fn ask_first(request: &RequestCommand) -> Result<(), CliError> {
    let (question, consent) = match request {
        RequestCommand::Fence { node, dry_run: false, consent } => {
            (format!("Reset {node}? Whatever it does is cut off, and its groups are taken over."), consent)
        }
        RequestCommand::ConfirmFenced { node, consent } => (
            format!("Is {node} powered off for certain? If it is not, both nodes will write to the same disks."),
            consent,
        ),
        RequestCommand::ClearHold { group, consent } => (
            format!(
                "Take over {group} although another machine may still serve it? If the other node does, both nodes will."
            ),
            consent,
        ),
        _ => return Ok(()),
    };
    consent::obtain(&question, *consent)
}

/// Sends hbd the request of an operator and waits for its answer: done, or why not.
async fn send_request(
    bus: Builder<'static>,
    request: &RequestCommand,
    quiet: bool,
) -> Result<Result<String, String>, CliError> {
    let whole = Attention::whole(quiet);
    match request {
        RequestCommand::Standby { groups, patience } => {
            moves::run(bus, "Standby", groups, Attention::of(*patience, quiet)).await
        }
        RequestCommand::Takeover { groups, patience } => {
            moves::run(bus, "Takeover", groups, Attention::of(*patience, quiet)).await
        }
        RequestCommand::Move { group, node, patience } => {
            job::run(bus, "Move", &(group, node.to_ascii_lowercase()), Attention::of(*patience, quiet)).await
        }
        RequestCommand::Failback { choice: FailbackChoice::Now, group } => {
            job::run(bus, "FailbackNow", &(group,), whole).await
        }
        RequestCommand::Failback { choice: FailbackChoice::Cancel, group } => {
            ask::ask(bus, "FailbackCancel", &(group,)).await
        }
        RequestCommand::Maintenance { state, group } if group.is_empty() => {
            ask::ask(bus, "SetMaintenance", &(*state == Switch::On,)).await
        }
        RequestCommand::Maintenance { state, group } => {
            ask::ask(bus, "SetGroupMaintenance", &(group, *state == Switch::On)).await
        }
        RequestCommand::ClearHold { group, .. } => ask::ask(bus, "ClearHold", &(group,)).await,
        RequestCommand::Cleanup { group } => ask::ask(bus, "Cleanup", &(group,)).await,
        RequestCommand::Reload { dry_run: true } => reload::describe(bus).await,
        RequestCommand::Reload { dry_run: false } => reload::reload(bus).await,
        RequestCommand::Upgrade { step: UpgradeStep::Begin } => upgrade::begin(),
        RequestCommand::Upgrade { step: UpgradeStep::End } => upgrade::end(bus).await,
        RequestCommand::Fence { node, dry_run, .. } => fence::fence(bus, node, *dry_run, quiet).await,
        RequestCommand::ConfirmFenced { node, .. } => fence::confirm(bus, node, quiet).await,
    }
}

fn print_metrics(
    runtime: &Runtime,
    bus: Builder<'static>,
    output: Option<&Path>,
) -> Result<(String, ExitCode), CliError> {
    let snapshot = runtime.block_on(fetch::snapshot(bus));
    let text = metrics::render(snapshot.as_ref().ok());
    let code = if snapshot.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    let Some(path) = output else { return Ok((text, code)) };
    metrics::replace(path, &text).map_err(failed("write", path))?;
    Ok((String::new(), code))
}

fn print_status(snapshot: &Snapshot, json: bool, colour: bool) -> Result<(String, ExitCode), CliError> {
    let text = if json { json::render(snapshot)? } else { status::render(snapshot, now_usec(), colour) };
    let code = if status::troubles(snapshot).is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_TROUBLE) };
    Ok((text, code))
}
