//! The order of a shutdown: hbd first, then what it manages, and which units have an order of their own.
//!
//! Owns the unit that keeps this order, and the search for units that systemd orders after hbd. Changes no other
//! unit.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use zbus::Variant;

use super::answer::is_transient;
use super::error::{UnitError, Verb};
use super::signals::ManagerEvent;
use super::state::UnitState;
use super::systemd::{JobWish, Systemd};

/// A unit that only exists to be stopped after hbd and before what hbd manages.
const GUARD: &str = "hbd-order.service";
/// How long making or removing it may take.
const GUARD_LIMIT: Duration = Duration::from_secs(20);
/// How many units are looked at before the search ends. A whole machine has a few hundred.
const SEARCHED: usize = 3000;
/// The interface of org.freedesktop.systemd1(5) that all units have.
const UNIT: &str = "org.freedesktop.systemd1.Unit";

/// For each unit that is ordered after hbd, the next one on the way to hbd (`After=`).
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct OrderedAfter(HashMap<String, String>);

impl OrderedAfter {
    /// Whether systemd stops the unit before hbd.
    pub(super) fn contains(&self, unit: &str) -> bool {
        self.0.contains_key(unit)
    }

    /// The units from the one that `unit` names in its `After=` to hbd.
    pub(super) fn way(&self, unit: &str) -> Vec<String> {
        std::iter::successors(self.0.get(unit), |unit| self.0.get(*unit)).cloned().collect()
    }
}

impl Systemd {
    /// Sees to it that a shutdown of the machine stops hbd first and leaves the stop of `units` to it.
    ///
    /// Orders between units are fixed when they are loaded, and hbd asks for no `daemon-reload`; but a new unit may
    /// come with any order. So one is made that does nothing, is ordered after all of `units` and before our own: a
    /// shutdown stops hbd, then the new one, then what of `units` hbd has left running. A unit that is itself ordered
    /// after hbd is left out: with it the order would be a circle, and systemd would drop the stop of one of the
    /// three, perhaps hbd's. Such a unit is stopped before hbd, as its own file demands ([`super::survey`] warns of
    /// that).
    ///
    /// # Errors
    /// As [`Systemd::start`]. Without the guard a shutdown stops hbd and its units in no order.
    pub async fn guard_order(&self, units: &[String]) -> Result<(), UnitError> {
        let Some(id) = self.own_id().await else { return Ok(()) };
        // One that is there may be another list's.
        self.drop_order().await?;
        let after_us = self.ordered_after(&id, units).await?;
        let units: Vec<&str> = units.iter().map(String::as_str).filter(|unit| !after_us.contains(unit)).collect();
        let properties = [
            ("Description", Variant::from("Keeps the units of hbd running until hbd has stopped them")),
            ("Type", Variant::from("oneshot")),
            ("RemainAfterExit", Variant::from(true)),
            ("ExecStart", Variant::from(vec![("/bin/true", vec!["/bin/true"], false)])),
            ("After", Variant::from(units)),
            ("Before", Variant::from(vec![id.as_str()])),
            ("CollectMode", Variant::from("inactive-or-failed")),
            ("AddRef", Variant::from(true)),
        ];
        self.change(JobWish { verb: Verb::Start, unit: GUARD, made_of: Some(&properties) }, GUARD_LIMIT).await
    }

    /// Takes the guard away, so that systemd can forget units to which nothing but the guard refers. The task that
    /// keeps the order makes the guard again at once.
    ///
    /// # Errors
    /// As [`Systemd::stop`].
    pub(super) async fn drop_order(&self) -> Result<(), UnitError> {
        self.change(JobWish { verb: Verb::Stop, unit: GUARD, made_of: None }, GUARD_LIMIT).await
    }

    /// Returns when the order is to be looked at: unit files may have changed, what keeps it is down, or the
    /// connection is lost. `events` were subscribed to before the order was last looked at or made.
    pub(super) async fn order_may_be_lost(&self, events: &mut Receiver<ManagerEvent>) {
        loop {
            tokio::select! {
                () = self.closed() => return,
                event = events.recv() => match event {
                    Ok(ManagerEvent::JobRemoved(job)) if job.unit == GUARD => {
                        if !self.state(GUARD).await.is_ok_and(|state| state.active.is_up()) {
                            return;
                        }
                    }
                    Ok(ManagerEvent::Look) | Err(_) => return,
                    Ok(_) => {}
                },
            }
        }
    }

