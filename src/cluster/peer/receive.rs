//! From an authentic message to what it says: which node sent it, and is it new? (02 §5, §6)
//!
//! Owns the judgement of headers. Reports what is new as the fact [`Fact::Said`]; never acts on what a message says.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::message::MessageSaid;
use super::send::is_unsequenced;
use super::sequence::Verdict;
use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::{Record, Status};
use crate::wire::Message;

/// What orders the sequenced messages of one incarnation (02 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cluster) struct SentOrder {
    /// Sequence number, from 1.
    pub(in crate::cluster) seq: u64,
    /// The sender's wall clock, seconds since 1970.
    pub(in crate::cluster) ts: u64,
}

/// The header of a sequenced message.
#[derive(Debug, Clone, Copy)]
pub(super) struct MessageHeader {
    pub(super) order: SentOrder,
    pub(super) generation: u64,
}

/// A sequenced message of the present incarnation of its sender that is not judged yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cluster) struct Unjudged {
    /// Its sender, in the node table.
    pub(in crate::cluster) from: usize,
    /// The link on which it came.
    link: usize,
    order: SentOrder,
    /// Whether we are among those whom it is meant for.
    for_us: bool,
    body: MessageSaid,
}

/// What a node says, heard for the first time and meant for us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cluster) struct Said {
    /// The sender, in the node table.
    pub(in crate::cluster) from: usize,
    /// Its number.
    pub(in crate::cluster) order: SentOrder,
    /// What it says.
    pub(in crate::cluster) body: MessageSaid,
}

/// A header that no node can have sent: the message proves nothing, not even that its sender lives (01 §1.10 rows 21
/// to 23).
pub(super) struct Unusable;

impl MessageHeader {
    /// The header, or `None` for a message that has no sequence number by its type.
    pub(super) fn of(kind: &str, message: &Message) -> Result<Option<MessageHeader>, Unusable> {
        let number = |name| message.get(name).map(|_| hex(message, name).ok_or(Unusable)).transpose();
        let ts = number("ts")?.filter(|ts| *ts != 0).ok_or(Unusable)?;
        let seq = number("seq")?;
        if is_unsequenced(kind) {
            return Ok(None);
        }
        let seq = seq.filter(|seq| *seq != 0).ok_or(Unusable)?;
        let generation = number("hg")?.unwrap_or(0);
        Ok(Some(MessageHeader { order: SentOrder { seq, ts }, generation }))
    }
}

/// Lower-case hexadecimal without prefix (02 §2).
pub(super) fn hex(message: &Message, name: &str) -> Option<u64> {
    u64::from_str_radix(message.text(name)?, 16).ok()
}

/// A uuid that is present, well-formed and not all zero.
pub(super) fn uuid(message: &Message, name: &str) -> Option<[u8; 16]> {
    let uuid: [u8; 16] = message.binary(name)?.try_into().ok()?;
    (uuid != [0; 16]).then_some(uuid)
}

/// Whether a message without a number is meant for this node.
pub(super) fn is_for(message: &Message, node: &str) -> bool {
    message.text("dest").is_none_or(|dest| dest == node)
}

impl Core {
    /// Steps 1 to 12 of 02 §5.
    pub(in crate::cluster) fn receive(&mut self, link: usize, message: &Message) {
        let (Some(kind), Some(src)) = (message.kind(), message.text("src")) else { return };
        let Ok(header) = MessageHeader::of(kind, message) else { return };
        let Some(from) = self.sender(src, uuid(message, "srcuuid")) else { return };
        self.nodes[from].heard = true;
        match header {
            Some(header) => {
                if self.is_of_present_incarnation(from, header) {
                    let (order, for_us) = (header.order, self.is_for_us(message));
                    self.raise(Fact::Received(Unjudged {
                        from,
                        link,
                        order,
                        for_us,
                        body: MessageSaid::of(kind, message),
                    }));
                }
            }
            None => self.receive_unsequenced(from, link, kind, message),
        }
        self.raise(Fact::NodeHeard);
    }

    /// Step 4 to 7: which node is it? By uuid, then by name. An echo of ourselves is nobody; so is a machine that
    /// borrowed our name or our uuid (02 §13 traps 3 and 4): a real Heartbeat would adopt its generation and die of
    /// it. Nor may one borrow the name of a living node, or its uuid; of two that share a uuid each is who it says
    /// it is.
    fn sender(&mut self, src: &str, uuid: Option<[u8; 16]>) -> Option<usize> {
        let ours = uuid == Some(self.settings.uuid);
        if src == self.settings.node {
            if !ours {
                self.complain(Record::Impostor { node: src.to_owned() });
            }
            return None;
        }
        if ours {
            self.complain(Record::ClonedUuid { node: src.to_owned() });
            return None;
        }
        let by_uuid = uuid.and_then(|uuid| self.nodes.iter().position(|node| node.uuid == Some(uuid)));
        match (self.nodes.iter().position(|node| node.name == src), by_uuid) {
            (Some(named), Some(other)) if named != other => {
                let other = self.nodes[other].name.clone();
                self.complain(Record::SharedUuid { node: src.to_owned(), other });
                Some(named)
            }
            (Some(named), None) if uuid.is_some() => self.new_uuid(named, uuid),
            (_, Some(index)) | (Some(index), None) => Some(index),
            (None, None) => {
                self.complain(Record::UnknownNode { node: src.to_owned() });
                None
            }
        }
    }

