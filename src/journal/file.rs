//! `logfile` and `debugfile`: the records in Heartbeat's line form (04 §12.1), for runbooks and log checkers.
//!
//! Each file has a queue and a thread of its own: a disk that hangs delays neither the journal nor the other file.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::queue::Sink;
use super::record::{JournalRecord, SyslogPriority};

/// How often it is looked whether the file was moved away (logrotate) or removed.
const LOOK: Duration = Duration::from_secs(1);

/// A file to write to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFile {
    /// Where.
    pub path: PathBuf,
    /// Whether debug messages go there, too.
    pub debug: bool,
}

/// How its lines look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogFileForm {
    /// Our node name.
    pub node: String,
    /// `syslogmsgfmt`: as syslog writes lines, not as ha_logd does.
    pub syslog: bool,
}

/// The file, opened again when it is not there any more.
pub(super) struct FileSink {
    target: LogFile,
    form: LogFileForm,
    zone: TimeZone,
    open: Option<(File, Instant)>,
}

impl FileSink {
    /// Fails when the file cannot be opened now.
    pub(super) fn open(target: LogFile, form: LogFileForm) -> io::Result<FileSink> {
        let mut sink = FileSink { target, form, zone: TimeZone::system(), open: None };
        sink.file()?;
        Ok(sink)
    }

    fn file(&mut self) -> io::Result<&mut File> {
        let path = &self.target.path;
        if self.open.as_ref().is_some_and(|(_, looked)| looked.elapsed() >= LOOK) {
            self.open = self.open.take().and_then(|(file, _)| {
                let (ours, there) = (file.metadata().ok()?, std::fs::metadata(path).ok()?);
                let same = (ours.dev(), ours.ino()) == (there.dev(), there.ino());
                same.then(|| (file, Instant::now()))
            });
        }
        let (file, _) = match self.open.take() {
            Some(open) => self.open.insert(open),
            None => {
                let file = open(path)?;
                self.open.insert((file, Instant::now()))
            }
        };
        Ok(file)
    }
}

/// A symbolic link is root's, or it is not followed: a user who may write to the directory would choose the file.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o640);
    let roots = std::fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink() && found.uid() == 0);
    if !roots {
        options.custom_flags(libc::O_NOFOLLOW);
    }
    options.open(path)
}

impl Sink for FileSink {
    fn write(&mut self, record: &JournalRecord) -> io::Result<()> {
        if record.priority == SyslogPriority::Debug && !self.target.debug {
            return Ok(());
        }
        let text = lines(record, &self.form, &self.zone);
        self.file()?.write_all(text.as_bytes())
    }
}

/// Heartbeat's word for a priority.
fn word(priority: SyslogPriority) -> &'static str {
    match priority {
        SyslogPriority::Crit => "CRIT",
        SyslogPriority::Err => "ERROR",
        SyslogPriority::Warning => "WARN",
        SyslogPriority::Notice => "notice",
        SyslogPriority::Info => "info",
        SyslogPriority::Debug => "debug",
    }
}

/// One line for each line of the text.
fn lines(record: &JournalRecord, form: &LogFileForm, zone: &TimeZone) -> String {
    let moment = i64::try_from(record.realtime_usec).ok().and_then(|usec| Timestamp::from_microsecond(usec).ok());
    let moment = moment.unwrap_or_default().to_zoned(zone.clone());
    let (process, word) = (std::process::id(), word(record.priority));
    let head = if form.syslog {
        format!("{} {} heartbeat: [{process}]: {word}: ", moment.strftime("%b %d %H:%M:%S"), form.node)
    } else {
        format!("heartbeat[{process}]: {} {word}: ", moment.strftime("%Y/%m/%d_%H:%M:%S"))
    };
    record.text.lines().map(|line| format!("{head}{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(priority: SyslogPriority, text: &str) -> JournalRecord {
        JournalRecord { priority, realtime_usec: 1_000_000, fields: Vec::new(), text: text.to_owned(), source: None }
    }

    #[test]
    fn lines_are_those_of_heartbeat() {
        let process = std::process::id();
        let dead = record(SyslogPriority::Warning, "node nodeb: is dead");
        let form = LogFileForm { node: "nodea".to_owned(), syslog: true };
        let wanted = format!("Jan 01 00:00:01 nodea heartbeat: [{process}]: WARN: node nodeb: is dead\n");
        assert_eq!(lines(&dead, &form, &TimeZone::UTC), wanted);
        let wanted = format!("heartbeat[{process}]: 1970/01/01_00:00:01 WARN: node nodeb: is dead\n");
        assert_eq!(lines(&dead, &LogFileForm { syslog: false, ..form }, &TimeZone::UTC), wanted);
    }

    #[test]
    fn debug_messages_go_into_the_debugfile_only_and_a_moved_file_is_begun_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ha-log");
        let open = |debug| FileSink::open(LogFile { path: path.clone(), debug }, LogFileForm::default()).unwrap();
        let (mut plain, mut debug) = (open(false), open(true));
        plain.write(&record(SyslogPriority::Debug, "one")).unwrap();
        debug.write(&record(SyslogPriority::Debug, "two")).unwrap();
        plain.write(&record(SyslogPriority::Crit, "three")).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("one") && text.contains("debug: two") && text.contains("CRIT: three"), "{text}");

        std::fs::rename(&path, directory.path().join("ha-log.1")).unwrap();
        // As if the last look were long ago.
        if let Some((_, looked)) = &mut plain.open {
            *looked -= LOOK;
        }
        plain.write(&record(SyslogPriority::Info, "four")).unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().ends_with("info: four\n"));
        let missing = LogFile { path: directory.path().join("none/ha-log"), debug: false };
        assert!(FileSink::open(missing, LogFileForm::default()).is_err());
    }
}
