//! Findings in the files: a location, a message, and what to write instead.
//!
//! Owns the form of every finding. Never decides whether something is wrong.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::util::text::printable;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Accepted, and the administrator should know how it was understood.
    Notice,
    /// Accepted, but probably not what was meant, or dangerous.
    Warning,
    /// Refused: no configuration comes out (exit status 6).
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Notice => "notice",
            Severity::Warning => "warning",
            Severity::Error => "error",
        })
    }
}

/// One finding. Carries no secret: the source line is left out for authkeys and for the parameters of `stonith_host`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How much it matters.
    pub severity: Severity,
    /// The file, or `environment`.
    pub file: PathBuf,
    /// Line from 1; 0 when the finding is about the file as a whole (something is missing).
    pub line: usize,
    /// Column of the word in characters, from 1; 0 with line 0.
    pub column: usize,
    /// The offending word as written; empty when there is none or it must not be shown.
    pub word: String,
    /// What is wrong. It contains Heartbeat's own text where there is one (04 §1.6–1.10, §2.2, §3.2, §5.1).
    pub message: String,
    /// What to write instead, or why it matters.
    pub help: String,
    /// The line as it stands in the file, for the caret.
    pub source_line: Option<String>,
}

impl Diagnostic {
    /// The finding in the manner of rustc: the line, a caret under the word, the hint. `colour` adds terminal
    /// colours. There is no newline at the end.
    pub fn render(&self, colour: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Notice => Level::NOTE,
        };
        let path = self.file.display().to_string();
        let source = self.source_line.as_deref().unwrap_or("");
        let title = level.primary_title(printable(&self.message));
        let hint = Level::HELP.message(printable(&self.help));
        let group = if source.is_empty() {
            let mut origin = annotate_snippets::Origin::path(path);
            if self.line > 0 {
                origin = origin.line(self.line).char_column(self.column);
            }
            title.element(origin).element(hint)
        } else {
            let annotation = AnnotationKind::Primary.span(self.byte_span(source));
            let snippet = Snippet::source(source).line_start(self.line).path(path).annotation(annotation);
            title.element(snippet).element(hint)
        };
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }

    /// Byte range of the word inside its line. A word that a backslash continues on the next line is cut at the end.
    fn byte_span(&self, source: &str) -> std::ops::Range<usize> {
        let byte = |chars: usize| source.char_indices().nth(chars).map_or(source.len(), |(at, _)| at);
        let first = self.column.saturating_sub(1);
        byte(first)..byte(first + self.word.chars().count().max(1))
    }
}

/// `ha.cf:LINE:COL: message`, and the hint on a second line.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.file.file_name().map_or_else(|| self.file.display().to_string(), |n| n.display().to_string());
        if self.line == 0 {
            write!(f, "{name}: {}", printable(&self.message))?;
        } else {
            write!(f, "{name}:{}:{}: {}", self.line, self.column, printable(&self.message))?;
        }
        write!(f, "\n    hint: {}", printable(&self.help))
    }
}

/// A place in a file.
#[derive(Debug, Clone)]
pub(super) struct Location {
    pub file: Arc<Path>,
    /// From 1; 0 for the file as a whole.
    pub line: usize,
    /// In characters from 1; 0 for the file as a whole.
    pub column: usize,
    /// The line's text unless it must not be shown.
    pub source: Option<Arc<str>>,
}

/// One word of a file and its place.
#[derive(Debug, Clone)]
pub(super) struct FileWord {
    pub text: String,
    pub location: Location,
}

impl FileWord {
    /// The whole file, for a finding about what the file lacks.
    pub(super) fn file(path: &Path) -> FileWord {
        FileWord { text: String::new(), location: Location { file: path.into(), line: 0, column: 0, source: None } }
    }

    /// `ha.cf:3`, for messages that name a second line.
    pub(super) fn file_and_line(&self) -> String {
        let file = &self.location.file;
        let name = file.file_name().map_or_else(|| file.display().to_string(), |n| n.display().to_string());
        format!("{name}:{}", self.location.line)
    }
}

/// The findings of all stages.
#[derive(Debug, Default)]
pub(super) struct Findings {
    found: Vec<Diagnostic>,
}

impl Findings {
    pub(super) fn error(&mut self, at: &FileWord, message: impl Into<String>, help: impl Into<String>) {
        self.push(Severity::Error, at, message.into(), help.into());
    }

    pub(super) fn warning(&mut self, at: &FileWord, message: impl Into<String>, help: impl Into<String>) {
        self.push(Severity::Warning, at, message.into(), help.into());
    }

    pub(super) fn notice(&mut self, at: &FileWord, message: impl Into<String>, help: impl Into<String>) {
        self.push(Severity::Notice, at, message.into(), help.into());
    }

    /// The error that everything else may follow from.
    pub(super) fn lead(&mut self, at: &FileWord, message: impl Into<String>, help: impl Into<String>) {
        self.error(at, message, help);
        self.found.rotate_right(1);
    }

    fn push(&mut self, severity: Severity, at: &FileWord, message: String, help: String) {
        self.found.push(Diagnostic {
            severity,
            file: at.location.file.to_path_buf(),
            line: at.location.line,
            column: at.location.column,
            word: at.text.clone(),
            message,
            help,
            source_line: at.location.source.as_deref().map(str::to_owned),
        });
    }

    /// A file of hbd's own may be absent. One that cannot be read is an error: its settings would be ignored.
    pub(super) fn unreadable(&mut self, path: &Path, error: &io::Error) {
        if error.kind() != io::ErrorKind::NotFound {
            let message = format!("cannot read {}: {error}", path.display());
            self.error(&FileWord::file(path), message, "make it readable, or remove it");
        }
    }

    /// How many there are so far.
    pub(super) fn count(&self) -> usize {
        self.found.len()
    }

    /// Keeps only the findings about some lines.
    pub(super) fn keep_lines(&mut self, lines: &[(PathBuf, usize)]) {
        self.found.retain(|found| lines.iter().any(|(file, line)| *file == found.file && *line == found.line));
    }

    /// Forgets what was found about the whole of a file.
    pub(super) fn forget_file(&mut self, file: &Path) {
        self.found.retain(|found| found.line > 0 || found.file != file);
    }

    /// How many errors there are so far.
    pub(super) fn errors(&self) -> usize {
        self.found.iter().filter(|found| found.severity == Severity::Error).count()
    }

    /// Whether anything found so far forbids a start.
    pub(super) fn has_errors(&self) -> bool {
        self.found.iter().any(|d| d.severity == Severity::Error)
    }

    /// All findings, errors first: files in the order in which they were first mentioned, lines in ascending order.
    /// What is missing in a file comes behind its lines: one of those may be the cause.
    pub(super) fn into_sorted(self) -> Vec<Diagnostic> {
        let mut files: Vec<PathBuf> = Vec::new();
        for found in &self.found {
            if !files.contains(&found.file) {
                files.push(found.file.clone());
            }
        }
        let mut list = self.found;
        list.sort_by_key(|d| {
            let file = files.iter().position(|f| *f == d.file);
            (d.severity != Severity::Error, file, d.line == 0, d.line, d.column)
        });
        list
    }
}
