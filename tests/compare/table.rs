//! The results: medians and spreads, which contender is ahead in a row, and the table as Markdown.
//!
//! Owns docs/COMPARISON.md between its two marks. Never measures.

use std::fmt::Write as _;
use std::fs;

use hbd_lab::process::run;
use hbd_lab::{Error, Result, project_root};

use crate::contenders::{Contender, Profile};
use crate::log::VERSION;
use crate::pair::Pair;
use crate::rows::{ROWS, Row, Text, reason};
use crate::scenarios::{Findings, Measured};

/// The document, and what encloses the generated part of it.
const DOCUMENT: &str = "docs/COMPARISON.md";
const BEGIN: &str = "<!-- make compare begins -->\n";
const END: &str = "<!-- make compare ends -->\n";
/// Two numbers that differ by less than this part of the larger one are level.
const LEVEL: f64 = 0.2;

/// One value and where it belongs.
#[derive(Debug)]
struct Value {
    contender: &'static str,
    row: Row,
    measured: Measured,
}

/// All results so far.
#[derive(Debug)]
pub struct Table {
    date: String,
    machine: String,
    note: String,
    versions: Vec<(&'static str, String)>,
    values: Vec<Value>,
    failures: Vec<(&'static str, &'static str)>,
    decided: Vec<(&'static str, &'static str)>,
}

/// What the values of a cell come to.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Cell {
    Missing,
    Never(f64),
    Median { median: f64, least: f64, most: f64 },
}

impl Cell {
    fn of(values: impl Iterator<Item = Measured>) -> Cell {
        let mut numbers = Vec::new();
        for value in values {
            match value {
                Measured::Number(number) => numbers.push(number),
                Measured::Never(limit) => return Cell::Never(limit),
            }
        }
        numbers.sort_by(f64::total_cmp);
        let (Some(least), Some(most)) = (numbers.first(), numbers.last()) else { return Cell::Missing };
        let middle = numbers.len() / 2;
        let median =
            if numbers.len() % 2 == 1 { numbers[middle] } else { (numbers[middle - 1] + numbers[middle]) / 2.0 };
        Cell::Median { median, least: *least, most: *most }
    }

    fn text(self, digits: usize) -> String {
        match self {
            Cell::Missing => "–".to_owned(),
            Cell::Never(limit) => format!("not within {limit:.0} s"),
            Cell::Median { median, least, most } if least == most => format!("{median:.digits$}"),
            Cell::Median { median, least, most } => {
                let spread = format!("{least:.digits$} to {most:.digits$}");
                format!("{median:.digits$} ({spread})")
            }
        }
    }

    /// For comparisons: what never happens is worse than everything that does.
    fn value(self) -> Option<f64> {
        match self {
            Cell::Missing => None,
            Cell::Never(_) => Some(f64::INFINITY),
            Cell::Median { median, .. } => Some(median),
        }
    }
}

impl Table {
    /// An empty table of this day and this machine.
    pub fn begin() -> Table {
        let say = |words: &[&str]| run(words).map(|text| text.trim().to_owned()).unwrap_or_default();
        let processors = "lscpu | sed -n 's/^Model name: *//p' | head -1";
        let machine = format!(
            "{} processors ({}), Linux {}, two systemd-nspawn machines with Debian 12 on it",
            say(&["nproc"]),
            say(&["sh", "-c", processors]),
            say(&["uname", "-r"])
        );
        Table {
            date: say(&["date", "+%Y-%m-%d"]),
            machine,
            note: String::new(),
            versions: Vec::new(),
            values: Vec::new(),
            failures: Vec::new(),
            decided: Vec::new(),
        }
    }

    /// What a reader has to know of this table, beside what its document says of every table.
    pub fn set_note(&mut self, note: String) {
        self.note = note;
    }

