//! From the first packet to `active`: the two gates of start-up (02 §4).
//!
//! Owns how far start-up has come. Never decides about other nodes: it only waits until each is heard or dead.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::peer::node::Node;
use crate::cluster::timers::Timer;
use crate::cluster::{Instant, Record, Status};
use crate::wire::Message;

/// How much longer than deadtime we ask our peers to wait while we start, and for how long (02 §4.2).
const START_RAISE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(5));
/// Period of `reqnodes` until it is answered (02 §4.3).
const REQNODES_PERIOD: Duration = Duration::from_secs(1);

/// How far start-up has come (02 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::cluster) enum Phase {
    /// Nothing sent yet.
    #[default]
    Idle,
    /// Gate 1: waiting until every node is heard or dead.
    Hearing,
    /// Gate 2: waiting for a node list.
    Asking,
    /// Fully operational.
    Active,
    /// Ended.
    Over,
}

/// Our own liveness.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Membership {
    pub(super) phase: Phase,
    started: Instant,
    pub(super) next_beat: Instant,
    /// When we woke up after a silence for which a peer declares us dead.
    pub(super) woke: Option<Instant>,
}

impl Membership {
    /// Whether the core has started and not ended.
    pub(in crate::cluster) fn running(&self) -> bool {
        !matches!(self.phase, Phase::Idle | Phase::Over)
    }

    /// Whether we are `active`.
    pub(in crate::cluster) fn active(&self) -> bool {
        self.phase == Phase::Active
    }

    /// When we started.
    pub(in crate::cluster) fn started(&self) -> Instant {
        self.started
    }

    /// When our next status is due.
    pub(in crate::cluster) fn next_beat(&self) -> Instant {
        self.next_beat
    }
}

impl Core {
    /// The first packets: `init`, `up`, `up`, all with the raised dead time (02 §4.2).
    pub(in crate::cluster) fn start(&mut self) {
        let now = self.now.monotonic;
        self.membership.started = now;
        self.membership.next_beat = now + self.settings.timing.keepalive;
        self.timers.set(Timer::StartRaise, now + START_RAISE.1);
        self.send_status();
        self.membership.phase = Phase::Hearing;
        self.log(Record::LocalStatus { status: Status::Up.to_string() });
        self.send_status();
        self.send_status();
        self.check_gate();
    }

    /// No more deadlines, no more beats.
    pub(in crate::cluster) fn end_membership(&mut self) {
        self.membership.phase = Phase::Over;
    }

    /// Our status.
    pub(in crate::cluster) fn own_status(&self) -> Status {
        match self.membership.phase {
            Phase::Idle | Phase::Over => Status::Init,
            Phase::Hearing | Phase::Asking => Status::Up,
            Phase::Active => Status::Active,
        }
    }

    /// A node has said a status. Heartbeat asks for more patience while it starts its clients; an hbd starts none
    /// before it beats, so where every other node has shown to be an hbd a crash in the first seconds costs no more
    /// than a later one (05 §5.1).
    pub(in crate::cluster) fn end_start_raise(&mut self) {
        if !self.timers.is_set(Timer::StartRaise) {
            return;
        }
        let own = self.own();
        let mut others = self.nodes.iter().enumerate().filter(|(index, _)| Some(*index) != own);
        if others.all(|(_, node)| node.is_hbd()) {
            self.timers.stop(Timer::StartRaise);
            self.send_status();
        }
    }

    /// The silence after which our peers may declare us dead, as we ask for it in our statuses.
    pub fn announced_dead_time(&self) -> Duration {
        let start = if self.timers.is_set(Timer::StartRaise) { START_RAISE.0 } else { Duration::ZERO };
        self.settings.timing.deadtime + self.succession.raise().unwrap_or(start)
    }

    /// Whether we wait at gate 1 and every node is heard or dead, ping nodes included (02 §4.3).
    pub(in crate::cluster) fn gate_opens(&self) -> bool {
        let own = self.own();
        let accounted =
            |(index, node): (usize, &Node)| Some(index) == own || node.heard || node.status == Status::Dead;
        self.membership.phase == Phase::Hearing
            && self.nodes.iter().enumerate().all(accounted)
            && self.pings_accounted()
    }

    /// Passes gate 1 if it opens.
    pub(in crate::cluster) fn check_gate(&mut self) {
        if self.gate_opens() {
            self.ask_for_nodes();
        }
    }

    /// Gate 2: ask the first living node for its node list; if there is none, go on.
    pub(in crate::cluster) fn ask_for_nodes(&mut self) {
        let eligible = |node: &&Node| node.name != self.settings.node && node.status != Status::Dead;
        let Some(name) = self.nodes.iter().find(eligible).map(|node| node.name.clone()) else {
            self.become_active();
            return;
        };
        self.membership.phase = Phase::Asking;
        self.timers.set(Timer::NodesRequest, self.now.monotonic + REQNODES_PERIOD);
        self.send(Message::new("reqnodes").with("dest", &name));
    }

    /// `reqnodes` is answered in every state, with every node, dead ones included (02 §8.3).
    pub(in crate::cluster) fn answer_reqnodes(&mut self, from: usize) {
        let list: String = self.nodes.iter().flat_map(|node| [node.name.as_str(), " "]).collect();
        let mut answer = Message::default();
        answer.set_text("dest", &self.nodes[from].name.clone());
        answer.set_text("t", "repnodes");
        answer.set_text("nodelist", &list);
        answer.set_text("delnodelist", " ");
        self.send(answer);
    }

    /// `repnodes` opens gate 2. Unlike Heartbeat we do not change our node table by it: ha.cf is the truth, and a
    /// difference is a mistake worth saying (docs/DECISIONS.md "A repnodes does not change the node table").
    pub(in crate::cluster) fn repnodes_received(&mut self, from: usize, list: String) {
        let mut theirs: Vec<_> = list.split(' ').collect();
        let mut ours: Vec<_> = self.settings.nodes.iter().map(String::as_str).collect();
        theirs.sort_unstable();
        ours.sort_unstable();
        if theirs != ours {
            let node = self.nodes[from].name.clone();
            self.complain(Record::NodeListDiffers { node, list });
        }
        if self.membership.phase == Phase::Asking {
            self.become_active();
        }
    }

    /// `addnode` and `delnode`: an administrator's tool on another node (02 §8.4). As with `repnodes`, ha.cf is the
    /// truth.
    pub(in crate::cluster) fn node_change_heard(&mut self, from: usize, change: String, list: String) {
        let node = self.nodes[from].name.clone();
        self.complain(Record::NodeChange { node, change, list });
    }

    /// Once per process (02 §4.3): status first, then resources are spoken of.
    fn become_active(&mut self) {
        self.timers.stop(Timer::NodesRequest);
        self.membership.phase = Phase::Active;
        self.log(Record::CommNowUp {});
        self.log(Record::LocalStatus { status: Status::Active.to_string() });
        self.send_status();
        self.raise(Fact::Active);
    }
}
