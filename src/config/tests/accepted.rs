//! hbd refuses nothing that a real Heartbeat accepts, unless hbd-ha.cf(5) states the reason: every value of 04 §1.3
//! for every directive of 04 §1.6–1.10, and the lines of [`STRICTER`].

use super::*;
use crate::config::directives::{DIRECTIVES, Directive, Treatment};
use crate::config::manual::STRICTER;
use crate::config::value::ValueKind;

const TIMES: [&str; 13] =
    ["2", "0.5", ".5", "1500ms", "1500MS", "1500msec", "500us", "501us", "1.5.2", "1.", "007", "30000ms", "86400"];
const ZERO: [&str; 4] = ["0", "0ms", "499us", "0.0"];
const BOOLEANS: [&str; 10] = ["true", "on", "yes", "y", "1", "false", "off", "no", "n", "0"];

/// Every value that Heartbeat takes for a kind, or examples of all of them.
fn values(directive: &Directive) -> Vec<String> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let in_any_case =
        |word: &String| [word.clone(), word.to_uppercase(), format!("{}{}", word[..1].to_uppercase(), &word[1..])];
    match directive.kind().unwrap() {
        ValueKind::Time { zero } => [words(&TIMES), if *zero { words(&ZERO) } else { Vec::new() }].concat(),
        ValueKind::Bool => words(&BOOLEANS).iter().flat_map(in_any_case).collect(),
        ValueKind::Failback => [words(&BOOLEANS), words(&["legacy"])].concat().iter().flat_map(in_any_case).collect(),
        ValueKind::Integer { min, max, .. } => {
            [*min, min + 1, (min + max) / 2, *max].iter().map(u64::to_string).collect()
        }
        ValueKind::Choice(choices) => choices.iter().map(|(word, _)| (*word).to_owned()).collect(),
        ValueKind::Path => words(&["/dev/null", "/var/log/ha-log", "/a b".split(' ').next().unwrap()]),
        ValueKind::OptionalPath => words(&["/dev/null", "/var/log/ha-log", "ha-log", "none", "\"/x\""]),
        ValueKind::Text => words(&["x", "linux-ha", "10.0.0.1"]),
    }
}

#[test]
fn every_value_that_heartbeat_takes_is_taken() {
    let mut seen = 0;
    for directive in DIRECTIVES.iter().filter(|directive| directive.kind().is_some()) {
        assert!(!matches!(directive.treatment, Treatment::Refused { .. }));
        for value in values(directive) {
            // Only this line is tested; cross-checks may refuse its value beside other directives.
            let node = Node::new(&format!("{} {value}\nucast eth0 10.0.0.2\nnode nodea nodeb\n", directive.name));
            let bad: Vec<_> = node
                .load()
                .diagnostics
                .into_iter()
                .filter(|found| {
                    found.severity == Severity::Error && found.line == 1 && !found.message.contains(" time [")
                })
                .collect();
            assert!(bad.is_empty(), "{} {value}: {bad:?}", directive.name);
            seen += 1;
        }
    }
    assert!(seen > 300, "{seen}");
}

#[test]
fn what_is_refused_all_the_same_is_in_the_manual_with_its_reason() {
    let page = crate::config::manual::page();
    for (line, reason) in STRICTER {
        let error = Node::with(&format!("{line}\n")).error();
        assert_eq!(error.line, 6, "{line}: {error}");
        let stated = reason.replace('-', "\\-");
        assert!(page.contains(&stated) && reason.len() > 15, "{line}: {reason}");
    }
}
