//! What runs printed, read again: `--from FILE…` makes the table of earlier runs, without nodes.
//!
//! The values of all files count. So a scenario can be played once more without the hour that all of them take. Never
//! measures.

use std::fs;

use hbd_lab::{Error, Result};

use crate::contenders;
use crate::rows::{ROWS, Row};
use crate::scenarios::{Findings, Measured, SCENARIOS};
use crate::table::Table;

/// The beginning of a line that names a version.
pub const VERSION: &str = "version of ";

/// Reads files and returns how many rounds they have together.
pub fn read(table: &mut Table, files: &[String]) -> Result<usize> {
    let mut rounds = 0;
    for file in files {
        let text = fs::read_to_string(file).map_err(Error::file(file))?;
        let mut last = 0;
        for line in text.lines() {
            if let Some((name, version)) = line.strip_prefix(VERSION).and_then(|rest| rest.split_once(": ")) {
                table.add_version(known(name)?, version);
            }
            let Some(entry) = Entry::parse(line)? else { continue };
            last = last.max(entry.round);
            table.record(entry.contender, entry.scenario, &entry.findings);
        }
        rounds += last;
    }
    Ok(rounds)
}

/// A line about a scenario that counts.
#[derive(Debug, PartialEq)]
struct Entry {
    round: usize,
    contender: &'static str,
    scenario: &'static str,
    findings: Findings,
}

impl Entry {
    /// `round 1, hbd, stop: [(Stop, Number(37.2))] (3 s)`; `None` for another line, and for one that does not count.
    fn parse(line: &str) -> Result<Option<Entry>> {
        let fields = || {
            let (round, rest) = line.strip_prefix("round ")?.split_once(", ")?;
            let (contender, rest) = rest.split_once(", ")?;
            let (scenario, rest) = rest.split_once(": [")?;
            let (findings, rest) = rest.split_once("] (")?;
            // The words of a failure may have brackets, too.
            (rest.contains(" s)") && !scenario.contains(':')).then_some((
                round.parse().ok()?,
                contender,
                scenario,
                findings,
            ))
        };
        let Some((round, contender, scenario, findings)) = fields() else { return Ok(None) };
        let scenario = SCENARIOS.iter().find(|known| known.name == scenario).map(|known| known.name);
        let scenario = scenario.ok_or_else(|| Error::Unexpected(format!("no such scenario: {line}")))?;
        let findings = findings.split("), (").map(finding).collect::<Option<Findings>>();
        let findings = findings.ok_or_else(|| Error::Unexpected(format!("no findings: {line}")))?;
        Ok(Some(Entry { round, contender: known(contender)?, scenario, findings }))
    }
}

/// `(Stop, Number(37.2))`, the brackets being there or not.
fn finding(text: &str) -> Option<(Row, Measured)> {
    let (row, value) = text.trim_start_matches('(').trim_end_matches(')').split_once(", ")?;
    let row = ROWS.iter().map(|text| text.row).find(|known| format!("{known:?}") == row)?;
    let (kind, number) = value.split_once('(')?;
    let number = number.parse().ok()?;
    match kind {
        "Number" => Some((row, Measured::Number(number))),
        "Never" => Some((row, Measured::Never(number))),
        _ => None,
    }
}

fn known(contender: &str) -> Result<&'static str> {
    let name = contenders::all().into_iter().map(|known| known.name()).find(|known| *known == contender);
    name.ok_or_else(|| Error::Unexpected(format!("no such contender: {contender}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_run_is_read_and_others_are_not() {
        let line = "round 2, hbd, daemon-killed: [(KilledUnserved, Number(0.25)), (KilledTwo, Never(30.0))] (10 s)";
        let expected = vec![(Row::KilledUnserved, Measured::Number(0.25)), (Row::KilledTwo, Measured::Never(30.0))];
        let entry = Entry::parse(line).unwrap().unwrap();
        assert_eq!((entry.round, entry.contender, entry.scenario), (2, "hbd", "daemon-killed"));
        assert_eq!(entry.findings, expected);
        let again = "round 2, hbd, stop: [(Stop, Number(1.0))], played again because of something";
        for other in [again, "round 2, hbd, stop: failed: [x] (3 s)", "compare: whatever"] {
            assert_eq!(Entry::parse(other).unwrap(), None, "{other}");
        }
    }
}
