//! Resources as systemd units: jobs over D-Bus, and the state of units.
//!
//! Owns every word spoken with `org.freedesktop.systemd1`: starting and stopping units by jobs, judging what a
//! finished job means, and watching units for changes. Never decides whether a unit *should* run, never runs
//! `systemctl` while there is a bus, never asks for a `daemon-reload`, and never serves anything on the bus (that is
//! [`crate::bus`]).
//!
//! The rules (docs/DECISIONS.md "How hbd talks to systemd"):
//!
//! - `Subscribe()` and the `JobRemoved` stream come before the first job, and every stream is drained by a task of
//!   its own from the moment it exists: a full queue freezes the whole connection.
//! - A job is over when `JobRemoved` says so *or* when the unit no longer has it. The state is read again after
//!   `Reloading(false)`, after a new owner of `org.freedesktop.systemd1`, and every [`systemd::RECHECK`].
//! - An unanswered call says nothing about the unit: it is asked again until the caller's deadline.
//! - A job of ours that others have ended is asked for again, but for a start that a stop has ended
//!   (docs/UNITS.md, section 5).
//! - `done` is not yet success: a condition that is not met is `done` too.
//! - What does not stop in time is killed; what does not start in time has failed.
//! - Only a stop job for that very unit is somebody's wish; every other end of a unit is a failure, or has a cause
//!   (docs/UNITS.md).
//! - Transient units ([`transient`]) for what haresources describes and nobody wrote a unit for.
//! - Programs of ha.cf that are kept running (`children`).
//! - A shutdown of the machine stops hbd first, and hbd its units (`order`).
//! - What others bind to a group hangs on its target ([`group_target`]), and what is told is told by a program
//!   ([`notify`]); no job of a group waits for either.

pub mod agent;
pub mod check;
mod children;
pub mod drbd;
pub mod group_target;
pub mod notify;
pub mod occupants;
pub mod own;
pub mod parts;
pub mod run;
pub mod script;
pub mod state;
pub mod survey;
pub mod systemd;
pub mod transient;
pub mod unmount;
pub mod vacate;
pub mod watchdog;

mod announced;
mod answer;
mod cause;
mod causes;
mod changes;
mod command;
mod details;
mod drive;
mod ends;
mod environment;
mod error;
mod jobs;
mod limits;
mod order;
mod proxy;
mod recipe;
mod session;
mod signals;
#[cfg(test)]
mod tests;
mod watch;
mod without_bus;

pub use agent::Errand;
pub use changes::News;
pub use check::CheckUnit;
pub use command::{UnitCommand, UnitReport};
pub use error::{UnitError, Verb};
pub use group_target::{TargetState, TargetWish};
pub use notify::Notice;
pub use run::run;
pub use state::{ActiveState, UnitState};
pub use systemd::Systemd;
pub use watch::time_since;
pub use watchdog::MachineWatchdog;
