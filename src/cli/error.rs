//! Why hbctl cannot do what it was asked to do, each with a remedy.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::dump::DumpError;

/// Why hbd cannot be asked.
#[derive(Debug, Error)]
pub(super) enum CliError {
    #[error("cannot reach the system bus: {0}\nTry: systemctl status dbus")]
    NoBus(#[source] zbus::Error),
    #[error("hbd is not running on this machine.\nTry: systemctl status hbd")]
    NotRunning,
    #[error("hbd does not answer: {0}\nTry: systemctl status hbd")]
    NoAnswer(#[source] zbus::Error),
    #[error("not allowed; try again as root\n{0}")]
    NotAllowed(String),
    #[error("cannot print JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("cannot use the terminal: {0}\nTry: hbctl status")]
    NoTerminal(#[source] io::Error),
    #[error("cannot read the journal with journalctl: {0}")]
    NoJournal(#[source] io::Error),
    #[error(transparent)]
    Dump(#[from] DumpError),
    #[error("cannot start: {0}")]
    Runtime(#[source] io::Error),
    #[error("cannot write {}: {error}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
}
