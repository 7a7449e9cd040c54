//! From a recipe to the properties of a transient unit (03 §2.5, §15; org.freedesktop.systemd1(5),
//! StartTransientUnit).
//!
//! Owns the units' text, so to speak. Talks to nobody.

use std::time::Duration;

use sha2::{Digest, Sha256};
use zbus::Variant;

use super::proxy::Property;
use super::script::dialect_word;
use crate::config::{Dialect, Mount, Script};
use crate::util::clock::microseconds;

/// So many bytes of a digest tell one definition of a unit from another.
const DIGEST: usize = 4;

/// `NAME=VALUE` of a script's environment.
pub(super) fn variables(script: &Script) -> Vec<String> {
    script.environment.iter().map(|(name, value)| format!("{name}={value}")).collect()
}

/// One command line. Not with the flags of `ExecStartEx`: systemd 252 writes that very word into the unit's file
/// and does not understand it when it reads the file again, after a `daemon-reload`. Without them systemd puts the
/// values of variables into the arguments, so each `$` of ours is doubled (systemd.service(5), "Command lines").
pub(super) fn command(words: Vec<&str>) -> Variant<'_> {
    let program = words.first().copied().unwrap_or_default();
    let arguments = words.iter().skip(1).map(|word| word.replace('$', "$$"));
    let line: Vec<String> = words.first().map(|program| (*program).to_owned()).into_iter().chain(arguments).collect();
    Variant::from(vec![(program, line, false)])
}

/// `hbd --script OPERATION DIALECT COMMAND…`, see [`super::script`].
fn wrapped<'a>(program: &'a str, operation: &'a str, script: &'a Script) -> Variant<'a> {
    let mut words = vec![program, "--script", operation, dialect_word(script.dialect)];
    words.extend(script.command.iter().map(String::as_str));
    command(words)
}

/// What every transient unit of ours has: forgotten when it has ended, but not before we have read how.
pub(super) fn common<'a>(description: String) -> Vec<Property<'a>> {
    vec![
        ("Description", Variant::from(description)),
        ("CollectMode", Variant::from("inactive-or-failed")),
        ("AddRef", Variant::from(true)),
    ]
}

/// The environment is in a file of its own ([`super::environment`]).
fn service<'a>(script: &Script) -> Vec<Property<'a>> {
    let kill = match script.dialect {
        // What the script leaves running is the resource; only its own stop ends it, as ever (sysvinit's rule).
        Dialect::Text | Dialect::Codes | Dialect::Source => "process",
        Dialect::Drbd => "control-group",
        // A child that hangs would move the address after somebody else has it.
        Dialect::Move => "control-group",
    };
    let mut properties = vec![("Type", Variant::from("oneshot")), ("KillMode", Variant::from(kill))];
    if script.dialect == Dialect::Drbd {
        // It tells why it fails in its status, where hbd reads it.
        properties.push(("NotifyAccess", Variant::from("exec")));
    }
    properties
}

/// The service that stands for a script's resource: active from its `start` to its `stop`.
pub(super) fn resource<'a>(program: &'a str, script: &'a Script, limit: Duration) -> Vec<Property<'a>> {
    let mut properties = common(format!("hbd resource {}", script.command.join(" ")));
    properties.extend(service(script));
    properties.extend([
        ("RemainAfterExit", Variant::from(true)),
        ("ExecStart", wrapped(program, "start", script)),
        ("ExecStop", wrapped(program, "stop", script)),
        ("TimeoutStartUSec", Variant::from(microseconds(limit))),
        ("TimeoutStopUSec", Variant::from(microseconds(limit))),
    ]);
    properties
}

/// A service that runs the script's `stop` once: for a resource whose own unit is not active, and may run all the
/// same.
pub(super) fn stop_once<'a>(program: &'a str, script: &'a Script, limit: Duration) -> Vec<Property<'a>> {
    let mut properties = common(format!("hbd stop of {}", script.command.join(" ")));
    properties.extend(service(script));
    properties.extend(helper(wrapped(program, "stop", script), limit));
    properties
}

/// A service that runs hbd itself, outside of its sandbox, to end the processes that keep `directory` busy.
pub(super) fn vacate<'a>(program: &'a str, directory: &'a str, limit: Duration) -> Vec<Property<'a>> {
    let mut properties = common(format!("hbd makes {directory} free to be unmounted"));
    properties.push(("Type", Variant::from("oneshot")));
    properties.extend(helper(command(vec![program, "--vacate", directory]), limit));
    properties
}

/// A service that runs hbd itself, outside of its sandbox, to find out what keeps `directory` busy. It tells that in
/// its status and stays until it is stopped, so that the status can be read.
pub(super) fn occupants<'a>(program: &'a str, directory: &'a str, limit: Duration) -> Vec<Property<'a>> {
    let mut properties = common(format!("hbd looks who uses {directory}"));
    properties.extend([
        ("Type", Variant::from("oneshot")),
        ("RemainAfterExit", Variant::from(true)),
        ("NotifyAccess", Variant::from("main")),
    ]);
    properties.extend(helper(command(vec![program, "--occupants", directory]), limit));
    properties
}

