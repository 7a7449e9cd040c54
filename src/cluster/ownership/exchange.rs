//! How a set of groups moves while both nodes live: the standby exchange (03 §4.5).
//!
//! `me` (giver) → `other` (taker) → `done` (giver, released) → `done` (taker, acquired). Sets are the giver's words
//! in all four. Owns the state of one exchange. Operators, failback, a failed group, a lost carrier, ipfail and a
//! conflict all use it: [`Core::begin_exchange`]. How it ended is reported as a fact.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::ExchangePhase as Phase;
use super::obstacle::Obstacle;
use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::peer::message::{Ask, AskWord};
use crate::cluster::peer::send::Side;
use crate::cluster::timers::Timer;
use crate::cluster::{Answer, GroupSet, Instant, Record, Step};
use crate::wire::Message;

/// How long the giver waits for `other`, and either side for everything after it (03 §4.5.3).
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);
/// See [`REPLY_TIMEOUT`].
const WORK_TIMEOUT: Duration = Duration::from_secs(3600);
/// How long a giver waits for a real Heartbeat's last `done`. One that had cancelled in the meantime never says it,
/// and takes us for undecided until we report.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(120);
/// The same after it has reported that it has decided, and not what we gave it.
const HEARTBEAT_DOUBT: Duration = Duration::from_secs(30);

/// Where an exchange is, from our side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) enum ExchangePhase {
    /// No exchange.
    #[default]
    Idle,
    /// Giver: we said `me` and wait for `other`.
    Asked(GroupSet),
    /// Giver: we got `other` and stop the set.
    Releasing(GroupSet),
    /// Giver: we said `done` and wait for the taker's.
    Released(GroupSet),
    /// Taker: we said `other` and wait for the giver's `done`.
    Accepted(GroupSet),
    /// Taker: we got `done` and start the set.
    Acquiring(GroupSet),
}

/// One exchange.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Exchange {
    pub(super) phase: Phase,
    /// We gave up waiting for an `other`; if it still comes it is honoured, or a real peer hangs (03 §4.5.4).
    late_other_counts: bool,
    /// Giver: what was ours when the release began. The other node may have the rest of the set.
    #[serde(default)]
    pub(super) gives: GroupSet,
    /// Giver: what of that is down, and the taker's from then on, whatever becomes of it here.
    #[serde(default)]
    pub(super) parted: GroupSet,
    /// `seq` of the peer's word that we answered last: what is older belongs to another exchange.
    pub(super) answered: u64,
    /// `seq` of the peer's message that showed that it knows of no exchange any more; older words are void.
    voided: u64,
    /// When we said `other` last.
    accepted_at: Instant,
    /// A `me` of a real Heartbeat that came since, and its `seq`.
    asked_again: Option<(GroupSet, u64)>,
}

impl Exchange {
    /// Whether we give a set and it is still on its way down.
    pub(in crate::cluster) fn releasing(&self) -> bool {
        matches!(self.phase, Phase::Releasing(_))
    }

    /// Whether we wait for the peer to give us something.
    pub(in crate::cluster) fn accepted(&self) -> bool {
        matches!(self.phase, Phase::Accepted(_))
    }

    /// The set that is under way.
    fn set(&self) -> Option<GroupSet> {
        match self.phase {
            Phase::Idle => None,
            Phase::Asked(set)
            | Phase::Releasing(set)
            | Phase::Released(set)
            | Phase::Accepted(set)
            | Phase::Acquiring(set) => Some(set),
        }
    }

    /// Whether this group is under way.
    pub(in crate::cluster) fn concerns(&self, group: usize) -> bool {
        self.set().is_some_and(|set| set.has(group))
    }

    /// Whether an exchange is under way.
    pub(in crate::cluster) fn busy(&self) -> bool {
        self.phase != Phase::Idle
    }
}

impl Core {
    /// Says `me` if nothing stands in the way.
    ///
    /// # Errors
    /// What does: try again later.
    pub(in crate::cluster) fn begin_exchange(&mut self, set: GroupSet) -> Result<(), Obstacle> {
        let me = self.ask_message(set, "me", Side::Giver);
        self.begin_exchange_saying(set, me)
    }

