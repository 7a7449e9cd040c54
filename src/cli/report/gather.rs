//! What goes into the archive: files without their secrets, and what commands print.
//!
//! Owns the list. Every piece that cannot be had is named with the reason, and the others are there all the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::redact::Redactor;
use super::scrub::scrub;
use crate::cli::error::CliError;
use crate::config::Files;

/// Where a daemon keeps its recordings.
const RECORDINGS: &str = "var/lib/hbd/events";
/// How much of what a command prints is kept, its end.
const OUTPUT_LIMIT: usize = 64 << 20;

/// A file of the archive.
#[derive(Debug)]
pub(super) struct Piece {
    /// Its path in the archive.
    pub name: String,
    /// What it is.
    pub about: String,
    /// What is in it, or why it could not be had.
    pub content: Result<Vec<u8>, String>,
}

/// What this program prints with these words.
const OWN: [(&str, &[&str], &str); 6] = [
    ("hbctl/version", &["--version"], "the version of hbctl"),
    ("hbctl/status.json", &["status", "--json"], "the status"),
    ("hbctl/why", &["why"], "the last decisions"),
    ("hbctl/check", &["check"], "what is wrong in the files"),
    ("hbctl/doctor", &["doctor"], "what is risky"),
    ("hbctl/reload", &["reload", "--dry-run"], "what differs between the files and what runs"),
];

/// What other programs print.
const OTHERS: [(&str, &[&str], &str); 12] = [
    ("system/uname", &["uname", "-a"], "the kernel"),
    ("system/os-release", &["cat", "/etc/os-release"], "the distribution"),
    ("system/packages", &["sh", "-c", "dpkg -l 'hbd*' 'heartbeat*' || rpm -qa 'hbd*' 'heartbeat*'"], "packages"),
    ("system/time", &["timedatectl", "show"], "the clock"),
    ("ip/address", &["ip", "-details", "address"], "addresses"),
    ("ip/link", &["ip", "-statistics", "link"], "interfaces and their counters"),
    ("ip/route", &["ip", "route", "show", "table", "all"], "routes"),
    ("ip/rule", &["ip", "rule"], "rules"),
    ("ip/neighbour", &["ip", "neighbour"], "neighbours"),
    ("systemd/hbd", &["systemctl", "--no-pager", "--full", "status", "hbd.service"], "the state of hbd.service"),
    ("systemd/units", &["systemctl", "--no-pager", "--all", "list-units", "hbd*"], "the states of hbd's units"),
    ("systemd/jobs", &["systemctl", "--no-pager", "list-jobs"], "jobs of systemd"),
];

/// All pieces, from the files below `root` and from this machine's programs.
pub(super) fn gather(root: &Path, since: &str) -> Result<Vec<Piece>, CliError> {
    let redactor = Redactor::default();
    let mut pieces = configuration(&Files::below(root), &redactor);
    let own = std::env::current_exe().map_err(CliError::Runtime)?;
    for (name, words, about) in OWN {
        pieces.push(piece(name, about, output(Command::new(&own).args(words))));
    }
    for (name, words, about) in OTHERS {
        pieces.push(piece(name, about, output(Command::new(words[0]).args(&words[1..]))));
    }
    let mut journal = Command::new("journalctl");
    journal
        .args(["--no-pager", "--output=export", "--unit=hbd", "--unit=hbd-fence-*"])
        .arg(format!("--since={since}"));
    pieces.push(piece("journal/hbd.export", "records of hbd in the journal", output(&mut journal)));
    pieces.extend(recordings(&root.join(RECORDINGS)));
    scrub(pieces.iter_mut().filter_map(|piece| piece.content.as_mut().ok()), &redactor.seen());
    Ok(pieces)
}

fn piece(name: &str, about: &str, content: Result<Vec<u8>, String>) -> Piece {
    Piece { name: name.to_owned(), about: about.to_owned(), content }
}

/// How a file is freed of its secrets.
type Redact = fn(&Redactor, &str) -> Result<String, String>;

