//! What software the peer runs, as far as it has shown it.

use super::node::Node;
use crate::cluster::core::Core;
use crate::cluster::{ALONE_EXTENSION, GROUPS_EXTENSION, Status};
use crate::config::AutoFailback;

/// What the peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cluster) enum PeerKind {
    /// Nothing was heard of it since we started. Spoken to as to a Heartbeat.
    Unknown,
    /// An hbd: its statuses carry the field `hbd` (docs/DECISIONS.md "How hbd knows an hbd peer").
    Hbd,
    /// A real Heartbeat.
    Heartbeat,
    /// The same, or unknown, while our ha.cf says `auto_failback legacy`: it gets Heartbeat's first protocol (03 §5).
    HeartbeatLegacy,
}

impl PeerKind {
    /// Whether it is an hbd that showed its extensions.
    pub(in crate::cluster) fn is_hbd(self) -> bool {
        self == PeerKind::Hbd
    }

    /// Whether the protocol of `auto_failback on` and `off` is of use to it.
    pub(in crate::cluster) fn is_nice(self) -> bool {
        self != PeerKind::HeartbeatLegacy
    }
}

/// Whether no status of it was heard, and nothing else that shows what it is.
fn is_stranger(node: &Node) -> bool {
    node.last_status_order == (0, 0) && node.hbd.is_none()
}

impl Core {
    /// Which strong keys each other node says that it verifies. Nothing for a node that says nothing, as a Heartbeat
    /// does, and for one of which nothing is heard: it may come back as another.
    pub fn announced_keys(&self) -> Vec<Option<&str>> {
        let own = self.own();
        let others = self.nodes.iter().enumerate().filter(|(index, _)| Some(*index) != own).map(|(_, node)| node);
        let heard = |node: &Node| node.last_status.is_some() && node.status != Status::Dead;
        others.map(|node| node.keys.as_deref().filter(|_| heard(node))).collect()
    }

    /// Whether sets are said to the peer group by group: to an hbd that reads that, and to one of which no status was
    /// heard yet, which may be one and judges us by what it hears first.
    pub(in crate::cluster) fn says_groups(&self) -> bool {
        let reads = |node: &Node| node.hbd.is_some_and(|extensions| extensions >= GROUPS_EXTENSION);
        let ours = self.settings.extensions >= GROUPS_EXTENSION;
        ours && self.peer_node().is_some_and(|peer| reads(peer) || is_stranger(peer))
    }

    /// Whether groups move one by one between the peer and us (05 §3.13). If not, they move by Heartbeat's classes.
    /// Of a peer of which nothing was heard nobody knows, and nothing has to be said to it.
    pub(in crate::cluster) fn groups_move_alone(&self) -> bool {
        let ours = self.settings.extensions >= ALONE_EXTENSION;
        self.peer_moves_alone() || ours && self.peer_node().is_none_or(is_stranger)
    }

    /// Whether the peer has not said yet what it is, and may say so any moment.
    pub(in crate::cluster) fn awaits_peer(&self) -> bool {
        self.peer_node().is_some_and(|peer| is_stranger(peer) && peer.status != Status::Dead)
    }

    /// Whether the peer has shown that its groups move one by one.
    pub(in crate::cluster) fn peer_moves_alone(&self) -> bool {
        let moves = |node: &Node| node.hbd.is_some_and(|extensions| extensions >= ALONE_EXTENSION);
        self.settings.extensions >= ALONE_EXTENSION && self.peer_node().is_some_and(moves)
    }

    /// What the peer is. [`PeerKind::Unknown`] if there is no peer.
    pub(in crate::cluster) fn peer_kind(&self) -> PeerKind {
        let peer = self.peer_node();
        if peer.is_some_and(Node::is_hbd) {
            PeerKind::Hbd
        } else if self.settings.auto_failback == AutoFailback::Legacy {
            PeerKind::HeartbeatLegacy
        } else if peer.is_some_and(|node| node.generation != 0) {
            PeerKind::Heartbeat
        } else {
            PeerKind::Unknown
        }
    }
}
