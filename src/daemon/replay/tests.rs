//! Sessions of two cores are recorded and replayed.

use std::collections::VecDeque;
use std::fs;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::cluster::{Action, EXTENSIONS, Event, Instant, Outcome, Request, Settings};
use crate::config::{AutoFailback, Connectivity, Group, Health, Resource, ResourceKind, Timing};
use crate::daemon::recorder::Recorder;
use crate::daemon::recorder::line::FORMAT;
use crate::util::error::error_chain;

/// So many milliseconds after the daemon's start.
pub(in crate::daemon) fn moment(milliseconds: u64) -> Moment {
    let since = Duration::from_millis(milliseconds);
    let wall = Duration::from_secs(1_732_245_912) + since;
    Moment { monotonic: Instant(Duration::new(1_000, 123_456_789) + since), wall }
}

/// One of two nodes with a group each.
pub(in crate::daemon) fn settings(node: &str) -> Settings {
    let group = |node: &str| Group {
        node: node.to_owned(),
        key: format!("{node}-ip"),
        resources: [format!("{node}-ip"), format!("{node}-web")]
            .map(|word| Resource { kind: ResourceKind::Unit(format!("{word}.service")), word })
            .to_vec(),
        line: 1,
    };
    Settings {
        node: node.to_owned(),
        ping_nodes: Vec::new(),
        nodes: ["nodea", "nodeb"].map(str::to_owned).to_vec(),
        uuid: [node.as_bytes()[4]; 16],
        generation: 7,
        timing: Timing {
            keepalive: Duration::from_secs(1),
            deadtime: Duration::from_secs(4),
            warntime: Duration::from_secs(2),
            initdead: Duration::from_secs(10),
            deadping: Duration::from_secs(4),
            max_rexmit_delay: Duration::from_millis(250),
        },
        hopfudge: 1,
        auto_failback: AutoFailback::On,
        failback: Default::default(),
        arrangement: Default::default(),
        fencing: Vec::new(),
        connectivity: Connectivity::default(),
        links: vec!["eth1".to_owned()],
        groups: vec![group("nodea"), group("nodeb")],
        seed: 11,
        leftovers: Default::default(),
        everywhere: Vec::new(),
        health: Health::default(),
        fingerprint: crate::config::Fingerprint::default(),
        shared_items: crate::config::SharedItems::default(),
        tickle: false,
        checks: Vec::new(),
        known_peers: Vec::new(),
        witness: None,
        known_witness: None,
        extensions: EXTENSIONS,
    }
}

/// Two nodes on one wire, the first of them recorded.
struct Session {
    directory: TempDir,
    recorder: Option<Recorder>,
    cores: [Option<Core>; 2],
    /// What nodea did.
    done: Vec<Action>,
    now: u64,
    events: VecDeque<(usize, Event)>,
}

impl Session {
    fn begin(megabytes: u64) -> Session {
        let directory = tempfile::tempdir().unwrap();
        let recorder = Recorder::start(directory.path(), megabytes, &settings("nodea"), moment(0)).unwrap();
        let cores = ["nodea", "nodeb"].map(|node| Some(Core::new(settings(node))));
        let events = VecDeque::from([(0, Event::Start), (1, Event::Start)]);
        Session { directory, recorder: Some(recorder), cores, done: Vec::new(), now: 0, events }
    }

    /// So many milliseconds pass.
    fn run(&mut self, milliseconds: u64) {
        let end = self.now + milliseconds;
        loop {
            while let Some((node, event)) = self.events.pop_front() {
                self.feed(node, event);
            }
            self.now += 10;
            if self.now > end {
                return;
            }
            let now = moment(self.now).monotonic;
            let due = |core: &Option<Core>| {
                core.as_ref().and_then(Core::next_deadline).is_some_and(|deadline| deadline <= now)
            };
            let due = (0..2).filter(|node| due(&self.cores[*node])).map(|node| (node, Event::Deadline));
            self.events.extend(due.collect::<Vec<_>>());
        }
    }

    fn feed(&mut self, node: usize, event: Event) {
        let now = moment(self.now);
        let Some(core) = &mut self.cores[node] else { return };
        let actions = match &mut self.recorder {
            Some(recorder) if node == 0 => recorder.handle(core, now, event),
            _ => core.handle(now, event),
        };
        if node == 0 {
            self.done.extend_from_slice(&actions);
        }
        for action in actions {
            match action {
                Action::Send(message) => self.events.push_back((1 - node, Event::Received { link: 0, message })),
                Action::Start(step) => {
                    self.events.push_back((node, Event::StepEnded { step, outcome: Outcome::Started }));
                }
                Action::Stop(step) => {
                    self.events.push_back((node, Event::StepEnded { step, outcome: Outcome::Stopped }));
                }
                Action::Exit => self.cores[node] = None,
                _ => {}
            }
        }
    }

