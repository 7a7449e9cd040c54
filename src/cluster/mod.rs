//! The core: membership and resource protocol as a function of events (02, 03).
//!
//! Owns every decision hbd makes: who is alive, who holds what, what runs here. Pure: no I/O, no clock, no log, no
//! randomness of its own. [`Core::handle`] takes an event and returns the actions; the daemon, the simulator and the
//! replay run the very same code. Knows `wire::Message` and `config`, nothing else.
//!
//! | room | question it answers |
//! |---|---|
//! | [`receive`](self) | is this message for us, and new? (02 §5) |
//! | [`membership`](self) | who is alive? When are we active? (02 §4, §7) |
//! | [`ping`](self) | is this machine still connected? (02 §7.9) |
//! | [`fencing`](self) | is the dead node really dead? (03 §7, 04 §8) |
//! | [`ipfail`](self) | which node is better connected, and should serve? (03 §10) |
//! | [`resources`](self) | who holds what? (03 §4, §6) |
//! | [`standby`](self) | how does a set move while both live? (03 §4.5) |
//! | [`operator`](self) | may an operator's move begin, and how did it end? |
//! | [`resync`](self) | a real Heartbeat does not say what we wait for: what then? (03 §14.1 rule 3) |
//! | [`conflict`](self) | both hold it, or nobody does: what now? (03 §8, §14.3) |
//! | [`hold`](self) | does somebody still have what we are about to take, or take what we have? (shared decisions) |
//! | [`carrier`](self) | can the peer serve, and we cannot? |
//! | [`legacy`](self) | what if the peer speaks Heartbeat's first protocol? (03 §5, §6.7) |
//! | [`report`](self) | does a real Heartbeat know what we decided? (03 §4.7, §14.1) |
//! | [`storage`](self) | may a disk be in use on both nodes? (03 §14.3) |
//! | [`unstick`](self) | does a real Heartbeat hang in an exchange? (03 §4.5.4) |
//! | [`leave`](self) | how do we stop? (02 §9.1) |
//! | [`health`](self) | a resource failed: again here, or to the peer? |
//! | [`succession`](self) | how does the next daemon on this node go on where we ended? (02 §9.2) |
//! | [`maintenance`](self) | an operator works here: what is left alone, and what then? |
//! | [`comparison`](self) | do both nodes run with the same configuration? |
//! | [`groups`](self) | which step of which group is next? (03 §2.5) |

mod carrier;
mod claims;
mod comparison;
mod conflict;
mod event;
mod fencing;
mod groups;
mod health;
mod history;
mod hold;
mod holding;
mod ipfail;
mod leave;
mod legacy;
mod maintenance;
mod membership;
mod node;
mod operator;
mod ping;
mod receive;
mod record;
mod report;
mod resources;
mod resync;
mod send;
mod standby;
mod storage;
mod succession;
#[cfg(test)]
mod tests;
mod time;
mod tracking;
mod unstick;
mod view;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use event::{Action, AddressNews, Answer, Awaited, Event, Order, Outcome, Request, Step, UnitNews};
pub use groups::GroupState;
pub use hold::asking_interval;
pub use holding::{Class, Set};
pub use node::Status;
pub use operator::MOVE_PATIENCE;
pub use ping::PingNode;
pub use record::{Priority, Record, Subject};
pub use time::{Instant, Moment};
pub use view::{GroupView, LinkView, NodeView, View};

use crate::config::{self, AutoFailback, Connectivity, Group, Timing};
use crate::util::random::SplitMix64;
use groups::Groups;
use history::History;
use node::Node;

/// Protocol extensions that this hbd announces in the field `hbd` of its statuses (shared decision "How hbd knows an
/// hbd peer"): 1 = claims in `resource` messages, partitions heal without restarts. The fields `hbd_restart`,
/// `hbd_unfit`, `hbd_maintenance`, `hbd_conf` and `hbd_deaf` need no number: whoever does not know them loses nothing.
pub const EXTENSIONS: u32 = 1;

