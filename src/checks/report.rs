//! What the thread of the checks is told, and what it tells.

/// A check begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckCommand {
    /// Index of the check in [`crate::config::Config::checks`].
    pub check: usize,
    /// The number that its results carry; `None` ends it.
    pub run: Option<u64>,
}

/// A check has run once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReport {
    /// Index of the check.
    pub check: usize,
    /// The number of [`CheckCommand::run`].
    pub run: u64,
    /// How it ended.
    pub result: CheckResult,
}

/// How a check ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckResult {
    /// The service did what is expected of it.
    Passed,
    /// It did not, or not in time; the text says what it did.
    Failed(String),
    /// The check itself could not be run; the text says why.
    NotRun(String),
}
