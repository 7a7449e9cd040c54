//! How a step of a group ended.

use serde::{Deserialize, Serialize};

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It runs.
    Started,
    /// It does not run any more.
    Stopped,
    /// It could not be started; the text says why.
    NotStarted(String),
    /// It could not be stopped; the text says why.
    NotStopped(String),
}

impl Outcome {
    /// Why it failed.
    pub fn failure(&self) -> Option<&str> {
        match self {
            Outcome::Started | Outcome::Stopped => None,
            Outcome::NotStarted(reason) | Outcome::NotStopped(reason) => Some(reason),
        }
    }
}
