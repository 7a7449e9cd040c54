//! The third vote: a key at a witness, which only one of two nodes that do not hear each other can have (05 §3.15).
//!
//! Nodes that hear each other ask nobody. One that has something and is not confirmed any more asks before the other
//! one may take it; one that is about to take something of a node that is silent asks, a little later, too. So of two
//! living nodes the owner is the first. Who hears the other one again gives the key back.
//!
//! Owns the orders under way, the key, and what is known of the witness. What may be held while we have the key, or
//! not, is decided by [`super::assurance`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::assurance::by_our_clock;
use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::{Action, Instant, Record, Status, WitnessNews, WitnessOrder, WitnessStamp};

/// Between two looks at a witness that nobody needs: to know that it is there, and how far it has come.
const LOOK: Duration = Duration::from_secs(10);

/// So many orders may be under way; what is not answered by then is not waited for.
const UNDER_WAY: usize = 8;

/// The third vote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitnessView {
    /// What was last heard of it, without subject and full stop.
    pub words: String,
    /// Whether it answered the last order, and is believed.
    pub well: bool,
    /// Whether its key is this node's now.
    pub has_key: bool,
    /// Whether nothing is taken or kept without it: `required`.
    #[serde(default)]
    pub required: bool,
}

/// An order that is not answered yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Sent {
    number: u64,
    order: WitnessOrder,
    at: Instant,
    /// How far the witness had come by then: what it answers cannot be older.
    seen: Option<WitnessStamp>,
}

/// The key is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Key {
    /// Since when, without a pause.
    since: Instant,
    /// When the order was sent by which it is ours now.
    asked: Instant,
    /// Until when, whatever happens at the witness: less than its own time, for clocks that run differently.
    until: Instant,
}

/// See the module.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Witness {
    last_number: u64,
    under_way: Vec<Sent>,
    key: Option<Key>,
    /// When the key was ours last, while it is not.
    #[serde(default)]
    was_ours: Option<Instant>,
    /// An order may have made the key ours, and we do not know.
    perhaps_ours: bool,
    /// The key was given back by this order: what was sent before says nothing of now.
    given: u64,
    /// Until then we do not ask: the key was of no use to us, and may be of use to the other node.
    rests_until: Option<Instant>,
    /// Which node had the key when this was asked, if the last answer said so.
    theirs: Option<(String, Instant)>,
    /// When the last order was sent.
    sent: Option<Instant>,
    /// The witness that was seen last.
    stamp: Option<WitnessStamp>,
    /// Why nothing that it says counts, until the nodes hear each other.
    doubt: Option<String>,
    /// Why the last order failed; `None` if it was answered.
    trouble: Option<String>,
}

impl Witness {
    /// Nothing ordered yet. `known`: the witness that an earlier daemon saw last.
    pub(in crate::cluster) fn new(known: Option<WitnessStamp>) -> Witness {
        Witness { stamp: known, ..Witness::default() }
    }
}

impl Core {
    /// Until when the key is ours for certain.
    pub(super) fn key_until(&self) -> Option<Instant> {
        self.witness.key.map(|key| key.until)
    }

    /// Whether the key was ours until a moment ago, that is until the nodes heard each other: then this node took
    /// what both hold by right (05 §5.3). `None` where no witness is asked, or where one is required, and nothing is
    /// held by both.
    pub(in crate::cluster) fn key_for_claims(&self) -> Option<bool> {
        self.settings.witness.filter(|rules| !rules.required)?;
        let lately = |at: Instant| self.now.monotonic < at + self.settings.timing.deadtime * 2;
        Some(
            self.key_until().is_some_and(|until| self.now.monotonic < until)
                || self.witness.was_ours.is_some_and(lately),
        )
    }

    /// Whether a witness is required and its key is ours for long enough to take something.
    pub(in crate::cluster) fn holds_the_key(&self) -> bool {
        self.needs_assurance() && self.key_until() > Some(self.now.monotonic + self.settings.timing.deadtime / 2)
    }

    /// Whether the other node is known to have the key.
    fn is_denied(&self) -> bool {
        let ttl = self.settings.witness.map(|rules| rules.ttl).unwrap_or_default();
        self.witness.theirs.as_ref().is_some_and(|(_, asked)| self.now.monotonic < *asked + ttl)
    }

