//! The refusal of one word, before it is known where the word stands.

/// Why a word is not accepted, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub why: String,
    pub help: String,
}

/// The refusal as an error.
pub(super) fn refuse<T>(why: impl Into<String>, help: impl Into<String>) -> Result<T, Refused> {
    Err(Refused { why: why.into(), help: help.into() })
}
