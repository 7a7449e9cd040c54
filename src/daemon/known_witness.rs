//! How far the witness had come when it was seen last, across starts: one restored from a backup has gone back
//! (05 §3.15).
//!
//! Owns `witness.json` in StateDirectory=, and its copy in RuntimeDirectory= for a disk that takes nothing. Decides
//! nothing; written by the thread of [`super::known_peers`].

use std::io;
use std::path::{Path, PathBuf};

use log::warn;

use super::state_file;
use crate::cluster::WitnessStamp;
use crate::util::error::{FileError, error_chain, failed};

/// In both directories.
const FILE: &str = "witness.json";

/// Where the file and its copy are.
#[derive(Debug, Clone)]
pub struct WitnessFiles([PathBuf; 2]);

impl WitnessFiles {
    /// In these directories: the one that is gone after a reboot, and the one that stays.
    pub fn within(runtime: &Path, state: &Path) -> WitnessFiles {
        WitnessFiles([runtime, state].map(|directory| directory.join(FILE)))
    }

    /// What an earlier daemon has kept; of two that differ the one that a disk which took nothing did not get. A file
    /// that cannot be read is as good as none; that is logged.
    pub fn read(&self) -> Option<WitnessStamp> {
        self.0.iter().find_map(|path| {
            read(path).unwrap_or_else(|error| {
                warn!("{}: a witness that was restored from a backup is not recognised", error_chain(&error));
                None
            })
        })
    }

    /// Replaces what is kept.
    pub(super) fn write(&self, stamp: WitnessStamp) -> Result<(), FileError> {
        let mut text = serde_json::to_vec(&stamp).map_err(io::Error::from).map_err(failed("write", &self.0[0]))?;
        text.push(b'\n');
        let written = self.0.each_ref().map(|path| {
            let directory = path.parent().unwrap_or(Path::new("/"));
            std::fs::create_dir_all(directory).map_err(failed("create", directory))?;
            state_file::write(path, &text)
        });
        written.into_iter().collect()
    }
}

fn read(path: &Path) -> Result<Option<WitnessStamp>, FileError> {
    match std::fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(io::Error::from).map_err(failed("read", path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_last_is_known_after_a_reboot_and_on_a_full_disk() {
        let root = tempfile::tempdir().unwrap();
        let [run, state] = ["run", "state"].map(|name| root.path().join(name));
        let files = WitnessFiles::within(&run, &state);
        assert_eq!(files.read(), None);
        let stamp = |revision| WitnessStamp { cluster: u64::MAX, revision };
        files.write(stamp(7)).unwrap();
        std::fs::remove_dir_all(&run).unwrap();
        assert_eq!(files.read(), Some(stamp(7)));
        std::fs::remove_dir_all(&state).unwrap();
        std::fs::write(&state, "no directory").unwrap();
        assert!(files.write(stamp(8)).is_err());
        assert_eq!(files.read(), Some(stamp(8)));
        std::fs::write(run.join(FILE), "[{").unwrap();
        assert_eq!(files.read(), None);
    }
}
