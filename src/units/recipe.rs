//! From a recipe to the properties of a transient unit (03 §2.5, §15; org.freedesktop.systemd1(5), StartTransientUnit).
//!
//! Owns the units' text, so to speak. Talks to nobody.

use std::time::Duration;

use zbus::Variant;

use super::proxy::Property;
use crate::config::{Dialect, Mount, Script};

/// `start` by Heartbeat's rule: what is up already is not started again. The words are those of 03 §2.5: only what
/// `status` prints counts, `not running` before `running`.
const TEXT_START: &str = r#"s=$("$@" status); case $s in *[Nn][Oo][Tt]\ *[Rr]unning*) ;; *[Rr]unning*|*OK*) exit 0;; esac; exec "$@" start"#;
/// `stop`; if that fails, what evidently does not run has stopped all the same.
const TEXT_STOP: &str = r#""$@" stop && exit 0; r=$?; s=$("$@" status); case $s in *[Nn][Oo][Tt]\ *[Rr]unning*|*[Ss]topped*) exit 0;; esac; exit $r"#;
/// The same for OCF agents: `monitor` says 0 for running and 7 for not running.
const CODES_START: &str = r#""$@" monitor && exit 0; exec "$@" start"#;
const CODES_STOP: &str =
    r#""$@" stop && exit 0; r=$?; [ $r = 7 ] && exit 0; "$@" monitor; [ $? = 7 ] && exit 0; exit $r"#;

fn microseconds(limit: Duration) -> u64 {
    u64::try_from(limit.as_micros()).unwrap_or(u64::MAX)
}

/// One command line, without `$` and `%` meaning anything.
fn command<'a>(words: Vec<&'a str>) -> Variant<'a> {
    let program = words.first().copied().unwrap_or_default();
    Variant::from(vec![(program, words, vec!["no-env-expand"])])
}

/// `/bin/sh -c TEXT sh COMMAND…`: the shell's `$@` is the command.
fn shell<'a>(text: &'a str, script: &'a Script) -> Variant<'a> {
    let mut words = vec!["/bin/sh", "-c", text, "sh"];
    words.extend(script.command.iter().map(String::as_str));
    command(words)
}

/// What every transient unit of ours has: forgotten when it has ended, but not before we have read how.
fn common<'a>(description: String) -> Vec<Property<'a>> {
    vec![
        ("Description", Variant::from(description)),
        ("CollectMode", Variant::from("inactive-or-failed")),
        ("AddRef", Variant::from(true)),
    ]
}

fn service<'a>(script: &'a Script) -> Vec<Property<'a>> {
    let environment: Vec<String> = script.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    vec![
        ("Type", Variant::from("oneshot")),
        ("Environment", Variant::from(environment)),
        // What the script leaves running is the resource; only its own stop ends it, as ever (sysvinit's rule).
        ("KillMode", Variant::from("process")),
    ]
}

/// The service that stands for a script's resource: active from its `start` to its `stop`.
pub(super) fn resource<'a>(script: &'a Script, limit: Duration) -> Vec<Property<'a>> {
    let (start, stop) = match script.dialect {
        Dialect::Text => (TEXT_START, TEXT_STOP),
        Dialect::Codes => (CODES_START, CODES_STOP),
    };
    let mut properties = common(format!("hbd resource {}", script.command.join(" ")));
    properties.extend(service(script));
    properties.extend([
        ("RemainAfterExit", Variant::from(true)),
        ("ExecStartEx", shell(start, script)),
        ("ExecStopEx", shell(stop, script)),
        ("TimeoutStartUSec", Variant::from(microseconds(limit))),
        ("TimeoutStopUSec", Variant::from(microseconds(limit))),
    ]);
    properties
}

/// A service that runs the script's `stop` once: for a resource whose own unit is not active, and may run all the same.
pub(super) fn stop_once<'a>(script: &'a Script, limit: Duration) -> Vec<Property<'a>> {
    let stop = match script.dialect {
        Dialect::Text => TEXT_STOP,
        Dialect::Codes => CODES_STOP,
    };
    let mut properties = common(format!("hbd stop of {}", script.command.join(" ")));
    properties.extend(service(script));
    properties.extend(helper(shell(stop, script), limit));
    properties
}

/// A service that runs hbd itself, outside of its sandbox, to end the processes that keep `directory` busy.
pub(super) fn vacate<'a>(program: &'a str, directory: &'a str, limit: Duration) -> Vec<Property<'a>> {
    let mut properties = common(format!("hbd makes {directory} free to be unmounted"));
    properties.push(("Type", Variant::from("oneshot")));
    properties.extend(helper(command(vec![program, "--vacate", directory]), limit));
    properties
}

