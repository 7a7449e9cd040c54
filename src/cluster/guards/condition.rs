//! What is known of the resources that are to run here and do not, or of which nobody knows whether they do.
//!
//! Owns that knowledge, and the states that views show: they are what the service manager and the kernel said last,
//! never what was wanted. Decides nothing: [`super::health`] does.

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::{GroupSet, GroupState, Instant, Record, Step, UnitNews};

/// Why a resource that is to run here does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cluster) enum Condition {
    /// It failed. It is started again, here or by the peer.
    Failed(String),
    /// It failed, and hbd.toml says that nothing is done about that.
    Unwatched(String),
    /// It failed, and the service manager starts it again by itself.
    Restarting(String),
    /// Somebody stopped it, at this moment.
    StoppedByHand(Instant),
    /// The service manager stopped it because of something else, which the text names.
    StoppedWith(String),
    /// The same, and that is over: it is started again as soon as its group is to run here.
    MayRunAgain,
    /// Its address is not on this machine: its lease ended, and it is added again when nobody else has it.
    Gone,
    /// The service manager does not answer.
    Unknown,
}

/// The resources that are in such a condition.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Conditions {
    list: Vec<(Step, Condition)>,
    /// The groups of which the peer was told at once that they do not run whole.
    told: Vec<String>,
}

impl Conditions {
    /// What is wrong with a resource; `None` for one that runs, or is not to run.
    pub(in crate::cluster) fn of(&self, step: Step) -> Option<&Condition> {
        self.list.iter().find(|(other, _)| *other == step).map(|(_, condition)| condition)
    }

    /// Notes what is wrong with a resource. True if that was not known.
    pub(in crate::cluster) fn note(&mut self, step: Step, condition: Condition) -> bool {
        match self.list.iter_mut().find(|(other, _)| *other == step) {
            Some((_, known)) => std::mem::replace(known, condition.clone()) != condition,
            None => {
                self.list.push((step, condition));
                true
            }
        }
    }

    /// It runs, or is not to run any more: nothing is wrong with it. Gives what was wrong.
    pub(super) fn clear(&mut self, step: Step) -> Option<Condition> {
        let at = self.list.iter().position(|(other, _)| *other == step)?;
        Some(self.list.swap_remove(at).1)
    }

    /// It is to run now, also if somebody had stopped it.
    pub(in crate::cluster) fn wanted_up(&mut self, step: Step) {
        self.list.retain(|(other, condition)| *other != step || !matches!(condition, Condition::StoppedByHand(_)));
    }

    /// What of this set is down and would not come up by itself, nor stay down by anybody's wish.
    pub(in crate::cluster) fn down(&self, set: GroupSet) -> Vec<Step> {
        let down = |condition: &Condition| matches!(condition, Condition::Failed(_) | Condition::MayRunAgain);
        let found = self.iter().filter(|(step, condition)| set.has(step.group) && down(condition));
        found.map(|(step, _)| step).collect()
    }

    /// Whether something that concerns a group is down, or may be, for a reason that is no failure.
    pub(super) fn keep_down(&self, concerns: impl Fn(Step) -> bool) -> bool {
        self.iter().any(|(step, condition)| {
            let no_failure = matches!(
                condition,
                Condition::StoppedByHand(_) | Condition::StoppedWith(_) | Condition::MayRunAgain | Condition::Unknown
            );
            no_failure && concerns(step)
        })
    }

    /// Every resource with something wrong.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Step, &Condition)> {
        self.list.iter().map(|(step, condition)| (*step, condition))
    }
}

/// What a resource does on this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResourceState {
    /// It does not run, and is not to.
    Stopped,
    /// On its way up.
    Starting,
    /// It runs.
    Active,
    /// On its way down.
    Stopping,
    /// It failed.
    Failed,
    /// It failed, and the service manager starts it again.
    Restarting,
    /// Somebody stopped it.
    StoppedByHand,
    /// The service manager stopped it because of something else.
    StoppedWith,
    /// Its address is not on this machine.
    Gone,
    /// It is an address of an interface that is gone, down, or has no carrier.
    Unreachable,
    /// The service manager does not answer.
    Unknown,
    /// It runs, and is not to.
    LeftOver,
}

impl Core {
    /// What is shown of a resource about which nothing is done, or not yet.
    pub(super) fn note_news(&mut self, step: Step, news: UnitNews) {
        let condition = match news {
            UnitNews::Up => {
                self.conditions.clear(step);
                return;
            }
            UnitNews::Free if matches!(self.conditions.of(step), Some(Condition::StoppedWith(_))) => {
                Condition::MayRunAgain
            }
            UnitNews::Free => return,
            UnitNews::Stopped { ago } => Condition::StoppedByHand(self.now.monotonic - ago),
            UnitNews::StoppedWith(cause) => Condition::StoppedWith(cause),
            UnitNews::Unknown => Condition::Unknown,
            UnitNews::Failed(reason) | UnitNews::Exhausted(reason) => Condition::Failed(reason),
            UnitNews::Restarting(reason) => Condition::Restarting(reason),
        };
        self.conditions.note(step, condition);
    }

    /// What a group does here: `Active` only if all of it does run.
    pub(in crate::cluster) fn group_state(&self, group: usize) -> GroupState {
        let ill =
            (0..self.groups.list()[group].resources.len()).any(|resource| self.is_ill(Step { group, resource }));
        match self.groups.state(group) {
            (GroupState::Active, _) if ill => GroupState::Degraded,
            // Something of it is started again in its place.
            (GroupState::Starting, running) if running == self.groups.list()[group].resources.len() => {
                GroupState::Degraded
            }
            (state, _) => state,
        }
    }

