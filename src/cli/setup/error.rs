//! Why a pair is not set up. Nothing has been written then.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::util::error::FileError;

/// Why nothing was written.
#[derive(Debug, Error)]
pub enum SetupError {
    /// What was asked for does not fit together, or does not fit this machine.
    #[error("nothing was written:\n{}", list(.0))]
    Unfit(Vec<String>),
    /// Files of an earlier setup.
    #[error(
        "nothing was written, because there are files already:\n{}\n--force replaces them and keeps each under another \
         name",
        list(&.0.iter().map(|path| path.display().to_string()).collect::<Vec<_>>())
    )]
    Existing(Vec<PathBuf>),
    /// A cluster manager that serves.
    #[error(
        "nothing was written: {0} runs here, and would go on with its old files and another key. Stop it first, on both \
         nodes: systemctl stop {0}"
    )]
    Running(&'static str),
    /// The file for the other node cannot be used.
    #[error("{} is no file of `hbctl init` that can be used here: {reason}", path.display())]
    Carried {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what helps.
        reason: String,
    },
    /// The end of input, or an answer that is not yes.
    #[error("nothing was written, as you wish")]
    Cancelled,
    #[error("cannot ask the kernel for its interfaces and its name")]
    Machine(#[source] io::Error),
    #[error("cannot get random bytes from the kernel")]
    Random(#[source] io::Error),
    #[error("cannot write the file for the other node")]
    Form(#[from] toml::ser::Error),
    #[error("cannot use the terminal")]
    Terminal(#[source] io::Error),
    #[error(transparent)]
    File(#[from] FileError),
}

/// One line for each.
fn list(lines: &[String]) -> String {
    lines.iter().map(|line| format!("  - {line}")).collect::<Vec<_>>().join("\n")
}
