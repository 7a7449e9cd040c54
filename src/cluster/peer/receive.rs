//! From an authentic message to what it says: which node sent it, and is it new? (02 §5, §6)
//!
//! Owns the judgement of headers. Reports what is new as the fact [`Fact::Said`]; never acts on what a message says.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::freshness::Freshness;
use super::header::{MessageHeader, SentOrder, hex};
use super::heard::Doubt;
use super::message::MessageSaid;
use super::sequence::Verdict;
use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::{Record, Status};
use crate::wire::Message;

/// Which node sent a message, as its name and its uuid say.
#[derive(Debug, Clone, Copy)]
struct Sender {
    /// In the node table.
    index: usize,
    /// The uuid is another one than before: noted when the message counts.
    new_uuid: Option<[u8; 16]>,
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
        let Some(sender) = self.sender(src, uuid(message, "srcuuid")) else { return };
        let from = sender.index;
        match header {
            Some(header) => {
                self.note_heard(from, header);
                let freshness = self.freshness(from, header.generation, message);
                if self.is_of_present_incarnation(from, header, freshness) {
                    self.note_echo(from, header.generation, message);
                    self.counts(sender);
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
            None => self.receive_unsequenced(from, kind, message),
        }
    }

    /// A message of this node counts: it is heard.
    fn counts(&mut self, sender: Sender) {
        let node = &mut self.nodes[sender.index];
        node.uuid = sender.new_uuid.or(node.uuid);
        node.heard = true;
        self.raise(Fact::NodeHeard);
    }

    /// Step 4 to 7: which node is it? By uuid, then by name. An echo of ourselves is nobody; so is a machine that
    /// borrowed our name or our uuid (02 §13 traps 3 and 4): a real Heartbeat would adopt its generation and die of
    /// it. Nor may one borrow the name of a living node, or its uuid; of two that share a uuid each is who it says
    /// it is.
    fn sender(&mut self, src: &str, uuid: Option<[u8; 16]>) -> Option<Sender> {
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
                Some(Sender { index: named, new_uuid: None })
            }
            (Some(named), None) if uuid.is_some() => self.new_uuid(named, uuid),
            (_, Some(index)) | (Some(index), None) => Some(Sender { index, new_uuid: None }),
            (None, None) => {
                self.complain(Record::UnknownNode { node: src.to_owned() });
                None
            }
        }
    }

    /// A node is heard with another uuid than before. It may have been installed anew, but not while the machine that
    /// had the name until now still speaks: its last status is younger than warntime.
    fn new_uuid(&mut self, index: usize, uuid: Option<[u8; 16]>) -> Option<Sender> {
        let left = Some(index) == self.peer() && self.ownership.other.left();
        let (now, warntime) = (self.now.monotonic, self.settings.timing.warntime);
        let node = &self.nodes[index];
        let speaks = node.speaks(now, warntime);
        if node.uuid.is_some() && node.status != Status::Dead && speaks && !left {
            let node = node.name.clone();
            self.complain(Record::NameTwice { node });
            if Some(index) == self.peer() {
                self.raise(Fact::PeerIgnored);
            }
            return None;
        }
        Some(Sender { index, new_uuid: uuid })
    }

    /// Messages without a number, which anybody may repeat: they count only from a living node in its present
    /// incarnation, and prove neither that it lives nor that a link carries anything. Statuses do, once in every
    /// keepalive.
    fn receive_unsequenced(&mut self, from: usize, kind: &str, message: &Message) {
        let generation = hex(message, "hg").unwrap_or_default();
        let unproven = self.freshness(from, generation, message) == Freshness::Unproven;
        let node = &self.nodes[from];
        if unproven || !node.alive() || generation != node.generation {
            return;
        }
        if kind == "NS_nak_rexmit" {
            self.refused(from, message);
            return;
        }
        if !is_for(message, &self.settings.node) {
            return;
        }
        match kind {
            "NS_rexmit" => self.resend(from, message),
            "NS_ackmsg" => self.acknowledged(from, message),
            _ => {}
        }
    }

    /// Step 12: restart and partition check. False if the message is older than the node's present incarnation, or
    /// than its death, or if nothing shows that it is not a repetition of an earlier one (05 §3.12).
    ///
    /// Unlike Heartbeat, which waits for a status, any message of a higher generation is a new incarnation: a status
    /// that was overtaken would otherwise set the numbers back and have old messages asked for, and obeyed, twice.
    fn is_of_present_incarnation(&mut self, from: usize, header: MessageHeader, freshness: Freshness) -> bool {
        let now = self.now.monotonic;
        let back = self.lost_its_generation(from, header, freshness);
        if back {
            self.complain_of_generation(from, header.generation);
        }
        if header.generation < self.nodes[from].generation && !back {
            self.refuse_generation(from, header.generation);
            return false;
        }
        if freshness == Freshness::Unproven {
            if header.generation == self.nodes[from].generation {
                // It was said before we were there, and will not be said otherwise.
                self.nodes[from].tracking.give_up(header.order.seq);
            }
            self.doubt(from, Doubt::Unaware);
            return false;
        }
        let node = &mut self.nodes[from];
        if header.generation == node.generation && !back && node.tracking.is_history(header.order.seq) {
            return false;
        }
        if header.generation > node.generation || back {
            if back {
                // What the life that is gone said afterwards would be a new one.
                node.proof_floor = node.outlived;
            }
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
        self.note_fresh(from, freshness);
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
