//! What runs on this node although its group is not to run here: left by somebody, or started by hand
//! (docs/DECISIONS.md "Left-overs on a node that does not own a group").
//!
//! Owns the list of these resources, and stops them: an address at once, because two nodes must not have it; a unit
//! when this node has decided what it holds, because until then the unit may be about to be wanted here. A stop of
//! this node ends with them, also in maintenance: the other node takes everything then. Never touches a unit that
//! another group, which runs here, names as well.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::timers::Timer;
use crate::cluster::{Action, GroupSet, Outcome, Record, Step};
use crate::config::Leftovers;

/// A unit waits for a decision, and what did not stop for the next attempt.
const AGAIN: Duration = Duration::from_secs(2);

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Found {
    step: Step,
    /// It was said to an administrator.
    said: bool,
    /// Its stop was ordered and has not ended.
    stopping: bool,
}

/// What runs here and is not to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct LeftoverList(Vec<Found>);

impl LeftoverList {
    /// Whether this resource is one of them.
    pub(in crate::cluster) fn has(&self, step: Step) -> bool {
        self.0.iter().any(|found| found.step == step)
    }

    /// Whether something of this group is one of them.
    pub(in crate::cluster) fn has_any_of(&self, group: usize) -> bool {
        self.0.iter().any(|found| found.step.group == group)
    }

    /// Whether there is none.
    pub(in crate::cluster) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Core {
    /// A resource runs here. Says nothing of one that is to.
    pub(in crate::cluster) fn found_running(&mut self, step: Step) {
        let known = step.group < self.groups.list().len();
        if !known || self.is_meant(step) || self.leftovers.has(step) {
            return;
        }
        self.leftovers.0.push(Found { step, said: false, stopping: false });
        self.stop_leftovers();
    }

    /// It is down, by our stop or by anything else.
    pub(in crate::cluster) fn leftover_gone(&mut self, step: Step) {
        if self.leftovers.has(step) {
            self.leftovers.0.retain(|found| found.step != step);
            if self.is_address(step) {
                self.raise(Fact::LeftoverGone { set: self.around(step.group) });
            }
            let (group, resource) = self.groups.words(step);
            self.log(Record::LeftoverGone { group, resource });
        }
    }

    /// The stop that we ordered has ended.
    pub(in crate::cluster) fn leftover_ended(&mut self, step: Step, outcome: Outcome) {
        self.groups.cleared(step, self.now.monotonic, &mut self.out);
        match outcome {
            Outcome::NotStopped(reason) if self.leftovers.has(step) => {
                let (group, resource) = self.groups.words(step);
                self.log(Record::LeftoverStays { group, resource, reason });
                for found in self.leftovers.0.iter_mut().filter(|found| found.step == step) {
                    found.stopping = false;
                }
                self.timers.set(Timer::Leftover, self.now.monotonic + AGAIN);
            }
            _ => self.leftover_gone(step),
        }
    }

    /// Stops what may be stopped by now. What has been wanted here since is no left-over any more.
    pub(in crate::cluster) fn stop_leftovers(&mut self) {
        self.timers.stop(Timer::Leftover);
        let list = std::mem::take(&mut self.leftovers.0);
        let left: Vec<Found> = list.into_iter().filter(|found| !self.is_meant(found.step)).collect();
        for mut found in left {
            let address = self.is_address(found.step);
            if address || self.ownership.decided() || self.ownership.gives_up_everything() {
                self.act_on(&mut found);
            }
            let left_as_it_is = found.said && !address && self.settings.leftovers == Leftovers::Report;
            if !found.stopping && !left_as_it_is {
                self.timers.set(Timer::Leftover, self.now.monotonic + AGAIN);
            }
            self.leftovers.0.push(found);
        }
    }

    /// What the peer has was said: perhaps something is left over now that was left alone until then.
    pub(in crate::cluster) fn stop_leftovers_now(&mut self) {
        if self.leftovers.0.iter().any(|found| !found.stopping) {
            self.stop_leftovers();
        }
    }

    /// Whether something that a stop of this node waits for is left over here.
    pub(in crate::cluster) fn leftovers_keep_us(&self) -> bool {
        self.leftovers.0.iter().any(|found| !self.is_meant(found.step) && self.is_to_be_stopped(found.step))
    }

    fn is_to_be_stopped(&self, step: Step) -> bool {
        let address = self.is_address(step);
        if self.leaves_alone(step.group) && !self.ownership.gives_up_everything() {
            // An administrator may serve by hand what no node has; two owners are another matter.
            return address && self.peer_has(step.group);
        }
        address || self.settings.leftovers == Leftovers::Stop
    }

    fn act_on(&mut self, found: &mut Found) {
        let stops = self.is_to_be_stopped(found.step);
        if !found.said {
            found.said = true;
            let (group, resource) = self.groups.words(found.step);
            self.log(if stops {
                Record::LeftoverStops { group, resource }
            } else {
                Record::LeftoverFound { group, resource }
            });
        }
        if stops && !found.stopping {
            found.stopping = true;
            self.groups.clears(found.step);
            self.out.push(Action::StopLeftover(found.step));
        }
    }

    /// An address of this set was left over here, and is gone: the node that has the set is told, and announces its
    /// addresses. To a node that has just come up everything is announced anyway.
    pub(in crate::cluster) fn note_leftover_gone(&mut self, set: GroupSet) {
        if self.ownership.decided() && self.peer_kind().is_hbd() {
            self.leftovers_gone = self.leftovers_gone.with(set);
        }
    }

    /// After every event: a report would end an exchange that is under way, so it waits for that.
    pub(in crate::cluster) fn report_leftovers_gone(&mut self) {
        let sends = self.ownership.decided() && !self.exchange.busy() && self.peer_kind().is_hbd();
        if !self.leftovers_gone.is_none() && sends {
            let set = std::mem::take(&mut self.leftovers_gone);
            let report = self.resource_message(true, None);
            self.send(self.with_released(report, set));
        }
    }

    fn peer_has(&self, group: usize) -> bool {
        self.peer_alive() && self.ownership.other.holds.has(group)
    }

    fn is_address(&self, step: Step) -> bool {
        let resource = self.groups.list()[step.group].resources.get(step.resource);
        resource.is_some_and(|resource| resource.kind.is_address())
    }

    /// Whether a resource is to run here, or is still on its way down, be it for another group that names the same
    /// unit.
    fn is_meant(&self, step: Step) -> bool {
        let list = self.groups.list();
        let Some(resource) = list[step.group].resources.get(step.resource) else { return true };
        list.iter().enumerate().any(|(group, found)| {
            let names = found.resources.iter().enumerate().filter(|(_, other)| resource.kind.is_same(&other.kind));
            let up = |resource: usize| self.groups.is_up(Step { group, resource });
            names.into_iter().any(|(resource, _)| self.groups.wanted(group) || up(resource))
        })
    }
}