    /// The same with a `me` of the caller's.
    ///
    /// # Errors
    /// As [`Core::begin_exchange`].
    pub(in crate::cluster) fn begin_exchange_saying(&mut self, set: GroupSet, me: Message) -> Result<(), Obstacle> {
        self.may_begin().and_then(|()| self.may_give(set)).and_then(|()| self.may_part_with(set))?;
        self.ownership.other.decided = false;
        self.enter(Phase::Asked(set), REPLY_TIMEOUT);
        self.log(Record::StandbyWanted { node: self.settings.node.clone(), set: self.groups.name(set) });
        self.send(me);
        Ok(())
    }

    fn enter(&mut self, phase: Phase, limit: Duration) {
        self.end_phase();
        self.exchange.phase = phase;
        self.timers.set(Timer::Exchange, self.now.monotonic + limit);
    }

    fn end_phase(&mut self) {
        self.timers.stop(Timer::Exchange);
        self.exchange.phase = Phase::Idle;
        self.exchange.late_other_counts = false;
        self.exchange.asked_again = None;
    }

    /// Before a word of an hbd peer counts: a node that wakes up late must not go on with an exchange that the peer
    /// has long given up.
    pub(in crate::cluster) fn end_overdue_exchange(&mut self) {
        if !self.ownership.gives_up_everything()
            && self.peer_kind().is_hbd()
            && self.timers.take_due(Timer::Exchange, self.now.monotonic)
        {
            self.exchange_overdue();
        }
    }

    /// `ask_resources` from the peer (03 §4.5.2).
    pub(in crate::cluster) fn ask_received(&mut self, seq: u64, ask: Ask) {
        if self.ownership.gives_up_everything() || seq < self.exchange.voided {
            return;
        }
        if let Some(said) = &ask.set {
            // The words are the giver's: ours in `other`. A `done` counts for its set only if the peer gives.
            let words = if ask.word == AskWord::Other { said.classes } else { said.classes.swapped() };
            let set = self.groups.meant(words, said.keys());
            self.raise(Fact::ExchangeWord { seq, set, ask });
        }
    }

    /// A word of the peer that is not void.
    pub(in crate::cluster) fn word_received(&mut self, seq: u64, set: GroupSet, word: AskWord) {
        match word {
            AskWord::Me => self.me_received(set, seq),
            AskWord::Other => self.other_received(set, seq),
            AskWord::Done => self.done_received(set, seq),
            AskWord::Unknown => {}
        }
    }

    fn me_received(&mut self, set: GroupSet, seq: u64) {
        match self.exchange.phase {
            Phase::Idle => self.accept(set, seq),
            // The giver has begun anew: it never got our `other`. A real taker would hang for an hour (03 §4.5.4).
            Phase::Accepted(_) if self.may_accept_again() => {
                self.ownership.other.decided = true;
                self.accept(set, seq);
            }
            Phase::Accepted(_) if !self.ownership.other.releasing() => {
                self.exchange.asked_again = Some((set, seq));
                self.refuse_second();
            }
            // Both would time out, ask again, and so on for ever.
            Phase::Asked(_) if self.peer_kind().is_hbd() && self.settings.node > self.peer_name() => {
                self.raise(Fact::ExchangeYielded { set, seq });
            }
            _ => self.refuse_second(),
        }
    }

    fn other_received(&mut self, set: GroupSet, seq: u64) {
        match self.exchange.phase {
            // It answers what we have called off since. It answers what we ask for now as well.
            Phase::Asked(asked) if self.peer_kind().is_hbd() && !set.iter().all(|group| asked.has(group)) => {}
            Phase::Asked(_) => self.give(set, seq),
            // It forgot its first, and will wait for what we say to this one: what it said in between voids nothing.
            Phase::Releasing(_) | Phase::Released(_) => {
                self.exchange.answered = self.exchange.answered.max(seq);
                self.repeat_done();
            }
            Phase::Idle if self.exchange.late_other_counts => self.give(set, seq),
            Phase::Idle if self.peer_kind().is_hbd() => self.send_void(),
            Phase::Idle => self.raise(Fact::PeerSilent),
            Phase::Accepted(_) | Phase::Acquiring(_) => {}
        }
    }

