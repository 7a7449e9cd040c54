//! What systemd announced of the watched units by `PropertiesChanged`, and when: the place of that signal among all
//! that came over the connection.
//!
//! Owns these announcements, and which units are to be looked at because of them. Never judges what they mean
//! ([`super::ends`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt;
use tokio::sync::Notify;
use zbus::fdo::PropertiesChanged;
use zbus::message::{self, Sequence};
use zbus::{Connection, MatchRule, Message, MessageStream, OwnedObjectPath};

use super::jobs::UnitJob;
use super::state::ActiveState;

/// When a unit went down, by announcement. `P` is the place of a signal among all signals of one connection: each
/// kind of signal is drained by a task of its own, so what is heard first need not have been sent first.
#[derive(Debug, Default)]
struct Fall<P = Sequence> {
    /// It was announced last in a state that is not down.
    alive: bool,
    /// Where it was announced down after that.
    at: Option<P>,
}

impl<P: Copy + Ord> Fall<P> {
    /// systemd repeats the state with every change of a unit, so only another one than before is a fall.
    fn hear(&mut self, state: &ActiveState, at: P) {
        if !state.is_down() {
            *self = Fall { alive: true, at: None };
        } else if std::mem::take(&mut self.alive) {
            self.at = Some(at);
        }
    }

    /// Whether the unit went down before this signal, and stayed down. Not if one of the two was not heard.
    fn is_before(&self, begin: Option<P>) -> bool {
        matches!((self.at, begin), (Some(at), Some(begin)) if at < begin)
    }

    /// Whether the unit went down between these signals, and stayed down. Not if one of them was not heard.
    fn is_between(&self, begin: Option<P>, end: Option<P>) -> bool {
        match (begin, self.at, end) {
            (Some(begin), Some(at), Some(end)) => begin < at && at < end,
            _ => false,
        }
    }
}

/// What was announced of the units of one watch, over one connection.
#[derive(Debug, Default)]
pub(super) struct StateSignals {
    heard: Mutex<Heard>,
    /// Some unit is to be looked at.
    pub changed: Notify,
}

#[derive(Debug, Default)]
struct Heard {
    falls: BTreeMap<usize, Fall>,
    unseen: BTreeSet<usize>,
}

