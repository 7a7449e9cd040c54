//! Who holds what: the nice protocol's ownership (03 §4.1–4.4, §6).
//!
//! Owns the two masks "I hold" and "the other holds", and when we take what. `auto_failback legacy` is run as `on`
//! between two hbd nodes; beside a real Heartbeat it is the room [`super::legacy`]'s.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Core, Instant, Record, Set, Status};
use crate::config::AutoFailback;
use crate::wire::Message;

/// Two nodes that start together wait this long before each takes its own (T10, 03 §4.2).
const LOCAL_TAKEOVER: Duration = Duration::from_secs(10);
/// Period of checks that wait for the peer to finish something (03 §5.2).
const CHECK_AGAIN: Duration = Duration::from_secs(1);
/// Period of `starting` while an active peer does not answer it (03 §16 no. 5).
const STARTING_RETRY: Duration = Duration::from_secs(10);

/// How far we have come in deciding what we own (03 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) enum Decision {
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

/// The ownership masks and their timers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Ownership {
    /// What we consider ours.
    pub(super) hold: Set,
    /// What the peer said it holds, in its own words.
    pub(super) other: Set,
    /// Whether the peer said it had decided, or is dead or gone.
    pub(super) other_stable: bool,
    /// How far we are.
    pub(super) decision: Decision,
    /// `seq` of the last absolute report of the peer's present incarnation; 0 if there was none since its death.
    pub(super) other_order: u64,
    /// What a real Heartbeat's script last said to have been added to that, and its `seq`.
    #[serde(default)]
    other_added: (u64, Set),
    take_local_at: Option<Instant>,
    starting_again: Option<Instant>,
    starting_sent: u32,
    peer_starting: bool,
    /// The peer said that it gives something up and has not yet said that it is done: what it no longer claims may
    /// still run there.
    pub(super) peer_releasing: bool,
    /// The peer said that it has released everything.
    pub(super) peer_left: bool,
    /// We took the peer's groups because it went away.
    need_failback: bool,
    failback_at: Option<Instant>,
    /// Groups are on their way up; say so when they are.
    taking: bool,
    acquired_once: bool,
}

impl Ownership {
    /// Nothing is taken by itself, not even what is ours (03 §7).
    pub(super) fn wait_for_fencing(&mut self) {
        self.take_local_at = None;
        self.starting_again = None;
    }

    /// The peer lives after all: whoever has not decided goes on asking what it holds.
    pub(super) fn ask_again(&mut self, now: Instant) {
        if self.decision != Decision::Stable {
            self.decision = Decision::Starting;
            self.starting_again = Some(now + CHECK_AGAIN);
        }
    }

    /// The peer's report `seq` says this: of all that it has if it is `full`, else of what it has as well.
    fn peer_holds(&mut self, said: Set, full: bool, seq: u64) {
        if full {
            // One that was lost and comes late knows nothing of what was added since.
            let (order, added) = self.other_added;
            self.other = if order > seq { said.with(added) } else { said };
            self.other_order = seq;
        } else if said == Set::NONE {
            self.other = said;
        } else {
            self.other_added = (seq, said);
            self.other = self.other.with(said);
        }
    }
}

impl Core {
    pub(super) fn resources_deadline(&self) -> Option<Instant> {
        let ownership = &self.ownership;
        [ownership.take_local_at, ownership.failback_at, ownership.starting_again].into_iter().flatten().min()
    }

    /// We became active (03 §4.2, first row).
    pub(super) fn resources_up(&mut self) {
        self.ownership.decision = Decision::Starting;
        self.send_starting();
        if self.peer().is_none() {
            return;
        }
        if self.peer_node().is_some_and(|node| node.status == Status::Dead) {
            self.peer_died();
        } else if self.ownership.peer_left {
            self.ownership.need_failback = true;
            self.take_over();
        } else if !self.speaks_nice() {
            self.legacy_up();
        } else if std::mem::take(&mut self.ownership.peer_starting) {
            self.peer_is_starting();
        }
    }

    fn send_starting(&mut self) {
        if !self.speaks_nice() {
            return;
        }
        self.ownership.starting_sent += 1;
        self.ownership.starting_again = Some(self.now.monotonic + STARTING_RETRY);
        self.send(Message::new("starting"));
    }

