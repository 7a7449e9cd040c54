//! A resource that ran here has failed (docs/DECISIONS.md "A resource fails where it runs"; 03 §9.1,
//! §14.3). Heartbeat never had this.
//!
//! Owns the failures of this node within the time that hbd.toml gives, and what an hbd peer said about its own. A
//! unit is started again in its place; when it fails too often, or cannot even be started, its group goes to the
//! peer, which may be a real Heartbeat. Never to a peer that failed the same group a moment ago, and never to
//! nobody: then it is tried here again and again, loudly. What the service manager stopped because of something else
//! is started again when that is over; what somebody stopped on purpose is [`super::stopped`]'s. What is shown of
//! either is [`super::condition`]'s.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::guards::condition::Condition;
use crate::cluster::guards::failure::{FailedThere, Failure};
use crate::cluster::{Answer, GroupSet, Instant, Record, Set, Step, UnitNews};

/// Pause before a unit that may not move is started again here.
const KEEP_TRYING: Duration = Duration::from_secs(30);
/// Pause before a move that could not begin, because something else was under way, is tried again.
const FLUX: Duration = Duration::from_secs(1);
/// A group that failed here is offered at most this often to a peer that took it.
const OFFER_PERIOD: Duration = Duration::from_secs(600);
/// And to one that did not react.
const OFFER_RETRY: Duration = Duration::from_secs(20);

/// What is known about failures.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Failures {
    pub(super) failures: Vec<Failure>,
    /// Broken resources and when to look at them again.
    waiting: Vec<(Step, Instant)>,
    /// Groups that the peer cannot serve, by their keys, and until when that counts.
    pub(super) peer_unfit: Vec<(String, Instant)>,
    /// What an hbd peer has said of its failures of these.
    #[serde(default)]
    pub(super) failed_there: Vec<FailedThere>,
    /// What went to the peer because of a failure, and when.
    moved: Option<(GroupSet, Instant)>,
    /// What failed here, or cannot be served here, and was offered to the peer, and before when it is not offered
    /// again: both would otherwise send it to and fro.
    offers: Vec<(GroupSet, Instant)>,
    /// What the peer did not take a moment ago, and until when that counts.
    #[serde(default)]
    unanswered: Vec<(GroupSet, Instant)>,
}

/// What becomes of a resource that failed if nobody does anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Otherwise {
    /// Nothing: it stays down.
    Down,
    /// The service manager starts it again by itself.
    Restarted,
    /// It stays down, and the service manager refuses to start it for now.
    Refused,
    /// It runs on, and does not serve.
    Hangs,
}

impl Failures {
    /// Whether something of this set was offered to the peer lately.
    pub(in crate::cluster) fn offered_lately(&self, set: GroupSet, now: Instant) -> bool {
        self.offers.iter().any(|(offered, again)| now < *again && !offered.common(set).is_none())
    }

    pub(super) fn count(&self, step: Step) -> usize {
        self.failures.iter().filter(|failure| failure.step == step).count()
    }
}

impl Core {
    /// What the service manager says about a resource.
    pub(in crate::cluster) fn unit_news(&mut self, step: Step, news: UnitNews) {
        if self.everywhere.first(step) != step {
            // What was told of the first of these resources concerned the same unit.
            return;
        }
        if self.everywhere.has(step) {
            (news == UnitNews::Up).then(|| self.everywhere.found_up(step));
        } else if !self.groups.is_up(step) {
            (news == UnitNews::Up).then(|| self.raise(Fact::FoundRunning { step }));
            news.says_down().then(|| self.raise(Fact::FoundDown { step }));
        }
        if !self.is_to_run(step) || self.leave.begun() {
            if self.groups.is_up(step) {
                // It is on its way down, and may yet be wanted here again.
                self.note_news(step, news);
            }
            return;
        }
        if self.ignores_for_maintenance(step, &news) {
            self.note_news(step, news);
            return;
        }
        match news {
            UnitNews::Up => self.unit_up(step),
            UnitNews::Stopped { ago } => {
                self.stop_waiting(step);
                self.raise(Fact::UnitStopped { step, at: self.now.monotonic - ago });
            }
            UnitNews::StoppedWith(cause) => self.unit_stopped_with(step, cause),
            UnitNews::Free => self.unit_free(step),
            UnitNews::Unknown => self.unit_unknown(step),
            UnitNews::Failed(reason) => self.unit_failed(step, reason, Otherwise::Down),
            UnitNews::Exhausted(reason) => self.unit_failed(step, reason, Otherwise::Refused),
            UnitNews::Restarting(reason) => self.unit_failed(step, reason, Otherwise::Restarted),
        }
    }

