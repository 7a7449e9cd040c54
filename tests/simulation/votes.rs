//! The third vote in the small: two nodes, one group and a witness, and every order of cuts and repairs of the cable
//! between the nodes and of the way of each node to the witness. Nothing is drawn at random.
//!
//! Between two of these events passes a second, or none; what the cores do in a second takes no time. Never both
//! nodes run the group, and in the end somebody does exactly if a node may.

use std::collections::VecDeque;
use std::time::Duration;

use hbd::cluster::{Action, Core, Event, Instant, Moment, Outcome, Step, WitnessNews, WitnessOrder, WitnessStamp};
use hbd::wire::Message;

use crate::node::{TTL, name, pair_of_cores};

/// Seconds and events that follow one another, in an ordinary run: enough for a dead time after a cut.
pub const DEPTH: usize = 9;
/// How often something is cut or mended, in an ordinary run.
pub const EVENTS: usize = 3;
/// How long a situation that stays as it is takes to come to rest.
const REST: Duration = Duration::from_secs(40);
const SECOND: Duration = Duration::from_secs(1);

/// What can happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    SecondPasses,
    Cut,
    Mend,
    LosesWitness { node: usize },
    ReachesWitness { node: usize },
}

/// The key of the witness.
#[derive(Debug, Clone, Copy)]
struct Key {
    node: usize,
    until: Duration,
}

/// See the module.
#[derive(Clone)]
struct Situation {
    cores: [Core; 2],
    now: Duration,
    wire: [VecDeque<Message>; 2],
    steps: [VecDeque<(Step, bool)>; 2],
    orders: [VecDeque<(u64, WitnessOrder)>; 2],
    running: [bool; 2],
    cut: bool,
    reaches: [bool; 2],
    key: Option<Key>,
    revision: u64,
    /// How many more times something may be cut or mended.
    left: usize,
}

/// How far an exploration went.
#[derive(Debug, Default)]
pub struct Voted {
    pub situations: usize,
    pub ends: usize,
}

impl Situation {
    /// Both nodes are up, and the first one serves the group.
    fn settled(left: usize) -> Result<Situation, String> {
        let mut situation = Situation {
            cores: pair_of_cores(1, true),
            now: Duration::from_secs(5),
            wire: Default::default(),
            steps: Default::default(),
            orders: Default::default(),
            running: [false; 2],
            cut: false,
            reaches: [true; 2],
            key: None,
            revision: 1,
            left,
        };
        for node in 0..2 {
            situation.feed(node, Event::Start)?;
        }
        situation.pass(REST)?;
        situation.judge()?;
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
                Action::Witness { number, order, .. } => self.orders[node].push_back((number, order)),
                _ => {}
            }
        }
        if self.running == [true; 2] {
            return Err("both nodes run the group".to_owned());
        }
        self.cores[node].check()
    }

    /// Whatever takes no time is done, and then so much time passes.
    fn pass(&mut self, span: Duration) -> Result<(), String> {
        let end = self.now + span;
        loop {
            if self.do_one()? {
                continue;
            }
            let due = |node: usize| self.cores[node].next_deadline().map(|due| (due.0.max(self.now), node));
            match [0, 1].into_iter().filter_map(due).min() {
                Some((at, node)) if at <= end => {
                    self.now = at;
                    self.feed(node, Event::Deadline)?;
                }
                _ => break,
            }
        }
        self.now = end;
        Ok(())
    }

    /// A message arrives, a step ends, or the witness answers. False if there is nothing of that.
    fn do_one(&mut self) -> Result<bool, String> {
        for node in 0..2 {
            if let Some(message) = self.wire[node].pop_front() {
                self.feed(node, Event::Received { link: 0, message })?;
                return Ok(true);
            }
            if let Some((step, start)) = self.steps[node].pop_front() {
                self.running[node] = start;
                let outcome = if start { Outcome::Started } else { Outcome::Stopped };
                self.feed(node, Event::StepEnded { step, outcome })?;
                return Ok(true);
            }
            if let Some((number, order)) = self.orders[node].pop_front() {
                let news = self.carry_out(node, order);
                self.feed(node, Event::Witness { number, news })?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn carry_out(&mut self, node: usize, order: WitnessOrder) -> WitnessNews {
        if !self.reaches[node] {
            return WitnessNews::Failed("cut".to_owned());
        }
        self.key = self.key.filter(|key| key.until > self.now);
        let ours = self.key.is_none_or(|key| key.node == node);
        let had = self.key.is_some() && ours;
        let changes = match order {
            WitnessOrder::Ask => ours.then_some(Some(Key { node, until: self.now + TTL })),
            WitnessOrder::Renew => had.then_some(Some(Key { node, until: self.now + TTL })),
            WitnessOrder::Give => had.then_some(None),
            WitnessOrder::Look => None,
        };
        if let Some(key) = changes {
            (self.key, self.revision) = (key, self.revision + 1);
        }
        let stamp = WitnessStamp { cluster: 1, revision: self.revision };
        match self.key {
            None => WitnessNews::Nobodys { stamp },
            Some(key) if key.node == node => WitnessNews::Ours { stamp },
            Some(key) => WitnessNews::Theirs { stamp, holder: name(key.node).to_owned() },
        }
    }

    fn choices(&self) -> Vec<Choice> {
        let mut choices = vec![Choice::SecondPasses];
        if self.left > 0 {
            choices.push(if self.cut { Choice::Mend } else { Choice::Cut });
            let way = |node: usize| match self.reaches[node] {
                true => Choice::LosesWitness { node },
                false => Choice::ReachesWitness { node },
            };
            choices.extend([0, 1].map(way));
        }
        choices
    }

    fn take(&mut self, choice: Choice) -> Result<(), String> {
        match choice {
            Choice::SecondPasses => return self.pass(SECOND),
            Choice::Cut => (self.cut, self.wire) = (true, Default::default()),
            Choice::Mend => self.cut = false,
            Choice::LosesWitness { node } => self.reaches[node] = false,
            Choice::ReachesWitness { node } => self.reaches[node] = true,
        }
        self.left -= 1;
        Ok(())
    }

    /// What must be true when nothing has changed for a while.
    fn judge(&self) -> Result<(), String> {
        let may_serve = !self.cut || self.reaches != [false; 2];
        let serve = self.running.iter().filter(|running| **running).count();
        if serve == usize::from(may_serve) {
            return Ok(());
        }
        Err(format!("{serve} nodes run the group; cut: {}, reaching the witness: {:?}", self.cut, self.reaches))
    }
}

/// Looks at everything that can happen within so many seconds and `events`, `depth` of both together.
///
/// # Errors
/// What happened until something was not as it must be, and what.
pub fn explore(depth: usize, events: usize) -> Result<Voted, String> {
    let mut voted = Voted::default();
    follow(Situation::settled(events)?, depth, &mut Vec::new(), &mut voted)?;
    Ok(voted)
}

fn follow(situation: Situation, depth: usize, path: &mut Vec<Choice>, voted: &mut Voted) -> Result<(), String> {
    voted.situations += 1;
    if depth == 0 {
        voted.ends += 1;
        let mut end = situation;
        return end.pass(REST).and_then(|()| end.judge()).map_err(|broken| format!("{broken}, after {path:?}"));
    }
    for choice in situation.choices() {
        let mut next = situation.clone();
        path.push(choice);
        next.take(choice).map_err(|broken| format!("{broken}, after {path:?}"))?;
        follow(next, depth - 1, path, voted)?;
        path.pop();
    }
    Ok(())
}
