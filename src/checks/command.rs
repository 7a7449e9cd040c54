//! A check that runs a program, as a transient unit: outside of hbd's sandbox, killed as a whole when its time is
//! over.
//!
//! What the program prints is kept until it runs again, in a file below /run/hbd; the last line is the reason when it
//! fails.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::timeout;
use zbus::connection::Builder;

use super::report::CheckResult;
use crate::config::CheckPurpose;
use crate::units::{CheckUnit, Systemd, UnitError};
use crate::util::error::error_chain;
use crate::util::text::printable;

/// Where what the programs print is kept.
const DIRECTORY: &str = "/run/hbd";
/// How long the bus may take to let us in.
const CONNECT: Duration = Duration::from_secs(5);
/// So much of the output's end is looked at.
const TAIL: u64 = 4096;
/// The longest reason, in characters.
const LONGEST: usize = 200;

/// What runs the programs of all checks.
pub(super) struct Commands {
    connect: Box<dyn Fn() -> Builder<'static> + Send + Sync>,
    /// Of each check.
    units: Vec<String>,
    environment: Vec<String>,
    /// The connection, while there is one.
    systemd: Mutex<Option<Arc<Systemd>>>,
}

/// `hbd-check-GROUP-N.service`, with characters replaced that a unit's name cannot have.
pub(super) fn unit_name(group: &str, index: usize) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let group: String = group.chars().map(plain).take(100).collect();
    format!("hbd-check-{group}-{}.service", index + 1)
}

impl Commands {
    pub(super) fn new(
        connect: impl Fn() -> Builder<'static> + Send + Sync + 'static,
        units: Vec<String>,
        environment: Vec<String>,
    ) -> Commands {
        Commands { connect: Box::new(connect), units, environment, systemd: Mutex::new(None) }
    }

    /// Runs the program of check number `index` once.
    pub(super) async fn run(
        &self,
        index: usize,
        words: &[String],
        limit: Duration,
        purpose: CheckPurpose,
    ) -> CheckResult {
        let Some(unit) = self.units.get(index) else { return CheckResult::NotRun("it has no unit".to_owned()) };
        let systemd = match self.systemd().await {
            Ok(systemd) => systemd,
            Err(error) => return CheckResult::NotRun(error_chain(&error)),
        };
        let output = output_file(Path::new(DIRECTORY), unit);
        let words = words.iter().map(String::as_str).collect();
        let check =
            CheckUnit { unit, words, environment: &self.environment, output: &output.display().to_string(), limit };
        let outcome = systemd.run_check(&check).await;
        if matches!(outcome, Err(UnitError::ConnectionLost | UnitError::Bus(_) | UnitError::Deadline { .. })) {
            *self.systemd.lock().await = None;
        }
        result(outcome, limit, &output, purpose)
    }

    /// The connection to systemd, made if there is none.
    async fn systemd(&self) -> Result<Arc<Systemd>, UnitError> {
        let mut kept = self.systemd.lock().await;
        if let Some(systemd) = kept.as_ref() {
            return Ok(Arc::clone(systemd));
        }
        let connect = async { Systemd::new((self.connect)().build().await?).await };
        let systemd = Arc::new(timeout(CONNECT, connect).await.unwrap_or(Err(UnitError::ConnectionLost))?);
        *kept = Some(Arc::clone(&systemd));
        Ok(systemd)
    }
}

/// What the end of a program means. One that systemd could not run, for a lack of resources or because it is missing,
/// says nothing of a service that runs, and nothing good of a node that is to be ready.
pub(super) fn result(
    outcome: Result<(), UnitError>,
    limit: Duration,
    output: &Path,
    purpose: CheckPurpose,
) -> CheckResult {
    match outcome {
        Ok(()) => CheckResult::Passed,
        Err(UnitError::Failed { result, .. }) if result == "timeout" => {
            CheckResult::Failed(format!("it took longer than {} s and was killed", limit.as_secs_f64()))
        }
        Err(UnitError::Failed { result, .. }) if !matches!(result.as_str(), "" | "resources") => {
            CheckResult::Failed(reason(&result, output))
        }
        Err(error @ UnitError::NotExecuted { .. }) if purpose == CheckPurpose::Ready => {
            CheckResult::Failed(error_chain(&error))
        }
        Err(error) => CheckResult::NotRun(error_chain(&error)),
    }
}

fn output_file(directory: &Path, unit: &str) -> PathBuf {
    directory.join(unit).with_extension("output")
}

/// How a program failed: what it printed last, and systemd's word for how it ended.
pub(super) fn reason(result: &str, output: &Path) -> String {
    let how = match result {
        "exit-code" => "it failed",
        "signal" | "core-dump" => "it was killed by a signal",
        other => other,
    };
    match last_line(output) {
        Ok(Some(line)) => format!("{how}: {line}"),
        // That the program printed nothing, or that nothing can be read of it, is no reason for anything.
        _ => how.to_owned(),
    }
}

/// The last line that is not blank, printable and not too long.
fn last_line(path: &Path) -> io::Result<Option<String>> {
    let mut file = fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty());
    Ok(line.map(|line| printable(line).chars().take(LONGEST).collect()))
}
