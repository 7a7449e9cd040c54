//! Is a peer that is heard and not believed perhaps alive? (05 §3.12)
//!
//! Owns that objection, and its words. Never judges a message: [`crate::cluster::peer::freshness`] does.

use crate::cluster::core::Core;
use crate::cluster::peer::heard::{Doubt, Doubted};
use crate::cluster::{GroupSet, Instant, Set};
use crate::config::OnAnswer;

impl Core {
    /// What the peer, which is heard, may have, because no address of it shows whether it does: either the peer does
    /// not hear us, or somebody repeats its old packets.
    pub(super) fn doubtful(&self) -> GroupSet {
        if self.peer_was_reset() || self.doubted_peer().is_none() {
            return GroupSet::NONE;
        }
        self.moving_with(self.unaskable())
    }

    /// The groups that are to be held back where somebody has them, and have no address by which that could be asked.
    fn unaskable(&self) -> GroupSet {
        let silent_to_all = |group: usize| self.to_ask(GroupSet::one(group), |_| true).is_empty();
        let holds = |group: usize| self.lan.policy(group).is_some_and(|policy| policy.conflict == OnAnswer::Hold);
        let unaskable = (0..self.groups.list().len()).filter(|group| holds(*group) && silent_to_all(*group));
        GroupSet::new(unaskable, Set::NONE)
    }

    /// These groups, of which somebody else has an address: that is a sign that the peer lives, and then it has as
    /// well what has no address and prefers the same node.
    pub(in crate::cluster) fn with_unaskable(&self, answered: GroupSet) -> GroupSet {
        let class = self.groups.whole_classes(answered);
        self.moving_with(answered.with(class.common(self.unaskable())))
    }

    /// Why a group is not taken, if it is for a peer that is heard and not believed.
    pub(super) fn doubt_objection(&self, group: usize) -> Option<String> {
        let waits = self.is_kept_waiting(group) && self.doubtful().has(group);
        waits.then(|| format!("{} is heard, and may not hear this node", self.peer_name()))
    }

    /// Since when the peer, which does not count as alive, is heard in a way that proves nothing, if it is still.
    pub(in crate::cluster) fn doubted_peer(&self) -> Option<Doubted> {
        let peer = self.peer_node().filter(|peer| !peer.alive())?;
        peer.doubted.filter(|doubted| self.now.monotonic.since(doubted.at) < peer.dead_time)
    }

    /// Why the peer is heard and does not count as alive, and what to do; empty if that is not so.
    pub(in crate::cluster) fn doubt_in_words(&self) -> String {
        let Some((peer, doubted)) = self.peer_node().zip(self.doubted_peer()) else { return String::new() };
        match doubted.doubt {
            Doubt::Unaware => {
                "it is heard and does not know this daemon, so either it does not hear this node (look \
                               at its links and its firewall), or somebody repeats packets recorded earlier"
                    .to_owned()
            }
            Doubt::LowerGeneration(generation) => format!(
                "it is heard with generation {generation}, and had {known} before, so either somebody repeats packets \
                 recorded earlier, or its /var/lib/heartbeat/hb_generation was set back: then stop Heartbeat there, \
                 write a number above {known} into that file and start it",
                known = peer.generation
            ),
        }
    }

    /// When the last message that proves nothing will be older than the peer's dead time.
    pub(in crate::cluster) fn doubt_ends(&self) -> Option<Instant> {
        let doubted = self.doubted_peer()?;
        Some(doubted.at + self.peer_node()?.dead_time)
    }
}
