//! The cluster managers, and what the campaign has to know of each: its files, its units, how an operator moves the
//! service.
//!
//! | module | owns |
//! |---|---|
//! | [`hbd`] | hbd |
//! | [`heartbeat`] | Heartbeat 3.0.6 |
//! | [`keepalived`] | keepalived |
//! | [`pacemaker`] | Pacemaker with corosync |
//! | [`ucarp`] | ucarp |
//!
//! The files themselves are beside this folder, in one folder for each contender, with their reasons. Never measures.

pub mod hbd;
pub mod heartbeat;
pub mod keepalived;
pub mod pacemaker;
pub mod ucarp;

use std::time::Duration;

use hbd_lab::Result;
use hbd_lab::lab::{Lab, NODES};
use hbd_lab::node::Node;
use hbd_lab::process::wait_or_explain;

/// Upper bound for anything that follows from a start on a busy machine.
pub const START: Duration = Duration::from_secs(90);

/// How the service and the times are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Dead time 5 s; the web server runs as the contender's documentation has it.
    Usual,
    /// Dead time 5 s; a move starts the web server on one node and stops it on the other one.
    Starting,
    /// Dead time 1 s; the web server runs on both nodes.
    Everywhere,
}

impl Profile {
    /// The dead time that was wanted, seconds.
    pub fn dead_time(self) -> f64 {
        if self == Profile::Everywhere { 1.0 } else { 5.0 }
    }
}

/// A file of a node, with its mode.
#[derive(Debug)]
pub struct File {
    /// Where.
    pub path: &'static str,
    /// What is in it.
    pub content: String,
    /// Its mode.
    pub mode: u32,
}

impl File {
    /// A file that everybody may read.
    pub fn new(path: &'static str, content: impl Into<String>) -> File {
        File { path, content: content.into(), mode: 0o644 }
    }

    /// The same with another mode.
    #[must_use]
    pub fn mode(self, mode: u32) -> File {
        File { mode, ..self }
    }
}

/// A cluster manager.
pub trait Contender {
    /// Its name in the table.
    fn name(&self) -> &'static str;

    /// The Debian packages whose versions the table names.
    fn packages(&self) -> &'static [&'static str];

    /// Its units, in the order of their start.
    fn units(&self) -> &'static [&'static str];

    /// The files of a node, in the order of `NODES`.
    fn files(&self, index: usize, profile: Profile) -> Vec<File>;

    /// How long its own rule lets a silent node live, seconds, and the settings that make it so.
    fn detection(&self, profile: Profile) -> (f64, String);

    /// Whether it starts and stops the web server in this profile.
    fn runs_the_service(&self, profile: Profile) -> bool {
        profile != Profile::Everywhere
    }

    /// The profile that this one is the same as: one that starts the web server anyway has no other way of doing it.
    fn canonical(&self, profile: Profile) -> Profile {
        let same = profile == Profile::Starting && self.runs_the_service(Profile::Usual);
        if same { Profile::Usual } else { profile }
    }

    /// What is to be done once after the first start with these files.
    fn introduce(&self, _lab: &Lab, _profile: Profile) -> Result<()> {
        Ok(())
    }

    /// Waits until both nodes know each other after a start at a wall-clock time.
    fn wait_ready(&self, lab: &mut Lab, since: f64) -> Result<()>;

    /// Whether both nodes say, where they can, that they know each other and are calm.
    fn is_ready(&self, _lab: &Lab) -> Result<bool> {
        Ok(true)
    }

    /// Asks, as an operator would, that the service leaves this node. Does not wait for it.
    fn leave(&self, lab: &Lab, index: usize) -> Result<()>;

    /// Ends what [`Contender::leave`] began, so that the preferred node has the service again.
    fn come_back(&self, lab: &Lab) -> Result<()>;

    /// Forgets failures of the service, as an operator does who has mended it.
    fn forgive(&self, _node: &Node) -> Result<()> {
        Ok(())
    }

    /// What a reader has to know of its column.
    fn note(&self) -> &'static str;
}

/// All of them, in the order of the columns.
pub fn all() -> [&'static dyn Contender; 5] {
    [&hbd::Hbd, &keepalived::Keepalived, &pacemaker::Pacemaker, &heartbeat::Heartbeat, &ucarp::Ucarp]
}

/// A committed file with its placeholders filled in.
fn filled(text: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("@{name}@"), value))
}

/// Waits until a command in a node prints a text.
fn wait_printed(node: &Node, words: &[&str], text: &str) -> Result<()> {
    wait_or_explain(&format!("{} on {} to print {text:?}", words.join(" "), node.name()), START, || {
        let printed = node.attempt(words).map_err(|error| error.to_string())?.stdout;
        if printed.contains(text) { Ok(()) } else { Err(printed) }
    })
}

/// The link addresses stand in committed files: they are the laboratory's.
fn public(index: usize) -> String {
    NODES[index].public.to_string()
}
