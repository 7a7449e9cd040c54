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

/// How often an owner announces an address later on, which the other one hears.
const ANNOUNCED_AGAIN: Duration = Duration::from_secs(10);

/// The one interface of a node on this LAN.
pub const DEVICE: &str = "eth0";
/// Of the machine that uses an address by mistake, and of the router that answers for every address.
const STRANGER: &str = "02:de:ad:00:00:01";
const PROXY: &str = "02:de:ad:00:00:02";
/// How long answers to one question are waited for (src/vip/watches.rs).
const ANSWERS: Duration = Duration::from_secs(1);
/// About as long as a node may be stalled.
const STALLED: Duration = Duration::from_secs(15);
/// How often a stranger claims the address that it uses.
const STRANGER_CLAIMS: Duration = Duration::from_secs(3);

/// A node's MAC address.
pub fn mac(node: usize) -> String {
    format!("02:00:00:00:00:{:02x}", node + 1)
}

/// A node asks whether an address is in use, as src/vip/probe.rs does.
#[derive(Debug)]
struct Probe {
    id: u64,
    node: usize,
    step: Step,
    /// Who answers, and how many questions this one has left unanswered.
    machines: Vec<(String, u32)>,
    in_vain: u32,
    silent: bool,
}

/// The questions that the simulated nodes ask, and until when a third machine uses which address.
#[derive(Debug, Default)]
pub struct Lan {
    probes: Vec<Probe>,
    last: u64,
    stranger: [Duration; GROUPS],
    /// When a third machine began to use the address of each group.
    came: [Duration; GROUPS],
    /// When a node was seen to have it last.
    had: [Duration; GROUPS],
}

impl Lan {
    /// The time between two questions.
    pub fn interval() -> Duration {
        asking_interval(timing().deadtime)
    }

    /// A third machine uses the address of `group` from now on until this time.
    pub fn stranger_until(&mut self, group: usize, until: Duration, now: Duration) {
        if !self.stranger(group, now) {
            self.came[group] = now;
        }
        self.stranger[group] = until;
    }

    /// A node has the address of `group` on this LAN.
    pub fn note_owner(&mut self, group: usize, now: Duration) {
        self.had[group] = now;
    }

