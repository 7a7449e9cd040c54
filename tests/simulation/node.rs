//! One machine of the cluster: its software, its state directory, its clock, its resources.

use std::time::Duration;

use hbd::cluster::{
    Adoption, Core, EXTENSIONS, Event, GroupSet, Instant, KnownPeer, Set, Settings, Step, WitnessRules, WitnessStamp,
};
use hbd::config::{Address, AutoFailback, Connectivity, Fingerprint, Group, Health, Resource, ResourceKind, Timing};
use hbd::wire::{Message, Value};

use crate::heartbeat::Heartbeat;
use crate::machine::Machine;
use crate::schedule::{Cluster, Kind};
use crate::units::{Everywhere, GROUPS, RESOURCES, Units};

/// The kernel removes a leased address at most this long after its last renewal: `valid_lft` is deadtime less 1 s,
/// and the removal comes up to a tenth later (docs/DECISIONS.md "Leases").
pub const LEASE: Duration = Duration::from_millis(3_300);

/// For how long the witness gives its key.
pub const TTL: Duration = Duration::from_secs(10);

/// What the words of each group begin with.
const GROUP_NAMES: [&str; GROUPS] = ["nodea", "nodeb", "third", "fourth", "fifth", "sixth"];

/// What a clock shows that goes as the world's does, when that goes a thousand seconds.
const TRUE: u32 = 1000;

/// The wall clock when virtual time was zero.
const WALL: i64 = 1_700_000_000;

/// A node's name.
pub fn name(index: usize) -> &'static str {
    ["nodea", "nodeb", "nodec", "noded"][index]
}

/// The intervals that every schedule uses.
pub fn timing() -> Timing {
    Timing {
        keepalive: Duration::from_secs(1),
        deadtime: Duration::from_secs(4),
        warntime: Duration::from_secs(2),
        initdead: Duration::from_secs(10),
        deadping: Duration::from_secs(4),
        max_rexmit_delay: Duration::from_millis(250),
    }
}

/// `preferred`: the node of each group.
fn groups(cluster: &Cluster, preferred: [usize; GROUPS]) -> Vec<Group> {
    let resource = |line: usize, word: String| {
        let kind = match word.ends_with("-0") && cluster.watched {
            true => ResourceKind::Address(Address {
                address: [10, 0, 0, line as u8 + 1].into(),
                prefix: None,
                device: None,
                label: None,
                broadcast: None,
            }),
            false if word.ends_with("-2") && cluster.everywhere == Everywhere::Shared => {
                ResourceKind::Unit(last_unit(0))
            }
            false => ResourceKind::Unit(format!("{word}.service")),
        };
        Resource { word, kind }
    };
    (0..cluster.groups)
        .map(|line| Group {
            node: name(preferred[line]).to_owned(),
            key: format!("{}-0", GROUP_NAMES[line]),
            resources: (0..RESOURCES).map(|index| resource(line, format!("{}-{index}", GROUP_NAMES[line]))).collect(),
            line: line + 1,
        })
        .collect()
}

/// The last unit of a group. With [`Everywhere::Shared`] the first one is all groups'.
fn last_unit(group: usize) -> String {
    format!("{}-2.service", GROUP_NAMES[group])
}

/// Two hbds that were never started, whose groups prefer the first of them and are one unit each. A unit that fails
/// moves its group.
pub fn pair_of_cores(groups: usize, witness: bool) -> [Core; 2] {
    let cluster = Cluster { groups, preferred: [0; GROUPS], witness, ..Cluster::pair() };
    [0, 1].map(|index| {
        let mut node = Node::new(index, &cluster);
        node.generation = 1;
        let mut settings = node.settings(index, &cluster, 1);
        settings.groups.iter_mut().for_each(|group| group.resources.truncate(1));
        Core::new(settings)
    })
}

/// What a node tells the other one of its files.
fn fingerprint(preferred: [usize; GROUPS]) -> Fingerprint {
    let digest = preferred.iter().fold(0, |digest, node| digest * 16 + node);
    Fingerprint { ha_cf: format!("{:016x}", 1), haresources: format!("{digest:016x}") }
}

/// What a daemon leaves to its successor.
#[derive(Debug)]
pub struct Left {
    pub held: GroupSet,
    pub returns: GroupSet,
    pub stopping: GroupSet,
    pub peer_off: bool,
    pub failback: bool,
    /// What somebody had stopped.
    pub stopped: Vec<(Step, Instant)>,
    /// How long nobody takes it; `None` without a witness.
    pub assured_for: Option<Duration>,
    /// When, by its own clock.
    pub at: Duration,
}

