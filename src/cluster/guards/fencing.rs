//! Is the dead node really dead? Before anything of it is taken, it is made so (03 §7, 04 §8).
//!
//! Owns the decision that a node must be reset, the retries, and the memory of what was reset; never runs an agent.
//! Nothing is acquired before a reset succeeded, not even our own groups at a lone start, as with Heartbeat. Unlike
//! Heartbeat, a node that died while it gave something up is not believed to have given it up; a node that is heard
//! again while we wait is let live; so is one that has the witness's key; and a reset that an operator asked for, or
//! that was done already, is not done twice.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::timers::Timer;
use crate::cluster::{Action, Answer, Instant, Record};
use crate::wire::Message;

/// Pause after the first reset that failed (Heartbeat's only one), and the longest one.
const RETRY: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));
/// A status of a node that was just reset may still arrive.
const IN_FLIGHT: Duration = Duration::from_secs(1);
/// While no ping node answers and a takeover needs one, in maintenance, and while the peer has the witness's key,
/// nobody is reset; looked at again this often.
const POSTPONED: Duration = Duration::from_secs(1);

/// Why a node is being reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Reason {
    /// It is dead, and what it had is to be taken.
    Takeover,
    /// An operator's request.
    Operator(u64),
}

/// Resets under way and done.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Fencing {
    /// The agent runs.
    running: Option<Reason>,
    /// A takeover waits for a reset.
    waiting: bool,
    /// Resets in a row that failed.
    failures: u32,
    /// The takeover waits because the peer has the witness's key, and that was said.
    #[serde(default)]
    spared: bool,
    /// The peer's generation that was reset, and when: that incarnation has nothing any more.
    done: Option<(u64, Instant)>,
}

impl Fencing {
    /// Whether a takeover waits for a reset.
    pub(in crate::cluster) fn waiting(&self) -> bool {
        self.waiting
    }
}

impl Core {
    /// Whether there is a device that can reset the peer.
    pub(super) fn can_fence(&self) -> bool {
        self.peer_node().is_some_and(|peer| self.settings.fencing.contains(&peer.name))
    }

    /// What the peer, which has just died, may still hold (03 §6.4 step 4, §14.1 rule 13). `left`: it had said that
    /// it had released everything.
    fn may_hold(&self, left: bool) -> bool {
        let ownership = &self.ownership;
        let other = &ownership.other;
        let knows = other.reported.is_some() && other.decided && !other.releasing();
        let nothing = knows && other.holds.is_none() && !self.exchange.busy();
        !left && !nothing
    }

