//! What is released beside a start: what the last hbd served and nobody is to serve any more.
//!
//! Owns a thread, because a unit may take long to stop, and the peers do not wait for that. What is still being
//! released stays noted, so that nothing is forgotten should hbd end meanwhile. Never decides what is released:
//! [`super::succession`] does.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use log::{error, info, warn};

use super::held::Held;
use super::release::{release, stop_children};
use super::runtime::runtime;
use crate::config::{Child, Group, UnitPolicies};
use crate::util::error::{FileError, error_chain};

/// What is being released.
#[derive(Debug, Default)]
pub struct Leaving(Arc<Mutex<Progress>>);

#[derive(Debug, Default)]
struct Progress {
    groups: Vec<Group>,
    /// Where they are noted, once they are.
    noted: Option<PathBuf>,
}

impl Leaving {
    /// Begins, and waits until everything is released, at most for `patience` if there is one. Addresses go first.
    pub fn begin(
        groups: Vec<Group>,
        children: Vec<Child>,
        units: UnitPolicies,
        patience: Option<Duration>,
    ) -> Leaving {
        let leaving = Leaving(Arc::new(Mutex::new(Progress { groups: groups.clone(), noted: None })));
        let progress = Arc::clone(&leaving.0);
        let (ended, end) = channel();
        let work = move || {
            release_all(&groups, &children, &units);
            finish(&mut lock(&progress));
            // A start that has lost its patience does not listen.
            let _ = ended.send(());
        };
        match thread::Builder::new().name("leaving".to_owned()).spawn(work) {
            Ok(_) => wait(&end, patience),
            Err(error) => error!("what the last hbd left is not released: {error}"),
        }
        leaving
    }

    /// Writes `held` with what is still being released.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn note(&self, directory: &Path, held: Held) -> Result<(), FileError> {
        let mut progress = lock(&self.0);
        Held { leaving: progress.groups.clone(), ..held }.write(directory)?;
        progress.noted = Some(directory.to_owned());
        Ok(())
    }
}

/// A panic of the other thread changes nothing about what is noted.
fn lock(progress: &Mutex<Progress>) -> MutexGuard<'_, Progress> {
    progress.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait(end: &Receiver<()>, patience: Option<Duration>) {
    match patience {
        None => {
            // The thread has ended either way.
            let _ = end.recv();
        }
        Some(patience) => {
            if end.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                info!("What is no longer served takes long to stop: hbd goes on meanwhile.");
            }
        }
    }
}

fn release_all(groups: &[Group], children: &[Child], units: &UnitPolicies) {
    match runtime() {
        Ok(runtime) => {
            let mut errors = runtime.block_on(release(groups, units));
            errors.extend(runtime.block_on(stop_children(children)));
            for error in errors {
                error!("{}", error_chain(&error));
            }
        }
        Err(error) => error!("{}", error_chain(&error)),
    }
}

fn finish(progress: &mut Progress) {
    progress.groups.clear();
    let Some(directory) = &progress.noted else { return };
    // It is gone where hbd has stopped meanwhile.
    let cleared = match Held::read(directory) {
        Ok(Some(held)) => Held { leaving: Vec::new(), ..held }.write(directory),
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = cleared {
        warn!("{}: what has been released may be released again", error_chain(&error));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_still_being_released_is_noted_until_it_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let group = Group { node: "nodea".into(), key: "x".into(), resources: Vec::new(), line: 1 };
        let leaving = Leaving::default();
        lock(&leaving.0).groups.push(group.clone());
        leaving.note(directory.path(), Held::default()).unwrap();
        assert_eq!(Held::read(directory.path()).unwrap().unwrap().leaving, [group]);
        finish(&mut lock(&leaving.0));
        assert_eq!(Held::read(directory.path()).unwrap(), Some(Held::default()));
    }
}
