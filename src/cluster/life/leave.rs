//! How we stop: tell the peer, release everything, say so, keep beating until it must have heard, end (02 §9.1, 03
//! §6.5).
//!
//! Heartbeat's emergency exit after 60 minutes is not here: who ends with resources running makes two owners. What
//! does not stop is tried again, or ends the machine (`stop_failure` in hbd.toml).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::ownership::parting::TOLD_TOGETHER;
use crate::cluster::ownership::state::Decision;
use crate::cluster::timers::Timer;
use crate::cluster::{Action, GroupSet, Record};
use crate::wire::Message;

/// How long a stop waits for a peer that has not decided or for a standby exchange, before it goes on regardless.
const STABILITY_LIMIT: Duration = Duration::from_secs(30);
/// How long we keep beating after `shutdone`, so that what was lost can be sent again (02 §9.1 steps 5 to 7).
const LINGER: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
enum Phase {
    #[default]
    Not,
    /// What a predecessor held is to be given up; that waits until a peer is heard, because an hbd believes only a
    /// node that knows it (05 §3.12).
    Greeting,
    /// Waiting for stability.
    Waiting,
    /// Groups are being stopped.
    Releasing,
    /// `shutdone` is out; the end.
    Lingering,
    /// Exit was ordered.
    Over,
}

/// The stop under way, if any.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Leave {
    phase: Phase,
    /// It speaks for a predecessor: the peers wait for it, also those that were not heard yet.
    #[serde(default)]
    farewell: bool,
    /// What was held when the stop began.
    #[serde(default)]
    gave_up: GroupSet,
    /// What the peer was told to be down of that.
    #[serde(default)]
    told: GroupSet,
    /// Something of these may run here, left by our predecessor. What runs is told before we are active.
    #[serde(default)]
    doubtful: GroupSet,
}

impl Leave {
    /// Whether a stop was asked for.
    pub(in crate::cluster) fn begun(&self) -> bool {
        self.phase != Phase::Not
    }
}

impl Core {
    /// Somebody asked us to stop. Asking again changes nothing.
    pub(in crate::cluster) fn leave_requested(&mut self) {
        if self.leave.begun() {
            return;
        }
        self.log(Record::ShutdownBegins {});
        if !self.membership.active() {
            let settled = self.groups.settled(self.groups.all()) && self.leftovers.is_empty();
            if settled && self.groups.held().is_none() && self.leave.doubtful.is_none() {
                // We hold nothing and were never asked for anything: nobody waits for a farewell.
                self.finish();
            } else {
                // Adopted from our predecessor, or left over.
                self.greet();
            }
            return;
        }
        self.send_status();
        self.leave.phase = Phase::Waiting;
        self.timers.set(Timer::Leave, self.now.monotonic + STABILITY_LIMIT);
        if !self.may_leave() {
            self.log(Record::ShutdownDelayed {});
        }
        self.raise(Fact::PerhapsStable);
    }

    /// Nobody has said yet what of these runs here.
    pub(in crate::cluster) fn leave_doubts(&mut self, set: GroupSet) {
        self.leave.doubtful = set;
    }

    /// The peers were told to wait for a successor of the last hbd, and none comes (05 §3.2).
    pub(in crate::cluster) fn farewell_requested(&mut self) {
        if self.leave.begun() {
            return;
        }
        self.leave.farewell = true;
        self.greet();
    }

    /// Waits until the peer is heard, which then knows us.
    fn greet(&mut self) {
        self.leave.phase = Phase::Greeting;
        self.timers.set(Timer::Leave, self.now.monotonic + LINGER);
        self.greeted();
    }

    /// A peer may have been heard, to which a farewell is to be said.
    pub(in crate::cluster) fn greeted(&mut self) {
        if self.leave.phase == Phase::Greeting && self.peer_node().is_none_or(|peer| peer.heard) {
            self.begin_release();
        }
    }

    fn may_leave(&self) -> bool {
        !self.peer_alive() || self.is_stable()
    }

    /// Something changed that a stop may have waited for.
    pub(in crate::cluster) fn leave_check(&mut self) {
        if self.leave.phase == Phase::Waiting && self.may_leave() {
            self.begin_release();
        }
    }

    fn begin_release(&mut self) {
        self.timers.stop(Timer::Leave);
        self.leave.phase = Phase::Releasing;
        self.raise(Fact::LeaveBegins);
    }

    /// From now on nothing is ours.
    pub(in crate::cluster) fn release_everything(&mut self) {
        self.ownership.decision = Decision::Shutdown;
        self.log(Record::GivingUpAll {});
        self.leave.gave_up = self.groups.held();
        self.release(self.groups.all());
        if !self.membership.active() {
            self.groups.stop_what_may_run(self.leave.doubtful, self.now.monotonic, &mut self.out);
        }
        self.send_resource(false, Some("shutdown"));
    }

    /// Groups, or left-overs, have gone down. `shutdone` is never said before the last of them (03 §14.1 rule 9).
    pub(in crate::cluster) fn leave_settled(&mut self) {
        if self.leave.phase != Phase::Releasing {
            return;
        }
        if self.groups.settled(self.groups.all()) && !self.leftovers_keep_us() {
            self.log(Record::AllRelinquished {});
            self.send(Message::new("shutdone").with("st", "dead"));
            self.leave.phase = Phase::Lingering;
            self.timers.stop(Timer::Leave);
            self.raise(Fact::Relinquished);
        } else if !self.timers.is_set(Timer::Leave) && self.leave.told != self.left_behind() {
            self.timers.set(Timer::Leave, self.now.monotonic + TOLD_TOGETHER);
        }
    }

    /// What we had and is down here, while the rest still stops: a peer that moves groups one by one need not wait
    /// for the slowest (05 §4.6).
    pub(in crate::cluster) fn left_behind(&self) -> GroupSet {
        let leaves = self.leave.phase == Phase::Releasing;
        if leaves { self.down_of(self.leave.gave_up) } else { self.exchange.parting_with().1 }
    }

    fn tell_what_is_left_behind(&mut self) {
        self.leave.told = self.left_behind();
        self.send_resource(false, Some("shutdown"));
    }

    /// Everything is said: we keep beating for a peer that may have to ask for it again.
    pub(in crate::cluster) fn linger(&mut self) {
        if self.leave.farewell || (self.peer_alive() && !self.ownership.other.left()) {
            self.timers.set(Timer::Leave, self.now.monotonic + LINGER);
        } else {
            self.finish();
        }
    }

    /// A stop has waited, or lingered, long enough.
    pub(in crate::cluster) fn leave_due(&mut self) {
        match self.leave.phase {
            Phase::Greeting | Phase::Waiting => self.begin_release(),
            Phase::Releasing => self.tell_what_is_left_behind(),
            Phase::Lingering => self.finish(),
            _ => {}
        }
    }

    fn finish(&mut self) {
        self.leave.phase = Phase::Over;
        self.raise(Fact::Ended);
        self.log(Record::ShutdownComplete { node: self.settings.node.clone() });
        self.out.push(Action::Exit);
    }
}
