//! The state machine itself: its parts, what an event sets off, and the small things that every part needs.
//!
//! Owns the parts, and nothing of what is in them: each is written by its own module only. Who hears what is in
//! [`super::facts`], what is due when in [`super::timers`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::api::event::{Action, AddressNews, Event, Request};
use super::api::group_set::GroupSet;
use super::api::outcome::Outcome;
use super::api::record::Record;
use super::api::settings::Settings;
use super::api::step::Step;
use super::api::time::{Instant, Moment};
use super::api::unit_news::UnitNews;
use super::complaints::Complaints;
use super::facts::Fact;
use super::guards::assurance::Assurance;
use super::guards::carrier::Carrier;
use super::guards::checks::Checks;
use super::guards::claimed::ClaimedAddresses;
use super::guards::condition::Conditions;
use super::guards::fencing::Fencing;
use super::guards::health::Failures;
use super::guards::ipfail::Ipfail;
use super::guards::isolation::Isolation;
use super::guards::lan::Lan;
use super::guards::leftover::LeftoverList;
use super::guards::lost::LostLeases;
use super::guards::machines::Machines;
use super::guards::maintenance::Maintenance;
use super::guards::ready::Readiness;
use super::guards::retry::Retries;
use super::guards::stopped::StoppedUnits;
use super::guards::survey::Survey;
use super::guards::witness::Witness;
use super::heartbeat::legacy::Legacy;
use super::heartbeat::release::Release;
use super::heartbeat::resync::Resync;
use super::life::leave::Leave;
use super::life::restart::Succession;
use super::liveness::echo::Echo;
use super::liveness::hearing::Hearing;
use super::liveness::reading::Reading;
use super::liveness::startup::Membership;
use super::ownership::conflict::Conflict;
use super::ownership::everywhere::{Everywhere, EverywhereStart};
use super::ownership::exchange::Exchange;
use super::ownership::failback::Failback;
use super::ownership::groups::Groups;
use super::ownership::operator::{MoveDirection, Operator};
use super::ownership::orphans::Orphans;
use super::ownership::released::ReleasedUntold;
use super::ownership::state::Ownership;
use super::ownership::undo::Undone;
use super::peer::history::History;
use super::peer::node::Node;
use super::peer::ping::PingedNode;
use super::peer::sequence::ACK_PERIOD;
use super::timers::Timers;
use crate::util::random::SplitMix64;

/// Calls handlers one after the other. What each of them reports is heard before the next one is called.
macro_rules! each {
    ($core:ident; $($handler:ident($($argument:expr),* $(,)?));+ $(;)?) => {
        {
            $(
                $core.$handler($($argument),*);
                $core.hear_facts();
            )+
        }
    };
}
pub(super) use each;

