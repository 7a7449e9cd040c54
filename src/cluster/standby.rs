//! How a set of groups moves while both nodes live: the standby exchange (03 §4.5).
//!
//! `me` (giver) → `other` (taker) → `done` (giver, released) → `done` (taker, acquired). Sets are the giver's words in
//! all four. Owns the state of one exchange; operators, failback and a failed group all use it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::resources::Decision;
use super::send::ask;
use super::{Answer, Core, Instant, Record, Set};
use crate::wire::Message;

/// How long the giver waits for `other`, and either side for everything after it (03 §4.5.3).
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);
/// See [`REPLY_TIMEOUT`].
const WORK_TIMEOUT: Duration = Duration::from_secs(3600);
/// How long a giver waits for a real Heartbeat's last `done`. One that had cancelled in the meantime never says it, and
/// takes us for undecided until we report.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(120);

/// The same after it has reported that it has decided, and not what we gave it.
const HEARTBEAT_DOUBT: Duration = Duration::from_secs(30);

/// Where an exchange is, from our side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
enum Phase {
    /// No exchange.
    #[default]
    Not,
    /// We said `me` and wait for `other`.
    Asked(Set),
    /// We got `other` and stop the set.
    Releasing(Set),
    /// We said `done` and wait for the taker's.
    Released(Set),
    /// We said `other` and wait for the giver's `done`.
    Offered(Set),
    /// We got `done` and start the set; the word is the giver's.
    Acquiring(Set),
}

/// One exchange.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Standby {
    phase: Phase,
    deadline: Option<Instant>,
    /// We gave up waiting for an `other`; if it still comes it is honoured, or a real peer hangs for an hour (03 §4.5.4).
    late: bool,
    /// `seq` of the peer's word that we answered last: what is older belongs to another exchange.
    answered: u64,
    /// `seq` of the peer's message that showed that it knows of no exchange any more; older words are void.
    voided: u64,
    /// When we said `other` last.
    offered_at: Instant,
    /// A `me` of a real Heartbeat that came since, and its `seq`.
    again: Option<(Set, u64)>,
}

impl Standby {
    /// Whether we give a set and it is still on its way down.
    pub(super) fn releasing(&self) -> bool {
        matches!(self.phase, Phase::Releasing(_))
    }

    /// An `other` that comes now is not honoured any more.
    pub(super) fn forgive(&mut self) {
        self.late = false;
    }

    /// The peer's new incarnation counts anew.
    pub(super) fn peer_restarted(&mut self) {
        (self.answered, self.voided) = (0, 0);
    }

    /// Whether we wait for the peer to give us something.
    pub(super) fn offered(&self) -> bool {
        matches!(self.phase, Phase::Offered(_))
    }

    /// Whether an exchange is under way.
    pub(super) fn busy(&self) -> bool {
        self.phase != Phase::Not
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    fn enter(&mut self, phase: Phase, deadline: Option<Instant>) {
        self.phase = phase;
        self.deadline = deadline;
        self.late = false;
        self.again = None;
    }
}

impl Core {
    /// Says `me` if both nodes are stable. False if not: try again later.
    pub(super) fn begin_standby(&mut self, set: Set) -> bool {
        self.begin_standby_saying(set, ask(set, "me"))
    }

    /// The same with a `me` of the caller's.
    pub(super) fn begin_standby_saying(&mut self, set: Set, me: Message) -> bool {
        let ready = self.peer_alive()
            && self.ownership.other_stable
            && !self.ownership.peer_left
            && self.speaks_nice()
            && self.ownership.decision == Decision::Stable
            && !self.unstick.pending(self.now.monotonic)
            && !self.maintenance_forbids()
            && !self.standby.busy();
        if ready {
            self.ownership.other_stable = false;
            self.standby.enter(Phase::Asked(set), Some(self.now.monotonic + REPLY_TIMEOUT));
            self.log(Record::StandbyWanted { node: self.settings.node.clone(), set: set.to_string() });
            self.send(me);
        }
        ready
    }

    /// `hb_takeover`: asks the peer to give. The set is in our words.
    pub(super) fn send_takeover(&mut self, set: Set) {
        self.send(Message::new("hb_takeover").with("rsc_hold", set.word()));
    }

