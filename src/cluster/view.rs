//! What the core shows of itself: plain data for D-Bus, `hbctl status` and tests.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::{
    Awaited, CheckView, Core, GroupSet, GroupState, HoldReason, PingedNode, ResourceState, ReturnWait, Set, Step,
    UnfitView, WitnessView,
};
use crate::config::Fingerprint;

/// The whole state at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// Our status: `init`, `up`, `active`, or `stopping` once a stop was asked for.
    pub state: String,
    /// `none`, `local`, `foreign`, `all`, or `transition` while anything is undecided (03 §11).
    pub resource_state: String,
    /// What we hold.
    pub hold: Set,
    /// Whether our resources are left alone.
    #[serde(default)]
    pub maintenance: bool,
    /// Whether the two nodes move groups one by one (05 §3.13). If not, groups that prefer one node move together.
    #[serde(default)]
    pub groups_move_alone: bool,
    /// What an operator's move waits for, if one waits.
    pub awaited: Option<Awaited>,
    /// The number of its request.
    #[serde(default)]
    pub waiting_request: Option<u64>,
    /// The witness; `None` if none is configured.
    #[serde(default)]
    pub witness: Option<WitnessView>,
    /// The node table, in ha.cf order.
    pub nodes: Vec<NodeView>,
    /// Ping nodes, in ha.cf order.
    pub ping_nodes: Vec<PingedNode>,
    /// The groups, in haresources order.
    pub groups: Vec<GroupView>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// Whether it is us.
    pub local: bool,
    /// `init`, `up`, `active` or `dead`.
    pub status: String,
    /// Its daemon's generation; 0 if unknown.
    pub generation: u64,
    /// Whether it is an hbd; `None` if nothing was heard of it.
    pub hbd: Option<bool>,
    /// After how long a silence it is dead.
    pub dead_time: Duration,
    /// When its last status came, wall clock; `None` for never and for ourselves.
    pub last_status: Option<Duration>,
    /// What it said it holds, in its own words.
    pub holds: Set,
    /// Whether it has not decided yet what it holds, or is moving something.
    #[serde(default)]
    pub in_transition: bool,
    /// Whether it says that it is in maintenance, or we are.
    #[serde(default)]
    pub maintenance: bool,
    /// Keys of the groups that it leaves alone, because an operator works on them.
    #[serde(default)]
    pub left_alone: Vec<String>,
    /// Keys of the groups that it could not serve.
    #[serde(default)]
    pub unready: Vec<String>,
    /// What it says that its configuration is; `None` for a Heartbeat and an older hbd.
    #[serde(default)]
    pub fingerprint: Option<Fingerprint>,
    /// The files that differ from ours.
    #[serde(default)]
    pub differing: Vec<String>,
    /// What differs in them, a sentence without its full stop each.
    #[serde(default)]
    pub differences: Vec<String>,
    /// Why it is heard and does not count as alive, a sentence without its full stop; empty if that is not so.
    #[serde(default)]
    pub doubt: String,
    /// Its links; none for ourselves.
    pub links: Vec<LinkView>,
}

/// One link of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkView {
    /// The local interface.
    pub name: String,
    /// Whether the node is heard on it.
    pub up: bool,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupView {
    /// Its first resource as written.
    pub key: String,
    /// The preferred node.
    pub node: String,
    /// What it does here.
    pub state: GroupState,
    /// How many of its resources run here, counted from the left.
    pub running: usize,
    /// The node that holds it as far as we know; `None` if nobody does.
    pub owner: Option<String>,
    /// Why we do not take it although its owner is dead: who still answers for which of its addresses.
    pub held_back: Option<String>,
    /// The same as one of a few.
    #[serde(default)]
    pub hold_reason: Option<HoldReason>,
    /// Whether its owner, the other node, says that something of it does not run there.
    #[serde(default)]
    pub degraded_there: bool,
    /// Whether the other node says that it holds this group, which we hold as well.
    #[serde(default)]
    pub contested: bool,
    /// Which machines answer for its addresses beside their owner, a sentence without its full stop each.
    #[serde(default)]
    pub strangers: Vec<String>,
    /// What waits before it goes back to the other node, which it prefers; `None` if it does not go by itself.
    #[serde(default)]
    pub returns: Option<ReturnWait>,
    /// The nodes on which it failed, and which are not given it by themselves.
    #[serde(default)]
    pub unfit: Vec<UnfitView>,
    /// Its resources, from the left.
    #[serde(default)]
    pub resources: Vec<ResourceView>,
    /// Its checks, in the order of hbd.toml.
    #[serde(default)]
    pub checks: Vec<CheckView>,
}

