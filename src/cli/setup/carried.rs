//! The file that is carried to the other node: the plan, with the secret.
//!
//! Owns its form. A number in it changes when an older hbctl would misread it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::SetupError;
use super::files::PlannedFile;
use super::plan::PairPlan;
use crate::util::error::failed;

/// The form of the file.
const FORM: u32 = 1;

/// What the file says of itself, whatever its form.
#[derive(Debug, Deserialize)]
struct Label {
    form: u32,
    hbd: String,
}

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CarriedFile {
    form: u32,
    /// The version of the hbctl that wrote it.
    pub hbd: String,
    pub plan: PairPlan,
}

/// Where it is written unless something else is said.
pub(super) fn default_path(peer: &str) -> PathBuf {
    PathBuf::from(format!("hbd-join-{peer}.toml"))
}

/// The file to be written.
///
/// # Errors
/// Where the plan cannot be written as TOML.
pub(super) fn of_plan(plan: &PairPlan, path: PathBuf) -> Result<PlannedFile, SetupError> {
    let [first, second] = &plan.nodes;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let carried = CarriedFile { form: FORM, hbd: env!("CARGO_PKG_VERSION").to_owned(), plan: plan.clone() };
    let text = format!(
        "# For {second}: joins it to {first}. Carry it there and run\n\
         #     hbctl join {name}\n\
         # It contains the key of the pair. Keep it readable by root only, and remove it on both nodes afterwards.\n\n{}",
        toml::to_string(&carried)?
    );
    Ok(PlannedFile { path, text, mode: 0o600 })
}

impl CarriedFile {
    /// Reads it; also says what the administrator should know of it.
    ///
    /// # Errors
    /// When it cannot be read, is something else, or was written by an hbctl with another form of it.
    pub fn read(path: &Path) -> Result<(CarriedFile, Vec<String>), SetupError> {
        let text = fs::read_to_string(path).map_err(failed("read", path))?;
        let mode = fs::metadata(path).map_err(failed("read", path))?.permissions().mode();
        let unusable = |reason: String| SetupError::Carried { path: path.to_owned(), reason };
        let own = env!("CARGO_PKG_VERSION");
        let label: Label = toml::from_str(&text).map_err(|error| unusable(error.message().to_owned()))?;
        if label.form != FORM {
            return Err(unusable(format!(
                "hbd {} wrote it, and this is hbd {own}: install the same version on both nodes",
                label.hbd
            )));
        }
        // Not the whole error: it would show the line, which may be the key's.
        let carried: CarriedFile = toml::from_str(&text).map_err(|error| unusable(error.message().to_owned()))?;
        let mut notes = Vec::new();
        if carried.hbd != own {
            notes.push(format!(
                "hbd {} runs on {}, and this is hbd {own}: they understand each other; install the same soon",
                carried.hbd, carried.plan.nodes[0]
            ));
        }
        if mode & 0o077 != 0 {
            notes.push(format!(
                "{} has mode {:o}, so others could read the key in it. Where that may have happened, run hbctl init again",
                path.display(),
                mode & 0o777
            ));
        }
        Ok((carried, notes))
    }
}
