//! What is done to a cluster and when: plain data, made from a seed or read from a regression file.

use std::fmt;
use std::time::Duration;

use hbd::cluster::{EXTENSIONS, Set};
use hbd::config::Arrangement;
use serde::{Deserialize, Serialize};

use crate::returns::Returns;
use crate::units::{Everywhere, FEW, GROUPS, Life, RESOURCES, Trouble, for_each_group};
use crate::world::World;
use hbd::util::random::SplitMix64;

/// What runs on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    Hbd,
    Heartbeat,
}

/// Which direction of a cable is cut, seen from the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    In,
    Out,
    Both,
}

/// The nodes and their cables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    pub nodes: Vec<Kind>,
    pub links: usize,
    /// How many groups there are.
    #[serde(default = "few")]
    pub groups: usize,
    /// The node that each of them prefers at first.
    #[serde(default = "in_turns", deserialize_with = "for_each_group")]
    pub preferred: [usize; GROUPS],
    /// The protocol extensions that each hbd speaks at first; an update gives it all of them.
    #[serde(default = "newest")]
    pub extensions: [u32; 2],
    /// The groups that stay together.
    #[serde(default)]
    pub together: Vec<Vec<usize>>,
    /// `auto_failback on`, or else `off`.
    pub failback: bool,
    /// A ping node, and ipfail on both.
    #[serde(default)]
    pub pings: bool,
    /// `takeover_needs_ping`.
    #[serde(default)]
    pub needs_ping: bool,
    /// The first resource of each group is an address, and hbd asks the LAN before it takes it.
    #[serde(default)]
    pub watched: bool,
    /// A router on the LAN answers for every address.
    #[serde(default)]
    pub proxy: bool,
    #[serde(default)]
    pub everywhere: Everywhere,
    #[serde(default)]
    pub returns: Returns,
    /// A witness is required.
    #[serde(default)]
    pub witness: bool,
    /// How far each node's clocks go while the witness's go a thousand seconds.
    #[serde(default = "true_clocks")]
    pub clocks: [u32; 2],
    /// Percent of the packets.
    pub loss: u64,
    pub duplicated: u64,
    pub reordered: u64,
}

fn few() -> usize {
    FEW
}

fn in_turns() -> [usize; GROUPS] {
    std::array::from_fn(|group| group % 2)
}

/// Clocks that go as the witness's do.
fn true_clocks() -> [u32; 2] {
    [1000; 2]
}

fn newest() -> [u32; 2] {
    [EXTENSIONS; 2]
}

impl Cluster {
    /// A pair of hbd nodes on one good cable.
    pub fn pair() -> Self {
        Cluster {
            nodes: vec![Kind::Hbd; 2],
            links: 1,
            groups: FEW,
            preferred: in_turns(),
            extensions: newest(),
            together: Vec::new(),
            failback: true,
            pings: false,
            needs_ping: false,
            watched: false,
            proxy: false,
            everywhere: Everywhere::None,
            returns: Returns::default(),
            witness: false,
            clocks: true_clocks(),
            loss: 0,
            duplicated: 0,
            reordered: 0,
        }
    }

    /// What hbd.toml says of the groups.
    pub fn arrangement(&self) -> Arrangement {
        Arrangement { together: self.together.clone(), ..Arrangement::default() }
    }

    /// Resources are for exactly two nodes (03 §1).
    pub fn serves(&self) -> bool {
        self.nodes.len() == 2
    }

    /// Whether the clocks of the nodes and of the witness run differently.
    pub fn clocks_differ(&self) -> bool {
        self.clocks != true_clocks()
    }

    pub fn mixed(&self) -> bool {
        self.nodes.contains(&Kind::Heartbeat)
    }

