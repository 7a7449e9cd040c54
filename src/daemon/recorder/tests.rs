//! The ring on a real directory, and what happens when the disk does not keep up.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant as Clock;

use super::line::{Deeds, RecordingLine};
use super::*;
use crate::daemon::replay::tests::{moment, settings};
use crate::wire::{Message, Value};

/// Of a test with a disk, or a machine, that is slow.
const DISK_LIMIT: Duration = Duration::from_secs(60);

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn total(directory: &Path) -> u64 {
    // A file may be removed meanwhile.
    files(directory).iter().filter_map(|path| Some(fs::metadata(path).ok()?.len())).sum()
}

fn lines(path: &Path) -> Vec<RecordingLine<serde_json::Value>> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A recorder into `directory` with a core that has started.
fn recorder(directory: &Path, limit: u64, create: Create) -> (Recorder, Core) {
    let settings = settings("nodea");
    let mut recorder = Recorder::start_with(directory, limit, &settings, moment(0), create).unwrap();
    let mut core = Core::new(settings);
    recorder.handle(&mut core, moment(0), Event::Start);
    (recorder, core)
}

fn load(number: u64) -> Event {
    Event::LoadAverage(format!("0.00 0.01 0.05 1/99 {number:04} and so on, until it is a line of ordinary length"))
}

#[test]
fn the_ring_is_bounded_and_keeps_the_newest() {
    let directory = tempfile::tempdir().unwrap();
    let limit = 256 << 10;
    let (mut recorder, mut core) = recorder(directory.path(), limit, ring::create);
    let begun = Clock::now();
    let mut most = 0;
    for second in 0.. {
        recorder.handle(&mut core, moment(second * 1_000), load(second));
        if second % 500 == 0 {
            most = most.max(total(directory.path()));
            if files(directory.path()).first().is_some_and(|oldest| !oldest.ends_with("events-7-0001.jsonl")) {
                break;
            }
            assert!(begun.elapsed() < DISK_LIMIT, "the ring does not turn");
        }
    }
    recorder.finish(DISK_LIMIT);
    let files = files(directory.path());
    assert!(files.len() > 1, "{files:?}");
    most = most.max(total(directory.path()));
    assert!(most <= limit && most > limit / 3, "{most} of {limit}");
    for path in &files {
        let lines = lines(path);
        assert!(matches!(lines[0], RecordingLine::Recording(_)), "{}", path.display());
        let state = if matches!(lines[1], RecordingLine::Gap { .. }) { &lines[2] } else { &lines[1] };
        assert!(matches!(state, RecordingLine::State(_)), "{}", path.display());
    }
}

#[test]
fn files_are_for_root_and_another_start_takes_the_next_number() {
    let directory = tempfile::tempdir().unwrap();
    let below = directory.path().join("events");
    for _ in 0..2 {
        recorder(&below, 1 << 20, ring::create).0.finish(DISK_LIMIT);
    }
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let names: Vec<_> = files(&below).into_iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["events-7-0001.jsonl", "events-7-0002.jsonl"]);
    assert_eq!((mode(&below), mode(&files(&below)[0])), (0o700, 0o600));
}

#[test]
fn digests_of_keys_are_not_kept() {
    let directory = tempfile::tempdir().unwrap();
    let (mut recorder, mut core) = recorder(directory.path(), 1 << 20, ring::create);
    let message = Message::new("status").with("src", "nodeb").with("auth", "1 0123456789abcdef");
    recorder.handle(&mut core, moment(10), Event::Received { link: 0, message });
    recorder.finish(DISK_LIMIT);
    let text = fs::read_to_string(&files(directory.path())[0]).unwrap();
    assert!(text.contains("nodeb") && !text.contains("auth\"") && !text.contains("0123456789abcdef"), "{text}");
}

fn full_disk(_: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).open("/dev/full")
}

#[test]
fn a_full_disk_ends_the_recording_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let (mut recorder, mut core) = recorder(directory.path(), 1 << 20, full_disk);
    let begun = Clock::now();
    let mut second = 0;
    while recorder.0.is_some() {
        second += 1;
        let actions = recorder.handle(&mut core, moment(second), Event::Deadline);
        assert!(actions.len() < 100);
        assert!(begun.elapsed() < DISK_LIMIT, "the recording goes on");
    }
    // The core is as if it had never been recorded.
    let mut alone = Core::new(settings("nodea"));
    alone.handle(moment(0), Event::Start);
    for second in 1..=second {
        alone.handle(moment(second), Event::Deadline);
    }
    let next = moment(second + 1_000);
    assert_eq!(recorder.handle(&mut core, next, Event::Deadline), alone.handle(next, Event::Deadline));
    recorder.finish(DISK_LIMIT);
}

