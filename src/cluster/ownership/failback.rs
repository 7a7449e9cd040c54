//! What we took because the peer went away goes back when it has decided: auto_failback (03 §5.2). So does what we
//! hold and prefers the peer by a changed haresources, when both nodes have read that.
//!
//! Owns what is to go back, when that is tried, and what an operator says about it (docs/DECISIONS.md "When groups go
//! back"). How a set moves is the exchange's ([`super::exchange`]).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::timers::Timer;
use crate::cluster::{Answer, GroupSet, Instant, Record, Set};
use crate::config::{AutoFailback, DailyWindow, FailbackPolicy};

/// Period of the attempts (03 §5.2).
const CHECK_AGAIN: Duration = Duration::from_secs(1);
/// What is shown of a moment stays as it is while it is found so little earlier or later: the wall clock is slewed,
/// and a peer says its rest in whole seconds.
const SAME_MOMENT: Duration = Duration::from_secs(2);
const DAY: i64 = 86_400;

/// What the return of a group waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReturnWait {
    /// The other node: it is not there, or could not serve the group.
    PeerWell,
    /// This moment of the wall clock, time since 1970.
    Until(Duration),
    /// The time of day at which groups return.
    Window(DailyWindow),
    /// Nothing that time alone would end: a conflict, a move that is under way, maintenance.
    Unhindered,
}

/// What is known about a return while something is to go back.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Failback {
    /// Since when the peer could serve what is to go back to it.
    well_since: Option<Instant>,
    wait: Option<ReturnWait>,
    /// How far the local clock is ahead of UTC, in seconds.
    utc_offset: i32,
}

impl Core {
    /// Gives back what is the peer's, if it can be given now.
    pub(in crate::cluster) fn check_failback(&mut self) {
        self.timers.stop(Timer::Failback);
        let (returns, to_return) = (self.ownership.need_failback, self.ownership.to_return);
        if !returns && to_return.is_none() {
            return;
        }
        let all = self.returning();
        if self.groups.held().common(all).is_none() || self.ownership.gives_up_everything() {
            self.forget_return();
            return;
        }
        let set = self.can_return(all);
        let waiting = set.is_none();
        let theirs = self.groups.held().common(if waiting { all } else { set });
        // The intention stays until the groups are given: an exchange may be cancelled, a peer may speak whose
        // status was lost and who is still dead to us.
        let disagree = self.other_haresources() || !returns && !self.same_haresources();
        // A real Heartbeat that is asked for what nobody holds does not answer two requests that cross.
        let asking = self.conflict.nobody_holds() && !self.peer_kind().is_hbd();
        let hindered = disagree
            || asking
            || self.conflict_open()
            || self.peer_is_worse_connected()
            || self.undone_lately(theirs);
        let due = self.return_is_due(theirs);
        if self.peer_alive() && !hindered && due && !waiting {
            let _ = self.begin_exchange(set);
        }
        self.timers.set(Timer::Failback, self.now.monotonic + CHECK_AGAIN);
    }

    /// The part of what goes back that goes now, because the peer could serve it and this node could stop it lately.
    /// Where groups do not move alone all of it: what keeps it is found then.
    fn can_return(&self, all: GroupSet) -> GroupSet {
        let theirs = self.groups.held().common(all);
        let kept =
            self.peer_unready().with(self.peer_cut()).with(self.peer_unfit_for(theirs)).with(self.left_alone());
        let kept = self.moving_with(kept.with(self.undone_of(theirs)).common(theirs));
        let ready = theirs.without(kept);
        if self.peer_moves_alone() && ready != theirs { ready } else { all }
    }

    /// What goes back, as the exchange is to say it: all of the peer's class, unless groups say otherwise. A peer
    /// that knows classes only gets all that we hold of one, or nothing.
    fn returning(&self) -> GroupSet {
        let ownership = &self.ownership;
        let held = self.groups.held();
        let set = match (ownership.need_failback, ownership.to_return) {
            (true, _) => self.groups.foreign(),
            (false, to_return) => to_return.common(held),
        };
        let staying = self.staying();
        if !self.says_groups() && !set.common(held).common(staying).is_none() {
            return GroupSet::NONE;
        }
        set.without(staying)
    }

    /// What does not return by itself: as the group says, or else `auto_failback`.
    fn staying(&self) -> GroupSet {
        let returns = self.settings.auto_failback != AutoFailback::Off;
        let said = |group: usize| self.settings.failback.groups.get(group).copied().flatten();
        let staying = (0..self.groups.list().len()).filter(|group| !said(*group).unwrap_or(returns));
        let staying = GroupSet::new(staying, if returns { Set::NONE } else { Set::ALL });
        self.with_company(staying).without(self.too_close(self.groups.held()))
    }

