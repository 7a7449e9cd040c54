//! The public LAN: which machine answers for which address. Schedules cut the heartbeat links, never this LAN; they
//! disconnect single machines from it.

use std::time::Duration;

use hbd::cluster::{AddressNews, Event, Order, Step, asking_interval};

use super::{Happening, World};
use crate::node::{Node, timing};
use crate::units::GROUPS;

/// After so many questions without an answer an address counts as unused (src/vip/probe.rs).
const IN_VAIN: u32 = 3;

/// How long after an address came up the other owner hears its announcement, and hears it again although it has
/// defended the address.
pub const CLAIMS: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(250)];

/// A node asks whether an address is in use.
#[derive(Debug)]
struct Probe {
    id: u64,
    node: usize,
    step: Step,
    /// What the node was told last: whether another machine answers.
    told: Option<bool>,
    in_vain: u32,
}

/// The questions that the simulated nodes ask, and until when a third machine uses which address.
#[derive(Debug, Default)]
pub struct Lan {
    probes: Vec<Probe>,
    last: u64,
    stranger: [Duration; GROUPS],
}

impl Lan {
    /// The time between two questions.
    pub fn interval() -> Duration {
        asking_interval(timing().deadtime)
    }

    /// A third machine uses the address of `group` until this time.
    pub fn stranger_until(&mut self, group: usize, until: Duration) {
        self.stranger[group] = until;
    }

    /// Whether a third machine uses the address of `group` now.
    pub fn stranger(&self, group: usize, now: Duration) -> bool {
        now < self.stranger[group]
    }

    /// Whether a third machine uses any address, or did so shortly before.
    pub fn disturbed(&self, now: Duration) -> bool {
        self.stranger.iter().any(|until| now < *until + Self::interval() * 5)
    }

    /// Takes an order about an address. Returns the number of the question that is to be asked now.
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

    /// What a question is about; `None` if the node has stopped asking.
    pub fn step(&self, id: u64) -> Option<Step> {
        self.probes.iter().find(|probe| probe.id == id).map(|probe| probe.step)
    }

    /// The question of `node` about the address of `group`.
    fn asked_by(&self, node: usize, group: usize) -> Option<u64> {
        self.probes.iter().find(|probe| probe.node == node && probe.step.group == group).map(|probe| probe.id)
    }

    /// One question was asked. Returns what the node does not know yet.
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
    /// The kernel removes the addresses of a stalled daemon, which learns of it when it runs again.
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

    /// A node announces the address of `group`. Every other owner hears the announcement, and the node hears theirs
    /// in return. A node that asks about the address takes the announcement for an answer.
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
