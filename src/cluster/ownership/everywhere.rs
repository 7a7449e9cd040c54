//! Runs the units that both nodes run, wherever their groups are (docs/DECISIONS.md "A unit that runs on both
//! nodes").
//!
//! Owns which of them have been started here, and orders their starts. Their groups pass them over
//! ([`super::groups`]). Stops one only to start it again, when it hangs. Never decides what a failure means:
//! [`crate::cluster::guards::health`] does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::run::Operation;
use crate::cluster::core::Core;
use crate::cluster::{Action, GroupSet, Outcome, Record, Set, Step};
use crate::config::Group;

/// One of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct EverywhereUnit {
    /// The resources that are this unit, in the order of haresources; never empty. The first one stands for all of
    /// them in everything that is known and done.
    steps: Vec<Step>,
    pending: Option<Operation>,
    /// It was up since this daemon began.
    begun: bool,
}

/// All of them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Everywhere(Vec<EverywhereUnit>);

impl Everywhere {
    /// Those of `units` that a group names; nothing is known of them.
    pub(in crate::cluster) fn new(groups: &[Group], units: &[String]) -> Everywhere {
        let mut found: BTreeMap<&str, Vec<Step>> = BTreeMap::new();
        for (group, line) in groups.iter().enumerate() {
            for (resource, one) in line.resources.iter().enumerate() {
                if let Some(unit) = one.kind.unit().filter(|unit| units.iter().any(|other| other == unit)) {
                    found.entry(unit).or_default().push(Step { group, resource });
                }
            }
        }
        let unit = |steps| EverywhereUnit { steps, pending: None, begun: false };
        Everywhere(found.into_values().map(unit).collect())
    }

    fn of(&self, step: Step) -> Option<&EverywhereUnit> {
        self.0.iter().find(|unit| unit.steps.contains(&step))
    }

    fn of_mut(&mut self, step: Step) -> Option<&mut EverywhereUnit> {
        self.0.iter_mut().find(|unit| unit.steps.contains(&step))
    }

    /// Whether a resource is such a unit.
    pub(in crate::cluster) fn has(&self, step: Step) -> bool {
        self.of(step).is_some()
    }

    /// The resource that stands for this one: the first one that is the same unit, if both nodes run that; else
    /// itself.
    pub(in crate::cluster) fn first(&self, step: Step) -> Step {
        self.of(step).map_or(step, |unit| unit.steps[0])
    }

    /// The resources for which this one stands.
    pub(in crate::cluster) fn all(&self, step: Step) -> Vec<Step> {
        self.of(step).map_or_else(|| vec![step], |unit| unit.steps.clone())
    }

    /// Every resource that is such a unit.
    pub(in crate::cluster) fn steps(&self) -> impl Iterator<Item = Step> {
        self.0.iter().flat_map(|unit| unit.steps.iter().copied())
    }

    /// Whether a start or stop of it is under way.
    pub(in crate::cluster) fn is_moving(&self, step: Step) -> bool {
        self.of(step).is_some_and(|unit| unit.pending.is_some())
    }

    /// Whether it was started since this daemon began, and is not being started again.
    pub(in crate::cluster) fn is_up(&self, step: Step) -> bool {
        self.of(step).is_some_and(|unit| unit.begun && unit.pending.is_none())
    }

    /// The service manager says that it is up.
    pub(in crate::cluster) fn found_up(&mut self, step: Step) {
        self.of_mut(step).into_iter().for_each(|unit| unit.begun = true);
    }

    /// Starts it, unless that is under way.
    fn start(&mut self, step: Step, out: &mut Vec<Action>) {
        if let Some(unit) = self.of_mut(step).filter(|unit| unit.pending.is_none()) {
            unit.pending = Some(Operation::Start);
            out.push(Action::Start(unit.steps[0]));
        }
    }

    /// Stops it and starts it again.
    fn replace(&mut self, step: Step, out: &mut Vec<Action>) {
        if let Some(unit) = self.of_mut(step).filter(|unit| unit.pending.is_none()) {
            unit.pending = Some(Operation::Stop);
            out.push(Action::Stop(unit.steps[0]));
        }
    }

