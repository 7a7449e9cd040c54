//! The interface as a client on a private bus sees it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use zbus::fdo::{DBusProxy, IntrospectableProxy, ObjectManagerProxy, PropertiesProxy};
use zbus::names::OwnedInterfaceName;
use zbus::{Connection, OwnedVariant, Proxy};

use super::private_bus::PrivateBus;
use super::{
    Call, CheckSnapshot, GroupSnapshot, LinkSnapshot, NAME, NodeSnapshot, OperatorRequest, ROOT, ResourceSnapshot,
    Snapshot, Traffic,
};
use crate::cluster::{Answer, Request};

pub(super) const LONG: Duration = Duration::from_secs(90);
pub(super) const NODEB: &str = "/org/hbd1/node/nodeb";
pub(super) const GROUP: &str = "/org/hbd1/group/_310_2e0_2e0_2e100";

/// A daemon's side of the interface.
pub(super) struct Daemon {
    pub(super) snapshot: Snapshot,
    snapshots: watch::Sender<Arc<Snapshot>>,
    pub(super) calls: mpsc::Receiver<Call>,
}

impl Daemon {
    /// Runs the interface on `bus`, and waits until it says that somebody has the name.
    pub(super) async fn start(bus: &PrivateBus) -> (Daemon, Connection) {
        let client = bus.builder().build().await.unwrap();
        let (snapshots, receiver) = watch::channel(Arc::new(example()));
        let (sender, calls) = mpsc::channel(1);
        let address = bus.address();
        let connect = move || zbus::connection::Builder::address(address.as_str());
        let (tell, tried) = oneshot::channel();
        tokio::spawn(super::run(connect, receiver, sender, || tell.send(()).unwrap()));
        timeout(LONG, tried).await.unwrap().unwrap();
        let dbus = DBusProxy::new(&client).await.unwrap();
        assert!(dbus.name_has_owner(NAME.try_into().unwrap()).await.unwrap());
        (Daemon { snapshot: example(), snapshots, calls }, client)
    }

    pub(super) fn change(&mut self, change: impl FnOnce(&mut Snapshot)) {
        change(&mut self.snapshot);
        self.snapshots.send_replace(Arc::new(self.snapshot.clone()));
    }
}

fn example() -> Snapshot {
    let node = |name: &str, local| NodeSnapshot {
        name: name.to_owned(),
        kind: "normal".to_owned(),
        status: "active".to_owned(),
        local,
        hbd: true,
        generation: 7,
        deadtime_usec: 10_000_000,
        last_status_usec: 1,
        holds: "local".to_owned(),
        ..NodeSnapshot::default()
    };
    let link = LinkSnapshot {
        node: "nodeb".to_owned(),
        name: "eth1".to_owned(),
        medium: "ucast".to_owned(),
        status: "up".to_owned(),
        last_heard_usec: 1,
        traffic: Traffic { sent: 3, received: 4, send_errors: 1, bad: 2 },
    };
    let resource = |word: &str, kind: &str, target: &str| ResourceSnapshot {
        word: word.to_owned(),
        kind: kind.to_owned(),
        target: target.to_owned(),
        state: "active".to_owned(),
        why: String::new(),
        failures: 0,
    };
    Snapshot {
        version: "0.1.0".to_owned(),
        node: "nodea".to_owned(),
        cluster: "linux-ha".to_owned(),
        state: "active".to_owned(),
        resource_state: "local".to_owned(),
        maintenance: false,
        groups_move_alone: true,
        awaited: String::new(),
        awaited_reason: String::new(),
        awaiting_job: None,
        witness: String::new(),
        witness_answers: false,
        witness_key: false,
        witness_required: false,
        auto_failback: "off".to_owned(),
        generation: 12,
        keepalive_usec: 1_000_000,
        warntime_usec: 5_000_000,
        deadtime_usec: 10_000_000,
        initdead_usec: 60_000_000,
        nodes: vec![node("nodea", true), node("nodeb", false)],
        links: vec![link.clone(), link],
        groups: vec![GroupSnapshot {
            name: "10.0.0.100".to_owned(),
            key: "10.0.0.100".to_owned(),
            preferred: "nodea".to_owned(),
            state: "active".to_owned(),
            owner: "nodea".to_owned(),
            owner_since_usec: 5,
            held_back: String::new(),
            held_back_reason: String::new(),
            together: Vec::new(),
            apart: Vec::new(),
            fails_back: false,
            degraded_there: false,
            contested: false,
            strangers: vec!["02:00:00:00:00:09 on eth0 answers for 10.0.0.100 as well".to_owned()],
            returns: String::new(),
            returns_at_usec: 0,
            unfit: Vec::new(),
            returns_window: String::new(),
            target: "hbd-group@10.0.0.100.target".to_owned(),
            resources: vec![
                resource("10.0.0.100", "address", "10.0.0.100/24"),
                resource("apache", "unit", "apache2.service"),
            ],
            checks: vec![CheckSnapshot {
                name: "tcp 10.0.0.100:80".to_owned(),
                purpose: "service".to_owned(),
                state: "passing".to_owned(),
                reason: String::new(),
                since_usec: 7,
            }],
        }],
        broken_devices: Vec::new(),
        start_problems: Vec::new(),
        decisions: Vec::new(),
        decided: 0,
    }
}

