//! What becomes of resources without hbd's doing, and whether what hbd shows of them is true.

use std::time::Duration;

use hbd::cluster::{AddressNews, Event, Outcome, Step, UnitNews};

use super::{Happening, World};
use crate::machine::{Machine, Shown};
use crate::node::{name, timing};
use crate::schedule::Kind;
use crate::units::{GROUPS, Life, RESOURCES};

/// How long systemd, or the kernel, takes to tell at most.
const TOLD: u64 = 200;
/// How long systemd waits before it starts a unit again.
const RESTART: Duration = Duration::from_millis(700);
/// How often views are compared with the truth.
const LOOK: Duration = Duration::from_millis(250);
/// How long a view may be behind the truth on its own node.
const BEHIND: Duration = Duration::from_secs(1);

/// Since when a node's view of a group is wrong, how long it may be, and when that was looked at last.
#[derive(Debug, Default)]
pub(super) struct Truth {
    looked: Duration,
    wrong: [[Option<(Duration, Duration)>; GROUPS]; 2],
}

impl World {
    pub(super) fn live(&mut self, node: usize, step: (usize, usize), life: Life) {
        let (group, resource) = self.nodes[node].units.first(step);
        let step = Step { group, resource };
        let address = self.cluster.watched && step.resource == 0;
        let Some(node_life) = self.nodes[node].machine.as_ref().map(|_| self.now) else { return };
        if self.cluster.nodes[node] != Kind::Hbd {
            return;
        }
        // An address that is added by hand where hbd does not run, or where it takes the group for its own because it
        // hears nobody, is a second owner that nothing could prevent.
        if address && (self.nodes[node].stall.is_some() || self.apart()) {
            return;
        }
        let units = &mut self.nodes[node].units;
        let up = units.running[step.group][step.resource];
        // The first resource stands for the group's address, which an invariant watches.
        if step.resource == 0 && !address && life == Life::StartedByHand {
            return;
        }
        // An address comes by hand, or is removed and not taken back by the kernel.
        let lives = !address || matches!(life, Life::StartedByHand | Life::Falls);
        if up == (life == Life::StartedByHand) || !lives {
            return;
        }
        units.lived = Some(node_life);
        units.set((step.group, step.resource), !up);
        if address && !up {
            self.invariants.added_by_hand(self.now);
        }
        let reason = || "simulated".to_owned();
        match life {
            Life::Falls if address => {
                self.tells(node, Event::Address { step, news: AddressNews::Refused { reason: reason() } })
            }
            Life::Falls => self.tells(node, Event::Unit { step, news: UnitNews::Failed(reason()) }),
            Life::Restarts => {
                self.nodes[node].units.restarting[step.group][step.resource] = true;
                self.push(RESTART, node, Happening::Restarts(step));
                self.tells(node, Event::Unit { step, news: UnitNews::Restarting(reason()) });
            }
            Life::StoppedByHand { for_ms } => {
                self.keep_down(node, step, for_ms, true);
                self.tells(node, Event::Unit { step, news: UnitNews::Stopped { ago: Duration::ZERO } });
            }
            Life::StoppedWith { for_ms } => {
                self.keep_down(node, step, for_ms, false);
                self.tells(node, Event::Unit { step, news: UnitNews::StoppedWith(reason()) });
            }
            Life::StartedByHand if address => self.tells(node, Event::Address { step, news: AddressNews::Found }),
            Life::StartedByHand => self.tells(node, Event::Unit { step, news: UnitNews::Up }),
        }
    }

    /// In the order in which it happened. What is said of a unit is said of each resource that it is.
    fn tells(&mut self, node: usize, event: Event) {
        let delay = Duration::from_millis(self.random.below(TOLD));
        let told = &mut self.nodes[node].told;
        *told = (self.now + delay).max(*told);
        let delay = *told - self.now;
        if let Event::Unit { step, news } = &event {
            let units = &self.nodes[node].units;
            let same = |group: &usize| {
                *group != step.group && units.first((*group, step.resource)) == (step.group, step.resource)
            };
            for group in (0..GROUPS).filter(same).collect::<Vec<_>>() {
                let again = Event::Unit { step: Step { group, ..*step }, news: news.clone() };
                self.push(delay, node, Happening::Tells(again));
            }
        }
        self.push(delay, node, Happening::Tells(event));
    }

    /// A daemon that starts is told which units run, and which addresses are on its machine.
    pub(super) fn finds_units(&mut self, node: usize) {
        let steps = (0..GROUPS).flat_map(|group| (0..RESOURCES).map(move |resource| Step { group, resource }));
        for step in steps.collect::<Vec<_>>() {
            let found = self.nodes[node].units.running[step.group][step.resource];
            if found && self.cluster.nodes[node] == Kind::Hbd {
                self.tells(
                    node,
                    match self.cluster.watched && step.resource == 0 {
                        true => Event::Address { step, news: AddressNews::Found },
                        false => Event::Unit { step, news: UnitNews::Up },
                    },
                );
            }
        }
    }