/// The files of hbd without their secrets.
fn configuration(files: &Files, redactor: &Redactor) -> Vec<Piece> {
    let texts: [(&str, &PathBuf, Redact); 5] = [
        ("etc/ha.cf", &files.ha_cf, Redactor::ha_cf),
        ("etc/haresources", &files.haresources, Redactor::haresources),
        ("etc/authkeys", &files.authkeys, Redactor::authkeys),
        ("etc/nodeinfo", &files.nodeinfo, |_, text| Ok(text.to_owned())),
        ("etc/hbd.toml", &files.hbd_toml, Redactor::toml),
    ];
    let read = |path: &Path, redact: Redact| {
        let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
        redact(redactor, &text).map(String::into_bytes)
    };
    let mut pieces: Vec<Piece> = texts
        .into_iter()
        .filter(|(_, path, _)| path.exists())
        .map(|(name, path, redact)| piece(name, "configuration, secrets blotted out", read(path, redact)))
        .collect();
    for path in
        listed(&files.hbd_toml_dir).into_iter().filter(|path| path.extension().is_some_and(|end| end == "toml"))
    {
        let name = format!("etc/hbd.toml.d/{}", file_name(&path));
        pieces.push(piece(&name, "configuration, secrets blotted out", read(&path, Redactor::toml)));
    }
    pieces
}

fn recordings(directory: &Path) -> Vec<Piece> {
    let found = listed(directory);
    if found.is_empty() {
        let why = match fs::read_dir(directory) {
            Ok(_) => "there are none".to_owned(),
            Err(error) => error.to_string(),
        };
        return vec![piece("recordings", "what hbd saw and decided", Err(why))];
    }
    let read = |path: &PathBuf| fs::read(path).map_err(|error| error.to_string());
    let named = |path: &PathBuf| format!("recordings/{}", file_name(path));
    found.iter().map(|path| piece(&named(path), "what hbd saw and decided", read(path))).collect()
}

/// The files in a directory, by name.
fn listed(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    paths.sort();
    paths
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What a program prints, on both outputs. That it fails is a fact like another one: its words are kept.
fn output(command: &mut Command) -> Result<Vec<u8>, String> {
    let ended = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let mut printed = ended.stdout;
    printed.extend(ended.stderr);
    if printed.len() > OUTPUT_LIMIT {
        printed.drain(..printed.len() - OUTPUT_LIMIT);
    }
    match ended.status.code() {
        _ if !printed.is_empty() => Ok(printed),
        Some(0) => Ok(printed),
        _ => Err(format!("it ended with {} and said nothing", ended.status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_go_in_without_keys_and_passwords() {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("etc/ha.d/ha.cf", "node nodea nodeb\nstonith_host nodea apcmaster 10.0.0.9 apc HIDDEN1\n"),
            ("etc/ha.d/authkeys", "auth 1\n1 sha1 HIDDEN2\n"),
            ("etc/hbd/hbd.toml", "[fence.\"nodeb\"]\nagent = \"fence_ipmilan\"\npassword = \"HIDDEN3\"\n"),
            ("etc/hbd/hbd.toml.d/a.toml", "[fence.\"nodea\"]\nagent = \"fence_x\"\npasswd_script = \"HIDDEN4\"\n"),
            ("etc/hbd/hbd.toml.d/b.toml", "[fence.\npassword = \"HIDDEN5\"\n"),
            ("var/lib/hbd/events/00000001.jsonl", "{\"word\": \"HIDDEN3\"}\n"),
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let redactor = Redactor::default();
        let mut pieces = configuration(&Files::below(root.path()), &redactor);
        pieces.extend(recordings(&root.path().join(RECORDINGS)));
        scrub(pieces.iter_mut().filter_map(|piece| piece.content.as_mut().ok()), &redactor.seen());
        let names: Vec<&str> = pieces.iter().map(|piece| piece.name.as_str()).collect();
        let wanted = ["etc/ha.cf", "etc/authkeys", "etc/hbd.toml", "etc/hbd.toml.d/a.toml", "etc/hbd.toml.d/b.toml"];
        assert_eq!(names[..5], wanted);
        assert_eq!(names[5..], ["recordings/00000001.jsonl"]);
        let text = |piece: &Piece| String::from_utf8(piece.content.clone().unwrap_or_default()).unwrap();
        let all: String = pieces.iter().map(text).collect();
        assert!(!all.contains("HIDDEN"), "{all}");
        assert!(all.contains("node nodea nodeb") && all.contains("agent = \"fence_ipmilan\""), "{all}");
        assert!(pieces[4].content.as_ref().unwrap_err().contains("no TOML"), "{:?}", pieces[4]);
    }

    #[test]
    fn a_program_that_is_not_there_is_named_and_one_that_fails_is_heard() {
        assert!(output(&mut Command::new("/none")).is_err());
        let said = output(Command::new("sh").args(["-c", "echo words >&2; exit 3"])).unwrap();
        assert_eq!(said, b"words\n");
    }
}
