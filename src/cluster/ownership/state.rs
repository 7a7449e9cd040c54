//! Who holds what, as both nodes have said it; the one place where groups become ours, or are ours no more (03 §4.1).
//!
//! Owns the two masks, how far each side has decided, and our claims. [`Core::take`] and [`Core::release`] change
//! what we hold and set the groups going; why something is taken or released is decided elsewhere.
//!
//! What each node holds is known for each group ([`super::groups`]); Heartbeat's two classes are how it is spoken of
//! on the wire, and are derived from the groups ([`super::groups::Groups::classes`]).

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::peer::claims::ClaimTimes;
use crate::cluster::peer::message::{Info, Report};
use crate::cluster::{GroupSet, Record, Step};

/// How far we have come in deciding what we own (03 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::cluster) enum Decision {
    /// Communication is not up.
    #[default]
    Init,
    /// `starting` sent.
    Starting,
    /// Both nodes sent `starting`.
    BothStarting,
    /// Some `resource` was exchanged.
    Received,
    /// Decided.
    Stable,
    /// Leaving.
    Shutdown,
}

/// Whether the peer is there to be counted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::cluster) enum Presence {
    /// It is there, as far as its words go.
    #[default]
    Here,
    /// It said `starting` before we could answer.
    Starting,
    /// It said that it gives something up, and not yet that it is done: what it no longer claims may still run there.
    Releasing,
    /// It said `shutdone`: it has released everything.
    Left,
}

/// What the peer has said of its resources.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct OtherSide {
    /// What it holds.
    pub(in crate::cluster) holds: GroupSet,
    /// Whether it has decided what it holds. True as well of one that is dead or has left: nothing of it is awaited.
    pub(in crate::cluster) decided: bool,
    /// See [`Presence`].
    pub(in crate::cluster) presence: Presence,
    /// `seq` of the last absolute report of its present incarnation; `None` if there was none since its death.
    pub(in crate::cluster) reported: Option<u64>,
    /// It has begun a new life, and was not told yet what we hold.
    #[serde(default)]
    pub(in crate::cluster) is_new: bool,
    /// It stops, and this is down there already, as its last report says.
    #[serde(default)]
    pub(in crate::cluster) left_behind: GroupSet,
    /// It gives a set, and this of it is down there already, as the report of this number says, which is being heard.
    #[serde(default)]
    pub(in crate::cluster) parted_with: (u64, GroupSet),
    /// What a real Heartbeat's script last said to have been added to that, and the `seq` of the script's report.
    added: Option<(u64, GroupSet)>,
}

impl OtherSide {
    /// Whether it is giving something up.
    pub(in crate::cluster) fn releasing(&self) -> bool {
        self.presence == Presence::Releasing
    }

    /// Whether it has released everything and said so.
    pub(in crate::cluster) fn left(&self) -> bool {
        self.presence == Presence::Left
    }

    /// A message of number `seq` comes late: an absolute report has overtaken it.
    pub(in crate::cluster) fn has_overtaken(&self, seq: u64) -> bool {
        self.reported.is_some_and(|reported| seq < reported)
    }

    /// It says that it gives something up.
    pub(super) fn begins_release(&mut self) {
        if !self.left() {
            self.presence = Presence::Releasing;
        }
    }

    /// What it said to be giving up is given up, or is not any more.
    pub(super) fn ends_release(&mut self) {
        if self.releasing() {
            self.presence = Presence::Here;
        }
    }

    /// Forgets its reports: they were those of an incarnation that is gone.
    pub(super) fn forget_reports(&mut self) {
        (self.reported, self.added) = (None, None);
        (self.left_behind, self.parted_with) = Default::default();
    }

    /// It has nothing any more, and nothing of it is awaited.
    pub(super) fn has_nothing(&mut self, presence: Presence) {
        (self.holds, self.decided, self.presence) = (GroupSet::NONE, true, presence);
        (self.left_behind, self.parted_with) = Default::default();
    }

    /// Takes in a report that was not overtaken, which says that it holds `hold`.
    pub(super) fn reports(&mut self, seq: u64, report: &Report, hold: GroupSet, awaited_from_heartbeat: bool) {
        if report.info != Info::None {
            self.begins_release();
        } else if report.stable == Some(true) && !awaited_from_heartbeat {
            // Not while it is to give us something: the answer to our `starting` carries no info, and may cross or
            // follow the notice that it releases.
            self.ends_release();
        }
        if report.full {
            // One that was lost and comes late knows nothing of what was added since.
            let since = self.added.filter(|(order, _)| *order > seq);
            self.holds = hold.with(since.map(|(_, set)| set).unwrap_or_default());
            self.reported = Some(seq);
        } else if hold.is_none() {
            self.holds = GroupSet::NONE;
        } else {
            self.added = Some((seq, hold));
            self.holds = self.holds.with(hold);
        }
    }
}

/// What both sides hold.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Ownership {
    /// When we claimed what we hold, for an hbd peer.
    claims: ClaimTimes,
    /// What is to be another's, and still on its way down here.
    stopping: GroupSet,
    /// How far we are.
    pub(in crate::cluster) decision: Decision,
    /// What the peer has said.
    pub(in crate::cluster) other: OtherSide,
    /// We took the peer's groups because it went away.
    pub(super) need_failback: bool,
    /// We have taken these up from our predecessor, and by a changed haresources they prefer the peer.
    #[serde(default)]
    pub(in crate::cluster) to_return: GroupSet,
    /// Groups are on their way up that the peer left; a record says when they are up.
    pub(super) taking: bool,
    acquired_once: bool,
    /// How often `starting` was sent.
    pub(super) starting_sent: u32,
}

