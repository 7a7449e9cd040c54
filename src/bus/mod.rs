//! The D-Bus interface `org.hbd1`: what hbd is and does, to be read and, by root, to be asked.
//!
//! Owns the objects below `/org/hbd1`, their properties and signals, and the bus name. Shows the [`Snapshot`] it was
//! given last and passes requests on. Never decides anything, never holds the core's state, never makes the core wait:
//! a bus that is slow or gone costs nothing but freshness.
//!
//! ```text
//! /org/hbd1                          org.hbd1.Manager, org.freedesktop.DBus.ObjectManager
//! /org/hbd1/node/<name>              org.hbd1.Node
//! /org/hbd1/node/<name>/link/<name>  org.hbd1.Link
//! /org/hbd1/group/<name>             org.hbd1.Group
//! /org/hbd1/group/<name>/resource/N  org.hbd1.Resource, N from 1 in start order
//! /org/hbd1/job/N                    org.hbd1.Job, for as long as a move lasts
//! ```
//!
//! Names are escaped as sd_bus_path_encode(3) does. The interfaces are documented in `dbus/*.xml`, which are generated
//! from the doc comments in [`manager`] and [`objects`].

mod authorise;
pub mod jobs;
pub mod manager;
pub mod objects;
pub mod path;
pub mod snapshot;

mod fencing;
mod publish;
mod tell;

#[cfg(test)]
pub(crate) mod private_bus;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_documents;
#[cfg(test)]
mod tests_jobs;
#[cfg(test)]
mod tests_name;

pub use jobs::{Ending, JobResult};
pub use snapshot::{Decision, GroupSnapshot, LinkSnapshot, NodeSnapshot, ResourceSnapshot, Snapshot, Traffic};

use std::sync::{Arc, RwLock};
use std::time::Duration;

use log::{info, warn};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};
use zbus::connection::Builder;
use zbus::fdo::RequestNameFlags;
use zbus::{Connection, fdo};

use jobs::Jobs;
use manager::Manager;
use publish::Publisher;

/// The bus name.
pub const NAME: &str = "org.hbd1";
/// The manager's object and the root of all others.
pub const ROOT: &str = "/org/hbd1";

/// First pause before a lost bus is tried again; doubled each time.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
/// Longest such pause.
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// How long a stuck bus may take to let us in before we try anew.
const CONNECT: Duration = Duration::from_secs(20);

/// What a caller on the bus asks the daemon to do.
#[derive(Debug)]
pub enum Request {
    /// Read the configuration again. The answer is one line per change, or why nothing was changed.
    Reload {
        /// Where the answer goes.
        reply: oneshot::Sender<Result<Vec<String>, String>>,
    },
    /// Log more or less from now on.
    Debug {
        /// As `debug` of ha.cf.
        level: u8,
        /// Where the answer goes, in words.
        reply: oneshot::Sender<String>,
    },
    /// Forget failures and try again what waits because of them.
    Cleanup {
        /// The group by its name; empty for all.
        group: String,
        /// Where the answer goes, in words.
        reply: oneshot::Sender<Result<String, String>>,
    },
    /// Reset a node with its fencing device, or only try whether the device answers.
    Fence {
        /// The node.
        node: String,
        /// Whether the device is only asked.
        dry_run: bool,
        /// Where the answer goes, in words.
        reply: oneshot::Sender<Result<String, String>>,
    },
    /// A human says that this node is off.
    ConfirmFenced {
        /// The node.
        node: String,
        /// Where the answer goes, in words.
        reply: oneshot::Sender<Result<String, String>>,
    },
    /// Move groups. The answer comes when they run where they were wanted, or says why they do not.
    Move {
        /// Whether they are to come here (takeover) or to go to the other node (standby).
        here: bool,
        /// Which groups.
        scope: Scope,
        /// Where the answer goes.
        reply: oneshot::Sender<Ending>,
    },
    /// Move one group; answered as `Move`.
    MoveGroup {
        /// The group by its name.
        group: String,
        /// The node it is to run on.
        node: String,
        /// Where the answer goes.
        reply: oneshot::Sender<Ending>,
    },
    /// Take a group that is held back.
    ClearHold {
        /// The group by its name.
        group: String,
        /// Where the answer goes, in words.
        reply: oneshot::Sender<Result<String, String>>,
    },
    /// Leave this node's resources alone, or no longer.
    Maintenance {
        /// Whether it begins.
        on: bool,
        /// Where the answer goes, in words.
        reply: oneshot::Sender<Result<String, String>>,
    },
}

/// Which groups, in Heartbeat's words (03 §1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Every group.
    All,
    /// The groups that prefer this node.
    Local,
    /// The groups that prefer the other node.
    Foreign,
}

impl Scope {
    /// `all`, `local`, `foreign`, or `failback`, which is `foreign`.
    pub fn parse(word: &str) -> Option<Scope> {
        match word {
            "all" => Some(Scope::All),
            "local" => Some(Scope::Local),
            "foreign" | "failback" => Some(Scope::Foreign),
            _ => None,
        }
    }
}