    fn done_received(&mut self, set: GroupSet, seq: u64) {
        let releasing = self.ownership.other.releasing();
        let theirs = !set.common(self.ownership.other.holds).is_none() && self.peer_kind().is_hbd();
        let news = self.ownership.other.reported.is_none_or(|reported| seq > reported);
        match self.exchange.phase {
            Phase::Released(_) => self.finish_giving(),
            // It has taken what we gave before, as it reported, and says so late: it gives nothing by that.
            Phase::Accepted(awaited) if theirs && !set.iter().all(|group| awaited.has(group)) => {}
            // It may hold us for dead since it said that, and have taken everything back.
            Phase::Accepted(_) if self.overslept_exchange() => self.repeat_other(set),
            Phase::Idle if releasing && self.overslept_exchange() => self.repeat_other(set),
            // An older `done` ended the exchange before, in which we were the giver.
            Phase::Accepted(_) if seq > self.exchange.answered => self.acquire(set),
            // We had given up waiting, but it has released what it said it would, and nobody else will take it.
            Phase::Idle if releasing && news => self.acquire(set),
            // It gave on an `other` of ours that reached it late, and waits for what will not come.
            Phase::Idle if self.peer_kind().is_hbd() => self.send_void(),
            Phase::Asked(_) if self.peer_kind().is_hbd() && !theirs => self.send_void(),
            _ => {}
        }
    }

    /// Whether an hbd peer may have given up the exchange that it last began, because it held us for dead.
    pub(super) fn overslept_exchange(&self) -> bool {
        self.peer_kind().is_hbd() && self.overslept_since(self.exchange.accepted_at)
    }

    /// Taker: is it still to be had? (docs/DECISIONS.md "What was given before we slept is asked for again")
    fn repeat_other(&mut self, set: GroupSet) {
        self.exchange.accepted_at = self.now.monotonic;
        self.send_ask(set, "other", Side::Taker);
    }

    /// Giver: an hbd that asks once more has slept, and did not trust our `done`.
    fn repeat_done(&mut self) {
        if let Phase::Released(set) = self.exchange.phase
            && self.peer_kind().is_hbd()
        {
            self.send_ask(set, "done", Side::Giver);
        }
    }

    /// The exchange that we had begun is cancelled in favour of the one that the peer began at the same time.
    pub(in crate::cluster) fn accept_instead(&mut self, set: GroupSet, seq: u64) {
        self.ownership.other.decided = true;
        self.accept(set, seq);
    }

    /// Taker: we can have it if both sides have decided.
    fn accept(&mut self, set: GroupSet, seq: u64) {
        let node = self.peer_name();
        if !self.ownership.other.decided || !self.ownership.decided() {
            self.log_in_flux(&node);
            return;
        }
        if set.is_none() {
            // Its file has groups that ours has not.
            self.complain(Record::GivesUnknown { node });
            return;
        }
        let new = set.without(self.groups.held());
        if !new.is_none() && (self.refuses_for_maintenance(new) || self.refuses_unready(new)) {
            return;
        }
        self.raise(Fact::ExchangeAccepted { set });
        self.ownership.other.decided = false;
        // A giver that heeds our `other` says at once that it releases; until then it may have forgotten its `me`, or
        // never have heeded it itself (03 §4.5.4).
        self.enter(Phase::Accepted(set), REPLY_TIMEOUT);
        (self.exchange.accepted_at, self.exchange.answered) = (self.now.monotonic, seq);
        self.log(Record::StandbyWanted { node, set: self.groups.name_there(set) });
        self.send_ask(set, "other", Side::Taker);
    }

    /// A repeated `me` of a real Heartbeat has two causes. (a) The operator asked twice: a second `other` would now
    /// make it claim what it just released. (b) It dropped our first `other`: then it does not release, and after ten
    /// seconds one `other` is right for both.
    fn may_accept_again(&self) -> bool {
        let late = self.now.monotonic.since(self.exchange.accepted_at) >= REPLY_TIMEOUT;
        self.peer_kind().is_hbd() || late && !self.ownership.other.releasing()
    }

    /// One exchange at a time. A Heartbeat and we that say `me` at once both time out, which is harmless; of two
    /// hbds the one that sorts last yields.
    fn refuse_second(&mut self) {
        let node = self.peer_name();
        let deadline = self.timers.get(Timer::Exchange);
        let seconds = deadline.map_or(0, |deadline| deadline.since(self.now.monotonic).as_secs());
        self.log(Record::StandbyInProgress { node, seconds });
    }

