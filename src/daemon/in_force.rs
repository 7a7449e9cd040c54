//! A copy of the files that the configuration in force was read from, for a successor that cannot use what is on disk
//! then.
//!
//! Owns the directory `in-force` in RuntimeDirectory=: it is gone after a reboot, and after a stop. It holds keys,
//! and nobody but root reads it. Never decides when the copy is used: [`super::start_check`] does.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::config::{self, Config, Files, Host, Loaded};
use crate::util::error::{FileError, failed};

/// Why the files are not kept.
#[derive(Debug, Error)]
pub enum KeepError {
    /// A file or directory.
    #[error(transparent)]
    File(#[from] FileError),
    /// Somebody wrote to the files meanwhile.
    #[error("the files changed while they were copied")]
    Changed,
}

/// The copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    files: Files,
    /// This machine as it was then, with the name of the node in force.
    host: Host,
}

impl InForce {
    /// The name of the node in force.
    pub fn node(&self) -> &str {
        &self.host.node_name
    }

    /// Reads the copy as [`config::load`] reads the files.
    pub fn load(&self) -> Loaded {
        config::load(&self.files, &self.host)
    }
}

/// What was kept in `runtime`; `None` if nothing was.
pub fn find(files: &Files, runtime: &Path) -> Option<InForce> {
    let place = runtime.join("in-force");
    let host = serde_json::from_slice(&fs::read(place.join("host.json")).ok()?).ok()?;
    Some(InForce { files: below(files, &place), host })
}

/// Keeps what `config` was read from. Whatever was kept before is replaced, or removed if this fails.
///
/// # Errors
/// See [`KeepError`].
pub fn keep(files: &Files, host: &Host, config: &Config, runtime: &Path) -> Result<(), KeepError> {
    let (place, new) = (runtime.join("in-force"), runtime.join("in-force.new"));
    remove(&new)?;
    let copied = copy(files, host, &config.node, &new).and_then(|copy| {
        let same = copy.load().config.is_some_and(|copied| copied == *config);
        if same { Ok(()) } else { Err(KeepError::Changed) }
    });
    let removed = remove(&place).map_err(KeepError::from);
    match copied.and(removed) {
        Ok(()) => Ok(fs::rename(&new, &place).map_err(failed("write", &place))?),
        Err(error) => {
            remove(&new)?;
            Err(error)
        }
    }
}

/// Keeps authkeys, which was read again. Without a copy of the other files there is nothing to add it to.
///
/// # Errors
/// See [`KeepError`]; what was kept before is kept.
pub fn keep_keys(files: &Files, runtime: &Path) -> Result<(), KeepError> {
    let Some(kept) = find(files, runtime) else { return Ok(()) };
    let new = kept.files.authkeys.with_extension("new");
    write(&new, &read(source_of_keys(files))?)?;
    Ok(fs::rename(&new, &kept.files.authkeys).map_err(failed("write", &kept.files.authkeys))?)
}

/// Nothing is kept any more.
///
/// # Errors
/// When the copy cannot be removed.
pub fn forget(runtime: &Path) -> Result<(), FileError> {
    remove(&runtime.join("in-force"))
}

/// The same files with their copies in place of those that people write. What else the machine has is looked for
/// where it is.
fn below(files: &Files, place: &Path) -> Files {
    Files {
        ha_cf: place.join("ha.cf"),
        authkeys: place.join("authkeys"),
        credential: None,
        haresources: place.join("haresources"),
        // Not copied: the name in force is that of `host`.
        nodeinfo: place.join("nodeinfo"),
        hbd_toml: place.join("hbd.toml"),
        hbd_toml_dir: place.join("hbd.toml.d"),
        ..files.clone()
    }
}

fn copy(files: &Files, host: &Host, node: &str, place: &Path) -> Result<InForce, KeepError> {
    let copies = below(files, place);
    for directory in [place, &copies.hbd_toml_dir] {
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed("create", directory))?;
    }
    // A pair that hbd.toml describes has neither ha.cf nor haresources.
    let pairs = [
        (&files.ha_cf, &copies.ha_cf),
        (&files.haresources, &copies.haresources),
        (&files.hbd_toml, &copies.hbd_toml),
    ];
    for (from, to) in pairs.into_iter().filter(|(from, _)| from.exists()) {
        write(to, &read(from)?)?;
    }
    write(&copies.authkeys, &read(source_of_keys(files))?)?;
    for from in drop_ins(&files.hbd_toml_dir)? {
        if let Some(name) = from.file_name() {
            write(&copies.hbd_toml_dir.join(name), &read(&from)?)?;
        }
    }
    let host = Host { node_name: node.to_owned(), ..host.clone() };
    let path = place.join("host.json");
    let text = serde_json::to_vec(&host).map_err(io::Error::from).map_err(failed("write", &path))?;
    write(&path, &text)?;
    Ok(InForce { files: copies, host })
}

/// The credential of systemd if there is one.
fn source_of_keys(files: &Files) -> &Path {
    files.credential.as_deref().filter(|path| path.exists()).unwrap_or(&files.authkeys)
}

fn drop_ins(directory: &Path) -> Result<Vec<PathBuf>, FileError> {
    match fs::read_dir(directory) {
        Ok(entries) => {
            let paths: io::Result<Vec<_>> = entries.map(|entry| Ok(entry?.path())).collect();
            let mut paths = paths.map_err(failed("read", directory))?;
            paths.retain(|path| config::is_drop_in(path));
            Ok(paths)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(failed("read", directory)(error)),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    fs::read(path).map_err(failed("read", path))
}

fn write(path: &Path, content: &[u8]) -> Result<(), FileError> {
    let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(content)).map_err(failed("write", path))
}

fn remove(directory: &Path) -> Result<(), FileError> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", directory)(error)),
        _ => Ok(()),
    }
}
