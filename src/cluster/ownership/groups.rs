//! Runs resource groups step by step: left to right when acquiring, right to left when releasing (03 §2.5).
//!
//! Owns which step of which group runs, is starting or stopping. Groups are independent of each other: one that hangs
//! does not hold up the next. Never decides whether a group should run: [`super::state`] is told.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::run::{Operation, Run, STOP_RETRY};
use crate::cluster::api::event::Action;
use crate::cluster::api::group_set::GroupSet;
use crate::cluster::api::outcome::Outcome;
use crate::cluster::api::record::Record;
use crate::cluster::api::set::{Class, Set};
use crate::cluster::api::step::Step;
use crate::cluster::api::time::Instant;
use crate::config::{Arrangement, Group};

/// Pause before a group that could not be started is tried again here.
const START_RETRY: Duration = Duration::from_secs(30);

/// What a group is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupState {
    /// Nothing of it runs here.
    Stopped,
    /// On its way up.
    Starting,
    /// All of it runs here.
    Active,
    /// All of it is to run here, and something of it does not.
    Degraded,
    /// On its way down.
    Stopping,
    /// It could not be started here; it is tried again.
    Failed,
}

/// All groups of haresources.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Groups {
    node: String,
    groups: Vec<Group>,
    pub(super) runs: Vec<Run>,
    /// Groups in maintenance: what could not be started is not tried again, and no unit is started.
    #[serde(default)]
    pub(super) left_alone: GroupSet,
    /// Groups that could not be started, and are not tried again before somebody was asked.
    #[serde(default)]
    pub(super) held_retries: GroupSet,
    /// Resources that run on both nodes: no step of their groups starts or stops them.
    #[serde(default)]
    pub(super) passed_over: BTreeSet<Step>,
    /// Left-overs whose stop has not ended: a start in that moment would be undone by it.
    #[serde(default)]
    clearing: BTreeSet<Step>,
    /// The classes that are held although they have no group: they are spoken of all the same (03 §1).
    pub(super) held_without_groups: Set,
    /// The groups in the order in which they start.
    #[serde(default)]
    order: Vec<usize>,
    /// How many groups start units at once, at least 1; `None` for all of them.
    #[serde(default)]
    parallel_starts: Option<usize>,
}

impl Groups {
    /// The groups as `node` sees them; none runs.
    pub fn new(node: &str, groups: Vec<Group>) -> Self {
        let order = (0..groups.len()).collect();
        let runs = groups.iter().map(|_| Run { settled: true, ..Run::default() }).collect();
        Groups {
            node: node.to_owned(),
            groups,
            runs,
            left_alone: GroupSet::NONE,
            held_retries: GroupSet::NONE,
            passed_over: BTreeSet::new(),
            clearing: BTreeSet::new(),
            held_without_groups: Set::NONE,
            order,
            parallel_starts: None,
        }
    }

    /// The same, which start in this order, so many at once.
    pub fn arranged(mut self, arrangement: &Arrangement) -> Self {
        self.order = arrangement.order(self.groups.len());
        self.parallel_starts = arrangement.parallel_starts;
        self
    }

    /// The same, whose steps neither start nor stop these resources.
    pub fn passing_over(mut self, steps: impl Iterator<Item = Step>) -> Self {
        self.passed_over.extend(steps);
        self
    }

    /// The class of a group, as we see it.
    pub fn class(&self, group: usize) -> Class {
        if self.groups[group].node == self.node { Class::Local } else { Class::Foreign }
    }

    /// Wants every group in `set` up, or down, and takes the first steps.
    pub fn want(&mut self, set: GroupSet, wanted: bool, now: Instant, out: &mut Vec<Action>) {
        let held = self.held_without_groups;
        self.held_without_groups = if wanted { held.with(set.empty()) } else { held.without(set.empty()) };
        let mut freed = false;
        for index in self.order.clone().into_iter().filter(|index| set.has(*index)) {
            freed |= self.change_wish(index, wanted, now, out);
        }
        // Not before all of them are given up: another one of them would be started for a moment.
        if freed {
            self.let_others_start(now, out);
        }
    }

    /// Takes up what runs here already, as far as anybody knows: each resource is started again in its place,
    /// which is nothing where it runs, and all of them are stopped if the group is given up before that is known.
    /// `stopped`: these are left as they are.
    pub fn adopt(&mut self, set: GroupSet, stopped: &[Step], now: Instant, out: &mut Vec<Action>) {
        self.held_without_groups = self.held_without_groups.with(set.empty());
        for index in set.iter() {
            let all = self.groups[index].resources.len();
            let starts = |resource: &usize| !stopped.contains(&Step { group: index, resource: *resource });
            let run = &mut self.runs[index];
            (run.wanted, run.settled, run.running) = (true, false, all);
            run.broken = (0..all).filter(starts).collect();
            out.push(Action::Log(self.notice(index, true)));
            self.advance(index, now, out);
        }
    }

