//! Who we are across restarts: generation and uuid, in Heartbeat's own files and formats (02 §4.1, 04 §4), so that a
//! node changes over and back and its peers never take it for a replay.
//!
//! Owns `/var/lib/heartbeat/hb_generation` and `hb_uuid`. Never guesses: a file that cannot be understood stops the
//! start, because a lower generation than the peers know locks us out until they restart.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use thiserror::Error;
use uuid::Uuid;

use crate::config::{GenerationMethod, UuidFrom};
use crate::util::error::{FileError, failed};

/// Where Heartbeat keeps its state.
pub const STATE_DIRECTORY: &str = "/var/lib/heartbeat";

/// Why we do not know who we are.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Larger than at any start before.
    pub generation: u64,
    /// The node's uuid.
    pub uuid: [u8; 16],
}

impl Identity {
    /// Reads, advances and writes back what is in `directory`.
    ///
    /// # Errors
    /// See [`IdentityError`]; nothing has been changed that would matter to a later start.
    pub fn load(
        directory: &Path,
        node: &str,
        generation: GenerationMethod,
        uuid: UuidFrom,
    ) -> Result<Identity, IdentityError> {
        fs::create_dir_all(directory).map_err(failed("create", directory))?;
        let generation = match generation {
            GenerationMethod::Time => seconds_now(),
            GenerationMethod::File => next_generation(&directory.join("hb_generation"))?,
        };
        let uuid = match uuid {
            UuidFrom::NodeName => uuid_of_name(node),
            UuidFrom::File => stored_uuid(&directory.join("hb_uuid"))?,
        };
        Ok(Identity { generation, uuid })
    }
}

fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs())
}

/// The number in the file plus one; the time plus one if there is no file. Written back and synced before it is used.
fn next_generation(path: &Path) -> Result<u64, IdentityError> {
    let last = match fs::read(path) {
        Ok(bytes) => {
            let number = std::str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse::<u64>().ok());
            number.ok_or_else(|| IdentityError::Generation { path: path.to_owned() })?
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => seconds_now(),
        Err(source) => return Err(failed("read", path)(source).into()),
    };
    let generation = last + 1;
    replace(path, format!("{generation:>15}\n").as_bytes())?;
    Ok(generation)
}

fn stored_uuid(path: &Path) -> Result<[u8; 16], IdentityError> {
    match fs::read(path) {
        Ok(bytes) => bytes.try_into().map_err(|_| IdentityError::Uuid { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let uuid = Uuid::new_v4().into_bytes();
            replace(path, &uuid)?;
            Ok(uuid)
        }
        Err(source) => Err(failed("read", path)(source).into()),
    }
}

/// All or nothing, on the disk when it returns.
fn replace(path: &Path, content: &[u8]) -> Result<(), IdentityError> {
    let new = path.with_extension("new");
    let write = || -> io::Result<()> {
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o644).open(&new)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
    };
    Ok(write().map_err(failed("write", path))?)
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
    use super::*;

    fn load(directory: &Path) -> Result<Identity, IdentityError> {
        Identity::load(directory, "nodea", GenerationMethod::File, UuidFrom::File)
    }

    #[test]
    fn the_generation_rises_in_heartbeats_own_format() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("hb_generation"), b"     1795306704\n").unwrap();
        assert_eq!(load(directory.path()).unwrap().generation, 1_795_306_705);
        let text = fs::read_to_string(directory.path().join("hb_generation")).unwrap();
        assert_eq!(text, "     1795306705\n");
        assert_eq!(load(directory.path()).unwrap().generation, 1_795_306_706);
    }

    #[test]
    fn a_first_start_begins_at_the_time_and_keeps_its_uuid() {
        let directory = tempfile::tempdir().unwrap();
        let before = seconds_now();
        let first = load(directory.path()).unwrap();
        assert!(first.generation > before);
        assert_eq!(load(directory.path()).unwrap().uuid, first.uuid);
        assert_eq!(fs::read(directory.path().join("hb_uuid")).unwrap(), first.uuid);
    }

    #[test]
    fn garbage_is_refused_with_what_to_write() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("hb_generation"), b"oops").unwrap();
        let error = load(directory.path()).unwrap_err().to_string();
        assert!(error.contains("hb_generation") && error.contains("date +%s"), "{error}");
        assert_eq!(fs::read(directory.path().join("hb_generation")).unwrap(), b"oops");
    }

    #[test]
    fn a_uuid_from_the_name_is_heartbeats() {
        let text = |name| Uuid::from_bytes(uuid_of_name(name)).to_string();
        assert_eq!(text("wsa"), "6e0d3f10-ef2d-b970-5479-a21a88fb50dc");
        assert_eq!(text("nodea"), "14df500c-0508-52f2-4c12-790b4c59b6ac");
    }
}
