//! A small file of Heartbeat's state, written so that neither a crash nor a full disk loses what it said.
//!
//! Owns the way of writing, and no file. The usual way makes a second file and renames it, which needs space. Where
//! there is none, a file of the same length is written over in one call: its blocks are there already, and a content
//! this short lies within one sector, which a disk writes whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::util::error::{FileError, failed};

/// Makes `content` the content of the file, on the disk when this returns.
///
/// # Errors
/// When neither way works; the file has its old content then. The reason is that of the first way.
pub fn write(path: &Path, content: &[u8]) -> Result<(), FileError> {
    let new = path.with_extension("new");
    replace(path, &new, content).or_else(|error| {
        // What is left of the attempt takes up space; there may be nothing.
        let _ = fs::remove_file(&new);
        overwrite(path, content).map_err(|_| failed("write", path)(error))
    })
}

/// Makes this, as JSON, the content of a file and of its copy in another directory; both are tried.
///
/// # Errors
/// The first one, as of [`write`], or when a directory cannot be made.
pub fn write_copies(paths: &[PathBuf; 2], content: &impl Serialize) -> Result<(), FileError> {
    let mut text = serde_json::to_vec(content).map_err(io::Error::from).map_err(failed("write", &paths[0]))?;
    text.push(b'\n');
    let written = paths.each_ref().map(|path| {
        let directory = path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(directory).map_err(failed("create", directory))?;
        write(path, &text)
    });
    written.into_iter().collect()
}

/// What one of them holds; `None` if it is not there.
///
/// # Errors
/// When it cannot be read, or is no JSON of this kind.
pub fn read_copy<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, FileError> {
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(io::Error::from).map_err(failed("read", path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

/// Whether a file can be made in this directory now; removed again at once.
///
/// # Errors
/// When it cannot, because the disk is full for instance.
pub fn probe(directory: &Path) -> Result<(), FileError> {
    let path = directory.join("hbd.probe");
    let made = create(&path, 0o600).and_then(|mut file| file.write_all(b"hbd looks whether it can write here\n"));
    let removed = match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    made.and(removed).map_err(failed("write to", directory))
}

fn replace(path: &Path, new: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = create(new, 0o644)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(new, path)?;
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

/// A new file. Heartbeat's directory belongs to another user, and a symbolic link of theirs must not have us write
/// elsewhere.
fn create(path: &Path, mode: u32) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    File::options().write(true).create_new(true).mode(mode).open(path)
}

fn overwrite(path: &Path, content: &[u8]) -> io::Result<()> {
    let file = File::options().write(true).custom_flags(libc::O_NOFOLLOW).open(path)?;
    if file.metadata()?.len() != content.len() as u64 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    file.write_all_at(content, 0)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_room_for_a_second_file_the_first_is_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hb_generation");
        fs::write(&path, "old\n").unwrap();
        // Nothing can be made at that name.
        fs::create_dir(directory.path().join("hb_generation.new")).unwrap();
        write(&path, b"new\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new\n");
        write(&path, b"longer\n").unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"new\n", "what does not fit changes nothing");
    }

    #[test]
    fn no_symbolic_link_is_followed() {
        let directory = tempfile::tempdir().unwrap();
        let [path, victim] = ["hb_generation", "victim"].map(|name| directory.path().join(name));
        for link in ["hb_generation.new", "hb_generation", "hbd.probe"] {
            fs::write(&victim, "kept\n").unwrap();
            let link = directory.path().join(link);
            let _ = fs::remove_file(&link);
            std::os::unix::fs::symlink(&victim, &link).unwrap();
            write(&path, b"one\n").unwrap();
            probe(directory.path()).unwrap();
            assert_eq!(fs::read(&victim).unwrap(), b"kept\n", "{}", link.display());
            assert_eq!(fs::read(&path).unwrap(), b"one\n");
        }
    }

    #[test]
    fn a_directory_that_takes_no_file_is_said_and_nothing_is_left() {
        let directory = tempfile::tempdir().unwrap();
        probe(directory.path()).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        let error = probe(&directory.path().join("none")).unwrap_err();
        assert!(error.to_string().starts_with("cannot write to "), "{error}");
    }
}