/// What waits for a daemon that does not get to run. Packets and inputs wait in different queues.
#[derive(Debug, Default)]
pub struct Stall {
    pub since: Duration,
    /// Each, and whether it is a word of the other node and not somebody's repetition.
    pub packets: Vec<(Event, bool)>,
    pub inputs: Vec<Event>,
    /// The addresses that the kernel has removed meanwhile, by their groups.
    pub expired: Vec<usize>,
}

impl Stall {
    pub fn queue(&mut self, event: Event, noticed: bool) {
        match event {
            Event::Received { .. } => self.packets.push((event, noticed)),
            Event::Deadline | Event::UnreadDeadline { .. } => {}
            _ => self.inputs.push(event),
        }
    }
}

/// A receive buffer that strangers keep full.
#[derive(Debug, Clone, Copy)]
pub struct Flood {
    pub until: Duration,
    /// How long a packet lies in the buffer.
    pub behind: Duration,
}

/// What survives a power failure.
#[derive(Debug, Clone, Default)]
struct OnDisk {
    generation: u64,
    known_peers: Vec<KnownPeer>,
    known_witness: Option<WitnessStamp>,
}

/// When a node last received a new status from each other node.
#[derive(Debug, Default)]
pub struct Statuses(Vec<Heard>);

#[derive(Debug)]
struct Heard {
    node: String,
    uuid: Option<Value>,
    /// Generation and sequence number.
    order: (u64, u64),
    at: Duration,
}

impl Statuses {
    /// `generation`: of a receiver that is an hbd. It does not believe an hbd that does not know it.
    pub fn heard(&mut self, now: Duration, message: &Message, generation: Option<u64>) {
        let knows = |heard: &str| {
            heard.split(' ').step_by(2).any(|known| generation.is_none_or(|own| known == format!("{own:x}")))
        };
        if message.text("hbd_heard").is_some_and(|heard| !knows(heard)) {
            return;
        }
        let number = |field| message.text(field).and_then(|text| u64::from_str_radix(text, 16).ok());
        let (Some("status"), Some(src)) = (message.kind(), message.text("src")) else { return };
        let (Some(generation), Some(seq)) = (number("hg"), number("seq")) else { return };
        let heard =
            Heard { node: src.to_owned(), uuid: message.get("srcuuid").cloned(), order: (generation, seq), at: now };
        match self.0.iter_mut().find(|known| known.node == heard.node) {
            // Two nodes with one name: the second is ignored while the first lives (02 §4.1).
            Some(known) if known.uuid != heard.uuid && now - known.at < timing().warntime => {}
            Some(known) if known.order < heard.order => *known = heard,
            Some(_) => {}
            None => self.0.push(heard),
        }
    }

    /// How long ago the last status came; `None` if the node may be declared dead by now.
    pub fn recent(&self, now: Duration, node: &str) -> Option<Duration> {
        let Heard { at, .. } = self.0.iter().find(|known| known.node == node)?;
        // A keepalive less than deadtime: the first status of a new incarnation is dropped when later packets have
        // overtaken it, so a node may have missed one status that is counted here.
        Some(now - *at).filter(|silence| *silence + timing().keepalive < timing().deadtime)
    }
}

/// One machine, see the module.
pub struct Node {
    pub machine: Option<Machine>,
    /// The incarnation of the software. What is under way for an earlier one is dropped.
    pub life: u64,
    pub units: Units,
    pub stall: Option<Stall>,
    pub flood: Option<Flood>,
    /// Whether the kernel removed an address in this incarnation, because its lease ended.
    pub lease_ended: bool,
    /// Until when the kernel keeps the addresses, where a witness is used.
    pub leased_until: Duration,
    /// When its next deadline is in the queue.
    pub wake: Option<Duration>,
    pub statuses: Statuses,
    /// When its systemd, or its kernel, has told the last thing.
    pub told: Duration,
    /// Whether this machine is connected to the LAN with the ping node and the clients.
    pub lan: bool,
    /// How far its wall clock was set, in seconds.
    pub clock: i64,
    /// How far its clocks go while the world's go a thousand seconds.
    rate: u32,
    /// The state directory is empty.
    pub state_lost: bool,
    /// The disk with the state directory takes nothing.
    pub disk_full: bool,
    /// What is on that disk. The rest is in a file system that the next boot of the machine empties.
    on_disk: OnDisk,
    /// What is kept of the other nodes.
    pub known_peers: Vec<KnownPeer>,
    /// How far the witness had come.
    known_witness: Option<WitnessStamp>,
    /// The state directory says that this node is in maintenance.
    pub maintenance: bool,
    /// The groups that it says are.
    pub left_alone: GroupSet,
    /// The preferred node of each group, as haresources says.
    pub file: [usize; GROUPS],
    /// The same as the daemon has read it that runs, or ran last.
    pub read: [usize; GROUPS],
    /// The protocol extensions that the installed hbd speaks.
    pub extensions: u32,
    /// The same of the daemon that runs, or ran last.
    pub speaks: u32,
    /// What the last daemon left, if it gave way to a successor.
    pub left: Option<Left>,
    /// Until when its peer waits for its successor, of which it may have heard nothing.
    pub waited_for: Duration,
    /// How long after that the successor starts.
    pub back_after: Duration,
    /// The daemon was told to stop.
    pub stops: bool,
    /// Until when a successor that hears nothing of its peer cannot know that it will not.
    pub listens_until: Duration,
    generation: u64,
    uuid: [u8; 16],
}

