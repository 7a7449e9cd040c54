//! What a start of hbd would run with as of now, by the very code that the start uses.
//!
//! Owns the choice between the files on disk and those that were last in force. A successor of an hbd that has not
//! been stopped finds the latter in RuntimeDirectory= ([`super::in_force`]): it goes on with them where the files
//! cannot be used, and keeps the name of its node where this machine has got another. A first start has nothing to go
//! on with.

use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::error::{EXIT_CONFIGURATION, StartError};
use super::identity::Register;
use super::{held, in_force, keys};
use crate::config::{self, AuthKeys, Config, Diagnostic, Files, Host, Loaded, Severity};

/// How long the program may take to say whether it could start.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// Exit status of a program that does not know the question (an older hbd).
const EXIT_USAGE: i32 = 2;

/// What a start runs with.
#[derive(Debug)]
pub struct Footing {
    /// The configuration.
    pub config: Config,
    /// The keys.
    pub keys: AuthKeys,
    /// What was found in the files on disk.
    pub diagnostics: Vec<Diagnostic>,
    /// What is wrong, and what is done all the same: a sentence each.
    pub problems: Vec<String>,
    /// Whether the files on disk are what it runs with, be it by another name than this machine has now.
    pub fresh: bool,
}

/// Why there is nothing to run with.
#[derive(Debug)]
pub struct Refusal {
    /// What was found in the files on disk.
    pub diagnostics: Vec<Diagnostic>,
    /// The only mistake: this machine's name is no node's.
    pub stranger: bool,
}

/// What a start of hbd would run with.
///
/// # Errors
/// When it would not run.
pub fn examine(files: &Files, host: &Host, runtime: &Path) -> Result<Footing, Refusal> {
    let loaded = config::load(files, host);
    let Some(kept) = in_force::find(files, runtime) else { return from_disk(loaded) };
    let node = kept.node();
    if loaded.config.as_ref().is_some_and(|config| config.node == node) {
        return from_disk(loaded);
    }
    // By another name, but for the node in force: what that name means was decided when hbd was started.
    let unnamed = Files { nodeinfo: runtime.join("no-nodeinfo"), ..files.clone() };
    let named = config::load(&unnamed, &Host { node_name: node.to_owned(), ..host.clone() });
    if let (Some(config), Some(keys)) = (named.config, named.keys) {
        let problem = format!(
            "This machine's name does not stand for {node}, the node that it is: a start of hbd goes on as {node} until \
             hbd is stopped or the machine reboots. Give back its host name, or: echo {node} > {}",
            files.nodeinfo.display()
        );
        return Ok(Footing { config, keys, diagnostics: loaded.diagnostics, problems: vec![problem], fresh: true });
    }
    // Renamed in the files as well.
    if loaded.config.is_some() {
        return from_disk(loaded);
    }
    let before = kept.load();
    let (Some(config), Some(keys)) = (before.config, before.keys) else { return from_disk(loaded) };
    let problem = format!(
        "A start of hbd cannot use the files ({}): it goes on with those that were last in force, until hbd is stopped or \
         the machine reboots. Mend them: hbctl check shows all.",
        mistakes(&loaded.diagnostics)
    );
    Ok(Footing { config, keys, diagnostics: loaded.diagnostics, problems: vec![problem], fresh: false })
}

fn from_disk(loaded: Loaded) -> Result<Footing, Refusal> {
    let Loaded { config, keys, diagnostics, stranger } = loaded;
    match (config, keys) {
        (Some(config), Some(keys)) => Ok(Footing { config, keys, diagnostics, problems: Vec::new(), fresh: true }),
        _ => Err(Refusal { diagnostics, stranger }),
    }
}

/// The first mistake in one line, and how many there are beside it.
pub fn mistakes(diagnostics: &[Diagnostic]) -> String {
    let mut errors = diagnostics.iter().filter(|found| found.severity == Severity::Error);
    let first = errors.next().map(ToString::to_string).unwrap_or_default();
    let first = first.lines().next().unwrap_or_default().to_owned();
    match errors.count() {
        0 => first,
        more => format!("{first}; and {more} more"),
    }
}

/// What is wrong with a start of hbd as of now, a sentence each.
pub fn problems(files: &Files, runtime: &Path) -> Vec<String> {
    let Ok(host) = Host::of_this_machine() else { return Vec::new() };
    match examine(files, &host, runtime) {
        Ok(footing) => footing.problems,
        Err(refusal) => vec![format!(
            "hbd could not be started again ({}): systemctl restart hbd would release everything. Mend the files: hbctl \
             check shows all.",
            mistakes(&refusal.diagnostics)
        )],
    }
}

