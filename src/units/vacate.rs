//! Ending the processes that keep a file system busy (03 §15): what Heartbeat's Filesystem agent does with fuser(1).
//!
//! Runs as a service of its own (`hbd --vacate DIR`), because hbd itself sees no other processes.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

/// How long SIGTERM has before SIGKILL, and SIGKILL before we give up.
const SIGNALS: [(Signal, Duration); 2] =
    [(Signal::TERM, Duration::from_secs(5)), (Signal::KILL, Duration::from_secs(5))];
/// How often is looked whether they are gone.
const LOOK: Duration = Duration::from_millis(100);

/// Ends every process that has a file, its directory, its root or its program below `directory`: SIGTERM first,
/// SIGKILL after five seconds. Returns those that are still there in the end.
pub fn vacate(directory: &Path) -> Vec<i32> {
    for (signal, patience) in SIGNALS {
        let begun = Instant::now();
        for pid in users(directory) {
            eprintln!("hbd --vacate: {signal:?} to process {} because of {}", pid.as_raw_pid(), directory.display());
            // Gone already, or not ours to end: the next look tells.
            let _: Result<(), Errno> = kill_process(pid, signal);
        }
        while begun.elapsed() < patience {
            if users(directory).is_empty() {
                return Vec::new();
            }
            sleep(LOOK);
        }
    }
    users(directory).into_iter().map(Pid::as_raw_pid).collect()
}

/// Processes that use something below the directory, this one and PID 1 excepted.
fn users(directory: &Path) -> Vec<Pid> {
    let own = std::process::id();
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        (pid > 1 && pid != own && uses(&entry.path(), directory)).then_some(pid)
    });
    pids.filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?)).collect()
}

fn uses(process: &Path, directory: &Path) -> bool {
    let below = |link: PathBuf| fs::read_link(link).is_ok_and(|target| target.starts_with(directory));
    let descriptors = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    ["cwd", "root", "exe"].into_iter().any(|name| below(process.join(name)))
        || descriptors.into_iter().any(|entry| below(entry.path()))
        || maps(process, directory)
}

/// Whether a file below the directory is mapped: proc_pid_maps(5), the sixth field.
fn maps(process: &Path, directory: &Path) -> bool {
    let text = fs::read(process.join("maps")).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.lines()
        .filter_map(|line| line.find('/').map(|at| &line[at..]))
        .any(|path| Path::new(path).starts_with(directory))
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

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
        assert_eq!(vacate(directory.path()), Vec::<i32>::new());
        assert_eq!(waiter.join().unwrap(), None, "ended by a signal");
        assert!(bystander.try_wait().unwrap().is_none());
        bystander.kill().unwrap();
        bystander.wait().unwrap();
    }

    #[test]
    fn an_open_file_is_a_use() {
        let directory = tempfile::tempdir().unwrap();
        let mut user = sit(directory.path(), "exec 3>held; touch ready; cd /; exec sleep 600");
        let pid = user.id();
        assert_eq!(users(directory.path()).iter().map(|pid| pid.as_raw_pid() as u32).collect::<Vec<_>>(), [pid]);
        user.kill().unwrap();
        user.wait().unwrap();
    }
}
