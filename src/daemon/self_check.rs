//! Looks from time to time whether a start of hbd would find all that it needs, and tries again to save what could
//! not be saved.
//!
//! Owns a thread, because a disk that hangs must not delay a heartbeat. Decides nothing: it says what it finds, in
//! the log when that changes, and to the core's thread, which shows it.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use log::warn;
use tokio::sync::mpsc::UnboundedSender;

use super::identity::{Identity, Register};
use super::in_force::{self, KeepError};
use super::input::Input;
use super::{records, start_check, state_file};
use crate::cluster::Record;
use crate::config::{Config, Files, Host};
use crate::util::error::{FileError, error_chain};

/// How often it is looked.
const PERIOD: Duration = Duration::from_secs(20);
/// How often, in looks, a file is made in the state directory to see whether one can be made.
const PROBE_EVERY: u32 = 3;

/// Where the configuration in force comes from.
#[derive(Debug, Clone)]
pub struct ConfigurationFiles {
    /// The files.
    pub files: Files,
    /// The machine as it was when they were read.
    pub host: Host,
    /// Whether they are what is in force, and to be kept for a successor.
    pub fresh: bool,
}

/// Why it is looked out of turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelfCheckOrder {
    /// Somebody asked for a reload that was refused.
    Again,
    /// authkeys was read again and is in force.
    KeysReloaded,
}

/// What the thread looks at.
#[derive(Debug)]
pub struct SelfCheck {
    /// Where generation and uuid are kept.
    pub register: Register,
    /// Those in force.
    pub identity: Identity,
    /// Why they are not saved.
    pub unsaved: Option<FileError>,
    /// The files.
    pub sources: ConfigurationFiles,
    /// What they said.
    pub config: Config,
}

impl SelfCheck {
    /// Starts the thread, which ends with the core's.
    ///
    /// # Errors
    /// When no thread can be made.
    pub fn spawn(self, inputs: UnboundedSender<Input>, looks: Receiver<SelfCheckOrder>) -> std::io::Result<()> {
        thread::Builder::new().name("self-check".to_owned()).spawn(move || self.run(&inputs, &looks))?;
        Ok(())
    }

