//! The thread against processes that die, hang, lie and are not there.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::protocol::{Configure, FromWitness, ToWitness, read, read_first, write};
use super::{WitnessCommand, WitnessHandle, WitnessReport, WitnessThread};
use crate::cluster::{WitnessNews, WitnessOrder, WitnessStamp};
use crate::config::{WitnessSettings, WitnessTls};

const PATIENCE: Duration = Duration::from_secs(20);
const OURS: WitnessNews = WitnessNews::Ours { stamp: WitnessStamp { cluster: 1, revision: 2 } };

struct Bench {
    directory: tempfile::TempDir,
    handle: WitnessHandle,
    reports: Receiver<WitnessReport>,
}

fn thread(directory: &Path) -> WitnessThread {
    let config = WitnessSettings {
        endpoints: vec!["http://192.0.2.1:2379".to_owned()],
        prefix: "/hbd/".to_owned(),
        required: true,
        ttl: Duration::from_secs(5),
        tls: None,
        user: None,
        contents: String::new(),
    };
    let (key, node) = ("/hbd/nodea,nodeb/owner".to_owned(), "nodea".to_owned());
    WitnessThread { config, key, node, daemon: 7, socket: directory.join("socket") }
}

impl Bench {
    fn new(change: impl FnOnce(&mut WitnessThread)) -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let mut thread = thread(directory.path());
        change(&mut thread);
        let (told, reports) = channel();
        let handle = WitnessHandle::spawn(thread, move |report| drop(told.send(report))).unwrap();
        Bench { directory, handle, reports }
    }

    fn listen(&self) -> UnixListener {
        let path = self.directory.path().join("socket");
        let _ = std::fs::remove_file(&path);
        UnixListener::bind(path).unwrap()
    }

    fn order(&self, number: u64) {
        assert!(self.handle.send(WitnessCommand { number, order: WitnessOrder::Ask, since: None }));
    }

    fn report(&self) -> WitnessReport {
        self.reports.recv_timeout(PATIENCE).expect("a report in time")
    }

    fn fails(&self, number: u64) -> String {
        match self.report() {
            WitnessReport { number: answered, news: WitnessNews::Failed(why) } if answered == number => why,
            other => panic!("{other:?}"),
        }
    }
}

/// A process that has been configured.
struct Process {
    stream: UnixStream,
    lines: BufReader<UnixStream>,
}

impl Process {
    fn accept(listener: &UnixListener) -> (Process, Configure) {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut process = Process { lines: BufReader::new(stream.try_clone().unwrap()), stream };
        let configure = read_first(&process.line()).unwrap();
        process.say(&FromWitness::Ready { program: "test".to_owned() });
        (process, configure)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line in time");
        line.trim_end().to_owned()
    }

    fn gets(&mut self, number: u64) {
        let got = read::<ToWitness>(&self.line()).unwrap();
        assert_eq!(got, ToWitness::Order { number, order: WitnessOrder::Ask, since: None });
    }

    fn say(&mut self, message: &FromWitness) {
        self.stream.write_all(write(message).as_bytes()).unwrap();
    }
}

#[test]
fn orders_are_handed_over_and_answers_back_in_any_order() {
    let bench = Bench::new(|_| {});
    let listener = bench.listen();
    bench.order(1);
    let (mut process, configure) = Process::accept(&listener);
    assert_eq!((configure.node.as_str(), configure.daemon, configure.ttl, configure.limit), ("nodea", 7, 5, 1000));
    assert_eq!(configure.key, "/hbd/nodea,nodeb/owner");
    bench.order(2);
    process.gets(1);
    process.gets(2);
    for number in [2, 1] {
        process.say(&FromWitness::Answer { number, news: OURS });
        assert_eq!(bench.report(), WitnessReport { number, news: OURS });
    }
    // Nobody waits for it any more.
    process.say(&FromWitness::Answer { number: 1, news: OURS });
    bench.order(3);
    process.gets(3);
    process.say(&FromWitness::Answer { number: 3, news: OURS });
    assert_eq!(bench.report(), WitnessReport { number: 3, news: OURS });
}