    /// A node is heard with another uuid than before. It may have been installed anew, but not while the machine that
    /// had the name until now still speaks: its last status is younger than warntime.
    fn new_uuid(&mut self, index: usize, uuid: Option<[u8; 16]>) -> Option<usize> {
        let left = Some(index) == self.peer() && self.ownership.other.left();
        let (now, warntime) = (self.now.monotonic, self.settings.timing.warntime);
        let node = &mut self.nodes[index];
        let speaks = node.speaks(now, warntime);
        if node.uuid.is_some() && node.status != Status::Dead && speaks && !left {
            let node = node.name.clone();
            self.complain(Record::NameTwice { node });
            if Some(index) == self.peer() {
                self.raise(Fact::PeerIgnored);
            }
            return None;
        }
        node.uuid = uuid;
        Some(index)
    }

    fn receive_unsequenced(&mut self, from: usize, link: usize, kind: &str, message: &Message) {
        if kind == "NS_nak_rexmit" {
            self.refused(from, message);
            return;
        }
        if !is_for(message, &self.settings.node) {
            return;
        }
        self.heard_on(from, link);
        match kind {
            "NS_rexmit" => self.resend(from, message),
            "NS_ackmsg" => self.acknowledged(from, message),
            _ => {}
        }
    }

    /// Step 12: restart and partition check. False if the message is older than the node's present incarnation, or
    /// than its death.
    ///
    /// Unlike Heartbeat, which waits for a status, any message of a higher generation is a new incarnation: a status
    /// that was overtaken would otherwise set the numbers back and have old messages asked for, and obeyed, twice.
    fn is_of_present_incarnation(&mut self, from: usize, header: MessageHeader) -> bool {
        let now = self.now.monotonic;
        let node = &mut self.nodes[from];
        if header.generation < node.generation {
            let (node, known) = (node.name.clone(), node.generation);
            self.complain(Record::Replay { node, generation: header.generation, known });
            return false;
        }
        if header.generation > node.generation {
            let known = node.generation != 0;
            node.restart(header.generation, now);
            self.raise(Fact::NewIncarnation { node: from, known });
        } else if node.status == Status::Dead && header.generation > 0 {
            if header.order.seq <= node.last_status_order.0 {
                return false;
            }
            // Death has reset the tracking; what came since then must not be forgotten again.
            self.raise(Fact::Returned { node: from });
        }
        true
    }

    /// Steps 13 to 15: is it new, and meant for us?
    pub(in crate::cluster) fn judge_packet(&mut self, packet: Unjudged) {
        let Unjudged { from, link, order, for_us, body } = packet;
        let verdict = self.judge(from, order.seq);
        if verdict == Verdict::Drop || verdict != Verdict::Duplicate && !for_us {
            return;
        }
        self.heard_on(from, link);
        if verdict != Verdict::Duplicate {
            self.raise(Fact::Said(Said { from, order, body }));
        }
    }

    /// Step 13, with the acknowledgement and the record of a gap.
    fn judge(&mut self, from: usize, seq: u64) -> Verdict {
        let now = self.now.monotonic;
        let mut tracking = std::mem::take(&mut self.nodes[from].tracking);
        let verdict = tracking.accept(seq, now, || now + self.first_request_delay());
        self.nodes[from].tracking = tracking;
        if let Verdict::Keep { lost: Some((first, last)), gave_up } = verdict {
            let (node, count) = (self.nodes[from].name.clone(), last - first + 1);
            if gave_up || count > 1 {
                // One missing number is mostly an inversion; it is filled before anyone could read the record.
                self.log(Record::LostPackets { node, count, first, last });
            }
        }
        if matches!(verdict, Verdict::Keep { .. }) {
            self.acknowledge(from, seq);
        }
        verdict
    }

    /// `seq` has come, or never will: acknowledges what is due (02 §6.5).
    pub(super) fn acknowledge(&mut self, from: usize, seq: u64) {
        let node = &self.nodes[from];
        if let Some(due) = node.tracking.acknowledgement(seq, node.ack_trigger) {
            let name = node.name.clone();
            self.send(Message::new("NS_ackmsg").with("dest", &name).with("ackseq", &format!("{due:x}")));
        }
    }

    /// After what pause a missing number is asked for; each has its own (02 §6.4).
    fn first_request_delay(&mut self) -> Duration {
        let max = u64::try_from(self.settings.timing.max_rexmit_delay.as_millis()).unwrap_or(u64::MAX);
        // The first 50 ms absorb the inversions that a real node's loopback causes (02 §1.3, §6.4).
        let min = if max < 100 { 0 } else { 50 };
        Duration::from_millis(min + self.random.below(max.saturating_sub(min) + 1))
    }

    /// Step 10: `destuuid` decides alone if it is there, else `dest`.
    fn is_for_us(&self, message: &Message) -> bool {
        match uuid(message, "destuuid") {
            Some(dest) => dest == self.settings.uuid,
            None => message.text("dest").is_none_or(|dest| dest == self.settings.node),
        }
    }
}
