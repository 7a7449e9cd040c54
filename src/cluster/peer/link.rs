//! On which links a node is heard (02 §7.4).
//!
//! Owns the record of a link that is up. When a link counts as dead is decided by the judgement of silence.

use std::time::Duration;

use crate::cluster::Record;
use crate::cluster::core::Core;

impl Core {
    /// A kept or duplicate packet of this node arrived on this link (02 §7.4).
    pub(in crate::cluster) fn heard_on(&mut self, node: usize, link: usize) {
        let now = self.now;
        let Some(state) = self.nodes[node].links.get_mut(link) else { return };
        (state.heard, state.heard_wall) = (now.monotonic, Some(now.wall));
        if !std::mem::replace(&mut state.up, true) {
            self.log_link(node, link);
        }
    }

    /// When something of this node that counts came last on this link, by the wall clock: what keeps the link up.
    /// `None` for never, and for what is no node or link.
    pub fn last_heard_on(&self, node: &str, link: &str) -> Option<Duration> {
        let link = self.settings.links.iter().position(|known| known == link)?;
        let node = self.nodes.iter().find(|known| known.name == node)?;
        node.links.get(link)?.heard_wall
    }

    /// Tells the log whether a node is heard on a link.
    pub(in crate::cluster) fn log_link(&mut self, node: usize, link: usize) {
        let (up, node) = (self.nodes[node].links[link].up, self.nodes[node].name.clone());
        let link = self.settings.links[link].clone();
        self.log(if up { Record::LinkUp { node, link } } else { Record::LinkDead { node, link } });
    }
}