#[test]
fn what_the_queue_does_not_take_is_a_gap_with_a_state_after_it() {
    let (sender, entries) = sync_channel(2);
    let state_wanted = Arc::new(AtomicBool::new(false));
    let (_alive, ended) = sync_channel(0);
    let queue =
        Queue { sender, state_wanted, dropped: 0, ignored: Ignored::default(), patience: Instant::default(), ended };
    let (mut recorder, mut core) = (Recorder(Some(queue)), Core::new(settings("nodea")));
    for second in 0..5 {
        recorder.handle(&mut core, moment(second * 1_000), load(second));
    }
    let taken: Vec<_> = entries.try_iter().collect();
    assert!(matches!(taken[..], [Entry::Event(..), Entry::Event(..)]), "{taken:?}");
    recorder.handle(&mut core, moment(9_000), load(9));
    let taken: Vec<_> = entries.try_iter().collect();
    assert!(matches!(taken[..], [Entry::Gap(3, _), Entry::Event(..)]), "{taken:?}");
    drop(entries);
    recorder.handle(&mut core, moment(10_000), load(10));
    assert!(recorder.0.is_none());
}

#[test]
fn a_full_file_asks_for_a_state_and_the_next_begins_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let (mut recorder, mut core) = recorder(directory.path(), 64 << 10, ring::create);
    let wanted = Arc::clone(&recorder.0.as_ref().unwrap().state_wanted);
    let begun = Clock::now();
    // Nothing offers a state before that.
    recorder.0.as_mut().unwrap().patience = moment(4_000).monotonic;
    for number in 0..60 {
        recorder.handle(&mut core, moment(number), load(number));
    }
    while !wanted.load(Ordering::Relaxed) {
        assert!(begun.elapsed() < DISK_LIMIT, "no state is asked for");
        thread::yield_now();
    }
    recorder.handle(&mut core, moment(5_000), load(1));
    recorder.finish(DISK_LIMIT);
    let second = lines(&files(directory.path())[1]);
    let RecordingLine::Recording(header) = &second[0] else { panic!("{:?}", second[0]) };
    assert_eq!((header.part, header.version.as_str()), (2, env!("CARGO_PKG_VERSION")));
    let RecordingLine::State(state) = &second[1] else { panic!("{:?}", second[1]) };
    assert!(serde_json::from_value::<Core>(state.clone()).is_ok());
}

#[test]
fn what_does_not_fit_before_the_state_comes_is_a_gap_in_the_next_file() {
    let directory = tempfile::tempdir().unwrap();
    let wanted = AtomicBool::new(false);
    let ring = Ring::open(directory.path(), 7, 64 << 10, ring::create).unwrap();
    let settings = settings("nodea");
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let header = Header { format: FORMAT, version, part: 1, started: moment(0).into(), settings: settings.clone() };
    let (sender, entries) = sync_channel(1000);
    for number in 0..200 {
        sender.send(Entry::Event(moment(number), Box::new(load(number)), Ignored::default(), Vec::new())).unwrap();
    }
    sender.send(Entry::Gap(3, Box::new(Core::new(settings)))).unwrap();
    sender.send(Entry::Event(moment(999), Box::new(load(999)), Ignored::default(), Vec::new())).unwrap();
    drop(sender);
    Tape { ring, header, state_wanted: &wanted, lost: 0 }.run(&entries).unwrap();
    let files = files(directory.path());
    assert!(fs::metadata(&files[0]).unwrap().len() < 20 << 10, "the first file is as large as it likes");
    let kept = lines(&files[0]).len() as u64 - 1;
    let second = lines(&files[1]);
    assert!(
        matches!(second[1], RecordingLine::Gap { dropped } if dropped == 200 - kept + 3),
        "{kept}: {:?}",
        second[1]
    );
    assert!(matches!(second[2..], [RecordingLine::State(_), RecordingLine::Event(_)]), "{second:?}");
}

#[test]
fn decisions_are_told_apart_by_what_matters() {
    let send = |version: &str, status: &str| {
        let mut message = Message::new("status").with("st", status).with("hbd", version);
        message.push("srcuuid", Value::Binary(vec![1]));
        Deeds::of(&[Action::Send(message)])
    };
    assert_eq!(send("1 0.1.0", "up"), send("1 9.9.9", "up"));
    assert_ne!(send("1 0.1.0", "up").crc, send("1 0.1.0", "active").crc);
    assert_eq!(send("1 0.1.0", "up").did, ["send status"]);
    assert_eq!(Deeds::of(&[]), Deeds::default());
}

#[test]
fn packets_that_are_ignored_are_counted_and_take_no_room() {
    let directory = tempfile::tempdir().unwrap();
    let (mut recorder, mut core) = recorder(directory.path(), 1 << 20, ring::create);
    for _ in 0..400_000 {
        recorder.ignore(Ignored { old: 1, bad: 0 });
    }
    recorder.ignore(Ignored { old: 0, bad: 7 });
    recorder.handle(&mut core, moment(1), load(1));
    recorder.handle(&mut core, moment(2), load(2));
    recorder.finish(DISK_LIMIT);
    assert!(total(directory.path()) < 16 << 10);
    let counted = lines(&files(directory.path())[0]).into_iter().filter_map(|line| match line {
        RecordingLine::Event(happened) => Some(happened.ignored),
        _ => None,
    });
    let counted: Vec<_> = counted.filter(|ignored| *ignored != Ignored::default()).collect();
    assert_eq!(counted, [Ignored { old: 400_000, bad: 7 }]);
}
