//! Checks of services: runs what hbd.toml says (`[groups."KEY".check]`, `ready`), again and again, and reports every
//! result.
//!
//! Owns when a check runs and how long it may take. Never decides anything: which checks run, and what a result
//! means, is the core's. On a thread of its own, because a check waits for what may never answer.
//!
//! | module | question it answers |
//! |---|---|
//! | `runner` | when does a check run? |
//! | `command` | does a program say that all is well? |
//! | `http` | does a web server answer as it should? |
//! | `connect` | why is there no connection? |
//! | `report` | what is the thread told, and what does it tell? |
//! | `tls` | whose certificate is trusted? |

mod command;
mod connect;
mod http;
mod report;
mod runner;
#[cfg(test)]
mod tests;
mod tls;

use std::sync::Arc;
use std::thread;

use log::error;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use zbus::connection::Builder;

use crate::config::{Group, ServiceCheck};

pub use report::{CheckCommand, CheckReport, CheckResult};

/// What the thread works with.
pub struct CheckThread {
    /// The checks of [`crate::config::Config::checks`].
    pub checks: Vec<ServiceCheck>,
    /// The groups, after which the units of commands are named.
    pub groups: Vec<Group>,
    /// What commands find in their environment: `NAME=VALUE`.
    pub environment: Vec<String>,
}

impl CheckThread {
    /// Starts the thread, and gives what it is told by. It ends when that is dropped. `report` is called on the
    /// thread and must not block. Without any check there is no thread.
    ///
    /// # Errors
    /// When no thread can be made.
    pub fn spawn(
        self,
        report: impl Fn(CheckReport) + Send + Sync + 'static,
    ) -> std::io::Result<UnboundedSender<CheckCommand>> {
        let (commander, commands) = unbounded_channel();
        if self.checks.is_empty() {
            return Ok(commander);
        }
        thread::Builder::new().name("checks".to_owned()).spawn(move || {
            let CheckThread { checks, groups, environment } = self;
            let key = |group: usize| groups.get(group).map(|group| group.key.as_str()).unwrap_or_default();
            let units: Vec<String> = checks
                .iter()
                .enumerate()
                .map(|(index, check)| command::unit_name(key(check.rule.group), index))
                .collect();
            let prober = runner::Prober::new(Builder::system, units, environment);
            match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime.block_on(runner::run(checks, Arc::new(prober), commands, Arc::new(report))),
                Err(error) => error!("the thread of the checks has no runtime, so no service is checked: {error}"),
            }
        })?;
        Ok(commander)
    }
}