impl Node {
    pub fn new(index: usize, cluster: &Cluster) -> Self {
        let extensions = cluster.extensions.get(index).copied().unwrap_or(EXTENSIONS);
        Node {
            machine: None,
            life: 0,
            units: Units::default(),
            stall: None,
            flood: None,
            lease_ended: false,
            leased_until: Duration::ZERO,
            wake: None,
            statuses: Statuses::default(),
            told: Duration::ZERO,
            lan: true,
            clock: 0,
            rate: cluster.clocks.get(index).copied().unwrap_or(TRUE),
            state_lost: false,
            disk_full: false,
            on_disk: OnDisk::default(),
            known_peers: Vec::new(),
            known_witness: None,
            maintenance: false,
            left_alone: GroupSet::NONE,
            file: cluster.preferred,
            read: cluster.preferred,
            extensions,
            speaks: extensions,
            left: None,
            waited_for: Duration::ZERO,
            back_after: Duration::ZERO,
            stops: false,
            listens_until: Duration::ZERO,
            generation: 0,
            uuid: [index as u8 + 1; 16],
        }
    }

    /// Keeps this of another node.
    pub fn remember(&mut self, known: KnownPeer) {
        self.known_peers.retain(|other| other.node != known.node);
        self.known_peers.push(known);
        self.save();
    }

    /// Keeps this of the witness.
    pub fn remember_witness(&mut self, stamp: WitnessStamp) {
        self.known_witness = Some(stamp);
        self.save();
    }

    /// Whether this node would know a witness that is at that revision for one that has gone back.
    pub fn has_seen_witness_beyond(&self, revision: u64) -> bool {
        let beyond = |stamp: Option<WitnessStamp>| stamp.is_some_and(|stamp| stamp.revision > revision);
        beyond(self.known_witness) && beyond(self.on_disk.known_witness)
    }

    /// What is kept goes to the disk, if that takes it.
    fn save(&mut self) {
        if !self.disk_full {
            self.on_disk = OnDisk {
                generation: self.generation,
                known_peers: self.known_peers.clone(),
                known_witness: self.known_witness,
            };
        }
    }

    /// The generation of the daemon that runs, or ran last.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// What its monotonic clock shows at that moment.
    pub fn clock_at(&self, moment: Duration) -> Duration {
        moment * self.rate / TRUE
    }

    /// The first moment at which its monotonic clock shows this.
    pub fn moment_of(&self, shown: Duration) -> Duration {
        if self.rate == TRUE { shown } else { shown * TRUE / self.rate + Duration::from_nanos(1) }
    }

    pub fn wall(&self, now: Duration) -> Duration {
        let seconds = u64::try_from(WALL + self.clock).unwrap_or_default();
        self.clock_at(now) + Duration::from_secs(seconds)
    }

    /// What the daemon is started with.
    fn settings(&self, index: usize, cluster: &Cluster, seed: u64) -> Settings {
        let nodes: Vec<_> = (0..cluster.nodes.len()).map(|index| name(index).to_owned()).collect();
        Settings {
            node: name(index).to_owned(),
            nodes,
            uuid: self.uuid,
            generation: self.generation,
            timing: timing(),
            ping_nodes: if cluster.pings { vec!["router".to_owned()] } else { Vec::new() },
            hopfudge: 1,
            auto_failback: if cluster.failback { AutoFailback::On } else { AutoFailback::Off },
            failback: cluster.returns.policy(),
            arrangement: cluster.arrangement(),
            fencing: Vec::new(),
            connectivity: Connectivity { ipfail: cluster.pings, takeover_needs_ping: cluster.needs_ping },
            links: (0..cluster.links).map(|link| format!("eth{}", link + 1)).collect(),
            groups: if cluster.serves() { groups(cluster, self.file) } else { Vec::new() },
            seed,
            leftovers: Default::default(),
            everywhere: match cluster.everywhere {
                Everywhere::None => Vec::new(),
                _ => (0..cluster.groups).map(last_unit).collect(),
            },
            health: Health::default(),
            fingerprint: fingerprint(self.file),
            shared_items: Default::default(),
            tickle: false,
            checks: Vec::new(),
            known_peers: self.known_peers.clone(),
            witness: cluster.witness.then_some(WitnessRules { required: true, ttl: TTL }),
            known_witness: self.known_witness,
            extensions: self.extensions,
        }
    }