    /// `hb_takeover` from the peer: its local groups are our foreign ones (03 §6.6, §14.1 rule 15).
    pub(super) fn takeover_received(&mut self, from: usize, message: &Message) {
        if Some(from) == self.peer() && !self.maintenance_refuses() {
            let set = match message.text("rsc_hold") {
                Some("failback") => Set::LOCAL,
                Some(word) => Set::parse(word).unwrap_or(Set::NONE),
                None => Set::ALL,
            };
            if set != Set::NONE && !self.begin_standby(set.swapped()) {
                self.log_in_flux(&self.settings.node.clone());
            }
        }
    }

    fn log_in_flux(&mut self, node: &str) {
        let whose = if self.ownership.other_stable { "local resources" } else { "Other side is" };
        self.log(Record::StandbyInFlux { node: node.to_owned(), whose: whose.to_owned() });
    }

    /// `ask_resources` from the peer (03 §4.5.2).
    pub(super) fn ask_received(&mut self, from: usize, message: &Message) {
        if Some(from) != self.peer() || self.ownership.decision == Decision::Shutdown {
            return;
        }
        let set = match message.text("rsc_hold") {
            Some(word) => Set::parse(word).filter(|set| *set != Set::NONE),
            None => Some(Set::ALL),
        };
        let Some(set) = set else { return };
        if self.peer_is_hbd() {
            // Who wakes up late must not go on with what the other has long given up.
            self.standby_tick();
        }
        let seq = message.text("seq").and_then(|seq| u64::from_str_radix(seq, 16).ok()).unwrap_or(0);
        if seq < self.standby.voided {
            return;
        }
        self.ipfail_gives(set, message);
        if message.text("info") == Some("me") {
            self.heartbeat_asks();
        }
        match (message.text("info"), self.standby.phase) {
            (Some("me"), Phase::Not) => self.offer(set, seq),
            // The giver has begun anew: it never got our `other`. A real taker would hang for an hour (03 §4.5.4).
            (Some("me"), Phase::Offered(_)) if self.may_offer_again() => {
                self.ownership.other_stable = true;
                self.offer(set, seq);
            }
            (Some("me"), Phase::Offered(_)) if !self.ownership.peer_releasing => {
                self.standby.again = Some((set, seq));
                self.refuse_second();
            }
            // Both would time out, ask again, and so on for ever.
            (Some("me"), Phase::Asked(_)) if self.peer_is_hbd() && self.settings.node > self.peer_name() => {
                self.cancel_standby();
                self.ownership.other_stable = true;
                self.offer(set, seq);
            }
            (Some("me"), _) => self.refuse_second(),
            (Some("other"), Phase::Asked(_)) => self.give(set, seq),
            // It forgot its first, and will wait for what we say to this one: what it said in between voids nothing.
            (Some("other"), Phase::Releasing(_) | Phase::Released(_)) => {
                self.standby.answered = self.standby.answered.max(seq);
                self.given_still();
            }
            (Some("other"), Phase::Not) if self.standby.late => self.give(set, seq),
            (Some("other"), Phase::Not) if self.peer_is_hbd() => self.send_void(),
            (Some("other"), Phase::Not) => self.heartbeat_is_silent(),
            (Some("done"), Phase::Released(_)) => self.given(),
            // It may hold us for dead since it said that, and have taken everything back.
            (Some("done"), Phase::Offered(_)) if self.overslept_this() => self.offer_anew(set),
            (Some("done"), Phase::Not) if self.ownership.peer_releasing && self.overslept_this() => {
                self.offer_anew(set)
            }
            // An older `done` ended the exchange before, in which we were the giver.
            (Some("done"), Phase::Offered(_)) if seq > self.standby.answered => self.acquire(set),
            // We had given up waiting, but it has released what it said it would, and nobody else will take it.
            (Some("done"), Phase::Not) if self.ownership.peer_releasing && seq > self.ownership.other_order => {
                self.acquire(set);
            }
            _ => {}
        }
    }

    /// Whether an hbd peer may have given up the exchange that it last began, because it held us for dead.
    fn overslept_this(&self) -> bool {
        self.peer_is_hbd() && self.overslept_since(self.standby.offered_at)
    }

    /// Taker: is it still to be had? A giver that has given up says so, one that has not says `done` once more.
    fn offer_anew(&mut self, set: Set) {
        self.standby.offered_at = self.now.monotonic;
        self.send_ask(set, "other");
    }

    /// Giver: an hbd that asks once more has slept, and did not trust our `done`.
    fn given_still(&mut self) {
        if let Phase::Released(set) = self.standby.phase
            && self.peer_is_hbd()
        {
            self.send_ask(set, "done");
        }
    }

