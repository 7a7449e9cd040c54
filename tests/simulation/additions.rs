//! What is added to a random schedule in some of the seeds, each from a random sequence of its own: a new addition
//! leaves the schedules of all other seeds as they were.

use crate::schedule::{Fault, Kind, Part, Schedule, Stage, Way};
use crate::units::{Everywhere, FEW, GROUPS, Life, RESOURCES, Trouble};
use hbd::cluster::EXTENSIONS;
use hbd::util::random::SplitMix64;

impl Schedule {
    /// In every third pair both hbd nodes run the last unit of each group, and it does not always run well.
    pub fn add_everywhere(&mut self) {
        let mut random = SplitMix64::new(self.seed ^ 0x000e_7e27);
        if !self.cluster.serves() || random.below(3) != 0 {
            return;
        }
        self.cluster.everywhere = if random.below(2) == 0 { Everywhere::Each } else { Everywhere::Shared };
        for _ in 0..random.below(5) {
            let at = random.between(2, self.stages.len() as u64) as usize;
            let (node, step) = (random.below(2) as usize, (random.below(FEW as u64) as usize, RESOURCES - 1));
            let for_ms = random.between(100, 30_000);
            let lives = [Life::Falls, Life::Restarts, Life::StoppedByHand { for_ms }, Life::StoppedWith { for_ms }];
            let fault = match random.below(6) {
                0 | 1 => {
                    let trouble = Trouble { step, start: true, hang: random.below(2) == 0 };
                    Fault::Trouble { node, trouble, for_ms }
                }
                other => Fault::Unit { node, step, life: lives[other as usize - 2] },
            };
            self.stages.insert(at, Stage { pause_ms: random.below(12_000), fault });
        }
    }

    /// In every third pair of hbd nodes units fail, restart, are stopped and started by others.
    pub fn add_lives(&mut self) {
        let mut random = SplitMix64::new(self.seed ^ 0x0011_fe5a);
        if self.cluster.nodes != [Kind::Hbd; 2] || random.below(3) != 0 {
            return;
        }
        for _ in 0..random.between(1, 6) {
            let at = random.between(2, self.stages.len() as u64) as usize;
            let step = (random.below(FEW as u64) as usize, random.below(RESOURCES as u64) as usize);
            let for_ms = random.between(100, 30_000);
            let life = match random.below(6) {
                0 | 1 => Life::Falls,
                2 => Life::Restarts,
                3 => Life::StoppedByHand { for_ms },
                4 => Life::StoppedWith { for_ms },
                _ => Life::StartedByHand,
            };
            let fault = Fault::Unit { node: random.below(2) as usize, step, life };
            self.stages.insert(at, Stage { pause_ms: random.below(12_000), fault });
        }
    }

    /// In every third pair of hbd nodes daemons are restarted at any moment, and the preferred nodes of the groups
    /// are changed, on one node and then on the other.
    pub fn add_edits(&mut self) {
        let mut random = SplitMix64::new(self.seed ^ 0x00ed_1750);
        if self.cluster.nodes != [Kind::Hbd; 2] || random.below(3) != 0 {
            return;
        }
        for _ in 0..random.between(1, 5) {
            let at = random.between(2, self.stages.len() as u64) as usize;
            let node = random.below(2) as usize;
            let preferred = preferences(&mut random);
            let fault = match random.below(3) {
                0 => Fault::Edit { node, preferred },
                _ => Fault::Restart { node, after_ms: random.between(100, 2_500) },
            };
            self.stages.insert(at, Stage { pause_ms: random.below(15_000), fault });
        }
        // In the end both nodes read the same file, at once or one after the other.
        let preferred = preferences(&mut random);
        let mut nodes = [0, 1];
        if random.below(2) == 0 {
            nodes.reverse();
        }
        for node in nodes {
            self.stages.push(Stage { pause_ms: random.below(20_000), fault: Fault::Edit { node, preferred } });
        }
        for node in nodes {
            let fault = Fault::Restart { node, after_ms: random.between(100, 2_500) };
            self.stages.push(Stage { pause_ms: random.below(2) * random.below(30_000), fault });
        }
    }

