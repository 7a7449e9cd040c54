//! Starts the threads that need no more than the configuration: checks, witness, connections, recorder. Before the
//! core's thread becomes realtime, which they must not inherit.

use std::path::Path;

use log::{info, warn};
use tokio::sync::mpsc::UnboundedSender;

use super::clock;
use super::error::StartError;
use super::input::Input;
use super::recorder::{self, Recorder};
use super::runtime::variables;
use crate::checks::{CheckCommand, CheckThread};
use crate::cluster::Settings;
use crate::config::Config;
use crate::connections::{ConnectionCares, ConnectionsHandle};
use crate::util::error::error_chain;
use crate::witness::protocol::SOCKET;
use crate::witness::{WitnessHandle, WitnessThread};

/// The thread of the checks. It must not inherit realtime priority.
pub(super) fn checks(
    config: &Config,
    inputs: UnboundedSender<Input>,
) -> Result<UnboundedSender<CheckCommand>, StartError> {
    let thread =
        CheckThread { checks: config.checks.clone(), groups: config.groups.clone(), environment: variables(config) };
    // When the core has ended nobody wants to know.
    let report = move |report| drop(inputs.send(Input::Check(report)));
    thread.spawn(report).map_err(StartError::Thread)
}

/// The thread of the witness, if there is one. It must not inherit realtime priority.
pub(super) fn witness(config: &Config, inputs: UnboundedSender<Input>) -> Result<Option<WitnessHandle>, StartError> {
    let Some(found) = &config.witness else { return Ok(None) };
    let (key, node) = (found.key(&config.nodes), config.node.clone());
    info!("the witness is asked for the key {key} at {}", found.endpoints.join(", "));
    let daemon = uuid::Uuid::new_v4().as_u64_pair().0;
    let thread = WitnessThread { config: found.clone(), key, node, daemon, socket: SOCKET.into() };
    // When the core has ended nobody wants to know.
    let report = move |report| drop(inputs.send(Input::Witness(report)));
    WitnessHandle::spawn(thread, report).map(Some).map_err(StartError::Thread)
}

/// The thread of the connections, if a group has one of its options. It must not inherit realtime priority.
pub(super) fn connections(
    config: &Config,
    inputs: UnboundedSender<Input>,
) -> Result<Option<ConnectionsHandle>, StartError> {
    let cares = ConnectionCares::of(&config.groups, &config.address_options);
    if cares.is_none() {
        return Ok(None);
    }
    // When the core has ended nobody can tell the peer any more.
    let report = move |text| drop(inputs.send(Input::Connections(text)));
    ConnectionsHandle::spawn(cares, report).map(Some).map_err(StartError::Thread)
}

/// The recorder, if one is wanted. Its thread must not inherit realtime priority.
pub(super) fn recorder(config: &Config, settings: &Settings) -> Recorder {
    if !config.recording.enabled {
        return Recorder::off();
    }
    let directory = Path::new(recorder::DIRECTORY);
    Recorder::start(directory, config.recording.megabytes, settings, clock::moment()).unwrap_or_else(|error| {
        warn!("events are not recorded: {}", error_chain(&error));
        Recorder::off()
    })
}
