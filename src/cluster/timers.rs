//! Everything that is due at a moment: one enum, one table, and the order in which things run that are due together.
//!
//! Owns the stored moments ([`Timers`]). A deadline that follows from other state (a node's last status, a group's
//! retry) is not stored: [`Core::due`] derives it. Decides nothing: each timer names the one handler that it calls.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::api::time::Instant;
use super::core::{Core, each};

/// What can be due. Where several are, they run in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Timer {
    /// A ping node has been silent for `deadping` (02 §7.9). Derived.
    PingSilence,
    /// The dead time that we announce goes back to the ordinary one after our start (02 §4.2).
    StartRaise,
    /// Our next status (02 §7.1). Derived.
    Beat,
    /// A missing message is asked for (02 §6.4). Derived.
    Retransmission,
    /// A node or a link has been silent for its dead time (02 §7.5). Derived.
    Silence,
    /// Every node and ping node is heard or dead, now: gate 1 of start-up opens (02 §4.3). Derived. Must follow
    /// [`Timer::PingSilence`] and [`Timer::Silence`].
    Gate,
    /// `reqnodes` is repeated (02 §4.3).
    NodesRequest,
    /// A group's next attempt to start or to stop (03 §2.5). Derived.
    GroupRetry,
    /// The questions on the LAN begin, or their answers count. Derived. Must follow [`Timer::Silence`]: whether we
    /// ask for an address, or take it, depends on whether the peer is late or dead at this very moment.
    Lan,
    /// The witness is asked for its key, or what is not certain any more without it is released. Derived. Must follow
    /// [`Timer::Silence`].
    Witness,
    /// ipfail gives up what the better connected peer is to serve (03 §10.2).
    GiveUp,
    /// ipfail compares the numbers of ping nodes once more.
    PingComparison,
    /// The agent of a fencing device is run, or looked at again.
    Fencing,
    /// A group whose interface is gone goes to the peer.
    Carrier,
    /// The peer's next word in an exchange is overdue (03 §4.5.3).
    Exchange,
    /// The taker is told which groups of the set that we give are down.
    Parting,
    /// The peer's answer to `hb_takeover` is overdue.
    TakeoverReply,
    /// Two nodes that start together take their own groups (T10, 03 §4.2).
    TakeLocal,
    /// What we took because the peer went away is offered back (03 §5.2).
    Failback,
    /// `starting` is repeated (03 §16 no. 5).
    Starting,
    /// After the peer's return, what we hold is announced.
    AnnounceAfterReturn,
    /// A conflict, or an orphaned class, is acted on (03 §8, §14.3).
    Conflict,
    /// A living peer that is not active yet is no longer waited for (03 §6.7).
    LegacyPeer,
    /// A real Heartbeat should have restarted itself after a partition (03 §8.2).
    LegacyRestart,
    /// `ip-request` is repeated (03 §6.7).
    LegacyRequest,
    /// What was to free a real Heartbeat has arrived.
    ReleaseArrived,
    /// A real Heartbeat that may hang in an exchange is freed (03 §4.5.4).
    Release,
    /// A peer that says nothing is asked for a report (03 §14.1 rule 3).
    Resync,
    /// A real Heartbeat is asked what it holds.
    HoldQuestion,
    /// Our report is repeated, soon after the first.
    ReportAgain,
    /// Our report is repeated for the last time.
    ReportLast,
    /// A stop goes on without waiting any longer, or ends.
    Leave,
    /// A broken resource is looked at again. Derived.
    Health,
    /// What runs here and is not to is stopped, or looked at again.
    Leftover,
    /// Another address is asked for, its owner or not.
    Survey,
    /// A restart goes on without waiting for an exchange.
    Restart,
    /// A request of an operator that waits is refused. Looked at after every event.
    RequestExpiry,
}

