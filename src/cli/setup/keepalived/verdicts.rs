//! What becomes of statements that hbd has no counterpart for.
//!
//! Owns the form of these findings.

use std::path::Path;
use std::sync::Arc;

/// Where a statement stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConfPlace {
    pub file: Arc<Path>,
    /// From 1.
    pub line: usize,
}

impl std::fmt::Display for ConfPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        write!(f, "{name}:{}", self.line)
    }
}

/// What was found, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    /// What is not had, or in another way. The pair is right without it.
    pub notes: Vec<String>,
    /// Without which the pair would be wrong.
    pub refusals: Vec<String>,
    /// The keywords of VRRP and of keepalived itself, with their places.
    own: Vec<String>,
}

impl Verdicts {
    /// Not had, or in another way: `text` says what to do.
    pub fn note(&mut self, place: &ConfPlace, text: impl AsRef<str>) {
        self.notes.push(format!("{place}: {}", text.as_ref()));
    }

    /// A keyword of VRRP, or of how keepalived itself runs: hbd needs none for it.
    pub fn not_needed(&mut self, keyword: &str, place: &ConfPlace) {
        self.own.push(format!("{keyword} ({place})"));
    }

    /// The notes, with one for all keywords that are not needed, and the refusals.
    pub fn into_notes_and_refusals(self) -> (Vec<String>, Vec<String>) {
        let Verdicts { mut notes, refusals, own } = self;
        if !own.is_empty() {
            notes.push(format!("of VRRP and of keepalived itself, without a word in hbd: {}", own.join(", ")));
        }
        (notes, refusals)
    }

    /// Nothing is written: `text` says what to do.
    pub fn refuse(&mut self, place: &ConfPlace, text: impl AsRef<str>) {
        self.refusals.push(format!("{place}: {}", text.as_ref()));
    }
}
