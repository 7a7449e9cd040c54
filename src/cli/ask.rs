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
use crate::util::bus_error::{error_name, error_text};

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
    let Some(name) = error_name(&error) else { return Err(CliError::NoAnswer(error)) };
    let text = error_text(&error);
    match name.as_str() {
        "org.hbd1.Error.Refused"
        | "org.hbd1.Error.NotFenced"
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
        _ => Err(CliError::NoAnswer(error)),
    }
}

#[cfg(test)]
mod tests {
    use zbus::fdo;

    use super::*;

    #[test]
    fn a_refusal_in_words_of_dbus_is_told_from_silence() {
        let refusals = [
            fdo::Error::AccessDenied("only root may".into()),
            fdo::Error::InteractiveAuthorizationRequired("x".into()),
        ];
        for refusal in refusals {
            assert!(matches!(refusal_text(refusal.into()), Err(CliError::NotAllowed(_))));
        }
        for absence in [fdo::Error::ServiceUnknown("x".into()), fdo::Error::NameHasNoOwner("x".into())] {
            assert!(matches!(refusal_text(absence.into()), Err(CliError::NotRunning)));
        }
        let older = refusal_text(fdo::Error::UnknownMethod("x".into()).into());
        assert!(older.is_ok_and(|text| text.contains("systemctl restart hbd")));
        assert!(matches!(refusal_text(fdo::Error::NoReply("x".into()).into()), Err(CliError::NoAnswer(_))));
    }
}
