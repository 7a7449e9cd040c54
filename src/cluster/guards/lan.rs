//! Does somebody still have what we are about to take, or take what we have? (docs/DECISIONS.md "The peer is silent
//! but its address is answered", "Somebody claims an address we serve")
//!
//! Asks when the peer is late, so that the answer is known when it is dead; holds back what is still answered, and
//! takes it when nobody answers any more. Yields to a peer that we cannot hear and that serves, too: to a real
//! Heartbeat, because it never will, to an hbd what belongs to that. Adds an address whose lease we lost only if
//! nobody else has taken it. Never sends a packet: the thread of the addresses does.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::guards::condition::Condition;
use crate::cluster::ownership::state::Decision;
use crate::cluster::peer::node::Node;
use crate::cluster::{Action, Answer, Class, GroupSet, Instant, Order, Record, Set, Status, Step};
use crate::config::{AddressPolicy, OnAnswer, OnClaim, ResourceKind};

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

/// What waited in our sockets while we slept is heard within this time.
const WAITED: Duration = Duration::from_millis(250);

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
    /// Who answers; `None` if nobody does, or none has yet.
    mac: Option<String>,
    /// Nobody answers, for certain.
    silent: bool,
    /// Since when its service does not accept connections.
    service_gone: Option<Instant>,
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
    /// Addresses whose lease we lost, and that are still to be ours.
    lost: Vec<Step>,
    /// Who has repeated a claim to what we serve, since the peer was heard last.
    #[serde(default)]
    claims: Vec<Claim>,
}

