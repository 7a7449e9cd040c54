//! The types every other room reads: what the files mean, with no trace of how they were written.
//!
//! Owns no parsing and no checking; a value of these types has been checked by [`super::load()`].

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Everything hbd was told, checked as a whole (spec 04).
#[derive(Debug, Clone)]
pub struct Config {
    /// Our own node name, lower case (`uname -n` or nodeinfo, 02 §4.1).
    pub node: String,
    /// All normal nodes in ha.cf order, lower case, ourselves included.
    pub nodes: Vec<String>,
    /// Ping nodes in ha.cf order (01 §1.8.4).
    pub ping_nodes: Vec<PingNode>,
    /// The intervals of ha.cf.
    pub timing: Timing,
    /// Heartbeat media in ha.cf order.
    pub media: Vec<Medium>,
    /// UDP port of ucast and bcast, 1–65535.
    pub udpport: u16,
    /// Speed of serial media, bits per second, one of those that [`Medium::Serial`] takes: 9600 to 460800.
    pub baud: u32,
    /// Whether resources return to their preferred node.
    pub auto_failback: AutoFailback,
    /// Added to the number of nodes in `ttl`, 0–255 (decoration, 02 §2).
    pub hopfudge: u8,
    /// Whether outgoing messages carry the inner `auth` field (01 §1.4.1).
    pub message_format: MessageFormat,
    /// Where the generation number comes from (02 §4.1).
    pub generation_method: GenerationMethod,
    /// Where our uuid comes from (02 §4.1).
    pub uuid_from: UuidFrom,
    /// The resource groups of haresources in file order.
    pub groups: Vec<Group>,
    /// `logfacility`, a lower-case syslog name; `None` for `none` or absent.
    pub log_facility: Option<String>,
    /// `logfile`: where records go besides the journal; `None` for `/dev/null` or absent.
    pub log_file: Option<PathBuf>,
    /// `debugfile`: the same with debug messages.
    pub debug_file: Option<PathBuf>,
    /// `syslogmsgfmt`: the lines of these files look as syslog writes them.
    pub syslog_format: bool,
    /// `debug` level 0–255.
    pub debug: u8,
    /// `watchdog` device.
    pub watchdog: Option<PathBuf>,
    /// `realtime`: whether the core thread asks for a realtime class and locked memory.
    pub realtime: bool,
    /// `rtprio`, 1–99.
    pub rtprio: u8,
    /// What can reset the other nodes; a node that is not here cannot be reset.
    pub fencing: Vec<FenceDevice>,
    /// What ping nodes decide.
    pub connectivity: Connectivity,
    /// `[record]` of hbd.toml.
    pub recording: Recording,
    /// `[addresses]` of hbd.toml.
    pub lease: bool,
    /// `[addresses]` and `[groups]` of hbd.toml: one entry for each of `groups`, in the same order.
    pub policies: Vec<AddressPolicy>,
    /// `[units]` of hbd.toml.
    pub limits: UnitLimits,
    /// `[health]` of hbd.toml.
    pub health: Health,
}

/// What to do about an address of ours that somebody else uses (hbd.toml, shared decisions).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AddressPolicy {
    /// The peer is dead, and its address is still answered.
    pub conflict: OnAnswer,
    /// A TCP port: an address that is answered, but whose service there is not, counts as dead after a dead time.
    pub probe: Option<u16>,
    /// Somebody claims an address that we serve.
    pub on_claim: OnClaim,
}

/// `conflict`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnAnswer {
    /// Do not take the groups until nobody answers.
    #[default]
    Hold,
    /// Take them, as Heartbeat does.
    Takeover,
}

/// `on_claim`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnClaim {
    /// Give up to a real Heartbeat that is out of reach: it never will.
    #[default]
    Yield,
    /// Go on serving.
    Defend,
}

/// What can reset a node (04 §8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FenceDevice {
    /// The node.
    pub node: String,
    /// Tried in turn; never empty.
    pub agents: Vec<FenceAgent>,
}

/// One program that can switch a node off.
#[derive(Clone, PartialEq, Eq)]
pub struct FenceAgent {
    /// As it was written: `fence_ipmilan`, `external/ipmi`.
    pub name: String,
    /// How it is spoken to.
    pub protocol: FenceProtocol,
    /// After how long it has failed.
    pub timeout: Duration,
}