    /// Taker: we can have it if both sides have decided.
    fn offer(&mut self, set: Set, seq: u64) {
        let node = self.peer_name();
        if !self.ownership.other_stable || self.ownership.decision != Decision::Stable {
            self.log_in_flux(&node);
            return;
        }
        if set.swapped().without(self.ownership.hold) != Set::NONE && self.maintenance_refuses() {
            return;
        }
        self.given_back(set);
        self.ownership.other_stable = false;
        // A giver that heeds our `other` says at once that it releases; until then it may have forgotten its `me`, or
        // never have heeded it itself (03 §4.5.4).
        self.standby.enter(Phase::Offered(set), Some(self.now.monotonic + REPLY_TIMEOUT));
        self.standby.offered_at = self.now.monotonic;
        self.standby.answered = seq;
        self.log(Record::StandbyWanted { node, set: set.to_string() });
        self.send_ask(set, "other");
    }

    /// A real Heartbeat whose tool asks twice ignores the second `me` itself for ten seconds, but would obey a second
    /// `other`, and by its second `done` claim what it has just released. Or it ignored its first, for want of our report:
    /// then it waits for an answer to its second. The ten seconds over, one `other` suits both.
    fn may_offer_again(&self) -> bool {
        self.peer_is_hbd() || self.now.monotonic.since(self.standby.offered_at) >= REPLY_TIMEOUT
    }

    /// One exchange at a time. A Heartbeat and we that say `me` at once both time out, which is harmless; of two hbds the one
    /// that sorts last yields.
    fn refuse_second(&mut self) {
        let node = self.peer_name();
        let seconds = self.standby.deadline.map_or(0, |deadline| deadline.since(self.now.monotonic).as_secs());
        self.log(Record::StandbyInProgress { node, seconds });
    }

    /// Giver: the peer can take it. The set of this message counts, not that of ours (03 §16 no. 2).
    fn give(&mut self, set: Set, seq: u64) {
        if self.ownership.decision != Decision::Stable {
            return;
        }
        self.standby.enter(Phase::Releasing(set), Some(self.now.monotonic + WORK_TIMEOUT));
        self.standby.answered = seq;
        self.ownership.other_stable = false;
        self.log(Record::StandbyCanTake { node: self.peer_name(), set: set.to_string() });
        self.release(set);
        self.send_resource(false, Some("standby"));
        self.standby_settled();
    }

    /// Giver: the taker has it.
    fn given(&mut self) {
        self.unstick.forget();
        self.standby.enter(Phase::Not, None);
        self.log(Record::StandbyFinished { node: self.settings.node.clone() });
        self.ownership.peer_releasing = false;
        self.send_resource(true, None);
        self.answer_asker(Answer::Done);
        self.report_again_soon();
        self.leave_check();
    }

    /// Taker: the giver has released it.
    fn acquire(&mut self, set: Set) {
        if self.ownership.decision != Decision::Stable {
            return;
        }
        self.unstick.forget();
        self.standby.enter(Phase::Acquiring(set), Some(self.now.monotonic + WORK_TIMEOUT));
        self.ownership.peer_releasing = false;
        self.ownership.other = self.ownership.other.without(set);
        // What we serve already was perhaps served by both.
        self.groups.announce(set.swapped().common(self.ownership.hold), &mut self.out);
        self.take(set.swapped());
        self.standby_settled();
    }

    /// Groups have come up or gone down: say `done` if ours have.
    pub(super) fn standby_settled(&mut self) {
        match self.standby.phase {
            Phase::Releasing(set) if self.groups.settled(set) => {
                let limit = if self.peer_is_hbd() { WORK_TIMEOUT } else { HEARTBEAT_TIMEOUT };
                self.standby.enter(Phase::Released(set), Some(self.now.monotonic + limit));
                self.send_ask(set, "done");
                if self.peer_is_hbd() && self.ownership.other_stable {
                    self.standby_report();
                }
            }
            Phase::Acquiring(set) if self.groups.settled(set.swapped()) => {
                self.standby.enter(Phase::Not, None);
                self.log(Record::StandbyAcquired { set: set.to_string() });
                self.send_ask(set, "done");
                self.send_resource(true, None);
                self.report_again_soon();
                // It may have claimed something while we were busy; the end of an open conflict its next report shows.
                if !self.conflict.both_hold() {
                    self.audit_both();
                }
                self.answer_asker(Answer::Done);
                self.leave_check();
            }
            _ => {}
        }
    }