impl StateSignals {
    /// Subscribes to the `PropertiesChanged` of a unit. The returned future takes them in.
    ///
    /// # Errors
    /// When the bus refuses, or the connection is lost.
    pub(super) async fn hear_all(
        self: Arc<Self>,
        unit: usize,
        connection: &Connection,
        path: OwnedObjectPath,
    ) -> zbus::Result<impl Future<Output = ()> + Send + 'static> {
        let rule = MatchRule::builder()
            .msg_type(message::Type::Signal)
            .sender("org.freedesktop.systemd1")
            .interface("org.freedesktop.DBus.Properties")
            .member("PropertiesChanged")
            .path(path)
            .build()?;
        let mut stream = MessageStream::for_match_rule(rule, connection, None).await?;
        Ok(async move {
            while let Some(signal) = stream.next().await {
                self.hear(unit, signal.ok().as_ref());
            }
        })
    }

    /// Takes in a `PropertiesChanged` of a unit. One that cannot be read is still a reason to look.
    pub(super) fn hear(&self, unit: usize, signal: Option<&Message>) {
        let mut heard = self.heard();
        if let Some(signal) = signal
            && let Some(state) = announced_state(signal)
        {
            heard.falls.entry(unit).or_default().hear(&state, signal.recv_position());
        }
        heard.unseen.insert(unit);
        self.changed.notify_one();
    }

    /// The units that were announced since this was asked last.
    pub(super) fn take(&self) -> Vec<usize> {
        std::mem::take(&mut self.heard().unseen).into_iter().collect()
    }

    /// Whether the unit was announced to go down after `job` was announced and before its end was, and to be nothing
    /// else since.
    pub(super) fn fell_during(&self, unit: usize, job: &UnitJob) -> bool {
        self.heard().falls.get(&unit).is_some_and(|fall| fall.is_between(job.new_at, job.removed_at))
    }

    /// Whether the unit was announced to go down before `job` was announced, and to be nothing else since.
    pub(super) fn fell_before(&self, unit: usize, job: &UnitJob) -> bool {
        self.heard().falls.get(&unit).is_some_and(|fall| fall.is_before(job.new_at))
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The `ActiveState` in a `PropertiesChanged`; `None` if it is about another interface of the unit.
fn announced_state(signal: &Message) -> Option<ActiveState> {
    let signal = PropertiesChanged::from_message(signal.clone())?;
    let args = signal.args().ok()?;
    if args.interface_name != "org.freedesktop.systemd1.Unit" {
        return None;
    }
    let state: &str = args.changed_properties.get("ActiveState")?.downcast_ref().ok()?;
    Some(state.into())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use zbus::Variant;

    use super::*;

    fn fall(announced: &[(&str, u32)]) -> Fall<u32> {
        let mut fall = Fall::default();
        for (state, at) in announced {
            fall.hear(&(*state).into(), *at);
        }
        fall
    }

    #[test]
    fn a_unit_that_is_announced_down_before_the_end_of_its_job_fell_during_it() {
        let stopped = fall(&[("active", 1), ("deactivating", 3), ("failed", 4), ("failed", 6)]);
        assert!(stopped.is_between(Some(2), Some(5)), "that it has the job no more is announced, too");
        let crashed = fall(&[("active", 1), ("active", 4), ("failed", 6)]);
        assert!(!crashed.is_between(Some(2), Some(5)), "after the end of the job");
        let down = fall(&[("active", 0), ("failed", 1), ("failed", 3)]);
        assert!(!down.is_between(Some(2), Some(5)), "before the job");
        assert!(down.is_before(Some(2)) && !down.is_before(Some(1)) && !down.is_before(None));
        assert!(!stopped.is_before(Some(2)) && !fall(&[]).is_before(Some(2)));
    }

    #[test]
    fn only_the_last_fall_counts() {
        let restarted = fall(&[("active", 1), ("inactive", 3), ("activating", 4), ("active", 5), ("failed", 8)]);
        assert!(!restarted.is_between(Some(2), Some(6)), "a restart was done, then it crashed");
        assert!(restarted.is_between(Some(7), Some(9)));
        assert!(!fall(&[("active", 1), ("inactive", 3), ("active", 4)]).is_between(Some(2), Some(6)));
    }

    #[test]
    fn what_was_not_heard_is_no_fall() {
        assert!(!fall(&[("failed", 3)]).is_between(Some(2), Some(5)), "it may have been down for long");
        assert!(!fall(&[]).is_between(Some(2), Some(5)));
        let fell = fall(&[("active", 1), ("failed", 3)]);
        assert!(!fell.is_between(None, Some(5)));
        assert!(!fell.is_between(Some(2), None));
    }

    #[test]
    fn only_the_interface_of_units_tells_the_state() {
        let signal = |interface: &str, property: &str, value: Variant<'_>| {
            let body = (interface, HashMap::from([(property, value)]), Vec::<&str>::new());
            let properties = "org.freedesktop.DBus.Properties";
            Message::signal("/unit", properties, "PropertiesChanged").build(&body).unwrap()
        };
        let unit = "org.freedesktop.systemd1.Unit";
        let told = |interface, property, value| announced_state(&signal(interface, property, value));
        assert_eq!(told(unit, "ActiveState", "failed".into()), Some(ActiveState::Failed));
        assert_eq!(told(unit, "ActiveState", 5_u32.into()), None);
        assert_eq!(told(unit, "SubState", "failed".into()), None);
        assert_eq!(told("org.freedesktop.systemd1.Service", "ActiveState", "failed".into()), None);
    }

    #[test]
    fn a_signal_that_cannot_be_read_is_a_reason_to_look() {
        let announced = StateSignals::default();
        let odd = Message::signal("/unit", "org.freedesktop.DBus.Properties", "PropertiesChanged");
        announced.hear(3, Some(&odd.build(&5_u32).unwrap()));
        announced.hear(1, None);
        assert_eq!(announced.take(), [1, 3]);
        assert_eq!(announced.take(), [0; 0]);
    }
}
