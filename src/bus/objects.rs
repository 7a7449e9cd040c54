//! The interfaces. Their doc comments are the documentation in `dbus/*.xml`.

use tokio::sync::{mpsc, oneshot};
use zbus::{DBusError, interface, object_server::Interface};

use super::snapshot::{GroupSnapshot, LinkSnapshot, NodeSnapshot, Snapshot};
use super::{Request, Scope};

/// The errors of our methods.
#[derive(Debug, DBusError)]
#[zbus(prefix = "org.hbd1.Error")]
pub enum Error {
    /// The new configuration was refused; the old one is in force.
    ReloadRefused(String),
    /// An argument is not what the method takes.
    InvalidArgument(String),
    /// The groups were not moved; the text says why.
    NotMoved(String),
    /// hbd is stopping, or has too much to do.
    Busy(String),
}

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

/// What [`Manager`] shows: the snapshot without its lists.
pub(super) fn manager_data(snapshot: &Snapshot) -> Snapshot {
    Snapshot {
        version: snapshot.version.clone(),
        node: snapshot.node.clone(),
        state: snapshot.state.clone(),
        resource_state: snapshot.resource_state.clone(),
        awaited: snapshot.awaited.clone(),
        auto_failback: snapshot.auto_failback.clone(),
        nodes: Vec::new(),
        links: Vec::new(),
        groups: Vec::new(),
        ..*snapshot
    }
}

/// `org.hbd1.Manager`.
pub struct Manager {
    data: Snapshot,
    requests: mpsc::Sender<Request>,
}

impl Manager {
    pub(super) fn new(snapshot: &Snapshot, requests: mpsc::Sender<Request>) -> Self {
        Manager { data: manager_data(snapshot), requests }
    }

    pub(super) fn set(&mut self, data: Snapshot) {
        self.data = data;
    }

    async fn move_groups(&self, here: bool, scope: &str) -> Result<String, Error> {
        let Some(scope) = Scope::parse(scope) else {
            let text = format!("'{scope}' is no set of groups: write all, local, foreign or failback");
            return Err(Error::InvalidArgument(text));
        };
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Move { here, scope, reply }, answer).await?.map_err(Error::NotMoved)
    }

    /// Hands a request to the daemon and waits for its answer.
    async fn ask<T>(&self, request: Request, answer: oneshot::Receiver<T>) -> Result<T, Error> {
        self.requests.try_send(request).map_err(|error| {
            Error::Busy(match error {
                mpsc::error::TrySendError::Full(_) => "hbd has too many requests to answer; try again".to_owned(),
                mpsc::error::TrySendError::Closed(_) => "hbd is stopping".to_owned(),
            })
        })?;
        answer.await.map_err(|_| Error::Busy("hbd is stopping".to_owned()))
    }
}

/// The cluster manager on this node.
#[interface(name = "org.hbd1.Manager")]
impl Manager {
    /// Reads authkeys again and uses the new keys, or changes nothing and fails with org.hbd1.Error.ReloadRefused,
    /// which carries the diagnostics. Changes of the other files need a restart. Returns one line for each change.
    /// Only root may call it.
    #[zbus(out_args("changes"))]
    async fn reload(&self) -> Result<Vec<String>, Error> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Reload { reply }, answer).await?.map_err(Error::ReloadRefused)
    }

    /// Gives the groups of `scope` to the other node: "all", "local" (those that prefer this node), "foreign" (those
    /// that prefer the other) or "failback" (the same as "foreign"). Waits up to 20 s, see Awaited, for a node that has
    /// not decided what it holds. Returns in words when the groups run there, or fails with org.hbd1.Error.NotMoved,
    /// which says why. Only root may call it.
    #[zbus(out_args("outcome"))]
    async fn standby(&self, scope: &str) -> Result<String, Error> {
        self.move_groups(false, scope).await
    }

    /// Takes the groups of `scope` from the other node; words and errors as Standby. Only root may call it.
    #[zbus(out_args("outcome"))]
    async fn takeover(&self, scope: &str) -> Result<String, Error> {
        self.move_groups(true, scope).await
    }

    /// Forgets the failures of the group of this name, or of all with an empty name, and tries again what waits because
    /// of them. Returns in words what was done, or fails with org.hbd1.Error.InvalidArgument for a name that is no
    /// group's. Only root may call it.
    #[zbus(out_args("outcome"))]
    async fn cleanup(&self, group: &str) -> Result<String, Error> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Cleanup { group: group.to_owned(), reply }, answer).await?.map_err(Error::InvalidArgument)
    }

    /// The version of hbd.
    #[zbus(property(emits_changed_signal = "const"))]
    fn version(&self) -> &str {
        &self.data.version
    }

    /// The name of this node in the cluster.
    #[zbus(property(emits_changed_signal = "const"))]
    fn node_name(&self) -> &str {
        &self.data.node
    }

    /// The state of this node: "init", "up", "active" or "stopping".
    #[zbus(property)]
    fn state(&self) -> &str {
        &self.data.state
    }

    /// What this node holds: "none", "local", "foreign", "all", or "transition" while that changes.
    #[zbus(property)]
    fn resource_state(&self) -> &str {
        &self.data.resource_state
    }

    /// What a call of Standby or Takeover waits for, at most 20 s, before anything is moved, in words; "" for nothing.
    #[zbus(property)]
    fn awaited(&self) -> &str {
        &self.data.awaited
    }

    /// Whether resources return to their preferred node: "on", "off" or "legacy".
    #[zbus(property)]
    fn auto_failback(&self) -> &str {
        &self.data.auto_failback
    }

    /// Interval of our status messages, in microseconds (keepalive of ha.cf).
    #[zbus(property, name = "KeepaliveUSec")]
    fn keepalive_usec(&self) -> u64 {
        self.data.keepalive_usec
    }

    /// Silence that earns a late-heartbeat warning, in microseconds (warntime).
    #[zbus(property, name = "WarntimeUSec")]
    fn warntime_usec(&self) -> u64 {
        self.data.warntime_usec
    }

    /// Silence after which a node is dead, in microseconds (deadtime).
    #[zbus(property, name = "DeadtimeUSec")]
    fn deadtime_usec(&self) -> u64 {
        self.data.deadtime_usec
    }

    /// Dead time while we start, in microseconds (initdead).
    #[zbus(property, name = "InitdeadUSec")]
    fn initdead_usec(&self) -> u64 {
        self.data.initdead_usec
    }

    /// The generation number of this run: grows with each start.
    #[zbus(property(emits_changed_signal = "const"))]
    fn generation(&self) -> u64 {
        self.data.generation
    }
}

