//! The laboratory: two machines in containers, a switch between them, and a client that watches.
//!
//! Each node has its own systemd (PID 1, D-Bus, journal) in a network namespace of the lab, which thus controls
//! cables, addresses and captures. hbd is installed from its package; a node can run a real Heartbeat instead. `node`
//! and `switch` say how such nodes are booted and what to beware of.
//!
//! | module | owns |
//! |---|---|
//! | [`site`] | names, the state directory, removal of what an interrupted run left |
//! | [`switch`] | namespaces, bridges, cables |
//! | `cgroup` | each machine's own control groups |
//! | [`node`] | one machine: boot, commands, files, services, power failure |
//! | [`shell`] | the way into a machine for other threads |
//! | [`process`] | programs that are started, waited for and ended |
//! | [`witness`] | servers of etcd, and the cables to them |
//! | [`serial`] | a null-modem cable between the nodes |
//! | [`records`] | a node's journal |
//! | [`capture`] | what crossed a bridge |
//! | [`client`] | a client, what it was answered, and its outages |
//! | [`wire`] | a cable that loses, delays, doubles and repeats frames |
//! | [`arp`] | who answers for the virtual address, and a stranger that claims it |
//! | [`noise`] | garbage on the heartbeat link |
//! | [`keepalived`] | keepalived in a node's network, beside which hbd is measured |
//! | [`software`] | hbd or Heartbeat on a node: install, configure, start, stop, its complaints |
//! | [`repository`] | what a node without a network can install |
//! | [`example`] | the `seed-centos65` configuration |
//! | [`lab`] | all of it together |
//! | [`round`] | a pair under test: the states that scenarios start from, what must hold after each |
//! | [`exchanges`] | the scenarios that every pairing plays |
//! | [`opinion`] | what the cluster managers report: which nodes live, which owns what, what is wrong |
//! | [`starvation`] | how much processor time the host gave to other machines |
//! | [`suite`] | selects, plays and repeats tests, and prints how they went |
//!
//! A program that uses the lab calls [`enter`] first in its `main`: the client and the noise are the same program,
//! started again inside a namespace.

pub mod arp;
pub mod capture;
mod cgroup;
pub mod client;
pub mod example;
pub mod exchanges;
pub mod keepalived;
pub mod lab;
pub mod node;
pub mod noise;
pub mod opinion;
pub mod process;
pub mod records;
pub mod repository;
pub mod round;
pub mod serial;
pub mod shell;
pub mod site;
pub mod software;
pub mod starvation;
pub mod suite;
pub mod switch;
pub mod wire;
pub mod witness;

use std::path::PathBuf;
use std::time::Duration;

pub use lab::{Lab, missing};
pub use process::wait_until;

/// What can go wrong in the lab. Every variant says what was attempted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A command could not be started or reported failure.
    #[error("{command}: {reason}")]
    Command {
        /// The command line.
        command: String,
        /// Its exit status and what it printed on stderr.
        reason: String,
    },
    /// A command did not end in time and was killed.
    #[error("{command}: did not end within {limit:?}")]
    TimeUp {
        /// The command line.
        command: String,
        /// Its limit.
        limit: Duration,
    },
    /// A file operation failed.
    #[error("{what}: {source}")]
    File {
        /// What was attempted, with the path.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A condition did not come true in time.
    #[error("waited {limit:?} in vain for {what}{seen}")]
    Timeout {
        /// The condition.
        what: String,
        /// How long we waited.
        limit: Duration,
        /// What was found instead, with its own punctuation; may be empty.
        seen: String,
    },
    /// Something read was not what it must be.
    #[error("{0}")]
    Unexpected(String),
}

/// The lab's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of the file, or whatever else `what` is.
    pub fn file(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Error::File { what, source }
    }
}

/// Runs the client or the noise if this process was started as one of them, and does not return then.
pub fn enter() {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some(client::ROLE) => client::helper_main(arguments),
        Some(noise::ROLE) => noise::helper_main(arguments),
        _ => return,
    }
    std::process::exit(0);
}

/// The root of the source tree that this lab belongs to.
pub fn project_root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