async fn properties(client: &Connection, path: &'static str) -> PropertiesProxy<'static> {
    PropertiesProxy::builder(client).destination(NAME).path(path).build().await.unwrap()
}

pub(super) async fn read(client: &Connection, path: &'static str, interface: &str, property: &str) -> OwnedVariant {
    properties(client, path).await.get(interface.try_into().unwrap(), property).await.unwrap()
}

pub(super) async fn managed(client: &Connection) -> Vec<String> {
    let proxy = ObjectManagerProxy::builder(client).destination(NAME).path(ROOT).build().await.unwrap();
    let objects = proxy.get_managed_objects().await.unwrap();
    let ours = |interfaces: &HashMap<_, _>| interfaces.keys().any(|name: &OwnedInterfaceName| name.starts_with(NAME));
    let mut paths: Vec<String> =
        objects.iter().filter(|(_, interfaces)| ours(interfaces)).map(|(path, _)| path.to_string()).collect();
    paths.sort();
    paths
}

pub(super) fn text(value: OwnedVariant) -> String {
    value.try_into().unwrap()
}

#[tokio::test]
async fn everything_is_there_to_be_read() {
    let Some(bus) = PrivateBus::start() else { return };
    let (_daemon, client) = Daemon::start(&bus).await;

    assert_eq!(text(read(&client, ROOT, "org.hbd1.Manager", "NodeName").await), "nodea");
    assert_eq!(read(&client, ROOT, "org.hbd1.Manager", "DeadtimeUSec").await, OwnedVariant::from(10_000_000_u64));
    assert_eq!(text(read(&client, NODEB, "org.hbd1.Node", "Type").await), "normal");
    assert_eq!(text(read(&client, GROUP, "org.hbd1.Group", "Owner").await), "nodea");
    let resources: Vec<HashMap<String, OwnedVariant>> =
        zbus::Variant::from(read(&client, GROUP, "org.hbd1.Group", "Resources").await).try_into().unwrap();
    let word = |key: &str| text(resources[1][key].try_clone().unwrap());
    let words = ["Word", "Type", "Target", "State", "Reason"].map(word);
    assert_eq!(words, ["apache", "unit", "apache2.service", "active", ""]);
    assert_eq!(resources[1]["Failures"], OwnedVariant::from(0_u32));
    assert_eq!(
        managed(&client).await,
        [
            GROUP,
            "/org/hbd1/group/_310_2e0_2e0_2e100/resource/1",
            "/org/hbd1/group/_310_2e0_2e0_2e100/resource/2",
            "/org/hbd1/node/nodea",
            NODEB,
            "/org/hbd1/node/nodeb/link/eth1",
            "/org/hbd1/node/nodeb/link/eth1_2f2",
        ]
    );
}

#[tokio::test]
async fn a_signal_tells_what_changed_and_nothing_else() {
    let Some(bus) = PrivateBus::start() else { return };
    let (mut daemon, client) = Daemon::start(&bus).await;
    let mut node = properties(&client, NODEB).await.receive_properties_changed().await.unwrap();
    let mut manager = properties(&client, ROOT).await.receive_properties_changed().await.unwrap();

    daemon.change(|snapshot| snapshot.nodes[1].last_status_usec = 2);
    daemon.change(|snapshot| {
        snapshot.nodes[1].last_status_usec = 3;
        snapshot.nodes[1].status = "dead".to_owned();
        snapshot.nodes[1].holds = "none".to_owned();
        snapshot.resource_state = "all".to_owned();
    });
    let signal = timeout(LONG, node.next()).await.unwrap().unwrap();
    let args = signal.args().unwrap();
    let changed: HashMap<&str, String> = args
        .changed_properties
        .iter()
        .map(|(name, value)| (*name, value.try_clone().unwrap().try_into().unwrap()))
        .collect();
    assert_eq!(args.interface_name, "org.hbd1.Node");
    assert_eq!(changed, HashMap::from([("Status", "dead".to_owned()), ("Holds", "none".to_owned())]));
    assert_eq!(read(&client, NODEB, "org.hbd1.Node", "LastStatusTimestamp").await, OwnedVariant::from(3_u64));

    let signal = timeout(LONG, manager.next()).await.unwrap().unwrap();
    let names: Vec<&str> = signal.args().unwrap().changed_properties.keys().copied().collect();
    assert_eq!(names, ["ResourceState"]);
}

#[tokio::test]
async fn objects_come_and_go_with_signals() {
    let Some(bus) = PrivateBus::start() else { return };
    let (mut daemon, client) = Daemon::start(&bus).await;
    let manager = ObjectManagerProxy::builder(&client).destination(NAME).path(ROOT).build().await.unwrap();
    let mut added = manager.receive_interfaces_added().await.unwrap();
    let mut removed = manager.receive_interfaces_removed().await.unwrap();

    daemon.change(|snapshot| {
        snapshot.groups.clear();
        let gateway =
            NodeSnapshot { name: "10.0.0.1".to_owned(), kind: "ping".to_owned(), ..NodeSnapshot::default() };
        snapshot.nodes.push(gateway);
    });
    let mut gone = Vec::new();
    while gone.len() < 3 {
        let signal = timeout(LONG, removed.next()).await.unwrap().unwrap();
        gone.push(signal.args().unwrap().object_path.to_string());
    }
    assert_eq!(gone[0], GROUP);
    assert!(gone[1..].iter().all(|path| path.contains("/resource/")), "{gone:?}");
    let signal = timeout(LONG, added.next()).await.unwrap().unwrap();
    assert_eq!(signal.args().unwrap().object_path, "/org/hbd1/node/_310_2e0_2e0_2e1");
    assert_eq!(managed(&client).await.iter().filter(|path| path.contains("/group/")).count(), 0);
}

#[tokio::test]
async fn reload_waits_for_the_answer() {
    let Some(bus) = PrivateBus::start() else { return };
    let (mut daemon, client) = Daemon::start(&bus).await;
    let manager = Proxy::new(&client, NAME, ROOT, "org.hbd1.Manager").await.unwrap();

    let asked = tokio::spawn({
        let manager = manager.clone();
        async move { manager.call::<_, _, Vec<String>>("Reload", &()).await }
    });
    let Some(Call::Reload { reply }) = daemon.calls.recv().await else { panic!("another request") };
    reply.send(Ok(vec!["deadtime 10 -> 20".to_owned()])).unwrap();
    assert_eq!(asked.await.unwrap().unwrap(), ["deadtime 10 -> 20"]);

    let asked = tokio::spawn({
        let manager = manager.clone();
        async move { manager.call::<_, _, Vec<String>>("Reload", &()).await }
    });
    let Some(Call::Reload { reply }) = daemon.calls.recv().await else { panic!("another request") };
    reply.send(Err("ha.cf:3: no".to_owned())).unwrap();
    let error = asked.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("org.hbd1.Error.ReloadRefused") && error.contains("ha.cf:3: no"), "{error}");

    daemon.calls.close();
    let error = manager.call::<_, _, Vec<String>>("Reload", &()).await.unwrap_err().to_string();
    assert!(error.contains("org.hbd1.Error.Busy"), "{error}");
}

