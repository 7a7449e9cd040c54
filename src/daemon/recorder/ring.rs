//! The files of the recordings: one directory, bounded, the oldest removed first.
//!
//! Owns their names and sizes. Knows nothing of what is in them. Everything here may block on the disk.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::util::error::{FileError, failed};

/// A file is ended when it has this many bytes, or an eighth of the whole.
const PART_MAX: u64 = 4 << 20;

/// How a new file is made; it must not exist yet.
pub type Create = fn(&Path) -> io::Result<File>;

/// The directory, and the file that is being written.
#[derive(Debug)]
pub struct Ring {
    directory: PathBuf,
    generation: u64,
    /// What all files may have together, in bytes.
    limit: u64,
    part: u32,
    create: Create,
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    path: PathBuf,
    writer: BufWriter<File>,
    /// Without the opening lines, so that a large state does not end the file it opens.
    size: u64,
}

/// A file that is there already; the oldest sorts first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kept {
    written: SystemTime,
    path: PathBuf,
    size: u64,
}

/// A new file, for root's eyes only.
pub fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

impl Ring {
    /// The ring in `directory`, which is made if it is not there. Writes nothing yet.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn open(directory: &Path, generation: u64, limit: u64, create: Create) -> Result<Ring, FileError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.map_err(failed("create", directory))?;
        let mut ring = Ring { directory: directory.to_owned(), generation, limit, part: 0, create, current: None };
        // Another daemon had this generation if the clock, or hb_generation, was set back.
        let parts = ring.files()?.into_iter().filter_map(|file| ring.part_of(&file.path));
        ring.part = parts.max().unwrap_or(0);
        Ok(ring)
    }

    fn path(&self, part: u32) -> PathBuf {
        self.directory.join(format!("events-{}-{part:04}.jsonl", self.generation))
    }

    /// The number of a file of this generation.
    fn part_of(&self, path: &Path) -> Option<u32> {
        let name = path.file_stem()?.to_str()?;
        name.strip_prefix("events-")?.strip_prefix(&self.generation.to_string())?.strip_prefix('-')?.parse().ok()
    }

    /// How many bytes a file gets, beside its opening lines.
    fn part_size(&self) -> u64 {
        PART_MAX.min(self.limit / 8)
    }

    /// How many it gets at most: it is ended a little late, when the core's thread has come with a state.
    fn part_most(&self) -> u64 {
        2 * self.part_size()
    }

    /// Whether the present file has its size.
    pub fn full(&self) -> bool {
        self.current.as_ref().is_some_and(|current| current.size >= self.part_size())
    }

    /// The number that the next file has, from 1.
    pub fn next_part(&self) -> u32 {
        self.part + 1
    }

    /// Ends the present file and begins the next with `opening`, after making space for all it may become.
    ///
    /// # Errors
    /// When the disk does not.
    pub fn begin(&mut self, opening: &[u8]) -> Result<(), FileError> {
        self.flush()?;
        self.current = None;
        self.make_room(self.part_most() + opening.len() as u64)?;
        self.part += 1;
        let path = self.path(self.part);
        let file = (self.create)(&path).map_err(failed("create", &path))?;
        let mut current = Current { path, writer: BufWriter::new(file), size: 0 };
        current.writer.write_all(opening).map_err(failed("write", &current.path))?;
        self.current = Some(current);
        Ok(())
    }

    /// Appends one line. False if it does not fit into the present file.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn append(&mut self, line: &[u8]) -> Result<bool, FileError> {
        let most = self.part_most();
        let Some(current) = &mut self.current else { return Ok(false) };
        let size = current.size + line.len() as u64;
        if size > most {
            return Ok(false);
        }
        current.size = size;
        current.writer.write_all(line).map_err(failed("write", &current.path))?;
        Ok(true)
    }

    /// Hands everything to the kernel, which writes it to the disk when it sees fit.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn flush(&mut self) -> Result<(), FileError> {
        let Some(current) = &mut self.current else { return Ok(()) };
        current.writer.flush().map_err(failed("write", &current.path))
    }

    /// Removes the oldest files until `wanted` more bytes fit.
    fn make_room(&self, wanted: u64) -> Result<(), FileError> {
        let mut files = self.files()?;
        files.sort();
        let mut total: u64 = files.iter().map(|file| file.size).sum();
        for Kept { path, size, .. } in files {
            if total + wanted <= self.limit {
                break;
            }
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("remove", &path)(error)),
                _ => total -= size,
            }
        }
        Ok(())
    }

    /// The files of all daemons that recorded here.
    fn files(&self) -> Result<Vec<Kept>, FileError> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(failed("read", &self.directory))? {
            let entry = entry.map_err(failed("read", &self.directory))?;
            let name = entry.file_name();
            let ours = name.to_str().is_some_and(|name| name.starts_with("events-") && name.ends_with(".jsonl"));
            if ours {
                let path = entry.path();
                let about = entry.metadata().map_err(failed("read", &path))?;
                let written = about.modified().map_err(failed("read", &path))?;
                found.push(Kept { written, path, size: about.len() });
            }
        }
        Ok(found)
    }
}
