//! What we take, and when: at our start, when the peer has decided, and when it is gone (03 §4.2 to §4.4, §6).
//!
//! Owns the decision. `auto_failback legacy` is run as `on` between two hbd nodes (docs/DECISIONS.md "auto_failback
//! legacy or absent"); beside a real Heartbeat [`crate::cluster::heartbeat::legacy`] decides.

use std::time::Duration;

use super::state::{Decision, Presence};
use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::peer::message::{Holding, Info, Report};
use crate::cluster::timers::Timer;
use crate::cluster::{GroupSet, Record, Set, Status};
use crate::wire::Message;

/// Two nodes that start together wait this long before each takes its own (T10, 03 §4.2).
const LOCAL_TAKEOVER: Duration = Duration::from_secs(10);
/// Period of checks that wait for the peer to finish something (03 §5.2).
const CHECK_AGAIN: Duration = Duration::from_secs(1);
/// Period of `starting` while an active peer does not answer it (03 §16 no. 5).
const STARTING_RETRY: Duration = Duration::from_secs(10);
/// After so many unanswered `starting` the peer is taken to speak Heartbeat's first protocol.
const STARTINGS_IN_VAIN: u32 = 3;

impl Core {
    /// We became active (03 §4.2, first row), or learn late that the peer speaks the nice protocol.
    pub(in crate::cluster) fn acquire_begins(&mut self) {
        if self.ownership.gives_up_everything() || self.leave.begun() {
            // A stop has begun to release what we took up before anybody was heard, or is about to.
            return;
        }
        self.ownership.decision = Decision::Starting;
        // One that is dead is not asked: if it starts at this moment it would think that neither has anything yet.
        if !self.ownership.stopping().is_none() {
            // `starting` would sound as if nothing of it ran here any more.
            self.timers.set(Timer::Starting, self.now.monotonic + CHECK_AGAIN);
        } else if self.peer_node().is_none_or(|peer| peer.status != Status::Dead || peer.is_heartbeat()) {
            self.send_starting();
        }
        if !self.groups.held().is_none() {
            // What our predecessor held was perhaps served by both while nobody was here to hear it.
            self.raise(Fact::TakenUp);
        }
        let Some(peer) = self.peer_node() else { return };
        if peer.status == Status::Dead {
            self.raise(Fact::PeerDead);
        } else if self.ownership.other.left() {
            self.ownership.need_failback = true;
            self.raise(Fact::PeerHasNothing);
        } else if self.peer_kind().is_nice() && self.ownership.other.presence == Presence::Starting {
            self.peer_is_starting();
        }
    }

    fn send_starting(&mut self) {
        if self.peer_kind().is_nice() {
            self.ownership.starting_sent += 1;
            self.timers.set(Timer::Starting, self.now.monotonic + STARTING_RETRY);
            let mut message = Message::new("starting");
            if !self.groups.held().is_none() && self.says_groups() {
                self.add_holding(&mut message);
            }
            self.send(message);
        }
    }

    /// `starting`: the peer's communication came up and it wants to know what we hold. A report of a later number has
    /// overtaken it if it comes late; then only the answer is due. An hbd may hold what its predecessor held, and
    /// says so.
    pub(in crate::cluster) fn starting_received(&mut self, seq: u64, said: &Holding) {
        if self.ownership.other.has_overtaken(seq) {
            self.wait_for_local_takeover();
            self.send_resource(self.ownership.decided(), None);
        } else {
            if said.groups.is_some() {
                self.ownership.other.holds = self.said_to_hold(Set::NONE, said);
            }
            self.peer_is_starting();
        }
    }

    /// The peer takes what we had, or was silent for so long that it may have taken everything: it has decided since
    /// it said `starting`.
    pub(in crate::cluster) fn peer_has_started(&mut self) {
        if self.ownership.other.presence == Presence::Starting {
            self.ownership.other.presence = Presence::Here;
        }
    }

    fn peer_is_starting(&mut self) {
        let ownership = &mut self.ownership;
        ownership.other.decided = false;
        if ownership.other.presence != Presence::Releasing {
            ownership.other.presence = Presence::Here;
        }
        match ownership.decision {
            // A real node loses it here (02 §11.1); we answer it when we are up.
            Decision::Init => {
                ownership.other.presence = Presence::Starting;
                return;
            }
            Decision::Starting => ownership.decision = Decision::BothStarting,
            _ => {}
        }
        self.send_resource(self.ownership.decided(), None);
        self.wait_for_local_takeover();
    }