/// The state machine. See the module. Plain data too: a recording holds it where it cannot begin at the start.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Core {
    pub(super) settings: Settings,
    pub(super) now: Moment,
    /// What the event under way leads to.
    pub(super) out: Vec<Action>,
    /// What became true and was not heard yet. Empty between events.
    #[serde(skip)]
    pub(super) facts: Vec<Fact>,
    pub(super) timers: Timers,
    /// Delays need to differ, not to be unpredictable.
    pub(super) random: SplitMix64,
    pub(super) load: String,
    pub(super) complaints: Complaints,
    pub(super) history: History,
    pub(super) nodes: Vec<Node>,
    pub(super) ping_nodes: Vec<PingedNode>,
    pub(super) membership: Membership,
    #[serde(default)]
    pub(super) reading: Reading,
    #[serde(default)]
    pub(super) hearing: Hearing,
    #[serde(default)]
    pub(super) echo: Echo,
    pub(super) groups: Groups,
    #[serde(default)]
    pub(super) everywhere: Everywhere,
    pub(super) ownership: Ownership,
    pub(super) exchange: Exchange,
    #[serde(default)]
    pub(super) failback: Failback,
    #[serde(default)]
    pub(super) undone: Undone,
    pub(super) operator: Operator,
    pub(super) conflict: Conflict,
    #[serde(default)]
    pub(super) released_untold: ReleasedUntold,
    #[serde(default)]
    pub(super) orphans: Orphans,
    pub(super) lan: Lan,
    #[serde(default)]
    pub(super) lost: LostLeases,
    #[serde(default)]
    pub(super) claimed: ClaimedAddresses,
    #[serde(default)]
    pub(super) machines: Machines,
    #[serde(default)]
    pub(super) survey: Survey,
    pub(super) ipfail: Ipfail,
    pub(super) isolation: Isolation,
    pub(super) fencing: Fencing,
    pub(super) carrier: Carrier,
    pub(super) health: Failures,
    #[serde(default)]
    pub(super) conditions: Conditions,
    #[serde(default)]
    pub(super) stopped: StoppedUnits,
    #[serde(default)]
    pub(super) leftovers: LeftoverList,
    /// Of what addresses were left over here and are gone, and the peer has not been told.
    #[serde(default)]
    pub(super) leftovers_gone: GroupSet,
    pub(super) maintenance: Maintenance,
    #[serde(default)]
    pub(super) checks: Checks,
    #[serde(default)]
    pub(super) readiness: Readiness,
    #[serde(default)]
    pub(super) retries: Retries,
    #[serde(default)]
    pub(super) assurance: Assurance,
    #[serde(default)]
    pub(super) witness: Witness,
    pub(super) legacy: Legacy,
    pub(super) resync: Resync,
    pub(super) release: Release,
    pub(super) leave: Leave,
    pub(super) succession: Succession,
}

impl Core {
    /// A core that has sent nothing yet. Its first event is [`Event::Start`].
    pub fn new(settings: Settings) -> Self {
        let everywhere = Everywhere::new(&settings.groups, &settings.everywhere);
        let groups = Groups::new(&settings.node, settings.groups.clone())
            .arranged(&settings.arrangement)
            .passing_over(everywhere.steps());
        let mut core = Core {
            now: Moment { monotonic: Instant::default(), wall: Duration::ZERO },
            out: Vec::new(),
            facts: Vec::new(),
            timers: Timers::default(),
            random: SplitMix64::new(settings.seed),
            load: "n/a".to_owned(),
            complaints: Complaints::default(),
            history: History::default(),
            nodes: Vec::new(),
            ping_nodes: settings.ping_nodes.iter().map(|name| PingedNode::new(name)).collect(),
            membership: Membership::default(),
            reading: Reading::default(),
            hearing: Hearing::default(),
            echo: Echo::default(),
            groups,
            everywhere,
            ownership: Ownership::default(),
            exchange: Exchange::default(),
            failback: Failback::default(),
            undone: Undone::default(),
            operator: Operator::default(),
            conflict: Conflict::default(),
            released_untold: ReleasedUntold::default(),
            orphans: Orphans::default(),
            lan: Lan::default(),
            lost: LostLeases::default(),
            claimed: ClaimedAddresses::default(),
            machines: Machines::default(),
            survey: Survey::default(),
            ipfail: Ipfail::default(),
            isolation: Isolation::default(),
            fencing: Fencing::default(),
            carrier: Carrier::default(),
            health: Failures::default(),
            conditions: Conditions::default(),
            stopped: StoppedUnits::default(),
            leftovers: LeftoverList::default(),
            leftovers_gone: GroupSet::NONE,
            maintenance: Maintenance::default(),
            checks: Checks::new(&settings.checks),
            readiness: Readiness::default(),
            retries: Retries::default(),
            assurance: Assurance::default(),
            witness: Witness::new(settings.known_witness),
            legacy: Legacy::default(),
            resync: Resync::default(),
            release: Release::default(),
            leave: Leave::default(),
            succession: Succession::default(),
            settings,
        };
        core.add_nodes();
        core
    }

