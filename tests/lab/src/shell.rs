//! The way into a machine that is on, for threads beside the one that owns the laboratory: runs commands inside, and
//! signals its processes from outside.
//!
//! Never switches a machine on or off. A shell of a machine that has lost its power meanwhile reports errors.

use std::fs;
use std::time::Duration;

use crate::process::{LIMIT, Output, attempt, attempt_within, run};
use crate::{Error, Result};

/// One machine, from its boot to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shell {
    /// The machine's name.
    pub name: String,
    /// The process id of its systemd, as this machine counts.
    leader: String,
    /// Its network namespace.
    namespace: String,
}

impl Shell {
    pub(crate) fn new(name: &str, leader: &str, namespace: String) -> Shell {
        Shell { name: name.to_owned(), leader: leader.to_owned(), namespace }
    }

    /// The command of this machine that runs a command in the node.
    pub fn inside(&self, words: &[&str]) -> Vec<String> {
        let mut command = vec!["nsenter", "-t", &self.leader, "-m", "-p", "-n", "-u", "-i", "-C", "--"];
        command.extend(["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"]);
        command.extend(words);
        command.into_iter().map(str::to_owned).collect()
    }

    /// Runs a command in the machine. Any exit status will do.
    pub fn attempt(&self, words: &[&str]) -> Result<Output> {
        self.attempt_within(words, LIMIT)
    }

    /// As [`Shell::attempt`] with another limit.
    pub fn attempt_within(&self, words: &[&str], limit: Duration) -> Result<Output> {
        let command = self.inside(words);
        attempt_within(&command.iter().map(String::as_str).collect::<Vec<_>>(), limit)
    }

    /// The process id of its systemd, as this machine counts.
    pub fn leader(&self) -> &str {
        &self.leader
    }

    /// The processes in it, as this machine counts, all or those with a name (proc_pid_comm(5)).
    pub fn processes(&self, name: Option<&str>) -> Result<Vec<String>> {
        let all = run(&["ip", "netns", "pids", &self.namespace])?;
        let called = |pid: &str| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let wanted = |pid: &&str| name.is_none_or(|name| called(pid).trim() == name);
        Ok(all.split_whitespace().filter(wanted).map(str::to_owned).collect())
    }

    /// Sends a signal to processes of the machine from outside: its systemd need not be able to.
    pub fn signal(&self, processes: &[String], signal: &str) -> Result<()> {
        if processes.is_empty() {
            return Err(Error::Unexpected(format!("{}: no process to be sent {signal}", self.name)));
        }
        let signal = format!("-{signal}");
        let mut kill = vec!["kill", &signal, "--"];
        kill.extend(processes.iter().map(String::as_str));
        // One that has ended meanwhile is none to be signalled.
        attempt(&kill).map(drop)
    }

    /// Whether an address is on one of its interfaces.
    pub fn holds(&self, address: std::net::Ipv4Addr) -> Result<bool> {
        let words = ["ip", "-n", &self.namespace, "-4", "-oneline", "address", "show", "to", &address.to_string()];
        Ok(!run(&words)?.is_empty())
    }
}
