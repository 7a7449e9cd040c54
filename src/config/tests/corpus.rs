//! Files under tests/corpus: every line with every finding about it, word for word, as an administrator reads it.
//!
//! `UPDATE_CORPUS=1 cargo test --lib corpus` writes the findings anew; read the difference before it is committed.

use std::fmt::Write as _;
use std::path::Path;

use super::*;
use crate::config::tests::round_trip;

/// What stands below a line without a finding.
const ACCEPTED: &str = "  accepted\n";

/// Every finding of a node, in a form that does not depend on where the test runs.
fn findings(node: &Node) -> String {
    let root = node.root.path().display().to_string();
    let mut text = String::new();
    for found in node.load().diagnostics {
        let place = format!("{}:{}:{}", found.file.file_name().unwrap().display(), found.line, found.column);
        let severity = format!("{:?}", found.severity).to_lowercase();
        let _ = writeln!(text, "  {severity} {place}: {}\n    {}", found.message, found.help);
    }
    if text.is_empty() { ACCEPTED.to_owned() } else { text.replace(&root, "") }
}

/// A file of cases, one a line (`\\n` for a new line within one), each with its findings below it.
fn check(name: &str, least: usize, node: impl Fn(&str) -> Node) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name);
    let stored = fs::read_to_string(&path).unwrap();
    let cases: Vec<&str> = stored.lines().filter(|line| !line.starts_with(' ')).collect();
    assert!(cases.len() >= least, "{}", cases.len());
    let mut fresh = String::new();
    for case in cases {
        let content = case.replace("\\n", "\n").replace("\\t", "\t").replace("\\r", "\r");
        let node = node(&content);
        let found = findings(&node);
        round_trip::check(&node, case);
        assert!(!name.ends_with("broken") || found != ACCEPTED, "{case} is accepted without a word");
        let _ = write!(fresh, "{case}\n{found}");
    }
    if std::env::var_os("UPDATE_CORPUS").is_some() {
        fs::write(&path, &fresh).unwrap();
        return;
    }
    for (seen, wanted) in fresh.lines().zip(stored.lines()) {
        assert_eq!(seen, wanted, "{name}: UPDATE_CORPUS=1 cargo test --lib corpus");
    }
    assert_eq!(fresh.lines().count(), stored.lines().count(), "{name}: UPDATE_CORPUS=1 cargo test --lib corpus");
}

#[test]
fn broken_lines_of_ha_cf() {
    check("ha.cf.broken", 215, |case| Node::with(&format!("{case}\n")));
}

#[test]
fn good_lines_of_ha_cf() {
    check("ha.cf.good", 100, |case| {
        // PLAIN has a watchdog already.
        let plain =
            if case.starts_with("watchdog") { PLAIN.replace("watchdog /dev/watchdog\n", "") } else { PLAIN.into() };
        let node = Node::new(&format!("{plain}{case}\n"));
        node.write("usr/sbin/stonith", b"");
        assert!(node.load().config.is_some(), "{case}");
        node
    });
}

#[test]
fn broken_authkeys() {
    check("authkeys.broken", 15, |case| {
        let node = Node::with("");
        node.write("etc/ha.d/authkeys", case.as_bytes());
        node
    });
}

#[test]
fn broken_haresources() {
    check("haresources.broken", 20, |case| Node::with("").haresources(&format!("{case}\n")));
}

#[test]
fn broken_hbd_toml() {
    check("hbd.toml.broken", 25, |case| Node::with("ping 10.0.0.254\n").toml(&format!("{case}\n")));
}

#[test]
fn broken_tables_in_place_of_ha_cf() {
    check("hbd.toml.form.broken", 35, |case| form::with(&format!("{case}\n")));
}

#[test]
fn broken_keys_of_cluster() {
    check("hbd.toml.cluster.broken", 30, |case| form::cluster(&format!("{case}\n")));
}
