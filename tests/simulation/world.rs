//! Two nodes, a wire between them, and virtual time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write as _;
use std::time::Duration;

use hbd::cluster::{Action, Core, Event, Instant, Moment, Outcome, Request, Settings, Step};
use hbd::config::{AutoFailback, Group, Health, Resource, ResourceKind, Timing};
use hbd::wire::Message;

use crate::invariants::Invariants;
use crate::random::Random;

/// Number of nodes.
pub const NODES: usize = 2;
/// Resources per group: an address and two services.
pub const RESOURCES: usize = 3;
const NAMES: [&str; NODES] = ["nodea", "nodeb"];

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

fn groups() -> Vec<Group> {
    let resource = |word: String| Resource { kind: ResourceKind::Unit(format!("{word}.service")), word };
    NAMES
        .iter()
        .enumerate()
        .map(|(line, node)| Group {
            node: (*node).to_owned(),
            key: format!("{node}-0"),
            resources: (0..RESOURCES).map(|index| resource(format!("{node}-{index}"))).collect(),
            line: line + 1,
        })
        .collect()
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Happening {
    Arrives(Message),
    Deadline,
    Ended(Step, Outcome),
    /// The daemon is started again after it was killed.
    Again,
}

#[derive(Debug, PartialEq, Eq)]
struct Scheduled {
    at: Duration,
    order: u64,
    node: usize,
    /// The incarnation it is meant for; the wire does not care.
    life: u64,
    what: Happening,
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[derive(Default)]
struct Machine {
    core: Option<Core>,
    life: u64,
    generation: u64,
    /// What really runs: group by group, resource by resource.
    running: [[bool; RESOURCES]; NODES],
}

/// The cluster and everything around it.
pub struct World {
    now: Duration,
    random: Random,
    queue: BinaryHeap<Reverse<Scheduled>>,
    order: u64,
    machines: [Machine; NODES],
    cut: bool,
    /// Percent of the packets that get lost.
    loss: u64,
    invariants: Invariants,
    story: String,
    takeovers: u64,
    broken: Option<String>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        // Every third cluster has a bad cable.
        let loss = if random.below(3) == 0 { random.between(1, 15) } else { 0 };
        World {
            now: Duration::from_secs(1_000),
            random,
            loss,
            queue: BinaryHeap::new(),
            order: 0,
            machines: Default::default(),
            cut: false,
            invariants: Invariants::default(),
            story: String::new(),
            takeovers: 0,
            broken: None,
        }
    }

    /// What happened, in order of time.
    pub fn story(&self) -> String {
        self.story.clone()
    }

    /// How often a node took over from another.
    pub fn takeovers(&self) -> u64 {
        self.takeovers
    }

    /// Whether all of `group` runs on `node`.
    pub fn serves(&self, node: usize, group: usize) -> bool {
        self.machines[node].running[group].iter().all(|up| *up)
    }

    /// Whether the node is up.
    pub fn alive(&self, node: usize) -> bool {
        self.machines[node].core.is_some()
    }

    fn tell(&mut self, line: &str) {
        let at = self.now - Duration::from_secs(1_000);
        let _ = writeln!(self.story, "  {:8.3} {line}", at.as_secs_f64());
    }

    fn moment(&self) -> Moment {
        Moment { monotonic: Instant(self.now), wall: self.now + Duration::from_secs(1_700_000_000) }
    }

    fn push(&mut self, delay: Duration, node: usize, life: u64, what: Happening) {
        self.order += 1;
        self.queue.push(Reverse(Scheduled { at: self.now + delay, order: self.order, node, life, what }));
    }

    pub fn boot(&mut self, node: usize) {
        if self.machines[node].core.is_some() {
            return;
        }
        self.disturbed();
        self.tell(&format!("{} boots", NAMES[node]));
        let machine = &mut self.machines[node];
        machine.life += 1;
        machine.generation += 1;
        let settings = Settings {
            node: NAMES[node].to_owned(),
            nodes: NAMES.iter().map(|name| (*name).to_owned()).collect(),
            uuid: [node as u8 + 1; 16],
            generation: machine.generation,
            timing: timing(),
            hopfudge: 1,
            auto_failback: AutoFailback::On,
            links: vec!["eth1".to_owned()],
            groups: groups(),
            seed: self.random.below(u64::MAX),
            health: Health::default(),
        };
        machine.core = Some(Core::new(settings));
        self.feed(node, Event::Start);
    }

    /// Power failure.
    pub fn crash(&mut self, node: usize) {
        if self.machines[node].core.take().is_some() {
            self.disturbed();
            self.tell(&format!("{} crashes", NAMES[node]));
            self.machines[node].running = Default::default();
            self.machines[node].life += 1;
            self.check();
        }
    }

    /// The daemon alone dies; systemd releases what it ran (ExecStopPost) and starts it again.
    pub fn kill(&mut self, node: usize) {
        if self.machines[node].core.is_some() {
            self.crash(node);
            self.tell(&format!("{}: that was hbd alone, it is started again", NAMES[node]));
            let life = self.machines[node].life;
            self.push(Duration::from_millis(150), node, life, Happening::Again);
        }
    }

    /// Graceful stop.
    pub fn stop(&mut self, node: usize) {
        if self.machines[node].core.is_some() {
            self.disturbed();
            self.tell(&format!("{} is asked to stop", NAMES[node]));
            self.feed(node, Event::Request { id: 0, request: Request::Shutdown });
        }
    }

    /// Cuts or heals the wire.
    pub fn cut(&mut self, cut: bool) {
        if self.cut != cut {
            self.disturbed();
            self.tell(if cut { "the link is cut" } else { "the link is whole again" });
            self.cut = cut;
            self.invariants.link(self.now, cut);
        }
    }

    /// No packet gets lost any more, unless the link is cut.
    pub fn mend_the_cable(&mut self) {
        self.loss = 0;
    }

    fn disturbed(&mut self) {
        self.invariants.disturbed(self.now);
    }

    pub fn run_for(&mut self, span: Duration) -> Result<(), String> {
        let end = self.now + span;
        while let Some(Reverse(next)) = self.queue.pop_if_due(end) {
            self.now = next.at;
            self.happen(next);
            self.check();
            if let Some(broken) = &self.broken {
                return Err(broken.clone());
            }
        }
        self.now = end;
        self.check();
        self.broken.clone().map_or(Ok(()), Err)
    }

    fn check(&mut self) {
        let alive = [self.alive(0), self.alive(1)];
        let running = [self.machines[0].running, self.machines[1].running];
        if let Err(broken) = self.invariants.check(self.now, alive, running) {
            self.broken.get_or_insert(broken);
        }
    }

    /// After a long rest: every group runs at its preferred node, and nowhere else.
    pub fn settled(&self) -> Result<(), String> {
        for node in (0..NODES).filter(|node| self.alive(*node)) {
            let view = self.machines[node].core.as_ref().map(Core::view);
            let state = view.map(|view| view.resource_state).unwrap_or_default();
            if state == "transition" {
                return Err(format!("{} is still in transition at the end", NAMES[node]));
            }
        }
        if self.alive(0) && self.alive(1) && !(self.serves(0, 0) && self.serves(1, 1)) {
            return Err("the groups are not at their preferred nodes at the end".to_owned());
        }
        Ok(())
    }

    fn happen(&mut self, next: Scheduled) {
        let current = next.life == self.machines[next.node].life;
        match next.what {
            Happening::Arrives(message) if !self.cut => self.feed(next.node, Event::Received { link: 0, message }),
            Happening::Again if current => self.boot(next.node),
            Happening::Ended(step, outcome) if current => {
                let up = outcome == Outcome::Started;
                self.machines[next.node].running[step.group][step.resource] = up;
                self.feed(next.node, Event::StepEnded { step, outcome });
            }
            Happening::Deadline if current => {
                let due = self.machines[next.node].core.as_ref().and_then(Core::next_deadline);
                if due.is_some_and(|due| due.0 <= self.now) {
                    self.feed(next.node, Event::Deadline);
                }
            }
            _ => {}
        }
    }

    fn feed(&mut self, node: usize, event: Event) {
        let moment = self.moment();
        let Some(core) = self.machines[node].core.as_mut() else { return };
        let actions = core.handle(moment, event);
        let due = core.next_deadline();
        let life = self.machines[node].life;
        if let Some(due) = due {
            self.push(due.0.saturating_sub(self.now), node, life, Happening::Deadline);
        }
        for action in actions {
            self.act(node, action);
        }
    }

    fn act(&mut self, node: usize, action: Action) {
        let life = self.machines[node].life;
        match action {
            Action::Send(message) => {
                if !self.cut && self.random.below(100) >= self.loss {
                    let peer = 1 - node;
                    let delay = Duration::from_micros(self.random.between(50, 3_000));
                    self.push(delay, peer, 0, Happening::Arrives(message));
                }
            }
            Action::Start(step) => {
                self.ordered(node, step, true);
                let delay = Duration::from_micros(self.random.between(300, 80_000));
                self.push(delay, node, life, Happening::Ended(step, Outcome::Started));
            }
            Action::Stop(step) => {
                self.ordered(node, step, false);
                let delay = Duration::from_micros(self.random.between(300, 80_000));
                self.push(delay, node, life, Happening::Ended(step, Outcome::Stopped));
            }
            Action::Announce(step) => self.invariants.announced(step.group, node),
            Action::Log(record) => {
                if record.event() == "AcquiringFrom" {
                    self.takeovers += 1;
                }
                self.tell(&format!("{}: {}", NAMES[node], record.text()));
            }
            Action::Answer { .. } | Action::Escalate(_) => {}
            // No schedule asks for it.
            Action::HandOver => {
                self.broken.get_or_insert(format!("{} handed over without being asked", NAMES[node]));
            }
            Action::Exit => {
                if self.machines[node].running != [[false; RESOURCES]; NODES] {
                    self.broken.get_or_insert(format!("{} ended with resources running", NAMES[node]));
                }
                self.machines[node].core = None;
                self.machines[node].life += 1;
            }
        }
    }

    /// Start order is left to right, stop order its reverse.
    fn ordered(&mut self, node: usize, step: Step, start: bool) {
        let running = self.machines[node].running[step.group];
        let fits = if start {
            self.invariants.announced(step.group, node);
            running[..step.resource].iter().all(|up| *up)
        } else {
            running[step.resource + 1..].iter().all(|up| !*up)
        };
        if !fits {
            let verb = if start { "started" } else { "stopped" };
            self.broken.get_or_insert(format!("{} {verb} {step:?} out of order: {running:?}", NAMES[node]));
        }
    }
}

trait PopIfDue {
    fn pop_if_due(&mut self, end: Duration) -> Option<Reverse<Scheduled>>;
}

impl PopIfDue for BinaryHeap<Reverse<Scheduled>> {
    fn pop_if_due(&mut self, end: Duration) -> Option<Reverse<Scheduled>> {
        if self.peek()?.0.at <= end { self.pop() } else { None }
    }
}
