//! `hbctl upgrade`: what the hooks of apt and rpm call, so that units which a package has stopped run again.
//!
//! Owns the notes of when package managers have begun, in hbd's directory below /run, which is there while hbd runs.
//! What is started is decided by hbd.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;
use zbus::connection::Builder;

use super::ask;
use super::error::CliError;
use crate::daemon::clock::moment;
use crate::daemon::held;
use crate::util::clock::microseconds;
use crate::util::error::failed;

/// The directory of the notes, in hbd's own. Each is an empty file whose name is a time of CLOCK_BOOTTIME in
/// microseconds.
const NOTES: &str = "upgrade";
/// How long hbd may take to answer: a package manager waits meanwhile.
const LIMIT: Duration = Duration::from_secs(3);

/// Notes that a package manager begins. Where hbd does not run there is nothing to note.
pub(super) fn begin() -> Result<Result<String, String>, CliError> {
    match note(Path::new(held::DIRECTORY), moment().monotonic.0) {
        Ok(()) => Ok(Ok("what is stopped from now on is started again by `hbctl upgrade end`".to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(CliError::NotRunning),
        Err(error) => Err(CliError::Write(failed("write", &Path::new(held::DIRECTORY).join(NOTES))(error))),
    }
}

/// Has hbd start what was stopped since the last [`begin`] without an end.
pub(super) async fn end(bus: Builder<'static>) -> Result<Result<String, String>, CliError> {
    match take_note(Path::new(held::DIRECTORY)) {
        Some(since) => {
            let asked = timeout(LIMIT, ask::ask(bus, "StartStopped", &(microseconds(since),))).await;
            let slow = || zbus::fdo::Error::TimedOut(format!("no answer in {} s", LIMIT.as_secs()));
            asked.unwrap_or_else(|_| Err(CliError::NoAnswer(slow().into())))
        }
        None => {
            Ok(Err("refused: there was no `hbctl upgrade begin` since the start of hbd; `hbctl cleanup` starts \
                        whatever was stopped"
                .to_owned()))
        }
    }
}

/// Beside the notes of others: their ends come later. That of a package manager which was killed stays, and harms
/// nobody: an end takes the newest.
fn note(directory: &Path, now: Duration) -> io::Result<()> {
    let notes = directory.join(NOTES);
    match fs::create_dir(&notes) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    File::create(notes.join(microseconds(now).to_string())).map(drop)
}

/// Takes away the newest note.
fn take_note(directory: &Path) -> Option<Duration> {
    let notes = directory.join(NOTES);
    let names = fs::read_dir(&notes).ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut begun: Vec<u64> = names.filter_map(|name| name.parse().ok()).collect();
    begun.sort_unstable();
    // Two ends may come at once: the note is that of the end which removes it.
    let taken = begun.into_iter().rev().find(|begun| fs::remove_file(notes.join(begun.to_string())).is_ok());
    taken.map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_takes_the_begin_before_it() {
        let directory = tempfile::tempdir().unwrap();
        let second = Duration::from_secs;
        assert_eq!(take_note(directory.path()), None);
        // The first is an administrator's, the second and third those of package managers in between.
        note(directory.path(), second(7)).unwrap();
        for begun in [9, 10] {
            note(directory.path(), second(begun)).unwrap();
            assert_eq!(take_note(directory.path()), Some(second(begun)));
        }
        assert_eq!(take_note(directory.path()), Some(second(7)));
        assert_eq!(take_note(directory.path()), None);
    }

    #[test]
    fn there_is_nothing_to_note_where_hbd_does_not_run() {
        let directory = tempfile::tempdir().unwrap();
        let error = note(&directory.path().join("none"), Duration::ZERO).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