    fn unit_up(&mut self, step: Step) {
        self.stop_waiting(step);
        let (group, resource) = self.groups.words(step);
        match self.conditions.clear(step) {
            Some(
                Condition::StoppedByHand(_)
                | Condition::StoppedWith(_)
                | Condition::MayRunAgain
                | Condition::Unwatched(_),
            ) => {
                self.log(Record::UnitUpAgain { group, resource });
            }
            Some(Condition::Unknown) => self.say_known_again(),
            _ => {}
        }
    }

    /// Nobody asked for that, but to start it now would start its cause as well, or end it.
    fn unit_stopped_with(&mut self, step: Step, cause: String) {
        if self.conditions.note(step, Condition::StoppedWith(cause.clone())) {
            let (group, resource) = self.groups.words(step);
            self.log(Record::UnitStoppedWith { group, resource, cause });
        }
    }

    fn unit_free(&mut self, step: Step) {
        if matches!(self.conditions.of(step), Some(Condition::StoppedWith(_))) {
            let (group, resource) = self.groups.words(step);
            self.log(Record::UnitFree { group, resource });
            self.restart_resource(step);
        }
    }

    /// What was on its way down is to run here again. What was stopped meanwhile is left alone, or started, as usual.
    pub(in crate::cluster) fn wanted_again(&mut self, set: GroupSet) {
        let ill = self.conditions.iter().filter(|(step, _)| set.has(step.group) && !self.everywhere.has(*step));
        for (step, condition) in ill.map(|(step, condition)| (step, condition.clone())).collect::<Vec<_>>() {
            match condition {
                Condition::StoppedByHand(at) => {
                    self.conditions.clear(step);
                    self.raise(Fact::UnitStopped { step, at });
                }
                Condition::StoppedWith(cause) => {
                    self.conditions.clear(step);
                    self.unit_stopped_with(step, cause);
                }
                _ => {}
            }
        }
    }

    /// What was known of it before is not known any more, except that somebody wanted it down.
    fn unit_unknown(&mut self, step: Step) {
        if matches!(self.conditions.of(step), Some(Condition::StoppedByHand(_))) {
            return;
        }
        let first = !self.conditions.iter().any(|(_, condition)| *condition == Condition::Unknown);
        self.conditions.note(step, Condition::Unknown);
        if first {
            self.log(Record::UnitsUnknown {});
        }
    }

    /// Whether hbd.toml says that nothing is done about failures of this resource's group.
    pub(super) fn is_unwatched(&self, step: Step) -> bool {
        let excepted = |step: &Step| self.settings.health.except.contains(&self.groups.list()[step.group].key);
        !self.settings.health.enabled || self.everywhere.all(step).iter().all(excepted)
    }

    /// A check of the service itself says that a resource, which runs, does not serve.
    pub(in crate::cluster) fn service_failed(&mut self, step: Step, reason: String) {
        if self.is_to_run(step) && !self.leave.begun() && !self.leaves_alone(step.group) {
            self.unit_failed(step, reason, Otherwise::Hangs);
        }
    }

    /// It serves again, without having been restarted.
    pub(in crate::cluster) fn service_well(&mut self, step: Step) {
        if matches!(self.conditions.of(step), Some(Condition::Failed(_) | Condition::Unwatched(_))) {
            self.resource_changed(step);
        }
    }

