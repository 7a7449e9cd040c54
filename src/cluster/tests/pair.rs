//! Two hbd nodes and a wire without delay: they wait only for each other. A real Heartbeat needs up to half a second
//! for each message (02 §1.4), so anything that takes virtual time here would be a needless wait.

use std::collections::VecDeque;

use super::*;
use crate::cluster::{Answer, GroupSet, Set, WitnessRules};
use crate::config::Fingerprint;

/// nodea and nodeb.
struct Pair {
    cores: [Core; 2],
    now: Duration,
    wire: VecDeque<(usize, Message)>,
    answers: Vec<Answer>,
    /// What runs, as node, group, resource.
    running: [[[bool; 2]; 2]; 2],
    sent: Vec<String>,
    /// The wire carries nothing.
    cut: bool,
    /// The group that does not stop before somebody says so, and where its stop waits.
    slow: Option<usize>,
    waits: Option<(usize, Step)>,
}

impl Pair {
    fn new(change: impl Fn(&mut Settings)) -> Pair {
        let core = |name: &str, uuid: u8| {
            let mut settings = settings();
            settings.node = name.into();
            settings.uuid = [uuid; 16];
            change(&mut settings);
            Core::new(settings)
        };
        Pair {
            cores: [core("nodea", 0xa), core("nodeb", 0xb)],
            now: ms(5_000),
            wire: VecDeque::new(),
            answers: Vec::new(),
            running: Default::default(),
            sent: Vec::new(),
            cut: false,
            slow: None,
            waits: None,
        }
    }

    /// Both are up and stable.
    fn settled(change: impl Fn(&mut Settings)) -> Pair {
        let mut pair = Pair::new(change);
        pair.feed(0, Event::Start);
        pair.feed(1, Event::Start);
        pair.run(6_000);
        pair.sent.clear();
        pair
    }

    /// One event, and everything that follows from it at the same moment.
    fn feed(&mut self, node: usize, event: Event) {
        let mut events = VecDeque::from([(node, event)]);
        while let Some((node, event)) = events.pop_front().or_else(|| self.arrival()) {
            let moment = Moment { monotonic: Instant(self.now), wall: Duration::from_secs(WALL) + self.now };
            for action in self.cores[node].handle(moment, event) {
                self.carry_out(node, action, &mut events);
            }
        }
    }

    fn arrival(&mut self) -> Option<(usize, Event)> {
        self.wire.pop_front().map(|(node, message)| (node, Event::Received { link: 0, message }))
    }

    fn carry_out(&mut self, node: usize, action: Action, events: &mut VecDeque<(usize, Event)>) {
        let mut runs = |step: Step, up: bool| self.running[node][step.group][step.resource] = up;
        match action {
            Action::Send(message) => {
                self.sent.extend(told(&message).map(|text| format!("{node} {text}")));
                if !self.cut {
                    self.wire.push_back((1 - node, message));
                }
            }
            Action::Start(step) => {
                runs(step, true);
                events.push_back((node, Event::StepEnded { step, outcome: Outcome::Started }));
            }
            Action::Stop(step) if self.slow == Some(step.group) => self.waits = Some((node, step)),
            Action::Stop(step) => {
                runs(step, false);
                events.push_back((node, Event::StepEnded { step, outcome: Outcome::Stopped }));
            }
            Action::Answer { answer, .. } => self.answers.push(answer),
            _ => {}
        }
        for group in 0..2 {
            assert!(!(self.running[0][group][0] && self.running[1][group][0]), "two owners: {:#?}", self.sent);
        }
    }

    fn run(&mut self, milliseconds: u64) {
        let end = self.now + ms(milliseconds);
        loop {
            let due = [0, 1].map(|node| self.cores[node].next_deadline().map(|due| (due.0.max(self.now), node)));
            let Some((at, node)) = due.into_iter().flatten().min().filter(|(at, _)| *at <= end) else { break };
            self.now = at;
            self.feed(node, Event::Deadline);
        }
        self.now = end;
    }

    /// Which node runs all of each group.
    fn owners(&self) -> [Option<usize>; 2] {
        [0, 1].map(|group| (0..2).find(|node| self.running[*node][group] == [true, true]))
    }

    /// The operators of both nodes ask for the same, before either node has received the other's message.
    fn request_on_both(&mut self, request: Request) {
        let moment = Moment { monotonic: Instant(self.now), wall: Duration::from_secs(WALL) + self.now };
        let mut events = VecDeque::new();
        for node in [0, 1] {
            let event = Event::Request { id: 1, request };
            for action in self.cores[node].handle(moment, event) {
                self.carry_out(node, action, &mut events);
            }
        }
        while let Some((node, event)) = events.pop_front().or_else(|| self.arrival()) {
            self.feed(node, event);
        }
    }

    fn request(&mut self, node: usize, request: Request) {
        self.feed(node, Event::Request { id: 1, request });
    }
}

#[test]
fn two_nodes_that_start_together_serve_their_own_without_ten_seconds() {
    let mut pair = Pair::new(|_| {});
    pair.feed(0, Event::Start);
    pair.feed(1, Event::Start);
    assert_eq!(pair.owners(), [None, None]);
    pair.run(1_000);
    assert_eq!(pair.owners(), [Some(0), Some(1)], "{:#?}", pair.sent);
}

/// Each node gives the other's groups away: both would wait ten seconds for an answer, ask again, and so on for ever.
#[test]
fn if_both_nodes_ask_at_once_one_yields() {
    let mut pair = Pair::settled(|settings| settings.auto_failback = AutoFailback::Off);
    pair.request_on_both(Request::Standby(Set::LOCAL));
    assert_eq!(pair.owners(), [Some(1), Some(1)], "{:#?}", pair.sent);
    assert_eq!(pair.answers, [Answer::Cancelled, Answer::Done]);
    pair.run(60_000);
    assert_eq!(pair.owners(), [Some(1), Some(1)], "{:#?}", pair.sent);
}

