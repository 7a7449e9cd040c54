//! Sending with loopback, receiving, sequence numbers and retransmission (02 §1.3, §5, §6).

use std::time::Duration;

use hbd::wire::{Message, Value};

use super::{Heartbeat, Peer};

/// Messages kept for retransmission (02 §6.1).
const HISTORY: usize = 500;
/// Largest gap that is repaired (02 §6.2).
const MAX_GAP: u64 = 250;

fn hex(message: &Message, field: &str) -> Option<u64> {
    u64::from_str_radix(message.text(field)?, 16).ok()
}

impl Peer {
    /// As 3.0.6 does it (02 §6.2).
    pub(super) fn reset_tracking(&mut self) {
        self.last = None;
        self.missing.clear();
    }

    /// Whether a sequenced message is new (02 §6.2), and whether it is due to be acknowledged.
    fn accept(&mut self, seq: u64, now: Duration, delay: Duration) -> (bool, bool) {
        let Some(last) = self.last.filter(|last| seq != last + 1) else {
            self.last = Some(seq);
            return (true, seq % 10 == self.trigger && self.missing.is_empty());
        };
        if seq <= last {
            return (self.missing.remove(&seq).is_some(), false);
        }
        self.last = Some(seq);
        if seq - last - 1 > MAX_GAP {
            self.missing.clear();
        } else {
            self.missing.extend((last + 1..seq).map(|number| (number, now + delay)));
        }
        (true, false)
    }
}

impl Heartbeat {
    /// Fills in the header, keeps the message, loops it back, and only then hands it to the media (02 §1.3).
    pub(super) fn send(&mut self, mut message: Message) {
        let sequenced = message.kind().is_some_and(|kind| !kind.starts_with("NS_"));
        let dest = message.text("dest").and_then(|dest| self.nodes.iter().find(|node| node.name == dest));
        if let Some(node) = dest {
            let uuid = node.uuid.clone().unwrap_or_else(|| vec![0; 16]);
            message.set("destuuid", Value::Binary(uuid));
        }
        message.set_text("src", &self.settings.node);
        message.set("srcuuid", Value::Binary(self.settings.uuid.to_vec()));
        if sequenced {
            self.seq += 1;
            message.set_text("seq", &format!("{:x}", self.seq));
        }
        message.set_text("hg", &format!("{:x}", self.settings.generation));
        message.set_text("ts", &format!("{:x}", self.wall.as_secs()));
        if sequenced {
            message.set_text("ld", "0.00 0.00 0.00 1/1 1");
        }
        message.set_text("ttl", &(1 + self.nodes.len()).to_string());
        if sequenced {
            if self.history.len() == HISTORY {
                self.history.pop_front();
            }
            self.history.push_back((self.seq, message.clone(), None));
        }
        self.receive(&message, true);
        self.out.push(crate::machine::Deed::Send(message));
    }

    /// The receive pipeline (02 §5).
    pub(super) fn receive(&mut self, message: &Message, own: bool) {
        let (Some(kind), Some(src), Some(ts)) = (message.kind(), message.text("src"), hex(message, "ts")) else {
            return;
        };
        let uuid = message.binary("srcuuid").map(<[u8]>::to_vec);
        let by_uuid = self.nodes.iter().position(|node| uuid.is_some() && node.uuid == uuid);
        let Some(from) = by_uuid.or_else(|| self.nodes.iter().position(|node| node.name == src)) else { return };
        self.nodes[from].heard = true;
        self.nodes[from].uuid = uuid;
        if kind.starts_with("NS_") {
            self.receive_unsequenced(from, kind, message);
        } else if let Some((seq, generation)) = hex(message, "seq").zip(hex(message, "hg")) {
            self.receive_sequenced(from, own, (seq, generation, ts), message);
        }
        self.standby_deadline();
        self.check_gate();
    }

    fn receive_unsequenced(&mut self, from: usize, kind: &str, message: &Message) {
        if kind == "NS_nak_rexmit" {
            if let Some(seq) = hex(message, "firstseq") {
                self.nodes[from].missing.remove(&seq);
            }
        } else if kind == "NS_rexmit" && message.text("dest") == Some(&self.settings.node) && from != self.own {
            self.resend(from, message);
        }
    }

