//! Both nodes hold the same groups, or nobody does, while both live (03 §8, §14.3; shared decisions).
//!
//! Two hbd nodes compare what each announces and come to the same result: who holds less, else who claimed later,
//! else who sorts last by name releases; the other announces its addresses again; nothing restarts. With a real
//! Heartbeat we keep serving while it restarts itself, and use the standby exchange if it does not.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::claims::Claims;
use super::resources::Decision;
use super::{Class, Core, Instant, Record, Set};
use crate::wire::Message;

/// Period at which two hbd nodes repeat their claims while they are in conflict.
const CLAIM_PERIOD: Duration = Duration::from_secs(1);
/// How long a real Heartbeat has to resolve a conflict by its own restart (2 s, release, 03 §8.2) or to take up its own
/// groups, before we ask for it.
const HEARTBEAT_PATIENCE: Duration = Duration::from_secs(15);
/// A real Heartbeat that returns after a partition and had held us for dead says within 2 s that it gives up (02 §7.7).
/// If it has not by now it had heard us all the time, and will neither restart nor say what it holds.
const RETURN_PATIENCE: Duration = Duration::from_secs(5);
/// After a partition whoever still holds something announces it, when the conflict is over that may follow.
const ANNOUNCE_AFTER_RETURN: Duration = Duration::from_secs(2);
/// How long nobody may hold a class before we act: messages of an exchange cross.
const ORPHAN_PATIENCE: Duration = Duration::from_secs(3);
/// A group that failed here is offered at most this often to a peer that took it.
const OFFER_PERIOD: Duration = Duration::from_secs(600);
/// And to one that did not react.
const OFFER_RETRY: Duration = Duration::from_secs(20);

/// What is wrong, and since when.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Conflict {
    ours: Claims,
    theirs: Option<Claims>,
    both: Set,
    /// When `both` began.
    both_since: Instant,
    /// How many groups we held when `both` began.
    began_with: Option<usize>,
    nobody: Set,
    /// We lost these, or were giving them; the peer gets a report when they are down.
    releasing: Set,
    act_at: Option<Instant>,
    /// Until when a real Heartbeat that returned from a partition may take to restart itself.
    restart_due: Option<Instant>,
    /// When what we hold is announced after the peer's return.
    announce_at: Option<Instant>,
    /// How often a real Heartbeat was asked in vain to end the present conflict.
    asked_in_vain: u32,
    /// Before this a failed group is not offered to the peer again.
    offer_again: Option<Instant>,
    /// A peer that is back has not said yet what it holds: what it said before it was gone is history, and what a real
    /// Heartbeat's scripts say only adds to it.
    unheard: bool,
    /// Since when an hbd peer that we hear holds us for dead: it does not hear us, and cannot know of a conflict.
    deaf: Option<Instant>,
}

impl Conflict {
    /// Whether both hold something, or a real Heartbeat is about to restart itself because of a partition.
    pub(super) fn open(&self, now: Instant) -> bool {
        self.both != Set::NONE || self.releasing() || self.restart_due.is_some_and(|due| now < due)
    }

    /// Whether both nodes hold something.
    pub(super) fn both_hold(&self) -> bool {
        self.both != Set::NONE
    }

    /// We take these after all.
    pub(super) fn taken(&mut self, set: Set) {
        self.releasing = self.releasing.without(set);
    }

    /// These are to be another's, and still on their way down.
    pub(super) fn still_stops(&mut self, set: Set) {
        self.releasing = self.releasing.with(set);
    }

    /// Whether something that is to be another's is still on its way down.
    pub(super) fn releasing(&self) -> bool {
        self.releasing != Set::NONE
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        [self.act_at, self.announce_at].into_iter().flatten().min()
    }

    /// Since when an hbd peer that we hear does not hear us.
    pub(super) fn deaf(&self) -> Option<Instant> {
        self.deaf
    }

    /// Whether a failed group was offered to the peer lately: both would otherwise send it to and fro.
    pub(super) fn offered_lately(&self, now: Instant) -> bool {
        self.offer_again.is_some_and(|again| now < again)
    }

    /// A failed group was offered to the peer.
    pub(super) fn offered(&mut self, now: Instant) {
        self.offer_again = Some(now + OFFER_PERIOD);
    }

    /// The peer did not react to what may have been such an offer.
    pub(super) fn not_taken(&mut self, now: Instant) {
        self.offer_again = self.offer_again.map(|again| again.min(now + OFFER_RETRY));
    }
}

