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
    ('\u{34f}', "a combining grapheme joiner"),
    ('\u{115f}', "a filler of Hangul"),
    ('\u{1160}', "a filler of Hangul"),
    ('\u{3164}', "a filler of Hangul"),
    ('\u{ffa0}', "a filler of Hangul"),
    ('\u{180e}', "a Mongolian vowel separator"),
    ('\u{2800}', "a blank of Braille"),
];

/// The name of a character that cannot be seen; `None` for one that can. Those that Unicode lets a program leave out
/// (`Default_Ignorable_Code_Point`) are all among them.
pub(super) fn name_of_unseen(c: char) -> Option<&'static str> {
    if let Some((_, name)) = UNSEEN.iter().find(|(known, _)| *known == c) {
        return Some(name);
    }
    match c {
        '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => Some("a mark of the direction of writing"),
        '\u{2061}'..='\u{2064}' => Some("an invisible operator of mathematics"),
        '\u{180b}'..='\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => Some("a variation selector"),
        '\u{17b4}' | '\u{17b5}' => Some("an inherent vowel of Khmer"),
        '\u{e0000}'..='\u{e0fff}' => Some("a tag character"),
        '\u{2065}'
        | '\u{206a}'..='\u{206f}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' => Some("a format character"),
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

/// What a secret has that cannot be seen: the byte at which it stands, and its name. It may be part of the secret;
/// more often an editor or a web page has added it.
pub(super) fn unseen_in_secret(secret: &[u8]) -> Option<(usize, String)> {
    let valid = secret.utf8_chunks().next()?;
    let odd = valid.valid().char_indices().find_map(|(at, c)| Some((at, c, name_of_unseen(c)?)));
    match (odd, valid.invalid().first()) {
        (Some((at, c, name)), _) => Some((at, format!("{name} (U+{:04X}), which cannot be seen", u32::from(c)))),
        (None, Some(byte)) => {
            Some((valid.valid().len(), format!("the byte 0x{byte:02X}, which is no character of UTF-8")))
        }
        (None, None) => None,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_that_may_be_left_out_has_a_name() {
        // Default_Ignorable_Code_Point of Unicode 16, and the blank of Braille.
        let ranges = [
            (0xad, 0xad),
            (0x34f, 0x34f),
            (0x61c, 0x61c),
            (0x115f, 0x1160),
            (0x17b4, 0x17b5),
            (0x180b, 0x180f),
            (0x200b, 0x200f),
            (0x202a, 0x202e),
            (0x2060, 0x206f),
            (0x2800, 0x2800),
            (0x3164, 0x3164),
            (0xfe00, 0xfe0f),
            (0xfeff, 0xfeff),
            (0xffa0, 0xffa0),
            (0xfff0, 0xfff8),
            (0x1bca0, 0x1bca3),
            (0x1d173, 0x1d17a),
            (0xe0000, 0xe0fff),
        ];
        for c in ranges.into_iter().flat_map(|(first, last)| first..=last).filter_map(char::from_u32) {
            assert!(name_of_unseen(c).is_some(), "U+{:04X}", u32::from(c));
        }
        for c in "aß字é-_😀\u{301}".chars() {
            assert_eq!(name_of_unseen(c), None, "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn what_cannot_be_seen_in_a_secret_is_named_with_its_place() {
        let named = |secret: &[u8]| unseen_in_secret(secret);
        assert_eq!(named("0123456789abcdefé".as_bytes()), None);
        assert_eq!(
            named("ab\u{fe0f}".as_bytes()).unwrap(),
            (2, "a variation selector (U+FE0F), which cannot be seen".into())
        );
        assert_eq!(named(b"ab\xa0").unwrap(), (2, "the byte 0xA0, which is no character of UTF-8".into()));
        assert_eq!(named(b""), None);
    }
}
