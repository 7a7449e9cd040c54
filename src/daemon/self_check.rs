//! Looks from time to time whether a start of hbd would find all that it needs, and tries again to save what could not
//! be saved.
//!
//! Owns a thread, because a disk that hangs must not delay a heartbeat. Decides nothing: it says what it finds, in the
//! log when that changes, and to the core's thread, which shows it.

use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use super::identity::{Identity, Register};
use super::input::Input;
use super::{records, state_file};
use crate::cluster::Record;
use crate::util::error::{FileError, error_chain};

/// How often it is looked.
const PERIOD: Duration = Duration::from_secs(20);
/// How often, in periods, a file is made in the state directory to see whether one can be made.
const PROBE_EVERY: u32 = 3;

/// What the thread looks at.
#[derive(Debug)]
pub struct SelfCheck {
    /// Where generation and uuid are kept.
    pub register: Register,
    /// Those in force.
    pub identity: Identity,
    /// Why they are not saved.
    pub unsaved: Option<FileError>,
}

impl SelfCheck {
    /// Starts the thread, which ends with the core's.
    ///
    /// # Errors
    /// When no thread can be made.
    pub fn spawn(self, inputs: UnboundedSender<Input>) -> std::io::Result<()> {
        thread::Builder::new().name("self-check".to_owned()).spawn(move || self.run(&inputs))?;
        Ok(())
    }

    fn run(mut self, inputs: &UnboundedSender<Input>) {
        let (mut said, mut unwritable) = (Vec::new(), None);
        for round in 0u32.. {
            if self.unsaved.is_some() && round > 0 {
                self.unsaved = self.register.save(self.identity).err();
            }
            if round % PROBE_EVERY == 0 {
                unwritable = state_file::probe(&self.register.state).err();
            }
            let problems = self.problems(unwritable.as_ref());
            if problems != said {
                tell(&said, &problems);
                if inputs.send(Input::StartProblems(problems.clone())).is_err() {
                    return;
                }
                said = problems;
            }
            thread::sleep(PERIOD);
        }
    }

    fn problems(&self, unwritable: Option<&FileError>) -> Vec<String> {
        let unsaved = self.unsaved.as_ref().map(|error| self.not_saved(error));
        let full = unwritable.map(|error| {
            format!("The state directory takes no file ({}): make room, or mount it writable.", error_chain(error))
        });
        // The one implies the other.
        unsaved.or(full).into_iter().collect()
    }

    fn not_saved(&self, error: &FileError) -> String {
        format!(
            "Generation {} of this node is not saved ({}). Make room, or mount it writable: it is tried again every {} s. \
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
    use std::path::PathBuf;

    use super::*;
    use crate::config::{GenerationMethod, UuidFrom};

    #[test]
    fn what_is_not_saved_is_said_once_with_what_to_do() {
        let root = tempfile::tempdir().unwrap();
        // A file where the state directory should be.
        let state = root.path().join("state");
        std::fs::write(&state, "").unwrap();
        let register = Register {
            state: state.clone(),
            runtime: root.path().join("run"),
            node: "nodea".to_owned(),
            generation: GenerationMethod::File,
            uuid: UuidFrom::File,
        };
        let (identity, unsaved) = register.advance().unwrap();
        let mut check = SelfCheck { register, identity, unsaved };
        let unwritable = state_file::probe(&PathBuf::from(&state)).err();
        let said = check.problems(unwritable.as_ref());
        assert!(said.len() == 1 && said[0].starts_with(&format!("Generation {} ", identity.generation)), "{said:?}");
        assert!(said[0].contains("Make room"), "{said:?}");
        check.unsaved = None;
        assert!(check.problems(unwritable.as_ref())[0].contains("takes no file"));
        assert!(check.problems(None).is_empty());
    }
}