    /// Whether the peer is known to have the key: then it lives, or died less than the key's time ago.
    pub(super) fn peer_has_key(&self) -> bool {
        let is_peers = |(holder, _): &(String, Instant)| *holder == self.peer_name();
        self.is_denied() && self.witness.theirs.as_ref().is_some_and(is_peers)
    }

    /// Whether nothing of a peer that is not heard may be taken for want of the key. One that has left has nothing,
    /// and its next life takes nothing sooner than one that hears us would.
    pub(in crate::cluster) fn lacks_key(&self) -> bool {
        let Some(rules) = self.settings.witness.filter(|_| self.peer().is_some()) else { return false };
        // What is taken for a shorter time would be released again at once.
        let long_enough = self.now.monotonic + self.settings.timing.deadtime / 2;
        let left = self.ownership.other.left() && self.peer_waits_until() > Some(long_enough);
        let free = self.key_until() > Some(long_enough) || self.peer_is_surely_off() || left;
        !free && (rules.required || self.is_denied())
    }

    /// Whether the peer confirms nothing any more: it is dead, or has left.
    fn peer_is_gone(&self) -> bool {
        let dead = self.peer_node().is_none_or(|peer| peer.status == Status::Dead);
        dead || self.ownership.other.left()
    }

    /// When we need the key for what we have: half a dead time before the peer may take us for dead; at once if it is
    /// gone. `None` if we have nothing.
    fn keeps_by_key(&self) -> Option<Instant> {
        let has = self.holds_a_group() || !self.groups.settled(self.groups.all());
        let waits = self.peer_waits_until().filter(|_| !self.peer_is_gone());
        let waits = waits.max(self.inherited_assurance()).unwrap_or_default();
        has.then(|| waits - self.settings.timing.deadtime / 2)
    }

    /// When we need the key to take what a silent peer has: later than that one asks for it, if it lives; at once if
    /// it is gone. `None` if there is nothing that we would take.
    fn takes_by_key(&self) -> Option<Instant> {
        let wanted = self.groups.all().without(self.groups.held()).without(self.barred());
        if wanted.iter().next().is_none() || self.maintenance.on() || self.ownership.gives_up_everything() {
            return None;
        }
        // A peer that does not hear us, and that has let go of something, does not come back to it without the key.
        if self.peer_is_gone() || self.peer_is_deaf() && self.conflict.nobody_holds() {
            return Some(self.witness.rests_until.unwrap_or_default());
        }
        self.death_due(self.peer()?).map(|death| death - self.settings.timing.deadtime / 4)
    }

    /// Whether the nodes hear each other, both for a while to come, and we do not have the key: only then nobody may
    /// have it.
    fn depends_on_nobody(&self) -> bool {
        let long_enough = Some(self.now.monotonic + self.settings.timing.deadtime / 2);
        let heard = self.peer().and_then(|peer| self.death_due(peer)) > long_enough;
        let confirmed = self.peer_waits_until() > long_enough && !self.peer_is_gone();
        heard && confirmed && self.witness.key.is_none()
    }

    /// When we need the key; `None` if not before something else happens.
    fn key_needed(&self) -> Option<Instant> {
        self.keeps_by_key().into_iter().chain(self.takes_by_key()).min()
    }

    /// Whether what we hold is ours only by what our predecessor knew, which may have been the key.
    fn relies_on_predecessor(&self) -> bool {
        let now = Some(self.now.monotonic);
        self.inherited_assurance() > now && self.peer_waits_until() <= now
    }

    /// Between two orders of which the first had no success.
    fn retry_pause(&self) -> Duration {
        (self.settings.timing.deadtime / 16).clamp(Duration::from_millis(50), Duration::from_secs(1))
    }

    /// When the next order is due, and what it is.
    fn next_order(&self) -> Option<(Instant, WitnessOrder)> {
        let rules = self.settings.witness.filter(|_| self.membership.running() && self.peer().is_some())?;
        let witness = &self.witness;
        let again = witness.sent.map_or(Instant::default(), |sent| sent + self.retry_pause());
        let needed = self.key_needed();
        if needed.is_some_and(|due| due <= self.now.monotonic) {
            return Some(match witness.key {
                Some(key) => (again.max(key.asked + rules.ttl / 4), WitnessOrder::Renew),
                None => (again, WitnessOrder::Ask),
            });
        }
        let idle = if witness.doubt.is_some() && self.depends_on_nobody() {
            // Soon it may be needed: it is to be believed by then.
            (again, WitnessOrder::Look)
        } else if (witness.key.is_some() || witness.perhaps_ours) && !self.relies_on_predecessor() {
            (again, WitnessOrder::Give)
        } else {
            (witness.sent.map_or(Instant::default(), |sent| sent + LOOK), WitnessOrder::Look)
        };
        Some(needed.map(|due| (due.max(again), WitnessOrder::Ask)).filter(|ask| ask.0 < idle.0).unwrap_or(idle))
    }

