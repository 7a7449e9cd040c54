//! Who we are across restarts: generation and uuid, in Heartbeat's own files and formats (02 §4.1, 04 §4), so that a
//! node changes over and back and its peers never take it for a replay.
//!
//! Owns `/var/lib/heartbeat/hb_generation` and `hb_uuid`, and `identity.json` in RuntimeDirectory=, a copy for the
//! next daemon since the machine booted. A file that cannot be written is no reason to end: the number used is then
//! above everything that is known, and the caller is told what is not saved. A file that cannot be understood, with
//! no copy, stops the start, because a lower generation than the peers know locks us out until they restart.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use log::warn;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use super::{held, state_file};
use crate::config::{Config, GenerationMethod, UuidFrom};
use crate::util::error::{FileError, error_chain, failed};

/// Where Heartbeat keeps its state.
pub const STATE_DIRECTORY: &str = "/var/lib/heartbeat";

/// Why we do not know who we are.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// The generation file holds no number.
    #[error(
        "{} does not hold a number: the peers would take every message for a replay. Write a number above the \
         generation that the peer knows (its log, 'curgen') or, if that is unknown, the output of `date +%s`",
        path.display()
    )]
    Generation {
        /// The file.
        path: PathBuf,
    },
    /// The uuid file is not 16 bytes long.
    #[error("{} is not 16 bytes long: remove it, a new uuid will be made", path.display())]
    Uuid {
        /// The file.
        path: PathBuf,
    },
}

/// Generation and uuid of this start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Larger than at any start before.
    pub generation: u64,
    /// The node's uuid.
    pub uuid: [u8; 16],
}

/// Where an identity is kept, and how it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    /// `/var/lib/heartbeat`.
    pub state: PathBuf,
    /// RuntimeDirectory=.
    pub runtime: PathBuf,
    /// Our name.
    pub node: String,
    /// `hbgenmethod`.
    pub generation: GenerationMethod,
    /// `uuidfrom`.
    pub uuid: UuidFrom,
}

impl Register {
    /// On this machine, by this configuration.
    pub fn of(config: &Config) -> Register {
        Register {
            state: PathBuf::from(STATE_DIRECTORY),
            runtime: PathBuf::from(held::DIRECTORY),
            node: config.node.clone(),
            generation: config.generation_method,
            uuid: config.uuid_from,
        }
    }

    /// Advances what the files and the last daemon's copy say, and saves it before it is used. The error beside it is
    /// the reason why it is not saved.
    ///
    /// # Errors
    /// See [`IdentityError`]; nothing has been changed.
    pub fn advance(&self) -> Result<(Identity, Option<FileError>), IdentityError> {
        let mut identity = self.next()?;
        let saved = self.save(identity);
        if saved.is_err() {
            // After a reboot the file says what it says now, and the clock more than today: see `next_generation`.
            identity.generation = identity.generation.max(self.now());
        }
        self.note(identity);
        Ok((identity, saved.err()))
    }

    /// What [`Register::advance`] would give if everything could be written.
    ///
    /// # Errors
    /// See [`IdentityError`].
    pub fn next(&self) -> Result<Identity, IdentityError> {
        let noted = self.noted();
        let generation = match self.generation {
            GenerationMethod::Time => noted.map_or(0, |noted| noted.generation + 1).max(self.now()),
            GenerationMethod::File => self.next_generation(noted.map(|noted| noted.generation))?,
        };
        let uuid = match self.uuid {
            UuidFrom::NodeName => uuid_of_name(&self.node),
            UuidFrom::File => self.known_uuid(noted.map(|noted| noted.uuid))?,
        };
        Ok(Identity { generation, uuid })
    }

