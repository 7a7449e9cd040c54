//! Whether a message is worth handing over: one that changes nothing need not be recorded.
//!
//! Owns no state and changes none. A machine on the link that sends again what was valid once could otherwise fill
//! the recording within seconds. What [`super::receive`] drops without a trace is found here by the same rules; where
//! the two differ, this module must say that the message is heeded.

use super::freshness::Freshness;
use super::header::{MessageHeader, hex};
use super::receive::{is_for, uuid};
use super::sequence::Verdict;
use crate::cluster::core::Core;
use crate::cluster::{Instant, Record, Status};
use crate::wire::Message;

impl Core {
    /// False if [`crate::cluster::Event::Received`] with this message would lead to nothing: it is a copy, of an
    /// earlier incarnation, of nobody, or ours. The first of each kind within a minute is complained about, and so is
    /// heeded. A copy proves its link, so one is heeded in half a keepalive.
    pub fn heeds(&self, now: Instant, link: usize, message: &Message) -> bool {
        let (Some(kind), Some(src)) = (message.kind(), message.text("src")) else { return false };
        let Ok(header) = MessageHeader::of(kind, message) else { return false };
        let (own, sender) = (self.settings.uuid, uuid(message, "srcuuid"));
        let node = src.to_owned();
        if src == self.settings.node {
            return sender != Some(own) && self.may_complain(now, &Record::Impostor { node });
        }
        if sender == Some(own) {
            return self.may_complain(now, &Record::ClonedUuid { node });
        }
        let Some(from) = self.nodes.iter().position(|node| node.name == src) else {
            let known = sender.is_some_and(|uuid| self.nodes.iter().any(|node| node.uuid == Some(uuid)));
            return known || self.may_complain(now, &Record::UnknownNode { node });
        };
        let known = &self.nodes[from];
        if sender.is_some() && known.uuid.is_some() && known.uuid != sender {
            return true;
        }
        let Some(header) = header else { return self.heeds_unsequenced(now, from, kind, message) };
        if let Some(heeded) = self.heeds_doubtful(now, from, header, message) {
            return heeded;
        }
        if !known.heard || sender.is_some() && known.uuid != sender {
            return true;
        }
        let MessageHeader { order, generation } = header;
        if generation > known.generation {
            return true;
        }
        if known.status == Status::Dead && generation > 0 {
            return order.seq > known.last_status_order.0;
        }
        match known.tracking.expected(order.seq, now) {
            Verdict::Keep { .. } => true,
            Verdict::Duplicate => self.proves_link(now, from, link),
            Verdict::Drop => false,
        }
    }

    /// Whether a message is heeded that nothing shows to be of now, that an earlier daemon or an earlier life of its
    /// sender has shown us, or that shows that its sender lost its generation; `None` for any other.
    fn heeds_doubtful(&self, now: Instant, from: usize, header: MessageHeader, message: &Message) -> Option<bool> {
        let (known, generation) = (&self.nodes[from], header.generation);
        let freshness = self.freshness(from, generation, message);
        if self.lost_its_generation(from, header, freshness) {
            return Some(true);
        }
        let answered = self.told_lately(now, from).is_none();
        if generation < known.generation {
            let record = Record::Replay { node: known.name.clone(), generation, known: known.generation };
            return Some(answered || self.may_complain(now, &record));
        }
        // The sender must hear of what it says, however many repetitions come: one can be news once.
        let news = known.heard_up_to.is_behind(generation, header.order.seq);
        let missed = generation == known.generation && known.tracking.misses(header.order.seq);
        if freshness == Freshness::Unproven {
            return Some(answered || missed || news);
        }
        (generation == known.generation && known.tracking.is_history(header.order.seq)).then_some(false)
    }

    fn heeds_unsequenced(&self, now: Instant, from: usize, kind: &str, message: &Message) -> bool {
        let number = |name| hex(message, name);
        let (known, generation) = (&self.nodes[from], number("hg").unwrap_or_default());
        let unproven = self.freshness(from, generation, message) == Freshness::Unproven;
        if unproven || !known.alive() || generation != known.generation {
            return false;
        }
        if kind == "NS_nak_rexmit" {
            return number("firstseq").is_some_and(|seq| self.nodes[from].tracking.misses(seq));
        }
        if !is_for(message, &self.settings.node) {
            return false;
        }
        match kind {
            "NS_rexmit" => self.would_resend(now, from, message),
            "NS_ackmsg" => number("ackseq").is_some_and(|ack| ack > self.nodes[from].acknowledged),
            _ => false,
        }
    }

    /// Whether it is time to note again that a node is heard on a link.
    fn proves_link(&self, now: Instant, from: usize, link: usize) -> bool {
        let known = self.nodes[from].links.get(link);
        known.is_some_and(|link| !link.up || now.since(link.heard) >= self.settings.timing.keepalive / 2)
    }
}
