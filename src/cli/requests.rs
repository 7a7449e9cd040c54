//! What an operator asks of hbd: the question before what may do harm, and the call for each command.
//!
//! Owns which method a command calls. What became of it is hbd's word.

use zbus::connection::Builder;

use super::error::CliError;
use super::job::Attention;
use super::table::{FailbackChoice, RequestCommand, Switch, UpgradeStep};
use super::{ask, consent, fence, job, moves, reload, upgrade};

/// Asks whether the operator means what may do harm.
pub(super) fn ask_first(request: &RequestCommand) -> Result<(), CliError> {
    let (question, consent) = match request {
        RequestCommand::Fence { node, dry_run: false, consent } => {
            (format!("Reset {node}? Whatever it does is cut off, and its groups are taken over."), consent)
        }
        RequestCommand::ConfirmFenced { node, consent } => (
            format!("Is {node} powered off for certain? If it is not, both nodes will write to the same disks."),
            consent,
        ),
        RequestCommand::ClearHold { group, consent } => (
            format!(
                "Take over {group} although another machine may still serve it? If the other node does, both nodes will."
            ),
            consent,
        ),
        _ => return Ok(()),
    };
    consent::obtain(&question, *consent)
}

/// Sends hbd the request of an operator and waits for its answer: done, or why not.
pub(super) async fn send_request(
    bus: Builder<'static>,
    request: &RequestCommand,
    quiet: bool,
) -> Result<Result<String, String>, CliError> {
    let whole = Attention::whole(quiet);
    match request {
        RequestCommand::Standby { groups, patience } => {
            moves::run(bus, "Standby", groups, Attention::of(*patience, quiet)).await
        }
        RequestCommand::Takeover { groups, patience } => {
            moves::run(bus, "Takeover", groups, Attention::of(*patience, quiet)).await
        }
        RequestCommand::Move { group, node, patience } => {
            job::run(bus, "Move", &(group, node.to_ascii_lowercase()), Attention::of(*patience, quiet)).await
        }
        RequestCommand::Failback { choice: FailbackChoice::Now, group } => {
            job::run(bus, "FailbackNow", &(or_all(group),), whole).await
        }
        RequestCommand::Failback { choice: FailbackChoice::Cancel, group } => {
            ask::ask(bus, "FailbackCancel", &(or_all(group),)).await
        }
        RequestCommand::Maintenance { state, group: None } => {
            ask::ask(bus, "SetMaintenance", &(*state == Switch::On,)).await
        }
        RequestCommand::Maintenance { state, group: Some(group) } => {
            ask::ask(bus, "SetGroupMaintenance", &(group, *state == Switch::On)).await
        }
        RequestCommand::ClearHold { group, .. } => ask::ask(bus, "ClearHold", &(group,)).await,
        RequestCommand::Cleanup { group } => ask::ask(bus, "Cleanup", &(or_all(group),)).await,
        RequestCommand::Reload { dry_run: true } => reload::describe(bus).await,
        RequestCommand::Reload { dry_run: false } => reload::reload(bus, quiet).await,
        RequestCommand::Upgrade { step: UpgradeStep::Begin } => upgrade::begin(),
        RequestCommand::Upgrade { step: UpgradeStep::End } => upgrade::end(bus).await,
        RequestCommand::Fence { node, dry_run, .. } => fence::fence(bus, node, *dry_run, quiet).await,
        RequestCommand::ConfirmFenced { node, .. } => fence::confirm(bus, node, quiet).await,
    }
}

/// What stands for all groups on the bus.
fn or_all(group: &Option<String>) -> &str {
    group.as_deref().unwrap_or_default()
}
