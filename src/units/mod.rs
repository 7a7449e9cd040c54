//! Resources as systemd units: jobs over D-Bus, and the state of units.
//!
//! Owns every word spoken with `org.freedesktop.systemd1`: starting and stopping units by jobs, judging what a finished
//! job means, and watching units for changes. Never decides whether a unit *should* run, never runs `systemctl`, never
//! asks for a `daemon-reload`, and never serves anything on the bus (that is [`crate::bus`]).
//!
//! The rules (peers E.6, crates 1b):
//!
//! - `Subscribe()` and the `JobRemoved` stream come before the first job, and every stream is drained by a task of its
//!   own from the moment it exists: a full queue freezes the whole connection.
//! - A job is over when `JobRemoved` says so *or* when the unit no longer has it. The state is read again after
//!   `Reloading(false)`, after a new owner of `org.freedesktop.systemd1`, and every [`systemd::RECHECK`].
//! - An unanswered call says nothing about the unit: it is asked again until the caller's deadline.
//! - `done` is not yet success: a condition that is not met is `done` too.
//! - What does not stop in time is killed; what does not start in time has failed.
//! - Transient units ([`transient`]) for what haresources describes and nobody wrote a unit for.
//! - Programs of ha.cf that are kept running (`children`).
//! - A shutdown of the machine stops hbd first, and hbd its units ([`own`]).

pub mod agent;
mod children;
pub mod own;
pub mod parts;
pub mod run;
pub mod script;
pub mod state;
pub mod survey;
pub mod systemd;
pub mod transient;
pub mod vacate;
pub mod watch;
pub mod watchdog;

mod course;

mod answer;
mod proxy;
mod recipe;
#[cfg(test)]
mod tests;

pub use agent::Errand;
pub use course::News;
pub use run::{Command, Report, run};
pub use state::{ActiveState, UnitState};
pub use systemd::Systemd;
pub use watchdog::MachineWatchdog;

use std::time::Duration;

use thiserror::Error;

/// What a job was meant to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `StartUnit`.
    Start,
    /// `StopUnit`.
    Stop,
}

impl std::fmt::Display for Verb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Verb::Start => "start",
            Verb::Stop => "stop",
        })
    }
}

/// Why a unit is not in the state that was asked for. The text names the unit and what to look at.
#[derive(Debug, Clone, Error)]
pub enum UnitError {
    /// systemd has no such unit.
    #[error(
        "unit {unit} not found: install it, or say in /etc/hbd/hbd.toml which unit is meant, \
         for example [aliases] {} = \"other.service\"",
        unit.strip_suffix(".service").unwrap_or(unit)
    )]
    NotFound {
        /// The unit's name as asked for.
        unit: String,
    },
    /// The unit is masked.
    #[error("unit {unit} is masked, so it cannot be started: `systemctl unmask {unit}`")]
    Masked {
        /// The unit's name as asked for.
        unit: String,
    },
    /// systemd (or the bus) refused the call itself.
    #[error("systemd refuses to {verb} {unit}: {text} ({name}); see {}", look(unit))]
    Refused {
        /// The unit's name as asked for.
        unit: String,
        /// What was asked.
        verb: Verb,
        /// The D-Bus error name.
        name: String,
        /// The error's text.
        text: String,
    },
    /// The job ended, and the unit is not where it should be.
    #[error(
        "{verb} of {unit} ended with job result {job:?}, unit {active} ({sub}), result {result:?}; \
         see {}",
        look(unit)
    )]
    Failed {
        /// The unit's name as asked for.
        unit: String,
        /// What was asked.
        verb: Verb,
        /// The job's result as `JobRemoved` gave it (`failed`, `timeout`, `canceled`, `dependency`, `skipped`, …), or
        /// `unknown` when the signal was lost.
        job: String,
        /// The unit's active state.
        active: ActiveState,
        /// The unit's sub state.
        sub: String,
        /// The unit's `Result` (`exit-code`, `timeout`, `start-limit-hit`, …); empty for units without one.
        result: String,
    },
    /// The unit started and ended again by itself without being a oneshot service.
    #[error("{unit} started and ended by itself at once, so it is not running; see `systemctl status {unit}`")]
    Ended {
        /// The unit's name as asked for.
        unit: String,
    },
    /// A unit that we were to make is somebody else's.
    #[error(
        "cannot make {unit}: there is a unit of that name that is not hbd's; see `systemctl cat {unit}`. Remove it, or \
         name it in /etc/hbd/hbd.toml under [aliases] for the word in haresources"
    )]
    Occupied {
        /// The unit's name.
        unit: String,
    },
    /// A `Condition…=` or `ExecCondition=` of the unit is not met, so systemd did not start it.
    #[error("{unit} was not started: a condition of the unit is not met; `systemctl status {unit}` says which")]
    Condition {
        /// The unit's name as asked for.
        unit: String,
    },
    /// The caller's deadline passed.
    #[error("{verb} of {unit} is not finished after {} s; see {}", after.as_secs_f64(), look(unit))]
    Deadline {
        /// The unit's name as asked for.
        unit: String,
        /// What was asked.
        verb: Verb,
        /// The deadline.
        after: Duration,
    },
    /// The connection to the bus is gone; a new [`Systemd`] must be made.
    #[error("the connection to the system bus is lost")]
    ConnectionLost,
    /// Anything else the bus answers.
    #[error("cannot talk to systemd over the system bus: {0}")]
    Bus(#[from] zbus::Error),
}

/// Where people see more: systemd forgets a unit of ours as soon as it has ended, the journal does not.
fn look(unit: &str) -> String {
    let command = if unit.starts_with("hbd-") { "journalctl -u" } else { "systemctl status" };
    // Backslashes mean something to shells.
    let unit = if unit.contains('\\') { format!("'{unit}'") } else { unit.to_owned() };
    format!("`{command} {unit}`")
}

impl UnitError {
    /// The same error of something that was started in order to do `verb`.
    fn meaning(mut self, meant: Verb) -> UnitError {
        if let UnitError::Refused { verb, .. } | UnitError::Failed { verb, .. } | UnitError::Deadline { verb, .. } =
            &mut self
        {
            *verb = meant;
        }
        self
    }
}
