//! Heartbeat's first protocol, which `auto_failback legacy` or no `auto_failback` at all means (03 §5, §6.7, §14.1
//! rule 16).
//!
//! Owns the exchange `ip-request` / `ip-request-resp`, group by group, beside a real Heartbeat, and the diagnosis
//! of a peer that speaks the other protocol. Between two hbd nodes it is not used (docs/DECISIONS.md "auto_failback
//! legacy or absent"): they speak the nice protocol, and the setting means `on`. The protocol has no reports, so
//! nothing here knows what the peer holds.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::ownership::state::Decision;
use crate::cluster::peer::message::MessageSaid;
use crate::cluster::timers::Timer;
use crate::cluster::{Class, GroupSet, Record, Status};
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
pub(in crate::cluster) struct Legacy {
    /// Groups of ours that the peer has not released yet as far as we know, by index.
    asking: Vec<usize>,
    asked: u32,
    /// Groups that the peer wants, and whether they were ours; answered when they are down.
    owed: Vec<(usize, bool)>,
    /// Groups that the peer asked for while we were in maintenance: answered at its end.
    kept: Vec<usize>,
}

impl Core {
    /// Whether the peer's present incarnation has shown in a status what it is.
    fn peer_is_known(&self) -> bool {
        self.peer_node().is_some_and(|node| node.last_status_order.0 > 0)
    }

    /// We became active beside a living peer: as soon as it can hear us, it is asked for our groups.
    pub(in crate::cluster) fn legacy_begins(&mut self) {
        let gone = self.peer_node().is_none_or(|peer| peer.status == Status::Dead) || self.ownership.other.left();
        if !gone && !self.peer_kind().is_nice() && !self.leave.begun() {
            self.timers.set(Timer::LegacyPeer, self.now.monotonic + PEER_PATIENCE);
            self.legacy_check();
        }
    }

    /// The peer showed itself in a status.
    pub(in crate::cluster) fn legacy_status(&mut self) {
        if self.settings.auto_failback != AutoFailback::Legacy {
            return;
        }
        if !self.peer_kind().is_nice() {
            // It says nothing about its resources: what we do not serve, it does.
            let serves = self.peer_active() && !self.ownership.other.left();
            let others = self.groups.all().without(self.groups.held());
            let holds = if serves { others } else { GroupSet::NONE };
            self.ownership.other_is_legacy(holds);
            self.legacy_check();
            return;
        }
        let undecided = self.timers.is_set(Timer::LegacyPeer) || !self.legacy.asking.is_empty();
        self.stop_asking();
        self.timers.stop(Timer::LegacyRestart);
        if undecided && !self.ownership.gives_up_everything() {
            // An hbd after all: everything else is the nice protocol's.
            self.ownership.other_is_undecided();
            self.raise(Fact::PeerIsHbd);
        }
    }

    /// Nothing is asked of the peer any more.
    fn stop_asking(&mut self) {
        self.timers.stop(Timer::LegacyPeer);
        self.timers.stop(Timer::LegacyRequest);
        self.legacy.asking.clear();
        self.legacy.asked = 0;
    }

    pub(in crate::cluster) fn peer_active(&self) -> bool {
        self.peer_node().is_some_and(|node| node.status == Status::Active)
    }

    fn legacy_check(&mut self) {
        let ready = self.peer_is_known() && self.peer_active();
        if ready && self.timers.stop(Timer::LegacyPeer) {
            self.legacy_decide(true);
        }
    }

    /// There is no transition in this protocol: a node that is active has decided. With `ask` our groups are taken
    /// when the peer has released them, otherwise at once.
    fn legacy_decide(&mut self, ask: bool) {
        self.ownership.decision = Decision::Stable;
        self.ownership.other.decided = true;
        self.legacy.asking = self.groups.of(Class::Local).collect();
        if ask && !self.legacy.asking.is_empty() {
            self.ask_for_groups();
        } else {
            self.legacy.asking.clear();
            self.take(self.groups.local());
            self.say_acquired("ip-request-resp");
        }
    }

