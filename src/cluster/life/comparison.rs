//! Do both nodes run with the same configuration? Two hbd nodes tell each other digests of it in their statuses
//! (field `hbd_conf`); what differs is said once for each change. Decides nothing by it.

use crate::cluster::Record;
use crate::cluster::core::Core;
use crate::config::Fingerprint;

impl Core {
    /// The files of which that node's content is another than ours; none while it has said nothing.
    pub(in crate::cluster) fn differing(&self, index: usize) -> Vec<String> {
        let ours = &self.settings.fingerprint;
        let theirs = self.nodes[index].fingerprint.as_ref();
        let differs = theirs.map(|theirs| ours.differing(theirs)).unwrap_or_default();
        differs.into_iter().map(str::to_owned).collect()
    }

    /// Whether the peer said that its haresources is ours.
    pub(in crate::cluster) fn same_haresources(&self) -> bool {
        let ours = &self.settings.fingerprint;
        let theirs = self.peer_node().and_then(|peer| peer.fingerprint.as_ref());
        theirs.is_some_and(|theirs| theirs.haresources == ours.haresources)
    }

    /// Whether the peer said that its haresources is another one than ours.
    pub(in crate::cluster) fn other_haresources(&self) -> bool {
        self.peer_node().is_some_and(|peer| peer.fingerprint.is_some()) && !self.same_haresources()
    }

    /// A status of a node.
    pub(in crate::cluster) fn configuration_heard(&mut self, from: usize, said: Option<Fingerprint>) {
        if self.nodes[from].fingerprint == said {
            return;
        }
        let before = self.differing(from);
        self.nodes[from].fingerprint = said;
        let now = self.differing(from);
        let node = self.nodes[from].name.clone();
        if now != before && !now.is_empty() {
            self.log(Record::ConfigurationDiffers { node, files: now.join(" and ") });
        } else if now != before {
            self.log(Record::ConfigurationAlike { node });
        }
    }
}