    fn unit_failed(&mut self, step: Step, reason: String, otherwise: Otherwise) {
        // What somebody stopped and nobody has tried to start since does not fail, but in the eyes of its check.
        let stopped = matches!(self.conditions.of(step), Some(Condition::StoppedByHand(_)));
        let known = self.health.waiting.iter().any(|(waiting, _)| *waiting == step)
            || self.is_being_started(step)
            || stopped && otherwise == Otherwise::Hangs
            || matches!(self.conditions.of(step), Some(Condition::Unwatched(_)));
        if known {
            return;
        }
        let (group, resource) = self.groups.words(step);
        if self.is_unwatched(step) {
            self.conditions.note(step, Condition::Unwatched(reason.clone()));
            self.log(Record::UnitFailedUnwatched { group, resource, reason });
            return;
        }
        let itself = otherwise == Otherwise::Restarted;
        let condition = if itself { Condition::Restarting } else { Condition::Failed };
        self.conditions.note(step, condition(reason.clone()));
        self.note_failure(step, otherwise == Otherwise::Refused, &reason);
        let count = self.health.count(step);
        self.log(Record::UnitFailed { group, resource, reason, count });
        if self.exchange.concerns(step.group) && !self.everywhere.has(step) {
            // What it is about may be on its way to the peer: looked at again when that is over.
            self.look_again(step, FLUX, itself);
        } else if otherwise == Otherwise::Refused || count > self.settings.health.restarts as usize {
            self.move_or_wait(step, itself);
        } else if otherwise == Otherwise::Hangs {
            if self.everywhere.has(step) && self.peer_kind().is_hbd() {
                // The peer runs it as well, and its stop here may take long.
                self.move_away(step);
            }
            self.replace_resource(step);
        } else if !itself {
            self.restart_resource(step);
        }
    }

    /// Nothing waits to be tried of this resource any more.
    fn stop_waiting(&mut self, step: Step) {
        self.health.waiting.retain(|(waiting, _)| *waiting != step);
    }

    fn look_again(&mut self, step: Step, pause: Duration, itself: bool) {
        if !itself {
            self.health.waiting.push((step, self.now.monotonic + pause));
        }
    }

    /// A step of a group has ended: what was wrong with its resource is over.
    pub(in crate::cluster) fn resource_changed(&mut self, step: Step) {
        self.conditions.clear(step);
        self.stop_waiting(step);
    }

    fn note_failure(&mut self, step: Step, fatal: bool, reason: &str) {
        self.forget_old();
        let (at, wall) = (self.now.monotonic, self.now.wall);
        let failure = |step| Failure { step, at, fatal, wall, reason: reason.to_owned() };
        self.health.failures.extend(self.everywhere.all(step).into_iter().map(failure));
    }

    fn forget_old(&mut self) {
        let (now, within) = (self.now.monotonic, self.settings.health.within);
        self.health.failures.retain(|failure| now.since(failure.at) < within);
        self.health.peer_unfit.retain(|(_, until)| *until > now);
    }

    /// The group goes to the peer, or the resource is tried here again after a pause.
    fn move_or_wait(&mut self, step: Step, itself: bool) {
        let moves = self.move_away(step);
        if moves && !self.everywhere.has(step) {
            // The peer may not answer, or die before it has the group.
            self.look_again(step, FLUX, itself);
            return;
        }
        let pause = if !moves && self.peer_may_serve(step) { FLUX } else { KEEP_TRYING };
        if pause == KEEP_TRYING {
            self.log_keep_trying(step, pause);
        }
        self.look_again(step, pause, itself);
    }

    /// A unit that runs on both nodes could not be started here.
    pub(in crate::cluster) fn everywhere_failed(&mut self, step: Step, reason: String) {
        if matches!(self.conditions.of(step), Some(Condition::StoppedByHand(_))) || self.leave.begun() {
            return;
        }
        self.note_failure(step, true, &reason);
        self.conditions.note(step, Condition::Failed(reason));
        self.move_or_wait(step, false);
    }

    /// What of the groups that are served with this resource the peer could serve: it has not failed them itself.
    fn peer_could_serve(&self, step: Step) -> GroupSet {
        let served = self.served_with(step);
        served.without(self.peer_unfit_for(served))
    }

    /// Whether the peer is there, for good, and can serve.
    fn peer_may_serve(&self, step: Step) -> bool {
        self.peer_alive() && !self.ownership.other.left() && !self.peer_could_serve(step).is_none()
    }

    fn log_keep_trying(&mut self, step: Step, pause: Duration) {
        let seconds = pause.as_secs();
        let (group, resource) = self.groups.words(step);
        self.log(if self.served_with(step).is_none() {
            Record::UnfitKeepsTrying { group, resource, seconds }
        } else {
            Record::KeepTrying { group, resource, seconds }
        });
    }

