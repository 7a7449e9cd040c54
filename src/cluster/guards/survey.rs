//! Who answers for our groups' addresses beside their owner? (docs/DECISIONS.md "Strangers on the LAN")
//!
//! Owns the questions that are asked while all is well, an address after the other, and what came of each. A router
//! with proxy ARP, or a machine that was given an address by mistake, is found before the owner fails, and the peer
//! is seen on the LAN, so that it can be told from them later. Says what it finds; decides nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::guards::machines::Whose;
use crate::cluster::timers::Timer;
use crate::cluster::{Action, Instant, Order, Record, Step};

/// Within this time each address is asked for once, if that is no more than one question in [`SOON`].
const ROUND: Duration = Duration::from_secs(60);
/// The same of the first rounds: the owner may not have its addresses yet.
const FIRST_ROUND: Duration = Duration::from_secs(3);
const FIRST_ROUNDS: usize = 3;
/// Before the first question, and at least between any two.
const SOON: Duration = Duration::from_secs(1);
/// What was answered counts for so many rounds: an answer may be lost.
const ROUNDS_KEPT: u32 = 3;

/// What was asked, and what came of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Survey {
    /// The next address, in a list that may have become shorter.
    next: usize,
    /// So many questions are asked soon after each other.
    soon: usize,
    answers: Vec<Answered>,
    /// Strangers who claimed what we serve, without having been asked.
    claimants: Vec<Answered>,
    /// The machines that were named in the log.
    named: Vec<String>,
}

/// Who answers for an address.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Answered {
    step: Step,
    device: String,
    /// Their MAC addresses, without our own.
    machines: Vec<String>,
    /// We served it ourselves.
    ours: bool,
    at: Instant,
}

/// Between two questions.
fn survey_pause(round: Duration, addresses: usize) -> Duration {
    (round / u32::try_from(addresses.max(1)).unwrap_or(u32::MAX)).max(SOON)
}

impl Core {
    /// The questions begin, or begin anew, because something is known by which the answers can be judged.
    pub(in crate::cluster) fn survey_soon(&mut self) {
        let wanted = self.surveyed_steps().len();
        if wanted > 0 && self.membership.running() {
            self.survey.soon = FIRST_ROUNDS * wanted;
            self.timers.set(Timer::Survey, self.now.monotonic + SOON);
        }
    }

    fn surveyed_steps(&self) -> Vec<Step> {
        self.to_ask(self.groups.all(), |_| true)
    }

    /// The next address is asked for.
    pub(in crate::cluster) fn survey_due(&mut self) {
        let steps = self.surveyed_steps();
        self.forget_old_answers();
        let Some(step) = steps.get(self.survey.next).or(steps.first()).copied() else { return };
        self.survey.next = steps.iter().position(|other| *other == step).map_or(0, |at| at + 1);
        let round = if self.survey.soon > 0 { FIRST_ROUND } else { ROUND };
        let pause = survey_pause(round, steps.len());
        self.survey.soon = self.survey.soon.saturating_sub(1);
        self.timers.set(Timer::Survey, self.now.monotonic + pause);
        self.out.push(Action::Address { step, order: Order::Survey });
    }

    fn forget_old_answers(&mut self) {
        let addresses = self.surveyed_steps().len();
        let round = survey_pause(ROUND, addresses) * u32::try_from(addresses.max(1)).unwrap_or(1);
        let now = self.now.monotonic;
        let recent = |answered: &Answered| now.since(answered.at) < round * ROUNDS_KEPT;
        self.survey.answers.retain(recent);
        self.survey.claimants.retain(recent);
        self.name_strangers();
    }

    /// These machines answered one question, in a second or so.
    pub(in crate::cluster) fn surveyed(&mut self, step: Step, device: String, machines: Vec<String>) {
        let ours = self.groups.runs(step);
        let theirs = !ours && self.peer_alive() && self.ownership.other.holds.has(step.group);
        let at = self.now.monotonic;
        self.survey.answers.retain(|answered| answered.step != step);
        self.survey.answers.push(Answered { step, device, machines: machines.clone(), ours, at });
        if theirs {
            let own = self.survey.answers.iter().filter(|answered| answered.ours);
            let others: Vec<String> = own.flat_map(|answered| answered.machines.iter().cloned()).collect();
            self.raise(Fact::AnsweredForPeer { machines, others });
        } else {
            self.name_strangers();
        }
    }