    /// `starting`: the peer's communication came up and it wants to know what we hold. A report of a later number has
    /// overtaken it if it comes late; then only the answer is due.
    pub(super) fn starting_received(&mut self, from: usize, seq: u64) {
        if Some(from) != self.peer() {
        } else if seq < self.ownership.other_order {
            self.exchanged();
            self.send_resource(self.ownership.decision == Decision::Stable, None);
        } else {
            self.peer_is_starting();
        }
    }

    fn peer_is_starting(&mut self) {
        let ownership = &mut self.ownership;
        ownership.peer_left = false;
        ownership.other_stable = false;
        match ownership.decision {
            // A real node loses it here (02 §11.1); we answer it when we are up.
            Decision::Init => {
                ownership.peer_starting = true;
                return;
            }
            Decision::Starting => ownership.decision = Decision::BothStarting,
            _ => {}
        }
        self.send_resource(self.ownership.decision == Decision::Stable, None);
        self.exchanged();
    }

    /// The peer is starting too: each takes its own after ten seconds. Two hbd nodes need no such wait, their own
    /// groups are disjoint. A peer that has not said `starting` may be stopping, which looks the same (03 §6.5): it
    /// will say `shutdone`, or that it is stable.
    fn exchanged(&mut self) {
        let undecided =
            matches!(self.ownership.decision, Decision::Starting | Decision::BothStarting | Decision::Received);
        if undecided && self.ownership.take_local_at.is_none() {
            let wait = if self.peer_is_hbd() { Duration::ZERO } else { LOCAL_TAKEOVER };
            self.ownership.starting_again = None;
            self.ownership.take_local_at = Some(self.now.monotonic + wait);
        }
    }

    /// `resource` from the peer (03 §4.3).
    pub(super) fn resource_received(&mut self, from: usize, seq: u64, message: &Message) {
        if Some(from) != self.peer() || self.ownership.decision == Decision::Init {
            return;
        }
        self.peer_released(message);
        if message.text("hbd_void").is_some() {
            self.standby_voided(seq);
            self.peer_hears_us();
            if self.ownership.decision == Decision::Stable {
                self.send_resource(true, None);
            }
        }
        if message.text("info") == Some("standby") {
            self.standby_notice(seq);
        }
        let full = message.text("rtype") == Some("full");
        if seq < self.ownership.other_order {
            // A retransmission that a newer absolute report has overtaken: what it replaces or adds is history.
            return;
        }
        let said = message.text("rsc_hold").and_then(Set::parse).unwrap_or(Set::NONE);
        let offered = self.standby.offered() && !self.peer_is_hbd();
        let ownership = &mut self.ownership;
        if matches!(message.text("info"), Some("shutdown" | "standby")) {
            ownership.peer_releasing = true;
        } else if message.text("isstable") == Some("1") && !offered {
            // Not before: the answer to our `starting` carries no info, and may cross or follow the notice.
            ownership.peer_releasing = false;
        }
        ownership.peer_holds(said, full, seq);
        // What a script adds says nothing of what the daemon has decided.
        if full && matches!(ownership.decision, Decision::Starting | Decision::BothStarting) {
            ownership.decision = Decision::Received;
            ownership.starting_again = ownership.take_local_at.is_none().then_some(self.now.monotonic + CHECK_AGAIN);
        }
        // What it says of us once, when it declares us dead, may have been lost, and it hears no question.
        if message.text("hbd_deaf").is_some() {
            self.peer_went_deaf();
        }
        self.health_heard(message);
        self.adoption_checked();
        match message.text("isstable") {
            Some("1") => {
                self.peer_stable();
                self.standby_report();
                self.report_again_soon();
            }
            Some(_) => self.ownership.other_stable = false,
            None => {}
        }
        self.audit(message);
        self.offer_failed();
        self.check_failback();
        self.leave_check();
    }

    /// The peer has decided. Each change to that is answered once (03 §4.3 rule 2, §14.1 rule 4).
    fn peer_stable(&mut self) {
        let edge = !std::mem::replace(&mut self.ownership.other_stable, true);
        if edge {
            self.log(Record::RemoteTransitionCompleted {});
        }
        if self.ownership.decision == Decision::Received {
            if self.ownership.take_local_at.is_none() {
                // It was here before us: our former life may have ended in an exchange with it, too quickly for it to
                // notice. If it does not hang it ignores what would free it.
                self.heartbeat_may_hang();
            }
            self.decide("T_RESOURCES(us)");
        } else if edge {
            self.send_resource(self.ownership.decision == Decision::Stable, None);
        }
    }