    /// Gives what is served with this resource to the peer if that can serve it. False if all of it stays here.
    fn move_away(&mut self, step: Step) -> bool {
        let set = self.peer_could_serve(step);
        let now = self.now.monotonic;
        // A real Heartbeat does not say what it failed to start: it gets what failed here once in a while only.
        let offered = !self.peer_kind().is_hbd() && self.health.offered_lately(set, now);
        let again = offered || self.unanswered_lately(set);
        let can = self.peer_alive() && !set.is_none() && !again && !self.undone_lately(set);
        let moves = can && self.begin_exchange(set).is_ok();
        if moves {
            self.note_offer(set);
            self.moved_by_failure(set);
            let given = self.everywhere.all(step).into_iter().find(|step| set.has(step.group));
            let (group, _) = self.groups.words(given.unwrap_or(step));
            self.log(Record::GroupMoves { group, node: self.peer_name() });
        }
        moves
    }

    fn peer_is_unfit(&self, group: usize) -> bool {
        let set = self.around(group);
        let now = self.now.monotonic;
        let among = |key: &str| set.iter().any(|index| self.groups.key(index) == key);
        self.peer_unready().has(group) || self.health.peer_unfit.iter().any(|(key, until)| *until > now && among(key))
    }

    /// This set goes to the peer because it fails here.
    fn moved_by_failure(&mut self, set: GroupSet) {
        self.health.moved = Some((set, self.now.monotonic));
    }

    /// The part of a set of which the peer failed a group a moment ago.
    pub(in crate::cluster) fn peer_unfit_for(&self, set: GroupSet) -> GroupSet {
        GroupSet::new(set.iter().filter(|group| self.peer_is_unfit(*group)), Set::NONE)
    }

    /// A resource could not be started here: if the peer is well, it may try.
    pub(in crate::cluster) fn group_failed(&mut self, step: Step, reason: &str) {
        let now = self.now.monotonic;
        self.note_failure(step, true, reason);
        self.offer_failed();
        if !self.peer_alive() || self.ownership.other.left() {
            self.groups.hurry(step.group, now);
        }
        if !self.exchange.busy() && !self.peer_may_serve(step) {
            self.log_keep_trying(step, self.groups.retry_pause(step.group, now));
        }
    }

    /// When a broken resource is looked at again. Nothing is in maintenance, at whose end everything is started.
    pub(in crate::cluster) fn health_due(&self) -> Option<Instant> {
        let alone = self.left_alone();
        self.health.waiting.iter().filter(|(step, _)| !alone.has(step.group)).map(|(_, at)| *at).min()
    }

    /// Tries again what waits for it.
    pub(in crate::cluster) fn health_retry(&mut self) {
        let (now, alone) = (self.now.monotonic, self.left_alone());
        let is_due = |(step, at): &(Step, Instant)| *at <= now && !alone.has(step.group);
        let (due, later): (Vec<_>, Vec<_>) = self.health.waiting.drain(..).partition(is_due);
        self.health.waiting = later;
        for (step, _) in due {
            if self.exchange.concerns(step.group) && !self.everywhere.has(step) && self.is_to_run(step) {
                // It is perhaps on its way to the peer.
                self.look_again(step, FLUX, false);
                continue;
            }
            let stays = self.is_to_run(step) && !self.move_away(step);
            if stays || self.everywhere.has(step) {
                self.restart_resource(step);
            }
        }
    }

    /// Something that failed here, or cannot be served here, was offered to the peer.
    pub(in crate::cluster) fn note_offer(&mut self, set: GroupSet) {
        let now = self.now.monotonic;
        self.health.offers.retain(|(offered, again)| now < *again && !offered.without(set).is_none());
        self.health.offers.push((set, now + OFFER_PERIOD));
    }

    /// The peer did not react to what may have been such an offer of these, or it came to nothing.
    pub(in crate::cluster) fn note_offer_unanswered(&mut self, set: GroupSet) {
        let (now, retry) = (self.now.monotonic, self.now.monotonic + OFFER_RETRY);
        let concerned = |offered: &GroupSet| !offered.common(set).is_none();
        for (_, again) in self.health.offers.iter_mut().filter(|(offered, _)| concerned(offered)) {
            *again = retry.min(*again);
        }
        self.health.unanswered.retain(|(_, until)| now < *until);
        self.health.unanswered.push((set, retry));
    }

