//! What hbd knows, as plain data: the daemon writes it, the bus shows it, `hbctl` reads it back.

use serde::{Deserialize, Serialize};

/// Everything at one moment. Durations and times are microseconds, as everywhere on D-Bus.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// Version of hbd.
    pub version: String,
    /// Our node name.
    pub node: String,
    /// `cluster` of ha.cf, a label.
    pub cluster: String,
    /// Our own state: `init`, `up`, `active`, `stopping`.
    pub state: String,
    /// What we hold: `none`, `local`, `foreign`, `all`, or `transition`; a part of a class counts.
    pub resource_state: String,
    /// Whether this node's resources are left alone.
    #[serde(default)]
    pub maintenance: bool,
    /// Whether the two nodes move groups one by one; if not, all groups that prefer one node move together.
    #[serde(default)]
    pub groups_move_alone: bool,
    /// What a move waits for before it begins; empty for nothing.
    pub awaited: String,
    /// The same as one of a few: `this-node`, `other-node`, `exchange`; empty for nothing.
    #[serde(default)]
    pub awaited_reason: String,
    /// The number of the job that waits, if one shows it. Jobs show it on the bus, and nothing else.
    #[serde(skip)]
    pub awaiting_job: Option<u32>,
    /// What was last heard of the witness, without subject and full stop; empty if none is configured.
    #[serde(default)]
    pub witness: String,
    /// Whether the witness answers.
    #[serde(default)]
    pub witness_answers: bool,
    /// Whether the witness has given its key to this node.
    #[serde(default)]
    pub witness_key: bool,
    /// Whether nothing is taken or kept without the witness while the other node is not heard.
    #[serde(default)]
    pub witness_required: bool,
    /// `auto_failback`: `on`, `off`, `legacy`.
    pub auto_failback: String,
    /// Our generation number (02 §4.1).
    pub generation: u64,
    /// `keepalive`.
    pub keepalive_usec: u64,
    /// `warntime`.
    pub warntime_usec: u64,
    /// `deadtime`.
    pub deadtime_usec: u64,
    /// `initdead`.
    pub initdead_usec: u64,
    /// The nodes in ha.cf order, ourselves included, ping nodes last.
    pub nodes: Vec<NodeSnapshot>,
    /// The links in ha.cf order, each once for every node that is heard on it.
    pub links: Vec<LinkSnapshot>,
    /// The resource groups in haresources order.
    pub groups: Vec<GroupSnapshot>,
    /// Fencing devices that do not answer, a sentence each.
    pub broken_devices: Vec<String>,
    /// What a start of hbd would not find, or finds wrong, as of now, a sentence each.
    #[serde(default)]
    pub start_problems: Vec<String>,
    /// The last decisions, oldest first.
    pub decisions: Vec<DecisionSnapshot>,
    /// How many decisions there were in all.
    #[serde(skip)]
    pub decided: u64,
}

/// Something that hbd decided or that decided something for it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DecisionSnapshot {
    /// When, CLOCK_REALTIME.
    pub usec: u64,
    /// PRIORITY of its record (syslog(3)): 2 critical, 3 error, 4 warning, 6 information.
    pub priority: u8,
    /// HBD_EVENT of its record.
    pub event: String,
    /// The node it is about; empty for none.
    pub node: String,
    /// The group it is about; empty for none.
    pub group: String,
    /// The record's text.
    pub text: String,
}