    /// Takes our own groups unless the peer holds them; from now on we are stable.
    fn decide(&mut self, reason: &str) {
        self.ownership.take_local_at = None;
        self.ownership.decision = Decision::Stable;
        if !self.ownership.other.foreign {
            self.take(Set::LOCAL);
        }
        self.send_resource(true, None);
        self.report_again_soon();
        self.log(Record::LocalTransitionCompleted {});
        self.initial_acquisition_complete(reason);
    }

    pub(super) fn initial_acquisition_complete(&mut self, reason: &str) {
        if !std::mem::replace(&mut self.ownership.acquired_once, true) {
            self.log(Record::InitialAcquisitionComplete { reason: reason.to_owned() });
        }
    }

    /// Marks the classes as held at once, so that no report in between can tempt the peer, and starts their groups.
    pub(super) fn take(&mut self, set: Set) {
        self.take_anyway(self.takeable(set));
    }

    /// The same in maintenance, too: for what runs here already.
    pub(super) fn take_anyway(&mut self, set: Set) {
        let new = set.without(self.ownership.hold);
        self.ownership.hold = self.ownership.hold.with(set);
        self.claim(new);
        self.conflict.taken(set);
        self.groups.want(set, true, self.now.monotonic, &mut self.out);
    }

    /// Marks the classes as given up and stops their groups.
    pub(super) fn release(&mut self, set: Set) {
        self.ownership.hold = self.ownership.hold.without(set);
        self.groups.want(set, false, self.now.monotonic, &mut self.out);
    }

    /// The peer's silence has lasted its dead time (03 §6.4).
    pub(super) fn peer_died(&mut self) {
        if self.ownership.decision == Decision::Init {
            return;
        }
        self.cancel_standby();
        self.conflict_over();
        self.ipfail.forget();
        let verdict = self.fencing_verdict(self.ownership.peer_left);
        let ownership = &mut self.ownership;
        let left = std::mem::replace(&mut ownership.peer_left, false);
        ownership.peer_releasing = false;
        ownership.other = Set::NONE;
        (ownership.other_order, ownership.other_added) = Default::default();
        ownership.other_stable = true;
        ownership.failback_at = None;
        if ownership.decision == Decision::Shutdown {
            self.leave_check();
            return;
        }
        ownership.need_failback = true;
        let name = self.peer_name();
        let Some(result) = verdict else {
            self.fence_before_takeover();
            return;
        };
        self.send(Message::new("stonith").with("node", &name).with("result", result));
        if left || result == "unneeded" {
            self.log(Record::GaveUpResources { node: name });
        } else {
            self.log(Record::NoFencing {});
            self.log(Record::DisksUnprotected {});
        }
        self.take_over();
        self.leave_check();
    }

    /// Takes everything that the peer no longer has.
    pub(super) fn take_over(&mut self) {
        self.ownership.decision = Decision::Stable;
        self.ownership.take_local_at = None;
        self.ownership.starting_again = None;
        self.legacy_alone();
        let free = self.free_to_take();
        if free != Set::NONE {
            self.acquire_from_peer(free);
        }
        self.resources_settled();
    }

    /// Takes what nobody has any more.
    pub(super) fn acquire_from_peer(&mut self, set: Set) {
        self.log(Record::AcquiringFrom { node: self.peer_name() });
        self.ownership.taking = true;
        self.take(set);
    }

    /// `shutdone`: the peer has released everything and leaves (03 §6.5, §14.1 rule 6).
    pub(super) fn shutdone_received(&mut self, from: usize) {
        if Some(from) != self.peer() {
            return;
        }
        self.log(Record::ShutdownNotice { node: self.peer_name() });
        self.fencing_called_off();
        // Its word counts for more than what we heard on the LAN before it.
        self.hold_over();
        self.cancel_standby();
        self.conflict_over();
        let ownership = &mut self.ownership;
        ownership.other = Set::NONE;
        ownership.other_stable = true;
        ownership.peer_releasing = false;
        ownership.peer_left = true;
        match ownership.decision {
            Decision::Init => {}
            Decision::Shutdown => self.leave_check(),
            _ => {
                ownership.need_failback = true;
                self.take_over();
                self.leave_check();
            }
        }
    }

