//! No input panics, and every finding points into its file.

use proptest::prelude::*;

use super::*;
use crate::config::directives::DIRECTIVES;

/// Lines that resemble configuration, with odd characters.
fn text() -> impl Strategy<Value = String> {
    let names: Vec<&'static str> = DIRECTIVES.iter().map(|directive| directive.name).collect();
    let word = prop_oneof![
        "[ -~]{0,8}",
        "\\PC{0,4}",
        Just("10.0.0.1/24/eth0".to_owned()),
        Just("30s".to_owned()),
        Just("nodea".to_owned()),
        Just("\\".to_owned()),
        Just("=".to_owned()),
        Just("\"x\"".to_owned()),
        Just("Filesystem::/a::/b".to_owned()),
    ];
    let head = prop_oneof![
        3 => prop::sample::select(names).prop_map(str::to_owned),
        1 => Just("nodea".to_owned()),
        1 => Just("[aliases]\n".to_owned()),
        1 => word.clone(),
    ];
    let line = (
        head,
        prop::collection::vec(word, 0..5),
        prop::sample::select(vec!["\n", "\r\n", " \\\n", "\\\n", "#\n", ""]),
    )
        .prop_map(|(head, words, end)| format!("{head} {}{end}", words.join(" ")));
    prop::collection::vec(line, 0..8).prop_map(|lines| lines.concat())
}

/// Loads with the bytes in every file, and looks at each finding as a user would.
fn survives(bytes: &[u8]) {
    let node = Node::new("");
    for path in
        ["etc/ha.d/ha.cf", "etc/ha.d/authkeys", "etc/ha.d/haresources", "etc/ha.d/nodeinfo", "etc/hbd/hbd.toml"]
    {
        node.write(path, bytes);
    }
    let loaded = node.load();
    let errors = loaded.diagnostics.iter().any(|d| d.severity == Severity::Error);
    assert_eq!(loaded.config.is_none(), errors);
    for found in &loaded.diagnostics {
        let lines = fs::read(&found.file).map_or(0, |bytes| bytes.split(|b| *b == b'\n').count());
        assert!(found.line <= lines, "{found:?}");
        assert_eq!(found.line == 0, found.column == 0, "{found:?}");
        assert!(!found.message.is_empty() && !found.help.is_empty(), "{found:?}");
        assert!(!found.render(true).is_empty() && !found.to_string().is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        survives(&bytes);
    }

    #[test]
    fn anything_like_a_configuration(text in text()) {
        survives(text.as_bytes());
    }

    #[test]
    fn no_line_of_haresources_is_left_out_without_a_finding(text in text()) {
        let node = Node::with("").haresources(&text);
        let loaded = node.load();
        let named = text.lines().any(|line| line.split('#').next().unwrap_or("").split([' ', '\t']).filter(|word| !word.is_empty()).count() > 1);
        let told = loaded.diagnostics.iter().any(|found| found.file == node.files().haresources);
        let groups = loaded.config.as_ref().map_or(0, |config| config.groups.len());
        prop_assert!(!named || told || groups > 0, "{text:?}");
        prop_assert!(!loaded.diagnostics.iter().any(|found| found.help.contains("fault of hbd")), "{text:?}");
    }

    #[test]
    fn appended_to_a_plain_configuration(text in text()) {
        let node = Node::with(&text).haresources(&text);
        let loaded = node.load();
        let errors = loaded.diagnostics.iter().any(|d| d.severity == Severity::Error);
        prop_assert_eq!(loaded.config.is_none(), errors);
        round_trip::check(&node, &text);
    }
}
