//! Which machines answer for the addresses that we ask for? (docs/DECISIONS.md "The peer is silent but its address is
//! answered")
//!
//! Owns the questions that are under way, each for an address and a purpose, and who has answered it. What follows
//! from an answer is [`super::lan`]'s, [`super::lost`]'s and [`super::retry`]'s to decide. Never sends a packet: the
//! thread of the addresses does.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::guards::claimed::RepeatedClaim;
use crate::cluster::guards::machines::Whose;
use crate::cluster::{Action, GroupSet, Instant, Order, Record, Step};
use crate::config::{AddressPolicy, OnAnswer};

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

/// So many machines are kept that answer for an address, and the peer's.
const ANSWERERS: usize = 16;

/// Why we ask for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Purpose {
    /// We are about to take it.
    Taking,
    /// We had it and lost its lease.
    Restoring,
    /// Its group failed here, and is to be tried again.
    Retrying,
}

/// An address that we ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) step: Step,
    pub(super) purpose: Purpose,
    pub(super) since: Instant,
    /// Who answers.
    #[serde(default)]
    pub(super) machines: Vec<Answerer>,
    /// More machines have answered than are kept.
    #[serde(default)]
    pub(super) more: bool,
    /// The peer's machine has answered since it was silent last.
    #[serde(default)]
    pub(super) peer_answered: bool,
    /// Nobody answers, for certain.
    pub(super) silent: bool,
    /// Since when its service does not accept connections.
    pub(super) service_gone: Option<Instant>,
}

/// A machine that answers for an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answerer {
    pub(super) mac: String,
    /// The interface on which it was heard.
    pub(super) device: String,
    /// When that was first.
    pub(super) since: Instant,
    /// It answered while the peer's machine did.
    pub(super) beside: bool,
}

impl Core {
    /// The addresses to ask for, of groups whose policy fits.
    pub(super) fn to_ask(&self, set: GroupSet, fits: impl Fn(&AddressPolicy) -> bool) -> Vec<Step> {
        let groups = self.groups.list().iter().zip(&self.lan.policies).enumerate();
        let groups = groups.filter(|(index, (_, policy))| set.has(*index) && fits(policy));
        let steps = groups.flat_map(|(group, (found, _))| {
            let resources = found.resources.iter().enumerate();
            let addresses = resources.filter(|(_, resource)| resource.kind.is_address());
            addresses.map(move |(resource, _)| Step { group, resource }).take(ASKED)
        });
        steps.collect()
    }

