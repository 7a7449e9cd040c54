//! A program that is run once, as a unit of its own: outside of hbd's sandbox, with a limit, its output in the
//! journal.

use std::time::Duration;

use zbus::Variant;

use super::environment;
use super::error::{UnitError, Verb};
use super::recipe::{command, common};
use super::systemd::JobWish;
use super::systemd::Systemd;
use crate::util::clock::microseconds;

/// What systemd itself may need beyond the program's own limit.
const MARGIN: Duration = Duration::from_secs(10);

/// A program to be run once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errand<'a> {
    /// The unit it runs as, with `.service`.
    pub unit: &'a str,
    /// What people read in `systemctl status`.
    pub description: &'a str,
    /// The program and its arguments.
    pub words: Vec<&'a str>,
    /// A file that becomes its standard input; opened by systemd.
    pub input: Option<&'a str>,
    /// What it finds in its environment: `NAME=VALUE`.
    pub environment: &'a [String],
    /// Exit statuses that are success beside 0.
    pub accepted: &'a [i32],
    /// After how long it is killed and has failed.
    pub limit: Duration,
    /// Whether what it leaves in the background lives on.
    pub background: bool,
}

impl Systemd {
    /// Runs it and waits for its end. `Ok` when it exited with 0, or with what is accepted.
    ///
    /// # Errors
    /// [`UnitError::Failed`] with systemd's `Result` (`exit-code`, `timeout`, `signal`), and what [`Systemd::start`]
    /// may give.
    pub async fn run_errand(&self, errand: &Errand<'_>) -> Result<(), UnitError> {
        let mut properties = common(errand.description.to_owned());
        properties.extend([
            ("Type", Variant::from("oneshot")),
            // A machine that is going down may still have to reset the other one.
            ("DefaultDependencies", Variant::from(false)),
            ("ExecStart", command(errand.words.clone())),
            environment::property(errand.unit, errand.environment)?,
            ("SuccessExitStatus", Variant::from((errand.accepted.to_vec(), Vec::<i32>::new()))),
            ("KillMode", Variant::from(if errand.background { "process" } else { "control-group" })),
            ("TimeoutStartUSec", Variant::from(microseconds(errand.limit))),
            ("TimeoutStopUSec", Variant::from(microseconds(MARGIN / 2))),
        ]);
        properties.extend(errand.input.map(|input| ("StandardInputFile", Variant::from(input))));
        let wish = JobWish { verb: Verb::Start, unit: errand.unit, made_of: Some(&properties) };
        let outcome = self.change(wish, errand.limit + MARGIN).await;
        environment::forget(errand.unit);
        outcome
    }
}