    /// Writes to the files what they do not say yet. A generation is never lowered.
    ///
    /// # Errors
    /// When one of the files cannot be written.
    pub fn save(&self, identity: Identity) -> Result<(), FileError> {
        fs::create_dir_all(&self.state).map_err(failed("create", &self.state))?;
        let path = self.state.join("hb_generation");
        let behind = !matches!(read_number(&path), Ok(Some(number)) if number >= identity.generation);
        if self.generation == GenerationMethod::File && behind {
            state_file::write(&path, format!("{:>15}\n", identity.generation).as_bytes())?;
        }
        let path = self.state.join("hb_uuid");
        if self.uuid == UuidFrom::File && fs::read(&path).map_or(true, |bytes| bytes != identity.uuid) {
            state_file::write(&path, &identity.uuid)?;
        }
        Ok(())
    }

    /// The number in the file, or the copy's if that is higher, plus one; the time plus one if neither is known.
    /// Without a copy never less than the time: before the machine was booted a number may have been used that could
    /// not be saved, and that was about the time of its start.
    fn next_generation(&self, noted: Option<u64>) -> Result<u64, IdentityError> {
        let path = self.state.join("hb_generation");
        let last = match read_number(&path) {
            Ok(number) => number.max(noted),
            Err(error) if error.kind() == io::ErrorKind::InvalidData && noted.is_none() => {
                return Err(IdentityError::Generation { path });
            }
            Err(_) => noted,
        };
        let next = last.unwrap_or_else(|| self.now()).checked_add(1).ok_or(IdentityError::Generation { path })?;
        Ok(if noted.is_none() { next.max(self.now().saturating_add(1)) } else { next })
    }

    fn known_uuid(&self, noted: Option<[u8; 16]>) -> Result<[u8; 16], IdentityError> {
        let path = self.state.join("hb_uuid");
        match fs::read(&path) {
            Ok(bytes) => match (bytes.try_into(), noted) {
                (Ok(uuid), _) => Ok(uuid),
                (Err(_), Some(noted)) => Ok(noted),
                (Err(_), None) => Err(IdentityError::Uuid { path }),
            },
            Err(_) => Ok(noted.unwrap_or_else(|| Uuid::new_v4().into_bytes())),
        }
    }

    /// Seconds since 1970. A clock that is before the newest of our files is wrong: those were written with another.
    fn now(&self) -> u64 {
        let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let files = ["", "hb_generation", "hb_uuid"].map(|name| self.state.join(name));
        let written = files.iter().filter_map(|path| fs::metadata(path).ok()?.modified().ok()).map(seconds).max();
        seconds(SystemTime::now()).max(written.unwrap_or(0)).max(1)
    }

    fn noted(&self) -> Option<Identity> {
        let text = fs::read(self.copy()).ok()?;
        let found: Identity = serde_json::from_slice(&text).ok()?;
        (found.generation < u64::MAX).then_some(found)
    }

    fn note(&self, identity: Identity) {
        let path = self.copy();
        let noted = serde_json::to_vec(&identity).map_err(io::Error::from).map_err(failed("write", &path));
        let noted = noted.and_then(|text| {
            fs::create_dir_all(&self.runtime).map_err(failed("create", &self.runtime))?;
            state_file::write(&path, &text)
        });
        if let Err(error) = noted {
            warn!("{}: only the files in {} say who this node is", error_chain(&error), self.state.display());
        }
    }

    fn copy(&self) -> PathBuf {
        self.runtime.join("identity.json")
    }
}

