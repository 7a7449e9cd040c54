//! Making sure that a real Heartbeat knows that we have decided, and that we know what it holds.
//!
//! It obeys `starting` and `resource` in order of arrival (03 §4.7): one that was lost and sent again after our last
//! report would leave it in transition for ever, and then it can neither be stopped nor asked for anything (03 §14.1
//! rule 3). It answers nothing that does not change its mind, so saying it once more costs a packet. An hbd numbers
//! what it hears, and needs none of this.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::resources::Decision;
use super::{Core, Instant};
use crate::wire::Message;

/// How long after a report it is said again, and then once more: a retransmission is asked for every 250 ms, and a
/// network that loses so many has lost us before.
const AGAIN: Duration = Duration::from_secs(1);
/// See [`AGAIN`].
const LAST: Duration = Duration::from_secs(10);
/// How long a real Heartbeat that has not said a word about resources has for it.
const FIRST_WORD: Duration = Duration::from_secs(5);

/// What is still to be said, and when.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Report {
    /// `starting`, which makes the peer say what it holds.
    ask_at: Option<Instant>,
    again_at: Option<Instant>,
    last_at: Option<Instant>,
}

impl Report {
    pub(super) fn deadline(&self) -> Option<Instant> {
        [self.ask_at, self.again_at, self.last_at].into_iter().flatten().min()
    }

    /// The peer is gone: there is nobody to be told.
    pub(super) fn forget(&mut self) {
        *self = Report::default();
    }

    fn due(when: &mut Option<Instant>, now: Instant) -> bool {
        when.take_if(|at| *at <= now).is_some()
    }
}

impl Core {
    /// Asks a real Heartbeat after `patience` what it holds.
    pub(super) fn ask_heartbeat(&mut self, patience: Duration) {
        self.report.ask_at = Some(self.now.monotonic + patience);
        self.report_tick();
    }

    /// We have just reported that we are decided, or the peer has reported what it need not have: it may have heard
    /// something older after it.
    pub(super) fn report_again_soon(&mut self) {
        if !self.peer_is_hbd() {
            self.report.again_at.get_or_insert(self.now.monotonic + AGAIN);
            self.report.last_at = Some(self.now.monotonic + LAST);
        }
    }

    pub(super) fn report_tick(&mut self) {
        let now = self.now.monotonic;
        if self.report.deadline().is_none_or(|due| due > now) {
            return;
        }
        let ask = Report::due(&mut self.report.ask_at, now);
        let again = Report::due(&mut self.report.again_at, now) | Report::due(&mut self.report.last_at, now);
        let ownership = &self.ownership;
        let gone = !self.peer_alive() || ownership.peer_left || ownership.peer_releasing;
        if gone || self.peer_is_hbd() || !self.speaks_nice() || ownership.decision != Decision::Stable {
            return;
        }
        if self.standby.busy() {
            // It holds us for undecided, and rightly so, until the exchange is over.
            self.report.ask_at = ask.then_some(now + AGAIN).or(self.report.ask_at);
            self.report.again_at = again.then_some(now + AGAIN).or(self.report.again_at);
            return;
        }
        if ask {
            self.send(Message::new("starting"));
            self.report_again_soon();
        } else if self.ownership.other_order == 0 {
            // To a new incarnation's first messages, once lost, nobody returns.
            self.report.ask_at.get_or_insert(now + FIRST_WORD);
        }
        self.send_resource(true, None);
    }
}
