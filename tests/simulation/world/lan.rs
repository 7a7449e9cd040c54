//! The public LAN: who answers for which address. Never cut; what schedules cut are the heartbeat links.

use std::time::Duration;

use hbd::cluster::{AddressNews, Event, Order, Step, asking_interval};

use super::{Happening, World};
use crate::node::{Node, timing};
use crate::units::GROUPS;

/// Questions without an answer that make silence (src/vip/probe.rs).
const IN_VAIN: u32 = 3;

/// How long after an address came up whoever else has it hears of that, and hears it once more although it was
/// defended.
pub const CLAIMS: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(250)];

/// Somebody asks for an address.
#[derive(Debug)]
struct Probe {
    id: u64,
    node: usize,
    step: Step,
    /// What was told last: whether somebody answers.
    told: Option<bool>,
    in_vain: u32,
}

/// What the simulated address rooms ask, and a stranger who may use an address of ours.
#[derive(Debug, Default)]
pub struct Lan {
    probes: Vec<Probe>,
    last: u64,
    stranger: [Duration; GROUPS],
}

impl Lan {
    /// Between two questions.
    pub fn interval() -> Duration {
        asking_interval(timing().deadtime)
    }

    /// Somebody else has the address of `group` until then.
    pub fn stranger_until(&mut self, group: usize, until: Duration) {
        self.stranger[group] = until;
    }

    /// Whether somebody else has it.
    pub fn stranger(&self, group: usize, now: Duration) -> bool {
        now < self.stranger[group]
    }

    /// Whether somebody else has any, or had until a moment ago.
    pub fn disturbed(&self, now: Duration) -> bool {
        self.stranger.iter().any(|until| now < *until + Self::interval() * 5)
    }

    /// Takes an order about an address; the number of the question that is to be asked now.
    pub fn order(&mut self, node: usize, step: Step, order: Order) -> Option<u64> {
        self.probes.retain(|probe| (probe.node, probe.step) != (node, step));
        if order != Order::Probe {
            return None;
        }
        self.last += 1;
        self.probes.push(Probe { id: self.last, node, step, told: None, in_vain: 0 });
        Some(self.last)
    }

    /// The node's power is gone.
    pub fn forget(&mut self, node: usize) {
        self.probes.retain(|probe| probe.node != node);
    }

    /// What a question is about; `None` if nobody wants to know any more.
    pub fn step(&self, id: u64) -> Option<Step> {
        self.probes.iter().find(|probe| probe.id == id).map(|probe| probe.step)
    }

    /// The question of `node` about the address of `group`.
    fn asked_by(&self, node: usize, group: usize) -> Option<u64> {
        self.probes.iter().find(|probe| probe.node == node && probe.step.group == group).map(|probe| probe.id)
    }

    /// One question was asked; what is new.
    pub fn asked(&mut self, id: u64, answered: bool) -> Option<AddressNews> {
        let probe = self.probes.iter_mut().find(|probe| probe.id == id)?;
        probe.in_vain = if answered { 0 } else { probe.in_vain + 1 };
        let news = match answered {
            true => Some(AddressNews::Answered { mac: "02:00:00:00:00:01".to_owned() }),
            false if probe.in_vain >= IN_VAIN => Some(AddressNews::Silent),
            false => None,
        };
        news.filter(|_| probe.told.replace(answered) != Some(answered))
    }
}

impl World {
    /// The kernel removes the addresses of a daemon that does not run. It will learn that when it runs again.
    pub(super) fn lease_ends(&mut self, node: usize) {
        let watched = self.cluster.watched;
        let node = &mut self.nodes[node];
        node.lease_ended = true;
        if let Some(stall) = node.stall.as_mut().filter(|_| watched) {
            stall.expired = (0..GROUPS).filter(|group| node.units.running[*group][0]).collect();
        }
        node.units.lease_ends();
    }

    pub(super) fn address_order(&mut self, node: usize, step: Step, order: Order) {
        if order == Order::Restore {
            self.push(Duration::from_millis(1), node, Happening::Restored(step));
        } else if let Some(id) = self.lan.order(node, step, order) {
            self.push(Duration::from_millis(1), node, Happening::Asks(id));
        }
    }

    /// Whether another node on the LAN has the address of `group`.
    fn elsewhere(&self, node: usize, group: usize) -> bool {
        let has = |other: &Node| other.lan && other.units.running[group][0];
        self.nodes[node].lan
            && (self.lan.stranger(group, self.now)
                || (0..self.nodes.len()).any(|other| other != node && has(&self.nodes[other])))
    }

    pub(super) fn asks(&mut self, node: usize, id: u64) {
        let Some(step) = self.lan.step(id) else { return };
        if self.nodes[node].stall.is_none() {
            let answered = self.elsewhere(node, step.group);
            if let Some(news) = self.lan.asked(id, answered) {
                self.feed(node, Event::Address { step, news });
            }
        }
        self.push(Lan::interval(), node, Happening::Asks(id));
    }

    /// Its announcement is heard by everybody who has it, too, and theirs in return by him; to who asks for it, it is
    /// an answer.
    pub(super) fn address_came_up(&mut self, group: usize) {
        let nodes = if self.cluster.watched { self.nodes.len() } else { 0 };
        for node in 0..nodes {
            self.push(CLAIMS[0], node, Happening::Announced { group });
            for (delay, again) in CLAIMS.into_iter().zip([false, true]) {
                self.push(delay, node, Happening::Claimed { group, again });
            }
        }
    }

    /// An announcement of `group` reached `node`.
    pub(super) fn hears_announcement(&mut self, node: usize, group: usize) {
        let here = self.nodes[node].stall.is_none() && self.elsewhere(node, group);
        let Some(id) = self.lan.asked_by(node, group).filter(|_| here) else { return };
        if let (Some(step), Some(news)) = (self.lan.step(id), self.lan.asked(id, true)) {
            self.feed(node, Event::Address { step, news });
        }
    }

    pub(super) fn hears_claim(&self, node: usize, group: usize) -> bool {
        self.nodes[node].units.running[group][0] && self.elsewhere(node, group)
    }
}
