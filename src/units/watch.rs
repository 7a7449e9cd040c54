//! Watching units: what becomes of them without our doing.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};
use zbus::{MatchRule, MessageStream, message};

use super::answer::connection_error;
use super::changes::News;
use super::changes::{Seen, UnitChanges};
use super::error::UnitError;
use super::state::UnitState;
use super::systemd::{LAG, ManagerEvent, RECHECK, ServiceProperty, Systemd};

/// Units whose signals are subscribed to: dbus-daemon allows a connection 512 match rules
/// (`max_match_rules_per_connection`). Further units are seen by the periodic look.
const WATCHED: usize = 400;

/// A job that ended this long before a unit was seen to be down, microseconds, has stopped it, if systemd cannot
/// say when it went down.
const JUST_NOW: u64 = 100_000;

impl Systemd {
    /// Reports what becomes of each of `units` without our doing, from its present state on, until the connection
    /// is gone. Drop the future to end it. Units that cannot be read are tried again with the next look.
    ///
    /// # Errors
    /// [`UnitError::ConnectionLost`] at last; [`UnitError::Bus`] when signals cannot be subscribed to.
    pub async fn watch(&self, units: &[String], mut report: impl FnMut(&str, News) + Send) -> Result<(), UnitError> {
        let mut events = self.events.subscribe();
        let dirty = Arc::new(Dirty::default());
        let _drain = self.watch_signals(units, Arc::clone(&dirty)).await?;

        let mut changes: Vec<UnitChanges> = units.iter().map(|_| UnitChanges::default()).collect();
        let mut jobs = Jobs::default();
        let mut tick = interval(RECHECK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let look: Vec<usize> = tokio::select! {
                () = self.connection.closed() => return Err(UnitError::ConnectionLost),
                () = dirty.changed.notified() => dirty.take(),
                _ = tick.tick() => (0..units.len()).collect(),
                event = events.recv() => match event {
                    Ok(ManagerEvent::JobRemoved(removed)) => {
                        jobs.note(&removed.2);
                        continue;
                    }
                    Ok(ManagerEvent::Look) | Err(_) => (0..units.len()).collect(),
                },
            };
            let looked = monotonic();
            for index in look {
                let Ok(state) = self.state(&units[index]).await else { continue };
                let ran = changes[index].is_up();
                let news = match changes[index].look(&state) {
                    Seen::Nothing => continue,
                    Seen::Up => News::Up,
                    Seen::Restarting => News::Restarting(format!("{} is started again by systemd", state.name)),
                    Seen::Down => {
                        // The job that did it, if one did, ends a moment later.
                        if ran {
                            sleep(LAG).await;
                            // What stopped it has started it again since: we ourselves, in a quick move to and
                            // fro.
                            let again = |now: UnitState| now.active.is_up() || now.job.is_some();
                            if self.state(&units[index]).await.is_ok_and(again) {
                                continue;
                            }
                        }
                        while let Ok(event) = events.try_recv() {
                            if let ManagerEvent::JobRemoved(removed) = event {
                                jobs.note(&removed.2);
                            }
                        }
                        let (left, result) = self.last_end(&state).await;
                        let left = left.unwrap_or(looked.saturating_sub(JUST_NOW));
                        changes[index].fell(&state, jobs.ended_after(&state.name, left), &result)
                    }
                };
                report(&units[index], news);
            }
        }
    }

    /// When the unit left its active state (CLOCK_MONOTONIC, microseconds), and how, if it is a service. systemd
    /// forgets both when nothing refers to a unit that is down.
    async fn last_end(&self, state: &UnitState) -> (Option<u64>, String) {
        let left = async {
            let unit = self.unit_at(state.path.clone()).await.ok()?;
            self.call(unit.active_exit_timestamp_monotonic()).await.ok()
        };
        let result = async {
            let service = state.name.ends_with(".service");
            if service { self.service_property(state, ServiceProperty::Result).await.ok() } else { None }
        };
        (left.await.filter(|at| *at > 0), result.await.unwrap_or_default())
    }

    /// Drains `PropertiesChanged` of each unit into `dirty` until the returned set is dropped.
    async fn watch_signals(&self, units: &[String], dirty: Arc<Dirty>) -> Result<JoinSet<()>, UnitError> {
        let mut drain = JoinSet::new();
        for (index, unit) in units.iter().enumerate().take(WATCHED) {
            let path = self.state(unit).await?.path;
            let lost = |error| connection_error(&self.connection, error);
            let rule = MatchRule::builder()
                .msg_type(message::Type::Signal)
                .sender("org.freedesktop.systemd1")
                .interface("org.freedesktop.DBus.Properties")
                .member("PropertiesChanged")
                .path(path)
                .build()
                .map_err(lost)?;
            let mut stream = MessageStream::for_match_rule(rule, &self.connection, None).await.map_err(lost)?;
            let dirty = Arc::clone(&dirty);
            drain.spawn(async move {
                while stream.next().await.is_some() {
                    dirty.mark(index);
                }
            });
        }
        Ok(drain)
    }
}

/// CLOCK_MONOTONIC in microseconds.
fn monotonic() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    seconds * 1_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1000
}

/// When a job of each unit ended last, in microseconds of CLOCK_MONOTONIC.
#[derive(Default)]
struct Jobs(HashMap<String, u64>);

impl Jobs {
    fn note(&mut self, unit: &str) {
        self.0.insert(unit.to_owned(), monotonic());
    }

    fn ended_after(&self, unit: &str, at: u64) -> bool {
        self.0.get(unit).is_some_and(|ended| *ended >= at)
    }
}

/// Units whose signals came in since the last look.
#[derive(Default)]
struct Dirty {
    units: Mutex<BTreeSet<usize>>,
    changed: Notify,
}

impl Dirty {
    fn mark(&self, index: usize) {
        self.units.lock().unwrap_or_else(PoisonError::into_inner).insert(index);
        self.changed.notify_one();
    }

    fn take(&self) -> Vec<usize> {
        std::mem::take(&mut *self.units.lock().unwrap_or_else(PoisonError::into_inner)).into_iter().collect()
    }
}
