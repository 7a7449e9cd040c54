//! The environment of the units that hbd makes, in files that only root may read.
//!
//! Owns these files and their form. `Environment=` of a unit can be read by every local user (`systemctl show`), and
//! the parameters of OCF agents, the words `env` of ha.cf and what is told to programs may be passwords. systemd
//! reads the file before each program of the unit, so it stays until the unit has stopped.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

use sha2::{Digest, Sha256};
use zbus::Variant;

use super::error::UnitError;
use super::proxy::Property;
use crate::util::error::failed;

/// Below RuntimeDirectory= of hbd.service.
const DIRECTORY: &str = "environment";
/// RuntimeDirectory= where systemd has not told it.
const RUNTIME: &str = "/run/hbd";
/// A file's name may have 255 bytes, and the name of a unit nearly as many before it is escaped.
const LONGEST_NAME: usize = 200;
/// What a backslash protects within double quotes (systemd.exec(5), "EnvironmentFile").
const SPECIAL: [char; 4] = ['"', '\\', '`', '$'];

fn directory() -> PathBuf {
    if cfg!(test) {
        return std::env::temp_dir().join(format!("hbd-environment-{}", std::process::id()));
    }
    let runtime = std::env::var_os("RUNTIME_DIRECTORY").map_or_else(|| PathBuf::from(RUNTIME), PathBuf::from);
    runtime.join(DIRECTORY)
}

/// The file of a unit; another unit has another one. systemd takes the path for a pattern of glob(7), so what means
/// something there, such as the backslash of `\x2d`, is written as its number.
fn file(unit: &str) -> PathBuf {
    let mut name = String::new();
    for byte in unit.bytes() {
        if byte.is_ascii_alphanumeric() || b"-.@:".contains(&byte) {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("_{byte:02x}"));
        }
    }
    if name.len() > LONGEST_NAME {
        // Its beginning is for people, the digest tells it from others.
        let digest: String = Sha256::digest(unit.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        name.truncate(LONGEST_NAME - digest.len());
        name.push_str(&digest);
    }
    directory().join(name)
}

/// `EnvironmentFiles` of a unit that is about to be made with these `NAME=VALUE`, which are written to its file.
///
/// # Errors
/// [`UnitError::Environment`].
pub(super) fn property(unit: &str, variables: &[String]) -> Result<Property<'static>, UnitError> {
    let path = file(unit);
    let written = write(unit, variables).map_err(failed("write", &path));
    written.map_err(|error| UnitError::Environment { unit: unit.to_owned(), source: error.into() })?;
    Ok(("EnvironmentFiles", Variant::from(vec![(path.display().to_string(), false)])))
}

/// The unit has stopped. What is left of a file that cannot be removed is written anew at the unit's next start.
pub(super) fn forget(unit: &str) {
    let _ = fs::remove_file(file(unit));
}

fn write(unit: &str, variables: &[String]) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory())?;
    let path = file(unit);
    // In one step: a program of the unit may be started at this moment.
    let new = file(&format!("{unit} new"));
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(text(variables).as_bytes())?;
    fs::rename(&new, &path)
}

/// A line each, in quotes that leave nothing to be interpreted.
fn text(variables: &[String]) -> String {
    let mut text = String::new();
    for (name, value) in variables.iter().filter_map(|variable| variable.split_once('=')) {
        text.push_str(name);
        text.push_str("=\"");
        for character in value.chars() {
            if SPECIAL.contains(&character) {
                text.push('\\');
            }
            text.push(character);
        }
        text.push_str("\"\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_root_s_alone_and_gone_with_its_unit() {
        let unit = "hbd-environment-test.service";
        let secret = ["OCF_RESKEY_password=hunter2".to_owned()];
        let (name, value) = property(unit, &secret).unwrap();
        assert_eq!(name, "EnvironmentFiles");
        assert!(!format!("{value:?}").contains("hunter2"), "every user may read this");
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(file(unit)), mode(directory())), (0o600, 0o700));
        property(unit, &secret).unwrap();
        assert_eq!(fs::read_to_string(file(unit)).unwrap(), "OCF_RESKEY_password=\"hunter2\"\n");
        forget(unit);
        forget(unit);
        assert!(!file(unit).exists());
    }

    #[test]
    fn no_name_of_a_unit_is_a_pattern() {
        let name = |unit: &str| file(unit).file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(name("hbd-lab\\x2dscript::one.service"), "hbd-lab_5cx2dscript::one.service");
        assert_ne!(name("a\\b"), name("a_5cb"));
    }

    #[test]
    fn nothing_in_a_value_is_interpreted() {
        let variables = ["A=a b".to_owned(), "B=\"$x`\\'#=\n;".to_owned(), "C=".to_owned()];
        assert_eq!(text(&variables), "A=\"a b\"\nB=\"\\\"\\$x\\`\\\\'#=\n;\"\nC=\"\"\n");
    }

    #[test]
    fn the_longest_units_have_files_of_their_own() {
        let unit = |last: &str| format!("hbd-{}{last}.service", "a-b_c\\".repeat(35));
        let [one, other] = [unit("1"), unit("2")].map(|unit| file(&unit));
        assert!(one != other && one.file_name().unwrap().len() <= LONGEST_NAME);
        property(&unit("1"), &["SECRET=hunter2".to_owned()]).unwrap();
        forget(&unit("1"));
    }
}