    fn random(random: &mut SplitMix64) -> Self {
        let nodes = match random.below(10) {
            0..=5 => vec![Kind::Hbd; 2],
            6 | 7 => vec![Kind::Hbd, Kind::Heartbeat],
            8 => vec![Kind::Heartbeat, Kind::Hbd],
            _ => vec![Kind::Hbd; random.between(3, 5) as usize],
        };
        let mut percent =
            |one_in: u64, most: u64| if random.below(one_in) == 0 { random.between(1, most) } else { 0 };
        let (loss, duplicated, reordered) = (percent(3, 15), percent(4, 20), percent(4, 20));
        let links = if random.below(3) == 0 { 2 } else { 1 };
        let failback = random.below(3) != 0;
        Cluster { nodes, links, failback, loss, duplicated, reordered, ..Cluster::pair() }
    }
}

/// Which part of what was recorded is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Part {
    /// Everything that anybody said, beginning so long ago.
    Ago { ms: u64 },
    /// How the other node started, so many of its lives ago.
    Start { lives_ago: usize },
    /// The last that the other node said in a life.
    End { lives_ago: usize },
}

/// One thing done to the cluster. Times are milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    Boot {
        node: usize,
    },
    /// Power failure: node and resources gone in the same moment.
    Crash {
        node: usize,
    },
    /// Power failure, and power again after a while.
    Blink {
        node: usize,
        for_ms: u64,
    },
    /// Only the daemon dies. systemd stops its resources and starts it again.
    Kill {
        node: usize,
    },
    /// Graceful stop.
    Stop {
        node: usize,
    },
    /// `systemctl restart hbd`: the daemon leaves what runs to its successor, which starts after a while.
    Restart {
        node: usize,
        after_ms: u64,
    },
    /// haresources is edited: the preferred node of each group. The next daemon reads it.
    Edit {
        node: usize,
        #[serde(deserialize_with = "for_each_group")]
        preferred: [usize; GROUPS],
    },
    /// The package of a newer release is installed: the next daemon speaks all extensions.
    Update {
        node: usize,
    },
    /// The state directory is empty at the next start.
    LoseState {
        node: usize,
    },
    /// The disk with the state directory takes nothing any more, or does again.
    FullDisk {
        node: usize,
        full: bool,
    },
    /// One link or all of them, as seen from a node.
    Cut {
        link: Option<usize>,
        node: usize,
        way: Way,
    },
    Heal,
    /// A node loses the LAN with the ping node and the clients, or gets it back. The heartbeat links are not touched.
    Lan {
        node: usize,
        up: bool,
    },
    /// A third machine uses the address of a group.
    Stranger {
        group: usize,
        for_ms: u64,
    },
    /// The daemon does not get to run.
    Stall {
        node: usize,
        for_ms: u64,
    },
    /// Strangers fill the receive buffer of an hbd, so that it reads everything that much later, and never comes to
    /// its end.
    Flood {
        node: usize,
        for_ms: u64,
        behind_ms: u64,
    },
    /// The wall clock is set.
    Clock {
        node: usize,
        by_s: i64,
    },
    Trouble {
        node: usize,
        trouble: Trouble,
        for_ms: u64,
    },
    Standby {
        node: usize,
        set: Set,
    },
    Takeover {
        node: usize,
        set: Set,
    },
    /// Groups by themselves, each a bit: to the other node, or here.
    Move {
        node: usize,
        groups: u8,
        here: bool,
    },
    /// What is to go back goes now.
    ReturnNow {
        node: usize,
        group: Option<usize>,
    },
    /// It stays.
    CancelReturn {
        node: usize,
        group: Option<usize>,
    },
    /// Something becomes of a resource without hbd's doing.
    Unit {
        node: usize,
        step: (usize, usize),
        life: Life,
    },
    /// Somebody without a key repeats to a node what was said once: so many milliseconds of it, so often.
    Replay {
        node: usize,
        part: Part,
        for_ms: u64,
        times: u64,
    },
    /// Somebody holds back what is sent to a node, and lets all of it go after this time.
    Hold {
        node: usize,
        for_ms: u64,
    },
    /// A node cannot reach the witness, or can again.
    WitnessCut {
        node: usize,
        cut: bool,
    },
    /// The witness answers nobody.
    WitnessDown {
        for_ms: u64,
    },
    /// A backup of the witness is restored.
    WitnessRestored,
    /// An operator begins or ends the maintenance of an hbd. Nothing else ends it, no crash and no restart.
    Maintenance {
        node: usize,
        on: bool,
    },
    /// The same of groups: a bit for each.
    GroupMaintenance {
        node: usize,
        groups: u8,
        on: bool,
    },
}

