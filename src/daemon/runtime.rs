//! What several threads begin with.

use super::error::StartError;
use crate::config::Config;

/// A runtime for the calling thread alone.
///
/// # Errors
/// When the kernel grants no file descriptors for it.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, StartError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Runtime)
}

/// The environment of the programs that hbd starts: `NAME=VALUE`.
pub(super) fn variables(config: &Config) -> Vec<String> {
    config.environment.iter().map(|(name, value)| format!("{name}={value}")).collect()
}
