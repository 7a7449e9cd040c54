//! `hbctl status --json`. hbctl(8) documents the schema; within one schema number keys are only added.

use serde::Serialize;

use super::status::troubles;
use crate::bus::Snapshot;

/// Changes when a key is removed or means something else; new keys do not change it.
pub(super) const SCHEMA: u32 = 1;

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: u32,
    healthy: bool,
    troubles: Vec<String>,
    #[serde(flatten)]
    snapshot: &'a Snapshot,
}

/// The document, indented.
pub(super) fn render(snapshot: &Snapshot) -> serde_json::Result<String> {
    let troubles = troubles(snapshot);
    let document = Document { schema: SCHEMA, healthy: troubles.is_empty(), troubles, snapshot };
    serde_json::to_string_pretty(&document).map(|text| format!("{text}\n"))
}
