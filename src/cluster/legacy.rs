//! Heartbeat's first protocol, which `auto_failback legacy` or no `auto_failback` at all means (03 §5, §6.7, §14.1
//! rule 16).
//!
//! Owns the exchange `ip-request` / `ip-request-resp`, group by group, beside a real Heartbeat, and the diagnosis of a
//! peer that speaks the other protocol. Between two hbd nodes it is not used (shared decisions): they speak the nice
//! protocol, and the setting means `on`. The protocol has no reports, so nothing here knows what the peer holds.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::resources::Decision;
use super::{Class, Core, Instant, Record, Set, Status};
use crate::config::AutoFailback;
use crate::wire::Message;

/// How long a living peer that is not `active` yet, and would not hear a request, is waited for.
const PEER_PATIENCE: Duration = Duration::from_secs(10);
/// Period of a request that is not answered. Heartbeat asks once.
const REQUEST_PERIOD: Duration = Duration::from_secs(10);
/// After so many requests in vain the administrator is told.
const REQUESTS_IN_VAIN: u32 = 3;
/// How long a real Heartbeat has to restart itself after a partition (2 s, release, 03 §8.2).
const RESTART_PATIENCE: Duration = Duration::from_secs(15);

/// What we have asked the peer for, and what it has asked us for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Legacy {
    /// We are active, and wait for a peer that is not.
    waiting_until: Option<Instant>,
    /// Groups of ours that the peer has not released yet as far as we know, by index.
    asking: Vec<usize>,
    ask_at: Option<Instant>,
    asked: u32,
    /// Groups that the peer wants, and whether they were ours; answered when they are down.
    owed: Vec<(usize, bool)>,
    /// The peer returned from a partition and should restart itself by then.
    restart_due: Option<Instant>,
}

impl Legacy {
    pub(super) fn deadline(&self) -> Option<Instant> {
        [self.waiting_until, self.ask_at, self.restart_due].into_iter().flatten().min()
    }
}

impl Core {
    /// Whether nice messages are of use to the peer: always, unless we are configured for legacy and it is no hbd.
    pub(super) fn speaks_nice(&self) -> bool {
        self.settings.auto_failback != AutoFailback::Legacy || self.peer_is_hbd()
    }

    /// Whether the peer's present incarnation has shown in a status what it is.
    fn peer_is_known(&self) -> bool {
        self.peer_node().is_some_and(|node| node.last_status_order.0 > 0)
    }

    /// We became active beside a living peer: as soon as it can hear us, it is asked for our groups.
    pub(super) fn legacy_up(&mut self) {
        self.legacy.waiting_until = Some(self.now.monotonic + PEER_PATIENCE);
        self.legacy_check();
    }

    /// The peer showed itself in a status.
    pub(super) fn legacy_status(&mut self) {
        if self.settings.auto_failback != AutoFailback::Legacy {
            return;
        }
        if !self.speaks_nice() {
            // It says nothing about its resources: what we do not serve, it does.
            let serves = self.peer_active() && !self.ownership.peer_left;
            self.ownership.other_stable = true;
            self.ownership.other = if serves { Set::ALL.without(self.ownership.hold).swapped() } else { Set::NONE };
            self.legacy_check();
            return;
        }
        let undecided = self.legacy.waiting_until.is_some() || !self.legacy.asking.is_empty();
        self.legacy = Legacy { owed: std::mem::take(&mut self.legacy.owed), ..Legacy::default() };
        if undecided && self.ownership.decision != Decision::Shutdown {
            // An hbd after all: everything else is the nice protocol's.
            self.ownership.other_stable = false;
            self.resources_up();
        }
    }

    fn peer_active(&self) -> bool {
        self.peer_node().is_some_and(|node| node.status == Status::Active)
    }

    fn legacy_check(&mut self) {
        let ready = self.peer_is_known() && self.peer_active();
        if ready && self.legacy.waiting_until.take().is_some() {
            self.legacy_decide(true);
        }
    }

