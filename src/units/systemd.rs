//! One connection to systemd: start, stop, look.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, broadcast};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use zbus::{Connection, OwnedObjectPath};

use super::answer::{connection_error, is_transient};
use super::error::{UnitError, Verb};
use super::jobs::UnitJobs;
use super::proxy::{ManagerProxy, Property, ServiceProxy};
use super::signals::{self, ManagerEvent, OwnStop, SeenUp};
use super::state::{ActiveState, UnitState};
use crate::util::bus_error::{error_name, error_text};
use crate::util::clock::monotonic_usec;

/// How often a state is read again while something is waited for, should every signal have been lost.
pub const RECHECK: Duration = Duration::from_secs(2);
/// How long a `JobRemoved` may lag behind the observation that the job is gone.
pub(super) const LAG: Duration = Duration::from_millis(200);
/// Pause before an unanswered call is made again.
pub(super) const RETRY: Duration = Duration::from_millis(200);
/// Events a waiting call may fall behind before it reads the state instead.
const EVENTS: usize = 1024;
/// Pause, and how often at most it is made, while a transient unit that has ended is still known to systemd.
const MAKE_AGAIN: (Duration, u32) = (Duration::from_millis(100), 30);
/// Calls in flight at once: dbus-daemon allows a connection 128 pending replies (`max_replies_per_connection`).
const CALLS: usize = 64;

/// A connection to `org.freedesktop.systemd1`. Made in a tokio runtime, used by any number of concurrent calls.
///
/// When the bus connection dies, calls end with [`UnitError::ConnectionLost`]; the caller makes a new one.
pub struct Systemd {
    pub(super) connection: Connection,
    pub(super) manager: ManagerProxy<'static>,
    pub(super) events: broadcast::Sender<ManagerEvent>,
    calls: Semaphore,
    /// All jobs of which was heard over this connection.
    jobs: Arc<Mutex<UnitJobs>>,
    _drains: JoinSet<()>,
}

/// What is wanted of a unit.
#[derive(Clone, Copy)]
pub(super) struct JobWish<'a> {
    /// Up or down.
    pub verb: Verb,
    /// The unit.
    pub unit: &'a str,
    /// What the unit is made of if it is a transient one that is to be started.
    pub made_of: Option<&'a [Property<'a>]>,
}

impl Systemd {
    /// Subscribes to systemd's signals on `connection` (the system bus) and begins to drain them.
    ///
    /// # Errors
    /// [`UnitError::Bus`] or [`UnitError::ConnectionLost`] when the bus or systemd does not answer.
    pub async fn new(connection: Connection) -> Result<Self, UnitError> {
        let lost = |error| connection_error(&connection, error);
        let manager = ManagerProxy::builder(&connection)
            .cache_properties(zbus::proxy::CacheProperties::No)
            .build()
            .await
            .map_err(lost)?;
        let (events, _) = broadcast::channel(EVENTS);
        let jobs = Arc::new(Mutex::new(UnitJobs::default()));
        let heard = events.subscribe();
        let mut drains = signals::drain(&manager, &events).await.map_err(lost)?;
        drains.spawn(keep_jobs(heard, Arc::clone(&jobs)));
        manager.subscribe().await.map_err(lost)?;
        Ok(Systemd { connection, manager, events, calls: Semaphore::new(CALLS), jobs, _drains: drains })
    }

