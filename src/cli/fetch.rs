//! From the objects on the bus back to a [`Snapshot`].

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::timeout;
use zbus::connection::Builder;
use zbus::fdo::{self, ObjectManagerProxy, PropertiesProxy};
use zbus::{OwnedVariant, Variant};

use super::CliError;
use crate::bus::{GroupSnapshot, LinkSnapshot, NAME, NodeSnapshot, ROOT, ResourceSnapshot, Snapshot};

/// How long the bus, and then hbd, may take for each answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

type Properties = HashMap<String, OwnedVariant>;

/// Asks the hbd on the bus of `builder` for everything.
pub(super) async fn snapshot(builder: Builder<'static>) -> Result<Snapshot, CliError> {
    let slow = |_| CliError::NoBus(fdo::Error::TimedOut(format!("no answer in {} s", PATIENCE.as_secs())).into());
    let bus =
        timeout(PATIENCE, builder.method_timeout(PATIENCE).build()).await.map_err(slow)?.map_err(CliError::NoBus)?;
    let manager =
        PropertiesProxy::builder(&bus).destination(NAME).path(ROOT).build().await.map_err(CliError::NoAnswer)?;
    let interface = "org.hbd1.Manager".try_into().map_err(CliError::NoAnswer)?;
    let mut snapshot = from_manager(manager.get_all(interface).await.map_err(no_answer)?);

    let objects =
        ObjectManagerProxy::builder(&bus).destination(NAME).path(ROOT).build().await.map_err(CliError::NoAnswer)?;
    for interfaces in objects.get_managed_objects().await.map_err(no_answer)?.into_values() {
        for (interface, properties) in interfaces {
            match interface.as_str() {
                "org.hbd1.Node" => snapshot.nodes.push(from_node(properties)),
                "org.hbd1.Link" => snapshot.links.push(from_link(properties)),
                "org.hbd1.Group" => snapshot.groups.push(from_group(properties)),
                _ => {}
            }
        }
    }
    // The bus has no order: ourselves first, ping nodes last.
    snapshot.nodes.sort_by_key(|node| (!node.local, node.kind == "ping", node.name.clone()));
    snapshot.links.sort_by_key(|link| (link.node.clone(), link.name.clone()));
    snapshot.groups.sort_by_key(|group| group.name.clone());
    Ok(snapshot)
}

fn no_answer(error: fdo::Error) -> CliError {
    match error {
        fdo::Error::ServiceUnknown(_) | fdo::Error::NameHasNoOwner(_) => CliError::NotRunning,
        error => CliError::NoAnswer(error.into()),
    }
}

/// A property, or its default if an older hbd does not have it.
fn take<T>(properties: &mut Properties, name: &str) -> T
where
    T: TryFrom<OwnedVariant> + Default,
{
    properties.remove(name).and_then(|value| value.try_into().ok()).unwrap_or_default()
}

fn from_manager(mut from: Properties) -> Snapshot {
    Snapshot {
        version: take(&mut from, "Version"),
        node: take(&mut from, "NodeName"),
        state: take(&mut from, "State"),
        resource_state: take(&mut from, "ResourceState"),
        awaited: take(&mut from, "Awaited"),
        auto_failback: take(&mut from, "AutoFailback"),
        generation: take(&mut from, "Generation"),
        keepalive_usec: take(&mut from, "KeepaliveUSec"),
        warntime_usec: take(&mut from, "WarntimeUSec"),
        deadtime_usec: take(&mut from, "DeadtimeUSec"),
        initdead_usec: take(&mut from, "InitdeadUSec"),
        ..Snapshot::default()
    }
}

fn from_node(mut from: Properties) -> NodeSnapshot {
    NodeSnapshot {
        name: take(&mut from, "Name"),
        kind: take(&mut from, "Type"),
        status: take(&mut from, "Status"),
        local: take(&mut from, "Local"),
        hbd: take(&mut from, "IsHbd"),
        generation: take(&mut from, "Generation"),
        deadtime_usec: take(&mut from, "DeadtimeUSec"),
        last_status_usec: take(&mut from, "LastStatusUSec"),
        holds: take(&mut from, "Resources"),
    }
}

fn from_link(mut from: Properties) -> LinkSnapshot {
    LinkSnapshot { node: take(&mut from, "Node"), name: take(&mut from, "Name"), status: take(&mut from, "Status") }
}

fn from_group(mut from: Properties) -> GroupSnapshot {
    let resources: Vec<(String, String, String, String)> =
        from.remove("Resources").and_then(|value| Variant::from(value).try_into().ok()).unwrap_or_default();
    GroupSnapshot {
        name: take(&mut from, "Name"),
        preferred: take(&mut from, "PreferredNode"),
        state: take(&mut from, "State"),
        owner: take(&mut from, "Owner"),
        resources: resources
            .into_iter()
            .map(|(word, kind, target, state)| ResourceSnapshot { word, kind, target, state })
            .collect(),
    }
}
