//! Both nodes hold the same groups, or nobody does, while both live (03 §8, §14.3; docs/DECISIONS.md "A partition
//! heals and the peer is an hbd", "A partition heals and the peer is a real Heartbeat").
//!
//! Two hbd nodes compare what each announces and come to the same result: who holds less, unless groups move alone,
//! else who claimed later, else who sorts last by name releases; the other announces its addresses again. Beside a
//! real Heartbeat we keep serving while it restarts itself, and use the standby exchange if it does not.

use std::cmp::Ordering;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::peer::claims::Claims;
use crate::cluster::peer::message::Report;
use crate::cluster::peer::node::Node;
use crate::cluster::timers::Timer;
use crate::cluster::{Class, GroupSet, Instant, Record, Set, Step};

/// Period at which two hbd nodes repeat their claims while they are in conflict.
const CLAIM_PERIOD: Duration = Duration::from_secs(1);
/// How long a real Heartbeat has to resolve a conflict by its own restart (2 s, release, 03 §8.2) or to take up its
/// own groups, before we ask for it.
const HEARTBEAT_PATIENCE: Duration = Duration::from_secs(15);
/// After a partition each node announces what it still holds, once a conflict that may follow is over.
const ANNOUNCE_AFTER_RETURN: Duration = Duration::from_secs(2);
/// How long nobody may hold a class before we act: messages of an exchange cross.
const ORPHAN_PATIENCE: Duration = Duration::from_secs(3);
/// The same where the nodes disagree about whose a group is.
const DISAGREEMENT_PATIENCE: Duration = Duration::from_secs(10);

/// The groups of a set: a class without a group cannot be wrong.
fn without_empty(set: GroupSet) -> GroupSet {
    GroupSet::new(set.iter(), Set::NONE)
}

/// What is wrong, and since when.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Conflict {
    theirs: Option<Claims>,
    /// When the peer claimed each group that it holds, by keys, if it says so.
    #[serde(default)]
    their_groups: Option<Vec<(String, u64)>>,
    both: GroupSet,
    /// When `both` began.
    both_since: Instant,
    /// How many groups we held, and whether we had the key, when `both` began.
    began_with: Option<(usize, Option<bool>)>,
    nobody: GroupSet,
    /// When `nobody` began.
    #[serde(default)]
    nobody_since: Instant,
    /// Until when a real Heartbeat that returned from a partition may take to restart itself.
    restart_due: Option<Instant>,
    /// How often a real Heartbeat was asked in vain to end the present conflict.
    asked_in_vain: u32,
    /// A peer that is back has not said yet what it holds: what it said before it was gone is history, and what a
    /// real Heartbeat's scripts say only adds to it.
    silent_since_return: bool,
    /// Since when an hbd peer that we hear holds us for dead: it does not hear us, and cannot know of a conflict.
    deaf: Option<Instant>,
}

impl Conflict {
    /// Whether both nodes hold something.
    pub(in crate::cluster) fn both_hold(&self) -> bool {
        !self.both.is_none()
    }

    /// Whether there is something that nobody holds, and that is about to be asked for or taken.
    pub(in crate::cluster) fn nobody_holds(&self) -> bool {
        !self.nobody.is_none()
    }

    /// Since when an hbd peer that we hear does not hear us.
    pub(in crate::cluster) fn deaf(&self) -> Option<Instant> {
        self.deaf
    }
}

impl Core {
    /// Whether both hold something, something is on its way down for another, or a real Heartbeat is about to
    /// restart itself because of a partition.
    pub(in crate::cluster) fn conflict_open(&self) -> bool {
        self.conflict.both_hold()
            || !self.ownership.stopping().is_none()
            || self.conflict.restart_due.is_some_and(|due| self.now.monotonic < due)
    }

    /// Our claims as they stand now or, during a conflict, as they stood when it began.
    pub(in crate::cluster) fn claims(&self) -> Claims {
        let now = || (self.groups.held().count(), self.key_for_claims());
        let (held, key) = self.conflict.began_with.unwrap_or_else(now);
        let of = |class| self.ownership.claims().of_class(class, self.groups.of(class));
        Claims { local: of(Class::Local), foreign: of(Class::Foreign), held, key }
    }

