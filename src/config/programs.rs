//! Whether the programs that the files name are installed.
//!
//! Owns the search. Runs nothing.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::diagnostic::{FileWord, Findings};

/// Where programs of another machine are taken to be, whose programs are not known.
const SBIN: &str = "/usr/sbin";

/// Whether this is an executable regular file, links followed.
pub(super) fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// The path of a fence agent, which is written as a path or as a name in one of the directories. Reports a missing
/// one.
pub(super) fn fence_program(
    agent: &str,
    directories: &[PathBuf],
    at: &FileWord,
    findings: &mut Findings,
) -> Option<PathBuf> {
    let found = if agent.starts_with('/') {
        Some(PathBuf::from(agent)).filter(|path| directories.is_empty() || path.is_file())
    } else {
        program(agent, directories)
    };
    if found.is_none() {
        let help = "`apt install fence-agents` (dnf install fence-agents-all), or write the agent with its directory";
        findings.error(at, format!("there is no fence agent `{agent}` here"), help);
    }
    found
}

/// The file of that name in the first of these directories that has one; any file where there are no directories.
pub(super) fn program(name: &str, directories: &[PathBuf]) -> Option<PathBuf> {
    // A name with a slash would leave the directories.
    let plain = !name.is_empty() && !name.contains('/');
    if plain && directories.is_empty() {
        return Some(Path::new(SBIN).join(name));
    }
    directories.iter().filter(|_| plain).map(|directory| directory.join(name)).find(|path| path.is_file())
}
