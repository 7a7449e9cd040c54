//! `hbctl`: what hbd shows on D-Bus, for people and scripts.
//!
//! Owns the command line and the text. Changes nothing of a running hbd by itself: every change is a request to
//! `org.hbd1`, which busctl(1) could send as well. Only `check`, `doctor`, `dump`, `export`, `report` and `setup`
//! read files of this machine, and only `setup` writes any that hbd reads, for a pair that does not run yet.
//!
//! `exit` has the exit statuses.

mod ask;
mod cause;
mod check;
mod check_health;
mod compat;
mod complete;
mod consent;
mod doctor;
mod due;
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
mod names;
mod older;
mod properties;
mod reload;
mod report;
mod requests;
mod scrape;
mod secret_key;
mod setup;
mod status;
mod table;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_documents;
#[cfg(test)]
mod tests_json;
#[cfg(test)]
mod tests_monitoring;
#[cfg(test)]
mod tests_transcripts;
#[cfg(test)]
mod tests_why_not;
mod upgrade;
mod watch;
mod watch_keys;
mod whole_names;
mod why;
mod why_not;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use tokio::runtime::Runtime;
use zbus::connection::Builder;

use crate::bus::Snapshot;
use crate::bus::troubles::troubles;
use crate::util::clock::now_usec;
use crate::util::error::{error_chain, failed};
use crate::util::text::printable_lines;
use error::CliError;
use events::EventFilter;
use exit::EXIT_TROUBLE;
use setup::SetupError;
use table::{Arguments, ConfigStep, HbctlCommand, ImportKind, RequestCommand, WhyNot};

/// What a command prints on standard output.
#[derive(Debug)]
enum Said {
    /// For people. With `--json` it becomes the value of one key.
    Text(String),
    /// The JSON that was asked for.
    Document(String),
}

/// Runs hbctl with the process's arguments.
pub fn main() -> ExitCode {
    if let Some(code) = compat::main(std::env::args_os()) {
        return code;
    }
    let arguments = Arguments::parse();
    let name = command_name();
    let ended = run(&arguments).and_then(|(said, code)| Ok((printed(said, &name, arguments.json)?, code)));
    let (text, code) = ended.unwrap_or_else(|error| {
        let why = printable_lines(&error.with_remedy());
        let _ = writeln!(io::stderr().lock(), "hbctl: {why}");
        let document =
            if arguments.json { json::outcome(&name, false, &why).unwrap_or_default() } else { String::new() };
        (document, error.exit_code())
    });
    // An error means that the reader has gone (`hbctl status | head`), which is no failure.
    let _ = io::stdout().lock().write_all(text.as_bytes());
    code
}

/// The command that was typed, which the JSON repeats.
fn command_name() -> String {
    let matches = table::command().try_get_matches_from(std::env::args_os());
    let Ok(matches) = matches else { return "status".to_owned() };
    match matches.subcommand() {
        Some(("why", inner)) if inner.subcommand().is_some() => "why not".to_owned(),
        Some((name, _)) => name.to_owned(),
        None => "status".to_owned(),
    }
}

/// The text, or with `json` the JSON around it.
fn printed(said: Said, command: &str, json: bool) -> Result<String, CliError> {
    match said {
        Said::Document(text) => Ok(text),
        Said::Text(text) if json && !text.is_empty() => Ok(json::text(command, &text)?),
        Said::Text(text) => Ok(text),
    }
}

/// Runs the command. Gives what is left to print, and the exit status.
fn run(arguments: &Arguments) -> Result<(Said, ExitCode), CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::Runtime)?;
    let bus = Builder::system();
    let (json, colour) = (arguments.json, arguments.color.decide());
    let command = arguments.command.as_ref().unwrap_or(&HbctlCommand::Status);
    match command {
        HbctlCommand::Status => print_status(&runtime.block_on(fetch::snapshot(bus))?, json, colour),
        HbctlCommand::Watch if json => Err(CliError::NoJson("status --json")),
        HbctlCommand::Watch => {
            let watch = watch::watch(Builder::system, io::stdin(), io::stdin(), io::stdout(), colour);
            runtime.block_on(watch).map(|()| (Said::Text(String::new()), ExitCode::SUCCESS))
        }
        HbctlCommand::Why { not, group } => {
            let snapshot = runtime.block_on(fetch::snapshot(bus))?;
            match not {
                None => explain(&snapshot, group.as_deref(), json, colour),
                Some(WhyNot::Not { group, node }) => explain_absence(&snapshot, group, node, json, colour),
            }
        }
        HbctlCommand::Doctor => print_doctor(&runtime, json, colour),
        HbctlCommand::Events(filter) => {
            let filter = EventFilter { json, ..filter.clone() };
            let filter = filter.with_names(|| runtime.block_on(fetch::snapshot(bus)).ok())?;
            events::run(&filter, &mut io::stdout().lock(), colour)?;
            Ok((Said::Text(String::new()), ExitCode::SUCCESS))
        }
        HbctlCommand::Dump(_) if json => Err(CliError::NoJson("dump")),
        HbctlCommand::Dump(options) => {
            dump::run(options, &mut io::stdout().lock())?;
            Ok((Said::Text(String::new()), ExitCode::SUCCESS))
        }
        HbctlCommand::Request(request) => carry_out(&runtime, bus, request, arguments),
        command => print_text(&runtime, bus, command, colour).map(|(text, code)| (Said::Text(text), code)),
    }
}

