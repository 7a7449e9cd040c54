//! `hb_standby` and `hb_takeover` (04 §6.6), with Heartbeat's arguments. Unlike Heartbeat's they wait for the outcome
//! and print it; with `--no-wait` they return at once.

use std::path::Path;

use tokio::runtime::Runtime;
use zbus::connection::Builder;

use super::output::CommandOutput;
use crate::cli::error::CliError;
use crate::cli::format::local_time;
use crate::cli::job::{self, Attention, run_without_waiting};
use crate::util::clock::now_usec;
use crate::util::text::printable_lines;

/// Which of the two commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MoveCommand {
    Standby,
    Takeover,
}

/// The arguments of both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MoveArguments {
    pub scope: String,
    pub wait: bool,
}

/// Reads the arguments.
///
/// # Errors
/// The usage, for `--help` and for wrong arguments.
pub(super) fn parse(program: &str, words: &[String]) -> Result<MoveArguments, CommandOutput> {
    let wait = !words.iter().any(|word| word == "--no-wait");
    let mut rest = words.iter().filter(|word| *word != "--no-wait");
    let scope = rest.next().map_or("all", String::as_str);
    let name = Path::new(program).file_name().map_or(program.into(), |name| name.to_string_lossy());
    let usage = format!("usage:\n{name} [all|foreign|local|failback] [--no-wait]");
    match (scope, rest.next()) {
        ("--help" | "-h", _) => Err(CommandOutput::out(usage, 0)),
        ("all" | "foreign" | "local" | "failback", None) => Ok(MoveArguments { scope: scope.to_owned(), wait }),
        _ => Err(CommandOutput::err(format!("{program}: wrong resources({scope}).\n{usage}"), 1)),
    }
}

pub(super) fn run(
    runtime: &Runtime,
    bus: Builder<'static>,
    program: &str,
    command: MoveCommand,
    words: &[String],
) -> CommandOutput {
    let arguments = match parse(program, words) {
        Ok(arguments) => arguments,
        Err(said) => return said,
    };
    let method = if command == MoveCommand::Standby { "Standby" } else { "Takeover" };
    let head = match command {
        MoveCommand::Standby => format!("{} Going standby [{}].\n", local_time(now_usec()), arguments.scope),
        MoveCommand::Takeover => String::new(),
    };
    let outcome = if arguments.wait {
        runtime.block_on(job::run(bus, method, &(&arguments.scope,), Attention::whole(true))).map(Some)
    } else {
        runtime.block_on(run_without_waiting(bus, method, &(&arguments.scope,)))
    };
    answer(head, outcome)
}

/// What is printed about a move; `None` if it is under way. Texts of the bus may name anything.
pub(super) fn answer(head: String, outcome: Result<Option<Result<String, String>>, CliError>) -> CommandOutput {
    let line = |text: &str| format!("{}\n", printable_lines(text));
    match outcome {
        Ok(None) => CommandOutput { out: head, ..CommandOutput::default() },
        Ok(Some(Ok(done))) => CommandOutput { out: head + &line(&done), ..CommandOutput::default() },
        Ok(Some(Err(refused))) => CommandOutput { out: head, err: line(&refused), status: 1 },
        Err(error) => CommandOutput { out: head, err: line(&error.with_remedy()), status: 1 },
    }
}
