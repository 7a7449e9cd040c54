//! The types that every other folder reads: what the files mean, without how it was written.
//!
//! Owns no parsing and no checking; a value of these types has been checked by [`super::load()`].

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::address_options::AddressOptions;
use super::arrangement::Arrangement;
use super::auth_method::AuthMethod;
use super::failback::FailbackPolicy;
use super::groups::Group;
use super::service_checks::ServiceCheck;
use super::unit_types::{UnitLimits, UnitPolicies};
use super::witness::WitnessSettings;

/// The configuration, checked as a whole (04).
#[derive(Debug, Clone, PartialEq)]
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
    /// What hbd.toml adds to that: when groups return.
    pub failback: FailbackPolicy,
    /// Which groups stay together or apart, and which start first.
    pub arrangement: Arrangement,
    /// Added to the number of nodes in the field `ttl`, 0–255. No node acts upon that field (02 §2).
    pub hopfudge: u8,
    /// Whether outgoing messages carry the inner `auth` field (01 §1.4.1).
    pub message_format: MessageFormat,
    /// How what we send is compressed.
    pub compression: Compression,
    /// `cluster`: a label, for people only.
    pub cluster: String,
    /// `log_badpack`: whether packets that are ignored are logged as well as counted.
    pub log_badpack: bool,
    /// Where the generation number comes from (02 §4.1).
    pub generation_method: GenerationMethod,
    /// Where our uuid comes from (02 §4.1).
    pub uuid_from: UuidFrom,
    /// The resource groups of haresources in file order.
    pub groups: Vec<Group>,
    /// `name` in `[groups]` of hbd.toml: one entry for each of `groups`, in the same order.
    pub group_names: Vec<Option<String>>,
    /// `respawn` and `failfast`: programs that run while this node is active, in file order.
    pub children: Vec<Child>,
    /// The environment of every program that hbd starts: `env`, and the directives of ha.cf as `HA_NAME` (04 §1.12).
    pub environment: Vec<(String, String)>,
    /// `logfacility`, a lower-case syslog name; `None` for `none` or absent.
    pub log_facility: Option<String>,
    /// `logfile`: where records go besides the journal; `None` for `/dev/null` or absent.
    pub log_file: Option<PathBuf>,
    /// `debugfile`: where records and debug messages go besides the journal; `None` for `/dev/null` or absent.
    pub debug_file: Option<PathBuf>,
    /// `syslogmsgfmt`: whether the lines of these files have the form of syslog.
    pub syslog_format: bool,
    /// `debug` level 0–255.
    pub debug: u8,
    /// `watchdog` device.
    pub watchdog: Option<PathBuf>,
    /// `[watchdog]` of hbd.toml.
    pub watchdog_policy: WatchdogPolicy,
    /// `realtime`: whether the core thread asks for a realtime class and locked memory.
    pub realtime: bool,
    /// `rtprio`, 1–99.
    pub rtprio: u8,
    /// The devices that reset other nodes. A node without an entry cannot be reset.
    pub fencing: Vec<FenceDevice>,
    /// Which decisions depend on ping nodes.
    pub connectivity: Connectivity,
    /// `require` in `[keys]` of hbd.toml: the weakest method that signs and is believed.
    pub required_method: AuthMethod,
    /// `[record]` of hbd.toml.
    pub recording: Recording,
    /// `lease` in `[addresses]` of hbd.toml: whether addresses get a lifetime in the kernel.
    pub lease: bool,
    /// `[addresses]` and `[groups]` of hbd.toml: one entry for each of `groups`, in the same order.
    pub policies: Vec<AddressPolicy>,
    /// How their addresses are put on an interface and announced, in the same order.
    pub address_options: Vec<AddressOptions>,
    /// `[units]` of hbd.toml: the limits of all units.
    pub limits: UnitLimits,
    /// `[units]` and `[units."UNIT"]` of hbd.toml: what hbd may do to a unit.
    pub units: UnitPolicies,
    /// `[health]` of hbd.toml.
    pub health: Health,
    /// `check` and `ready` in `[groups]` of hbd.toml.
    pub checks: Vec<ServiceCheck>,
    /// `[notify]` of hbd.toml; `None` without a program.
    pub notify: Option<NotifyProgram>,
    /// `[witness]` of hbd.toml.
    pub witness: Option<WitnessSettings>,
}

