//! `org.hbd1.Manager`: what this node is and does, what may be asked of it, and the signals. Its doc comments are the
//! documentation in `dbus/`.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use zbus::message::Header;
use zbus::object_server::SignalEmitter;
use zbus::{Connection, ObjectPath, OwnedObjectPath, OwnedVariant, interface};

use super::authorise::{Gate, PolkitAction};
use super::call::{Call, CallError, Caller};
use super::error::ManagerError;
use super::jobs::Jobs;
use super::moving::PlannedMove;
use super::shown::Shown;
use super::snapshot::Snapshot;
use super::{answers, lookup};
use crate::cluster::{GroupSet, Instant, Request};

/// `org.hbd1.Manager`.
pub struct ManagerObject {
    pub(super) shown: Shown,
    pub(super) caller: Caller,
    pub(super) jobs: Arc<Jobs>,
    pub(super) gate: Arc<Gate>,
}

impl ManagerObject {
    /// Properties that change without a signal (`EmitsChangedSignal` = `false`).
    pub(super) const QUIET: &'static [&'static str] = &["Decisions"];

    pub(super) fn new(shown: Shown, caller: Caller, jobs: Arc<Jobs>) -> Self {
        ManagerObject { shown, caller, jobs, gate: Arc::default() }
    }

    /// A piece of what is shown.
    fn see<T>(&self, piece: impl FnOnce(&Snapshot) -> T) -> T {
        piece(&self.shown.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The cluster manager on this node.
#[interface(name = "org.hbd1.Manager")]
impl ManagerObject {
    /// Reads ha.cf, authkeys, haresources and hbd.toml again and puts them in force, or changes nothing and fails
    /// with org.hbd1.Error.ReloadRefused, which carries the diagnostics. Returns one line for each change. New keys,
    /// told as "authkeys", are in force at the return. Everything else is put in force by a program that replaces
    /// this one in its process: the name org.hbd1 changes its owner within a second or two, and Generation rises.
    /// Nothing else moves. Takes the authorisation org.hbd1.reload.
    #[zbus(out_args("changes"))]
    async fn reload(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<Vec<String>, ManagerError> {
        self.gate.pass(bus, &header, PolkitAction::Reload).await?;
        let answer = self.caller.send(|reply| Call::Reload { reply })?;
        answer.await.map_err(|_| CallError::Stopping)?.map_err(ManagerError::ReloadRefused)
    }

    /// Says what Reload would change now, one line for each change, or fails as Reload would. Takes the authorisation
    /// org.hbd1.reload.
    #[zbus(out_args("changes"))]
    async fn describe_reload(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<Vec<String>, ManagerError> {
        self.gate.pass(bus, &header, PolkitAction::Reload).await?;
        let answer = self.caller.send(|reply| Call::DescribeReload { reply })?;
        answer.await.map_err(|_| CallError::Stopping)?.map_err(ManagerError::ReloadRefused)
    }

    /// Gives the groups of `scope` to the other node: "all", "local" (those that prefer this node), "foreign" (those
    /// that prefer the other) or "failback" (the same as "foreign"). Returns a job at once; JobRemoved says how it
    /// ended, so listen before you call. It waits up to 20 s, see Awaited, for a node that has not decided what it
    /// holds. Takes the authorisation org.hbd1.switch.
    #[zbus(out_args("job"))]
    async fn standby(
        &self,
        scope: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<OwnedObjectPath, ManagerError> {
        self.gate.pass(bus, &header, PolkitAction::Switch).await?;
        self.begin(bus, self.see(|seen| PlannedMove::of_scope(seen, false, scope))).await
    }

    /// Takes the groups of `scope` from the other node; words and job as Standby. Takes the authorisation
    /// org.hbd1.switch.
    #[zbus(out_args("job"))]
    async fn takeover(
        &self,
        scope: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<OwnedObjectPath, ManagerError> {
        self.gate.pass(bus, &header, PolkitAction::Switch).await?;
        self.begin(bus, self.see(|seen| PlannedMove::of_scope(seen, true, scope))).await
    }

    /// Gives these groups to the other node, as Standby does with a scope. If the other node is a Heartbeat or an
    /// older hbd (GroupsMoveAlone) and other groups would go along, the job is refused, and its message says which
    /// and how to move all of them. Takes the authorisation org.hbd1.switch.
    #[zbus(out_args("job"))]
    async fn standby_groups(
        &self,
        groups: Vec<String>,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<OwnedObjectPath, ManagerError> {
        self.gate.pass(bus, &header, PolkitAction::Switch).await?;
        self.begin(bus, self.see(|seen| PlannedMove::of_groups(seen, false, &groups))).await
    }

    /// Takes these groups from the other node; the rest is as with StandbyGroups. Takes the authorisation
    /// org.hbd1.switch.
    #[zbus(out_args("job"))]
    async fn takeover_groups(
        &self,
        groups: Vec<String>,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<OwnedObjectPath, ManagerError> {
        self.gate.pass(bus, &header, PolkitAction::Switch).await?;
        self.begin(bus, self.see(|seen| PlannedMove::of_groups(seen, true, &groups))).await
    }

    /// Moves one group to a node, as a job. If other groups would go along it is refused as by StandbyGroups. Takes
    /// the authorisation org.hbd1.switch.
    #[zbus(out_args("job"))]
    async fn r#move(
        &self,
        group: &str,
        node: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<OwnedObjectPath, ManagerError> {
        self.gate.pass(bus, &header, PolkitAction::Switch).await?;
        self.begin(bus, self.see(|seen| PlannedMove::of_group(seen, group, node))).await
    }

    /// Returns the group of this name, or all with an empty name, to the other node now, if it is to go there by
    /// itself (Returns of org.hbd1.Group), whatever failback_after, failback_window and start_delay of hbd.toml say.
    /// A job, as of Standby; it is refused if nothing is to go back. Takes the authorisation org.hbd1.switch.
    #[zbus(out_args("job"))]
    async fn failback_now(
        &self,
        group: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<OwnedObjectPath, ManagerError> {
        self.gate.pass(bus, &header, PolkitAction::Switch).await?;
        let place = self.see(|seen| lookup::group_or_all(seen, group))?;
        self.begin(bus, Ok(self.see(|seen| PlannedMove::of_return(seen, place)))).await
    }

    /// Keeps such groups on this node: they do not go back by themselves until the other node goes away and comes
    /// back once more. Returns in words what was done, or fails with org.hbd1.Error.Refused if nothing is to go back,
    /// or it is on its way. Takes the authorisation org.hbd1.switch.
    #[zbus(out_args("outcome"))]
    async fn failback_cancel(
        &self,
        group: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<String, ManagerError> {
        self.gate.pass(bus, &header, PolkitAction::Switch).await?;
        let index = self.see(|seen| lookup::group_or_all(seen, group))?;
        let outcome = self.caller.outcome(Request::CancelReturn(index)).await?;
        answers::cancel_return(outcome, group).map_err(ManagerError::Refused)
    }

    /// Forgets the failures of the group of this name, or of all with an empty name, and tries again what waits
    /// because of them. Returns in words what was done, or fails with org.hbd1.Error.InvalidArgument for a name that
    /// is no group's, or org.hbd1.Error.Refused. Takes the authorisation org.hbd1.cleanup.
    #[zbus(out_args("outcome"))]
    async fn cleanup(
        &self,
        group: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<String, ManagerError> {
        self.gate.pass(bus, &header, PolkitAction::Cleanup).await?;
        let index = self.see(|seen| lookup::group_or_all(seen, group))?;
        let outcome = self.caller.outcome(Request::Cleanup(index)).await?;
        answers::cleanup(outcome, group).map_err(ManagerError::Refused)
    }

    /// Starts again the units of this node's groups that were stopped by hand since a moment, in microseconds of
    /// CLOCK_BOOTTIME, and still do not run: a package manager, which has stopped them, is done. Returns in words
    /// what was done, or fails with org.hbd1.Error.Refused. Takes the authorisation org.hbd1.cleanup.
    #[zbus(out_args("outcome"))]
    async fn start_stopped(
        &self,
        since_usec: u64,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<String, ManagerError> {
        self.gate.pass(bus, &header, PolkitAction::Cleanup).await?;
        let since = Instant(Duration::from_micros(since_usec));
        let outcome = self.caller.outcome(Request::StartStopped(since)).await?;
        answers::start_stopped(outcome).map_err(ManagerError::Refused)
    }

    /// Takes over a group that is held back (HeldBack of org.hbd1.Group), because its owner is dead and somebody
    /// still answers for its addresses, or no ping node answers. The caller knows who that is: if it is the owner,
    /// both serve. A machine that goes on claiming an address is dealt with by on_claim of hbd.toml, as always.
    /// Returns in words what was done, or fails with org.hbd1.Error.Refused if nothing holds it back, or something
    /// else does. Takes the authorisation org.hbd1.clear-hold.
    #[zbus(out_args("outcome"))]
    async fn clear_hold(
        &self,
        group: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<String, ManagerError> {
        self.gate.pass(bus, &header, PolkitAction::ClearHold).await?;
        let index = self.see(|seen| lookup::group(seen, group))?;
        let outcome = self.caller.outcome(Request::ClearHold(index)).await?;
        answers::clear_hold(outcome, group).map_err(ManagerError::Refused)
    }

    /// Begins or ends the maintenance of this node. While it lasts hbd leaves its resources alone: it starts, moves,
    /// releases and takes over nothing, whatever fails, and refuses Standby, Takeover, Move, Cleanup and ClearHold.
    /// What it holds it keeps, with the addresses. Two things go on: a stop of hbd releases everything, and of two
    /// nodes that serve the same one releases it. It outlasts restarts of hbd and of the machine. When it ends, units
    /// that belong here are started where they do not run. Returns in words what was done, or fails with
    /// org.hbd1.Error.Refused, for instance in the middle of a move. Takes the authorisation org.hbd1.maintenance.
    #[zbus(out_args("outcome"))]
    async fn set_maintenance(
        &self,
        on: bool,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<String, ManagerError> {
        self.gate.pass(bus, &header, PolkitAction::Maintenance).await?;
        let outcome = self.caller.outcome(Request::Maintenance(on)).await?;
        answers::maintenance(outcome, on).map_err(ManagerError::Refused)
    }

    /// The same of one group, and of everything that moves along with it (`together` in hbd.toml; beside a Heartbeat
    /// its class). The other groups are served as ever. The node on which it is called leaves the group alone; the
    /// other one takes it if this node dies. Takes the authorisation org.hbd1.maintenance.
    #[zbus(out_args("outcome"))]
    async fn set_group_maintenance(
        &self,
        group: &str,
        on: bool,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<String, ManagerError> {
        self.gate.pass(bus, &header, PolkitAction::Maintenance).await?;
        let set = GroupSet::one(self.see(|seen| lookup::group(seen, group))?);
        let outcome = self.caller.outcome(Request::GroupMaintenance { set, on }).await?;
        answers::group_maintenance(outcome, on, group).map_err(ManagerError::Refused)
    }

    /// The objects of all nodes, in the order of ha.cf, and of the ping nodes after them: name and path.
    #[zbus(out_args("nodes"))]
    fn list_nodes(&self) -> Vec<(String, OwnedObjectPath)> {
        self.see(lookup::nodes)
    }

    /// The objects of all groups, in the order of haresources: name and path.
    #[zbus(out_args("groups"))]
    fn list_groups(&self) -> Vec<(String, OwnedObjectPath)> {
        self.see(lookup::groups)
    }

    /// The object of the node of this name. Fails with org.hbd1.Error.InvalidArgument if there is none.
    #[zbus(out_args("node"))]
    fn get_node(&self, name: &str) -> Result<OwnedObjectPath, ManagerError> {
        self.see(|seen| lookup::node_path(seen, name))
    }

    /// The object of the group of this name or key. Fails with org.hbd1.Error.InvalidArgument if there is none.
    #[zbus(out_args("group"))]
    fn get_group(&self, name: &str) -> Result<OwnedObjectPath, ManagerError> {
        self.see(|seen| lookup::group_path(seen, name))
    }

    /// A job was begun; `type` as Type of org.hbd1.Job.
    #[zbus(signal)]
    pub(super) async fn job_new(
        emitter: &SignalEmitter<'_>,
        id: u32,
        job: ObjectPath<'_>,
        r#type: &str,
    ) -> zbus::Result<()>;

    /// A job is over, of this type: "done", "skipped" (nothing to do), "refused" (nothing was begun), "timeout"
    /// (somebody did not react or was not ready; nothing was moved), "canceled" (called off before it began, or a
    /// node died, left or restarted meanwhile) or "failed" (not everything is where it was wanted: something could
    /// not be stopped, or not be started), and the same in a sentence. Its object is gone by then.
    #[zbus(signal)]
    pub(super) async fn job_removed(
        emitter: &SignalEmitter<'_>,
        id: u32,
        job: ObjectPath<'_>,
        r#type: &str,
        result: &str,
        message: &str,
    ) -> zbus::Result<()>;

    /// Something was decided, or has changed who owns what: the event (HBD_EVENT in the journal), the group and the
    /// node it is about or "", and the text.
    #[zbus(signal)]
    pub(super) async fn transition(
        emitter: &SignalEmitter<'_>,
        event: &str,
        group: &str,
        node: &str,
        message: &str,
    ) -> zbus::Result<()>;

    /// The status of a node or a ping node has changed, see Status of org.hbd1.Node: its name, its object, the
    /// status.
    #[zbus(signal)]
    pub(super) async fn node_changed(
        emitter: &SignalEmitter<'_>,
        name: &str,
        node: ObjectPath<'_>,
        status: &str,
    ) -> zbus::Result<()>;

    /// A link to a node has gone dead, or is up again: the node's name, the link's name, the link's object, the
    /// status.
    #[zbus(signal)]
    pub(super) async fn link_changed(
        emitter: &SignalEmitter<'_>,
        node: &str,
        name: &str,
        link: ObjectPath<'_>,
        status: &str,
    ) -> zbus::Result<()>;

    /// A group has another owner, or another state on this node, see State and Owner of org.hbd1.Group: its name, its
    /// object, the state, the owner.
    #[zbus(signal)]
    pub(super) async fn group_changed(
        emitter: &SignalEmitter<'_>,
        name: &str,
        group: ObjectPath<'_>,
        state: &str,
        owner: &str,
    ) -> zbus::Result<()>;

    /// The version of hbd.
    #[zbus(property(emits_changed_signal = "const"))]
    fn version(&self) -> String {
        self.see(|data| data.version.clone())
    }

    /// The name of this node in the cluster.
    #[zbus(property(emits_changed_signal = "const"))]
    fn node_name(&self) -> String {
        self.see(|data| data.node.clone())
    }

    /// The cluster's label: cluster of ha.cf.
    #[zbus(property(emits_changed_signal = "const"))]
    fn cluster_name(&self) -> String {
        self.see(|data| data.cluster.clone())
    }

    /// The names of all nodes in the order of ha.cf, and of the ping nodes after them.
    #[zbus(property(emits_changed_signal = "const"))]
    fn nodes(&self) -> Vec<String> {
        self.see(|data| data.nodes.iter().map(|node| node.name.clone()).collect())
    }

    /// The state of this node: "init", "up", "active" or "stopping".
    #[zbus(property)]
    fn state(&self) -> String {
        self.see(|data| data.state.clone())
    }

    /// Whether this node's resources are left alone, see SetMaintenance.
    #[zbus(property)]
    fn maintenance(&self) -> bool {
        self.see(|data| data.maintenance)
    }

    /// What this node holds: "none", "local", "foreign", "all", or "transition" while that changes. A part of the
    /// local or foreign groups counts; Owner of org.hbd1.Group says which.
    #[zbus(property)]
    fn resource_state(&self) -> String {
        self.see(|data| data.resource_state.clone())
    }

    /// Whether the two nodes move groups one by one. If not, the other node is a Heartbeat or an older hbd, and all
    /// groups that prefer one node move together.
    #[zbus(property)]
    fn groups_move_alone(&self) -> bool {
        self.see(|data| data.groups_move_alone)
    }

    /// What a job waits for, at most 20 s, before anything is moved, in words; "" for nothing.
    #[zbus(property)]
    fn awaited(&self) -> String {
        self.see(|data| data.awaited.clone())
    }

    /// The same as a word for programs: "this-node" or "other-node" (which has not decided what it holds), "exchange"
    /// (another move is under way); "" for nothing.
    #[zbus(property)]
    fn awaited_reason(&self) -> String {
        self.see(|data| data.awaited_reason.clone())
    }

    /// What was last heard of the witness, the third vote of [witness] in hbd.toml, in words without a subject; "" if
    /// none is configured.
    #[zbus(property)]
    fn witness(&self) -> String {
        self.see(|data| data.witness.clone())
    }

    /// Whether the witness answers. While the nodes hear each other nothing depends on it.
    #[zbus(property)]
    fn witness_answers(&self) -> bool {
        self.see(|data| data.witness_answers)
    }

    /// Whether the witness has given its key to this node: the other one, which is not heard, takes nothing.
    #[zbus(property)]
    fn witness_key(&self) -> bool {
        self.see(|data| data.witness_key)
    }

    /// Whether this node takes and keeps nothing without the witness while the other one is not heard: "required" in
    /// [witness] of hbd.toml.
    #[zbus(property)]
    fn witness_required(&self) -> bool {
        self.see(|data| data.witness_required)
    }

    /// Whether resources return to their preferred node: "on", "off" or "legacy".
    #[zbus(property)]
    fn auto_failback(&self) -> String {
        self.see(|data| data.auto_failback.clone())
    }

    /// Interval of our status messages, in microseconds (keepalive of ha.cf).
    #[zbus(property, name = "KeepaliveUSec")]
    fn keepalive_usec(&self) -> u64 {
        self.see(|data| data.keepalive_usec)
    }

    /// Silence that earns a late-heartbeat warning, in microseconds (warntime).
    #[zbus(property, name = "WarntimeUSec")]
    fn warntime_usec(&self) -> u64 {
        self.see(|data| data.warntime_usec)
    }

    /// Silence after which a node is dead, in microseconds (deadtime).
    #[zbus(property, name = "DeadtimeUSec")]
    fn deadtime_usec(&self) -> u64 {
        self.see(|data| data.deadtime_usec)
    }

    /// Dead time while we start, in microseconds (initdead).
    #[zbus(property, name = "InitdeadUSec")]
    fn initdead_usec(&self) -> u64 {
        self.see(|data| data.initdead_usec)
    }

    /// The fencing devices that did not answer when they were last asked, at the start and once an hour: a sentence
    /// each.
    #[zbus(property)]
    fn broken_devices(&self) -> Vec<String> {
        self.see(|data| data.broken_devices.clone())
    }

    /// What a start of hbd needs and would not find as of now, or does without: a sentence each. It is looked at
    /// every 20 s, and at each Reload.
    #[zbus(property)]
    fn start_problems(&self) -> Vec<String> {
        self.see(|data| data.start_problems.clone())
    }

    /// The last decisions about who owns what, oldest first: "Timestamp" (in microseconds of CLOCK_REALTIME),
    /// "Priority" (as in syslog(3)), "Event" (HBD_EVENT in the journal), "Node" and "Group" (that it is about, or
    /// ""), and "Text". Keys may be added. Changes without a signal of its own; see Transition.
    #[zbus(property(emits_changed_signal = "false"))]
    fn decisions(&self) -> Vec<HashMap<&str, OwnedVariant>> {
        self.see(|data| data.decisions.iter().map(lookup::decision).collect())
    }

    /// The generation number of this run: grows with each start.
    #[zbus(property(emits_changed_signal = "const"))]
    fn generation(&self) -> u64 {
        self.see(|data| data.generation)
    }
}
