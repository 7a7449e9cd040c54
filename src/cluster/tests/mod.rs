//! Tests of the core in the order of chapters 02 and 03: one core, nodea, in virtual time, and a peer, nodeb, whose
//! messages the test writes. The peer is a real Heartbeat unless a test gives it the field `hbd`.

mod aborted;
mod agreement;
mod alone;
mod carrier;
mod checks;
mod comparison;
mod condition;
mod conflict;
mod defects;
mod everywhere;
mod failback;
mod failure;
mod fencing;
mod groups;
mod health;
mod hearing;
mod heeded;
mod hold;
mod impostor;
mod ipfail;
mod leave;
mod left_behind;
mod leftover;
mod legacy;
mod liveness;
mod machines;
mod maintenance;
mod membership;
mod operator;
mod pair;
mod ping;
mod reading;
mod refused;
mod replay;
mod report;
mod resources;
mod resync;
mod retransmission;
mod retry;
mod sent;
mod sequence;
mod standby;
mod startup;
mod storage;
mod succession;
mod takeover;
mod undo;
mod unstick;
mod witness;

use std::collections::BTreeMap;
use std::time::Duration;

use super::{
    Action, Answer, Core, EXTENSIONS, Event, Instant, LinkAbility, Moment, Order, Outcome, Request, Set, Settings,
    Step, UnitNews, View,
};
use crate::config::{AutoFailback, Connectivity, Group, Health, Resource, ResourceKind, Timing};
use crate::wire::{Message, Value};