    /// A start, the peer's death and return, and a stop.
    fn life() -> Session {
        let mut session = Session::begin(16);
        session.run(15_000);
        session.cores[1] = None;
        session.run(8_000);
        let again = Settings { generation: 8, ..settings("nodeb") };
        session.cores[1] = Some(Core::new(again));
        session.events.push_back((1, Event::Start));
        session.run(15_000);
        session.events.push_back((0, Event::Request { id: 0, request: Request::Shutdown }));
        session.run(5_000);
        assert!(session.cores[0].is_none(), "nodea has not ended");
        session
    }

    /// Ends the recording; the files.
    fn end(&mut self) -> Vec<std::path::PathBuf> {
        self.recorder.take().unwrap().finish(Duration::from_secs(60));
        let mut files: Vec<_> =
            fs::read_dir(self.directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    /// Writes another recording with these lines.
    fn write(&self, lines: &[&str]) -> std::path::PathBuf {
        let path = self.directory.path().join("changed");
        fs::write(&path, lines.concat()).unwrap();
        path
    }
}

/// The summary and what was shown.
fn shown(path: &Path, json: bool) -> (Summary, String) {
    let mut out = Vec::new();
    let summary = replay(path, json, &mut out).unwrap();
    (summary, String::from_utf8(out).unwrap())
}

/// The error's whole text, and what was shown before it.
fn refused(path: &Path) -> (String, String) {
    let mut out = Vec::new();
    let error = replay(path, false, &mut out).unwrap_err();
    (error_chain(&error), String::from_utf8(out).unwrap())
}

#[test]
fn a_replay_does_what_the_daemon_did() {
    let mut session = Session::life();
    let files = session.end();
    let (summary, text) = shown(&files[0], true);
    assert_eq!((summary.difference, summary.dropped, summary.truncated), (None, 0, false));
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let actions = lines.filter_map(|line| line.get("actions").cloned());
    let actions: Vec<Action> = actions.flat_map(|list| serde_json::from_value::<Vec<_>>(list).unwrap()).collect();
    assert_eq!(actions, session.done);
}

#[test]
fn the_timeline_tells_the_story_without_the_beat() {
    let mut session = Session::life();
    let (_, text) = shown(&session.end()[0], false);
    let expected = [
        "on nodea, generation 7, started 2024-11-22 03:25:12 UTC; part 1",
        "     0.000 03:25:12  the daemon starts",
        "  Local status now set to: 'up'",
        "  starts nodea-ip\n",
        "  nodea-web of group nodea-ip has started",
        "(statuses and acknowledgements: ",
        "  warning: node nodeb: is dead",
        "  starts nodeb-web of group nodeb-ip",
        "  nodeb says on eth1: starting",
        "  the daemon is asked to stop",
        "  stops nodea-ip\n",
        "  sends shutdone st=dead",
        "  the daemon ends",
        "events; every decision was the daemon's.",
    ];
    let mut rest = text.as_str();
    for words in expected {
        let Some((_, after)) = rest.split_once(words) else { panic!("{words:?} is missing here:\n{rest}") };
        rest = after;
    }
    assert!(text.lines().count() < 120 && !text.contains("sends status"), "{text}");
}

#[test]
fn a_later_file_is_replayed_from_the_state_it_begins_with() {
    let mut session = Session::begin(2);
    session.run(15_000);
    // Until a second file has begun.
    for _ in 0..40 {
        session.run(60_000);
        if fs::read_dir(session.directory.path()).unwrap().count() > 1 {
            break;
        }
    }
    session.cores[1] = None;
    session.run(8_000);
    let files = session.end();
    assert!(files.len() > 1, "{files:?}");
    let (summary, text) = shown(files.last().unwrap(), false);
    assert_eq!((summary.difference, summary.dropped), (None, 0), "{text}");
    assert!(text.contains("node nodeb: is dead"), "{text}");
}

#[test]
fn the_first_other_decision_is_shown() {
    let mut session = Session::life();
    let files = session.end();
    let text = fs::read_to_string(&files[0]).unwrap();
    let starts = text.split_inclusive('\n').filter(|line| line.contains("\"start 0.0\""));
    assert_eq!(starts.count(), 1);
    let (summary, shown) = shown(&session.write(&[&text.replace("\"start 0.0\"", "\"stop 0.1\"")]), false);
    let difference = summary.difference.unwrap();
    assert!(difference.daemon.did.contains(&"stop 0.1".to_owned()), "{difference:?}");
    assert!(difference.this.did.contains(&"start 0.0".to_owned()), "{difference:?}");
    let at = format!("!!! at {:.3} the daemon did otherwise:", difference.at);
    assert!(shown.contains(&at) && shown.matches("!!!").count() == 1, "{shown}");
    assert!(shown.contains("this version first decided otherwise"), "{shown}");
}

#[test]
fn other_contents_of_the_same_kind_are_shown_too() {
    let mut session = Session::life();
    let text = fs::read_to_string(&session.end()[0]).unwrap();
    let (summary, shown) = shown(&session.write(&[&text.replacen("\"crc\":", "\"crc\":1,\"was\":", 1)]), false);
    assert!(summary.difference.is_some_and(|difference| difference.at == 0.0));
    assert!(shown.contains("The kinds are the same") && shown.contains(r#"["t","status"]"#), "{shown}");
}

#[test]
fn a_gap_is_told_and_the_state_after_it_taken_up() {
    let mut session = Session::life();
    let text = fs::read_to_string(&session.end()[0]).unwrap();
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    let cut = lines.iter().position(|line| line.contains("log NodeDead")).unwrap();
    // The state before that line, as a daemon would have recorded it.
    let (_, header) = Reader::open(&session.write(&[&text])).unwrap();
    let mut core = Core::new(header.settings);
    for line in &lines[1..cut] {
        if let ReadLine::Event(happened) = serde_json::from_str(line).unwrap() {
            core.handle(Moment::from(happened.when), happened.event);
        }
    }
    let state = format!("{{\"state\":{}}}\n", serde_json::to_string(&core).unwrap());
    let gap = "{\"gap\":{\"dropped\":5}}\n";
    let changed = [&lines[..cut - 5], &[gap, &state], &lines[cut..]].concat();
    let (summary, shown_text) = shown(&session.write(&changed), false);
    assert_eq!((summary.difference, summary.dropped, summary.unsure), (None, 5, 0), "{shown_text}");
    assert!(shown_text.contains("--- 5 events are missing here") && shown_text.contains("5 more are missing"));
    // And without a state: nothing is claimed about what follows.
    let changed = [&lines[..cut - 5], &[gap], &lines[cut..]].concat();
    let (summary, shown_text) = shown(&session.write(&changed), false);
    assert_eq!((summary.difference, summary.unsure), (None, (lines.len() - cut) as u64), "{shown_text}");
    assert!(shown_text.contains("decisions from here on may differ"), "{shown_text}");
}

#[test]
fn an_incomplete_last_line_is_no_error() {
    let mut session = Session::life();
    let text = fs::read_to_string(&session.end()[0]).unwrap();
    let all = text.lines().count() as u64 - 1;
    let (summary, shown_text) = shown(&session.write(&[&text[..text.len() - 20]]), false);
    assert_eq!((summary.events, summary.truncated, summary.difference), (all - 1, true, None));
    assert!(shown_text.contains("The last line is incomplete"), "{shown_text}");
}

#[test]
fn a_damaged_line_is_named_with_what_to_do() {
    let mut session = Session::life();
    let text = fs::read_to_string(&session.end()[0]).unwrap();
    let mut lines: Vec<_> = text.split_inclusive('\n').collect();
    lines[4] = "{\"event\":{\"at\":}\n";
    let path = session.write(&lines);
    let (error, shown) = refused(&path);
    assert!(error.starts_with(&format!("{}: line 5 is damaged", path.display())), "{error}");
    assert!(error.contains("sed 5d FILE > COPY") && error.contains("column 16"), "{error}");
    assert!(shown.contains("the daemon starts"), "{shown}");
}

#[test]
fn what_is_no_recording_is_refused() {
    let session = Session::begin(2);
    for text in ["", "nodea 10.0.0.1\n", "{\"event\":1}\n", "[]", "\0\0\0"] {
        let (error, _) = refused(&session.write(&[text]));
        assert!(error.contains("is not a recording of hbd"), "{text:?}: {error}");
    }
    let (error, _) = refused(&session.directory.path().join("missing"));
    assert!(error.starts_with("cannot read ") && error.contains("No such file"), "{error}");
}

#[test]
fn another_version_says_so_and_what_it_cannot_read() {
    let mut session = Session::life();
    let text = fs::read_to_string(&session.end()[0]).unwrap();
    let version = format!("\"version\":\"{}\"", env!("CARGO_PKG_VERSION"));
    let old = text.replacen(&version, "\"version\":\"0.0.1\"", 1);
    let (summary, shown_text) = shown(&session.write(&[&old]), false);
    assert!(summary.difference.is_none() && shown_text.starts_with("hbd 0.0.1 on nodea"), "{shown_text}");
    assert!(shown_text.contains("where it decides otherwise, it says so"), "{shown_text}");
    let state = "{\"state\":{\"of\":\"old\"}}\n";
    let header = old.split_inclusive('\n').next().unwrap();
    let (error, _) = refused(&session.write(&[header, state]));
    assert!(
        error.contains("line 2: this version cannot take up the state of a daemon that was hbd 0.0.1"),
        "{error}"
    );
    for format in [FORMAT - 1, FORMAT + 1] {
        let other = header.replacen(&format!("\"format\":{FORMAT}"), &format!("\"format\":{format}"), 1);
        let (error, _) = refused(&session.write(&[&other]));
        let said = format!("was recorded by hbd 0.0.1 in format {format}, and this hbd reads format {FORMAT} only");
        assert!(error.contains(&said), "{error}");
    }
}