impl Timer {
    /// All of them, in the order in which they run.
    pub(super) const ALL: [Timer; 37] = [
        Timer::PingSilence,
        Timer::StartRaise,
        Timer::Beat,
        Timer::Retransmission,
        Timer::Silence,
        Timer::Gate,
        Timer::NodesRequest,
        Timer::GroupRetry,
        Timer::Lan,
        Timer::Witness,
        Timer::GiveUp,
        Timer::PingComparison,
        Timer::Fencing,
        Timer::Carrier,
        Timer::Exchange,
        Timer::Parting,
        Timer::TakeoverReply,
        Timer::TakeLocal,
        Timer::Failback,
        Timer::Starting,
        Timer::AnnounceAfterReturn,
        Timer::Conflict,
        Timer::LegacyPeer,
        Timer::LegacyRestart,
        Timer::LegacyRequest,
        Timer::ReleaseArrived,
        Timer::Release,
        Timer::Resync,
        Timer::HoldQuestion,
        Timer::ReportAgain,
        Timer::ReportLast,
        Timer::Leave,
        Timer::Health,
        Timer::Leftover,
        Timer::Survey,
        Timer::Restart,
        Timer::RequestExpiry,
    ];

    /// Whether it only sends, and concludes nothing from what has not come: it need not wait until what has arrived
    /// is read.
    pub(super) fn only_sends(self) -> bool {
        matches!(
            self,
            Timer::StartRaise
                | Timer::Beat
                | Timer::Retransmission
                | Timer::Starting
                | Timer::AnnounceAfterReturn
                | Timer::LegacyRequest
                | Timer::HoldQuestion
                | Timer::ReportAgain
                | Timer::ReportLast
                | Timer::Survey
        )
    }
}

/// The stored moments. A timer that is not in the table does not run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Timers(BTreeMap<Timer, Instant>);

impl Timers {
    /// Due at `at`, whatever was set before.
    pub(super) fn set(&mut self, timer: Timer, at: Instant) {
        self.0.insert(timer, at);
    }

    /// Due at `at`, unless it is set already.
    pub(super) fn set_if_unset(&mut self, timer: Timer, at: Instant) {
        self.0.entry(timer).or_insert(at);
    }

    /// Due at `at` if it is set for later.
    pub(super) fn hasten(&mut self, timer: Timer, at: Instant) {
        self.0.entry(timer).and_modify(|due| *due = at.min(*due));
    }

    /// Due at `at` if it is set for earlier.
    pub(super) fn postpone(&mut self, timer: Timer, at: Instant) {
        self.0.entry(timer).and_modify(|due| *due = at.max(*due));
    }

    /// Not due any more. Whether it was set.
    pub(super) fn stop(&mut self, timer: Timer) -> bool {
        self.0.remove(&timer).is_some()
    }

    /// When it is due.
    pub(super) fn get(&self, timer: Timer) -> Option<Instant> {
        self.0.get(&timer).copied()
    }

    /// Whether it is set.
    pub(super) fn is_set(&self, timer: Timer) -> bool {
        self.0.contains_key(&timer)
    }

    /// Stops it if it is due at `now`. Whether it was.
    pub(super) fn take_due(&mut self, timer: Timer, now: Instant) -> bool {
        let due = self.get(timer).is_some_and(|at| at <= now);
        due && self.stop(timer)
    }
}

impl Core {
    /// When the next [`super::Event::Deadline`] is due; `None` before [`super::Event::Start`] and after
    /// [`super::Action::Exit`] or [`super::Action::HandOver`].
    pub fn next_deadline(&self) -> Option<Instant> {
        if !self.membership.running() {
            return None;
        }
        Timer::ALL.into_iter().filter_map(|timer| self.due(timer)).min()
    }

    /// When a timer is due, stored or derived.
    pub(super) fn due(&self, timer: Timer) -> Option<Instant> {
        match timer {
            Timer::PingSilence => self.ping_silence_due(),
            Timer::Beat => Some(self.membership.next_beat()),
            Timer::Retransmission => self.retransmission_due(),
            Timer::Silence => self.silence_due(),
            Timer::Gate => self.gate_opens().then_some(self.now.monotonic),
            Timer::GroupRetry => self.groups.next_deadline(),
            Timer::Lan => self.lan_due(),
            Timer::Witness => self.witness_due(),
            Timer::Health => self.health_due(),
            stored => self.timers.get(stored),
        }
    }

