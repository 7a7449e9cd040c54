//! What the core must know at start. Nothing in it changes while it runs.

use serde::{Deserialize, Serialize};

use crate::cluster::EXTENSIONS;
use crate::cluster::api::witness::{WitnessRules, WitnessStamp};
use crate::config::{self, AutoFailback, Connectivity, Group, Timing};

/// See the module.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Settings {
    /// Our node name.
    pub node: String,
    /// All normal nodes in ha.cf order, ourselves included.
    pub nodes: Vec<String>,
    /// Ping nodes in ha.cf order.
    pub ping_nodes: Vec<String>,
    /// Our uuid (02 §4.1).
    pub uuid: [u8; 16],
    /// Our generation: larger at every start (02 §4.1).
    pub generation: u64,
    /// The intervals.
    pub timing: Timing,
    /// Added to the number of nodes in `ttl`.
    pub hopfudge: u8,
    /// Whether resources return to their preferred node. `Legacy` is `On` toward an hbd peer (docs/DECISIONS.md
    /// "auto_failback legacy or absent") and Heartbeat's first protocol toward any other.
    pub auto_failback: AutoFailback,
    /// When resources return, and which.
    #[serde(default)]
    pub failback: config::FailbackPolicy,
    /// Which groups stay together or apart, and which start first.
    #[serde(default)]
    pub arrangement: config::Arrangement,
    /// What ping nodes decide. A recording of an older hbd has none.
    #[serde(default)]
    pub connectivity: Connectivity,
    /// Nodes that a fencing device can reset.
    #[serde(default)]
    pub fencing: Vec<String>,
    /// Names of the local links, one per distinct interface.
    pub links: Vec<String>,
    /// The groups of haresources.
    pub groups: Vec<Group>,
    /// Seed of the core's pseudo-random delays.
    pub seed: u64,
    /// `[health]` of hbd.toml.
    #[serde(default)]
    pub health: config::Health,
    /// `leftovers` in `[units]` of hbd.toml.
    #[serde(default)]
    pub leftovers: config::Leftovers,
    /// Units that run on both nodes, wherever their groups are (`everywhere` in `[units]` of hbd.toml).
    #[serde(default)]
    pub everywhere: Vec<String>,
    /// What the peer is to compare its configuration with.
    #[serde(default)]
    pub fingerprint: config::Fingerprint,
    /// The same item by item, told to a peer that differs.
    #[serde(default)]
    pub shared_items: config::SharedItems,
    /// `check` and `ready` in `[groups]` of hbd.toml.
    #[serde(default)]
    pub checks: Vec<config::CheckRule>,
    /// What an earlier daemon on this node has noted of the others.
    #[serde(default)]
    pub known_peers: Vec<KnownPeer>,
    /// `[witness]` of hbd.toml.
    #[serde(default)]
    pub witness: Option<WitnessRules>,
    /// The witness that an earlier daemon on this node saw last.
    #[serde(default)]
    pub known_witness: Option<WitnessStamp>,
    /// Whether `tickle` of hbd.toml is used: the peer is to tell of its connections (05 §3.16).
    #[serde(default)]
    pub tickle: bool,
    /// The protocol extensions that we speak, at most [`crate::cluster::EXTENSIONS`]: fewer where an older release is
    /// played (05 §3.1).
    #[serde(default = "all_extensions")]
    pub extensions: u32,
}

fn all_extensions() -> u32 {
    EXTENSIONS
}

/// What is known of another node across our starts (05 §3.12).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownPeer {
    /// Its name.
    pub node: String,
    /// The highest generation of it that counted.
    pub generation: u64,
    /// The highest number of that generation when this was noted.
    pub seq: u64,
    /// Whether that incarnation said what it had heard of us.
    pub shows_freshness: bool,
    /// The MAC addresses that it said its machine has (05 §3.14).
    #[serde(default)]
    pub macs: Vec<String>,
    /// Whether it had more than it could say.
    #[serde(default)]
    pub more_macs: bool,
}