/// Without the dependencies that would forbid its start while the machine shuts down.
fn helper(command: Variant<'_>, limit: Duration) -> [Property<'_>; 3] {
    [
        ("DefaultDependencies", Variant::from(false)),
        ("ExecStartEx", command),
        ("TimeoutStartUSec", Variant::from(microseconds(limit))),
    ]
}

/// A mount unit. systemd makes the directory; where it is, is in the unit's name.
pub(super) fn mount<'a>(mount: &'a Mount, limit: Duration) -> Vec<Property<'a>> {
    let mut properties = common(format!("{} of hbd", mount.directory));
    properties.push(("What", Variant::from(mount.device.as_str())));
    properties.extend(mount.fstype.as_deref().map(|fstype| ("Type", Variant::from(fstype))));
    properties.extend(mount.options.as_deref().map(|options| ("Options", Variant::from(options))));
    properties.push(("TimeoutUSec", Variant::from(microseconds(limit))));
    properties
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    /// Runs one of the texts around a script that logs its operation and answers as told.
    fn run(text: &str, script: &str) -> (Option<i32>, String) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("script");
        let log = directory.path().join("log");
        let body = format!("#!/bin/sh\nfor last; do :; done\necho $last >>{}\n{script}\n", log.display());
        std::fs::write(&path, body).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let status = Command::new("/bin/sh").args(["-c", text, "sh"]).arg(path).args(["a b", "$x"]).output().unwrap();
        let log = std::fs::read_to_string(log).unwrap_or_default().trim().replace('\n', " ");
        (status.status.code(), log)
    }

    #[test]
    fn what_a_script_says_decides_whether_it_is_started() {
        let table = [
            ("echo running", "status", 0),
            ("echo OK; exit 3", "status", 0),
            ("echo 'INFO:  Running OK'", "status", 0),
            ("echo 'web is NOT yet running'", "status start", 0),
            ("echo 'not here, but Running there'", "status start", 0),
            ("echo 'INFO:  Resource is stopped'", "status start", 0),
            ("echo ok", "status start", 0),
            ("true", "status start", 0),
            ("echo RUNNING", "status start", 0),
            ("[ $last = status ] || exit 5", "status start", 5),
        ];
        for (script, log, code) in table {
            assert_eq!(run(TEXT_START, script), (Some(code), log.to_owned()), "{script}");
        }
    }

    #[test]
    fn a_stop_that_fails_counts_only_if_the_resource_is_evidently_down() {
        let table = [
            ("exit 0", "stop", 0),
            ("[ $last = stop ] && exit 1; echo not running", "stop status", 0),
            ("[ $last = stop ] && exit 1; echo 'INFO:  Resource is stopped'", "stop status", 0),
            ("[ $last = stop ] && exit 4; echo running", "stop status", 4),
            ("[ $last = stop ] && exit 4; true", "stop status", 4),
        ];
        for (script, log, code) in table {
            assert_eq!(run(TEXT_STOP, script), (Some(code), log.to_owned()), "{script}");
        }
    }

    #[test]
    fn an_agents_codes_decide() {
        assert_eq!(run(CODES_START, "exit 0"), (Some(0), "monitor".to_owned()));
        assert_eq!(run(CODES_START, "[ $last = monitor ] && exit 7; exit 0"), (Some(0), "monitor start".to_owned()));
        assert_eq!(run(CODES_START, "[ $last = monitor ] && exit 7; exit 5"), (Some(5), "monitor start".to_owned()));
        assert_eq!(run(CODES_STOP, "exit 0"), (Some(0), "stop".to_owned()));
        assert_eq!(run(CODES_STOP, "exit 7"), (Some(0), "stop".to_owned()));
        assert_eq!(run(CODES_STOP, "[ $last = monitor ] && exit 7; exit 1"), (Some(0), "stop monitor".to_owned()));
        assert_eq!(run(CODES_STOP, "[ $last = monitor ] && exit 0; exit 1"), (Some(1), "stop monitor".to_owned()));
    }

    #[test]
    fn arguments_reach_the_script_as_they_are() {
        let script = "[ \"$1\" = 'a b' ] && [ \"$2\" = '$x' ] || exit 9";
        assert_eq!(run(CODES_STOP, script).0, Some(0));
    }
}
