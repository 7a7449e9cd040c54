//! Who is alive: start-up, the beat, death and return of nodes and links (02 §4, §7, §8.3).
//!
//! Owns our own status and the node table's liveness. Tells the resource rooms that a node died, left or came back;
//! never decides what runs where.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::succession::RESTART_RAISE;
use super::{Core, Instant, Record, Status};
use crate::wire::Message;

/// How much longer than deadtime we ask our peers to wait while we start, and for how long (02 §4.2).
const START_RAISE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(5));
/// Period of `reqnodes` until it is answered (02 §4.3).
const REQNODES_PERIOD: Duration = Duration::from_secs(1);
/// The same complaint about the same node is not repeated within this time: a stranger must not fill the log.
const COMPLAINT_PERIOD: Duration = Duration::from_secs(60);

/// How far start-up has come (02 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
enum Phase {
    /// Nothing sent yet.
    #[default]
    Idle,
    /// Gate 1: waiting until every node is heard or dead.
    Hearing,
    /// Gate 2: waiting for a node list; `reqnodes` is due again at this moment.
    Asking(Instant),
    /// Fully operational.
    Active,
    /// Ended.
    Over,
}

/// Our own liveness.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Membership {
    phase: Phase,
    started: Instant,
    next_beat: Instant,
    raise_ends: Option<Instant>,
    /// When we woke up after a silence for which a peer declares us dead.
    #[serde(default)]
    woke: Option<Instant>,
    /// When which complaint about which node was made last.
    complaints: BTreeMap<String, Instant>,
}

impl Membership {
    /// Whether the core has started and not ended.
    pub(super) fn running(&self) -> bool {
        !matches!(self.phase, Phase::Idle | Phase::Over)
    }

    /// Whether we are `active`.
    pub(super) fn active(&self) -> bool {
        self.phase == Phase::Active
    }

    /// When we started.
    pub(super) fn started(&self) -> Instant {
        self.started
    }

    /// No more deadlines, no more beats.
    pub(super) fn end(&mut self) {
        self.phase = Phase::Over;
    }
}

impl Core {
    /// The first packets: `init`, `up`, `up`, all with the raised dead time (02 §4.2).
    pub(super) fn start(&mut self) {
        let now = self.now.monotonic;
        self.membership.started = now;
        self.membership.next_beat = now + self.settings.timing.keepalive;
        self.membership.raise_ends = Some(now + START_RAISE.1);
        self.send_status();
        self.membership.phase = Phase::Hearing;
        self.log(Record::LocalStatus { status: Status::Up.to_string() });
        self.send_status();
        self.send_status();
        self.check_gate();
    }

    /// Our status, and the dead time we ask for.
    pub(super) fn announced(&self) -> (Status, Duration) {
        let status = match self.membership.phase {
            Phase::Idle | Phase::Over => Status::Init,
            Phase::Hearing | Phase::Asking(_) => Status::Up,
            Phase::Active => Status::Active,
        };
        let raise = if self.succession.leaving {
            RESTART_RAISE
        } else if self.membership.raise_ends.is_some() {
            START_RAISE.0
        } else {
            Duration::ZERO
        };
        (status, self.settings.timing.deadtime + raise)
    }

    /// When the beat, a death, a link or a retransmission is due next.
    pub(super) fn membership_deadline(&self) -> Option<Instant> {
        let membership = &self.membership;
        let asking = match membership.phase {
            Phase::Asking(again) => Some(again),
            _ => None,
        };
        let own = [Some(membership.next_beat), membership.raise_ends, asking].into_iter().flatten();
        let nodes = (0..self.nodes.len()).filter(|index| Some(*index) != self.own());
        let theirs = nodes.flat_map(|index| {
            let node = &self.nodes[index];
            let links = node.links.iter().filter(|link| link.up).map(|link| link.heard + node.dead_time);
            let requests = node.tracking.next_request().filter(|_| node.alive());
            self.death_due(index).into_iter().chain(links.min()).chain(requests)
        });
        own.chain(theirs).min()
    }

    pub(super) fn membership_tick(&mut self) {
        let now = self.now.monotonic;
        if self.membership.raise_ends.is_some_and(|ends| ends <= now) {
            self.membership.raise_ends = None;
            self.send_status();
        }
        self.beat();
        self.request_missing();
        self.check_silence();
        self.check_gate();
        if let Phase::Asking(again) = self.membership.phase
            && again <= now
        {
            self.ask_for_nodes();
        }
    }

