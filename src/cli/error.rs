//! Why hbctl cannot do what it was asked to do, each with a remedy.

use std::io;
use std::process::ExitCode;

use thiserror::Error;

use super::dump::DumpError;
use super::exit::{EXIT_NOT_DONE, EXIT_USAGE};
use crate::util::error::{FileError, error_chain};

/// Why a command of hbctl fails before hbd has answered.
#[derive(Debug, Error)]
pub(super) enum CliError {
    #[error("cannot reach the system bus")]
    NoBus(#[source] zbus::Error),
    #[error("hbd is not running on this machine.")]
    NotRunning,
    #[error("hbd does not answer")]
    NoAnswer(#[source] zbus::Error),
    #[error("not allowed; try again as root\n{0}")]
    NotAllowed(String),
    #[error("cannot print JSON")]
    Json(#[from] serde_json::Error),
    #[error("{}", no_json(.0))]
    NoJson(&'static str),
    #[error("cannot use the terminal")]
    NoTerminal(#[source] io::Error),
    #[error("cannot read the journal with journalctl")]
    NoJournal(#[source] io::Error),
    #[error(transparent)]
    Dump(#[from] DumpError),
    #[error("cannot start")]
    Runtime(#[source] io::Error),
    #[error(transparent)]
    Write(#[from] FileError),
    #[error("cannot read an HTTP request from standard input")]
    NoRequest(#[source] io::Error),
    #[error("cannot get random bytes from the kernel")]
    Random(#[source] io::Error),
    #[error("{0}")]
    Refused(String),
}

/// A command that prints as things happen, and one that gives the same as JSON, if there is one.
fn no_json(command: &str) -> String {
    match command {
        "dump" => "dump prints lines, no JSON: `hbd --replay FILE --json` does, of a recording".to_owned(),
        other => format!("this has no JSON: use hbctl {other}"),
    }
}

impl CliError {
    /// With which hbctl ends: a refusal, or something that keeps hbctl from asking.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            CliError::Refused(_) => ExitCode::from(EXIT_NOT_DONE),
            CliError::NoJson(_) => ExitCode::from(EXIT_USAGE),
            _ => ExitCode::FAILURE,
        }
    }

    /// The error with its causes, and on a second line what to try.
    pub fn with_remedy(&self) -> String {
        let text = error_chain(self);
        match self.remedy() {
            Some(command) => format!("{text}\nTry: {command}"),
            None => text,
        }
    }

    /// The command that helps; `None` where the text says what to do, or nothing does.
    fn remedy(&self) -> Option<&'static str> {
        match self {
            CliError::NoBus(_) => Some("systemctl status dbus"),
            CliError::NotRunning | CliError::NoAnswer(_) => Some("systemctl status hbd"),
            CliError::NoTerminal(_) => Some("hbctl status"),
            _ => None,
        }
    }
}
