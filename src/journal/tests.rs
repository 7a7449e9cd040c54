//! The queue with a sink that a test holds, and the whole of it with a journald of its own.

use std::io;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use super::queue::{Queue, Sink};
use super::record::JournalRecord;
use super::{
    JournalError, LIBRARY, LogFileForm, LogTarget, Options, SyslogPriority, facility_number, init, sink, write,
};
use crate::test_needs::missing;

const LONG: Duration = Duration::from_secs(20);

/// Writes when the test says so, and as the test says.
struct Held {
    orders: Receiver<io::Result<()>>,
    written: Sender<JournalRecord>,
}

impl Sink for Held {
    fn write(&mut self, record: &JournalRecord) -> io::Result<()> {
        self.orders.recv().map_err(io::Error::other)??;
        self.written.send(record.clone()).map_err(io::Error::other)
    }
}

fn held(capacity: usize) -> (Queue, Sender<io::Result<()>>, Receiver<JournalRecord>) {
    let (order, orders) = channel();
    let (sender, written) = channel();
    (Queue::start(Held { orders, written: sender }, capacity).unwrap(), order, written)
}

fn record(text: &str) -> JournalRecord {
    JournalRecord {
        priority: SyslogPriority::Info,
        realtime_usec: 0,
        fields: Vec::new(),
        text: text.to_owned(),
        source: None,
    }
}

#[test]
fn a_stuck_journal_blocks_nobody_and_the_loss_is_confessed() {
    let (queue, order, written) = held(4);
    for number in 0..100 {
        queue.push(record(&number.to_string()));
    }
    for _ in 0..10 {
        order.send(Ok(())).unwrap();
    }
    assert!(queue.flush(LONG));
    let texts: Vec<String> = written.try_iter().map(|record| record.text).collect();
    assert_eq!(texts[0], "0");
    assert!(texts[1].ends_with("log messages dropped: the journal was too slow or away"), "{texts:?}");
    // Every record is either written or counted.
    let counted: usize = texts[1].split(' ').next().unwrap().parse().unwrap();
    assert_eq!(texts.len() - 1 + counted, 100);
}

#[test]
fn what_journald_refuses_is_counted_too() {
    let (queue, order, written) = held(16);
    queue.push(record("one"));
    queue.push(record("two"));
    queue.push(record("three"));
    order.send(Err(io::ErrorKind::ConnectionRefused.into())).unwrap();
    order.send(Err(io::ErrorKind::ConnectionRefused.into())).unwrap();
    order.send(Ok(())).unwrap();
    order.send(Ok(())).unwrap();
    assert_eq!(written.recv_timeout(LONG).unwrap().text, "three");
    let confession = written.recv_timeout(LONG).unwrap();
    assert!(confession.text.starts_with("2 log messages dropped"), "{}", confession.text);
    assert_eq!(confession.priority, SyslogPriority::Warning);
}

