//! Resources whose unit hbd makes itself: scripts, OCF agents and file systems (03 §15).
//!
//! A script's service is active from the end of its `start` to the beginning of its `stop`, and its processes live in
//! it. A file system's unit is the mount. Both vanish when they are stopped, unless another unit refers to them: then
//! systemd keeps them, and they are started as they are if they are made of the same.

use std::time::Duration;

use log::warn;
use tokio::time::{Instant, timeout};
use zbus::Variant;

use super::environment;
use super::error::{UnitError, Verb};
use super::occupants::first_few;
use super::proxy::Property;
use super::recipe;
use super::systemd::Systemd;
use super::systemd::{JobWish, ServiceProperty};
use crate::config::{Recipe, Script};
use crate::util::text::printable;

/// How long a killed unit may take to be gone.
const KILLED_LIMIT: Duration = Duration::from_secs(10);
/// How much of a command line is told, in characters.
const COMMAND: usize = 60;
/// Signal number of SIGKILL.
const SIGKILL: i32 = 9;

/// A unit of hbd's own that is down, and that systemd has not forgotten.
enum Kept {
    /// There is none.
    No,
    /// It is made of what it would be made of now: it can be started as it is.
    Same,
    /// It is made of something else, by other files or by another release of hbd.
    Other,
}

impl Systemd {
    /// As [`Systemd::start`] for a unit that is made by this call. One that is up already is `Ok`. `limit`: how long
    /// systemd is to let it take, now and whenever it is started again. `left`: how long this call may take.
    ///
    /// # Errors
    /// As [`Systemd::start`], and [`UnitError::Occupied`], [`UnitError::Kept`].
    pub async fn start_made(
        &self,
        unit: &str,
        recipe: &Recipe,
        limit: Duration,
        left: Duration,
    ) -> Result<(), UnitError> {
        let begun = Instant::now();
        let program = own_program();
        let mut properties = match recipe {
            Recipe::Mount(mount) => recipe::mount(mount, limit),
            Recipe::Script(script) => {
                let mut properties = recipe::resource(&program, script, limit);
                properties.push(environment::property(unit, &recipe::variables(script))?);
                properties
            }
        };
        recipe::sign(&mut properties);
        let late = |_| UnitError::Deadline { unit: unit.to_owned(), verb: Verb::Start, after: left };
        let left = || left.saturating_sub(begun.elapsed());
        match timeout(left(), self.kept(unit, &properties)).await.map_err(late)? {
            Kept::No => {}
            Kept::Same => match self.change(JobWish { verb: Verb::Start, unit, made_of: None }, left()).await {
                // It was forgotten at this moment.
                Err(UnitError::NotFound { .. }) => {}
                outcome => return outcome,
            },
            // Its making says what is still wrong.
            Kept::Other => drop(timeout(left(), self.drop_order()).await),
        }
        self.change(JobWish { verb: Verb::Start, unit, made_of: Some(&properties) }, left()).await
    }

    /// Whether systemd still knows this unit from an earlier start: systemd keeps a unit that has stopped as long as
    /// another one refers to it, as hbd-order.service does and a service that needs the file system, and refuses to
    /// make it anew. What it is made of is in its description.
    async fn kept(&self, unit: &str, properties: &[Property<'_>]) -> Kept {
        let Ok(state) = self.state(unit).await else { return Kept::No };
        if state.load != "loaded" || !state.active.is_down() {
            return Kept::No;
        }
        let Ok(known) = self.unit_at(state.path).await else { return Kept::No };
        let (transient, description) = tokio::join!(self.call(known.transient()), self.call(known.description()));
        let (Ok(true), Ok(description)) = (transient, description) else { return Kept::No };
        let same =
            |(name, value): &Property<'_>| *name == "Description" && *value == Variant::from(description.as_str());
        if properties.iter().any(same) { Kept::Same } else { Kept::Other }
    }

    /// As [`Systemd::stop`]; what does not stop in time is killed.
    ///
    /// # Errors
    /// As [`Systemd::stop`].
    pub async fn stop_or_kill(&self, unit: &str, limit: Duration) -> Result<(), UnitError> {
        match self.stop(unit, limit).await {
            Err(UnitError::Deadline { .. }) => {
                let victims = self.processes(unit).await;
                warn!("{unit} does not stop within {:.0} s: killing {victims}", limit.as_secs_f64());
                // Refused if nothing of it runs any more.
                let _ = self.call(self.manager.kill_unit(unit, "all", SIGKILL)).await;
                self.stop(unit, KILLED_LIMIT).await
            }
            outcome => outcome,
        }
    }

    /// The processes of a unit, in a line; the unit itself where systemd does not tell.
    async fn processes(&self, unit: &str) -> String {
        let rows = self.call(self.manager.get_unit_processes(unit)).await.unwrap_or_default();
        let process = |(_, pid, command): &(String, u32, String)| {
            let command: String = command.chars().take(COMMAND).collect();
            format!("process {pid} ({})", printable(&command))
        };
        let found: Vec<String> = rows.iter().map(process).collect();
        if found.is_empty() { unit.to_owned() } else { first_few(&found, ", ") }
    }

    /// Reboots the machine at once: no unit is stopped, no file system unmounted (`systemctl reboot --force`).
    ///
    /// # Errors
    /// When systemd refuses or does not answer.
    pub async fn reboot(&self) -> Result<(), UnitError> {
        Ok(self.call(self.manager.reboot()).await?)
    }

    /// The unit's own `stop` if it is active; the script's all the same if it is not, or if that one failed.
    pub(super) async fn stop_script(&self, unit: &str, script: &Script, limit: Duration) -> Result<(), UnitError> {
        let late = |_| UnitError::Deadline { unit: unit.to_owned(), verb: Verb::Stop, after: limit };
        let before = timeout(limit, self.patiently(|| self.state(unit))).await.map_err(late)??;
        if !before.active.is_down() {
            // Otherwise its Result would be gone with it.
            let pinned = self.call(self.manager.ref_unit(unit)).await.is_ok();
            self.stop_or_kill(unit, limit).await?;
            let result = self.service_property(&before, ServiceProperty::Result).await;
            if pinned {
                let _ = self.call(self.manager.unref_unit(unit)).await;
            }
            if result.is_ok_and(|result| result == "success") {
                environment::forget(unit);
                return Ok(());
            }
        }
        let helper = unit.replacen("hbd-", "hbd-stop-", 1);
        let program = own_program();
        let mut properties = recipe::stop_once(&program, script, limit);
        properties.push(environment::property(&helper, &recipe::variables(script))?);
        let wish = JobWish { verb: Verb::Start, unit: &helper, made_of: Some(&properties) };
        let outcome = self.change(wish, limit).await.map_err(|error| error.meaning(Verb::Stop));
        environment::forget(&helper);
        if outcome.is_ok() {
            environment::forget(unit);
        }
        outcome
    }
}

/// The program that is running; the new one of that name after an upgrade.
pub(super) fn own_program() -> String {
    let path = std::env::current_exe().map(|path| path.display().to_string());
    path.map_or_else(|_| "/usr/sbin/hbd".to_owned(), |path| path.trim_end_matches(" (deleted)").to_owned())
}
