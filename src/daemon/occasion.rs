//! What a daemon is started for.

/// What a daemon is started for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// To serve.
    Start,
    /// To serve in the place of one that has read changed files, as the same process.
    Reload,
    /// To tell the peers that nobody follows one for which they wait.
    Farewell,
}
