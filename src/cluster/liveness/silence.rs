//! Who has been silent for too long: the death of nodes and links (02 §7.4, §7.5).
//!
//! Owns the judgement of silence. Everything that had arrived by then has been handled before it judges
//! ([`crate::cluster::Event::Deadline`], [`crate::cluster::Event::UnreadDeadline`]).

use std::time::Duration;

use super::startup::Phase;
use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::{Instant, Record, Status};

impl Core {
    /// When a node or a link is to be declared dead next.
    pub(in crate::cluster) fn silence_due(&self) -> Option<Instant> {
        let own = self.own();
        let others = (0..self.nodes.len()).filter(|index| Some(*index) != own);
        let due = others.flat_map(|index| {
            let node = &self.nodes[index];
            let links = node.links.iter().filter(|link| link.up).map(|link| link.heard + node.dead_time);
            self.death_due(index).into_iter().chain(links.min())
        });
        due.min()
    }

    /// When this node is to be declared dead; strictly after (02 §7.5).
    pub(in crate::cluster) fn death_due(&self, index: usize) -> Option<Instant> {
        let node = &self.nodes[index];
        if node.status == Status::Dead || self.hears_nothing() {
            return None;
        }
        let (since, limit) = match (self.membership.phase, node.last_status.or(node.noticed)) {
            (Phase::Hearing, last) => (last.unwrap_or(self.membership.started()), self.settings.timing.initdead),
            // Of a new incarnation we may have heard everything but its statuses.
            (_, Some(last)) => (last, node.dead_time),
            (_, None) => (self.membership.started(), self.settings.timing.initdead),
        };
        let since = since.max(self.hearing_since().unwrap_or(since));
        Some(since + limit + Duration::from_millis(1))
    }

    /// From when on a peer that may count as alive for longer is as good as dead where an address is claimed: an hbd
    /// that announced a restart, or a node of which nothing was heard, or believed, since we started. `None` for a
    /// real Heartbeat, and while we hear nothing at all.
    pub(in crate::cluster) fn unheard_from(&self) -> Option<Instant> {
        let peer = self.peer_node().filter(|peer| !peer.is_heartbeat() && !self.hears_nothing())?;
        let since = peer.last_status.unwrap_or(self.membership.started());
        Some(since.max(self.hearing_since().unwrap_or(since)) + self.settings.timing.deadtime)
    }

    /// Whether that is so by now.
    pub(in crate::cluster) fn peer_unheard(&self) -> bool {
        self.unheard_from().is_some_and(|from| from < self.now.monotonic)
    }

    /// Whether the peer counts as alive, and nothing makes it as good as dead.
    pub(in crate::cluster) fn peer_is_heard(&self) -> bool {
        self.peer_alive() && !self.peer_unheard()
    }

    /// Finds the nodes and links whose dead time was over at `until`: what arrived later is perhaps not read yet.
    pub(in crate::cluster) fn find_silence(&mut self, until: Instant) {
        let own = self.own();
        for index in (0..self.nodes.len()).filter(|index| Some(*index) != own) {
            if self.death_due(index).is_some_and(|due| due <= until) {
                self.raise(Fact::NodeSilent { node: index });
            }
            let limit = self.nodes[index].dead_time;
            for link in 0..self.nodes[index].links.len() {
                let state = &self.nodes[index].links[link];
                if state.up && state.heard + limit <= until {
                    self.raise(Fact::LinkSilent { node: index, link });
                }
            }
        }
    }

    /// Nobody but us declares a node dead.
    pub(in crate::cluster) fn declare_dead(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        node.status = Status::Dead;
        node.gone = true;
        node.heard = false;
        node.last_status_order.1 = 0;
        node.tracking.die();
        node.acknowledged = 0;
        let name = node.name.clone();
        self.log(Record::NodeDead { node: name });
        if Some(index) == self.peer() {
            self.raise(Fact::PeerDead);
        }
    }

    /// A node is not heard on one of its links any more.
    pub(in crate::cluster) fn declare_link_dead(&mut self, node: usize, link: usize) {
        self.nodes[node].links[link].up = false;
        self.log_link(node, link);
        self.raise(Fact::ConnectionsChanged);
    }
}
