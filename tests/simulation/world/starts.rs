//! How the software of a node starts, and how it ends.

use std::time::Duration;

use hbd::cluster::{Event, Request};
use hbd::config::AddressPolicy;

use super::{Happening, World};
use crate::machine::Machine;
use crate::node::{LEASE, Left, Stall, name, timing};
use crate::schedule::Kind;
use crate::units::GROUPS;

/// How long a peer waits for the successor of a daemon: 30 s and the dead time (02 §9.2), and until it has seen that
/// none comes.
const PATIENCE: Duration = Duration::from_secs(36);

impl World {
    pub fn boot(&mut self, node: usize) {
        if self.nodes[node].machine.is_some() {
            return;
        }
        self.invariants.disturbed(self.now);
        self.tell(|| format!("** {} boots", name(node)));
        let (now, seed) = (self.now, self.random.below(u64::MAX));
        self.nodes[node].boot(node, &self.cluster, now, seed);
        if self.cluster.watched {
            self.feed(node, Event::Policies(vec![AddressPolicy::default(); GROUPS]));
            self.feed(node, Event::OwnMacs { macs: vec![super::lan::mac(node)], more: false });
        }
        if self.nodes[node].maintenance {
            self.ask(node, Request::Maintenance(true));
        }
        let set = self.nodes[node].left_alone;
        if !set.is_none() {
            self.ask(node, Request::GroupMaintenance { set, on: true });
        }
        if let Some(left) = self.nodes[node].left.take() {
            self.nodes[node].listens_until = self.now + timing().deadtime;
            let adoption = self.nodes[node].to_adopt(&left, self.cluster.watched);
            self.feed(node, Event::Adopt(Box::new(adoption)));
        }
        self.nodes[node].stops = false;
        self.nodes[node].read = self.nodes[node].file;
        self.feed(node, Event::Start);
        self.finds_units(node);
        if self.cluster.pings {
            self.push(Duration::from_millis(1), node, Happening::Pings);
        }
    }

    /// Power failure.
    pub(super) fn crash(&mut self, node: usize) {
        if self.nodes[node].machine.is_some() {
            self.invariants.disturbed(self.now);
            self.power_off(node);
            self.check();
        }
    }

    /// Only the daemon dies: systemd stops its resources (ExecStopPost) and starts it again. For a real Heartbeat
    /// nothing does that: the watchdog reboots the machine.
    pub(super) fn kill(&mut self, node: usize) {
        if self.nodes[node].machine.is_some() {
            self.invariants.disturbed(self.now);
            self.nodes[node].end();
            self.lan.forget(node);
            self.check();
            let pause = if self.cluster.nodes[node] == Kind::Hbd { 150 } else { 20_000 };
            self.push(Duration::from_millis(pause), node, Happening::Starts);
        }
    }

    pub(super) fn stall(&mut self, node: usize, span: Duration) {
        if self.nodes[node].machine.is_some() && self.nodes[node].stall.is_none() {
            self.nodes[node].stall = Some(Stall { since: self.now, ..Stall::default() });
            self.push(span, node, Happening::Wakes);
            if self.cluster.nodes[node] == Kind::Hbd && !self.cluster.witness {
                self.push(LEASE, node, Happening::LeaseEnds(self.now));
            }
        }
    }

    /// The daemon ends, and what it ran runs on.
    pub(super) fn hands_over(&mut self, node: usize, mut left: Left) {
        left.at = self.nodes[node].clock_at(self.now);
        self.invariants.disturbed(self.now);
        self.tell(|| format!("** {} gives way to its successor", name(node)));
        self.nodes[node].waited_for = self.now + PATIENCE;
        self.leases_stretch(node, left.assured_for);
        let pause = self.nodes[node].hand_over(left);
        self.push(pause, node, Happening::Starts);
    }

    pub(super) fn ended(&mut self, node: usize) {
        // What somebody started by hand a moment ago is not hbd's.
        let lived = self.nodes[node].units.lived.is_some();
        let before = self.nodes[node].units.running;
        // Its peer, which waits for it, has not heard that it came and went.
        let generation = self.nodes[node].generation();
        let knows = |peer: &Machine| peer.knows_generation(name(node)) == Some(generation);
        let known = self.nodes.len() == 2 && self.nodes[1 - node].machine.as_ref().is_none_or(knows);
        if known {
            self.nodes[node].waited_for = Duration::ZERO;
        }
        self.nodes[node].end();
        if self.nodes[node].units.running != before && !lived {
            self.break_with(format!("{} ended with resources running", name(node)));
        }
        self.invariants.disturbed(self.now);
        self.lan.forget(node);
    }

    pub(super) fn power_off(&mut self, node: usize) {
        self.nodes[node].power_off();
        self.lan.forget(node);
    }
}
