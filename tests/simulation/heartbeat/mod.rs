//! A model of a real Heartbeat 3.0.6 node, written from the chapters 02 and 03 of docs/protocol, with the defects
//! that they describe.
//!
//! Not modelled: legacy mode, clients and flow control, fencing devices, `autojoin`, `hb_generation` by time. The
//! model reacts as the real main loop does: at its timers only, packets first (02 §1.4).

mod membership;
mod messages;
mod ownership;
mod scripts;
mod standby;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use hbd::cluster::{Event, Instant, Moment, Request, Set, Settings};
use hbd::config::AutoFailback;
use hbd::wire::Message;

use crate::machine::Deed;
use ownership::Ownership;
use scripts::Scripts;
use standby::Standby;

/// The main loop wakes at least this often (02 §1.4).
const TICK: Duration = Duration::from_millis(500);
/// How long after a node has returned from a partition this node restarts (02 §7.7).
const PARTITION_RESTART: Duration = Duration::from_secs(2);
/// The time from our own `shutdone` to the next step of a stop, and from that one to the last (02 §9.1).
const PHASE: Duration = Duration::from_secs(1);
/// What is added to the announced dead time at start, and for how long (02 §4.2).
const START_RAISE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(5));
/// What a restart adds to the announced dead time for good (02 §9.3).
const RESTART_RAISE: Duration = Duration::from_secs(30);

/// One entry of the node table (02 §1.2).
#[derive(Debug)]
struct Peer {
    name: String,
    uuid: Option<Vec<u8>>,
    status: String,
    generation: u64,
    last: Option<u64>,
    /// Missing number, and when it is asked for next.
    missing: BTreeMap<u64, Duration>,
    /// The residue at which its messages are acknowledged.
    trigger: u64,
    dead_time: Duration,
    last_status: Option<Duration>,
    last_ts: u64,
    last_seq: u64,
    heard: bool,
}

/// How far communication has come (02 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comm {
    Hearing,
    Asking(Duration),
    Active,
}

/// How far a stop has come (02 §9.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Not,
    /// Waits until the resource layer is stable.
    Wanted,
    Releasing,
    /// Steps 5 and 7 are due at this time.
    Clients(Duration),
    Silence(Duration),
}

/// The node.
pub struct Heartbeat {
    settings: Settings,
    own: usize,
    now: Duration,
    wall: Duration,
    started: Duration,
    out: Vec<Deed>,
    inbox: VecDeque<Message>,
    /// What scripts and tools wrote to the FIFO. The main loop sends it when it wakes.
    fifo: VecDeque<Message>,
    seq: u64,
    history: VecDeque<(u64, Message, Option<Duration>)>,
    nodes: Vec<Peer>,
    comm: Comm,
    next_tick: Duration,
    next_beat: Duration,
    raise_ends: Option<Duration>,
    restart_raised: bool,
    restart_at: Option<Duration>,
    restarting: bool,
    stop: Stop,
    chance: u64,
    ownership: Ownership,
    standby: Standby,
    scripts: Scripts,
}

impl Heartbeat {
    pub fn new(settings: Settings) -> Self {
        let nodes: Vec<_> = (settings.nodes.iter().enumerate())
            .map(|(index, name)| Peer {
                name: name.clone(),
                uuid: None,
                status: "init".to_owned(),
                generation: 0,
                last: None,
                missing: BTreeMap::new(),
                trigger: (settings.seed + index as u64 * 3) % 10,
                dead_time: settings.timing.deadtime,
                last_status: None,
                last_ts: 0,
                last_seq: 0,
                heard: false,
            })
            .collect();
        Heartbeat {
            own: nodes.iter().position(|node| node.name == settings.node).unwrap_or_default(),
            now: Duration::ZERO,
            wall: Duration::ZERO,
            started: Duration::ZERO,
            out: Vec::new(),
            inbox: VecDeque::new(),
            fifo: VecDeque::new(),
            seq: 0,
            history: VecDeque::new(),
            nodes,
            comm: Comm::Hearing,
            next_tick: Duration::ZERO,
            next_beat: Duration::ZERO,
            raise_ends: None,
            restart_raised: false,
            restart_at: None,
            restarting: false,
            stop: Stop::Not,
            chance: settings.seed,
            ownership: Ownership::default(),
            standby: Standby::default(),
            scripts: Scripts::new(&settings.groups),
            settings,
        }
    }

    pub fn handle(&mut self, now: Moment, event: Event) -> Vec<Deed> {
        (self.now, self.wall) = (now.monotonic.0, now.wall);
        match event {
            Event::Start => self.start(),
            Event::Received { message, .. } => self.inbox.push_back(message),
            Event::Deadline => self.wake(),
            Event::StepEnded { step, outcome } => self.step_ended(step, &outcome),
            Event::Request { request, .. } => self.asked(request),
            // Events that a Heartbeat does not know.
            Event::LoadAverage(_)
            | Event::PingAnswered { .. }
            | Event::UnreadDeadline { .. }
            | Event::Policies(_)
            | Event::OwnMacs { .. }
            | Event::Address { .. }
            | Event::Adopt(_)
            | Event::Fenced { .. }
            | Event::Check { .. }
            | Event::Witness { .. }
            | Event::LeftoverEnded { .. }
            | Event::LocalClock { .. }
            | Event::Link { .. }
            | Event::Unit { .. } => {}
        }
        self.run_scripts();
        std::mem::take(&mut self.out)
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        let asking = match self.comm {
            Comm::Asking(again) => Some(again),
            _ => None,
        };
        let stop = match self.stop {
            Stop::Clients(at) | Stop::Silence(at) => Some(at),
            _ => None,
        };
        let always = self.next_tick.min(self.next_beat);
        let others = [asking, stop, self.raise_ends, self.restart_at, self.scripts.retry_at(), self.missing_due()];
        others.into_iter().flatten().chain([always]).min().map(Instant)
    }

