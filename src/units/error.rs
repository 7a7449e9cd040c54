//! Why a unit is not where it should be, and what was meant to become of it.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::changes::News;
use super::state::ActiveState;
use crate::util::error::FileError;

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
    /// Its start was ended by a stop before it was up.
    #[error("{unit} was stopped while it was being started{}", stopped_with(news))]
    Aborted {
        /// The unit's name as asked for.
        unit: String,
        /// What that means: [`News::Stopped`] or [`News::StoppedWith`].
        news: News,
    },
    /// The unit has failed, and said why in its status.
    #[error("{verb} of {unit} failed: {text}")]
    Told {
        /// The unit's name as asked for.
        unit: String,
        /// What was asked.
        verb: Verb,
        /// What it said.
        text: String,
    },
    /// systemd could not execute the unit's program.
    #[error(
        "the program of {unit} was not executed: systemd's exit status {status} (203: it is missing, or no executable; \
         systemd.exec(5) has the others); see {}",
        look(unit)
    )]
    NotExecuted {
        /// The unit's name.
        unit: String,
        /// `ExecMainStatus` of the service.
        status: i32,
    },
    /// The unit started and ended again by itself without being a oneshot service.
    #[error("{unit} started and ended by itself at once, so it is not running; see `systemctl status {unit}`")]
    Ended {
        /// The unit's name as asked for.
        unit: String,
    },
    /// A file system is in use.
    #[error("stop of {unit} failed, umount: target is busy: {users}; {}", busy_remedy(unit, *vacated))]
    Busy {
        /// The unit's name as asked for.
        unit: String,
        /// Who uses it, in a line: processes by name, PID and user, or what of the kernel.
        users: String,
        /// Whether hbd has tried to end the processes.
        vacated: bool,
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
    /// systemd keeps a unit that hbd made before from something else, because other units refer to it.
    #[error(
        "cannot make {unit}: systemd keeps the one that hbd made before from something else, because other units refer \
         to it (`systemctl list-dependencies --reverse --all {unit}`); remove /run/systemd/transient/{unit} and call \
         `systemctl daemon-reload`"
    )]
    Kept {
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
    /// Its environment cannot be written down for systemd.
    #[error("{unit} cannot be started: {source}")]
    Environment {
        /// The unit's name.
        unit: String,
        /// What went wrong.
        source: Arc<FileError>,
    },
    /// The connection to the bus is gone; a new [`super::Systemd`] must be made.
    #[error("the connection to the system bus is lost")]
    ConnectionLost,
    /// Anything else the bus answers.
    #[error("cannot talk to systemd over the system bus: {0}")]
    Bus(#[from] zbus::Error),
}

/// Where people see more: systemd forgets a unit of ours as soon as it has ended, the journal does not.
pub(super) fn look(unit: &str) -> String {
    let command = if unit.starts_with("hbd-") { "journalctl -u" } else { "systemctl status" };
    // Backslashes mean something to shells.
    let unit = if unit.contains('\\') { format!("'{unit}'") } else { unit.to_owned() };
    format!("`{command} {unit}`")
}

/// What has stopped a unit, if it was not somebody's wish.
fn stopped_with(news: &News) -> String {
    if let News::StoppedWith(cause) = news { format!(", because {cause}") } else { String::new() }
}

/// What helps when a file system is in use.
fn busy_remedy(unit: &str, vacated: bool) -> String {
    if vacated {
        return "hbd has ended what it could (`vacate` in /etc/hbd/hbd.toml)".to_owned();
    }
    format!("end what uses it, or let hbd do that: vacate = true under [units.\"{unit}\"] in /etc/hbd/hbd.toml")
}

impl UnitError {
    /// The same error of something that was started in order to do `verb`.
    pub(super) fn meaning(mut self, meant: Verb) -> UnitError {
        if let UnitError::Refused { verb, .. }
        | UnitError::Failed { verb, .. }
        | UnitError::Told { verb, .. }
        | UnitError::Deadline { verb, .. } = &mut self
        {
            *verb = meant;
        }
        self
    }
}