    /// There is no transition in this protocol: whoever is active has decided. With `ask` our groups are taken when the
    /// peer has released them, otherwise at once.
    fn legacy_decide(&mut self, ask: bool) {
        self.ownership.decision = Decision::Stable;
        self.ownership.other_stable = true;
        self.legacy.asking = self.groups.of(Class::Local).collect();
        if ask && !self.legacy.asking.is_empty() {
            self.ask_for_groups();
        } else {
            self.legacy.asking.clear();
            self.take(Set::LOCAL);
            self.initial_acquisition_complete("ip-request-resp");
        }
    }

    /// `ip-request` for every group that is still to be asked for (03 §6.7).
    fn ask_for_groups(&mut self) {
        self.legacy.ask_at = None;
        if self.legacy.asking.is_empty() || self.ownership.decision != Decision::Stable {
            return;
        }
        self.legacy.ask_at = Some(self.now.monotonic + REQUEST_PERIOD);
        if !self.peer_active() || self.maintenance.on() {
            return;
        }
        self.legacy.asked += 1;
        if self.legacy.asked > REQUESTS_IN_VAIN {
            let node = self.peer_name();
            self.complain(Record::RequestUnanswered { node });
        }
        for group in self.legacy.asking.clone() {
            let key = self.groups.list()[group].key.clone();
            self.send(Message::new("ip-request").with("ipaddr", &key));
        }
    }

    /// `ip-request-resp`: the peer does not run that group any more; `weown` tells only whether it did (03 §16 no. 13).
    pub(super) fn ip_response_received(&mut self, from: usize, message: &Message) {
        let ready = Some(from) == self.peer() && self.ownership.decision == Decision::Stable;
        if !ready || self.speaks_nice() || message.text("ok") != Some("OK") {
            return;
        }
        let Some(group) = message.text("ipaddr").and_then(|key| self.groups.find(key)) else { return };
        if self.groups.class(group) != Class::Local {
            return;
        }
        self.legacy.asking.retain(|asked| *asked != group);
        if self.legacy.asking.is_empty() {
            self.legacy.ask_at = None;
            self.legacy.asked = 0;
        }
        if self.groups.wanted(group) {
            // Both ran it, and the peer had perhaps announced it last.
            self.groups.announce_group(group, &mut self.out);
            return;
        }
        self.groups.want_group(group, true, self.now.monotonic, &mut self.out);
        self.hold_what_is_wanted();
        if self.legacy.asking.is_empty() {
            self.initial_acquisition_complete("ip-request-resp");
        }
    }

    /// `ip-request`: the peer wants one of its groups. It gets it in every mode, or it would never run (03 §5.3); a
    /// peer that speaks another protocol than we is named.
    pub(super) fn ip_request_received(&mut self, from: usize, message: &Message) {
        if Some(from) != self.peer() || self.ownership.decision == Decision::Init {
            return;
        }
        let node = self.peer_name();
        if self.settings.auto_failback != AutoFailback::Legacy {
            self.complain(Record::PeerIsLegacy { node: node.clone() });
        }
        let Some(key) = message.text("ipaddr") else { return };
        match self.groups.find(key).map(|group| (group, self.groups.class(group))) {
            Some((group, Class::Foreign)) if self.maintenance_keeps(from, group, message) => {}
            Some((group, Class::Foreign)) => {
                let owned = self.groups.wanted(group) || !self.groups.group_settled(group);
                self.legacy.owed.retain(|(owed, _)| *owed != group);
                self.legacy.owed.push((group, owned));
                self.groups.want_group(group, false, self.now.monotonic, &mut self.out);
                self.hold_what_is_wanted();
                self.legacy_settled();
            }
            Some((_, Class::Local)) => self.complain(Record::HaresourcesDiffer { node, group: key.to_owned() }),
            None => {
                self.complain(Record::HaresourcesDiffer { node, group: key.to_owned() });
                self.answer_request(key, false);
            }
        }
    }

    fn answer_request(&mut self, key: &str, owned: bool) {
        let answer = Message::new("ip-request-resp").with("dest", &self.peer_name()).with("ipaddr", key);
        self.send(answer.with("weown", if owned { "yes" } else { "no" }).with("ok", "OK"));
    }

