//! A stop while there is no system bus: by systemctl, which reaches systemd without one.
//!
//! Owns the one child process that the effects on units have. Only a unit that systemd alone can stop whole is
//! stopped so: not a script, which is stopped by a unit of hbd's, and not a target, whose parts would be forgotten.

use std::process::Stdio;
use std::time::Duration;

use log::warn;
use tokio::process::Command;
use tokio::time::timeout;

use super::error::{UnitError, Verb};
use crate::config::Recipe;

/// How long a stop waits for a connection to the bus before it does without: a restart of the bus takes less.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// Unit tests stop nothing on the machine that they run on.
const SYSTEMCTL: &str = if cfg!(test) { "/nonexistent/systemctl" } else { "systemctl" };

/// Whether systemd alone can stop all of this.
pub(super) fn can_stop(unit: &str, recipe: Option<&Recipe>) -> bool {
    !matches!(recipe, Some(Recipe::Script(_))) && !unit.ends_with(".target")
}

/// Stops the unit, and does not wait for its turn in a shutdown, which may come after the end of hbd.
///
/// # Errors
/// [`UnitError::Deadline`] (the job goes on in systemd), and [`UnitError::Refused`] with what systemctl said.
pub(super) async fn stop(unit: &str, limit: Duration) -> Result<(), UnitError> {
    warn!("there is no system bus: stopping {unit} with systemctl");
    let stopped = async {
        // As over the bus: first with everything that has to stop because of it.
        systemctl(&["--no-block", "stop"], unit).await?;
        systemctl(&["--job-mode=ignore-dependencies", "stop"], unit).await
    };
    let late = |_| Err(UnitError::Deadline { unit: unit.to_owned(), verb: Verb::Stop, after: limit });
    timeout(limit, stopped).await.unwrap_or_else(late)
}

async fn systemctl(words: &[&str], unit: &str) -> Result<(), UnitError> {
    let refused = |text: String| UnitError::Refused {
        unit: unit.to_owned(),
        verb: Verb::Stop,
        name: "systemctl".to_owned(),
        text,
    };
    let mut command = Command::new(SYSTEMCTL);
    command.arg("--quiet").args(words).args(["--", unit]).stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.map_err(|error| refused(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(refused(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}