    /// 02 §6.3, its quirk about the newest message included.
    fn resend(&mut self, from: usize, message: &Message) {
        let decimal = |field| message.text(field).and_then(|text| text.parse::<u64>().ok());
        let (Some(first), Some(last)) = (decimal("firstseq"), decimal("lastseq")) else { return };
        for seq in (first..=last).take(50) {
            if seq > self.seq {
                continue;
            }
            let (now, newest) = (self.now, self.seq);
            match self.history.iter_mut().find(|(kept, ..)| *kept == seq && seq != newest) {
                Some((.., resent)) if resent.is_some_and(|at| now - at < Duration::from_millis(240)) => {}
                Some((_, message, resent)) => {
                    *resent = Some(now);
                    let message = message.clone();
                    self.out.push(crate::machine::Deed::Send(message));
                }
                None => {
                    let refusal = Message::new("NS_nak_rexmit").with("firstseq", &format!("{seq:x}"));
                    let name = self.nodes[from].name.clone();
                    self.send(refusal.with("dest", &name).with("info", "seqno not found"));
                }
            }
        }
    }

    fn receive_sequenced(
        &mut self,
        from: usize,
        own: bool,
        (seq, generation, ts): (u64, u64, u64),
        message: &Message,
    ) {
        if generation < self.nodes[from].generation {
            return;
        }
        if message.kind() == Some("status") && !self.judge_incarnation(from, seq, generation) {
            return;
        }
        let for_us = match message.binary("destuuid").filter(|uuid| uuid.iter().any(|byte| *byte != 0)) {
            Some(uuid) => uuid == self.settings.uuid,
            None => message.text("dest").is_none_or(|dest| dest == self.settings.node),
        };
        let delay = Duration::from_millis(50 + (seq * 37 + self.settings.seed % 89) % 200);
        let (new, due) = self.nodes[from].accept(seq, self.now, delay);
        if due {
            let name = self.nodes[from].name.clone();
            self.send(Message::new("NS_ackmsg").with("dest", &name).with("ackseq", &format!("{seq:x}")));
        }
        if new && for_us {
            self.dispatch(from, own, (seq, ts), message);
        }
    }

    /// 02 §5 step 12: false if the status is older than the node's death.
    fn judge_incarnation(&mut self, from: usize, seq: u64, generation: u64) -> bool {
        let node = &mut self.nodes[from];
        if generation > node.generation {
            node.generation = generation;
            node.reset_tracking();
            (node.last_status, node.last_ts, node.last_seq) = (None, 0, 0);
        } else if node.status == "dead" {
            if seq <= node.last_seq {
                return false;
            }
            self.returns_after_partition(from);
        }
        true
    }

    fn dispatch(&mut self, from: usize, own: bool, order: (u64, u64), message: &Message) {
        let kind = message.kind().unwrap_or_default();
        let active = self.comm == super::Comm::Active;
        match kind {
            "status" => self.status_received(from, order, message),
            "reqnodes" if !own => self.answer_reqnodes(from),
            "repnodes" => self.repnodes_received(),
            "shutdone" if own => self.own_shutdone(),
            "shutdone" => self.peer_shutdone(),
            // The handlers of all others exist only when we are active (02 §3.2).
            _ if !active => {}
            "starting" if !own => self.starting_received(),
            "resource" => self.resource_received(own, message),
            "ask_resources" => self.ask_received(own, message),
            "hb_takeover" if !own => self.takeover_received(message),
            "ip-request-resp" if own => self.go_ahead(message),
            _ => {}
        }
    }

    pub(super) fn missing_due(&self) -> Option<Duration> {
        let alive = |node: &&Peer| node.status == "up" || node.status == "active";
        self.nodes.iter().filter(alive).flat_map(|node| node.missing.values().copied()).min()
    }

    /// 02 §6.4.
    pub(super) fn request_missing(&mut self) {
        for index in 0..self.nodes.len() {
            let (now, again) = (self.now, self.now + self.settings.timing.max_rexmit_delay);
            let node = &mut self.nodes[index];
            if node.status != "up" && node.status != "active" {
                continue;
            }
            let mut requests = Vec::new();
            for (seq, due) in node.missing.iter_mut().filter(|(_, due)| **due <= now) {
                *due = again;
                let (dest, seq) = (node.name.as_str(), seq.to_string());
                requests
                    .push(Message::new("NS_rexmit").with("dest", dest).with("firstseq", &seq).with("lastseq", &seq));
            }
            requests.into_iter().for_each(|request| self.send(request));
        }
    }
}
