//! Ping nodes: hosts that answer pings, and so tell whether this machine is still connected (01 §1.8.4, 02 §7.9).
//!
//! Owns their liveness. A ping node counts for gate 1 and for `ttl`, never as a node that could serve.

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::{Instant, Record, Status};

/// One ping node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PingedNode {
    /// Its name: the host as written, or the group's name.
    pub name: String,
    /// `None` until it answers for the first time or is found dead.
    pub answers: Option<bool>,
    /// When it answered last.
    heard: Option<Instant>,
    /// The same by the wall clock, for people.
    pub heard_wall: Option<std::time::Duration>,
}

impl PingedNode {
    /// A ping node that was not heard yet.
    pub(in crate::cluster) fn new(name: &str) -> PingedNode {
        PingedNode { name: name.to_owned(), answers: None, heard: None, heard_wall: None }
    }

    /// Whether it answered within the last `period`.
    pub(in crate::cluster) fn heard_within(&self, now: Instant, period: std::time::Duration) -> bool {
        self.heard.is_some_and(|heard| now.since(heard) <= period)
    }

    /// Heartbeat's word for its status.
    pub fn status(&self) -> &'static str {
        match self.answers {
            None => Status::Init.word(),
            Some(true) => "ping",
            Some(false) => Status::Dead.word(),
        }
    }
}

impl Core {
    /// One of its hosts answered.
    pub(in crate::cluster) fn ping_answered(&mut self, index: usize) {
        let now = self.now;
        let Some(node) = self.ping_nodes.get_mut(index) else { return };
        node.heard = Some(now.monotonic);
        node.heard_wall = Some(now.wall);
        if node.answers == Some(true) {
            return;
        }
        node.answers = Some(true);
        let (name, status) = (node.name.clone(), node.status().to_owned());
        self.log(Record::LinkUp { node: name.clone(), link: name.clone() });
        self.log(Record::StatusUpdate { node: name, status });
        self.raise(Fact::PingNodeBack);
    }

    /// When the next ping node is to be declared dead.
    pub(in crate::cluster) fn ping_silence_due(&self) -> Option<Instant> {
        (0..self.ping_nodes.len()).filter_map(|index| self.ping_death_due(index)).min()
    }

    /// As with other nodes: `deadping` after its last answer, `initdead` after our start if it never answered.
    fn ping_death_due(&self, index: usize) -> Option<Instant> {
        let node = &self.ping_nodes[index];
        if node.answers == Some(false) {
            return None;
        }
        let timing = &self.settings.timing;
        let due = match node.heard {
            Some(heard) => heard + timing.deadping,
            None => self.membership.started() + timing.initdead,
        };
        Some(due + std::time::Duration::from_millis(1))
    }

    /// Finds the ping nodes that had been silent for too long at `until`.
    pub(in crate::cluster) fn find_silent_pings(&mut self, until: Instant) {
        let silent = |index: &usize| self.ping_death_due(*index).is_some_and(|due| due <= until);
        for ping_node in (0..self.ping_nodes.len()).filter(silent).collect::<Vec<_>>() {
            self.raise(Fact::PingNodeSilent { ping_node });
        }
    }

    /// A ping node does not answer any more, or never did.
    pub(in crate::cluster) fn declare_ping_dead(&mut self, index: usize) {
        let node = &mut self.ping_nodes[index];
        let answered = node.answers.replace(false).is_some();
        let name = node.name.clone();
        self.log(Record::NodeDead { node: name.clone() });
        if answered {
            self.log(Record::LinkDead { node: name.clone(), link: name });
            self.raise(Fact::ConnectionsChanged);
        }
    }

    /// Whether every ping node has answered or is dead (02 §4.3).
    pub(in crate::cluster) fn pings_accounted(&self) -> bool {
        self.ping_nodes.iter().all(|node| node.answers.is_some())
    }
}
