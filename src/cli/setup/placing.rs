//! Puts files in place: all of them, or none.
//!
//! Owns the way that a file takes: written beside its place, then renamed, so that a reader sees the old file or the
//! new one and a full disk changes nothing. Never decides what they say.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::error::SetupError;
use super::files::PlannedFile;
use crate::util::error::{FileError, failed};

/// A file that was replaced, and the name under which it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub path: PathBuf,
    pub kept_as: PathBuf,
}

/// Those of the files that are there already.
pub(super) fn existing(files: &[PlannedFile]) -> Vec<PathBuf> {
    files.iter().map(|file| &file.path).filter(|path| path.symlink_metadata().is_ok()).cloned().collect()
}

/// Writes the files in their order. Files that are there are replaced, and kept under another name.
///
/// # Errors
/// The first failure; what was there before is then in place again.
pub(super) fn place(files: &[PlannedFile]) -> Result<Vec<Kept>, SetupError> {
    let written = files.iter().map(write_beside).collect::<Result<Vec<_>, FileError>>()?;
    let mut done: Vec<(PathBuf, Option<Kept>)> = Vec::new();
    for (file, beside) in files.iter().zip(written) {
        match replace(&file.path, beside) {
            Ok(kept) => done.push((file.path.clone(), kept)),
            Err(error) => {
                undo(done);
                return Err(error.into());
            }
        }
    }
    Ok(done.into_iter().filter_map(|(_, kept)| kept).collect())
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes a file to the disk that the kernel removes unless it is renamed.
fn write_beside(file: &PlannedFile) -> Result<NamedTempFile, FileError> {
    let directory = directory(&file.path);
    fs::create_dir_all(directory).map_err(failed("make", directory))?;
    let write = || -> io::Result<NamedTempFile> {
        let mut beside = NamedTempFile::new_in(directory)?;
        beside.write_all(file.text.as_bytes())?;
        beside.as_file().set_permissions(Permissions::from_mode(file.mode))?;
        beside.as_file().sync_all()?;
        Ok(beside)
    };
    write().map_err(failed("write", &file.path))
}

/// Renames the new file to its name, and keeps the old one.
fn replace(path: &Path, beside: NamedTempFile) -> Result<Option<Kept>, FileError> {
    let kept = keep(path).map_err(failed("keep", path))?;
    beside.persist(path).map_err(|error| failed("write", path)(error.error))?;
    // The rename counts only once the directory is on the disk; where that cannot be asked for, it will be soon.
    let _ = File::open(directory(path)).and_then(|directory| directory.sync_all());
    Ok(kept)
}

/// Gives the file that is there a second name, the first `NAME.old-1` that is free.
fn keep(path: &Path) -> io::Result<Option<Kept>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for number in 1_u32.. {
        let kept_as = path.with_file_name(format!("{name}.old-{number}"));
        match fs::hard_link(path, &kept_as) {
            Ok(()) => return Ok(Some(Kept { path: path.to_owned(), kept_as })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Puts back what was there. An error of it would hide the one that led here.
fn undo(done: Vec<(PathBuf, Option<Kept>)>) {
    for (path, kept) in done.into_iter().rev() {
        let _ = match kept {
            Some(kept) => fs::rename(kept.kept_as, path),
            None => fs::remove_file(path),
        };
    }
}
