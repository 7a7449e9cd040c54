//! ha.cf from bytes to statements: comments, blanks, words and their places (04 §1.2).
//!
//! Owns the lexical rules. Never knows what a directive means.

use std::path::Path;
use std::sync::Arc;

use crate::config::diagnostic::{FileWord, Findings, Location};
use crate::config::text::{self, MAX_LINE, text_of};

/// One line with a directive.
#[derive(Debug)]
pub(super) struct Statement {
    /// The first word.
    pub name: FileWord,
    /// The rest, split at blanks only; [`Statement::values`] splits at commas too.
    pub words: Vec<FileWord>,
}

impl Statement {
    /// The values of a directive with a list: a comma separates them as a blank does.
    pub(super) fn values(&self) -> Vec<FileWord> {
        let mut values = Vec::new();
        for word in &self.words {
            let mut column = word.location.column;
            for part in word.text.split(',') {
                if !part.is_empty() {
                    let location = Location { column, ..word.location.clone() };
                    values.push(FileWord { text: part.to_owned(), location });
                }
                column += part.chars().count() + 1;
            }
        }
        values
    }
}

/// The blanks of ha.cf. CR is one of them, so that files with CR LF work.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | '\x0c')
}

/// Splits one line, without its comment, into words.
fn words(line: &str, location: &Location) -> Vec<FileWord> {
    let mut found: Vec<FileWord> = Vec::new();
    let mut inside = false;
    for (index, c) in line.chars().enumerate() {
        if is_blank(c) {
            inside = false;
            continue;
        }
        match found.last_mut() {
            Some(word) if inside => word.text.push(c),
            _ => {
                found.push(FileWord { text: c.into(), location: Location { column: index + 1, ..location.clone() } })
            }
        }
        inside = true;
    }
    found
}

/// All statements of ha.cf in order.
pub(super) fn statements(path: &Path, bytes: &[u8], findings: &mut Findings) -> Vec<Statement> {
    let file: Arc<Path> = path.into();
    let mut found = Vec::new();
    for (index, raw) in bytes.split(|b| *b == b'\n').enumerate() {
        let text = text_of(raw);
        let full = text.trim_end_matches(is_blank);
        let mut location = Location { file: file.clone(), line: index + 1, column: 1, source: Some(full.into()) };
        if raw.len() > MAX_LINE {
            location.source = None;
            findings.error(
                &FileWord { text: String::new(), location },
                format!(
                    "line of {} bytes: Heartbeat reads what follows byte {MAX_LINE} as a line of its own",
                    raw.len()
                ),
                "break it into several lines",
            );
            continue;
        }
        let code = full.split('#').next().unwrap_or("");
        let mut words = words(code, &location).into_iter();
        let Some(name) = words.next() else { continue };
        let statement = statement(name, words.collect());
        if is_readable(&statement, findings) {
            found.push(statement);
        }
    }
    found
}

/// Whether a statement has only characters that can be seen, and no template that was not filled in; reports it if
/// not. A line that is not readable means nothing: it is not looked at any further.
fn is_readable(statement: &Statement, findings: &mut Findings) -> bool {
    let words = || std::iter::once(&statement.name).chain(&statement.words);
    let before = findings.count();
    for word in words().filter(|word| word.text.contains('\u{fffd}')) {
        findings.error(word, format!("`{}` is not UTF-8", word.text), "only comments may be in another encoding");
    }
    for (at, refused) in words().filter_map(text::unseen) {
        findings.error(&at, refused.why, refused.help);
    }
    // The parameters of a fencing device may be any text.
    let of_a_template = if statement.name.text == "stonith_host" { None } else { text::template(&statement.words) };
    if let Some((at, refused)) = of_a_template {
        findings.error(&at, refused.why, refused.help);
    }
    findings.count() == before
}

/// A statement whose words carry their line for the caret, unless the line may contain a password.
fn statement(name: FileWord, words: Vec<FileWord>) -> Statement {
    let mut statement = Statement { name, words };
    if statement.name.text == "stonith_host" {
        statement.name.location.source = None;
        for word in &mut statement.words {
            word.location.source = None;
        }
    }
    statement
}
