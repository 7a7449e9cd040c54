//! The state of a unit as systemd tells it.

use std::fmt;

use serde::{Deserialize, Serialize};
use zbus::OwnedObjectPath;

use super::proxy::UnitRow;

/// `ActiveState` of org.freedesktop.systemd1(5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActiveState {
    /// Running, mounted, listening.
    Active,
    /// Active, and reading its configuration again.
    Reloading,
    /// Active, and refreshing its mounts (systemd 256).
    Refreshing,
    /// Not running.
    Inactive,
    /// Not running, and the last run failed.
    Failed,
    /// On the way up; also waiting for an automatic restart.
    Activating,
    /// On the way down.
    Deactivating,
    /// A word this version does not know (`maintenance`, or a newer systemd's).
    Other(String),
}

impl ActiveState {
    /// Whether the unit serves: `reloading` is active.
    pub fn is_up(&self) -> bool {
        matches!(self, ActiveState::Active | ActiveState::Reloading | ActiveState::Refreshing)
    }

    /// Whether the unit holds nothing any more.
    pub fn is_down(&self) -> bool {
        matches!(self, ActiveState::Inactive | ActiveState::Failed)
    }

    /// systemd's word.
    pub fn as_str(&self) -> &str {
        match self {
            ActiveState::Active => "active",
            ActiveState::Reloading => "reloading",
            ActiveState::Refreshing => "refreshing",
            ActiveState::Inactive => "inactive",
            ActiveState::Failed => "failed",
            ActiveState::Activating => "activating",
            ActiveState::Deactivating => "deactivating",
            ActiveState::Other(word) => word,
        }
    }
}

impl From<&str> for ActiveState {
    fn from(word: &str) -> Self {
        match word {
            "active" => ActiveState::Active,
            "reloading" => ActiveState::Reloading,
            "refreshing" => ActiveState::Refreshing,
            "inactive" => ActiveState::Inactive,
            "failed" => ActiveState::Failed,
            "activating" => ActiveState::Activating,
            "deactivating" => ActiveState::Deactivating,
            other => ActiveState::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for ActiveState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One consistent reading of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitState {
    /// The unit's primary name; differs from the name asked for when that is an alias.
    pub name: String,
    /// `LoadState`: `loaded`, `not-found`, `masked`, `bad-setting`, `error`.
    pub load: String,
    /// `ActiveState`.
    pub active: ActiveState,
    /// `SubState`: `running`, `exited`, `auto-restart`, … depending on the kind of unit.
    pub sub: String,
    /// The queued or running job.
    pub job: Option<OwnedObjectPath>,
    /// Its type: `start`, `stop`, `restart`, …; empty without a job.
    pub job_type: String,
    /// The unit's object path.
    pub path: OwnedObjectPath,
}

impl UnitState {
    pub(super) fn from_row(row: UnitRow) -> Self {
        let (name, _description, load, active, sub, _following, path, job_id, job_type, job) = row;
        let job = (job_id != 0).then_some(job);
        UnitState { name, load, active: active.as_str().into(), sub, job, job_type, path }
    }

    /// Whether the unit crashed and waits for its `Restart=`: it does not serve, whatever the job's result was.
    /// `auto-restart-queued` is new in systemd 254, `failed-before-auto-restart` in 255, where it is passed through
    /// with the active state `failed`.
    pub fn awaits_restart(&self) -> bool {
        let waits = self.active == ActiveState::Activating && self.sub.starts_with("auto-restart");
        waits || self.sub.ends_with("-before-auto-restart")
    }
}