/// What the core must know at start. Nothing in it changes while it runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Settings {
    /// Our node name.
    pub node: String,
    /// All normal nodes in ha.cf order, ourselves included.
    pub nodes: Vec<String>,
    /// Ping nodes in ha.cf order.
    pub ping_nodes: Vec<String>,
    /// Our uuid (02 §4.1).
    pub uuid: [u8; 16],
    /// Our generation: larger at every start (02 §4.1).
    pub generation: u64,
    /// The intervals.
    pub timing: Timing,
    /// Added to the number of nodes in `ttl`.
    pub hopfudge: u8,
    /// Whether resources return to their preferred node. `Legacy` is `On` toward an hbd peer (shared decisions) and
    /// Heartbeat's first protocol toward any other.
    pub auto_failback: AutoFailback,
    /// What ping nodes decide. A recording of an older hbd has none.
    #[serde(default)]
    pub connectivity: Connectivity,
    /// Nodes that a fencing device can reset.
    #[serde(default)]
    pub fencing: Vec<String>,
    /// Names of the local links, one per distinct interface.
    pub links: Vec<String>,
    /// The groups of haresources.
    pub groups: Vec<Group>,
    /// Seed of the core's pseudo-random delays.
    pub seed: u64,
    /// `[health]` of hbd.toml.
    #[serde(default)]
    pub health: config::Health,
    /// What the peer is to compare its configuration with.
    #[serde(default)]
    pub fingerprint: config::Fingerprint,
}

/// The state machine. See the module. Plain data too: a recording holds it where it cannot begin at the start.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Core {
    settings: Settings,
    now: Moment,
    out: Vec<Action>,
    random: SplitMix64,
    load: String,
    history: History,
    nodes: Vec<Node>,
    ping_nodes: Vec<PingNode>,
    membership: membership::Membership,
    groups: Groups,
    ownership: resources::Ownership,
    standby: standby::Standby,
    operator: operator::Operator,
    conflict: conflict::Conflict,
    hold: hold::Hold,
    #[serde(default)]
    ipfail: ipfail::Ipfail,
    #[serde(default)]
    fencing: fencing::Fencing,
    carrier: carrier::Carrier,
    legacy: legacy::Legacy,
    resync: resync::Resync,
    report: report::Report,
    unstick: unstick::Unstick,
    leave: leave::Leave,
    #[serde(default)]
    succession: succession::Succession,
    #[serde(default)]
    health: health::Health,
    #[serde(default)]
    maintenance: maintenance::Maintenance,
}

impl Core {
    /// A core that has sent nothing yet. Its first event is [`Event::Start`].
    pub fn new(settings: Settings) -> Self {
        let mut core = Core {
            now: Moment { monotonic: Instant::default(), wall: Duration::ZERO },
            out: Vec::new(),
            random: SplitMix64::new(settings.seed),
            load: "n/a".to_owned(),
            history: History::default(),
            nodes: Vec::new(),
            ping_nodes: settings.ping_nodes.iter().map(|name| PingNode::new(name)).collect(),
            membership: membership::Membership::default(),
            groups: Groups::new(&settings.node, settings.groups.clone()),
            ownership: resources::Ownership::default(),
            standby: standby::Standby::default(),
            operator: operator::Operator::default(),
            conflict: conflict::Conflict::default(),
            hold: hold::Hold::default(),
            ipfail: ipfail::Ipfail::default(),
            fencing: fencing::Fencing::default(),
            carrier: carrier::Carrier::default(),
            legacy: legacy::Legacy::default(),
            resync: resync::Resync::default(),
            report: report::Report::default(),
            unstick: unstick::Unstick::default(),
            leave: leave::Leave::default(),
            succession: succession::Succession::default(),
            health: health::Health::default(),
            maintenance: maintenance::Maintenance::default(),
            settings,
        };
        core.nodes = (core.settings.nodes.clone().iter())
            .map(|name| {
                let trigger = core.random.below(tracking::ACK_PERIOD);
                Node::new(name, core.settings.timing.deadtime, core.settings.links.len(), trigger)
            })
            .collect();
        core
    }

    /// Takes in one event and returns what is to be done about it, in order.
    pub fn handle(&mut self, now: Moment, event: Event) -> Vec<Action> {
        self.now = now;
        match event {
            Event::Adopt(set) => self.adopt(set),
            Event::Start => self.start(),
            Event::Received { link, message } => self.receive(link, &message),
            Event::Deadline => self.tick(),
            Event::StepEnded { step, outcome } => self.step_ended(step, outcome),
            Event::Unit { step, news } => self.unit_news(step, news),
            Event::Request { id, request } => self.request(id, request),
            Event::PingAnswered { node } => self.ping_answered(node),
            Event::LoadAverage(load) => self.load = load,
            Event::Fenced { node, outcome } => self.fence_ended(&node, outcome),
            Event::Policies(policies) => self.watch_addresses(policies),
            Event::Address { step, news } => self.address_news(step, news),
        }
        self.operator_check();
        self.resync_check();
        std::mem::take(&mut self.out)
    }

