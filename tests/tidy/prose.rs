//! What people read in a file: the comments of a Rust file or a script, all of a document. A sentence goes over
//! several lines, so paragraphs are what the rules look into.

use crate::source::Source;

/// A paragraph in one line, each piece of white space as one blank.
pub struct Paragraph {
    pub text: String,
    /// Where each line begins in the text, and its number.
    lines: Vec<(usize, usize)>,
}

impl Paragraph {
    /// The line in the file of what stands at `offset` in the text.
    pub fn line(&self, offset: usize) -> usize {
        let before = self.lines.iter().take_while(|(start, _)| *start <= offset);
        before.last().map_or(0, |(_, line)| *line)
    }

    fn add(&mut self, line: &str, number: usize) {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.lines.push((self.text.len(), number));
        self.text.push_str(&line.split_whitespace().collect::<Vec<_>>().join(" "));
    }
}

/// The comment in a line of a Rust file, without its slashes. `None` where the line has none.
fn comment(line: &str) -> Option<&str> {
    let line = line.trim_start();
    if let Some(comment) = line.strip_prefix("//") {
        return Some(comment.trim_start_matches(['/', '!']));
    }
    // Behind code. A URL has no blank before its slashes.
    line.split_once(" // ").map(|(_, comment)| comment)
}

/// Whether a line begins an item of a numbered list.
fn is_numbered(line: &str) -> bool {
    line.split_once(". ").is_some_and(|(number, _)| number.parse::<u32>().is_ok())
}

/// The paragraphs of a file: blank lines, code, the next row of a table and the next item of a list end one.
pub fn paragraphs(source: &Source) -> Vec<Paragraph> {
    let mut found = Vec::new();
    let mut current = Paragraph { text: String::new(), lines: Vec::new() };
    for (number, line) in source.lines() {
        let prose = if source.is_rust() { comment(line) } else { Some(line.trim_start_matches('#')) };
        let prose = prose.map(str::trim).unwrap_or_default();
        let item = prose.starts_with(['|', '-', '*']) || is_numbered(prose);
        if prose.is_empty() || item {
            found.push(std::mem::replace(&mut current, Paragraph { text: String::new(), lines: Vec::new() }));
        }
        if !prose.is_empty() {
            current.add(prose, number);
        }
    }
    found.push(current);
    found.retain(|paragraph| !paragraph.text.is_empty());
    found
}

#[test]
fn a_paragraph_knows_the_line_of_each_of_its_words() {
    let source = Source::new(
        "src/a.rs",
        "//! One\n//!   two.\n//! 1. item\n\nfn f() {} // three\n    // four\nlet url = \"http://a\";\n",
    );
    let found = paragraphs(&source);
    let texts: Vec<&str> = found.iter().map(|paragraph| paragraph.text.as_str()).collect();
    assert_eq!(texts, ["One two.", "1. item", "three four"]);
    assert_eq!((found[0].line(0), found[0].line(4), found[2].line(6)), (1, 2, 6));
}
