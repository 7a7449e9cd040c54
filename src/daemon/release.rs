//! `hbd --release`, which systemd runs as ExecStopPost=: what a dead daemon left behind must not meet its new owner.
//!
//! Owns the file that says what this daemon may hold. A graceful stop removes it, so there is nothing to release then.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::config::{Group, Recipe, ResourceKind, Transient};
use crate::units::{Systemd, UnitError};
use crate::vip::VipError;

/// In RuntimeDirectory=: gone after a reboot, as are the addresses.
pub const HELD: &str = "/run/hbd/held.json";

/// How long a unit of a dead daemon may take to stop. Its own TimeoutStopSec= usually ends it earlier.
const STOP_LIMIT: Duration = Duration::from_secs(120);

/// Why something may still be there.
#[derive(Debug, Error)]
pub enum ReleaseError {
    /// The list of what was held cannot be written, read or removed.
    #[error("cannot {verb} {}", path.display())]
    File {
        /// What was tried.
        verb: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// An address could not be removed.
    #[error("an address may be left on this machine")]
    Address(#[from] VipError),
    /// A unit could not be stopped.
    #[error("a unit may be left running")]
    Unit(#[from] Box<UnitError>),
    /// systemd cannot be asked.
    #[error("cannot reach the system bus, so units may be left running")]
    Bus(#[from] zbus::Error),
}

fn failed<'a>(verb: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> ReleaseError + 'a {
    move |source| ReleaseError::File { verb, path: path.to_owned(), source }
}

/// Notes that everything in `groups` may be held from now on.
///
/// # Errors
/// When the file cannot be written.
pub fn note(path: &Path, groups: &[Group]) -> Result<(), ReleaseError> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(failed("create", directory))?;
    }
    let text = serde_json::to_vec_pretty(groups).map_err(io::Error::from).map_err(failed("write", path))?;
    let new = path.with_extension("new");
    fs::write(&new, text).map_err(failed("write", &new))?;
    fs::rename(&new, path).map_err(failed("write", path))
}

/// Everything was released properly.
///
/// # Errors
/// When the file cannot be removed.
pub fn forget(path: &Path) -> Result<(), ReleaseError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Releases what the file names. Goes on after an error and returns all of them.
///
/// Addresses go first, unlike in a graceful stop: the peer may claim them at any moment, a unit that is still stopping
/// harms nobody without them.
pub async fn release(path: &Path) -> Vec<ReleaseError> {
    let groups: Vec<Group> = match fs::read(path) {
        Ok(text) => match serde_json::from_slice(&text) {
            Ok(groups) => groups,
            Err(error) => return vec![failed("understand", path)(error.into())],
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => return vec![failed("read", path)(error)],
    };
    let mut addresses = Vec::new();
    let mut units = Vec::new();
    for resource in groups.iter().rev().flat_map(|group| group.resources.iter().rev()) {
        match &resource.kind {
            ResourceKind::Address(address) => addresses.push(address.clone()),
            ResourceKind::Unit(unit) => units.push((unit.as_str(), None)),
            ResourceKind::Transient(Transient { unit, recipe }) => units.push((unit.as_str(), Some(recipe))),
        }
    }
    let mut errors: Vec<_> = crate::vip::release(&addresses).await.into_iter().map(ReleaseError::from).collect();
    if !units.is_empty() {
        errors.extend(stop(&units).await);
    }
    if errors.is_empty() {
        errors.extend(forget(path).err());
    }
    errors
}

async fn stop(units: &[(&str, Option<&Recipe>)]) -> Vec<ReleaseError> {
    let systemd = match zbus::Connection::system().await {
        Ok(connection) => Systemd::new(connection).await,
        Err(error) => return vec![error.into()],
    };
    let systemd = match systemd {
        Ok(systemd) => systemd,
        Err(error) => return vec![Box::new(error).into()],
    };
    let mut errors = Vec::new();
    for (unit, recipe) in units {
        // The `stop` of a script that was never started here is not ours to run.
        let down = systemd.state(unit).await.is_ok_and(|state| state.active.is_down());
        let stopped = match recipe {
            Some(_) if down => Ok(()),
            None => systemd.stop_or_kill(unit, STOP_LIMIT).await,
            Some(recipe) => systemd.stop_made(unit, recipe, STOP_LIMIT).await,
        };
        errors.extend(stopped.map_err(Box::new).err().map(ReleaseError::from));
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_noted_is_nothing_to_release() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("held.json");
        note(&path, &[]).unwrap();
        assert!(release(&path).await.is_empty());
        assert!(!path.exists());
        assert!(release(&path).await.is_empty());
        forget(&path).unwrap();
    }

    #[tokio::test]
    async fn a_list_that_cannot_be_understood_is_reported_and_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("held.json");
        fs::write(&path, "oops").unwrap();
        assert_eq!(release(&path).await.len(), 1);
        assert!(path.exists());
    }
}
