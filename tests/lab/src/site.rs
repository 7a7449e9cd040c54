//! Where one lab lives: its prefix, its state directory, and how everything of the lab is removed again.
//!
//! Everything that the lab makes can be found by the prefix: namespaces `PREFIX-…`, processes inside them, control
//! groups `hbd-lab-PREFIX-…`, mounts below the state directory. So the next run cleans up after an interrupted one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cgroup::Groups;
use crate::process::{attempt, run, wait_regardless};
use crate::{Error, Result};

/// The state directories, one for each prefix, are below it.
const STATE: &str = "/run/hbd-lab";

/// One lab's place on this machine. No other lab with the same prefix can run while it is held.
#[derive(Debug)]
pub struct Site {
    prefix: String,
    directory: PathBuf,
    _lock: File,
}

impl Site {
    /// Takes the place named by `HBD_LAB_PREFIX` (default `hbd`), removes what an earlier run left there, and starts
    /// with an empty state directory. It is a tmpfs of its own: what `/run` is on may refuse to be an overlay's
    /// upper.
    pub fn claim() -> Result<Site> {
        let prefix = std::env::var("HBD_LAB_PREFIX").unwrap_or_else(|_| "hbd".to_owned());
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if prefix.is_empty() || prefix.len() > 16 || !prefix.chars().all(fine) {
            let reason = format!("HBD_LAB_PREFIX={prefix}: write 1 to 16 lower-case letters and digits");
            return Err(Error::Unexpected(reason));
        }
        fs::create_dir_all(STATE).map_err(Error::file(STATE))?;
        let lock_path = format!("{STATE}/{prefix}.lock");
        let lock = File::create(&lock_path).map_err(Error::file(&lock_path))?;
        wait_regardless(&format!("the other lab with the prefix {prefix} to end"), Duration::from_secs(3), || {
            lock.try_lock().ok()
        })?;
        sweep(&prefix)?;
        let directory = state_directory(&prefix);
        let path = directory.display().to_string();
        fs::create_dir_all(&directory).map_err(Error::file(&path))?;
        run(&["mount", "-t", "tmpfs", "-o", "mode=755", "hbd-lab", &path])?;
        clean_on_signals(&prefix)?;
        Ok(Site { prefix, directory, _lock: lock })
    }

    /// The name of a network namespace of this lab.
    pub fn namespace(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    /// Where this lab keeps its state. Removed with the lab.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Err(error) = sweep(&self.prefix) {
            eprintln!("lab: could not clean up: {error}");
        }
    }
}

/// Removes everything when Ctrl-C ends the program: it must not leave two machines running.
fn clean_on_signals(prefix: &str) -> Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let mut signals =
        signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(Error::file("signal handler"))?;
    let prefix = prefix.to_owned();
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            eprintln!("\nlab: interrupted, cleaning up");
            if let Err(error) = sweep(&prefix) {
                eprintln!("lab: {error}; the next start tries again");
            }
            std::process::exit(128 + signal);
        }
    });
    Ok(())
}

fn state_directory(prefix: &str) -> PathBuf {
    Path::new(STATE).join(prefix)
}

/// Removes every process, mount, namespace and file of a prefix.
fn sweep(prefix: &str) -> Result<()> {
    let ours = format!("{prefix}-");
    let namespaces: Vec<String> = run(&["ip", "netns", "list"])?
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| name.starts_with(&ours))
        .map(str::to_owned)
        .collect();
    for namespace in &namespaces {
        empty(namespace)?;
        Groups::of(namespace)?.remove()?;
    }
    for mount in mounts_below(&state_directory(prefix))? {
        // A process that is just dying may still use the mount: it is detached, and the kernel removes it afterwards.
        run(&["umount", "--lazy", &mount])?;
    }
    for namespace in &namespaces {
        run(&["ip", "netns", "delete", namespace])?;
    }
    match fs::remove_dir(state_directory(prefix)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::File { what: state_directory(prefix).display().to_string(), source: error })
        }
        _ => Ok(()),
    }
}

/// Kills all processes of a namespace and waits until they are gone.
pub(crate) fn empty(namespace: &str) -> Result<()> {
    wait_regardless(&format!("the processes of {namespace} to end"), Duration::from_secs(10), || {
        let pids = attempt(&["ip", "netns", "pids", namespace]).ok()?.stdout;
        let mut kill = vec!["kill", "-KILL", "--"];
        kill.extend(pids.split_whitespace());
        if kill.len() > 3 { attempt(&kill).ok().and(None) } else { Some(()) }
    })
}

/// Mount points at and below a directory, innermost first.
fn mounts_below(directory: &Path) -> Result<Vec<String>> {
    let table = fs::read_to_string("/proc/self/mountinfo").map_err(Error::file("/proc/self/mountinfo"))?;
    let mut mounts: Vec<String> = table
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .filter(|mount| Path::new(mount).starts_with(directory))
        .map(str::to_owned)
        .collect();
    mounts.reverse();
    Ok(mounts)
}
