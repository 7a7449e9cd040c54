//! What both nodes have to agree about: the value from which the files of each of them are made, and which the file
//! for the other node carries.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::cli::secret_key::SecretKey;

/// A new pair. The node on which `hbctl init` ran is always the first of two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PairPlan {
    /// Their names, lower case.
    pub nodes: [String; 2],
    /// Whether what prefers a node returns to it.
    pub auto_failback: bool,
    /// Seconds.
    pub deadtime: u32,
    /// Signs the heartbeats.
    pub key: SecretKey,
    /// What hbd.toml.d gets, in TOML; empty for nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub settings: String,
    /// At least one.
    pub links: Vec<PlannedLink>,
    /// The lines of haresources.
    pub groups: Vec<PlannedGroup>,
}

/// A heartbeat link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlannedLink {
    /// The interface of each node. That of the second is a guess until it joins.
    pub interfaces: [String; 2],
    /// The address of each node.
    pub addresses: [Ipv4Addr; 2],
}

/// A line of haresources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlannedGroup {
    /// The node that it prefers.
    pub node: String,
    /// Its resources as haresources writes them. Never empty.
    pub resources: Vec<String>,
}