    /// `ip-request` for every group that is still to be asked for (03 §6.7).
    pub(in crate::cluster) fn ask_for_groups(&mut self) {
        self.timers.stop(Timer::LegacyRequest);
        if self.legacy.asking.is_empty() || !self.ownership.decided() {
            return;
        }
        self.timers.set(Timer::LegacyRequest, self.now.monotonic + REQUEST_PERIOD);
        if !self.peer_active() || self.maintenance.on() {
            return;
        }
        self.legacy.asked += 1;
        if self.legacy.asked > REQUESTS_IN_VAIN {
            let node = self.peer_name();
            self.complain(Record::RequestUnanswered { node });
        }
        for group in self.legacy.asking.clone() {
            let key = self.groups.key(group).to_owned();
            self.send(Message::new("ip-request").with("ipaddr", &key));
        }
    }

    /// `ip-request-resp`: the peer does not run that group any more; `weown` tells only whether it did (03 §16 no.
    /// 13).
    pub(in crate::cluster) fn ip_response_received(&mut self, key: Option<String>) {
        if !self.ownership.decided() || self.peer_kind().is_nice() {
            return;
        }
        let Some(group) = key.and_then(|key| self.groups.find(&key)) else { return };
        if self.groups.class(group) != Class::Local {
            return;
        }
        self.legacy.asking.retain(|asked| *asked != group);
        if self.legacy.asking.is_empty() {
            self.timers.stop(Timer::LegacyRequest);
            self.legacy.asked = 0;
        }
        if self.groups.wanted(group) {
            // Both ran it, and the peer had perhaps announced it last.
            self.groups.announce_group(group, &mut self.out);
            return;
        }
        self.want_one(group, true);
        if self.legacy.asking.is_empty() {
            self.say_acquired("ip-request-resp");
        }
    }

    /// `ip-request`: the peer wants one of its groups. It gets it in every mode, or it would never run (03 §5.3); a
    /// peer that speaks another protocol than we is named.
    pub(in crate::cluster) fn ip_request_received(&mut self, key: Option<String>) {
        if self.ownership.decision == Decision::Init {
            return;
        }
        let node = self.peer_name();
        if self.settings.auto_failback != AutoFailback::Legacy {
            self.complain(Record::PeerIsLegacy { node: node.clone() });
        }
        let Some(key) = key else { return };
        match self.groups.find(&key).map(|group| (group, self.groups.class(group))) {
            Some((group, Class::Foreign))
                if self.groups.wanted(group) && self.refuses_for_maintenance(GroupSet::one(group)) =>
            {
                self.legacy.kept.retain(|kept| *kept != group);
                self.legacy.kept.push(group);
            }
            Some((group, Class::Foreign)) => self.give_on_request(group),
            Some((_, Class::Local)) => self.complain(Record::HaresourcesDiffer { node, group: key }),
            None => {
                self.complain(Record::HaresourcesDiffer { node, group: key.clone() });
                self.answer_ip_request(&key, false);
            }
        }
    }

    fn give_on_request(&mut self, group: usize) {
        let owned = self.groups.wanted(group) || !self.groups.group_settled(group);
        self.legacy.owed.retain(|(owed, _)| *owed != group);
        self.legacy.owed.push((group, owned));
        self.want_one(group, false);
        self.legacy_settled();
    }

    /// Maintenance is over: what the peer asked for meanwhile is given.
    pub(in crate::cluster) fn answer_kept_requests(&mut self) {
        for group in std::mem::take(&mut self.legacy.kept) {
            let key = self.groups.key(group).to_owned();
            self.ip_request_received(Some(key));
        }
    }

    fn answer_ip_request(&mut self, key: &str, owned: bool) {
        let answer = Message::new("ip-request-resp").with("dest", &self.peer_name()).with("ipaddr", key);
        self.send(answer.with("weown", if owned { "yes" } else { "no" }).with("ok", "OK"));
    }

