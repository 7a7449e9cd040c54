//! keepalived.conf as statements and blocks: comments, quotes, parameters, conditions on the node, included files.
//!
//! Owns the grammar. Knows no keyword but `include`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::verdicts::{ConfPlace, Verdicts};
use crate::util::error::{FileError, failed};

/// How deep files may include each other.
const INCLUDES: usize = 10;
/// How often a parameter is replaced in one line.
const REPLACEMENTS: usize = 100;
/// The keywords that include a file.
const INCLUDE: [&str; 6] = ["include", "includer", "includem", "includew", "includeb", "includea"];

/// A keyword with its words, and the block behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConfStatement {
    /// Never empty.
    pub words: Vec<String>,
    pub place: ConfPlace,
    pub block: Vec<ConfStatement>,
}

impl ConfStatement {
    /// Its keyword.
    pub fn keyword(&self) -> &str {
        &self.words[0]
    }

    /// The word behind the keyword.
    pub fn value(&self) -> Option<&str> {
        self.words.get(1).map(String::as_str)
    }

    /// The number behind the keyword; `default`, and a refusal, where there is none.
    pub fn number<T: std::str::FromStr>(&self, default: T, verdicts: &mut Verdicts) -> T {
        match self.value().map(str::parse) {
            Some(Ok(number)) => number,
            _ => {
                verdicts.refuse(&self.place, format!("`{}` needs a number", self.keyword()));
                default
            }
        }
    }

    /// Everything behind the keyword.
    pub fn rest(&self) -> String {
        self.words[1..].join(" ")
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Open,
    Close,
    EndOfLine,
}

/// Reads the file as the node with this name does.
///
/// # Errors
/// When the file itself cannot be read. What is wrong inside goes to `verdicts`.
pub(super) fn read(path: &Path, node: &str, verdicts: &mut Verdicts) -> Result<Vec<ConfStatement>, FileError> {
    let id = node.split('.').next().unwrap_or_default().to_owned();
    let mut reader = Reader { id, parameters: BTreeMap::new(), tokens: Vec::new(), verdicts };
    reader.file(path, 0)?;
    let Reader { tokens, .. } = reader;
    let mut tokens = tokens.into_iter();
    Ok(block(&mut tokens, None, verdicts))
}

struct Reader<'a> {
    /// keepalived's config-id.
    id: String,
    parameters: BTreeMap<String, String>,
    tokens: Vec<(Token, ConfPlace)>,
    verdicts: &'a mut Verdicts,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, depth: usize) -> Result<(), FileError> {
        let text = fs::read(path).map_err(failed("read", path))?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let file: Arc<Path> = path.into();
        for (index, line) in text.lines().enumerate() {
            let place = ConfPlace { file: file.clone(), line: index + 1 };
            let Some(line) = self.for_this_node(line) else { continue };
            self.line(line, &place, depth);
        }
        Ok(())
    }

    /// The line without its condition; `None` if it is for another node.
    fn for_this_node<'b>(&self, line: &'b str) -> Option<&'b str> {
        let Some(condition) = line.strip_prefix('@') else { return Some(line) };
        let (id, rest) = condition.split_once([' ', '\t']).unwrap_or((condition, ""));
        let wanted = match id.strip_prefix('^') {
            Some(other) => other != self.id,
            None => id == self.id,
        };
        wanted.then_some(rest)
    }

    fn line(&mut self, line: &str, place: &ConfPlace, depth: usize) {
        if let Some((name, value)) = line.trim().strip_prefix('$').and_then(|text| text.split_once('='))
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        {
            if value.trim_end().ends_with('\\') {
                self.verdicts.refuse(
                    place,
                    format!("the parameter ${name} has several lines: write them out where it stands"),
                );
            }
            self.parameters.insert(name.to_owned(), value.trim().to_owned());
            return;
        }
        let line = self.replace_parameters(line);
        let (tokens, mistake) = tokens(&line);
        if let Some(why) = mistake.or_else(|| not_read(&line, &tokens)) {
            self.verdicts.refuse(place, why);
        }
        match tokens.as_slice() {
            [Token::Word(keyword), Token::Word(pattern)] if INCLUDE.contains(&keyword.as_str()) => {
                self.include(pattern, place, depth);
            }
            [Token::Word(keyword), ..] if INCLUDE.contains(&keyword.as_str()) => {
                self.verdicts
                    .refuse(place, format!("`{keyword}` names one file or pattern here: write a line for each"));
            }
            _ => {
                let placed = tokens.into_iter().chain([Token::EndOfLine]).map(|token| (token, place.clone()));
                self.tokens.extend(placed);
            }
        }
    }

    fn replace_parameters(&self, line: &str) -> String {
        let mut line = line.to_owned();
        for _ in 0..REPLACEMENTS {
            let found = self.parameters.iter().find_map(|(name, value)| {
                let braced = format!("${{{name}}}");
                if let Some(at) = line.find(&braced) {
                    return Some((at, braced.len(), value));
                }
                let plain = format!("${name}");
                let ends = |at: &usize| line[at + plain.len()..].chars().next().is_none_or(char::is_whitespace);
                line.match_indices(&plain).map(|(at, _)| at).find(ends).map(|at| (at, plain.len(), value))
            });
            let Some((at, length, value)) = found else { break };
            line.replace_range(at..at + length, value);
        }
        line
    }

    fn include(&mut self, pattern: &str, place: &ConfPlace, depth: usize) {
        let directory = place.file.parent().unwrap_or(Path::new(""));
        let pattern = directory.join(pattern);
        if depth >= INCLUDES {
            self.verdicts.refuse(place, format!("includes nest more than {INCLUDES} deep"));
            return;
        }
        let files = matching(&pattern);
        if files.is_empty() {
            self.verdicts.refuse(place, format!("no file matches {}: write its text here", pattern.display()));
        }
        for file in files {
            if let Err(error) = self.file(&file, depth + 1) {
                self.verdicts.refuse(place, format!("{error}: {}", error.source));
            }
        }
    }
}

