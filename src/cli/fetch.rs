//! Reads the objects that hbd shows on the bus into a [`Snapshot`].

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;
use zbus::connection::Builder;
use zbus::fdo::{self, ObjectManagerProxy, PropertiesProxy};
use zbus::{Connection, Variant};

use super::error::CliError;
use super::older;
use super::properties::{Properties, take, take_list};
use crate::bus::{
    CheckSnapshot, DecisionSnapshot, GroupSnapshot, LinkSnapshot, NAME, NodeSnapshot, ROOT, ResourceSnapshot,
    Snapshot, Traffic, UnfitSnapshot,
};
use crate::util::text::printable;

/// How long the bus, and then hbd, may take for each answer.
pub(super) const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// A connection to the bus of hbd.
#[derive(Debug)]
pub(super) struct Client(Connection);

impl Client {
    /// Connects to the bus; fails after [`ANSWER_LIMIT`].
    pub async fn connect(builder: Builder<'static>) -> Result<Client, CliError> {
        let slow =
            |_| CliError::NoBus(fdo::Error::TimedOut(format!("no answer in {} s", ANSWER_LIMIT.as_secs())).into());
        let bus = timeout(ANSWER_LIMIT, builder.method_timeout(ANSWER_LIMIT).build()).await.map_err(slow)?;
        bus.map(Client).map_err(CliError::NoBus)
    }

    /// The connection.
    pub fn bus(&self) -> &Connection {
        &self.0
    }

    /// Everything that hbd shows.
    pub async fn snapshot(&self) -> Result<Snapshot, CliError> {
        let bus = &self.0;
        let manager =
            PropertiesProxy::builder(bus).destination(NAME).path(ROOT).build().await.map_err(CliError::NoAnswer)?;
        let interface = "org.hbd1.Manager".try_into().map_err(CliError::NoAnswer)?;
        let mut properties = manager.get_all(interface).await.map_err(no_answer)?;
        let order: Vec<String> = take_list(&mut properties, "Nodes");
        let mut snapshot = from_manager(properties);

        let objects = ObjectManagerProxy::builder(bus)
            .destination(NAME)
            .path(ROOT)
            .build()
            .await
            .map_err(CliError::NoAnswer)?;
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
        // The objects have no order. The property Nodes has it; an older hbd lacks that: own node first, ping nodes
        // last.
        snapshot.nodes.sort_by_key(|node| {
            let place = order.iter().position(|name| *name == node.name);
            (place, !node.local, node.kind == "ping", node.name.clone())
        });
        snapshot.links.sort_by_key(|link| (link.medium == "ping", link.node.clone(), link.name.clone()));
        snapshot.groups.sort_by_key(|group| group.name.clone());
        Ok(printable_texts(snapshot)?)
    }
}

