//! The interfaces of nodes, links, groups and resources. Their doc comments are the documentation in `dbus/*.xml`.

use std::collections::HashMap;

use zbus::{Variant, interface, object_server::Interface};

use super::snapshot::{
    CheckSnapshot, GroupSnapshot, LinkSnapshot, NodeSnapshot, ResourceSnapshot, Traffic, UnfitSnapshot,
};

/// An interface that shows a piece of a [`Snapshot`].
pub(super) trait Mirror: Interface + Sized {
    /// The piece.
    type Data: Clone + PartialEq + Send;
    /// Properties that change without a signal (`EmitsChangedSignal` = `false`).
    const QUIET: &'static [&'static str] = &[];
    /// A new object for that piece.
    fn new(data: Self::Data) -> Self;
    /// Shows that piece from now on.
    fn set(&mut self, data: Self::Data);
}

/// `org.hbd1.Node`.
pub struct NodeObject(NodeSnapshot);

/// A node of the cluster, this one included, or a ping node.
#[interface(name = "org.hbd1.Node")]
impl NodeObject {
    /// The node's name.
    #[zbus(property(emits_changed_signal = "const"))]
    fn name(&self) -> &str {
        &self.0.name
    }

    /// "normal", or "ping" for what is only pinged.
    #[zbus(property, name = "Type")]
    fn kind(&self) -> &str {
        &self.0.kind
    }

    /// "init", "up", "active" or "dead"; "ping" for a ping node that answers.
    #[zbus(property)]
    fn status(&self) -> &str {
        &self.0.status
    }

    /// Whether this is the node that you ask.
    #[zbus(property(emits_changed_signal = "const"))]
    fn local(&self) -> bool {
        self.0.local
    }

    /// What the node runs: "hbd" or "heartbeat"; "" for a ping node, and for a node that was never heard.
    #[zbus(property)]
    fn implementation(&self) -> &str {
        match (self.0.kind.as_str(), self.0.hbd, self.0.generation) {
            ("ping", ..) => "",
            (_, true, _) => "hbd",
            (_, false, 0) => "",
            (_, false, _) => "heartbeat",
        }
    }

    /// The node's generation number; 0 when it was never heard.
    #[zbus(property)]
    fn generation(&self) -> u64 {
        self.0.generation
    }

    /// Silence after which the node is dead, in microseconds.
    #[zbus(property, name = "DeadtimeUSec")]
    fn deadtime_usec(&self) -> u64 {
        self.0.deadtime_usec
    }

    /// When the node was last heard, in microseconds of CLOCK_REALTIME; 0 for never. Changes with every heartbeat and
    /// without a signal.
    #[zbus(property(emits_changed_signal = "false"), name = "LastStatusTimestamp")]
    fn last_status_timestamp(&self) -> u64 {
        self.0.last_status_usec
    }

    /// What the node says it holds: "none", "local", "foreign", "all" or "transition"; "" for ping nodes. As with
    /// ResourceState of org.hbd1.Manager, a part of the local or foreign groups counts.
    #[zbus(property)]
    fn holds(&self) -> &str {
        &self.0.holds
    }

    /// Whether the node has not decided yet what it holds, or is moving something.
    #[zbus(property)]
    fn in_transition(&self) -> bool {
        self.0.in_transition
    }

    /// The groups that the node says it could not serve (`ready` in its hbd.toml), with those that move together with
    /// them. It is given none of them. A Heartbeat never says so, and a dead node says nothing.
    #[zbus(property)]
    fn not_ready(&self) -> Vec<&str> {
        self.0.not_ready.iter().map(String::as_str).collect()
    }

    /// The groups that the node leaves alone, because an operator works on them; empty if it is in maintenance as a
    /// whole. See SetGroupMaintenance.
    #[zbus(property)]
    fn left_alone(&self) -> Vec<&str> {
        self.0.left_alone.iter().map(String::as_str).collect()
    }

    /// Whether the node says that it is in maintenance; a Heartbeat never is, and a dead node says nothing.
    #[zbus(property)]
    fn maintenance(&self) -> bool {
        self.0.maintenance
    }

    /// How the node's last packet was signed, and on its own node how its packets are: "crc", "md5", "sha1" or
    /// "hmac-sha256"; "" before the first packet, and for ping nodes.
    #[zbus(property)]
    fn signed_with(&self) -> &str {
        &self.0.signed_with
    }

