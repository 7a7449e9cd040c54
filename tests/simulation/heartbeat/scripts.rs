//! Resource children and the queue of jobs (03 §2.5, §4.6, §9).

use std::collections::VecDeque;
use std::time::Duration;

use hbd::cluster::{Outcome, Set, Step};
use hbd::config::Group;
use hbd::wire::Message;

use super::ownership::State;
use super::{Heartbeat, ask};
use crate::machine::Deed;

/// Attempts to stop a resource, and the pause between them.
const STOP_ATTEMPTS: u32 = 11;
const STOP_PAUSE: Duration = Duration::from_secs(1);
/// How long after the failure of a group the standby is asked for (03 §9.1).
const FAILED_STANDBY: Duration = Duration::from_secs(30);

/// What a child does when it ends.
#[derive(Debug, Clone)]
pub(super) enum After {
    Nothing,
    /// `ip-request-resp` for every local group that is not active, then `resource … req_our_resources()`.
    RequestOurs,
    MachDown,
    Say(Message),
    Shutdown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Operation {
    step: Step,
    start: bool,
}

#[derive(Debug)]
struct Child {
    operations: VecDeque<Operation>,
    current: Option<Operation>,
    attempts: u32,
    retry_at: Option<Duration>,
    after: After,
}

#[derive(Debug)]
pub(super) struct Scripts {
    /// Resources per group.
    sizes: Vec<usize>,
    running: Vec<Vec<bool>>,
    children: Vec<Child>,
    queue: VecDeque<Child>,
    failed_standby: Option<Duration>,
}

impl Scripts {
    pub(super) fn new(groups: &[Group]) -> Self {
        let sizes: Vec<_> = groups.iter().map(|group| group.resources.len()).collect();
        let running = sizes.iter().map(|size| vec![false; *size]).collect();
        Scripts { sizes, running, children: Vec::new(), queue: VecDeque::new(), failed_standby: None }
    }

    pub(super) fn idle(&self) -> bool {
        self.children.is_empty() && self.queue.is_empty()
    }

    pub(super) fn retry_at(&self) -> Option<Duration> {
        self.children.iter().filter_map(|child| child.retry_at).chain(self.failed_standby).min()
    }

    fn child(&self, groups: Vec<usize>, start: bool, after: After) -> Child {
        let operations = groups.into_iter().flat_map(|group| {
            let size = self.sizes[group];
            let step = move |index| if start { index } else { size - 1 - index };
            (0..size).map(move |index| Operation { step: Step { group, resource: step(index) }, start })
        });
        Child { operations: operations.collect(), current: None, attempts: 0, retry_at: None, after }
    }

    /// Runs takegroup at once.
    pub(super) fn direct(&mut self, groups: Vec<usize>, after: After) {
        let child = self.child(groups, true, after);
        self.children.push(child);
    }

    /// Runs takegroup as soon as no child runs.
    pub(super) fn queue(&mut self, groups: Vec<usize>, after: After) {
        let child = self.child(groups, true, after);
        self.queue.push_back(child);
    }

    /// Runs givegroup at once.
    pub(super) fn release(&mut self, groups: Vec<usize>, after: After) {
        let child = self.child(groups, false, after);
        self.children.push(child);
    }

    /// The next operation of a child that may go on. Resources that are active already are not started.
    fn next(&mut self, index: usize, now: Duration) -> Option<Operation> {
        let busy: Vec<_> = self.children.iter().filter_map(|child| child.current.map(|op| op.step)).collect();
        let child = &mut self.children[index];
        if child.current.is_some() || child.retry_at.is_some_and(|at| at > now) {
            return None;
        }
        child.retry_at = None;
        while let Some(operation) = child.operations.front().copied() {
            if operation.start && self.running[operation.step.group][operation.step.resource] {
                child.operations.pop_front();
                continue;
            }
            if busy.contains(&operation.step) {
                return None;
            }
            child.operations.pop_front();
            child.current = Some(operation);
            return Some(operation);
        }
        None
    }