impl Ownership {
    /// Whether we have decided what we hold, and are not leaving.
    pub(in crate::cluster) fn decided(&self) -> bool {
        self.decision == Decision::Stable
    }

    /// The nodes disagree about whose these are, and we take them: they go to the peer when both have read the same
    /// file and that says so.
    pub(super) fn return_when_agreed(&mut self, set: GroupSet) {
        self.to_return = self.to_return.with(set);
    }

    /// Whether we took the peer's groups because it went away.
    pub(in crate::cluster) fn plans_failback(&self) -> bool {
        self.need_failback
    }

    /// Whether groups were taken from the peer because it went away, by us or by our predecessor, and are to go back.
    pub(in crate::cluster) fn plan_failback(&mut self, planned: bool) {
        self.need_failback = planned;
    }

    /// Whether this node stops, and nothing is its own any more.
    pub(in crate::cluster) fn gives_up_everything(&self) -> bool {
        self.decision == Decision::Shutdown
    }

    /// When we claimed what.
    pub(in crate::cluster) fn claims(&self) -> &ClaimTimes {
        &self.claims
    }

    /// What is to be another's, and still on its way down here.
    pub(in crate::cluster) fn stopping(&self) -> GroupSet {
        self.stopping
    }

    /// These are to be another's, and still on their way down.
    pub(in crate::cluster) fn mark_stopping(&mut self, set: GroupSet) {
        self.stopping = self.stopping.with(set);
    }

    /// Nothing is on its way down for another any more.
    pub(in crate::cluster) fn has_stopped(&mut self) {
        self.stopping = GroupSet::NONE;
    }

    /// In Heartbeat's first protocol groups move one by one; this is claimed now.
    pub(in crate::cluster) fn claim(&mut self, new: GroupSet, wall_ms: u64) {
        self.claims.made(new, wall_ms);
    }

    /// There is no transition in Heartbeat's first protocol: the peer has decided, and holds this.
    pub(in crate::cluster) fn other_is_legacy(&mut self, holds: GroupSet) {
        (self.other.holds, self.other.decided) = (holds, true);
    }

    /// A peer that seemed to speak the first protocol is an hbd: it has not decided yet.
    pub(in crate::cluster) fn other_is_undecided(&mut self) {
        self.other.decided = false;
    }
}

impl Core {
    /// Whether a peer that is not starting has not said what it holds since it was dead, or since we started.
    pub(super) fn peer_owes_report(&self) -> bool {
        self.ownership.other.reported.is_none() && self.peer_active()
    }

    /// The exchange that this node wants cannot begin.
    pub(super) fn log_in_flux(&mut self, node: &str) {
        let whose = if self.ownership.other.decided { "local resources" } else { "Other side is" };
        self.log(Record::StandbyInFlux { node: node.to_owned(), whose: whose.to_owned() });
    }

    /// Marks the groups as held at once, so that no report in between can tempt the peer, and starts their groups.
    /// In maintenance, and of what this node could not serve, only what is held already.
    pub(in crate::cluster) fn take(&mut self, set: GroupSet) {
        let barred = self.barred().without(self.groups.held());
        self.take_given(set.without(barred));
    }

    /// The same with what the peer has given up for us: if this node is not ready any more, nobody else has it.
    pub(in crate::cluster) fn take_given(&mut self, set: GroupSet) {
        let set = set.without(self.left_alone().without(self.groups.held()));
        let set = self.holdable(set);
        self.take_in_maintenance_too(set);
    }

    /// The same in maintenance, too: for what runs here already.
    pub(in crate::cluster) fn take_in_maintenance_too(&mut self, set: GroupSet) {
        let wall_ms = self.wall_ms();
        let new = set.without(self.groups.held());
        let ownership = &mut self.ownership;
        ownership.claims.made(new, wall_ms);
        ownership.stopping = ownership.stopping.without(set);
        self.groups.distrust(&self.conditions.down(new));
        self.groups.want(set, true, self.now.monotonic, &mut self.out);
        if !new.is_none() {
            self.raise(Fact::WantedAgain { set: new });
        }
    }

    /// What runs here already, left by our predecessor, is ours. `stopped`: these were stopped by hand, and stay so.
    pub(in crate::cluster) fn take_up(&mut self, set: GroupSet, stopped: &[Step]) {
        let wall_ms = self.wall_ms();
        self.ownership.claims.made(set, wall_ms);
        self.groups.adopt(set, stopped, self.now.monotonic, &mut self.out);
    }

    /// Marks the groups as given up and stops them.
    pub(in crate::cluster) fn release(&mut self, set: GroupSet) {
        self.groups.want(set, false, self.now.monotonic, &mut self.out);
    }

    /// Our wall clock in milliseconds, for claims.
    pub(in crate::cluster) fn wall_ms(&self) -> u64 {
        u64::try_from(self.now.wall.as_millis()).unwrap_or(u64::MAX)
    }

    /// We have what is ours to have, for the first time since we started: said once.
    pub(in crate::cluster) fn say_acquired(&mut self, reason: &str) {
        if !std::mem::replace(&mut self.ownership.acquired_once, true) {
            self.log(Record::InitialAcquisitionComplete { reason: reason.to_owned() });
        }
    }

    /// Whether our part and the peer's are decided and nothing is under way (03 §4.4).
    pub(in crate::cluster) fn is_stable(&self) -> bool {
        let ownership = &self.ownership;
        let decided = matches!(ownership.decision, Decision::Init | Decision::Stable | Decision::Shutdown);
        decided
            && ownership.other.decided
            && !self.fencing.waiting()
            && !self.exchange.busy()
            && self.groups.settled(self.groups.all())
    }
}
