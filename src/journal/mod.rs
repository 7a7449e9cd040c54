//! Log records for the journal, never blocking the thread that has something to say.
//!
//! Owns the queue between the threads and the journal, the thread that empties it, and the [`log::Log`] through
//! which libraries and the folders of src/ speak. Never decides what is worth a record, never blocks a caller: a
//! record that finds the queue full is counted, and the count is reported as soon as there is space again.
//!
//! Every record carries `SYSLOG_IDENTIFIER=hbd`, `HBD_REALTIME_USEC` (when it was said, which under load is earlier
//! than when it was written), `SYSLOG_FACILITY` if `logfacility` is set, and the fields given by its author
//! (`MESSAGE_ID`, `HBD_NODE`, `HBD_LINK`, `HBD_GROUP`, `HBD_EVENT`, …).
//!
//! `PRIORITY` is exact from [`SyslogPriority::Err`] down. systemd-journal-logger cannot write anything above, so
//! that [`SyslogPriority::Crit`] is written as two values, 3 and 2: `-p crit` finds it, `-p 3..3` finds it too, and
//! in JSON it is a list of both.

mod bridge;
mod file;
mod kinds;
mod queue;
mod queues;
mod record;
mod sink;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU8, Ordering};

use thiserror::Error;

pub use file::{LogFile, LogFileForm};
pub use kinds::{CONFIGURATION, DROPPED, KINDS, LIBRARY, RecordKind};
pub use queues::{kind, write};
pub use record::SyslogPriority;

use file::FileSink;
use queue::Queue;
use sink::{JournalSink, StderrSink};

/// Records the queue holds before it begins to drop.
const CAPACITY: usize = 4096;
/// `debug` of ha.cf, as it was changed since.
static DEBUG: AtomicU8 = AtomicU8::new(0);

/// Where records go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogTarget {
    /// To the journal if standard error leads there too (`$JOURNAL_STREAM`, systemd.exec(5)) and journald answers;
    /// else to standard error.
    #[default]
    Auto,
    /// To the journal.
    Journal,
    /// To standard error, one line each with the prefix `<N>` of sd-daemon(3), without the fields.
    Stderr,
}

/// How to log.
#[derive(Debug, Clone)]
pub struct Options {
    /// `SYSLOG_FACILITY`, 1–23; see [`facility_number`].
    pub facility: Option<u8>,
    /// `debug` of ha.cf: with more than 0 [`SyslogPriority::Debug`] is written, too. See [`set_debug`].
    pub debug: u8,
    /// Where to.
    pub target: LogTarget,
    /// Files that get the records, too. One that cannot be opened is said in the journal, and nothing else (04 §1.9).
    pub files: Vec<LogFile>,
    /// How their lines look.
    pub form: LogFileForm,
}

/// Why there is no log.
#[derive(Debug, Error)]
pub enum JournalError {
    /// journald does not answer and nothing else was allowed.
    #[error("cannot reach journald at /run/systemd/journal/socket: {0}; is systemd-journald.service running?")]
    Unreachable(#[source] std::io::Error),
    /// The writer thread cannot be made.
    #[error("cannot start the journal thread: {0}")]
    Thread(#[source] std::io::Error),
    /// There is a log already.
    #[error("logging was set up twice in this process")]
    Twice,
}

/// Keeps the log; flushes when dropped.
#[derive(Debug)]
pub struct JournalHandle(());

impl JournalHandle {
    /// Waits until everything said before is written, 1 s at most for each place; whether it is.
    pub fn flush(&self) -> bool {
        queues::flush()
    }
}

/// Changes how much is written (`debug` of ha.cf; SIGUSR1, SIGUSR2): with more than 0 [`SyslogPriority::Debug`] is,
/// too.
pub fn set_debug(debug: u8) {
    let level = if debug > 0 { SyslogPriority::Debug } else { SyslogPriority::Info };
    DEBUG.store(debug, Ordering::Relaxed);
    queues::set_level(level);
    log::set_max_level(bridge::filter(level));
}

/// How much is written.
pub fn debug() -> u8 {
    DEBUG.load(Ordering::Relaxed)
}

impl Drop for JournalHandle {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Sets up logging for the whole process: [`write()`] and the macros of the `log` crate.
///
/// Call it before threads get realtime priority: the writer thread inherits the caller's.
///
/// # Errors
/// Every [`JournalError`]; [`JournalError::Unreachable`] only with [`LogTarget::Journal`].
pub fn init(options: Options) -> Result<JournalHandle, JournalError> {
    let journal = match options.target {
        LogTarget::Stderr => None,
        LogTarget::Auto if !systemd_journal_logger::connected_to_journal() => None,
        LogTarget::Auto => JournalSink::new(options.facility).ok(),
        LogTarget::Journal => Some(JournalSink::new(options.facility).map_err(JournalError::Unreachable)?),
    };
    let queue = match journal {
        Some(sink) => Queue::start(sink, CAPACITY),
        None => Queue::start(StderrSink, CAPACITY),
    }
    .map_err(JournalError::Thread)?;
    let mut queues = vec![queue];
    let mut closed = Vec::new();
    for file in options.files {
        let path = file.path.clone();
        match FileSink::open(file, options.form.clone()) {
            Ok(sink) => queues.push(Queue::start(sink, CAPACITY).map_err(JournalError::Thread)?),
            Err(error) => closed.push(format!("Failed to open log file {}: {error}", path.display())),
        }
    }
    if !queues::set(queues) {
        return Err(JournalError::Twice);
    }
    log::set_boxed_logger(Box::new(bridge::Bridge)).map_err(|_| JournalError::Twice)?;
    let handle = JournalHandle(());
    set_debug(options.debug);
    for text in closed {
        kind(SyslogPriority::Warning, &CONFIGURATION, &[], text);
    }
    Ok(handle)
}

/// The number of a lower-case syslog facility name (syslog(3)); `None` for `none`, `kern` (04 §1.9) and unknown
/// names.
pub fn facility_number(name: &str) -> Option<u8> {
    const NAMES: [&str; 12] =
        ["kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"];
    if let Some(local) = name.strip_prefix("local") {
        return local.parse().ok().filter(|number| *number < 8 && local.len() == 1).map(|number: u8| 16 + number);
    }
    let name = if name == "security" { "auth" } else { name };
    NAMES.iter().zip(0..).find(|(known, number)| **known == name && *number > 0).map(|(_, number)| number)
}