#[tokio::test]
async fn a_call_that_lasts_keeps_nobody_from_seeing_what_changes() {
    let Some(bus) = PrivateBus::start() else { return };
    let (mut daemon, client) = Daemon::start(&bus).await;
    let manager = Proxy::new(&client, NAME, ROOT, "org.hbd1.Manager").await.unwrap();
    let asked = tokio::spawn(async move { manager.call::<_, _, String>("Cleanup", &("",)).await });
    let Some(Call::Operator(OperatorRequest { request: Request::Cleanup(None), reply, .. })) =
        daemon.calls.recv().await
    else {
        panic!("another request")
    };
    let mut changes = properties(&client, ROOT).await.receive_properties_changed().await.unwrap();
    for awaited in ["one", "two"] {
        daemon.change(|snapshot| snapshot.awaited = awaited.to_owned());
        timeout(LONG, changes.next()).await.unwrap().unwrap();
        assert_eq!(text(read(&client, ROOT, "org.hbd1.Manager", "Awaited").await), awaited);
    }
    reply.send(Ok(Answer::Done)).unwrap();
    assert_eq!(asked.await.unwrap().unwrap(), "the failures of all groups are forgotten");
}

#[tokio::test]
async fn introspection_explains_the_interface() {
    let Some(bus) = PrivateBus::start() else { return };
    let (_daemon, client) = Daemon::start(&bus).await;
    let proxy = IntrospectableProxy::builder(&client).destination(NAME).path(NODEB).build().await.unwrap();
    let xml = proxy.introspect().await.unwrap();
    for wanted in ["org.hbd1.Node", "When the node was last heard", "EmitsChangedSignal", "<node name=\"link\""] {
        assert!(xml.contains(wanted), "{wanted} is not in {xml}");
    }
}
