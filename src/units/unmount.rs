//! Stopping a resource, and a file system above all: what is busy is named, or, where the configuration says so, its
//! users are ended first.
//!
//! Owns what hbd does about a mount that does not go. Never unmounts lazily: a mount that is only hidden is still a
//! mount.

use std::time::Duration;

use log::warn;

use super::error::{UnitError, Verb};
use super::recipe;
use super::systemd::{JobWish, Systemd};
use super::transient::own_program;
use crate::config::Recipe;

/// How long the processes that keep a file system busy may take to end, TERM and KILL together.
const VACATE_LIMIT: Duration = Duration::from_secs(20);
/// How long it may take to find out who they are.
const LIST_LIMIT: Duration = Duration::from_secs(10);

impl Systemd {
    /// Stops a resource, as far as it runs: a unit with its parts, or one that was made of `recipe`. What does not
    /// stop within `limit` is killed; what keeps a file system busy is ended if `vacate` says so.
    ///
    /// # Errors
    /// As [`Systemd::stop`], and [`UnitError::Busy`].
    pub async fn stop_resource(
        &self,
        unit: &str,
        recipe: Option<&Recipe>,
        limit: Duration,
        vacate: bool,
    ) -> Result<(), UnitError> {
        match recipe {
            None => self.stop_with_parts(unit, limit, vacate).await,
            Some(Recipe::Mount(mount)) => self.unmount(unit, Some(&mount.directory), limit, vacate).await,
            Some(Recipe::Script(script)) => self.stop_script(unit, script, limit).await,
        }
    }

    /// Stops one unit; what does not stop in time is killed.
    pub(super) async fn stop_unit(&self, unit: &str, limit: Duration, vacate: bool) -> Result<(), UnitError> {
        if unit.ends_with(".mount") {
            self.unmount(unit, None, limit, vacate).await
        } else {
            self.stop_or_kill(unit, limit).await
        }
    }

    /// Unmounts. If that fails, ends the processes that keep the file system busy and tries once more, or says who
    /// they are.
    async fn unmount(
        &self,
        unit: &str,
        directory: Option<&str>,
        limit: Duration,
        vacate: bool,
    ) -> Result<(), UnitError> {
        let first = match self.stop_or_kill(unit, limit).await {
            Err(error @ UnitError::Failed { .. }) => error,
            outcome => return outcome,
        };
        let directory = match directory {
            Some(directory) => directory.to_owned(),
            None => self.mount_point(unit).await?,
        };
        if !vacate {
            return Err(self.busy(unit, &directory, vacate).await);
        }
        warn!("{directory} cannot be unmounted while it is in use: ending its users ({first})");
        let program = own_program();
        let helper = helper("vacate", unit);
        let properties = recipe::vacate(&program, &directory, VACATE_LIMIT);
        let wish = JobWish { verb: Verb::Start, unit: &helper, made_of: Some(&properties) };
        if let Err(error) = self.change(wish, VACATE_LIMIT).await {
            warn!("{error}");
        }
        match self.stop_or_kill(unit, limit).await {
            Err(UnitError::Failed { .. }) => return Err(self.busy(unit, &directory, vacate).await),
            outcome => outcome?,
        }
        // The first attempt is not to be seen as the state of a unit that is gone.
        let _ = self.call(self.manager.reset_failed_unit(unit)).await;
        Ok(())
    }

    /// The error that says who keeps a file system busy.
    async fn busy(&self, unit: &str, directory: &str, vacated: bool) -> UnitError {
        let users = match self.users_of(unit, directory).await {
            Ok(users) => users,
            Err(error) => format!("hbd cannot find out by whom ({error}); see `fuser -vm {directory}`"),
        };
        UnitError::Busy { unit: unit.to_owned(), users, vacated }
    }

    /// Who keeps `directory` busy, in a line. Only a process outside of hbd's sandbox can see that: it tells systemd
    /// in the status of its unit, which stays until we have read it there.
    async fn users_of(&self, unit: &str, directory: &str) -> Result<String, UnitError> {
        let program = own_program();
        let helper = helper("occupants", unit);
        let stop = || self.change(JobWish { verb: Verb::Stop, unit: &helper, made_of: None }, LIST_LIMIT);
        // One that is there would tell what was true when hbd last asked.
        stop().await?;
        let properties = recipe::occupants(&program, directory, LIST_LIMIT);
        let wish = JobWish { verb: Verb::Start, unit: &helper, made_of: Some(&properties) };
        self.change(wish, LIST_LIMIT).await?;
        let told = self.status_text(&helper).await;
        if let Err(error) = stop().await {
            warn!("{error}");
        }
        told
    }

    async fn status_text(&self, service: &str) -> Result<String, UnitError> {
        let state = self.state(service).await?;
        self.read(&state.path, "org.freedesktop.systemd1.Service", "StatusText").await
    }

    async fn mount_point(&self, mount: &str) -> Result<String, UnitError> {
        let state = self.state(mount).await?;
        self.read(&state.path, "org.freedesktop.systemd1.Mount", "Where").await
    }
}

/// The name of a service that helps to stop a mount unit.
fn helper(task: &str, unit: &str) -> String {
    format!("hbd-{task}-{}.service", unit.trim_end_matches(".mount"))
}
