//! A program that is run again and again to see whether a service works: as a unit of its own, outside of hbd's
//! sandbox, killed as a whole when its time is over, and without a line in the journal when all is well.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::time::timeout;
use zbus::Variant;

use super::environment;
use super::error::{UnitError, Verb};
use super::recipe::{command, common};
use super::systemd::{JobWish, Systemd};
use crate::util::clock::microseconds;

/// What systemd itself may need beyond the program's own limit.
const MARGIN: Duration = Duration::from_secs(5);
/// syslog(3): systemd says at this level that a unit failed, and at a lower one that it was started.
const WARNING: i32 = 4;
/// Signal number of SIGKILL.
const SIGKILL: i32 = 9;

/// With this exit status a process of systemd's ends that could not become the program: it is missing, or no
/// executable (systemd.exec(5), "Process Exit Codes"). Programs end with its neighbours, too.
const NOT_EXECUTED: i32 = 203;

/// A program that checks something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckUnit<'a> {
    /// The unit it runs as, with `.service`. One of this name that has ended is replaced.
    pub unit: &'a str,
    /// The program and its arguments.
    pub words: Vec<&'a str>,
    /// What it finds in its environment: `NAME=VALUE`.
    pub environment: &'a [String],
    /// The file that gets what it prints, written anew each time by systemd.
    pub output: &'a str,
    /// After how long it is killed and has failed.
    pub limit: Duration,
}

impl Systemd {
    /// Runs it and waits for its end. `Ok` when it exited with 0.
    ///
    /// # Errors
    /// [`UnitError::NotExecuted`], [`UnitError::Failed`] with systemd's `Result` (`exit-code`, `timeout`, `signal`),
    /// and what [`Systemd::start`] may give.
    pub async fn run_check(&self, check: &CheckUnit<'_>) -> Result<(), UnitError> {
        let mut properties = common(format!("hbd checks with {}", check.words.join(" ")));
        properties.extend([
            ("Type", Variant::from("oneshot")),
            // The program must not keep a shutdown waiting, nor be refused while one goes on.
            ("DefaultDependencies", Variant::from(false)),
            ("ExecStart", command(check.words.clone())),
            environment::property(check.unit, check.environment)?,
            ("StandardOutputFileToTruncate", Variant::from(check.output)),
            ("StandardError", Variant::from("inherit")),
            ("LogLevelMax", Variant::from(WARNING)),
            ("TimeoutStartUSec", Variant::from(microseconds(check.limit))),
            ("TimeoutStopUSec", Variant::from(microseconds(MARGIN / 2))),
            ("KillSignal", Variant::from(SIGKILL)),
        ]);
        let wish = JobWish { verb: Verb::Start, unit: check.unit, made_of: Some(&properties) };
        let pinned = AtomicBool::new(false);
        let outcome = self.change_pinned(wish, check.limit + MARGIN, &pinned).await;
        // A shell that runs a text is executed: any status is the text's own.
        let shell = check.words.starts_with(&["/bin/sh", "-c"]);
        let outcome = match outcome {
            Err(UnitError::Failed { ref result, .. }) if result == "exit-code" && !shell => {
                // A status that systemd does not tell is taken for the program's own.
                let status = timeout(MARGIN, self.exit_status(check.unit)).await;
                match status {
                    Ok(Ok(NOT_EXECUTED)) => {
                        Err(UnitError::NotExecuted { unit: check.unit.to_owned(), status: NOT_EXECUTED })
                    }
                    _ => outcome,
                }
            }
            outcome => outcome,
        };
        self.unpin(check.unit, &pinned);
        environment::forget(check.unit);
        outcome
    }

    async fn exit_status(&self, unit: &str) -> Result<i32, UnitError> {
        let state = self.state(unit).await?;
        self.read(&state.path, "org.freedesktop.systemd1.Service", "ExecMainStatus").await
    }
}