    /// In every third pair hbd asks the LAN before it takes an address, and sometimes a third machine uses one, or a
    /// router answers for all.
    pub fn add_watch(&mut self) {
        let mut random = SplitMix64::new(self.seed ^ 0x0007_a5c1);
        if !self.cluster.serves() || random.below(3) != 0 {
            return;
        }
        self.cluster.watched = true;
        for _ in 0..random.below(3) {
            let at = random.between(2, self.stages.len() as u64) as usize;
            let group = random.below(FEW as u64) as usize;
            let fault = Fault::Stranger { group, for_ms: random.between(100, 20_000) };
            self.stages.insert(at, Stage { pause_ms: random.below(15_000), fault });
        }
        self.cluster.proxy = random.below(3) == 0;
        for _ in 0..random.below(3) {
            // Longer than it takes until a node that yields or waits for it is missed.
            let at = random.between(2, self.stages.len() as u64) as usize;
            let group = random.below(FEW as u64) as usize;
            let fault = Fault::Stranger { group, for_ms: random.between(20_000, 90_000) };
            self.stages.insert(at, Stage { pause_ms: random.below(15_000), fault });
        }
    }

    /// In every fifth pair an operator puts a node into maintenance, sometimes twice, and may forget to end it.
    pub fn add_maintenance(&mut self) {
        let mut random = SplitMix64::new(self.seed ^ 0x003a_117e);
        if !self.cluster.serves() || random.below(5) != 0 {
            return;
        }
        for _ in 0..random.between(1, 4) {
            let at = random.between(1, self.stages.len() as u64) as usize;
            let fault = Fault::Maintenance { node: random.below(2) as usize, on: random.below(3) != 0 };
            self.stages.insert(at, Stage { pause_ms: random.below(15_000), fault });
        }
    }

    /// In every fifth pair an operator puts single groups of a node into maintenance, and may forget to end it.
    pub fn add_group_maintenance(&mut self) {
        let mut random = SplitMix64::new(self.seed ^ 0x003a_6209);
        if !self.cluster.serves() || random.below(5) != 0 {
            return;
        }
        for _ in 0..random.between(1, 4) {
            let at = random.between(1, self.stages.len() as u64) as usize;
            let (node, groups) = (random.below(2) as usize, random.between(1, 63) as u8);
            let fault = Fault::GroupMaintenance { node, groups, on: random.below(3) != 0 };
            self.stages.insert(at, Stage { pause_ms: random.below(15_000), fault });
        }
    }

    /// Every fourth pair of hbd nodes has a ping node, and sometimes a node no longer reaches it. Drawn from a random
    /// sequence of its own: the schedules of all other seeds are the same as before there were ping nodes.
    pub fn add_pings(&mut self) {
        let mut random = SplitMix64::new(self.seed ^ 0x0001_c390);
        if self.cluster.nodes != [Kind::Hbd; 2] || random.below(4) != 0 {
            return;
        }
        self.cluster.pings = true;
        self.cluster.needs_ping = random.below(3) == 0;
        for _ in 0..random.between(1, 5) {
            let at = random.between(2, self.stages.len() as u64) as usize;
            let fault = Fault::Lan { node: random.below(2) as usize, up: random.below(3) == 0 };
            self.stages.insert(at, Stage { pause_ms: random.below(15_000), fault });
        }
    }

    /// In every fourth pair of hbd nodes a disk is full for a while.
    pub fn add_full_disks(&mut self) {
        let mut random = SplitMix64::new(self.seed ^ 0x00f0_11d1);
        if self.cluster.nodes != [Kind::Hbd; 2] || random.below(4) != 0 {
            return;
        }
        let node = random.below(2) as usize;
        let from = random.below(self.stages.len() as u64) as usize;
        let until = random.between(from as u64 + 1, self.stages.len() as u64) as usize;
        let pause_ms = random.below(3_000);
        self.stages.insert(until, Stage { pause_ms, fault: Fault::FullDisk { node, full: false } });
        self.stages.insert(from, Stage { pause_ms, fault: Fault::FullDisk { node, full: true } });
    }

