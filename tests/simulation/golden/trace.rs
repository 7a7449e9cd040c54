//! The digest of one run: every event's actions, in order, with the node and the time.

use std::fmt::Write as _;

use hbd::cluster::{Action, Moment, Record};
use serde_json::Value;
use sha1::{Digest as _, Sha1};

/// What the cores of one run did.
#[derive(Default)]
pub struct Trace {
    digest: Sha1,
    /// The same as text, if somebody wants to read it.
    story: Option<String>,
}

impl Trace {
    /// A trace that keeps its text.
    pub fn telling() -> Trace {
        Trace { story: Some(String::new()), ..Trace::default() }
    }

    /// The core of `node` did this.
    pub fn fold(&mut self, node: usize, now: Moment, actions: &[Action]) {
        if actions.is_empty() {
            return;
        }
        let json: Vec<_> = actions.iter().map(action).collect();
        let json = json.join(",");
        // A release changes the version that every status carries, and no decision.
        let json = json.replace(concat!(" ", env!("CARGO_PKG_VERSION"), "\""), " VERSION\"");
        let line = format!("{} {node} {json}\n", now.monotonic.0.as_micros());
        self.add(&line);
    }

    /// Anything else that must not change.
    pub fn add(&mut self, line: &str) {
        self.digest.update(line.as_bytes());
        if let Some(story) = &mut self.story {
            story.push_str(line);
        }
    }

    /// The text of a trace that was asked to keep it.
    pub fn story(&self) -> &str {
        self.story.as_deref().unwrap_or_default()
    }

    /// 16 hexadecimal digits.
    pub fn finish(&self) -> String {
        let mut text = String::new();
        for byte in self.digest.clone().finalize().iter().take(8) {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

fn action(action: &Action) -> String {
    match action {
        Action::Log(record) => said(record),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}

/// A record by its kind and the values in it: its text and the names of its fields may become plainer without any
/// decision having changed.
fn said(record: &Record) -> String {
    let mut values = Vec::new();
    leaves(&serde_json::to_value(record).unwrap_or_default(), &mut values);
    values.sort();
    format!("{} {}", record.event(), values.join(" "))
}

fn leaves(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.values().for_each(|value| leaves(value, found)),
        leaf => found.push(leaf.to_string()),
    }
}