impl Core {
    /// Our claims as they stand now or, during a conflict, as they stood when it began.
    pub(super) fn claims(&self) -> Claims {
        let held = self.conflict.began_with.unwrap_or_else(|| self.groups.count(self.ownership.hold));
        Claims { held, ..self.conflict.ours }
    }

    /// The peer says that it has declared us dead, and we hear it. An hbd that hears us again says so
    /// ([`Core::peer_reappeared`]).
    pub(super) fn peer_went_deaf(&mut self) {
        if self.peer_is_hbd() {
            self.conflict.deaf.get_or_insert(self.now.monotonic);
        }
    }

    /// The peer hears us.
    pub(super) fn peer_hears_us(&mut self) {
        self.conflict.deaf = None;
    }

    /// We hold these classes from now on.
    pub(super) fn claim(&mut self, set: Set) {
        let now = u64::try_from(self.now.wall.as_millis()).unwrap_or(u64::MAX);
        let claims = &mut self.conflict.ours;
        if set.local {
            claims.local = now;
        }
        if set.foreign {
            claims.foreign = now;
        }
    }

    /// A node that we had declared dead is `active`, or showed that it is an hbd: both of us may have served alone. An
    /// hbd peer gets our claims. A real Heartbeat restarts itself if it had missed us, too (02 §7.7). If it had not, or
    /// restarted out of our sight, it would never say what it holds: `starting` makes it, and our report takes it out
    /// of transition again (03 §14.1 rule 3).
    pub(super) fn peer_reappeared(&mut self, known: bool) {
        self.conflict.unheard = true;
        if self.ownership.decision != Decision::Stable {
            return;
        }
        // Who was out of reach may have compared old numbers.
        self.ipfail_ask();
        if known || self.peer_is_hbd() {
            // The loser may have yielded before it could tell us.
            self.conflict.announce_at = Some(self.now.monotonic + ANNOUNCE_AFTER_RETURN);
        }
        if !self.peer_is_hbd() {
            self.conflict.restart_due = Some(self.now.monotonic + HEARTBEAT_PATIENCE);
            let patience = if known { RETURN_PATIENCE } else { Duration::ZERO };
            if known {
                self.let_go_of_storage(Set::ALL);
            }
            self.ask_heartbeat(patience);
            self.heartbeat_may_hang();
            return;
        }
        self.failback_soon();
        if self.conflict.act_at.is_some() {
            self.conflict.act_at = Some(self.now.monotonic + CLAIM_PERIOD);
        }
        if known || !self.ownership.other_stable {
            // It may be long decided, and answers this.
            self.send_void();
        } else {
            self.send_resource(true, None);
        }
    }

    fn announce_tick(&mut self) {
        if self.conflict.announce_at.is_some_and(|due| due <= self.now.monotonic) {
            self.conflict.announce_at = None;
            let kept = self.ownership.hold.without(self.conflict.both);
            self.groups.announce(kept, &mut self.out);
        }
    }

    /// The loser of a conflict says which groups it no longer runs: announce them, even if a newer report has overtaken
    /// this one, and even if we never knew that there was a conflict.
    pub(super) fn peer_released(&mut self, message: &Message) {
        let released = message.text("hbd_released").and_then(Set::parse).unwrap_or_default().swapped();
        let kept = released.common(self.ownership.hold);
        if kept != Set::NONE {
            self.conflict.both = self.conflict.both.without(kept);
            if self.conflict.both == Set::NONE {
                self.both_ended();
            }
            self.conflict_won(kept);
        }
    }

    /// Compares the masks after every report (03 §8.1); unlike Heartbeat, acts on the result.
    pub(super) fn audit(&mut self, message: &Message) {
        if message.text("rtype") == Some("full") {
            self.conflict.unheard = false;
        }
        if let Some(claims) = message.text("hbd_claim") {
            self.conflict.theirs = Claims::parse(claims);
        }
        self.audit_both();
        self.audit_nobody();
    }

    /// The half of [`Core::audit`] that looks for orphans. Also when what we held back is not held back any more.
    pub(super) fn audit_nobody(&mut self) {
        if !self.may_judge() {
            return;
        }
        let (hold, other) = (self.ownership.hold, self.ownership.other.swapped());
        // Somebody on the LAN has what we held back, whatever a report from before says.
        let nobody = if self.ownership.other_stable && !self.conflict.unheard {
            self.existing(Set::ALL.without(hold).without(other)).without(self.hold.waiting())
        } else {
            Set::NONE
        };
        self.nobody_changed(nobody);
    }

