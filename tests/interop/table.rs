//! The results: pairing and scenario by digest, and hbd's times beside Heartbeat's.

use std::fmt;

use hbd_lab::example::Digest;

use crate::{CONTROL, DIGESTS, PAIRINGS, matrix};

/// The place of one result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// The pair's name.
    pub pairing: &'static str,
    /// The scenario's name.
    pub row: &'static str,
    /// How messages were signed.
    pub digest: Digest,
}

/// All results so far. `Display` prints them as tables.
#[derive(Debug, Default)]
pub struct Table {
    results: Vec<(Cell, Option<f64>)>,
}

impl Table {
    /// Adds what a scenario measured, seconds; `None` if it failed. The worst of several results counts.
    pub fn record(&mut self, cell: Cell, measured: Option<f64>) {
        self.results.push((cell, measured));
    }

    /// `None`: not played. `Some(None)`: failed at least once.
    fn worst(&self, cell: Cell) -> Option<Option<f64>> {
        let played = self.results.iter().filter(|(other, _)| *other == cell).map(|(_, measured)| *measured);
        played.reduce(|a, b| Some(a?.max(b?)))
    }

    fn text(&self, cell: Cell) -> String {
        match self.worst(cell) {
            None => "-".to_owned(),
            Some(None) => "FAILED".to_owned(),
            Some(Some(seconds)) => format!("ok {seconds:6.3} s"),
        }
    }

    fn is_empty_row(&self, pairing: &'static str, row: &'static str) -> bool {
        !self.results.iter().any(|(cell, _)| cell.pairing == pairing && cell.row == row)
    }

    /// hbd's time and Heartbeat's under the control's digest, where both were measured.
    fn compared(&self, row: &'static str) -> Option<(f64, f64)> {
        let time = |pairing| self.worst(Cell { pairing, row, digest: DIGESTS[0] })?;
        Some((time(PAIRINGS[0].0)?, time(CONTROL.0)?))
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.results.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nA client's longest outage (cold_start: time to its first answer)\n")?;
        write!(f, "{:42}", "")?;
        DIGESTS.iter().try_for_each(|digest| write!(f, "  {:12}", digest.word()))?;
        writeln!(f)?;
        for (pairing, _) in PAIRINGS.iter().chain([&CONTROL]) {
            for row in matrix::ROWS.iter().filter(|row| !self.is_empty_row(pairing, row.name)) {
                write!(f, "{pairing:20}  {:20}", row.name)?;
                for digest in DIGESTS {
                    write!(f, "  {:12}", self.text(Cell { pairing, row: row.name, digest }))?;
                }
                writeln!(f)?;
            }
        }
        let compared: Vec<_> =
            matrix::ROWS.iter().filter_map(|row| Some((row.name, self.compared(row.name)?))).collect();
        if compared.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "\nTwo hbds beside two Heartbeats\n\n{:20}  {:>10}  {:>10}  {:>6}",
            "", "hbd", "Heartbeat", "ratio"
        )?;
        for (row, (ours, theirs)) in compared {
            let ratio = if theirs > 0.0 { format!("{:6.2}", ours / theirs) } else { "-".to_owned() };
            writeln!(f, "{row:20}  {ours:8.3} s  {theirs:8.3} s  {ratio:>6}")?;
        }
        Ok(())
    }
}
