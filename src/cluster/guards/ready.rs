//! Could this node serve a group that it does not run? (docs/DECISIONS.md "A service is judged by what it does")
//!
//! Owns what the peer was told of that, and what an operator wants taken all the same. A node whose `ready` check
//! fails takes nothing that it does not hold, says so in its statuses (field `hbd_unready`, 05 §3.7), and is given
//! nothing. A node on which a unit does not run that both nodes are to run says so, too, and is given nothing; what
//! nobody else serves it takes. The results of the checks are [`super::checks`]'s.

use serde::{Deserialize, Serialize};

use super::checks::CheckState;
use super::condition::ResourceState;
use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::ownership::obstacle::Obstacle;
use crate::cluster::peer::set_said::SetSaid;
use crate::cluster::{GroupSet, Record, Set, Step};

/// What was said about readiness.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Readiness {
    /// What our statuses say that we are not ready for.
    told: GroupSet,
    /// Groups that an operator wants taken although this node is not ready.
    cleared: Vec<usize>,
}

impl Core {
    /// After every event: tells the peer if what we are ready for changed.
    pub(in crate::cluster) fn tell_readiness(&mut self) {
        if self.peer_alive() {
            // What an operator wanted taken in place of a dead peer is not meant any more.
            self.readiness.cleared.clear();
        }
        let unready = self.unready();
        let before = std::mem::replace(&mut self.readiness.told, unready);
        if unready == before || !self.membership.running() {
            return;
        }
        if self.peer_kind().is_hbd() {
            self.send_status();
        }
        if !before.without(unready).is_none() {
            self.raise(Fact::ReadyAgain);
        }
    }

    /// Why this node could not serve a group that it does not hold: an operator works on it, its checks say so, or a
    /// unit of it that runs on both nodes does not run here.
    fn unready_reason(&self, group: usize) -> Option<String> {
        let everywhere = || self.everywhere_reason(group).filter(|_| !self.groups.wanted(group));
        self.barring_reason(group).or_else(everywhere)
    }

    /// Why this node does not take a group even if nobody else serves it: an operator works on it, or a check says
    /// so.
    fn barring_reason(&self, group: usize) -> Option<String> {
        self.left_alone_reason(group).or_else(|| self.barring_check(group))
    }

    /// What of a group that runs on both nodes does not run here.
    fn everywhere_reason(&self, group: usize) -> Option<String> {
        let steps = self.everywhere.steps().filter(|step| step.group == group);
        let reasons = steps.into_iter().filter_map(|step| {
            let (state, why) = self.resource_state(step);
            let (_, resource) = self.groups.words(step);
            match state {
                ResourceState::Active | ResourceState::Unknown => None,
                ResourceState::Starting | ResourceState::Stopped => Some(format!("{resource} has not started yet")),
                _ => Some(format!("{resource} does not run: {why}")),
            }
        });
        reasons.into_iter().take(1).next()
    }

    /// The check that keeps this node from taking a group that it does not hold, and its result.
    fn barring_check(&self, group: usize) -> Option<String> {
        if self.groups.wanted(group) || self.readiness.cleared.contains(&group) {
            return None;
        }
        self.ready_checks(group).find_map(|(rule, state, reason)| match (state, reason) {
            (CheckState::Untested, _) => Some(format!("{} has not run yet", rule.name)),
            (CheckState::Failing, Some(reason)) => Some(format!("{}: {reason}", rule.name)),
            (CheckState::Failing, None) => Some(rule.name.clone()),
            _ => None,
        })
    }

    /// The groups that this node could not serve, and those that move with them.
    pub(in crate::cluster) fn unready(&self) -> GroupSet {
        let unready = (0..self.groups.list().len()).filter(|group| self.unready_reason(*group).is_some());
        self.moving_with(GroupSet::new(unready, Set::NONE))
    }