/// `org.hbd1.Node`.
pub struct Node(NodeSnapshot);

/// A node of the cluster, this one included, or a ping node.
#[interface(name = "org.hbd1.Node")]
impl Node {
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

    /// Whether the node runs hbd and not Heartbeat.
    #[zbus(property, name = "IsHbd")]
    fn hbd(&self) -> bool {
        self.0.hbd
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
    #[zbus(property(emits_changed_signal = "false"), name = "LastStatusUSec")]
    fn last_status_usec(&self) -> u64 {
        self.0.last_status_usec
    }

    /// What the node says it holds: "none", "local", "foreign", "all" or "transition"; "" for ping nodes.
    #[zbus(property)]
    fn resources(&self) -> &str {
        &self.0.holds
    }
}

impl Mirror for Node {
    type Data = NodeSnapshot;
    const QUIET: &'static [&'static str] = &["LastStatusUSec"];

    fn new(data: NodeSnapshot) -> Self {
        Node(data)
    }

    fn set(&mut self, data: NodeSnapshot) {
        self.0 = data;
    }
}

/// `org.hbd1.Link`.
pub struct Link(LinkSnapshot);

/// A link on which a node is heard.
#[interface(name = "org.hbd1.Link")]
impl Link {
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

    /// "up" or "dead".
    #[zbus(property)]
    fn status(&self) -> &str {
        &self.0.status
    }
}

impl Mirror for Link {
    type Data = LinkSnapshot;

    fn new(data: LinkSnapshot) -> Self {
        Link(data)
    }

    fn set(&mut self, data: LinkSnapshot) {
        self.0 = data;
    }
}

/// `org.hbd1.Group`.
pub struct Group(GroupSnapshot);

/// A resource group: a line of haresources, whose resources move together.
#[interface(name = "org.hbd1.Group")]
impl Group {
    /// The group's name: the first resource of its line.
    #[zbus(property(emits_changed_signal = "const"))]
    fn name(&self) -> &str {
        &self.0.name
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

    /// Why this node does not take it although its owner is dead: who still answers for which of its addresses. ""
    /// if nothing keeps it from that.
    #[zbus(property)]
    fn held_back(&self) -> &str {
        &self.0.held_back
    }

    /// Its state on this node: "stopped", "starting", "active", "stopping" or "failed".
    #[zbus(property)]
    fn state(&self) -> &str {
        &self.0.state
    }

    /// The resources in start order: the word of haresources, "address" or "unit", the address with its prefix or the
    /// unit's name, and the state on this node in the words of State.
    #[zbus(property)]
    fn resources(&self) -> Vec<(&str, &str, &str, &str)> {
        self.0
            .resources
            .iter()
            .map(|resource| {
                (resource.word.as_str(), resource.kind.as_str(), resource.target.as_str(), resource.state.as_str())
            })
            .collect()
    }
}

impl Mirror for Group {
    type Data = GroupSnapshot;

    fn new(data: GroupSnapshot) -> Self {
        Group(data)
    }

    fn set(&mut self, data: GroupSnapshot) {
        self.0 = data;
    }
}
