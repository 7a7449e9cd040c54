//! `respawn` and `failfast` of ha.cf, the programs that run while this node is active (04 §9), and `apiauth`, the
//! clients of Heartbeat's socket (04 §7.2).
//!
//! Owns which of these lines start a program, and which name a program that hbd replaces or cannot serve. Starts
//! nothing.

use std::collections::BTreeSet;

use super::lines::Statement;
use crate::config::diagnostic::{FileWord, Findings};
use crate::config::directives::Directive;
use crate::config::files::Files;
use crate::config::host::Host;
use crate::config::types::Child;

/// Heartbeat accepts user names shorter than this, in bytes.
const MAX_USER: usize = 64;
/// Longest client name of `apiauth`, in bytes.
const MAX_CLIENT: usize = 31;

/// Pacemaker's programs. A line with one of them expects Pacemaker to manage the resources.
const PACEMAKER: [&str; 9] =
    ["ccm", "cib", "crmd", "lrmd", "stonithd", "stonith-ng", "attrd", "pengine", "haclient.py"];

/// Programs that need Heartbeat's client socket, and what replaces them here.
const CLIENTS: [(&str, &str); 6] = [
    ("pingd", "ping nodes decide with ipfail: write `respawn hacluster /usr/lib/heartbeat/ipfail`"),
    (
        "dopd",
        "let DRBD call a fence-peer handler that does without Heartbeat, and change its path in DRBD's configuration",
    ),
    ("apphbd", "systemd's WatchdogSec= does that"),
    ("mgmtd", "use hbctl"),
    ("hbagent", "ask hbd over D-Bus, or `hbctl metrics`"),
    ("cl_status", "use `hbctl watch`"),
];

/// What a `respawn` or `failfast` line starts.
#[derive(Debug)]
pub(super) enum ChildLine {
    /// ipfail, which is part of hbd; the word is its command.
    Ipfail(FileWord),
    /// A program.
    Program(Child),
}

/// Reads a `respawn` or `failfast` line, the `number`th of both. `None` if it starts nothing; then that is reported.
pub(super) fn read(
    statement: &Statement,
    directive: &Directive,
    number: usize,
    (files, host): (&Files, &Host),
    findings: &mut Findings,
) -> Option<ChildLine> {
    let [user, command, arguments @ ..] = statement.words.as_slice() else {
        let message = format!("`{}` needs a user and a command", directive.name);
        findings.error(&statement.name, message, directive.usage());
        return None;
    };
    let mut legal = check_user(user, findings);
    if !command.text.starts_with('/') {
        let message = format!("Client child command [{}] is not full pathname", command.text);
        findings.error(command, message, "write the command with its directory, /usr/…");
        return None;
    }
    let name = command.text.rsplit('/').next().unwrap_or_default();
    if name == "ipfail" {
        return legal.then(|| ChildLine::Ipfail(command.clone()));
    }
    if !may_be_started(name, command, findings) {
        return None;
    }
    if legal && !host.knows_user(&user.text) {
        let message = format!("Invalid uid [{}] specified for client child", user.text);
        findings.error(user, message, format!("there is no such user here: `getent passwd {}`", user.text));
        legal = false;
    }
    if files.lacks_program(&command.text) {
        let message = format!("Client child command [{}] is not executable", command.text);
        findings.error(command, message, "install it, or remove the line");
        legal = false;
    }
    let words = std::iter::once(command).chain(arguments).map(|word| word.text.as_str());
    let child = Child {
        unit: unit_name(number, name),
        user: user.text.clone(),
        command: words.collect::<Vec<_>>().join(" "),
        failfast: directive.name == "failfast",
    };
    legal.then_some(ChildLine::Program(child))
}

/// Whether Heartbeat would accept the word as a user's name; reports it if not.
fn check_user(user: &FileWord, findings: &mut Findings) -> bool {
    if user.text.bytes().all(|b| b.is_ascii_digit()) {
        let message = format!("Invalid uid [{}] specified for client child", user.text);
        findings.error(user, message, "write the user's name, not a number");
        return false;
    }
    if user.text.len() >= MAX_USER {
        findings.error(user, "UID specified for client child is too long", "write the name of a user of this system");
        return false;
    }
    true
}

/// Whether hbd starts a program of this name; reports it if not.
fn may_be_started(name: &str, command: &FileWord, findings: &mut Findings) -> bool {
    if PACEMAKER.contains(&name) {
        let message = format!("`{name}` belongs to Pacemaker. hbd manages haresources clusters only.");
        findings.error(command, message, "remove the line; for Pacemaker use Corosync");
        return false;
    }
    if let Some((_, instead)) = CLIENTS.iter().find(|(client, _)| *client == name) {
        let message =
            format!("`{name}` is not started: it speaks with Heartbeat's client socket, which hbd does not have");
        findings.warning(command, message, *instead);
        return false;
    }
    true
}

/// `hbd-respawn-N-NAME.service`, with characters replaced that a unit's name cannot have.
fn unit_name(number: usize, name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let name: String = name.chars().map(plain).take(100).collect();
    format!("hbd-respawn-{number}-{name}.service")
}

/// `apiauth CLIENT [uid=LIST] [gid=LIST]`: has no effect, but hbd refuses what Heartbeat refuses. The names of users
/// are not looked up.
pub(super) fn apiauth(
    statement: &Statement,
    directive: &Directive,
    clients: &mut BTreeSet<String>,
    findings: &mut Findings,
) {
    let Some(client) = statement.words.first() else { return };
    let usage = directive.usage();
    if client.text.len() > MAX_CLIENT {
        findings.error(
            client,
            format!("client name [{}] too long", client.text),
            format!("at most {MAX_CLIENT} bytes"),
        );
    }
    let mut lists = BTreeSet::new();
    for word in &statement.words[1..] {
        match word.text.split_once('=') {
            Some((kind @ ("uid" | "gid"), list)) if !list.starts_with(',') => {
                if !lists.insert(kind) {
                    findings.error(word, format!("Duplicate {kind} list in apiauth"), usage.clone());
                }
            }
            _ => findings.error(word, format!("Invalid apiauth directive [{}]", word.text), usage.clone()),
        }
    }
    if statement.words.len() == 1 {
        findings.error(client, "Missing uid or gid in apiauth", usage);
    }
    if !clients.insert(client.text.clone()) {
        let message = format!("Duplicate apiauth directive for API client {}", client.text);
        findings.error(client, message, "write one line for each client");
    }
}
