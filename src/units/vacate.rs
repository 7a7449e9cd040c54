//! Ending the processes that keep a file system busy (03 §15): what Heartbeat's Filesystem agent does with fuser(1).
//!
//! Who they are is found by [`super::occupants`]. Runs as a service of its own (`hbd --vacate DIR`), because hbd
//! itself sees no other processes.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use super::occupants::{Occupant, occupants};

/// How long SIGTERM has before SIGKILL, and SIGKILL before we give up.
const SIGNALS: [(Signal, Duration); 2] =
    [(Signal::TERM, Duration::from_secs(5)), (Signal::KILL, Duration::from_secs(5))];
/// How often is looked whether they are gone.
const LOOK: Duration = Duration::from_millis(100);

/// Ends every process that has a file, its directory, its root or its program below `directory`: SIGTERM first,
/// SIGKILL after five seconds. Returns those that are still there in the end.
pub fn vacate(directory: &Path) -> Vec<Occupant> {
    for (signal, patience) in SIGNALS {
        let begun = Instant::now();
        for occupant in occupants(directory) {
            eprintln!("hbd --vacate: {signal:?} to a process because of {}: {occupant}", directory.display());
            // Gone already, or not ours to end: the next look tells.
            let _: Option<Result<(), Errno>> = Pid::from_raw(occupant.pid).map(|pid| kill_process(pid, signal));
        }
        while begun.elapsed() < patience {
            if occupants(directory).is_empty() {
                return Vec::new();
            }
            sleep(LOOK);
        }
    }
    occupants(directory)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::{Child, Command};

    use super::*;
    use crate::units::occupants::Usage;

    /// A process that sits in the directory and has said so.
    fn sit(directory: &Path, script: &str) -> Child {
        let child = Command::new("/bin/sh").args(["-c", script]).current_dir(directory).spawn().unwrap();
        let ready = directory.join("ready");
        let begun = Instant::now();
        while !ready.exists() {
            assert!(begun.elapsed() < Duration::from_secs(20), "the shell does not start");
            sleep(LOOK);
        }
        fs::remove_file(ready).unwrap();
        child
    }

    #[test]
    fn users_are_ended_and_others_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let mut user = sit(directory.path(), "touch ready; exec sleep 600");
        let mut bystander = sit(elsewhere.path(), "touch ready; exec sleep 600");
        let waiter = std::thread::spawn(move || user.wait().unwrap().code());
        assert_eq!(vacate(directory.path()), Vec::<Occupant>::new());
        assert_eq!(waiter.join().unwrap(), None, "ended by a signal");
        assert!(bystander.try_wait().unwrap().is_none());
        bystander.kill().unwrap();
        bystander.wait().unwrap();
    }

    /// What one process is found to do with the directory.
    fn usage_of(directory: &Path, script: &str) -> (Usage, String) {
        let mut user = sit(directory, script);
        let begun = Instant::now();
        // The shell becomes the program that sleeps after it has said that it is ready.
        let found = loop {
            match occupants(directory).as_slice() {
                [found] if found.name == "sleep" => break found.clone(),
                found => assert!(begun.elapsed() < Duration::from_secs(20), "{found:?}"),
            }
            sleep(LOOK);
        };
        user.kill().unwrap();
        user.wait().unwrap();
        assert_eq!(u32::try_from(found.pid), Ok(user.id()));
        assert!(!found.user.is_empty(), "{found:?}");
        (found.usage, found.path.file_name().unwrap_or_default().to_string_lossy().into_owned())
    }

    #[test]
    fn a_use_is_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        let open = usage_of(directory, "exec 3>held; touch ready; cd /; exec sleep 600");
        assert_eq!(open, (Usage::Open, "held".to_owned()));
        fs::create_dir(directory.join("inside")).unwrap();
        let standing = usage_of(directory, "touch ready; cd inside; exec sleep 600");
        assert_eq!(standing, (Usage::WorkingDirectory, "inside".to_owned()));
    }
}