    /// The node table, with what an earlier daemon has noted of each node.
    fn add_nodes(&mut self) {
        self.nodes = (self.settings.nodes.clone().iter())
            .map(|name| {
                let trigger = self.random.below(ACK_PERIOD);
                let mut node = Node::new(name, self.settings.timing.deadtime, self.settings.links.len(), trigger);
                if let Some(known) = self.settings.known_peers.iter().find(|known| known.node == *name) {
                    node.is_known(known);
                }
                node
            })
            .collect();
        let peer = self.peer_name();
        self.machines = Machines::known(self.settings.known_peers.iter().find(|known| known.node == peer));
    }

    /// Takes in one event and returns what is to be done about it, in order.
    pub fn handle(&mut self, now: Moment, event: Event) -> Vec<Action> {
        debug_assert!(self.facts.is_empty() && self.out.is_empty(), "the event before this one is not over");
        self.now = now;
        // What a packet changes about the witness is due at once, and one that is not heeded changes nothing.
        let received = matches!(event, Event::Received { .. });
        match event {
            Event::Adopt(adoption) => each!(self; adopt(&adoption)),
            Event::Start => each!(self; start(); start_everywhere()),
            Event::Received { link, message } => each!(self; receive(link, &message)),
            Event::Deadline => self.expire(),
            Event::UnreadDeadline { read_until } => self.expire_unread(read_until),
            Event::Link { link, ability } => each!(self; link_ability(link, ability)),
            Event::StepEnded { step, outcome } => each!(self; step_ended(step, outcome)),
            Event::Unit { step, news } => each!(self; unit_news(step, news)),
            Event::LeftoverEnded { step, outcome } => each!(self; leftover_ended(step, outcome); leave_settled()),
            Event::Request { id, request } => self.request(id, request),
            Event::PingAnswered { node } => each!(self; ping_answered(node)),
            Event::LoadAverage(load) => self.load = load,
            Event::LocalClock { utc_offset } => each!(self; utc_offset_changed(utc_offset)),
            Event::Fenced { node, outcome } => each!(self; fence_ended(&node, outcome)),
            Event::Policies(policies) => each!(self; watch_addresses(policies)),
            Event::OwnMacs { macs, more } => each!(self; own_macs_changed(macs, more)),
            Event::Address { step, news } => self.address_news(step, news),
            Event::Check { check, run, outcome } => each!(self; check_ended(check, run, outcome)),
            Event::Witness { number, news } => each!(self; witness_said(number, news)),
        }
        each!(self; follow_maintenance(); take_what_is_left_behind(); take_what_is_parted_with(); follow_orphans(); hold_whole_classes(); reunite_companies(); check_waiting_move(); resync_check(); report_leftovers_gone(); tell_degraded(); follow_checks(); tell_readiness());
        if !received {
            each!(self; follow_assurance(); follow_witness());
        }
        std::mem::take(&mut self.out)
    }

    fn request(&mut self, id: u64, request: Request) {
        match request {
            Request::Shutdown => each!(self; leave_requested()),
            Request::Restart => each!(self; restart_requested()),
            Request::Farewell => each!(self; farewell_requested()),
            Request::Standby(set) => each!(self; move_requested(id, MoveDirection::ToPeer, set)),
            Request::Takeover(set) => each!(self; move_requested(id, MoveDirection::Here, set)),
            Request::CallOff(number) => each!(self; call_off_move(id, number)),
            Request::StandbyGroups(set) => each!(self; move_named(id, MoveDirection::ToPeer, set)),
            Request::TakeoverGroups(set) => each!(self; move_named(id, MoveDirection::Here, set)),
            Request::Fence(node) => each!(self; fence_requested(id, node)),
            Request::ConfirmFenced(node) => each!(self; fenced_by_hand(id, node)),
            Request::Cleanup(group) => each!(self; cleanup(id, group)),
            Request::StartStopped(since) => each!(self; start_stopped(id, since)),
            Request::ClearHold(group) => each!(self; hold_cleared(id, group)),
            Request::ReturnNow(group) => each!(self; return_now(id, group)),
            Request::CancelReturn(group) => each!(self; cancel_return(id, group)),
            Request::Maintenance(on) => each!(self; maintenance_requested(id, on)),
            Request::GroupMaintenance { set, on } => each!(self; group_maintenance_requested(id, set, on)),
        }
    }