    /// When the witness is asked next, the key ends, or something must be released for want of it.
    pub(in crate::cluster) fn witness_due(&self) -> Option<Instant> {
        let order = self.next_order().map(|(due, _)| due);
        order.into_iter().chain(self.key_until()).chain(self.assurance_due()).min()
    }

    /// After every event: gives the order that is due.
    pub(in crate::cluster) fn follow_witness(&mut self) {
        let now = self.now.monotonic;
        if let Some(key) = self.witness.key.take_if(|key| key.until <= now) {
            (self.witness.perhaps_ours, self.witness.was_ours) = (true, Some(key.until));
            self.log(Record::KeyLost { reason: self.why_no_key() });
        }
        self.rest_without_use();
        if let Some((_, order)) = self.next_order().filter(|(due, _)| *due <= now) {
            self.order(order);
        }
    }

    /// We have had the key for a while and could take nothing with it: perhaps the other node can.
    fn rest_without_use(&mut self) {
        let (now, patience) = (self.now.monotonic, self.settings.timing.deadtime * 2);
        let unused = !self.holds_a_group() && self.groups.settled(self.groups.all());
        if unused && self.witness.key.is_some_and(|key| key.since + patience <= now) {
            self.witness.rests_until = Some(now + patience);
        }
    }

    fn order(&mut self, order: WitnessOrder) {
        let now = self.now.monotonic;
        let witness = &mut self.witness;
        witness.last_number += 1;
        let number = witness.last_number;
        if order == WitnessOrder::Give {
            witness.was_ours = witness.key.map(|_| now).or(witness.was_ours);
            (witness.key, witness.given) = (None, number);
        }
        if witness.under_way.len() == UNDER_WAY {
            witness.under_way.remove(0);
        }
        witness.under_way.push(Sent { number, order, at: now, seen: witness.stamp });
        witness.sent = Some(now);
        let since = witness.stamp;
        self.out.push(Action::Witness { number, order, since });
    }

    /// The witness has answered.
    pub(in crate::cluster) fn witness_said(&mut self, number: u64, news: WitnessNews) {
        let Some(index) = self.witness.under_way.iter().position(|sent| sent.number == number) else { return };
        let sent = self.witness.under_way.remove(index);
        let (stamp, holder) = match news {
            WitnessNews::Failed(reason) => return self.witness_failed(sent, reason),
            WitnessNews::Ours { stamp } => (stamp, Some(self.settings.node.clone())),
            WitnessNews::Theirs { stamp, holder } => (stamp, Some(holder)),
            WitnessNews::Nobodys { stamp } => (stamp, None),
        };
        // To make the key ours is a change of its own.
        let changed = sent.order == WitnessOrder::Ask && holder.as_deref() == Some(&*self.settings.node);
        if let Err(reason) = self.believe(sent, stamp, changed.into()) {
            return self.witness_failed(sent, reason);
        }
        if self.witness.trouble.take().is_some() {
            self.log(Record::WitnessAnswers {});
        }
        match holder {
            Some(holder) if holder == self.settings.node => self.key_is_ours(sent),
            other => self.key_is_not_ours(sent, other),
        }
    }

