//! One finding of the doctor, and how bad it is.

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// Good.
    Ok,
    /// Unknown, or worth knowing.
    Note,
    /// Works now, but will do harm when something fails.
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

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub grade: Grade,
    /// What was examined.
    pub about: &'static str,
    /// What was found, and what to do.
    pub text: String,
}

pub(super) fn finding(grade: Grade, about: &'static str, text: impl Into<String>) -> Finding {
    Finding { grade, about, text: text.into() }
}
