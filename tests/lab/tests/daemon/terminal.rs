//! What a user types on the nodes and sees there, kept as a transcript.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use hbd_lab::lab::NODES;
use hbd_lab::software::package;
use hbd_lab::{Error, Result};

use crate::pair::{A, B, Pair, SOON, expect_words};

/// The transcript: what was typed and what was printed.
pub struct Terminal<'a> {
    /// The machines.
    pub pair: &'a mut Pair,
    transcript: String,
    typed: usize,
}

impl<'a> Terminal<'a> {
    /// With hbd's package in /root of both machines.
    pub fn with_package(pair: &'a mut Pair) -> Result<Self> {
        for index in [A, B] {
            let name = package()?.file_name().unwrap_or_default().to_string_lossy().into_owned();
            pair.node(index).copy_in(&package()?, &format!("/root/{name}"))?;
        }
        Ok(Terminal { pair, transcript: String::new(), typed: 0 })
    }

    /// Types a command line on a node. It must end with status 0 and print these words.
    pub fn types(&mut self, index: usize, line: &str, words: &[&str]) -> Result<String> {
        let node = self.pair.node(index);
        let seen = node.attempt(&[
            "env",
            "DEBIAN_FRONTEND=noninteractive",
            "sh",
            "-c",
            &format!("exec 2>&1; cd /root; {line}"),
        ])?;
        // apt prints its progress in reading files on a line of its own.
        let shown: String = seen.stdout.split_inclusive('\n').filter(|line| !line.starts_with("(Reading")).collect();
        self.shows(index, line, &shown);
        if seen.status != Some(0) {
            return Err(Error::Unexpected(format!("{line} ended with {:?}:\n{}", seen.status, seen.stdout)));
        }
        expect_words(line, &seen.stdout, words)?;
        Ok(seen.stdout)
    }

    /// Types the same on both nodes.
    pub fn types_on_both(&mut self, line: &str, words: &[&str]) -> Result<()> {
        for index in [A, B] {
            self.types(index, line, words)?;
        }
        Ok(())
    }

    /// Writes a command and what it printed into the transcript, where the test itself did what the command does.
    pub fn shows(&mut self, index: usize, line: &str, shown: &str) {
        self.typed += 1;
        let _ = write!(self.transcript, "root@{}:~# {line}\n{shown}", NODES[index].name);
    }

    /// Writes a remark into the transcript.
    pub fn remarks(&mut self, text: &str) {
        let _ = writeln!(self.transcript, "\n# {text}");
    }

    /// How many command lines were typed.
    pub fn typed(&self) -> usize {
        self.typed
    }

    /// Waits until only this node has the address and the client is served by it.
    pub fn served_by(&mut self, index: usize, limit: Duration) -> Result<()> {
        let owner = || self.pair.lab.owners().is_ok_and(|owners| owners == [NODES[index].name]);
        self.pair.wait_with_one_owner(&format!("{} to serve", NODES[index].name), limit, owner)?;
        self.pair.client.wait_served_by(NODES[index].name, SOON).map(drop)
    }

    /// Writes the transcript to the file that `HBD_LAB_TRANSCRIPT` names, with this at the end of its name.
    pub fn keep(&self, suffix: &str) -> Result<()> {
        let Ok(file) = std::env::var("HBD_LAB_TRANSCRIPT") else { return Ok(()) };
        let file = format!("{file}{suffix}");
        fs::write(&file, &self.transcript).map_err(|source| Error::File { what: file, source })
    }
}
