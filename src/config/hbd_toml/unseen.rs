//! Keys and texts of hbd.toml with characters that cannot be seen.
//!
//! Owns where they are looked for. What an escape (`\\uFE0F`) stands for was meant.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::source::TomlText;
use crate::config::diagnostic::Findings;

/// What to do about such a character.
pub(super) const HELP: &str = "write the line anew by hand, with plain blanks, or the character as an escape (\\u00A0) if it is meant: such \
     characters come from web pages and word processors";

/// Reports all of them: as errors, but as warnings in `[fence]` and `[witness]`, where any text may be a password,
/// and where a text has a no-break space, which typographers write on purpose. Returns whether there are errors.
pub(super) fn report(table: &DeTable<'_>, source: &TomlText<'_>, findings: &mut Findings) -> bool {
    let before = findings.errors();
    for (key, value) in table {
        let may_be_password = ["fence", "witness"].contains(&key.get_ref().as_ref());
        let mut look = |span: Range<usize>, is_text: bool| {
            let typographic = is_text && source.only_no_break_spaces(span.clone());
            if let Some((at, odd)) = source.unseen(span) {
                if may_be_password || typographic {
                    findings.warning(&at, odd, HELP);
                } else {
                    findings.error(&at, odd, HELP);
                }
            }
        };
        look(key.span(), false);
        walk(value.get_ref(), value.span(), &mut look);
    }
    findings.errors() > before
}

/// Gives `look` the spans of all keys and texts, and whether it is a text.
fn walk(value: &DeValue<'_>, span: Range<usize>, look: &mut impl FnMut(Range<usize>, bool)) {
    match value {
        DeValue::String(_) => look(span, true),
        DeValue::Array(list) => list.iter().for_each(|one| walk(one.get_ref(), one.span(), look)),
        DeValue::Table(table) => {
            for (key, value) in table {
                look(key.span(), false);
                walk(value.get_ref(), value.span(), look);
            }
        }
        _ => {}
    }
}
