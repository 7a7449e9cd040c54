//! What an operator asked for (`hbctl standby`, `hbctl takeover`): refused at once if it cannot be, begun later if a
//! node is in flux, answered in the end.
//!
//! Owns who waits for what. The exchange itself is the room [`super::standby`]'s.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::resources::Decision;
use super::{Action, Answer, Awaited, Core, Instant, Record, Request, Set, Status};

/// How long a move that an operator asked for may wait until it begins: a real Heartbeat that started alone refuses every
/// exchange for ten seconds, without a word (03 §16 no. 18). The texts of hbctl, org.hbd1(5) and the catalog name it.
pub const MOVE_PATIENCE: Duration = Duration::from_secs(20);
/// How long the peer has to react to `hb_takeover`.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);

/// A wish and who asked for it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Wish {
    id: u64,
    /// `Standby` or `Takeover`.
    request: Request,
    /// Until when it may be begun.
    until: Instant,
}

impl Wish {
    /// What is to run here in the end.
    fn wanted(&self) -> Set {
        match self.request {
            Request::Takeover(set) => set,
            _ => Set::NONE,
        }
    }
}

/// The operators who wait.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Operator {
    /// Under way.
    moving: Option<Wish>,
    /// Until when a takeover that is under way waits for the peer's `me`.
    patience: Option<Instant>,
    /// Not begun yet, and why.
    waiting: Option<(Wish, Awaited)>,
}

impl Operator {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.patience.into_iter().chain(self.waiting.map(|(wish, _)| wish.until)).min()
    }

    /// What a wish waits for.
    pub(super) fn awaited(&self) -> Option<Awaited> {
        self.waiting.map(|(_, awaited)| awaited)
    }
}

/// Why no exchange can begin now.
enum Obstacle {
    Refused(Answer),
    Passing(Awaited),
}

impl Core {
    /// An operator wants the peer to serve, or us. The set is in our words.
    pub(super) fn move_requested(&mut self, id: u64, request: Request) {
        let wish = Wish { id, request, until: self.now.monotonic + MOVE_PATIENCE };
        if self.operator.waiting.is_some() && !self.is_already(request) {
            self.answer(id, Answer::Busy);
        } else {
            self.try_wish(wish);
        }
    }

    fn is_already(&self, request: Request) -> bool {
        match request {
            Request::Standby(set) => self.ownership.hold.common(set) == Set::NONE,
            Request::Takeover(set) => set.without(self.ownership.hold) == Set::NONE,
            _ => false,
        }
    }

    fn try_wish(&mut self, wish: Wish) {
        if self.is_already(wish.request) {
            self.answer(wish.id, Answer::Already);
            return;
        }
        match self.obstacle() {
            None => self.begin_wish(wish),
            Some(Obstacle::Refused(answer)) => self.answer(wish.id, answer),
            Some(Obstacle::Passing(awaited)) if self.now.monotonic < wish.until => {
                self.log(Record::MoveWaits { node: self.awaited_node(awaited), awaited: awaited.to_string() });
                self.operator.waiting = Some((wish, awaited));
            }
            Some(Obstacle::Passing(awaited)) => self.answer(wish.id, Answer::InFlux(awaited)),
        }
    }

    fn awaited_node(&self, awaited: Awaited) -> String {
        match awaited {
            Awaited::ThisNode => self.settings.node.clone(),
            Awaited::OtherNode | Awaited::Exchange => self.peer_name(),
        }
    }

    fn begin_wish(&mut self, wish: Wish) {
        match wish.request {
            Request::Standby(set) => {
                if self.begin_standby(set) {
                    self.operator.moving = Some(wish);
                }
            }
            Request::Takeover(set) => {
                self.operator.moving = Some(wish);
                self.operator.patience = Some(self.now.monotonic + REPLY_TIMEOUT);
                self.send_takeover(set);
            }
            Request::Shutdown
            | Request::Restart
            | Request::Cleanup(_)
            | Request::ClearHold(_)
            | Request::Maintenance(_)
            | Request::Fence(_)
            | Request::ConfirmFenced(_) => {}
        }
    }

    fn obstacle(&mut self) -> Option<Obstacle> {
        let ownership = &self.ownership;
        let returning =
            self.peer_node().is_some_and(|node| node.status == Status::Init && node.last_status.is_some());
        if ownership.decision == Decision::Shutdown || self.leave.begun() {
            Some(Obstacle::Refused(Answer::Leaving))
        } else if returning {
            Some(Obstacle::Passing(Awaited::OtherNode))
        } else if !self.peer_alive() || ownership.peer_left {
            Some(Obstacle::Refused(Answer::PeerGone))
        } else if !self.speaks_nice() {
            self.log(Record::StandbyNeedsNice {});
            Some(Obstacle::Refused(Answer::Legacy))
        } else if self.maintenance.on() {
            Some(Obstacle::Refused(Answer::Maintenance))
        } else if self.peer_in_maintenance() {
            Some(Obstacle::Refused(Answer::PeerMaintenance))
        } else if self.operator.moving.is_some() {
            Some(Obstacle::Refused(Answer::Busy))
        } else if self.standby.busy() || self.unstick.pending(self.now.monotonic) {
            Some(Obstacle::Passing(Awaited::Exchange))
        } else if ownership.decision != Decision::Stable {
            Some(Obstacle::Passing(Awaited::ThisNode))
        } else if !ownership.other_stable {
            Some(Obstacle::Passing(Awaited::OtherNode))
        } else {
            None
        }
    }

    /// Something happened: perhaps what a wish waits for.
    pub(super) fn operator_check(&mut self) {
        let Some((wish, awaited)) = self.operator.waiting.take() else { return };
        let due = wish.until <= self.now.monotonic;
        match self.obstacle() {
            Some(Obstacle::Passing(still)) if !due && still == awaited && !self.is_already(wish.request) => {
                self.operator.waiting = Some((wish, awaited));
            }
            _ => self.try_wish(wish),
        }
    }

    /// The peer did not react to `hb_takeover` in time.
    pub(super) fn operator_tick(&mut self) {
        if self.operator.patience.is_some_and(|patience| patience <= self.now.monotonic) {
            self.operator.patience = None;
            if !self.standby.busy() {
                self.unanswered();
            }
        }
    }

    /// The peer did not react. A real Heartbeat in flux refuses silently: it is asked again while there is time.
    pub(super) fn unanswered(&mut self) {
        self.operator.patience = None;
        if let Some(wish) = self.operator.moving.take() {
            if self.now.monotonic < wish.until {
                self.try_wish(wish);
            } else {
                self.answer(wish.id, Answer::NoReply);
            }
        }
    }

    /// The exchange that an operator may wait for is over.
    pub(super) fn answer_asker(&mut self, answer: Answer) {
        self.operator.patience = None;
        if let Some(wish) = self.operator.moving.take() {
            let up = self.groups.active(wish.wanted());
            self.answer(wish.id, if answer == Answer::Done && !up { Answer::Failed } else { answer });
        }
    }

    fn answer(&mut self, id: u64, answer: Answer) {
        self.out.push(Action::Answer { id, answer });
    }
}
