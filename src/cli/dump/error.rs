//! Why `hbctl dump` cannot show anything.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::util::error::FileError;

/// Why nothing can be shown.
#[derive(Debug, Error)]
pub enum DumpError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("cannot use {}: {text}", path.display())]
    Keys { path: PathBuf, text: String },
    #[error("there is no interface {0}: `ip link` shows what there is")]
    Interface(String),
    #[error("cannot listen on {interface}, which needs root (CAP_NET_RAW)")]
    Listen {
        interface: String,
        #[source]
        error: io::Error,
    },
    #[error("{}: {text}", path.display())]
    Format { path: PathBuf, text: &'static str },
}