    /// Groups have gone down: the peer may have them.
    pub(super) fn legacy_settled(&mut self) {
        for (group, owned) in std::mem::take(&mut self.legacy.owed) {
            if self.groups.wanted(group) {
                continue;
            }
            if !self.groups.group_settled(group) {
                self.legacy.owed.push((group, owned));
                continue;
            }
            let key = self.groups.list()[group].key.clone();
            self.answer_request(&key, owned);
        }
    }

    /// The masks of the nice protocol follow the groups, for whoever looks at them.
    fn hold_what_is_wanted(&mut self) {
        let before = self.ownership.hold;
        let all = |class, held: bool| match self.groups.of(class).next() {
            Some(_) => self.groups.of(class).all(|group| self.groups.wanted(group)),
            None => held,
        };
        let hold = Set { local: all(Class::Local, before.local), foreign: all(Class::Foreign, before.foreign) };
        self.ownership.hold = hold;
        self.claim(hold.without(before));
    }

    /// The peer died, left or restarted: requests in either direction are void. What it had is decided by who calls.
    pub(super) fn legacy_over(&mut self) {
        self.legacy.owed.clear();
        self.legacy.asked = 0;
        let returned = self.legacy.restart_due.take().is_some();
        if returned {
            self.groups.announce(self.ownership.hold, &mut self.out);
        }
    }

    /// The peer's groups are ours to take: there is nobody left to ask.
    pub(super) fn legacy_alone(&mut self) {
        self.legacy.waiting_until = None;
        self.legacy.asking.clear();
        self.legacy.ask_at = None;
        self.legacy_over();
    }

    /// A peer that we had held for dead returns. It restarts itself if it had missed us, too (02 §7.7); then its
    /// `shutdone` leaves everything to us. If it does not, it has been serving its own groups all the time.
    pub(super) fn legacy_returned(&mut self) {
        if !self.speaks_nice() && self.ownership.decision == Decision::Stable {
            self.legacy.restart_due = Some(self.now.monotonic + RESTART_PATIENCE);
            self.let_go_of_storage(Set::ALL);
        }
    }

    /// A real Heartbeat said that it has declared us dead: if it does not restart itself, it goes on serving our groups
    /// beside us (03 §8.3). Asked for them, it releases them.
    pub(super) fn legacy_declared_dead(&mut self) {
        if self.speaks_nice() || self.ownership.decision != Decision::Stable {
            return;
        }
        self.legacy.asking = self.groups.of(Class::Local).collect();
        self.legacy.ask_at = Some(self.now.monotonic + RESTART_PATIENCE);
    }

    pub(super) fn legacy_tick(&mut self) {
        let now = self.now.monotonic;
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if due(self.legacy.waiting_until) {
            self.legacy.waiting_until = None;
            self.legacy_decide(false);
        }
        if due(self.legacy.restart_due) {
            self.legacy.restart_due = None;
            self.log(Record::ConflictLost { node: self.peer_name() });
            self.release(Set::FOREIGN);
            self.groups.announce(self.ownership.hold, &mut self.out);
            self.legacy.asking = self.groups.of(Class::Local).filter(|group| !self.groups.wanted(*group)).collect();
            self.ask_for_groups();
        }
        if due(self.legacy.ask_at) {
            self.ask_for_groups();
        }
    }

    /// The nice protocol, from a peer that is no hbd, while we are configured for legacy. True if it is not to be
    /// obeyed: we would answer in a tongue that the rest of our messages does not speak.
    pub(super) fn nice_heard(&mut self, from: usize, kind: &str) -> bool {
        if self.speaks_nice() || Some(from) != self.peer() {
            return false;
        }
        if kind == "hb_takeover" {
            self.complain(Record::StandbyNeedsNice {});
        } else if self.peer_is_known() {
            let node = self.peer_name();
            self.complain(Record::PeerIsNice { node });
        }
        true
    }
}