    /// Asks for them. `claim`: who is known to answer.
    pub(super) fn ask_for(
        &mut self,
        set: GroupSet,
        fits: impl Fn(&AddressPolicy) -> bool,
        claim: Option<&RepeatedClaim>,
    ) {
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
            more: false,
            peer_answered,
            silent: false,
            service_gone: None,
        });
        self.out.push(Action::Address { step, order: Order::Probe });
    }

    pub(super) fn ask_no_more(&mut self, which: impl Fn(&Asked) -> bool) {
        let out = &mut self.out;
        self.lan.asked.retain(|asked| {
            if which(asked) {
                out.push(Action::Address { step: asked.step, order: Order::ProbeEnd });
            }
            !which(asked)
        });
    }

    /// Asks for an address whose lease we lost, unless enough of its group are asked for.
    pub(in crate::cluster) fn ask_to_restore(&mut self, step: Step) {
        if self.restoring(step.group).count() < ASKED {
            self.ask_for_one(step, Purpose::Restoring, None);
        }
    }

    pub(in crate::cluster) fn ask_to_restore_no_more(&mut self, group: usize) {
        self.ask_no_more(|asked| asked.step.group == group && asked.purpose == Purpose::Restoring);
    }

    /// Asks for the addresses of groups of ours that failed, and of no others. A group without an address is judged
    /// by those that failed and prefer the same node, as at a takeover.
    pub(super) fn ask_for_retries(&mut self, waiting: GroupSet) {
        let held = |policy: &AddressPolicy| policy.conflict == OnAnswer::Hold;
        let down = self.groups.failed_and_down();
        let asked_of = |group: usize| match self.to_ask(GroupSet::one(group), |_| true).is_empty() {
            true => self.groups.whole_classes(GroupSet::one(group)).common(down),
            false => GroupSet::one(group),
        };
        let set = waiting.iter().map(asked_of).fold(GroupSet::NONE, GroupSet::with);
        self.ask_no_more(|asked| asked.purpose == Purpose::Retrying && !set.has(asked.step.group));
        for step in self.to_ask(set, held) {
            let known = |asked: &Asked| asked.step == step && asked.purpose == Purpose::Retrying;
            if !self.lan.asked.iter().any(known) {
                self.ask_for_one(step, Purpose::Retrying, None);
            }
        }
    }

    /// When an address of which nothing was heard is taken to be silent.
    pub(super) fn verdict_due(&self, asked: &Asked) -> Instant {
        asked.since + asking_interval(self.settings.timing.deadtime) * VERDICT
    }

    /// The peer's machine, or one that may be that, which answers for this address. One that is not the peer's for
    /// certain keeps nobody from taking it. If the peer's machine has answered, that is one that did so at the same
    /// time: the peer may have got another MAC address meanwhile. A peer that is heard since would have said so.
    pub(super) fn holder<'a>(&self, asked: &'a Asked) -> Option<&'a Answerer> {
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

    /// Whether an address may come back: nobody answers for it, or machines only that are not the peer's.
    fn is_free(&self, asked: &Asked) -> bool {
        let strangers = !asked.machines.is_empty() && self.holder(asked).is_none();
        asked.silent || strangers && self.now.monotonic >= self.verdict_due(asked)
    }

    fn restoring(&self, group: usize) -> impl Iterator<Item = &Asked> {
        let ours = move |asked: &&Asked| asked.step.group == group && asked.purpose == Purpose::Restoring;
        self.lan.asked.iter().filter(ours)
    }

    /// Whether the addresses of a group whose leases we lost may come back, as far as the LAN is asked.
    pub(super) fn may_restore(&self, group: usize) -> bool {
        self.restoring(group).all(|asked| self.is_free(asked))
    }

    /// Since when we ask for addresses whose leases we lost; of one group, or of any.
    pub(super) fn restoring_since(&self, group: Option<usize>) -> Option<Instant> {
        let restoring = self.lan.asked.iter().filter(|asked| asked.purpose == Purpose::Restoring);
        let meant = restoring.filter(|asked| group.is_none_or(|group| asked.step.group == group));
        meant.map(|asked| asked.since).min()
    }

    /// Whether a machine that is known to be the peer's answers for an address of this group whose lease we lost.
    pub(super) fn peer_answers_for_lost(&self, group: usize) -> bool {
        let mut machines = self.restoring(group).flat_map(|asked| &asked.machines);
        machines.any(|machine| self.whose(&machine.mac, &machine.device) == Whose::Peers)
    }

    pub(in crate::cluster) fn address_answered(&mut self, step: Step, mac: String, device: String) {
        let peers = self.whose(&mac, &device) == Whose::Peers;
        let since = self.now.monotonic;
        let Some(asked) = self.lan.asked.iter_mut().find(|asked| asked.step == step) else { return };
        asked.silent = false;
        asked.peer_answered |= peers;
        asked.machines.retain(|machine| machine.mac != mac);
        if asked.machines.len() >= ANSWERERS && !peers {
            // Somebody invents MAC addresses, or is the owner behind all of them.
            asked.more = true;
            return;
        }
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
            (asked.more, asked.peer_answered) = (false, false);
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

    /// Names the machine that answers for a group that is held back. False if none does.
    pub(super) fn say_held_back(&mut self, group: usize) -> bool {
        let Some(asked) = self.kept(group) else { return false };
        let (step, Some(machine)) = (asked.step, self.holder(asked).cloned()) else { return false };
        let (group, resource) = self.groups.words(step);
        let whose = self.whose_in_words(&machine.mac, &machine.device);
        self.log(Record::HeldBack { group, resource, node: self.peer_name(), mac: machine.mac, whose });
        true
    }
}