    /// A new incarnation of the peer: what the old one said is void until the new one speaks.
    pub(super) fn peer_restarted(&mut self) {
        (self.ownership.other_order, self.ownership.other_added) = Default::default();
        self.ownership.other_stable = false;
        self.ownership.peer_starting = false;
        self.ownership.peer_left = false;
        self.ownership.peer_releasing = false;
        self.cancel_standby();
        self.standby.peer_restarted();
        self.conflict_over();
        self.legacy_over();
        self.ipfail.forget();
    }

    /// Groups have come up or gone down.
    pub(super) fn resources_settled(&mut self) {
        if self.ownership.taking && self.groups.settled(self.ownership.hold) {
            self.ownership.taking = false;
            self.log(Record::TakeoverComplete { node: self.peer_name() });
            self.send_resource(true, None);
            self.initial_acquisition_complete("mach_down");
        }
    }

    /// auto_failback on: what we took because the peer went away goes back when it has decided (03 §5.2).
    pub(super) fn check_failback(&mut self) {
        self.ownership.failback_at = None;
        if !self.ownership.need_failback {
            return;
        }
        let wanted = self.ownership.hold.foreign
            && self.settings.auto_failback != AutoFailback::Off
            && self.ownership.decision != Decision::Shutdown;
        if !wanted {
            self.ownership.need_failback = false;
            return;
        }
        // The wish stays until the groups are given: an exchange may be cancelled, a peer may speak whose status was
        // lost and who is still dead to us.
        if self.peer_alive() && !self.conflict.open(self.now.monotonic) && !self.peer_is_worse_connected() {
            self.begin_standby(Set::FOREIGN);
        }
        self.ownership.failback_at = Some(self.now.monotonic + CHECK_AGAIN);
    }

    /// The peer is back, and nothing that it says may show us a change: what we took from it is still to go back.
    pub(super) fn failback_soon(&mut self) {
        if self.ownership.need_failback {
            self.ownership.failback_at = Some(self.now.monotonic + CHECK_AGAIN);
        }
    }

    pub(super) fn resources_tick(&mut self) {
        let now = self.now.monotonic;
        if self.ownership.take_local_at.is_some_and(|due| due <= now) {
            self.ownership.take_local_at = None;
            if self.ownership.peer_releasing {
                self.ownership.take_local_at = Some(now + CHECK_AGAIN);
            } else if matches!(self.ownership.decision, Decision::Received | Decision::BothStarting) {
                self.decide("HB_R_BOTHSTARTING");
            }
        }
        if self.ownership.failback_at.is_some_and(|due| due <= now) {
            self.check_failback();
        }
        if self.ownership.starting_again.is_some_and(|due| due <= now) {
            self.starting_unanswered();
        }
    }

    fn starting_unanswered(&mut self) {
        self.ownership.starting_again = None;
        if self.ownership.decision == Decision::Received && self.peer_alive() && !self.peer_is_hbd() {
            // Our `starting` crossed its own, which our former life heard: it decides nothing until it has seen a report
            // (03 §4.2). One that is stopping does not mind.
            self.send_resource(false, None);
            self.ownership.starting_again = Some(self.now.monotonic + STARTING_RETRY);
        }
        if self.ownership.decision != Decision::Starting || !self.peer_alive() {
            return;
        }
        if self.ownership.starting_sent == 3 {
            let node = self.peer_name();
            self.complain(Record::PeerIsLegacy { node });
        }
        if !self.peer_is_hbd() {
            // One that had exchanged `starting` with our former life answers none any more, and decides nothing until it
            // sees a report (03 §4.2).
            self.send_resource(false, None);
        }
        self.send_starting();
    }

    /// Groups that could not be started here: if the peer is well, it may try (03 §14.3). Repeated at every chance, for
    /// an exchange may be under way now, or the peer be away.
    pub(super) fn offer_failed(&mut self) {
        let failed = self.groups.failed();
        let failed = failed.without(self.peer_unfit_for(failed));
        let now = self.now.monotonic;
        if failed != Set::NONE && !self.conflict.offered_lately(now) && self.begin_standby(failed) {
            self.conflict.offered(now);
            self.moved_by_failure(failed);
        }
    }

    /// Whether our part is decided and nothing is under way (03 §4.4).
    pub(super) fn is_stable(&self) -> bool {
        let ownership = &self.ownership;
        let decided = matches!(ownership.decision, Decision::Init | Decision::Stable | Decision::Shutdown);
        decided
            && ownership.other_stable
            && !self.fencing.waiting()
            && !self.standby.busy()
            && self.groups.settled(Set::ALL)
    }
}
