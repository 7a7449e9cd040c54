//! Running a resource script or an OCF agent by Heartbeat's rules (03 §2.5), or the program of `move` in hbd.toml:
//! `hbd --script`, the main process of the units that [`super::transient`] makes.
//!
//! Owns the judgement of what a script says. Knows nothing of units.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};

use crate::config::Dialect;

/// OCF: the resource does not run.
const NOT_RUNNING: i32 = 7;

/// What a script is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScriptOperation {
    /// Start the resource unless it runs.
    Start,
    /// Stop it.
    Stop,
}

/// The dialects by their words on the command line of `hbd --script`.
const DIALECTS: [(&str, Dialect); 5] = [
    ("text", Dialect::Text),
    ("codes", Dialect::Codes),
    ("move", Dialect::Move),
    ("source", Dialect::Source),
    ("drbd", Dialect::Drbd),
];

/// The dialect of that word; `None` if there is none.
pub fn dialect(word: &str) -> Option<Dialect> {
    DIALECTS.iter().find(|(known, _)| *known == word).map(|(_, dialect)| *dialect)
}

/// The word of a dialect.
pub(super) fn dialect_word(dialect: Dialect) -> &'static str {
    DIALECTS.iter().find(|(_, known)| *known == dialect).map_or("text", |(word, _)| *word)
}

/// What a program of this dialect is called with to start its resource, and to stop it.
fn words(dialect: Dialect) -> (&'static str, &'static str) {
    match dialect {
        Dialect::Text | Dialect::Codes | Dialect::Source | Dialect::Drbd => ("start", "stop"),
        Dialect::Move => ("take", "release"),
    }
}

/// Runs `command` and returns the exit status for systemd. A start that is needed replaces this process.
///
/// # Errors
/// When the command cannot be executed.
pub fn run(operation: ScriptOperation, dialect: Dialect, command: &[String]) -> io::Result<u8> {
    let [program, arguments @ ..] = command else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no command"));
    };
    let call = |word: &str| {
        let mut call = Command::new(program);
        call.args(arguments).arg(word);
        call
    };
    let (start, stop) = words(dialect);
    match operation {
        ScriptOperation::Start if runs(dialect, &call)? == Some(true) => Ok(0),
        ScriptOperation::Start => Err(call(start).exec()),
        ScriptOperation::Stop => {
            let status = call(stop).status()?;
            let stopped = status.success() || (dialect == Dialect::Codes && status.code() == Some(NOT_RUNNING));
            // What evidently does not run has stopped, whatever its script says.
            Ok(if stopped || runs(dialect, &call)? == Some(false) { 0 } else { code(status) })
        }
    }
}

/// Whether the resource runs; `None` if the script does not say.
fn runs(dialect: Dialect, call: &impl Fn(&str) -> Command) -> io::Result<Option<bool>> {
    match dialect {
        Dialect::Codes => Ok(match call("monitor").status()?.code() {
            Some(0) => Some(true),
            Some(NOT_RUNNING) => Some(false),
            _ => None,
        }),
        Dialect::Text => {
            let output = call("status").stderr(Stdio::inherit()).output()?;
            Ok(says(&String::from_utf8_lossy(&output.stdout)))
        }
        Dialect::Move | Dialect::Source | Dialect::Drbd => Ok(None),
    }
}

/// What `status` prints, by Heartbeat's rule: `not ` in any case, anywhere before `running` or `Running`, means no;
/// else `running`, `Running` or `OK` means yes. The words of the packaged scripts for no are `Resource is stopped`.
fn says(text: &str) -> Option<bool> {
    let running = |text: &str| text.contains("running") || text.contains("Running");
    let not = text.to_ascii_lowercase().find("not ").and_then(|at| text.get(at..)).is_some_and(running);
    if not {
        Some(false)
    } else if running(text) || text.contains("OK") {
        Some(true)
    } else if text.to_ascii_lowercase().contains("stopped") {
        Some(false)
    } else {
        None
    }
}