    /// Whether we have said nothing for so long that a peer declares us dead.
    fn oversleeps(&self) -> bool {
        let said = self.membership.next_beat - self.settings.timing.keepalive;
        self.now.monotonic.since(said) >= self.announced().1
    }

    /// Whether a peer has declared us dead since then, because we slept.
    pub(super) fn overslept_since(&self, then: Instant) -> bool {
        self.oversleeps() || self.membership.woke.is_some_and(|woke| then < woke)
    }

    /// One status per keepalive, without drift; beats that were slept through are not made up for.
    fn beat(&mut self) {
        let (now, keepalive) = (self.now.monotonic, self.settings.timing.keepalive);
        if self.membership.next_beat > now {
            return;
        }
        if self.oversleeps() {
            self.membership.woke = Some(now);
        }
        self.send_status();
        while self.membership.next_beat <= now {
            self.membership.next_beat = self.membership.next_beat + keepalive;
        }
    }

    /// When this node is to be declared dead; strictly after (02 §7.5).
    pub(super) fn death_due(&self, index: usize) -> Option<Instant> {
        let node = &self.nodes[index];
        if node.status == Status::Dead {
            return None;
        }
        let (since, limit) = match (self.membership.phase, node.last_status.or(node.noticed)) {
            (Phase::Hearing, last) => (last.unwrap_or(self.membership.started), self.settings.timing.initdead),
            // Of a new incarnation we may have heard everything but its statuses.
            (_, Some(last)) => (last, node.dead_time),
            (_, None) => (self.membership.started, self.settings.timing.initdead),
        };
        Some(since + limit + Duration::from_millis(1))
    }

    fn check_silence(&mut self) {
        let now = self.now.monotonic;
        let own = self.own();
        for index in (0..self.nodes.len()).filter(|index| Some(*index) != own) {
            if self.death_due(index).is_some_and(|due| due <= now) {
                self.node_died(index);
            }
            let limit = self.nodes[index].dead_time;
            for link in 0..self.nodes[index].links.len() {
                let state = &mut self.nodes[index].links[link];
                if state.up && state.heard + limit <= now {
                    state.up = false;
                    self.log_link(index, link);
                    self.ipfail_ask();
                }
            }
        }
    }

    fn log_link(&mut self, node: usize, link: usize) {
        let (up, node) = (self.nodes[node].links[link].up, self.nodes[node].name.clone());
        let link = self.settings.links[link].clone();
        self.log(if up { Record::LinkUp { node, link } } else { Record::LinkDead { node, link } });
    }

    fn node_died(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        node.status = Status::Dead;
        node.gone = true;
        node.heard = false;
        node.last_status_order.1 = 0;
        node.tracking.die();
        node.acknowledged = 0;
        let name = node.name.clone();
        self.log(Record::NodeDead { node: name });
        if Some(index) == self.peer() {
            self.peer_died();
        }
    }

    /// A kept or duplicate packet of this node arrived on this link (02 §7.4).
    pub(super) fn heard_on(&mut self, node: usize, link: usize) {
        let now = self.now.monotonic;
        let Some(state) = self.nodes[node].links.get_mut(link) else { return };
        state.heard = now;
        if !std::mem::replace(&mut state.up, true) {
            self.log_link(node, link);
        }
    }