    /// Whether a third machine has begun to use an address at about the time at which the last node lost it: then it
    /// may be that node under another MAC address. A node that was stalled meanwhile sees no pause between the two.
    pub fn relieved(&self, now: Duration) -> bool {
        let soon = Self::interval() * 5;
        (0..GROUPS).any(|group| {
            let (came, had) = (self.came[group], self.had[group]);
            now < self.stranger[group] + soon && had < came + soon && came < had + STALLED
        })
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
        let id = self.last;
        self.probes.push(Probe { id, node, step, machines: Vec::new(), in_vain: 0, silent: false });
        Some(id)
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

    /// These machines said that they have an address. Returns what the node does not know yet.
    fn heard(&mut self, id: u64, answers: Vec<String>) -> Vec<AddressNews> {
        let Some(probe) = self.probes.iter_mut().find(|probe| probe.id == id) else { return Vec::new() };
        let mut news = Vec::new();
        for mac in answers {
            (probe.in_vain, probe.silent) = (0, false);
            match probe.machines.iter_mut().find(|(known, _)| *known == mac) {
                Some((_, unanswered)) => *unanswered = 0,
                None => {
                    probe.machines.push((mac.clone(), 0));
                    news.push(AddressNews::Answered { mac, device: DEVICE.to_owned() });
                }
            }
        }
        news
    }

    /// One question was asked, and these answered. Returns what the node does not know yet.
    fn asked(&mut self, id: u64, answers: Vec<String>) -> Vec<AddressNews> {
        let Some(probe) = self.probes.iter_mut().find(|probe| probe.id == id) else { return Vec::new() };
        let quiet = |(mac, unanswered): &(String, u32)| *unanswered + 1 >= IN_VAIN && !answers.contains(mac);
        let (gone, stay): (Vec<_>, Vec<_>) = std::mem::take(&mut probe.machines).into_iter().partition(quiet);
        probe.machines = stay.into_iter().map(|(mac, unanswered)| (mac, unanswered + 1)).collect();
        probe.in_vain += 1;
        let mut news: Vec<_> = if !probe.machines.is_empty() || !answers.is_empty() {
            gone.into_iter().map(|(mac, _)| AddressNews::Unanswered { mac }).collect()
        } else if probe.in_vain >= IN_VAIN && !std::mem::replace(&mut probe.silent, true) {
            vec![AddressNews::Silent]
        } else {
            Vec::new()
        };
        news.extend(self.heard(id, answers));
        news
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
        match order {
            Order::Restore => self.push(Duration::from_millis(1), node, Happening::Restored(step)),
            Order::Survey => {
                self.push(Duration::from_millis(1), node, Happening::Surveys(step));
                self.push(ANSWERS, node, Happening::Surveyed(step));
            }
            // What clients see is not simulated.
            Order::Defend => {}
            Order::Probe | Order::ProbeEnd => {
                if let Some(id) = self.lan.order(node, step, order) {
                    self.push(Duration::from_millis(1), node, Happening::Asks(id));
                }
            }
        }
    }

    /// Which other machines on the LAN use the address of `group`.
    pub(super) fn users(&self, node: usize, group: usize) -> Vec<String> {
        if !self.nodes[node].lan {
            return Vec::new();
        }
        let has = |other: &Node| other.lan && other.units.running[group][0];
        let nodes = (0..self.nodes.len()).filter(|other| *other != node && has(&self.nodes[*other])).map(mac);
        nodes.chain(self.lan.stranger(group, self.now).then(|| STRANGER.to_owned())).collect()
    }

    /// Which other machines answer a question of `node` for the address of `group`: the router before the others.
    fn answerers(&self, node: usize, group: usize) -> Vec<String> {
        let proxy = (self.cluster.proxy && self.nodes[node].lan).then(|| PROXY.to_owned());
        proxy.into_iter().chain(self.users(node, group)).collect()
    }

    fn address_news(&mut self, node: usize, step: Step, news: Vec<AddressNews>) {
        for news in news {
            self.feed(node, Event::Address { step, news });
        }
    }

    pub(super) fn asks(&mut self, node: usize, id: u64) {
        let Some(step) = self.lan.step(id) else { return };
        if self.nodes[node].stall.is_none() {
            let answers = self.answerers(node, step.group);
            let news = self.lan.asked(id, answers);
            self.address_news(node, step, news);
        }
        self.push(Lan::interval(), node, Happening::Asks(id));
    }

    /// A node asks once who has an address; one that has it hears that.
    pub(super) fn surveys(&mut self, node: usize, step: Step) {
        for other in 0..self.nodes.len() {
            let hears = self.nodes[other].lan && self.nodes[other].units.running[step.group][0];
            if other != node && self.nodes[node].lan && hears {
                let news = AddressNews::AskedBy { mac: mac(node), device: DEVICE.to_owned() };
                self.feed(other, Event::Address { step, news });
            }
        }
    }

    pub(super) fn survey_ends(&mut self, node: usize, step: Step) {
        let machines = self.answerers(node, step.group);
        let news = AddressNews::Surveyed { device: DEVICE.to_owned(), machines };
        self.feed(node, Event::Address { step, news });
    }

    /// A third machine uses the address of `group`, and claims it again and again.
    pub(super) fn stranger_comes(&mut self, group: usize, for_ms: u64) {
        self.lan.stranger_until(group, self.now + Duration::from_millis(for_ms), self.now);
        self.stranger_claims(group);
    }

    pub(super) fn stranger_claims(&mut self, group: usize) {
        if self.lan.stranger(group, self.now) {
            self.address_came_up(group);
            self.push(STRANGER_CLAIMS, 0, Happening::StrangerClaims { group });
        }
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
        let here = self.nodes[node].stall.is_none();
        let Some(id) = self.lan.asked_by(node, group).filter(|_| here) else { return };
        let users = self.users(node, group);
        let news = self.lan.heard(id, users);
        if let Some(step) = self.lan.step(id) {
            self.address_news(node, step, news);
        }
    }

    /// Others claim what `node` serves.
    pub(super) fn hears_claims(&mut self, node: usize, group: usize, again: bool) {
        let users = self.users(node, group);
        if again && !users.is_empty() && self.nodes[node].units.running[group][0] {
            self.push(ANNOUNCED_AGAIN, node, Happening::Claimed { group, again });
        }
        for mac in users {
            if self.nodes[node].units.running[group][0] {
                let news = AddressNews::Claimed { mac, device: DEVICE.to_owned(), again };
                self.feed(node, Event::Address { step: Step { group, resource: 0 }, news });
            }
        }
    }
}
