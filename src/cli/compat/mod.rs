//! Heartbeat's own commands: `cl_status`, `hb_standby`, `hb_takeover` and `heartbeat -s|-k|-r`, as links to hbctl
//! (package hbd-heartbeat-compat). Texts and exit statuses are those of 04 §6, which also lists the intended
//! differences.

mod cl_status;
mod heartbeat;
mod moves;
mod output;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use tokio::runtime::Runtime;
use zbus::connection::Builder;

use output::CommandOutput;

/// Runs as one of Heartbeat's commands if that is our name; `None` if it is not.
pub(super) fn main(arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.map(|word| word.to_string_lossy().into_owned());
    let program = arguments.next()?;
    let name = Path::new(&program).file_name()?.to_str()?.to_owned();
    let words: Vec<String> = arguments.collect();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    let with = |run: &dyn Fn(&Runtime) -> CommandOutput| match runtime() {
        Ok(runtime) => run(&runtime),
        Err(error) => CommandOutput::err(format!("{name}: {error}"), 1),
    };
    let said = match name.as_str() {
        "cl_status" => with(&|runtime| cl_status::run(runtime, Builder::system(), &words)),
        "hb_standby" => {
            with(&|runtime| moves::run(runtime, Builder::system(), &program, moves::MoveCommand::Standby, &words))
        }
        "hb_takeover" => {
            with(&|runtime| moves::run(runtime, Builder::system(), &program, moves::MoveCommand::Takeover, &words))
        }
        "heartbeat" => with(&|runtime| heartbeat::run(runtime, Builder::system, &words)),
        _ => return None,
    };
    // An error means that the reader has gone.
    let _ = io::stdout().lock().write_all(said.out.as_bytes());
    let _ = io::stderr().lock().write_all(said.err.as_bytes());
    Some(ExitCode::from(said.status))
}