#[test]
fn flushing_a_stuck_journal_ends_in_time() {
    let (queue, _order, _written) = held(1);
    queue.push(record("one"));
    let begun = Instant::now();
    assert!(!queue.flush(Duration::from_millis(200)));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn lines_for_standard_error_carry_the_priority() {
    let mut two = record("node nodeb: is dead\nsee below");
    two.priority = SyslogPriority::Crit;
    assert_eq!(sink::lines(&two), "<2>node nodeb: is dead\n<2>see below\n");
}

#[test]
fn facilities_are_those_of_syslog() {
    for (name, number) in [("user", 1), ("daemon", 3), ("auth", 4), ("cron", 9), ("local0", 16), ("local7", 23)] {
        assert_eq!(facility_number(name), Some(number), "{name}");
    }
    for name in ["none", "kern", "local8", "local07", "local", "LOCAL0", ""] {
        assert_eq!(facility_number(name), None, "{name}");
    }
}

/// Set in the process that [`a_real_journald_gets_it_all`] starts.
const INNER: &str = "HBD_TEST_JOURNALD";

/// A shell in a mount namespace of its own: a fresh /run, a journald there, the inner test, and what journald stored.
const OUTER: &str = r#"set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/log/journal
[ -s /etc/machine-id ] || { echo 0123456789abcdef0123456789abcdef > /run/machine-id; mount --bind /run/machine-id /etc/machine-id; }
/lib/systemd/systemd-journald >/dev/null 2>&1 & journald=$!
trap 'kill $journald' EXIT
for try in $(seq 100); do [ -S /run/systemd/journal/socket ] && break; sleep 0.1; done
export JOURNALD=$journald
"$0" --exact journal::tests::$INNER_TEST --ignored >&2
for try in $(seq 100); do
  journalctl -D /run/log/journal/* -t hbd -o json --no-pager > /run/out || true
  grep -q 'the last' /run/out && break
  sleep 0.1
done
cat /run/out
"#;

/// Runs an ignored test with a journald of its own; what that stored, or `None` where the tests are to do without.
fn stored(test: &str) -> Option<Vec<serde_json::Value>> {
    let this = std::env::current_exe().unwrap();
    let mut outer = Command::new("unshare");
    outer.args(["-m", "sh", "-c", OUTER]).arg(&this).env(INNER, "1").env("INNER_TEST", test);
    let Ok(output) = outer.output() else {
        missing("unshare", "install util-linux");
        return None;
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!stderr.contains("panicked"), "{stderr}");
    if !output.status.success() || output.stdout.is_empty() {
        missing("journald", &format!("it runs one of its own as root: {stderr}"));
        return None;
    }
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Records said while journald does not run.
const LOAD: usize = 20_000;

/// Stops journald, says much, lets it go on.
#[test]
#[ignore = "run by a_frozen_journald_blocks_nobody with a journald of its own"]
fn inner_frozen() {
    let Ok(journald) = std::env::var("JOURNALD") else { return };
    let signal = |name: &str| assert!(Command::new("kill").args([name, &journald]).status().unwrap().success());
    let handle = init(Options {
        facility: None,
        debug: 0,
        target: LogTarget::Journal,
        files: Vec::new(),
        form: LogFileForm::default(),
    })
    .unwrap();
    signal("-STOP");
    // Were one of these to wait for journald, it would wait for ever.
    for number in 0..LOAD {
        write(SyslogPriority::Info, None, &[], format!("load {number}"));
    }
    assert!(!handle.flush(), "journald was not frozen");
    signal("-CONT");
    while !handle.flush() {}
    write(SyslogPriority::Info, None, &[], "the last".to_owned());
    assert!(handle.flush());
}

#[test]
fn a_frozen_journald_blocks_nobody() {
    let Some(entries) = stored("inner_frozen") else { return };
    let texts = || entries.iter().filter_map(|entry| entry["MESSAGE"].as_str());
    let written = texts().filter(|text| text.starts_with("load ")).count();
    let dropped = entries.iter().filter_map(|entry| entry["HBD_DROPPED"].as_str()?.parse::<usize>().ok());
    let dropped: usize = dropped.sum();
    assert!(dropped > 0, "{written} of {LOAD} were written, and none was dropped");
    assert_eq!(written + dropped, LOAD);
    let confession = entries.iter().find(|entry| entry.get("HBD_DROPPED").is_some()).unwrap();
    assert_eq!((&confession["HBD_EVENT"], &confession["PRIORITY"]), (&"Dropped".into(), &"4".into()));
}

/// Writes what [`a_real_journald_gets_it_all`] reads.
#[test]
#[ignore = "run by a_real_journald_gets_it_all with a journald of its own"]
fn inner() {
    if std::env::var_os(INNER).is_none() {
        return;
    }
    let options = Options {
        facility: Some(16),
        debug: 0,
        target: LogTarget::Journal,
        files: Vec::new(),
        form: LogFileForm::default(),
    };
    let handle = init(options.clone()).unwrap();
    assert!(matches!(init(options), Err(JournalError::Twice)));
    let id = Some("7c1b9f0e8f114bd0a6a6c3fe7f3ad1c1");
    write(SyslogPriority::Crit, id, &[("HBD_NODE", "nodeb"), ("HBD_EVENT", "dead")], "crit".to_owned());
    for priority in [
        SyslogPriority::Err,
        SyslogPriority::Warning,
        SyslogPriority::Notice,
        SyslogPriority::Info,
        SyslogPriority::Debug,
    ] {
        write(priority, None, &[], format!("{priority:?}"));
    }
    log::info!(HBD_LINK = "eth1"; "through {}", "log");
    log::debug!("not wanted");
    crate::journal::set_debug(1);
    assert_eq!(crate::journal::debug(), 1);
    write(SyslogPriority::Debug, None, &[], "the last\nof all".to_owned());
    assert!(handle.flush());
}

#[test]
fn a_real_journald_gets_it_all() {
    let Some(entries) = stored("inner") else { return };
    let seen: Vec<(String, String)> =
        entries.iter().map(|entry| (entry["MESSAGE"].to_string(), entry["PRIORITY"].to_string())).collect();
    let wanted = [
        ("\"crit\"", r#"["3","2"]"#),
        ("\"Err\"", "\"3\""),
        ("\"Warning\"", "\"4\""),
        ("\"Notice\"", "\"5\""),
        ("\"Info\"", "\"6\""),
        ("\"through log\"", "\"6\""),
        ("\"the last\\nof all\"", "\"7\""),
    ];
    assert_eq!(seen, wanted.map(|(text, priority)| (text.to_owned(), priority.to_owned())));
    let first = &entries[0];
    assert_eq!(first["MESSAGE_ID"], "7c1b9f0e8f114bd0a6a6c3fe7f3ad1c1");
    assert_eq!((&first["HBD_NODE"], &first["HBD_EVENT"]), (&"nodeb".into(), &"dead".into()));
    assert_eq!(first["SYSLOG_FACILITY"], "16");
    let usec: u64 = first["HBD_REALTIME_USEC"].as_str().unwrap().parse().unwrap();
    let stored: u64 = first["__REALTIME_TIMESTAMP"].as_str().unwrap().parse().unwrap();
    assert!(usec <= stored && stored - usec < 60_000_000, "{usec} {stored}");
    assert_eq!(entries[5]["HBD_LINK"], "eth1");
    // A module that speaks through `log` without an id has that of its folder.
    assert_eq!(entries[5]["HBD_EVENT"], LIBRARY.event);
    assert_eq!(entries[5]["MESSAGE_ID"], LIBRARY.id);
}
