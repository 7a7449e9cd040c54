//! Messages that got lost: asked for, sent again, acknowledged (02 §6.3 to §6.5).
//!
//! Owns the answers to `NS_rexmit`, `NS_nak_rexmit` and `NS_ackmsg`. What was sent is kept by [`super::history`],
//! what is missing is known to [`super::sequence`].

use std::ops::RangeInclusive;
use std::time::Duration;

use super::header::hex;
use super::history::{Lookup, MAX_RESENT};
use crate::cluster::core::Core;
use crate::cluster::{Action, Instant, Record};
use crate::wire::Message;

impl Core {
    /// When a missing number of a living node is to be asked for next.
    pub(in crate::cluster) fn retransmission_due(&self) -> Option<Instant> {
        let own = self.own();
        let others = self.nodes.iter().enumerate().filter(|(index, node)| Some(*index) != own && node.alive());
        others.filter_map(|(_, node)| node.tracking.next_request()).min()
    }

    /// `NS_rexmit`: send again, or say that we cannot (02 §6.3). The numbers are decimal.
    pub(super) fn resend(&mut self, from: usize, message: &Message) {
        let quiet = self.resend_pause();
        for seq in self.requested(from, message) {
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

    /// Whether [`Core::resend`] would do anything.
    pub(super) fn would_resend(&self, now: Instant, from: usize, message: &Message) -> bool {
        self.requested(from, message).any(|seq| self.history.answers(seq, now, self.resend_pause()))
    }

    /// The numbers that a `NS_rexmit` asks for, as far as they are looked up.
    fn requested(&self, from: usize, message: &Message) -> RangeInclusive<u64> {
        let decimal = |name| message.text(name).and_then(|text| text.parse::<u64>().ok());
        let (Some(first), Some(last)) = (decimal("firstseq").filter(|first| *first > 0), decimal("lastseq")) else {
            return RangeInclusive::new(1, 0);
        };
        let first = first.max(self.nodes[from].acknowledged + 1);
        first..=last.min(self.history.last_seq()).min(first.saturating_add(MAX_RESENT - 1))
    }

    /// Within this time the same number is not sent twice.
    fn resend_pause(&self) -> Duration {
        self.settings.timing.max_rexmit_delay.saturating_sub(Duration::from_millis(10))
    }

    /// `NS_nak_rexmit`: that number will never come, no matter which node asked for it (02 §6.4). The number is
    /// hexadecimal.
    pub(super) fn refused(&mut self, from: usize, message: &Message) {
        let Some(seq) = hex(message, "firstseq") else { return };
        if self.nodes[from].tracking.give_up(seq) {
            let node = self.nodes[from].name.clone();
            self.log(Record::LostForGood { node, seq });
            self.acknowledge(from, seq);
        }
    }

    /// `NS_ackmsg` (02 §6.5).
    pub(super) fn acknowledged(&mut self, from: usize, message: &Message) {
        let Some(ack) = hex(message, "ackseq") else { return };
        let node = &mut self.nodes[from];
        if ack > node.acknowledged && ack <= self.history.last_seq() {
            node.acknowledged = ack;
        }
    }

    /// Asks every living node for what is missing of it (02 §6.4).
    pub(in crate::cluster) fn request_missing(&mut self) {
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