    /// 02 §7.2. `order` is (`seq`, `ts`).
    pub(super) fn status_received(&mut self, from: usize, order: (u64, u64), message: &Message) {
        // Nobody says `dead` of himself (02 §1.2). Who did, and we believed it, could never again be declared dead.
        let said = message.text("st").and_then(Status::parse).filter(|status| *status != Status::Dead);
        let Some(status) = said else { return };
        let now = self.now.monotonic;
        let warntime = self.settings.timing.warntime;
        let node = &mut self.nodes[from];
        // Unlike Heartbeat, which looks at `ts` as well: of two statuses of one second the later one counts, too.
        if order.0 < node.last_status_order.0 {
            return;
        }
        let name = node.name.clone();
        let known = node.last_status.is_some();
        let reappeared = std::mem::take(&mut node.gone) && status == Status::Active;
        let interval = node.last_status.map(|last| now.since(last)).filter(|_| node.status != Status::Dead);
        let changed = std::mem::replace(&mut node.status, status) != status;
        if let Some(milliseconds) = message.text("dt").and_then(|dt| u64::from_str_radix(dt, 16).ok()) {
            node.dead_time = Duration::from_millis(milliseconds);
        }
        let stranger = node.hbd.is_none();
        node.hbd = message.text("hbd").and_then(|hbd| hbd.split(' ').next()?.parse().ok());
        let introduced = stranger && node.hbd.is_some();
        node.cut = message.text("hbd_cut").and_then(super::Set::parse).unwrap_or_default();
        node.last_status = Some(now);
        node.last_status_wall = Some(self.now.wall);
        node.last_status_order = order;
        if let Some(interval) = interval.filter(|interval| *interval > warntime) {
            let interval_ms = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
            self.log(Record::LateHeartbeat { node: name.clone(), interval_ms });
        }
        if changed {
            self.log(Record::StatusUpdate { node: name.clone(), status: status.to_string() });
        }
        if message.text("hbd_restart").is_some() {
            let seconds = self.nodes[from].dead_time.as_secs();
            self.complain(Record::PeerRestarts { node: name, seconds });
        }
        self.configuration_heard(from, message);
        self.maintenance_heard(from, message);
        if Some(from) == self.peer() {
            if (reappeared || introduced) && self.speaks_nice() {
                self.peer_reappeared(known);
            }
            self.legacy_status();
        }
    }

    /// A node that we hold for dead, or never had a status from, spoke: its status was lost or overtaken. What it says
    /// will be acted on, so its next silence must count, too.
    pub(super) fn spoke(&mut self, from: usize, message: &Message) {
        let node = &mut self.nodes[from];
        let known = node.last_status.is_some();
        // Only an hbd says this, even if its first status was lost.
        let introduced = node.hbd.is_none() && message.text("hbd_claim").is_some();
        if introduced {
            node.hbd = Some(1);
        }
        if node.alive() {
            if introduced && Some(from) == self.peer() {
                self.peer_reappeared(known);
            }
            return;
        }
        let gathering = matches!(message.kind(), Some("reqnodes" | "repnodes"));
        node.status = if gathering { Status::Up } else { Status::Active };
        // What it gathers or answers may be the first we hear of it again; its status will tell the rest.
        let reappeared = !gathering && std::mem::take(&mut node.gone);
        node.last_status = Some(self.now.monotonic);
        let (node, status) = (node.name.clone(), node.status);
        self.log(Record::StatusUpdate { node, status: status.to_string() });
        if reappeared && status == Status::Active && Some(from) == self.peer() && self.speaks_nice() {
            self.peer_reappeared(known);
        }
    }

    /// The same generation that we had declared dead is heard again: it was not dead, the network was (02 §7.7).
    pub(super) fn returning_after_partition(&mut self, index: usize) {
        let node = self.nodes[index].name.clone();
        self.log(Record::ReturningAfterPartition { node });
        self.log(Record::DeadtimeTooSmall {});
        self.send_status();
        if Some(index) == self.peer() {
            self.fencing_called_off();
            self.fencing_was_a_lie(self.nodes[index].generation);
            self.legacy_returned();
        }
    }

    /// `stonith`: somebody's fencing step. That it was about us means that the sender held us for dead a moment ago, and
    /// takes what we had (03 §16 no. 14).
    pub(super) fn fencing_heard(&mut self, from: usize, seq: u64, message: &Message) {
        if message.text("node") != Some(&self.settings.node) {
            return;
        }
        let result = message.text("result").unwrap_or("?").to_owned();
        let node = self.nodes[from].name.clone();
        self.complain(Record::DeclaredDead { node, result });
        if Some(from) == self.peer() {
            self.standby_voided(seq);
            self.legacy_declared_dead();
            self.peer_went_deaf();
        }
    }

