//! The `log` crate's way into the queue.

use log::kv::{Error, Key, Value, VisitSource};
use log::{Level, LevelFilter, Log, Metadata};

use super::kinds;
use super::queues;
use super::record::{CodeSource, JournalRecord, SyslogPriority};
use crate::util::clock::now_usec;

/// [`Log`] over the process's queue.
pub(super) struct Bridge;

/// The priority of a `log` level: `Info` is 6 here, not 5 as in systemd-journal-logger.
fn priority(level: Level) -> SyslogPriority {
    match level {
        Level::Error => SyslogPriority::Err,
        Level::Warn => SyslogPriority::Warning,
        Level::Info => SyslogPriority::Info,
        Level::Debug | Level::Trace => SyslogPriority::Debug,
    }
}

/// What passes at a least urgent priority. Trace never does: libraries trace every packet.
pub(super) fn filter(level: SyslogPriority) -> LevelFilter {
    match level {
        SyslogPriority::Crit => LevelFilter::Off,
        SyslogPriority::Err => LevelFilter::Error,
        SyslogPriority::Warning | SyslogPriority::Notice => LevelFilter::Warn,
        SyslogPriority::Info => LevelFilter::Info,
        SyslogPriority::Debug => LevelFilter::Debug,
    }
}

struct Fields(Vec<(String, String)>);

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        self.0.push((key.as_str().to_owned(), value.to_string()));
        Ok(())
    }
}

impl Log for Bridge {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let mut fields = Fields(Vec::new());
        // Fails only if our visitor does, which it never does.
        let _ = record.key_values().visit(&mut fields);
        let mut fields = fields.0;
        if !fields.iter().any(|(name, _)| name == "MESSAGE_ID") {
            let kind = kinds::of_module(record.target());
            fields.push(("MESSAGE_ID".to_owned(), kind.id.to_owned()));
            fields.push(("HBD_EVENT".to_owned(), kind.event.to_owned()));
        }
        queues::push(JournalRecord {
            priority: priority(record.level()),
            realtime_usec: now_usec(),
            fields,
            text: record.args().to_string(),
            source: Some(CodeSource {
                target: record.target().to_owned(),
                module: record.module_path_static(),
                file: record.file_static(),
                line: record.line(),
            }),
        });
    }

    fn flush(&self) {
        queues::flush();
    }
}
