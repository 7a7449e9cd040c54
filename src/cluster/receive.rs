//! The receive pipeline: from an authentic message to the room that handles it (02 §5, §6).

use std::time::Duration;

use super::history::{Lookup, MAX_RESENT};
use super::send::is_unsequenced;
use super::tracking::Verdict;
use super::{Action, Core, Record, Status};
use crate::wire::Message;

/// The header of a sequenced message (02 §2).
struct Header {
    seq: u64,
    generation: u64,
    ts: u64,
}

/// A header that no node can have sent: the message proves nothing, not even that its sender lives (01 §1.10 rows 21
/// to 23).
struct Unusable;

impl Header {
    /// The header, or `None` for a message that has no sequence number by its type.
    fn of(kind: &str, message: &Message) -> Result<Option<Header>, Unusable> {
        let number = |name| message.get(name).map(|_| hex(message, name).ok_or(Unusable)).transpose();
        let ts = number("ts")?.filter(|ts| *ts != 0).ok_or(Unusable)?;
        let seq = number("seq")?;
        if is_unsequenced(kind) {
            return Ok(None);
        }
        let seq = seq.filter(|seq| *seq != 0).ok_or(Unusable)?;
        let generation = number("hg")?.unwrap_or(0);
        Ok(Some(Header { seq, generation, ts }))
    }
}

/// Lower-case hexadecimal without prefix (02 §2).
fn hex(message: &Message, name: &str) -> Option<u64> {
    u64::from_str_radix(message.text(name)?, 16).ok()
}

/// A uuid that is present, well-formed and not all zero.
fn uuid(message: &Message, name: &str) -> Option<[u8; 16]> {
    let uuid: [u8; 16] = message.binary(name)?.try_into().ok()?;
    (uuid != [0; 16]).then_some(uuid)
}

impl Core {
    /// Steps 1 to 15 of 02 §5.
    pub(super) fn receive(&mut self, link: usize, message: &Message) {
        let (Some(kind), Some(src)) = (message.kind(), message.text("src")) else { return };
        let Ok(header) = Header::of(kind, message) else { return };
        let Some(from) = self.sender(src, uuid(message, "srcuuid")) else { return };
        self.nodes[from].heard = true;
        match header {
            Some(header) => self.receive_sequenced(from, link, &header, message),
            None => self.receive_unsequenced(from, link, kind, message),
        }
        self.check_gate();
    }

