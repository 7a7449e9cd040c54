//! `hbctl config export`: ha.cf and haresources as tables of hbd.toml, or these tables as ha.cf and haresources.
//!
//! Owns where the translated files go: a directory, or standard output. Changes no file that hbd reads.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::check::{self, CheckTarget};
use super::error::CliError;
use super::exit::EXIT_CONFIGURATION;
use crate::config::{self, Exported};
use crate::util::error::failed;

/// Translates the files. Gives the text, and the exit status: 6 if they have an error.
pub(super) fn run(
    subject: &CheckTarget,
    directory: Option<&Path>,
    colour: bool,
) -> Result<(String, ExitCode), CliError> {
    let (files, host) = check::files_and_host(subject)?;
    match config::export(&files, &host) {
        Ok(exported) => {
            let text = match directory {
                Some(directory) => {
                    let below = |path: &Path| directory.join(path.strip_prefix(&files.root).unwrap_or(path));
                    write(&exported, below)?;
                    put_in_force(&exported, below)
                }
                None => shown(&exported),
            };
            Ok((text, ExitCode::SUCCESS))
        }
        Err(found) => {
            let mut text: String =
                found.iter().map(|diagnostic| format!("{}\n\n", diagnostic.render(colour))).collect();
            text.push_str("nothing was translated\n");
            Ok((text, ExitCode::from(EXIT_CONFIGURATION)))
        }
    }
}

/// Writes the files, none of which may be there.
fn write(exported: &Exported, below: impl Fn(&Path) -> PathBuf) -> Result<(), CliError> {
    for file in &exported.files {
        let path = below(&file.path);
        let create = || -> io::Result<()> {
            if let Some(parent) = path.parent() {
                fs::DirBuilder::new().recursive(true).mode(0o755).create(parent)?;
            }
            let mut made = OpenOptions::new().write(true).create_new(true).mode(file.mode).open(&path)?;
            made.write_all(file.content.as_bytes())
        };
        create().map_err(failed("write", &path)).map_err(CliError::Write)?;
    }
    Ok(())
}

/// What was written, and what to type.
fn put_in_force(exported: &Exported, below: impl Fn(&Path) -> PathBuf) -> String {
    let mut text = String::new();
    for file in &exported.files {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "wrote {}", below(&file.path).display());
    }
    for note in &exported.notes {
        let _ = writeln!(text, "note: {note}");
    }
    text.push_str("\nTo put it in force:\n");
    for file in &exported.files {
        let path = file.path.display();
        let _ = writeln!(text, "    install -m {:o} {} {path}", file.mode, below(&file.path).display());
    }
    if !exported.obsolete.is_empty() {
        let obsolete: Vec<String> = exported.obsolete.iter().map(|path| path.display().to_string()).collect();
        let _ = writeln!(text, "    rm {}", obsolete.join(" "));
    }
    text.push_str("    hbctl check && systemctl restart hbd\n");
    text
}

/// All files one after the other, each below its name.
fn shown(exported: &Exported) -> String {
    let mut text = String::new();
    for file in &exported.files {
        let _ = writeln!(text, "# ==> {} <==\n{}", file.path.display(), file.content.trim_end());
        text.push('\n');
    }
    for note in &exported.notes {
        let _ = writeln!(text, "# note: {note}");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A copy of an example's files.
    fn copy(directory: &Path) -> CheckTarget {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/examples/seed-centos65");
        let ha_d = directory.join("etc/ha.d");
        fs::create_dir_all(&ha_d).unwrap();
        for (from, to) in [("nodea.ha.cf", "ha.cf"), ("authkeys", "authkeys"), ("haresources", "haresources")] {
            fs::copy(example.join(from), ha_d.join(to)).unwrap();
        }
        fs::set_permissions(ha_d.join("authkeys"), fs::Permissions::from_mode(0o600)).unwrap();
        CheckTarget { root: Some(directory.to_owned()), node: Some("nodea".to_owned()) }
    }

    #[test]
    fn the_files_go_to_a_directory_with_what_to_type_next() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let subject = copy(from.path());
        let (text, _) = run(&subject, Some(to.path()), false).unwrap();
        let path = to.path().join("etc/hbd/hbd.toml");
        assert!(
            text.contains(&format!("wrote {}", path.display())) && text.contains("haresources\n    hbctl check"),
            "{text}"
        );
        let written = fs::read_to_string(&path).unwrap();
        assert!(written.contains("[cluster]\nnodes = [\"nodea\", \"nodeb\"]"), "{written}");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(run(&subject, Some(to.path()), false).is_err(), "what is there is not replaced");
    }

    #[test]
    fn without_a_directory_they_are_shown() {
        let from = tempfile::tempdir().unwrap();
        let subject = copy(from.path());
        let (text, _) = run(&subject, None, false).unwrap();
        assert!(text.starts_with("# ==> ") && text.contains("\n[[group]]\n"), "{text}");
        fs::write(from.path().join("etc/ha.d/haresources"), "nodec 10.0.0.1\n").unwrap();
        let (text, code) = run(&subject, None, false).unwrap();
        assert!(text.contains("Bad nodename") && text.ends_with("nothing was translated\n"), "{text}");
        assert_eq!(code, ExitCode::from(EXIT_CONFIGURATION));
    }
}