    /// Whether somebody stopped it, and that counts.
    pub(in crate::cluster) fn is_stopped_by_hand(&self, step: Step) -> bool {
        matches!(self.conditions.of(step), Some(Condition::StoppedByHand(_)))
    }

    /// Whether a resource that is to run here does not, or cannot be reached.
    fn is_ill(&self, step: Step) -> bool {
        let starts = self.everywhere.has(step) && !self.everywhere.is_up(step);
        self.conditions.of(self.everywhere.first(step)).is_some() || starts || self.carrier.is_down(step)
    }

    /// The service manager has said how a unit is. Says so when that was the last one that nobody knew.
    pub(super) fn say_known_again(&mut self) {
        if !self.conditions.iter().any(|(_, condition)| *condition == Condition::Unknown) {
            self.log(Record::UnitsKnown {});
        }
    }

    /// Whether all units of a group that both nodes run are up here, as far as their starts go.
    pub(super) fn everywhere_up(&self, group: usize) -> bool {
        let mut steps = self.everywhere.steps().filter(|step| step.group == group);
        steps.all(|step| self.everywhere.is_up(step))
    }

    /// What a resource does here, and why if it does not run as it should.
    pub(in crate::cluster) fn resource_state(&self, step: Step) -> (ResourceState, String) {
        if self.everywhere.has(step) {
            return self.state_of_everywhere(self.everywhere.first(step));
        }
        let (state, running) = self.groups.state(step.group);
        let up = step.resource < running;
        match state {
            // The one beyond those that run is the one being started or, counted from the other end, stopped.
            GroupState::Starting if step.resource == running => (ResourceState::Starting, String::new()),
            GroupState::Stopping if step.resource + 1 == running => (ResourceState::Stopping, String::new()),
            _ if !up && self.leftovers.has(step) => {
                (ResourceState::LeftOver, "it runs on a node that does not hold its group".to_owned())
            }
            _ if !up => (ResourceState::Stopped, String::new()),
            _ => self.state_of_held(step),
        }
    }

    /// The same of a unit that runs on both nodes.
    fn state_of_everywhere(&self, step: Step) -> (ResourceState, String) {
        match self.conditions.of(step) {
            Some(_) => self.state_of_held(step),
            None if self.everywhere.is_up(step) => (ResourceState::Active, String::new()),
            None if self.everywhere.is_moving(step) => (ResourceState::Starting, String::new()),
            None => (ResourceState::Stopped, String::new()),
        }
    }

    /// The same of one that is up as far as the steps of its group go.
    fn state_of_held(&self, step: Step) -> (ResourceState, String) {
        let text = |text: &str| text.to_owned();
        match self.conditions.of(step) {
            Some(Condition::Failed(why)) => (ResourceState::Failed, why.clone()),
            Some(Condition::Unwatched(why)) => {
                (ResourceState::Failed, format!("{why}; hbd.toml ([health]) says that hbd does nothing about it"))
            }
            Some(Condition::Restarting(why)) => (ResourceState::Restarting, why.clone()),
            Some(Condition::StoppedByHand(_)) => {
                (ResourceState::StoppedByHand, text("somebody stopped it: start it, or call hbctl cleanup"))
            }
            Some(Condition::StoppedWith(cause)) => (ResourceState::StoppedWith, cause.clone()),
            Some(Condition::MayRunAgain) => (ResourceState::StoppedWith, text("that is over")),
            Some(Condition::Gone) => {
                (ResourceState::Gone, text("its lease ended: added again when nobody else answers for it"))
            }
            Some(Condition::Unknown) => (ResourceState::Unknown, text("systemd does not answer")),
            None if self.groups.is_broken(step) => {
                (ResourceState::Starting, text("it is started again in its place"))
            }
            None if self.carrier.is_down(step) => {
                (ResourceState::Unreachable, text("its interface is gone, down, or has no carrier"))
            }
            None => (ResourceState::Active, String::new()),
        }
    }

    /// Keys of the groups that are to run here and do not run whole: the field `hbd_degraded`.
    pub(in crate::cluster) fn degraded(&self) -> Vec<String> {
        let list = self.groups.list().iter().enumerate();
        let degraded =
            list.filter(|(index, _)| self.groups.wanted(*index) && self.group_state(*index) != GroupState::Active);
        degraded.map(|(_, group)| group.key.clone()).collect()
    }

    /// After every event: the peer is not to show a group as well for the rest of a keepalive, when something of it
    /// has just failed. A group on its way up is told with the next status.
    pub(in crate::cluster) fn tell_degraded(&mut self) {
        let ill = |group: &usize| matches!(self.group_state(*group), GroupState::Degraded | GroupState::Failed);
        let ill: Vec<String> = (0..self.groups.list().len())
            .filter(|group| self.groups.wanted(*group))
            .filter(ill)
            .map(|group| self.groups.key(group).to_owned())
            .collect();
        if ill != self.conditions.told {
            self.conditions.told = ill;
            if self.membership.running() && self.peer_kind().is_hbd() {
                self.send_status();
            }
        }
    }

    /// What the peer says of its own groups: which of those that it holds do not run whole there.
    pub(in crate::cluster) fn degraded_heard(&mut self, from: usize, said: &[String]) {
        let known = self.groups.list().len();
        let node = &mut self.nodes[from];
        node.degraded = if node.hbd.is_some() { said.iter().take(known).cloned().collect() } else { Vec::new() };
    }
}