    /// The files in which this node and the node that you ask differ, as far as all nodes must have the same:
    /// "ha.cf", "haresources". Empty if there is no difference, and for what does not say so (a Heartbeat, an older
    /// hbd).
    #[zbus(property)]
    fn configuration_differs(&self) -> Vec<&str> {
        self.0.differing.iter().map(String::as_str).collect()
    }

    /// What differs in these files, a sentence without its full stop each. Empty as far as the other node has not
    /// told it (an older hbd, or files of more than about 20 groups).
    #[zbus(property)]
    fn configuration_differences(&self) -> Vec<&str> {
        self.0.differences.iter().map(String::as_str).collect()
    }

    /// Why the node is heard and does not count as alive, a sentence without its full stop: nothing shows that what
    /// comes is not a repetition of packets recorded earlier. "" if that is not so.
    #[zbus(property)]
    fn doubt(&self) -> &str {
        &self.0.doubt
    }

    /// Digest of what the node's ha.cf says and all nodes must have the same; "" if the node did not say so.
    #[zbus(property)]
    fn ha_cf_digest(&self) -> &str {
        &self.0.ha_cf_digest
    }

    /// Digest of the node's haresources; "" if the node did not say so.
    #[zbus(property)]
    fn haresources_digest(&self) -> &str {
        &self.0.haresources_digest
    }
}

impl Mirror for NodeObject {
    type Data = NodeSnapshot;
    const QUIET: &'static [&'static str] = &["LastStatusTimestamp"];

    fn new(data: NodeSnapshot) -> Self {
        NodeObject(data)
    }

    fn set(&mut self, data: NodeSnapshot) {
        self.0 = data;
    }
}

/// `org.hbd1.Link`.
pub struct LinkObject(LinkSnapshot);

/// A link on which a node is heard.
#[interface(name = "org.hbd1.Link")]
impl LinkObject {
    /// The link's name: the interface, the serial device, or the ping node.
    #[zbus(property(emits_changed_signal = "const"))]
    fn name(&self) -> &str {
        &self.0.name
    }

    /// The node that is heard on it.
    #[zbus(property(emits_changed_signal = "const"))]
    fn node(&self) -> &str {
        &self.0.node
    }

    /// What ha.cf calls it: "ucast", "bcast", "mcast", "serial" or "ping"; several on one interface with commas.
    #[zbus(property(emits_changed_signal = "const"))]
    fn medium(&self) -> &str {
        &self.0.medium
    }

    /// "up" (the node was heard on it within its DeadtimeUSec) or "dead".
    #[zbus(property)]
    fn status(&self) -> &str {
        &self.0.status
    }

    /// When the node was last heard on it, in microseconds of CLOCK_REALTIME; 0 for never. What is not believed, such
    /// as a repeated packet, does not count. Changes with every heartbeat and without a signal.
    #[zbus(property(emits_changed_signal = "false"), name = "LastHeardTimestamp")]
    fn last_heard_timestamp(&self) -> u64 {
        self.0.last_heard_usec
    }

    /// What passed over it on this node since the start of hbd, from and to all nodes, in packets: "Sent",
    /// "Received", "SendErrors" (not sent because of an error) and "Bad" (received, but damaged or with a wrong
    /// signature). Changes without a signal.
    #[zbus(property(emits_changed_signal = "false"))]
    fn traffic(&self) -> HashMap<&str, u64> {
        let Traffic { sent, received, send_errors, bad } = self.0.traffic;
        HashMap::from([("Sent", sent), ("Received", received), ("SendErrors", send_errors), ("Bad", bad)])
    }
}

impl Mirror for LinkObject {
    type Data = LinkSnapshot;
    const QUIET: &'static [&'static str] = &["LastHeardTimestamp", "Traffic"];

    fn new(data: LinkSnapshot) -> Self {
        LinkObject(data)
    }

    fn set(&mut self, data: LinkSnapshot) {
        self.0 = data;
    }
}

/// `org.hbd1.Group`.
pub struct GroupObject(GroupSnapshot);

/// A resource group: a line of haresources, whose resources move together.
#[interface(name = "org.hbd1.Group")]
impl GroupObject {
    /// The group's name: name of hbd.toml, or its key if it has none. Methods take either.
    #[zbus(property(emits_changed_signal = "const"))]
    fn name(&self) -> &str {
        &self.0.name
    }

    /// Its key, by which the nodes and the journal (HBD_GROUP) name it: the first resource of its line.
    #[zbus(property(emits_changed_signal = "const"))]
    fn key(&self) -> &str {
        &self.0.key
    }

