//! What an operator asked to be moved (`hbctl standby`, `hbctl takeover`): refused at once if it cannot be, begun
//! later if a node is in flux, answered in the end.
//!
//! Owns who waits for what. The exchange itself is [`super::exchange`]'s.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::obstacle::Obstacle;
use crate::cluster::core::Core;
use crate::cluster::peer::set_said::SetSaid;
use crate::cluster::timers::Timer;
use crate::cluster::{Action, Answer, Awaited, GroupSet, Instant, Record, Set};

/// How long a move that an operator asked for may wait until it begins: a real Heartbeat that started alone refuses
/// every exchange for ten seconds, without a word (03 §16 no. 18). The texts of hbctl, org.hbd1(5) and the catalog
/// name it.
pub const MOVE_PATIENCE: Duration = Duration::from_secs(20);
/// How long the peer has to react to `hb_takeover`.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);

/// A move, and who asked for it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Move {
    id: u64,
    direction: MoveDirection,
    /// The groups.
    set: GroupSet,
    /// Until when it may be begun.
    until: Instant,
}

/// Where the groups are to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cluster) enum MoveDirection {
    /// `Standby`.
    ToPeer,
    /// `Takeover`.
    Here,
}

impl Move {
    /// What is to run here in the end.
    fn wanted_here(&self) -> GroupSet {
        match self.direction {
            MoveDirection::Here => self.set,
            MoveDirection::ToPeer => GroupSet::NONE,
        }
    }
}

/// The operators who wait.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Operator {
    /// Under way.
    moving: Option<Move>,
    /// Not begun yet, and why.
    waiting: Option<(Move, Awaited)>,
}

impl Operator {
    /// What a move waits for.
    pub(in crate::cluster) fn awaited(&self) -> Option<Awaited> {
        self.waiting.map(|(_, awaited)| awaited)
    }

    /// The number of the request that waits.
    pub(in crate::cluster) fn waiting_request(&self) -> Option<u64> {
        self.waiting.map(|(request, _)| request.id)
    }
}

/// Why a move does not begin now.
enum Delay {
    /// It never will.
    Refused(Answer),
    /// This will end.
    Passing(Awaited),
}

impl Core {
    /// An operator wants the peer to serve, or us. The set is in our words.
    pub(in crate::cluster) fn move_requested(&mut self, id: u64, direction: MoveDirection, set: Set) {
        self.move_groups(id, direction, self.groups.members(set));
    }

    /// The same with groups that the operator named, and those that are kept together with them. Refused if others
    /// would move along because of the peer, and if groups would meet that are kept apart.
    pub(in crate::cluster) fn move_named(&mut self, id: u64, direction: MoveDirection, named: GroupSet) {
        let set = self.moving_with(named);
        let there = match direction {
            MoveDirection::ToPeer => self.ownership.other.holds,
            MoveDirection::Here => self.groups.held(),
        };
        if named.is_none() || !self.groups_move_alone() && set != named {
            self.answer(id, Answer::MovesTogether);
        } else if self.meets(there, set) {
            self.answer(id, Answer::KeptApart);
        } else {
            self.move_groups(id, direction, set);
        }
    }

    /// The same with groups.
    pub(in crate::cluster) fn move_groups(&mut self, id: u64, direction: MoveDirection, set: GroupSet) {
        let request = Move { id, direction, set, until: self.now.monotonic + MOVE_PATIENCE };
        if self.operator.waiting.is_some() && !self.is_already(&request) {
            self.answer(id, Answer::Busy);
        } else {
            self.try_move(request);
        }
    }

    fn is_already(&self, request: &Move) -> bool {
        let hold = self.groups.held();
        match request.direction {
            MoveDirection::ToPeer => hold.common(request.set).is_none(),
            MoveDirection::Here => request.set.without(hold).is_none(),
        }
    }

    fn try_move(&mut self, request: Move) {
        if self.is_already(&request) {
            self.answer(request.id, Answer::Already);
            return;
        }
        match self.delay(&request) {
            None => self.begin_move(request),
            Some(Delay::Refused(answer)) => self.answer(request.id, answer),
            Some(Delay::Passing(awaited)) if self.now.monotonic < request.until => {
                self.log(Record::MoveWaits { node: self.awaited_node(awaited), awaited: awaited.to_string() });
                self.wait_with(request, awaited);
            }
            Some(Delay::Passing(awaited)) => self.answer(request.id, Answer::InFlux(awaited)),
        }
    }

    fn wait_with(&mut self, request: Move, awaited: Awaited) {
        self.timers.set(Timer::RequestExpiry, request.until);
        self.operator.waiting = Some((request, awaited));
    }

    fn awaited_node(&self, awaited: Awaited) -> String {
        match awaited {
            Awaited::ThisNode => self.settings.node.clone(),
            Awaited::OtherNode | Awaited::Exchange => self.peer_name(),
        }
    }

    fn begin_move(&mut self, request: Move) {
        match request.direction {
            MoveDirection::ToPeer => {
                if self.begin_exchange(request.set).is_ok() {
                    self.operator.moving = Some(request);
                }
            }
            MoveDirection::Here => {
                self.operator.moving = Some(request);
                self.timers.set(Timer::TakeoverReply, self.now.monotonic + REPLY_TIMEOUT);
                self.send_takeover(request.set);
            }
        }
    }