    /// These are not to run here, and nobody knows how far they have gone down: each resource is stopped, which is
    /// nothing where it does not run.
    pub fn stop_what_may_run(&mut self, set: GroupSet, now: Instant, out: &mut Vec<Action>) {
        for index in set.iter() {
            let all = self.groups[index].resources.len();
            let run = &mut self.runs[index];
            if run.wanted || run.running > 0 || run.pending.is_some() {
                continue;
            }
            // Should it be wanted meanwhile, each resource that was not stopped yet is started again in its place.
            (run.settled, run.running, run.broken) = (false, all, (0..all).collect());
            out.push(Action::Log(self.notice(index, false)));
            self.advance(index, now, out);
        }
    }

    /// [`Groups::want`] for one group.
    pub fn want_group(&mut self, index: usize, wanted: bool, now: Instant, out: &mut Vec<Action>) {
        if self.change_wish(index, wanted, now, out) {
            self.let_others_start(now, out);
        }
    }

    /// The same, without a look at the groups that wait. True if one of them may start units now.
    fn change_wish(&mut self, index: usize, wanted: bool, now: Instant, out: &mut Vec<Action>) -> bool {
        let run = &mut self.runs[index];
        if run.wanted == wanted {
            return false;
        }
        run.wanted = wanted;
        run.failed = None;
        run.failures = 0;
        if !wanted {
            run.hung.clear();
        }
        run.settled = !wanted && run.running == 0 && run.pending.is_none();
        if wanted && run.stop_again.take().is_some() {
            // A resource that would not stop is in an unknown state: start it again rather than trust it.
            run.goes_down_to(run.running - 1);
            run.stop_attempts = 0;
        }
        if wanted || run.running > 0 || run.pending.is_some() {
            out.push(Action::Log(self.notice(index, wanted)));
        }
        self.advance(index, now, out);
        self.starts_no_more(index)
    }

    /// Takes in how a step ended and takes the next one. True if the group could not be started.
    pub fn ended(&mut self, step: Step, outcome: Outcome, now: Instant, out: &mut Vec<Action>) -> bool {
        let Some(operation) = self.runs.get_mut(step.group).and_then(|run| run.pending.take()) else { return false };
        let (group, resource) = self.words(step);
        let run = &mut self.runs[step.group];
        let mut failed = false;
        match (operation, outcome) {
            // The late end of what was ordered before: of a start whose stop was ordered in the meantime, for one.
            (Operation::Stop, Outcome::Started | Outcome::NotStarted(_) | Outcome::Aborted(_))
            | (Operation::Start, Outcome::Stopped | Outcome::NotStopped(_)) => {
                run.pending = Some(operation);
                return false;
            }
            (Operation::Start, Outcome::NotStarted(reason)) => {
                failed = true;
                out.push(Action::Log(Record::StartFailed {
                    group: group.clone(),
                    resource: resource.clone(),
                    reason,
                }));
                out.push(Action::Log(Record::GroupGivenUp { group, resource }));
                run.running = run.running.max(step.resource + 1);
                run.failed = Some(now + START_RETRY);
                run.failures += 1;
                run.broken.clear();
                run.hung.clear();
            }
            // What somebody has stopped on its way up is as what somebody stops later: its group is up without it.
            (Operation::Start, Outcome::Started | Outcome::Aborted(_)) => {
                run.running = run.running.max(step.resource + 1);
                run.broken.remove(&step.resource);
            }
            (Operation::Stop, Outcome::NotStopped(reason)) => {
                let attempt = run.stop_fails(step.resource, now);
                out.push(Action::Log(Record::StopFailed { group, resource, reason, attempt }));
                if attempt == STOP_RETRY.1 {
                    out.push(Action::Escalate(step));
                }
            }
            (Operation::Stop, Outcome::Stopped)
                if step.resource + 1 < run.running || run.hung.contains(&step.resource) =>
            {
                // Others of its group run on to the right of it: it is down, and counts as up until they are, too.
                run.stop_attempts = 0;
                if run.hung.remove(&step.resource) {
                    run.broken.insert(step.resource);
                }
            }
            (Operation::Stop, Outcome::Stopped) => {
                run.goes_down_to(step.resource);
                run.stop_attempts = 0;
            }
        }
        self.advance(step.group, now, out);
        if self.starts_no_more(step.group) {
            self.let_others_start(now, out);
        }
        failed
    }

