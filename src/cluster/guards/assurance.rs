//! How long is it certain that nobody takes what we hold? With a required witness nothing is held for longer (05
//! §3.15).
//!
//! The peer takes what we hold only when it has been silent to it for a dead time, and only with the witness's key.
//! So we may hold something until a dead time by the peer's clock after the last of our statuses that it has
//! confirmed; or for as long as the key is ours; or if the peer was reset. Before that end comes, what we hold is
//! released, and the leases of addresses never reach beyond it, so that they end even if this machine does nothing
//! any more.
//!
//! Owns what was last said of that to the leases, and what a human or a reset made certain. Never asks the witness:
//! [`super::witness`] does.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::{Action, GroupSet, Instant, Record};

/// Leases are whole seconds, and end that much before what they may reach (docs/DECISIONS.md "Leases").
const LEASE_MARGIN: Duration = Duration::from_millis(1_300);

/// What our clock shows at least when another one, the peer's or the witness's, has gone this far: of any two clocks
/// the slower one goes at least nine tenths as fast as the other (05 §3.15).
pub(super) fn by_our_clock(span: Duration) -> Duration {
    span * 9 / 10
}

/// See the module.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Assurance {
    /// Until then our predecessor was certain.
    inherited: Option<Instant>,
    /// The peer was reset, or a human says that it is off, and it was not heard since.
    peer_is_off: bool,
    told: Option<Told>,
}

/// What the leases were last told.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Told {
    /// From when they run.
    since: Instant,
    /// Whether that was a dead time ago.
    over: bool,
}

impl Core {
    /// Whether the witness decides what may be held: one is required, and there is a peer.
    pub(in crate::cluster) fn needs_assurance(&self) -> bool {
        self.settings.witness.is_some_and(|rules| rules.required) && self.peer().is_some()
    }

    /// Our predecessor was certain until then.
    /// A reset, and a human's word, are true still.
    pub(in crate::cluster) fn inherit_assurance(&mut self, until: Option<Instant>, peer_off: bool) {
        if peer_off {
            self.peer_is_off();
        }
        self.assurance.inherited = until.map(|until| until.min(self.now.monotonic + self.settings.timing.deadtime));
    }

    /// Until when our predecessor was certain.
    pub(super) fn inherited_assurance(&self) -> Option<Instant> {
        self.assurance.inherited
    }

    /// The peer was reset, or a human says that it is off: that stands for the key until the peer is heard.
    pub(in crate::cluster) fn peer_is_off(&mut self) {
        if self.settings.witness.is_some() {
            self.assurance.peer_is_off = true;
        }
    }

    /// The peer is heard.
    pub(in crate::cluster) fn peer_is_on(&mut self, node: usize) {
        if Some(node) == self.peer() {
            self.assurance.peer_is_off = false;
        }
    }

    /// Whether the peer was reset, or is off by a human's word.
    pub fn peer_is_surely_off(&self) -> bool {
        self.assurance.peer_is_off
    }

    /// Until when the peer, which confirmed that it hears us, does not take us for dead, whatever its clock does.
    pub(super) fn peer_waits_until(&self) -> Option<Instant> {
        self.heard_by_peer().map(|since| since + by_our_clock(self.settings.timing.deadtime))
    }

    /// Whether the peer, which is heard and says what it takes in, has taken in nothing of ours for a dead time.
    pub(in crate::cluster) fn peer_is_deaf(&self) -> bool {
        let confirmed = self.peer_waits_until().is_some_and(|until| self.now.monotonic < until);
        self.peer_confirms() && self.peer_alive() && !confirmed
    }

    /// Until when nobody takes what we hold; `None` if that was never certain. For ever where the peer is off.
    fn assured_until(&self) -> Option<Instant> {
        if self.assurance.peer_is_off {
            return Some(Instant(Duration::MAX));
        }
        self.peer_waits_until().max(self.key_until()).max(self.assurance.inherited)
    }

    /// How long from now nobody takes what we hold; `None` without a required witness: that is not limited then.
    pub fn assured_for(&self) -> Option<Duration> {
        let until = self.assured_until().unwrap_or_default();
        self.needs_assurance().then(|| until.since(self.now.monotonic))
    }

    /// Whether there is a group that is ours now. A class without groups is nobody's loss.
    pub(super) fn holds_a_group(&self) -> bool {
        self.groups.held().iter().next().is_some()
    }

    /// Whether what we take now could be held.
    pub(in crate::cluster) fn may_hold_more(&self) -> bool {
        self.assured_for().is_none_or(|left| left > self.time_to_release())
    }

    /// Before this much is left we release what we hold: time to stop services before the addresses are gone, which
    /// is up to [`LEASE_MARGIN`] earlier.
    fn time_to_release(&self) -> Duration {
        (self.settings.timing.deadtime / 4).max(LEASE_MARGIN)
    }

    /// When what we hold must be released unless something is confirmed until then.
    pub(in crate::cluster) fn assurance_due(&self) -> Option<Instant> {
        let holds = self.needs_assurance() && self.holds_a_group();
        holds.then(|| self.assured_until().unwrap_or_default() - self.time_to_release())
    }

    /// Releases what we hold if it is not certain for long enough any more. `until`: what has arrived since is
    /// perhaps not read yet.
    pub(in crate::cluster) fn judge_assurance(&mut self, until: Instant) {
        if self.assurance_due().is_some_and(|due| due <= until) {
            self.give_up_unassured();
        }
    }

    fn give_up_unassured(&mut self) {
        let set = self.groups.held();
        self.log(Record::Unassured { node: self.peer_name(), reason: self.why_no_key() });
        self.raise(Fact::Unassured { set });
    }

    /// After every event: what is not certain any more is released whatever is unread, and the leases are told how
    /// far they may reach.
    pub(in crate::cluster) fn follow_assurance(&mut self) {
        let Some(left) = self.assured_for() else { return };
        if left.is_zero() && self.holds_a_group() {
            self.give_up_unassured();
        }
        self.tell_leases();
    }

    /// Says from when the leases run, if that is news: as if we had sent a status then.
    pub(in crate::cluster) fn tell_leases(&mut self) {
        if !self.needs_assurance() {
            return;
        }
        let (now, timing) = (self.now.monotonic, &self.settings.timing);
        let until = self.assured_until().unwrap_or_default();
        let since = now.min(until - timing.deadtime);
        // Also when they are over: a machine that slept removes its addresses then.
        let over = until <= now;
        let news = |told: Told| since >= told.since + timing.keepalive / 4 || over != told.over;
        if self.assurance.told.is_none_or(news) {
            self.assurance.told = Some(Told { since, over });
            self.out.push(Action::Assured { since });
        }
    }

    /// Leaves out what could not be held.
    pub(in crate::cluster) fn holdable(&self, set: GroupSet) -> GroupSet {
        if self.may_hold_more() { set } else { set.common(self.groups.held()) }
    }
}
