//! The standby table and its one-hour trap (03 §4.5).

use std::time::Duration;

use hbd::cluster::Set;
use hbd::wire::Message;

use super::ownership::State;
use super::scripts::After;
use super::{Heartbeat, ask};

const REPLY: Duration = Duration::from_secs(10);
const WORK: Duration = Duration::from_secs(3600);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Not,
    Me,
    Other,
    Done,
}

#[derive(Debug)]
pub(super) struct Standby {
    phase: Phase,
    deadline: Option<Duration>,
    set: Set,
}

impl Default for Standby {
    fn default() -> Self {
        Standby { phase: Phase::Not, deadline: None, set: Set::ALL }
    }
}

impl Standby {
    pub(super) fn is_stable(&self) -> bool {
        self.phase == Phase::Not && self.deadline.is_none()
    }
}

impl Heartbeat {
    /// 03 §4.5.3.
    pub(super) fn standby_deadline(&mut self) {
        if self.standby.deadline.is_some_and(|deadline| deadline <= self.now) {
            self.say("No reply to standby request.  Standby request cancelled.");
            self.end_standby();
            self.ownership.other_stable = true;
        }
    }

    fn end_standby(&mut self) {
        self.standby.phase = Phase::Not;
        self.standby.deadline = None;
    }

    pub(super) fn cancel_standby(&mut self) {
        if !self.standby.is_stable() {
            self.say("Cancelling pending standby operation");
        }
        self.end_standby();
    }

    /// `hb_takeover`: the script calls hb_standby with the opposite set; `failback` becomes `all` (03 §0 no. 11).
    pub(super) fn takeover_received(&mut self, message: &Message) {
        let set = match message.text("rsc_hold") {
            Some("local") => Set::FOREIGN,
            Some("foreign") => Set::LOCAL,
            _ => Set::ALL,
        };
        self.write_fifo(ask(set, "me"));
    }

    /// 03 §4.5.1 and §4.5.2, row by row.
    pub(super) fn ask_received(&mut self, own: bool, message: &Message) {
        let info = message.text("info").unwrap_or_default().to_owned();
        if self.ownership.state == State::Shutdown {
            return;
        }
        if info == "me" && self.standby.deadline.is_some() {
            self.say("Standby in progress- new request ignored");
            return;
        }
        let set = message.text("rsc_hold").map_or(Some(Set::ALL), Set::parse).unwrap_or_default();
        self.say(&format!(
            "standby [{info} {set}] from {} in {:?}",
            if own { "us" } else { "peer" },
            self.standby.phase
        ));
        match (self.standby.phase, info.as_str(), own) {
            (Phase::Not, ..) if !self.ownership.other_stable || self.ownership.state != State::Stable => {
                self.say("in flux, ignored");
            }
            (Phase::Not, "me", true) => {
                self.ownership.other_stable = false;
                self.enter(Phase::Me, REPLY);
            }
            (Phase::Not, "me", false) => {
                self.ownership.other_stable = false;
                self.enter(Phase::Other, WORK);
                self.send(ask(set, "other"));
            }
            (Phase::Me, "other", false) => self.give(set),
            (Phase::Me, "done", true) => {
                self.ownership.hold = self.ownership.hold.without(set);
                self.enter(Phase::Done, WORK);
            }
            // An error, but the deadline is set anew all the same (03 §16 no. 9).
            (Phase::Me, _, false) => self.enter(Phase::Me, WORK),
            (Phase::Other, "done", false) => self.acquire(set),
            (Phase::Done, "done", true) => {
                self.ownership.hold = self.ownership.hold.with(set.swapped());
                self.end_standby();
                self.send_resource(true, None);
            }
            (Phase::Done, "done", false) => {
                self.end_standby();
                self.send_resource(true, None);
            }
            _ => {}
        }
        self.stop_if_stable();
    }

    fn enter(&mut self, phase: Phase, limit: Duration) {
        self.standby.phase = phase;
        self.standby.deadline = Some(self.now + limit);
    }

    fn give(&mut self, set: Set) {
        self.enter(Phase::Me, WORK);
        self.standby.set = set;
        self.ownership.hold = self.ownership.hold.without(set);
        self.send_resource(false, Some("standby"));
        let groups = self.groups_of(set);
        // An invalid set makes the child end without `done` (03 §16 no. 10).
        if set != Set::NONE {
            self.scripts.release(groups, After::Say(ask(set, "done")));
        }
    }

    fn acquire(&mut self, set: Set) {
        self.enter(Phase::Done, WORK);
        self.standby.set = set;
        let groups = self.groups_of(set.swapped());
        if set != Set::NONE {
            self.scripts.direct(groups, After::Say(ask(set, "done")));
        }
    }

    /// 03 §6.5 (a): the taker's half of a standby on a peer's `shutdone`, about the wrong groups.
    pub(super) fn retake_on_shutdone(&mut self) {
        let hold = self.ownership.hold;
        let groups = self.groups_of(if hold == Set::NONE { Set::ALL } else { hold });
        self.enter(Phase::Done, WORK);
        self.scripts.direct(groups, After::Say(ask(self.standby.set, "done")));
    }
}
