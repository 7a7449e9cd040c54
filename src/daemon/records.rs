//! From the core's records and the configuration's diagnostics to journal entries.

use crate::cluster::{Priority, Record};
use crate::config::{Diagnostic, Severity};
use crate::journal;

/// Queues a record of the core with its fields. Never blocks.
pub fn write(record: &Record) {
    let subject = record.subject();
    let fields = [
        ("HBD_EVENT", Some(record.event())),
        ("HBD_NODE", subject.node),
        ("HBD_LINK", subject.link),
        ("HBD_GROUP", subject.group),
        ("HBD_RESOURCE", subject.resource),
    ];
    let fields: Vec<_> = fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let priority = match record.priority() {
        Priority::Critical => journal::Priority::Crit,
        Priority::Error => journal::Priority::Err,
        Priority::Warning => journal::Priority::Warning,
        Priority::Info => journal::Priority::Info,
    };
    journal::write(priority, Some(record.message_id()), &fields, record.text());
}

/// Queues what is wrong with a configuration.
pub fn write_diagnostic(diagnostic: &Diagnostic) {
    let priority = match diagnostic.severity {
        Severity::Error => journal::Priority::Err,
        Severity::Warning => journal::Priority::Warning,
        Severity::Notice => journal::Priority::Notice,
    };
    let file = diagnostic.file.display().to_string();
    let line = diagnostic.line.to_string();
    journal::write(priority, None, &[("CONFIG_FILE", &file), ("CONFIG_LINE", &line)], diagnostic.to_string());
}