/// A node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NodeSnapshot {
    /// Its name.
    pub name: String,
    /// `normal` or `ping`.
    pub kind: String,
    /// Heartbeat's word: `init`, `up`, `active`, `dead`, `ping`.
    pub status: String,
    /// Whether this is our own node.
    pub local: bool,
    /// Whether the node runs hbd (and not Heartbeat).
    pub hbd: bool,
    /// Its generation number; 0 when never heard.
    pub generation: u64,
    /// The silence after which it is dead.
    pub deadtime_usec: u64,
    /// When it was last heard, CLOCK_REALTIME; 0 for never.
    pub last_status_usec: u64,
    /// What it says it holds: `none`, `local`, `foreign`, `all`, `transition`; empty for ping nodes.
    pub holds: String,
    /// Whether it has not decided yet what it holds, or is moving something.
    #[serde(default)]
    pub in_transition: bool,
    /// Whether it is in maintenance.
    #[serde(default)]
    pub maintenance: bool,
    /// How its last packet was signed, or ours are: `crc`, `md5`, `sha1`, `hmac-sha256`; empty before the first.
    #[serde(default)]
    pub signed_with: String,
    /// The number of the key that signed the last packet of another node; `None` before the first. Not shown on the
    /// bus: a reload looks at it.
    #[serde(skip)]
    pub signing_key: Option<u8>,
    /// The groups that it leaves alone, because an operator works on them; empty if it is in maintenance as a whole.
    #[serde(default)]
    pub left_alone: Vec<String>,
    /// The groups that it could not serve, or that move together with such a group.
    #[serde(default)]
    pub not_ready: Vec<String>,
    /// Digest of its ha.cf, as far as all nodes must have the same; empty if it did not say so.
    #[serde(default)]
    pub ha_cf_digest: String,
    /// Digest of its haresources; empty if it did not say so.
    #[serde(default)]
    pub haresources_digest: String,
    /// The files in which it differs from this node.
    #[serde(default)]
    pub differing: Vec<String>,
    /// What differs in them, a sentence without its full stop each.
    #[serde(default)]
    pub differences: Vec<String>,
    /// Why it is heard and does not count as alive; empty if that is not so.
    #[serde(default)]
    pub doubt: String,
}

/// A link to a node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LinkSnapshot {
    /// The node that is heard on it.
    pub node: String,
    /// The link's name, for UDP media the interface (01 §1.8.1).
    pub name: String,
    /// The words of ha.cf for what it is: `ucast`, `bcast`, `mcast`, `serial` or `ping`, several with commas.
    pub medium: String,
    /// `up` or `dead`.
    pub status: String,
    /// When the node was last heard on it, CLOCK_REALTIME; 0 for never.
    pub last_heard_usec: u64,
    /// What passed over it since the start, from and to all nodes; nothing of a ping node.
    pub traffic: Traffic,
}

/// Packets (texts, on a serial line) of a link's media on this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Traffic {
    /// Sent.
    pub sent: u64,
    /// Received, good and bad.
    pub received: u64,
    /// Not sent, for whatever reason.
    pub send_errors: u64,
    /// Received, but damaged or with a wrong signature.
    pub bad: u64,
}

/// A resource group, that is a line of haresources.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GroupSnapshot {
    /// What it is called: `name` of hbd.toml, or its key if it has none.
    pub name: String,
    /// Its key: its first resource as written (03 §2).
    #[serde(default)]
    pub key: String,
    /// The preferred node.
    pub preferred: String,
    /// `stopped`, `starting`, `active` (all of it runs), `degraded` (something of it does not), `stopping`, `failed`.
    pub state: String,
    /// The node that owns it as far as we know; empty for none.
    pub owner: String,
    /// Since when, CLOCK_REALTIME, as far as this hbd saw; 0 for nobody.
    pub owner_since_usec: u64,
    /// Why this node does not take it although its owner is dead; empty if nothing keeps it from that.
    pub held_back: String,
    /// The same as one of a few: `not-fenced`, `maintenance`, `isolated`, `witness`, `not-ready`, `answered`,
    /// `doubted`; empty if nothing keeps it from that.
    #[serde(default)]
    pub held_back_reason: String,
    /// The groups that move with it, as hbd.toml says (`together`).
    #[serde(default)]
    pub together: Vec<String>,
    /// The groups that an operator brings to no node where it is (`apart`).
    #[serde(default)]
    pub apart: Vec<String>,
    /// Whether it goes back to the node that it prefers by itself: auto_failback, and what hbd.toml says of it.
    #[serde(default)]
    pub fails_back: bool,
    /// Whether its owner, another node that runs hbd, says that not all of it runs there.
    #[serde(default)]
    pub degraded_there: bool,
    /// Whether another node says that it holds this group, which this node holds as well.
    #[serde(default)]
    pub contested: bool,
    /// Which machines answer for its addresses beside their owner, a sentence without its full stop each.
    #[serde(default)]
    pub strangers: Vec<String>,
    /// What waits before it goes back by itself from this node to the one that it prefers: `when-well` (that node is
    /// not there, or not well), `at` (a moment), `window` (a time of day), `soon`; empty if it does not go.
    #[serde(default)]
    pub returns: String,
    /// When, CLOCK_REALTIME; 0 unless `returns` is `at`.
    #[serde(default)]
    pub returns_at_usec: u64,
    /// At which time of day, `HH:MM-HH:MM` by the local clock; empty unless `returns` is `window`.
    #[serde(default)]
    pub returns_window: String,
    /// The nodes on which it failed, and to which it is not given back by itself, because of that.
    #[serde(default)]
    pub unfit: Vec<UnfitSnapshot>,
    /// The target that is active where the group is; empty if its key is too long for one.
    #[serde(default)]
    pub target: String,
    /// Its resources in start order.
    pub resources: Vec<ResourceSnapshot>,
    /// Its checks, as hbd.toml has them.
    #[serde(default)]
    pub checks: Vec<CheckSnapshot>,
}