    /// Whether this resource is to be started again in its place.
    pub fn is_broken(&self, step: Step) -> bool {
        self.runs.get(step.group).is_some_and(|run| {
            let again = [&run.broken, &run.hung];
            run.wanted && again.iter().any(|resources| resources.contains(&step.resource))
        })
    }

    /// These are down although their groups, which are about to be wanted here again, had not stopped them: each of
    /// them is started in its place.
    pub fn distrust(&mut self, steps: &[Step]) {
        for step in steps {
            if self.is_up(*step) && !self.passed_over.contains(step) {
                self.runs[step.group].broken.insert(step.resource);
            }
        }
    }

    /// Starts a resource again that ran and has failed. The others of its group stay.
    pub fn restart(&mut self, step: Step, now: Instant, out: &mut Vec<Action>) {
        if self.runs(step) {
            self.runs[step.group].broken.insert(step.resource);
            self.advance(step.group, now, out);
        }
    }

    /// Stops a resource that runs and does not serve, and starts it again. The others of its group stay.
    pub fn replace(&mut self, step: Step, now: Instant, out: &mut Vec<Action>) {
        if self.runs(step) {
            self.runs[step.group].hung.insert(step.resource);
            self.advance(step.group, now, out);
        }
    }

    /// How often in a row a resource of this group could not be stopped.
    pub fn stop_attempts(&self, group: usize) -> u32 {
        self.runs.get(group).map_or(0, |run| run.stop_attempts)
    }

    /// These groups are in maintenance: what could not be started is not tried again, and no unit is started. Returns
    /// those that were until now.
    pub fn leave_alone(&mut self, alone: GroupSet) -> GroupSet {
        std::mem::replace(&mut self.left_alone, alone).without(alone)
    }

    /// The stop of a left-over begins: no group starts it before [`Groups::cleared`].
    pub fn clears(&mut self, step: Step) {
        self.clearing.insert(step);
    }

    /// The stop of a left-over has ended.
    pub fn cleared(&mut self, step: Step, now: Instant, out: &mut Vec<Action>) {
        if self.clearing.remove(&step) {
            for index in 0..self.runs.len() {
                self.advance(index, now, out);
            }
        }
    }

    /// Whether a stop is under way that takes down what `step` starts, be it for another group that names it as well.
    fn is_being_cleared(&self, step: Step) -> bool {
        let kind = |step: &Step| &self.groups[step.group].resources[step.resource].kind;
        self.clearing.iter().any(|other| kind(other).is_same(kind(&step)))
    }

    /// Takes the steps whose pause is over.
    pub fn tick(&mut self, now: Instant, out: &mut Vec<Action>) {
        let again = self.due_retries(now).without(self.held_retries);
        for index in 0..self.runs.len() {
            let run = &mut self.runs[index];
            if run.stop_again.is_some_and(|again| again <= now) {
                run.stop_again = None;
                self.advance(index, now, out);
            } else if again.has(index) {
                run.failed = None;
                run.settled = false;
                self.advance(index, now, out);
            }
        }
    }