    /// Groups have gone down: the peer may have them.
    pub(in crate::cluster) fn legacy_settled(&mut self) {
        for (group, owned) in std::mem::take(&mut self.legacy.owed) {
            if self.groups.wanted(group) {
                continue;
            }
            if !self.groups.group_settled(group) {
                self.legacy.owed.push((group, owned));
                continue;
            }
            let key = self.groups.key(group).to_owned();
            self.answer_ip_request(&key, owned);
        }
    }

    /// Wants one group up, or down. One that we get is claimed.
    fn want_one(&mut self, group: usize, wanted: bool) {
        let before = self.groups.held();
        self.groups.want_group(group, wanted, self.now.monotonic, &mut self.out);
        let (new, wall_ms) = (self.groups.held().without(before), self.wall_ms());
        self.ownership.claim(new, wall_ms);
    }

    /// The peer died, left or restarted: requests in either direction are void. What it had is decided by who calls.
    pub(in crate::cluster) fn legacy_over(&mut self) {
        self.legacy.owed.clear();
        self.legacy.asked = 0;
        if self.timers.stop(Timer::LegacyRestart) {
            self.groups.announce(self.groups.held(), &mut self.out);
        }
    }

    /// The peer's groups are ours to take: there is nobody left to ask.
    pub(in crate::cluster) fn legacy_alone(&mut self) {
        self.stop_asking();
        self.legacy_over();
    }

    /// A peer that we had held for dead returns. It restarts itself if it had missed us, too (02 §7.7); then its
    /// `shutdone` leaves everything to us. If it does not, it has been serving its own groups all the time.
    pub(in crate::cluster) fn legacy_returned(&mut self, node: usize) {
        if Some(node) == self.peer() && !self.peer_kind().is_nice() && self.ownership.decided() {
            self.timers.set(Timer::LegacyRestart, self.now.monotonic + RESTART_PATIENCE);
            self.raise(Fact::StorageAtStake { set: self.groups.all() });
        }
    }

    /// A real Heartbeat said that it has declared us dead: if it does not restart itself, it goes on serving our
    /// groups beside us (03 §8.3). Asked for them, it releases them.
    pub(in crate::cluster) fn legacy_declared_dead(&mut self) {
        if self.peer_kind().is_nice() || !self.ownership.decided() {
            return;
        }
        self.legacy.asking = self.groups.of(Class::Local).collect();
        self.timers.set(Timer::LegacyRequest, self.now.monotonic + RESTART_PATIENCE);
    }

    /// A living peer has not become active in time.
    pub(in crate::cluster) fn legacy_peer_overdue(&mut self) {
        self.legacy_decide(false);
    }

    /// A real Heartbeat that returned from a partition has not restarted itself: each keeps its own.
    pub(in crate::cluster) fn legacy_restart_overdue(&mut self) {
        self.log(Record::ConflictLost { node: self.peer_name() });
        self.release(self.groups.foreign());
        self.groups.announce(self.groups.held(), &mut self.out);
        self.legacy.asking = self.groups.of(Class::Local).filter(|group| !self.groups.wanted(*group)).collect();
        self.ask_for_groups();
    }

    /// The nice protocol, from a peer that is no hbd, while we are configured for legacy. True if it is not to be
    /// obeyed: we would answer in a protocol that the rest of our messages does not speak.
    pub(in crate::cluster) fn refuses_nice(&mut self, from: usize, body: &MessageSaid) -> bool {
        if !body.is_nice() || self.peer_kind().is_nice() || Some(from) != self.peer() {
            return false;
        }
        if matches!(body, MessageSaid::Takeover(_)) {
            self.complain(Record::StandbyNeedsNice {});
        } else if self.peer_is_known() {
            let node = self.peer_name();
            self.complain(Record::PeerIsNice { node });
        }
        true
    }
}
