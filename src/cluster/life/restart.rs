//! One daemon gives way to the next on the same node, and what runs stays running (docs/DECISIONS.md "A restart
//! moves nothing"; 02 §9.2, 03 §14.1 rule 11).
//!
//! The old one asks its peers for more patience, as Heartbeat does before its own quick restart: a status with a
//! dead time raised by 30 s, which a real Heartbeat obeys, too. It carries the field `hbd_restart`, so that an hbd
//! peer can say why. Then it ends without a word about resources. The new one takes up what the old one held before
//! it says anything, and reports it when it is active. If a peer has claimed some of it meanwhile, the peer keeps
//! it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::guards::condition::Condition;
use crate::cluster::timers::Timer;
use crate::cluster::{Action, Adoption, GroupSet, Instant, Record, Set, Step};
use crate::config::Group;

/// How much longer than deadtime we ask our peers to wait for our successor (02 §9.2).
const RESTART_RAISE: Duration = Duration::from_secs(30);
/// How long the exchange with the peer may take that is under way when a restart is asked for.
const EXCHANGE_LIMIT: Duration = Duration::from_secs(10);

/// The restart that was asked for, if any.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Succession {
    /// It was asked for, and waits for an exchange to end, at most until then.
    waiting: Option<Instant>,
    /// The peers are being told.
    leaving: bool,
}

impl Succession {
    /// Whether it was asked for and has not begun.
    pub(in crate::cluster) fn waits(&self) -> bool {
        self.waiting.is_some()
    }

    /// Whether the peers are being told.
    pub(in crate::cluster) fn leaving(&self) -> bool {
        self.leaving
    }

    /// How much longer than deadtime we ask our peers to wait for our successor.
    pub(in crate::cluster) fn raise(&self) -> Option<Duration> {
        self.leaving.then_some(RESTART_RAISE)
    }
}

impl Core {
    /// Takes up what our predecessor held. Before [`crate::cluster::Event::Start`], and only while the peers still
    /// wait for us: each step is ordered again, and is at its end at once where the resource runs.
    pub(in crate::cluster) fn adopt(&mut self, adoption: &Adoption) {
        let Adoption { held, moved, failback, assured_until, peer_off, stopping, lapsed, .. } = *adoption;
        self.raise(Fact::TookUp { assured_until, peer_off });
        self.raise(Fact::MayStillRun { set: lapsed.common(self.groups.all()) });
        let set = held.common(self.groups.all());
        if !set.is_none() {
            self.log(Record::Adopting { set: self.groups.name(set) });
        }
        self.ownership.to_return = moved.common(set).common(self.groups.foreign());
        for group in self.ownership.to_return.iter() {
            let Group { key, node, .. } = self.groups.list()[group].clone();
            self.log(Record::PreferenceChanged { group: key, node });
        }
        self.ownership.plan_failback(failback);
        let stopped = self.still_stopped(&adoption.stopped, set);
        self.take_up(set, &stopped.iter().map(|(step, _)| *step).collect::<Vec<_>>());
        self.doubt_units(set.common(self.left_alone()));
        self.raise(Fact::StillStopped { stopped });
        let stopping = stopping.common(self.groups.all()).without(set);
        self.ownership.mark_stopping(stopping);
        self.groups.stop_what_may_run(stopping, self.now.monotonic, &mut self.out);
        self.raise(Fact::GroupsMaySettle);
    }

    /// In maintenance no unit is started, so nobody knows how these are until the service manager has said it.
    fn doubt_units(&mut self, set: GroupSet) {
        for group in set.iter() {
            let resources = self.groups.list()[group].resources.iter().enumerate();
            let units = resources.filter(|(_, resource)| resource.kind.unit().is_some());
            for resource in units.map(|(resource, _)| resource).collect::<Vec<_>>() {
                self.conditions.note(Step { group, resource }, Condition::Unknown);
            }
        }
    }

    /// The service manager wants to start us again at once. A stop under way goes first.
    pub(in crate::cluster) fn restart_requested(&mut self) {
        if self.leave.begun() || self.succession.waiting.is_some() {
            return;
        }
        self.log(Record::RestartBegins {});
        let until = self.now.monotonic + EXCHANGE_LIMIT;
        self.succession.waiting = Some(until);
        self.timers.set(Timer::Restart, until);
        self.raise(Fact::PerhapsStable);
    }

    /// Something changed that a restart may have waited for.
    pub(in crate::cluster) fn restart_check(&mut self) {
        let Some(until) = self.succession.waiting else { return };
        if self.is_stable() || !self.peer_alive() || until <= self.now.monotonic {
            self.succession.waiting = None;
            self.timers.stop(Timer::Restart);
            self.succession.leaving = true;
            // Three times, as a real Heartbeat: nobody will be there to send it again.
            for _ in 0..3 {
                self.send_status();
            }
            self.raise(Fact::Ended);
            self.out.push(Action::HandOver);
        }
    }

    /// Those of the groups that we hold which are to go to the peer, by a changed haresources: to be noted as well.
    pub fn returns(&self) -> GroupSet {
        self.ownership.to_return.common(self.groups.held())
    }

    /// What is not to run here any more, and has not stopped: to be noted as well.
    pub fn still_stopping(&self) -> GroupSet {
        let all = self.groups.all();
        let stops = |group: &usize| !self.groups.settled(GroupSet::one(*group));
        GroupSet::new(all.without(self.groups.held()).iter().filter(stops), Set::NONE)
    }

    /// Whether what we took because the peer went away, or was worse connected, is to go back to it: to be noted as
    /// well.
    pub fn plans_failback(&self) -> bool {
        self.ownership.plans_failback() || self.ipfail.peer_was_worse()
    }

    /// Whether the peer is known to understand Heartbeat's two classes only.
    pub fn peer_knows_classes_only(&self) -> bool {
        self.peer_node().is_some_and(|peer| peer.generation != 0) && !self.says_groups()
    }

    /// What we hold, to be noted for our successor, or for `hbd --release`. It has every class that is held whole,
    /// even one that has groups: the successor's file may have none for it. Not what failed here, and may be the
    /// peer's by now: nothing of it runs here that a successor could take up.
    pub fn holds(&self) -> GroupSet {
        let held = self.groups.held();
        let lost = if self.peer_may_take() { self.groups.failed_and_down() } else { GroupSet::NONE };
        GroupSet::new(held.without(lost).iter(), self.groups.classes(held))
    }
}
