//! What the loop of this folder ([`super::run`]) is asked to do, and what it reports.

use super::changes::News;
use super::error::{UnitError, Verb};
use crate::config::{Child, Recipe, UnitLimit};

/// What the units' task is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnitCommand {
    /// Start a unit.
    Start {
        /// The asker's number, returned in the report.
        id: u64,
        /// The unit with its suffix.
        unit: String,
        /// What to make it of; `None` for a unit that exists.
        recipe: Option<Recipe>,
        /// When to give up, from now.
        limit: UnitLimit,
    },
    /// Stop a unit. What does not stop in time is killed.
    Stop {
        /// The asker's number, returned in the report.
        id: u64,
        /// The unit with its suffix.
        unit: String,
        /// As for its start.
        recipe: Option<Recipe>,
        /// When to give up, from now.
        limit: UnitLimit,
        /// Whether processes that keep a file system busy may be ended.
        vacate: bool,
    },
    /// Reboot the machine without stopping anything: the last resort of an owner that cannot let go.
    Reboot,
    /// These are all units that will be started and stopped: watch them, keep their place in the order of a shutdown,
    /// and warn of what is wrong with them.
    Manage {
        /// The units with their suffixes.
        units: Vec<String>,
        /// Those of them that are made when they are started.
        made: Vec<String>,
        /// Those of them that run on both nodes, and so may start at boot as well.
        everywhere: Vec<String>,
        /// Those of them that somebody had stopped before this daemon began, and when that was asked for,
        /// CLOCK_MONOTONIC in microseconds: as long as nothing is tried with them, that they are down is no news.
        stopped: Vec<(String, u64)>,
    },
    /// These are to run until [`UnitCommand::EndChildren`].
    Children {
        /// The programs, in the order of their start.
        children: Vec<Child>,
        /// What they find in their environment: `NAME=VALUE`.
        environment: Vec<String>,
    },
    /// Stop them, in reverse order.
    EndChildren,
}

/// What the units' task reports.
#[derive(Debug, Clone)]
pub enum UnitReport {
    /// The unit of command `id` is up.
    Started {
        /// The command.
        id: u64,
    },
    /// The unit of command `id` is down.
    Stopped {
        /// The command.
        id: u64,
    },
    /// The command failed; the unit may be in any state.
    Failed {
        /// The command.
        id: u64,
        /// What it was meant to do.
        verb: Verb,
        /// Why.
        error: UnitError,
    },
    /// The start of command `id` was ended by a stop that is not hbd's.
    Aborted {
        /// The command.
        id: u64,
        /// What that means.
        news: News,
    },
    /// Something became of a managed unit without our doing.
    News {
        /// The unit as it was named in [`UnitCommand::Manage`].
        unit: String,
        /// What.
        news: News,
    },
    /// The programs of [`UnitCommand::Children`] have stopped, or do not stop.
    ChildrenEnded,
    /// A `failfast` program has failed, which has been said: this machine is to reboot.
    FailfastDied,
}
