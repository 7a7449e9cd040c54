//! Do both nodes run with the same configuration? Two hbd nodes tell each other digests of it in their statuses
//! (05 §3.4), and each item of it once they differ (05 §3.9); what differs is said once for each change. Decides
//! nothing by it.

use crate::cluster::Record;
use crate::cluster::core::Core;
use crate::config::{Fingerprint, SharedItems};
use crate::wire::Message;

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

    /// What differs, a sentence without its full stop each; none as far as that node has not said it.
    pub(in crate::cluster) fn differences(&self, index: usize) -> Vec<String> {
        let Some(theirs) = self.nodes[index].shared_items.as_ref() else { return Vec::new() };
        if self.differing(index).is_empty() {
            return Vec::new();
        }
        self.settings.shared_items.differences(theirs, &self.nodes[index].name)
    }

    /// The items of our configuration, if they are not too many for a message.
    fn send_items(&mut self) {
        if let Some(items) = self.settings.shared_items.words() {
            self.send(Message::new("hbd_conf").with("items", &items));
        }
    }

    /// The items of a node's configuration.
    pub(in crate::cluster) fn items_heard(&mut self, from: usize, items: Option<SharedItems>) {
        if self.nodes[from].shared_items == items {
            return;
        }
        self.nodes[from].shared_items = items;
        let differences = self.differences(from);
        if !differences.is_empty() {
            let node = self.nodes[from].name.clone();
            self.log(Record::ConfigurationDetails { node, differences: differences.join("; ") });
        }
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
            self.send_items();
        } else if now != before {
            self.log(Record::ConfigurationAlike { node });
        }
    }
}
