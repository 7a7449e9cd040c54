//! Two cores that are fed with everything that can happen, in any order, sensible or not.
//!
//! Judges nothing: it is there to notice that a decision changed. It reaches what the schedules of the simulator
//! never do: fencing, Heartbeat's first protocol, lost carriers, failed units, restarts with adoption, address
//! claims, every request of an operator. A peer whose fields `hbd…` are taken away is a real Heartbeat for the other.

use std::collections::VecDeque;
use std::time::Duration;

use hbd::cluster::{
    Action, AddressNews, Adoption, Core, EXTENSIONS, Event, GroupSet, Instant, Moment, Outcome, Request, Set,
    Settings, Step, UnitNews,
};
use hbd::config::{
    Address, AddressPolicy, AutoFailback, Connectivity, Fingerprint, Group, Health, OnAnswer, OnClaim, Resource,
    ResourceKind,
};
use hbd::wire::Message;

use super::{Digests, Trace};
use crate::node::timing;
use hbd::util::random::SplitMix64;

/// Things that happen in one run.
const HAPPENINGS: u64 = 500;
/// Groups, and resources of each: an address, a file system or a service, a service.
const GROUPS: usize = 3;
const RESOURCES: usize = 3;
const NAMES: [&str; 2] = ["nodea", "nodeb"];
const SETS: [Set; 3] = [Set::ALL, Set::LOCAL, Set::FOREIGN];

/// What both nodes of a run have in common.
struct Rules {
    failback: [AutoFailback; 2],
    connectivity: Connectivity,
    fencing: bool,
    policies: Option<Vec<AddressPolicy>>,
    restarts: u32,
    /// Each node takes the other for a real Heartbeat.
    disguised: bool,
    /// Messages in a hundred that are lost.
    loss: u64,
    owners: [usize; GROUPS],
    /// What each node takes for units that run on both.
    everywhere: [Vec<String>; 2],
}

impl Rules {
    fn random(random: &mut SplitMix64) -> Rules {
        let failbacks = [AutoFailback::On, AutoFailback::On, AutoFailback::Off, AutoFailback::Legacy];
        let first = failbacks[random.below(4) as usize];
        let second = if random.below(8) == 0 { failbacks[random.below(4) as usize] } else { first };
        let policy = |random: &mut SplitMix64| AddressPolicy {
            conflict: if random.below(4) == 0 { OnAnswer::Takeover } else { OnAnswer::Hold },
            probe: (random.below(3) == 0).then_some(80),
            on_claim: if random.below(3) == 0 { OnClaim::Defend } else { OnClaim::Yield },
        };
        Rules {
            failback: [first, second],
            connectivity: Connectivity { ipfail: random.below(3) == 0, takeover_needs_ping: random.below(4) == 0 },
            fencing: random.below(3) == 0,
            policies: (random.below(2) == 0).then(|| (0..GROUPS).map(|_| policy(random)).collect()),
            restarts: random.below(3) as u32,
            disguised: random.below(2) == 0,
            loss: if random.below(2) == 0 { random.below(20) } else { 0 },
            owners: std::array::from_fn(|group| if group < 2 { group } else { random.below(2) as usize }),
            everywhere: Default::default(),
        }
    }

    /// In every fourth run the last units run on both nodes, one of them for two groups. Now and then one of the
    /// nodes does not know. Drawn from a sequence of its own: all other runs are as they were.
    fn with_everywhere(mut self, seed: u64) -> Rules {
        let mut random = SplitMix64::new(seed ^ 0x000e_7e27);
        if random.below(4) == 0 {
            let units = vec!["s02.service".to_owned(), "s12.service".to_owned()];
            self.everywhere = [units.clone(), units];
            if random.below(4) == 0 {
                self.everywhere[1].clear();
            }
        }
        self
    }

