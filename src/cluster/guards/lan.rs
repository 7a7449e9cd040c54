//! Does somebody still have what we are about to take? (docs/DECISIONS.md "The peer is silent but its address is
//! answered")
//!
//! Asks when the peer is late, so that the answer is known when it is dead; holds back what the peer's machine still
//! answers for, or one that may be the peer's, and takes it when that answers no more. Adds an address whose lease we
//! lost only if the peer has not taken it. Never sends a packet: the thread of the addresses does.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::guards::claimed::RepeatedClaim;
use crate::cluster::guards::machines::Whose;
use crate::cluster::ownership::state::Decision;
use crate::cluster::peer::node::Node;
use crate::cluster::{Action, Answer, GroupSet, Instant, Order, Record, Set, Status, Step};
use crate::config::{AddressPolicy, OnAnswer, ResourceKind};

/// Between two questions for an address: so that three of them in vain, which make silence, take a fifth of the
/// dead time.
pub fn asking_interval(deadtime: Duration) -> Duration {
    (deadtime / 20).clamp(Duration::from_millis(10), Duration::from_millis(200))
}

/// After so many intervals an address of which nothing was heard is silent: the thread that asks may have been
/// unable to.
const VERDICT: u32 = 5;

/// So many addresses of a group are asked for: a node that has a group has all of it, and asking is a broadcast.
const ASKED: usize = 4;

/// Why we ask for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Purpose {
    /// We are about to take it.
    Taking,
    /// We had it and lost its lease.
    Restoring,
}

/// An address that we ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Asked {
    step: Step,
    purpose: Purpose,
    since: Instant,
    /// Who answers.
    #[serde(default)]
    machines: Vec<Answerer>,
    /// The peer's machine has answered since it was silent last.
    #[serde(default)]
    peer_answered: bool,
    /// Nobody answers, for certain.
    silent: bool,
    /// Since when its service does not accept connections.
    service_gone: Option<Instant>,
}

/// A machine that answers for an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Answerer {
    mac: String,
    /// The interface on which it was heard.
    device: String,
    /// When that was first.
    since: Instant,
    /// It answered while the peer's machine did.
    beside: bool,
}