    fn start(&mut self) {
        self.started = self.now;
        self.next_tick = self.now + TICK;
        self.next_beat = self.now + self.settings.timing.keepalive;
        self.raise_ends = Some(self.now + START_RAISE.1);
        self.send_status();
        self.set_status("up");
        self.send_status();
    }

    /// One turn of the main loop: packets, then timers.
    fn wake(&mut self) {
        while let Some(message) = self.inbox.pop_front() {
            self.receive(&message, false);
        }
        // Before we are active, what children write would reach no handler. The specification does not say what
        // happens to a takeover then: here it waits.
        while self.comm == Comm::Active
            && let Some(message) = self.fifo.pop_front()
        {
            self.send(message);
        }
        while self.next_tick <= self.now {
            self.next_tick += TICK;
        }
        self.poll();
        if self.raise_ends.is_some_and(|ends| ends <= self.now) {
            self.raise_ends = None;
            self.send_status();
        }
        if self.next_beat <= self.now {
            self.send_status();
        }
        while self.next_beat <= self.now {
            self.next_beat += self.settings.timing.keepalive;
        }
        self.ask_for_nodes_again();
        self.request_missing();
        self.ownership_poll();
        if self.restart_at.is_some_and(|at| at <= self.now) {
            self.restart();
        }
        self.stop_phases();
    }

    /// `heartbeat -k`, hb_standby, hb_takeover.
    fn asked(&mut self, request: Request) {
        match request {
            Request::Shutdown => self.stop_requested(),
            Request::Standby(set) => self.write_fifo(ask(set, "me")),
            Request::Takeover(set) => self.write_fifo(Message::new("hb_takeover").with("rsc_hold", set.word())),
            Request::Restart
            | Request::StandbyGroups(_)
            | Request::TakeoverGroups(_)
            | Request::Farewell
            | Request::Cleanup(_)
            | Request::StartStopped(_)
            | Request::ClearHold(_)
            | Request::Maintenance(_)
            | Request::GroupMaintenance { .. }
            | Request::Fence(_)
            | Request::ConfirmFenced(_)
            | Request::ReturnNow(_)
            | Request::CancelReturn(_)
            | Request::CallOff(_) => {}
        }
    }

    /// SIGTERM (02 §9.1).
    fn stop_requested(&mut self) {
        if self.comm == Comm::Active {
            self.send_status();
        }
        if self.stop == Stop::Not {
            self.stop = Stop::Wanted;
        }
        self.stop_if_stable();
    }

    /// A full restart is a stop without its first step, and a start (02 §9.3).
    fn restart(&mut self) {
        self.restart_at = None;
        self.restarting = true;
        if self.stop == Stop::Not {
            self.say("restart wanted");
            self.stop = Stop::Wanted;
        }
        self.stop_if_stable();
    }

    fn stop_if_stable(&mut self) {
        if self.stop == Stop::Wanted && self.comm == Comm::Active && self.is_stable() {
            self.stop = Stop::Releasing;
            self.give_up_resources();
        }
    }

    fn stop_phases(&mut self) {
        match self.stop {
            Stop::Clients(at) if at <= self.now => {
                self.send_status();
                self.restart_raised = self.restarting;
                self.send_status();
                self.stop = Stop::Silence(self.now + PHASE);
            }
            Stop::Silence(at) if at <= self.now => {
                let pause = self.settings.timing.deadtime + Duration::from_secs(1);
                self.chance = self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // 03 §0 no. 19: two of ten restarts under the packaged unit do not come back.
                let comes_back = self.restarting && (self.chance >> 33) % 10 >= 2;
                self.say(if comes_back { "ends and restarts" } else { "ends" });
                self.out.push(if comes_back { Deed::Restart(pause) } else { Deed::Exit });
            }
            _ => {}
        }
    }

    /// Whether `cl_status rscstatus` prints something else than `transition` (03 §4.4).
    pub fn is_stable(&self) -> bool {
        self.ownership.is_stable() && self.standby.is_stable() && self.scripts.idle()
    }

    /// Whether this node claims to have `group`.
    pub fn claims(&self, group: usize) -> bool {
        [Set::LOCAL, Set::FOREIGN]
            .into_iter()
            .any(|class| class.common(self.ownership.hold) == class && self.groups_of(class).contains(&group))
    }

    fn say(&mut self, text: &str) {
        self.out.push(Deed::Say(format!("(Heartbeat) {text}")));
    }

    fn write_fifo(&mut self, message: Message) {
        self.fifo.push_back(message);
    }

    fn failback(&self) -> bool {
        self.settings.auto_failback == AutoFailback::On
    }
}

/// `ask_resources` (03 §3).
fn ask(set: Set, info: &str) -> Message {
    Message::new("ask_resources").with("rsc_hold", set.word()).with("info", info)
}