    fn settings(&self, node: usize, generation: u64, seed: u64) -> Settings {
        Settings {
            node: NAMES[node].to_owned(),
            nodes: NAMES.map(str::to_owned).to_vec(),
            ping_nodes: vec!["router".to_owned()],
            uuid: [node as u8 + 1; 16],
            generation,
            timing: timing(),
            hopfudge: 1,
            auto_failback: self.failback[node],
            failback: Default::default(),
            arrangement: Default::default(),
            connectivity: self.connectivity,
            fencing: if self.fencing { NAMES.map(str::to_owned).to_vec() } else { Vec::new() },
            links: vec!["eth0".to_owned(), "eth1".to_owned()],
            groups: self.groups(),
            seed,
            leftovers: Default::default(),
            everywhere: self.everywhere[node].clone(),
            health: Health { restarts: self.restarts, ..Health::default() },
            fingerprint: Fingerprint::default(),
            shared_items: Default::default(),
            tickle: false,
            checks: Vec::new(),
            known_peers: Vec::new(),
            witness: None,
            known_witness: None,
            extensions: EXTENSIONS,
        }
    }

    fn groups(&self) -> Vec<Group> {
        let address = |group: usize| {
            let address = [10, 0, 0, group as u8 + 1].into();
            ResourceKind::Address(Address { address, prefix: None, device: None, label: None, broadcast: None })
        };
        let resource = |group: usize, index: usize| {
            let (word, kind) = match (index, group) {
                (0, _) => (format!("10.0.0.{}", group + 1), address(group)),
                (1, 1) => (format!("srv{group}.mount"), ResourceKind::Unit(format!("srv{group}.mount"))),
                (2, 2) if !self.everywhere[0].is_empty() => {
                    ("s02".to_owned(), ResourceKind::Unit("s02.service".to_owned()))
                }
                _ => (format!("s{group}{index}"), ResourceKind::Unit(format!("s{group}{index}.service"))),
            };
            Resource { word, kind }
        };
        (0..GROUPS)
            .map(|group| Group {
                node: NAMES[self.owners[group]].to_owned(),
                key: format!("10.0.0.{}", group + 1),
                resources: (0..RESOURCES).map(|index| resource(group, index)).collect(),
                line: group + 1,
            })
            .collect()
    }
}

/// Two cores, the messages between them, and what they have ordered.
struct Pair {
    rules: Rules,
    random: SplitMix64,
    trace: Trace,
    now: Duration,
    cores: [Option<Core>; 2],
    generation: [u64; 2],
    arriving: [VecDeque<Message>; 2],
    steps: [VecDeque<(Step, bool)>; 2],
    /// Left-overs whose stop is under way.
    leftovers: [VecDeque<Step>; 2],
    /// What a core that hands over held.
    left_behind: [Option<GroupSet>; 2],
    cut: [bool; 2],
    requests: u64,
}

/// The runs `0..count`, on all processors.
pub fn play_all(count: u64) -> Digests {
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let share = |first: u64| (first..count).step_by(threads as usize).map(|seed| (name(seed), digest(seed)));
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..threads).map(|first| scope.spawn(move || share(first).collect::<Vec<_>>())).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

fn name(seed: u64) -> String {
    format!("anything-{seed:04}")
}

fn digest(seed: u64) -> String {
    play(seed, Trace::default()).finish()
}

/// One run.
pub fn play(seed: u64, trace: Trace) -> Trace {
    let mut random = SplitMix64::new(seed ^ 0x00a1_1050);
    let rules = Rules::random(&mut random).with_everywhere(seed);
    let mut pair = Pair {
        rules,
        random,
        trace,
        now: Duration::from_secs(1_000),
        cores: [None, None],
        generation: [10, 10],
        arriving: Default::default(),
        steps: Default::default(),
        leftovers: Default::default(),
        left_behind: [None, None],
        cut: [false, false],
        requests: 0,
    };
    pair.boot(0);
    pair.boot(1);
    for _ in 0..HAPPENINGS {
        pair.happen();
    }
    pair.trace
}

impl Pair {
    fn chance(&mut self, one_in: u64) -> bool {
        self.random.below(one_in) == 0
    }

    /// So many milliseconds at most.
    fn within(&mut self, most: u64) -> Duration {
        Duration::from_millis(self.random.below(most))
    }