    /// Whether the masks mean what they say: nothing is on the move.
    fn may_judge(&self) -> bool {
        let settled = self.ownership.decision == Decision::Stable && !self.standby.busy();
        settled && !self.ownership.peer_releasing
    }

    /// The part of `set` that has groups.
    fn existing(&self, set: Set) -> Set {
        Set {
            local: set.local && self.groups.count(Set::LOCAL) > 0,
            foreign: set.foreign && self.groups.count(Set::FOREIGN) > 0,
        }
    }

    /// The half of [`Core::audit`] that may be done at any time: what the peer last claimed is claimed.
    pub(super) fn audit_both(&mut self) {
        if self.may_judge() {
            let both = self.existing(self.ownership.hold.common(self.ownership.other.swapped()));
            self.both_changed(both);
            if both != Set::NONE {
                self.resolve();
            }
        }
    }

    fn both_changed(&mut self, both: Set) {
        let before = std::mem::replace(&mut self.conflict.both, both);
        if before == Set::NONE && both != Set::NONE {
            self.conflict.began_with = Some(self.claims().held);
            self.conflict.both_since = self.now.monotonic;
            for (present, whose) in [(both.local, "our"), (both.foreign, "foreign")] {
                if present {
                    self.log(Record::BothOwn { whose: whose.to_owned() });
                }
            }
            let wait = if self.peer_is_hbd() { CLAIM_PERIOD } else { HEARTBEAT_PATIENCE };
            self.conflict.act_at = Some(self.now.monotonic + wait);
            self.let_go_of_storage(both);
            if self.peer_is_hbd() {
                // It may know nothing of it yet, and the sooner it does the sooner one of us lets go.
                self.send_resource(true, None);
            }
        } else if before != Set::NONE && both == Set::NONE {
            self.both_ended();
            self.conflict.asked_in_vain = 0;
        }
        if both != Set::NONE && before.without(both) != Set::NONE && !self.peer_is_hbd() {
            // One class is settled: it listens, so let the other one not wait.
            self.conflict.asked_in_vain = 0;
            self.conflict.act_at = Some(self.now.monotonic + CLAIM_PERIOD);
        }
        let kept = before.without(both).common(self.ownership.hold);
        if kept != Set::NONE {
            self.conflict_won(kept);
        }
    }

    /// Nothing is claimed twice any more. What nobody has is still to be acted on.
    fn both_ended(&mut self) {
        if self.conflict.nobody == Set::NONE {
            self.conflict.act_at = None;
        }
        self.conflict.began_with = None;
    }

    fn nobody_changed(&mut self, nobody: Set) {
        let before = std::mem::replace(&mut self.conflict.nobody, nobody);
        if before == Set::NONE && nobody != Set::NONE {
            for (present, whose) in [(nobody.local, "our local"), (nobody.foreign, "foreign")] {
                if present {
                    self.log(Record::NoOneOwns { whose: whose.to_owned() });
                }
            }
            self.conflict.act_at = Some(self.now.monotonic + ORPHAN_PATIENCE);
        }
    }

    fn conflict_won(&mut self, kept: Set) {
        self.log(Record::ConflictWon { node: self.peer_name() });
        self.groups.announce(kept, &mut self.out);
    }

    /// The peer is gone or new: whatever was wrong is over, and what we kept is announced. What we still stop goes on
    /// running until it has stopped, for a new peer as well.
    pub(super) fn conflict_over(&mut self) {
        self.conflict.theirs = None;
        self.conflict.act_at = None;
        self.conflict.restart_due = None;
        self.conflict.offer_again = None;
        self.report.forget();
        self.unstick.forget();
        self.conflict.asked_in_vain = 0;
        self.conflict.nobody = Set::NONE;
        self.conflict.began_with = None;
        (self.conflict.deaf, self.conflict.unheard) = (None, false);
        let both = std::mem::take(&mut self.conflict.both);
        if both != Set::NONE {
            self.conflict_won(both);
        }
    }

    /// Two hbd nodes: the same facts on both sides, hence the same loser.
    fn resolve(&mut self) {
        let Some(theirs) = self.conflict.theirs else { return };
        let lost = self.lost(theirs);
        if lost != Set::NONE {
            self.lose(lost);
        }
    }

    fn lose(&mut self, lost: Set) {
        self.log(Record::ConflictLost { node: self.peer_name() });
        self.let_go(lost);
    }

    /// Releases `lost`; the peer is told that we do, and when it is done.
    pub(super) fn let_go(&mut self, lost: Set) {
        self.conflict.both = self.conflict.both.without(lost);
        self.conflict.still_stops(lost);
        self.release(lost);
        self.conflict_settled();
    }