    /// The jobs of which was heard.
    pub(super) fn jobs(&self) -> UnitJobs {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Resolves when the bus connection is gone.
    pub async fn closed(&self) {
        self.connection.closed().await;
    }

    /// Starts `unit` and waits until it is up, `limit` at most. An active unit is `Ok` at once.
    ///
    /// A oneshot service without `RemainAfterExit=` is `Ok` when it ended with success.
    ///
    /// # Errors
    /// Every [`UnitError`]; after [`UnitError::Deadline`] the job goes on in systemd.
    pub async fn start(&self, unit: &str, limit: Duration) -> Result<(), UnitError> {
        self.change(JobWish { verb: Verb::Start, unit, made_of: None }, limit).await
    }

    /// Stops `unit` and waits until it is inactive or failed, `limit` at most. A unit that is not loaded is stopped.
    ///
    /// # Errors
    /// [`UnitError::Refused`], [`UnitError::Failed`], [`UnitError::Deadline`] (the job goes on in systemd),
    /// [`UnitError::ConnectionLost`], [`UnitError::Bus`].
    pub async fn stop(&self, unit: &str, limit: Duration) -> Result<(), UnitError> {
        self.change(JobWish { verb: Verb::Stop, unit, made_of: None }, limit).await
    }

    /// Reads the state of `unit`, loading it if need be; a unit that does not exist has the load state `not-found`.
    ///
    /// # Errors
    /// [`UnitError::NotFound`] for what is no unit name at all, [`UnitError::ConnectionLost`], [`UnitError::Bus`].
    pub async fn state(&self, unit: &str) -> Result<UnitState, UnitError> {
        match self.call(self.manager.list_units_by_names(&[unit])).await {
            Ok(mut rows) => {
                rows.pop().map(UnitState::from_row).ok_or_else(|| UnitError::NotFound { unit: unit.to_owned() })
            }
            Err(error) => Err(connection_error(&self.connection, error)),
        }
    }

    /// As [`Systemd::state`] for several units, in one call. `None` for what is no unit name at all.
    ///
    /// # Errors
    /// [`UnitError::ConnectionLost`], [`UnitError::Bus`].
    pub(super) async fn states(&self, units: &[&str]) -> Result<Vec<Option<UnitState>>, UnitError> {
        let rows = self.call(self.manager.list_units_by_names(units)).await;
        let rows = rows.map_err(|error| connection_error(&self.connection, error))?;
        if rows.len() == units.len() {
            return Ok(rows.into_iter().map(|row| Some(UnitState::from_row(row))).collect());
        }
        // systemd leaves out what is no unit name.
        let mut states = Vec::new();
        for unit in units {
            states.push(match self.state(unit).await {
                Err(UnitError::NotFound { .. }) => None,
                state => Some(state?),
            });
        }
        Ok(states)
    }

    /// [`Systemd::start`] and [`Systemd::stop`]: everything within `limit`, and the unit pinned meanwhile.
    pub(super) async fn change(&self, wish: JobWish<'_>, limit: Duration) -> Result<(), UnitError> {
        let pinned = AtomicBool::new(false);
        let outcome = self.change_pinned(wish, limit, &pinned).await;
        self.unpin(wish.unit, &pinned);
        outcome
    }

    /// [`Systemd::change`] that leaves the unit pinned, if `pinned` says that it is, until [`Systemd::unpin`].
    pub(super) async fn change_pinned(
        &self,
        wish: JobWish<'_>,
        limit: Duration,
        pinned: &AtomicBool,
    ) -> Result<(), UnitError> {
        let JobWish { verb, unit, .. } = wish;
        tokio::select! {
            () = self.connection.closed() => Err(UnitError::ConnectionLost),
            ended = timeout(limit, self.drive(wish, pinned)) => {
                ended.unwrap_or_else(|_| Err(UnitError::Deadline { unit: unit.to_owned(), verb, after: limit }))
            }
        }
    }

    /// Lets systemd forget the unit when nothing else refers to it.
    pub(super) fn unpin(&self, unit: &str, pinned: &AtomicBool) {
        if pinned.load(Ordering::Relaxed) {
            let (manager, unit) = (self.manager.clone(), unit.to_owned());
            tokio::spawn(async move { manager.unref_unit(&unit).await });
        }
    }

    /// Tells those who watch the unit that a start found it up: it may be down again before they look.
    pub(super) fn tell_up(&self, verb: Verb, state: &UnitState, at: u64) {
        if verb == Verb::Start {
            // Nobody may be watching.
            let _ = self.events.send(ManagerEvent::Up(Arc::new(SeenUp { unit: state.name.clone(), at })));
        }
    }

    /// Queues the job; `None` if the unit is where it should be without one.
    pub(super) async fn begin(
        &self,
        wish: JobWish<'_>,
        pinned: &AtomicBool,
    ) -> Result<Option<OwnedObjectPath>, UnitError> {
        let JobWish { verb, unit, made_of } = wish;
        let mut known = 0;
        loop {
            let at = monotonic_usec();
            let before = self.patiently(|| self.state(unit)).await?;
            may_begin(wish, &before)?;
            if before.job.is_none() && satisfied(verb, &before) {
                self.tell_up(verb, &before, at);
                return Ok(None);
            }
            // Without a reference systemd may forget an inactive unit, and its Result, before they are read.
            let pin = made_of.is_none() && !pinned.load(Ordering::Relaxed);
            // It is we who count failures and pause between starts: StartLimitBurst= must not refuse ours. It counts
            // starts of a unit that was stopped well, too. Both are asked at once: a takeover waits for one answer.
            let down = matches!(before.active, ActiveState::Failed | ActiveState::Inactive);
            let counted = verb == Verb::Start && made_of.is_none() && down;
            let reference = async { pin && self.call(self.manager.ref_unit(unit)).await.is_ok() };
            let uncount = async {
                if counted {
                    let _ = self.call(self.manager.reset_failed_unit(unit)).await;
                }
            };
            let (is_pinned, ()) = tokio::join!(reference, uncount);
            if is_pinned {
                pinned.store(true, Ordering::Relaxed);
            }
            let call = match (verb, made_of) {
                (Verb::Start, Some(properties)) => self.make(unit, properties, pinned).await,
                (Verb::Start, None) => self.call(self.manager.start_unit(unit, "replace")).await,
                (Verb::Stop, _) => self.queue_stop(unit, &before).await,
            };
            match call {
                Ok(job) => return Ok(Some(job)),
                Err(error) if is_transient(&error) => sleep(RETRY).await,
                Err(error) if made_of.is_some() && exists(&error) => {
                    if self.is_foreign(&before).await {
                        return Err(UnitError::Occupied { unit: unit.to_owned() });
                    }
                    if known == MAKE_AGAIN.1 {
                        return Err(UnitError::Kept { unit: unit.to_owned() });
                    }
                    known += 1;
                    // Ours of the time before: it failed, or has just ended and is about to be forgotten.
                    let _ = self.call(self.manager.reset_failed_unit(unit)).await;
                    sleep(MAKE_AGAIN.0).await;
                }
                Err(error) => return self.refused(verb, unit, error).map(|()| None),
            }
        }
    }

    /// Whether a unit of that name was loaded from somebody's file.
    async fn is_foreign(&self, state: &UnitState) -> bool {
        let Ok(unit) = self.unit_at(state.path.clone()).await else { return false };
        state.load == "loaded" && self.call(unit.transient()).await.is_ok_and(|transient| !transient)
    }

    /// `StartTransientUnit`. The property AddRef makes the unit pinned from its first moment.
    async fn make(
        &self,
        unit: &str,
        properties: &[Property<'_>],
        pinned: &AtomicBool,
    ) -> zbus::Result<OwnedObjectPath> {
        let job = self.call(self.manager.start_transient_unit(unit, "replace", properties, &[])).await?;
        pinned.store(true, Ordering::Relaxed);
        Ok(job)
    }

    /// `StopUnit`. While our own unit has a job, that is while hbd or the machine is being stopped, jobs of units
    /// that are ordered before hbd wait for its end, which waits for them: then the stop must not wait for its
    /// turn. The first call stops what depends on the unit, too, as ever; the second makes that same job run at
    /// once (03 §15).
    async fn queue_stop(&self, unit: &str, before: &UnitState) -> zbus::Result<OwnedObjectPath> {
        let job = self.call(self.manager.stop_unit(unit, "replace")).await?;
        if let Some(own) = OwnStop::of(before, &job) {
            // Nobody may be watching.
            let _ = self.events.send(ManagerEvent::OwnStop(Arc::new(own)));
        }
        match self.own_job().await {
            Some(_) => self.call(self.manager.stop_unit(unit, "ignore-dependencies")).await,
            None => Ok(job),
        }
    }

    pub(super) async fn service_property(
        &self,
        state: &UnitState,
        property: ServiceProperty,
    ) -> Result<String, UnitError> {
        self.patiently(|| async {
            let lost = |error| connection_error(&self.connection, error);
            let service = ServiceProxy::builder(&self.connection)
                .path(state.path.clone())
                .cache_properties(zbus::proxy::CacheProperties::No)
                .build()
                .await
                .map_err(lost)?;
            match property {
                ServiceProperty::Result => self.call(service.result()).await.map_err(lost),
                ServiceProperty::Type => self.call(service.kind()).await.map_err(lost),
                ServiceProperty::StatusText => self.call(service.status_text()).await.map_err(lost),
            }
        })
        .await
    }

    /// Makes a call when one more may be under way.
    pub(super) async fn call<T>(&self, call: impl Future<Output = zbus::Result<T>>) -> zbus::Result<T> {
        // The semaphore is never closed.
        let _room = self.calls.acquire().await;
        call.await
    }

    /// Makes a call that only reads until it is answered.
    pub(super) async fn patiently<T, F>(&self, call: impl Fn() -> F) -> Result<T, UnitError>
    where
        F: Future<Output = Result<T, UnitError>>,
    {
        loop {
            match call().await {
                Err(UnitError::Bus(error)) if is_transient(&error) => sleep(RETRY).await,
                answer => return answer,
            }
        }
    }

    /// The verdict on a call that systemd answered with an error.
    fn refused(&self, verb: Verb, unit: &str, error: zbus::Error) -> Result<(), UnitError> {
        let unit = unit.to_owned();
        match (verb, error_name(&error).as_deref()) {
            (Verb::Stop, Some("org.freedesktop.systemd1.NoSuchUnit")) => Ok(()),
            (Verb::Start, Some("org.freedesktop.systemd1.NoSuchUnit")) => Err(UnitError::NotFound { unit }),
            (Verb::Start, Some("org.freedesktop.systemd1.UnitMasked")) => Err(UnitError::Masked { unit }),
            (_, Some(name)) => {
                Err(UnitError::Refused { unit, verb, name: name.to_owned(), text: error_text(&error) })
            }
            (_, None) => Err(connection_error(&self.connection, error)),
        }
    }
}

/// Keeps the table of jobs until the connection is dropped.
async fn keep_jobs(mut events: broadcast::Receiver<ManagerEvent>, jobs: Arc<Mutex<UnitJobs>>) {
    loop {
        match events.recv().await {
            Ok(event) => jobs.lock().unwrap_or_else(PoisonError::into_inner).hear(&event, monotonic_usec()),
            // In doubt the end of a job is judged by itself.
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

/// The properties of a service that a verdict needs.
#[derive(Clone, Copy)]
pub(super) enum ServiceProperty {
    /// `Result`.
    Result,
    /// `Type`.
    Type,
    /// `StatusText`.
    StatusText,
}

/// Whether systemd refuses to make a transient unit because there is one of that name.
fn exists(error: &zbus::Error) -> bool {
    error_name(error).as_deref() == Some("org.freedesktop.systemd1.UnitExists")
}

/// Whether there is something to be started; a stop is always possible.
fn may_begin(wish: JobWish<'_>, state: &UnitState) -> Result<(), UnitError> {
    let JobWish { verb, unit, made_of } = wish;
    match (verb, state.load.as_str()) {
        (Verb::Start, "not-found") if made_of.is_none() => Err(UnitError::NotFound { unit: unit.to_owned() }),
        (Verb::Start, "masked") => Err(UnitError::Masked { unit: unit.to_owned() }),
        _ => Ok(()),
    }
}

/// Whether the unit is where it should be. What is down and about to start is not.
pub(super) fn satisfied(verb: Verb, state: &UnitState) -> bool {
    match verb {
        Verb::Start => state.active.is_up(),
        Verb::Stop => state.active.is_down() && (state.job.is_none() || state.job_type == "stop"),
    }
}