    fn finished(&mut self) -> Option<After> {
        let over = |child: &Child| child.current.is_none() && child.operations.is_empty() && child.retry_at.is_none();
        let index = self.children.iter().position(over)?;
        Some(self.children.remove(index).after)
    }
}

impl Heartbeat {
    /// Starts every operation of the children and of the queue that can start now.
    pub(super) fn run_scripts(&mut self) {
        if self.scripts.failed_standby.is_some_and(|at| at <= self.now) {
            self.scripts.failed_standby = None;
            // 03 §0 no. 6: always `foreign`, whatever failed.
            self.write_fifo(ask(Set::FOREIGN, "me"));
        }
        loop {
            for index in 0..self.scripts.children.len() {
                if let Some(Operation { step, start }) = self.scripts.next(index, self.now) {
                    self.out.push(if start { Deed::Start(step) } else { Deed::Stop(step) });
                }
            }
            if let Some(after) = self.scripts.finished() {
                self.child_ended(after);
            } else if self.scripts.children.is_empty()
                && let Some(child) = self.scripts.queue.pop_front()
            {
                self.scripts.children.push(child);
            } else {
                break;
            }
        }
    }

    /// A child writes its message to the FIFO (03 §4.7).
    fn child_ended(&mut self, after: After) {
        match after {
            After::Nothing => {}
            After::Say(message) => self.write_fifo(message),
            After::Shutdown => self.write_fifo(Message::new("shutdone").with("st", "dead")),
            After::MachDown => {
                self.write_fifo(Message::new("resource").with("rsc_hold", "foreign").with("info", "mach_down"));
            }
            After::RequestOurs => {
                for group in self.groups_of(Set::LOCAL) {
                    if !self.scripts.running[group].first().is_some_and(|up| *up) {
                        let key = self.settings.groups[group].key.clone();
                        let answer = Message::new("ip-request-resp").with("dest", &self.settings.node);
                        self.write_fifo(answer.with("ipaddr", &key).with("weown", "yes").with("ok", "OK"));
                    }
                }
                let report = Message::new("resource")
                    .with("rsc_hold", self.ownership.hold.word())
                    .with("rtype", "full")
                    .with("isstable", "1")
                    .with("info", "req_our_resources()");
                self.write_fifo(report);
            }
        }
        self.stop_if_stable();
    }

    /// `ip-request-resp` to ourselves: acquires that group.
    pub(super) fn go_ahead(&mut self, message: &Message) {
        let key = message.text("ipaddr").unwrap_or_default();
        let group = self.settings.groups.iter().position(|group| group.key == key);
        if let Some(group) = group.filter(|_| self.ownership.state != State::Shutdown) {
            self.scripts.queue(vec![group], After::Nothing);
        }
    }

    pub(super) fn step_ended(&mut self, step: Step, outcome: &Outcome) {
        let scripts = &mut self.scripts;
        let running = &mut scripts.running[step.group][step.resource];
        let current = |child: &&mut Child| child.current.is_some_and(|operation| operation.step == step);
        let Some(child) = scripts.children.iter_mut().find(current) else { return };
        let start = child.current.take().is_some_and(|operation| operation.start);
        match outcome {
            Outcome::Started => *running = true,
            Outcome::Stopped => {
                *running = false;
                child.attempts = 0;
            }
            Outcome::NotStarted(_) | Outcome::Aborted(_) if start => {
                child.operations.retain(|operation| operation.step.group != step.group);
                for resource in 0..scripts.sizes[step.group] {
                    let stop = Operation { step: Step { group: step.group, resource }, start: false };
                    child.operations.push_front(stop);
                }
                scripts.failed_standby = Some(self.now + FAILED_STANDBY);
                self.say("Giving up resources due to failure");
            }
            Outcome::NotStarted(_) | Outcome::NotStopped(_) | Outcome::Aborted(_) => {
                child.attempts += 1;
                child.operations.push_front(Operation { step, start: false });
                child.retry_at = Some(self.now + STOP_PAUSE);
                if child.attempts >= STOP_ATTEMPTS {
                    self.say("Resource STOP failure. Reboot required!");
                    self.out.push(Deed::Reboot);
                }
            }
        }
    }
}
