//! How a step of a group ended.

use serde::{Deserialize, Serialize};

use super::unit_news::UnitNews;

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It runs.
    Started,
    /// It does not run any more.
    Stopped,
    /// A stop that is not hbd's has ended its start: it does not run. What that means: [`UnitNews::Stopped`] or
    /// [`UnitNews::StoppedWith`].
    Aborted(UnitNews),
    /// It could not be started; the text says why.
    NotStarted(String),
    /// It could not be stopped; the text says why.
    NotStopped(String),
}

impl Outcome {
    /// What it means that a stop has ended its start.
    pub fn aborted(&self) -> Option<&UnitNews> {
        if let Outcome::Aborted(news) = self { Some(news) } else { None }
    }

    /// Why it failed.
    pub fn failure(&self) -> Option<&str> {
        match self {
            Outcome::Started | Outcome::Stopped | Outcome::Aborted(_) => None,
            Outcome::NotStarted(reason) | Outcome::NotStopped(reason) => Some(reason),
        }
    }
}