/// An exit status that is no success.
fn code(status: ExitStatus) -> u8 {
    status.code().and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    /// Puts a program at this path. install(1) writes the file: if this process did, a child that another test forks
    /// at that moment could hold the file open for writing, and the kernel would refuse to run it (ETXTBSY of
    /// execve(2)).
    fn install(path: &std::path::Path, body: &str) {
        let mut install = Command::new("install");
        install.args(["-m", "755", "/dev/stdin"]).arg(path).stdin(Stdio::piped());
        let mut child = install.spawn().unwrap();
        child.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// Stops a resource whose script logs its operation and goes on as told.
    fn stop(dialect: Dialect, script: &str) -> (u8, String) {
        let directory = tempfile::tempdir().unwrap();
        let (path, log) = (directory.path().join("script"), directory.path().join("log"));
        let body = format!("#!/bin/sh\nfor last; do :; done\necho $last >>{}\n{script}\n", log.display());
        install(&path, &body);
        let command = [path.display().to_string(), "a b".to_owned(), "$x".to_owned()];
        let status = run(ScriptOperation::Stop, dialect, &command).unwrap();
        (status, std::fs::read_to_string(log).unwrap_or_default().trim().replace('\n', " "))
    }

    #[test]
    fn only_what_a_script_prints_counts() {
        let table = [
            ("running", Some(true)),
            ("Running", Some(true)),
            ("INFO:  Running OK", Some(true)),
            ("OK", Some(true)),
            ("web is NOT yet running", Some(false)),
            ("not here, but Running there", Some(false)),
            ("running, but not well", Some(true)),
            ("INFO:  Resource is stopped", Some(false)),
            ("ok", None),
            ("RUNNING", None),
            ("", None),
        ];
        for (text, verdict) in table {
            assert_eq!(says(text), verdict, "{text:?}");
        }
    }

    #[test]
    fn a_stop_that_fails_counts_only_if_the_resource_is_evidently_down() {
        let table = [
            ("exit 0", 0, "stop"),
            ("[ $last = stop ] && exit 1; echo not running", 0, "stop status"),
            ("[ $last = stop ] && exit 4; echo running", 4, "stop status"),
            ("[ $last = stop ] && exit 4; true", 4, "stop status"),
            ("[ $last = stop ] && kill -9 $$; echo running", 1, "stop status"),
        ];
        for (script, status, log) in table {
            assert_eq!(stop(Dialect::Text, script), (status, log.to_owned()), "{script}");
        }
    }

    #[test]
    fn an_agents_codes_decide() {
        let table = [
            ("exit 0", 0, "stop"),
            ("exit 7", 0, "stop"),
            ("[ $last = monitor ] && exit 7; exit 1", 0, "stop monitor"),
            ("[ $last = monitor ] && exit 0; exit 1", 1, "stop monitor"),
            ("[ $last = monitor ] && exit 5; exit 1", 1, "stop monitor"),
        ];
        for (script, status, log) in table {
            assert_eq!(stop(Dialect::Codes, script), (status, log.to_owned()), "{script}");
        }
    }

    #[test]
    fn the_program_of_a_move_is_always_called_and_its_status_counts() {
        assert_eq!(stop(Dialect::Move, "exit 0"), (0, "release".to_owned()));
        assert_eq!(stop(Dialect::Move, "exit 7"), (7, "release".to_owned()));
        for known in [Dialect::Text, Dialect::Codes, Dialect::Move, Dialect::Source, Dialect::Drbd] {
            assert_eq!(dialect(dialect_word(known)), Some(known));
        }
        assert_eq!(dialect("other"), None);
    }

    #[test]
    fn arguments_reach_the_script_as_they_are() {
        assert_eq!(stop(Dialect::Codes, "[ \"$1\" = 'a b' ] && [ \"$2\" = '$x' ] || exit 9").0, 0);
    }

    #[test]
    fn what_runs_is_not_started() {
        let echo = ["/bin/echo".to_owned(), "running".to_owned()];
        assert_eq!(run(ScriptOperation::Start, Dialect::Text, &echo).unwrap(), 0);
        assert!(run(ScriptOperation::Start, Dialect::Text, &["/nonexistent".to_owned()]).is_err());
    }
}
