//! What an error from the bus means.

use zbus::{Connection, DBusError};

use super::error::UnitError;

/// Whether the call went unanswered, which says nothing about the unit: systemd re-executes, the bus restarts.
pub(super) fn is_transient(error: &zbus::Error) -> bool {
    if matches!(error, zbus::Error::InputOutput(_)) {
        return true;
    }
    let Some(name) = error_name(error) else { return false };
    let Some(word) = name.strip_prefix("org.freedesktop.DBus.Error.") else { return false };
    word.starts_with("Spawn.")
        || matches!(
            word,
            "NoReply"
                | "Timeout"
                | "TimedOut"
                | "Disconnected"
                | "ServiceUnknown"
                | "NameHasNoOwner"
                | "LimitsExceeded"
        )
}

/// The D-Bus name of an error *reply*; `None` for errors that arose on our side.
pub(super) fn error_name(error: &zbus::Error) -> Option<String> {
    match error {
        zbus::Error::MethodError(name, _, _) => Some(name.to_string()),
        zbus::Error::FDO(error) => Some(error.name().to_string()),
        _ => None,
    }
}

/// What the error says to people.
pub(super) fn error_text(error: &zbus::Error) -> String {
    match error {
        zbus::Error::MethodError(_, text, _) => text.clone().unwrap_or_default(),
        zbus::Error::FDO(error) => error.description().unwrap_or_default().to_owned(),
        other => other.to_string(),
    }
}

/// The error as one of this folder.
pub(super) fn connection_error(connection: &Connection, error: zbus::Error) -> UnitError {
    if connection.is_closed() { UnitError::ConnectionLost } else { UnitError::Bus(error) }
}