    fn boot(&mut self, node: usize) {
        if self.cores[node].is_some() {
            return;
        }
        self.generation[node] += 1;
        let seed = self.random.below(u64::MAX);
        let core = Core::new(self.rules.settings(node, self.generation[node], seed));
        self.cores[node] = Some(core);
        if let Some(policies) = self.rules.policies.clone() {
            self.feed(node, Event::Policies(policies));
        }
        if let Some(held) = self.left_behind[node].take() {
            self.feed(
                node,
                Event::Adopt(Box::new(Adoption {
                    held,
                    moved: GroupSet::NONE,
                    failback: false,
                    assured_until: None,
                    ..Adoption::default()
                })),
            );
        }
        self.feed(node, Event::Start);
    }

    fn end(&mut self, node: usize) {
        self.cores[node] = None;
        self.arriving[node].clear();
        self.steps[node].clear();
        self.leftovers[node].clear();
    }

    /// Mostly what is due, now and then anything else.
    fn happen(&mut self) {
        let node = self.random.below(2) as usize;
        match self.random.below(20) {
            0..=7 => self.time_passes(),
            8..=12 => self.deliver(node),
            13..=15 => self.end_step(node),
            16 => self.feed(node, Event::PingAnswered { node: 0 }),
            17 => self.cut_or_boot(node),
            _ => self.something(node),
        }
        for other in 0..2 {
            // Most of what was sent arrives at once, or the cores would only ever see each other dead.
            for _ in 0..self.random.below(4) {
                self.deliver(other);
            }
        }
    }

    fn time_passes(&mut self) {
        let due = self.cores.iter().flatten().filter_map(Core::next_deadline).map(|due| due.0).min();
        let skip = if self.chance(30) { self.within(6_000) } else { Duration::ZERO };
        self.now = due.unwrap_or(self.now).max(self.now) + skip;
        for node in 0..2 {
            let due = self.cores[node].as_ref().and_then(Core::next_deadline);
            if due.is_some_and(|due| due.0 <= self.now) {
                self.feed(node, Event::Deadline);
            }
        }
    }

    fn deliver(&mut self, to: usize) {
        let index = if self.chance(10) { self.random.below(3) as usize } else { 0 };
        let index = index.min(self.arriving[to].len().saturating_sub(1));
        let Some(message) = self.arriving[to].remove(index) else { return };
        if self.cut[to] || self.random.below(100) < self.rules.loss {
            return;
        }
        let link = self.random.below(2) as usize;
        self.feed(to, Event::Received { link, message: message.clone() });
        if self.chance(20) {
            self.feed(to, Event::Received { link: 1 - link, message });
        }
    }

    fn end_step(&mut self, node: usize) {
        if let Some(step) = self.leftovers[node].pop_front() {
            let outcome = if self.chance(3) { Outcome::NotStopped("no".to_owned()) } else { Outcome::Stopped };
            self.feed(node, Event::LeftoverEnded { step, outcome });
        }
        let Some((step, start)) = self.steps[node].pop_front() else { return };
        let outcome = match (self.chance(12), start) {
            (true, true) => Outcome::NotStarted("no".to_owned()),
            (true, false) => Outcome::NotStopped("no".to_owned()),
            (false, true) => Outcome::Started,
            (false, false) => Outcome::Stopped,
        };
        self.feed(node, Event::StepEnded { step, outcome });
    }

    fn cut_or_boot(&mut self, node: usize) {
        match self.random.below(6) {
            0 => self.cut[node] = true,
            1 => self.end(node),
            2 => self.feed(node, Event::LoadAverage("0.01".to_owned())),
            _ => {
                self.cut[node] = false;
                self.boot(0);
                self.boot(1);
            }
        }
    }

