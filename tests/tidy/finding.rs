//! What a rule finds, and the comparison with the exceptions in known.txt.

use std::collections::BTreeSet;
use std::fmt;

/// The exceptions: lines of `rule: what`. Empty lines and comments with `#` are ignored.
const KNOWN: &str = include_str!("known.txt");

/// The rules that may have exceptions.
const RULES: [&str; 10] =
    ["chapters", "columns", "cycles", "files", "functions", "links", "names", "references", "tables", "words"];

/// One breach of a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// `file:line`, or a file or folder.
    pub place: String,
    /// What is wrong, without a line number: the same breach has the same text in a later version of the file.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl Finding {
    pub fn new(place: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Finding { place: place.into(), what: what.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}. {}.", self.place, self.what, self.remedy)
    }
}

/// Fails with every finding that is no known exception of the rule, and with every exception that nothing needs any
/// more.
#[track_caller]
pub fn expect_only_known(rule: &str, found: &[Finding]) {
    assert!(RULES.contains(&rule), "enter {rule} into RULES");
    let known: Vec<&str> = exceptions(KNOWN).filter(|(name, _)| *name == rule).map(|(_, what)| what).collect();
    expect(&known, found);
}

/// Fails with every finding.
#[track_caller]
pub fn expect_none(found: &[Finding]) {
    expect(&[], found);
}

#[track_caller]
fn expect(known: &[&str], found: &[Finding]) {
    let complaints = complaints(known, found);
    assert!(complaints.is_empty(), "{} complaints\n{}", complaints.len(), complaints.join("\n"));
}

fn exceptions(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once(": ").unwrap_or((line, "")))
}

fn complaints(known: &[&str], found: &[Finding]) -> Vec<String> {
    let seen: BTreeSet<&str> = found.iter().map(|finding| finding.what.as_str()).collect();
    let new = found.iter().filter(|finding| !known.contains(&finding.what.as_str())).map(ToString::to_string);
    let stale = known.iter().filter(|what| !seen.contains(**what));
    let stale = stale.map(|what| format!("tests/tidy/known.txt: \"{what}\" is no longer so. Remove the line."));
    let mut complaints: Vec<String> = new.chain(stale).collect();
    complaints.dedup();
    complaints
}

#[test]
fn every_known_exception_is_one_of_a_rule() {
    for (rule, what) in exceptions(KNOWN) {
        assert!(
            RULES.contains(&rule) && !what.is_empty(),
            "tests/tidy/known.txt: {rule}: {what}: there is no such rule"
        );
    }
}

#[test]
fn a_new_finding_and_a_stale_exception_are_complaints() {
    let found = [Finding::new("src/a.rs:3", "a bad thing", "Mend it")];
    assert_eq!(complaints(&[], &found), ["src/a.rs:3: a bad thing. Mend it."]);
    assert_eq!(complaints(&["a bad thing"], &found), [""; 0]);
    let stale = "tests/tidy/known.txt: \"another thing\" is no longer so. Remove the line.";
    assert_eq!(complaints(&["a bad thing", "another thing"], &found), [stale]);
}
