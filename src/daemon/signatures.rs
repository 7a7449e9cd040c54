//! How packets are signed: those of each other node, and ours.
//!
//! Owns what is shown of it. Which key signs is chosen by [`crate::wire::Keyring`].

use std::collections::BTreeMap;

use crate::bus::Snapshot;
use crate::wire::Method;

/// The method of the last packet of each node that counted.
#[derive(Debug, Default)]
pub struct Signatures(BTreeMap<String, Method>);

impl Signatures {
    /// A packet of this node counted, which one of `nodes` has to be: names come from the network.
    pub fn note(&mut self, node: &str, method: Method, nodes: &[String]) {
        match self.0.get_mut(node) {
            Some(known) => *known = method,
            None if nodes.iter().any(|known| known == node) => {
                self.0.insert(node.to_owned(), method);
            }
            None => {}
        }
    }

    /// Puts them into what the bus shows; `own` is what signs here.
    pub fn show(&self, snapshot: &mut Snapshot, own: Method) {
        for node in &mut snapshot.nodes {
            node.signed_with = self.word(node.local, &node.name, own);
        }
    }

    /// Whether the bus shows something else.
    pub fn differ(&self, shown: &Snapshot, own: Method) -> bool {
        shown.nodes.iter().any(|node| node.signed_with != self.word(node.local, &node.name, own))
    }

    fn word(&self, local: bool, node: &str, own: Method) -> String {
        let method = if local { Some(own) } else { self.0.get(node).copied() };
        method.map(|method| method.to_string()).unwrap_or_default()
    }
}
