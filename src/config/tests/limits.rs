//! How many groups there may be, and how many a serial line carries.

use super::*;

/// So many groups of nodea, each of one address.
fn addresses(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("10.{}.{}.9", number / 250, number % 250))
}

fn haresources(count: usize) -> String {
    addresses(count).map(|address| format!("nodea {address}\n")).collect()
}

#[test]
fn as_many_groups_as_a_set_of_groups_takes_are_accepted_and_no_more() {
    assert_eq!(MAX_GROUPS, crate::cluster::MAX_GROUPS);
    assert_eq!(Node::with("").haresources(&haresources(MAX_GROUPS)).config().groups.len(), MAX_GROUPS);
    let error = Node::with("").haresources(&haresources(MAX_GROUPS + 3)).error();
    assert_eq!(place(&error), ("haresources".into(), MAX_GROUPS + 1, 7, "10.4.24.9"));
    assert!(error.message.starts_with("there are 1027 groups, and there may be 1024:"), "{}", error.message);
    assert!(error.help.contains("make one group of several"), "{}", error.help);
    // Lines without a group do not count.
    let text = format!("# groups\n\n{}# end\n", haresources(MAX_GROUPS));
    assert_eq!(Node::with("").haresources(&text).config().groups.len(), MAX_GROUPS);
}

#[test]
fn the_tables_of_groups_in_hbd_toml_have_the_same_bound() {
    let tables = |count| -> String {
        let table = |address: String| format!("[[group]]\nnode = \"nodea\"\nresources = [\"{address}\"]\n");
        addresses(count).map(table).collect()
    };
    assert_eq!(form::with(&tables(MAX_GROUPS)).config().groups.len(), MAX_GROUPS);
    let node = form::with(&tables(MAX_GROUPS + 1));
    let error = node.error();
    assert_eq!(
        (error.word.as_str(), error.source_line.as_deref()),
        ("10.4.24.9", Some("resources = [\"10.4.24.9\"]"))
    );
    assert!(error.message.starts_with("there are 1025 groups, and there may be 1024:"), "{}", error.message);
}

#[test]
fn a_serial_line_that_is_too_slow_for_the_groups_is_warned_about() {
    let warnings = |lines: &str, groups| {
        let found = Node::with(lines).haresources(&haresources(groups)).load().diagnostics;
        let slow = found.into_iter().filter(|found| found.message.contains("no heartbeat passes on it meanwhile"));
        slow.collect::<Vec<_>>()
    };
    let found = warnings("deadtime 10\nserial /dev/ttyS0\n", MAX_GROUPS);
    let [slow] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((slow.severity, place(slow)), (Severity::Warning, ("ha.cf".into(), 7, 8, "/dev/ttyS0")));
    assert!(
        slow.message.contains("what a node says of 1024 groups") && slow.message.contains("at 19200 baud"),
        "{slow}"
    );
    assert_eq!(warnings("deadtime 10\nserial /dev/ttyS0\n", 20), []);
    assert_eq!(warnings("deadtime 10\nbaud 460800\nserial /dev/ttyS0\n", MAX_GROUPS), []);
    assert_eq!(warnings("deadtime 10\n", MAX_GROUPS), []);
}