impl Fault {
    /// The same for a cluster of so many groups: another group is meant where there is none of that number.
    pub fn within(mut self, groups: usize) -> Fault {
        match &mut self {
            Fault::Stranger { group, .. }
            | Fault::Trouble { trouble: Trouble { step: (group, _), .. }, .. }
            | Fault::Unit { step: (group, _), .. }
            | Fault::ReturnNow { group: Some(group), .. }
            | Fault::CancelReturn { group: Some(group), .. } => *group %= groups,
            _ => {}
        }
        self
    }
}

/// A fault and the pause before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    pub pause_ms: u64,
    pub fault: Fault,
}

/// Everything that determines a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Determines what the schedule does not: delays and losses.
    pub seed: u64,
    pub cluster: Cluster,
    pub stages: Vec<Stage>,
}

/// After the last fault the cluster gets this long to settle: hbd's slowest retry is 30 s.
const REST: Duration = Duration::from_secs(75);
/// The same beside a real Heartbeat: its restart takes 23 s (03 §8.2), it asks for the standby of a failed group 30 s
/// late, and hbd waits 15 s after each of them before it acts.
const REST_MIXED: Duration = Duration::from_secs(180);

/// The longest move that begins at the end of that: two steps of a real Heartbeat for each word, and both groups.
const LAST_MOVE: Duration = Duration::from_secs(15);

/// The longest stop of a healthy real Heartbeat: half a second for each of its steps, the time to stop its resources,
/// and the two seconds between its last steps (02 §9.1).
const STOP: Duration = Duration::from_secs(15);

fn fault(random: &mut SplitMix64, cluster: &Cluster) -> Fault {
    let node = random.below(cluster.nodes.len() as u64) as usize;
    let set = [Set::ALL, Set::LOCAL, Set::FOREIGN][random.below(3) as usize];
    let way = [Way::Both, Way::Both, Way::In, Way::Out][random.below(4) as usize];
    match random.below(18) {
        0 | 1 => Fault::Crash { node },
        2 | 3 => Fault::Blink { node, for_ms: random.between(200, 3_900) },
        4 => Fault::Stop { node },
        5 | 6 => Fault::Cut {
            link: (random.below(2) == 0).then(|| random.below(cluster.links as u64) as usize),
            node,
            way,
        },
        7 | 8 => Fault::Heal,
        9 => Fault::Kill { node },
        10 => Fault::Stall { node, for_ms: random.between(200, 3_900) },
        11 => Fault::Stall { node, for_ms: random.between(4_000, 15_000) },
        12 => Fault::Clock { node, by_s: random.between(0, 20_000) as i64 - 10_000 },
        13 => Fault::LoseState { node },
        14 => {
            let step = (random.below(FEW as u64) as usize, random.below(RESOURCES as u64) as usize);
            let trouble = Trouble { step, start: random.below(2) == 0, hang: random.below(2) == 0 };
            Fault::Trouble { node, trouble, for_ms: random.between(500, 20_000) }
        }
        15 => Fault::Standby { node, set },
        16 => Fault::Takeover { node, set },
        _ => Fault::Boot { node },
    }
}