    /// Time has passed: runs what is due, in the order of [`Timer::ALL`]. What a handler sets for now or earlier
    /// runs in the same round if it comes later in that order.
    pub(super) fn expire(&mut self) {
        self.reading.end();
        self.run_due(self.now.monotonic);
    }

    /// The same while packets that have arrived after `read_until` wait to be read: what only sends does not wait for
    /// them, everything else does, for a while.
    pub(super) fn expire_unread(&mut self, read_until: Instant) {
        self.run_due(self.judged_until(read_until));
        self.note_waiting();
    }

    /// Runs what is due, of judgements only those that were due at `judged`.
    fn run_due(&mut self, judged: Instant) {
        let now = self.now.monotonic;
        for timer in Timer::ALL {
            if !self.membership.running() {
                return;
            }
            let until = if timer.only_sends() { now } else { judged };
            // What is judged about the LAN changes with every other timer: the peer's death, a group that stops.
            let always = timer == Timer::Lan && until == now;
            if always || self.due(timer).is_some_and(|due| due <= until) {
                self.run(timer, until);
            }
        }
        each!(self; restart_check());
    }

    fn run(&mut self, timer: Timer, until: Instant) {
        // Three timers, one report: the handler takes all of them that are due.
        if !matches!(timer, Timer::HoldQuestion | Timer::ReportAgain | Timer::ReportLast) {
            self.timers.stop(timer);
        }
        match timer {
            Timer::PingSilence => each!(self; find_silent_pings(until)),
            Timer::StartRaise => each!(self; send_status()),
            Timer::Beat => each!(self; beat()),
            Timer::Retransmission => each!(self; request_missing()),
            Timer::Silence => each!(self; find_silence(until)),
            Timer::Gate => each!(self; check_gate()),
            Timer::NodesRequest => each!(self; ask_for_nodes()),
            Timer::GroupRetry => each!(self; retry_groups()),
            Timer::Lan => self.judge_lan(),
            Timer::Witness => each!(self; judge_assurance(until); follow_witness()),
            Timer::GiveUp => each!(self; ipfail_give_up()),
            Timer::PingComparison => each!(self; ipfail_ask()),
            Timer::Fencing => each!(self; fencing_due()),
            Timer::Carrier => each!(self; carrier_due()),
            Timer::Exchange => each!(self; exchange_overdue()),
            Timer::Parting => each!(self; tell_what_is_parted_with(); tell_orphans()),
            Timer::TakeoverReply => each!(self; takeover_unanswered()),
            Timer::TakeLocal => each!(self; take_local_due()),
            Timer::Failback => each!(self; check_failback()),
            Timer::Starting => each!(self; starting_unanswered()),
            Timer::AnnounceAfterReturn => each!(self; announce_after_return()),
            Timer::Conflict => each!(self; conflict_due()),
            Timer::LegacyPeer => each!(self; legacy_peer_overdue()),
            Timer::LegacyRestart => each!(self; legacy_restart_overdue()),
            Timer::LegacyRequest => each!(self; ask_for_groups()),
            // They only wake the core: what waits for them is looked at after every event.
            Timer::ReleaseArrived | Timer::RequestExpiry | Timer::Restart => {}
            Timer::Release => each!(self; release_due()),
            Timer::Resync => each!(self; resync_due()),
            Timer::HoldQuestion | Timer::ReportAgain | Timer::ReportLast => each!(self; repeat_due()),
            Timer::Leave => each!(self; leave_due()),
            Timer::Health => each!(self; health_retry()),
            Timer::Leftover => each!(self; stop_leftovers()),
            Timer::Survey => each!(self; survey_due()),
        }
    }
}
