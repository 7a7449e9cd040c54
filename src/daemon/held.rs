//! What a daemon holds, written down for the program that comes after it: its successor, or `hbd --release`.
//!
//! Owns two files in RuntimeDirectory=, which is gone after a reboot, as are the addresses. `held.json` has the
//! groups of haresources and is written at the start. `beat` says which of them we hold and until when no peer can
//! have claimed them; it is written with every status we send, on the core's thread, which is all right because a
//! tmpfs never waits. A graceful stop removes both, and what `stopped_units` has noted.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::stopped_units;
use crate::cluster::GroupSet;
use crate::config::{Child, Group, UnitPolicies};
use crate::util::error::{FileError, failed};

/// RuntimeDirectory= of hbd.service.
pub const DIRECTORY: &str = "/run/hbd";

/// What the death of a daemon may leave running here, and how often it did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// The groups of haresources as that daemon read them.
    pub groups: Vec<Group>,
    /// What was in older groups and is still being released.
    #[serde(default)]
    pub leaving: Vec<Group>,
    /// When something was kept for a successor after a crash, CLOCK_BOOTTIME.
    pub kept: Vec<Duration>,
    /// `respawn` and `failfast` of ha.cf.
    #[serde(default)]
    pub children: Vec<Child>,
    /// `[units]` of hbd.toml.
    #[serde(default)]
    pub units: UnitPolicies,
}

/// What the peers have been told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beat {
    /// No peer takes us for dead before this moment, CLOCK_BOOTTIME.
    pub until: Duration,
    /// What we hold, by the groups' places in [`Held::groups`].
    pub hold: GroupSet,
    /// What of it is to go to the peer, by a changed haresources.
    pub returns: GroupSet,
    /// The peers know that a successor will come.
    pub planned: bool,
    /// The peer understands Heartbeat's two classes only.
    pub classes_only: bool,
    /// What was taken because the peer went away is to go back to it.
    pub failback: bool,
    /// What is not held any more and has not stopped.
    pub stopping: GroupSet,
    /// The other node is off for certain.
    pub peer_off: bool,
}

fn groups_file(directory: &Path) -> PathBuf {
    directory.join("held.json")
}

fn beat_file(directory: &Path) -> PathBuf {
    directory.join("beat")
}

/// A new file that only root may read: the parameters of OCF agents may be passwords.
fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    File::options().write(true).create_new(true).mode(0o600).open(path)?.write_all(content)
}

impl Held {
    /// Notes that everything in these groups may be held from now on.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, directory: &Path) -> Result<(), FileError> {
        let path = groups_file(directory);
        fs::create_dir_all(directory).map_err(failed("create", directory))?;
        let text = serde_json::to_vec_pretty(self).map_err(io::Error::from).map_err(failed("write", &path))?;
        let new = path.with_extension("new");
        write_private(&new, &text).map_err(failed("write", &new))?;
        fs::rename(&new, &path).map_err(failed("write", &path))
    }

    /// What a daemon noted that has not stopped gracefully; `None` if there was none.
    ///
    /// # Errors
    /// When there is something that cannot be read or understood.
    pub fn read(directory: &Path) -> Result<Option<Held>, FileError> {
        let path = groups_file(directory);
        match fs::read(&path) {
            Ok(text) => {
                serde_json::from_slice(&text).map(Some).map_err(io::Error::from).map_err(failed("understand", &path))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", &path)(error)),
        }
    }
}

/// The groups were released properly. What was still being released stays noted, for `hbd --release`.
///
/// # Errors
/// When a file cannot be removed or written.
pub fn forget(directory: &Path) -> Result<(), FileError> {
    stopped_units::forget(directory)?;
    if let Ok(Some(held)) = Held::read(directory)
        && !held.leaving.is_empty()
    {
        return Held { groups: Vec::new(), ..held }.write(directory);
    }
    for path in [groups_file(directory), beat_file(directory)] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("remove", &path)(error)),
            _ => {}
        }
    }
    Ok(())
}

/// The open file `beat`.
#[derive(Debug)]
pub struct BeatFile {
    file: File,
}

impl BeatFile {
    /// Opens it; what a predecessor wrote stays until the first [`BeatFile::write`].
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(directory: &Path) -> Result<BeatFile, FileError> {
        let path = beat_file(directory);
        let file = File::options().write(true).create(true).truncate(false).open(&path);
        Ok(BeatFile { file: file.map_err(failed("open", &path))? })
    }

