//! Every order of events in the small: two nodes, two groups that prefer the same node, and a few disturbances at any
//! moment. Nothing is drawn at random; from every situation that is reached the cluster comes to rest.
//!
//! A situation is both cores, what is on the wire, which steps are under way, and what runs. From each one follows,
//! as alternatives: a message arrives, a step ends, time passes to the next deadline, or a disturbance of those that
//! are left. Situations that are equal are looked at once.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::time::Duration;

use hbd::cluster::{Action, Core, Event, GroupSet, Instant, Moment, Outcome, Request, Set, Step, UnitNews};
use hbd::wire::Message;

use crate::node::pair_of_cores;

/// Events that follow one another, in an ordinary run.
pub const DEPTH: usize = 8;
/// How long a cluster is given to come to rest.
const REST: Duration = Duration::from_secs(60);
/// Two groups, each of them one unit.
const GROUPS: usize = 2;

/// What may still be done to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Disturbances {
    moves: u8,
    failures: u8,
    cuts: u8,
}

/// What can happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Arrives { to: usize },
    StepEnds { node: usize },
    TimePasses,
    Move { node: usize, group: usize, here: bool },
    Fails { node: usize, group: usize },
    Cut,
    Heal,
}

/// See the module.
#[derive(Clone)]
struct Situation {
    cores: [Core; 2],
    now: Duration,
    /// What is on its way to each node.
    wire: [VecDeque<Message>; 2],
    /// Which steps are under way on each node, and whether they start something.
    steps: [VecDeque<(Step, bool)>; 2],
    running: [[bool; GROUPS]; 2],
    cut: bool,
    /// Whether the nodes were ever cut off from each other: then both may have served.
    was_cut: bool,
    left: Disturbances,
}

/// How far an exploration went.
#[derive(Debug, Default)]
pub struct Explored {
    pub situations: usize,
    pub ends: usize,
}

impl Situation {
    /// Both nodes are up, and the first one serves both groups.
    fn settled(left: Disturbances) -> Result<Situation, String> {
        let mut situation = Situation {
            cores: pair_of_cores(GROUPS, false),
            now: Duration::from_secs(5),
            wire: Default::default(),
            steps: Default::default(),
            running: Default::default(),
            cut: false,
            was_cut: false,
            left,
        };
        for node in 0..2 {
            situation.feed(node, Event::Start)?;
        }
        situation.rest()?;
        Ok(situation)
    }

    fn feed(&mut self, node: usize, event: Event) -> Result<(), String> {
        let wall = Duration::from_secs(1_700_000_000) + self.now;
        let moment = Moment { monotonic: Instant(self.now), wall };
        for action in self.cores[node].handle(moment, event) {
            match action {
                Action::Send(message) if !self.cut => self.wire[1 - node].push_back(message),
                Action::Start(step) => self.steps[node].push_back((step, true)),
                Action::Stop(step) => self.steps[node].push_back((step, false)),
                _ => {}
            }
        }
        self.cores[node].check()
    }