    /// The groups that we hold and that are to go back.
    pub(in crate::cluster) fn pending_return(&self) -> GroupSet {
        let groups = self.returning().common(self.groups.held()).iter();
        let leaves = self.ownership.gives_up_everything();
        GroupSet::new(groups.filter(|_| !leaves), Set::NONE)
    }

    /// The peer gives us something: that stays, and only what was to go back before still is.
    pub(in crate::cluster) fn keep_given(&mut self, given: GroupSet) {
        if self.ownership.need_failback && self.peer_moves_alone() {
            let rest = self.pending_return().without(given);
            (self.ownership.need_failback, self.ownership.to_return) = (false, rest);
        }
    }

    /// Nothing is to go back any more.
    fn forget_return(&mut self) {
        (self.ownership.need_failback, self.ownership.to_return) = (false, GroupSet::NONE);
        self.await_wellness();
    }

    /// The peer is gone, or new: whether it is well will be seen.
    pub(in crate::cluster) fn await_wellness(&mut self) {
        (self.failback.well_since, self.failback.wait) = (None, None);
    }

    /// Whether the peer has been well for long enough, has been up for as long as it wants to be, and the local clock
    /// shows a time at which groups return. Notes what is waited for.
    fn return_is_due(&mut self, theirs: GroupSet) -> bool {
        let now = self.now.monotonic;
        let settled = self.peer_node().and_then(|peer| peer.settled_at).unwrap_or_default();
        if !self.peer_is_well(theirs) {
            (self.failback.well_since, self.failback.wait) = (None, Some(ReturnWait::PeerWell));
            // An exchange cannot begin, or without `failback_after` it is the peer that judges itself.
            return self.settings.failback.after.is_zero() && settled <= now && self.window_is_open(now);
        }
        let well_since = *self.failback.well_since.get_or_insert(now);
        let due = now.max(settled).max(well_since + self.settings.failback.after);
        let wait = match self.settings.failback.window {
            Some(window) if !self.window_is_open(due) => ReturnWait::Window(window),
            _ if due > now => self.until(due),
            _ => ReturnWait::Unhindered,
        };
        self.note_wait(wait, theirs);
        wait == ReturnWait::Unhindered
    }

    /// Whether the local clock will then show a time at which groups return.
    fn window_is_open(&self, then: Instant) -> bool {
        let wall = self.now.wall + then.since(self.now.monotonic);
        let local = i64::try_from(wall.as_secs()).unwrap_or_default() + i64::from(self.failback.utc_offset);
        let seconds = u32::try_from(local.rem_euclid(DAY)).unwrap_or_default();
        self.settings.failback.window.is_none_or(|window| window.contains(seconds))
    }

    /// That moment by the wall clock.
    fn until(&self, due: Instant) -> ReturnWait {
        let wall = self.now.wall + due.since(self.now.monotonic);
        match self.failback.wait {
            Some(ReturnWait::Until(known)) if known.abs_diff(wall) < SAME_MOMENT => ReturnWait::Until(known),
            _ => ReturnWait::Until(wall),
        }
    }

    fn note_wait(&mut self, wait: ReturnWait, theirs: GroupSet) {
        let before = self.failback.wait.replace(wait);
        let kind = |wait: &ReturnWait| std::mem::discriminant(wait);
        if before.as_ref().map(kind) == Some(kind(&wait)) {
            return;
        }
        let when = match wait {
            ReturnWait::Until(wall) => format!("in {} s", wall.saturating_sub(self.now.wall).as_secs_f64().ceil()),
            ReturnWait::Window(window) => format!("in the failback_window {window}"),
            ReturnWait::PeerWell | ReturnWait::Unhindered => return,
        };
        self.log(Record::ReturnWaits { groups: self.groups.keys(theirs), node: self.peer_name(), when });
    }

    /// Whether the peer could serve these groups: it is up, says nothing against it, and is not worse connected.
    fn peer_is_well(&self, theirs: GroupSet) -> bool {
        let Some(peer) = self.peer_node() else { return false };
        let undecided = !self.ownership.other.decided && !self.exchange.busy();
        peer.alive()
            && !self.ownership.other.left()
            && !undecided
            && !self.peer_in_maintenance()
            && !self.peer_is_worse_connected()
            && self.may_give(theirs).is_ok()
            && theirs.common(self.peer_cut()).is_none()
            && self.peer_unfit_for(theirs).is_none()
    }

