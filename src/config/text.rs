//! Lines and characters, as Heartbeat reads them in all its files.
//!
//! Owns which characters of a word cannot be seen, and what looks like a template. Never knows what a word means.

use super::diagnostic::{FileWord, Location};
use super::refused::Refused;

/// Longest line Heartbeat reads whole, in bytes.
pub(super) const MAX_LINE: usize = 5119;

/// The text of a file whose comments may be in any encoding: a sequence of bytes that is not UTF-8 becomes U+FFFD.
pub(super) fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Characters that cannot be seen and are no blanks for Heartbeat, by name.
const UNSEEN: &[(char, &str)] = &[
    ('\u{feff}', "a byte order mark"),
    ('\u{a0}', "a no-break space"),
    ('\u{202f}', "a narrow no-break space"),
    ('\u{ad}', "a soft hyphen"),
    ('\u{200b}', "a zero-width space"),
    ('\u{200c}', "a zero-width non-joiner"),
    ('\u{200d}', "a zero-width joiner"),
    ('\u{200e}', "a left-to-right mark"),
    ('\u{200f}', "a right-to-left mark"),
    ('\u{2060}', "a word joiner"),
];

/// The name of a character that cannot be seen; `None` for one that can.
pub(super) fn name_of_unseen(c: char) -> Option<&'static str> {
    if let Some((_, name)) = UNSEEN.iter().find(|(known, _)| *known == c) {
        return Some(name);
    }
    match c {
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => Some("a mark of the direction of writing"),
        _ if c.is_control() => Some("a control character"),
        _ if c.is_whitespace() => Some("a space of Unicode"),
        _ => None,
    }
}

/// The first character of a word that cannot be seen, as a place, and why it is refused. The reason does not show the
/// word, which may be a password.
pub(super) fn unseen(word: &FileWord) -> Option<(FileWord, Refused)> {
    let found = word.text.chars().enumerate().find_map(|(index, c)| Some((index, c, name_of_unseen(c)?)));
    let (index, c, name) = found?;
    let location = Location { column: word.location.column + index, ..word.location.clone() };
    let code = u32::from(c);
    let (message, help) = if c == '\u{feff}' && word.location.line == 1 && word.location.column + index == 1 {
        (
            format!("the file begins with {name} (U+{code:04X}), which Heartbeat takes as part of the first word"),
            format!("remove it: sed -i '1s/^\\xEF\\xBB\\xBF//' {}", word.location.file.display()),
        )
    } else {
        (
            format!("{name} (U+{code:04X}), which cannot be seen: Heartbeat takes it as part of the word"),
            "write the line anew by hand, with plain blanks: such characters come from web pages and word processors"
                .to_owned(),
        )
    };
    Some((FileWord { text: c.into(), location }, Refused { why: message, help }))
}

/// How a variable begins in templates.
const TEMPLATES: [&str; 4] = ["<%", "{{", "{%", "${"];

/// The first word in which a template was not filled in, and why it is refused.
pub(super) fn template(words: &[FileWord]) -> Option<(FileWord, Refused)> {
    let at = words.iter().find(|word| TEMPLATES.iter().any(|mark| word.text.contains(mark)))?;
    let message = format!("`{}` is of a template that was not filled in", at.text);
    Some((at.clone(), Refused { why: message, help: "write the value that belongs here".to_owned() }))
}

/// Whether a word begins like a template.
pub(super) fn begins_like_template(word: &[u8]) -> bool {
    TEMPLATES.iter().any(|mark| word.starts_with(mark.as_bytes()))
}