/// Somebody goes on claiming an address that we serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Claim {
    step: Step,
    mac: String,
    at: Instant,
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
        let verdicts = self.lan.asked.iter().filter(|asked| asked.mac.is_none()).map(|asked| self.verdict_due(asked));
        let taken = self.taken_by_then().filter(|_| !self.lan.lost.is_empty());
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

    /// Asks for them. `mac`: who is known to answer.
    fn ask_for(&mut self, set: GroupSet, fits: impl Fn(&AddressPolicy) -> bool, mac: Option<&str>) {
        for step in self.to_ask(set, fits) {
            self.ask_for_one(step, Purpose::Taking, mac);
        }
    }

    fn ask_for_one(&mut self, step: Step, purpose: Purpose, mac: Option<&str>) {
        self.ask_no_more(|asked| asked.step == step);
        let mac = mac.map(str::to_owned);
        let since = self.now.monotonic;
        self.lan.asked.push(Asked { step, purpose, since, mac, silent: false, service_gone: None });
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

    /// Whether somebody has this address, or may have it, as far as that keeps us from taking it.
    fn keeps(&self, asked: &Asked) -> bool {
        let now = self.now.monotonic;
        let dead_service = asked.service_gone.is_some_and(|gone| now.since(gone) >= self.settings.timing.deadtime);
        let cleared = self.lan.cleared.contains(&asked.step.group);
        let unknown = asked.mac.is_none() && !asked.silent && now < self.verdict_due(asked);
        asked.purpose == Purpose::Taking && !dead_service && !cleared && (asked.mac.is_some() || unknown)
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
        set.common(perhaps.without(cleared).with(answered))
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
        if blocked.is_none() {
            self.hold_over();
            self.free_to_take(wanted);
            return;
        }
        self.lan.held_back = blocked;
        for group in 0..self.groups.list().len() {
            let Some(asked) = self.kept(group) else { continue };
            let (step, Some(mac)) = (asked.step, asked.mac.clone()) else { continue };
            let (group, resource) = self.groups.words(step);
            self.log(Record::HeldBack { group, resource, node: self.peer_name(), mac });
        }
        self.free_to_take(wanted.without(blocked));
    }

    fn free_to_take(&mut self, set: GroupSet) {
        if !set.is_none() {
            self.raise(Fact::FreeToTake { set });
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
        Some(format!("{resource} is answered by {}", asked.mac.as_ref()?))
    }

    pub(in crate::cluster) fn address_answered(&mut self, step: Step, mac: String) {
        if let Some(asked) = self.lan.asked.iter_mut().find(|asked| asked.step == step) {
            asked.mac = Some(mac);
            asked.silent = false;
        }
    }

    pub(in crate::cluster) fn address_silent(&mut self, step: Step) {
        if let Some(asked) = self.lan.asked.iter_mut().find(|asked| asked.step == step) {
            asked.mac = None;
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

    /// Somebody else claims an address that we serve; the thread of the addresses has defended it once.
    pub(in crate::cluster) fn address_claimed(&mut self, step: Step, mac: String, again: bool) {
        if !self.groups.runs(step) {
            return;
        }
        let (group, resource) = self.groups.words(step);
        self.complain(Record::AddressClaimed { group, resource, mac: mac.clone() });
        if again {
            self.lan.claims.retain(|claim| claim.step != step);
            self.lan.claims.push(Claim { step, mac, at: self.now.monotonic });
            self.weigh_claims();
        }
    }

    /// Weighs again what others claimed when we had not known yet whether the peer is dead.
    pub(in crate::cluster) fn weigh_claims(&mut self) {
        for Claim { step, mac, at } in std::mem::take(&mut self.lan.claims) {
            self.raise(Fact::ClaimRepeated { step, mac, at });
        }
    }

    /// Yields to a machine that claims what we serve, if it is the peer; as long as we do not know, the claim is
    /// kept.
    pub(in crate::cluster) fn weigh_claim(&mut self, step: Step, mac: String, at: Instant) {
        let (now, patience) = (self.now.monotonic, self.settings.timing.deadtime);
        let heard = self.peer_node().and_then(|node| node.last_status).unwrap_or_default();
        if !self.groups.runs(step) {
            return;
        }
        if self.yields(step) {
            self.log_yield(step, &mac);
            self.raise(Fact::ClaimYielded { step, mac });
        } else if at > heard && now.since(at) <= patience {
            self.lan.claims.push(Claim { step, mac, at });
        }
    }

    /// Whether it is probably the peer that claims this, which does not hear us either, even if we have never heard
    /// it since we started. A real Heartbeat will never let go; of two hbd nodes the one that the group does not
    /// belong to does.
    fn yields(&self, step: Step) -> bool {
        let yields = self.lan.policies.get(step.group).is_some_and(|policy| policy.on_claim == OnClaim::Yield);
        let ours = self.groups.class(step.group) == Class::Local;
        let parted = |node: &&Node| node.status == Status::Dead || self.conflict.deaf().is_some();
        let silent = self.peer_node().filter(parted);
        let deaf = silent.is_some_and(|node| !ours || node.is_heartbeat()) && !self.ownership.other.left();
        yields && deaf && self.ownership.decided()
    }

    fn log_yield(&mut self, step: Step, mac: &str) {
        let (group, resource) = self.groups.words(step);
        self.log(Record::GroupYielded { group, resource, node: self.peer_name(), mac: mac.to_owned() });
    }

    /// What moves with a group whose address the peer claims was given up.
    pub(in crate::cluster) fn hold_yielded(&mut self, step: Step, mac: &str) {
        let set = self.with_unaskable(GroupSet::one(step.group));
        self.lan.held_back = self.lan.held_back.with(set);
        self.ask_for(set, |_| true, Some(mac));
    }

    /// The lease of an address ended: we were silent for too long. The peer may have taken it, and its claim may
    /// still be on its way; so we ask before it is added again.
    pub(in crate::cluster) fn address_expired(&mut self, step: Step) {
        if !self.groups.is_up(step) || self.lan.lost.contains(&step) {
            return;
        }
        if !self.groups.runs(step) {
            // On its way down; but should the group be wanted again before this address is reached, it must come
            // back.
            self.lan.lost.push(step);
            return;
        }
        self.conditions.note(step, Condition::Gone);
        let (group, resource) = self.groups.words(step);
        self.log(Record::LeaseLost { group, resource });
        self.lan.lost.push(step);
        let asked = |asked: &&Asked| asked.step.group == step.group && asked.purpose == Purpose::Restoring;
        if self.lan.asked.iter().filter(asked).count() < ASKED {
            self.ask_for_one(step, Purpose::Restoring, None);
        }
    }

    /// A peer that hears nothing of us asks at the same time as we do, and hears as little as we do: it goes first,
    /// and we add again what it has not taken within a dead time.
    fn peer_may_be_taking(&self) -> bool {
        self.taken_by_then().is_some_and(|then| self.now.monotonic < then)
    }

    /// When a peer will have taken what it takes that does not hear us, as far as we know.
    fn taken_by_then(&self) -> Option<Instant> {
        let deaf = self.conflict.deaf().filter(|_| self.peer_alive());
        deaf.into_iter()
            .chain(self.unheard_since_our_sleep())
            .max()
            .map(|since| since + self.settings.timing.deadtime)
    }

    /// When we woke up, if the peer was alive before and has said nothing since that had not waited for us: it may
    /// have declared us dead meanwhile.
    fn unheard_since_our_sleep(&self) -> Option<Instant> {
        let restoring = self.lan.asked.iter().filter(|asked| asked.purpose == Purpose::Restoring);
        let woke = restoring.map(|asked| asked.since).min()?;
        let heard = self.peer_node()?.last_status?;
        let long_gone = heard + self.settings.timing.deadtime * 2 < woke;
        (!long_gone && heard < woke + WAITED).then_some(woke)
    }

    /// Adds the lost addresses of a group again when nobody answers for those that we asked for and the peer does not
    /// claim them; forgets them when the group is not to run here any more.
    pub(in crate::cluster) fn restore_lost(&mut self) {
        let mut groups: Vec<usize> = self.lan.lost.iter().map(|step| step.group).collect();
        groups.dedup();
        for group in groups {
            let runs = self.lan.lost.iter().any(|step| step.group == group && self.groups.runs(*step));
            let ours = runs && self.groups.wanted(group);
            let claimed = self.peer_alive() && self.ownership.other.holds.has(group);
            let restoring = |asked: &Asked| asked.step.group == group && asked.purpose == Purpose::Restoring;
            let silent = self.lan.asked.iter().filter(|asked| restoring(asked)).all(|asked| asked.silent);
            let leaving = !runs && self.lan.lost.iter().any(|step| step.group == group && self.groups.is_up(*step));
            if leaving || ours && (claimed || !silent || self.peer_may_be_taking()) {
                continue;
            }
            let (back, others) = std::mem::take(&mut self.lan.lost).into_iter().partition(|step| step.group == group);
            self.lan.lost = others;
            self.ask_no_more(restoring);
            let back: Vec<Step> = back;
            for step in back.into_iter().filter(|step| ours && self.groups.runs(*step)).collect::<Vec<_>>() {
                let (group, resource) = self.groups.words(step);
                self.log(Record::AddressRestored { group, resource });
                self.out.push(Action::Address { step, order: Order::Restore });
            }
        }
    }
}