    /// Why a move does not begin now: what keeps an exchange from beginning, and what an operator is refused besides.
    fn delay(&mut self, request: &Move) -> Option<Delay> {
        if self.ownership.gives_up_everything() || self.leave.begun() {
            return Some(Delay::Refused(Answer::Leaving));
        }
        let obstacle = self.may_begin().err();
        match obstacle {
            Some(Obstacle::PeerReturns) => return Some(Delay::Passing(Awaited::OtherNode)),
            Some(Obstacle::PeerGone) => return Some(Delay::Refused(Answer::PeerGone)),
            Some(Obstacle::Legacy) => {
                self.log(Record::StandbyNeedsNice {});
                return Some(Delay::Refused(Answer::Legacy));
            }
            _ => {}
        }
        if self.maintenance.on() {
            return Some(Delay::Refused(Answer::Maintenance));
        }
        if self.peer_in_maintenance() {
            return Some(Delay::Refused(Answer::PeerMaintenance));
        }
        if let Some(answer) = self.left_alone_by_either(request) {
            return Some(Delay::Refused(answer));
        }
        if self.operator.moving.is_some() {
            return Some(Delay::Refused(Answer::Busy));
        }
        if let Some(delay) = self.delay_unready(request) {
            return Some(delay);
        }
        let awaited = match obstacle? {
            Obstacle::Undecided => Awaited::ThisNode,
            Obstacle::PeerUndecided => Awaited::OtherNode,
            _ => Awaited::Exchange,
        };
        Some(Delay::Passing(awaited))
    }

    /// Something that would move is in maintenance on one of the nodes.
    fn left_alone_by_either(&self, request: &Move) -> Option<Answer> {
        let hold = self.groups.held();
        let moved = match request.direction {
            MoveDirection::ToPeer => request.set.common(hold),
            MoveDirection::Here => request.set.without(hold),
        };
        let answers =
            [(self.left_alone(), Answer::GroupMaintenance), (self.peer_leaves_alone(), Answer::PeerGroupMaintenance)];
        answers.into_iter().find_map(|(alone, answer)| (!moved.common(alone).is_none()).then_some(answer))
    }

    /// The node that would get something could not serve it.
    fn delay_unready(&self, request: &Move) -> Option<Delay> {
        let hold = self.groups.held();
        match request.direction {
            MoveDirection::ToPeer if !request.set.common(hold).common(self.peer_unready()).is_none() => {
                Some(Delay::Refused(Answer::PeerNotReady))
            }
            MoveDirection::Here => {
                let unready = request.set.without(hold).common(self.unready());
                let first = self.awaits_first_check(unready);
                let delay = if first { Delay::Passing(Awaited::ThisNode) } else { Delay::Refused(Answer::NotReady) };
                (!unready.is_none()).then_some(delay)
            }
            MoveDirection::ToPeer => None,
        }
    }

    /// The operator does not want that move any more. One that has begun goes on: what was said to the peer cannot be
    /// taken back, and what is down here by now is to run somewhere.
    pub(in crate::cluster) fn call_off_move(&mut self, id: u64, number: u64) {
        if self.operator.waiting_request() == Some(number) {
            self.operator.waiting = None;
            self.timers.stop(Timer::RequestExpiry);
            self.answer(number, Answer::Withdrawn);
            self.answer(id, Answer::Done);
        } else {
            self.answer(id, Answer::UnderWay);
        }
    }

    /// After every event: perhaps what a move waits for has happened.
    pub(in crate::cluster) fn check_waiting_move(&mut self) {
        let Some((request, awaited)) = self.operator.waiting.take() else { return };
        self.timers.stop(Timer::RequestExpiry);
        let expired = request.until <= self.now.monotonic;
        match self.delay(&request) {
            Some(Delay::Passing(still)) if !expired && still == awaited && !self.is_already(&request) => {
                self.wait_with(request, awaited);
            }
            _ => self.try_move(request),
        }
    }

    /// `hb_takeover` from the peer: its local groups are our foreign ones (03 §6.6, §14.1 rule 15).
    pub(in crate::cluster) fn takeover_received(&mut self, said: &SetSaid) {
        let set = self.groups.meant(said.classes.swapped(), said.keys());
        if !self.refuses_for_maintenance(set.common(self.groups.held()))
            && !set.is_none()
            && self.begin_exchange(set).is_err()
        {
            self.log_in_flux(&self.settings.node.clone());
        }
    }

    /// The peer did not react to `hb_takeover` in time.
    pub(in crate::cluster) fn takeover_unanswered(&mut self) {
        if !self.exchange.busy() {
            self.request_unanswered();
        }
    }

    /// The peer did not react. A real Heartbeat in flux refuses silently: it is asked again while there is time.
    pub(in crate::cluster) fn request_unanswered(&mut self) {
        self.timers.stop(Timer::TakeoverReply);
        if let Some(request) = self.operator.moving.take() {
            if self.now.monotonic < request.until {
                self.try_move(request);
            } else {
                self.answer(request.id, Answer::NoReply);
            }
        }
    }

    /// The exchange that an operator may wait for is over.
    pub(in crate::cluster) fn answer_request(&mut self, answer: Answer) {
        self.timers.stop(Timer::TakeoverReply);
        if let Some(request) = self.operator.moving.take() {
            let up = self.groups.active(request.wanted_here());
            self.answer(request.id, if answer == Answer::Done && !up { Answer::Failed } else { answer });
        }
    }

    /// Answers an operator's request.
    pub(in crate::cluster) fn answer(&mut self, id: u64, answer: Answer) {
        self.out.push(Action::Answer { id, answer });
    }
}
