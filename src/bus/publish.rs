//! From one snapshot to the next: objects come and go, properties change, and only what changed is signalled.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError};

use zbus::object_server::{Interface, InterfaceRef};
use zbus::{Connection, OwnedVariant, Variant, fdo};

use super::jobs::Jobs;
use super::manager::ManagerObject;
use super::names::ROOT;
use super::objects::{GroupObject, LinkObject, Mirror, NodeObject, ResourceObject};
use super::path::{encode, of_group, of_link, of_node};
use super::shown::Shown;
use super::snapshot::{GroupSnapshot, LinkSnapshot, NodeSnapshot, ResourceSnapshot, Snapshot};
use super::tell::tell;

type Properties = HashMap<String, OwnedVariant>;

/// What is on the bus now.
pub(super) struct Publisher {
    connection: Connection,
    manager: Shown,
    jobs: Arc<Jobs>,
    nodes: BTreeMap<String, NodeSnapshot>,
    links: BTreeMap<String, LinkSnapshot>,
    groups: BTreeMap<String, GroupSnapshot>,
    resources: BTreeMap<String, (String, ResourceSnapshot)>,
}

impl Publisher {
    /// For a connection that serves [`Manager`] with what is shown, and nothing else yet.
    pub(super) fn new(connection: &Connection, manager: Shown, jobs: Arc<Jobs>) -> Self {
        Publisher {
            connection: connection.clone(),
            manager,
            jobs,
            nodes: BTreeMap::new(),
            links: BTreeMap::new(),
            groups: BTreeMap::new(),
            resources: BTreeMap::new(),
        }
    }

    /// Makes the bus show `snapshot`.
    pub(super) async fn publish(&mut self, snapshot: &Snapshot) -> zbus::Result<()> {
        let bus = &self.connection;
        let nodes = by_path(&snapshot.nodes, |node| of_node(&node.name).to_string());
        let links = by_path(&snapshot.links, |link| of_link(&link.node, &link.name).to_string());
        let groups = by_path(&snapshot.groups, |group| of_group(&group.name).to_string());
        let resources = groups.iter().flat_map(|(path, group)| {
            let name = group.name.clone();
            let number = |(index, resource): (usize, &ResourceSnapshot)| {
                (format!("{path}/resource/{}", index + 1), (name.clone(), resource.clone()))
            };
            group.resources.iter().enumerate().map(number).collect::<Vec<_>>()
        });
        let resources = resources.collect();
        sync::<NodeObject>(bus, &mut self.nodes, nodes).await?;
        sync::<LinkObject>(bus, &mut self.links, links).await?;
        sync::<GroupObject>(bus, &mut self.groups, groups).await?;
        sync::<ResourceObject>(bus, &mut self.resources, resources).await?;

        let was = self.manager.read().unwrap_or_else(PoisonError::into_inner).clone();
        if was == *snapshot {
            return Ok(());
        }
        let object = bus.object_server().interface::<_, ManagerObject>(ROOT).await?;
        let same = was.of_manager() == snapshot.of_manager();
        // Its lock may be taken for long by its caller: what it shows is beside it.
        let before = if same { Properties::new() } else { shown(bus, &object, &*object.get().await).await? };
        *self.manager.write().unwrap_or_else(PoisonError::into_inner) = snapshot.clone();
        if !same {
            let after = shown(bus, &object, &*object.get().await).await?;
            signal(&object, ManagerObject::QUIET, &before, &after).await?;
        }
        if was.awaiting_job != snapshot.awaiting_job {
            let concerned = [was.awaiting_job, snapshot.awaiting_job].into_iter().flatten();
            self.jobs.signal_states(bus, concerned).await?;
        }
        tell(object.signal_emitter(), &was, snapshot).await
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
    let (before, after) = {
        let mut interface = object.get_mut().await;
        let before = shown(bus, object, &*interface).await?;
        change(&mut interface);
        (before, shown(bus, object, &*interface).await?)
    };
    signal(object, quiet, &before, &after).await
}

/// All properties.
async fn shown<I: Interface>(bus: &Connection, object: &InterfaceRef<I>, interface: &I) -> zbus::Result<Properties> {
    Ok(interface.get_all(bus.object_server(), bus, None, object.signal_emitter()).await?)
}

/// Signals what changed, leaving out `quiet` properties.
async fn signal<I: Interface>(
    object: &InterfaceRef<I>,
    quiet: &[&str],
    before: &Properties,
    after: &Properties,
) -> zbus::Result<()> {
    let changed: HashMap<&str, Variant<'_>> = after
        .iter()
        .filter(|(name, value)| !quiet.contains(&name.as_str()) && before.get(*name) != Some(*value))
        .map(|(name, value): (&String, &OwnedVariant)| Ok((name.as_str(), Variant::from(value.try_clone()?))))
        .collect::<zbus::Result<_>>()?;
    if changed.is_empty() {
        return Ok(());
    }
    fdo::Properties::properties_changed(object.signal_emitter(), I::name(), changed, Cow::Borrowed(&[])).await
}