    fn lost(&self, theirs: Claims) -> Set {
        let ours = self.claims();
        let lose = |class: Class| {
            let held_less = theirs.held.cmp(&ours.held);
            let claimed_later = ours.of(class).cmp(&theirs.of(class.swapped()));
            let sorts_last = self.settings.node.cmp(&self.peer_name());
            held_less.then(claimed_later).then(sorts_last).is_gt()
        };
        let both = self.conflict.both;
        Set { local: both.local && lose(Class::Local), foreign: both.foreign && lose(Class::Foreign) }
    }

    /// The groups of a loser, or of a giver whose exchange was cancelled, are down: say so, and say which, for who has them to
    /// announce them.
    pub(super) fn conflict_settled(&mut self) {
        let lost = self.conflict.releasing;
        if lost != Set::NONE && self.groups.settled(lost) {
            self.conflict.releasing = Set::NONE;
            // Any other may wait for the answer to a `me` of its own, and would hang for this word.
            if self.conflict.asked_in_vain > 0 {
                self.release_heartbeat(lost);
            }
            let leaves = self.ownership.decision == Decision::Shutdown;
            let report = self.resource_message(!leaves, leaves.then_some("shutdown"));
            let report = report.with("hbd_released", lost.word());
            self.send(report);
            if self.conflict.both == Set::NONE {
                self.conflict.began_with = None;
                self.conflict.asked_in_vain = 0;
            }
        }
    }

    pub(super) fn conflict_tick(&mut self) {
        self.announce_tick();
        let now = self.now.monotonic;
        if self.conflict.act_at.is_none_or(|due| due > now) {
            return;
        }
        self.conflict.act_at = None;
        if self.ownership.decision != Decision::Stable || !self.peer_alive() {
            return;
        }
        if self.unstick.pending(now) {
            self.conflict.act_at = Some(now + CLAIM_PERIOD);
            return;
        }
        if self.peer_is_hbd() {
            self.act_with_hbd();
        } else if !self.changed_unseen() {
            self.act_with_heartbeat();
        }
        if self.conflict.both.with(self.conflict.nobody) != Set::NONE {
            let wait = if self.peer_is_hbd() { CLAIM_PERIOD } else { HEARTBEAT_PATIENCE };
            self.conflict.act_at = Some(now + wait);
        }
    }

    /// Whether a real Heartbeat has let go of something by a report that came while an exchange kept us from judging. It
    /// will not say so again.
    fn changed_unseen(&mut self) -> bool {
        let before = self.conflict.both;
        if before != Set::NONE {
            self.audit_both();
        }
        self.conflict.both != before
    }

    /// The claims again, for a peer that missed them; our own orphans are ours to take. A peer that does not hear us
    /// would have both of us serve for as long as that lasts: only we can end it.
    fn act_with_hbd(&mut self) {
        let both = self.conflict.both;
        if both != Set::NONE && self.peer_ignores_claims() {
            self.lose(both);
            return;
        }
        if self.conflict.nobody.local && !self.standby.busy() && !self.maintenance.on() {
            self.conflict.nobody.local = false;
            self.take(Set::LOCAL);
        }
        self.send_resource(true, None);
    }

    /// Whether the peer does not hear us: it said so, or it goes on sending and has not taken in claims that are older
    /// than a second.
    fn peer_ignores_claims(&self) -> bool {
        let late = self.conflict.both_since + CLAIM_PERIOD;
        let heard = self.peer_node().and_then(|peer| peer.last_status);
        self.conflict.deaf.is_some() || heard.is_some_and(|heard| heard > late)
    }

    /// It did not do what we asked: it may hang in an exchange for an hour (03 §0 no. 10). One of us must let go, and it
    /// will not.
    fn yield_to_heartbeat(&mut self, both: Set) {
        self.cancel_standby();
        self.ownership.other_stable = true;
        self.lose(both);
    }

    /// The recovery primitives of 03 §14.3: each makes the real node stop before it, or we, start.
    fn act_with_heartbeat(&mut self) {
        let nobody = if self.maintenance.on() { Set::NONE } else { self.conflict.nobody };
        let both = self.conflict.both;
        if both != Set::NONE {
            self.conflict.asked_in_vain += 1;
        }
        if self.conflict.asked_in_vain > 1 {
            self.yield_to_heartbeat(both);
        } else if both.local || nobody.local {
            self.send_takeover(Set::LOCAL);
        } else if both.foreign || nobody.foreign {
            self.begin_standby(Set::FOREIGN);
        }
    }
}
