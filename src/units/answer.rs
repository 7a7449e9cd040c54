//! What an error from the bus means.

use zbus::Connection;

use super::error::UnitError;
use crate::util::bus_error::error_name;

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

/// The error as one of this folder.
pub(super) fn connection_error(connection: &Connection, error: zbus::Error) -> UnitError {
    if connection.is_closed() { UnitError::ConnectionLost } else { UnitError::Bus(error) }
}