#[test]
fn a_standby_takes_no_time_of_its_own() {
    for (set, owners) in [(Set::ALL, [Some(1), Some(1)]), (Set::LOCAL, [Some(1), Some(1)])] {
        let mut pair = Pair::settled(|_| {});
        pair.request(0, Request::Standby(set));
        assert_eq!(pair.owners(), owners, "{:#?}", pair.sent);
        assert_eq!(pair.answers, [Answer::Done]);
        let words: Vec<_> = pair.sent.iter().filter(|line| line.contains("ask_resources")).collect();
        assert_eq!(words.len(), 4, "me, other, done, done: {words:?}");
    }
}

#[test]
fn a_takeover_takes_no_time_of_its_own() {
    let mut pair = Pair::settled(|_| {});
    pair.request(0, Request::Takeover(Set::ALL));
    assert_eq!((pair.owners(), pair.answers.as_slice()), ([Some(0), Some(0)], [Answer::Done].as_slice()));
    pair.request(1, Request::Takeover(Set::LOCAL));
    assert_eq!(pair.owners(), [Some(0), Some(1)], "{:#?}", pair.sent);
}

#[test]
fn a_graceful_stop_moves_everything_at_once() {
    let mut pair = Pair::settled(|_| {});
    pair.request(0, Request::Shutdown);
    assert_eq!(pair.owners(), [Some(1), Some(1)], "{:#?}", pair.sent);
}

#[test]
fn a_failback_takes_no_time_of_its_own() {
    let mut pair = Pair::settled(|_| {});
    pair.request(0, Request::Shutdown);
    pair.run(3_000);
    let mut settings = settings();
    settings.generation += 1;
    settings.uuid = [0xa; 16];
    pair.cores[0] = Core::new(settings);
    pair.feed(0, Event::Start);
    assert_eq!(pair.owners(), [Some(0), Some(1)], "{:#?}", pair.sent);
}

/// docs/DECISIONS.md "auto_failback legacy or absent": between two hbd nodes it is the nice protocol with failback.
#[test]
fn two_hbd_nodes_with_legacy_use_the_nice_protocol() {
    let mut pair = Pair::settled(|settings| settings.auto_failback = AutoFailback::Legacy);
    assert_eq!(pair.owners(), [Some(0), Some(1)], "{:#?}", pair.sent);
    pair.request(0, Request::Standby(Set::ALL));
    assert_eq!((pair.owners(), pair.answers.as_slice()), ([Some(1), Some(1)], [Answer::Done].as_slice()));
    assert!(!pair.sent.iter().any(|line| line.contains("ip-request")), "{:#?}", pair.sent);
}

/// The nodes do not answer each other's reports for ever.
#[test]
fn two_nodes_that_agree_send_no_more_reports() {
    let mut pair = Pair::settled(|_| {});
    pair.request(0, Request::Standby(Set::ALL));
    pair.run(5_000);
    pair.sent.clear();
    pair.run(60_000);
    assert_eq!(pair.sent, Vec::<String>::new());
}

// What was let go of for want of the witness's key, and nobody took (05 §4.7).

const NOBODY: [Option<usize>; 2] = [None, None];

/// Both nodes serve their own, with a witness that answers nobody. `alike`: they have read the same haresources.
fn with_witness(alike: bool) -> Pair {
    Pair::settled(|settings| {
        settings.witness = Some(WitnessRules { required: true, ttl: ms(10_000) });
        let other = !alike && settings.node == "nodeb";
        let digests = if other { "0000000000000001 0000000000000003" } else { "0000000000000001 0000000000000002" };
        settings.fingerprint = Fingerprint::parse(digests).unwrap();
    })
}

/// The cable is cut for so long, and mended. Every status in between is lost.
fn cut_for(pair: &mut Pair, milliseconds: u64) {
    pair.cut = true;
    pair.run(milliseconds);
    pair.cut = false;
}

#[test]
fn what_both_have_let_go_of_is_soon_served_again_whatever_haresources_they_have_read() {
    for (alike, owners) in [(true, [Some(0), Some(1)]), (false, [Some(0), Some(0)])] {
        for milliseconds in [3_500, 20_000] {
            let mut pair = with_witness(alike);
            assert_eq!(pair.owners(), [Some(0), Some(1)]);
            cut_for(&mut pair, milliseconds);
            assert_eq!(pair.owners(), NOBODY);
            pair.run(5_600);
            assert_eq!(pair.owners(), owners, "after a cut of {milliseconds} ms, alike: {alike}");
        }
    }
}

/// nodea has both groups, and one of them takes its time to stop.
#[test]
fn what_is_down_is_served_while_the_rest_of_a_release_still_stops() {
    let mut pair = with_witness(true);
    pair.feed(0, Event::Request { id: 1, request: Request::TakeoverGroups(GroupSet::new([1], Set::NONE)) });
    pair.run(1_000);
    assert_eq!(pair.owners(), [Some(0), Some(0)]);
    pair.slow = Some(0);
    cut_for(&mut pair, 3_500);
    let (node, step) = pair.waits.take().expect("nodea stops group 0");
    assert_eq!((node, step.group, pair.owners()[1]), (0, 0, None));
    pair.run(4_600);
    assert_eq!(pair.owners()[1], Some(1), "nodeb serves what is its own");
    pair.slow = None;
    pair.feed(0, Event::StepEnded { step, outcome: Outcome::Stopped });
    pair.run(4_600);
    assert_eq!(pair.owners(), [Some(0), Some(1)]);
}
