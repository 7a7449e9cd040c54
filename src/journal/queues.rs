//! The process's queues: one for the journal, and one for each file.
//!
//! Owns what is set once by [`super::init`], and how urgent a record must be to be written. Never blocks but in
//! [`flush`].

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use super::kinds::RecordKind;
use super::queue::Queue;
use super::record::{JournalRecord, SyslogPriority};
use crate::util::clock::now_usec;
use crate::util::text::printable_lines;

/// How long [`JournalHandle::flush`] waits at most.
const FLUSH: Duration = Duration::from_secs(1);

/// The writers, once [`super::init`] has made them: the journal's first, then those of files.
static QUEUES: OnceLock<Vec<Queue>> = OnceLock::new();
/// The least urgent [`SyslogPriority`] that is written.
static LEVEL: AtomicU8 = AtomicU8::new(SyslogPriority::Info as u8);
/// Sets the queues, the journal's first; false if they were set before.
pub(super) fn set(queues: Vec<Queue>) -> bool {
    QUEUES.set(queues).is_ok()
}

/// Writes only what is at least as urgent as this from now on.
pub(super) fn set_level(level: SyslogPriority) {
    LEVEL.store(level as u8, Ordering::Relaxed);
}

/// Waits until everything said before is written, 1 s at most for each place; whether it is.
pub(super) fn flush() -> bool {
    QUEUES.get().is_some_and(|queues| queues.iter().all(|queue| queue.flush(FLUSH)))
}

/// Queues a record. Never blocks, so that the realtime thread may call it; does nothing before [`super::init`].
///
/// Field names are journal field names: `A`–`Z`, digits, `_`, at most 64 bytes.
pub fn write(priority: SyslogPriority, message_id: Option<&str>, fields: &[(&str, &str)], text: String) {
    if priority as u8 > LEVEL.load(Ordering::Relaxed) {
        return;
    }
    let id = message_id.map(|id| ("MESSAGE_ID".to_owned(), id.to_owned()));
    let fields =
        id.into_iter().chain(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))).collect();
    push(JournalRecord { priority, realtime_usec: now_usec(), fields, text, source: None });
}

/// Queues a record of one of `KINDS`.
pub fn kind(priority: SyslogPriority, kind: &RecordKind, fields: &[(&str, &str)], text: String) {
    let event = [("HBD_EVENT", kind.event)];
    write(priority, Some(kind.id), &[&event, fields].concat(), text);
}

/// Queues a record everywhere. Its text may be of several lines, and controls no terminal.
pub(super) fn push(record: JournalRecord) {
    let record = JournalRecord { text: printable_lines(&record.text), ..record };
    let Some([journal, files @ ..]) = QUEUES.get().map(Vec::as_slice) else { return };
    for file in files {
        file.push(record.clone());
    }
    journal.push(record);
}
