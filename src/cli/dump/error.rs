//! Why `hbctl dump` cannot show anything.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why nothing can be shown.
#[derive(Debug, Error)]
pub(in crate::cli) enum DumpError {
    #[error("cannot read {}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("cannot use {}: {text}", path.display())]
    Keys { path: PathBuf, text: String },
    #[error("there is no interface {0}: `ip link` shows what there is")]
    Interface(String),
    #[error("cannot listen on {interface}: {error}. It needs root (CAP_NET_RAW)")]
    Listen { interface: String, error: io::Error },
    #[error("{}: {text}", path.display())]
    Format { path: PathBuf, text: &'static str },
}