/// One resource of a group, on this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceView {
    /// What it does here.
    pub state: ResourceState,
    /// Why it does not run as it should; empty if it does.
    pub why: String,
    /// How often it has failed here lately.
    pub failures: usize,
}

impl Core {
    /// The present state.
    pub fn view(&self) -> View {
        let status = self.own_status();
        let hold = self.groups.classes(self.groups.held());
        let returning = self.pending_return();
        View {
            state: if self.leave.begun() { "stopping".to_owned() } else { status.to_string() },
            resource_state: if self.is_stable() { hold.to_string() } else { "transition".to_owned() },
            hold,
            maintenance: self.maintenance.on(),
            groups_move_alone: self.groups_move_alone(),
            awaited: self.operator.awaited(),
            waiting_request: self.operator.waiting_request(),
            witness: self.witness_view(),
            nodes: (0..self.nodes.len()).map(|index| self.node_view(index)).collect(),
            ping_nodes: self.ping_nodes.clone(),
            groups: (0..self.groups.list().len()).map(|index| self.group_view(index, returning)).collect(),
        }
    }

    fn node_view(&self, index: usize) -> NodeView {
        let node = &self.nodes[index];
        let local = Some(index) == self.own();
        let own_status = self.own_status();
        let links = self.settings.links.iter().zip(&node.links);
        NodeView {
            name: node.name.clone(),
            local,
            status: if local { own_status } else { node.status }.to_string(),
            generation: if local { self.settings.generation } else { node.generation },
            hbd: if local { Some(true) } else { node.last_status.map(|_| node.hbd.is_some()) },
            dead_time: node.dead_time,
            last_status: node.last_status_wall,
            holds: if local {
                self.groups.classes(self.groups.held())
            } else {
                self.groups.classes(self.ownership.other.holds).swapped()
            },
            in_transition: if local { !self.is_stable() } else { node.alive() && !self.ownership.other.decided },
            maintenance: if local { self.maintenance.on() } else { node.maintenance },
            left_alone: self.left_alone_keys(local),
            unready: self.unready_keys(index),
            fingerprint: if local { Some(self.settings.fingerprint.clone()) } else { node.fingerprint.clone() },
            differing: if local { Vec::new() } else { self.differing(index) },
            differences: if local { Vec::new() } else { self.differences(index) },
            doubt: if Some(index) == self.peer() { self.doubt_in_words() } else { String::new() },
            links: if local {
                Vec::new()
            } else {
                links.map(|(name, link)| LinkView { name: name.clone(), up: link.up }).collect()
            },
        }
    }

    /// None of a node that is in maintenance as a whole.
    fn left_alone_keys(&self, local: bool) -> Vec<String> {
        let whole = if local { self.maintenance.on() } else { self.peer_in_maintenance() };
        let alone = if local { self.left_alone() } else { self.peer_leaves_alone() };
        alone.iter().filter(|_| !whole).map(|group| self.groups.key(group).to_owned()).collect()
    }

    fn unready_keys(&self, node: usize) -> Vec<String> {
        let local = Some(node) == self.own();
        let unready = if local { self.unready() } else { self.groups.said_there(&self.nodes[node].unready) };
        unready.iter().map(|group| self.groups.key(group).to_owned()).collect()
    }

    fn group_view(&self, index: usize, returning: GroupSet) -> GroupView {
        let group = &self.groups.list()[index];
        let (state, running) = (self.group_state(index), self.groups.state(index).1);
        let theirs = self.peer_alive() && self.ownership.other.holds.has(index);
        let owner = if self.groups.wanted(index) {
            Some(self.settings.node.clone())
        } else {
            theirs.then(|| self.peer_name())
        };
        let here = self.groups.wanted(index);
        let (hold_reason, held_back) = self.objection(index).unzip();
        let degraded_there =
            theirs && !here && self.peer_node().is_some_and(|peer| peer.degraded.contains(&group.key));
        GroupView {
            key: group.key.clone(),
            node: group.node.clone(),
            state,
            running,
            owner,
            held_back,
            hold_reason,
            degraded_there,
            contested: theirs && here,
            strangers: self.strangers_in_words(index),
            returns: self.return_wait(returning, index),
            unfit: self.unfit_views(index),
            resources: (0..group.resources.len())
                .map(|resource| self.resource_view(Step { group: index, resource }))
                .collect(),
            checks: self.check_views(index),
        }
    }

    fn resource_view(&self, step: Step) -> ResourceView {
        let (state, why) = self.resource_state(step);
        ResourceView { state, why, failures: self.failures(step) }
    }
}
