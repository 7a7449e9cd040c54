//! A node's journal, read from outside the node: also after its death.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::process::run;
use crate::{Error, Result};

/// One journal entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    fields: BTreeMap<String, Value>,
}

impl Record {
    /// A field as text; `None` when absent or not text.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).and_then(Value::as_str)
    }

    /// The message; empty when absent.
    pub fn message(&self) -> &str {
        self.field("MESSAGE").unwrap_or_default()
    }

    /// Syslog priority, 0 (emerg) to 7 (debug); 6 when absent.
    pub fn priority(&self) -> u8 {
        self.field("PRIORITY").and_then(|priority| priority.parse().ok()).unwrap_or(6)
    }

    /// When it was logged, wall-clock seconds: the sender's time where it is known, else the journal's.
    pub fn time(&self) -> f64 {
        ["_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP"]
            .iter()
            .find_map(|name| self.field(name)?.parse::<f64>().ok())
            .map_or(0.0, |microseconds| microseconds / 1e6)
    }
}

/// The records of a journal directory since a wall-clock time, oldest first.
pub(crate) fn read(directory: &Path, unit: Option<&str>, since: f64) -> Result<Vec<Record>> {
    let directory = format!("--directory={}", directory.display());
    let since = format!("--since=@{since:.6}");
    let mut command = vec!["journalctl", &directory, "--output=json", "--all", "--quiet", &since];
    if let Some(unit) = unit {
        command.extend(["--unit", unit]);
    }
    parse(&run(&command)?)
}

fn parse(text: &str) -> Result<Vec<Record>> {
    text.lines()
        .map(|line| {
            let fields = serde_json::from_str(line)
                .map_err(|error| Error::Unexpected(format!("journalctl printed {line}: {error}")))?;
            Ok(Record { fields })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_record_are_readable() {
        let text =
            r#"{"MESSAGE":"node nodea: is dead","PRIORITY":"4","HBD_NODE":"nodea","__REALTIME_TIMESTAMP":"1500000"}"#;
        let records = parse(text).unwrap();
        assert_eq!(records[0].message(), "node nodea: is dead");
        assert_eq!((records[0].priority(), records[0].time()), (4, 1.5));
        assert_eq!(records[0].field("HBD_NODE"), Some("nodea"));
    }
}
