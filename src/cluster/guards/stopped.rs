//! What somebody stopped on purpose (docs/DECISIONS.md "A unit stopped by hand", "After a package upgrade").
//!
//! Owns what was asked for last of such units. They are left alone, unless hbd.toml says otherwise, until an operator
//! cleans up, a package manager, which has stopped them, is done, or, for what runs on both nodes, its group is taken
//! from a peer that is gone. What counts is when the stop was asked for: hbd may hear of it after that of its end.
//! What is shown of them is [`super::condition`]'s.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::guards::condition::Condition;
use crate::cluster::{Answer, GroupSet, Instant, Record, Step};
use crate::config::WhenStopped;

/// What was asked for last of what somebody stopped.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct StoppedUnits {
    again: Option<StartAgain>,
}

/// What was stopped in this time is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct StartAgain {
    /// `None`: of any group.
    group: Option<usize>,
    since: Instant,
    until: Instant,
}

impl StoppedUnits {
    /// Whether it was asked that a unit runs although it was stopped at that moment. `steps`: its resources.
    fn starts(&self, steps: &[Step], stopped: Instant) -> bool {
        self.again.is_some_and(|again| {
            again.group.is_none_or(|group| steps.iter().any(|step| step.group == group))
                && (again.since..=again.until).contains(&stopped)
        })
    }
}

impl Core {
    /// Somebody stopped it at that moment, and knows why: hbd.toml says whether it stays so. What was stopped before
    /// is not stopped once more.
    pub(in crate::cluster) fn unit_stopped(&mut self, step: Step, at: Instant) {
        let (group, resource) = self.groups.words(step);
        if self.settings.health.stopped == WhenStopped::Restart && !self.is_unwatched(step) {
            self.start_what_was_stopped(step);
            return;
        }
        if matches!(self.conditions.of(step), Some(Condition::StoppedByHand(_))) {
            return;
        }
        if self.stopped.starts(&self.everywhere.all(step), at) {
            self.start_what_was_stopped(step);
            return;
        }
        self.conditions.note(step, Condition::StoppedByHand(at));
        self.log(Record::UnitStopped { group, resource });
    }

    /// What is stopped by somebody's wish, and when that was asked for: to be noted for a successor, which is to
    /// leave it alone as well.
    pub fn stopped_by_hand(&self) -> Vec<(Step, Instant)> {
        let stopped = self.conditions.iter().filter_map(|(step, condition)| match condition {
            Condition::StoppedByHand(at) => Some((step, *at)),
            _ => None,
        });
        stopped.collect()
    }

    /// What of this list, which our predecessor noted, is to stay as it is, now that we hold `held`.
    pub(in crate::cluster) fn still_stopped(
        &self,
        noted: &[(Step, Instant)],
        held: GroupSet,
    ) -> Vec<(Step, Instant)> {
        let all = self.groups.list();
        let known = |step: &Step| all.get(step.group).is_some_and(|group| step.resource < group.resources.len());
        let stays = |step: &Step| held.has(step.group) || self.everywhere.has(*step);
        let starts = |step: &Step| self.settings.health.stopped == WhenStopped::Restart && !self.is_unwatched(*step);
        noted.iter().copied().filter(|(step, _)| known(step) && stays(step) && !starts(step)).collect()
    }

    /// These were stopped by hand under our predecessor, and that still counts.
    pub(in crate::cluster) fn take_up_stopped(&mut self, stopped: Vec<(Step, Instant)>) {
        for (step, at) in stopped {
            self.everywhere.found_up(step);
            if self.everywhere.first(step) == step && self.conditions.note(step, Condition::StoppedByHand(at)) {
                let (group, resource) = self.groups.words(step);
                self.log(Record::UnitStopped { group, resource });
            }
        }
    }

    /// An operator has cleaned up this group, or all, and what is known to be stopped is started: so is what was
    /// stopped before, if that is heard of later.
    pub(in crate::cluster) fn note_cleanup(&mut self, group: Option<usize>) {
        let until = self.now.monotonic;
        self.stopped.again = Some(StartAgain { group, since: Instant(Duration::ZERO), until });
    }

    /// These groups were not held here, and are now, or would be if this node were ready: nobody else serves them.
    /// What of them runs on both nodes and was stopped by hand here, while the other node served, is started: a
    /// group without it would have no owner that serves.
    pub(in crate::cluster) fn start_what_is_needed(&mut self, set: GroupSet) {
        let taken = set.without(self.left_alone());
        let steps = self.everywhere.steps().filter(|step| taken.has(step.group));
        let mut stopped: Vec<Step> = steps.map(|step| self.everywhere.first(step)).collect();
        stopped.retain(|step| matches!(self.conditions.of(*step), Some(Condition::StoppedByHand(_))));
        stopped.dedup();
        for step in stopped {
            self.start_what_was_stopped(step);
        }
    }

    fn start_what_was_stopped(&mut self, step: Step) {
        let (group, resource) = self.groups.words(step);
        self.log(Record::UnitStoppedStarted { group, resource });
        self.restart_resource(step);
    }

    /// A package manager, or whatever else stopped units for a while, is done: those that somebody stopped since
    /// `since` are started again. In maintenance that is done at its end.
    pub(in crate::cluster) fn start_stopped(&mut self, id: u64, since: Instant) {
        if self.maintenance.on() {
            self.raise(Fact::Answered { id, answer: Answer::Maintenance });
            return;
        }
        let later = |condition: &Condition| matches!(condition, Condition::StoppedByHand(at) if *at >= since);
        let stopped = self.conditions.iter().filter(|(_, condition)| later(condition));
        let alone = self.left_alone();
        let meant = |step: &Step| self.is_to_run(*step) && !alone.has(step.group);
        let stopped: Vec<Step> = stopped.map(|(step, _)| step).filter(meant).collect();
        let answer = if stopped.is_empty() { Answer::Already } else { Answer::Done };
        self.stopped.again = Some(StartAgain { group: None, since, until: self.now.monotonic });
        for step in stopped {
            self.start_what_was_stopped(step);
        }
        self.raise(Fact::Answered { id, answer });
    }
}