    /// The peer died; called before its reports are forgotten. What Heartbeat's `stonith` message says about it,
    /// unless a reset must come first: then `None`.
    pub(in crate::cluster) fn fencing_verdict(&self) -> Option<&'static str> {
        let left = self.ownership.other.left();
        let reset = self.peer_node().is_some_and(|peer| {
            let heard = peer.last_status.unwrap_or_default();
            self.fencing.done.is_some_and(|(done, at)| done == peer.generation && heard <= at + IN_FLIGHT)
        });
        if left || reset || self.can_fence() && !self.may_hold(left) {
            Some("unneeded")
        } else if self.can_fence() {
            None
        } else {
            Some("n_stnth")
        }
    }

    /// Whether the incarnation of the peer that we know was reset: it has nothing any more.
    pub(super) fn peer_was_reset(&self) -> bool {
        let peer = self.peer_node().map(|peer| peer.generation);
        self.fencing.done.is_some_and(|(done, _)| Some(done) == peer)
    }

    /// Nothing of the dead peer is taken before it is reset.
    pub(in crate::cluster) fn fence_before_takeover(&mut self) {
        self.fencing.waiting = true;
        (self.fencing.failures, self.fencing.spared) = (0, false);
        self.fencing_due();
    }

    /// The agent is to be run, unless something objects.
    pub(in crate::cluster) fn fencing_due(&mut self) {
        let later = self.now.monotonic + POSTPONED;
        if self.fencing.running.is_some() || !self.fencing.waiting {
            // The agent that runs says how it ended, or nobody waits any more.
        } else if self.maintenance.on() {
            self.timers.set(Timer::Fencing, later);
        } else if self.is_isolated() {
            self.isolation_begins();
            self.timers.set(Timer::Fencing, later);
        } else if self.peer_has_key() {
            // It lives and may serve. Its key ends soon after its death, and then ours comes or none.
            if !std::mem::replace(&mut self.fencing.spared, true) {
                self.log(Record::ResetPutOff { node: self.peer_name() });
            }
            self.timers.set(Timer::Fencing, later);
        } else {
            self.isolation_ends();
            self.run_agent(Reason::Takeover);
        }
    }

    fn run_agent(&mut self, reason: Reason) {
        let node = self.peer_name();
        self.timers.stop(Timer::Fencing);
        self.fencing.running = Some(reason);
        self.log(Record::Resetting { node: node.clone() });
        self.out.push(Action::Fence { node });
    }

    /// The agents of a node have ended; the text says why it is not reset.
    pub(in crate::cluster) fn fence_ended(&mut self, node: &str, outcome: Result<(), String>) {
        if node != self.peer_name() {
            return;
        }
        let Some(reason) = self.fencing.running.take() else { return };
        let done = outcome.is_ok();
        match outcome {
            Ok(()) => self.reset_done(),
            Err(reason) => self.reset_failed(reason),
        }
        if let Reason::Operator(id) = reason {
            self.raise(Fact::Answered { id, answer: if done { Answer::Done } else { Answer::Failed } });
        }
    }

    fn reset_done(&mut self) {
        let node = self.peer_name();
        self.log(Record::NodeReset { node: node.clone() });
        self.fencing.failures = 0;
        self.timers.stop(Timer::Fencing);
        self.raise(Fact::PeerIsOff);
        self.fencing.done = self.peer_node().map(|peer| (peer.generation, self.now.monotonic));
        self.send(Message::new("stonith").with("node", &node).with("result", "OK"));
        // A stop that came meanwhile wants nothing. A node that is still heard will be silent soon, or was not reset.
        if std::mem::take(&mut self.fencing.waiting) && !self.ownership.gives_up_everything() {
            self.raise(Fact::PeerHasNothing);
            self.raise(Fact::PerhapsStable);
        }
    }

    fn reset_failed(&mut self, reason: String) {
        let node = self.peer_name();
        self.log(Record::NotReset { node: node.clone(), reason });
        self.send(Message::new("stonith").with("node", &node).with("result", "bad"));
        if self.fencing.waiting {
            let pause = (RETRY.0 * 2_u32.saturating_pow(self.fencing.failures.min(8))).min(RETRY.1);
            self.fencing.failures += 1;
            self.log(Record::ResetRetried { node, seconds: pause.as_secs() });
            self.timers.set(Timer::Fencing, self.now.monotonic + pause);
        }
    }

    /// The peer is heard while its reset is pending: it is let live. An agent that runs already goes on.
    pub(in crate::cluster) fn fencing_called_off(&mut self) {
        if std::mem::take(&mut self.fencing.waiting) {
            self.timers.stop(Timer::Fencing);
            self.log(Record::ResetCalledOff { node: self.peer_name() });
            self.raise(Fact::ResetNotNeeded);
        }
    }

    /// A node is heard.
    pub(in crate::cluster) fn fencing_heard_from(&mut self, node: usize) {
        if Some(node) == self.peer() {
            self.fencing_called_off();
        }
    }

    /// An incarnation that had been reset is heard again: it was not.
    pub(in crate::cluster) fn reset_disproved(&mut self, node: usize) {
        let generation = self.nodes[node].generation;
        if Some(node) == self.peer() && self.fencing.done.take_if(|(done, _)| *done == generation).is_some() {
            self.log(Record::ResetWasNone { node: self.peer_name() });
        }
    }

    /// `hbctl fence`: on purpose, whatever the node is doing.
    pub(in crate::cluster) fn fence_requested(&mut self, id: u64, node: usize) {
        let answer = if Some(node) != self.peer() || !self.can_fence() {
            Answer::Failed
        } else if self.fencing.running.is_some() {
            Answer::Busy
        } else {
            self.run_agent(Reason::Operator(id));
            return;
        };
        self.raise(Fact::Answered { id, answer });
    }

    /// `hbctl confirm-fenced`: a human has switched the node off. Only for a node whose reset is waited for, and
    /// while no agent is at it.
    pub(in crate::cluster) fn fenced_by_hand(&mut self, id: u64, node: usize) {
        let awaited = Some(node) == self.peer() && self.fencing.waiting && self.fencing.running.is_none();
        let keyless = Some(node) == self.peer() && !self.peer_alive() && self.lacks_key();
        if awaited || keyless {
            self.log(Record::ResetByHand { node: self.peer_name() });
        }
        if awaited {
            self.reset_done();
        } else if keyless {
            self.raise(Fact::PeerIsOff);
            self.raise(Fact::KeyOurs);
        }
        let awaited = awaited || keyless;
        self.raise(Fact::Answered { id, answer: if awaited { Answer::Done } else { Answer::Failed } });
    }

    /// Why nothing of the dead peer is taken.
    pub(super) fn fencing_objection(&self, group: usize) -> Option<String> {
        let waits = self.fencing.waiting && !self.groups.wanted(group);
        let why = if self.peer_has_key() { ": it has the witness's key, so it lives" } else { " yet" };
        waits.then(|| format!("{} is not reset{why}", self.peer_name()))
    }
}
