//! One judgement of the doctor and how bad it is.

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// As it should be.
    Ok,
    /// Could not be found out, or worth knowing.
    Note,
    /// Will hurt in a failure.
    Warning,
    /// Does not work.
    Bad,
}

impl Grade {
    pub fn word(self) -> &'static str {
        match self {
            Grade::Ok => "ok",
            Grade::Note => "note",
            Grade::Warning => "warning",
            Grade::Bad => "bad",
        }
    }
}

/// One judgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub grade: Grade,
    /// What was looked at.
    pub about: &'static str,
    /// What was found, and what to do.
    pub text: String,
}

pub(super) fn finding(grade: Grade, about: &'static str, text: impl Into<String>) -> Finding {
    Finding { grade, about, text: text.into() }
}