    /// Whether the peer did not take something of this set a moment ago: then it is tried here.
    fn unanswered_lately(&self, set: GroupSet) -> bool {
        let now = self.now.monotonic;
        self.health.unanswered.iter().any(|(offered, until)| now < *until && !offered.common(set).is_none())
    }

    /// The peer that it was offered to is gone.
    pub(in crate::cluster) fn forget_offer(&mut self) {
        self.health.offers.clear();
        self.health.unanswered.clear();
    }

    /// Groups that could not be started here: if the peer is well, it may try (03 §14.3). Repeated at every chance,
    /// for an exchange may be under way now, or the peer be away.
    pub(in crate::cluster) fn offer_failed(&mut self) {
        let failed = self.moving_with(self.groups.failed());
        let failed = failed.without(self.peer_unfit_for(failed)).without(self.left_alone());
        let now = self.now.monotonic;
        let hindered = |group: &usize| {
            let set = self.around(*group);
            self.health.offered_lately(set, now) || self.undone_lately(set)
        };
        let failed = GroupSet::new(failed.iter().filter(|group| !hindered(group)), Set::NONE);
        if !failed.is_none() && self.begin_exchange(failed).is_ok() {
            self.note_offer(failed);
            self.moved_by_failure(failed);
            for group in self.groups.failed().common(failed).iter() {
                self.log(Record::GroupMoves { group: self.groups.key(group).to_owned(), node: self.peer_name() });
            }
        }
    }

    /// A real Heartbeat gives back what it got because it failed here: it failed there, too (03 §9.1).
    pub(in crate::cluster) fn note_given_back(&mut self, set: GroupSet) {
        let (now, within) = (self.now.monotonic, self.settings.health.within);
        let Some((moved, at)) = self.health.moved else { return };
        let back = moved.common(set);
        if self.peer_kind().is_hbd() || back.is_none() || now.since(at) >= within {
            return;
        }
        let keys: Vec<_> = (back.iter()).map(|index| (self.groups.key(index).to_owned(), now + within)).collect();
        self.health.peer_unfit.extend(keys);
    }

    /// Everything that is to run here is about to be started where it does not: nothing waits for that.
    pub(in crate::cluster) fn health_anew(&mut self, set: GroupSet) {
        self.health.waiting.retain(|(step, _)| !set.has(step.group));
    }

    /// How often this resource has failed here lately.
    pub(in crate::cluster) fn failures(&self, step: Step) -> usize {
        let (now, within) = (self.now.monotonic, self.settings.health.within);
        let lately = |failure: &&Failure| failure.step == step && now.since(failure.at) < within;
        self.health.failures.iter().filter(lately).count()
    }

    /// An operator has mended something: failures are forgotten, what was left alone or waits is started. `None`: all
    /// groups.
    pub(in crate::cluster) fn cleanup(&mut self, id: u64, group: Option<usize>) {
        if let Some(answer) = self.no_cleanup(group) {
            self.raise(Fact::Answered { id, answer });
            return;
        }
        let (now, alone) = (self.now.monotonic, self.left_alone());
        let everywhere = self.everywhere.clone();
        let meant =
            |step: Step| group.is_none_or(|group| everywhere.all(step).into_iter().any(|same| same.group == group));
        let meant = |step: Step| meant(step) && !alone.has(step.group);
        self.health.failures.retain(|failure| !meant(failure.step));
        // What was mended may fail again, and the peer may serve then. What it gives back it gives for the operator.
        self.health.offers.clear();
        self.health.moved = None;
        let ill = self.conditions.iter().filter(|(_, condition)| **condition != Condition::Gone);
        let again: Vec<Step> = ill.map(|(step, _)| step).filter(|step| meant(*step)).collect();
        self.health.waiting.retain(|(step, _)| !meant(*step));
        for step in again {
            self.restart_resource(step);
        }
        self.groups.hasten_retry(group, now);
        self.log(Record::CleanedUp {});
        // The peer is to know that we can serve again.
        if self.peer_kind().is_hbd() && self.is_stable() {
            self.send_resource(true, None);
        }
        self.raise(Fact::CleanedUp { group });
        self.raise(Fact::Answered { id, answer: Answer::Done });
    }
}