/// Without the dependencies that would forbid its start while the machine shuts down.
fn helper(command: Variant<'_>, limit: Duration) -> [Property<'_>; 3] {
    [
        ("DefaultDependencies", Variant::from(false)),
        ("ExecStart", command),
        ("TimeoutStartUSec", Variant::from(microseconds(limit))),
    ]
}

/// A mount unit. systemd makes the directory; where it is, is in the unit's name.
pub(super) fn mount<'a>(mount: &'a Mount, limit: Duration) -> Vec<Property<'a>> {
    let mut properties = common(format!("hbd file system {} on {}", mount.device, mount.directory));
    properties.push(("What", Variant::from(mount.device.as_str())));
    properties.extend(mount.fstype.as_deref().map(|fstype| ("Type", Variant::from(fstype))));
    properties.extend(mount.options.as_deref().map(|options| ("Options", Variant::from(options))));
    properties.push(("TimeoutUSec", Variant::from(microseconds(limit))));
    properties
}

/// Ends the description with a digest of everything that the unit is made of. It tells the unit from one of the same
/// name that is made of something else: other options, another limit, another call of the script, another hbd.
/// The environment is in its file, which is written anew before each start.
pub(super) fn sign(properties: &mut [Property<'_>]) {
    let digest = Sha256::digest(format!("{properties:?}").as_bytes());
    let digest: String = digest.iter().take(DIGEST).map(|byte| format!("{byte:02x}")).collect();
    for (_, value) in properties.iter_mut().filter(|(name, _)| *name == "Description") {
        if let Variant::Str(text) = value {
            *value = Variant::from(format!("{text} [{digest}]"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_move_leaves_running_ends_with_it() {
        for (dialect, word, kill) in [
            (Dialect::Text, "text", "process"),
            (Dialect::Codes, "codes", "process"),
            (Dialect::Move, "move", "control-group"),
        ] {
            let command = vec!["/bin/move".to_owned(), "10.0.0.9".to_owned()];
            let script = Script { command, dialect, environment: Vec::new(), timeout: None };
            let mut properties = resource("/usr/sbin/hbd", &script, Duration::from_secs(7));
            let mut take = |name: &str| {
                let place = properties.iter().position(|(known, _)| *known == name).unwrap();
                properties.swap_remove(place).1
            };
            assert_eq!(take("KillMode"), Variant::from(kill));
            assert_eq!(take("TimeoutStopUSec"), Variant::from(7_000_000_u64));
            let line: Vec<(String, Vec<String>, bool)> = take("ExecStop").try_into().unwrap();
            assert_eq!(line[0].1[1..], ["--script", "stop", word, "/bin/move", "10.0.0.9"]);
        }
    }

    #[test]
    fn a_description_tells_everything_that_a_unit_is_made_of() {
        let script = |dialect, words: &[&str]| Script {
            command: words.iter().map(|word| (*word).to_owned()).collect(),
            dialect,
            environment: Vec::new(),
            timeout: None,
        };
        let filesystem = |fstype: Option<&str>, options: Option<&str>| Mount {
            device: "tmpfs".into(),
            directory: "/srv".into(),
            fstype: fstype.map(str::to_owned),
            options: options.map(str::to_owned),
        };
        let [short, long] = [7, 60].map(Duration::from_secs);
        let scripts = [
            ("/usr/sbin/hbd", script(Dialect::Text, &["/bin/x", "a b"]), short),
            ("/usr/sbin/hbd", script(Dialect::Text, &["/bin/x", "a", "b"]), short),
            ("/usr/sbin/hbd", script(Dialect::Codes, &["/bin/x", "a b"]), short),
            ("/usr/sbin/hbd", script(Dialect::Text, &["/bin/x", "a b"]), long),
            ("/usr/local/sbin/hbd", script(Dialect::Text, &["/bin/x", "a b"]), short),
        ];
        let mounts = [
            (filesystem(Some("x"), None), short),
            (filesystem(None, Some("x")), short),
            (filesystem(None, Some("x")), long),
        ];
        let scripts = scripts.iter().map(|(program, script, limit)| resource(program, script, *limit));
        let mounts = mounts.iter().map(|(filesystem, limit)| mount(filesystem, *limit));
        let described = |mut properties: Vec<Property<'_>>| {
            sign(&mut properties);
            let (_, text) = properties.into_iter().find(|(name, _)| *name == "Description").unwrap();
            String::try_from(text).unwrap()
        };
        let texts: Vec<String> = scripts.chain(mounts).map(described).collect();
        assert!(texts[0].starts_with("hbd resource /bin/x a b ["), "{texts:?}");
        assert!(texts[5].starts_with("hbd file system tmpfs on /srv ["), "{texts:?}");
        let different: std::collections::BTreeSet<&String> = texts.iter().collect();
        assert_eq!(different.len(), texts.len(), "{texts:?}");
    }

    #[test]
    fn no_argument_is_taken_for_a_variable() {
        let line: Vec<(String, Vec<String>, bool)> =
            command(vec!["/bin/$x", "$HOME", "a${b}", "$$"]).try_into().unwrap();
        let words = ["/bin/$x", "$$HOME", "a$${b}", "$$$$"].map(str::to_owned).to_vec();
        assert_eq!(line, [("/bin/$x".to_owned(), words, false)]);
    }
}