    /// Whether a witness can have said this: it is the one that was seen before, and has not gone back since the
    /// order was sent: what it was then, and the changes that the order has made, are behind it. One that is not
    /// believed stays so, because it forgot whose key it was, until nothing depends on it.
    fn believe(&mut self, sent: Sent, stamp: WitnessStamp, changes: u64) -> Result<(), String> {
        let idle = self.depends_on_nobody();
        if let Some(seen) = sent.seen {
            if stamp.cluster != seen.cluster {
                self.witness.doubt = Some("it is another witness than before".to_owned());
            } else if stamp.revision < seen.revision + changes {
                self.witness.doubt = Some("it has gone back, perhaps to a backup".to_owned());
            }
        }
        match self.witness.doubt.take_if(|_| idle && sent.order == WitnessOrder::Look) {
            Some(reason) => self.log(Record::WitnessReplaced { reason }),
            None => self.witness.doubt.clone().map_or(Ok(()), Err)?,
        }
        let newer = self.witness.stamp.is_none_or(|known| {
            known.cluster != stamp.cluster
                || known.revision < stamp.revision
                || sent.order == WitnessOrder::Look && idle
        });
        if newer && self.witness.stamp.replace(stamp) != Some(stamp) {
            self.out.push(Action::RememberWitness(stamp));
        }
        Ok(())
    }

    fn witness_failed(&mut self, sent: Sent, reason: String) {
        if matches!(sent.order, WitnessOrder::Ask | WitnessOrder::Renew) {
            self.witness.perhaps_ours = true;
        }
        if self.witness.trouble.replace(reason.clone()).is_none() {
            self.log(Record::WitnessSilent { reason });
        }
    }

    fn key_is_ours(&mut self, sent: Sent) {
        let witness = &mut self.witness;
        witness.theirs = None;
        let ttl = self.settings.witness.map(|rules| rules.ttl).unwrap_or_default();
        let until = sent.at + by_our_clock(ttl);
        let renewed = matches!(sent.order, WitnessOrder::Ask | WitnessOrder::Renew);
        if !renewed || sent.number < witness.given || until <= self.now.monotonic {
            // An earlier daemon's, or still there after it was given back, or given back since, or too late to count.
            witness.perhaps_ours |= witness.key.is_none();
            return;
        }
        let since = witness.key.map_or(self.now.monotonic, |key| key.since);
        let known = witness.key.filter(|key| key.asked >= sent.at);
        let news = witness.key.is_none();
        witness.key = Some(known.unwrap_or(Key { since, asked: sent.at, until }));
        if news {
            self.log(Record::KeyTaken { node: self.peer_name() });
            self.raise(Fact::KeyOurs);
        }
    }

    fn key_is_not_ours(&mut self, sent: Sent, holder: Option<String>) {
        let asks = |sent: &Sent| matches!(sent.order, WitnessOrder::Ask | WitnessOrder::Renew);
        if sent.number < self.witness.given {
            return;
        }
        let lost = self.witness.key.take_if(|key| key.asked < sent.at).is_some();
        self.witness.perhaps_ours = self.witness.under_way.iter().any(asks);
        let news = holder.is_some() && self.witness.theirs.is_none();
        self.witness.theirs = holder.map(|holder| (holder, sent.at));
        if lost {
            self.log(Record::KeyLost { reason: self.why_no_key() });
        } else if news && asks(&sent) {
            self.log(Record::KeyDenied { node: self.peer_name() });
        }
    }

    /// Why we do not have the key, in words.
    pub(super) fn why_no_key(&self) -> String {
        match (&self.witness.theirs, &self.witness.trouble) {
            (Some((holder, _)), _) if self.is_denied() => format!("the witness has given the key to {holder}"),
            (_, Some(reason)) => format!("the witness does not answer: {reason}"),
            _ => "the witness has not answered yet".to_owned(),
        }
    }

    /// What is shown of it; `None` if none is used.
    pub(in crate::cluster) fn witness_view(&self) -> Option<WitnessView> {
        let (witness, rules) = (&self.witness, self.settings.witness?);
        let has_key = witness.key.is_some_and(|key| self.now.monotonic < key.until);
        let words = match (&witness.theirs, &witness.trouble) {
            _ if has_key => "has given its key to this node".to_owned(),
            (_, Some(reason)) => format!("does not answer: {reason}"),
            (Some((holder, _)), None) => format!("has given its key to {holder}"),
            (None, None) if witness.stamp.is_none() => "was not heard yet".to_owned(),
            (None, None) => "answers, and nobody needs its key".to_owned(),
        };
        let well = witness.trouble.is_none() && witness.doubt.is_none() && witness.stamp.is_some();
        Some(WitnessView { words, well, has_key, required: rules.required })
    }

    /// Why a group is not taken, if it is for want of the key.
    pub(super) fn witness_objection(&self, group: usize) -> Option<String> {
        let waits = self.is_kept_waiting(group) && self.lacks_key();
        waits.then(|| self.why_no_key())
    }
}