    /// The peer says that it has declared us dead. An hbd that hears us again says so ([`Core::answer_reappeared`]).
    pub(in crate::cluster) fn peer_went_deaf(&mut self) {
        if self.peer_kind().is_hbd() {
            self.conflict.deaf.get_or_insert(self.now.monotonic);
        }
    }

    /// The peer hears us, and wants to know what we hold.
    pub(in crate::cluster) fn peer_hears_us(&mut self) {
        self.conflict.deaf = None;
        if self.ownership.decided() {
            self.send_resource(true, None);
        }
    }

    /// The peer is back, and has not said yet what it holds.
    pub(in crate::cluster) fn await_report(&mut self) {
        self.conflict.silent_since_return = true;
    }

    /// A node that we had declared dead is `active`, or showed that it is an hbd: both of us may have served alone.
    /// A real Heartbeat restarts itself if it had missed us, too (02 §7.7).
    pub(in crate::cluster) fn conflict_reappeared(&mut self, known: bool) {
        let (now, hbd) = (self.now.monotonic, self.peer_kind().is_hbd());
        if known || hbd {
            self.announce_soon();
        }
        if !hbd {
            self.conflict.restart_due = Some(now + HEARTBEAT_PATIENCE);
        }
    }

    /// The loser of a conflict may have yielded before it could tell us: we announce what we hold then.
    pub(in crate::cluster) fn announce_soon(&mut self) {
        self.timers.set(Timer::AnnounceAfterReturn, self.now.monotonic + ANNOUNCE_AFTER_RETURN);
    }

    /// An hbd peer that is back gets our claims.
    pub(in crate::cluster) fn answer_reappeared(&mut self, known: bool) {
        if self.timers.is_set(Timer::Conflict) {
            self.timers.set(Timer::Conflict, self.now.monotonic + CLAIM_PERIOD);
        }
        if known || self.peer_owes_report() || !self.ownership.other.decided {
            // It may be long decided, and answers this.
            self.send_void();
        } else {
            self.send_resource(true, None);
        }
    }

    /// After a partition we announce what we still hold.
    pub(in crate::cluster) fn announce_after_return(&mut self) {
        let kept = self.groups.held().without(self.conflict.both);
        self.groups.announce(kept, &mut self.out);
    }

    /// The loser of a conflict says which groups it no longer runs: announce them, even if a newer report has
    /// overtaken this one, and even if we never knew that there was a conflict.
    pub(in crate::cluster) fn conflict_released(&mut self, report: &Report) {
        let keys = report.released_keys.as_ref().map(|keys| keys.iter().map(String::as_str));
        let released = self.groups.meant(report.released.swapped(), keys);
        let kept = released.common(self.groups.held());
        if !kept.is_none() {
            self.conflict.both = self.conflict.both.without(kept);
            if self.conflict.both.is_none() {
                self.both_ended();
            }
            self.conflict_won(kept);
        }
    }

    /// Compares the masks after every report (03 §8.1); unlike Heartbeat, acts on the result.
    pub(in crate::cluster) fn audit(&mut self, report: &Report) {
        if report.full {
            self.conflict.silent_since_return = false;
            self.conflict.their_groups = report.holding.groups.clone();
        }
        if let Some(claims) = report.claims {
            self.conflict.theirs = claims;
        }
        self.audit_both();
        self.audit_nobody();
    }

    /// The half of [`Core::audit`] that looks for orphans. Also when what we held back is not held back any more.
    pub(in crate::cluster) fn audit_nobody(&mut self) {
        let known = if self.exchange.busy() { GroupSet::NONE } else { self.known_orphans() };
        if !self.may_judge() && (known.is_none() || !self.ownership.decided()) {
            return;
        }
        let (hold, other) = (self.groups.held(), self.ownership.other.holds);
        // What a dead peer leaves is taken, or not, by other rules. What is nobody's is looked for when it is back.
        let told = self.peer_alive() && !self.conflict.silent_since_return;
        let all = told && self.may_judge() && self.ownership.other.decided;
        let free = match (all, told) {
            (true, _) => self.groups.all(),
            (false, true) => known,
            _ => GroupSet::NONE,
        };
        // Somebody on the LAN has what we held back, whatever a report from before says.
        self.nobody_changed(without_empty(free.without(hold).without(other)).without(self.lan.held_back()));
    }