#[test]
fn without_the_process_each_order_fails_and_it_is_found_when_it_comes() {
    let bench = Bench::new(|_| {});
    bench.order(1);
    let why = bench.fails(1);
    assert!(why.contains("install the package hbd-witness"), "{why}");
    let listener = bench.listen();
    let (mut process, _) = Process::accept(&listener);
    bench.order(2);
    process.gets(2);
    process.say(&FromWitness::Answer { number: 2, news: OURS });
    assert_eq!(bench.report(), WitnessReport { number: 2, news: OURS });
}

#[test]
fn when_the_process_dies_its_orders_fail_and_the_next_one_is_asked() {
    let bench = Bench::new(|_| {});
    let listener = bench.listen();
    let (mut process, _) = Process::accept(&listener);
    bench.order(1);
    process.gets(1);
    drop(process);
    let why = bench.fails(1);
    assert!(why.contains("hbd-witness has ended"), "{why}");
    let (mut process, _) = Process::accept(&listener);
    bench.order(2);
    process.gets(2);
}

#[test]
fn a_process_that_hangs_is_given_up() {
    let bench = Bench::new(|_| {});
    let listener = bench.listen();
    let (mut process, _) = Process::accept(&listener);
    let begun = Instant::now();
    bench.order(1);
    process.gets(1);
    assert_eq!(bench.fails(1), "hbd-witness does not answer");
    assert!(begun.elapsed() >= Duration::from_millis(1500));
    let (mut next, _) = Process::accept(&listener);
    bench.order(2);
    next.gets(2);
    // What comes late of the old one is not heard.
    let _ = process.stream.write_all(write(&FromWitness::Answer { number: 2, news: OURS }).as_bytes());
    assert_eq!(bench.fails(2), "hbd-witness does not answer");
}

#[test]
fn a_process_that_makes_no_sense_or_refuses_is_left() {
    let bench = Bench::new(|_| {});
    let listener = bench.listen();
    for (said, why) in [
        ("{\"answer\":{\"number\":1,\"news\":\"maybe\"}}\n".to_owned(), "is not understood"),
        ("x".repeat(super::protocol::LINE_MAX + 1), "longer than 4096 bytes"),
        (write(&FromWitness::Refused { reason: "no".to_owned() }), "hbd-witness refuses: no"),
    ] {
        let (mut process, _) = Process::accept(&listener);
        bench.order(1);
        process.gets(1);
        process.stream.write_all(said.as_bytes()).unwrap();
        let failed = bench.fails(1);
        assert!(failed.contains(why), "{failed}");
    }
}

#[test]
fn files_are_handed_over_and_one_that_is_gone_is_named() {
    let files = tempfile::tempdir().unwrap();
    let (ca, password) = (files.path().join("ca.pem"), files.path().join("password"));
    std::fs::write(&ca, "AUTHORITY").unwrap();
    let bench = Bench::new(|thread| {
        thread.config.tls = Some(WitnessTls { ca: ca.clone(), client: None });
        thread.config.user = Some(("hbd".to_owned(), password.clone()));
    });
    let listener = bench.listen();
    bench.order(1);
    let why = bench.fails(1);
    assert!(why.contains(&password.display().to_string()), "{why}");
    std::fs::write(&password, "hush\n").unwrap();
    let (_process, configure) = Process::accept(&listener);
    assert_eq!(configure.tls.unwrap().ca, "AUTHORITY");
    assert_eq!(configure.user.unwrap().password.0, "hush");
}

#[test]
fn what_was_ordered_before_the_end_is_still_handed_over() {
    let bench = Bench::new(|_| {});
    let listener = bench.listen();
    bench.order(1);
    let (mut process, _) = Process::accept(&listener);
    bench.order(2);
    bench.handle.finish(PATIENCE);
    process.gets(1);
    process.gets(2);
    assert_eq!(process.line(), "");
}
