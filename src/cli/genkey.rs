//! `hbctl genkey`: a key that nobody can guess, from the kernel's random numbers.
//!
//! Owns the words that say what to do with it. Changes no file that exists.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::error::CliError;
use super::secret_key::SecretKey;
use crate::config::{AuthMethod, Files, load_authkeys};
use crate::util::error::failed;

/// What kind of key, and where it goes.
#[derive(Debug, Args)]
pub(super) struct GenkeyOptions {
    /// The method: hmac-sha256 between two hbds, sha1 beside a Heartbeat
    #[arg(long, default_value = "hmac-sha256", value_parser = ["hmac-sha256", "sha1"])]
    pub method: String,
    /// The key's number; without it the first that authkeys does not have
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=15))]
    pub number: Option<u8>,
    /// Write a new authkeys of mode 600 with this key alone, instead of showing the line; the file must not exist
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// Makes the key. Gives the line to print, and the exit status; what to do next goes to standard error.
pub(super) fn run(options: &GenkeyOptions) -> Result<(String, ExitCode), CliError> {
    make(options, &Files::default()).map(|line| (line, ExitCode::SUCCESS))
}

fn make(options: &GenkeyOptions, files: &Files) -> Result<String, CliError> {
    let secret = SecretKey::random().map_err(CliError::Random)?;
    let number = match (options.number, &options.file) {
        (Some(number), _) => number,
        (None, Some(_)) => 1,
        (None, None) => free_number(files),
    };
    let method = &options.method;
    let line = format!("{number} {method} {}\n", secret.reveal());
    let Some(path) = &options.file else {
        say(&next_steps(number, method));
        return Ok(line);
    };
    write(path, &format!("auth {number}\n{line}")).map_err(failed("write", path)).map_err(CliError::Write)?;
    let path = path.display();
    say(&format!("Copy {path} to the other node as it is, with mode 600: scp -p {path} NODE:{path}"));
    Ok(String::new())
}

/// The first number from 1 that the keys in use leave free.
fn free_number(files: &Files) -> u8 {
    let Ok(keys) = load_authkeys(files) else { return 1 };
    (1..=15).find(|number| !keys.keys.contains_key(number)).unwrap_or(0)
}

/// A new file that only its owner may read, never one that somebody has put there, nor what a link points to.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn next_steps(number: u8, method: &str) -> String {
    if method != AuthMethod::HmacSha256.to_string() {
        return format!(
            "Put this line into /etc/ha.d/authkeys on both nodes, and `auth {number}` above it. Where a Heartbeat is one of them, \
             both must change at the same moment (hbd.toml(5), [keys])."
        );
    }
    "Add this line to /etc/ha.d/authkeys of one node, leave `auth` and the other lines, and type `systemctl reload hbd`; \
     then the same line on the other node. As soon as both have it, both sign with it (`hbctl status` shows it), and \
     nothing was lost. Then write require = \"hmac-sha256\" under [keys] of /etc/hbd/hbd.toml on both nodes. Not beside \
     a Heartbeat, which refuses a file with this line."
        .to_owned()
}

/// Beside the key, so that this can go into a file.
fn say(text: &str) {
    // Nobody may be there to read it.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::config::AuthKeys;

    fn options(file: Option<PathBuf>) -> GenkeyOptions {
        GenkeyOptions { method: "hmac-sha256".to_owned(), number: None, file }
    }

    /// The keys of a tree that has an authkeys.
    fn keys(files: &Files) -> AuthKeys {
        load_authkeys(files).unwrap()
    }

    #[test]
    fn a_key_is_new_each_time_and_takes_a_free_number() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::below(directory.path());
        let first = make(&options(None), &files).unwrap();
        let second = make(&options(None), &files).unwrap();
        assert!(first.starts_with("1 hmac-sha256 ") && first != second, "{first}");
        assert_eq!(first.trim_end().rsplit(' ').next().unwrap().len(), 64, "32 bytes");
        fs::create_dir_all(files.authkeys.parent().unwrap()).unwrap();
        write(&files.authkeys, &format!("auth 1\n{first}3 sha1 0123456789abcdef\n")).unwrap();
        assert!(make(&options(None), &files).unwrap().starts_with("2 hmac-sha256 "));
    }

    #[test]
    fn a_file_is_whole_and_private_and_none_is_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::below(directory.path());
        fs::create_dir_all(files.authkeys.parent().unwrap()).unwrap();
        assert_eq!(make(&options(Some(files.authkeys.clone())), &files).unwrap(), "");
        assert_eq!(fs::metadata(&files.authkeys).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!((keys(&files).signing, keys(&files).keys[&1].method), (1, AuthMethod::HmacSha256));
        assert!(make(&options(Some(files.authkeys.clone())), &files).is_err());
        let (link, target) = (directory.path().join("link"), directory.path().join("target"));
        symlink(&target, &link).unwrap();
        assert!(make(&options(Some(link)), &files).is_err());
        assert!(!target.exists());
    }
}
