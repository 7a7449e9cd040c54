//! What the core must know at its start, out of the configuration and of what is kept on disk.
//!
//! Owns the translation. Decides nothing.

use super::identity::Identity;
use super::links;
use crate::cluster::{EXTENSIONS, KnownPeer, Settings, WitnessRules, WitnessStamp};
use crate::config::{self, Config, Group};

/// What the core is started with. `known_peers`, `known_witness`: what an earlier daemon has noted of other nodes,
/// and of the witness.
pub fn settings(
    config: &Config,
    identity: Identity,
    known_peers: Vec<KnownPeer>,
    known_witness: Option<WitnessStamp>,
) -> Settings {
    Settings {
        node: config.node.clone(),
        nodes: config.nodes.clone(),
        ping_nodes: config.ping_nodes.iter().map(|node| node.name.clone()).collect(),
        uuid: identity.uuid,
        generation: identity.generation,
        timing: config.timing,
        hopfudge: config.hopfudge,
        auto_failback: config.auto_failback,
        failback: config.failback.clone(),
        arrangement: config.arrangement.clone(),
        fencing: config.fencing.iter().map(|device| device.node.clone()).collect(),
        connectivity: config.connectivity,
        links: links::names(config),
        groups: config.groups.iter().map(Group::without_environment).collect(),
        leftovers: config.limits.leftovers,
        everywhere: config.units.everywhere().map(str::to_owned).collect(),
        health: config.health.clone(),
        fingerprint: config::Fingerprint::of(config),
        shared_items: config::SharedItems::of(config),
        checks: config.checks.iter().map(|check| check.rule.clone()).collect(),
        known_peers,
        witness: config.witness.as_ref().map(|found| WitnessRules { required: found.required, ttl: found.ttl }),
        known_witness,
        tickle: config.address_options.iter().any(|options| options.tickle),
        extensions: EXTENSIONS,
        // Two nodes that start in the same moment differ in their uuid.
        seed: identity.generation ^ u64::from_le_bytes(std::array::from_fn(|index| identity.uuid[index])),
    }
}
