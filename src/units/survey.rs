//! What is wrong with the units that haresources names and hbd does not make: one survey for the start of the daemon,
//! `hbd --check`, `hbctl check` and `hbctl doctor`.
//!
//! Owns what makes a unit unfit to be managed. Changes nothing.

use std::time::Duration;

use log::warn;
use thiserror::Error;
use tokio::time::timeout;
use zbus::connection::Builder;

use super::error::UnitError;
use super::systemd::Systemd;
use crate::config::{Config, ResourceKind};

/// How long systemd may take to answer all questions of one survey.
const SURVEY_LIMIT: Duration = Duration::from_secs(10);

/// Why a unit is not fit to be managed.
#[derive(Debug, Clone, Error)]
pub enum UnfitUnit {
    /// It cannot be started.
    #[error(transparent)]
    Missing(UnitError),
    /// systemd starts it at boot.
    #[error(
        "{unit} starts at boot by itself, on whichever node boots, while hbd wants it on one node only: \
         `systemctl disable {unit}` on both nodes"
    )]
    Enabled {
        /// The unit.
        unit: String,
    },
}

impl UnfitUnit {
    /// How much it matters to a check: what cannot be started is an error.
    pub fn severity(&self) -> &'static str {
        match self {
            UnfitUnit::Missing(_) => "error",
            UnfitUnit::Enabled { .. } => "warning",
        }
    }
}

/// Why the units are not known.
#[derive(Debug, Error)]
pub enum SurveyError {
    /// Ten seconds were not enough.
    #[error("systemd does not answer")]
    NoAnswer,
    /// The bus or systemd refuses.
    #[error(transparent)]
    Systemd(#[from] UnitError),
}

/// What an administrator should mend before hbd manages the units of `config`, in their order. Without units systemd
/// is not asked. Must be called inside a tokio runtime with I/O and time.
///
/// # Errors
/// [`SurveyError`], after ten seconds at the latest.
pub async fn survey(bus: Builder<'static>, config: &Config) -> Result<Vec<UnfitUnit>, SurveyError> {
    let kinds = config.groups.iter().flat_map(|group| &group.resources).map(|resource| &resource.kind);
    let units = kinds.filter_map(|kind| if let ResourceKind::Unit(unit) = kind { Some(unit) } else { None });
    let units: Vec<&String> = units.collect();
    if units.is_empty() {
        return Ok(Vec::new());
    }
    within_limit(async {
        let systemd = connect(bus).await?;
        let mut found = Vec::new();
        for unit in units {
            found.extend(systemd.unfit(unit).await?);
        }
        Ok(found)
    })
    .await
}

/// Whether systemd starts `unit` at boot. A unit that does not exist is not started.
///
/// # Errors
/// [`SurveyError`], after ten seconds at the latest.
pub async fn starts_at_boot(bus: Builder<'static>, unit: &str) -> Result<bool, SurveyError> {
    within_limit(async { Ok(connect(bus).await?.is_enabled(unit).await) }).await
}

async fn within_limit<T>(answer: impl Future<Output = Result<T, UnitError>>) -> Result<T, SurveyError> {
    match timeout(SURVEY_LIMIT, answer).await {
        Ok(answer) => answer.map_err(SurveyError::Systemd),
        Err(_) => Err(SurveyError::NoAnswer),
    }
}

async fn connect(bus: Builder<'static>) -> Result<Systemd, UnitError> {
    Systemd::new(bus.build().await?).await
}

impl Systemd {
    /// Warns of each of `units` that is not fit to be managed.
    pub(super) async fn warn_of_unfit(&self, units: &[String]) {
        for unit in units {
            match self.unfit(unit).await {
                Ok(Some(unfit)) => warn!("{unfit}"),
                Ok(None) => {}
                // The code that starts the unit reports this error.
                Err(_) => return,
            }
        }
    }

    /// Why `unit` is not fit to be managed; `None` if it is.
    async fn unfit(&self, unit: &str) -> Result<Option<UnfitUnit>, UnitError> {
        let state = self.state(unit).await?;
        let unit = unit.to_owned();
        Ok(match state.load.as_str() {
            "not-found" => Some(UnfitUnit::Missing(UnitError::NotFound { unit })),
            "masked" => Some(UnfitUnit::Missing(UnitError::Masked { unit })),
            "loaded" if self.is_enabled(&unit).await => Some(UnfitUnit::Enabled { unit }),
            _ => None,
        })
    }

    async fn is_enabled(&self, unit: &str) -> bool {
        let state = self.call(self.manager.get_unit_file_state(unit)).await;
        matches!(state.as_deref(), Ok("enabled" | "enabled-runtime"))
    }
}