/// Why the interface is not on the bus.
#[derive(Debug, Error)]
pub enum BusError {
    /// Another process owns the name.
    #[error("the bus name {NAME} is taken: another hbd is running; see `busctl status {NAME}`")]
    NameTaken,
    /// The bus refused the name.
    #[error(
        "the bus does not let us own {NAME} ({0}): is dbus/org.hbd1.conf installed in /usr/share/dbus-1/system.d?"
    )]
    NameRefused(#[source] zbus::Error),
    /// The bus cannot be reached, or went away.
    #[error("cannot reach the system bus: {0}")]
    Unreachable(#[source] zbus::Error),
}

/// Serves `snapshots` until their sender is dropped.
///
/// `connect` gives a fresh builder for the system bus each time a connection is needed; when the bus restarts, the
/// objects and the name are put on it again, with backoff. Requests that find `requests` full are answered as busy.
/// Needs a tokio runtime; one thread is enough. `tried` is called once, when the first attempt has ended: the name is on the
/// bus, or somebody was told why not.
pub async fn run(
    connect: impl Fn() -> Builder<'static> + Send + Sync + 'static,
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    requests: mpsc::Sender<Request>,
    tried: impl FnOnce() + Send,
) {
    let mut tried = Some(tried);
    let jobs = Arc::new(Jobs::default());
    let mut backoff = BACKOFF_MIN;
    let mut told = String::new();
    loop {
        let on_the_bus = || tried.take().into_iter().for_each(|tried| tried());
        let error = match serve(&connect, &mut snapshots, &requests, &jobs, &mut backoff, on_the_bus).await {
            Ok(()) => return,
            Err(error) => error,
        };
        // One line for each new reason, not one for each attempt.
        let text = error.to_string();
        if text != told {
            warn!("{text}. Trying again.");
            told = text;
        }
        tried.take().into_iter().for_each(|tried| tried());
        tokio::select! {
            () = sleep(backoff) => {}
            gone = wait_for_end(&mut snapshots) => return gone,
        }
        backoff = (backoff * 2).min(BACKOFF_MAX);
    }
}

/// One connection: from building it until it is lost (`Err`) or nobody sends snapshots any more (`Ok`).
async fn serve(
    connect: &(impl Fn() -> Builder<'static> + Send + Sync),
    snapshots: &mut watch::Receiver<Arc<Snapshot>>,
    requests: &mpsc::Sender<Request>,
    jobs: &Arc<Jobs>,
    backoff: &mut Duration,
    on_the_bus: impl FnOnce(),
) -> Result<(), BusError> {
    let first = snapshots.borrow_and_update().clone();
    let stuck = |_| Err(BusError::Unreachable(fdo::Error::TimedOut("no answer".to_owned()).into()));
    let (connection, mut publisher) =
        timeout(CONNECT, appear(connect(), &first, requests, jobs)).await.unwrap_or_else(stuck)?;
    on_the_bus();
    if *backoff != BACKOFF_MIN {
        info!("{NAME} is on the system bus again.");
        *backoff = BACKOFF_MIN;
    }
    let lost = || BusError::Unreachable(fdo::Error::Disconnected("connection closed".to_owned()).into());
    loop {
        tokio::select! {
            () = connection.closed() => return Err(lost()),
            changed = snapshots.changed() => {
                if changed.is_err() {
                    // The name goes with the connection; a failure means that both are gone already.
                    let _ = connection.close().await;
                    return Ok(());
                }
            }
        }
        let next = snapshots.borrow_and_update().clone();
        tokio::select! {
            () = connection.closed() => return Err(lost()),
            published = publisher.publish(&next) => published.map_err(BusError::Unreachable)?,
        }
    }
}

/// Puts the objects, and then the name, on the bus.
async fn appear(
    builder: Builder<'static>,
    first: &Snapshot,
    requests: &mpsc::Sender<Request>,
    jobs: &Arc<Jobs>,
) -> Result<(Connection, Publisher), BusError> {
    let shown = Arc::new(RwLock::new(first.clone()));
    let connection = builder
        .serve_at(ROOT, fdo::ObjectManager)
        .serve_at(ROOT, Manager::new(Arc::clone(&shown), requests.clone(), Arc::clone(jobs)))
        .serve_at(ROOT, fencing::Fencing::new(requests.clone()))
        .build()
        .await
        .map_err(BusError::Unreachable)?;
    let mut publisher = Publisher::new(&connection, shown, Arc::clone(jobs));
    publisher.publish(first).await.map_err(BusError::Unreachable)?;
    if connection.is_bus() {
        // Last, so that whoever sees the name finds everything.
        // Neither replaced nor replacing, as zbus would by itself: whoever calls must not change hands without a word.
        let requested = connection.request_name_with_flags(NAME, RequestNameFlags::DO_NOT_QUEUE).await;
        requested.map_err(|error| match error {
            zbus::Error::NameTaken => BusError::NameTaken,
            error => BusError::NameRefused(error),
        })?;
    }
    Ok((connection, publisher))
}

/// Resolves when nobody sends snapshots any more.
async fn wait_for_end(snapshots: &mut watch::Receiver<Arc<Snapshot>>) {
    while snapshots.changed().await.is_ok() {}
}
