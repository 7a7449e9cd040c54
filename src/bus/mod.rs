//! The D-Bus interface `org.hbd1`: what hbd is and does, to be read and, by root, to be asked.
//!
//! Owns the objects below `/org/hbd1`, their properties and signals, and the bus name. Shows the [`Snapshot`] it was
//! given last and passes calls on. Never decides anything, never holds the core's state, never makes the core wait:
//! a bus that is slow or gone costs nothing but freshness.
//!
//! ```text
//! /org/hbd1                          org.hbd1.Manager, org.freedesktop.DBus.ObjectManager
//! /org/hbd1/node/<name>              org.hbd1.Node
//! /org/hbd1/node/<name>/link/<name>  org.hbd1.Link
//! /org/hbd1/group/<name>             org.hbd1.Group
//! /org/hbd1/group/<name>/resource/N  org.hbd1.Resource, N from 1 in start order
//! /org/hbd1/job/N                    org.hbd1.Job, for as long as a move lasts
//! /org/freedesktop/LogControl1       org.freedesktop.LogControl1
//! ```
//!
//! Names are escaped as sd_bus_path_encode(3) does. The interfaces are documented in `dbus/*.xml`, which are
//! generated from the doc comments in [`manager`] and [`objects`].

mod authorise;
mod call;
pub mod jobs;
pub mod manager;
pub mod objects;
pub mod path;
pub mod snapshot;
pub mod troubles;

mod answers;
mod beginning;
mod ending;
mod error;
mod fencing;
mod log_control;
mod lookup;
mod moving;
mod names;
mod publish;
mod shown;
mod tell;

#[cfg(test)]
pub(crate) mod private_bus;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_callers;
#[cfg(test)]
mod tests_clients;
#[cfg(test)]
mod tests_documents;
#[cfg(test)]
mod tests_jobs;
#[cfg(test)]
mod tests_name;

pub use call::{Call, CallError, KEYS_CHANGE, OperatorRequest, RequestOutcome};
pub use ending::{JobEnding, JobResult};
pub use names::{NAME, ROOT};
pub use snapshot::{
    CheckSnapshot, DecisionSnapshot, GroupSnapshot, LinkSnapshot, NodeSnapshot, ResourceSnapshot, Snapshot, Traffic,
    UnfitSnapshot,
};

use std::sync::{Arc, RwLock};
use std::time::Duration;

use log::{info, warn};
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use zbus::connection::Builder;
use zbus::fdo::RequestNameFlags;
use zbus::{Connection, fdo};

use call::Caller;
use jobs::Jobs;
use manager::ManagerObject;
use publish::Publisher;

/// First pause before a lost bus is tried again; doubled each time.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
/// Longest such pause.
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// How long a stuck bus may take to let us in before we try anew.
const CONNECT: Duration = Duration::from_secs(20);

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
/// objects and the name are put on it again, with backoff. Calls that find `calls` full are answered as busy. Needs a
/// tokio runtime; one thread is enough. `tried` is called once, when the first attempt has ended: the name is on the
/// bus, or somebody was told why not.
pub async fn run(
    connect: impl Fn() -> Builder<'static> + Send + Sync + 'static,
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    calls: mpsc::Sender<Call>,
    tried: impl FnOnce() + Send,
) {
    let mut tried = Some(tried);
    let jobs = Arc::new(Jobs::default());
    let mut backoff = BACKOFF_MIN;
    let mut told = String::new();
    loop {
        let on_the_bus = || tried.take().into_iter().for_each(|tried| tried());
        let error = match serve(&connect, &mut snapshots, &calls, &jobs, &mut backoff, on_the_bus).await {
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
    calls: &mpsc::Sender<Call>,
    jobs: &Arc<Jobs>,
    backoff: &mut Duration,
    on_the_bus: impl FnOnce(),
) -> Result<(), BusError> {
    let first = snapshots.borrow_and_update().clone();
    let stuck = |_| Err(BusError::Unreachable(fdo::Error::TimedOut("no answer".to_owned()).into()));
    let (connection, mut publisher) =
        timeout(CONNECT, appear(connect(), &first, calls, jobs)).await.unwrap_or_else(stuck)?;
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
    calls: &mpsc::Sender<Call>,
    jobs: &Arc<Jobs>,
) -> Result<(Connection, Publisher), BusError> {
    let shown = Arc::new(RwLock::new(first.clone()));
    let caller = Caller::new(calls.clone());
    let connection = builder
        .serve_at(ROOT, fdo::ObjectManager)
        .serve_at(ROOT, ManagerObject::new(Arc::clone(&shown), caller.clone(), Arc::clone(jobs)))
        .serve_at(ROOT, fencing::FencingObject::new(Arc::clone(&shown), caller.clone()))
        .serve_at(log_control::PATH, log_control::LogControlObject::new(caller))
        .build()
        .await
        .map_err(BusError::Unreachable)?;
    let mut publisher = Publisher::new(&connection, shown, Arc::clone(jobs));
    publisher.publish(first).await.map_err(BusError::Unreachable)?;
    if connection.is_bus() {
        // Last, so that a program that sees the name finds everything. Neither replaced nor replacing, as zbus
        // would by itself: the name must not change its owner without a word.
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
