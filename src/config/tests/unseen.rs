//! Characters that cannot be seen, in every file.

use super::*;

#[test]
fn a_character_that_cannot_be_seen_is_refused_in_every_file() {
    for (line, odd) in [
        ("logfile /var/log/ha\u{fe0f}\n", "a variation selector (U+FE0F)"),
        ("respawn root\u{fe0f} /bin/true\n", "a variation selector (U+FE0F)"),
        ("ping 10.0.0.254\u{2061}\n", "an invisible operator of mathematics (U+2061)"),
        ("deadtime 30\u{2800}\n", "a blank of Braille (U+2800)"),
    ] {
        let error = Node::with(line).error();
        assert!(error.message.starts_with(odd) && error.line == 6, "{error}");
    }
    let error = Node::with("").haresources("nodea 10.0.0.9 nginx\u{3164}\n").error();
    assert!(error.message.starts_with("a filler of Hangul (U+3164)"), "{error}");
}

#[test]
fn hbd_toml_names_the_character_and_its_place() {
    let table = [
        ("node\u{a0}= \"nodea\"\n", "a no-break space (U+00A0)", 5),
        ("logfile = \"/var/log/ha\u{fe0f}\"\n", "a variation selector (U+FE0F)", 23),
        ("[groups.\"10.0.0.9\u{200b}\"]\npreferred = true\n", "a zero-width space (U+200B)", 18),
    ];
    for (text, odd, column) in table {
        let error = Node::with("").toml(text).error();
        assert!(error.message.starts_with(odd), "{error}");
        assert_eq!(error.column, column, "{error}");
    }
    let error = Node::with("").toml("\u{feff}deadtime = \n").error();
    assert!(!error.message.contains("U+FEFF"), "TOML allows it there: {error}");
    // What an emoji is made of was meant, and in [fence] any text may be a password.
    Node::with("").toml("[notify]\ncommand = [\"/bin/true\", \"\u{26a0}\u{fe0f} moved\"]\n").config();
    Node::with("").toml("[notify]\ncommand = [\"/bin/true\", \"1\u{fe0f}\u{20e3}\"]\n").config();
    let node = Node::with("").toml("[notify]\ncommand = [\"/bin/true\", \"Attention\u{a0}: bascule\"]\n");
    let warning = node.finding(Severity::Warning, "a no-break space (U+00A0)");
    assert_eq!((warning.line, warning.column), (2, 35), "it may be meant");
    let node = Node::with("").toml("[fence.nodeb]\nagent = \"fence_x\"\npassword = \"a\u{a0}b\"\n");
    let warning = node.finding(Severity::Warning, "a no-break space (U+00A0)");
    assert_eq!((warning.line, warning.source_line), (3, None));
}