    fn address_news(&mut self, step: Step, news: AddressNews) {
        match news {
            AddressNews::Expired => each!(self; address_expired(step)),
            AddressNews::Refused { reason } => each!(self; unit_news(step, UnitNews::Failed(reason))),
            AddressNews::Found => each!(self; found_running(step)),
            AddressNews::Absent => each!(self; leftover_gone(step); leave_settled()),
            AddressNews::Restored => each!(self; resource_changed(step)),
            AddressNews::Answered { mac, device } => {
                each!(self; note_machine(&mac, &device); address_answered(step, mac, device))
            }
            AddressNews::Unanswered { mac } => each!(self; address_unanswered(step, &mac)),
            AddressNews::Surveyed { device, machines } => {
                each!(self; note_machines(&machines, &device); surveyed(step, device, machines))
            }
            AddressNews::AskedBy { mac, device } => each!(self; note_machine(&mac, &device)),
            AddressNews::Silent => each!(self; address_silent(step)),
            AddressNews::Service { answers } => each!(self; service_changed(step, answers)),
            AddressNews::Claimed { mac, device, again } => {
                each!(self; note_machine(&mac, &device); address_claimed(step, mac, device, again))
            }
            AddressNews::Carrier { up } => each!(self; carrier_changed(step, up)),
        }
    }

    fn step_ended(&mut self, step: Step, outcome: Outcome) {
        if self.everywhere.has(step) {
            return self.everywhere_ended(step, outcome);
        }
        let now = self.now.monotonic;
        let failure = outcome.failure().map(str::to_owned);
        let aborted = outcome.aborted().cloned();
        let attempts = self.groups.stop_attempts(step.group);
        if self.groups.ended(step, outcome, now, &mut self.out) {
            self.raise(Fact::StartFailed { step, reason: failure.unwrap_or_default() });
        } else if let Some(reason) = failure {
            if self.groups.stop_attempts(step.group) > attempts {
                self.raise(Fact::StopFailed { step, reason });
            }
        } else {
            self.raise(Fact::ResourceChanged { step });
            self.tell_aborted(step, aborted);
        }
        self.raise(Fact::GroupsMaySettle);
    }

    /// The same of a unit that both nodes run.
    fn everywhere_ended(&mut self, step: Step, outcome: Outcome) {
        match self.note_everywhere(step, &outcome) {
            EverywhereStart::Pending => {}
            EverywhereStart::Up => {
                self.raise(Fact::ResourceChanged { step });
                self.tell_aborted(step, outcome.aborted().cloned());
            }
            EverywhereStart::Failed => {
                let reason = outcome.failure().unwrap_or_default().to_owned();
                self.raise(Fact::EverywhereFailed { step, reason });
            }
        }
    }

    /// What a stop means that has ended the start of a resource.
    fn tell_aborted(&mut self, step: Step, news: Option<UnitNews>) {
        news.into_iter().for_each(|news| self.raise(Fact::StartAborted { step, news }));
    }

    /// Writes this to the log.
    pub(super) fn log(&mut self, record: Record) {
        self.out.push(Action::Log(record));
    }

    /// Index of our own entry in the node table.
    pub(super) fn own(&self) -> Option<usize> {
        self.nodes.iter().position(|node| node.name == self.settings.node)
    }

    /// Index of the one other normal node; `None` unless there are exactly two (03 §1).
    pub(super) fn peer(&self) -> Option<usize> {
        match self.nodes.len() {
            2 => self.nodes.iter().position(|node| node.name != self.settings.node),
            _ => None,
        }
    }

    /// Its entry in the node table.
    pub(super) fn peer_node(&self) -> Option<&Node> {
        self.peer().map(|index| &self.nodes[index])
    }

    /// Its name; empty without a peer.
    pub(super) fn peer_name(&self) -> String {
        self.peer_node().map(|node| node.name.clone()).unwrap_or_default()
    }

    /// Whether it was heard and is not dead.
    pub(super) fn peer_alive(&self) -> bool {
        self.peer_node().is_some_and(Node::alive)
    }
}
