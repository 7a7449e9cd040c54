//! Deadlines, and packets that lie in a full receive buffer before a daemon reads them, as src/daemon/core_loop.rs
//! tells the core of both.

use std::time::Duration;

use hbd::cluster::{Event, Instant};

use super::World;
use super::happening::Happening;
use crate::machine::Machine;
use crate::node::Flood;
use crate::schedule::Kind;

/// How often a daemon looks whether something is due while packets wait.
const TURN: Duration = Duration::from_millis(5);

impl World {
    /// The model of a real Heartbeat knows no buffers.
    pub(super) fn flood(&mut self, node: usize, flood: Flood) {
        if self.cluster.nodes[node] == Kind::Hbd && self.read_until(node).is_none() {
            self.nodes[node].flood = Some(flood);
        }
    }

    /// A packet comes to a node: into its daemon, or into the buffer.
    pub(super) fn arrives(&mut self, node: usize, event: Event) {
        let flooded = self.nodes[node].flood.filter(|flood| self.now < flood.until);
        let Some(Flood { behind, .. }) = flooded else { return self.feed(node, event) };
        if let Event::Received { message, .. } = &event {
            // From now on it must not be declared dead for want of it.
            self.status_arrives(node, message);
        }
        self.push(behind, node, Happening::Tells(event));
    }

    /// Whether packets wait to be read.
    pub(super) fn is_flooded(&self, node: usize) -> bool {
        self.read_until(node).is_some()
    }

    /// What is read by now, if not everything.
    fn read_until(&self, node: usize) -> Option<Duration> {
        let flood = self.nodes[node].flood?;
        (self.now < flood.until + flood.behind).then(|| self.now - flood.behind)
    }

    pub(super) fn feed_deadline(&mut self, node: usize) {
        let Some(machine) = self.nodes[node].machine.as_ref() else { return };
        let clocks = &self.nodes[node];
        let (now, read_until) = (clocks.clock_at(self.now), self.read_until(node));
        let read_until = read_until.map(|moment| Instant(clocks.clock_at(moment)));
        let due = match read_until {
            Some(read_until) => machine.next_unread_deadline(read_until),
            None => machine.next_deadline(),
        };
        if due.is_some_and(|due| due.0 <= now) {
            self.feed(node, read_until.map_or(Event::Deadline, |read_until| Event::UnreadDeadline { read_until }));
        } else {
            self.schedule_deadline(node);
        }
    }

    pub(super) fn schedule_deadline(&mut self, node: usize) {
        let Some(due) = self.nodes[node].machine.as_ref().and_then(Machine::next_deadline) else { return };
        // What is still due after the core was told waits for packets.
        let soonest = if self.read_until(node).is_some() { self.now + TURN } else { self.now };
        let due = self.nodes[node].moment_of(due.0).max(soonest);
        if self.nodes[node].wake.is_none_or(|wake| due < wake) {
            self.nodes[node].wake = Some(due);
            self.push(due - self.now, node, Happening::Deadline);
        }
    }
}