    /// What the return of a group waits for; `None` if it is not to return.
    pub(in crate::cluster) fn return_wait(&self, pending: GroupSet, group: usize) -> Option<ReturnWait> {
        let there = self.peer_alive() && !self.ownership.other.left();
        let wait = if there { self.failback.wait.unwrap_or(ReturnWait::Unhindered) } else { ReturnWait::PeerWell };
        pending.has(group).then_some(wait)
    }

    /// A status of the peer, which may say that it has read the file by which some of what we hold is its own now.
    pub(in crate::cluster) fn preference_agreed(&mut self) {
        if !self.ownership.to_return.is_none() && self.same_haresources() {
            self.timers.set_if_unset(Timer::Failback, self.now.monotonic + CHECK_AGAIN);
        }
    }

    /// The peer is back, and nothing that it says may show us a change: what we took from it is still to go back.
    pub(in crate::cluster) fn schedule_failback(&mut self) {
        if self.ownership.need_failback {
            self.timers.set(Timer::Failback, self.now.monotonic + CHECK_AGAIN);
        }
    }

    /// The peer had given us something because it was worse connected, and is not any more: that returns as what we
    /// took does.
    pub(in crate::cluster) fn plan_return(&mut self) {
        self.ownership.need_failback = true;
        self.schedule_failback();
    }

    /// A node's status says how long it wants to be given nothing back; only an hbd's counts (05 §3.10).
    pub(in crate::cluster) fn start_delay_heard(&mut self, from: usize, rest: Option<Duration>) {
        let now = self.now.monotonic;
        let node = &mut self.nodes[from];
        let settled = rest.filter(|_| node.hbd.is_some()).map(|rest| now + rest);
        let same = |known: Instant, new: Instant| known.0.abs_diff(new.0) < SAME_MOMENT;
        if !node.settled_at.zip(settled).is_some_and(|(known, new)| same(known, new)) {
            node.settled_at = settled;
        }
    }

    /// How long we still want to be given nothing back, in whole seconds; `None` if that is over.
    pub(in crate::cluster) fn start_delay_rest(&self) -> Option<u64> {
        let over = self.membership.started() + self.settings.failback.start_delay;
        let rest = over.since(self.now.monotonic);
        (!rest.is_zero()).then(|| rest.as_secs() + u64::from(rest.subsec_nanos() > 0))
    }

    /// How far the local clock is ahead of UTC, in seconds: by the time zone, or daylight saving time has begun or
    /// ended.
    pub(in crate::cluster) fn utc_offset_changed(&mut self, seconds: i32) {
        self.failback.utc_offset = seconds;
    }

    /// An operator wants what is to go back to go now: a group, or all of it.
    pub(in crate::cluster) fn return_now(&mut self, id: u64, group: Option<usize>) {
        match self.part_of_return(group) {
            Ok(set) => self.raise(Fact::ReturnWanted { id, set }),
            Err(answer) => self.raise(Fact::Answered { id, answer }),
        }
    }

    /// An operator wants what is to go back to stay: a group, or all of it. It stays until the peer goes away and
    /// comes back once more.
    pub(in crate::cluster) fn cancel_return(&mut self, id: u64, group: Option<usize>) {
        let part = self.part_of_return(group).and_then(|part| match self.exchange.busy() {
            true => Err(Answer::Busy),
            false => Ok(part),
        });
        let part = match part {
            Ok(part) => part,
            Err(answer) => return self.raise(Fact::Answered { id, answer }),
        };
        let rest = self.pending_return().without(part);
        if rest.is_none() {
            self.timers.stop(Timer::Failback);
            self.forget_return();
        } else {
            (self.ownership.need_failback, self.ownership.to_return) = (false, rest);
        }
        self.log(Record::ReturnCancelled { groups: self.groups.keys(part), node: self.peer_name() });
        self.raise(Fact::Answered { id, answer: Answer::Done });
    }

    /// The part of what is to go back that an operator names, with what hbd.toml keeps together with it.
    fn part_of_return(&self, group: Option<usize>) -> Result<GroupSet, Answer> {
        let pending = self.pending_return();
        let named = group.map(|group| pending.common(GroupSet::one(group)));
        let part = named.map_or(pending, |named| pending.common(self.with_company(named)));
        if part.is_none() {
            Err(Answer::NothingReturns)
        } else if part != pending && !self.says_groups() {
            Err(Answer::MovesTogether)
        } else {
            Ok(part)
        }
    }
}

impl FailbackPolicy {
    /// Whether `auto_failback` alone decides, as with Heartbeat.
    pub(in crate::cluster) fn is_plain(&self) -> bool {
        self.after.is_zero() && self.window.is_none() && self.groups.iter().all(Option::is_none)
    }
}