    /// The node it belongs to by haresources.
    #[zbus(property)]
    fn preferred_node(&self) -> &str {
        &self.0.preferred
    }

    /// The node that owns it as far as this node knows; "" for none.
    #[zbus(property)]
    fn owner(&self) -> &str {
        &self.0.owner
    }

    /// Since when that node owns it, in microseconds of CLOCK_REALTIME, as far as this hbd saw: not before its start.
    /// 0 for nobody.
    #[zbus(property, name = "OwnerSinceTimestamp")]
    fn owner_since_timestamp(&self) -> u64 {
        self.0.owner_since_usec
    }

    /// Why this node does not take it although its owner is dead: who still answers for which of its addresses, that
    /// its owner is not reset, that no ping node answers, that this node is
    /// not ready for it, or maintenance. "" if nothing keeps it from that. See
    /// ClearHold.
    #[zbus(property)]
    fn held_back(&self) -> &str {
        &self.0.held_back
    }

    /// The same as a word for programs: "not-fenced" (its owner is not reset), "maintenance", "isolated" (no ping
    /// node answers), "witness" (its key is not this node's), "not-ready", "answered" (somebody answers for an
    /// address) or "doubted" (its owner is heard and may not hear this node). "" if nothing keeps it from that.
    #[zbus(property)]
    fn held_back_reason(&self) -> &str {
        &self.0.held_back_reason
    }

    /// The groups that move with it: `together` of hbd.toml.
    #[zbus(property)]
    fn together(&self) -> &[String] {
        &self.0.together
    }

    /// The groups that nobody is to bring to the node where it is: `apart` of hbd.toml.
    #[zbus(property)]
    fn apart(&self) -> &[String] {
        &self.0.apart
    }

    /// Whether it goes back by itself to the node that it prefers when that is well: auto_failback of ha.cf, or
    /// failback of hbd.toml.
    #[zbus(property)]
    fn fails_back(&self) -> bool {
        self.0.fails_back
    }

    /// Whether its owner, another node that runs hbd, says that not all of it runs there: ask that node why. Of a
    /// Heartbeat this is never known.
    #[zbus(property)]
    fn degraded_there(&self) -> bool {
        self.0.degraded_there
    }

    /// Whether another node says that it holds this group, which this node holds as well.
    #[zbus(property)]
    fn contested(&self) -> bool {
        self.0.contested
    }

    /// Which machines answer for its addresses beside their owner, as far as this node knows: a router with proxy
    /// ARP, or a machine that was given the address by mistake. Each as "MAC on INTERFACE answers for ADDRESS as
    /// well". A machine that is gone is in it for three more minutes.
    #[zbus(property)]
    fn strangers(&self) -> &[String] {
        &self.0.strangers
    }

    /// What waits before it goes back by itself from this node to the one that it prefers: "when-well" (that node is
    /// not there, or not well), "at" (the moment ReturnsAtTimestamp), "window" (the time of day ReturnsWindow) or
    /// "soon". "" if it does not go. See FailbackNow and FailbackCancel.
    #[zbus(property)]
    fn returns(&self) -> &str {
        &self.0.returns
    }

    /// When it goes back, in microseconds of CLOCK_REALTIME, as far as only time is left to wait for; else 0.
    #[zbus(property, name = "ReturnsAtTimestamp")]
    fn returns_at_timestamp(&self) -> u64 {
        self.0.returns_at_usec
    }

    /// The time of day at which it goes back, "HH:MM-HH:MM" by the local clock; "" if it does not wait for that.
    #[zbus(property)]
    fn returns_window(&self) -> &str {
        &self.0.returns_window
    }