/// The files that a pattern names, by name. `*` and `?` stand in the last part only.
fn matching(pattern: &Path) -> Vec<PathBuf> {
    let name = pattern.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if !name.contains(['*', '?']) {
        return if pattern.is_file() { vec![pattern.to_owned()] } else { Vec::new() };
    }
    let name: Vec<char> = name.chars().collect();
    let entries = pattern.parent().and_then(|directory| fs::read_dir(directory).ok());
    let fits = |path: &PathBuf| {
        let own: Vec<char> = path.file_name().unwrap_or_default().to_string_lossy().chars().collect();
        matches_pattern(&name, &own) && path.is_file()
    };
    let mut found: Vec<PathBuf> =
        entries.into_iter().flatten().flatten().map(|entry| entry.path()).filter(fits).collect();
    found.sort();
    found
}

fn matches_pattern(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|skipped| matches_pattern(rest, &text[skipped..])),
        Some(('?', rest)) => !text.is_empty() && matches_pattern(rest, &text[1..]),
        Some((one, rest)) => text.first() == Some(one) && matches_pattern(rest, &text[1..]),
    }
}

/// What of keepalived's language is not read here, as a hint: its own parameters, its loops, and a line that goes on
/// on the next one.
fn not_read(line: &str, tokens: &[Token]) -> Option<&'static str> {
    if line.trim_start().starts_with('~') {
        return Some("a loop (~) is not read: write its lines out");
    }
    // Outside of quotes, the brace is a token of its own.
    let own = |token: &Token| matches!(token, Token::Word(word) if word.contains("${_"));
    let braced = |pair: &[Token]| match pair {
        [Token::Word(word), Token::Open] => word.ends_with('$'),
        _ => false,
    };
    if tokens.iter().any(own) || tokens.windows(2).any(braced) {
        return Some("a parameter of keepalived's own (${_…}) is not read: write its value");
    }
    matches!(tokens.last(), Some(Token::Word(word)) if word.ends_with('\\'))
        .then_some("a backslash at the end of the line: write all of it on one line")
}

/// The words and braces of a line, and what is wrong with its quotes, as a hint. A comment begins with `#` or `!`
/// anywhere outside quotes.
fn tokens(line: &str) -> (Vec<Token>, Option<&'static str>) {
    let mut found = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut mistake = None;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(_), '\\') => match chars.next_if(|next| matches!(next, '"' | '\'' | '\\')) {
                Some(escaped) => word.get_or_insert_default().push(escaped),
                None => {
                    mistake = Some(
                        "a backslash within quotes, which keepalived takes as an escape: put the command into a script, \
                         and name that here",
                    );
                }
            },
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#' | '!') => break,
            (None, '{' | '}') => {
                found.extend(word.take().map(Token::Word));
                found.push(if c == '{' { Token::Open } else { Token::Close });
            }
            (None, c) if c.is_whitespace() => found.extend(word.take().map(Token::Word)),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    found.extend(word.map(Token::Word));
    if quote.is_some() {
        mistake = Some("a quote is open at the end of the line: write all of it on one line");
    }
    (found, mistake)
}

/// The statements up to the brace that closes the block, or the end of the file.
fn block(
    tokens: &mut impl Iterator<Item = (Token, ConfPlace)>,
    opened: Option<&ConfPlace>,
    verdicts: &mut Verdicts,
) -> Vec<ConfStatement> {
    let mut statements: Vec<ConfStatement> = Vec::new();
    let mut new_statement = true;
    while let Some((token, place)) = tokens.next() {
        match token {
            Token::Word(word) if new_statement => {
                statements.push(ConfStatement { words: vec![word], place, block: Vec::new() });
                new_statement = false;
            }
            Token::Word(word) => statements.last_mut().into_iter().for_each(|last| last.words.push(word.clone())),
            Token::EndOfLine => new_statement = true,
            Token::Open => {
                let inside = block(tokens, Some(&place), verdicts);
                match statements.last_mut() {
                    Some(last) => last.block.extend(inside),
                    None => verdicts.refuse(&place, "a block without a keyword before it"),
                }
                new_statement = true;
            }
            Token::Close if opened.is_some() => return statements,
            Token::Close => verdicts.refuse(&place, "a brace that closes nothing"),
        }
    }
    if let Some(place) = opened {
        verdicts.refuse(place, "this block is not closed");
    }
    statements
}
