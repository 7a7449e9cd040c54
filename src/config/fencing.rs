//! The devices that reset nodes, from `stonith` and `stonith_host` of ha.cf and `[fence."NODE"]` of hbd.toml (04 §8).
//!
//! Owns which device belongs to which node. Never runs a fencing program.

use std::path::PathBuf;

use super::diagnostic::{FileWord, Findings};
use super::ha_cf::stonith::StonithLine;
use super::hbd_toml::fence::FenceTables;
use super::types::FenceDevice;

/// Everything that the devices follow from.
pub(super) struct FencingSources<'a> {
    /// Our own name.
    pub node: &'a str,
    /// All normal nodes.
    pub nodes: &'a [FileWord],
    /// Directories of programs, in the order of the search.
    pub programs: &'a [PathBuf],
    /// The lines of ha.cf.
    pub stonith: &'a [StonithLine],
    /// The tables of hbd.toml.
    pub tables: &'a FenceTables,
}

impl FencingSources<'_> {
    /// The devices in force, one for each node that can be reset. The tables of a node replace the lines of ha.cf for
    /// it.
    pub(super) fn devices(&self, findings: &mut Findings) -> Vec<FenceDevice> {
        self.tables.check_nodes(self.nodes, findings);
        let ours: Vec<_> = self.stonith.iter().filter(|line| line.is_for(self.node)).collect();
        let others: Vec<_> = self.nodes.iter().filter(|node| node.text != self.node).collect();
        // Lines that tables replace for every node need not be fit for use.
        let replaced = !others.is_empty() && others.iter().all(|node| self.tables.has(&node.text));
        let ours = if replaced { Vec::new() } else { ours };
        if let [first, .., _] = ours.as_slice() {
            let help = "hbd tries them in turn, a Heartbeat on the other node uses the last one only";
            findings.notice(&first.kind, "several stonith lines for this node", help);
        }
        let from_ha_cf: Vec<_> = ours.iter().filter_map(|line| line.agent(self.programs, findings)).collect();
        let device = |node: &&FileWord| {
            let agents =
                self.tables.agents(&node.text, self.programs, findings).unwrap_or_else(|| from_ha_cf.clone());
            (!agents.is_empty()).then(|| FenceDevice { node: node.text.clone(), agents })
        };
        others.iter().filter_map(device).collect()
    }
}
