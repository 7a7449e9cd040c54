//! The software of a node: the core of hbd, or the model of a real Heartbeat.

use std::time::Duration;

use hbd::cluster::{
    Action, Core, Event, GroupSet, GroupState, Instant, KnownPeer, Moment, Order, Record, Request, Step,
    WitnessOrder, WitnessStamp,
};
use hbd::wire::Message;

use crate::heartbeat::Heartbeat;
use crate::node::{Left, timing};

/// What a machine wants done.
#[derive(Debug)]
pub enum Deed {
    Send(Message),
    Start(Step),
    Stop(Step),
    StopLeftover(Step),
    Announce(Step),
    Address(Step, Order),
    Log(Record),
    /// The witness is to do something, by the number of the order.
    Witness(u64, WitnessOrder, Option<WitnessStamp>),
    /// Leases of addresses run from here.
    Assured(Duration),
    /// The state directory keeps this of another node.
    Remember(KnownPeer),
    /// The same of the witness.
    RememberWitness(WitnessStamp),
    /// A line that a real Heartbeat would log.
    Say(String),
    Exit,
    /// The daemon ends and leaves what runs to its successor.
    HandOver(Box<Left>),
    /// The process ends and is started again after this time.
    Restart(Duration),
    /// `reboot -nf` (03 §9.2).
    Reboot,
}

/// What hbd says of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// All of it runs here.
    pub active_here: bool,
    /// The other node has it, and all of it runs there.
    pub well_there: bool,
}

/// One node's software.
pub enum Machine {
    Hbd(Box<Core>),
    Heartbeat(Box<Heartbeat>),
}

impl Machine {
    /// `record` hears what a core of hbd decided.
    pub fn handle(&mut self, now: Moment, event: Event, record: impl FnOnce(&[Action])) -> Vec<Deed> {
        match self {
            Machine::Hbd(core) => {
                let heeded = match &event {
                    Event::Received { link, message } => core.heeds(now.monotonic, *link, message),
                    _ => true,
                };
                let actions = core.handle(now, event);
                // The daemon does not even hand over what is not heeded.
                assert!(heeded || actions.is_empty(), "{actions:?}");
                record(&actions);
                assert_eq!(core.check(), Ok(()), "after {actions:?}");
                actions.into_iter().map(|action| deed(core, action)).collect()
            }
            Machine::Heartbeat(model) => model.handle(now, event),
        }
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        match self {
            Machine::Hbd(core) => core.next_deadline(),
            Machine::Heartbeat(model) => model.next_deadline(),
        }
    }

    /// The same while packets wait to be read.
    pub fn next_unread_deadline(&self, read_until: Instant) -> Option<Instant> {
        match self {
            Machine::Hbd(core) => core.next_unread_deadline(read_until),
            Machine::Heartbeat(model) => model.next_deadline(),
        }
    }

    /// Which generation of a node an hbd knows.
    pub fn knows_generation(&self, node: &str) -> Option<u64> {
        let Machine::Hbd(core) = self else { return None };
        core.view().nodes.iter().find(|shown| shown.name == node).map(|shown| shown.generation)
    }

    /// Whether `hbctl status` or `cl_status rscstatus` says `transition`.
    pub fn in_transition(&self) -> bool {
        match self {
            Machine::Hbd(core) => core.view().resource_state == "transition",
            Machine::Heartbeat(model) => !model.is_stable(),
        }
    }

    /// Whether a real Heartbeat claims `group`. The group may be down all the same.
    pub fn heartbeat_claims(&self, group: usize) -> bool {
        match self {
            Machine::Hbd(_) => false,
            Machine::Heartbeat(model) => model.claims(group),
        }
    }

    /// Whether hbd leaves the resources alone.
    pub fn in_maintenance(&self) -> bool {
        matches!(self, Machine::Hbd(core) if core.in_maintenance())
    }

    /// The groups that an operator has named, which hbd leaves alone; `None` for a real Heartbeat.
    pub fn left_alone(&self) -> Option<GroupSet> {
        let Machine::Hbd(core) = self else { return None };
        Some(core.groups_in_maintenance())
    }

    /// Whether hbd believes that the address of `group` is up: then it adds the address again when it is gone
    /// (`address_lost` in src/daemon/core_loop.rs).
    pub fn restores(&self, group: usize) -> bool {
        match self {
            Machine::Hbd(core) => core
                .view()
                .groups
                .get(group)
                .is_some_and(|group| group.running > 0 && group.state != GroupState::Stopped),
            Machine::Heartbeat(_) => false,
        }
    }

    /// What hbd shows of each group; nothing for a real Heartbeat.
    pub fn shown(&self) -> Vec<Shown> {
        let Machine::Hbd(core) = self else { return Vec::new() };
        let view = core.view();
        let Some(peer) = view.nodes.iter().find(|node| !node.local) else { return Vec::new() };
        // One that said that it restarts is not heard for a moment, and nobody says that it is well.
        let heard = peer.dead_time <= timing().deadtime;
        let well = peer.status == "active" && !peer.in_transition && peer.hbd == Some(true);
        let shown = view.groups.iter().map(|shown| Shown {
            active_here: shown.state == GroupState::Active,
            well_there: heard && well && shown.owner.as_deref() == Some(&*peer.name) && !shown.degraded_there,
        });
        shown.collect()
    }

    /// Whether an hbd can tell its peer's machine from others on an interface.
    pub fn recognises_peer_on(&self, device: &str) -> bool {
        matches!(self, Machine::Hbd(core) if core.recognises_peer_on(device))
    }

    /// The nodes that count as active here; `None` if this is not an hbd.
    pub fn active_nodes(&self) -> Option<Vec<bool>> {
        match self {
            Machine::Hbd(core) => Some(core.view().nodes.iter().map(|node| node.status == "active").collect()),
            Machine::Heartbeat(_) => None,
        }
    }
}

/// An operator's request as an event of the core.
pub fn request(request: Request) -> Event {
    Event::Request { id: 0, request }
}

fn deed(core: &Core, action: Action) -> Deed {
    match action {
        Action::Send(message) => Deed::Send(message),
        Action::SendSignedOtherwise(_) => Deed::Say("says that with its other keys, too".to_owned()),
        Action::Start(step) => Deed::Start(step),
        Action::Stop(step) => Deed::Stop(step),
        Action::StopLeftover(step) => Deed::StopLeftover(step),
        Action::Announce(step) => Deed::Announce(step),
        Action::Log(record) => Deed::Log(record),
        Action::Witness { number, order, since } => Deed::Witness(number, order, since),
        Action::Assured { since } => Deed::Assured(since.0),
        Action::RememberWitness(stamp) => Deed::RememberWitness(stamp),
        Action::Remember(known) => Deed::Remember(known),
        Action::Answer { answer, .. } => Deed::Say(format!("answers: {answer:?}")),
        Action::Check { .. } => Deed::Say("has no service to check".to_owned()),
        Action::Fence { .. } => Deed::Say("has nothing to fence with".to_owned()),
        Action::Escalate(step) => Deed::Say(format!("cannot stop {step:?}")),
        Action::HandOver => Deed::HandOver(Box::new(Left {
            stopped: core.stopped_by_hand(),
            held: core.holds(),
            returns: core.returns(),
            stopping: core.still_stopping(),
            peer_off: core.peer_is_surely_off(),
            failback: core.plans_failback(),
            assured_for: core.assured_for(),
            at: Duration::ZERO,
        })),
        Action::Exit => Deed::Exit,
        Action::Address { step, order } => Deed::Address(step, order),
    }
}
