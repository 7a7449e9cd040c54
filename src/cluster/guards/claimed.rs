//! Does somebody claim what we serve? (docs/DECISIONS.md "Somebody claims an address we serve")
//!
//! Owns the repeated claims that still count. Yields to the peer that we cannot hear and that serves, too: to a real
//! Heartbeat, because it never will, to an hbd what belongs to that. Has the address defended against everybody else.
//! Whose machine it is, [`super::machines`] says.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::guards::machines::Whose;
use crate::cluster::peer::node::Node;
use crate::cluster::{Action, Class, Instant, Order, Record, Status, Step};
use crate::config::OnClaim;

/// Who claims what we serve.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct ClaimedAddresses {
    /// Who has repeated a claim, since the peer was heard last.
    repeated: Vec<RepeatedClaim>,
    /// What the peer's machine goes on claiming, and between when and when it was heard to.
    #[serde(default)]
    lasting: Vec<(Step, Instant, Instant)>,
}

/// A peer that yields has released by then what it claimed, unless its services take longer to stop.
const LASTING: Duration = Duration::from_secs(20);
/// The same if the peer, as far as we know, has read our haresources, and will yield as soon as it can.
const LASTING_SAME: Duration = Duration::from_secs(120);
/// Owners announce an address once a minute at least, unless they were told otherwise.
const FORGOTTEN: Duration = Duration::from_secs(150);

/// Somebody goes on claiming an address that we serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cluster) struct RepeatedClaim {
    pub(in crate::cluster) step: Step,
    pub(in crate::cluster) mac: String,
    /// The interface on which it was heard.
    pub(in crate::cluster) device: String,
    pub(in crate::cluster) at: Instant,
}

impl Core {
    /// Somebody else claims an address that we serve; the thread of the addresses has defended it once.
    pub(in crate::cluster) fn address_claimed(&mut self, step: Step, mac: String, device: String, again: bool) {
        if !self.groups.runs(step) {
            return;
        }
        let (group, resource) = self.groups.words(step);
        let whose = self.whose(&mac, &device);
        if whose == Whose::Strangers {
            let node = self.peer_name();
            self.complain(Record::StrangerClaims { group, resource, mac: mac.clone(), device: device.clone(), node });
            self.raise(Fact::StrangerClaimed { step, mac: mac.clone(), device: device.clone() });
        } else {
            self.complain(Record::AddressClaimed { group, resource, mac: mac.clone() });
        }
        let fights = self.lan.policy(step.group).is_some_and(|policy| policy.on_claim == OnClaim::Defend);
        if whose == Whose::Strangers || fights {
            self.out.push(Action::Address { step, order: Order::Defend });
        }
        if again && whose != Whose::Strangers {
            self.claimed.repeated.retain(|claim| (claim.step, &claim.mac) != (step, &mac));
            if whose == Whose::Peers {
                self.note_lasting(step);
            }
            self.claimed.repeated.push(RepeatedClaim { step, mac, device, at: self.now.monotonic });
            self.weigh_claims();
        }
    }

    fn note_lasting(&mut self, step: Step) {
        let (now, heard) = (self.now.monotonic, self.peer_last_heard());
        self.claimed.lasting.retain(|(_, since, last)| *since > heard && now.since(*last) <= FORGOTTEN);
        match self.claimed.lasting.iter_mut().find(|(other, ..)| *other == step) {
            Some((.., last)) => *last = now,
            None => self.claimed.lasting.push((step, now, now)),
        }
    }

    /// Whether the peer would have yielded by now if the group were ours by its file, too. Then the nodes have read
    /// different files, and the one whose name sorts last yields.
    fn peer_insists(&self, step: Step) -> bool {
        let heard = self.peer_last_heard();
        let lasting = if self.same_haresources() { LASTING_SAME } else { LASTING };
        let insists = |(other, since, last): &(Step, Instant, Instant)| {
            *other == step && *since > heard && last.since(*since) >= lasting
        };
        self.settings.node > self.peer_name() && self.claimed.lasting.iter().any(insists)
    }

    fn peer_last_heard(&self) -> Instant {
        self.peer_node().and_then(|node| node.last_status).unwrap_or_default()
    }

    /// When repeated claims may begin to count.
    pub(super) fn claims_due(&self) -> Option<Instant> {
        self.unheard_from().filter(|_| !self.claimed.repeated.is_empty()).map(|from| from + Duration::from_millis(1))
    }

    /// Weighs again what others claimed when we had not known yet whether the peer is dead.
    pub(in crate::cluster) fn weigh_claims(&mut self) {
        for claim in std::mem::take(&mut self.claimed.repeated) {
            self.raise(Fact::ClaimRepeated(claim));
        }
    }

    /// Yields to a machine that claims what we serve, if it is the peer, or may be; as long as we do not know whether
    /// that is dead, the claim is kept.
    pub(in crate::cluster) fn weigh_claim(&mut self, claim: RepeatedClaim) {
        let (now, patience) = (self.now.monotonic, self.settings.timing.deadtime);
        let heard = self.peer_last_heard();
        let stranger = self.whose(&claim.mac, &claim.device) == Whose::Strangers;
        if stranger || !self.groups.runs(claim.step) {
            return;
        }
        if self.yields(claim.step) {
            self.log_yield(&claim);
            self.raise(Fact::ClaimYielded(claim));
        } else if claim.at > heard && now.since(claim.at) <= patience {
            self.claimed.repeated.push(claim);
        }
    }

    /// Whether the peer may serve this as well without hearing us, even if we have never heard it since we started. A
    /// real Heartbeat will never let go; of two hbd nodes the one that the group does not belong to does.
    fn yields(&self, step: Step) -> bool {
        let yields = self.lan.policy(step.group).is_some_and(|policy| policy.on_claim == OnClaim::Yield);
        let ours = self.groups.class(step.group) == Class::Local;
        let known = |node: &Node| node.status == Status::Dead || self.conflict.deaf().is_some();
        let silent = |node: &&Node| self.peer_unheard() || known(node) && self.ownership.decided();
        let silent = self.peer_node().filter(silent);
        let insists = self.peer_insists(step);
        let deaf = silent.is_some_and(|node| !ours || insists || node.is_heartbeat()) && !self.ownership.other.left();
        yields && deaf && !self.ownership.gives_up_everything()
    }

    fn log_yield(&mut self, claim: &RepeatedClaim) {
        let (group, resource) = self.groups.words(claim.step);
        let whose = self.whose_in_words(&claim.mac, &claim.device);
        let (node, mac) = (self.peer_name(), claim.mac.clone());
        self.log(Record::GroupYielded { group, resource, node, mac, whose });
    }
}