    /// The groups that this node does not take even if nobody else serves them, and beside a peer that knows classes
    /// only those that move with them.
    ///
    /// A unit that runs on both nodes, and not here at the moment, keeps nothing from being taken then: it is started
    /// again and again, and the other groups of its class are served meanwhile.
    pub(in crate::cluster) fn barred(&self) -> GroupSet {
        let barred = (0..self.groups.list().len()).filter(|group| self.barring_reason(*group).is_some());
        let barred = GroupSet::new(barred, Set::NONE);
        // What is kept together is parted rather than left without an owner.
        if self.groups_move_alone() { barred } else { self.groups.whole_classes(barred) }
    }

    /// What an hbd peer says that it could not serve.
    pub(in crate::cluster) fn peer_unready(&self) -> GroupSet {
        self.peer_node().map_or(GroupSet::NONE, |peer| self.groups.said_there(&peer.unready))
    }

    /// Whether the peer is ready for this set.
    ///
    /// # Errors
    /// [`Obstacle::PeerNotReady`].
    pub(in crate::cluster) fn may_give(&self, set: GroupSet) -> Result<(), Obstacle> {
        if set.common(self.peer_unready()).is_none() { Ok(()) } else { Err(Obstacle::PeerNotReady) }
    }

    /// Whether a check that was never run, or a unit that is being started, keeps something of this set from being
    /// taken: the next moment will tell.
    pub(in crate::cluster) fn awaits_first_check(&self, set: GroupSet) -> bool {
        let starts = |step: Step| self.resource_state(step).0 == ResourceState::Starting;
        let untested = |group| {
            self.ready_checks(group).any(|(_, state, _)| state == CheckState::Untested)
                || self.everywhere.steps().any(|step| step.group == group && starts(step))
        };
        set.iter().any(untested)
    }

    /// The groups of a set that this node could not serve, each with its reason.
    fn unready_groups(&self, set: GroupSet) -> String {
        let named = set.iter().filter_map(|group| {
            let reason = self.unready_reason(group)?;
            Some(format!("{} ({reason})", self.groups.key(group)))
        });
        named.collect::<Vec<_>>().join(", ")
    }

    /// The peer is gone. The part of what it leaves that this node could not serve, which is not taken; that is said.
    /// What of it somebody stopped here may be what keeps the node from being ready, and is started.
    pub(in crate::cluster) fn forgoes_unready(&mut self, set: GroupSet) -> GroupSet {
        let unready = set.common(self.barred());
        if !unready.is_none() && !self.awaits_first_check(unready) {
            let groups = self.unready_groups(unready);
            self.complain(Record::NotReadyForgoes { node: self.peer_name(), groups });
        }
        if !unready.is_none() {
            self.raise(Fact::Forgone { set: unready });
        }
        unready
    }

    /// The peer wants to give this. True if it gets no answer, because this node could not serve it.
    pub(in crate::cluster) fn refuses_unready(&mut self, set: GroupSet) -> bool {
        let unready = set.common(self.unready());
        if !unready.is_none() {
            let groups = self.unready_groups(unready);
            self.complain(Record::NotReadyRefuses { node: self.peer_name(), groups });
        }
        !unready.is_none()
    }

    /// Why a group that nobody serves is not taken here.
    pub(super) fn ready_objection(&self, group: usize) -> Option<String> {
        let served = self.peer_alive() && !self.ownership.other.left();
        let served = served && self.ownership.other.holds.has(group);
        let reason = self.barring_reason(group).filter(|_| !served)?;
        Some(format!("this node is not ready for it ({reason})"))
    }

    /// An operator wants a group taken although this node is not ready. Whether that was what kept it.
    pub(in crate::cluster) fn clear_unready(&mut self, group: usize) -> bool {
        let kept = self.barring_check(group).is_some();
        if kept {
            self.readiness.cleared.push(group);
        }
        kept
    }

    /// A node's status says what it could not serve; only an hbd's counts.
    pub(in crate::cluster) fn unready_heard(&mut self, from: usize, said: &SetSaid) {
        let node = &mut self.nodes[from];
        node.unready = if node.hbd.is_some() { said.clone() } else { SetSaid::default() };
    }
}
