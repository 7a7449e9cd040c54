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
        let sent = self.sent.iter().find(|sent| sent.seq == seq);
        let resent = sent.and_then(|sent| sent.resent);
        seq <= self.last && resent.is_none_or(|resent| now.since(resent) >= quiet)
    }

    /// Answers a request for `seq`. The same number is not resent within `quiet`.
    pub fn lookup(&mut self, seq: u64, now: Instant, quiet: Duration) -> Lookup {
        if seq > self.last {
            return Lookup::Ignore;
        }
        if self.sent.front().is_some_and(|oldest| seq < oldest.seq) {
            return Lookup::Refuse("seqno too low");
        }
        let Some(sent) = self.sent.iter_mut().find(|sent| sent.seq == seq) else {
            return Lookup::Refuse("seqno not found");
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
    fn a_number_is_not_resent_twice_in_a_row() {
        let mut history = history(3);
        let start = Instant::default();
        assert!(matches!(history.lookup(2, start, QUIET), Lookup::Resend(_)));
        assert_eq!(history.lookup(2, start + Duration::from_millis(239), QUIET), Lookup::Ignore);
        assert!(matches!(history.lookup(2, start + QUIET, QUIET), Lookup::Resend(_)));
    }
}