    /// Writes over what is there, in one call and always of the same length.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn write(&self, beat: Beat) -> io::Result<()> {
        let Beat { until, hold, returns, planned, classes_only, failback, stopping, peer_off } = beat;
        let planned = if planned { "planned" } else { "-" };
        let classes = if classes_only { "classes" } else { "-" };
        let failback = if failback { "failback" } else { "-" };
        let off = if peer_off { "off" } else { "-" };
        let sets = [hold, returns, stopping].map(|set| set.text()).join(" ");
        let line = format!("{:>20} {planned:<7} {classes:<7} {failback:<8} {sets} {off:<3}\n", until.as_millis());
        self.file.write_all_at(line.as_bytes(), 0)
    }
}

/// What the last daemon wrote; `None` if it wrote nothing that makes sense.
pub fn last_beat(directory: &Path) -> Option<Beat> {
    let text = fs::read_to_string(beat_file(directory)).ok()?;
    // An older hbd wrote a shorter line over a longer one.
    let mut words = text.lines().next()?.split_whitespace();
    Some(Beat {
        until: Duration::from_millis(words.next()?.parse().ok()?),
        planned: words.next()? == "planned",
        classes_only: words.next()? == "classes",
        failback: words.next()? == "failback",
        hold: GroupSet::parse(words.next()?)?,
        returns: GroupSet::parse(words.next()?)?,
        // An older hbd did not note it.
        stopping: words.next().map_or(Some(GroupSet::NONE), GroupSet::parse)?,
        peer_off: words.next() == Some("off"),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::cluster::Set;

    #[test]
    fn a_beat_is_read_as_it_was_written_last() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(last_beat(directory.path()), None);
        let file = BeatFile::open(directory.path()).unwrap();
        assert_eq!(last_beat(directory.path()), None);
        let long = Beat {
            until: Duration::from_secs(123_456_789),
            hold: GroupSet::new([3, 1000], Set::FOREIGN),
            returns: GroupSet::new([1000], Set::NONE),
            planned: true,
            classes_only: true,
            failback: true,
            stopping: GroupSet::new([2], Set::NONE),
            peer_off: true,
        };
        let hold = GroupSet::new([0], Set::ALL);
        let until = Duration::from_millis(7);
        let (returns, stopping) = (GroupSet::NONE, GroupSet::NONE);
        let (planned, classes_only, failback, peer_off) = (false, false, false, false);
        let short = Beat { until, hold, returns, planned, classes_only, failback, stopping, peer_off };
        for beat in [long, short] {
            file.write(beat).unwrap();
            assert_eq!(last_beat(directory.path()), Some(beat));
        }
        let _successor = BeatFile::open(directory.path()).unwrap();
        assert_eq!(last_beat(directory.path()), Some(short), "the successor has not spoken yet");
    }

    /// What is started after a stop of hbd is started anew, also where something is left to be released.
    #[test]
    fn a_stop_forgets_what_was_stopped_by_hand_whatever_is_still_being_released() {
        let directory = tempfile::tempdir().unwrap();
        let group = Group { node: "nodea".into(), key: "web".into(), resources: Vec::new(), line: 1 };
        let held = Held { groups: vec![group.clone()], leaving: vec![group.clone()], ..Held::default() };
        held.write(directory.path()).unwrap();
        fs::write(directory.path().join("stopped.json"), "[]").unwrap();
        forget(directory.path()).unwrap();
        assert_eq!(Held::read(directory.path()).unwrap().unwrap().leaving, [group]);
        assert!(!directory.path().join("stopped.json").exists());
    }

    #[test]
    fn what_was_noted_is_there_until_it_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Held::read(directory.path()).unwrap(), None);
        let held = Held { kept: vec![Duration::from_secs(3)], ..Held::default() };
        held.write(directory.path()).unwrap();
        BeatFile::open(directory.path()).unwrap();
        assert_eq!(Held::read(directory.path()).unwrap(), Some(held));
        let mode = fs::metadata(directory.path().join("held.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "parameters of agents may be passwords");
        forget(directory.path()).unwrap();
        forget(directory.path()).unwrap();
        assert_eq!(Held::read(directory.path()).unwrap(), None);
        fs::write(directory.path().join("held.json"), "oops").unwrap();
        assert!(Held::read(directory.path()).unwrap_err().to_string().contains("cannot understand"));
    }
}
