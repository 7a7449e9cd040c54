//! What keeps an exchange from beginning. Decides nothing else, and owns no state.

use crate::cluster::core::Core;
use crate::cluster::{GroupSet, Status};

/// Why no exchange can begin now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cluster) enum Obstacle {
    /// The peer has begun anew and is not up yet.
    PeerReturns,
    /// The peer is dead or has left.
    PeerGone,
    /// The peer speaks Heartbeat's first protocol, which has no exchange.
    Legacy,
    /// We, or a group that is to go, are in maintenance, and it is not about what both hold.
    Maintenance,
    /// The peer is.
    PeerMaintenance,
    /// The peer could not serve what it would get.
    PeerNotReady,
    /// An exchange is under way, or a real Heartbeat may hang in one.
    UnderWay,
    /// We have not decided what we hold, or are leaving.
    Undecided,
    /// The peer has not decided what it holds.
    PeerUndecided,
}

impl Core {
    /// Whether an exchange may begin.
    ///
    /// # Errors
    /// The first of the things that stand in its way.
    pub(in crate::cluster) fn may_begin(&self) -> Result<(), Obstacle> {
        let returns = self.peer_node().is_some_and(|node| node.status == Status::Init && node.last_status.is_some());
        let contested = self.conflict.both_hold();
        let obstacles = [
            (returns, Obstacle::PeerReturns),
            (!self.peer_alive() || self.ownership.other.left(), Obstacle::PeerGone),
            (!self.peer_kind().is_nice(), Obstacle::Legacy),
            (!contested && self.maintenance.on(), Obstacle::Maintenance),
            (!contested && self.peer_in_maintenance(), Obstacle::PeerMaintenance),
            (self.exchange.busy() || self.release_pending(), Obstacle::UnderWay),
            (!self.ownership.decided(), Obstacle::Undecided),
            (!self.ownership.other.decided, Obstacle::PeerUndecided),
        ];
        obstacles.into_iter().find(|(present, _)| *present).map_or(Ok(()), |(_, obstacle)| Err(obstacle))
    }

    /// Whether nothing of this set is left alone here, or both nodes hold it.
    ///
    /// # Errors
    /// [`Obstacle::Maintenance`].
    pub(in crate::cluster) fn may_part_with(&self, set: GroupSet) -> Result<(), Obstacle> {
        let kept = set.common(self.groups.held()).common(self.left_alone());
        if self.conflict.both_hold() || kept.is_none() { Ok(()) } else { Err(Obstacle::Maintenance) }
    }
}
