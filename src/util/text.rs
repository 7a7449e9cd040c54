//! Texts for people.

/// The text with its control characters escaped. A text from a file or from the network must not control the terminal
/// that shows it, nor begin a line of its own in a log.
pub fn printable(text: &str) -> String {
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escape).collect()
}

/// The same for a text of several lines, whose ends are kept.
pub fn printable_lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_nothing_else() {
        assert_eq!(printable("\x1b[2Jné\t\n"), "\\u{1b}[2Jné\\t\\n");
        assert_eq!(printable_lines("a\x07\nb\n"), "a\\u{7}\nb\n");
    }
}
