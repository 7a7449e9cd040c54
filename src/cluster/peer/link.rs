//! On which links a node is heard (02 §7.4).
//!
//! Owns the record of a link that is up. When a link counts as dead is decided by the judgement of silence.

use crate::cluster::Record;
use crate::cluster::core::Core;

impl Core {
    /// A kept or duplicate packet of this node arrived on this link (02 §7.4).
    pub(in crate::cluster) fn heard_on(&mut self, node: usize, link: usize) {
        let now = self.now.monotonic;
        let Some(state) = self.nodes[node].links.get_mut(link) else { return };
        state.heard = now;
        if !std::mem::replace(&mut state.up, true) {
            self.log_link(node, link);
        }
    }

    /// Tells the log whether a node is heard on a link.
    pub(in crate::cluster) fn log_link(&mut self, node: usize, link: usize) {
        let (up, node) = (self.nodes[node].links[link].up, self.nodes[node].name.clone());
        let link = self.settings.links[link].clone();
        self.log(if up { Record::LinkUp { node, link } } else { Record::LinkDead { node, link } });
    }
}