/// The number in the file; `None` without a file. [`io::ErrorKind::InvalidData`] for something else.
fn read_number(path: &Path) -> io::Result<Option<u64>> {
    match fs::read(path) {
        Ok(bytes) => {
            let number = std::str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse().ok());
            number.map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// `uuidfrom nodename` (01 §1.5.4): a hash of the name seeds the C library's generator, whose numbers are the digits.
fn uuid_of_name(name: &str) -> [u8; 16] {
    let hash = name.bytes().fold(0i32, |hash, byte| hash.wrapping_mul(31).wrapping_add(i32::from(byte as i8)));
    let mut digits = glibc_rand(hash as u32).map(|number| (number % 16) as u8);
    std::array::from_fn(|_| digits.next().unwrap_or(0) << 4 | digits.next().unwrap_or(0))
}

/// glibc's rand() after srand(seed): an additive feedback generator over 31 words, 310 numbers thrown away.
fn glibc_rand(seed: u32) -> impl Iterator<Item = u32> {
    let mut state: Vec<u32> = Vec::with_capacity(34);
    state.push(seed.max(1));
    for index in 1..31 {
        let word = 16_807 * i64::from(state[index - 1] as i32) % 2_147_483_647;
        state.push((if word < 0 { word + 2_147_483_647 } else { word }) as u32);
    }
    state.extend_from_within(0..3);
    let mut next = move || {
        let length = state.len();
        let number = state[length - 31].wrapping_add(state[length - 3]);
        state.push(number);
        number >> 1
    };
    for _ in 0..310 {
        next();
    }
    std::iter::repeat_with(next)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use super::*;

    /// A machine with a state directory and a runtime directory.
    fn machine() -> (tempfile::TempDir, Register) {
        let root = tempfile::tempdir().unwrap();
        let [state, runtime] = ["state", "run"].map(|name| root.path().join(name));
        fs::create_dir(&state).unwrap();
        let node = "nodea".to_owned();
        let register = Register { state, runtime, node, generation: GenerationMethod::File, uuid: UuidFrom::File };
        (root, register)
    }

    /// Nothing can be written to the state directory: neither a second file, nor over what is there.
    fn fill(register: &Register) {
        for name in ["hb_generation", "hb_uuid"] {
            let path = register.state.join(name);
            let _ = fs::remove_file(&path);
            let _ = fs::remove_dir(&path);
            fs::create_dir(&path).unwrap();
            fs::create_dir_all(path.with_extension("new")).unwrap();
        }
    }

    fn empty(register: &Register) {
        for name in ["hb_generation", "hb_generation.new", "hb_uuid", "hb_uuid.new"] {
            fs::remove_dir(register.state.join(name)).unwrap();
        }
    }

    fn saved(register: &Register) -> Identity {
        let (identity, unsaved) = register.advance().unwrap();
        assert!(unsaved.is_none(), "{unsaved:?}");
        identity
    }

    fn clock() -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
    }

    #[test]
    fn the_generation_rises_in_heartbeats_own_format() {
        let (_root, register) = machine();
        let path = register.state.join("hb_generation");
        // A clock that was ahead: the number never falls back to the time.
        fs::write(&path, b"     9795306704\n").unwrap();
        assert_eq!(saved(&register).generation, 9_795_306_705);
        assert_eq!(fs::read_to_string(&path).unwrap(), "     9795306705\n");
        assert_eq!(saved(&register).generation, 9_795_306_706);
    }

    #[test]
    fn after_a_reboot_with_the_disk_mended_no_number_is_used_again_that_could_not_be_saved() {
        let (_root, register) = machine();
        let path = register.state.join("hb_generation");
        fill(&register);
        let (unsaved, error) = register.advance().unwrap();
        assert!(error.is_some());
        // The disk says what it said before, and /run is empty.
        empty(&register);
        fs::write(&path, b"            100\n").unwrap();
        fs::remove_dir_all(&register.runtime).unwrap();
        let next = saved(&register);
        assert!(next.generation >= unsaved.generation, "{next:?} after {unsaved:?}");
        assert_eq!(read_number(&path).unwrap(), Some(next.generation));
        assert_eq!(saved(&register).generation, next.generation + 1, "within one boot it rises by one");
    }

    #[test]
    fn a_first_start_begins_at_the_time_and_keeps_its_uuid() {
        let (_root, register) = machine();
        let before = clock();
        let first = saved(&register);
        assert!(first.generation > before);
        assert_eq!(saved(&register).uuid, first.uuid);
        assert_eq!(fs::read(register.state.join("hb_uuid")).unwrap(), first.uuid);
    }

    #[test]
    fn garbage_is_refused_with_what_to_write() {
        let (_root, register) = machine();
        let path = register.state.join("hb_generation");
        fs::write(&path, b"oops").unwrap();
        let error = register.advance().unwrap_err().to_string();
        assert!(error.contains("hb_generation") && error.contains("date +%s"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"oops");
    }

    #[test]
    fn the_highest_number_there_is_has_no_next_one_and_is_refused() {
        let (_root, register) = machine();
        let path = register.state.join("hb_generation");
        let text = format!("{:>15}\n", u64::MAX);
        fs::write(&path, &text).unwrap();
        let error = register.advance().unwrap_err();
        assert!(matches!(error, IdentityError::Generation { .. }), "{error:?}");
        assert!(error.to_string().contains("date +%s"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn garbage_is_mended_while_the_last_daemon_is_remembered() {
        let (_root, register) = machine();
        let first = saved(&register);
        fs::write(register.state.join("hb_generation"), b"oops").unwrap();
        fs::write(register.state.join("hb_uuid"), b"oops").unwrap();
        let second = saved(&register);
        assert_eq!(second, Identity { generation: first.generation + 1, ..first });
        assert_eq!(read_number(&register.state.join("hb_generation")).unwrap(), Some(second.generation));
    }

    #[test]
    fn a_state_directory_that_cannot_be_written_ends_nothing_and_lowers_nothing() {
        let (_root, register) = machine();
        let first = saved(&register);
        fill(&register);
        let before = clock();
        let (second, unsaved) = register.advance().unwrap();
        assert!(unsaved.is_some());
        assert_eq!(second.uuid, first.uuid);
        assert!(second.generation > first.generation && second.generation >= before);
        let (third, _) = register.advance().unwrap();
        assert!(third.generation > second.generation, "also within one second");

        // There is space again: what is in force is saved.
        empty(&register);
        register.save(third).unwrap();
        assert_eq!(read_number(&register.state.join("hb_generation")).unwrap(), Some(third.generation));
        register.save(first).unwrap();
        assert_eq!(read_number(&register.state.join("hb_generation")).unwrap(), Some(third.generation), "never back");
        assert_eq!(saved(&register).generation, third.generation + 1);
    }

    #[test]
    fn after_a_reboot_with_the_disk_still_full_the_clock_tells_a_higher_number() {
        let (_root, register) = machine();
        fill(&register);
        let (first, _) = register.advance().unwrap();
        fs::remove_dir_all(&register.runtime).unwrap();
        let before = clock();
        let (second, unsaved) = register.advance().unwrap();
        assert!(unsaved.is_some());
        assert!(second.generation >= before.max(first.generation));
    }

    #[test]
    fn a_clock_before_our_own_files_is_not_believed() {
        let (_root, register) = machine();
        let later = SystemTime::now() + Duration::from_secs(1_000_000);
        let uuid = File::create(register.state.join("hb_uuid")).unwrap();
        uuid.set_len(16).unwrap();
        uuid.set_modified(later).unwrap();
        assert!(saved(&register).generation > clock() + 999_000);
    }

    #[test]
    fn two_starts_in_one_second_by_the_clock_differ() {
        let (_root, register) = machine();
        let register = Register { generation: GenerationMethod::Time, ..register };
        let (first, second) = (saved(&register), saved(&register));
        assert!(second.generation > first.generation);
        assert!(!register.state.join("hb_generation").exists());
    }

    #[test]
    fn a_uuid_from_the_name_is_heartbeats() {
        let text = |name| Uuid::from_bytes(uuid_of_name(name)).to_string();
        assert_eq!(text("wsa"), "6e0d3f10-ef2d-b970-5479-a21a88fb50dc");
        assert_eq!(text("nodea"), "14df500c-0508-52f2-4c12-790b4c59b6ac");
    }
}
