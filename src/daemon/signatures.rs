//! How packets are signed: those of each other node, and ours.
//!
//! Owns what is shown of it. Which key signs is chosen by [`crate::wire::Keyring`].

use std::collections::BTreeMap;

use crate::bus::{NodeSnapshot, Snapshot};
use crate::wire::{Method, Signer};

/// The key of the last packet of each node that counted.
#[derive(Debug, Default)]
pub struct Signatures(BTreeMap<String, Signer>);

impl Signatures {
    /// Whether nothing else is noted of this node.
    pub fn knows(&self, node: &str, signer: Signer) -> bool {
        self.0.get(node) == Some(&signer)
    }

    /// A packet of this node counted, which one of `nodes` has to be: names come from the network.
    pub fn note(&mut self, node: &str, signer: Signer, nodes: &[String]) {
        match self.0.get_mut(node) {
            Some(known) => *known = signer,
            None if nodes.iter().any(|known| known == node) => {
                self.0.insert(node.to_owned(), signer);
            }
            None => {}
        }
    }

    /// Puts them into what the bus shows; `own` is what signs here.
    pub fn show(&self, snapshot: &mut Snapshot, own: Method) {
        for node in &mut snapshot.nodes {
            node.signed_with = self.word(node.local, &node.name, own);
            node.signing_key = self.key(&node.name);
        }
    }

    /// Whether the bus, or a reload, would be shown something else.
    pub fn differ(&self, shown: &Snapshot, own: Method) -> bool {
        let differs = |node: &NodeSnapshot| {
            node.signed_with != self.word(node.local, &node.name, own) || node.signing_key != self.key(&node.name)
        };
        shown.nodes.iter().any(differs)
    }

    fn key(&self, node: &str) -> Option<u8> {
        self.0.get(node).map(|signer| signer.index)
    }

    fn word(&self, local: bool, node: &str, own: Method) -> String {
        let method = if local { Some(own) } else { self.0.get(node).map(|signer| signer.method) };
        method.map(|method| method.to_string()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_key_of_the_same_method_is_shown_to_a_reload_and_a_stranger_is_not_noted() {
        let nodes = ["nodea".to_owned(), "nodeb".to_owned()];
        let mut signatures = Signatures::default();
        let peer = NodeSnapshot { name: "nodeb".to_owned(), ..NodeSnapshot::default() };
        let mut snapshot = Snapshot { nodes: vec![peer], ..Snapshot::default() };
        let signer = |index| Signer { index, method: Method::Sha1 };
        signatures.note("stranger", signer(1), &nodes);
        assert!(!signatures.differ(&snapshot, Method::Sha1));
        for index in [1, 2] {
            signatures.note("nodeb", signer(index), &nodes);
            assert!(signatures.differ(&snapshot, Method::Sha1));
            signatures.show(&mut snapshot, Method::Sha1);
            assert_eq!(snapshot.nodes[0].signed_with, "sha1");
            assert_eq!(snapshot.nodes[0].signing_key, Some(index));
            assert!(!signatures.differ(&snapshot, Method::Sha1));
        }
    }
}