impl Config {
    /// What people call the group at this place of `groups`: its name, or its key if it has none.
    pub fn group_name(&self, group: usize) -> &str {
        let key = || self.groups.get(group).map_or("", |group| group.key.as_str());
        self.group_names.get(group).and_then(Option::as_deref).unwrap_or_else(key)
    }

    /// The same of each group, in the order of `groups`.
    pub fn names_of_groups(&self) -> impl Iterator<Item = &str> {
        (0..self.groups.len()).map(|group| self.group_name(group))
    }
}

/// What to do about an address of ours that another machine uses: `[addresses]` and `[groups]` of hbd.toml
/// (docs/DECISIONS.md "The peer is silent but its address is answered", "Somebody claims an address we serve").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AddressPolicy {
    /// What to do when the peer is dead and an address of its groups is still answered.
    pub conflict: OnAnswer,
    /// A TCP port. An address that is answered while this port of it is not counts as dead after one `deadtime`.
    pub probe: Option<u16>,
    /// What to do when another machine claims an address that this node serves.
    pub on_claim: OnClaim,
}

/// `conflict`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnAnswer {
    /// Do not take the groups until the address is no longer answered.
    #[default]
    Hold,
    /// Take them, as Heartbeat does.
    Takeover,
}

/// `on_claim`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnClaim {
    /// Release the groups: always to a real Heartbeat, which never yields; to an hbd only those that prefer its node.
    #[default]
    Yield,
    /// Go on serving the address.
    Defend,
}

/// The device that resets one node (04 §8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FenceDevice {
    /// The node, lower case.
    pub node: String,
    /// Tried in this order until one succeeds; never empty.
    pub agents: Vec<FenceAgent>,
}

/// How long a fencing program may take where the configuration says nothing else.
pub(super) const FENCE_TIMEOUT: Duration = Duration::from_secs(60);

/// One program that can switch a node off.
#[derive(Clone, PartialEq, Eq)]
pub struct FenceAgent {
    /// As it was written: `fence_ipmilan`, `external/ipmi`.
    pub name: String,
    /// How hbd calls it.
    pub protocol: FenceProtocol,
    /// How long it may run; then it has failed.
    pub timeout: Duration,
}

impl std::fmt::Debug for FenceAgent {
    /// Leaves the parameters out: they are passwords.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FenceAgent").field("name", &self.name).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// How a fencing program is called.
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
    /// `meatware`: an operator resets the node and confirms it with `hbctl confirm-fenced`.
    Human,
}

/// Which decisions depend on ping nodes: ipfail of ha.cf, and `[ipfail]` of hbd.toml (03 §10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Connectivity {
    /// Whether the node that reaches more ping nodes serves: `enabled`; if that is absent, whether ha.cf starts
    /// ipfail.
    pub ipfail: bool,
    /// `takeover_needs_ping`: whether a node that reaches no ping node takes nothing from a silent node.
    pub takeover_needs_ping: bool,
}

/// RuntimeWatchdogSec= that hbd sets where systemd does not feed the watchdog yet. PID 1 may be busy for a while,
/// with a daemon-reload for instance, so the time is generous. The end of a hanging hbd does not depend on it
/// (WatchdogSec=).
pub const RUNTIME_WATCHDOG: Duration = Duration::from_secs(20);

/// `[watchdog]` of hbd.toml.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchdogPolicy {
    /// What feeds the device that `watchdog` names.
    pub feeder: Feeder,
    /// What happens when systemd has killed an hbd that hung (WatchdogSec=).
    pub on_hang: OnHang,
}