    fn choices(&self) -> Vec<Choice> {
        let mut choices = Vec::new();
        for node in 0..2 {
            if !self.wire[node].is_empty() {
                choices.push(Choice::Arrives { to: node });
            }
            if !self.steps[node].is_empty() {
                choices.push(Choice::StepEnds { node });
            }
        }
        // Messages and steps take no time, unless a cut keeps everything waiting.
        if choices.is_empty() {
            choices.push(Choice::TimePasses);
        }
        for (node, group) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            if self.left.moves > 0 {
                choices.extend([true, false].map(|here| Choice::Move { node, group, here }));
            }
            if self.left.failures > 0 && self.running[node][group] {
                choices.push(Choice::Fails { node, group });
            }
        }
        if self.left.cuts > 0 && !self.cut {
            choices.push(Choice::Cut);
        }
        if self.cut {
            choices.push(Choice::Heal);
        }
        choices
    }

    fn take(&mut self, choice: Choice) -> Result<(), String> {
        match choice {
            Choice::Arrives { to } => {
                let Some(message) = self.wire[to].pop_front() else { return Ok(()) };
                self.feed(to, Event::Received { link: 0, message })?;
            }
            Choice::StepEnds { node } => {
                let Some((step, start)) = self.steps[node].pop_front() else { return Ok(()) };
                self.running[node][step.group] = start;
                let outcome = if start { Outcome::Started } else { Outcome::Stopped };
                self.feed(node, Event::StepEnded { step, outcome })?;
            }
            Choice::TimePasses => {
                let due = |node: usize| self.cores[node].next_deadline().map(|due| (due.0.max(self.now), node));
                let Some((at, node)) = [0, 1].into_iter().filter_map(due).min() else { return Ok(()) };
                self.now = at;
                self.feed(node, Event::Deadline)?;
            }
            Choice::Move { node, group, here } => {
                self.left.moves -= 1;
                let set = GroupSet::new([group], Set::NONE);
                let request = if here { Request::TakeoverGroups(set) } else { Request::StandbyGroups(set) };
                self.feed(node, Event::Request { id: 1, request })?;
            }
            Choice::Fails { node, group } => {
                self.left.failures -= 1;
                self.running[node][group] = false;
                let step = Step { group, resource: 0 };
                self.feed(node, Event::Unit { step, news: UnitNews::Exhausted("it fails".to_owned()) })?;
            }
            Choice::Cut => {
                self.left.cuts -= 1;
                (self.cut, self.was_cut) = (true, true);
                self.wire = Default::default();
            }
            Choice::Heal => self.cut = false,
        }
        let both = (0..GROUPS).find(|group| self.running[0][*group] && self.running[1][*group]);
        match both.filter(|_| !self.was_cut) {
            Some(group) => Err(format!("both nodes run group {group}")),
            None => Ok(()),
        }
    }

    /// Everything under way ends, and nothing disturbs the cluster any more.
    fn rest(&mut self) -> Result<(), String> {
        self.cut = false;
        let end = self.now + REST;
        while self.now < end {
            let calm = Disturbances { moves: 0, failures: 0, cuts: 0 };
            let left = std::mem::replace(&mut self.left, calm);
            let choice = self.choices()[0];
            self.take(choice)?;
            self.left = left;
        }
        Ok(())
    }

    /// What must be true of a cluster at rest.
    fn judge(&self) -> Result<(), String> {
        for group in 0..GROUPS {
            let owners: Vec<usize> = (0..2).filter(|node| self.running[*node][group]).collect();
            if owners.len() != 1 {
                return Err(format!("group {group} runs on {owners:?} at the end"));
            }
        }
        let moving = self.cores.iter().any(|core| core.view().resource_state == "transition");
        if moving { Err("a node is in transition at the end".to_owned()) } else { Ok(()) }
    }

    fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let cores = self.cores.iter().map(|core| serde_json::to_string(core).unwrap_or_default());
        cores.collect::<Vec<_>>().hash(&mut hasher);
        format!("{:?} {:?}", self.wire, self.steps).hash(&mut hasher);
        (self.running, self.cut, self.was_cut, self.left).hash(&mut hasher);
        hasher.finish()
    }
}

/// Looks at everything that can happen within so many events.
///
/// # Errors
/// What happened until an invariant broke, and which one.
pub fn explore(depth: usize) -> Result<Explored, String> {
    let mut explored = Explored::default();
    for (moves, failures, cuts) in [(2, 0, 0), (1, 1, 0), (1, 0, 1), (0, 1, 1)] {
        let first = Situation::settled(Disturbances { moves, failures, cuts })?;
        let mut seen = HashSet::new();
        follow(first, depth, &mut Vec::new(), &mut seen, &mut explored)?;
    }
    Ok(explored)
}

fn follow(
    situation: Situation,
    depth: usize,
    path: &mut Vec<Choice>,
    seen: &mut HashSet<(u64, usize)>,
    explored: &mut Explored,
) -> Result<(), String> {
    if !seen.insert((situation.digest(), depth)) {
        return Ok(());
    }
    explored.situations += 1;
    if depth == 0 {
        explored.ends += 1;
        let mut end = situation;
        return end.rest().and_then(|()| end.judge()).map_err(|broken| format!("{broken}, after {path:#?}"));
    }
    for choice in situation.choices() {
        let mut next = situation.clone();
        path.push(choice);
        next.take(choice).map_err(|broken| format!("{broken}, after {path:#?}"))?;
        follow(next, depth - 1, path, seen, explored)?;
        path.pop();
    }
    Ok(())
}
