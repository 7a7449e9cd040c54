//! Watching units: every change of state, whoever made it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use zbus::{MatchRule, MessageStream, message};

use super::answer::connection_error;
use super::systemd::{Event, RECHECK, Systemd};
use super::{UnitError, UnitState};

/// Units whose signals are subscribed to: dbus-daemon allows a connection 512 match rules
/// (`max_match_rules_per_connection`). Further units are seen by the periodic look.
const WATCHED: usize = 400;

impl Systemd {
    /// Reports the state of each of `units` now and after each change, until the connection is gone. Drop the future to
    /// end it. Units that cannot be read are tried again with the next look.
    ///
    /// # Errors
    /// [`UnitError::ConnectionLost`] at last; [`UnitError::Bus`] when signals cannot be subscribed to.
    pub async fn watch(
        &self,
        units: &[String],
        mut report: impl FnMut(&str, &UnitState) + Send,
    ) -> Result<(), UnitError> {
        let mut events = self.events.subscribe();
        let dirty = Arc::new(Dirty::default());
        let _drain = self.watch_signals(units, Arc::clone(&dirty)).await?;

        let mut known: Vec<Option<UnitState>> = vec![None; units.len()];
        let mut tick = interval(RECHECK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let look: Vec<usize> = tokio::select! {
                () = self.connection.closed() => return Err(UnitError::ConnectionLost),
                () = dirty.changed.notified() => dirty.take(),
                _ = tick.tick() => (0..units.len()).collect(),
                event = events.recv() => match event {
                    Ok(Event::JobRemoved(_)) => continue,
                    Ok(Event::Look) | Err(_) => (0..units.len()).collect(),
                },
            };
            for index in look {
                let Ok(state) = self.state(&units[index]).await else { continue };
                let changed = known[index]
                    .as_ref()
                    .is_none_or(|old| (&old.load, &old.active, &old.sub) != (&state.load, &state.active, &state.sub));
                if changed {
                    report(&units[index], &state);
                }
                known[index] = Some(state);
            }
        }
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