impl Schedule {
    pub fn random(seed: u64) -> Self {
        let mut random = SplitMix64::new(seed ^ 0x5eed);
        let cluster = Cluster::random(&mut random);
        let mut stages = Vec::new();
        let mut add = |pause_ms: u64, fault: Fault| stages.push(Stage { pause_ms, fault });
        add(0, Fault::Boot { node: 0 });
        (1..cluster.nodes.len()).for_each(|node| add(random.below(20_000), Fault::Boot { node }));
        for _ in 0..random.between(2, 8) {
            // Sometimes the cluster has settled before the next fault, sometimes it still reacts to the last one.
            let limit = if random.below(2) == 0 { 3_000 } else { 40_000 };
            add(random.below(limit), fault(&mut random, &cluster));
        }
        add(random.below(20_000), Fault::Heal);
        add(0, Fault::Boot { node: 0 });
        (1..cluster.nodes.len()).for_each(|node| add(random.below(20_000), Fault::Boot { node }));
        let mut schedule = Schedule { seed, cluster, stages };
        schedule.add_pings();
        schedule.add_watch();
        schedule.add_maintenance();
        schedule.add_lives();
        schedule.add_everywhere();
        schedule.add_edits();
        schedule.add_returns();
        schedule.add_floods();
        schedule.add_attacks();
        schedule.add_full_disks();
        schedule.add_groups();
        schedule.add_witness();
        schedule.add_group_maintenance();
        schedule.add_drift();
        schedule
    }

    /// Plays it to the end; the reason if an invariant broke.
    pub fn play(&self, world: &mut World) -> Result<(), String> {
        for stage in &self.stages {
            world.run_for(Duration::from_millis(stage.pause_ms))?;
            world.inflict(stage.fault)?;
        }
        // A cluster with a bad cable or a cut link never comes to rest.
        world.heal();
        world.mend();
        world.end_maintenance();
        world.end_unit_lives();
        world.run_for(if self.cluster.mixed() { REST_MIXED } else { REST })?;
        if world.settled(self.moved_by_hand()).is_err() {
            // A failback_window may have opened a moment ago.
            world.run_for(LAST_MOVE)?;
        }
        world.settled(self.moved_by_hand())?;
        self.stop_heartbeat(world)
    }

    /// At the end a real Heartbeat must stop when its operator asks: hbd must not have left it waiting for anything.
    fn stop_heartbeat(&self, world: &mut World) -> Result<(), String> {
        let Some(node) = self.cluster.nodes.iter().position(|kind| *kind == Kind::Heartbeat) else { return Ok(()) };
        if world.alive(node) {
            let before = world.life(node);
            world.inflict(Fault::Stop { node })?;
            world.run_for(STOP)?;
            // A new incarnation counts as stopped, too: it was about to restart itself after a partition (02 §9.3).
            if world.life(node) == before {
                return Err("a real Heartbeat does not stop at the end".to_owned());
            }
        }
        Ok(())
    }

    /// Whether groups may end at other nodes than their preferred ones.
    fn moved_by_hand(&self) -> bool {
        let moves = |stage: &Stage| {
            matches!(
                stage.fault,
                Fault::Standby { .. }
                    | Fault::Takeover { .. }
                    | Fault::Move { .. }
                    | Fault::CancelReturn { .. }
                    | Fault::Trouble { .. }
                    | Fault::Unit { .. }
            )
        };
        // What went to the other node while the files disagreed stays there.
        let edits = self.stages.iter().filter(|stage| matches!(stage.fault, Fault::Edit { .. })).count();
        self.cluster.returns.leave_some()
            || !self.cluster.failback
            || self.cluster.mixed()
            || edits > 2
            || self.stages.iter().any(moves)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {:?}", self.cluster)?;
        let mut at = 0;
        for stage in &self.stages {
            at += stage.pause_ms;
            writeln!(f, "  {:8.3} {:?}", at as f64 / 1000.0, stage.fault)?;
            if let Fault::Blink { for_ms, .. } = stage.fault {
                at += for_ms;
            }
        }
        Ok(())
    }
}