    /// Whether the masks mean what they say: nothing is on the move.
    fn may_judge(&self) -> bool {
        self.ownership.decided() && !self.exchange.busy() && !self.ownership.other.releasing()
    }

    /// The half of [`Core::audit`] that may be done at any time: what the peer last claimed is claimed.
    pub(in crate::cluster) fn audit_both(&mut self) {
        if self.may_judge() {
            let both = without_empty(self.groups.held().common(self.ownership.other.holds));
            self.both_changed(both);
            if !both.is_none() {
                self.resolve();
            }
        }
    }

    fn both_changed(&mut self, both: GroupSet) {
        let before = std::mem::replace(&mut self.conflict.both, both);
        if before.is_none() && !both.is_none() {
            let classes = self.groups.touched(both);
            self.conflict.began_with = Some(self.claims().as_it_began());
            self.conflict.both_since = self.now.monotonic;
            for (present, whose) in [(classes.local, "our"), (classes.foreign, "foreign")] {
                if present {
                    self.log(Record::BothOwn { whose: whose.to_owned() });
                }
            }
            self.timers.set(Timer::Conflict, self.now.monotonic + self.conflict_period());
            if !self.peer_kind().is_hbd() {
                self.raise(Fact::BothHold { set: both });
            } else {
                // It may know nothing of it yet, and the sooner it does the sooner one of us lets go.
                self.send_resource(true, None);
            }
        } else if !before.is_none() && both.is_none() {
            self.both_ended();
            self.conflict.asked_in_vain = 0;
        }
        if !both.is_none() && !before.without(both).is_none() && !self.peer_kind().is_hbd() {
            // One class is settled: it listens, so let the other one not wait.
            self.conflict.asked_in_vain = 0;
            self.timers.set(Timer::Conflict, self.now.monotonic + CLAIM_PERIOD);
        }
        let kept = before.without(both).common(self.groups.held());
        if !kept.is_none() {
            self.conflict_won(kept);
        }
    }

    /// Nothing is claimed twice any more. What nobody has is still to be acted on.
    fn both_ended(&mut self) {
        if self.conflict.nobody.is_none() {
            self.timers.stop(Timer::Conflict);
        }
        self.conflict.began_with = None;
    }

    fn nobody_changed(&mut self, nobody: GroupSet) {
        let before = std::mem::replace(&mut self.conflict.nobody, nobody);
        if before.is_none() && !nobody.is_none() {
            self.conflict.nobody_since = self.now.monotonic;
            let classes = self.groups.touched(nobody);
            for (present, whose) in [(classes.local, "our local"), (classes.foreign, "foreign")] {
                if present {
                    self.log(Record::NoOneOwns { whose: whose.to_owned() });
                }
            }
            self.timers.set(Timer::Conflict, self.now.monotonic + ORPHAN_PATIENCE);
        }
    }

    fn conflict_won(&mut self, kept: GroupSet) {
        self.log(Record::ConflictWon { node: self.peer_name() });
        self.groups.announce(kept, &mut self.out);
    }

    /// The peer is gone or new: whatever was wrong is over, and what we kept is announced. What we still stop goes on
    /// running until it has stopped, for a new peer as well.
    pub(in crate::cluster) fn conflict_over(&mut self) {
        (self.conflict.theirs, self.conflict.their_groups) = (None, None);
        self.timers.stop(Timer::Conflict);
        self.conflict.restart_due = None;
        self.conflict.asked_in_vain = 0;
        self.conflict.nobody = GroupSet::NONE;
        self.conflict.began_with = None;
        (self.conflict.deaf, self.conflict.silent_since_return) = (None, false);
        let both = std::mem::take(&mut self.conflict.both);
        if !both.is_none() {
            self.conflict_won(both);
        }
    }

    /// Two hbd nodes: the same facts on both sides, hence the same loser.
    fn resolve(&mut self) {
        let Some(theirs) = self.conflict.theirs else { return };
        let lost = self.lost(theirs);
        if !lost.is_none() {
            self.lose(lost);
        }
    }

