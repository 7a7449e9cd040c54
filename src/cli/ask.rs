//! Methods of org.hbd1.Manager that answer at once, and their answers as text.

use serde::Serialize;
use tokio::time::timeout;
use zbus::connection::Builder;
use zbus::proxy::MethodFlags;
use zbus::wire::{DynamicType, Type};
use zbus::{Connection, Proxy};

use super::error::CliError;
use super::fetch::ANSWER_LIMIT;
use crate::bus::{NAME, ROOT};

/// A connection to the bus; fails after [`ANSWER_LIMIT`].
pub(super) async fn connect(builder: Builder<'static>) -> Result<Connection, CliError> {
    let slow = |_| {
        let text = format!("no answer in {} s", ANSWER_LIMIT.as_secs());
        CliError::NoBus(zbus::fdo::Error::TimedOut(text).into())
    };
    timeout(ANSWER_LIMIT, builder.build()).await.map_err(slow)?.map_err(CliError::NoBus)
}

/// The manager of the hbd on that bus.
pub(super) async fn manager(bus: &Connection) -> Result<Proxy<'static>, CliError> {
    Proxy::new(bus, NAME, ROOT, "org.hbd1.Manager").await.map_err(CliError::NoAnswer)
}

/// Calls a method of org.hbd1.Manager that returns a text. The inner result is hbd's answer: done, or why not.
pub(super) async fn ask<B>(
    builder: Builder<'static>,
    method: &str,
    arguments: &B,
) -> Result<Result<String, String>, CliError>
where
    B: Serialize + DynamicType + Type,
{
    let bus = connect(builder).await?;
    let manager = manager(&bus).await?;
    let flags = MethodFlags::ALLOW_INTERACTIVE_AUTH;
    match manager.call_with_flags::<_, _, String>(method, flags, arguments).await {
        Ok(outcome) => Ok(Ok(outcome.unwrap_or_default())),
        Err(error) => refusal_text(error).map(Err),
    }
}

/// The text of hbd's refusal.
///
/// # Errors
/// Any other error, which means that hbd did not answer.
pub(super) fn refusal_text(error: zbus::Error) -> Result<String, CliError> {
    let zbus::Error::MethodError(name, text, _) = error else { return Err(CliError::NoAnswer(error)) };
    let text = text.unwrap_or_default();
    match name.as_str() {
        "org.hbd1.Error.Refused"
        | "org.hbd1.Error.ReloadRefused"
        | "org.hbd1.Error.Busy"
        | "org.hbd1.Error.InvalidArgument" => Ok(text),
        "org.freedesktop.DBus.Error.AccessDenied"
        | "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
        | "org.hbd1.Error.NotAllowed" => Err(CliError::NotAllowed(text)),
        "org.freedesktop.DBus.Error.ServiceUnknown" | "org.freedesktop.DBus.Error.NameHasNoOwner" => {
            Err(CliError::NotRunning)
        }
        "org.freedesktop.DBus.Error.UnknownMethod" => {
            Ok(format!("the hbd that runs here is older and cannot do that: systemctl restart hbd ({text})"))
        }
        _ => Err(CliError::NoAnswer(zbus::Error::Failure(format!("{name}: {text}")))),
    }
}
