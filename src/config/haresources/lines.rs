//! The logical lines of haresources and their words, by the steps of 03 §2.1 in their order.
//!
//! Owns comments, continued lines, and the refusal of a line that looks otherwise than Heartbeat reads it. Never
//! knows what a word means.

use std::path::Path;
use std::sync::Arc;

use crate::config::diagnostic::{FileWord, Findings, Location};
use crate::config::text::{self, MAX_LINE, text_of};

/// A line of the file, with those that continue it.
#[derive(Debug, Default)]
pub(super) struct LogicalLine {
    /// Its words; the first one is the node. Never empty.
    pub words: Vec<FileWord>,
    /// The backslashes that continue it, each with the first word of the line that it brings in.
    pub continuations: Vec<(FileWord, Option<FileWord>)>,
    /// The last line of the group that stands directly above, if one does.
    pub above: Option<usize>,
    /// Whether it is refused already, because a backslash in it is a resource for Heartbeat.
    pub refused: bool,
}

/// A line of the file, and its place with its text for the caret.
struct PhysicalLine {
    text: String,
    location: Location,
}

fn physical_lines(path: &Path, bytes: &[u8], findings: &mut Findings) -> Vec<PhysicalLine> {
    let file: Arc<Path> = path.into();
    let mut carriage_returns = false;
    let mut lines = Vec::new();
    for (index, raw) in bytes.split(|b| *b == b'\n').enumerate() {
        let mut text = text_of(raw);
        let mut location = Location { file: file.clone(), line: index + 1, column: 1, source: None };
        if text.ends_with('\r') {
            text.pop();
            if !carriage_returns {
                location.column = text.chars().count() + 1;
                let at = FileWord { text: String::new(), location: location.clone() };
                let help = format!("convert the file: sed -i 's/\\r$//' {}", path.display());
                let message = "the line ends in CR LF: Heartbeat takes the CR as part of the last resource's name";
                findings.error(&at, message, help);
                carriage_returns = true;
            }
        }
        if raw.len() > MAX_LINE {
            let at = FileWord { text: String::new(), location: Location { column: 1, ..location.clone() } };
            let message = format!("line of {} bytes: Heartbeat's daemon splits it after {MAX_LINE}", raw.len());
            findings.error(&at, message, "continue it with a backslash at the line's end");
        }
        location.column = 1;
        location.source = Some(text.as_str().into());
        lines.push(PhysicalLine { text, location });
    }
    lines
}

/// All logical lines with a word.
pub(super) fn logical_lines(path: &Path, bytes: &[u8], findings: &mut Findings) -> Vec<LogicalLine> {
    let physical = physical_lines(path, bytes, findings);
    let mut lines = physical.iter();
    let mut logical: Vec<LogicalLine> = Vec::new();
    // The last line of the group before, as long as nothing but its own lines has followed.
    let mut above = None;
    while let Some(first) = lines.next() {
        let (code, comment) = first.text.split_at(first.text.find('#').unwrap_or(first.text.len()));
        if !code.trim().is_empty() && comment.trim_end().ends_with('\\') {
            let column = first.text.trim_end().chars().count();
            findings.warning(
                &word_at("\\", &first.location, column),
                "the backslash is part of the comment: the next line does not continue this one",
                "put the comment on a line of its own above, or leave out the backslash",
            );
        }
        let mut splitter = Splitter::default();
        let mut line = LogicalLine { above, ..LogicalLine::default() };
        let (mut code, mut last) = (code, first);
        loop {
            let continued = code.strip_suffix('\\');
            let text = continued.unwrap_or(code);
            splitter.add(text, &last.location);
            line.refused |= report_lone_backslash(text, continued.is_some(), &last.location, findings);
            if continued.is_none() {
                break;
            }
            let backslash = word_at("\\", &last.location, code.chars().count());
            let Some(next) = lines.next() else { break };
            let mut alone = Splitter::default();
            alone.add(&next.text, &next.location);
            line.continuations.push((backslash, alone.words.into_iter().next()));
            report_comment_on_continued_line(next, findings);
            (code, last) = (next.text.as_str(), next);
        }
        line.words = splitter.words;
        above = (!line.words.is_empty()).then_some(last.location.line);
        if !line.words.is_empty() {
            line.refused |= report_odd_characters(&line.words, findings);
            logical.push(line);
        }
    }
    logical
}

fn word_at(text: &str, location: &Location, column: usize) -> FileWord {
    FileWord { text: text.to_owned(), location: Location { column, ..location.clone() } }
}

/// Reports the first backslash at the end of a word, which Heartbeat takes as a resource or as part of one: only the
/// last character of a line continues it. Returns whether there is one.
fn report_lone_backslash(text: &str, continued: bool, location: &Location, findings: &mut Findings) -> bool {
    let mut characters = text.chars().enumerate().peekable();
    while let Some((index, c)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        if c != '\\' || !matches!(next, None | Some(' ' | '\t')) {
            continue;
        }
        let rest = text.chars().skip(index + 1).all(|c| matches!(c, ' ' | '\t'));
        let (message, help) = match (next, rest) {
            (None, _) if continued => (
                "two backslashes at the line's end: Heartbeat takes the first one as a resource",
                "leave one of them",
            ),
            (_, true) if !continued => (
                "a blank after the backslash: Heartbeat does not continue the line and takes `\\` as a resource",
                "remove the blank, or the backslash",
            ),
            _ => (
                "a backslash within the line: Heartbeat takes `\\` as a resource, it continues a line only as the last \
                 character",
                "remove it, or break the line behind it",
            ),
        };
        findings.error(&word_at("\\", location, index + 1), message, help);
        return true;
    }
    false
}

/// Reports a comment on a continued line: Heartbeat removes comments from the first physical line only.
fn report_comment_on_continued_line(line: &PhysicalLine, findings: &mut Findings) {
    if let Some(byte) = line.text.find('#') {
        let column = line.text[..byte].chars().count() + 1;
        findings.error(
            &word_at("#", &line.location, column),
            "a comment on a continued line: Heartbeat takes `#` and every word after it as resources",
            "put the comment on a line of its own above the group",
        );
    }
}

/// Reports characters that cannot be seen, and templates that were not filled in. Returns whether there are any.
fn report_odd_characters(words: &[FileWord], findings: &mut Findings) -> bool {
    if let Some((at, template)) = text::template(words) {
        findings.error(&at, template.why, template.help);
        return true;
    }
    let before = findings.count();
    for word in words.iter().filter(|word| word.text.contains('\u{fffd}')) {
        findings.error(word, format!("`{}` is not UTF-8", word.text), "only comments may be in another encoding");
    }
    for (at, refused) in words.iter().filter_map(text::unseen) {
        findings.error(&at, refused.why, refused.help);
    }
    findings.count() > before
}

/// Splits the text of a logical line into words. A word may go on in the next physical line.
#[derive(Default)]
struct Splitter {
    words: Vec<FileWord>,
    inside: bool,
}

impl Splitter {
    fn add(&mut self, text: &str, location: &Location) {
        for (index, c) in text.chars().enumerate() {
            if matches!(c, ' ' | '\t') {
                self.inside = false;
                continue;
            }
            match self.words.last_mut() {
                Some(word) if self.inside => word.text.push(c),
                _ => self.words.push(word_at(&c.to_string(), location, index + 1)),
            }
            self.inside = true;
        }
    }
}