    fn lose(&mut self, lost: GroupSet) {
        self.log(Record::ConflictLost { node: self.peer_name() });
        self.let_go(lost);
    }

    /// Releases `lost`; the peer is told that we do, and when it is done.
    pub(in crate::cluster) fn let_go(&mut self, lost: GroupSet) {
        self.conflict.both = self.conflict.both.without(lost);
        self.ownership.mark_stopping(lost);
        self.release(lost);
        self.conflict_settled();
    }

    fn lost(&self, theirs: Claims) -> GroupSet {
        let ours = self.claims();
        let alone = self.peer_moves_alone();
        let lose = |group: &usize| {
            // Of groups that move alone each has a history of its own.
            let held_less = if alone { Ordering::Equal } else { theirs.held.cmp(&ours.held) };
            let claimed_later = self.claimed_later(*group, theirs);
            let sorts_last = self.settings.node.cmp(&self.peer_name());
            ours.lacks_key_against(&theirs).then(held_less).then(claimed_later).then(sorts_last).is_gt()
        };
        GroupSet::new(self.conflict.both.iter().filter(lose), Set::NONE)
    }

    /// How the moments of both claims to a group compare. One that the peer's file calls otherwise has none there.
    fn claimed_later(&self, group: usize, theirs: Claims) -> Ordering {
        let Some(claims) = &self.conflict.their_groups else {
            let class = self.groups.class(group);
            return self.claims().of(class).cmp(&theirs.of(class.swapped()));
        };
        let theirs = claims.iter().find(|(other, _)| other == self.groups.key(group));
        theirs.map_or(Ordering::Equal, |(_, claimed)| self.ownership.claims().of(group).cmp(claimed))
    }

    /// The groups of a loser, or of a giver whose exchange was cancelled, may be down.
    pub(in crate::cluster) fn conflict_settled(&mut self) {
        let lost = self.ownership.stopping();
        if !lost.is_none() && self.groups.settled(lost) {
            self.ownership.has_stopped();
            // Any other may wait for the answer to a `me` of its own, and would hang for this word.
            let asked_in_vain = self.conflict.asked_in_vain > 0;
            self.raise(Fact::LoserStopped { set: lost, asked_in_vain });
        }
    }

    /// What had been lost is down: a later conflict is another one.
    pub(in crate::cluster) fn conflict_rests(&mut self) {
        if self.conflict.both.is_none() {
            self.conflict.began_with = None;
            self.conflict.asked_in_vain = 0;
        }
    }

    fn conflict_period(&self) -> Duration {
        if self.peer_kind().is_hbd() { CLAIM_PERIOD } else { HEARTBEAT_PATIENCE }
    }

    /// A conflict has lasted too long, or nobody has taken what nobody has.
    pub(in crate::cluster) fn conflict_due(&mut self) {
        if !self.ownership.decided() || !self.peer_alive() {
            return;
        }
        let nobodys = self.conflict.nobody.common(self.known_orphans());
        let loser_stops = self.peer_kind().is_hbd() && self.ownership.other.releasing() && nobodys.is_none();
        if self.release_pending() || loser_stops {
            self.timers.set(Timer::Conflict, self.now.monotonic + CLAIM_PERIOD);
            return;
        }
        if self.peer_kind().is_hbd() {
            self.act_with_hbd();
        } else if !self.changed_unseen() {
            self.act_with_heartbeat();
        }
        self.raise(Fact::ConflictActedOn);
    }

    /// What was done may not help: it is looked at again.
    pub(in crate::cluster) fn conflict_again(&mut self) {
        if !self.conflict.both.with(self.conflict.nobody).is_none() {
            self.timers.set(Timer::Conflict, self.now.monotonic + self.conflict_period());
        }
    }

    /// Whether a real Heartbeat has let go of something by a report that came while an exchange kept us from
    /// judging. It will not say so again.
    fn changed_unseen(&mut self) -> bool {
        let before = self.conflict.both;
        if !before.is_none() {
            self.audit_both();
        }
        self.conflict.both != before
    }