    /// Whether the guard is there, and has all of `units` before it that systemd does not order after hbd, and no
    /// other of them.
    ///
    /// # Errors
    /// [`UnitError::ConnectionLost`] and [`UnitError::Bus`].
    pub(super) async fn is_order_kept(&self, units: &[String]) -> Result<bool, UnitError> {
        let Some(id) = self.own_id().await else { return Ok(true) };
        let guard = self.state(GUARD).await?;
        if !guard.active.is_up() {
            return Ok(false);
        }
        let guarded: Vec<String> = self.read(&guard.path, UNIT, "After").await?;
        let after_us = self.ordered_after(&id, units).await?;
        let names: Vec<&str> = units.iter().map(String::as_str).collect();
        let states = self.states(&names).await?;
        let right = |(unit, state): (&String, &Option<UnitState>)| {
            // systemd tells primary names, and units may be named by others.
            let name = state.as_ref().map_or(unit, |state| &state.name);
            guarded.contains(name) != after_us.contains(unit)
        };
        Ok(units.iter().zip(&states).all(right))
    }

    /// Which of `units` systemd orders after `daemon`, directly or by way of others. A unit on the way counts whether
    /// it runs or not, because it may run when the machine shuts down.
    ///
    /// # Errors
    /// [`UnitError::ConnectionLost`] and [`UnitError::Bus`].
    pub(super) async fn ordered_after(&self, daemon: &str, units: &[String]) -> Result<OrderedAfter, UnitError> {
        let mut before: HashMap<String, Vec<String>> = HashMap::new();
        let mut seen: HashSet<String> = units.iter().cloned().collect();
        let mut next: Vec<String> = units.to_vec();
        while !next.is_empty() && seen.len() < SEARCHED {
            let mut found = Vec::new();
            for (unit, after) in self.after(&next).await? {
                for earlier in after {
                    before.entry(earlier.clone()).or_default().push(unit.clone());
                    if earlier != daemon && seen.insert(earlier.clone()) {
                        found.push(earlier);
                    }
                }
            }
            next = found;
        }
        Ok(ways_to(daemon, &before))
    }

    /// What each of these units is ordered after. One that cannot be loaded is ordered after nothing.
    async fn after(&self, units: &[String]) -> Result<Vec<(String, Vec<String>)>, UnitError> {
        let names: Vec<&str> = units.iter().map(String::as_str).collect();
        let states = self.states(&names).await?;
        let mut found = Vec::new();
        for (unit, state) in units.iter().zip(states) {
            let Some(state) = state else { continue };
            match self.read(&state.path, UNIT, "After").await {
                Ok(after) => found.push((unit.clone(), after)),
                Err(UnitError::Bus(error)) if !is_transient(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }
}

/// From "what comes after it" to "the next one on the way to `daemon`", by the shortest way.
fn ways_to(daemon: &str, later: &HashMap<String, Vec<String>>) -> OrderedAfter {
    let mut ways: HashMap<String, String> = HashMap::new();
    let mut queue = VecDeque::from([daemon.to_owned()]);
    while let Some(earlier) = queue.pop_front() {
        for unit in later.get(&earlier).into_iter().flatten() {
            if unit != daemon && !ways.contains_key(unit) {
                ways.insert(unit.clone(), earlier.clone());
                queue.push_back(unit.clone());
            }
        }
    }
    OrderedAfter(ways)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_way_to_hbd_is_told() {
        let edges = [
            ("hbd.service", "multi-user.target"),
            ("multi-user.target", "late.service"),
            ("hbd.service", "web.service"),
            ("web.service", "late.service"),
            ("late.service", "web.service"),
            ("basic.target", "db.service"),
        ];
        let mut later: HashMap<String, Vec<String>> = HashMap::new();
        for (earlier, unit) in edges {
            later.entry(earlier.to_owned()).or_default().push(unit.to_owned());
        }
        let found = ways_to("hbd.service", &later);
        assert_eq!(found.way("web.service"), ["hbd.service"]);
        assert_eq!(found.way("late.service"), ["multi-user.target", "hbd.service"]);
        assert!(!found.contains("db.service") && found.way("db.service").is_empty());
    }
}
