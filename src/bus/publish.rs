//! From one snapshot to the next: objects come and go, properties change, and only what changed is signalled.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use zbus::object_server::{Interface, InterfaceRef};
use zbus::{Connection, OwnedVariant, Variant, fdo};

use super::ROOT;
use super::objects::{Group, Link, Manager, Mirror, Node, manager_data};
use super::path::encode;
use super::snapshot::{GroupSnapshot, LinkSnapshot, NodeSnapshot, Snapshot};

/// What is on the bus now.
pub(super) struct Publisher {
    connection: Connection,
    manager: Snapshot,
    nodes: BTreeMap<String, NodeSnapshot>,
    links: BTreeMap<String, LinkSnapshot>,
    groups: BTreeMap<String, GroupSnapshot>,
}

impl Publisher {
    /// For a connection that serves [`Manager`] with `first`, and nothing else yet.
    pub(super) fn new(connection: &Connection, first: &Snapshot) -> Self {
        Publisher {
            connection: connection.clone(),
            manager: manager_data(first),
            nodes: BTreeMap::new(),
            links: BTreeMap::new(),
            groups: BTreeMap::new(),
        }
    }

    /// Makes the bus show `snapshot`.
    pub(super) async fn publish(&mut self, snapshot: &Snapshot) -> zbus::Result<()> {
        let bus = &self.connection;
        let nodes = by_path(&snapshot.nodes, |node| format!("{ROOT}/node/{}", encode(&node.name)));
        let links = by_path(&snapshot.links, |link| {
            format!("{ROOT}/node/{}/link/{}", encode(&link.node), encode(&link.name))
        });
        let groups = by_path(&snapshot.groups, |group| format!("{ROOT}/group/{}", encode(&group.name)));
        sync::<Node>(bus, &mut self.nodes, nodes).await?;
        sync::<Link>(bus, &mut self.links, links).await?;
        sync::<Group>(bus, &mut self.groups, groups).await?;

        let manager = manager_data(snapshot);
        if manager != self.manager {
            let object = bus.object_server().interface::<_, Manager>(ROOT).await?;
            update(bus, &object, Manager::QUIET, |interface| interface.set(manager.clone())).await?;
            self.manager = manager;
        }
        Ok(())
    }
}

/// The pieces by object path. Two of one name (two media on one interface) get distinct paths: `eth0`, `eth0/2`.
fn by_path<T: Clone>(pieces: &[T], path: impl Fn(&T) -> String) -> BTreeMap<String, T> {
    let mut map = BTreeMap::new();
    for piece in pieces {
        let first = path(piece);
        let mut free = first.clone();
        let mut number = 2;
        while map.contains_key(&free) {
            free = format!("{first}{}", encode(&format!("/{number}")));
            number += 1;
        }
        map.insert(free, piece.clone());
    }
    map
}

/// Brings the objects of one interface from `shown` to `wanted`.
async fn sync<I: Mirror>(
    bus: &Connection,
    shown: &mut BTreeMap<String, I::Data>,
    wanted: BTreeMap<String, I::Data>,
) -> zbus::Result<()> {
    let server = bus.object_server();
    for path in shown.keys().filter(|path| !wanted.contains_key(*path)) {
        server.remove::<I, _>(path.as_str()).await?;
    }
    for (path, data) in &wanted {
        match shown.get(path) {
            Some(old) if old == data => {}
            Some(_) => {
                let object = server.interface::<_, I>(path.as_str()).await?;
                update(bus, &object, I::QUIET, |interface| interface.set(data.clone())).await?;
            }
            None => {
                server.at(path.as_str(), I::new(data.clone())).await?;
            }
        }
    }
    *shown = wanted;
    Ok(())
}

/// Applies `change` and emits one PropertiesChanged with what it changed, leaving out `quiet` properties.
async fn update<I: Interface>(
    bus: &Connection,
    object: &InterfaceRef<I>,
    quiet: &[&str],
    change: impl FnOnce(&mut I),
) -> zbus::Result<()> {
    let (server, emitter) = (bus.object_server(), object.signal_emitter());
    let (before, after) = {
        let mut interface = object.get_mut().await;
        let before = interface.get_all(server, bus, None, emitter).await?;
        change(&mut interface);
        (before, interface.get_all(server, bus, None, emitter).await?)
    };
    let changed: HashMap<&str, Variant<'_>> = after
        .iter()
        .filter(|(name, value)| !quiet.contains(&name.as_str()) && before.get(*name) != Some(*value))
        .map(|(name, value): (&String, &OwnedVariant)| Ok((name.as_str(), Variant::from(value.try_clone()?))))
        .collect::<zbus::Result<_>>()?;
    if changed.is_empty() {
        return Ok(());
    }
    fdo::Properties::properties_changed(emitter, I::name(), changed, Cow::Borrowed(&[])).await
}