    fn something(&mut self, node: usize) {
        let step = Step {
            group: self.random.below(GROUPS as u64) as usize,
            resource: self.random.below(RESOURCES as u64) as usize,
        };
        let mac = || "02:00:00:00:00:01".to_owned();
        let address = |news| Event::Address { step: Step { resource: 0, ..step }, news };
        let event = match self.random.below(21) {
            14 => Event::Unit { step, news: UnitNews::StoppedWith("another unit was stopped".to_owned()) },
            15 => Event::Unit { step, news: UnitNews::Free },
            16 => Event::Unit { step, news: UnitNews::Exhausted("start-limit-hit".to_owned()) },
            17 => Event::Unit { step, news: UnitNews::Unknown },
            18 => address(AddressNews::Found),
            19 => address(AddressNews::Restored),
            20 => address(AddressNews::Refused { reason: "no".to_owned() }),
            0 => Event::Unit { step, news: UnitNews::Failed("exit code 1".to_owned()) },
            1 => Event::Unit { step, news: UnitNews::Restarting("killed".to_owned()) },
            2 => Event::Unit { step, news: UnitNews::Stopped { ago: self.within(500) } },
            3 => Event::Unit { step, news: UnitNews::Up },
            4 => address(AddressNews::Expired),
            5 => address(AddressNews::Answered { mac: mac(), device: "eth0".to_owned() }),
            6 | 7 => address(AddressNews::Silent),
            8 => address(AddressNews::Service { answers: self.chance(2) }),
            9 => address(AddressNews::Claimed { mac: mac(), device: "eth0".to_owned(), again: self.chance(2) }),
            10 => address(AddressNews::Carrier { up: self.chance(2) }),
            11 => {
                let outcome = if self.chance(2) { Ok(()) } else { Err("no".to_owned()) };
                Event::Fenced { node: NAMES[1 - node].to_owned(), outcome }
            }
            _ => self.request(),
        };
        self.feed(node, event);
    }

    fn request(&mut self) -> Event {
        self.requests += 1;
        let set = SETS[self.random.below(3) as usize];
        let group = self.random.below(GROUPS as u64) as usize;
        let node = self.random.below(2) as usize;
        let request = match self.random.below(12) {
            0 => Request::Shutdown,
            1 => Request::Restart,
            2..=4 => Request::Standby(set),
            5 | 6 => Request::Takeover(set),
            7 => Request::Fence(node),
            8 => Request::ConfirmFenced(node),
            9 if self.chance(2) => Request::StartStopped(Instant(self.now) - self.within(20_000)),
            9 => Request::Cleanup((group > 0).then_some(group)),
            10 => Request::ClearHold(group),
            _ if self.chance(2) => Request::GroupMaintenance { set: GroupSet::one(group), on: self.chance(2) },
            _ => Request::Maintenance(self.chance(2)),
        };
        Event::Request { id: self.requests, request }
    }

    fn feed(&mut self, node: usize, event: Event) {
        let now = Moment { monotonic: Instant(self.now), wall: self.now + Duration::from_secs(1_700_000_000) };
        let Some(core) = self.cores[node].as_mut() else { return };
        let actions = core.handle(now, event);
        assert_eq!(core.check(), Ok(()), "after {actions:?}");
        self.trace.fold(node, now, &actions);
        let view = serde_json::to_string(&core.view()).unwrap_or_default();
        let held = core.holds();
        self.trace.add(&view);
        self.trace.add("\n");
        for action in actions {
            match action {
                Action::Send(message) => self.send(1 - node, message),
                Action::Start(step) => self.steps[node].push_back((step, true)),
                Action::Stop(step) => self.steps[node].push_back((step, false)),
                Action::StopLeftover(step) => self.leftovers[node].push_back(step),
                Action::Exit => self.end(node),
                Action::HandOver => {
                    self.left_behind[node] = Some(held);
                    self.end(node);
                }
                _ => {}
            }
        }
    }

    fn send(&mut self, to: usize, message: Message) {
        let fields = message.fields().iter().filter(|field| !self.rules.disguised || !field.name.starts_with("hbd"));
        let mut sent = Message::default();
        fields.for_each(|field| sent.set(&field.name, field.value.clone()));
        self.arriving[to].push_back(sent);
    }
}