    fn keep_down(&mut self, node: usize, step: Step, for_ms: u64, by_hand: bool) {
        let span = Duration::from_millis(for_ms);
        self.nodes[node].units.kept_down[step.group][step.resource] = Some(self.now + span);
        self.push(span, node, Happening::DownOver { step, by_hand });
    }

    /// Not if it was stopped again meanwhile, and for longer.
    pub(super) fn down_over(&mut self, node: usize, step: Step, by_hand: bool) {
        let due = self.nodes[node].units.kept_down[step.group][step.resource];
        if due.is_some_and(|due| due <= self.now) {
            self.up_again(node, step, by_hand);
        }
    }

    fn up_again(&mut self, node: usize, step: Step, by_hand: bool) {
        let units = &mut self.nodes[node].units;
        if units.kept_down[step.group][step.resource].take().is_none() {
            return;
        }
        if by_hand {
            units.set((step.group, step.resource), true);
            self.tells(node, Event::Unit { step, news: UnitNews::Up });
        } else {
            self.tells(node, Event::Unit { step, news: UnitNews::Free });
        }
    }

    /// systemd starts a unit again, unless a job of hbd's has come first. That it is up is told in either case,
    /// behind its failure.
    pub(super) fn restarts(&mut self, node: usize, step: Step) {
        let units = &mut self.nodes[node].units;
        let by_itself = std::mem::take(&mut units.restarting[step.group][step.resource]);
        if by_itself {
            units.set((step.group, step.resource), true);
        }
        if by_itself || units.running[step.group][step.resource] {
            self.tells(node, Event::Unit { step, news: UnitNews::Up });
        }
    }

    /// Stops what hbd found: an address at once, a unit when its job ends, whatever has been asked for meanwhile.
    pub(super) fn stop_leftover(&mut self, node: usize, step: Step) {
        if self.nodes[node].units.is_everywhere((step.group, step.resource)) {
            self.break_with(format!("{} stops {step:?}, which both nodes run", name(node)));
        }
        let address = step.resource == 0;
        if address {
            self.nodes[node].units.running[step.group][step.resource] = false;
        }
        let delay = Duration::from_micros(self.random.between(300, if address { 80_000 } else { 4_000_000 }));
        self.push(delay, node, Happening::Cleared(step));
    }

    /// What hbd found is down.
    pub(super) fn cleared(&mut self, node: usize, step: Step) {
        self.nodes[node].units.running[step.group][step.resource] = false;
        self.feed(node, Event::LeftoverEnded { step, outcome: Outcome::Stopped });
    }

    /// What somebody stopped is started again.
    pub fn end_unit_lives(&mut self) {
        self.invariants.disturbed(self.now);
        for node in 0..self.nodes.len() {
            for (group, resource) in (0..GROUPS).flat_map(|group| (0..RESOURCES).map(move |index| (group, index))) {
                self.up_again(node, Step { group, resource }, true);
            }
        }
    }

    /// No view says that a group is well for longer than it takes to know better.
    pub(super) fn check_truth(&mut self) {
        if self.now < self.truth.looked + LOOK || self.cluster.nodes != [Kind::Hbd; 2] {
            return;
        }
        self.truth.looked = self.now;
        let shown: [Vec<Shown>; 2] =
            [0, 1].map(|node: usize| self.nodes[node].machine.as_ref().map(Machine::shown).unwrap_or_default());
        let groups = self.cluster.groups;
        for (node, group) in (0..2).flat_map(|node| (0..groups).map(move |group| (node, group))) {
            let excused = self.nodes[node].stall.is_some() || self.nodes[node].lease_ended || self.apart();
            let shown = shown[node].get(group);
            let (here, there) = (self.serves(node, group), self.serves(1 - node, group));
            let limit = shown.and_then(|shown| {
                let wrong_here = (shown.active_here && !here).then_some(BEHIND);
                // Twice, because a node may come back and die again between two looks.
                let late = (timing().deadtime + timing().keepalive) * 2;
                wrong_here.or((shown.well_there && !there).then_some(late))
            });
            let wrong = &mut self.truth.wrong[node][group];
            // What is wrong in another way now is so since now.
            let since = wrong.filter(|(_, known)| limit == Some(*known)).map_or(self.now, |(since, _)| since);
            *wrong = limit.filter(|_| !excused).map(|limit| (since, limit));
            if wrong.is_some_and(|(since, limit)| self.now - since > limit) {
                let runs: Vec<_> = self.nodes.iter().map(|node| node.units.running[group]).collect();
                self.break_with(format!(
                    "{} says that group {group} is well, and it does not run: {runs:?}",
                    name(node)
                ));
            }
        }
    }
}
