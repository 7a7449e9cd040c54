//! One record on its way to the journal.

/// `PRIORITY` of a record, as syslog(3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum SyslogPriority {
    /// `CRIT` of Heartbeat: data or service are in danger.
    Crit = 2,
    /// `ERROR`.
    Err = 3,
    /// `WARN`.
    Warning = 4,
    /// `notice`.
    Notice = 5,
    /// `info`.
    Info = 6,
    /// `debug`.
    Debug = 7,
}

/// One record on its way.
#[derive(Debug, Clone)]
pub(super) struct JournalRecord {
    pub priority: SyslogPriority,
    /// When it was said, CLOCK_REALTIME.
    pub realtime_usec: u64,
    pub fields: Vec<(String, String)>,
    pub text: String,
    /// Where in the code it was said, if through the `log` crate.
    pub source: Option<CodeSource>,
}

/// `TARGET`, `CODE_MODULE`, `CODE_FILE`, `CODE_LINE`.
#[derive(Debug, Clone)]
pub(super) struct CodeSource {
    pub target: String,
    pub module: Option<&'static str>,
    pub file: Option<&'static str>,
    pub line: Option<u32>,
}
