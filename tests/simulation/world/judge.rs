//! What an outsider sees of the world, and whether it is as it must be.

use super::World;
use crate::invariants::Observation;
use crate::node::name;
use crate::schedule::Kind;
use crate::units::{GROUPS, RESOURCES};

/// From this extension on groups move one by one (05 §3.13).
const MOVES_ALONE: u32 = 4;
/// From this extension on nodes say their MAC addresses (05 §3.14).
const SAYS_MACS: u32 = 5;

impl World {
    pub(super) fn check(&mut self) {
        if !self.cluster.serves() || self.broken.is_some() {
            return;
        }
        if self.apart() || self.nodes.iter().any(|node| node.machine.is_none()) {
            self.witness.parted = self.now;
        }
        let (now, nodes) = (self.now, &self.nodes);
        for group in 0..self.cluster.groups {
            if nodes.iter().any(|node| node.lan && node.units.running[group][0]) {
                self.lan.note_owner(group, now);
            }
        }
        let observation = Observation {
            now,
            groups: self.cluster.groups,
            alive: [nodes[0].machine.is_some(), nodes[1].machine.is_some()],
            running: [nodes[0].units.running, nodes[1].units.running],
            heartbeat: [self.cluster.nodes[0], self.cluster.nodes[1]].map(|kind| kind == Kind::Heartbeat),
            parted: self.apart()
                || nodes
                    .iter()
                    .any(|node| !node.lan || node.stall.is_some() || node.left.is_some() || node.units.troubled(now)),
            watched: self.cluster.watched
                && !self.cluster.mixed()
                && nodes.iter().all(|node| node.lan && node.left.is_none() && !node.units.troubled(now))
                && !(self.apart() && nodes.iter().any(|node| now < node.listens_until)),
            stuck: self.stuck(),
            misled: self.misled(),
            disagree: self.apart() && nodes[0].read != nodes[1].read,
            witness: self.cluster.witness,
            // A node takes no address that a third machine uses, nothing in maintenance, nothing before the end of
            // an announced restart, and nothing without a ping node if takeover_needs_ping says so. Where classes
            // move as a whole, one may have, to a node that has read another file, a group that is served and one
            // that is not.
            excused: nodes.iter().all(|node| node.machine.is_none() || node.stops)
                || self.lan_misleads()
                || self.wants_witness()
                || self.apart() && nodes[0].read != nodes[1].read && self.classes_move()
                || nodes.iter().any(|node| {
                    node.maintenance
                        || !node.left_alone.is_none()
                        || now < node.waited_for && (node.machine.is_none() || self.cluster.witness && self.apart())
                        || node.units.unsteady(now)
                        || node.units.start_troubled(now)
                        || self.cluster.needs_ping && !node.lan
                }),
        };
        if let Err(broken) = self.invariants.check(&observation) {
            self.break_with(broken);
        }
        self.check_truth();
    }

    /// Whether a stranger's answers may keep a node from serving: they do not, where it knows its peer's machine.
    fn lan_misleads(&self) -> bool {
        let knows = |node: usize| {
            self.nodes[node].machine.as_ref().is_none_or(|machine| machine.recognises_peer_on(super::lan::DEVICE))
        };
        // Of a peer that does not say its MAC addresses a machine that answered for it may be its own.
        let said = !self.cluster.mixed() && self.nodes.iter().all(|node| node.speaks >= SAYS_MACS);
        let known = said && (0..self.nodes.len()).all(knows) && !self.lan.relieved(self.now);
        (self.cluster.proxy || self.lan.disturbed(self.now)) && !known
    }

    /// Whether nothing can be served, because the nodes need the witness and it is out of reach. Where one hears the
    /// other and is not heard, what the other one has let go of is taken with the key, but not in every situation.
    fn wants_witness(&self) -> bool {
        let can_ask = |(index, node): (usize, &crate::node::Node)| {
            node.machine.is_some() && node.stall.is_none() && self.witness.reached_by(index, self.now)
        };
        let alone = self.apart() || self.nodes.iter().any(|node| node.machine.is_none() || node.stall.is_some());
        self.cluster.witness
            && alone
            && (self.witness.is_forgetful(self.now)
                || !self.nodes.iter().enumerate().any(can_ask)
                || self.apart() && !self.wire.silent())
    }