    /// Gate 1: every node is heard or dead, ping nodes included (02 §4.3).
    pub(super) fn check_gate(&mut self) {
        let own = self.own();
        let accounted =
            |(index, node): (usize, &super::Node)| Some(index) == own || node.heard || node.status == Status::Dead;
        let all_accounted = self.nodes.iter().enumerate().all(accounted) && self.pings_accounted();
        if self.membership.phase == Phase::Hearing && all_accounted {
            self.ask_for_nodes();
        }
    }

    /// Gate 2: ask the first living node for its node list; if there is none, go on.
    fn ask_for_nodes(&mut self) {
        let eligible = |node: &&super::Node| node.name != self.settings.node && node.status != Status::Dead;
        let Some(name) = self.nodes.iter().find(eligible).map(|node| node.name.clone()) else {
            self.become_active();
            return;
        };
        self.membership.phase = Phase::Asking(self.now.monotonic + REQNODES_PERIOD);
        self.send(Message::new("reqnodes").with("dest", &name));
    }

    /// `reqnodes` is answered in every state, with every node, dead ones included (02 §8.3).
    pub(super) fn answer_reqnodes(&mut self, from: usize) {
        let list: String = self.nodes.iter().flat_map(|node| [node.name.as_str(), " "]).collect();
        let mut answer = Message::default();
        answer.set_text("dest", &self.nodes[from].name.clone());
        answer.set_text("t", "repnodes");
        answer.set_text("nodelist", &list);
        answer.set_text("delnodelist", " ");
        self.send(answer);
    }

    /// `repnodes` opens gate 2. Unlike Heartbeat we do not change our node table by it: ha.cf is the truth, and a
    /// difference is a mistake worth saying.
    pub(super) fn repnodes_received(&mut self, from: usize, message: &Message) {
        let list = message.text("nodelist").unwrap_or_default().trim_end().to_owned();
        let mut theirs: Vec<_> = list.split(' ').collect();
        let mut ours: Vec<_> = self.settings.nodes.iter().map(String::as_str).collect();
        theirs.sort_unstable();
        ours.sort_unstable();
        if theirs != ours {
            let node = self.nodes[from].name.clone();
            self.complain(Record::NodeListDiffers { node, list });
        }
        if matches!(self.membership.phase, Phase::Asking(_)) {
            self.become_active();
        }
    }

    /// `addnode` and `delnode`: an administrator's tool on another node (02 §8.4). As with `repnodes`, ha.cf is the truth.
    pub(super) fn node_change_heard(&mut self, from: usize, message: &Message) {
        let node = self.nodes[from].name.clone();
        let change = message.kind().unwrap_or_default().to_owned();
        let list = message.text("nodelist").unwrap_or_default().trim_end().to_owned();
        self.complain(Record::NodeChange { node, change, list });
    }

    /// `query-cstatus`: does that client of the API run here? We have no such API, but the asker waits for an answer (02
    /// §3.1), and ipfail we are ourselves.
    pub(super) fn answer_client_query(&mut self, from: usize, message: &Message) {
        let (Some(client), Some(asker)) = (message.text("cn"), message.text("from_id")) else { return };
        let answer = Message::new("respond-cstatus").with("dest", &self.nodes[from].name).with("result", "OK");
        let state = if client == "ipfail" && self.ipfail_runs() { "online" } else { "offline" };
        self.send(answer.with("cn", client).with("to_id", asker).with("cs", state));
    }

    /// Once per process (02 §4.3): status first, then the resource rooms speak.
    fn become_active(&mut self) {
        self.membership.phase = Phase::Active;
        self.log(Record::CommNowUp {});
        self.log(Record::LocalStatus { status: Status::Active.to_string() });
        self.send_status();
        self.resources_up();
        self.ipfail_joins();
    }

    /// A record that a stranger can provoke at will: at most once a minute for each node.
    pub(super) fn complain(&mut self, record: Record) {
        let now = self.now.monotonic;
        let complaints = &mut self.membership.complaints;
        complaints.retain(|_, said| now.since(*said) < COMPLAINT_PERIOD);
        // Names come from the network: bound what they can make us remember.
        if complaints.len() >= 64 {
            return;
        }
        let key = format!("{} {}", record.event(), record.subject().node.unwrap_or_default());
        // Not renewed by what is not logged, or a stranger that stays would be named once and never again.
        if let Entry::Vacant(entry) = complaints.entry(key) {
            entry.insert(now);
            self.log(record);
        }
    }
}
