//! Does somebody still have what we are about to take? (docs/DECISIONS.md "The peer is silent but its address is
//! answered")
//!
//! Asks when the peer is late, so that the answer is known when it is dead; holds back what the peer's machine still
//! answers for, or one that may be the peer's, and takes it when that answers no more. The questions themselves are
//! [`super::questions`]'s.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::guards::claimed::RepeatedClaim;
use crate::cluster::guards::questions::{Answerer, Asked, Purpose};
use crate::cluster::peer::node::Node;
use crate::cluster::{Answer, GroupSet, Instant, Record, Set, Status};
use crate::config::{AddressPolicy, OnAnswer};

/// What we know about others who use our addresses.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Lan {
    /// Of every group; empty if nobody watches addresses.
    pub(super) policies: Vec<AddressPolicy>,
    /// The addresses that we ask for.
    pub(super) asked: Vec<Asked>,
    /// What we do not take although its owner is dead.
    held_back: GroupSet,
    /// Groups that an operator wants taken no matter which machine has their addresses.
    #[serde(default)]
    cleared: Vec<usize>,
}

impl Lan {
    /// What to do about the addresses of a group; `None` if nobody watches addresses.
    pub(super) fn policy(&self, group: usize) -> Option<&AddressPolicy> {
        self.policies.get(group)
    }

    /// What we do not take, because somebody still answers for it.
    pub(in crate::cluster) fn held_back(&self) -> GroupSet {
        self.held_back
    }
}

impl Core {
    pub(in crate::cluster) fn watch_addresses(&mut self, policies: Vec<AddressPolicy>) {
        self.lan.policies = policies;
    }

    /// When we begin to ask, or when a service has been silent for a dead time.
    pub(in crate::cluster) fn lan_due(&self) -> Option<Instant> {
        let now = self.now.monotonic;
        let patience = self.settings.timing.deadtime;
        let begin = self.asking_due().filter(|_| !self.asking());
        let services = self.lan.asked.iter().filter_map(|asked| asked.service_gone).map(|gone| gone + patience);
        let open = self.lan.asked.iter().filter(|asked| self.holder(asked).is_none());
        let verdicts = open.map(|asked| self.verdict_due(asked));
        let taken = self.taken_by_then();
        let doubt = self.doubt_ends().filter(|_| !self.lan.held_back.is_none());
        let claims = self.claims_due();
        let later = services.chain(verdicts).chain(taken).chain(doubt).chain(claims).filter(|due| *due > now);
        begin.into_iter().chain(later).min()
    }

    /// Takes what is not answered any more, or begins to ask when the peer is late.
    pub(in crate::cluster) fn judge_answers(&mut self) {
        let now = self.now.monotonic;
        let late = self.asking_due().is_some_and(|due| due <= now);
        if !self.lan.held_back.is_none() {
            if self.peer_is_heard() {
                self.hold_over();
                // It may have nothing of what we left to the machine that answers, and may have said so already.
                self.raise(Fact::HoldOver);
            } else {
                if late {
                    // What was yielded before the peer's death is asked for already.
                    self.ask_for_unasked(self.groups.all().without(self.groups.held()));
                }
                self.take_what_is_free();
            }
            return;
        }
        if late && !self.asking() {
            let wanted = self.groups.all().without(self.groups.held());
            self.ask_for(wanted, |policy| policy.conflict == OnAnswer::Hold, None);
        } else if !late && self.asking() {
            self.hold_over();
        }
    }

    /// Asks for the groups of this set for which nothing is asked yet.
    fn ask_for_unasked(&mut self, set: GroupSet) {
        let asked = |group: usize| {
            self.lan.asked.iter().any(|asked| asked.purpose == Purpose::Taking && asked.step.group == group)
        };
        let unasked = GroupSet::new(set.iter().filter(|group| !asked(*group)), Set::NONE);
        self.ask_for(unasked, |policy| policy.conflict == OnAnswer::Hold, None);
    }

    /// Whether we ask for addresses that we may have to take.
    fn asking(&self) -> bool {
        self.lan.asked.iter().any(|asked| asked.purpose == Purpose::Taking)
    }

    /// When the peer will be so late that we ask; `None` if there is nothing to ask for.
    fn asking_due(&self) -> Option<Instant> {
        let index = self.peer()?;
        let wanted = self.groups.all().without(self.groups.held());
        if self.ownership.gives_up_everything()
            || self.to_ask(wanted, |policy| policy.conflict == OnAnswer::Hold).is_empty()
        {
            return None;
        }
        if self.fencing.waiting() {
            // Dead, and not yet to be taken from: the reset may be a lie.
            return Some(self.now.monotonic);
        }
        self.late_from(index)
    }