/// Runs a command that prints a text, also where JSON is wanted: it becomes the value of a key.
fn print_text(
    runtime: &Runtime,
    bus: Builder<'static>,
    command: &HbctlCommand,
    colour: bool,
) -> Result<(String, ExitCode), CliError> {
    match command {
        HbctlCommand::CheckHealth => Ok(check_health::render(runtime.block_on(fetch::snapshot(bus)).as_ref())),
        HbctlCommand::Check { root, node } => {
            let subject = check::CheckTarget { root: root.clone(), node: node.clone() };
            check::run(runtime, bus, &subject, colour)
        }
        HbctlCommand::Config { step: ConfigStep::Export, directory, root, node } => {
            let subject = check::CheckTarget { root: root.clone(), node: node.clone() };
            export::run(&subject, directory.as_deref(), colour)
        }
        HbctlCommand::Metrics { http: true, .. } => answer_scraper(runtime, bus),
        HbctlCommand::Metrics { output, http: false } => print_metrics(runtime, bus, output.as_deref()),
        HbctlCommand::Init(options) => setup::init(runtime, options, colour).map_err(refused),
        HbctlCommand::Join { file, options } => setup::join(runtime, file, *options, colour).map_err(refused),
        HbctlCommand::Import { kind: ImportKind::Keepalived, file, options } => {
            setup::import_keepalived(runtime, file, options, colour).map_err(refused)
        }
        HbctlCommand::Genkey(options) => genkey::run(options),
        HbctlCommand::Report { file, since } => report::run(runtime, file.as_deref(), since),
        HbctlCommand::Names { kind } => {
            let snapshot = runtime.block_on(fetch::snapshot(bus)).ok();
            Ok((names::list(snapshot.as_ref(), *kind), ExitCode::SUCCESS))
        }
        HbctlCommand::Generate { directory } => generate::write(directory)
            .map(|()| (String::new(), ExitCode::SUCCESS))
            .map_err(failed("write", directory))
            .map_err(CliError::Write),
        // What prints as it goes is run by its caller.
        _ => Ok((String::new(), ExitCode::SUCCESS)),
    }
}

fn explain(snapshot: &Snapshot, group: Option<&str>, json: bool, colour: bool) -> Result<(Said, ExitCode), CliError> {
    let group = group.map(|typed| names::group(snapshot, typed)).transpose()?;
    let unknown = || CliError::Refused("there is no such group; see `hbctl status`".to_owned());
    let explanation = why::explain(snapshot, group.as_deref(), now_usec()).ok_or_else(unknown)?;
    let said = if json {
        Said::Document(json::document("why", &explanation)?)
    } else {
        Said::Text(explanation.text(colour))
    };
    Ok((said, ExitCode::SUCCESS))
}

fn explain_absence(
    snapshot: &Snapshot,
    group: &str,
    node: &str,
    json: bool,
    colour: bool,
) -> Result<(Said, ExitCode), CliError> {
    let (group, node) = (names::group(snapshot, group)?, names::node(snapshot, node)?);
    let absence = why_not::examine(snapshot, &group, &node, now_usec()).map_err(CliError::Refused)?;
    let said =
        if json { Said::Document(json::document("why not", &absence)?) } else { Said::Text(absence.text(colour)) };
    Ok((said, ExitCode::SUCCESS))
}

fn print_doctor(runtime: &Runtime, json: bool, colour: bool) -> Result<(Said, ExitCode), CliError> {
    let findings = doctor::diagnose(&runtime.block_on(doctor::gather(Builder::system)));
    let worst = findings.iter().map(|finding| finding.grade).max().unwrap_or(doctor::Grade::Ok);
    let ill = worst >= doctor::Grade::Warning;
    let code = if ill { ExitCode::from(EXIT_TROUBLE) } else { ExitCode::SUCCESS };
    let said =
        if json { Said::Document(json::doctor(&findings)?) } else { Said::Text(doctor::render(&findings, colour)) };
    Ok((said, code))
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
    arguments: &Arguments,
) -> Result<(Said, ExitCode), CliError> {
    let request = &runtime.block_on(whole_names::complete(Builder::system(), request))?;
    requests::ask_first(request)?;
    let quiet = arguments.quiet;
    let done = runtime.block_on(requests::send_request(bus, request, quiet))?;
    let text = printable_lines(&done.map_err(CliError::Refused)?);
    let said = match (arguments.json, quiet) {
        (true, _) => Said::Document(json::outcome(&command_name(), true, &text)?),
        (false, true) => Said::Text(String::new()),
        (false, false) => Said::Text(text + "\n"),
    };
    Ok((said, ExitCode::SUCCESS))
}

/// Answers a request of Prometheus on standard input.
fn answer_scraper(runtime: &Runtime, bus: Builder<'static>) -> Result<(String, ExitCode), CliError> {
    let render = || metrics::render(runtime.block_on(fetch::snapshot(bus)).as_ref().ok());
    let answer = scrape::answer(&mut io::stdin().lock(), render).map_err(CliError::NoRequest)?;
    Ok((answer, ExitCode::SUCCESS))
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

fn print_status(snapshot: &Snapshot, json: bool, colour: bool) -> Result<(Said, ExitCode), CliError> {
    let said = if json {
        Said::Document(json::status(snapshot, now_usec())?)
    } else {
        Said::Text(status::render(snapshot, now_usec(), colour))
    };
    let code = if troubles(snapshot).is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_TROUBLE) };
    Ok((said, code))
}