    /// When [`Groups::tick`] has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        let retry = |(index, run): (usize, &Run)| {
            run.stop_again.or(self.retry_at(index).filter(|_| !self.held_retries.has(index)))
        };
        self.runs.iter().enumerate().filter_map(retry).min()
    }

    /// Whether a group is to run here, that is, whether we hold it.
    pub fn wanted(&self, group: usize) -> bool {
        self.runs[group].wanted
    }

    /// Whether a group could not be started, and is to be tried again.
    pub(super) fn has_failed(&self, group: usize) -> bool {
        self.runs[group].failed.is_some()
    }

    /// Whether one group is where it was wanted, or has failed and is down.
    pub fn group_settled(&self, group: usize) -> bool {
        self.runs[group].settled
    }

    /// Whether the resource runs here and is meant to.
    pub fn runs(&self, step: Step) -> bool {
        self.runs.get(step.group).is_some_and(|run| run.wanted && run.failed.is_none() && step.resource < run.running)
    }

    /// Whether the resource is up, as far as we know, whatever is meant to become of it.
    pub fn is_up(&self, step: Step) -> bool {
        self.runs.get(step.group).is_some_and(|run| step.resource < run.running)
    }

    /// The groups in file order.
    pub fn list(&self) -> &[Group] {
        &self.groups
    }

    /// What a group is doing, and how many of its resources run.
    pub fn state(&self, group: usize) -> (GroupState, usize) {
        let run = &self.runs[group];
        let all = self.groups[group].resources.len();
        let state = match (run.failed, run.wanted, run.running) {
            (Some(_), true, 0) => GroupState::Failed,
            (None, true, running) if running == all && run.broken.is_empty() && run.hung.is_empty() => {
                GroupState::Active
            }
            (None, true, _) => GroupState::Starting,
            (_, _, 0) if run.pending.is_none() => GroupState::Stopped,
            _ => GroupState::Stopping,
        };
        (state, run.running)
    }

    fn advance(&mut self, index: usize, now: Instant, out: &mut Vec<Action>) {
        let all = self.groups[index].resources.len();
        let starting = self.starting_address(index);
        let run = &mut self.runs[index];
        if let Some(resource) = starting.filter(|_| !run.wanted) {
            // It waits for as long as this node may not have addresses, and must not come then, or is there already.
            run.pending = Some(Operation::Stop);
            run.running = run.running.max(resource + 1);
            return out.push(Action::Stop(Step { group: index, resource }));
        }
        if run.pending.is_some() || run.stop_again.is_some_and(|again| again > now) {
            return;
        }
        let up = run.wanted && run.failed.is_none();
        if let Some(resource) = run.hung.first().copied().filter(|_| up && !self.left_alone.has(index)) {
            run.pending = Some(Operation::Stop);
            out.push(Action::Stop(Step { group: index, resource }));
            return;
        }
        let broken = run.broken.first().copied();
        let next = broken.or((run.running < all).then_some(run.running)).filter(|_| up);
        let down = (!up).then(|| run.running.checked_sub(1)).flatten();
        let passed = |resource: &usize| self.passed_over.contains(&Step { group: index, resource: *resource });
        if let Some(resource) = next.or(down).filter(passed) {
            if up {
                run.running = run.running.max(resource + 1)
            } else {
                run.goes_down_to(resource)
            }
            run.broken.remove(&resource);
            return self.advance(index, now, out);
        }
        if let Some(resource) = next {
            let address = self.groups[index].resources[resource].kind.is_address();
            if self.left_alone.has(index) && !address {
                // In maintenance no unit is started: whatever an operator does with it counts as what was wanted.
                run.running = run.running.max(resource + 1);
                run.broken.remove(&resource);
                return self.advance(index, now, out);
            }
            let first = !address && self.runs[index].broken.is_empty();
            if self.is_being_cleared(Step { group: index, resource }) || first && self.waits_for_others(index) {
                return;
            }
            self.runs[index].starts_units |= first;
            self.runs[index].pending = Some(Operation::Start);
            out.push(Action::Start(Step { group: index, resource }));
        } else if let Some(resource) = down {
            run.pending = Some(Operation::Stop);
            out.push(Action::Stop(Step { group: index, resource }));
        } else if !run.settled {
            run.settled = true;
            if up {
                run.failures = 0;
            }
            let group = self.groups[index].key.clone();
            out.push(Action::Log(if up { Record::GroupActive { group } } else { Record::GroupStopped { group } }));
        }
    }

    /// The resource whose start is under way, if that is an address.
    fn starting_address(&self, index: usize) -> Option<usize> {
        let run = self.runs.get(index).filter(|run| run.pending == Some(Operation::Start))?;
        let resource = run.broken.first().copied().unwrap_or(run.running);
        let kind = &self.groups[index].resources.get(resource)?.kind;
        kind.is_address().then_some(resource)
    }

    /// Whether so many groups start units that this one waits.
    fn waits_for_others(&self, index: usize) -> bool {
        let starting = || self.runs.iter().filter(|run| run.starts_units).count();
        !self.runs[index].starts_units && self.parallel_starts.is_some_and(|most| starting() >= most)
    }

    /// Whether a group has just ended to start units.
    fn starts_no_more(&mut self, index: usize) -> bool {
        let run = &mut self.runs[index];
        let starts = run.wanted && run.failed.is_none() && !run.settled;
        !starts && std::mem::take(&mut run.starts_units)
    }

    /// Those that waited until fewer groups start units go on, one that has failed after the others.
    fn let_others_start(&mut self, now: Instant, out: &mut Vec<Action>) {
        let (failed, well): (Vec<_>, Vec<_>) =
            self.order.iter().copied().partition(|group| self.runs[*group].failures > 0);
        for other in well.into_iter().chain(failed) {
            self.advance(other, now, out);
        }
    }

    fn notice(&self, index: usize, wanted: bool) -> Record {
        let Group { node, key, resources, .. } = &self.groups[index];
        let words: Vec<_> = resources.iter().map(|resource| resource.word.as_str()).collect();
        let (group, preferred, resources) = (key.clone(), node.clone(), words.join(" "));
        if wanted {
            Record::AcquiringGroup { group, preferred, resources }
        } else {
            Record::ReleasingGroup { group, preferred, resources }
        }
    }
}