/// `hbd --check-start`: status 0 if a start could begin now.
pub(super) fn check_start(files: &Files) -> Result<ExitCode, StartError> {
    let host = Host::of_this_machine().map_err(StartError::Name)?;
    match examine(files, &host, Path::new(held::DIRECTORY)) {
        Ok(footing) => {
            keys::keyring(&footing.keys, footing.config.required_method)?;
            Register::of(&footing.config).next()?;
            footing.problems.iter().for_each(|problem| eprintln!("{problem}"));
            Ok(ExitCode::SUCCESS)
        }
        Err(refusal) => {
            eprintln!("{}", mistakes(&refusal.diagnostics));
            Ok(ExitCode::from(EXIT_CONFIGURATION))
        }
    }
}

/// Asks the program that systemd would start, which may be newer than this one, whether it could.
///
/// # Errors
/// Why it could not.
pub async fn ask_successor() -> Result<(), String> {
    let program = program();
    let mut command = Command::new(&program);
    command.arg("--check-start").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    match timeout(ANSWER_LIMIT, command.output()).await {
        Ok(Ok(output)) => judge(output.status, &String::from_utf8_lossy(&output.stderr)),
        Ok(Err(error)) => Err(format!("{} cannot be run: {error}", program.display())),
        Err(_) => {
            Err(format!("{} --check-start has not ended after {} s", program.display(), ANSWER_LIMIT.as_secs()))
        }
    }
}

fn judge(status: ExitStatus, said: &str) -> Result<(), String> {
    match status.code() {
        Some(0 | EXIT_USAGE) => Ok(()),
        _ if said.trim().is_empty() => Err(format!("it ends with {status}")),
        _ => Err(said.trim().replace('\n', "; ")),
    }
}