impl std::fmt::Debug for FenceAgent {
    /// Parameters are passwords.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FenceAgent").field("name", &self.name).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// How a fencing program is spoken to.
#[derive(Clone, PartialEq, Eq)]
pub enum FenceProtocol {
    /// A fence agent: `name=value` lines on its standard input (04 §8.6).
    Agent {
        /// The program.
        path: PathBuf,
        /// What the configuration says, in its order.
        parameters: Vec<(String, String)>,
    },
    /// cluster-glue's `stonith` (04 §8.5).
    Stonith {
        /// The program.
        program: PathBuf,
        /// The type of the device.
        kind: String,
        /// Its parameters by position.
        parameters: String,
    },
    /// `meatware`: somebody is to do it and say so.
    Human,
}

/// What ping nodes decide: ipfail of ha.cf, and `[ipfail]` of hbd.toml (03 §10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Connectivity {
    /// `enabled`, else whether ha.cf starts ipfail: the node that sees more ping nodes serves.
    pub ipfail: bool,
    /// `takeover_needs_ping`: who sees no ping node takes nothing from a node that fell silent.
    pub takeover_needs_ping: bool,
}

/// `[units]` of hbd.toml: how long units may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitLimits {
    /// After how long a start has failed. systemd's own TimeoutStartSec= is usually shorter and says more.
    pub start: Duration,
    /// After how long what does not stop is killed.
    pub stop: Duration,
    /// What happens when a resource has not stopped after ten attempts.
    pub stop_failure: StopFailure,
}

impl Default for UnitLimits {
    fn default() -> UnitLimits {
        let limit = Duration::from_secs(300);
        UnitLimits { start: limit, stop: limit, stop_failure: StopFailure::Retry }
    }
}

/// `stop_failure` in `[units]` of hbd.toml.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopFailure {
    /// Try again for ever; the peer does not get the group meanwhile.
    Retry,
    /// Reboot the machine at once, as Heartbeat does (03 §9.2): the peer takes over after its dead time.
    Reboot,
}

/// `[health]` of hbd.toml: what happens when a unit fails that runs here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Whether anything happens.
    pub enabled: bool,
    /// How often a unit is started again here, within `within`, before its group goes to the peer.
    pub restarts: u32,
    /// After this time a failure is forgotten.
    pub within: Duration,
    /// First resources of the groups that are left alone.
    pub except: Vec<String>,
}

impl Default for Health {
    fn default() -> Health {
        Health { enabled: true, restarts: 2, within: Duration::from_secs(600), except: Vec::new() }
    }
}

/// `[record]` of hbd.toml: the ring of events that the daemon keeps for `hbd --replay`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recording {
    /// Whether anything is recorded.
    pub enabled: bool,
    /// What all files of the ring may take together, in MiB, 2–65536.
    pub megabytes: u64,
}

impl Default for Recording {
    fn default() -> Recording {
        Recording { enabled: true, megabytes: 16 }
    }
}

/// The intervals of ha.cf (04 §1.7). All positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// Interval of status messages.
    pub keepalive: Duration,
    /// Silence after which a node is dead.
    pub deadtime: Duration,
    /// Silence that earns a "Late heartbeat" warning.
    pub warntime: Duration,
    /// Dead time while we start.
    pub initdead: Duration,
    /// Dead time of ping nodes.
    pub deadping: Duration,
    /// Upper bound of the first, and the period of further retransmission requests.
    pub max_rexmit_delay: Duration,
}

/// `auto_failback` (03 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AutoFailback {
    /// Resources return to their preferred node when it does.
    On,
    /// Resources stay where they are.
    Off,
    /// Heartbeat's first protocol; also what an absent directive means.
    Legacy,
}

/// `msgfmt` (01 §1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MessageFormat {
    /// Netstring datagrams with an inner `auth` field: what a default 3.0.6 sends.
    Classic,
    /// Netstring datagrams without it.
    Netstring,
}

/// `hbgenmethod` (02 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum GenerationMethod {
    /// A counter in `/var/lib/heartbeat/hb_generation`.
    File,
    /// Wall-clock seconds at start.
    Time,
}

/// `uuidfrom` (02 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UuidFrom {
    /// `/var/lib/heartbeat/hb_uuid`.
    File,
    /// Derived from the node name.
    NodeName,
}