    /// In every third pair of hbd nodes somebody without a key has recorded everything, and repeats parts of it, most
    /// of all when a daemon has just started.
    pub fn add_attacks(&mut self) {
        let mut random = SplitMix64::new(self.seed ^ 0x00a7_7ac4);
        if self.cluster.nodes != [Kind::Hbd; 2] || random.below(3) != 0 {
            return;
        }
        for _ in 0..random.between(1, 4) {
            let at = random.between(2, self.stages.len() as u64) as usize;
            let node = random.below(2) as usize;
            let fault = match random.below(5) {
                0 => Fault::Hold { node, for_ms: random.between(500, 15_000) },
                _ => replay(&mut random, node),
            };
            self.stages.insert(at, Stage { pause_ms: random.below(8_000), fault });
        }
        if random.below(2) == 0 {
            self.attack_a_start(&mut random);
        }
    }

    /// A node starts, while the other one serves or is off, and what the other one said once is repeated to it.
    fn attack_a_start(&mut self, random: &mut SplitMix64) {
        let node = random.below(2) as usize;
        let other = 1 - node;
        let mut add = |pause_ms: u64, fault: Fault| self.stages.push(Stage { pause_ms, fault });
        match random.below(3) {
            0 => add(random.below(20_000), Fault::Crash { node: other }),
            1 => add(random.below(20_000), Fault::Stop { node: other }),
            _ => {}
        }
        add(random.below(20_000), Fault::Crash { node });
        add(random.below(8_000), Fault::Boot { node });
        for _ in 0..random.between(1, 3) {
            add(random.below(1_500), replay(random, node));
        }
        add(random.below(60_000), Fault::Boot { node: other });
    }
}

impl Schedule {
    /// In every second pair there are one to six groups, preferred by whichever node, that fail and are moved one by
    /// one. In some pairs of hbd nodes one or both are of an older release at first, and are updated.
    pub fn add_groups(&mut self) {
        let mut random = SplitMix64::new(self.seed ^ 0x0096_0095);
        if !self.cluster.serves() || random.below(2) != 0 {
            return;
        }
        let groups = random.between(1, GROUPS as u64) as usize;
        self.cluster.groups = groups;
        self.cluster.preferred = std::array::from_fn(|_| random.below(2) as usize);
        for _ in 0..random.below(8) {
            let at = random.between(2, self.stages.len() as u64) as usize;
            let fault = group_fault(&mut random, groups);
            self.stages.insert(at, Stage { pause_ms: random.below(12_000), fault });
        }
        // A release before the second extension cannot tell whose a group is by a changed file (05 §3.8).
        let edited = self.stages.iter().any(|stage| matches!(stage.fault, Fault::Edit { .. }));
        if self.cluster.nodes == [Kind::Hbd; 2] && !edited && random.below(3) == 0 {
            self.add_updates(&mut random);
        }
        if !edited && random.below(3) == 0 {
            let node = random.below(2) as usize;
            self.cluster.together =
                vec![(0..groups).filter(|group| self.cluster.preferred[*group] == node).collect()];
        }
    }

    /// Releases of several ages meet, and are updated node by node.
    fn add_updates(&mut self, random: &mut SplitMix64) {
        // A release before the third extension believes repetitions, and does not find out that it was set back (05
        // §3.12).
        let hostile = |fault| matches!(fault, Fault::Replay { .. } | Fault::Hold { .. } | Fault::FullDisk { .. });
        let oldest = if self.stages.iter().any(|stage| hostile(stage.fault)) { 3 } else { 1 };
        self.cluster.extensions = std::array::from_fn(|_| random.between(oldest, u64::from(EXTENSIONS)) as u32);
        for node in 0..2 {
            let at = random.between(2, self.stages.len() as u64) as usize;
            let fault = Fault::Restart { node, after_ms: random.between(100, 2_500) };
            self.stages.insert(at, Stage { pause_ms: random.below(3_000), fault });
            self.stages.insert(at, Stage { pause_ms: random.below(12_000), fault: Fault::Update { node } });
        }
    }
}