    /// Step 4 to 7: which node is it? By uuid, then by name. An echo of ourselves is nobody; so is a machine that
    /// borrowed our name or our uuid (02 §13 traps 3 and 4): a real Heartbeat would adopt its generation and die of it.
    /// Nor may one borrow the name of a living node, or its uuid; of two that share a uuid each is who it says it is.
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
        let left = Some(index) == self.peer() && self.ownership.peer_left;
        let (now, warntime) = (self.now.monotonic, self.settings.timing.warntime);
        let node = &mut self.nodes[index];
        let speaks = node.speaks(now, warntime);
        if node.uuid.is_some() && node.status != Status::Dead && speaks && !left {
            let node = node.name.clone();
            self.complain(Record::NameTwice { node });
            if Some(index) == self.peer() {
                self.resync.not_heeded();
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
        if message.text("dest").is_some_and(|dest| dest != self.settings.node) {
            return;
        }
        self.heard_on(from, link);
        match kind {
            "NS_rexmit" => self.resend(from, message),
            "NS_ackmsg" => self.acknowledged(from, message),
            _ => {}
        }
    }

    fn receive_sequenced(&mut self, from: usize, link: usize, header: &Header, message: &Message) {
        if header.generation < self.nodes[from].generation {
            let node = &self.nodes[from];
            let record =
                Record::Replay { node: node.name.clone(), generation: header.generation, known: node.generation };
            self.complain(record);
            return;
        }
        if !self.new_incarnation(from, header) {
            return;
        }
        let verdict = self.judge(from, header.seq);
        if verdict == Verdict::Drop {
            return;
        }
        let for_us = self.is_for_us(message);
        if verdict != Verdict::Duplicate && !for_us {
            return;
        }
        self.heard_on(from, link);
        if verdict == Verdict::Duplicate {
            return;
        }
        self.dispatch(from, header, message);
    }

    /// Step 12: restart and partition check. False if the message is older than the node's death.
    ///
    /// Unlike Heartbeat, which waits for a status, any message of a higher generation is a new incarnation: a status
    /// that was overtaken would otherwise set the numbers back and have old messages asked for, and obeyed, twice.
    fn new_incarnation(&mut self, from: usize, header: &Header) -> bool {
        let node = &mut self.nodes[from];
        if header.generation > node.generation {
            let known = node.generation != 0;
            node.restart(header.generation, self.now.monotonic);
            let name = node.name.clone();
            if Some(from) == self.peer() {
                self.fencing_called_off();
            }
            if known {
                self.log(Record::NodeRestarted { node: name });
                self.peer_restarted();
            }
            // It waits to hear from everybody; let it not wait for our next beat.
            self.send_status();
        } else if node.status == Status::Dead && header.generation > 0 {
            if header.seq <= node.last_status_order.0 {
                return false;
            }
            // Death has reset the tracking; what came since then must not be forgotten again.
            self.returning_after_partition(from);
        }
        true
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
    fn acknowledge(&mut self, from: usize, seq: u64) {
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

    /// Step 15.
    fn dispatch(&mut self, from: usize, header: &Header, message: &Message) {
        let kind = message.kind().unwrap_or_default();
        if kind != "status" {
            self.spoke(from, message);
        }
        let nice = matches!(kind, "starting" | "resource" | "ask_resources" | "hb_takeover");
        if nice && self.nice_heard(from, kind) {
            return;
        }
        if self.ipfail_heard(from, header.seq, message) {
            return;
        }
        match kind {
            "status" => self.status_received(from, (header.seq, header.ts), message),
            "reqnodes" => self.answer_reqnodes(from),
            "repnodes" => self.repnodes_received(from, message),
            "shutdone" => self.shutdone_received(from),
            "starting" => self.starting_received(from, header.seq),
            "resource" => self.resource_received(from, header.seq, message),
            "ask_resources" => self.ask_received(from, message),
            "hb_takeover" => self.takeover_received(from, message),
            "ip-request" => self.ip_request_received(from, message),
            "ip-request-resp" => self.ip_response_received(from, message),
            "stonith" => self.fencing_heard(from, header.seq, message),
            "addnode" | "delnode" => self.node_change_heard(from, message),
            "query-cstatus" => self.answer_client_query(from, message),
            _ => {}
        }
    }

    /// `NS_rexmit`: send again, or say that we cannot (02 §6.3). The numbers are decimal.
    fn resend(&mut self, from: usize, message: &Message) {
        let decimal = |name| message.text(name).and_then(|text| text.parse::<u64>().ok());
        let (Some(first), Some(last)) = (decimal("firstseq").filter(|first| *first > 0), decimal("lastseq")) else {
            return;
        };
        let first = first.max(self.nodes[from].acknowledged + 1);
        let last = last.min(self.history.last_seq()).min(first.saturating_add(MAX_RESENT - 1));
        let quiet = self.settings.timing.max_rexmit_delay.saturating_sub(Duration::from_millis(10));
        for seq in first..=last {
            match self.history.lookup(seq, self.now.monotonic, quiet) {
                Lookup::Resend(message) => self.out.push(Action::Send(message)),
                Lookup::Ignore => {}
                Lookup::Refuse(info) => {
                    let name = self.nodes[from].name.clone();
                    let refusal = Message::new("NS_nak_rexmit").with("firstseq", &format!("{seq:x}"));
                    self.send(refusal.with("dest", &name).with("info", info));
                }
            }
        }
    }

    /// `NS_nak_rexmit`: that number will never come, whoever asked for it (02 §6.4). The number is hexadecimal.
    fn refused(&mut self, from: usize, message: &Message) {
        let Some(seq) = hex(message, "firstseq") else { return };
        if self.nodes[from].tracking.give_up(seq) {
            let node = self.nodes[from].name.clone();
            self.log(Record::LostForGood { node, seq });
            self.acknowledge(from, seq);
        }
    }

    /// `NS_ackmsg` (02 §6.5).
    fn acknowledged(&mut self, from: usize, message: &Message) {
        let Some(ack) = hex(message, "ackseq") else { return };
        let node = &mut self.nodes[from];
        if ack > node.acknowledged && ack <= self.history.last_seq() {
            node.acknowledged = ack;
        }
    }

    /// Asks every living node for what is missing of it (02 §6.4).
    pub(super) fn request_missing(&mut self) {
        let now = self.now.monotonic;
        let again = now + self.settings.timing.max_rexmit_delay;
        for index in 0..self.nodes.len() {
            if !self.nodes[index].alive() {
                continue;
            }
            let name = self.nodes[index].name.clone();
            for seq in self.nodes[index].tracking.due(now, again) {
                let (name, seq) = (name.as_str(), seq.to_string());
                self.send(Message::new("NS_rexmit").with("dest", name).with("firstseq", &seq).with("lastseq", &seq));
            }
        }
    }
}
