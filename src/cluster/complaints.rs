//! Records that a stranger can provoke at will: each at most once a minute for each node.
//!
//! Owns when which complaint about which node was made last. Never decides anything.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::api::record::Record;
use super::api::time::Instant;
use super::core::Core;

/// The same complaint about the same node is not repeated within this time: a stranger must not fill the log.
const PERIOD: Duration = Duration::from_secs(60);
/// Names come from the network: so many complaints are remembered at most.
const REMEMBERED: usize = 64;

/// When which complaint about which node was made last.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Complaints(BTreeMap<String, Instant>);

fn key(record: &Record) -> String {
    format!("{} {}", record.event(), record.subject().node.unwrap_or_default())
}

impl Core {
    /// Whether [`Core::complain`] would log this record at `now`.
    pub(super) fn may_complain(&self, now: Instant, record: &Record) -> bool {
        let Complaints(complaints) = &self.complaints;
        let recent = |said: &&Instant| now.since(**said) < PERIOD;
        complaints.values().filter(recent).count() < REMEMBERED
            && complaints.get(&key(record)).filter(recent).is_none()
    }

    /// Logs the record, unless it was logged for the same node within the last minute.
    pub(super) fn complain(&mut self, record: Record) {
        let now = self.now.monotonic;
        let Complaints(complaints) = &mut self.complaints;
        complaints.retain(|_, said| now.since(*said) < PERIOD);
        if complaints.len() >= REMEMBERED {
            return;
        }
        let key = key(&record);
        // A complaint that is not logged does not count: a stranger that stays is named again every minute.
        if let Entry::Vacant(entry) = complaints.entry(key) {
            entry.insert(now);
            self.log(record);
        }
    }
}