    /// The peer reports that it has decided: perhaps it ended the exchange without us hearing it, because it had taken
    /// us for dead in the middle of it.
    pub(super) fn standby_report(&mut self) {
        let other = self.ownership.other;
        match self.standby.phase {
            // Nothing has moved yet, and that both hold the same must not wait for an answer that may never come.
            Phase::Asked(_) if other.swapped().common(self.ownership.hold) != Set::NONE => {
                self.cancel_standby();
                self.standby.late = !self.peer_is_hbd();
            }
            // Our `other` may have been overtaken and dropped: say it again, an hbd that has given up will say so.
            Phase::Offered(set) if self.peer_is_hbd() && other.swapped().common(self.ownership.hold) != Set::NONE => {
                self.send_ask(set, "other");
            }
            Phase::Released(set) if other.swapped().common(set) == set => self.given(),
            // It may be on its way, or not taking at all.
            Phase::Released(_) if !self.peer_is_hbd() => {
                let soon = self.now.monotonic + HEARTBEAT_DOUBT;
                self.standby.deadline = self.standby.deadline.map(|deadline| deadline.min(soon));
            }
            // An hbd says this when it has released, and its `done` is on its way, or when it has given up.
            Phase::Offered(_) if self.peer_is_hbd() => {
                let soon = self.now.monotonic + REPLY_TIMEOUT;
                self.standby.deadline = self.standby.deadline.map(|deadline| deadline.min(soon));
            }
            _ => {}
        }
    }

    /// The peer gives what we offered to take: the offer stands for as long as its resources take to stop. Reports that
    /// follow, or overtake this one, do not end that; `done` does.
    pub(super) fn standby_notice(&mut self, seq: u64) {
        if self.standby.offered() && seq > self.standby.answered {
            self.standby.deadline = Some(self.now.monotonic + WORK_TIMEOUT);
            self.standby.again = None;
            self.ownership.peer_releasing = true;
        }
    }

    /// Giver: `other` came for an exchange that we gave up, because we had taken the peer for dead. Only an hbd is told
    /// so; a real Heartbeat would not listen.
    pub(super) fn send_void(&mut self) {
        let report = self.resource_message(self.ownership.decision == Decision::Stable, None);
        self.send(report.with("hbd_void", "1"));
    }

    /// The peer knows of no exchange any more: as the giver that had begun it with the `me` we answered, or because it
    /// had held us for dead. What we have given by now it has taken long ago.
    pub(super) fn standby_voided(&mut self, seq: u64) {
        if seq < self.standby.answered {
            return;
        }
        self.standby.voided = seq;
        if self.standby.again.is_some_and(|(_, asked)| asked > seq) {
            // It has asked again since, and has our answer or gets another one.
            return;
        }
        if !matches!(self.standby.phase, Phase::Not | Phase::Acquiring(_)) {
            self.cancel_standby();
            // As after a time-out: it may have claimed something meanwhile, or may yet say that it has not decided.
            self.ownership.other_stable = true;
            self.send_resource(self.ownership.decision == Decision::Stable, None);
            self.report_again_soon();
            self.audit_both();
        }
    }

    pub(super) fn standby_tick(&mut self) {
        if self.standby.deadline.is_none_or(|deadline| deadline > self.now.monotonic) {
            return;
        }
        if let Some((set, seq)) = self.standby.again.take() {
            self.ownership.other_stable = true;
            self.offer(set, seq);
            return;
        }
        let asked = matches!(self.standby.phase, Phase::Asked(_));
        let unheeded = asked || self.standby.offered();
        self.log(Record::StandbyNoReply {});
        self.end_standby();
        self.standby.late = asked;
        self.conflict.not_taken(self.now.monotonic);
        if unheeded {
            self.heartbeat_is_silent();
        }
        // Heartbeat assumes the peer stable now (03 §4.5.3); our report lets it correct us.
        self.ownership.other_stable = true;
        self.send_resource(true, None);
        // It may have claimed what we hold while the exchange kept us from looking, and will not say so again.
        self.audit_both();
        self.unanswered();
        self.leave_check();
    }

    /// The peer died, left or restarted: the exchange is void. What we were giving or taking is decided anew by who
    /// calls.
    pub(super) fn cancel_standby(&mut self) {
        if self.standby.busy() {
            self.log(Record::StandbyCancelled {});
        }
        self.end_standby();
        self.answer_asker(Answer::Cancelled);
    }

    /// Nothing is given or taken any more; what was on its way down stops all the same, and until it has nobody may think so.
    fn end_standby(&mut self) {
        if let Phase::Releasing(set) = self.standby.phase {
            self.conflict.still_stops(set);
        }
        self.standby.enter(Phase::Not, None);
    }
}