    /// Whether a machine has answered a question that the peer's machine answered as well.
    pub(in crate::cluster) fn answered_beside_peer(&self, mac: &str, device: &str) -> bool {
        let peers = |other: &String| self.whose(other, device) == Whose::Peers;
        let both = |answered: &Answered| {
            answered.device == device
                && answered.machines.iter().any(|other| other == mac)
                && answered.machines.iter().any(peers)
        };
        self.survey.answers.iter().any(both)
    }

    /// A machine that is not the peer's claims what we serve.
    pub(in crate::cluster) fn note_stranger(&mut self, step: Step, mac: &str, device: &str) {
        let at = self.now.monotonic;
        let claimants = &mut self.survey.claimants;
        claimants.retain(|known| known.step != step);
        let (device, machines) = (device.to_owned(), vec![mac.to_owned()]);
        claimants.push(Answered { step, device, machines, ours: true, at });
        // The record of the claim names it.
        if !self.survey.named.iter().any(|named| named == mac) {
            self.survey.named.push(mac.to_owned());
        }
    }

    /// Who answers beside the owner. Where it is not known which machine is the owner's, all of several that answer.
    fn beside<'a>(&self, answered: &'a Answered) -> Vec<&'a String> {
        let judged: Vec<_> = answered.machines.iter().map(|mac| (mac, self.whose(mac, &answered.device))).collect();
        let of = |wanted: Whose| judged.iter().filter(move |(_, whose)| *whose == wanted).map(|(mac, _)| *mac);
        let unknown: Vec<_> = of(Whose::Unknown).collect();
        let doubtful = answered.ours || unknown.len() > 1;
        of(Whose::Strangers).chain(unknown.into_iter().filter(|_| doubtful)).collect()
    }

    /// Every machine that answers beside an owner, with the address.
    fn strangers(&self) -> Vec<(String, &Answered)> {
        let all = self.survey.answers.iter().chain(&self.survey.claimants);
        all.flat_map(|answered| self.beside(answered).into_iter().map(move |mac| (mac.clone(), answered))).collect()
    }

    /// Names a machine in the log when it is found, and says when it is gone.
    pub(in crate::cluster) fn name_strangers(&mut self) {
        let found: Vec<(String, Step, String)> = self
            .strangers()
            .into_iter()
            .map(|(mac, answered)| (mac, answered.step, answered.device.clone()))
            .collect();
        for (mac, step, device) in &found {
            if !self.survey.named.contains(mac) {
                self.survey.named.push(mac.clone());
                let (group, resource) = self.groups.words(*step);
                self.log(Record::AnsweredBeside { group, resource, mac: mac.clone(), device: device.clone() });
            }
        }
        let (named, gone): (Vec<String>, Vec<String>) = std::mem::take(&mut self.survey.named)
            .into_iter()
            .partition(|named| found.iter().any(|(mac, ..)| mac == named));
        self.survey.named = named;
        for mac in gone {
            self.log(Record::AnsweredBesideOver { mac });
        }
    }

    /// Which machines use the addresses of a group beside their owner: a sentence each, without its full stop.
    pub(in crate::cluster) fn strangers_in_words(&self, group: usize) -> Vec<String> {
        let mut sentences = Vec::new();
        for (mac, answered) in self.strangers() {
            if answered.step.group != group {
                continue;
            }
            let (_, resource) = self.groups.words(answered.step);
            let kind = if self.answers_for_many(&mac) { ", as a router with proxy ARP does" } else { "" };
            let sentence = format!("{mac} on {} answers for {resource} as well{kind}", answered.device);
            if !sentences.contains(&sentence) {
                sentences.push(sentence);
            }
        }
        sentences
    }

    /// Whether a machine answers for more than one address: one that was given an address by mistake has that one.
    fn answers_for_many(&self, mac: &str) -> bool {
        let answers = self.survey.answers.iter();
        answers.filter(|answered| answered.machines.iter().any(|other| other == mac)).count() > 1
    }
}
