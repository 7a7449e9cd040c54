//! Making sure that a real Heartbeat knows that we have decided, and that we know what it holds.
//!
//! It obeys `starting` and `resource` in order of arrival (03 §4.7): one that was lost and sent again after our last
//! report would leave it in transition for ever, and then it can neither be stopped nor asked for anything (03 §14.1
//! rule 3). It answers nothing that does not change its mind, so saying it once more costs a packet. An hbd numbers
//! what it hears, and needs none of this. Owns no state but its timers.

use std::time::Duration;

use crate::cluster::Instant;
use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::timers::Timer;
use crate::wire::Message;

/// How long after a report it is said again, and then once more: a retransmission is asked for every 250 ms, and a
/// network that loses so many has lost us before.
const AGAIN: Duration = Duration::from_secs(1);
/// See [`AGAIN`].
const LAST: Duration = Duration::from_secs(10);
/// How long a real Heartbeat that has not said a word about resources has for it.
const FIRST_WORD: Duration = Duration::from_secs(5);

/// A real Heartbeat that returns after a partition and had held us for dead says within 2 s that it gives up (02
/// §7.7). If it has not by now it had heard us all the time, and will neither restart nor say what it holds.
const RETURN_PATIENCE: Duration = Duration::from_secs(5);

impl Core {
    /// The peer is gone, or new: there is nobody to be told.
    pub(in crate::cluster) fn stop_repeating(&mut self) {
        for timer in [Timer::HoldQuestion, Timer::ReportAgain, Timer::ReportLast] {
            self.timers.stop(timer);
        }
    }

    /// Asks a real Heartbeat at `at` what it holds.
    pub(in crate::cluster) fn ask_what_it_holds(&mut self, at: Instant) {
        self.timers.set(Timer::HoldQuestion, at);
        self.repeat_due();
    }

    /// The same when it is back: if it had not missed us, or restarted out of our sight, it would never say what it
    /// holds; `starting` makes it, and our report takes it out of transition again (03 §14.1 rule 3).
    pub(in crate::cluster) fn ask_reappeared(&mut self, known: bool) {
        let patience = if known { RETURN_PATIENCE } else { Duration::ZERO };
        self.ask_what_it_holds(self.now.monotonic + patience);
    }

    /// We have just reported that we are decided, or the peer has reported what it need not have: it may have heard
    /// something older after it.
    pub(in crate::cluster) fn repeat_report_soon(&mut self) {
        let now = self.now.monotonic;
        if !self.peer_kind().is_hbd() {
            self.timers.set_if_unset(Timer::ReportAgain, now + AGAIN);
            self.timers.set(Timer::ReportLast, now + LAST);
        }
    }

    /// A question or a report is due.
    pub(in crate::cluster) fn repeat_due(&mut self) {
        let now = self.now.monotonic;
        let ask = self.timers.take_due(Timer::HoldQuestion, now);
        let again = self.timers.take_due(Timer::ReportAgain, now) | self.timers.take_due(Timer::ReportLast, now);
        if !ask && !again {
            return;
        }
        let other = &self.ownership.other;
        let gone = !self.peer_alive() || other.left() || other.releasing();
        let kind = self.peer_kind();
        if gone || kind.is_hbd() || !kind.is_nice() || !self.ownership.decided() {
            return;
        }
        if self.exchange.busy() {
            // It holds us for undecided, and rightly so, until the exchange is over.
            for timer in [ask.then_some(Timer::HoldQuestion), again.then_some(Timer::ReportAgain)] {
                timer.into_iter().for_each(|timer| self.timers.set(timer, now + AGAIN));
            }
            return;
        }
        if ask {
            self.send(Message::new("starting"));
            self.raise(Fact::Reported);
        } else if other.reported.is_none() {
            // To a new incarnation's first messages, once lost, nobody returns.
            self.timers.set_if_unset(Timer::HoldQuestion, now + FIRST_WORD);
        }
        self.send_resource(true, None);
    }
}
