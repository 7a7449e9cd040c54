//! When is a group tried again that could not be started?
//!
//! Owns the pauses, and the questions about them. The attempt itself is a step like any other ([`super::groups`]);
//! whether somebody has to be asked before is [`crate::cluster::guards::retry`]'s to decide.

use std::time::Duration;

use super::groups::Groups;
use crate::cluster::api::group_set::GroupSet;
use crate::cluster::api::set::Set;
use crate::cluster::api::time::Instant;

/// Pause after the first failures in a row where nobody else can serve: what failed may have been a moment's.
const START_RETRY_ALONE: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

impl Groups {
    /// Nobody else can serve a group that has just failed: the first attempts follow sooner.
    pub fn hurry(&mut self, index: usize, now: Instant) {
        let run = &mut self.runs[index];
        if let Some(pause) = run.failures.checked_sub(1).and_then(|last| START_RETRY_ALONE.get(last)) {
            run.failed = run.failed.map(|_| now + *pause);
        }
    }

    /// How long it takes until a group that has failed is tried again.
    pub fn retry_pause(&self, index: usize, now: Instant) -> Duration {
        self.runs[index].failed.map(|at| at.since(now)).unwrap_or_default()
    }

    /// A group that could not be started is to be tried again at once; all such groups if `group` is `None`.
    pub fn hasten_retry(&mut self, group: Option<usize>, now: Instant) {
        for index in (0..self.runs.len()).filter(|index| group.is_none_or(|group| group == *index)) {
            if let Some(at) = &mut self.runs[index].failed {
                *at = now;
            }
        }
    }

    /// What is not tried again before somebody was asked.
    pub fn held_retries(&self) -> GroupSet {
        self.held_retries
    }

    /// These are not tried again before somebody was asked.
    pub fn hold_retries(&mut self, set: GroupSet) {
        self.held_retries = set;
    }

    /// When a group that could not be started, and is down, is tried again.
    pub(super) fn retry_at(&self, index: usize) -> Option<Instant> {
        let run = &self.runs[index];
        let down = run.running == 0 && run.pending.is_none() && !self.left_alone.has(index);
        run.failed.filter(|_| down)
    }

    /// The groups that could not be started, and are to be tried again now.
    pub fn due_retries(&self, now: Instant) -> GroupSet {
        let due = |index: &usize| self.retry_at(*index).is_some_and(|at| at <= now);
        GroupSet::new((0..self.runs.len()).filter(due), Set::NONE)
    }
}
