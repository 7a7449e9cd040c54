//! Who may change the files that say what this machine does, and who may read the secrets in them.
//!
//! Warns only: what a Heartbeat accepted is accepted. Modes that refuse authkeys are in `authkeys`.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::diagnostic::{FileWord, Findings};

/// The uid of root.
const ROOT: u32 = 0;

/// Warns of a file that belongs to anybody but root and the user of this program: its owner can write it.
pub(super) fn check_owner(path: &Path, meta: &Metadata, findings: &mut Findings) {
    let ours = std::fs::metadata("/proc/self").map_or(ROOT, |own| own.uid());
    if meta.uid() != ROOT && meta.uid() != ours {
        let message = format!(
            "{} belongs to uid {}, which can change it and so control this machine",
            path.display(),
            meta.uid()
        );
        findings.warning(&FileWord::file(path), message, format!("chown root: {}", path.display()));
    }
}

/// Warns of a file with a password or a private key, named at `word`, that others can change or read.
pub(super) fn check_secret(word: &FileWord, path: &Path, findings: &mut Findings) {
    let Ok(meta) = std::fs::metadata(path) else { return };
    check_owner(path, &meta, findings);
    let (mode, shown) = (meta.mode() & 0o777, path.display());
    if mode & 0o066 != 0 {
        let message = format!("{shown} is a secret, and others may read or write it (mode is {mode:03o})");
        findings.warning(word, message, format!("chmod 600 {shown}"));
    }
}

/// Warns of a file that others can change, or, if it has secrets, read. A file that is not there has its own finding.
pub(super) fn check_file(path: &Path, secret: bool, findings: &mut Findings) {
    let Ok(meta) = std::fs::metadata(path) else { return };
    check_owner(path, &meta, findings);
    let (mode, shown) = (meta.mode() & 0o777, path.display());
    if mode & 0o022 != 0 {
        let message = format!("{shown} may be written by others (mode is {mode:03o}), who so control this machine");
        findings.warning(&FileWord::file(path), message, format!("chmod go-w {shown}"));
    }
    if secret && mode & 0o044 != 0 {
        let message =
            format!("{shown} has passwords of fencing devices, and others may read it (mode is {mode:03o})");
        findings.warning(&FileWord::file(path), message, format!("chmod 600 {shown}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_needs::missing;

    /// What is found about a file of this owner.
    fn found(uid: u32) -> Option<Vec<String>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        if let Err(error) = std::os::unix::fs::chown(file.path(), Some(uid), None) {
            missing("root", &format!("it gives a file to another user ({error}): run the tests as root"));
            return None;
        }
        let mut findings = Findings::default();
        check_owner(file.path(), &file.path().metadata().unwrap(), &mut findings);
        Some(findings.into_sorted().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_file_of_another_user_is_warned_of_and_one_of_root_is_not() {
        assert_eq!(found(ROOT).unwrap_or_default(), [""; 0]);
        let Some(said) = found(4711) else { return };
        let [said] = said.as_slice() else { panic!("{said:?}") };
        assert!(said.contains("belongs to uid 4711") && said.contains("chown root: "), "{said}");
    }
}
