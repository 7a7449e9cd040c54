//! `--json`: one object with the schema's number and the command, and what the command has to say. hbctl(8) documents
//! the keys; within one schema number keys are only added.
//!
//! Owns the envelope, and the keys of the commands that print text.

use serde::Serialize;

use super::doctor::{Finding, Grade};
use super::due::{DueAct, due};
use crate::bus::Snapshot;
use crate::bus::troubles::troubles;

/// Changes when a key is removed or means something else; new keys do not change it.
pub(super) const SCHEMA: u32 = 1;

#[derive(Debug, Serialize)]
struct Envelope<'a, B: Serialize> {
    schema: u32,
    command: &'a str,
    #[serde(flatten)]
    body: &'a B,
}

#[derive(Debug, Serialize)]
struct StatusBody<'a> {
    healthy: bool,
    troubles: Vec<String>,
    due: Vec<DueAct>,
    #[serde(flatten)]
    snapshot: &'a Snapshot,
}

#[derive(Debug, Serialize)]
struct TextBody<'a> {
    text: &'a str,
}

#[derive(Debug, Serialize)]
struct OutcomeBody<'a> {
    done: bool,
    message: &'a str,
}

#[derive(Debug, Serialize)]
struct DoctorBody<'a> {
    healthy: bool,
    findings: Vec<FindingBody<'a>>,
}

#[derive(Debug, Serialize)]
struct FindingBody<'a> {
    grade: &'a str,
    about: &'a str,
    text: &'a str,
}

/// The object, indented.
pub(super) fn document(command: &str, body: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&Envelope { schema: SCHEMA, command, body }).map(|text| format!("{text}\n"))
}

/// `hbctl status --json` at this moment, CLOCK_REALTIME.
pub(super) fn status(snapshot: &Snapshot, now_usec: u64) -> serde_json::Result<String> {
    let troubles = troubles(snapshot);
    let due = due(snapshot, now_usec);
    document("status", &StatusBody { healthy: troubles.is_empty(), troubles, due, snapshot })
}

/// `hbctl doctor --json`.
pub(super) fn doctor<'a>(findings: &'a [Finding]) -> serde_json::Result<String> {
    let healthy = findings.iter().all(|finding| finding.grade < Grade::Warning);
    let body =
        |finding: &'a Finding| FindingBody { grade: finding.grade.word(), about: finding.about, text: &finding.text };
    let findings = findings.iter().map(body);
    document("doctor", &DoctorBody { healthy, findings: findings.collect() })
}

/// What a command printed that has no keys of its own.
pub(super) fn text(command: &str, text: &str) -> serde_json::Result<String> {
    document(command, &TextBody { text })
}

/// How it ended: done, or why not.
pub(super) fn outcome(command: &str, done: bool, message: &str) -> serde_json::Result<String> {
    document(command, &OutcomeBody { done, message })
}
