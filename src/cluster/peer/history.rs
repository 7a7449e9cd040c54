//! The messages we sent, kept for retransmission (02 §6.1, §6.3). Never sends anything itself.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::api::time::Instant;
use crate::wire::Message;

/// Number of sequenced messages kept (02 §6.1).
pub const HISTORY: usize = 500;
/// Largest number of messages resent for one request (02 §6.3).
pub const MAX_RESENT: u64 = 50;

/// What to do about one requested number.
#[derive(Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Send this again.
    Resend(Message),
    /// Nothing: it was resent a moment ago, or never existed.
    Ignore,
    /// It is gone for good; the text goes into the refusal's `info`.
    Refuse(&'static str),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Sent {
    seq: u64,
    message: Message,
    resent: Option<Instant>,
}

/// The ring of sent messages and the counter that numbers them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct History {
    last: u64,
    sent: VecDeque<Sent>,
    /// How many numbers were refused since when. Each takes a packet, and a request that somebody recorded may be
    /// repeated as often as its repeater likes.
    #[serde(default)]
    refused: (Instant, u64),
}

impl History {
    /// The next sequence number; the first is 1.
    pub fn next_seq(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// The highest number given out so far.
    pub fn last_seq(&self) -> u64 {
        self.last
    }

    /// Keeps `message`, discarding the oldest beyond [`HISTORY`].
    pub fn keep(&mut self, seq: u64, message: Message) {
        if self.sent.len() == HISTORY {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent { seq, message, resent: None });
    }

    /// Whether [`History::lookup`] would answer.
    pub fn answers(&self, seq: u64, now: Instant, quiet: Duration) -> bool {
        match self.sent.iter().find(|sent| sent.seq == seq) {
            Some(sent) => sent.resent.is_none_or(|resent| now.since(resent) >= quiet),
            None => seq <= self.last && self.may_refuse(now, quiet),
        }
    }

    /// Whether fewer numbers were refused within `quiet` than are resent for one request.
    fn may_refuse(&self, now: Instant, quiet: Duration) -> bool {
        let (since, count) = self.refused;
        count < MAX_RESENT || now.since(since) >= quiet
    }

    fn refuse(&mut self, now: Instant, quiet: Duration, info: &'static str) -> Lookup {
        if !self.may_refuse(now, quiet) {
            return Lookup::Ignore;
        }
        if now.since(self.refused.0) >= quiet {
            self.refused = (now, 0);
        }
        self.refused.1 += 1;
        Lookup::Refuse(info)
    }

    /// Answers a request for `seq`. Within `quiet` the same number is not resent, and no more numbers are refused
    /// than are resent for one request.
    pub fn lookup(&mut self, seq: u64, now: Instant, quiet: Duration) -> Lookup {
        if seq > self.last {
            return Lookup::Ignore;
        }
        if self.sent.front().is_some_and(|oldest| seq < oldest.seq) {
            return self.refuse(now, quiet, "seqno too low");
        }
        let Some(sent) = self.sent.iter_mut().find(|sent| sent.seq == seq) else {
            return self.refuse(now, quiet, "seqno not found");
        };
        if sent.resent.is_some_and(|resent| now.since(resent) < quiet) {
            return Lookup::Ignore;
        }
        sent.resent = Some(now);
        Lookup::Resend(sent.message.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(count: u64) -> History {
        let mut history = History::default();
        for _ in 0..count {
            let seq = history.next_seq();
            history.keep(seq, Message::new("status").with("seq", &format!("{seq:x}")));
        }
        history
    }

    const QUIET: Duration = Duration::from_millis(240);

    #[test]
    fn resends_what_it_kept_even_the_newest() {
        let mut history = history(10);
        assert!(
            matches!(history.lookup(10, Instant::default(), QUIET), Lookup::Resend(m) if m.text("seq") == Some("a"))
        );
        assert!(matches!(history.lookup(1, Instant::default(), QUIET), Lookup::Resend(_)));
    }

    #[test]
    fn refuses_what_was_discarded_and_ignores_the_future() {
        let mut history = history(HISTORY as u64 + 1);
        assert_eq!(history.lookup(1, Instant::default(), QUIET), Lookup::Refuse("seqno too low"));
        assert_eq!(history.lookup(HISTORY as u64 + 2, Instant::default(), QUIET), Lookup::Ignore);
    }

    #[test]
    fn requests_that_are_repeated_get_no_more_refusals_than_one() {
        let mut history = history(HISTORY as u64 + 2 * MAX_RESENT);
        let start = Instant::default() + QUIET;
        let mut refused = |now| {
            let answers = (1..=2 * MAX_RESENT).filter(|seq| history.answers(*seq, now, QUIET)).count();
            let looked = (1..=2 * MAX_RESENT).map(|seq| history.lookup(seq, now, QUIET));
            (answers > 0, looked.filter(|lookup| *lookup != Lookup::Ignore).count() as u64)
        };
        assert_eq!(refused(start), (true, MAX_RESENT));
        assert_eq!(refused(start + Duration::from_millis(239)), (false, 0), "nothing that is worth a record either");
        assert_eq!(refused(start + QUIET), (true, MAX_RESENT), "a peer asks again");
    }

    #[test]
    fn a_number_is_not_resent_twice_in_a_row() {
        let mut history = history(3);
        let start = Instant::default();
        assert!(matches!(history.lookup(2, start, QUIET), Lookup::Resend(_)));
        assert_eq!(history.lookup(2, start + Duration::from_millis(239), QUIET), Lookup::Ignore);
        assert!(matches!(history.lookup(2, start + QUIET, QUIET), Lookup::Resend(_)));
    }
}