    /// When a node that is silent from now on is late.
    fn late_from(&self, index: usize) -> Option<Instant> {
        self.death_due(index).map(|death| death - self.lead(&self.nodes[index]))
    }

    /// Whether the peer, which is not dead yet, is late.
    pub(super) fn peer_is_nearly_dead(&self) -> bool {
        self.peer().and_then(|peer| self.late_from(peer)).is_some_and(|late| late <= self.now.monotonic)
    }

    /// How long before its death a node is late: half its dead time, or less if warntime says so, but never within an
    /// ordinary pause between two statuses.
    fn lead(&self, node: &Node) -> Duration {
        let timing = &self.settings.timing;
        let late = timing.warntime.min(node.dead_time / 2).max(timing.keepalive * 3 / 2);
        node.dead_time.saturating_sub(late).max(node.dead_time / 4)
    }

    /// Whether something keeps us from starting this group, which the peer may have.
    pub(super) fn is_blocked(&self, group: usize) -> bool {
        !self.blocked(GroupSet::one(group)).is_none()
    }

    /// The peer is heard again, or left with a word: what the LAN answers does not matter.
    pub(in crate::cluster) fn hold_over(&mut self) {
        self.lan.held_back = GroupSet::NONE;
        self.lan.cleared.clear();
        self.isolation.end();
        self.ask_no_more(|asked| asked.purpose == Purpose::Taking);
    }

    /// Whether somebody has this address, or may have it, as far as that keeps us from taking it.
    fn keeps(&self, asked: &Asked) -> bool {
        let now = self.now.monotonic;
        let dead_service = asked.service_gone.is_some_and(|gone| now.since(gone) >= self.settings.timing.deadtime);
        let cleared = self.lan.cleared.contains(&asked.step.group);
        let unknown = !asked.silent && now < self.verdict_due(asked);
        asked.purpose != Purpose::Restoring
            && !dead_service
            && !cleared
            && (unknown || asked.more || self.holder(asked).is_some())
    }

    /// The first address of a group that somebody has.
    pub(super) fn kept(&self, group: usize) -> Option<&Asked> {
        self.lan.asked.iter().find(|asked| asked.step.group == group && self.keeps(asked))
    }

    /// The part of `set` that is not free, with what moves along.
    fn blocked(&self, set: GroupSet) -> GroupSet {
        let moving = |groups: &mut dyn Iterator<Item = usize>| self.moving_with(GroupSet::new(groups, Set::NONE));
        let cleared = moving(&mut self.lan.cleared.iter().copied());
        let answered = self.lan.asked.iter().filter(|asked| self.keeps(asked)).map(|asked| asked.step.group);
        let answered = self.with_unaskable(GroupSet::new(answered, Set::NONE));
        let perhaps = if self.is_isolated() { self.groups.all() } else { self.doubtful() };
        let keyless = if self.lacks_key() { self.groups.all() } else { GroupSet::NONE };
        set.common(perhaps.without(cleared).with(answered).with(keyless))
    }

    /// The peer has nothing any more: takes what is free, holds back what somebody still answers for.
    pub(in crate::cluster) fn weigh_takeover(&mut self) {
        if self.forgoes_for_maintenance() {
            return;
        }
        let wanted = self.groups.all().without(self.groups.held());
        let wanted = wanted.without(self.forgoes_unready(wanted));
        if !self.ownership.other.left() {
            // It died without having been late: then it was we who slept.
            self.ask_for_unasked(wanted);
        }
        let blocked = self.blocked(wanted);
        if !blocked.is_none() && self.is_isolated() {
            self.isolation_begins();
        }
        self.name_bystanders(wanted.without(blocked));
        if blocked.is_none() {
            self.hold_over();
            self.free_to_take(wanted);
            return;
        }
        self.lan.held_back = blocked;
        for group in blocked.iter() {
            self.say_held_back(group);
        }
        self.free_to_take(wanted.without(blocked));
    }

    /// After every event: what a peer that stops has left behind (05 §4.6) is taken as soon as nothing keeps this
    /// node from it, and goes back as what a peer had that has left.
    pub(in crate::cluster) fn take_what_is_left_behind(&mut self) {
        let other = &self.ownership.other;
        let left = other.left_behind.without(other.holds).without(self.groups.held());
        if left.is_none() || !other.releasing() || !self.ownership.decided() || self.leave.begun() {
            return;
        }
        let kept = self.left_alone().with(self.barred());
        let free = left.without(kept).iter().filter(|group| !self.exchange.concerns(*group));
        let free = self.holdable(GroupSet::new(free, Set::NONE));
        if self.same_haresources() && self.peer_moves_alone() && !free.is_none() {
            self.ownership.plan_failback(true);
            self.free_to_take(free);
        }
    }

