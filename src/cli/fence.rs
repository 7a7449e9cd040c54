//! `hbctl fence` and `hbctl confirm-fenced`: org.hbd1.Fencing.

use zbus::Proxy;
use zbus::connection::Builder;
use zbus::wire::{DynamicType, Type};

use super::ask::{connect, refusal_text};
use super::error::CliError;
use super::job::print_progress;
use crate::bus::{NAME, ROOT};

/// Asks hbd to reset a node, or with `dry_run` to ask the node's device.
pub(super) async fn fence(
    bus: Builder<'static>,
    node: &str,
    dry_run: bool,
    quiet: bool,
) -> Result<Result<String, String>, CliError> {
    call(bus, "Fence", &(node, dry_run), quiet).await
}

/// Tells hbd that a node is off.
pub(super) async fn confirm(
    bus: Builder<'static>,
    node: &str,
    quiet: bool,
) -> Result<Result<String, String>, CliError> {
    call(bus, "ConfirmFenced", &(node,), quiet).await
}

/// Waits as long as the device takes, and prints the progress unless `quiet`. The inner result is hbd's answer.
async fn call<B>(
    builder: Builder<'static>,
    method: &str,
    arguments: &B,
    quiet: bool,
) -> Result<Result<String, String>, CliError>
where
    B: serde::Serialize + DynamicType + Type,
{
    let bus = connect(builder).await?;
    let fencing = Proxy::new(&bus, NAME, ROOT, "org.hbd1.Fencing").await.map_err(CliError::NoAnswer)?;
    let outcome = tokio::select! {
        outcome = fencing.call::<_, _, String>(method, arguments) => outcome,
        error = print_progress(&bus), if !quiet => return Err(error),
    };
    match outcome {
        Ok(outcome) => Ok(Ok(outcome)),
        Err(error) => refusal_text(error).map(Err),
    }
}