/// A node that has failed a group, and gets it back when that is old, or an operator calls `cleanup` there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UnfitSnapshot {
    /// Its name.
    pub node: String,
    /// The resource, and why it failed; empty if that is not known.
    pub why: String,
    /// When the failure is too old to count, CLOCK_REALTIME; 0 if that is not known.
    pub until_usec: u64,
}

/// A check of a group, on this node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CheckSnapshot {
    /// What it does: `tcp 10.0.0.1:80`.
    pub name: String,
    /// `service` (does the group do its work here?) or `ready` (could this node serve it?).
    pub purpose: String,
    /// `off`, `untested`, `unknown`, `passing`, `failing`.
    pub state: String,
    /// Why it failed last, or could not be run; empty if the last run passed.
    pub reason: String,
    /// Since when it is in this state, CLOCK_REALTIME; 0 if it never ran.
    pub since_usec: u64,
}

/// A resource of a group.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ResourceSnapshot {
    /// The word of haresources.
    pub word: String,
    /// `address` or `unit`.
    pub kind: String,
    /// The address, or the unit's name.
    pub target: String,
    /// `stopped`, `starting`, `active`, `stopping`, `failed`, `restarting`, `stopped-by-hand`, `stopped-with`,
    /// `gone`, `unreachable`, `unknown`, `left-over`.
    pub state: String,
    /// Why it does not run as it should; empty if it does.
    #[serde(default)]
    pub why: String,
    /// How often it has failed on this node lately; `cleanup` forgets it.
    #[serde(default)]
    pub failures: u32,
}

impl Snapshot {
    /// The place of the group that somebody calls so, by its name or its key. No name is the key of another group.
    pub fn place_of(&self, word: &str) -> Option<usize> {
        self.groups.iter().position(|group| group.name == word || group.key == word)
    }

    /// The other node with resources; `None` if there is none.
    pub fn other_node(&self) -> Option<&NodeSnapshot> {
        self.nodes.iter().find(|node| node.kind == "normal" && !node.local)
    }

    /// What `org.hbd1.Manager` shows by its properties: all that the other objects do not show.
    pub(super) fn of_manager(&self) -> Snapshot {
        Snapshot {
            version: self.version.clone(),
            node: self.node.clone(),
            cluster: self.cluster.clone(),
            state: self.state.clone(),
            resource_state: self.resource_state.clone(),
            awaited: self.awaited.clone(),
            awaited_reason: self.awaited_reason.clone(),
            witness: self.witness.clone(),
            auto_failback: self.auto_failback.clone(),
            nodes: Vec::new(),
            links: Vec::new(),
            groups: Vec::new(),
            broken_devices: self.broken_devices.clone(),
            start_problems: self.start_problems.clone(),
            decisions: self.decisions.clone(),
            ..*self
        }
    }
}

impl GroupSnapshot {
    /// Whether it has one owner, and all of it runs there, as far as this node knows.
    pub fn is_healthy(&self) -> bool {
        let here = matches!(self.state.as_str(), "starting" | "active" | "degraded" | "failed");
        let whole = if here { self.state == "active" } else { self.state == "stopped" && !self.degraded_there };
        whole && !self.owner.is_empty() && !self.contested
    }
}