/// The same with every text made printable: names and reasons come from files, from units and from the network.
fn printable_texts(snapshot: Snapshot) -> serde_json::Result<Snapshot> {
    fn escape(value: &mut Value) {
        match value {
            Value::String(text) => *text = printable(text),
            Value::Array(values) => values.iter_mut().for_each(escape),
            Value::Object(fields) => fields.values_mut().for_each(escape),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut value = serde_json::to_value(snapshot)?;
    escape(&mut value);
    serde_json::from_value(value)
}

/// Asks the hbd on the bus of `builder` for everything.
pub(super) async fn snapshot(builder: Builder<'static>) -> Result<Snapshot, CliError> {
    Client::connect(builder).await?.snapshot().await
}

fn no_answer(error: fdo::Error) -> CliError {
    match error {
        fdo::Error::ServiceUnknown(_) | fdo::Error::NameHasNoOwner(_) => CliError::NotRunning,
        error => CliError::NoAnswer(error.into()),
    }
}

fn from_manager(mut from: Properties) -> Snapshot {
    Snapshot {
        broken_devices: from
            .remove("BrokenDevices")
            .and_then(|value| Variant::from(value).try_into().ok())
            .unwrap_or_default(),
        start_problems: take_list(&mut from, "StartProblems"),
        decisions: older::decisions(&mut from)
            .unwrap_or_else(|| take_list(&mut from, "Decisions").into_iter().map(from_decision).collect()),
        version: take(&mut from, "Version"),
        node: take(&mut from, "NodeName"),
        cluster: take(&mut from, "ClusterName"),
        state: take(&mut from, "State"),
        resource_state: take(&mut from, "ResourceState"),
        maintenance: take(&mut from, "Maintenance"),
        groups_move_alone: take(&mut from, "GroupsMoveAlone"),
        awaited: take(&mut from, "Awaited"),
        awaited_reason: take(&mut from, "AwaitedReason"),
        witness: take(&mut from, "Witness"),
        witness_answers: take(&mut from, "WitnessAnswers"),
        witness_key: take(&mut from, "WitnessKey"),
        witness_required: take(&mut from, "WitnessRequired"),
        auto_failback: take(&mut from, "AutoFailback"),
        generation: take(&mut from, "Generation"),
        keepalive_usec: take(&mut from, "KeepaliveUSec"),
        warntime_usec: take(&mut from, "WarntimeUSec"),
        deadtime_usec: take(&mut from, "DeadtimeUSec"),
        initdead_usec: take(&mut from, "InitdeadUSec"),
        ..Snapshot::default()
    }
}

fn from_decision(mut from: Properties) -> DecisionSnapshot {
    DecisionSnapshot {
        usec: take(&mut from, "Timestamp"),
        priority: take(&mut from, "Priority"),
        event: take(&mut from, "Event"),
        node: take(&mut from, "Node"),
        group: take(&mut from, "Group"),
        text: take(&mut from, "Text"),
    }
}

fn from_node(mut from: Properties) -> NodeSnapshot {
    older::rename(&mut from);
    let implementation: String = take(&mut from, "Implementation");
    NodeSnapshot {
        name: take(&mut from, "Name"),
        kind: take(&mut from, "Type"),
        status: take(&mut from, "Status"),
        local: take(&mut from, "Local"),
        hbd: implementation == "hbd" || take(&mut from, "IsHbd"),
        generation: take(&mut from, "Generation"),
        deadtime_usec: take(&mut from, "DeadtimeUSec"),
        last_status_usec: take(&mut from, "LastStatusTimestamp"),
        holds: take(&mut from, "Holds"),
        in_transition: take(&mut from, "InTransition"),
        maintenance: take(&mut from, "Maintenance"),
        signed_with: take(&mut from, "SignedWith"),
        signing_key: None,
        left_alone: take_list(&mut from, "LeftAlone"),
        not_ready: take_list(&mut from, "NotReady"),
        ha_cf_digest: take(&mut from, "HaCfDigest"),
        haresources_digest: take(&mut from, "HaresourcesDigest"),
        differing: take_list(&mut from, "ConfigurationDiffers"),
        differences: take_list(&mut from, "ConfigurationDifferences"),
        doubt: take(&mut from, "Doubt"),
    }
}

fn from_link(mut from: Properties) -> LinkSnapshot {
    older::rename(&mut from);
    let traffic = match older::traffic(&mut from) {
        Some((sent, received, send_errors, bad)) => Traffic { sent, received, send_errors, bad },
        None => {
            let counted: HashMap<String, u64> =
                from.remove("Traffic").and_then(|value| Variant::from(value).try_into().ok()).unwrap_or_default();
            let count = |name: &str| counted.get(name).copied().unwrap_or_default();
            Traffic {
                sent: count("Sent"),
                received: count("Received"),
                send_errors: count("SendErrors"),
                bad: count("Bad"),
            }
        }
    };
    LinkSnapshot {
        node: take(&mut from, "Node"),
        name: take(&mut from, "Name"),
        medium: take(&mut from, "Medium"),
        status: take(&mut from, "Status"),
        last_heard_usec: take(&mut from, "LastHeardTimestamp"),
        traffic,
    }
}

fn from_resource(mut from: Properties) -> ResourceSnapshot {
    ResourceSnapshot {
        word: take(&mut from, "Word"),
        kind: take(&mut from, "Type"),
        target: take(&mut from, "Target"),
        state: take(&mut from, "State"),
        why: take(&mut from, "Reason"),
        failures: take(&mut from, "Failures"),
    }
}

fn from_check(mut from: Properties) -> CheckSnapshot {
    CheckSnapshot {
        name: take(&mut from, "Name"),
        purpose: take(&mut from, "Purpose"),
        state: take(&mut from, "State"),
        reason: take(&mut from, "Reason"),
        since_usec: take(&mut from, "SinceTimestamp"),
    }
}

fn from_unfit(mut from: Properties) -> UnfitSnapshot {
    UnfitSnapshot {
        node: take(&mut from, "Node"),
        why: take(&mut from, "Reason"),
        until_usec: take(&mut from, "UntilTimestamp"),
    }
}

fn from_group(mut from: Properties) -> GroupSnapshot {
    older::rename(&mut from);
    let resources = older::resources(&mut from)
        .unwrap_or_else(|| take_list(&mut from, "Resources").into_iter().map(from_resource).collect());
    let checks = older::checks(&mut from)
        .unwrap_or_else(|| take_list(&mut from, "Checks").into_iter().map(from_check).collect());
    let name: String = take(&mut from, "Name");
    let key: String = take(&mut from, "Key");
    GroupSnapshot {
        // A group of an older hbd has only a key, which it calls its name.
        key: if key.is_empty() { name.clone() } else { key },
        name,
        preferred: take(&mut from, "PreferredNode"),
        state: take(&mut from, "State"),
        owner: take(&mut from, "Owner"),
        owner_since_usec: take(&mut from, "OwnerSinceTimestamp"),
        held_back: take(&mut from, "HeldBack"),
        held_back_reason: take(&mut from, "HeldBackReason"),
        together: take_list(&mut from, "Together"),
        apart: take_list(&mut from, "Apart"),
        fails_back: take(&mut from, "FailsBack"),
        checks,
        degraded_there: take(&mut from, "DegradedThere"),
        contested: take(&mut from, "Contested"),
        strangers: take_list(&mut from, "Strangers"),
        returns: take(&mut from, "Returns"),
        returns_at_usec: take(&mut from, "ReturnsAtTimestamp"),
        returns_window: take(&mut from, "ReturnsWindow"),
        unfit: take_list(&mut from, "Unfit").into_iter().map(from_unfit).collect(),
        target: take(&mut from, "Target"),
        resources,
    }
}