    /// Whether some node does not hear some other in time.
    pub(super) fn apart(&self) -> bool {
        !self.wire.whole() || self.attacker.holds(self.now)
    }

    /// Whether a node that runs, or ran last, moves classes as a whole.
    fn classes_move(&self) -> bool {
        self.cluster.mixed() || self.nodes.iter().any(|node| node.speaks < MOVES_ALONE)
    }

    /// What cannot be stopped somewhere, with what moves along.
    fn stuck(&self) -> [bool; GROUPS] {
        let stuck = |group: usize| self.nodes.iter().any(|node| node.units.stop_troubled(group, self.now));
        let along = |group: usize| {
            let company = self.cluster.together.iter().find(|company| company.contains(&group));
            company.is_some_and(|company| company.iter().any(|other| stuck(*other)))
        };
        let all = self.classes_move() && (0..GROUPS).any(stuck);
        std::array::from_fn(|group| all || stuck(group) || along(group))
    }

    fn misled(&self) -> [bool; GROUPS] {
        std::array::from_fn(|group| self.nodes.iter().any(|node| node.is_wrong_about(group)))
    }

    /// Checked after a long rest: every group runs on one node, on its preferred one unless it was `moved`, and every
    /// node knows which nodes live.
    pub fn settled(&self, moved: bool) -> Result<(), String> {
        let living: Vec<_> = self.nodes.iter().map(|node| node.machine.is_some()).collect();
        for (index, machine) in
            self.nodes.iter().enumerate().filter_map(|(i, node)| Some((i, node.machine.as_ref()?)))
        {
            // This holds for a real Heartbeat, too: while it is in transition it can be neither stopped nor asked for
            // anything (03 §0 nos. 10 and 20).
            if self.cluster.serves() && machine.in_transition() {
                return Err(format!("{} is still in transition at the end", name(index)));
            }
            if machine.active_nodes().is_some_and(|active| active != living) {
                return Err(format!("{} does not know who lives at the end", name(index)));
            }
        }
        let parted = |list: &&Vec<usize>| {
            let serves = |node: usize| list.iter().any(|group| self.serves(node, *group));
            !self.cluster.mixed() && serves(0) && serves(1)
        };
        if let Some(list) = self.cluster.together.iter().find(parted) {
            return Err(format!("groups {list:?} are not together at the end"));
        }
        for (node, found) in self.nodes.iter().enumerate().filter(|(_, node)| node.machine.is_some()) {
            let everywhere = |group: &usize| found.units.is_everywhere((*group, RESOURCES - 1));
            if let Some(group) =
                (0..self.cluster.groups).filter(everywhere).find(|group| !found.units.running[*group][RESOURCES - 1])
            {
                return Err(format!("the last unit of group {group} does not run on {} at the end", name(node)));
            }
        }
        for group in (0..self.cluster.groups).filter(|_| self.cluster.serves()) {
            let owners: Vec<_> = (0..2).filter(|node| self.serves(*node, group)).collect();
            let lost = living.contains(&true)
                && owners.is_empty()
                && !self.invariants.is_claimed_in_vain(group)
                && !self.lan_misleads()
                && !self.wants_witness();
            if self.misled()[group] {
                continue;
            }
            if lost || owners.len() > 1 {
                return Err(format!("group {group} is served by {owners:?} at the end"));
            }
            let agreed = self.nodes[0].read == self.nodes[1].read;
            if !moved && living == [true, true] && agreed && owners != [self.nodes[0].read[group]] {
                return Err(format!("group {group} is not at its preferred node at the end"));
            }
        }
        Ok(())
    }
}