    /// The nodes on which it failed, and to which it is not given back by itself for a while because of that: "Node",
    /// "Reason" (the resource, and why it failed; "" if the node does not say so) and "UntilTimestamp" (when the
    /// failure is too old to count, in microseconds of CLOCK_REALTIME; 0 if that is not known). Cleanup on that node
    /// ends it. Keys may be added.
    #[zbus(property)]
    fn unfit(&self) -> Vec<HashMap<&str, Variant<'_>>> {
        let unfit = self.0.unfit.iter();
        unfit
            .map(|UnfitSnapshot { node, why, until_usec }| {
                HashMap::from([
                    ("Node", Variant::from(node.as_str())),
                    ("Reason", Variant::from(why.as_str())),
                    ("UntilTimestamp", Variant::from(*until_usec)),
                ])
            })
            .collect()
    }

    /// The systemd target that is active where the group is, for units that others bind to it: hbd-group@NAME.target,
    /// the name escaped as systemd-escape(1) does. "" if the name is too long for one.
    #[zbus(property(emits_changed_signal = "const"))]
    fn target(&self) -> &str {
        &self.0.target
    }

    /// Its state on this node: "stopped", "starting", "active" (all of it runs), "degraded" (all of it is to run, and
    /// something does not), "stopping" or "failed".
    #[zbus(property)]
    fn state(&self) -> &str {
        &self.0.state
    }

    /// The resources in start order, each with the properties of org.hbd1.Resource but Group: "Word", "Type",
    /// "Target", "State", "Reason" and "Failures". Keys may be added.
    #[zbus(property)]
    fn resources(&self) -> Vec<HashMap<&str, Variant<'_>>> {
        let resources = self.0.resources.iter();
        resources
            .map(|resource| {
                HashMap::from([
                    ("Word", Variant::from(resource.word.as_str())),
                    ("Type", Variant::from(resource.kind.as_str())),
                    ("Target", Variant::from(resource.target.as_str())),
                    ("State", Variant::from(resource.state.as_str())),
                    ("Reason", Variant::from(resource.why.as_str())),
                    ("Failures", Variant::from(resource.failures)),
                ])
            })
            .collect()
    }

    /// Its checks on this node, as hbd.toml has them: "Name" (what the check does), "Purpose" ("service" or "ready"),
    /// "State" ("off", "untested", "unknown", "passing" or "failing"), "Reason" (why it failed last or could not be
    /// run) and "SinceTimestamp" (since when it is in this state, in microseconds of CLOCK_REALTIME). Keys may be
    /// added.
    #[zbus(property)]
    fn checks(&self) -> Vec<HashMap<&str, Variant<'_>>> {
        let checks = self.0.checks.iter();
        checks
            .map(|CheckSnapshot { name, purpose, state, reason, since_usec }| {
                HashMap::from([
                    ("Name", Variant::from(name.as_str())),
                    ("Purpose", Variant::from(purpose.as_str())),
                    ("State", Variant::from(state.as_str())),
                    ("Reason", Variant::from(reason.as_str())),
                    ("SinceTimestamp", Variant::from(*since_usec)),
                ])
            })
            .collect()
    }
}

impl Mirror for GroupObject {
    type Data = GroupSnapshot;

    fn new(data: GroupSnapshot) -> Self {
        GroupObject(data)
    }

    fn set(&mut self, data: GroupSnapshot) {
        self.0 = data;
    }
}

/// `org.hbd1.Resource`: a resource and the name of its group.
pub struct ResourceObject((String, ResourceSnapshot));

/// A resource of a group.
#[interface(name = "org.hbd1.Resource")]
impl ResourceObject {
    /// The name of its group.
    #[zbus(property(emits_changed_signal = "const"))]
    fn group(&self) -> &str {
        &self.0.0
    }

    /// The word of haresources.
    #[zbus(property(emits_changed_signal = "const"))]
    fn word(&self) -> &str {
        &self.0.1.word
    }

    /// "address" or "unit".
    #[zbus(property(emits_changed_signal = "const"), name = "Type")]
    fn kind(&self) -> &str {
        &self.0.1.kind
    }

    /// The address, or the unit's name.
    #[zbus(property(emits_changed_signal = "const"))]
    fn target(&self) -> &str {
        &self.0.1.target
    }

    /// Its state on this node, as systemd and the kernel say: "stopped", "starting", "active", "stopping", "failed",
    /// "restarting" (by systemd, after a failure), "stopped-by-hand", "stopped-with" (by systemd, because of
    /// something else), "gone" (an address that is not on this machine), "unreachable" (an address whose interface
    /// is gone, down, or has no carrier), "unknown" (systemd does not answer) or "left-over" (it runs on a node that
    /// does not hold its group).
    #[zbus(property)]
    fn state(&self) -> &str {
        &self.0.1.state
    }

    /// Why it does not run as it should; "" if it does.
    #[zbus(property)]
    fn reason(&self) -> &str {
        &self.0.1.why
    }

    /// How often it has failed on this node lately. Cleanup forgets it.
    #[zbus(property)]
    fn failures(&self) -> u32 {
        self.0.1.failures
    }
}

impl Mirror for ResourceObject {
    type Data = (String, ResourceSnapshot);

    fn new(data: Self::Data) -> Self {
        ResourceObject(data)
    }

    fn set(&mut self, data: Self::Data) {
        self.0 = data;
    }
}
