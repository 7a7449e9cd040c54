//! What really runs on a machine, and which operations on it fail or hang.

use std::time::Duration;

use hbd::cluster::{Outcome, Step};
use serde::{Deserialize, Deserializer, Serialize};

/// The largest number of groups in haresources.
pub const GROUPS: usize = 6;
/// How many there are unless a schedule says otherwise: one for each node.
pub const FEW: usize = 2;
/// Resources per group: an address and two services.
pub const RESOURCES: usize = 3;

pub type Running = [[bool; RESOURCES]; GROUPS];

/// Reads a list with a value for each group, which may have fewer than there can be.
pub fn for_each_group<'de, T, D>(from: D) -> Result<[T; GROUPS], D::Error>
where
    T: Default + Copy + Deserialize<'de>,
    D: Deserializer<'de>,
{
    let list = Vec::<T>::deserialize(from)?;
    Ok(std::array::from_fn(|group| list.get(group).copied().unwrap_or_default()))
}

/// Which of the groups' last units both hbd nodes run, wherever the groups are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Everywhere {
    #[default]
    None,
    /// Each group has its own.
    Each,
    /// Both groups have the same one.
    Shared,
}

/// An operation that goes wrong for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    pub step: (usize, usize),
    /// Whether starting goes wrong; otherwise stopping does.
    pub start: bool,
    /// Whether it hangs and then succeeds; otherwise it fails.
    pub hang: bool,
}

/// What becomes of a resource without hbd's doing. Times are milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Life {
    /// It ends by itself.
    Falls,
    /// It ends by itself, and systemd starts it again.
    Restarts,
    /// Somebody stops it, and starts it again after a while.
    StoppedByHand { for_ms: u64 },
    /// systemd stops it because of something else, which is over after a while.
    StoppedWith { for_ms: u64 },
    /// Somebody starts it, wherever its group is.
    StartedByHand,
}

/// One machine's resources.
#[derive(Debug, Default)]
pub struct Units {
    pub running: Running,
    /// What somebody, or systemd for another reason, keeps down.
    pub kept_down: [[Option<Duration>; RESOURCES]; GROUPS],
    /// What systemd is about to start again by itself.
    pub restarting: Running,
    /// Which of them both nodes run.
    pub everywhere: Everywhere,
    /// By group: when the addition of its address was ordered that is under way.
    pub address_due: [Option<Duration>; GROUPS],
    /// When something last became of a resource without hbd's doing.
    pub lived: Option<Duration>,
    troubles: Vec<(Duration, Trouble)>,
}

impl Units {
    /// Whether a resource is a unit that both nodes run.
    pub fn is_everywhere(&self, step: (usize, usize)) -> bool {
        self.everywhere != Everywhere::None && step.1 == RESOURCES - 1
    }

    /// The resource that stands for this one: two groups may have the same unit.
    pub fn first(&self, step: (usize, usize)) -> (usize, usize) {
        let shared = self.everywhere == Everywhere::Shared && self.is_everywhere(step);
        if shared { (0, step.1) } else { step }
    }

    /// A resource is up, or down.
    pub fn set(&mut self, step: (usize, usize), up: bool) {
        for group in 0..GROUPS {
            if self.first((group, step.1)) == self.first(step) {
                self.running[group][step.1] = up;
            }
        }
    }

    /// What is left when the software has ended: what both nodes run is no group's.
    pub fn end(&mut self) {
        for group in 0..GROUPS {
            for resource in 0..RESOURCES {
                self.running[group][resource] &= self.is_everywhere((group, resource));
            }
        }
        (self.kept_down, self.restarting, self.lived, self.address_due) = Default::default();
    }

    pub fn trouble(&mut self, until: Duration, trouble: Trouble) {
        self.troubles.push((until, trouble));
    }

    /// Whether an operation goes wrong here, or did less than ten seconds ago: that is the longest pause of a retry.
    pub fn troubled(&self, now: Duration) -> bool {
        self.troubles.iter().any(|(until, _)| now < *until + Duration::from_secs(11))
    }

    /// Whether starts go wrong here, or did lately: a failed group is tried again after 30 s.
    pub fn start_troubled(&self, now: Duration) -> bool {
        self.troubles.iter().any(|(until, trouble)| trouble.start && now < *until + Duration::from_secs(31))
    }

    /// Whether stops of this group go wrong here, or did less than the longest pause of a retry ago.
    pub fn stop_troubled(&self, group: usize, now: Duration) -> bool {
        let concerns = |trouble: &Trouble| !trouble.start && trouble.step.0 == group;
        self.troubles.iter().any(|(until, trouble)| concerns(trouble) && now < *until + Duration::from_secs(11))
    }

    /// How an operation ends and how much later than usual.
    pub fn outcome(&self, now: Duration, step: Step, start: bool) -> (Outcome, Duration) {
        let concerned = |trouble: &Trouble| trouble.step == (step.group, step.resource) && trouble.start == start;
        let trouble = self.troubles.iter().find(|(until, trouble)| now < *until && concerned(trouble));
        let well = if start { Outcome::Started } else { Outcome::Stopped };
        match trouble {
            None => (well, Duration::ZERO),
            Some((until, trouble)) if trouble.hang => (well, *until - now),
            Some(_) if start => (Outcome::NotStarted("simulated".to_owned()), Duration::ZERO),
            Some(_) => (Outcome::NotStopped("simulated".to_owned()), Duration::ZERO),
        }
    }

    /// Whether a resource ended by itself lately, so that its group may be down: it is tried again after 30 s.
    pub fn unsteady(&self, now: Duration) -> bool {
        let kept_down = self.kept_down.iter().flatten().any(Option::is_some);
        kept_down || self.lived.is_some_and(|at| now < at + Duration::from_secs(35))
    }

    pub fn ended(&mut self, step: Step, outcome: &Outcome) {
        if step.resource == 0 && *outcome != Outcome::Stopped {
            self.address_due[step.group] = None;
        }
        if outcome.failure().is_none() {
            self.kept_down[step.group][step.resource] = None;
            self.restarting[step.group][step.resource] = false;
        }
        match outcome {
            Outcome::Started => self.set((step.group, step.resource), true),
            Outcome::Stopped => self.set((step.group, step.resource), false),
            Outcome::Aborted(_) | Outcome::NotStarted(_) | Outcome::NotStopped(_) => {}
        }
    }

    /// The kernel removes the addresses, because their lease has ended.
    pub fn lease_ends(&mut self) {
        for group in &mut self.running {
            group[0] = false;
        }
    }
}
