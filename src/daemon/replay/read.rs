//! Reads a recording line by line, and says what is wrong with it.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde_json::Value;
use thiserror::Error;

use crate::daemon::recorder::line::{FORMAT, Header, RecordingLine};

/// A line as it is read.
pub type ReadLine = RecordingLine<Value>;

/// Why a recording is not replayed, or not to its end.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// It is something else.
    #[error(
        "{} is not a recording of hbd: its first line does not begin with {{\"recording\":…}}. Recordings are \
         /var/lib/hbd/events/events-*.jsonl",
        path.display()
    )]
    NotARecording {
        /// The file.
        path: PathBuf,
    },
    /// Another version has another format.
    #[error(
        "{} was recorded by hbd {version} in format {format}, and this hbd reads format {} only: replay it with \
         the hbd that recorded it",
        path.display(),
        FORMAT
    )]
    OtherFormat {
        /// The file.
        path: PathBuf,
        /// Who recorded.
        version: String,
        /// In which format.
        format: u64,
    },
    /// A line in the middle cannot be understood.
    #[error(
        "{}: line {line} is damaged. What was before it has been replayed; to see the rest, replay a copy without it \
         (sed {line}d FILE > COPY), but its decisions may then differ",
        path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line's number, from 1.
        line: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The state that another version wrote.
    #[error(
        "{}: line {line}: this version cannot take up the state of a daemon that was hbd {version}: replay the file \
         with that version, or the daemon's first file (events-…-0001.jsonl) if it is still there",
        path.display()
    )]
    State {
        /// The file.
        path: PathBuf,
        /// The line's number, from 1.
        line: u64,
        /// Who recorded.
        version: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Nobody takes what is shown.
    #[error("cannot write the timeline")]
    Output(#[from] io::Error),
}

/// A recording that is being read.
pub struct Reader<R> {
    path: PathBuf,
    lines: R,
    number: u64,
    /// The last line is incomplete: the power failed, or the daemon has not written it all yet.
    pub truncated: bool,
}

impl Reader<BufReader<File>> {
    /// The recording in a file, and how it begins.
    ///
    /// # Errors
    /// When it cannot be read, is none, or is in another format.
    pub fn open(path: &Path) -> Result<(Self, Header), ReplayError> {
        let file = File::open(path).map_err(|source| ReplayError::Read { path: path.to_owned(), source })?;
        Reader::new(path, BufReader::new(file))
    }
}

impl<R: BufRead> Reader<R> {
    fn new(path: &Path, lines: R) -> Result<(Self, Header), ReplayError> {
        let mut reader = Reader { path: path.to_owned(), lines, number: 0, truncated: false };
        let none = || ReplayError::NotARecording { path: path.to_owned() };
        let first = reader.bytes()?.ok_or_else(none)?;
        // Before anything that another format may have otherwise.
        let value: Value = serde_json::from_slice(&first).map_err(|_| none())?;
        let about = value.get("recording").ok_or_else(none)?;
        let format = about.get("format").and_then(Value::as_u64).ok_or_else(none)?;
        if format != u64::from(FORMAT) {
            let version = about.get("version").and_then(Value::as_str).unwrap_or("?").to_owned();
            return Err(ReplayError::OtherFormat { path: path.to_owned(), version, format });
        }
        match serde_json::from_slice(&first) {
            Ok(ReadLine::Recording(header)) => Ok((reader, *header)),
            Ok(_) => Err(none()),
            Err(source) => Err(reader.malformed(source)),
        }
    }

    /// The next line; `None` at the end.
    ///
    /// # Errors
    /// When it cannot be read or understood.
    pub fn next(&mut self) -> Result<Option<ReadLine>, ReplayError> {
        let Some(bytes) = self.bytes()? else { return Ok(None) };
        match serde_json::from_slice(&bytes) {
            Ok(line) => Ok(Some(line)),
            Err(_) if !bytes.ends_with(b"\n") => {
                self.truncated = true;
                Ok(None)
            }
            Err(source) => Err(self.malformed(source)),
        }
    }

    fn bytes(&mut self) -> Result<Option<Vec<u8>>, ReplayError> {
        let mut bytes = Vec::new();
        let read = self.lines.read_until(b'\n', &mut bytes);
        let length = read.map_err(|source| ReplayError::Read { path: self.path.clone(), source })?;
        self.number += 1;
        Ok((length > 0).then_some(bytes))
    }

    fn malformed(&self, source: serde_json::Error) -> ReplayError {
        ReplayError::Malformed { path: self.path.clone(), line: self.number, source }
    }

    /// The error for a state that cannot be taken up.
    pub fn bad_state(&self, version: &str, source: serde_json::Error) -> ReplayError {
        if version == env!("CARGO_PKG_VERSION") {
            return self.malformed(source);
        }
        ReplayError::State { path: self.path.clone(), line: self.number, version: version.to_owned(), source }
    }
}