/// What we know about others who use our addresses.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Lan {
    /// Of every group; empty if nobody watches addresses.
    policies: Vec<AddressPolicy>,
    asked: Vec<Asked>,
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
        let later = services.chain(verdicts).chain(taken).chain(doubt).filter(|due| *due > now);
        begin.into_iter().chain(later).min()
    }

    /// Takes what is not answered any more, or begins to ask when the peer is late.
    pub(in crate::cluster) fn judge_answers(&mut self) {
        let now = self.now.monotonic;
        if !self.lan.held_back.is_none() {
            if self.peer_alive() {
                self.hold_over();
                // It may have nothing of what we left to the machine that answers, and may have said so already.
                self.raise(Fact::HoldOver);
            } else {
                self.take_what_is_free();
            }
            return;
        }
        let late = self.asking_due().is_some_and(|due| due <= now);
        if late && !self.asking() {
            let wanted = self.groups.all().without(self.groups.held());
            self.ask_for(wanted, |policy| policy.conflict == OnAnswer::Hold, None);
        } else if !late && self.asking() {
            self.hold_over();
        }
    }

    /// Whether we ask for addresses that we may have to take.
    fn asking(&self) -> bool {
        self.lan.asked.iter().any(|asked| asked.purpose == Purpose::Taking)
    }

    /// When the peer will be so late that we ask; `None` if there is nothing to ask for.
    fn asking_due(&self) -> Option<Instant> {
        let index = self.peer()?;
        let decided = self.ownership.decision != Decision::Shutdown;
        let wanted = self.groups.all().without(self.groups.held());
        if !decided || self.to_ask(wanted, |policy| policy.conflict == OnAnswer::Hold).is_empty() {
            return None;
        }
        if self.fencing.waiting() {
            // Dead, and not yet to be taken from: the reset may be a lie.
            return Some(self.now.monotonic);
        }
        self.death_due(index).map(|death| death - self.lead(&self.nodes[index]))
    }

    /// How long before its death a node is late: half its dead time, or less if warntime says so, but never within an
    /// ordinary pause between two statuses.
    fn lead(&self, node: &Node) -> Duration {
        let timing = &self.settings.timing;
        let late = timing.warntime.min(node.dead_time / 2).max(timing.keepalive * 3 / 2);
        node.dead_time.saturating_sub(late).max(node.dead_time / 4)
    }

    /// The addresses to ask for, of groups whose policy fits.
    pub(super) fn to_ask(&self, set: GroupSet, fits: impl Fn(&AddressPolicy) -> bool) -> Vec<Step> {
        let groups = self.groups.list().iter().zip(&self.lan.policies).enumerate();
        let groups = groups.filter(|(index, (_, policy))| set.has(*index) && fits(policy));
        let steps = groups.flat_map(|(group, (found, _))| {
            let resources = found.resources.iter().enumerate();
            let addresses = resources.filter(|(_, resource)| matches!(resource.kind, ResourceKind::Address(_)));
            addresses.map(move |(resource, _)| Step { group, resource }).take(ASKED)
        });
        steps.collect()
    }

    /// Asks for them. `claim`: who is known to answer.
    fn ask_for(&mut self, set: GroupSet, fits: impl Fn(&AddressPolicy) -> bool, claim: Option<&RepeatedClaim>) {
        for step in self.to_ask(set, fits) {
            self.ask_for_one(step, Purpose::Taking, claim);
        }
    }

    fn ask_for_one(&mut self, step: Step, purpose: Purpose, claim: Option<&RepeatedClaim>) {
        self.ask_no_more(|asked| asked.step == step);
        let since = self.now.monotonic;
        let answerer = |claim: &RepeatedClaim| {
            let RepeatedClaim { mac, device, .. } = claim.clone();
            Answerer { mac, device, since, beside: false }
        };
        let machines = claim.map(answerer).into_iter().collect();
        let peer_answered = claim.is_some();
        self.lan.asked.push(Asked {
            step,
            purpose,
            since,
            machines,
            peer_answered,
            silent: false,
            service_gone: None,
        });
        self.out.push(Action::Address { step, order: Order::Probe });
    }

    fn ask_no_more(&mut self, which: impl Fn(&Asked) -> bool) {
        let out = &mut self.out;
        self.lan.asked.retain(|asked| {
            if which(asked) {
                out.push(Action::Address { step: asked.step, order: Order::ProbeEnd });
            }
            !which(asked)
        });
    }

    /// The peer is heard again, or left with a word: what the LAN answers does not matter.
    pub(in crate::cluster) fn hold_over(&mut self) {
        self.lan.held_back = GroupSet::NONE;
        self.lan.cleared.clear();
        self.isolation.end();
        self.ask_no_more(|asked| asked.purpose == Purpose::Taking);
    }

    /// When an address of which nothing was heard is taken to be silent.
    fn verdict_due(&self, asked: &Asked) -> Instant {
        asked.since + asking_interval(self.settings.timing.deadtime) * VERDICT
    }

    /// The peer's machine, or one that may be that, which answers for this address. One that is not the peer's for
    /// certain keeps nobody from taking it. If the peer's machine has answered, that is one that did so at the same
    /// time: the peer may have got another MAC address meanwhile. A peer that is heard since would have said so.
    fn holder<'a>(&self, asked: &'a Asked) -> Option<&'a Answerer> {
        let said_since = self.peer_node().filter(|_| self.peer_alive()).and_then(|peer| peer.last_status);
        let stranger = |machine: &Answerer| {
            let proven = machine.beside
                || !asked.peer_answered
                || said_since.is_some_and(|said| said > machine.since + self.settings.timing.keepalive)
                || self.answered_beside_peer(&machine.mac, &machine.device);
            proven && self.whose(&machine.mac, &machine.device) == Whose::Strangers
        };
        asked.machines.iter().find(|machine| !stranger(machine))
    }

    /// Whether somebody has this address, or may have it, as far as that keeps us from taking it.
    fn keeps(&self, asked: &Asked) -> bool {
        let now = self.now.monotonic;
        let dead_service = asked.service_gone.is_some_and(|gone| now.since(gone) >= self.settings.timing.deadtime);
        let cleared = self.lan.cleared.contains(&asked.step.group);
        let unknown = !asked.silent && now < self.verdict_due(asked);
        asked.purpose == Purpose::Taking && !dead_service && !cleared && (unknown || self.holder(asked).is_some())
    }

    /// The first address of a group that somebody has.
    fn kept(&self, group: usize) -> Option<&Asked> {
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
        if !self.asking() && !self.ownership.other.left() {
            // It died without having been late: then it was we who slept.
            self.ask_for(wanted, |policy| policy.conflict == OnAnswer::Hold, None);
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
        for group in 0..self.groups.list().len() {
            let Some(asked) = self.kept(group) else { continue };
            let (step, Some(machine)) = (asked.step, self.holder(asked).cloned()) else { continue };
            let (group, resource) = self.groups.words(step);
            let whose = self.whose_in_words(&machine.mac, &machine.device);
            self.log(Record::HeldBack { group, resource, node: self.peer_name(), mac: machine.mac, whose });
        }
        self.free_to_take(wanted.without(blocked));
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
        let decided = self.ownership.decided() && !self.peer_alive() && !self.maintenance.on();
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
        let answer = if !known || self.peer_alive() || self.groups.held().has(group) {
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
        } else if !self.lan.held_back.has(group) {
            Answer::NotHeld
        } else {
            self.log_hold_cleared(group);
            self.lan.cleared.push(group);
            self.take_what_is_free();
            if self.lan.held_back.has(group) { Answer::StillHeld } else { Answer::Done }
        };
        self.raise(Fact::Answered { id, answer });
    }

    fn log_hold_cleared(&mut self, group: usize) {
        self.log(Record::HoldCleared { group: self.groups.key(group).to_owned(), node: self.peer_name() });
    }

    /// Which machine answers for an address of a group that is held back.
    pub(super) fn lan_objection(&self, group: usize) -> Option<String> {
        let waits = self.lan.held_back.has(group);
        let asked = self.kept(group).filter(|_| waits)?;
        let (_, resource) = self.groups.words(asked.step);
        let Answerer { mac, device, .. } = self.holder(asked)?;
        Some(format!("{resource} is answered by {mac}, {}", self.whose_in_words(mac, device)))
    }

    pub(in crate::cluster) fn address_answered(&mut self, step: Step, mac: String, device: String) {
        let peers = self.whose(&mac, &device) == Whose::Peers;
        let since = self.now.monotonic;
        let Some(asked) = self.lan.asked.iter_mut().find(|asked| asked.step == step) else { return };
        asked.silent = false;
        asked.peer_answered |= peers;
        asked.machines.retain(|machine| machine.mac != mac);
        // Who answered before is another machine than the one that has just begun.
        asked.machines.iter_mut().for_each(|machine| machine.beside |= peers);
        asked.machines.push(Answerer { mac, device, since, beside: false });
    }

    /// One of those that answered does not any more.
    pub(in crate::cluster) fn address_unanswered(&mut self, step: Step, mac: &str) {
        let patience = asking_interval(self.settings.timing.deadtime) * VERDICT;
        let now = self.now.monotonic;
        let Some(asked) = self.lan.asked.iter_mut().find(|asked| asked.step == step) else { return };
        let Some(at) = asked.machines.iter().position(|machine| machine.mac == mac) else { return };
        let gone = asked.machines.remove(at);
        // It has left a few questions unanswered: who answers for longer answered while it did.
        let peers = self.whose(&gone.mac, &gone.device) == Whose::Peers;
        if let Some(asked) = self.lan.asked.iter_mut().find(|asked| asked.step == step && peers) {
            asked.machines.iter_mut().for_each(|machine| machine.beside |= machine.since + patience <= now);
        }
        self.raise(Fact::AddressSilent);
    }

    pub(in crate::cluster) fn address_silent(&mut self, step: Step) {
        if let Some(asked) = self.lan.asked.iter_mut().find(|asked| asked.step == step) {
            asked.machines.clear();
            asked.peer_answered = false;
            asked.silent = true;
        }
        self.raise(Fact::AddressSilent);
    }

    pub(in crate::cluster) fn service_changed(&mut self, step: Step, answers: bool) {
        let now = self.now.monotonic;
        if let Some(asked) = self.lan.asked.iter_mut().find(|asked| asked.step == step) {
            asked.service_gone = if answers { None } else { asked.service_gone.or(Some(now)) };
        }
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

    /// Whether an address may come back: nobody answers for it, or machines only that are not the peer's.
    fn is_free(&self, asked: &Asked) -> bool {
        let strangers = !asked.machines.is_empty() && self.holder(asked).is_none();
        asked.silent || strangers && self.now.monotonic >= self.verdict_due(asked)
    }

    /// Asks for an address whose lease we lost, unless enough of its group are asked for.
    pub(in crate::cluster) fn ask_to_restore(&mut self, step: Step) {
        if self.restoring(step.group).count() < ASKED {
            self.ask_for_one(step, Purpose::Restoring, None);
        }
    }

    fn restoring(&self, group: usize) -> impl Iterator<Item = &Asked> {
        let ours = move |asked: &&Asked| asked.step.group == group && asked.purpose == Purpose::Restoring;
        self.lan.asked.iter().filter(ours)
    }

    /// Whether the addresses of a group whose leases we lost may come back, as far as the LAN is asked.
    pub(super) fn may_restore(&self, group: usize) -> bool {
        self.restoring(group).all(|asked| self.is_free(asked))
    }

    pub(in crate::cluster) fn ask_to_restore_no_more(&mut self, group: usize) {
        self.ask_no_more(|asked| asked.step.group == group && asked.purpose == Purpose::Restoring);
    }

    /// Since when we ask for addresses whose leases we lost.
    pub(super) fn restoring_since(&self) -> Option<Instant> {
        let restoring = self.lan.asked.iter().filter(|asked| asked.purpose == Purpose::Restoring);
        restoring.map(|asked| asked.since).min()
    }
}