    /// When the next [`Event::Deadline`] is due; `None` before [`Event::Start`] and after [`Action::Exit`] or
    /// [`Action::HandOver`].
    pub fn next_deadline(&self) -> Option<Instant> {
        if !self.membership.running() {
            return None;
        }
        let deadlines = [
            self.membership_deadline(),
            self.ping_deadline(),
            self.resources_deadline(),
            self.standby.deadline(),
            self.operator.deadline(),
            self.conflict.deadline(),
            self.hold_deadline(),
            self.ipfail.deadline(),
            self.fencing.deadline(),
            self.carrier.deadline(),
            self.legacy.deadline(),
            self.resync.deadline(),
            self.report.deadline(),
            self.unstick.deadline(),
            self.leave.deadline(),
            self.succession.deadline(),
            self.health.deadline(),
            self.groups.next_deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    fn tick(&mut self) {
        if !self.membership.running() {
            return;
        }
        self.ping_tick();
        self.membership_tick();
        let now = self.now.monotonic;
        self.groups.tick(now, &mut self.out);
        self.hold_tick();
        self.ipfail_tick();
        self.fencing_tick();
        self.carrier_tick();
        self.standby_tick();
        self.operator_tick();
        self.resources_tick();
        self.conflict_tick();
        self.legacy_tick();
        self.unstick_tick();
        self.resync_tick();
        self.report_tick();
        self.leave_tick();
        self.health_tick();
        self.succession_check();
    }

    fn request(&mut self, id: u64, request: Request) {
        match request {
            Request::Shutdown => self.leave_requested(),
            Request::Restart => self.restart_requested(),
            Request::Standby(_) | Request::Takeover(_) => self.move_requested(id, request),
            Request::Fence(node) => self.fence_requested(id, node),
            Request::ConfirmFenced(node) => self.fenced_by_hand(id, node),
            Request::Cleanup(group) => self.cleanup(id, group),
            Request::ClearHold(group) => self.hold_cleared(id, group),
            Request::Maintenance(on) => self.maintenance_requested(id, on),
        }
    }

    fn address_news(&mut self, step: Step, news: AddressNews) {
        match news {
            AddressNews::Expired => self.address_expired(step),
            AddressNews::Answered { mac } => self.address_answered(step, mac),
            AddressNews::Silent => self.address_silent(step),
            AddressNews::Service { answers } => self.service_changed(step, answers),
            AddressNews::Claimed { mac, again } => self.address_claimed(step, mac, again),
            AddressNews::Carrier { up } => self.carrier_changed(step, up),
        }
    }

    fn step_ended(&mut self, step: Step, outcome: Outcome) {
        let now = self.now.monotonic;
        if self.groups.ended(step, outcome, now, &mut self.out) {
            self.group_failed(step);
        }
        self.work_settled();
    }

    /// Tells everyone who waits for resources to be up or down that they may be.
    fn work_settled(&mut self) {
        self.standby_settled();
        self.resources_settled();
        self.conflict_settled();
        self.legacy_settled();
        self.leave_settled();
        self.succession_check();
    }

    fn log(&mut self, record: Record) {
        self.out.push(Action::Log(record));
    }

    /// Index of our own entry in the node table.
    fn own(&self) -> Option<usize> {
        self.nodes.iter().position(|node| node.name == self.settings.node)
    }

    /// Index of the one other normal node; `None` unless there are exactly two (03 §1).
    fn peer(&self) -> Option<usize> {
        match self.nodes.len() {
            2 => self.nodes.iter().position(|node| node.name != self.settings.node),
            _ => None,
        }
    }

    fn peer_node(&self) -> Option<&Node> {
        self.peer().map(|index| &self.nodes[index])
    }

    fn peer_name(&self) -> String {
        self.peer_node().map(|node| node.name.clone()).unwrap_or_default()
    }

    fn peer_alive(&self) -> bool {
        self.peer_node().is_some_and(Node::alive)
    }

    /// Whether the peer is an hbd that showed its extensions.
    fn peer_is_hbd(&self) -> bool {
        self.peer_node().is_some_and(|node| node.hbd.is_some())
    }
}