/// One heartbeat medium, that is one line or word of ha.cf (01 §1.8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Medium {
    /// `ucast DEV PEER` or `ucast6 DEV ADDR`.
    Ucast {
        /// Local interface; also the link's name.
        device: String,
        /// The peer's address. A link-local one is meant on `device`.
        peer: IpAddr,
    },
    /// `bcast DEV`.
    Bcast {
        /// Local interface; also the link's name.
        device: String,
    },
    /// `mcast DEV GROUP PORT TTL LOOP` or `mcast6 DEV GROUP PORT HOPS LOOP`.
    Mcast {
        /// Local interface; also the link's name.
        device: String,
        /// The multicast group.
        group: IpAddr,
        /// UDP port, 1–65535: a medium of this kind does not use `udpport`.
        port: u16,
        /// TTL or hop limit of what we send, 0–4.
        ttl: u8,
        /// Whether what we send comes back to this machine.
        looped: bool,
    },
    /// `serial DEV`.
    Serial {
        /// Path of the device; also the link's name.
        device: String,
    },
}

impl Medium {
    /// The link's name as logs show it (01 §1.8.1): the interface for UDP media, the path of a serial device.
    pub fn link_name(&self) -> &str {
        match self {
            Medium::Ucast { device, .. }
            | Medium::Bcast { device }
            | Medium::Mcast { device, .. }
            | Medium::Serial { device } => device,
        }
    }
}

/// A host, or a group of hosts, that is pinged: `ping`, `ping6` or `ping_group` of ha.cf (01 §1.8.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PingNode {
    /// The node's name: the host as written, or the group's name.
    pub name: String,
    /// Whom to ping; any one answer will do. Never empty.
    pub hosts: Vec<IpAddr>,
}

/// One logical line of haresources: resources that move together (03 §2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The preferred node, lower case.
    pub node: String,
    /// The first resource as written: the group's name on the wire and in logs.
    pub key: String,
    /// Resources in start order; stopped in reverse. Never empty.
    pub resources: Vec<Resource>,
    /// Line of haresources, from 1.
    pub line: usize,
}

/// One word of haresources with what it means here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// The word as written.
    pub word: String,
    /// What hbd does for it.
    pub kind: ResourceKind,
}

/// What a resource word means (03 §2.3, §15).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResourceKind {
    /// A virtual address, handled natively.
    Address(Address),
    /// A systemd unit, with its suffix (`apache2.service`).
    Unit(String),
    /// A unit that hbd makes when it starts the resource.
    Transient(Transient),
}

impl ResourceKind {
    /// The unit that stands for the resource; `None` for an address.
    pub fn unit(&self) -> Option<&str> {
        match self {
            ResourceKind::Address(_) => None,
            ResourceKind::Unit(unit) | ResourceKind::Transient(Transient { unit, .. }) => Some(unit),
        }
    }
}

/// A unit that haresources describes and nobody wrote: made with `StartTransientUnit`, gone when it has stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transient {
    /// Its name with its suffix.
    pub unit: String,
    /// What it is made of.
    pub recipe: Recipe,
}

/// What a transient unit is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recipe {
    /// A `.mount` unit.
    Mount(Mount),
    /// A `.service` unit around a resource script or an OCF agent.
    Script(Script),
}

/// `Filesystem::…` (03 §2.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// What is mounted: a device node, `host:/export`, `//host/share`, a directory to bind.
    pub device: String,
    /// Where: an absolute path, made if it is missing.
    pub directory: String,
    /// File system type; `None`: mount(8) finds out.
    pub fstype: Option<String>,
    /// Options of mount(8), separated by commas.
    pub options: Option<String>,
}

/// A resource script or an OCF agent (03 §2.3, §12.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// The program and the arguments before the operation. Never empty.
    pub command: Vec<String>,
    /// How it tells whether the resource runs.
    pub dialect: Dialect,
    /// Names and values.
    pub environment: Vec<(String, String)>,
}

/// How a script tells whether its resource runs (03 §2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dialect {
    /// `status` prints it, the exit status does not count: Heartbeat's and LSB scripts.
    Text,
    /// `monitor` exits with 0 if it runs, with 7 if it does not: OCF agents.
    Codes,
}

/// A virtual address as haresources gives it (03 §2.4); what is absent is derived from the routes when it is added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// The address.
    pub address: IpAddr,
    /// Prefix length 1–32, with IPv6 1–128.
    pub prefix: Option<u8>,
    /// Interface.
    pub device: Option<String>,
    /// Interface label (`eth0:1`), at most 15 bytes; none with IPv6.
    pub label: Option<String>,
    /// Broadcast address; none with IPv6.
    pub broadcast: Option<Ipv4Addr>,
}