    /// Asks the nodes for the versions.
    pub fn set_versions(&mut self, pair: &Pair, contenders: &[&'static dyn Contender]) -> Result<()> {
        for contender in contenders {
            let words = [&["dpkg-query", "--show", "--showformat=${Package} ${Version}, "], contender.packages()];
            let said = pair.lab.nodes[0].run(&words.concat())?;
            let version = said.trim_end_matches([',', ' ']);
            println!("{VERSION}{}: {version}", contender.name());
            self.add_version(contender.name(), version);
        }
        Ok(())
    }

    /// Adds the versions of a contender's packages.
    pub fn add_version(&mut self, contender: &'static str, version: &str) {
        self.versions.retain(|(name, _)| *name != contender);
        self.versions.push((contender, version.to_owned()));
    }

    /// Adds what a scenario found.
    pub fn record(&mut self, contender: &'static str, scenario: &'static str, findings: &Findings) {
        for (row, measured) in findings {
            self.values.push(Value { contender, row: *row, measured: *measured });
        }
        if findings.iter().any(|(_, measured)| matches!(measured, Measured::Never(_))) {
            self.decided.push((contender, scenario));
        }
    }

    /// Adds that a scenario could not be played.
    pub fn record_failure(&mut self, contender: &'static str, scenario: &'static str) {
        self.failures.push((contender, scenario));
    }

    /// Whether a scenario has shown that something never happens. Waiting for that once more would show nothing.
    pub fn is_decided(&self, contender: &str, scenario: &str) -> bool {
        self.decided.iter().any(|(of, name)| *of == contender && *name == scenario)
    }

    fn cell(&self, contender: &str, row: Row) -> Cell {
        let values = self.values.iter().filter(|value| value.contender == contender && value.row == row);
        Cell::of(values.map(|value| value.measured))
    }

    /// The contenders that are better than hbd in a row; `None` where hbd or all the others were not measured.
    fn ahead_of_hbd(&self, contenders: &[&'static dyn Contender], text: &Text) -> Option<Vec<&'static str>> {
        let ours = self.cell("hbd", text.row).value()?;
        let others: Vec<(&'static str, f64)> = contenders
            .iter()
            .filter(|contender| contender.name() != "hbd")
            .filter_map(|contender| Some((contender.name(), self.cell(contender.name(), text.row).value()?)))
            .collect();
        let better = |theirs: f64| theirs < ours - text.level && theirs < ours * (1.0 - LEVEL);
        (!others.is_empty())
            .then(|| others.iter().filter(|(_, theirs)| better(*theirs)).map(|(name, _)| *name).collect())
    }

    /// hbd beside the best of the others, in a word.
    fn verdict(&self, contenders: &[&'static dyn Contender], text: &Text) -> String {
        let Some(ahead) = self.ahead_of_hbd(contenders, text) else { return "–".to_owned() };
        if !ahead.is_empty() {
            return format!("**behind** {}", ahead.join(", "));
        }
        let ours = self.cell("hbd", text.row).value().unwrap_or(f64::INFINITY);
        let others = contenders.iter().filter(|contender| contender.name() != "hbd");
        let best = others
            .filter_map(|contender| self.cell(contender.name(), text.row).value())
            .fold(f64::INFINITY, f64::min);
        if ours < best - text.level && ours < best * (1.0 - LEVEL) { "ahead" } else { "level" }.to_owned()
    }

    /// The generated part of the document.
    pub fn markdown(&self, contenders: &[&'static dyn Contender], runs: usize, rounds: usize) -> String {
        let (runs, rounds) = (counted(runs, "run"), counted(rounds, "round"));
        let mut text = format!(
            "Measured on {} in {runs}, {rounds} together, in turns, on {}. A cell has the median and, in brackets, the least and \
             the most.\n\n",
            self.date, self.machine
        );
        if !self.note.is_empty() {
            let _ = writeln!(text, "{}\n", self.note);
        }
        self.write_rows(&mut text, contenders);
        self.write_settings(&mut text, contenders);
        self.write_behind(&mut text, contenders);
        for (contender, scenario) in &self.failures {
            let _ = writeln!(text, "\n`{scenario}` could not be played with {contender} in one of the rounds.");
        }
        text
    }

    fn write_rows(&self, text: &mut String, contenders: &[&'static dyn Contender]) {
        let names: Vec<&str> = contenders.iter().map(|contender| contender.name()).collect();
        let _ = writeln!(text, "| | unit | {} | hbd is |", names.join(" | "));
        let _ = writeln!(text, "|---|---|{}---|", "---|".repeat(names.len()));
        for row in &ROWS {
            let cells: Vec<Cell> = names.iter().map(|name| self.cell(name, row.row)).collect();
            if cells.iter().all(|cell| *cell == Cell::Missing) {
                continue;
            }
            let cells: Vec<String> = cells.into_iter().map(|cell| cell.text(row.digits)).collect();
            let verdict = self.verdict(contenders, row);
            let _ = writeln!(text, "| {} | {} | {} | {verdict} |", row.title, row.unit, cells.join(" | "));
        }
    }

    fn write_settings(&self, text: &mut String, contenders: &[&'static dyn Contender]) {
        let _ =
            writeln!(text, "\n| | packages | at a dead time of 5 s | at 1 s | what to know |\n|---|---|---|---|---|");
        for contender in contenders {
            let version = self.versions.iter().find(|(name, _)| *name == contender.name());
            let setting = |profile| {
                let (seconds, words) = contender.detection(profile);
                format!("{words}: {seconds:.2} s")
            };
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} |",
                contender.name(),
                version.map_or("", |(_, version)| version),
                setting(Profile::Usual),
                setting(Profile::Everywhere),
                contender.note()
            );
        }
    }

    fn write_behind(&self, text: &mut String, contenders: &[&'static dyn Contender]) {
        let behind: Vec<String> = ROWS
            .iter()
            .filter_map(|row| {
                let ahead = self.ahead_of_hbd(contenders, row)?;
                (!ahead.is_empty())
                    .then(|| format!("- {} ({} ahead): {}.\n", row.title, ahead.join(", "), reason(row.row)))
            })
            .collect();
        let compared = || ROWS.iter().any(|row| self.ahead_of_hbd(contenders, row).is_some());
        if behind.is_empty() && compared() {
            text.push_str("\nhbd is ahead or level in every row.\n");
        } else if !behind.is_empty() {
            let _ = write!(text, "\nWhere hbd is behind, and why:\n\n{}", behind.concat());
        }
    }

    /// Puts the generated part into the document.
    pub fn write(&self, contenders: &[&'static dyn Contender], runs: usize, rounds: usize) -> Result<()> {
        let path = project_root().join(DOCUMENT);
        let document = fs::read_to_string(&path).map_err(Error::file(DOCUMENT))?;
        let parts = document.split_once(BEGIN).and_then(|(head, rest)| Some((head, rest.split_once(END)?.1)));
        let (head, tail) =
            parts.ok_or_else(|| Error::Unexpected(format!("{DOCUMENT} lacks {} or {}", BEGIN.trim(), END.trim())))?;
        let table = self.markdown(contenders, runs, rounds);
        fs::write(&path, format!("{head}{BEGIN}\n{table}\n{END}{tail}")).map_err(Error::file(DOCUMENT))
    }
}

fn counted(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

/// That the machine was disturbed during a scenario whose numbers count all the same.
pub fn spoilt_note(why: Option<&str>) -> String {
    why.map_or(String::new(), |why| format!(", though {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_has_the_median_and_what_never_happened_wins() {
        let numbers = [3.0, 1.0, 2.0].map(Measured::Number);
        assert_eq!(Cell::of(numbers.into_iter()).text(1), "2.0 (1.0 to 3.0)");
        let mixed = [Measured::Number(1.0), Measured::Never(40.0)];
        assert_eq!(Cell::of(mixed.into_iter()).text(1), "not within 40 s");
        assert_eq!(Cell::of(std::iter::empty()).text(1), "–");
    }
}