    /// The peer is starting too: each takes its own after ten seconds. Two hbd nodes need no such wait, their own
    /// groups are disjoint; unless they have read different files: then the one whose name sorts last takes what the
    /// report of the first one leaves. A peer that has not said `starting` may be stopping, which looks the same (03
    /// §6.5): it will say `shutdone`, or that it is stable.
    fn wait_for_local_takeover(&mut self) {
        let undecided =
            matches!(self.ownership.decision, Decision::Starting | Decision::BothStarting | Decision::Received);
        if undecided && !self.timers.is_set(Timer::TakeLocal) {
            let disjoint = self.same_haresources() || self.settings.node < self.peer_name();
            let wait = if self.peer_kind().is_hbd() && disjoint { Duration::ZERO } else { LOCAL_TAKEOVER };
            self.timers.stop(Timer::Starting);
            self.timers.set(Timer::TakeLocal, self.now.monotonic + wait);
        }
    }

    /// A report of the peer that no newer one has overtaken (03 §4.3).
    pub(in crate::cluster) fn report_received(&mut self, seq: u64, report: Report) {
        if self.ownership.other.has_overtaken(seq) {
            // What it replaces or adds is history.
            return;
        }
        let awaited_from_heartbeat = self.exchange.accepted() && !self.peer_kind().is_hbd();
        let hold = self.said_to_hold(report.hold, &report.holding);
        let ownership = &mut self.ownership;
        ownership.other.reports(seq, &report, hold, awaited_from_heartbeat);
        if report.full {
            let keys = report.left_behind.iter().map(String::as_str);
            let down = self.groups.meant(Set::NONE, Some(keys));
            let stops = report.info == Info::Shutdown;
            ownership.other.left_behind = if stops { down } else { GroupSet::NONE };
            ownership.other.parted_with = (seq, if stops { GroupSet::NONE } else { down });
        }
        // What a script adds says nothing of what the daemon has decided.
        if report.full && matches!(ownership.decision, Decision::Starting | Decision::BothStarting) {
            ownership.decision = Decision::Received;
            if self.timers.is_set(Timer::TakeLocal) {
                self.timers.stop(Timer::Starting);
            } else {
                self.timers.set(Timer::Starting, self.now.monotonic + CHECK_AGAIN);
            }
        }
        self.raise(Fact::ReportCounts(report));
    }

    /// What the peer says that it holds. While its file may be another one, what it runs counts as well, whatever it
    /// calls that.
    fn said_to_hold(&self, classes: Set, said: &Holding) -> GroupSet {
        let keys = said.groups.as_ref().map(|groups| groups.iter().map(|(key, _)| key.as_str()));
        self.groups.meant(classes.swapped(), keys).with(self.groups.called_otherwise(&said.resources))
    }

    /// The peer said what it holds before we have decided. What it took up while we were away is its own now.
    pub(in crate::cluster) fn check_adoption(&mut self) {
        if matches!(self.ownership.decision, Decision::Stable | Decision::Shutdown) {
            return;
        }
        let lost = self.groups.held().common(self.ownership.other.holds);
        if !lost.is_none() {
            self.log(Record::AdoptionLost { node: self.peer_name(), set: self.groups.name(lost) });
            if self.peer_kind().is_hbd() {
                // It announces its addresses again when it hears that they are gone here.
                self.raise(Fact::LetGo { set: lost });
            } else {
                self.release(lost);
            }
        }
    }

    /// The peer says whether it has decided. Each change to that is answered once (03 §4.3 rule 2, §14.1 rule 4).
    pub(in crate::cluster) fn peer_decides(&mut self, decided: Option<bool>) {
        match decided {
            Some(true) => {}
            Some(false) => return self.ownership.other.decided = false,
            None => return,
        }
        let news = !std::mem::replace(&mut self.ownership.other.decided, true);
        if news {
            self.log(Record::RemoteTransitionCompleted {});
        }
        if self.ownership.decision == Decision::Received {
            if !self.timers.is_set(Timer::TakeLocal) {
                // It was here before us: our former life may have ended in an exchange with it, too quickly for it to
                // notice. If it does not hang it ignores what would free it.
                self.raise(Fact::PeerMayHang);
            }
            self.decide("T_RESOURCES(us)");
        } else if news {
            self.send_resource(self.ownership.decided(), None);
        }
    }

    /// Takes our own groups unless the peer holds them; from now on we are stable.
    fn decide(&mut self, reason: &str) {
        self.timers.stop(Timer::TakeLocal);
        self.ownership.decision = Decision::Stable;
        let free = self.groups.local().without(self.ownership.other.holds);
        self.take(free);
        self.send_resource(true, None);
        self.raise(Fact::Reported);
        self.log(Record::LocalTransitionCompleted {});
        self.say_acquired(reason);
    }