    /// Reads the state directory and starts the software.
    pub fn boot(&mut self, index: usize, cluster: &Cluster, now: Duration, seed: u64) {
        if std::mem::take(&mut self.state_lost) {
            // 02 §4.1: wall clock plus one. Where the clock was also set back behind the old generation (02 §13 trap
            // 6), no node can do anything about it: the simulator leaves that out.
            self.generation = self.generation.max(self.wall(now).as_secs());
            self.uuid[0] = self.uuid[0].wrapping_add(0x10);
            self.known_peers.clear();
            self.known_witness = None;
        }
        self.generation += 1;
        if self.disk_full {
            // As src/daemon/identity.rs: the disk will say after the next boot what it says now.
            self.generation = self.generation.max(self.wall(now).as_secs());
        }
        self.save();
        self.life += 1;
        if cluster.nodes[index] == Kind::Hbd {
            self.units.everywhere = cluster.everywhere;
        }
        let settings = self.settings(index, cluster, seed);
        self.speaks = self.extensions;
        self.machine = Some(match cluster.nodes[index] {
            Kind::Hbd => Machine::Hbd(Box::new(Core::new(settings))),
            Kind::Heartbeat => Machine::Heartbeat(Box::new(Heartbeat::new(settings))),
        });
    }

    /// What the daemon that starts takes up, and what of it prefers another node by now, as src/daemon/succession.rs
    /// finds it.
    pub fn to_adopt(&self, left: &Left, watched: bool) -> Adoption {
        let changed = left.held.iter().filter(|group| self.file[*group] != self.read[*group]);
        let moved = GroupSet::new(changed, Set::NONE).with(left.returns);
        // An address that has lost its lease may be another's by now.
        let there = (0..GROUPS).filter(|group| !watched || self.units.running[*group][0]);
        let there = GroupSet::new(there, left.held.empty());
        Adoption {
            held: left.held.common(there),
            moved,
            failback: left.failback,
            assured_until: left.assured_for.map(|span| Instant(left.at + span)),
            peer_off: left.peer_off,
            stopping: left.stopping,
            lapsed: left.held.without(there),
            stopped: left.stopped.clone(),
        }
    }

    /// The daemon ends, and what it ran runs on. Returns how soon the next one starts.
    pub fn hand_over(&mut self, left: Left) -> Duration {
        self.machine = None;
        self.life += 1;
        (self.stall, self.wake, self.left) = (None, None, Some(left));
        self.statuses = Statuses::default();
        self.back_after
    }

    /// Whether a real Heartbeat that is not in transition reports the opposite of what is true for `group`: either
    /// its takeover and its standby ran at the same time (03 §4.6), or its late `mach_down` claims what it has given
    /// away since.
    pub fn is_wrong_about(&self, group: usize) -> bool {
        let running = self.units.running[group][0];
        let wrong = |machine: &Machine| {
            let heartbeat = matches!(machine, Machine::Heartbeat(_));
            heartbeat && !machine.in_transition() && machine.heartbeat_claims(group) != running
        };
        self.machine.as_ref().is_some_and(wrong)
    }

    /// The groups whose address is here.
    pub fn addresses(&self) -> Vec<usize> {
        (0..GROUPS).filter(|group| self.units.running[*group][0]).collect()
    }

    /// Power failure: the software and everything it ran are gone.
    pub fn power_off(&mut self) {
        self.end();
        self.units.running = Default::default();
        let OnDisk { generation, known_peers, known_witness } = self.on_disk.clone();
        (self.generation, self.known_peers, self.known_witness) = (generation, known_peers, known_witness);
    }

    /// The software has ended. What it ran is gone, but for the units that both nodes run.
    pub fn end(&mut self) {
        (self.machine, self.left) = (None, None);
        self.life += 1;
        self.units.end();
        self.stall = None;
        self.lease_ended = false;
        self.wake = None;
        self.statuses = Statuses::default();
    }
}