    /// Giver: the peer can take it. The set of this message counts, not that of ours (03 §16 no. 2).
    fn give(&mut self, set: GroupSet, seq: u64) {
        if !self.ownership.decided() {
            return;
        }
        self.enter(Phase::Releasing(set), WORK_TIMEOUT);
        (self.exchange.gives, self.exchange.parted) = (set.common(self.groups.held()), GroupSet::NONE);
        self.exchange.answered = seq;
        self.ownership.other.decided = false;
        self.log(Record::StandbyCanTake { node: self.peer_name(), set: self.groups.name(set) });
        self.release(set);
        self.send_resource(false, Some("standby"));
        self.exchange_settled();
    }

    /// Giver: the taker has it.
    fn finish_giving(&mut self) {
        self.end_phase();
        self.log(Record::StandbyFinished { node: self.settings.node.clone() });
        self.ownership.other.ends_release();
        self.send_resource(true, None);
        self.raise(Fact::ExchangeGiven);
    }

    /// Taker: the giver has released it.
    fn acquire(&mut self, set: GroupSet) {
        if !self.ownership.decided() {
            return;
        }
        self.raise(Fact::PeerAnswered);
        self.raise(Fact::PeerGives { set });
        self.enter(Phase::Acquiring(set), WORK_TIMEOUT);
        self.ownership.other.ends_release();
        self.ownership.other.holds = self.ownership.other.holds.without(set);
        // What we serve already was perhaps served by both.
        self.groups.announce(set.common(self.groups.held()), &mut self.out);
        if self.says_groups() && !self.same_haresources() {
            self.ownership.return_when_agreed(set.common(self.groups.foreign()));
        }
        self.take_given(set);
        self.exchange_settled();
    }

    /// Giver: this resource does not stop. What is down already is the taker's, and what we had of the rest stays.
    pub(in crate::cluster) fn stop_giving(&mut self, step: Step) {
        if self.exchange.releasing() {
            let kept = self.exchange.gives.without(self.exchange.parted);
            self.end_phase();
            self.raise(Fact::KeptHere { set: kept, step });
        }
    }

    /// Groups have come up or gone down: say `done` if ours have.
    pub(in crate::cluster) fn exchange_settled(&mut self) {
        match self.exchange.phase {
            Phase::Releasing(set) if self.groups.settled(set) => {
                let hbd = self.peer_kind().is_hbd();
                self.enter(Phase::Released(set), if hbd { WORK_TIMEOUT } else { HEARTBEAT_TIMEOUT });
                self.send_ask(set, "done", Side::Giver);
                if hbd && self.ownership.other.decided {
                    self.peer_reports_decided();
                }
            }
            Phase::Releasing(_) => self.raise(Fact::PartDown),
            Phase::Acquiring(set) if self.groups.settled(set) => {
                self.end_phase();
                self.log(Record::StandbyAcquired { set: self.groups.name_there(set) });
                self.send_ask(set, "done", Side::Taker);
                self.send_resource(true, None);
                self.raise(Fact::ExchangeAcquired);
            }
            _ => {}
        }
    }

    /// The peer reports that it has decided: perhaps it ended the exchange unheard, as it had taken us for dead.
    pub(in crate::cluster) fn peer_reports_decided(&mut self) {
        let other = self.ownership.other.holds;
        let contested = !other.common(self.groups.held()).is_none();
        let (hbd, now) = (self.peer_kind().is_hbd(), self.now.monotonic);
        match self.exchange.phase {
            // Nothing has moved yet, and that both hold the same must not wait for an answer that may never come.
            Phase::Asked(_) if contested => {
                self.cancel_exchange();
                self.exchange.late_other_counts = !hbd;
            }
            // Our `other` may have been overtaken and dropped: say it again, an hbd that has given up will say so.
            Phase::Accepted(set) if hbd && contested => self.send_ask(set, "other", Side::Taker),
            Phase::Released(set) if other.common(set) == set => self.finish_giving(),
            // Its `done` may be on its way, or ours; or it has given up, and does not take or give at all.
            Phase::Released(_) if !hbd => self.timers.hasten(Timer::Exchange, now + HEARTBEAT_DOUBT),
            Phase::Released(_) | Phase::Accepted(_) if hbd => {
                self.timers.hasten(Timer::Exchange, now + REPLY_TIMEOUT)
            }
            _ => {}
        }
    }