    fn run(mut self, inputs: &UnboundedSender<Input>, looks: &Receiver<SelfCheckOrder>) {
        let mut not_kept = self.keep();
        let (mut said, mut unwritable) = (Vec::new(), None);
        for round in 0u32.. {
            if self.unsaved.is_some() && round > 0 {
                self.unsaved = self.register.save(self.identity).err();
            }
            if round % PROBE_EVERY == 0 {
                unwritable = state_file::probe(&self.register.state).err();
            }
            let mut problems = start_check::problems(&self.sources.files, self.runtime());
            problems.extend(self.not_written(unwritable.as_ref(), not_kept.as_ref()));
            if problems != said {
                tell(&said, &problems);
                if inputs.send(Input::StartProblems(problems.clone())).is_err() {
                    return;
                }
                said = problems;
            }
            match looks.recv_timeout(PERIOD) {
                Ok(SelfCheckOrder::KeysReloaded) => self.keep_keys(),
                Ok(SelfCheckOrder::Again) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if not_kept.is_some() {
                not_kept = self.keep();
            }
        }
    }

    fn runtime(&self) -> &Path {
        &self.register.runtime
    }

    /// Keeps the files for a successor; why that is impossible.
    fn keep(&self) -> Option<KeepError> {
        let ConfigurationFiles { files, host, fresh } = &self.sources;
        let kept = if *fresh { in_force::keep(files, host, &self.config, self.runtime()) } else { Ok(()) };
        kept.err()
    }

    fn keep_keys(&self) {
        if let Err(error) = in_force::keep_keys(&self.sources.files, self.runtime()) {
            warn!("the old keys are kept for a start that cannot read authkeys: {}", error_chain(&error));
        }
    }

    /// What could not be written, a sentence each.
    fn not_written(&self, unwritable: Option<&FileError>, not_kept: Option<&KeepError>) -> Vec<String> {
        let unsaved = self.unsaved.as_ref().map(|error| self.not_saved(error));
        let full = unwritable.map(|error| {
            format!(
                "The state directory takes no file ({}): make room. If it was mounted read-only: mount it writable, then \
                 systemctl restart hbd, which sees mounts as they were when it started.",
                error_chain(error)
            )
        });
        let kept = not_kept.map(|error| {
            let reason = error_chain(error);
            format!(
                "The files in force are not kept ({reason}): with a mistake in them hbd could not be started again."
            )
        });
        // Of the first two the one implies the other.
        unsaved.or(full).into_iter().chain(kept).collect()
    }

    fn not_saved(&self, error: &FileError) -> String {
        format!(
            "Generation {} of this node is not saved ({}). Make room: it is tried again every {} s. If it was mounted \
             read-only: mount it writable, then systemctl restart hbd, which sees mounts as they were when it started. \
             If the machine reboots before, and its clock is wrong then, the other node drops all that this node says \
             until its own hbd or heartbeat is restarted.",
            self.identity.generation,
            error_chain(error),
            PERIOD.as_secs()
        )
    }
}

/// What is new to the log, or that all is well again.
fn tell(before: &[String], now: &[String]) {
    for problem in now.iter().filter(|problem| !before.contains(problem)) {
        records::write(&Record::StartProblem { problem: problem.clone() }, &[]);
    }
    if now.is_empty() {
        records::write(&Record::StartProblemsOver {}, &[]);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc::channel;

    use tokio::sync::mpsc::unbounded_channel;

    use super::*;
    use crate::config;
    use crate::daemon::start_check::tests::Machine;

    /// What hbd does once it has started on this machine.
    fn check(machine: &Machine) -> SelfCheck {
        let config = config::load(&machine.files, &machine.host).config.unwrap();
        let register = Register {
            state: machine.root.path().join("state"),
            runtime: machine.runtime(),
            ..Register::of(&config)
        };
        let (identity, unsaved) = register.advance().unwrap();
        let sources = ConfigurationFiles { files: machine.files.clone(), host: machine.host.clone(), fresh: true };
        SelfCheck { register, identity, unsaved, sources, config }
    }

    #[test]
    fn what_is_not_saved_is_said_once_with_what_to_do() {
        let machine = Machine::new();
        // A file where the state directory should be.
        let state = machine.root.path().join("state");
        fs::write(&state, "").unwrap();
        let mut check = check(&machine);
        let unwritable = state_file::probe(&state).err();
        let said = check.not_written(unwritable.as_ref(), None);
        assert!(said.len() == 1 && said[0].starts_with(&format!("Generation {} ", check.identity.generation)));
        assert!(said[0].contains("Make room"), "{said:?}");
        check.unsaved = None;
        assert!(check.not_written(unwritable.as_ref(), None)[0].contains("takes no file"));
        assert!(check.not_written(None, None).is_empty());
    }

    #[test]
    fn a_mistake_is_shown_before_a_restart_and_forgotten_when_it_is_mended() {
        let machine = Machine::new();
        let (inputs, mut shown) = unbounded_channel();
        let (look, looks) = channel();
        check(&machine).spawn(inputs, looks).unwrap();
        // This machine's own name is none of the nodes', which is the first thing said.
        let said = shown.blocking_recv();
        let Some(Input::StartProblems(said)) = said else { panic!("{said:?}") };
        assert!(said.len() == 1 && said[0].contains("goes on as nodea"), "{said:?}");
        machine.write("etc/hbd/hbd.toml", "nonsense");
        look.send(SelfCheckOrder::Again).unwrap();
        let Some(Input::StartProblems(said)) = shown.blocking_recv() else { panic!() };
        assert!(said[0].contains("last in force"), "{said:?}");
        machine.write("etc/ha.d/nodeinfo", "nodea\n");
        machine.write("etc/hbd/hbd.toml", "");
        look.send(SelfCheckOrder::Again).unwrap();
        let Some(Input::StartProblems(said)) = shown.blocking_recv() else { panic!() };
        assert!(said.is_empty(), "{said:?}");
    }
}