    /// The claims again, for a peer that missed them; our own orphans are ours to take. A peer that does not hear us
    /// would have both of us serve for as long as that lasts: only we can end it.
    fn act_with_hbd(&mut self) {
        let both = self.conflict.both;
        if !both.is_none() && self.peer_ignores_claims() && !self.ownership.other.releasing() {
            self.lose(both);
            return;
        }
        let ours = self.conflict.nobody.common(self.ours_to_take());
        if !ours.is_none() && !self.exchange.busy() && !self.maintenance.on() {
            let barred = ours.common(self.barred());
            let free = ours.without(barred);
            if free.is_none() {
                // Perhaps the peer can serve it: nobody else will.
                let offered = barred.without(self.peer_unready()).without(self.left_alone());
                let _ = if offered.is_none() { Ok(()) } else { self.begin_exchange(offered) };
            } else {
                // What could not be held for want of the witness's key is nobody's still.
                let free = self.holdable(free);
                self.conflict.nobody = self.conflict.nobody.without(free);
                self.ownership.return_when_agreed(free.common(self.groups.foreign()));
                self.take(free);
            }
        }
        self.send_resource(true, None);
    }

    /// What we take that nobody has: our own. Nodes that disagree about whose a group is may both leave it, or both
    /// take it: the one whose name sorts first takes all when the other has had its time, the other its own later.
    fn ours_to_take(&self) -> GroupSet {
        if self.peer_is_deaf() && self.holds_the_key() {
            // The peer hears nothing of us and takes nothing without it.
            return self.groups.all();
        }
        let first = self.settings.node < self.peer_name();
        let patience = DISAGREEMENT_PATIENCE + if first { Duration::ZERO } else { ORPHAN_PATIENCE };
        let waited = self.now.monotonic.since(self.conflict.nobody_since) >= patience;
        match (self.other_haresources(), first, waited) {
            (true, true, true) => self.groups.all(),
            (true, true, false) => self.groups.local().with(self.known_orphans()),
            (true, false, false) => GroupSet::NONE,
            _ => self.groups.local(),
        }
    }

    /// Whether the peer does not hear us: it said so, or it goes on sending and has not taken in claims that are
    /// older than a second.
    fn peer_ignores_claims(&self) -> bool {
        let heard = self.peer_node().and_then(|peer| peer.last_status);
        self.conflict.deaf.is_some() || heard.is_some_and(|heard| heard > self.conflict.both_since + CLAIM_PERIOD)
    }

    /// The recovery primitives of 03 §14.3: each makes the real node stop before it, or we, start.
    fn act_with_heartbeat(&mut self) {
        let (nobody, both) = (self.conflict.nobody.without(self.left_alone()), self.conflict.both);
        if !both.is_none() {
            self.conflict.asked_in_vain += 1;
        }
        let (local, foreign) = (self.groups.local(), self.groups.foreign());
        let wrong = self.groups.touched(both.with(nobody));
        let unready = both.is_none() && !nobody.common(local).common(self.barred()).is_none();
        if self.conflict.asked_in_vain > 1 {
            self.raise(Fact::YieldToHeartbeat { set: both });
        } else if unready {
            let _ = self.begin_exchange(local);
        } else if wrong.local {
            self.send_takeover(local);
        } else if wrong.foreign {
            let _ = self.begin_exchange(foreign);
        }
    }

    /// It did not do what we asked: it may hang in an exchange for an hour (03 §0 no. 10). One of us must let go,
    /// and it will not.
    pub(in crate::cluster) fn yield_to_heartbeat(&mut self, both: GroupSet) {
        self.ownership.other.decided = true;
        self.lose(both);
    }

    /// At the end of an exchange the peer may have claimed something while we were busy. The end of an open
    /// conflict its next report shows.
    pub(in crate::cluster) fn audit_both_if_new(&mut self) {
        if !self.conflict.both_hold() {
            self.audit_both();
        }
    }

    /// The peer claims an address that we serve, and does not hear us: the group is given up, with what moves along.
    pub(in crate::cluster) fn yield_group(&mut self, step: Step) {
        let set = self.with_unaskable(GroupSet::one(step.group));
        if self.peer_node().is_some_and(Node::is_heartbeat) {
            self.release(set);
        } else {
            // It may hear us although we do not hear it, and then announces what it keeps.
            self.let_go(set);
        }
    }
}