    /// The peer gives what we accepted: that stands for as long as its resources take to stop. Reports that follow,
    /// or overtake this one, do not end it; `done` does.
    pub(in crate::cluster) fn giver_releases(&mut self, seq: u64) {
        if self.exchange.accepted() && seq > self.exchange.answered {
            self.timers.set(Timer::Exchange, self.now.monotonic + WORK_TIMEOUT);
            self.exchange.asked_again = None;
            self.ownership.other.begins_release();
        }
    }

    /// The peer knows of no exchange any more. What we have given by now it has taken long ago.
    pub(in crate::cluster) fn exchange_voided(&mut self, seq: u64) {
        if seq < self.exchange.answered {
            return;
        }
        self.exchange.voided = seq;
        if self.exchange.asked_again.is_some_and(|(_, asked)| asked > seq) {
            // It has asked again since, and has our answer or gets another one.
            return;
        }
        if !matches!(self.exchange.phase, Phase::Idle | Phase::Acquiring(_)) {
            self.raise(Fact::ExchangeVoid);
        }
    }

    /// After an exchange that the peer does not know, or has not answered: Heartbeat assumes the peer decided now (03
    /// §4.5.3). Our report lets it say that it has not, or has claimed something meanwhile.
    pub(in crate::cluster) fn report_after_exchange(&mut self) {
        self.ownership.other.decided = true;
        self.send_resource(self.ownership.decided(), None);
    }

    /// The peer's next word is overdue.
    pub(in crate::cluster) fn exchange_overdue(&mut self) {
        if let Some((set, seq)) = self.exchange.asked_again.take() {
            // Still due, unless a new exchange begins.
            self.timers.set(Timer::Exchange, self.now.monotonic);
            self.ownership.other.decided = true;
            self.accept(set, seq);
            return;
        }
        if matches!(self.exchange.phase, Phase::Released(_)) && self.peer_kind().is_hbd() {
            // One that is still starting its groups ignores that; one that knows of no exchange says so.
            self.timers.set(Timer::Exchange, self.now.monotonic + REPLY_TIMEOUT);
            return self.repeat_done();
        }
        let asked = matches!(self.exchange.phase, Phase::Asked(_));
        let unanswered = asked || self.exchange.accepted();
        let set = self.exchange.set().unwrap_or_default();
        self.log(Record::StandbyNoReply {});
        self.end_exchange();
        self.exchange.late_other_counts = asked;
        self.raise(Fact::ExchangeOverdue { unanswered, set });
    }

    /// The peer died, left or restarted: the exchange is void. What we were giving or taking is decided anew by
    /// others.
    pub(in crate::cluster) fn cancel_exchange(&mut self) {
        self.abandon_exchange(Answer::Cancelled);
    }

    /// The same when the peer, which is well, knows of none any more.
    pub(in crate::cluster) fn call_off_exchange(&mut self) {
        self.abandon_exchange(Answer::CalledOff);
    }

    fn abandon_exchange(&mut self, answer: Answer) {
        if self.exchange.busy() {
            self.log(Record::StandbyCancelled {});
        }
        let set = self.exchange.set().unwrap_or_default();
        self.end_exchange();
        self.raise(Fact::ExchangeEnded { answer, set });
    }

    /// The same for a new incarnation of the peer, which counts its messages anew.
    pub(in crate::cluster) fn restart_exchange(&mut self) {
        self.cancel_exchange();
        (self.exchange.answered, self.exchange.voided) = (0, 0);
    }

    /// Nothing is given or taken any more; what was on its way down stops all the same, and until it has nobody may
    /// think so.
    fn end_exchange(&mut self) {
        if let Phase::Releasing(set) = self.exchange.phase {
            self.ownership.mark_stopping(set);
        }
        self.end_phase();
    }

    /// An `other` that comes from now on is not honoured any more: the peer was freed from waiting.
    pub(in crate::cluster) fn forget_late_other(&mut self) {
        self.exchange.late_other_counts = false;
    }
}