    /// The peer's silence has lasted its dead time (03 §6.4).
    pub(in crate::cluster) fn peer_died(&mut self) {
        // Before its reports are forgotten: they say what it may still hold.
        let verdict = self.fencing_verdict();
        let left = self.ownership.other.left();
        self.ownership.other.has_nothing(Presence::Here);
        self.ownership.other.forget_reports();
        self.timers.stop(Timer::Failback);
        if self.ownership.gives_up_everything() {
            self.raise(Fact::PerhapsStable);
            return;
        }
        self.ownership.need_failback = true;
        let name = self.peer_name();
        let Some(result) = verdict else {
            self.timers.stop(Timer::TakeLocal);
            self.timers.stop(Timer::Starting);
            self.raise(Fact::ResetNeeded);
            return;
        };
        self.send(Message::new("stonith").with("node", &name).with("result", result));
        if left || result == "unneeded" {
            self.log(Record::GaveUpResources { node: name });
        } else {
            self.log(Record::NoFencing {});
            self.log(Record::DisksUnprotected {});
        }
        self.raise(Fact::PeerHasNothing);
        self.raise(Fact::PerhapsStable);
    }

    /// `shutdone`: the peer has released everything and leaves (03 §6.5, §14.1 rule 6).
    pub(in crate::cluster) fn say_shutdown_notice(&mut self) {
        self.log(Record::ShutdownNotice { node: self.peer_name() });
    }

    /// See [`Core::say_shutdown_notice`].
    pub(in crate::cluster) fn peer_left(&mut self) {
        self.ownership.other.has_nothing(Presence::Left);
        match self.ownership.decision {
            Decision::Init => {}
            Decision::Shutdown => self.raise(Fact::PerhapsStable),
            _ => {
                self.ownership.need_failback = true;
                self.raise(Fact::PeerHasNothing);
                self.raise(Fact::PerhapsStable);
            }
        }
    }

    /// A new incarnation of the peer: what the old one said is void until the new one speaks.
    pub(in crate::cluster) fn peer_restarted(&mut self) {
        let other = &mut self.ownership.other;
        other.forget_reports();
        (other.decided, other.presence, other.is_new) = (false, Presence::Here, true);
    }

    /// The peer has nothing any more: there is nobody to agree with.
    pub(in crate::cluster) fn decide_alone(&mut self) {
        self.ownership.decision = Decision::Stable;
        self.timers.stop(Timer::TakeLocal);
        self.timers.stop(Timer::Starting);
    }

    /// The peer lives after all, before anything of it was taken: if we have not decided, we go on asking what it
    /// holds.
    pub(in crate::cluster) fn ask_peer_again(&mut self) {
        if !self.ownership.decided() {
            self.ownership.decision = Decision::Starting;
            self.timers.set(Timer::Starting, self.now.monotonic + CHECK_AGAIN);
        }
    }

    /// Takes what nobody has any more.
    pub(in crate::cluster) fn take_from_peer(&mut self, set: GroupSet) {
        self.log(Record::AcquiringFrom { node: self.peer_name() });
        self.ownership.taking = true;
        self.take(set);
    }

    /// Groups have come up or gone down.
    pub(in crate::cluster) fn takeover_settled(&mut self) {
        if self.ownership.taking && self.groups.settled(self.groups.held()) {
            self.ownership.taking = false;
            self.log(Record::TakeoverComplete { node: self.peer_name() });
            self.send_resource(true, None);
            self.say_acquired("mach_down");
        }
    }

    /// Both nodes are starting, and have waited for each other long enough.
    pub(in crate::cluster) fn take_local_due(&mut self) {
        if self.ownership.other.releasing() {
            self.timers.set(Timer::TakeLocal, self.now.monotonic + CHECK_AGAIN);
        } else if matches!(self.ownership.decision, Decision::Received | Decision::BothStarting) {
            self.decide("HB_R_BOTHSTARTING");
        }
    }

    /// The peer has not answered our `starting`.
    pub(in crate::cluster) fn starting_unanswered(&mut self) {
        let hbd = self.peer_kind().is_hbd();
        if self.ownership.decision == Decision::Received && self.peer_alive() && !hbd {
            // Our `starting` crossed its own, which our former life heard: it decides nothing until it has seen a
            // report (03 §4.2). One that is stopping does not mind.
            self.send_resource(false, None);
            self.timers.set(Timer::Starting, self.now.monotonic + STARTING_RETRY);
        }
        if self.ownership.decision != Decision::Starting || !self.peer_alive() {
            return;
        }
        if !self.ownership.stopping().is_none() {
            // `starting` would sound as if nothing of it ran here any more.
            self.timers.set(Timer::Starting, self.now.monotonic + CHECK_AGAIN);
            return;
        }
        if self.ownership.starting_sent == STARTINGS_IN_VAIN {
            let node = self.peer_name();
            self.complain(Record::PeerIsLegacy { node });
        }
        if !hbd {
            // One that had exchanged `starting` with our former life answers none any more, and decides nothing
            // until it sees a report (03 §4.2).
            self.send_resource(false, None);
        }
        self.send_starting();
    }
}