/// Something that concerns some of several groups.
fn group_fault(random: &mut SplitMix64, groups: usize) -> Fault {
    let node = random.below(2) as usize;
    let step = (random.below(groups as u64) as usize, random.below(RESOURCES as u64) as usize);
    let for_ms = random.between(500, 30_000);
    match random.below(8) {
        0..=3 => {
            let groups = random.between(1, (1 << groups) - 1) as u8;
            Fault::Move { node, groups, here: random.below(2) == 0 }
        }
        4 | 5 => {
            let trouble = Trouble { step, start: random.below(3) != 0, hang: random.below(3) == 0 };
            Fault::Trouble { node, trouble, for_ms }
        }
        6 => Fault::Unit { node, step, life: Life::Falls },
        _ => Fault::ReturnNow { node, group: Some(step.0) },
    }
}

/// The node that each of the first groups prefers; the others prefer the nodes in turns.
fn preferences(random: &mut SplitMix64) -> [usize; GROUPS] {
    let mut preferred = std::array::from_fn(|group| group % 2);
    preferred[..FEW].fill_with(|| random.below(2) as usize);
    preferred
}

fn replay(random: &mut SplitMix64, node: usize) -> Fault {
    let lives_ago = random.below(3) as usize;
    let part = match random.below(4) {
        0 => Part::Ago { ms: random.below(120_000) },
        1 => Part::End { lives_ago },
        _ => Part::Start { lives_ago },
    };
    Fault::Replay { node, part, for_ms: random.between(500, 30_000), times: random.between(1, 5) }
}

impl Schedule {
    /// In every third pair of hbd nodes of this release a witness is required. It cannot be reached for a while, or
    /// is restored from a backup, and everything between the nodes is cut.
    pub fn add_witness(&mut self) {
        let mut random = SplitMix64::new(self.seed ^ 0x0e7c_d000);
        let newest = self.cluster.extensions == [EXTENSIONS; 2];
        if self.cluster.nodes != [Kind::Hbd; 2] || !newest || random.below(3) != 0 {
            return;
        }
        (self.cluster.witness, self.cluster.watched) = (true, true);
        // A node that forgets how far the witness had come cannot tell that it has gone back.
        let forgets = |fault| matches!(fault, Fault::LoseState { .. } | Fault::FullDisk { .. });
        let forgetful = self.stages.iter().any(|stage| forgets(stage.fault));
        for _ in 0..random.between(1, 6) {
            let at = random.between(2, self.stages.len() as u64) as usize;
            let node = random.below(2) as usize;
            let fault = match random.below(8) {
                4 if forgetful => continue,
                0..=2 => Fault::WitnessCut { node, cut: random.below(4) != 0 },
                3 => Fault::WitnessDown { for_ms: random.between(500, 30_000) },
                4 => Fault::WitnessRestored,
                _ => {
                    let way = [Way::Both, Way::Both, Way::In, Way::Out][random.below(4) as usize];
                    self.stages.insert(at, Stage { pause_ms: 0, fault: Fault::Lan { node, up: false } });
                    Fault::Cut { link: None, node, way }
                }
            };
            self.stages.insert(at, Stage { pause_ms: random.below(15_000), fault });
        }
    }
}

/// The slowest of three clocks goes at least so far while the fastest goes a thousand seconds (05 §3.15).
const SLOWEST: u64 = 900;

impl Schedule {
    /// In every second pair with a witness the clocks of the nodes and of the witness run differently, in most of
    /// them as differently as is allowed.
    pub fn add_drift(&mut self) {
        let mut random = SplitMix64::new(self.seed ^ 0x00d2_1f70);
        if !self.cluster.witness || random.below(2) != 0 {
            return;
        }
        let slowest = [SLOWEST, 1000, random.between(SLOWEST, 1000)][random.below(3) as usize];
        let fastest = slowest * 1000 / SLOWEST;
        self.cluster.clocks = std::array::from_fn(|_| match random.below(4) {
            0 => random.between(slowest, fastest) as u32,
            1 => fastest as u32,
            _ => slowest as u32,
        });
    }
}
