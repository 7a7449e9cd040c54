//! `hbctl report`: everything that a report of a defect needs, in one file.
//!
//! | module | question it answers |
//! |---|---|
//! | [`gather`] | what is in the archive, and what could not be had? |
//! | [`redact`] | what must not leave the machine? |
//! | [`scrub`] | where else does that stand? |
//!
//! Owns the archive: a directory that only its owner can enter becomes a tar file that only its owner can read, and
//! is removed again. Changes nothing else. tar(1) packs it.

mod gather;
mod redact;
mod scrub;

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use tokio::runtime::Runtime;
use zbus::connection::Builder;

use super::error::CliError;
use super::fetch;
use crate::config::Host;
use crate::util::clock::now_usec;
use crate::util::error::failed;
use gather::Piece;

/// The list of what is in the archive.
const CONTENTS: &str = "CONTENTS";

/// Writes the archive. Gives the text that says what is in it.
pub(super) fn run(runtime: &Runtime, file: Option<&Path>, since: &str) -> Result<(String, ExitCode), CliError> {
    let node = match runtime.block_on(fetch::snapshot(Builder::system())) {
        Ok(snapshot) => snapshot.node,
        Err(_) => Host::of_this_machine().map_err(CliError::Runtime)?.node_name,
    };
    let name = name(&node, now_usec());
    let path = file.map_or_else(|| PathBuf::from(format!("{name}.tar.gz")), Path::to_owned);
    let pieces = gather::gather(Path::new("/"), since)?;
    pack(&pieces, &name, &path)?;
    Ok((described(&pieces, &path), ExitCode::SUCCESS))
}

/// `hbd-report-nodea-20261130-101500`, by the local clock.
fn name(node: &str, usec: u64) -> String {
    let moment = i64::try_from(usec).ok().and_then(|usec| jiff::Timestamp::from_microsecond(usec).ok());
    let zoned = moment.map(|moment| moment.to_zoned(jiff::tz::TimeZone::system()));
    let time = zoned.map_or_else(|| usec.to_string(), |zoned| zoned.strftime("%Y%m%d-%H%M%S").to_string());
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' };
    format!("hbd-report-{}-{time}", node.chars().map(plain).collect::<String>())
}

/// Makes the archive of these pieces below a directory of that name.
fn pack(pieces: &[Piece], name: &str, path: &Path) -> Result<(), CliError> {
    // Never a file that somebody has put there, nor what a link points to.
    let archive = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let archive = archive.map_err(failed("write", path)).map_err(CliError::Write)?;
    let packed = pack_into(&archive, pieces, name).map_err(failed("write", path)).map_err(CliError::Write);
    if packed.is_err() {
        // Half an archive is of no use; where it cannot be removed it stays.
        let _ = fs::remove_file(path);
    }
    packed
}

fn pack_into(archive: &File, pieces: &[Piece], name: &str) -> io::Result<()> {
    let staging = Staging::new()?;
    let below = staging.0.join(name);
    DirBuilder::new().mode(0o700).create(&below)?;
    write(&below.join(CONTENTS), contents(pieces).as_bytes())?;
    for piece in pieces {
        if let Ok(bytes) = &piece.content {
            write(&below.join(&piece.name), bytes)?;
        }
    }
    let status = Command::new("tar")
        .args(["--create", "--gzip", "--owner=0", "--group=0", "--directory"])
        .arg(&staging.0)
        .arg(name)
        .stdin(Stdio::null())
        .stdout(archive.try_clone()?)
        .status()
        .map_err(|error| io::Error::new(error.kind(), format!("tar cannot be run ({error}): install it")))?;
    if !status.success() {
        return Err(io::Error::other(format!("tar ended with {status}")));
    }
    archive.sync_all()
}

/// The directory in which the pieces are put together. Dropping this removes it.
struct Staging(PathBuf);

impl Staging {
    fn new() -> io::Result<Staging> {
        let directory = std::env::temp_dir().join(format!("hbd-report-{}-{}", std::process::id(), now_usec()));
        DirBuilder::new().mode(0o700).create(&directory)?;
        Ok(Staging(directory))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // Nobody else can read what stays.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(bytes)
}

/// What is in it, and what is not, a line each.
fn contents(pieces: &[Piece]) -> String {
    let mut text = String::new();
    for Piece { name, about, content } in pieces {
        // Writing to a String cannot fail.
        let _ = match content {
            Ok(bytes) => writeln!(text, "{name}  {about}, {} bytes", bytes.len()),
            Err(why) => writeln!(text, "{name}  {about}: not in it, {why}"),
        };
    }
    text
}

fn described(pieces: &[Piece], path: &Path) -> String {
    format!(
        "{}\n{} has all of this; only you can read it. Keys, passwords and arguments of programs in hbd's files \
         are blotted out everywhere. Names and addresses of the cluster are in it, and what its services wrote about \
         their failures: look before you send it.\n",
        contents(pieces),
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn piece(name: &str, content: Result<&str, &str>) -> Piece {
        let content = content.map(|text| text.as_bytes().to_vec()).map_err(str::to_owned);
        Piece { name: name.to_owned(), about: "a test's".to_owned(), content }
    }

    #[test]
    fn the_archive_has_what_it_says_and_is_for_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.tar.gz");
        let pieces = [piece("etc/ha.cf", Ok("node nodea\n")), piece("ip/address", Err("no ip"))];
        pack(&pieces, "hbd-report-nodea", &path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let tar = |arguments: &[&str]| {
            let ended = Command::new("tar").args(arguments).arg(&path).arg("hbd-report-nodea").output().unwrap();
            String::from_utf8(ended.stdout).unwrap()
        };
        let listed = tar(&["-tzf"]);
        assert!(listed.contains("hbd-report-nodea/CONTENTS") && listed.contains("/etc/ha.cf"), "{listed}");
        assert!(!listed.contains("ip/address"), "{listed}");
        let text = tar(&["-xzOf"]);
        assert!(text.contains("node nodea\n"), "{text}");
        assert!(text.contains("ip/address  a test's: not in it, no ip\n"), "{text}");
    }

    #[test]
    fn no_file_is_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.tar.gz");
        fs::write(&path, "mine").unwrap();
        assert!(pack(&[], "x", &path).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }

    #[test]
    fn a_name_of_a_node_is_no_path() {
        assert!(name("../no/dea", 1).starts_with("hbd-report-___no_dea-"));
    }
}