/// `feeder` in `[watchdog]` of hbd.toml.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Feeder {
    /// PID 1. The machine resets when PID 1 hangs; PID 1 kills an hbd that hangs.
    #[default]
    Systemd,
    /// hbd, as Heartbeat does. The machine resets when hbd has been gone for longer than the device's time-out.
    Hbd,
}

/// `on_hang` in `[watchdog]` of hbd.toml.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnHang {
    /// systemd starts another hbd, which adopts what still runs; if the peer would take over first, everything is
    /// released.
    #[default]
    Restart,
    /// What hbd held is released, and the machine reboots at once.
    Reboot,
}

/// `[notify]` of hbd.toml: the program that is told what happens to groups and nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifyProgram {
    /// The program's absolute path and its first arguments.
    pub command: Vec<String>,
    /// How long one run of it may take.
    pub timeout: Duration,
    /// Whether it is called as keepalived calls its `notify` scripts.
    pub keepalived: bool,
}

impl Default for NotifyProgram {
    fn default() -> NotifyProgram {
        NotifyProgram { command: Vec::new(), timeout: Duration::from_secs(30), keepalived: false }
    }
}

/// `[health]` of hbd.toml: what happens when a unit fails that runs here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Whether hbd reacts to the failure of a unit.
    pub enabled: bool,
    /// How often within `within` a unit is started again here before its group moves to the peer.
    pub restarts: u32,
    /// After this time a failure is forgotten.
    pub within: Duration,
    /// The groups to which hbd does not react, each named by its first resource.
    pub except: Vec<String>,
    /// What happens when somebody stops a unit that is to run here.
    #[serde(default)]
    pub stopped: WhenStopped,
}

/// `stopped` in `[health]` of hbd.toml.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenStopped {
    /// The unit is left alone, and every status says so.
    #[default]
    Leave,
    /// hbd starts the unit again.
    Restart,
}

impl Default for Health {
    fn default() -> Health {
        Health {
            enabled: true,
            restarts: 2,
            within: Duration::from_secs(600),
            except: Vec::new(),
            stopped: WhenStopped::Leave,
        }
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
    /// Silence after which a late heartbeat is logged.
    pub warntime: Duration,
    /// Silence after which a node is dead while this node starts.
    pub initdead: Duration,
    /// Silence after which a ping node is dead.
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
    /// Heartbeat's first protocol, without an exchange between the nodes. An absent directive means this.
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

/// `compression`, and `traditional_compression` with its threshold (01 §1.7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Compression {
    /// The method.
    pub algorithm: Algorithm,
    /// Above how many bytes a message is compressed as a whole; `None`: only where it would be too large otherwise.
    pub threshold: Option<usize>,
}

/// `compression`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Algorithm {
    /// RFC 1950, level 6.
    #[default]
    Zlib,
    /// bzip2 with blocks of 100 kB.
    Bz2,
}

/// A program of a `respawn` or `failfast` line (04 §9).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    /// The unit that hbd makes for it.
    pub unit: String,
    /// The user under which it runs.
    pub user: String,
    /// The command line, as a shell reads it.
    pub command: String,
    /// Whether the machine reboots when the program dies.
    pub failfast: bool,
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
        /// The peer's address; a link-local address belongs to `device`.
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

    /// The network interface; `None` for a serial line.
    pub fn interface(&self) -> Option<&str> {
        match self {
            Medium::Ucast { device, .. } | Medium::Bcast { device } | Medium::Mcast { device, .. } => Some(device),
            Medium::Serial { .. } => None,
        }
    }
}

/// A host, or a group of hosts, that is pinged: `ping`, `ping6` or `ping_group` of ha.cf (01 §1.8.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PingNode {
    /// The node's name: the host as written, or the group's name.
    pub name: String,
    /// The hosts that are pinged; an answer of one is enough. Never empty.
    pub hosts: Vec<IpAddr>,
}
