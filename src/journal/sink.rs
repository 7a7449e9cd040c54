//! Where records end: journald or standard error.

use std::io::{self, Write};

use log::Level;
use systemd_journal_logger::JournalLog;

use super::queue::Sink;
use super::record::{JournalRecord, SyslogPriority};

/// journald through systemd-journal-logger.
pub(super) struct JournalSink(JournalLog);

impl JournalSink {
    /// Fails if journald does not answer.
    pub(super) fn new(facility: Option<u8>) -> io::Result<Self> {
        let mut journal = JournalLog::empty()?.with_syslog_identifier("hbd".to_owned());
        if let Some(facility) = facility {
            journal = journal.add_extra_field("SYSLOG_FACILITY", facility.to_string());
        }
        Ok(JournalSink(journal))
    }
}

impl Sink for JournalSink {
    fn write(&mut self, record: &JournalRecord) -> io::Result<()> {
        let realtime = record.realtime_usec.to_string();
        let mut fields: Vec<(&str, &str)> =
            record.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        fields.push(("HBD_REALTIME_USEC", &realtime));
        // systemd-journal-logger writes these levels as PRIORITY 3 to 7; above that a second value has to do.
        let level = match record.priority {
            SyslogPriority::Crit => {
                fields.push(("PRIORITY", "2"));
                Level::Error
            }
            SyslogPriority::Err => Level::Error,
            SyslogPriority::Warning => Level::Warn,
            SyslogPriority::Notice => Level::Info,
            SyslogPriority::Info => Level::Debug,
            SyslogPriority::Debug => Level::Trace,
        };
        let source = record.source.as_ref();
        self.0.journal_send(
            &log::Record::builder()
                .level(level)
                .target(source.map_or("hbd", |source| source.target.as_str()))
                .module_path(source.and_then(|source| source.module))
                .file(source.and_then(|source| source.file))
                .line(source.and_then(|source| source.line))
                .key_values(&fields)
                .args(format_args!("{}", record.text))
                .build(),
        )
    }
}

/// Lines with the prefix of sd-daemon(3), which journald and `systemd-cat` understand.
pub(super) struct StderrSink;

impl Sink for StderrSink {
    fn write(&mut self, record: &JournalRecord) -> io::Result<()> {
        io::stderr().lock().write_all(lines(record).as_bytes())
    }
}

/// `record` as prefixed lines.
pub(super) fn lines(record: &JournalRecord) -> String {
    record.text.lines().map(|line| format!("<{}>{line}\n", record.priority as u8)).collect()
}
