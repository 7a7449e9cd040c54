//! How far the witness had come when it was seen last, across starts: one restored from a backup has gone back
//! (05 §3.15).
//!
//! Owns `witness.json` in StateDirectory=, and its copy in RuntimeDirectory= for a disk that takes nothing. Decides
//! nothing; written by the thread of [`super::known_peers`].

use std::path::{Path, PathBuf};

use log::warn;

use super::state_file;
use crate::cluster::WitnessStamp;
use crate::util::error::{FileError, error_chain};

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
            state_file::read_copy(path).unwrap_or_else(|error| {
                warn!("{}: a witness that was restored from a backup is not recognised", error_chain(&error));
                None
            })
        })
    }

    /// Replaces what is kept.
    pub(super) fn write(&self, stamp: WitnessStamp) -> Result<(), FileError> {
        state_file::write_copies(&self.0, &stamp)
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