    /// Takes in how an operation ended. `None` if a start follows, whatever came of the stop.
    fn ended(&mut self, step: Step, out: &mut Vec<Action>) -> Option<&mut EverywhereUnit> {
        let unit = self.of_mut(step)?;
        if unit.pending.take() == Some(Operation::Stop) {
            unit.pending = Some(Operation::Start);
            out.push(Action::Start(unit.steps[0]));
            return None;
        }
        Some(unit)
    }
}

/// How the start of such a unit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cluster) enum EverywhereStart {
    /// It is not over.
    Pending,
    /// It is up.
    Up,
    /// It is not.
    Failed,
}

impl Core {
    /// This node starts: what runs on both nodes need not wait for anybody. What somebody stopped under our
    /// predecessor stays so.
    pub(in crate::cluster) fn start_everywhere(&mut self) {
        let alone = self.left_alone();
        let stays = |step: &Step| alone.has(step.group) || self.is_stopped_by_hand(self.everywhere.first(*step));
        for step in self.everywhere.steps().filter(|step| !stays(step)).collect::<Vec<_>>() {
            self.everywhere.start(step, &mut self.out);
        }
    }

    /// Takes in how a start or stop of a unit that both nodes run has ended.
    pub(in crate::cluster) fn note_everywhere(&mut self, step: Step, outcome: &Outcome) -> EverywhereStart {
        let (group, resource) = self.groups.words(step);
        let moved = self.everywhere.ended(step, &mut self.out);
        match (moved, outcome.failure()) {
            (None, Some(reason)) => {
                let reason = reason.to_owned();
                self.log(Record::StopFailed { group, resource, reason, attempt: 1 });
                EverywhereStart::Pending
            }
            (None, None) => EverywhereStart::Pending,
            (Some(_), Some(reason)) => {
                let reason = reason.to_owned();
                self.log(Record::StartFailed { group, resource, reason });
                EverywhereStart::Failed
            }
            (Some(unit), None) => {
                if !std::mem::replace(&mut unit.begun, true) && outcome.aborted().is_none() {
                    self.log(Record::EverywhereRuns { group, resource });
                }
                EverywhereStart::Up
            }
        }
    }

    /// Whether a resource is to run here.
    pub(in crate::cluster) fn is_to_run(&self, step: Step) -> bool {
        self.everywhere.has(step) && !self.leave.begun() || self.groups.runs(step)
    }

    /// Whether a resource is being started, or started again in its place. No step of a group starts what both nodes
    /// run.
    pub(in crate::cluster) fn is_being_started(&self, step: Step) -> bool {
        if self.everywhere.has(step) { self.everywhere.is_moving(step) } else { self.groups.is_broken(step) }
    }

    /// Starts a resource again that ran and has failed. The others of its group stay.
    pub(in crate::cluster) fn restart_resource(&mut self, step: Step) {
        if self.everywhere.has(step) {
            // Should the start fail, that is a failure, and not what somebody wanted before.
            self.conditions.wanted_up(step);
            self.everywhere.start(step, &mut self.out);
        } else {
            self.groups.restart(step, self.now.monotonic, &mut self.out);
        }
    }

    /// Stops a resource that runs and does not serve, and starts it again. The others of its group stay.
    pub(in crate::cluster) fn replace_resource(&mut self, step: Step) {
        if self.everywhere.has(step) {
            self.everywhere.replace(step, &mut self.out);
        } else {
            self.groups.replace(step, self.now.monotonic, &mut self.out);
        }
    }

    /// The groups that this resource serves, and those that move with them: of a unit that both nodes run, those that
    /// are held here.
    pub(in crate::cluster) fn served_with(&self, step: Step) -> GroupSet {
        if !self.everywhere.has(step) {
            return self.around(step.group);
        }
        let all = self.everywhere.all(step);
        let held = all.into_iter().map(|step| step.group).filter(|group| self.groups.wanted(*group));
        self.moving_with(GroupSet::new(held, Set::NONE))
    }
}