/// Our uuid and the peer's.
const OURS: [u8; 16] = [0xa; 16];
const THEIRS: [u8; 16] = [0xb; 16];
/// Wall clock at the start of a test.
const WALL: u64 = 0x6b02_0000;
/// The resources of haresources `nodea a1 a2` / `nodeb b1 b2` (03, "lab").
const WORDS: [[&str; 2]; 2] = [["a1", "a2"], ["b1", "b2"]];
/// Somebody has stopped a unit just now.
const STOPPED: UnitNews = UnitNews::Stopped { ago: Duration::ZERO };

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// keepalive 1, deadtime 4, warntime 2, initdead 10.
fn settings() -> Settings {
    let resource = |word: &str| Resource { word: word.into(), kind: ResourceKind::Unit(format!("{word}.service")) };
    let group = |(index, node): (usize, &str)| Group {
        node: node.into(),
        key: WORDS[index][0].into(),
        resources: WORDS[index].map(resource).to_vec(),
        line: index + 1,
    };
    Settings {
        node: "nodea".into(),
        nodes: vec!["nodea".into(), "nodeb".into()],
        ping_nodes: Vec::new(),
        uuid: OURS,
        generation: 0x77,
        timing: Timing {
            keepalive: ms(1_000),
            deadtime: ms(4_000),
            warntime: ms(2_000),
            initdead: ms(10_000),
            deadping: ms(4_000),
            max_rexmit_delay: ms(250),
        },
        hopfudge: 1,
        auto_failback: AutoFailback::On,
        failback: Default::default(),
        arrangement: Default::default(),
        fencing: Vec::new(),
        connectivity: Connectivity::default(),
        links: vec!["eth0".into(), "eth1".into()],
        groups: ["nodea", "nodeb"].into_iter().enumerate().map(group).collect(),
        seed: 1,
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

/// nodeb.
#[derive(Debug, Clone, Default)]
struct Peer {
    generation: u64,
    seq: u64,
    /// `st` and `dt` of its statuses.
    st: &'static str,
    dt: u64,
    /// The field `hbd` of its statuses: an hbd peer.
    hbd: Option<&'static str>,
    /// The field `hbd_heard` of its messages: what it has heard of us.
    heard: Option<&'static str>,
    /// The field `hbd_conf` of its statuses: what an hbd peer has read.
    conf: Option<&'static str>,
    /// The field `hbd_macs` of its statuses: the MAC addresses of an hbd peer.
    macs: Option<&'static str>,
    /// When its next status is due; `None` while it is silent.
    beat: Option<Duration>,
}

/// The core, its peer, and everything that the core did.
struct Bench {
    core: Core,
    now: Duration,
    peer: Peer,
    done: Vec<(Duration, Action)>,
    /// When the core repeated its last report to a Heartbeat. Stories leave these repetitions out.
    repeated: Vec<u64>,
    last_report: Option<String>,
    /// Steps that the core ordered and that have not ended.
    pending: Vec<(Step, bool)>,
    /// The run of each check that was ordered, by its index.
    checks: BTreeMap<usize, u64>,
    /// Whether ordered steps succeed at once.
    prompt: bool,
}

impl Bench {
    fn with(change: impl FnOnce(&mut Settings)) -> Bench {
        let mut settings = settings();
        change(&mut settings);
        let peer = Peer { generation: 0x100, st: "init", dt: 0x1770, ..Peer::default() };
        let core = Core::new(settings);
        Bench {
            core,
            now: ms(5_000),
            peer,
            done: Vec::new(),
            pending: Vec::new(),
            checks: BTreeMap::new(),
            prompt: true,
            repeated: Vec::new(),
            last_report: None,
        }
    }

    /// Started, without any message of the peer yet.
    fn started() -> Bench {
        let mut bench = Bench::with(|_| {});
        bench.feed(Event::Start);
        bench
    }

    /// `active`, with `starting` sent. The peer is `active`, sends its statuses, and has sent nothing about
    /// resources.
    fn active() -> Bench {
        Bench::started().activated()
    }

    fn activated(mut self) -> Bench {
        self.peer_beats("active", 0xfa0);
        self.says("repnodes", &[("dest", "nodea"), ("nodelist", "nodea nodeb "), ("delnodelist", " ")]);
        self
    }

    /// We joined a stable peer that holds `hold`, as the peer sees it. Our groups are up, all repetitions are sent,
    /// the raised dead time of the start is over, and nothing of all this is left in the records.
    fn joined(hold: &str) -> Bench {
        Bench::active().decided(hold)
    }

    fn decided(mut self, hold: &str) -> Bench {
        self.says("starting", &[]);
        self.resource(hold, "1", None);
        self.run(12_000);
        self.done.clear();
        self
    }

    /// As [`Bench::joined`] by an hbd peer.
    fn joined_hbd(hold: &str) -> Bench {
        let mut bench = Bench::started();
        bench.peer.hbd = Some("1 0.1.0");
        bench.activated().decided(hold)
    }

    fn feed(&mut self, event: Event) {
        let timed = event == Event::Deadline;
        let moment = Moment { monotonic: Instant(self.now), wall: Duration::from_secs(WALL) + self.now };
        let heeded = match &event {
            Event::Received { link, message } => self.core.heeds(moment.monotonic, *link, message),
            _ => true,
        };
        let actions = self.core.handle(moment, event);
        // The daemon does not even hand over what is not heeded.
        assert!(heeded || actions.is_empty(), "{actions:?}");
        assert_eq!(self.core.check(), Ok(()), "after {actions:?}");
        self.note_report(timed, &actions);
        for action in actions {
            match &action {
                Action::Start(step) => self.pending.push((*step, true)),
                Action::Stop(step) => self.pending.push((*step, false)),
                Action::Check { check, run: Some(run) } => drop(self.checks.insert(*check, *run)),
                Action::Check { check, run: None } => drop(self.checks.remove(check)),
                _ => {}
            }
            self.done.push((self.now, action));
        }
        while self.prompt && !self.pending.is_empty() {
            self.end_step();
        }
    }

    /// Notes a report that the core repeats when it is due and without news.
    fn note_report(&mut self, timed: bool, actions: &[Action]) {
        let told: Vec<_> = actions.iter().filter_map(tell).collect();
        let quiet = !actions.iter().any(|action| matches!(action, Action::Log(_)));
        if timed && quiet && told.len() == 1 && told.last() == self.last_report.as_ref() {
            self.repeated.push(self.clock());
        }
        let report = told.into_iter().rfind(|told| told.starts_with("resource"));
        self.last_report = report.or(self.last_report.take());
    }

    /// The oldest step under way succeeds.
    fn end_step(&mut self) {
        let (step, start) = self.pending.remove(0);
        self.feed(Event::StepEnded { step, outcome: if start { Outcome::Started } else { Outcome::Stopped } });
    }

    /// The oldest step under way fails.
    fn fail_step(&mut self) {
        let (step, start) = self.pending.remove(0);
        let outcome = if start { Outcome::NotStarted("no".into()) } else { Outcome::NotStopped("no".into()) };
        self.feed(Event::StepEnded { step, outcome });
    }

    /// All steps under way succeed, and those that follow from them.
    fn end_steps(&mut self) {
        while !self.pending.is_empty() {
            self.end_step();
        }
    }

    fn request(&mut self, request: Request) {
        self.feed(Event::Request { id: 1, request });
    }

    /// Time passes. At each moment the peer's status comes first, then the core's deadline.
    fn run(&mut self, milliseconds: u64) {
        let end = self.now + ms(milliseconds);
        loop {
            let due = self.core.next_deadline().map(|due| due.0.max(self.now));
            let Some(next) = [due, self.peer.beat].into_iter().flatten().filter(|at| *at <= end).min() else { break };
            self.now = next;
            if self.peer.beat == Some(next) {
                self.peer_status();
            } else {
                self.feed(Event::Deadline);
            }
        }
        self.now = end;
    }

    /// The peer sends a status with this `st` and `dt` at once, and then every second.
    fn peer_beats(&mut self, st: &'static str, dt: u64) {
        (self.peer.st, self.peer.dt) = (st, dt);
        self.peer_status();
    }

    fn peer_status(&mut self) {
        self.peer.beat = Some(self.now + ms(1_000));
        let message = self.status();
        self.hears(message);
    }

    /// The peer's next status, not yet heard.
    fn status(&mut self) -> Message {
        let (st, dt) = (self.peer.st, format!("{:x}", self.peer.dt));
        let mut fields = vec![("st", st), ("dt", dt.as_str()), ("protocol", "1")];
        fields.extend(self.peer.hbd.map(|hbd| ("hbd", hbd)));
        fields.extend(self.peer.conf.map(|conf| ("hbd_conf", conf)));
        fields.extend(self.peer.macs.map(|macs| ("hbd_macs", macs)));
        self.message("status", &fields)
    }

    /// The peer falls silent.
    fn peer_silent(&mut self) {
        self.peer.beat = None;
    }

    /// A new incarnation of the peer sends its first three statuses, and then one every second.
    fn peer_restarts(&mut self) {
        self.peer.generation += 1;
        self.peer.seq = 0;
        self.peer_beats("init", 0x1770);
        self.peer_beats("up", 0x1770);
        self.peer_beats("up", 0x1770);
    }

    /// The peer's next message, not yet heard.
    fn message(&mut self, kind: &str, fields: &[(&str, &str)]) -> Message {
        let mut message = self.unsequenced(kind, fields);
        self.peer.seq += 1;
        message.set_text("seq", &format!("{:x}", self.peer.seq));
        message.set_text("ld", "0.00");
        message
    }

    /// A message of the peer without sequence number.
    fn unsequenced(&self, kind: &str, fields: &[(&str, &str)]) -> Message {
        let mut message = Message::new(kind);
        for (name, value) in fields.iter().copied().chain(self.peer.heard.map(|heard| ("hbd_heard", heard))) {
            message.set_text(name, value);
        }
        message.set_text("src", "nodeb");
        message.set("srcuuid", Value::Binary(THEIRS.to_vec()));
        message.set_text("hg", &format!("{:x}", self.peer.generation));
        message.with("ts", &format!("{:x}", WALL + self.now.as_secs())).with("ttl", "3")
    }

    fn hears(&mut self, message: Message) {
        self.hears_on(0, message);
    }

    fn hears_on(&mut self, link: usize, message: Message) {
        self.feed(Event::Received { link, message });
    }

    fn says(&mut self, kind: &str, fields: &[(&str, &str)]) {
        let message = self.message(kind, fields);
        self.hears(message);
    }

    fn says_unsequenced(&mut self, kind: &str, fields: &[(&str, &str)]) {
        let message = self.unsequenced(kind, fields);
        self.hears(message);
    }

    /// A `resource` message of the peer with `rtype=full`.
    fn resource(&mut self, hold: &str, stable: &str, info: Option<&str>) {
        let mut fields = vec![("rsc_hold", hold), ("rtype", "full"), ("isstable", stable)];
        fields.extend(info.map(|info| ("info", info)));
        self.says("resource", &fields);
    }

    fn ask(&mut self, set: &str, word: &str) {
        self.says("ask_resources", &[("rsc_hold", set), ("info", word)]);
    }

    /// What was sent of this type, and when.
    fn sent_at(&self, kind: &str) -> Vec<(u64, Message)> {
        let sent = self.done.iter().filter_map(|(at, action)| match action {
            Action::Send(message) if message.kind() == Some(kind) => Some((as_ms(*at), message.clone())),
            _ => None,
        });
        sent.collect()
    }

    /// What was sent of this type.
    fn sent(&self, kind: &str) -> Vec<Message> {
        self.sent_at(kind).into_iter().map(|(_, message)| message).collect()
    }

    /// One field of everything that was sent of this type.
    fn field(&self, kind: &str, name: &str) -> Vec<String> {
        self.sent(kind).iter().map(|message| message.text(name).unwrap_or("-").to_owned()).collect()
    }

    /// The texts that went to the log.
    fn log(&self) -> Vec<String> {
        let texts = self.done.iter().filter_map(|(_, action)| match action {
            Action::Log(record) => Some(record.text()),
            _ => None,
        });
        texts.collect()
    }

    fn logged(&self, text: &str) -> bool {
        self.log().iter().any(|line| line.contains(text))
    }

    /// When this was logged first.
    fn logged_at(&self, text: &str) -> Option<u64> {
        let found = self.done.iter().find(|(_, action)| matches!(action, Action::Log(r) if r.text().contains(text)));
        found.map(|(at, _)| as_ms(*at))
    }

    /// What the core did since the last call, in order: messages in the notation of 03 §6, steps, announcements.
    /// Statuses and acknowledgements are left out.
    fn story(&mut self) -> Vec<String> {
        let repeated =
            |at: &Duration, told: &str| told.starts_with("resource") && self.repeated.contains(&as_ms(*at));
        let told = self.done.iter().filter_map(|(at, action)| tell(action).filter(|told| !repeated(at, told)));
        let story = told.collect();
        self.done.clear();
        story
    }

    fn view(&self) -> View {
        self.core.view()
    }

    /// The peer's status as we see it.
    fn peer_state(&self) -> String {
        self.view().nodes[1].status.clone()
    }

    /// Which of the peer's links are up.
    fn links(&self) -> [bool; 2] {
        [0, 1].map(|link| self.view().nodes[1].links[link].up)
    }

    /// Milliseconds since the start.
    fn clock(&self) -> u64 {
        as_ms(self.now)
    }
}

/// Milliseconds since the start of the test.
fn as_ms(at: Duration) -> u64 {
    u64::try_from((at - ms(5_000)).as_millis()).unwrap()
}

/// The answers given since the story was last told.
fn answers(bench: &Bench) -> Vec<Answer> {
    let answer = |(_, action): &(_, Action)| match action {
        Action::Answer { answer, .. } => Some(answer.clone()),
        _ => None,
    };
    bench.done.iter().filter_map(answer).collect()
}

fn tell(action: &Action) -> Option<String> {
    // A test may have groups of its own.
    let word = |step: &Step| WORDS.get(step.group).and_then(|words| words.get(step.resource)).unwrap_or(&"?");
    match action {
        Action::Send(message) => told(message),
        Action::Start(step) => Some(format!("start {}", word(step))),
        Action::Stop(step) => Some(format!("stop {}", word(step))),
        Action::StopLeftover(step) => Some(format!("stop left-over {}", word(step))),
        Action::Announce(step) => Some(format!("announce {}", word(step))),
        Action::Escalate(step) => Some(format!("escalate {}", word(step))),
        Action::Exit => Some("exit".into()),
        Action::Fence { node } => Some(format!("fence {node}")),
        Action::Address { order: Order::Survey, .. } => None,
        Action::Address { step, order } => Some(format!("{order:?} {}", word(step)).to_lowercase()),
        Action::HandOver => Some("hand over".into()),
        _ => None,
    }
}

fn told(message: &Message) -> Option<String> {
    let kind = message.kind().unwrap();
    let fields: &[&str] = match kind {
        "status" | "NS_ackmsg" => return None,
        "resource" => &["rsc_hold", "isstable", "info"],
        "ask_resources" => &["rsc_hold", "info"],
        "hb_takeover" => &["rsc_hold"],
        "stonith" => &["node", "result"],
        "ip-request" => &["ipaddr"],
        "ip-request-resp" => &["ipaddr", "weown", "ok"],
        _ => &[],
    };
    let values = fields.iter().filter_map(|name| message.text(name));
    Some([kind].into_iter().chain(values).collect::<Vec<_>>().join(" "))
}