/// `ExecStart=` of hbd.service. /proc/self/exe would be the old program after an upgrade.
pub fn program() -> PathBuf {
    let called = std::env::args_os().next().map(PathBuf::from).filter(|path| path.is_absolute());
    called.or_else(|| std::env::current_exe().ok()).unwrap_or_else(|| PathBuf::from("/usr/sbin/hbd"))
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::ExitStatusExt;

    use tempfile::TempDir;

    use super::*;

    /// The files of a machine named nodea, and its RuntimeDirectory=.
    pub struct Machine {
        pub root: TempDir,
        pub files: Files,
        pub host: Host,
    }

    impl Machine {
        pub fn new() -> Machine {
            let root = tempfile::tempdir().unwrap();
            let files = Files::below(root.path());
            let machine = Machine { root, files, host: Host::named("nodea") };
            machine.write("etc/ha.d/ha.cf", "node nodea nodeb\nucast eth0 10.0.0.2\nudpport 694\n");
            machine.write("etc/ha.d/authkeys", "auth 1\n1 sha1 secret\n");
            machine.write("etc/ha.d/haresources", "nodea 10.0.0.9/24/eth0\n");
            machine.write("etc/hbd/hbd.toml", "");
            machine.write("etc/hbd/hbd.toml.d/one.toml", "[addresses]\nlease = false\n");
            machine
        }

        pub fn write(&self, path: &str, text: &str) {
            let path = self.root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }

        pub fn runtime(&self) -> PathBuf {
            self.root.path().join("run")
        }

        fn examine(&self) -> Result<Footing, Refusal> {
            examine(&self.files, &self.host, &self.runtime())
        }

        /// hbd starts with this, and keeps the files.
        pub fn start(&self) -> Footing {
            let footing = self.examine().unwrap();
            assert!(footing.problems.is_empty(), "{:?}", footing.problems);
            in_force::keep(&self.files, &self.host, &footing.config, &self.runtime()).unwrap();
            footing
        }
    }

    #[test]
    fn a_mistake_made_while_hbd_runs_does_not_end_it() {
        let spoils: [(&str, &str); 5] = [
            ("etc/ha.d/haresources", "nodec 10.0.0.9/24/eth0\n"),
            ("etc/ha.d/ha.cf", "node nodea nodeb\nucast eth0 10.0.0.2\ndeadtime soon\n"),
            ("etc/ha.d/ha.cf", "node nodeb nodec\nucast eth0 10.0.0.2\n"),
            ("etc/ha.d/authkeys", ""),
            ("etc/hbd/hbd.toml.d/one.toml", "[addresses]\nlease = 1\n"),
        ];
        for (path, text) in spoils {
            let machine = Machine::new();
            machine.start();
            let before = machine.examine().unwrap().config;
            machine.write(path, text);
            let footing = machine.examine().unwrap();
            assert_eq!(footing.config, before, "{path}");
            assert!(!footing.fresh && footing.problems.len() == 1, "{path}: {:?}", footing.problems);
            assert!(footing.problems[0].contains("last in force") && footing.problems[0].contains("hbctl check"));
            // A stop ends that: a first start is refused.
            in_force::forget(&machine.runtime()).unwrap();
            assert!(!machine.examine().unwrap_err().stranger, "{path}");
        }
    }

    #[test]
    fn a_pair_that_hbd_toml_describes_is_kept_too() {
        let machine = Machine::new();
        fs::remove_file(&machine.files.ha_cf).unwrap();
        fs::remove_file(&machine.files.haresources).unwrap();
        let pair = "[cluster]\nnodes = [\"nodea\", \"nodeb\"]\n\
                    [[link]]\ninterface = \"eth0\"\naddresses = { nodea = \"10.0.0.1\", nodeb = \"10.0.0.2\" }\n\
                    [[group]]\nnode = \"nodea\"\nresources = [\"10.0.0.9/24/eth0\"]\n";
        machine.write("etc/hbd/hbd.toml", pair);
        machine.start();
        let before = machine.examine().unwrap().config;
        // A ha.cf beside it, and a mistake in it.
        for (path, text) in [("etc/ha.d/ha.cf", ""), ("etc/hbd/hbd.toml", "[cluster]\nnodes = 1\n")] {
            machine.write(path, text);
            let footing = machine.examine().unwrap();
            assert!(footing.config == before && !footing.fresh, "{path}: {:?}", footing.problems);
        }
    }

    #[test]
    fn the_copy_is_for_root_only_and_follows_the_keys() {
        let machine = Machine::new();
        machine.start();
        let mode = |path: &str| fs::metadata(machine.runtime().join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("in-force"), mode("in-force/authkeys")), (0o700, 0o600));
        let before = machine.examine().unwrap().keys;
        machine.write("etc/ha.d/authkeys", "auth 1\n1 sha1 other\n");
        in_force::keep_keys(&machine.files, &machine.runtime()).unwrap();
        machine.write("etc/ha.d/authkeys", "nonsense\n");
        let footing = machine.examine().unwrap();
        assert!(footing.keys != before && !footing.fresh);
    }

    #[test]
    fn a_machine_that_is_renamed_stays_the_node_that_it_is() {
        let mut machine = Machine::new();
        machine.start();
        // Also where it gets the name of the other node.
        for name in ["localhost", "nodeb"] {
            machine.host = Host::named(name);
            machine.write("etc/ha.d/haresources", "nodea 10.0.0.8/24/eth0\n");
            let footing = machine.examine().unwrap();
            assert_eq!((footing.config.node.as_str(), footing.fresh), ("nodea", true));
            assert_eq!(footing.config.groups[0].key, "10.0.0.8/24/eth0", "what else changed is in force");
            assert!(footing.problems[0].contains("goes on as nodea"), "{:?}", footing.problems);
        }
        // In the files as well: that was meant.
        machine.host = Host::named("nodec");
        machine.write("etc/ha.d/ha.cf", "node nodec nodeb\nucast eth0 10.0.0.2\n");
        machine.write("etc/ha.d/haresources", "nodec 10.0.0.8/24/eth0\n");
        let footing = machine.examine().unwrap();
        assert_eq!((footing.config.node.as_str(), footing.problems.len()), ("nodec", 0));
    }

    #[test]
    fn a_first_start_waits_for_its_name_and_for_nothing_else() {
        let mut machine = Machine::new();
        machine.host = Host::named("localhost");
        assert!(machine.examine().unwrap_err().stranger);
        machine.write("etc/ha.d/authkeys", "nonsense\n");
        assert!(!machine.examine().unwrap_err().stranger);
    }

    #[test]
    fn a_program_that_cannot_say_it_is_taken_for_an_older_one() {
        let ended = |status: i32, said| judge(ExitStatus::from_raw(status << 8), said);
        assert_eq!(ended(0, ""), Ok(()));
        assert_eq!(ended(2, "error: unexpected argument"), Ok(()));
        assert_eq!(ended(6, "ha.cf:1:1: wrong\n"), Err("ha.cf:1:1: wrong".to_owned()));
        assert!(judge(ExitStatus::from_raw(11), "").unwrap_err().contains("signal"));
    }
}