    fn free_to_take(&mut self, set: GroupSet) {
        if !set.is_none() {
            self.raise(Fact::FreeToTake { set });
        }
    }

    /// Says which machines answer for what is taken all the same, because they are not the peer's.
    fn name_bystanders(&mut self, set: GroupSet) {
        let asked = self.lan.asked.iter().filter(|asked| set.has(asked.step.group) && self.holder(asked).is_none());
        let bystanders: Vec<_> =
            asked.filter_map(|asked| Some((asked.step, asked.machines.first().cloned()?))).collect();
        for (step, Answerer { mac, device, .. }) in bystanders {
            let (group, resource) = self.groups.words(step);
            self.log(Record::TakenFromStranger { group, resource, node: self.peer_name(), mac, device });
        }
    }

    /// What waited and is not answered any more is ours.
    fn take_what_is_free(&mut self) {
        let waiting = self.lan.held_back;
        let free = waiting.without(self.blocked(waiting)).without(self.barred());
        let gone = !self.peer_alive() || self.peer_unheard() && !self.can_fence();
        let decided = self.ownership.decided() && gone && !self.maintenance.on();
        if free.is_none() || !decided {
            return;
        }
        self.lan.held_back = waiting.without(free);
        self.name_bystanders(free);
        if self.lan.cleared.is_empty() && !self.isolation_ends() {
            self.log(Record::NobodyAnswers { node: self.peer_name() });
        }
        if self.lan.held_back.is_none() {
            self.hold_over();
        }
        self.free_to_take(free);
    }

    /// An operator knows who answers for the addresses of a group, or why no ping node does, and wants it taken all
    /// the same. If the operator is wrong both serve it, for as long as the conflict rules let them.
    pub(in crate::cluster) fn hold_cleared(&mut self, id: u64, group: usize) {
        let known = group < self.groups.list().len();
        let retry = self.retry_waits(group);
        let answer = if !known || self.peer_is_heard() || self.groups.held().has(group) && !retry {
            Answer::NotHeld
        } else if self.maintenance.on() {
            Answer::Maintenance
        } else if self.leaves_alone(group) {
            Answer::GroupMaintenance
        } else if self.fencing.waiting() {
            Answer::NotReset
        } else if self.clear_unready(group) {
            self.log_hold_cleared(group);
            Answer::Done
        } else if !self.lan.held_back.has(group) && !retry {
            Answer::NotHeld
        } else {
            self.log_hold_cleared(group);
            self.lan.cleared.push(group);
            self.take_what_is_free();
            let waits = self.lan.held_back.has(group) || retry && self.is_blocked(group);
            // What failed here is tried again when this is heard.
            self.raise(Fact::AddressSilent);
            if waits { Answer::StillHeld } else { Answer::Done }
        };
        self.raise(Fact::Answered { id, answer });
    }

    /// These were tried again: an operator's word counts once.
    pub(in crate::cluster) fn clear_no_more(&mut self, set: GroupSet) {
        self.lan.cleared.retain(|group| !set.has(*group));
    }

    /// Whether a group is not started because of what is known, or not known, of others.
    pub(super) fn is_kept_waiting(&self, group: usize) -> bool {
        self.lan.held_back.has(group) || self.retry_waits(group)
    }

    fn log_hold_cleared(&mut self, group: usize) {
        self.log(Record::HoldCleared { group: self.groups.key(group).to_owned(), node: self.peer_name() });
    }

    /// Which machine answers for an address of a group that is held back.
    pub(super) fn lan_objection(&self, group: usize) -> Option<String> {
        let waits = self.is_kept_waiting(group);
        let asked = self.kept(group).filter(|_| waits)?;
        let (_, resource) = self.groups.words(asked.step);
        let Answerer { mac, device, .. } = self.holder(asked)?;
        Some(format!("{resource} is answered by {mac}, {}", self.whose_in_words(mac, device)))
    }

    /// What moves with a group whose address the peer claims was given up.
    pub(in crate::cluster) fn hold_yielded(&mut self, claim: &RepeatedClaim) {
        let set = self.with_unaskable(GroupSet::one(claim.step.group));
        self.lan.held_back = self.lan.held_back.with(set);
        self.ask_for(set, |_| true, Some(claim));
    }

    /// These were released because nothing was certain of them any more: they are taken again when they are free, if
    /// the peer is dead. From one that comes back they are asked for, or given.
    pub(in crate::cluster) fn hold_unassured(&mut self, set: GroupSet) {
        if self.peer_node().is_some_and(|peer| peer.status == Status::Dead) {
            self.lan.held_back = self.lan.held_back.with(set);
        }
    }
}
