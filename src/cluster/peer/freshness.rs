//! Is a message of now, or did somebody record it in an earlier life of ours and repeat it? (05 §3.12)
//!
//! Within one life of both daemons the numbers of the messages tell old from new. At the start of a daemon they do
//! not: it knows nothing, so whatever was recorded before would be new to it. Therefore two hbd nodes say in every
//! message what they have heard of each other: a message counts only if its sender knows the receiver's present
//! generation, which is higher at every start. A real Heartbeat does not say that; of its messages those of a lower
//! generation than the highest that was ever heard are refused, and those below the last number that was noted.
//!
//! Owns that judgement, and what is to be remembered of the peer across our starts. Never takes in what a message
//! says.

use super::header::MessageHeader;
use super::heard::{Doubt, Doubted, FIELD, HeardLives, HeardUpTo};
use super::message::extensions;
use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::{Action, FRESHNESS_EXTENSION, Instant, KnownPeer, Record};
use crate::wire::Message;

/// Whether a message is of now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Freshness {
    /// Its sender knows our present generation, up to this number of ours.
    Proven { our_seq: u64 },
    /// It does not say, and need not: it is no hbd that would.
    Unsaid,
    /// Its sender knows no such generation, or does not say although it could.
    Unproven,
}

/// Of a node that does not say what it has heard of us a number is kept after so many: about one in a minute.
const REMEMBERED_EVERY: u64 = 50;

impl Core {
    /// What we say of what we have heard of the peer; `None` in a cluster without one. A real Heartbeat is told it in
    /// statuses only: it may have given way to an hbd.
    pub(super) fn heard_of_peer(&self, in_status: bool) -> Option<String> {
        let says = self.settings.extensions >= FRESHNESS_EXTENSION;
        let peer = self.peer_node().filter(|peer| says && (in_status || !peer.is_heartbeat()));
        peer.map(|peer| peer.heard_up_to.to_string())
    }

    /// A message came, whether it counts or not: its sender is told so.
    pub(super) fn note_heard(&mut self, from: usize, header: MessageHeader) {
        let node = &mut self.nodes[from];
        node.heard_up_to.note(header.generation, header.order.seq, node.generation);
    }

    /// Whether this is of now. Resources are between us and the peer: nobody else can move anything.
    pub(super) fn freshness(&self, from: usize, generation: u64, message: &Message) -> Freshness {
        if Some(from) != self.peer() {
            return Freshness::Unsaid;
        }
        let (ours, node) = (self.settings.generation, &self.nodes[from]);
        let heard = message.text(FIELD).map(HeardLives::parse);
        let could = extensions(message).is_some_and(|number| number >= FRESHNESS_EXTENSION)
            || node.shows_freshness && node.generation == generation;
        match heard {
            Some(heard) => {
                // Nobody has heard what we have not said: we were set back, and it is a repetition.
                let said = |heard: &&HeardUpTo| heard.seq > node.proof_floor && heard.seq <= self.history.last_seq();
                let known = heard.iter().find(|heard| heard.generation == ours).filter(said);
                known.map_or(Freshness::Unproven, |known| Freshness::Proven { our_seq: known.seq })
            }
            None if could => Freshness::Unproven,
            None => Freshness::Unsaid,
        }
    }

    /// When a node that does not know us was told of us, if it is too early to tell it again.
    pub(super) fn told_lately(&self, now: Instant, from: usize) -> Option<Instant> {
        let pause = self.settings.timing.keepalive / 8;
        self.nodes[from].doubted.map(|doubted| doubted.told).filter(|told| now.since(*told) < pause)
    }

    /// A message that is not believed proves nothing of its sender but that it may live: the sender is told which
    /// life of ours this is, at most so often that a repetition of old packets makes us no noisier.
    pub(super) fn doubt(&mut self, from: usize, doubt: Doubt) {
        let now = self.now.monotonic;
        let told = self.told_lately(now, from);
        let node = &mut self.nodes[from];
        let since = node.doubted.map_or(now, |doubted| doubted.since);
        node.doubted = Some(Doubted { doubt, since, at: now, told: told.unwrap_or(now) });
        if told.is_none() {
            self.raise(Fact::SenderUnaware);
        }
        if told.is_none() && doubt == Doubt::Unaware && now.since(since) >= self.settings.timing.warntime {
            let node = self.nodes[from].name.clone();
            self.complain(Record::NotBelieved { node });
        }
    }

    /// Whether an hbd has started with a generation that is not above its last one, as after its disk was set back.
    /// It proves that by knowing something that we said after the last word of the incarnation that we know: a
    /// message that was only late does not.
    pub(super) fn lost_its_generation(&self, from: usize, header: MessageHeader, freshness: Freshness) -> bool {
        let node = &self.nodes[from];
        let older = (header.generation, header.order.seq) <= (node.generation, node.tracking.last_seq());
        let proven = matches!(freshness, Freshness::Proven { our_seq } if our_seq > node.outlived);
        node.generation != 0 && older && proven
    }

    /// It has.
    pub(super) fn complain_of_generation(&mut self, from: usize, generation: u64) {
        let (node, known) = (self.nodes[from].name.clone(), self.nodes[from].generation);
        self.complain(Record::GenerationWentBack { node, generation, known });
    }

    /// A message of a lower generation than was ever heard: a repetition, or a node that has lost its generation and
    /// does not hear us, or cannot say so.
    pub(super) fn refuse_generation(&mut self, from: usize, generation: u64) {
        let (node, known) = (self.nodes[from].name.clone(), self.nodes[from].generation);
        self.complain(Record::Replay { node, generation, known });
        self.doubt(from, Doubt::LowerGeneration(generation));
    }

    /// A message counts: what is refused afterwards is older than this.
    pub(super) fn note_fresh(&mut self, from: usize, freshness: Freshness) {
        let seq = self.history.last_seq();
        let node = &mut self.nodes[from];
        node.outlived = seq;
        node.doubted = None;
        let shows = node.shows_freshness || freshness != Freshness::Unsaid;
        if !std::mem::replace(&mut node.shows_freshness, shows) && shows {
            self.remember(from);
        }
    }

    /// A status of this node was taken in. One that does not say what it has heard of us is remembered by its number,
    /// from time to time.
    pub(in crate::cluster) fn remember_number(&mut self, index: usize) {
        let node = &self.nodes[index];
        if !node.shows_freshness && node.tracking.last_seq() >= node.remembered.saturating_add(REMEMBERED_EVERY) {
            self.remember(index);
        }
    }

    /// What the next daemon must know of this node.
    pub(in crate::cluster) fn remember(&mut self, index: usize) {
        let node = &self.nodes[index];
        if Some(index) == self.own() || node.generation == 0 {
            return;
        }
        let (macs, more_macs) = self.said_by(index);
        let known = KnownPeer {
            node: node.name.clone(),
            generation: node.generation,
            seq: node.tracking.last_seq(),
            shows_freshness: node.shows_freshness,
            macs,
            more_macs,
        };
        self.nodes[index].remembered = known.seq;
        self.out.push(Action::Remember(known));
    }

    /// We end: what came until now is known to the next daemon.
    pub(in crate::cluster) fn remember_all(&mut self) {
        (0..self.nodes.len()).for_each(|index| self.remember(index));
    }
}
